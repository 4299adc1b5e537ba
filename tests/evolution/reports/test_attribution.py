"""Gain and attribution from outcomes by task; expected values counted by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from homebody.evolution.reports.attribution import PlayedRow, compare_rows, summarize_rows


def row(name: str, outcomes: str, left_out: Sequence[str] = (), any_of: str = "") -> PlayedRow:
    """Make a row; `+` is a task that was won at the first attempt."""
    won = {f"t{number}": mark == "+" for number, mark in enumerate(outcomes)}
    best = {f"t{number}": mark == "+" for number, mark in enumerate(any_of or outcomes)}
    return PlayedRow(name, name, won, 2 if any_of else 1, best, {}, tuple(left_out) or None)


def summed(rows: Sequence[PlayedRow]) -> dict[str, Any]:
    """Summarize the rows of a run each of whose edits was left out once."""
    return summarize_rows(rows, [item.left_out[0] for item in rows if item.left_out])


def test_an_edit_that_was_not_left_out_keeps_its_share_of_the_gain() -> None:
    between = [row("incremental a", "+---"), row("incremental b", "++--")]
    rows = [row("seed", "----"), *between, row("final", "++++"), row("ablation b", "+++-", ["b"])]
    found = summarize_rows(rows, ["a", "b", "c"])["attribution"]
    assert [edit["added"] for edit in found["edits"]] == [0.25]
    assert (found["added"], found["sum"]) == (1.0, 0.25)
    assert found["sentence"].endswith("explains 25.0 of 100.0 points; the rest is interaction; 2 of the 3 edits were not left out")


def test_gain_is_of_the_tasks_that_both_rows_have() -> None:
    gain = compare_rows(row("seed", "+-").won, row("final", "++--").won)
    assert gain is not None
    assert (gain.n, gain.points, gain.headroom_closed) == (2, 0.5, 1.0)
    assert gain.ci95 == (0.0, 1.0)
    assert compare_rows({}, {"t0": True}) is None


def test_there_is_no_headroom_above_everything() -> None:
    gain = compare_rows({"a": True}, {"a": True})
    assert gain is not None
    assert gain.headroom_closed is None


def test_nothing_is_said_without_the_rows_that_it_needs() -> None:
    assert summed([row("seed", "+-")]) == {"gain": None, "gain_at_k": None, "attribution": None}
    assert summed([row("ablation r1c1", "--", ["r1c1"])])["attribution"] is None


def test_the_sum_of_attributions_stands_beside_the_gain() -> None:
    rows = [
        row("seed", "-----"),
        row("final", "+++++"),
        row("ablation r1c1", "--+++", ["r1c1"]),
        row("ablation r2c1", "+++--", ["r2c1"]),
        row("incremental r1c1", "+++--"),
    ]
    found = summed(rows)["attribution"]
    assert [edit["drop"] for edit in found["edits"]] == pytest.approx([0.4, 0.4])
    assert [edit["added"] for edit in found["edits"]] == pytest.approx([0.6, 0.4])
    assert (found["sum"], found["added"], found["gain"]) == pytest.approx((0.8, 1.0, 1.0))
    assert found["sentence"] == "leaving out one edit at a time explains 80.0 of 100.0 points; the rest is interaction"


def test_it_is_said_where_edits_were_left_out_on_other_tasks_than_the_gain_is_of() -> None:
    rows = [row("seed", "--"), row("final", "++++"), row("ablation r1c1", "+---", ["r1c1"])]
    said = summed(rows)["attribution"]["sentence"]
    assert said.startswith("leaving out one edit at a time explains 75.0 of 100.0 points")
    assert said.endswith("; edits were left out on 4 tasks, the gain is that of 2")


def test_edits_that_go_together_are_counted_once() -> None:
    rows = [
        row("seed", "----"),
        row("final", "++++"),
        row("ablation r1c1", "----", ["r1c1", "r2c1"]),
        row("ablation r2c1", "+++-", ["r2c1"]),
    ]
    found = summed(rows)["attribution"]
    assert [edit["drop"] for edit in found["edits"]] == [1.0, 0.25]
    assert [edit["own"] for edit in found["edits"]] == [0.75, 0.25]
    assert found["sum"] == 1.0
    assert found["added"] is None


def test_edits_that_need_one_another_are_said_to() -> None:
    rows = [row("seed", "--"), row("final", "++"), row("ablation a", "--", ["a"]), row("ablation b", "--", ["b"])]
    said = summed(rows)["attribution"]["sentence"]
    assert said.endswith("200.0 of 100.0 points; edits that need one another are counted more than once")


def test_an_attribution_without_a_seed_has_no_gain_to_explain() -> None:
    found = summed([row("final", "++"), row("ablation a", "+-", ["a"])])["attribution"]
    assert (found["gain"], found["sentence"], found["sum"]) == (None, "", 0.5)


def test_gain_at_k_is_of_the_best_attempt() -> None:
    found = summed([row("seed", "----", any_of="+---"), row("final", "++--", any_of="++++")])
    assert found["gain"]["points"] == 0.5
    assert (found["gain_at_k"]["k"], found["gain_at_k"]["points"]) == (2, 0.75)


def test_rows_of_other_tasks_add_nothing() -> None:
    rows = [row("seed", "--"), row("final", "++"), row("ablation a", "--", ["a"]), row("ablation b", "--", ["b"])]
    between = replace(row("incremental a", ""), won={"other": True})
    assert summed([*rows, between])["attribution"]["added"] is None


def test_every_row_but_the_seed_has_its_gain() -> None:
    rows = [row("seed", "--"), row("final", "+-"), row("x", "")]
    seed, final, other = (one.in_table(rows[0]) for one in rows)
    assert "gain" not in seed
    assert final["gain"]["points"] == 0.5
    assert other["gain"] is None
    assert "won" not in final
