"""The edit operators of a harness: those that the processors of the library declare, and the user's own processors in it.

An operator that names a signal comes a second time as a mid-task rule: its edit is made only in an episode that shows the signal, as
often as tells failing training episodes from won ones.
"""

from __future__ import annotations

import re
from dataclasses import replace

from homebody.agents.harness.library import REGISTRY, find, known
from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.processors.operator import EditOperator, Findings
from homebody.evolution.proposers.edit import as_patch
from homebody.evolution.proposers.findings import when

SEEN = {
    "stalled": "nothing new is seen",
    "refused": "commands are refused",
    "repeated": "a command is repeated",
    "unusable": "answers are no commands",
    "plan_over": "the plan is over",
}
"""Signals in words."""
MOST_RULES = 3
"""Mid-task rules that an operator adds to, at most: so many take effect in an episode."""


def operators(spec: HarnessSpec) -> list[tuple[str, EditOperator]]:
    """Return all operators that there are for a harness, each with the processor that declares it, by its name."""
    uses = sorted(set(REGISTRY) | {item["use"] for item in spec.components.values() if known(item["use"]) is None})
    found = [(use, operator) for use in uses for operator in find(use).operators]
    at_once = [(use, operator) for use, operator in found if not operator.midst_only]
    return [*at_once, *((use, mid_task(operator)) for use, operator in found if operator.signal)]


def mid_task(operator: EditOperator) -> EditOperator:
    """Return the operator that makes another's edit in the midst of an episode, where its signal is seen."""

    def build(spec: HarnessSpec, found: Findings) -> Patch | None:
        count = found.triggers.get(operator.signal)
        edit = None if count is None or len(spec.adaptations) >= MOST_RULES else operator.build(spec, found)
        patch = [] if edit is None else as_patch(spec, edit)
        if not patch or count is None:
            return None
        name = re.sub(r"[^a-z0-9]+", "-", operator.name.lower()).strip("-")
        often = {"most": operator.times} if operator.times > 1 else {}
        rule = {"name": name, "when": when(operator.signal, count), "patch": patch, **often}
        if any(known["name"] == rule["name"] for known in spec.adaptations):
            return None
        if spec.adaptations:
            return [{"op": "add", "path": "/adaptations/-", "value": rule}]
        return [{"op": "add", "path": "/adaptations", "value": [rule]}]

    return replace(
        operator,
        name=f"{operator.name}, once {SEEN[operator.signal]}",
        why="Failing episodes show the signal and won ones seldom do, so the edit is made only in an episode that shows it.",
        build=build,
        calls_episode=operator.calls_episode / 2,  # in some episodes
        calls_step=operator.calls_step / 2,  # from about the middle of an episode on
        # What can be made from the start helps there, too: that its signal is seen says nothing more for it.
        symptom=(lambda found: max(0.0, found.shown.get(operator.signal, 0.0))) if operator.midst_only else operator.symptom,
        signal="",
    )
