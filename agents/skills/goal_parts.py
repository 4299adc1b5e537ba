"""The parts of a goal that differ from goal to goal: what a free slot is likely to want."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict

from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel, Changes, StepEnd
from homebody.agents.processors.base import GUARDS, Processor, Services, register
from homebody.agents.processors.parameter import array, boolean, integer
from homebody.agents.skills import operator

MOST_PARTS = 8
"""Parts of a goal that are offered, at most."""
TEXT = {"type": "string"}


class PartsTable(TypedDict):
    """What goals of training tasks showed, as the parameters of `GoalParts` of the same names describe it."""

    templates: list[list[str]]
    marks: list[list[str]]


@register
class GoalParts(Processor):
    """Puts parts of the goal into free slots, a command for each. Helps where what has to be written stands in the goal.

    A free slot is filled with the whole goal otherwise, which a form seldom wants. The parts are what stands in the blanks of the
    first template that the goal has; where it has none of them, what stands between marks that mostly enclose such parts.
    A goal without parts changes nothing.
    """

    name = "goal_parts"
    hook = "before_model"
    dimension = "tools"
    before = GUARDS
    schema = {
        "templates": array(
            {"type": "array", "minItems": 2, "items": TEXT},
            "goal templates, each the texts around its blanks; of those that a goal has, the first counts",
        ),
        "marks": array(
            {"type": "array", "minItems": 2, "maxItems": 2, "items": {**TEXT, "minLength": 1}},
            "pairs of what stands before and after a part, for a goal of another template",
        ),
        "most": integer("parts of a goal, at most", default=MOST_PARTS, least=1, most=100),
        "once": boolean("whether a slot that was filled is taken off, and a part that was written as long as another was not"),
    }

    operators = operator.GOAL_PARTS

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._offered: dict[str, tuple[str, str]] = {}
        self._filled: set[str] = set()
        self._written: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Remember what was written where."""
        if step.accepted and step.command in self._offered:
            form, part = self._offered[step.command]
            self._filled.add(form)
            self._written.add(part)

    def process(self, event: BeforeModel) -> Changes | None:
        """Write each part into every slot that holds the goal, in the place of the goal."""
        forms = {form.replace(SLOT, event.goal): form for form in event.admissible if SLOT in form and form not in event.slot_lines}
        parts = parts_of(event.goal, self.params["templates"], self.params["marks"], self.params["most"]) if forms else ()
        if not parts:
            return None
        offered = list(zip(event.candidates, event.prior, strict=True))
        if self.params["once"]:
            parts = tuple(part for part in parts if part not in self._written) or parts
            offered = [pair for pair in offered if forms.get(pair[0]) not in self._filled] or offered
        self._offered = {form.replace(SLOT, part): (form, part) for form in forms.values() for part in parts}
        filled: dict[str, float] = {}
        for command, prior in offered:
            for written in [forms[command].replace(SLOT, part) for part in parts] if command in forms else [command]:
                filled.setdefault(written, prior)
        return {"candidates": tuple(filled), "prior": tuple(filled.values())}


def parts_of(goal: str, templates: Sequence[Sequence[str]], marks: Sequence[Sequence[str]], most: int = MOST_PARTS) -> tuple[str, ...]:
    """Return the parts of a goal, in its order and without repeats.

    Args:
        goal: the goal sentence.
        templates: each the texts around its blanks; the first that the goal has counts.
        marks: pairs of what stands before and after a part, for a goal that has none of the templates.
        most: parts, at most.
    """
    blanks = next((found for template in templates if (found := blanks_of(template, goal)) is not None), None)
    if blanks is None:
        between = (_between(before, after) for before, after in marks)
        blanks = tuple(text for _, text in sorted((found.start(1), found[1]) for pattern in between for found in pattern.finditer(goal)))
    return tuple(dict.fromkeys(text.strip() for text in blanks if text.strip()))[:most]


def blanks_of(template: Sequence[str], goal: str) -> tuple[str, ...] | None:
    """Return what stands in the blanks, each as short as can be but the last; None where the goal has another template."""
    first, *between, last = template
    if not goal.startswith(first):
        return None
    found, start = [], len(first)
    for text in between:
        end = goal.find(text, start + 1)
        if end < 0:
            return None
        found.append(goal[start:end])
        start = end + len(text)
    end = len(goal) - len(last)
    return (*found, goal[start:end]) if start < end and goal.endswith(last) else None


@lru_cache(maxsize=256)
def _between(before: str, after: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(before)}([^{re.escape(before[-1] + after[0])}]+){re.escape(after)}")
