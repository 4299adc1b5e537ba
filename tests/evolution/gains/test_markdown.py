"""Tables, figures and the page of the gains, from data written by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.gains.figure import draw_gains, draw_hit_rates
from homebody.evolution.gains.markdown import control_cells, controls_markdown, gain_cells, gains_markdown, hit_rate, published_cells
from homebody.evolution.gains.page import build_gains_page, write_gains
from homebody.evolution.gains.reproduce import published

GAIN = {"n": 10, "points": 0.9, "ci95": [0.7, 1.0], "headroom_closed": 0.9}


def row(name: str, success: float, n: int = 10, **more: Any) -> dict[str, Any]:
    figures = {"n": n, "attempts": 1, "success": success, "ci95": [0.0, 1.0], "steps_mean": 4.25, "policy": "m"}
    return {"row": name, "label": f"the {name} | row", **figures, **more}


def controls(**changes: Any) -> dict[str, Any]:
    seed = row("seed", 0.0, attempts=2, pass_at_k={"1": 0.0, "2": 0.1})
    final = row("final", 0.9, 60, attempts=2, pass_at_k={"1": 0.9, "2": 1.0}, gain=GAIN)
    best = row("best-of-n", 0.2, attempts=8, gain=GAIN, pass_at_k={"8": 0.2})
    lost = {"drop": 0.5, "ci95": [0.3, 0.7], "n": 60, "own": 0.5, "added": 0.9}
    edit = {"edit": "r1c1", "label": "without r1c1", "left_out": ["r1c1"], **lost}
    return {
        "run": {"env": "Quarry-v0", "env_args": {}, "model": "m", "split": "test", "max_steps": 15, "episodes": 100, "tokens": 5},
        "rows": [seed, final, best],
        "skipped": {"expert": "the environment has no expert"},
        "gain": GAIN,
        "gain_at_k": {"k": 2, **GAIN},
        "attribution": {"edits": [edit], "sum": 0.5, "added": 0.9, "gain": 0.9, "said": "explains 50.0 of 90.0 points"},
        "audit": [{"check": "training", "ok": True, "said": "fine"}, {"check": "unseen", "ok": False, "said": "not fine"}],
        **changes,
    }


def combination(model: str = "m", benchmark: str = "quarry", **changes: Any) -> dict[str, Any]:
    side = {"n": 4, "success": 0.25, "ci95": [0.05, 0.7]}
    manifest = {
        "lever": "<b>a lever</b>", "hypothesis": "It helps.", "evidence": {"loop": ["t1", "t2"]},
        "predicted_impact": {"will_unlock": ["t1", "t2"], "will_stabilize": [], "at_risk": []}, "attribution_signature": "visited",
    }  # fmt: skip
    edit = {
        "id": "r1c1", "dimension": "memory", "manifest": manifest, "verdict": "accepted", "reason": "2 tasks won", "came": "shipped",
        "predicted": ["t1", "t2"], "at_risk": ["t3"], "unlocked": ["t1"], "broken": [],
    }  # fmt: skip
    lost = {**edit, "id": "r1c2", "verdict": "rejected", "came": "rejected", "unlocked": None, "broken": None}
    lost["manifest"] = {**manifest, "evidence": {}, "attribution_signature": "", "hypothesis": ""}
    one = {"round": 1, "train": side, "validation": side, "failures": {"loop": 2}, "shipped": "r1c1", "candidates": [edit, lost]}
    counts = {"tried": 2, "accepted": 1, "shipped": 1, "predicted": 2, "unlocked": 1}
    return {
        "model": model, "benchmark": benchmark, "about": "a quarry", "run": f"{model}-{benchmark}", "controls": controls(),
        "rounds": [one, {**one, "round": 2, "candidates": [], "shipped": None}],
        "levers": [{"lever": "a lever", "dimensions": ["memory"], **counts}], "candidates": [edit, lost],
        "cost": {"episodes": 100, "exploration_steps": 5000, "wall_s": 60.0}, **changes,
    }  # fmt: skip


def report(*combinations: dict[str, Any], rows: Any = (), quick: bool = False) -> dict[str, Any]:
    return {"quick": quick, "combinations": list(combinations), "published": {**published(), "rows": list(rows)}}


PUBLISHED = {
    "benchmark": "quarry", "model": "Big", "initial": 53.0, "evolved": 97.0, "gain": 44.0, "best_round": 9, "n": 134, "max_steps": 15,
}  # fmt: skip


def test_a_row_of_the_table_has_points_share_interval_n_and_step_limit() -> None:
    assert gain_cells(combination()) == [
        "quarry", "m", "60 (seed 10)", "15", "0.0% (0.0 to 100.0)", "90.0% (0.0 to 100.0)", "+90.0 (+70.0 to +100.0), n = 10", "90.0%",
        "10.0%, 100.0%, +90.0",
    ]  # fmt: skip


def test_what_was_not_played_is_empty() -> None:
    nothing = combination(controls=controls(gain=None, gain_at_k=None, rows=[]))
    assert gain_cells(nothing) == ["quarry", "m", "", "15", "", "", "", "", ""]
    no_second = combination(controls=controls(gain_at_k=None, gain={**GAIN, "headroom_closed": None}))
    assert gain_cells(no_second)[-2:] == ["", ""]


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


def test_reward_success_to_the_letter_and_what_was_played_are_shown_where_they_are_known() -> None:
    graded = row("final", 0.9, reward_mean=0.95, success_strict=0.5, ci95_strict=[0.2, 0.8])
    assert control_cells(graded)[2] == "90.0% (0.0 to 100.0); mean reward 0.950, to the letter 50.0% (20.0 to 80.0)"
    told = controls(run={**controls()["run"], "about": "deep goals, 3 shafts"}, rows=[row("seed", 0.0), graded], gain_at_k=None)
    assert "\nPlayed: deep goals, 3 shafts.\n" in controls_markdown(told)
    assert "Played:" not in controls_markdown(controls())
    assert gain_cells(combination(controls=told))[0] == "quarry (deep goals, 3 shafts)"
    assert "a quarry: deep goals, 3 shafts." in build_gains_page(report(combination(controls=told)))


def test_the_controls_say_gain_attribution_omissions_and_audit() -> None:
    text = controls_markdown(controls())
    assert "**0.0% to 90.0%, twins not played**: gain +90.0 points (+70.0 to +100.0) on 10 tasks, 90.0% of the headroom." in text
    assert "Gain in pass@2: +90.0 points" in text
    assert "| without r1c1 | 60 | +50.0 (+30.0 to +70.0) | +50.0 | +90.0 |" in text
    assert "| sum |  |  | +50.0 | +90.0 |" in text
    assert "Left out, expert: the environment has no expert." in text
    assert "1 of 2 checks passed" in text
    assert "**failed**, unseen: not fine" in text
    assert "the seed \\| row" in text


def test_the_controls_of_few_rows_say_less() -> None:
    text = controls_markdown(controls(gain=None, gain_at_k=None, attribution=None, skipped={}))
    assert "gain" not in text.lower()
    assert "Attribution" not in text
    no_seed = controls(attribution={**controls()["attribution"], "said": "", "added": None})
    assert "Attribution:\n" in controls_markdown(no_seed)
    assert "of the headroom" not in controls_markdown(controls(gain={**GAIN, "headroom_closed": None}))


def test_the_whole_text_holds_both_tables_and_their_protocols() -> None:
    text = gains_markdown(report(combination(), rows=[PUBLISHED], quick=True))
    assert "pass@2; the best round" in text
    assert "This was --quick" in text
    assert "The evolution took 100 episodes, 5000 exploration steps and 60 s." in text
    assert "| a lever | 2 | 1 | 1 | 1 of 2 |" in text
    assert "Published" not in gains_markdown(report(combination()))
    assert hit_rate({"predicted": 0, "unlocked": 0}) == ""


def test_everything_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    told = report(combination(), rows=[PUBLISHED])
    first, second = write_gains(told, tmp_path / "a"), write_gains(told, tmp_path / "b")
    names = [path.relative_to(tmp_path / "a").as_posix() for path in first]
    assert names[:5] == ["gains.json", "gains.md", "gains.html", "gains.png", "gains.svg"]
    assert {"figures/m-quarry-rounds.png", "figures/m-quarry-hit-rates.svg", "figures/m-quarry-failures.png"} <= set(names)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert json.loads(first[0].read_text("utf-8")) == told


def test_the_page_needs_nothing_and_escapes_everything() -> None:
    page = build_gains_page(report(combination(), combination("<script>alert(1)</script>"), rows=[PUBLISHED]))
    assert "<script" not in page
    assert "<b>a lever</b>" not in page
    assert not re.findall(r'(?:src|href)="(?!#|https://arxiv\.org/abs/2606\.14249")[^"]*"', re.sub(r'xlink:href="#[^"]*"', "", page))
    assert page.count("<svg") == 1 + 2 * 4
    found = re.findall(r'\bid="([^"]+)"', page)
    assert len(found) == len(set(found))
    assert "Came true" in page
    assert "nothing: it removes a processor" in page


def test_a_report_without_gains_is_still_drawn(tmp_path: Path) -> None:
    nothing = combination(controls=controls(gain=None, gain_at_k=None, attribution=None), rounds=[], levers=[], candidates=[])
    files = write_gains(report(nothing), tmp_path)
    assert [path.name for path in files] == ["gains.json", "gains.md", "gains.html", "gains.png", "gains.svg"]


def test_the_gains_figure_names_every_row(tmp_path: Path) -> None:
    figure = draw_gains(report(combination("a/long/path/to/model.gguf"), rows=[PUBLISHED]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Big (published)\nquarry, n = 134, 15 steps", "model.gguf\nquarry, n = 60 (seed 10), 15 steps"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["+44.0 points\nround 9", "+90.0 points\n(+70.0 to +100.0), n = 10"]


def test_hit_rates_are_of_edits_that_were_put_to_the_test() -> None:
    assert draw_hit_rates([{"lever": "x", "predicted": 0, "unlocked": 0}]) is None
    figure = draw_hit_rates([{"lever": "x", "predicted": 4, "unlocked": 3}, {"lever": "y", "predicted": 0, "unlocked": 0}])
    assert figure is not None
    assert [text.get_text() for text in figure.axes[0].texts] == ["3 of 4 (75%)"]
