"""The candidates of a round: the proposer is asked, the critic reviews, and the proposer is asked once more where it objected.

Answers are kept in the store, so a resumed run judges the same candidates without asking again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from homebody.agents.errors import ModelLostError, RemoteError
from homebody.agents.harness.patch import PatchError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Backend
from homebody.evolution.gate.checked import CheckedCandidate, check_candidate
from homebody.evolution.gate.critic import Critique, review
from homebody.evolution.gate.player import Player
from homebody.evolution.proposers import Candidate, Evidence, Proposer

Reviewed = tuple[CheckedCandidate, Critique]


class Proposals:
    """Asks a proposer and the critic.

    Args:
        player: counts the tokens of the proposer's model; its store keeps the answers.
        proposer: who proposes.
        k: candidates a round.
        backend: the model that the proposer may ask, or None.
    """

    def __init__(self, player: Player, proposer: Proposer, k: int, backend: Backend | None) -> None:
        self.player, self.proposer, self.k, self.backend = player, proposer, k, backend

    def gather(self, spec: HarnessSpec, evidence: Evidence) -> list[Reviewed]:
        """Return the candidates of a round with what the critic says of each: those to be judged by rank, then those it refused.

        Args:
            spec: the present harness, without variants.
            evidence: what the proposer may know.

        Raises:
            ModelLostError: the proposer asks a server that does not answer.
        """
        first = self._ask(spec, evidence, 0)
        reviewed = self._review(spec, [check_candidate(spec, candidate) for candidate in first], evidence, 0)
        refused = [item for item in reviewed if not item[1].accepted]
        if refused:
            kept = [candidate for candidate, critique in reviewed if critique.accepted]
            again = replace(
                evidence,
                objections={candidate.id: critique.objections for candidate, critique in refused},
                tried=frozenset(evidence.tried) | _behaviours(spec, first),
                proposed=first,
            )
            fresh = _renamed(self._ask(spec, again, 1), [candidate.id for candidate in first], evidence.round)
            known = [candidate.patch for candidate in first]
            fresh = [candidate for candidate in fresh if candidate.patch not in known or candidate.problem][: self.k - len(kept)]
            if fresh:
                checked = [check_candidate(spec, candidate) for candidate in fresh]
                reviewed = [*self._review(spec, [*kept, *checked], evidence, 1), *refused]
        return sorted(reviewed, key=lambda item: (not item[1].accepted, item[1].rank if item[1].accepted else 0))

    def _ask(self, spec: HarnessSpec, evidence: Evidence, revision: int) -> list[Candidate]:
        known = [item for item in self.player.store.events("proposal") if (item["round"], item["revision"]) == (evidence.round, revision)]
        if not known:
            before = self.backend.usage.snapshot() if self.backend else None
            try:
                candidates = self.proposer(spec, evidence, self.k)
            except RemoteError as error:
                raise ModelLostError(f"the proposer's model does not answer: {error}; evolve --resume goes on") from None
            usage = asdict(self.backend.usage - before) if self.backend and before else {}
            content = {"round": evidence.round, "revision": revision, "candidates": [item.to_json() for item in candidates]}
            self.player.store.append("proposal", content | {"usage": usage})
            known = [self.player.store.events("proposal")[-1]]
        self.player.add_usage(known[0]["usage"])
        return [Candidate(**item) for item in known[0]["candidates"]]

    def _review(self, spec: HarnessSpec, candidates: Sequence[CheckedCandidate], evidence: Evidence, revision: int) -> list[Reviewed]:
        critiques = review(spec, candidates, evidence)
        content = {"revision": revision, "critiques": [critique.to_json() for critique in critiques]}
        self.player.store.append_once("critique", {"round": evidence.round, **content}, "round", "revision")
        return list(zip(candidates, critiques, strict=True))


def _behaviours(spec: HarnessSpec, candidates: Sequence[Candidate]) -> frozenset[str]:
    """Return what the candidates that can be built behave like: the second answer is to hold others."""
    found = set()
    for candidate in candidates:
        try:
            found.add(spec.patch(candidate.patch).behaviour_hash)
        except PatchError:
            continue
    return frozenset(found - {spec.behaviour_hash})


def _renamed(candidates: Sequence[Candidate], taken: Sequence[str], number: int) -> list[Candidate]:
    """Return the candidates under ids that the first answer does not have."""
    names = [f"r{number}c{len(taken) + place}" for place in range(1, len(candidates) + 1)]
    return [
        replace(candidate, id=name, manifest={**candidate.manifest, "candidate_id": name})
        for name, candidate in zip(names, candidates, strict=True)
    ]
