"""What a trace keeps besides what happened: what the model was shown, and which steps are worth training on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, StepEnd, TaskEnd
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import GUARDS, PRIORS, Processor, Services, register
from homebody.agents.processors.parameter import number

PARTS = ("content", "candidates", "prior", "tools", "choice")


def is_detail(notes: Mapping[str, Any]) -> bool:
    """Tell whether notes are those of `trace_detail`, whatever the id of its component."""
    return bool(notes) and notes.keys() <= set(PARTS) and isinstance(notes.get("content", ""), str)


@register
class TraceDetail(Processor):
    """Puts into the trace what the policy was shown at each step. Helps those who want to know why it chose as it did.

    It sees what the processors before it have made, and follows all those of the library.
    """

    name = "trace_detail"
    hook = "before_model"
    dimension = "observability"
    is_recorder = True
    after = (*GUARDS, *PRIORS, "fill_slot", "open_and_compare", "shortlist", "decide", "memory_text", "show_candidates", "template")
    schema = {
        "parts": {
            "type": "array",
            "items": {"enum": list(PARTS)},
            "minItems": 1,
            "uniqueItems": True,
            "default": list(PARTS),
            "description": "content: the last message; candidates, prior and tools: what was on offer; choice: how the policy chose",
        }
    }

    def process(self, event: BeforeModel) -> None:
        """Write the parts into the notes."""
        shown = {
            "content": event.content.replace(CUT, ""),
            "candidates": list(event.candidates),
            "prior": [round(float(value), 6) for value in event.prior],
            "tools": list(event.tools),
            "choice": asdict(event.choice),
        }
        self.notes.update({part: shown[part] for part in self.params["parts"]})


@register
class TrainingMarks(Processor):
    """Marks the steps of a won episode that are worth training on. Helps an export to leave out refusals, loops and lost episodes.

    A step is marked if its command was accepted and was not answered in the same words before. Its weight is `discount` to the power of
    the steps that followed, so that what came just before the success weighs most. An episode that is not won has no marks.
    """

    name = "training_marks"
    hook = "task_end"
    dimension = "training"
    is_recorder = True
    schema = {"discount": number("weight of a step relative to the next one", default=1.0, least=0.01, most=1)}

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._answers: set[tuple[str, str]] = set()
        self._marked: list[int] = []

    def observe(self, step: StepEnd) -> None:
        """Remember the number of a good step."""
        answer = (step.command, step.observation)
        if step.accepted and answer not in self._answers:
            self._marked.append(step.step)
        self._answers.add(answer)

    def process(self, event: TaskEnd) -> None:
        """Write the marked steps and their weights into the notes."""
        if event.won:
            self.notes["steps"] = self._marked
            self.notes["weights"] = [round(self.params["discount"] ** (event.steps - number), 6) for number in self._marked]
