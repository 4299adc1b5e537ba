"""`homebody bench llm` on a tiny random model; no test looks at how long anything took."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from homebody.agents import AgentError, Job, RolloutConfig
from homebody.agents.models.llama import LlamaCpp
from homebody.envs import tasks
from homebody.scripts.bench import llm, peer_llm

Command = Callable[..., Any]
NAMES = {
    "score_vs_loop": "ms a scoring", "decision_vs_loop": "ms a decision", "score_vs_echo": "ms a decision", "tokens_vs_limit": "us a token",
    "cached_fraction": "", "overhead_fraction": "", "two_workers_vs_one": "s an episode",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny transformer with room for an episode."""
    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).parents[1] / "agents" / "llama" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    module.write_model(path, "llama", n_ctx=8192)
    return path


def test_it_measures_a_model(homebody: Command, loaded: Command, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "EPISODES", 1)
    monkeypatch.setattr(llm, "PARALLEL", 2)
    monkeypatch.setattr(llm, "ROUNDS", 1)
    monkeypatch.setattr(llm, "MAX_STEPS", 3)
    answer = homebody("bench", "llm", "--models", model, "--json", tmp_path / "b.json")
    assert answer.code == 0, answer.err
    found = loaded(tmp_path / "b.json")
    assert "llama-cpp-python" in found["machine"]
    rows = {row["name"]: row for row in found["results"]}
    assert {name: row["unit"] for name, row in rows.items()} == NAMES
    assert all(row["model"] == str(model) for row in rows.values())
    assert all(row["peer_value"] > 0 for row in rows.values() if row["peer"])
    assert "extrapolated" in rows["score_vs_echo"]["peer"]
    assert 0.0 < rows["overhead_fraction"]["value"] < 1.0
    assert 0.5 < rows["cached_fraction"]["value"] < 1.0
    assert rows["two_workers_vs_one"]["name"] in answer.out


def test_a_server_is_refused(homebody: Command) -> None:
    answer = homebody("bench", "llm", "--models", "http://127.0.0.1:9/v1")
    assert answer.code == 2
    assert answer.error.endswith("allowed: one whose file is on this machine")


def test_workers_play_the_same_rounds_and_no_episode_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    played: dict[int, list[list[str]]] = {1: [], 2: []}

    class Noted:
        def __init__(self, stage: RolloutConfig, workers: int) -> None:
            self.workers = workers

        def __enter__(self) -> Noted:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def play(self, jobs: Sequence[Job]) -> Iterator[Any]:
            played[self.workers].append([job.task.task_id for job in jobs])
            return (SimpleNamespace(error=None) for _ in jobs)

    monkeypatch.setattr(llm, "Rollouts", Noted)
    monkeypatch.setattr(llm, "ROUNDS", 2)
    stage = RolloutConfig("homebody/Household-v0", "none", 3)
    chosen = tasks("homebody/Household-v0", "validation", 2 + 2 * llm.PARALLEL)
    row = llm._by_workers(stage, chosen, lambda what: None)
    (first,), *rounds = played[1]
    assert played[2] == [[first, chosen[1].task_id], *rounds]
    assert [len(each) for each in rounds] == [llm.PARALLEL] * 2
    assert len({first, chosen[1].task_id}.union(*rounds)) == len(chosen)
    assert (row["name"], row["repeats"]) == ("two_workers_vs_one", 2)


def test_the_loop_scores_as_the_tree_does(model: Path) -> None:
    candidates = ["go to shelf 1", "go to shelf 2", "look", "take cup from box"]
    with LlamaCpp(model, name="tiny") as backend:
        start, row = backend.read(("you see a box.", "\n>"))
        looped = peer_llm.score_by_loop(backend.engine, start, row, candidates)
        assert np.allclose(looped, backend.score(("you see a box.", "\n>"), candidates), atol=0.01)


def test_batches_can_be_played_again(model: Path) -> None:
    prompts = [("you see a box.", "\n>"), ("you see a box.", "\n>look", "\nyou see a cup.", "\n>")]
    with LlamaCpp(model, name="tiny") as backend:
        with peer_llm.recorded(backend.engine) as batches:
            expected = [backend.score(prompt, ["look", "take cup"]) for prompt in prompts]
        noted = list(batches)
        first, size = (backend.count_tokens(prompts[0][:end]) for end in (1, 2))
        assert [len(batch[0]) for batch in noted[:2]] == [first, size - first]
        backend.forget()
        assert peer_llm.replay(backend.engine, backend.usage, noted) > 0.0
        assert list(batches) == noted
        backend.forget()
        assert [backend.score(prompt, ["look", "take cup"]) for prompt in prompts] == expected


def test_an_episode_that_fails_ends_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LlamaCpp, "score", None)
    stage = RolloutConfig("homebody/Household-v0", str(model), 3)
    with LlamaCpp(model, name="tiny") as backend, pytest.raises(AgentError, match="failed at decide: TypeError"):
        llm._play(stage, backend, tasks("homebody/Household-v0", "validation", 1))
