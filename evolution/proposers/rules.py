"""The proposer without a model: it looks up which operators answer the failures that the digests show.

Operators that answer more failures come first. One that was tried and flipped none of the tasks that it was to unlock goes to the end.
After a round that shipped nothing, the last place of the round goes to a dimension of the harness that no edit has touched yet, if an
operator there has any evidence for it: the guard against trying ever finer versions of what did not help. A round of one candidate has no
place to spare for that: its operators come in their order, and the run goes on until each had its turn.

An edit that was refused because its best twin gains more than the model is good machinery that leaves the model no part. It comes
again, before all others, together with an operator that asks the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.processors import find
from homebody.evolution.evidence.landscape import Landscape
from homebody.evolution.evidence.learn import Lessons
from homebody.evolution.proposers.candidate import Candidate, Evidence, make_manifest
from homebody.evolution.proposers.edit import set_processors, target
from homebody.evolution.proposers.operator import Build, EditOperator, Settings
from homebody.evolution.proposers.operators import operators

OFTEN = 2
"""Rejections at the gate, without one acceptance, after which an operator counts as failed though its flips were not measured."""


ASKING = "model"
"""The dimension of processors that ask the model, and of the one that says how it decides."""


@dataclass(frozen=True)
class _Option:
    operator: EditOperator
    patch: Patch
    signature: str
    """Id of the component at work."""

    @property
    def dimension(self) -> str:
        return find(self.operator.use).dimension


def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose the operators that answer most of the failures; where the critic objects to one, the next takes its place."""
    options = list(_options(spec, evidence))
    landscape = evidence.landscape
    if k > 1 and _idle(landscape, evidence.round) and not evidence.objections:
        fresh = next((option for option in options[k - 1 :] if option.dimension in landscape.untried), None)
        if fresh is not None:
            options.remove(fresh)
            options.insert(k - 1, fresh)
    return [_candidate(option, evidence, number) for number, option in enumerate(options[:k], 1)]


def _options(spec: HarnessSpec, evidence: Evidence) -> Iterator[_Option]:
    """Yield the operators that apply and lead to a behaviour that was not tried, best first."""
    failures = evidence.landscape.failures

    def answered(operator: EditOperator) -> int:
        return sum(len(tasks) for category, tasks in failures.items() if category in operator.answers)

    objected = {candidate.manifest["operator"] for candidate in evidence.proposed if candidate.id in evidence.objections}
    table = [operator for operator in operators() if operator.name not in objected and answered(operator)]
    # Stable: of operators that answer as many failures, the table's order holds.
    table.sort(key=lambda operator: (_has_failed(operator.name, evidence.landscape), -answered(operator)))
    seen = {spec.behaviour_hash, *evidence.tried}
    for operator in (
        *(operator for operator in _pairs(evidence.landscape) if operator.name not in objected and answered(operator)),
        *table,
    ):
        settings = operator.build(spec, evidence.lessons)
        if settings is None:
            continue
        patch = set_processors(spec, settings)
        try:
            edited = spec.patch(patch)
            edited.processors()
        except (HarnessError, PatchError):  # a rule or a class of the user's does the same, for example
            continue
        # Where the component at work stays as it is, its activations would not show the edit.
        name = target(spec, operator.use)
        if edited.behaviour_hash not in seen and edited.components[name] != spec.components.get(name):
            seen.add(edited.behaviour_hash)
            yield _Option(operator, patch, name)


def _pairs(landscape: Landscape) -> Iterator[EditOperator]:
    """Yield what a twin took over, each with every operator that asks the model."""
    taken = dict.fromkeys(edit["operator"] for edit in landscape.tried if _is_taken_over(edit))
    for first in (operator for operator in operators() if operator.name in taken):
        for second in operators():
            if second.use not in ("decide", first.use) and find(second.use).dimension == ASKING:
                why = f"Its twin gained more than the model, which now has a part in it. {second.why}"
                yield EditOperator(f"{first.name}, and {second.name}", why, first.answers, second.use, _both(first, second))


def _is_taken_over(edit: Mapping[str, Any]) -> bool:
    """Tell whether an edit was refused though its best twin gained, and more than the model."""
    gain, twin_gain = edit.get("gain"), edit.get("twin_gain")
    return edit["verdict"] == "rejected" and twin_gain is not None and twin_gain > max(0.0, gain or 0.0)


def _both(first: EditOperator, second: EditOperator) -> Build:
    def build(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
        one, other = first.build(spec, lessons), second.build(spec, lessons)
        return None if one is None or other is None else {**one, **other}

    return build


def _has_failed(operator: str, landscape: Landscape) -> bool:
    """Tell whether an operator was tried and did nothing of what it was to do."""
    rate = landscape.hit_rates.get(operator)
    if rate is not None and rate["predicted"]:
        return not rate["flipped"]
    verdicts = [edit["verdict"] for edit in landscape.tried if edit["operator"] == operator]
    return len(verdicts) >= OFTEN and set(verdicts) == {"rejected"}


def _idle(landscape: Landscape, number: int) -> bool:
    """Tell whether the round before this one tried edits and shipped none."""
    last = [edit["verdict"] for edit in landscape.tried if edit["round"] == number - 1]
    return bool(last) and "shipped" not in last


def _candidate(option: _Option, evidence: Evidence, number: int) -> Candidate:
    name, operator = f"r{evidence.round}c{number}", option.operator
    manifest = make_manifest(name, option.dimension, operator.name, operator.why, evidence, operator.answers, option.signature)
    return Candidate(name, option.dimension, option.patch, manifest)
