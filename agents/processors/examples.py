"""Worked examples stored in the harness, those most like the goal at hand shown to the model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homebody.agents.harness.hooks import Changes, TaskStart
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.operator import (
    AIMLESS,
    ENDING,
    LONG,
    SEARCHING,
    UNABLE,
    EditOperator,
    Settings,
    method_of,
)
from homebody.agents.processors.parameter import array, integer, string
from homebody.agents.wording import content_words

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


SUCCESS = {
    "type": "object",
    "properties": {
        "goal": {"type": "string"},
        "task": {"type": "string", "description": "id of the task that it was played on, for readers"},
        "opening": {"type": "string", "description": "what was seen first; left out, the goal alone"},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "thought": {"type": "string", "description": "what was thought before; may be left out"},
                    "command": {"type": "string"},
                    "observation": {
                        "type": "string",
                        "description": "what was answered; left out, the command stands alone",
                    },
                },
                "required": ["command"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["goal", "steps"],
    "additionalProperties": False,
}


MOST_EXAMPLES = 8
"""Examples that an operator shows, at most."""


def shown_bank(spec: HarnessSpec, bank: Sequence[Mapping[str, Any]]) -> Settings | None:
    """Return the settings that show these successes beside those of other goals that the harness has; None where none is seen.

    Where the harness has none yet, the mark before a command is the one that it reads.
    """
    if not bank or method_of(spec) == "rank":
        return None
    goals = {success["goal"] for success in bank}
    kept = [success for success in spec.param("examples", "bank") or () if success["goal"] not in goals]
    mark = spec.param("answer", "mark") if spec.param("answer", "read") == "after" else None
    marked = {"command_mark": mark} if mark and spec.id_of("examples") is None else {}
    return {"examples": {"bank": [*bank, *kept], **marked}}


def commands_alone(bank: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return successes without answers and thoughts."""
    return [{"goal": success["goal"], "steps": [{"command": step["command"]} for step in success["steps"]]} for success in bank]


def resized(spec: HarnessSpec, factor: float) -> Settings | None:
    """Return the settings that show so many times the examples, with room for them; None without examples, and at the bounds."""
    most, tokens = spec.param("examples", "most"), spec.param("examples", "tokens")
    if most is None or not 1 <= int(most * factor) <= MOST_EXAMPLES:
        return None
    return {"examples": {"most": int(most * factor), "tokens": int(tokens * factor)}}


@register
class Examples(Processor):
    """Shows the stored examples whose goals are most like this one. Helps a model that copies well and plans badly.

    An example is a list of commands, or a whole dialogue: what was seen first, and of each step the
    thought, the command and the answer. The likeness of two goals is the share of their words,
    function words and numbers aside, that they have in common, each word weighted by its rarity in
    the bank. The most similar example stands last, nearest to the task. An example that does not fit
    the budget is left out, and the next one is tried. Prompts of other tasks share what stands
    before the examples.
    """

    name = "examples"
    version = 2
    hook = "task_start"
    dimension = "context"
    schema = {
        "bank": array(SUCCESS, "successes from training, each a goal and its steps"),
        "most": integer("examples shown, at most", default=2, least=1, most=20),
        "tokens": integer("tokens of all examples, at most", default=400, least=1, most=100000),
        "header": string("the line above the examples", default="Tasks that were solved before:"),
        "thought_mark": string("what stands before a thought", default="Thought:", most=80),
        "command_mark": string("what stands before a command", default=">", most=80),
    }

    operators = (
        EditOperator(
            "show solved tasks",
            "A model that copies well and plans badly does better with tasks before it that were solved.",
            UNABLE | AIMLESS | ENDING | SEARCHING,
            lambda spec, found: shown_bank(spec, found.bank),
        ),
        EditOperator(
            "show its own solved tasks",
            "A model copies its own words more surely than another's, thoughts included.",
            UNABLE | AIMLESS | ENDING,
            lambda spec, found: shown_bank(spec, found.own),
        ),
        EditOperator(
            "show solved tasks as commands alone",
            "Examples without answers are short, so more of them fit, and what is to be copied stands out.",
            AIMLESS | ENDING | LONG,
            lambda spec, found: shown_bank(spec, commands_alone(found.bank or found.own)),
        ),
        EditOperator(
            "show more examples",
            "More examples show what they have in common, and one of them is nearer to the goal.",
            AIMLESS | ENDING | UNABLE,
            lambda spec, found: resized(spec, 2),
        ),
        EditOperator(
            "show fewer examples",
            "A small model mixes examples up, and one takes less room than several.",
            LONG | {"cut_off", "unusable_answers"},
            lambda spec, found: resized(spec, 0.5),
        ),
    )

    def process(self, event: TaskStart) -> Changes | None:
        """Append the examples to the system prompt."""
        chosen: list[str] = []
        left = self.params["tokens"]
        for success in by_likeness(event.goal, self.params["bank"]):
            text = render(success, self.params["thought_mark"], self.params["command_mark"])
            cost = self.services.count_tokens(text)
            if cost <= left:
                chosen.insert(0, text)
                left -= cost
            if len(chosen) == self.params["most"]:
                break
        if not chosen:
            return None
        # Other tasks have other examples: what stands before them is a segment of its own.
        shown = CUT + "\n\n".join([self.params["header"], *chosen]) + CUT
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


def telling(goals: Sequence[frozenset[str]], meanings: Sequence[str]) -> dict[str, float]:
    """Return how much each word of some goals tells about what they mean, in nats, at least 0.

    It is the part of the divergence (Kullback and Leibler 1951) of the meanings of the goals with that word from those of all goals
    that the meanings beside it have, where each word has stood in one more goal of no particular meaning. A greeting tells nothing.
    """
    share = {meaning: number / len(meanings) for meaning, number in Counter(meanings).items()}
    found: dict[str, Counter[str]] = {}
    for words, meaning in zip(goals, meanings, strict=True):
        for word in words:
            found.setdefault(word, Counter())[meaning] += 1

    def told(beside: Counter[str]) -> float:
        parts = {meaning: (number + share[meaning]) / (beside.total() + 1) for meaning, number in beside.items()}
        return max(0.0, math.fsum(part * math.log(part / share[meaning]) for meaning, part in parts.items()))

    return {word: told(beside) for word, beside in found.items()}


def render(success: Mapping[str, Any], thought_mark: str = "Thought:", command_mark: str = ">") -> str:
    """Return an example as the model reads it: the goal, what was seen first, and of each step the thought, the command and the answer.

    A thought and a command stand behind their marks, on lines of their own.
    """
    lines = [f"Goal: {success['goal']}", *([success["opening"]] if "opening" in success else [])]
    for step in success["steps"]:
        lines += [f"{thought_mark} {step['thought']}"] if "thought" in step else []
        lines += [f"{command_mark} {step['command']}", *([step["observation"]] if "observation" in step else [])]
    return "\n".join(lines)
