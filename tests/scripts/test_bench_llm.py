"""`homebody bench llm` on a tiny random model; no test looks at how long anything took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from homebody.agents import AgentError, Job, RolloutConfig
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama import LlamaCpp
from homebody.envs import tasks
from homebody.scripts.bench import llm, peer_llm

Command = Callable[..., Any]
NAMES = {
    "score_vs_loop": "ms a scoring", "decision_vs_loop": "ms a decision", "score_vs_echo": "ms a decision", "tokens_vs_limit": "us a token",
    "cached_fraction": "", "overhead_fraction": "", "two_workers_vs_one": "s an episode",
    "chat_cached_fraction": "", "chat_tokens_vs_limit": "us a token",
}  # fmt: skip


@pytest.fixture(scope="module", params=["llama", "mamba", "qwen35"])
def model(load_module: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A tiny transformer, recurrent and hybrid model with room for an episode."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    load_module("agents/llama/conftest.py").write_model(path, request.param, n_ctx=8192)
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
    assert rows["chat_cached_fraction"]["value"] == 1.0  # A plain transcript only grows.
    assert rows["two_workers_vs_one"]["name"] in answer.out


def test_a_server_is_refused(homebody: Command) -> None:
    answer = homebody("bench", "llm", "--models", "http://127.0.0.1:9/v1")
    assert answer.code == 2
    assert answer.error.endswith("allowed: one whose file is on this machine")


def test_workers_play_the_same_rounds_and_no_episode_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    played: dict[int, list[list[str]]] = {1: [], 2: []}

    class Noted:
        def __init__(self, config: RolloutConfig, workers: int) -> None:
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
    config = RolloutConfig("homebody/Household-v0", "none", 3)
    chosen = tasks("homebody/Household-v0", "validation", 2 + 2 * llm.PARALLEL)
    row = llm._by_workers(config, chosen, lambda what: None)
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
        with peer_llm.recorded(backend.engine) as events:
            expected = [backend.score(prompt, ["look", "take cup"]) for prompt in prompts]
            backend.chat(prompts[0], Generation(tokens=3))
        noted = list(events)
        batches = [event for event in noted if isinstance(event, peer_llm.Batch)]
        first, size = (backend.count_tokens(prompts[0][:end]) for end in (1, 2))
        assert [(len(batch.tokens), batch.start) for batch in batches[:2]] == [(first, 0), (size - first, first)]
        backend.forget()
        with peer_llm.recorded(backend.engine) as again:
            assert peer_llm.replay(backend, prompts[0], noted) > 0.0
        assert again == noted
        with peer_llm.recorded(backend.engine) as rest:
            assert peer_llm.replay(backend, prompts[0], noted[1:]) > 0.0
        assert rest[1:] == noted[1:]  # What the first batch goes on from is evaluated before.
        assert [backend.score(prompt, ["look", "take cup"]) for prompt in prompts] == expected


def test_what_stood_in_the_chat_before_is_counted_without_the_candidates(model: Path) -> None:
    with LlamaCpp(model, name="tiny") as backend:
        seen, turn = "you see a box.", "\nyou see a cup."
        prompts = [((seen, "\n>"), 0), ((seen, turn, "\n>"), 3), ((seen, turn, "\n>"), 99)]
        steps = [llm.Step(segments, (), 1.0, cached) for segments, cached in prompts]
        first, both = backend.count_tokens((seen,)), backend.count_tokens((seen, turn))
        assert llm._cached_again(backend, llm.Play(backend.usage, steps)) == (3 + both) / (first + both)


def test_an_episode_that_fails_ends_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LlamaCpp, "score", None)
    config = RolloutConfig("homebody/Household-v0", str(model), 3)
    with LlamaCpp(model, name="tiny") as backend, pytest.raises(AgentError, match="failed at decide: TypeError"):
        llm._play(config, backend, tasks("homebody/Household-v0", "validation", 1), llm.scoring_harness())
