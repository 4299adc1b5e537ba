"""What the harness remembers within an episode: where it has looked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, Changes, StepEnd
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.control import keep_only
from homebody.agents.skills import wording

FORMS = {
    "type": "array",
    "items": {"type": "string"},
    "default": [],
    "description": "forms of the commands that reveal something, with # for an instance; none given: every command counts",
}


@register
class Visited(Processor):
    """Takes commands off the candidates that have already shown what they show. Helps an agent that looks at the same places again."""

    name = "visited"
    hook = "before_model"
    dimension = "memory"
    group = "visited"
    after = ("learned_plan",)
    schema = {"forms": FORMS}

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._done: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Remember a look."""
        if step.accepted and (not self.params["forms"] or wording.template(step.command)[0] in self.params["forms"]):
            self._done.add(step.command)

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop what was looked at, unless nothing else is left or the agent goes to a place that it knows."""
        if event.focus is not None and event.focus.phase != "search":
            return None
        return keep_only(event, [command not in self._done for command in event.candidates])
