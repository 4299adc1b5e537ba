"""The state of a running evolution, folded from events that are written here by hand, and from a real run."""

from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.reports.live import Live, read_live
from homebody.evolution.store import RunError, Store

START = {"model": "m", "env_id": "Quarry-v0", "rounds": 3, "train_tasks": 2, "validation_tasks": 4, "candidates": 2}
TRIAL = 1 + 4  # a smoke run and the validation tasks
ROUND = 2 + 4 + 2 * TRIAL


def play(who: str, part: str, done: int, total: int, won: bool | None = None, tokens: int = 0) -> tuple[str, dict[str, Any]]:
    """A `play` event: at the start of a series, or with the outcome of its episode number `done`."""
    episode = {} if won is None else {"task": f"t{done}", "won": won, "tokens": tokens}
    return "play", {"what": f"{who}: {part}", "who": who, "part": part, "done": done, "total": total, **episode}


def series(who: str, part: str, won: str) -> tuple[str, dict[str, Any]]:
    outcomes = {f"t{number}": [f"key {number}", mark == "+"] for number, mark in enumerate(won, 1)}
    return "series", {"what": f"{who}: {part}", "who": who, "part": part, "total": len(won), "behaviour_hash": "h", "episodes": outcomes}


CANDIDATE = ("candidate", {"id": "r1c1", "dimension": "memory", "manifest": {"operator": "an operator"}})
ACCEPTED = ("verdict", {"id": "r1c1", "accepted": True, "reason": "2 tasks won, 0 lost", "wins": 2, "losses": 0})
ROUND_1 = [("begin", {}), ("round", {"round": 1}), series("round 1", "training", "-+"), series("round 1", "validation", "--+-")]


def told(*events: tuple[str, dict[str, Any]], seconds: float = 1.0, start: dict[str, Any] = START) -> dict[str, Any]:
    live = Live(start)
    for number, (kind, data) in enumerate(events):
        live.tell(100.0 + seconds * number, kind, data)
    return live.state()


def test_before_anything_happened() -> None:
    state = told()
    assert (state["phase"], state["rounds"], state["episodes"], state["left"], state["left_s"]) == ("starting", [], 0, 3 * ROUND, None)
    assert (state["last"], state["elapsed_s"], state["of_rounds"]) == (None, 0.0, 3)


def test_the_first_episode_has_a_speed_since_its_series_began() -> None:
    events = [("begin", {}), ("round", {"round": 1}), play("round 1", "training", 0, 2)]
    state = told(*events, play("round 1", "training", 1, 2, won=True, tokens=30), seconds=2.0)
    assert (state["episodes_per_s"], state["tokens_per_s"]) == (0.5, 15.0)


def test_what_is_played_a_second_time_counts_for_no_part_of_the_round() -> None:
    events = [*ROUND_1, play("round 1", "noise", 0, 3), play("round 1", "noise", 1, 3, won=True)]
    state = told(*events, series("round 1", "noise", "+++"))
    (row,) = state["rounds"]
    assert (row["train"]["won"], row["validation"]["won"], row["validation"]["n"]) == (1, 1, 4)
    assert told(*events)["left"] == 2 * ROUND + 2 + 2 * TRIAL


def test_training_tasks_of_a_candidate_and_more_candidates_than_were_asked_for() -> None:
    events = [*ROUND_1, CANDIDATE, play("r1c1", "training", 0, 2)]
    assert [item["compared"] for item in told(*events, FORK)["candidates"]] == [0, 0]
    others = [("candidate", {**CANDIDATE[1], "id": f"r1c{number}"}) for number in (2, 3)]
    assert told(*ROUND_1, CANDIDATE, *others, play("r1c3", "validation", 1, 4))["left"] == 2 * ROUND + 3


FORK = ("candidate", {"id": "r1c1v", "dimension": "memory", "manifest": {"operator": "an operator, for some goals"}})
REJECTED = ("verdict", {"id": "r1c1", "accepted": False, "reason": "1 tasks won, 1 lost", "wins": 1, "losses": 1})
SHIPPED = ("verdict", {"id": "r1c1v", "accepted": True, "reason": "1 tasks won, 0 lost", "wins": 1, "losses": 0})
LOST = [series("round 1", "validation", "--+-"), CANDIDATE, play("r1c1", "smoke run", 1, 1), series("r1c1", "validation", "-+--")]
FORKED = 2 + 1 + 4  # the edit on the training tasks, and the variant at the gate
SHIP = 2 * 2  # the training tasks with the variants, and without


@pytest.mark.parametrize(
    ("events", "left_of_the_round"),
    [
        ([play("round 1", "validation", 4, 4)], 3 + 2 * (TRIAL + FORKED) + SHIP),  # three episodes of the A/A run
        ([play("round 1", "noise", 1, 3)], 2 + 2 * (TRIAL + FORKED) + SHIP),
        ([*LOST[:2], play("r1c1", "validation", 1, 4)], 3 + FORKED + TRIAL + FORKED + SHIP),
        ([*LOST, play("r1c1", "validation", 4, 4), REJECTED], FORKED + TRIAL + FORKED + SHIP),
        ([*LOST, REJECTED, play("r1c1", "training", 1, 2)], FORKED - 1 + TRIAL + FORKED + SHIP),
        ([*LOST, REJECTED, FORK, play("r1c1v", "smoke run", 0, 1)], TRIAL + TRIAL + FORKED + SHIP),
        ([*LOST, REJECTED, FORK, play("r1c1v", "validation", 4, 4), SHIPPED], TRIAL + FORKED + SHIP),
        ([*LOST, REJECTED, FORK, SHIPPED, play("r1c1v", "training", 0, 2)], SHIP),
        ([*LOST, REJECTED, FORK, SHIPPED, play("r1c1v", "without r0c1v", 1, 1)], 1),
    ],
)
def test_variants_and_the_a_a_run_are_counted(events: list[tuple[str, dict[str, Any]]], left_of_the_round: int) -> None:
    start = {**START, "isolation": "variants", "gate": "auto", "noise_tasks": 3}
    later = 2 * (2 + 4 + 2 * (TRIAL + FORKED) + SHIP)
    assert told(("begin", {}), ("round", {"round": 1}), *events, start=start)["left"] == later + left_of_the_round


@pytest.mark.parametrize(("growth", "expected"), [({}, False), ({"growth": 1}, False), ({"growth": 2}, True)])
def test_whether_the_sets_of_tasks_may_still_grow(growth: dict[str, int], expected: bool) -> None:
    start = {**START, **growth}
    assert told(*ROUND_1, start=start)["may_grow"] is expected
    grown = [("round", {"round": 2}), series("round 2", "training", "++++"), series("round 2", "validation", "++++++++")]
    assert told(*ROUND_1, *grown, start=start)["may_grow"] is False
    assert told(*ROUND_1, ("end", {}), start=start)["may_grow"] is False


def test_exploration_is_told() -> None:
    assert told(("begin", {}), ("explore", {"steps": 5, "tasks": 2}))["phase"] == "exploring without a model"


def test_a_round_counts_what_was_won_so_far() -> None:
    state = told(("begin", {}), ("round", {"round": 1}), play("round 1", "training", 0, 2), play("round 1", "training", 1, 2, won=True))
    (row,) = state["rounds"]
    assert (row["train"]["won"], row["train"]["n"], row["validation"], row["shipped"]) == (1, 1, None, "")
    assert row["train"]["ci95"] == pytest.approx([0.2065, 1.0], abs=1e-4)  # Wilson, 1 of 1: from 1 / (1 + 3.8415)
    assert (state["current"]["done"], state["current"]["total"]) == (1, 2)


def test_a_candidate_is_paired_with_its_round_as_its_episodes_come() -> None:
    events = [*ROUND_1, CANDIDATE, play("r1c1", "validation", 0, 4)]
    (waiting,) = told(*events)["candidates"]
    assert (waiting["compared"], waiting["verdict"], waiting["operator"]) == (0, "", "an operator")
    events += [play("r1c1", "validation", 1, 4, won=True), play("r1c1", "validation", 2, 4, won=False)]
    events += [play("r1c1", "validation", 3, 4, won=False)]
    (candidate,) = told(*events)["candidates"]
    assert (candidate["wins"], candidate["losses"], candidate["compared"], candidate["of"]) == (1, 1, 3, 4)
    (judged,) = told(*events, series("r1c1", "validation", "+-++"), ACCEPTED)["candidates"]
    assert (judged["wins"], judged["losses"], judged["verdict"], judged["reason"]) == (2, 0, "accepted", "2 tasks won, 0 lost")


def test_a_smoke_run_is_no_comparison() -> None:
    (candidate,) = told(*ROUND_1, CANDIDATE, play("r1c1", "smoke run", 1, 1, won=True))["candidates"]
    assert candidate["compared"] == 0


def test_what_is_shipped_stands_in_its_round() -> None:
    state = told(*ROUND_1, CANDIDATE, ACCEPTED, ("ship", {"id": "r1c1", "operator": "an operator", "reason": ""}))
    assert state["rounds"][0]["shipped"] == "an operator"


def test_speed_and_time_left() -> None:
    events = [("begin", {}), ("round", {"round": 1})]
    one = told(*events, play("round 1", "training", 1, 2, won=True, tokens=30))
    assert (one["episodes_per_s"], one["tokens_per_s"], one["left_s"]) == (None, None, None)  # one moment has no speed
    # Two episodes two seconds apart: half an episode a second, and the tokens of the second one.
    two = told(*events, *(play("round 1", "training", n, 2, won=True, tokens=30) for n in (1, 2)), seconds=2.0)
    assert (two["episodes"], two["tokens"], two["episodes_per_s"], two["tokens_per_s"]) == (2, 60, 0.5, 15.0)
    assert two["left"] == 3 * ROUND - 2
    assert two["left_s"] == two["left"] / 0.5
    assert two["elapsed_s"] == 6.0


@pytest.mark.parametrize(
    ("events", "left_of_the_round"),
    [
        ([play("round 1", "training", 0, 2)], ROUND),
        ([play("round 1", "training", 2, 2)], ROUND - 2),
        ([play("round 1", "validation", 3, 4)], 1 + 2 * TRIAL),
        ([CANDIDATE, play("r1c1", "smoke run", 0, 1)], 2 * TRIAL),
        ([CANDIDATE, play("r1c1", "validation", 1, 4)], 3 + TRIAL),
        ([CANDIDATE, play("r1c1", "validation", 1, 4), ACCEPTED], TRIAL),  # dropped early: its rest is not played
    ],
)
def test_the_most_episodes_that_can_follow(events: list[tuple[str, dict[str, Any]]], left_of_the_round: int) -> None:
    assert told(("begin", {}), ("round", {"round": 1}), *events)["left"] == 2 * ROUND + left_of_the_round


def test_the_end() -> None:
    state = told(*ROUND_1, ("end", {}))
    assert (state["phase"], state["left"], state["current"]) == ("finished", 0, {})


def test_a_resumed_run_starts_its_count_again() -> None:
    state = told(*ROUND_1, CANDIDATE, play("r1c1", "validation", 1, 4, won=True), ("begin", {}), ("round", {"round": 1}))
    assert (state["candidates"], state["episodes"], state["elapsed_s"]) == ([], 0, 1.0)
    assert state["rounds"] == [{"round": 1, "train": None, "validation": None, "worth": None, "shipped": ""}]


def test_a_round_says_what_the_model_is_worth_beside_its_best_twin() -> None:
    value = {"points": 0.25, "ci95": [-0.05, 0.5], "lower90": 0.05, "n": 20}
    found = {"validation": {"n": 20, "errors": 0, "success": 0.75, "ci95": [0.53, 0.89]}, "model_share": 0.4}
    twins = {"twins": {"no-model": 0.0, "random": 0.0, "echo": 0.5, "executor": 0.5}, "best_twin": "echo"}
    state = told(*ROUND_1, ("worth", {"round": 1, **found, **twins, "model_value": value}))
    said = {"share": "40.0%", "twin": "best twin echo 50.0%", "value": "model_value +25.0 (-5.0 to +50.0)"}
    assert state["rounds"][0]["worth"] == said
    void = {"model_value": None, "model_value_why": "twin echo failed at task t1: E at step: m"}
    state = told(*ROUND_1, ("worth", {"round": 1, **found, **twins, **void}))
    assert state["rounds"][0]["worth"]["value"] == "no model_value, twin echo failed at task t1: E at step: m"
    # Without a model there is nothing to show.
    alone = {"model_share": None, "model_value": None, "model_value_why": "no-model is no model"}
    assert told(*ROUND_1, ("worth", {"round": 1, "validation": found["validation"], **alone}))["rounds"][0]["worth"] is None


def test_a_real_run_ends_in_the_state_that_its_report_has(baseline: Any) -> None:
    state = read_live(baseline.run_dir)
    assert state is not None
    assert state["phase"] == "finished"
    for shown, item in zip(state["rounds"], baseline.result["rounds"], strict=True):
        assert (shown["round"], shown["shipped"] != "") == (item["round"], item["shipped"] is not None)
        for part in ("train", "validation"):
            assert (shown[part]["n"], shown[part]["won"]) == (item[part]["n"], round(item[part]["success"] * item[part]["n"]))
            assert shown[part]["ci95"] == pytest.approx(item[part]["ci95"])
    edits = {edit["id"]: edit for item in baseline.result["rounds"] for edit in item["candidates"]}
    assert {item["id"]: item["verdict"] for item in state["candidates"]} == {name: edit["verdict"] for name, edit in edits.items()}
    full = {item["id"]: item for item in state["candidates"] if item["compared"] == item["of"] > 0}
    assert full
    assert all((item["wins"], item["losses"]) == (edits[name]["wins"], edits[name]["losses"]) for name, item in full.items())


def test_a_run_of_evaluations_only_has_no_state(tmp_path: Path) -> None:
    Store(tmp_path).close()
    assert read_live(tmp_path) is None


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        read_live(tmp_path)
