"""Whole evolutions of a real environment, without a model: what they read, that they repeat, that they survive."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import episode, rollout
from homebody.agents.errors import BackendClosedError, ModelNotFoundError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.models.scripted import Scripted
from homebody.envs import EnvError, tasks
from homebody.evolution import loop as evolve_module
from homebody.evolution.config import ConfigError, EvolveConfig
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.gate.player import TaskError
from homebody.evolution.loop import evolve
from homebody.evolution.proposers import ProposerError
from homebody.evolution.store import RunError, Store

Config = Callable[..., EvolveConfig]

DRIVER = """
import json, os, signal, sys
from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
if __name__ == "__main__":
    config, run_dir, workers, last = json.loads(sys.argv[1])
    seen = 0
    def progress(kind, data):
        global seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps(evolve(EvolveConfig(**config), run_dir, workers=workers, progress=progress)))
"""


def in_another_process(
    config: EvolveConfig, run_dir: Path, workers: int = 1, last: int = 0, hash_seed: str = "random"
) -> subprocess.CompletedProcess[str]:
    """Run an evolution in a fresh process, which kills itself at the progress event number `last`."""
    arguments = json.dumps([asdict(config), str(run_dir), workers, last])
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", DRIVER, arguments], env=env, capture_output=True, text=True, timeout=120, check=False)


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result must be the same each time."""
    return {key: value for key, value in result.items() if key not in ("wall_s", "twins_s", "final_harness")}


def stored(run_dir: Path) -> dict[str, str]:
    """Key and trace hash of every episode kept."""
    db = sqlite3.connect(run_dir / "run.sqlite")
    found = {key: json.loads(data)["trace_hash"] for key, data in db.execute("SELECT key, data FROM episodes")}
    db.close()
    return found


def task_ids(run_dir: Path) -> set[str]:
    db = sqlite3.connect(run_dir / "run.sqlite")
    found = {json.loads(data)["task_id"] for (data,) in db.execute("SELECT data FROM episodes")}
    db.close()
    return found


def test_the_result_is_as_the_design_says(baseline: Any) -> None:
    result = json.loads(json.dumps(baseline.result))
    assert {"seed_hash", "final_hash", "final_harness", "rounds", "episodes", "tokens", "wall_s"} <= set(result)
    assert [item["round"] for item in result["rounds"]] == [1, 2]
    for item in result["rounds"]:
        assert {"round", "train", "validation", "candidates", "shipped", "behaviour_hash"} <= set(item)
        assert (item["train"]["n"], item["validation"]["n"]) == (4, 6)
        for candidate in item["candidates"]:
            assert {"id", "dimension", "patch", "manifest", "verdict", "reason"} <= set(candidate)
            assert candidate["verdict"] in ("accepted", "rejected")
    assert result["rounds"][0]["behaviour_hash"] == result["seed_hash"] == HarnessSpec.load("household-act").behaviour_hash
    assert result["tokens"] == 0
    assert result["episodes"] == len(stored(baseline.run_dir))
    assert 0 < result["exploration_steps"] <= 6000


def test_both_rounds_shipped_and_the_patches_lead_to_the_final_harness(baseline: Any) -> None:
    spec = HarnessSpec.load("household-act")
    for item in baseline.result["rounds"]:
        assert item["behaviour_hash"] == spec.behaviour_hash
        (patch,) = [edit["patch"] for edit in item["candidates"] if edit["id"] == item["shipped"]]
        spec = spec.patch(patch)
    assert baseline.result["final_harness"] == str(baseline.run_dir / "final.json")
    final = HarnessSpec.load(baseline.result["final_harness"])
    assert final.behaviour_hash == spec.behaviour_hash == baseline.result["final_hash"] != baseline.result["seed_hash"]
    assert final.name == "household-act-evolved"
    told = "Evolved from household-act on homebody/Household-v0 with no-model, 10 steps a task, for success alone."
    assert final.document["description"] == told


def test_no_test_task_is_read(baseline: Any) -> None:
    assert set(baseline.asked) == {"train", "validation"}
    splits = {(when, task.partition("/")[0]) for when, task in baseline.resets}
    assert {split for _, split in splits} == {"train", "validation"}
    # Exploration, and the trials after it, know training tasks only.
    assert {split for when, split in splits if when == "explore"} == {"train"}
    kwargs = baseline.config.env_kwargs
    train, validation = (tasks(baseline.config.env_id, split, n, **kwargs) for split, n in (("train", 4), ("validation", 6)))
    assert task_ids(baseline.run_dir) == {task.task_id for task in (*train, *validation)}


def test_exploration_is_given_training_tasks_only(small: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def learned(env: Any, some: Any, budget: int, seed: int) -> TrainingStatistics:
        given.append(([task.task_id for task in some], budget, seed))
        return TrainingStatistics()

    monkeypatch.setattr(evolve_module, "learn", learned)
    evolve(small(rounds=1, seed=5), tmp_path)
    listed = [task.task_id for task in tasks("homebody/Household-v0", "train", 600, rooms=["bathroom"])]
    assert given == [(listed, 6000, 5)]


def test_the_proposer_and_the_final_harness_know_no_validation_task(baseline: Any) -> None:
    kwargs = baseline.config.env_kwargs
    text = (baseline.run_dir / "final.json").read_text()
    for split in ("train", "validation", "test"):
        assert f"{split}/" not in text
    validation = {task.task_id for task in tasks(baseline.config.env_id, "validation", 6, **kwargs)}
    manifests = json.dumps([edit["manifest"] for item in baseline.result["rounds"] for edit in item["candidates"]])
    assert "train/" in manifests
    assert not any(task in manifests for task in validation)
    with Store(baseline.run_dir, readonly=True) as store:
        (statistics,) = store.events("statistics")
    assert statistics["tasks"]
    assert all(task.startswith("train/") for task in statistics["tasks"])


def test_progress_is_told(baseline: Any) -> None:
    kinds = [kind for kind, _ in baseline.events]
    assert kinds[:3] == ["explore", "round", "play"]
    assert kinds.count("round") == kinds.count("ship") == 2
    assert kinds.count("candidate") == kinds.count("verdict") == sum(len(item["candidates"]) for item in baseline.result["rounds"])
    plays = [data for kind, data in baseline.events if kind == "play"]
    assert all(0 <= data["done"] <= data["total"] for data in plays)


@pytest.mark.parametrize(("workers", "hash_seed"), [(1, "1"), (2, "2")])
def test_the_same_in_another_process_with_any_number_of_workers(baseline: Any, tmp_path: Path, workers: int, hash_seed: str) -> None:
    done = in_another_process(baseline.config, tmp_path, workers, hash_seed=hash_seed)
    assert done.returncode == 0, done.stderr
    assert lasting(json.loads(done.stdout)) == lasting(json.loads(json.dumps(baseline.result)))
    assert stored(tmp_path) == stored(baseline.run_dir)
    assert (tmp_path / "final.json").read_bytes() == (baseline.run_dir / "final.json").read_bytes()


def moment(events: list[tuple[str, dict[str, Any]]], name: str) -> int:
    """Number of the progress event, from 1, at which the process is to die."""
    if name == "exploring":
        return 1
    if name == "validating":
        return next(n for n, (kind, data) in enumerate(events, 1) if kind == "play" and "validation" in data["what"] and data["done"] == 3)
    ships = [n for n, (kind, _) in enumerate(events, 1) if kind == "ship"]
    return ships[0] if name == "shipping" else (ships[0] + ships[1]) // 2


@pytest.mark.parametrize("name", ["exploring", "validating", "shipping", "in the second round"])
def test_a_killed_run_goes_on_to_the_same_end(baseline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    killed = in_another_process(baseline.config, tmp_path, last=moment(baseline.events, name))
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "final.json").exists()
    kept = stored(tmp_path)
    assert (len(kept) > 0) == (name != "exploring")
    played = 0
    run_episode = episode.run_episode

    def counted(*arguments: Any, **keywords: Any) -> Any:
        nonlocal played
        played += 1
        return run_episode(*arguments, **keywords)

    monkeypatch.setattr(rollout, "run_episode", counted)
    result = evolve(baseline.config, tmp_path, resume=True)
    assert lasting(result) == lasting(baseline.result)
    assert stored(tmp_path) == stored(baseline.run_dir)
    assert played == len(stored(baseline.run_dir)) - len(kept)  # nothing is played twice
    with Store(tmp_path, readonly=True) as store:
        assert [item["round"] for item in store.events("round")] == [1, 2]
        assert len(store.events("start")) == len(store.events("statistics")) == 1


def test_a_finished_run_that_is_resumed_plays_nothing(baseline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "run_episode", None)
    assert lasting(evolve(baseline.config, baseline.run_dir, resume=True)) == lasting(baseline.result)


def test_resume_of_what_is_not_there_is_an_error_and_makes_nothing(small: Config, tmp_path: Path) -> None:
    config = small(proposer="noop", rounds=1)
    with pytest.raises(RunError, match=r"mistyped holds no run \(no run.sqlite\); give the --run-dir of an earlier"):
        evolve(config, tmp_path / "mistyped", resume=True)
    assert list(tmp_path.iterdir()) == []
    Store(tmp_path / "evaluated").close()
    with pytest.raises(RunError, match=r"evaluated holds no evolution to go on with; leave --resume out to begin one"):
        evolve(config, tmp_path / "evaluated", resume=True)
    with Store(tmp_path / "evaluated", readonly=True) as store:
        assert store.events("start") == []
    assert len(evolve(config, tmp_path / "evaluated")["rounds"]) == 1


def test_a_run_goes_on_where_its_files_lie_elsewhere(small: Config, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "mine.json", tmp_path / "b" / "moved.json"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text(HarnessSpec.load("household-act").dumps())
    evolve(small(proposer="noop", rounds=1, harness=str(first), budget_episodes=3), tmp_path / "run")
    first.unlink()
    evolve(small(proposer="noop", rounds=1, harness=str(second), budget_episodes=4), tmp_path / "run", resume=True)
    with Store(tmp_path / "run", readonly=True) as store:
        assert [start["harness"] for start in store.events("start")] == [str(first), str(second)]
    second.write_text(HarnessSpec.load("generic-act").dumps())
    with pytest.raises(RunError, match=r"holds a run with other settings \(seed_hash was"):
        evolve(small(proposer="noop", rounds=1, harness=str(second)), tmp_path / "run", resume=True)


def test_a_second_run_in_a_directory_is_refused(baseline: Any) -> None:
    before = stored(baseline.run_dir)
    with pytest.raises(RunError, match=r"already holds a run; add --resume to go on with it, or choose another --run-dir"):
        evolve(baseline.config, baseline.run_dir)
    assert stored(baseline.run_dir) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_steps": 11}, "max_steps was 10 and is 11"),
        ({"seed": 1, "rounds": 3}, "rounds was 2 and is 3, seed was 0 and is 1"),
        ({"harness": "generic-act"}, "seed_hash was"),
        ({"model": "random"}, "model was 'no-model' and is 'random', policy was {'policy': 'no-model'} and is {'policy': 'random'}"),
        ({"env_kwargs": {}}, "env_kwargs was {'rooms': ['bathroom']} and is {}"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_only(baseline: Any, small: Config, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RunError, match="holds a run with other settings") as raised:
        evolve(small(**changes), baseline.run_dir, resume=True)
    assert told in str(raised.value)
    assert str(raised.value).endswith("; give the same, or choose another --run-dir")


def test_a_run_directory_in_use(baseline: Any) -> None:
    with Store(baseline.run_dir), pytest.raises(RunError, match="in use by another process"):
        evolve(baseline.config, baseline.run_dir, resume=True)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"rounds": 0}, ConfigError, "rounds is 0; it must be at least 1"),
        ({"candidates": 0}, ConfigError, "candidates is 0"),
        ({"train_tasks": 0}, ConfigError, "train_tasks is 0"),
        ({"validation_tasks": -1}, ConfigError, "validation_tasks is -1"),
        ({"max_steps": 0}, ConfigError, "max_steps is 0"),
        ({"patience": 0}, ConfigError, "patience is 0"),
        ({"exploration_steps": -1}, ConfigError, r"exploration_steps is -1; it must be at least 0 \(0 turns exploration off\)"),
        ({"noise_tasks": 0}, ConfigError, "noise_tasks is 0"),
        ({"budget_tokens": 0}, ConfigError, "budget_tokens is 0; it must be above 0, or None for no limit"),
        ({"budget_minutes": float("nan")}, ConfigError, "budget_minutes is nan"),
        ({"gate": "strict"}, ConfigError, "gate is 'strict'; it must be one of auto, no-regression, sign-test, noise-aware"),
        ({"isolation": "both"}, ConfigError, "isolation is 'both'; it must be one of none, variants"),
        ({"proposer": "rule"}, ProposerError, "no proposer is called 'rule'"),
        ({"proposer": "llm"}, ConfigError, "proposer llm asks a model, and no-model is none; name one with --proposer-model"),
        ({"model": "smollm3"}, ModelNotFoundError, "unknown model 'smollm3'; did you mean smollm2"),
        ({"harness": "nobody"}, HarnessError, "no harness 'nobody'"),
        ({"env_id": "Nowhere-v0"}, EnvError, "unknown environment 'Nowhere-v0'"),
    ],
)
def test_bad_settings_leave_nothing_behind(
    small: Config, tmp_path: Path, changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        evolve(small(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_episode_budget_by_hand(small: Config, tmp_path: Path) -> None:
    # Four training and six validation tasks, four of these once more, one smoke run. Then four validation tasks are due: 19 are too many.
    result = evolve(small(budget_episodes=18), tmp_path)
    assert result["episodes"] == len(stored(tmp_path)) == 15
    assert result["stopped"] == "episodes"
    assert result["rounds"] == []
    assert result["final_hash"] == result["seed_hash"]
    assert HarnessSpec.load(tmp_path / "final.json") == HarnessSpec.load("household-act")
    with Store(tmp_path, readonly=True) as store:
        assert (len(store.events("end")), store.events("round")) == (1, [])


def test_one_episode_short_of_what_is_needed_costs_the_last_candidate(baseline: Any, small: Config, tmp_path: Path) -> None:
    needed = baseline.result["episodes"]
    enough = evolve(small(budget_episodes=needed), tmp_path / "enough")
    assert lasting(enough) == lasting(baseline.result)
    short = evolve(small(budget_episodes=needed - 1), tmp_path / "short")
    assert short["episodes"] < needed
    assert short["rounds"][:1] == baseline.result["rounds"][:1]
    # What was accepted before stays, also in the round that was cut.
    (cut,), whole = short["rounds"][1:], baseline.result["rounds"][1]
    assert cut["candidates"] == whole["candidates"][: len(cut["candidates"])] != whole["candidates"]
    assert cut["shipped"] in {one["id"] for one in cut["candidates"] if one["verdict"] != "rejected"}


def test_noop_ends_with_the_seed_harness(small: Config, tmp_path: Path) -> None:
    result = evolve(small(proposer="noop", rounds=6), tmp_path)
    assert result["final_hash"] == result["seed_hash"]
    assert len(result["rounds"]) == 3  # three in which nothing new is played
    reasons = {(edit["verdict"], edit["reason"]) for item in result["rounds"] for edit in item["candidates"]}
    assert reasons == {("rejected", "novelty: this behaviour was tried before")}
    # Nothing is explored for a control that has no use for it, and the same episodes are played once.
    assert (result["exploration_steps"], result["episodes"]) == (0, 4 + 6 + 4)
    # Without the store: three rounds of 4 + 6, the A/A run, and for each of nine candidates a smoke run and six validation tasks.
    assert result["savings"] == {"everything": 30 + 4 + 63, "played": 14, "cached": 20, "stopped_early": 0, "refused": 63}
    assert result["stopped"] == "nothing new"


def test_random_edits_go_through_the_same_gate_the_same_way_each_time(small: Config, tmp_path: Path) -> None:
    first, second = (evolve(small(proposer="random"), tmp_path / name) for name in ("a", "b"))
    assert lasting(first) == lasting(second)
    assert [len(item["candidates"]) for item in first["rounds"]] == [3, 3]
    assert first["exploration_steps"] == 0


def test_where_nothing_fails_nothing_is_proposed(small: Config, tmp_path: Path) -> None:
    result = evolve(small(model="expert", max_steps=50, exploration_steps=0, rounds=5), tmp_path)
    assert [(item["train"]["success"], item["candidates"], item["shipped"]) for item in result["rounds"]] == [(1.0, [], None)]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_task_that_cannot_be_loaded_is_told_and_the_run_goes_on_once_it_can(
    baseline: Any, tmp_path: Path, torn: Callable[[str], Any], split: str
) -> None:
    broken = tasks(baseline.config.env_id, split, 3, **baseline.config.env_kwargs)[2].task_id
    with torn(broken):
        told = "the file is torn" if split == "train" else f"task {broken} cannot be loaded: EnvError: the file is torn"
        with pytest.raises((EnvError, TaskError), match=told):
            evolve(baseline.config, tmp_path)
    assert lasting(evolve(baseline.config, tmp_path, resume=True)) == lasting(baseline.result)


def test_a_run_that_dies_while_it_writes_its_harness_leaves_none_or_a_whole_one(
    small: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def die(source: str, target: str) -> None:
        if Path(target).name == "final.json":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            evolve(small(proposer="noop", rounds=1), tmp_path)
    assert not (tmp_path / "final.json").exists()
    evolve(small(proposer="noop", rounds=1), tmp_path, resume=True)
    assert HarnessSpec.load(tmp_path / "final.json") == HarnessSpec.load("household-act")
    assert sorted(path.name for path in tmp_path.glob("*final*")) == ["final.json"]


def test_a_model_of_its_own_is_opened_for_the_proposer_and_closed(small: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Scripted] = []

    def load(name: str, **settings: Any) -> Scripted:
        wanted = {"n_ctx": 64, "n_threads": 3, "gpu_layers": 0, "timeout_s": None, "key_name": "HOMEBODY_PROPOSER_API_KEY", "copies": 1}
        assert (name, settings) == ("another", wanted)
        opened.append(Scripted([]))
        return opened[0]

    monkeypatch.setattr("homebody.agents.models.names.load", load)
    evolve(small(proposer="noop", proposer_model="another", rounds=1, n_ctx=64, n_threads=3), tmp_path)
    with pytest.raises(BackendClosedError):
        opened[0].score(("a",), ["b"])
