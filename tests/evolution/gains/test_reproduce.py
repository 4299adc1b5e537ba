"""What is to be played for the gains table, and what is read of it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.spec import harness_names
from homebody.envs import ENV_IDS
from homebody.evolution.controls.rows import Plan, play_controls
from homebody.evolution.gains import reproduce
from homebody.evolution.gains.reproduce import QUICK, Benchmark, BenchmarkError, Combination, benchmarks, estimate, gather, is_done, plan
from homebody.evolution.store import RunError

TOY = Benchmark("quarry", "Quarry-v0", {"types": ["bring", "wash"]}, "generic", 8, 4, False, "a quarry")


def test_benchmarks_are_those_that_this_version_can_play() -> None:
    found = benchmarks()
    assert {"household", "alfworld"} <= found.keys()
    assert found["household"].env_args == {"holdout": "rooms"}
    assert found["alfworld"].max_steps == 15
    for one in found.values():
        assert one.env in ENV_IDS
        assert one.harness in harness_names()


def test_the_folder_of_the_data_goes_to_those_that_read_some() -> None:
    found = benchmarks()
    assert found["household"].env_kwargs("somewhere") == {"holdout": "rooms"}
    assert found["alfworld"].env_kwargs("somewhere") == {"data_dir": "somewhere"}
    assert found["alfworld"].env_kwargs(None) == {}


def test_a_benchmark_without_its_data_is_left_out_with_a_reason(tmp_path: Path) -> None:
    chosen, left_out = plan(["flat", "random"], None, tmp_path, str(tmp_path / "none"))
    assert "alfworld" not in {one.benchmark.name for one in chosen}
    assert [one.name for one in chosen][:2] == ["flat on household", "random on household"]
    assert len(left_out) == 1
    assert left_out[0].startswith("benchmark alfworld cannot be played: ")


def test_a_benchmark_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="benchmark alfworld cannot be played"):
        plan(["flat"], ["alfworld"], tmp_path, str(tmp_path / "none"))
    with pytest.raises(BenchmarkError, match="no benchmark is called 'alfword'; did you mean alfworld"):
        plan(["flat"], ["alfword"], tmp_path, None)


def test_where_nothing_can_be_played_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"alfworld": benchmarks()["alfworld"]}
    monkeypatch.setattr(reproduce, "benchmarks", lambda: only)
    with pytest.raises(BenchmarkError, match="benchmark alfworld cannot be played"):
        plan(["flat"], None, tmp_path, str(tmp_path / "none"))


def test_every_combination_has_a_folder_of_its_own(tmp_path: Path) -> None:
    chosen, _ = plan(["flat", "hf:a/b:c.gguf", "hf:a/b-c.gguf", "../up"], ["household"], tmp_path, None)
    folders = [one.run_dir for one in chosen]
    assert folders[0] == tmp_path / "flat-household"
    assert len(set(folders)) == 4
    assert {folder.parent for folder in folders} == {tmp_path}


def test_an_estimate_comes_from_a_real_episode(tmp_path: Path, quarry: Any) -> None:
    told = estimate(Combination("flat", TOY, tmp_path / "run", TOY.env_kwargs(None)), QUICK, 2)
    assert quarry.played == ["train/bring-0"]
    # Training and validation tasks of the first round, and two attempts at ten test tasks.
    assert told["seed_episodes"] == 6 + 10 + 2 * 10
    assert told["most_episodes"] > told["seed_episodes"]
    assert told["seed_minutes"] == pytest.approx(told["seed_episodes"] * told["episode_s"] / 120)


def test_a_run_is_done_when_it_has_ended(quarry_run: Path, tmp_path: Path) -> None:
    assert is_done(quarry_run)
    assert not is_done(tmp_path)


def test_what_was_played_is_read(quarry_run: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "flat-quarry"))
    one = Combination("flat", TOY, run_dir, TOY.env_kwargs(None))
    with pytest.raises(RunError, match="has no controls; homebody controls plays them"):
        gather([one], True)
    result = play_controls(run_dir, Plan(tasks=4, only=("seed", "final")))
    told = gather([one], True)
    (found,) = told["combinations"]
    assert (told["quick"], told["published"]["rows"]) == (True, [])
    assert (found["model"], found["benchmark"], found["run"]) == ("flat", "quarry", "flat-quarry")
    assert found["controls"] == result
    assert [item["round"] for item in found["rounds"]] == list(range(1, len(found["rounds"]) + 1))
    assert found["levers"][0]["lever"] == "playbook"
    assert found["cost"]["episodes"] > 0
