"""Tables, figures and the page of the results, from data written by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.controls.benchmark import published
from homebody.evolution.controls.figure import draw_hit_rates, draw_results
from homebody.evolution.controls.markdown import (
    RESULT_HEADS,
    control_cells,
    controls_markdown,
    describe_rows,
    describe_seed,
    hit_rate,
    published_cells,
    result_cells,
    results_markdown,
)
from homebody.evolution.controls.page import build_results_page, write_results
from homebody.evolution.controls.results import build_report
from homebody.evolution.controls.table import table_row
from homebody.evolution.reports.figure import BLUE, VERMILION

GAIN = {"n": 10, "points": 0.9, "ci95": [0.7, 1.0], "headroom_closed": 0.9}
WORTH = {"points": 0.45, "ci95": [0.3, 0.6], "lower90": 0.35, "n": 60}
NOTHING = {"points": 0.0, "ci95": [0.0, 0.0], "lower90": 0.0, "n": 60}


def row(name: str, success: float, n: int = 10, **more: Any) -> dict[str, Any]:
    figures = {"n": n, "attempts": 1, "success": success, "ci95": [0.0, 1.0], "steps_mean": 4.25, "policy": "m"}
    return {"row": name, "label": f"the {name} | row", **figures, **more}


def evolved(worth: Any = WORTH, twin: float = 0.45, **more: Any) -> dict[str, Any]:
    """The row of an evolved harness that solves 90.0%."""
    twins = {"no-model": twin, "random": 0.1, "echo": twin, "executor": 0.0}
    decided = {
        "model_share": 0.5, "model_share_won": 0.6, "unreadable": None, "cut": 0.0, "repaired": 0, "errors": 0,
        "decided_by": {"model": 10, "agreed": 10, "reading": 0, "harness": 20, "fallback": 0},
    }  # fmt: skip
    beside = {"twins": twins, "best_twin": "no-model", "model_value": worth, **({} if worth else {"model_value_why": "a twin failed"})}
    return row("final", 0.9, 60, attempts=2, pass_at_k={"1": 0.9, "2": 1.0}, gain=GAIN, **decided, **beside, **more)


def controls(**changes: Any) -> dict[str, Any]:
    seed = row("seed", 0.0, attempts=2, pass_at_k={"1": 0.0, "2": 0.1})
    final = evolved()
    best = row("best-of-n", 0.2, attempts=8, gain=GAIN, pass_at_k={"8": 0.2})
    lost = {"drop": 0.5, "ci95": [0.3, 0.7], "n": 60, "own": 0.5, "added": 0.9}
    edit = {"edit": "r1c1", "label": "without r1c1", "left_out": ["r1c1"], **lost}
    return {
        "run": {"env": "Quarry-v0", "env_args": {}, "model": "m", "split": "test", "max_steps": 15, "episodes": 100, "tokens": 5},
        "rows": [seed, final, best],
        "skipped": {"expert": "the environment has no expert"},
        "gain": GAIN,
        "gain_at_k": {"k": 2, **GAIN},
        "attribution": {"edits": [edit], "sum": 0.5, "added": 0.9, "gain": 0.9, "sentence": "explains 50.0 of 90.0 points"},
        "audit": [{"check": "training", "ok": True, "sentence": "fine"}, {"check": "unseen", "ok": False, "sentence": "not fine"}],
        **changes,
    }


def combination(model: str = "m", benchmark: str = "quarry", **changes: Any) -> dict[str, Any]:
    side = {"n": 4, "success": 0.25, "ci95": [0.05, 0.7]}
    made = {"version": "0.1.0", "commit": "c" * 40, "machine": {"processor": "A Processor", "cores": 2, "system": "s", "python": "3"}}
    manifest = {
        "played_with": [made], "env": "Quarry-v0", "env_args": {}, "max_steps": 15, "protocol": "held-out", "seed": 0,
        "sampling": {"seed": {}, "evolved": {}}, "behaviour_hash": {"seed": "a" * 64, "evolved": "b" * 64}, "changes": [],
    }  # fmt: skip
    edit = {
        "id": "r1c1", "dimension": "memory", "operator": "<b>an operator</b>", "hypothesis": "It helps.", "evidence": {"loop": 2},
        "signature": "visited", "verdict": "accepted", "reason": "2 tasks won", "came": "shipped", "predicted": 2, "at_risk": 1,
        "unlocked": 1, "broken": 0, "manifest": {"operator": "<b>an operator</b>"},
    }  # fmt: skip
    lost = {**edit, "id": "r1c2", "verdict": "rejected", "came": "rejected", "unlocked": None, "broken": None}
    lost |= {"evidence": {}, "signature": "", "hypothesis": ""}
    one = {"round": 1, "train": side, "validation": side, "failures": {"loop": 2}, "shipped": "r1c1", "candidates": [edit, lost]}
    counts = {"tried": 2, "accepted": 1, "shipped": 1, "predicted": 2, "unlocked": 1}
    tried = [{"style": "free", "success": 0.0, "unreadable": 0.75}, {"style": "grammar", "success": 0.5, "unreadable": None}]
    return {
        "model": model, "benchmark": benchmark, "protocol": "held-out", "repeat": 1, "manifest": manifest, "objective": "model",
        "outcomes": {"tasks": [f"t{n}" for n in range(10)], "seed": "0000000000", "evolved": "1111111110"},
        "about": "a quarry", "run": f"{model}-{benchmark}",
        "controls": controls(),
        "policy": {"policy": "model", "model": "Gemma 3 270m", "sha256": "abc"},
        "seed": {"style": "grammar", "tried": tried, "asked": {"tasks": ["v1", "v2"]}},
        "rounds": [one, {**one, "round": 2, "candidates": [], "shipped": None}],
        "operators": [{"operator": "an operator", "dimensions": ["memory"], **counts}], "candidates": [edit, lost],
        "cost": {"episodes": 100, "exploration_steps": 5000, "wall_s": 60.0}, **changes,
    }  # fmt: skip


def report(*combinations: dict[str, Any], rows: Any = (), quick: bool = False) -> dict[str, Any]:
    found = build_report([table_row(one) for one in combinations], combinations, quick)
    return {**found, "published": {**published(), "rows": list(rows)}}


def cells(one: dict[str, Any]) -> dict[str, str]:
    """The cells of a combination's row, by their head."""
    return dict(zip(RESULT_HEADS, result_cells(table_row(one), one), strict=True))


def final(**changes: Any) -> dict[str, Any]:
    """A combination whose evolved harness has another row."""
    one = combination()
    return {**one, "controls": {**one["controls"], "rows": [one["controls"]["rows"][0], evolved(**changes)]}}


PUBLISHED = {
    "benchmark": "quarry", "model": "Big", "initial": 53.0, "evolved": 97.0, "gain": 44.0, "best_round": 9, "n": 134, "max_steps": 15,
}  # fmt: skip


def test_a_row_of_the_table_has_both_figures_twin_gain_value_share_interval_n_and_step_limit() -> None:
    one = combination()
    assert result_cells(table_row(one), one) == [
        "quarry", "m", "60 (seed 10)", "15", "grammar: 0.0% (0.0 to 100.0)", "90.0% (0.0 to 100.0)", "no-model 45.0%", "", "",
        "+90.0 (+70.0 to +100.0), n = 10", "90.0%", "+45.0 (+30.0 to +60.0)", "50.0%", "10.0%, 100.0%, +90.0",
    ]  # fmt: skip


def test_a_row_that_was_evolved_for_success_is_marked() -> None:
    marked = combination(objective="success")
    assert cells(marked)["benchmark"] == "quarry, objective success"
    assert "Objective success: an edit had to gain, whoever decided" in results_markdown(report(combination(), marked))
    assert "bjective success" not in results_markdown(report(combination()))
    # A control has no other objective.
    control = combination(objective="success", policy={"policy": "no-model"})
    assert "bjective success" not in results_markdown(report(control))


def test_a_null_gain_leaves_both_figures_and_no_points() -> None:
    found = cells(final(worth=NOTHING, twin=0.9))
    assert found["gain in points (95% interval)"] == "null"
    assert (found["seed, first attempt"], found["evolved, first attempt"]) == ("grammar: 0.0% (0.0 to 100.0)", "90.0% (0.0 to 100.0)")
    assert (found["best twin"], found["headroom closed"]) == ("no-model 90.0%", "")
    assert found["model_value (95% interval)"] == "+0.0 (+0.0 to +0.0)"
    assert found["pass@2: seed, evolved, gain"] == "10.0%, 100.0%"


def test_what_was_not_played_is_empty() -> None:
    nothing = combination(controls=controls(gain=None, gain_at_k=None, rows=[]))
    assert result_cells(table_row(nothing), nothing) == ["quarry", "m", "", "15", *[""] * 10]
    assert "- m on quarry: seed and evolved harness were not both played." in results_markdown(report(nothing))
    no_second = cells(combination(controls=controls(gain_at_k=None, gain={**GAIN, "headroom_closed": None})))
    assert (no_second["headroom closed"], no_second["pass@2: seed, evolved, gain"]) == ("", "")


def test_every_row_is_told_with_its_best_twin() -> None:
    assert describe_rows(report(combination())) == [
        "m on quarry: 0.0% to 90.0%, best twin no-model 45.0%: gain +90.0 (+70.0 to +100.0) points, model_value +45.0 (+30.0 to +60.0)."
    ]
    assert describe_rows(report(combination(), {**final(worth=NOTHING, twin=0.9), "benchmark": "mine"}))[1:] == [
        "m on mine: 0.0% to 90.0%, best twin no-model 90.0%: no gain of the model's: without the model the harness solves as much, "
        "model_value +0.0 (+0.0 to +0.0).",
        "Mean gain of 2 models on benchmarks: +45.0 (+35.0 to +50.0) points; 1 null gains count 0.",
    ]


def test_the_choice_of_the_seed_is_told() -> None:
    said = "Seed: style grammar, the best of free 0.0% (unreadable 75.0%), grammar 50.0% on 2 validation tasks."
    assert describe_seed(combination()["seed"]) == said
    assert said in results_markdown(report(combination()))
    assert said in build_results_page(report(combination()))
    seed = combination()["seed"]
    seed["asked"]["styles"] = {"c": "think-free", "a": "free", "d": "score", "b": "grammar"}
    assert describe_seed(seed) == f"{said} The time did not suffice for score, think-free."


def test_published_rows_have_their_share_of_the_headroom() -> None:
    # 44.0 of the 47 points that were left.
    assert published_cells(PUBLISHED) == ["quarry", "Big", "134", "15", "53.0%", "97.0%", "+44.0", "93.6%", "9"]


def test_published_figures_are_those_of_the_specification() -> None:
    found = {(row["benchmark"], row["model"]): (row["initial"], row["evolved"], row["gain"]) for row in published()["rows"]}
    assert found["alfworld", "Qwen3.5-9B"] == (53.0, 97.0, 44.0)
    assert found["webshop", "GPT-5.4"] == (55.0, 73.0, 18.0)
    assert all(row["gain"] == pytest.approx(row["evolved"] - row["initial"], abs=0.11) for row in published()["rows"])
    assert "2606.14249" in published()["source"]


def test_the_oracle_of_best_of_n_is_no_first_attempt() -> None:
    assert control_cells(row("best-of-n", 0.2, attempts=8, gain=GAIN))[2:4] == ["", "best of 8: 20.0% (0.0 to 100.0)"]
    assert control_cells(row("seed", 0.2))[2:5] == ["20.0% (0.0 to 100.0)", "", ""]


def test_reward_exact_success_and_what_was_played_are_shown_where_they_are_known() -> None:
    graded = row("final", 0.9, reward_mean=0.95, success_strict=0.5, ci95_strict=[0.2, 0.8])
    assert control_cells(graded)[2] == "90.0% (0.0 to 100.0); mean reward 0.950, exact 50.0% (20.0 to 80.0)"
    about = {**controls()["run"], "about": "deep goals, 3 shafts"}
    told = controls(run=about, rows=[row("seed", 0.0), {**evolved(), **graded}], gain_at_k=None)
    assert "\nPlayed: deep goals, 3 shafts.\n" in controls_markdown(told)
    assert "Played:" not in controls_markdown(controls())
    assert cells(combination(controls=told))["benchmark"] == "quarry (deep goals, 3 shafts)"
    assert "a quarry: deep goals, 3 shafts." in build_results_page(report(combination(controls=told)))


def test_the_controls_say_gain_attribution_omissions_and_audit() -> None:
    text = controls_markdown(controls())
    said = "**0.0% to 90.0%, best twin no-model 45.0%**: gain +90.0 points (+70.0 to +100.0) on 10 tasks, 90.0% of the headroom."
    assert said in text
    assert "Gain in pass@2: +90.0 points" in text
    assert "| without r1c1 | 60 | +50.0 (+30.0 to +70.0) | +50.0 | +90.0 |" in text
    assert "| sum |  |  | +50.0 | +90.0 |" in text
    assert "Left out, expert: the environment has no expert." in text
    assert "1 of 2 checks passed" in text
    assert "**failed**, unseen: not fine" in text
    assert "the seed \\| row" in text


@pytest.mark.parametrize(
    ("seed", "worth", "why"),
    [
        ({}, NOTHING, "without the model the harness solves as much, model_value +0.0 (+0.0 to +0.0)"),
        ({"unreadable": 0.8}, WORTH, "80.0% of the seed's replies could not be read, and 5.0% may be"),
        ({}, None, "a twin failed"),
    ],
)
def test_the_controls_print_no_points_of_a_null_gain(seed: Any, worth: Any, why: str) -> None:
    before = row("seed", 0.0, attempts=2, pass_at_k={"1": 0.0, "2": 0.1}, **seed)
    text = controls_markdown(controls(rows=[before, evolved(worth)]))
    assert f"**0.0% to 90.0%, best twin no-model 45.0%**: no gain of the model's: {why}." in text
    assert "gain +90.0" not in text.lower()
    assert "Gain in pass@2" not in text


def test_the_controls_of_a_run_without_a_model_print_their_points() -> None:
    before, after = row("seed", 0.0, policy="no-model"), {**evolved(None), "policy": "no-model"}
    assert "**0.0% to 90.0%**: gain +90.0 points" in controls_markdown(controls(rows=[before, after]))


def test_the_controls_of_few_rows_say_less() -> None:
    text = controls_markdown(controls(gain=None, gain_at_k=None, attribution=None, skipped={}))
    assert "gain" not in text.lower()
    assert "Attribution" not in text
    no_seed = controls(attribution={**controls()["attribution"], "sentence": "", "added": None})
    assert "Attribution:\n" in controls_markdown(no_seed)
    assert "of the headroom" not in controls_markdown(controls(gain={**GAIN, "headroom_closed": None}))


def test_the_whole_text_holds_both_tables_and_their_protocols() -> None:
    text = results_markdown(report(combination(), rows=[PUBLISHED], quick=True))
    assert "pass@2; the best round" in text
    assert "This was --quick" in text
    assert "The evolution took 100 episodes, 5000 exploration steps and 60 s." in text
    assert "| an operator | 2 | 1 | 1 | 1 of 2 |" in text
    assert "Published" not in results_markdown(report(combination()))
    assert hit_rate({"predicted": 0, "unlocked": 0}) == ""


def test_everything_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    told = report(combination(), rows=[PUBLISHED])
    first, second = write_results(told, tmp_path / "a"), write_results(told, tmp_path / "b")
    names = [path.relative_to(tmp_path / "a").as_posix() for path in first]
    assert names[:5] == ["results.json", "results.md", "results.html", "results.png", "results.svg"]
    assert {"figures/m-quarry-rounds.png", "figures/m-quarry-hit-rates.svg", "figures/m-quarry-failures.png"} <= set(names)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert json.loads(first[0].read_text("utf-8")) == told


def test_the_page_needs_nothing_and_escapes_everything() -> None:
    page = build_results_page(report(combination(), combination("<script>alert(1)</script>"), rows=[PUBLISHED]))
    assert "<script" not in page
    assert "<b>an operator</b>" not in page
    assert not re.findall(r'(?:src|href)="(?!#|https://arxiv\.org/abs/2606\.14249")[^"]*"', re.sub(r'xlink:href="#[^"]*"', "", page))
    assert page.count("<svg") == 1 + 5 + 2 * 4  # the table, all rows together, and four figures a row
    found = re.findall(r'\bid="([^"]+)"', page)
    assert len(found) == len(set(found))
    assert "Came true" in page
    assert "nothing: it removes a processor" in page


def test_a_report_without_gains_is_still_drawn(tmp_path: Path) -> None:
    nothing = combination(controls=controls(gain=None, gain_at_k=None, attribution=None), rounds=[], operators=[], candidates=[])
    files = write_results(report(nothing), tmp_path)
    whole = [f"results.{ending}" for ending in ("json", "md", "html", "png", "svg")]
    assert [path.name for path in files] == [*whole, "by-benchmark.png", "by-benchmark.svg", "by-size.png", "by-size.svg"]


def test_the_gains_figure_names_every_row(tmp_path: Path) -> None:
    figure = draw_results(report(combination("a/long/path/to/model.gguf"), rows=[PUBLISHED]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Big (published)\nquarry, n = 134, 15 steps", "model.gguf\nquarry, n = 60 (seed 10), 15 steps"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [
        "+44.0 points\nround 9",
        "+90.0 (+70.0 to +100.0) points, n = 10\nbest twin 45.0%, model_value +45.0 (+30.0 to +60.0)",
    ]


def marks(one: dict[str, Any], marker: str) -> list[tuple[float, str]]:
    """Where the figure has marks of a kind, and their colours."""
    lines = draw_results(report(one)).axes[0].lines
    return [(float(line.get_xdata()[0]), str(line.get_color())) for line in lines if line.get_marker() == marker]  # type: ignore[index]


def test_the_gains_figure_marks_the_best_twin_beside_seed_and_evolved_harness() -> None:
    assert marks(combination(), "|") == [(45.0, VERMILION)]
    assert [place for place, _ in marks(combination(), "o")] == [0.0, 90.0]
    assert marks(final(worth=NOTHING, twin=0.9), "|") == [(90.0, VERMILION)]


def test_the_gains_figure_draws_no_null_gain_as_a_gain() -> None:
    null = draw_results(report(final(worth=NOTHING, twin=0.9))).axes[0]
    assert [text.get_text() for text in null.texts] == ["no gain of the model's\nbest twin 90.0%, model_value +0.0 (+0.0 to +0.0)"]
    assert BLUE not in [line.get_color() for line in null.lines if line.get_linewidth() == 2.4]
    assert BLUE in [line.get_color() for line in draw_results(report(combination())).axes[0].lines if line.get_linewidth() == 2.4]


def test_hit_rates_are_of_edits_that_were_put_to_the_test() -> None:
    assert draw_hit_rates([{"operator": "x", "predicted": 0, "unlocked": 0}]) is None
    figure = draw_hit_rates([{"operator": "x", "predicted": 4, "unlocked": 3}, {"operator": "y", "predicted": 0, "unlocked": 0}])
    assert figure is not None
    assert [text.get_text() for text in figure.axes[0].texts] == ["3 of 4 (75%)"]
