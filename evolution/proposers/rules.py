"""The proposer without a model: it looks up which edit operators answer the failures that the digests show.

Their order is evidence. Operators that cost few model calls come before those that cost many; of like cost the first is the one that is
expected to mend most tasks: the failing ones that it answers, times the share of those predicted that it mended before in this run, or
where it was not tried the share of training tasks that what it brings has won in exploration, or half of that by which failing episodes
show what it mends more than won ones. Of equals one whose edit is written from what training showed comes before one that sets what a
library holds, and the more specific before the less. One that was tried and mended nothing goes to the end. Where the objective is the
model, operators that leave it nothing to decide come after all others. After a round that shipped nothing, the last place of the round
goes to a dimension of the harness that no edit has touched yet, if an operator there answers a failure: the guard against trying ever
finer versions of what did not help. A round of one candidate has no place to spare for that.

An edit by which the harness decides and that was refused because its best twin gains more than the model is good machinery that leaves
the model no part, and so is one that exploration, which has no model, has won with. It comes before all others, together with an operator
that asks the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from homebody.agents.harness.library import find
from homebody.agents.harness.order import dimension_of
from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.schema import problems
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.processors.operator import EditOperator, Findings, Settings, method_of
from homebody.evolution.evidence.landscape import Landscape, TriedEdit
from homebody.evolution.proposers.candidate import Candidate, Evidence, make_manifest
from homebody.evolution.proposers.edit import as_patch, target
from homebody.evolution.proposers.findings import gather
from homebody.evolution.proposers.operators import operators

OFTEN = 2
"""Rejections at the gate, without one acceptance, after which an operator counts as failed though its flips were not measured."""
CHEAP, DEAR = 1.5, 2.5
"""Model calls of an edited harness, in those of the present one: up to the first an operator is cheap, beyond the second it is dear."""
PROVED = 0.5
"""Share of training tasks that exploration has won with what an operator brings, from which on it is good machinery, untried."""
SYMPTOM = 0.5
"""What a symptom counts for beside a proof: that failing episodes show it is not to say that the edit mends them."""
STEPS = 10.0
"""Steps of an episode where none were played."""

Use = tuple[str, EditOperator]
"""An operator, and the processor that declares it."""


@dataclass(frozen=True)
class Option:
    """An operator that applies to a harness."""

    operator: EditOperator
    patch: Patch
    dimension: str
    signature: str
    """Id of the component at work."""
    proof: float
    """Share of training tasks that exploration has won with what it brings, where it is made from that; else 0."""


def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose the operators with most evidence for them; where the critic objects to one, the next takes its place."""
    rest, landscape = options(spec, evidence), evidence.landscape
    chosen = list(islice(rest, k))
    if 1 < k == len(chosen) and _idle(landscape, evidence.round) and not evidence.objections:
        chosen[-1] = next((option for option in chain(chosen[-1:], rest) if option.dimension in landscape.untried), chosen[-1])
    return [_candidate(option, evidence, number) for number, option in enumerate(chosen, 1)]


def ranked(spec: HarnessSpec, evidence: Evidence, found: Findings) -> list[Use]:
    """Return the operators that answer a failure, those with most evidence for them first."""
    objected = {candidate.manifest["operator"] for candidate in evidence.proposed if candidate.id in evidence.objections}
    every = [use for use in operators(spec) if evidence.has_model or use[1].without_model]
    table = [use for use in every if answered(use[1], evidence.landscape)]
    table.sort(key=lambda use: _place(use[1], spec, evidence, found))
    pairs = [use for use in _pairs(every, evidence, found) if answered(use[1], evidence.landscape)]
    pairs.sort(key=lambda use: _has_failed(use[1].name, evidence.landscape))
    return [use for use in (*pairs, *table) if use[1].name not in objected]


def answered(operator: EditOperator, landscape: Landscape) -> int:
    """Return how many failing tasks an operator answers."""
    return sum(len(tasks) for category, tasks in landscape.failures.items() if category in operator.answers)


def expected(operator: EditOperator, landscape: Landscape, found: Findings) -> float:
    """Return how many failing tasks an operator may mend, as far as this run has shown.

    Where it was not tried that is half of them, and of the other half the share that exploration proved or failing episodes show.
    """
    rate = landscape.hit_rates.get(operator.name, {"flipped": 0, "predicted": 0})
    unmeasured = sum(edit["operator"] == operator.name and edit["flipped"] is None for edit in landscape.tried)
    share = (rate["flipped"] + 1 + max(operator.proof(found), SYMPTOM * operator.symptom(found))) / (rate["predicted"] + 2)
    return float(answered(operator, landscape) * share * 0.5**unmeasured)


def cost_tier(operator: EditOperator, spec: HarnessSpec, evidence: Evidence) -> int:
    """Return 0 for an operator that adds few model calls or none, 1 for one that adds some, 2 for one that multiplies them."""
    played = [digest.steps for digest in evidence.digests if digest.steps]
    steps = sum(played) / len(played) if played else STEPS
    method = method_of(spec)
    calls = max(1.0, steps * {"rank": 0, "vote": spec.param("decide", "samples")}.get(method, 1))
    after = (calls + operator.calls_episode + operator.calls_step * steps) / calls
    return 0 if after <= CHEAP else 1 if after <= DEAR else 2


def _place(operator: EditOperator, spec: HarnessSpec, evidence: Evidence, found: Findings) -> tuple[Any, ...]:
    # By a ranking the model chooses no command already: what dictates takes nothing from it.
    takes_over = operator.dictates and evidence.objective == "model" and method_of(spec) != "rank"
    landscape = evidence.landscape
    has_failed = _has_failed(operator.name, landscape)
    # Names last: the order of operators with the same evidence must be some order.
    is_grounded = operator.build(spec, found) != operator.build(spec, Findings())
    evident = (-expected(operator, landscape, found), not is_grounded, len(operator.answers), operator.name)
    return (takes_over, has_failed, cost_tier(operator, spec, evidence), *evident)


def options(spec: HarnessSpec, evidence: Evidence) -> Iterator[Option]:
    """Yield the operators that apply and lead to a behaviour that was not tried, best first."""
    found = gather(spec, evidence)
    seen = {spec.behaviour_hash, *evidence.tried}
    for use, operator in ranked(spec, evidence, found):
        edit = operator.build(spec, found)
        if edit is None:
            continue
        patch = as_patch(spec, edit)
        try:
            edited = spec.patch(patch)
        except (HarnessError, PatchError):  # a rule does the same, for example
            continue
        if problems(edited.document, imports=True):  # or a class of the user's does
            continue
        name = _at_work(spec, edited, use)
        if edited.behaviour_hash not in seen and name:
            seen.add(edited.behaviour_hash)
            item = edited.components.get(name) or {"use": use, "params": {}}
            yield Option(operator, patch, dimension_of(item, find(use)) or "control", name, operator.proof(found))


def _at_work(spec: HarnessSpec, edited: HarnessSpec, use: str) -> str:
    """Return the id of the component of a processor that an edit adds or changes, in its rules too.

    It is empty where there is none: activations would not show the edit at work.
    """
    changed = [name for name, item in edited.components.items() if item["use"] == use and item != spec.components.get(name)]
    if changed:
        return min(changed)
    return target(spec, use) if edited.adaptations != spec.adaptations else ""


def _pairs(every: list[Use], evidence: Evidence, found: Findings) -> Iterator[Use]:
    """Yield what decides by itself and a twin took over, each with every operator that asks the model.

    Where the objective is the model, that is also what exploration has won with by itself: its twin wins as much, untried.
    """
    taken = {edit["operator"] for edit in evidence.landscape.tried if _is_taken_over(edit)}
    if evidence.objective == "model":
        taken |= {operator.name for _, operator in every if operator.dictates and operator.proof(found) >= PROVED}
    for use, first in (use for use in every if use[1].name in taken and use[1].dictates):
        # What is asked should be what the machinery leaves open, and cost little: steps need no model any more.
        asks = [(asking, second) for asking, second in every if second.asks and asking not in ("decide", use)]
        for asking, second in sorted(asks, key=lambda use, first=first: (-_left_open(first, use[1]), _calls(use[1]), use[1].name)):  # type: ignore[misc]
            why = f"It wins without a model, which now has a part in it. {second.why}"
            yield (
                asking,
                EditOperator(
                    f"{first.name}, and {second.name}",
                    why,
                    first.answers,
                    lambda spec, found, one=first, other=second: _both(one, other, spec, found),  # type: ignore[misc]
                    second.calls_episode,
                    second.calls_step,
                ),
            )


def _left_open(first: EditOperator, second: EditOperator) -> float:
    """Return the share of what the second answers that the first does not answer."""
    return len(second.answers - first.answers) / max(1, len(second.answers))


def _calls(operator: EditOperator) -> float:
    return operator.calls_episode + STEPS * operator.calls_step


def _is_taken_over(edit: TriedEdit) -> bool:
    """Tell whether an edit was refused though its best twin gained, and more than the model."""
    gain, twin_gain = edit.get("gain"), edit.get("twin_gain")
    return edit["verdict"] == "rejected" and twin_gain is not None and twin_gain > max(0.0, gain or 0.0)


def _both(first: EditOperator, second: EditOperator, spec: HarnessSpec, found: Findings) -> Settings | None:
    one = first.build(spec, found)
    if one is None or isinstance(one, list):
        return None
    edited = spec.patch(as_patch(spec, one))
    other = second.build(edited, found)
    return None if other is None or isinstance(other, list) else {**one, **other}


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


def _candidate(option: Option, evidence: Evidence, number: int) -> Candidate:
    name, operator = f"r{evidence.round}c{number}", option.operator
    manifest = make_manifest(name, option.dimension, operator.name, operator.why, evidence, operator.answers, option.signature)
    return Candidate(name, option.dimension, option.patch, manifest)
