"""The edit operators of a harness: those that the processors of the library declare, and the user's own processors in it.

An operator that names signals comes a second time as mid-task rules: its edit is made only in an episode that shows one of them, as
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
    "phase_steps": "the search is long",
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
    return [*at_once, *((use, mid_task(operator)) for use, operator in found if operator.signals)]


def mid_task(operator: EditOperator) -> EditOperator:
    """Return the operator that makes another's edit in the midst of an episode, where one of its signals is seen."""

    def build(spec: HarnessSpec, found: Findings) -> Patch | None:
        seen = [signal for signal in operator.signals if signal in found.triggers]
        edit = operator.build(spec, found) if seen and len(spec.adaptations) + len(seen) <= MOST_RULES else None
        patch = [] if edit is None else as_patch(spec, edit)
        if not patch:
            return None
        rules = [{"name": _rule(operator, signal), "when": when(signal, found.triggers[signal]), "patch": patch} for signal in seen]
        names = {rule["name"] for rule in rules}
        if any(known["name"] in names for known in spec.adaptations):
            return None
        if spec.adaptations:
            return [{"op": "add", "path": "/adaptations/-", "value": rule} for rule in rules]
        return [{"op": "add", "path": "/adaptations", "value": rules}]

    return replace(
        operator,
        name=f"{operator.name}, once {' or '.join(SEEN[signal] for signal in operator.signals)}",
        why="Failing episodes show the signal and won ones seldom do, so the edit is made only in an episode that shows it.",
        build=build,
        calls_step=operator.calls_step / 2,  # from about the middle of an episode on
        signals=(),
    )


def _rule(operator: EditOperator, signal: str) -> str:
    """Return the name of a rule: with the signal where an operator has several."""
    name = operator.name if len(operator.signals) == 1 else f"{operator.name} once {SEEN[signal]}"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
