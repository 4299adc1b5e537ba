"""Proposer and critic in one round: the revision request, the order of play, and answers that are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Usage
from homebody.evolution.evidence.landscape import Landscape
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.gate import proposal as proposal_module
from homebody.evolution.gate.checked import CheckedCandidate
from homebody.evolution.gate.critic import Critique
from homebody.evolution.gate.proposal import Proposals
from homebody.evolution.proposers import Candidate, Evidence, set_processors
from homebody.evolution.store import Store

SPEC = HarnessSpec.from_json({"format": 2, "name": "test", "components": {}})
EVIDENCE = Evidence(2, [], Landscape(), TrainingStatistics(), frozenset({"seed"}), 0)


def candidate(name: str, turns: int) -> Candidate:
    return Candidate(
        name, "context", set_processors(SPEC, {"history_window": {"turns": turns}}), {"candidate_id": name, "operator": str(turns)}
    )


def behaviour(turns: int) -> str:
    return SPEC.patch(candidate("", turns).patch).behaviour_hash


class Player:
    """What `Proposals` needs of a player."""

    def __init__(self, store: Store) -> None:
        self.store, self.used = store, list[Any]()

    def add_usage(self, usage: Any) -> None:
        self.used.append(dict(usage))


class Scene:
    """Answers of a proposer in order, and a critic that objects to numbers of turns."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.player, self.asked = Player(store), list[tuple[Evidence, int]]()
        self.answers: list[list[Candidate]] = []
        self.objected: dict[str, tuple[str, ...]] = {}
        self.backend: Any = SimpleNamespace(usage=Usage())
        monkeypatch.setattr(proposal_module, "review", self.review)

    def propose(self, spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
        self.asked.append((evidence, k))
        self.backend.usage.prompt_tokens += 100
        return self.answers.pop(0)

    def review(self, spec: HarnessSpec, candidates: Sequence[CheckedCandidate], evidence: Evidence) -> list[Critique]:
        # The later a candidate, the higher it is ranked.
        found = [self.objected.get(item.manifest.operator, ()) for item in candidates]
        return [Critique(item.id, not said, said, len(found) - n) for n, (item, said) in enumerate(zip(candidates, found, strict=True))]

    def gather(self, k: int = 2) -> list[tuple[str, str, bool]]:
        reviewed = Proposals(self.player, self.propose, k, self.backend).gather(SPEC, EVIDENCE)  # type: ignore[arg-type]  # a stand-in
        return [(item.id, item.manifest.operator, critique.accepted) for item, critique in reviewed]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with Store(tmp_path) as store:
        yield Scene(store, monkeypatch)


def test_without_objections_the_critics_rank_is_the_order_of_play(scene: Scene) -> None:
    scene.answers = [[candidate("r2c1", 1), candidate("r2c2", 2)]]
    assert scene.gather() == [("r2c2", "2", True), ("r2c1", "1", True)]
    assert len(scene.asked) == 1
    assert scene.player.store.events("critique") == [
        {
            "round": 2,
            "revision": 0,
            "critiques": [
                {"candidate_id": "r2c1", "accepted": True, "objections": [], "rank": 2},
                {"candidate_id": "r2c2", "accepted": True, "objections": [], "rank": 1},
            ],
        }
    ]


def test_the_proposer_is_asked_once_more_and_what_was_refused_stays_in_the_report(scene: Scene) -> None:
    first = [candidate("r2c1", 1), candidate("r2c2", 2)]
    scene.answers = [first, [candidate("r2c1", 3), candidate("r2c2", 4)]]
    scene.objected = {"1": ("twice", "too bold"), "3": ("no",)}
    # One place is free beside the accepted candidate; the second answer's first takes it, under a new id, and is refused in its turn.
    assert scene.gather() == [("r2c2", "2", True), ("r2c3", "3", False), ("r2c1", "1", False)]
    evidence, k = scene.asked[1]
    assert (len(scene.asked), k) == (2, 2)
    assert evidence.objections == {"r2c1": ("twice", "too bold")}
    assert list(evidence.proposed) == first
    assert evidence.tried == {"seed", behaviour(1), behaviour(2)}
    assert replace(evidence, objections={}, proposed=(), tried=EVIDENCE.tried) == EVIDENCE
    assert [(item["revision"], len(item["critiques"])) for item in scene.player.store.events("critique")] == [(0, 2), (1, 2)]


def test_a_second_answer_that_brings_nothing_new_is_left_out(scene: Scene) -> None:
    scene.answers = [[candidate("r2c1", 1), candidate("r2c2", 2)], [candidate("r2c1", 1)]]
    scene.objected = {"1": ("no",)}
    assert scene.gather() == [("r2c2", "2", True), ("r2c1", "1", False)]


def test_ids_in_manifests_follow(scene: Scene) -> None:
    scene.answers = [[candidate("r2c1", 1)], [candidate("r2c1", 2)]]
    scene.objected = {"1": ("no",)}
    reviewed = Proposals(scene.player, scene.propose, 1, None).gather(SPEC, EVIDENCE)  # type: ignore[arg-type]  # a stand-in
    assert [(item.id, item.manifest.candidate_id) for item, _ in reviewed] == [("r2c2", "r2c2"), ("r2c1", "r2c1")]


def test_a_resumed_run_does_not_ask_again_and_counts_the_same_tokens(scene: Scene) -> None:
    broken = Candidate("r2c1", "context", [{"op": "remove", "path": "/components/gone"}], {"candidate_id": "r2c1", "operator": "9"})
    scene.answers = [[broken], [candidate("r2c1", 2)]]
    scene.objected = {"9": ("build: it does not apply",)}
    first = scene.gather()
    used = list(scene.player.used)
    assert [item["prompt_tokens"] for item in used] == [100, 100]
    assert scene.asked[1][0].tried == {"seed"}  # what cannot be built behaves like nothing
    scene.player.used.clear()
    assert scene.gather() == first
    assert (len(scene.asked), scene.player.used) == (2, used)
    assert len(scene.player.store.events("critique")) == len(scene.player.store.events("proposal")) == 2
