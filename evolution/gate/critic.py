"""The critic: what speaks against a candidate before anything is played for it. Code, not judgement.

It checks that the manifest is complete and true to the digests, that the patch changes the harness as it says, and that the candidates of
a round are not one idea in several dresses. It knows what happened on training tasks and in earlier rounds, and nothing of validation
tasks beyond the verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from homebody.agents.harness.patch import apply
from homebody.agents.harness.spec import HOLD_PATCHES, HarnessSpec
from homebody.evolution.gate.checked import CheckedCandidate
from homebody.evolution.gate.manifest import Manifest
from homebody.evolution.proposers.candidate import Evidence

SPENT = 2
"""Times that an operator may fail at the gate's rollouts before the critic asks for another one."""
SHOWN = "context"
"""The dimension of what a model is shown and nothing else."""
UNPLAYED = ("manifest", "build", "novelty", "smoke run", "critic", "proposal")
"""How the reasons of verdicts begin that were given without rollouts."""


class WrittenCritique(TypedDict):
    """A `Critique` as a store holds it."""

    candidate_id: str
    accepted: bool
    objections: list[str]
    rank: int


@dataclass(frozen=True)
class Critique:
    """What the critic says of a candidate."""

    candidate_id: str
    accepted: bool
    """Whether it goes to the gate."""
    objections: tuple[str, ...]
    """What speaks against it; empty for an accepted one."""
    rank: int
    """Its place in the order of play, from 0; the accepted ones come first."""

    def to_json(self) -> WrittenCritique:
        """Return JSON-ready data."""
        return {
            "candidate_id": self.candidate_id,
            "accepted": self.accepted,
            "objections": list(self.objections),
            "rank": self.rank,
        }


def review(spec: HarnessSpec, candidates: Sequence[CheckedCandidate], evidence: Evidence) -> list[Critique]:
    """Review the candidates of a round.

    A control claims nothing, so nothing is held against it: the gate has the last word on it.

    Args:
        spec: the present harness, without variants.
        candidates: the candidates, in the order of their proposer.
        evidence: what they were proposed from.

    Returns:
        A critique for each, in the same order.
    """
    objections: list[tuple[str, ...]] = []
    behaviours: dict[str, str] = {}
    operators: dict[str, str] = {}
    for candidate in candidates:
        found = _alone(spec, candidate, evidence)
        if candidate.edited is not None and not candidate.manifest.control and not found:
            behaviour, operator = candidate.edited.behaviour_hash, candidate.manifest.operator
            if behaviour in behaviours:
                found = [f"leads to the same behaviour as {behaviours[behaviour]}"]
            elif operator in operators:
                found = [f"uses the same operator as {operators[operator]}, {operator!r}: one try a round shows whether it works"]
            else:
                behaviours[behaviour] = operators[operator] = candidate.id
        objections.append(tuple(found))
    order = sorted(range(len(candidates)), key=lambda i: (bool(objections[i]), -_worth(candidates[i], evidence), i))
    return [
        Critique(candidate.id, not found, found, order.index(number))
        for number, (candidate, found) in enumerate(zip(candidates, objections, strict=True))
    ]


def _alone(spec: HarnessSpec, candidate: CheckedCandidate, evidence: Evidence) -> list[str]:
    """Return the objections to a candidate by itself."""
    if candidate.problem:
        return [candidate.problem]
    if candidate.manifest.control:
        return []
    if candidate.fault is not None:
        return [f"{candidate.fault.check}: {problem}" for problem in candidate.fault.problems]
    assert candidate.edited is not None
    return [
        *_grounds(candidate.manifest, evidence),
        *_decided(candidate, evidence),
        *_interaction(spec, candidate.edited, candidate.manifest, evidence),
        *_spent(candidate.manifest.operator, evidence),
    ]


def _grounds(manifest: Manifest, evidence: Evidence) -> Iterator[str]:
    """Check what the manifest says of training tasks against their digests."""
    category = {digest.task_id: digest.category for digest in evidence.digests}
    impact = manifest.predicted_impact
    if not any(manifest.evidence.values()):
        yield "rests on no evidence: name the failing training tasks that it answers, by category"
    for name, tasks in manifest.evidence.items():
        if wrong := [task for task in tasks if category.get(task) != name or name == "won"]:
            yield f"evidence {name}: not what the digests say of {_few(wrong)}"
    if not impact.will_unlock and not impact.will_stabilize:
        yield "predicts nothing: name the training tasks that it is to unlock or to stabilize"
    if wrong := [task for task in impact.will_unlock if category.get(task, "won") == "won"]:
        yield f"will_unlock: no failing training task of this round is {_few(wrong)}"
    if wrong := [task for task in impact.at_risk if category.get(task) != "won"]:
        yield f"at_risk: no solved training task of this round is {_few(wrong)}"
    if wrong := [task for task in impact.will_stabilize if task not in category]:
        yield f"will_stabilize: no training task of this round is {_few(wrong)}"


def _decided(candidate: CheckedCandidate, evidence: Evidence) -> Iterator[str]:
    """Check that the model decided something where an edit changes no more than what it is shown."""
    answered = {task for tasks in candidate.manifest.evidence.values() for task in tasks}
    steps: Counter[str] = Counter()
    for digest in evidence.digests:
        steps.update(digest.decided_by if digest.task_id in answered else {})
    if candidate.dimension == SHOWN and steps and set(steps) == {"harness"}:
        yield f"changes what the model is shown, and the harness alone decided all {steps['harness']} steps that show the failures"


def _interaction(spec: HarnessSpec, edited: HarnessSpec, manifest: Manifest, evidence: Evidence) -> Iterator[str]:
    """Check an edit against what stands in the harness and what was tried in it."""
    behaviour, signature = edited.behaviour_hash, manifest.attribution_signature
    if behaviour == spec.behaviour_hash:
        yield "is already there: the harness behaves as before"
        return
    if behaviour in evidence.tried:
        yield "leads to a behaviour that was tried before"
    gone = spec.components.keys() - edited.components.keys()
    for edit in evidence.landscape.tried:
        if edit["verdict"] == "shipped" and edit["signature"] in gone and edit["flipped"]:
            yield f"takes out {edit['signature']}, with which {edit['id']} unlocked {_few(edit['flipped'])}"
    if signature:
        before, after = (_versions(one, signature) for one in (spec, edited))
        if not any(after):
            yield f"names {signature} as its signature, which is not in the edited harness: nothing could show it at work"
        elif before == after:
            yield f"names {signature} as its signature, which it leaves as it is: activations could not show it at work"


def _versions(spec: HarnessSpec, name: str) -> list[Mapping[str, Any] | None]:
    """Return a component as the harness has it, then as each of its rules and variants makes it.

    None stands where there is no such component.
    """
    held = [item["patch"] for key in HOLD_PATCHES for item in spec.document.get(key, ())]
    return [document["components"].get(name) for document in (spec.document, *(apply(spec.document, patch) for patch in held))]


def _spent(operator: str, evidence: Evidence) -> Iterator[str]:
    tries = [edit for edit in evidence.landscape.tried if edit["operator"] == operator and edit["reason"].partition(":")[0] not in UNPLAYED]
    if len(tries) >= SPENT and not any(edit["verdict"] != "rejected" or edit["flipped"] for edit in tries):
        yield f"the operator {operator!r} was played {len(tries)} times and flipped nothing: try another one"


def _worth(candidate: CheckedCandidate, evidence: Evidence) -> float:
    """Return how many tasks an edit is to unlock, less what its operator fell short of before."""
    predicted = len(candidate.manifest.predicted_impact.will_unlock)
    rate = evidence.landscape.hit_rates.get(candidate.manifest.operator)
    return predicted * (rate["flipped"] / rate["predicted"] if rate and rate["predicted"] else 1.0)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
