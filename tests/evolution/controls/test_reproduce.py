"""What is to be played for the results table."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.seed import seed_names
from homebody.agents.harness.spec import harness_names
from homebody.envs import BROWSER_IDS, ENV_IDS, SPLITS
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls import reproduce
from homebody.evolution.controls.baselines import play_controls
from homebody.evolution.controls.benchmark import Benchmark, BenchmarkError, benchmarks
from homebody.evolution.controls.reproduce import FULL, QUICK, Combination, Size, estimate, plan
from homebody.evolution.controls.rows import Plan
from homebody.evolution.controls.seed import choose_seed, seed_styles
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store
from homebody.scripts.commands.reproduce import controls_arguments

TOY = Benchmark("quarry", "Quarry-v0", {"types": ["bring", "wash"]}, "generic", 8, 4, False, "a quarry")


def test_benchmarks_are_those_that_this_version_can_play() -> None:
    found = benchmarks()
    assert set(found) == {"household", "household-said", "alfworld", "alfworld-said", "webshop", "webshop-human", "repair", "miniwob",
                          "miniwob-pages"}  # fmt: skip
    assert found["household"].env_args == {"holdout": "rooms"}
    assert found["alfworld"].max_steps == 15
    for one in found.values():
        assert one.env in (*ENV_IDS, *BROWSER_IDS)
        assert one.harness in seed_names(harness_names())


def test_the_folder_of_the_data_goes_to_those_that_read_some() -> None:
    found = benchmarks()
    assert found["household"].env_kwargs("somewhere") == {"holdout": "rooms"}
    assert found["alfworld"].env_kwargs("somewhere") == {"data_dir": "somewhere"}
    assert found["alfworld"].env_kwargs(None) == {}


def test_a_benchmark_without_its_data_is_left_out_with_a_reason(tmp_path: Path) -> None:
    chosen, left_out = plan(["no-model", "random"], None, tmp_path, str(tmp_path / "none"))
    browsed = {"miniwob", "miniwob-pages"}  # played where a browser is
    assert {one.benchmark.name for one in chosen} - browsed == {"household", "household-said", "webshop", "repair"}
    assert [one.name for one in chosen][:2] == ["no-model on household", "random on household"]
    assert [line.partition(" cannot be played: ")[0] for line in left_out if "miniwob" not in line] == [
        "benchmark alfworld", "benchmark alfworld-said", "benchmark webshop-human"
    ]  # fmt: skip


def test_goals_in_other_words_are_benchmarks_of_their_own(tmp_path: Path) -> None:
    chosen, _ = plan(["no-model"], ["household", "household-said"], tmp_path, None)
    plain, said = ([task.task_id for task in one.tasks("test", 5)] for one in chosen)
    assert said == [f"{task}+said" for task in plain]


WISH = {"instruction": "i want a lamp", "instruction_attributes": ["bright"], "instruction_options": []}
PRODUCT = {
    "name": "Bright lamp", "Title": "Bright lamp", "category": "garden", "query": "lamp", "product_category": "Home > Lamps",
    "pricing": "$10.00", "Description": "", "BulletPoints": [], "small_description": [], "full_description": "", "images": [],
    "customization_options": {}, "Attributes": ["bright"],
}  # fmt: skip


@pytest.fixture
def shop_files(tmp_path: Path) -> Path:
    """Upstream's three files, of thirty lamps of ours; people wrote a wish for each."""
    asins = [f"B{number:09d}" for number in range(30)]
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "items_shuffle_1000.json").write_text(json.dumps([{"asin": asin, **PRODUCT} for asin in asins]))
    (folder / "items_ins_v2_1000.json").write_text(json.dumps({}))
    (folder / "items_human_ins.json").write_text(json.dumps({asin: [{**WISH, "asin": asin}] for asin in asins}))
    return folder


def test_goals_that_people_wrote_are_a_benchmark_of_the_shop(tmp_path: Path, shop_files: Path) -> None:
    (one,), _ = plan(["no-model"], ["webshop-human"], tmp_path / "runs", str(shop_files))
    env = one.rollout.make_env()
    tasks = {split: one.tasks(split, None) for split in SPLITS}
    assert all(tasks.values())
    assert sum(map(len, tasks.values())) == 30
    for task in (some[0] for some in tasks.values()):
        _, info = env.reset(options={"task": task.task_id})
        assert info["goal"].startswith("i want a lamp")
    # The files hold fewer test tasks than the benchmark takes at most.
    told = controls_arguments(one, FULL, 1, 0.0)
    assert told[told.index("--tasks") + 1] == str(len(tasks["test"]))
    assert len(tasks["test"]) < one.benchmark.tasks


def test_a_benchmark_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="benchmark alfworld cannot be played"):
        plan(["no-model"], ["alfworld"], tmp_path, str(tmp_path / "none"))
    with pytest.raises(BenchmarkError, match="no benchmark is called 'alfword'; did you mean alfworld"):
        plan(["no-model"], ["alfword"], tmp_path, None)


def test_where_nothing_can_be_played_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"alfworld": benchmarks()["alfworld"]}
    monkeypatch.setattr(reproduce, "benchmarks", lambda: only)
    with pytest.raises(BenchmarkError, match="benchmark alfworld cannot be played"):
        plan(["no-model"], None, tmp_path, str(tmp_path / "none"))


def test_every_combination_has_a_folder_of_its_own(tmp_path: Path) -> None:
    chosen, _ = plan(["no-model", "hf:a/b:c.gguf", "hf:a/b-c.gguf", "../up"], ["household"], tmp_path, None)
    folders = [one.run_dir for one in chosen]
    assert folders[0] == tmp_path / "no-model-household"
    assert len(set(folders)) == 4
    assert {folder.parent for folder in folders} == {tmp_path}


def test_an_estimate_comes_from_a_real_episode(tmp_path: Path, quarry: Any) -> None:
    few = Benchmark("quarry", "Quarry-v0", {"types": ["bring", "wash"]}, "generic", 8, None, False, "fewer tasks than the size asks for")
    told = estimate(Combination("no-model", few, tmp_path / "run", few.env_kwargs(None)), QUICK, 2)
    assert quarry.played == ["train/bring-0"]
    # One style on validation tasks of the evolution; training and validation tasks of the first round, four of these once more, and ten
    # test tasks.
    assert told["least_episodes"] == 6 + 10 + 4 + 10
    # In each of four rounds both sets, grown to all tasks that there are (12 each), and two candidates on a smoke run and the latter.
    evolved = 4 + 4 * (12 + 12 + 2 * (1 + 12))
    # Seed and final harness, four other rows, four ablations and three incremental ones; random edits and best-of-N as long as the
    # evolution.
    assert told["most_episodes"] == 2 * 3 + evolved + (10 + 12) + (4 + 4 + 3) * 12 + 2 * (evolved + 10)
    unhurried = estimate(Combination("no-model", few, tmp_path / "run", few.env_kwargs(None)), replace(QUICK, style_minutes=None), 2)
    assert unhurried["least_episodes"] == told["least_episodes"] + 2 * 3  # the other two styles
    assert unhurried["most_episodes"] == told["most_episodes"]
    for bound in ("least", "most"):
        assert told[f"{bound}_minutes"] == pytest.approx(told[f"{bound}_episodes"] * told["episode_s"] / 120)


def test_what_a_size_allows_is_within_the_bounds(tmp_path: Path, quarry: Any) -> None:
    one = Combination("no-model", TOY, tmp_path / "run", TOY.env_kwargs(None))
    small = Size(4, 6, 4000, 2, 4, 2, "episodes", None, 3, growth=2, candidates=2)
    told = estimate(one, small, 1)
    choose_seed(one.run_dir, seed_styles(TOY.harness), one.rollout, one.tasks("validation", small.style_tasks), 1)
    config = EvolveConfig(
        TOY.env, "no-model", TOY.harness, env_kwargs=TOY.env_args, max_steps=TOY.max_steps, rounds=2, candidates=2, train_tasks=4,
        validation_tasks=6, growth=2, exploration_steps=4000,
    )  # fmt: skip
    evolve(config, one.run_dir)
    play_controls(one.run_dir, Plan(tasks=4, seed_tasks=2, attempts=2))
    with Store(one.run_dir, readonly=True) as store:
        played = sum(episode["policy"] == "no-model" for episode in store.episodes().values())
    with Store(one.run_dir / "controls" / "random", readonly=True) as store:
        played += sum(episode["policy"] == "no-model" for episode in store.episodes().values())
    assert told["least_episodes"] <= played <= told["most_episodes"]


def test_a_quick_run_bounds_its_evolution_and_leaves_time_to_test() -> None:
    assert QUICK.evolve_minutes is not None
    assert QUICK.minutes is not None
    # With 11.5 s of a core an episode and two workers: three styles of the seed, its row, and the evolved harness's at a second each.
    slow = 3 * QUICK.style_tasks + QUICK.attempts * (QUICK.seed_tasks or 0)
    tests = (slow * 11.5 + QUICK.attempts * (QUICK.tasks or 0) * 1.0) / 2 / 60
    assert QUICK.evolve_minutes + tests < QUICK.minutes < 15


def test_a_budget_gives_the_whole_twice_as_long_where_that_has_a_limit() -> None:
    quick, full = QUICK.within(20), FULL.within(20)
    assert (quick.evolve_minutes, quick.minutes, quick.style_minutes) == (20, 40, 10)
    assert (full.evolve_minutes, full.minutes, full.style_minutes) == (20, None, None)
    assert QUICK.within(7) == QUICK


@pytest.mark.parametrize("size", [QUICK, FULL])
def test_the_evolution_plays_the_tasks_of_the_styles_first(size: Size) -> None:
    assert size.style_tasks <= size.validation_tasks
