"""How a decision is taken, and what is done against running in circles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from homebody.agents.hooks import METHODS, BeforeModel, Changes, StepEnd
from homebody.agents.processors.base import Processor, Score, register


def keep_only(event: BeforeModel, keep: list[bool]) -> Changes | None:
    """Return the changes that leave the marked commands on the menu; None if that would leave all of them or none."""
    if all(keep) or not any(keep):
        return None
    return {
        "menu": tuple(command for command, kept in zip(event.menu, keep, strict=True) if kept),
        "bias": tuple(bias for bias, kept in zip(event.bias, keep, strict=True) if kept),
    }


@register
class Decide(Processor):
    """Chooses how the decider decides. `score` and `rank` help a model that cannot write a command of the menu letter by letter.

    `generate`: the model writes freely, and what it writes must be a command. `score`: the command of highest model score plus bias.
    `rank`: the command of highest bias, that is, of what other processors know or asked the model; the first of equals.
    """

    name = "decide"
    hook = "before_model"
    dimension = "control"
    group = "decide"
    schema = {
        "method": {"enum": list(METHODS), "default": "generate", "description": "write freely, by model score plus bias, or by bias alone"},
        "normalize": {"enum": ["sum", "mean"], "default": "mean", "description": "a command's score: whole, or divided by its length"},
    }

    def process(self, event: BeforeModel) -> Changes:
        """Set the method."""
        return {"method": self.params["method"], "normalize": self.params["normalize"]}


@register
class LoopGuard(Processor):
    """Takes a command off the menu once it has been answered in the same words too often. Helps a model that repeats itself."""

    name = "loop_guard"
    hook = "before_model"
    dimension = "control"
    group = "loop_guard"
    schema = {
        "repeats": {"type": "integer", "minimum": 1, "maximum": 20, "default": 2, "description": "equal answers that are let through"}
    }

    def __init__(self, params: Mapping[str, Any], score: Score | None) -> None:
        super().__init__(params, score)
        self._answers: Counter[tuple[str, str]] = Counter()
        self._stale: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Count how often a command was answered with the same observation."""
        self._answers[step.command, step.observation] += 1
        if self._answers[step.command, step.observation] >= self.params["repeats"]:
            self._stale.add(step.command)

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop stale commands, unless nothing else is left."""
        return keep_only(event, [command not in self._stale for command in event.menu])
