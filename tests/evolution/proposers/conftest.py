"""For the tests of proposers: evidence made by hand, and random harnesses."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import ModuleType
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Backend
from homebody.agents.record import EpisodeRecord
from homebody.evolution.evidence.digest import Digest
from homebody.evolution.evidence.landscape import survey
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.proposers import Candidate, Evidence

STATISTICS = TrainingStatistics(
    explore=("open #", "go to #"),
    plans=({"goal": "press it", "steps": [{"action": "press", "args": []}]},),
    hits={"gem": {"shaft": 3}},
    observations={"crate": 4, "shaft": 9},
    cost={"crate": 2.0},
    finishing=("open #",),
)


def make_evidence(
    *categories: str,
    statistics: TrainingStatistics = STATISTICS,
    tried: Sequence[str] = (),
    number: int = 1,
    seed: int = 0,
    rounds: Sequence[Mapping[str, Any]] = (),
    histories: Mapping[int, Sequence[str]] | None = None,
    backend: Backend | None = None,
    objections: Mapping[str, Sequence[str]] | None = None,
    proposed: Sequence[Candidate] = (),
    episodes: Sequence[EpisodeRecord] = (),
) -> Evidence:
    """Evidence of one round: task train/a-N failed for the N-th category, or was won."""
    past = histories or {}
    digests = [Digest(f"train/a-{n}", "a", c == "won", 3, c, "", (), tuple(past.get(n, ()))) for n, c in enumerate(categories)]
    landscape = survey(digests, rounds)
    return Evidence(number, digests, landscape, statistics, frozenset(tried), seed, backend, objections or {}, proposed, episodes)


@pytest.fixture(scope="session")
def evidence() -> Callable[..., Evidence]:
    return make_evidence


@pytest.fixture
def seed() -> HarnessSpec:
    return HarnessSpec.load("generic-act")


@pytest.fixture(scope="session")
def draw(load_module: Callable[[str], ModuleType]) -> Callable[[int], HarnessSpec]:
    """Draw the random harness of a number; tests/agents/specs.py says how."""
    specs = load_module("agents/specs.py")
    return lambda number: HarnessSpec.from_json(specs.document(Random(number)))


def report(number: int, *edits: tuple[str, str], shipped: str | None = None, flipped: Sequence[str] | None = None) -> dict[str, Any]:
    """The report of a round: edits are (operator, dimension), all rejected but the shipped one."""
    made = []
    for place, (operator, dimension) in enumerate(edits, 1):
        name = f"r{number}c{place}"
        manifest = {"operator": operator, "attribution_signature": "", "predicted_impact": {"will_unlock": ["train/a-0"]}}
        verdict = "accepted" if name == shipped else "rejected"
        edit = {"id": name, "dimension": dimension, "patch": [], "manifest": manifest, "verdict": verdict, "reason": "no gain"}
        made.append(edit | ({} if flipped is None else {"flipped": list(flipped)}))
    return {"round": number, "candidates": made, "shipped": shipped}


@pytest.fixture(scope="session")
def round_report() -> Callable[..., dict[str, Any]]:
    return report
