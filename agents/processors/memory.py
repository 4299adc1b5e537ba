"""What the harness remembers: where it has looked, as numbers and as a text for a model to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, Changes, StepEnd
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.control import keep_only
from homebody.agents.processors.examples import by_likeness
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, SEARCHING, EditOperator, Findings, method_of, scaled
from homebody.agents.processors.parameter import array, integer, string
from homebody.agents.wording import Naming
from homebody.envs.text import one_line

ACTIONS = {
    "type": "array",
    "items": {"type": "string"},
    "default": [],
    "description": "action schemas of the commands that reveal something, with # for an instance; none given: every command counts",
}

REACHED = {
    "type": "object",
    "properties": {"goal": {"type": "string"}, "commands": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "required": ["goal", "commands"],
    "additionalProperties": False,
}


def shows(command: str, actions: Sequence[str], naming: Naming) -> bool:
    """Tell whether a command is of an action schema that reveals something; without actions each one is."""
    return not actions or naming.template(command)[0] in actions


def reached(found: Findings) -> list[dict[str, Any]]:
    """Return the goals reached in training, each with its commands, as `memory_text` has them."""
    successes = found.bank or found.own
    return [{"goal": success["goal"], "commands": [step["command"] for step in success["steps"]]} for success in successes]


@register
class Visited(Processor):
    """Takes commands off the candidates that have already shown what they show. Helps an agent that looks at the same places again."""

    name = "visited"
    hook = "before_model"
    dimension = "memory"
    after = ("learned_plan",)
    schema = {"actions": ACTIONS}

    operators = (
        EditOperator(
            "do not look twice",
            "A place that was looked at has shown what it holds, so a second look is a step lost.",
            SEARCHING | LOOP,
            lambda spec, found: {"visited": {"actions": list(found.explore)}, **found.names} if found.explore else None,
            without_model=True,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._done: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Remember a look."""
        if step.accepted and shows(step.command, self.params["actions"], self.services.naming):
            self._done.add(step.command)

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop what was looked at, unless nothing else is left or the agent goes to a place that it knows."""
        if event.subgoal is not None and event.subgoal.phase != "search":
            return None
        return keep_only(event, [command not in self._done for command in event.candidates])


@register
class MemoryText(Processor):
    """Tells the model what was seen where, how like goals were reached and what failed. Helps a model whose history is short or cut.

    What was seen is one line for each accepted command, as it was answered last; what failed, one for each refused command, with the reason
    where the environment gives one. Lines stand in the order in which they first came up. Where they do not all fit `tokens`, the goals
    come first, then what failed, then what was seen, and of each the newest. It is shown at this step only.
    """

    name = "memory_text"
    hook = "before_model"
    dimension = "memory"
    texts = ("like", "seen", "failed")
    schema = {
        "tokens": integer("tokens of the lines, at most", default=300, least=1, most=100000),
        "characters": integer("characters of what was seen or failed", default=160, least=20, most=10000),
        "bank": array(REACHED, "goals reached in training, each with its commands"),
        "most": integer("goals shown, those most like this one", default=1, least=0, most=50),
        "actions": ACTIONS,
        "like": string("the line above the goals", default="Goals like this one were reached so:"),
        "seen": string("the line above what was seen", default="Seen so far:"),
        "failed": string("the line above what failed", default="What did not work:"),
    }

    operators = (
        EditOperator(
            "remember as text",
            "A model that reads in short lines what it saw and what failed need not find it in the history.",
            LOOP | SEARCHING | AIMLESS | {"refused", "order"},
            lambda spec, found: {"memory_text": {"actions": list(found.explore)}} if method_of(spec) != "rank" else None,
        ),
        EditOperator(
            "remember how like goals were reached",
            "Commands that reached a goal like this one say what to do next.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: (
                {"memory_text": {"bank": reached(found), "actions": list(found.explore)}}
                if method_of(spec) != "rank" and reached(found)
                else None
            ),
        ),
        EditOperator(
            "remember more",
            "What does not fit the memory is looked for again.",
            LOOP | SEARCHING,
            scaled("memory_text", "tokens", 2, 1, 1200),
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._seen: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._at: dict[str, int] = {}
        """The step of each command's last answer."""
        self._tokens: dict[str, int] = {}
        self._steps = 0

    def observe(self, step: StepEnd) -> None:
        """Take note of the answer."""
        self._steps += 1
        self._at[step.command] = self._steps
        if step.accepted:
            self._failed.pop(step.command, None)
            if shows(step.command, self.params["actions"], self.services.naming):
                self._seen[step.command] = self._line(step.command, step.observation)
        elif step.command.strip():
            self._failed[step.command] = self._line(step.command, step.why or step.observation)

    def process(self, event: BeforeModel) -> Changes | None:
        """Append the text after the cut, so that the history keeps the observation alone."""
        bank = by_likeness(event.goal, self.params["bank"])[: self.params["most"]]
        like = {str(number): one_line(f"- {item['goal']}: {'; '.join(item['commands'])}") for number, item in enumerate(bank)}
        left = self.params["tokens"]
        sections: list[str] = []
        # The parts in the order of their worth; they are shown in that order, too.
        for part, found in (("like", like), ("failed", self._failed), ("seen", self._seen)):
            kept = set[str]()
            for key in sorted(found, key=lambda key: -self._at.get(key, 0)):
                cost = self._count(found[key])
                if cost > left:
                    break
                left -= cost
                kept.add(key)
            if kept:
                sections += [self.params[part], *(found[key] for key in found if key in kept)]
        if not sections:
            return None
        durable, _, ephemeral = event.content.partition(CUT)
        return {"content": f"{durable}{CUT}{ephemeral}\n\n" + "\n".join(sections)}

    def _line(self, head: str, text: str) -> str:
        line = one_line(f"{head}: {text}")
        most = self.params["characters"]
        return f"- {line}" if len(line) <= most else f"- {line[: most - 3]}..."

    def _count(self, line: str) -> int:
        if line not in self._tokens:
            self._tokens[line] = self.services.count_tokens(line)
        return self._tokens[line]
