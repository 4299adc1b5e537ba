"""What is done with an answer that says again what was said before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.grammar import SLOT, matches
from homebody.agents.harness.hooks import MOST_SAMPLES, BeforeModel, Changes, StepEnd
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, SEARCHING, EditOperator, where_written
from homebody.agents.processors.parameter import boolean, integer


@register
class NoRepeat(Processor):
    """Has a command written another way where it repeats one. Helps a model that copies what it reads, or gives its last answer again.

    Not to be repeated are: commands that filled a free slot; what was sent before in the same situation, that is, after the same command
    and its answer; with `in_a_row` the command before; and with `copies` every text that was read, where a slot may hold several lines.
    In the place of such an answer the model writes the next most probable one, which leaves the first at the token of its command where
    it was least sure (a sampling model draws anew), and so on, up to `others`; a thought that is the last answer's is left as well. Where
    all of them repeat something, the first stays.
    """

    name = "no_repeat"
    hook = "before_model"
    dimension = "control"
    schema = {
        "others": integer("further answers that are written, at most", default=6, least=1, most=MOST_SAMPLES),
        "in_a_row": boolean("whether the last command is barred, whatever was answered", default=True),
        "copies": boolean("whether texts of several lines that were read are barred", default=True),
    }

    operators = (
        EditOperator(
            "write what was not written before",
            "An answer that was given before, or copies what was read, changes nothing; the next most probable one may.",
            LOOP | AIMLESS | ENDING,
            lambda spec, found: where_written({"no_repeat": {}})(spec, found) if spec.id_of("no_repeat") is None else None,
            calls_step=0.4,  # steps that repeat something are written twice or more, the others once
            symptom=lambda found: max(0.0, found.circling),
        ),
        EditOperator(
            "give a command again at once",
            "Where a command goes a step further each time, it has to be given several times in a row.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: {"no_repeat": {"in_a_row": False}} if spec.param("no_repeat", "in_a_row") else None,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._filled: dict[str, None] = {}
        self._sent: dict[tuple[str, str], list[str]] = {}
        self._read: dict[str, None] = {}
        self._situation = ("", "")
        self._slots: tuple[str, ...] = ()

    def observe(self, step: StepEnd) -> None:
        """Remember the command, and in which situation it was sent."""
        now = tuple(form for form in step.admissible if SLOT in form)
        if matches(step.command, (*self._slots, *now)):
            self._filled[step.command] = None
        self._sent.setdefault(self._situation, []).append(step.command)
        self._situation, self._slots = (step.command, step.observation), now
        self._read[step.observation] = None

    def process(self, event: BeforeModel) -> Changes:
        """Bar what is known."""
        self._slots = tuple(form for form in event.admissible if SLOT in form)
        self._situation = (self._situation[0], event.env_text)
        self._read[event.env_text] = None
        last = [self._situation[0]] if self.params["in_a_row"] and self._situation[0] else []
        read = self._read if self.params["copies"] and event.slot_lines else ()
        barred = dict.fromkeys((*self._filled, *self._sent.get(self._situation, ()), *last, *read))
        return {"barred": tuple(barred), "others": self.params["others"]}
