"""Few-shot examples: successes stored in the harness, those most like the goal at hand shown to the model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.hooks import Changes, TaskStart
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.control import content_words

SUCCESS = {
    "type": "object",
    "properties": {
        "goal": {"type": "string"},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "command": {"type": "string"},
                    "observation": {"type": "string", "description": "what was answered; left out, the command stands alone"},
                },
                "required": ["command"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["goal", "steps"],
    "additionalProperties": False,
}


@register
class Examples(Processor):
    """Shows the stored successes whose goals are most like this one. Helps a model that copies well and plans badly.

    The likeness of two goals is the share of their words, function words and numbers aside, that they have in common, each word weighted
    by its rarity in the bank. The most similar example stands last, nearest to the task. An example that does not fit the budget is left
    out, and the next one is tried.
    """

    name = "examples"
    hook = "task_start"
    dimension = "context"
    group = "examples"
    schema = {
        "bank": {"type": "array", "items": SUCCESS, "default": [], "description": "successes from training, each a goal and its steps"},
        "most": {"type": "integer", "minimum": 1, "maximum": 20, "default": 2, "description": "examples shown, at most"},
        "tokens": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 400, "description": "tokens of all examples, at most"},
        "header": {"type": "string", "default": "Tasks that were solved before:", "description": "the line above the examples"},
    }

    def process(self, event: TaskStart) -> Changes | None:
        """Append the examples to the system prompt."""
        chosen: list[str] = []
        left = self.params["tokens"]
        for success in by_likeness(event.goal, self.params["bank"]):
            text = render(success)
            cost = self.services.count_tokens(text)
            if cost <= left:
                chosen.insert(0, text)
                left -= cost
            if len(chosen) == self.params["most"]:
                break
        if not chosen:
            return None
        shown = "\n\n".join([self.params["header"], *chosen])
        return {"system_prompt": f"{event.system_prompt}\n\n{shown}" if event.system_prompt else shown}


def by_likeness(goal: str, bank: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the bank's successes, the one whose goal is most like `goal` first; equals in the order of the bank."""
    wanted = content_words(goal)
    goals = [content_words(success["goal"]) for success in bank]
    frequency = Counter(word for words in goals for word in words)

    def weight(words: frozenset[str]) -> float:
        return math.fsum(math.log(1 + len(bank) / max(1, frequency[word])) for word in words)

    likeness = [weight(wanted & words) / (weight(wanted | words) or 1.0) for words in goals]
    return [bank[i] for i in sorted(range(len(bank)), key=lambda i: (-likeness[i], i))]


def render(success: Mapping[str, Any]) -> str:
    """Write a success as the model reads it: the goal, then each command after `> ` with what was answered below it."""
    lines = [f"Goal: {success['goal']}"]
    for step in success["steps"]:
        lines += [f"> {step['command']}", *([step["observation"]] if "observation" in step else [])]
    return "\n".join(lines)
