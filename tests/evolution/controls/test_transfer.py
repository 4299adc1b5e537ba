"""A model in the harness that evolved for another: found in a run or a table, played with the same controls, never evolved."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.seed import STYLES
from homebody.agents.models import names
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.baselines import play_controls
from homebody.evolution.controls.benchmark import Benchmark, BenchmarkError
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.controls.markdown import results_markdown
from homebody.evolution.controls.page import build_results_page
from homebody.evolution.controls.reproduce import FULL, Combination, estimate, plan
from homebody.evolution.controls.results import Results, ResultsError, build_report
from homebody.evolution.controls.rows import BASELINES, FIXED, Plan
from homebody.evolution.controls.seed import FILE, Style, choose_seed, find_seed, seed_styles
from homebody.evolution.controls.table import gather_results, read_combination, table_row
from homebody.evolution.controls.transfer import begin_transfer, find_evolved
from homebody.evolution.loop import evolve
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.reports.summary import markdown, read_run
from homebody.evolution.store import RunError, Store

TOY = Benchmark("quarry", "Quarry-v0", {"types": ["bring", "wash"]}, "generic", 8, 4, False, "a quarry")
DONOR = "no-model"


def choose(one: Combination) -> None:
    choose_seed(one.run_dir, seed_styles(TOY.harness), one.rollout, one.tasks("validation", 2), 1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one that has evolved and was tested."""
    folder = tmp_path_factory.mktemp("runs")
    one = Combination(DONOR, TOY, folder / f"{DONOR}-quarry", TOY.env_kwargs(None))
    choose(one)
    config = EvolveConfig(
        TOY.env, DONOR, str(one.run_dir / FILE), env_kwargs=one.env_kwargs, max_steps=TOY.max_steps, rounds=2, train_tasks=6,
        validation_tasks=8, growth=1, exploration_steps=6000,
    )  # fmt: skip
    assert evolve(config, one.run_dir)["seed_hash"] != read_lineage(one.run_dir).end["final_hash"]
    play_controls(one.run_dir, Plan(tasks=4, only=("seed", "final")))
    return folder


@pytest.fixture(scope="module")
def table(runs: Path) -> Results:
    """The results of that run."""
    return gather_results([Combination(DONOR, TOY, runs / f"{DONOR}-quarry", TOY.env_kwargs(None))], "results.json", False)


def player(folder: Path, model: str = "random", **changes: Any) -> Combination:
    """A model that plays the harness that evolved in the folder's run."""
    return Combination(model, TOY, folder / f"{model}-quarry-x", TOY.env_kwargs(None), harness_of=DONOR, **changes)


@pytest.fixture(scope="module")
def played(runs: Path) -> Combination:
    """One that was played."""
    one = player(runs)
    choose(one)
    begin_transfer(one, find_evolved(one, []))
    play_controls(one.run_dir, Plan(tasks=4, attempts=2, only=FIXED))
    return one


def test_a_row_sets_the_others_harness_beside_the_models_own_seed(played: Combination, runs: Path, table: Results) -> None:
    found = read_combination(played)
    row = table_row(found)
    final = read_lineage(runs / f"{DONOR}-quarry").final
    measured = evaluate(played.rollout, final, "test", tasks=4)
    assert (row["model"], row["harness_of"], row["evolved"], row["n"]) == ("random", DONOR, measured["success"], 4)
    hashes = {item["row"]: item["behaviour_hash"] for item in found["controls"]["rows"]}
    assert hashes["final"] == final.behaviour_hash == found["manifest"]["behaviour_hash"]["evolved"]
    assert hashes["seed"] in {style.spec.behaviour_hash for style in seed_styles(TOY.harness)}
    assert {"no-model", "random", "echo", "executor"} == set(row["twins"])
    assert (row["tokens"], row["attempts"], found["rounds"], found["candidates"]) == (0, 2, [], [])
    origin = found["manifest"]["harness_of"]
    assert origin["changes"] == table.combinations[0]["manifest"]["changes"]
    assert origin["seed_hash"] == table.combinations[0]["manifest"]["behaviour_hash"]["seed"]
    assert all(finding["ok"] for finding in found["controls"]["audit"])


def test_the_table_and_the_page_say_whose_harness_it_is(played: Combination, table: Results) -> None:
    both = gather_results([played], "here", False)
    report = build_report([*table.rows, *both.rows], [*table.combinations, *both.combinations], False)
    text = results_markdown(report)
    assert "random on quarry, in the harness of no-model: " in text
    assert "Nothing was evolved here: the harness evolved for no-model." in text
    assert "In the harness of another model, marked: " in text
    page = build_results_page(report)
    assert "random on quarry, in the harness of no-model" in page
    assert "Nothing was evolved here: the harness evolved for no-model. Run:" in page
    assert report["mean_gain"]["n"] == 1
    told = markdown(read_run(played.run_dir))
    assert "nothing is evolved: its harness evolved for another model" in told
    assert "the final harness is the seed" not in told


def test_rows_that_need_an_evolution_say_that_there_was_none(played: Combination) -> None:
    found = play_controls(played.run_dir, Plan(tasks=4, attempts=2))
    reason = "nothing was evolved here: the harness evolved for no-model"
    evolved = {"noop", "random-edits", "best-of-n", "ablation", "incremental"}
    assert {key for key, why in found["skipped"].items() if why == reason} == evolved
    assert {row["row"].partition(" ")[0] for row in found["rows"]} | set(found["skipped"]) == set(BASELINES)


def test_a_run_that_was_begun_goes_on_as_it_was(played: Combination, runs: Path, tmp_path: Path) -> None:
    evolved = find_evolved(played, [])
    with Store(played.run_dir, readonly=True) as store:
        before = [store.events(kind) for kind in ("start", "harness", "end")]
    begin_transfer(played, evolved)
    with Store(played.run_dir, readonly=True) as store:
        assert [store.events(kind) for kind in ("start", "harness", "end")] == before
    # Killed between the start and the end: what is missing is added.
    stopped = replace(played, run_dir=tmp_path / "stopped")
    choose(stopped)
    with Store(stopped.run_dir) as store:
        store.append("harness", before[1][0])
        store.append("start", before[0][0])
    begin_transfer(stopped, evolved)
    with Store(stopped.run_dir, readonly=True) as store:
        assert [len(store.events(kind)) for kind in ("start", "harness", "end")] == [1, 1, 1]
    assert read_lineage(stopped.run_dir).final.behaviour_hash == evolved.spec.behaviour_hash
    other = replace(evolved, spec=evolved.spec.without(next(iter(evolved.spec.components))))
    with pytest.raises(RunError, match=r"was begun with harness .* of no-model, and this is .*; choose another --run-dir"):
        begin_transfer(stopped, other)


def test_a_table_gives_the_same_harness_as_the_run(runs: Path, table: Results, tmp_path: Path) -> None:
    of_run, of_table = find_evolved(player(runs), []), find_evolved(player(tmp_path), [table])
    assert of_table.spec.behaviour_hash == of_run.spec.behaviour_hash
    assert of_table.spec.name == of_run.spec.name
    assert (of_table.model, of_table.objective, of_table.seed_hash) == (of_run.model, of_run.objective, of_run.seed_hash)
    assert list(of_table.changes) == list(of_run.changes)


@pytest.mark.parametrize(
    "change",
    [{"benchmark": "other"}, {"repeat": 2}, {"split": "final"}, {"harness_of": "another"}, {"protocol": "published"}, {"model": "m"}],
)
def test_another_row_of_a_table_is_not_taken(table: Results, tmp_path: Path, change: dict[str, Any]) -> None:
    other = replace(table, rows=[{**table.rows[0], **change}])
    with pytest.raises(RunError, match=r"no harness of no-model on quarry is known: .* holds no run, and no table of --merge has its row"):
        find_evolved(player(tmp_path), [other])


def test_a_row_whose_harness_this_version_cannot_make_is_refused(table: Results, tmp_path: Path) -> None:
    (one,) = table.combinations
    for key in ("seed", "evolved"):
        hashes = {**one["manifest"]["behaviour_hash"], key: "f" * 64}
        other = replace(table, combinations=[{**one, "manifest": {**one["manifest"], "behaviour_hash": hashes}}])
        with pytest.raises(ResultsError, match=r"results.json: the harness of no-model on quarry .* cannot be made again"):
            find_evolved(player(tmp_path), [other])


def test_an_evolution_that_has_not_ended_has_no_harness_yet(tmp_path: Path) -> None:
    with Store(tmp_path / f"{DONOR}-quarry") as store:
        store.append("start", {})
    with pytest.raises(
        RunError, match=r"the evolution of no-model on quarry has not ended in .*; finish it with homebody reproduce"
    ) as one:
        find_evolved(player(tmp_path), [])
    assert "\n" not in str(one.value)


def test_a_model_under_two_names_is_refused_by_its_weights(
    runs: Path, tmp_path: Path, load_fixed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "load", load_fixed)
    one = replace(player(runs, "fixed"), run_dir=tmp_path / "run")
    choose(one)
    evolved = find_evolved(player(runs, "fixed"), [])
    with pytest.raises(RunError, match="fixed and no-model are the same weights"):
        begin_transfer(one, replace(evolved, policy={"sha256": "f1"}))
    begin_transfer(one, replace(evolved, policy={"sha256": "f2"}))


def test_a_plan_refuses_a_models_own_harness_and_the_published_protocol(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="a plays in its own harness without --harness-of; leave it out of --models"):
        plan(["b", "a"], ["household"], tmp_path, None, harness_of="a")
    with pytest.raises(BenchmarkError, match="--harness-of plays harnesses of the held-out protocol; leave --protocol out"):
        plan(["b"], ["household"], tmp_path, None, ("held-out", "published"), harness_of="a")


def test_the_other_models_run_is_that_of_the_same_benchmark_objective_and_repeat(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"objective": "success", "repeats": 2}
    evolving, _ = plan(["a"], ["household", "repair"], tmp_path, None, **asked)
    playing, _ = plan(["b", "hf:o/r:c.gguf"], ["household", "repair"], tmp_path, None, harness_of="a", **asked)
    assert [one.origin for one in playing if one.model == "b"] == evolving
    assert len({one.run_dir for one in (*evolving, *playing)}) == 12
    assert playing[0].name == "b on household, in the harness of a"
    assert evolving[0].origin is evolving[0]


def test_an_estimate_counts_no_evolution(tmp_path: Path, quarry: Any) -> None:
    small = replace(FULL, style_tasks=3, tasks=5, seed_tasks=2, attempts=2)
    one = player(tmp_path)
    told = estimate(one, one.size(small), 1)
    styles = 3 * 3  # free, grammar and score, on three validation tasks each
    assert (told["least_episodes"], told["most_episodes"]) == (styles + 2 * 2, styles + 2 * (2 + 5) + 5)


@pytest.mark.parametrize("name", ["generic", "household", "repair"])
def test_a_seed_is_found_by_its_behaviour(name: str) -> None:
    style: Style = seed_styles(name)[-1]
    found = find_seed(name, style.spec.behaviour_hash)
    assert found is not None
    assert found.document == style.spec.document
    assert find_seed(name, "0" * 64) is None
    assert set(STYLES) >= {"act", "react"}
