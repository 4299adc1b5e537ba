"""The rows of the results table, from real small runs and from rows written by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.models import names
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.baselines import play_controls
from homebody.evolution.controls.benchmark import Benchmark
from homebody.evolution.controls.markdown import describe_rows, results_markdown
from homebody.evolution.controls.page import build_results_page
from homebody.evolution.controls.reproduce import Combination
from homebody.evolution.controls.results import build_report
from homebody.evolution.controls.rows import Plan
from homebody.evolution.controls.seed import FILE, choose_seed, seed_styles
from homebody.evolution.controls.table import called, family, gather_results, parameters, table_row
from homebody.evolution.loop import evolve
from homebody.evolution.store import RunError, Store

TOY = Benchmark("quarry", "Quarry-v0", {"types": ["bring", "wash"]}, "generic", 8, 4, False, "a quarry")


def gather(chosen: list[Combination], quick: bool) -> dict[str, Any]:
    """The report of combinations that were played."""
    found = gather_results(chosen, "here", quick)
    return build_report(found.rows, found.combinations, quick)


def reproduce(model: str, run_dir: Path, benchmark: Benchmark = TOY, objective: str | None = None, candidates: int = 2) -> Combination:
    """Do in this process what `homebody reproduce` does in three."""
    one = Combination(model, benchmark, run_dir, benchmark.env_kwargs(None))
    choose_seed(run_dir, seed_styles(benchmark.harness), one.rollout, one.tasks("validation", 2), 1)
    config = EvolveConfig(
        benchmark.env, model, str(run_dir / FILE), env_kwargs=one.env_kwargs, max_steps=benchmark.max_steps, rounds=3,
        train_tasks=6, validation_tasks=8, growth=1, exploration_steps=6000, objective=objective,
        candidates=candidates,
    )  # fmt: skip
    evolve(config, run_dir)
    play_controls(run_dir, Plan(tasks=12, seed_tasks=6, attempts=2, only=("seed", "final", "no-skills")))
    return one


@pytest.fixture(scope="module")
def repeated(load_fixed: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a model that repeats one sentence, in a harness that evolved for success."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "load", load_fixed)
        return gather([reproduce("fixed", tmp_path_factory.mktemp("repeated") / "run", objective="success")], True)


def test_for_what_a_model_adds_the_harness_of_one_that_repeats_a_sentence_stays_as_it_is(
    load_fixed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "load", load_fixed)
    found = gather([reproduce("fixed", tmp_path / "run", candidates=20)], True)  # what dictates comes last
    (row,) = found["rows"]
    assert (row["objective"], row["seed"], row["evolved"], row["gain"]) == ("model", 0.0, 0.0, None)
    (one,) = found["combinations"]
    # The edit that wins every task without the model was tried, and its twin told.
    tried = [edit for edit in one["candidates"] if edit["twin_gain"]]
    assert tried
    assert {edit["came"] for edit in tried} == {"rejected"}
    assert any("its best twin" in edit["reason"] for edit in tried), [edit["reason"] for edit in tried]


def test_a_model_that_repeats_one_sentence_gains_nothing_and_the_page_says_why(repeated: dict[str, Any]) -> None:
    (row,) = repeated["rows"]
    # The harness that evolved solves every task, and as many without the model.
    assert (row["seed"], row["evolved"], row["twins"]["no-model"]) == (0.0, 1.0, 1.0)
    assert row["model_share"] == 0.0
    assert (row["model_value"]["points"], row["model_value"]["ci95"]) == (0.0, [0.0, 0.0])
    assert row["gain"] is None
    assert repeated["mean_gain"] == {"points": 0.0, "ci95": [0.0, 0.0], "n": 0}  # a row for success stands apart
    (said,) = describe_rows(repeated)
    assert re.fullmatch(
        r"fixed on quarry, objective success: 0\.0% to 100\.0%, best twin [\w-]+ [\d.]+%: no gain of the model's: "
        r"(without the model the harness solves as much|\d+ wins? in which the model decided no step (is|are) not counted), "
        r"model_value \+0\.0 \(\+0\.0 to \+0\.0\)\.",
        said,
    )
    assert row["why"] in said
    for page in (results_markdown(repeated), build_results_page(repeated).replace("&#39;", "'")):
        assert said in page
        assert "gain +100.0" not in page.lower()


def test_a_row_has_all_that_the_contract_names(repeated: dict[str, Any]) -> None:
    (row,) = repeated["rows"]
    assert {
        "model": "fixed", "family": "fixed", "benchmark": "quarry", "protocol": "held-out", "objective": "success", "split": "test",
        "n": 12, "seed_n": 6, "max_steps": 8, "attempts": 2, "seed_style": "act-grammar", "seed_unreadable": None, "model_sha256": "f1",
    }.items() <= row.items()  # fmt: skip
    assert set(row["twins"]) == {"no-model", "random", "echo", "executor"}
    assert row["tokens"] == repeated["combinations"][0]["controls"]["run"]["tokens"] > 0
    assert 0.0 <= row["no_skills"] <= 1.0
    assert row["matcher"] is None
    assert json.loads(json.dumps(repeated)) == repeated


def test_the_seed_was_the_best_style_and_the_evolution_began_with_it(repeated: dict[str, Any]) -> None:
    (one,) = repeated["combinations"]
    assert one["seed"]["style"] == "act-grammar"
    assert {item["style"]: item["unreadable"] for item in one["seed"]["tried"]} == {"act-free": 1.0, "act-grammar": None, "act-score": None}
    seed = next(row for row in one["controls"]["rows"] if row["row"] == "seed")
    assert seed["behaviour_hash"] == {style.name: style.spec for style in seed_styles("generic")}["act-grammar"].behaviour_hash


def test_a_control_in_a_models_place_has_no_gain(tmp_path: Path) -> None:
    report = gather([reproduce("no-model", tmp_path / "run")], True)
    (row,) = report["rows"]
    assert (row["gain"], row["why"], row["model_value"], row["model_share"]) == (None, "no-model is no model", None, None)
    assert (row["family"], row["model_sha256"], row["tokens"]) == (None, None, 0)
    assert (row["seed"], row["evolved"]) == (0.0, 1.0)


def test_a_run_of_another_command_is_no_row(quarry_run: Path, tmp_path: Path) -> None:
    one = Combination("no-model", TOY, quarry_run, TOY.env_kwargs(None))
    with pytest.raises(RunError, match="has no controls; homebody controls plays them"):
        gather([one], True)
    with Store(tmp_path) as store:
        store.append("start", {"policy": {}})
        store.append("controls", {})
    with pytest.raises(RunError, match="was begun by another command than reproduce; choose another --run-dir"):
        gather([Combination("no-model", TOY, tmp_path)], True)


def combination(unreadable: float | None, low: float) -> dict[str, Any]:
    """What was played of a combination whose seed and value are these."""
    worth = {"points": 0.4, "ci95": [low, 0.6], "lower90": low, "n": 10}
    seed = {"row": "seed", "n": 10, "success": 0.1, "unreadable": unreadable, "attempts": 1}
    final = {
        "row": "final", "n": 10, "success": 0.8, "attempts": 1, "policy": "m", "twins": {"echo": 0.4}, "best_twin": "echo",
        "model_value": worth, "model_share": 0.7,
    }  # fmt: skip
    run = {"split": "test", "max_steps": 8, "tokens": 5}
    gain = {"points": 0.7, "ci95": [0.5, 0.9], "n": 10, "headroom_closed": 0.8}
    return {
        "model": "m", "benchmark": "quarry", "objective": "model", "seed": {"style": "free"},
        "policy": {"policy": "model", "model": "Smollm2 135M 8k"},
        "controls": {"run": run, "rows": [seed, final], "gain": gain},
    }  # fmt: skip


def test_a_row_has_the_success_of_the_matcher_where_it_played() -> None:
    one = combination(None, 0.2)
    assert table_row(one)["matcher"] is None
    one["controls"]["rows"].append({"row": "matcher", "n": 10, "success": 0.3})
    assert table_row(one)["matcher"] == 0.3


@pytest.mark.parametrize(
    ("unreadable", "low", "gain"), [(None, 0.2, True), (0.05, 0.2, True), (0.06, 0.2, False), (None, 0.0, False), (0.0, -0.1, False)]
)
def test_a_gain_is_null_where_the_seed_is_unreadable_or_the_model_adds_nothing(unreadable: float | None, low: float, gain: bool) -> None:
    row = table_row(combination(unreadable, low))
    assert row["gain"] == ({"points": 0.7, "ci95": [0.5, 0.9], "n": 10} if gain else None)
    assert (row["why"] is None) == gain
    # Both figures stand, whatever the gain is.
    assert (row["seed"], row["seed_unreadable"], row["evolved"], row["model_share"]) == (0.1, unreadable, 0.8, 0.7)
    assert row["model_value"] == {"points": 0.4, "ci95": [low, 0.6]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Qwen2.5 Coder 1.5B Instruct GGUF", "Qwen2.5 Coder"),
        ("Qwen2.5 Coder 0.5B Instruct AWQ", "Qwen2.5 Coder"),
        ("Smollm2 135M 8k Lc100K Mix1 Ep2", "Smollm2"),
        ("Gemma 3 270m", "Gemma 3"),
        ("Qwen3.5-9B-Q4_K_M.gguf", "Qwen3.5"),
        ("tiny qwen35", "tiny qwen35"),
        ("", ""),
    ],
)
def test_the_family_is_a_models_name_as_far_as_its_size(name: str, said: str) -> None:
    assert family(name) == said


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Qwen2.5 Coder 1.5B Instruct GGUF", 1.5e9),
        ("Smollm2 135M 8k Lc100K Mix1 Ep2", 135e6),
        ("Gemma 3 270m", 270e6),
        ("hf:owner/repo:Qwen3.5-9B-Q4_K_M.gguf", 9e9),
        ("tiny qwen35", None),
        ("", None),
    ],
)
def test_the_number_of_parameters_is_read_from_the_name(name: str, count: float | None) -> None:
    assert parameters(name) == count


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("smollm2", "smollm2"),
        ("/somewhere/models/mine.gguf", "mine.gguf"),
        ("hf:owner/repo:file.gguf", "hf:owner/repo:file.gguf"),
        ("http://127.0.0.1:8000/v1#Qwen3.5-9B", "http://127.0.0.1:8000/v1#Qwen3.5-9B"),
    ],
)
def test_a_table_holds_no_path_of_its_machine(model: str, said: str) -> None:
    assert called(model) == said
