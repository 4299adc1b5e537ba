"""Tools: commands that the model can call and the harness answers. A call costs no step; each tool bounds its calls.

Where the environment has a command of the same words, the environment gets it. Tools are for the policies that write; those that choose
from the candidates never call one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.grammar import filling, matches
from homebody.agents.harness.hooks import BeforeTool, Changes, StepEnd
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.operator import LOOP, EditOperator, where_written
from homebody.agents.processors.parameter import integer
from homebody.agents.wording import content_words

MOST_CALLS = {"type": "integer", "minimum": 1, "maximum": 100, "default": 5, "description": "calls in an episode, at most"}


class Tool(Processor):
    """A processor that answers commands of its own, `calls` times at most."""

    hook = "before_tool"
    dimension = "tools"

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._left: int = params["calls"]

    @property
    @abstractmethod
    def forms(self) -> tuple[str, ...]:
        """The commands that it answers now."""

    @abstractmethod
    def answer(self, form: str, text: str, event: BeforeTool) -> str:
        """Answer one of `forms`, with `text` in its slot."""

    def offers(self) -> tuple[str, ...]:
        """Offer the tool while there are calls left."""
        return self.forms if self._left else ()

    def process(self, event: BeforeTool) -> Changes | None:
        """Answer, if the command is the tool's and not the environment's."""
        if matches(event.command, event.admissible):
            return None
        for form in self.offers():
            text = filling(form, event.command)
            if text is not None:
                self._left -= 1
                return {"answer": self.answer(form, text, event)}
        return None


@register
class Notes(Tool):
    """Lets the model write notes and read them again. Helps where the history is cut and something in it matters later."""

    name = "notes"
    schema = {"calls": MOST_CALLS}

    operators = (
        EditOperator(
            "take notes",
            "What a model has written down for itself it need not find again in a history that is cut.",
            LOOP | {"searching"},
            where_written({"notes": {}}, beside=("history_window", "history_budget")),
            calls_episode=2,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._notes: list[str] = []

    @property
    def forms(self) -> tuple[str, ...]:
        """Writing, and reading once there is something to read."""
        return ("note {text}", "read notes") if self._notes else ("note {text}",)

    def answer(self, form: str, text: str, event: BeforeTool) -> str:
        """Keep the note, or list them all."""
        if form == "read notes":
            return "\n".join(f"- {note}" for note in self._notes)
        self._notes.append(text)
        return f"Noted: {text}"


@register
class Recall(Tool):
    """Lets the model look up what it has read in this episode. Helps a model with a short history that has to find something again."""

    name = "recall"
    schema = {
        "calls": MOST_CALLS,
        "most": integer("steps quoted in one answer, at most", default=2, least=1, most=20),
    }

    operators = (
        EditOperator(
            "look up what was read",
            "What was cut from the history can be asked for instead of being found anew.",
            LOOP,
            where_written({"recall": {}}, beside=("history_window", "history_budget")),
            calls_episode=2,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._steps: list[StepEnd] = []

    @property
    def forms(self) -> tuple[str, ...]:
        """One, once there is something to recall."""
        return ("recall {text}",) if self._steps else ()

    def observe(self, step: StepEnd) -> None:
        """Keep the step."""
        self._steps.append(step)

    def answer(self, form: str, text: str, event: BeforeTool) -> str:
        """Quote the steps that share most words with the text; the latest of equals first."""
        wanted = content_words(text)
        shared = [len(wanted & content_words(f"{step.command} {step.observation}")) for step in self._steps]
        order = sorted((i for i, count in enumerate(shared) if count), key=lambda i: (-shared[i], -i))
        found = [self._steps[i] for i in order[: self.params["most"]]]
        if not found:
            return f"Nothing that was read says anything of {text}."
        return "\n".join(f"Step {step.step}, {step.command}: {step.observation}" for step in found)


@register
class StepsLeft(Tool):
    """Tells the model how many steps are spent and how many remain. Helps a model that can plan and does not count."""

    name = "steps_left"
    schema = {"calls": MOST_CALLS}
    forms = ("count steps",)

    operators = (
        EditOperator(
            "count the steps",
            "A model that knows how many steps are left can tell whether there is time for more before the end.",
            frozenset({"ceiling", "premature_end"}),
            where_written({"steps_left": {}}),
            calls_episode=2,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._spent = 0

    def observe(self, step: StepEnd) -> None:
        """Count."""
        self._spent = step.step

    def answer(self, form: str, text: str, event: BeforeTool) -> str:
        """Give both numbers and their sum."""
        return f"Steps spent: {self._spent}. Steps left: {event.steps_left}, of {self._spent + event.steps_left}."
