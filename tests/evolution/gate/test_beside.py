"""The gate's rule where the objective is the model: an edit beside what its best twin gains."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from homebody.agents.model_free import TWINS
from homebody.agents.record import EpisodeRecord
from homebody.evolution.config import MODES
from homebody.evolution.gate.rule import compare, stop_early
from homebody.evolution.gate.twins import Beside, Twins

Episode = Callable[..., EpisodeRecord]
Make = Callable[..., Any]
ERROR = {"boundary": "decide", "kind": "E", "message": "m"}


@pytest.fixture
def twins(episode: Episode) -> Callable[..., Twins]:
    """Make twins from outcomes by name; a twin that is not given loses all tasks, `!` is an error."""

    def make(n: int, **outcomes: str) -> Twins:
        known = {name.replace("_", "-"): marks for name, marks in outcomes.items()}
        return Twins(
            {
                name: {
                    str(i): episode(mark == "+", task_id=str(i), policy=name, error=ERROR if mark == "!" else None)
                    for i, mark in enumerate(known.get(name, "-" * n))
                }
                for name in TWINS
            },
            0.0,
        )

    return make


@pytest.fixture
def model(episode: Episode) -> Callable[..., list[EpisodeRecord]]:
    """Make a model's episodes: + and - are won and lost with a step that it decided, w is won without one, ! ended by an error."""

    def make(marks: str) -> list[EpisodeRecord]:
        return [
            episode(
                mark in "+w", task_id=str(n), error=ERROR if mark == "!" else None,
                trace=[{"decided_by": "fallback" if mark == "w" else "model"}],
            )
            for n, mark in enumerate(marks)
        ]  # fmt: skip

    return make


# Before and after with the model, then the best twin's; worked out by hand: an edit gains at least what its twin gains.
TABLE: Sequence[tuple[str, str, str, str, str]] = [
    ("--------", "++++----", "--------", "--------", ""),
    ("--------", "++++----", "--------", "----++++", ""),  # as much, on other tasks
    ("--------", "++++----", "--------", "+++++---", "it gains 4 tasks with the model, and its best twin 5 without"),
    ("++------", "++++++--", "++++++--", "++++++--", ""),  # a twin that was better before gains nothing
    ("++------", "++++++--", "++++----", "+++-----", ""),  # a twin that loses
    ("--------", "+++++++-", "--------", "++++++++", "it gains 7 tasks with the model, and its best twin 8 without"),
    ("-------+", "++++++--", "--------", "-----+++", ""),
    ("-------+", "+++++++-", "--------", "-+++++++", "it gains 6 tasks with the model, and its best twin 7 without"),
]


@pytest.mark.parametrize(("before", "after", "was", "now", "refused"), TABLE)
def test_an_edit_gains_at_least_what_its_best_twin_gains(
    model: Make, twins: Make, before: str, after: str, was: str, now: str, refused: str
) -> None:
    beside = Beside(twins(8, echo=was), twins(8, echo=now))
    verdict = compare(model(before), model(after), "", "sign-test", beside)
    assert (verdict.accepted, verdict.checks[-1][0]) == (not refused, "twin")
    assert verdict.gain == pytest.approx((after.count("+") - before.count("+")) / 8)
    assert verdict.twin_gain == pytest.approx((now.count("+") - was.count("+")) / 8)
    if refused:
        assert verdict.reason == refused
    else:
        assert verdict.reason.endswith(f", best twin {now.count('+') - was.count('+'):+d}")
    # Without twins the same edit is a gain, whoever decides.
    alone = compare(model(before), model(after), "", "sign-test")
    assert (alone.accepted, alone.twin_gain, alone.gain) == (True, None, verdict.gain)


def test_each_harness_has_the_best_twin_of_its_own(model: Make, twins: Make) -> None:
    # The best twin goes from random, 3 of 8, to executor, 5: two tasks, whatever executor did before.
    beside = Beside(twins(8, random="+++-----", executor="--------"), twins(8, random="--------", executor="+++++---"))
    assert beside.gain([str(n) for n in range(8)]) == 2
    assert compare(model("--------"), model("++------"), "", "sign-test", beside).accepted
    assert not compare(model("--------"), model("+-------"), "", "sign-test", beside).accepted


@pytest.mark.parametrize("mode", MODES)
def test_what_gains_nothing_is_refused_whatever_its_twin_loses(model: Make, twins: Make, mode: str) -> None:
    beside = Beside(twins(4, echo="++++"), twins(4))
    verdict = compare(model("++--"), model("++--"), "", mode, beside)
    assert (verdict.accepted, verdict.reason) == (False, "no gain: 0 tasks won, 0 lost")


def test_a_win_that_the_model_did_not_decide_is_no_win_of_an_edit(model: Make, twins: Make) -> None:
    beside = Beside(twins(6), twins(6, echo="+-----"))
    verdict = compare(model("------"), model("wwww--"), "", "sign-test", beside)
    # One of the four the twin wins, too: that one counts.
    assert (verdict.won, verdict.gain, verdict.twin_gain, verdict.accepted) == (("0",), pytest.approx(1 / 6), pytest.approx(1 / 6), True)
    assert compare(model("------"), model("-www--"), "", "sign-test", beside).reason == "no gain: 0 tasks won, 0 lost"
    assert compare(model("------"), model("-www--"), "", "sign-test").accepted


def test_tasks_that_an_error_ended_are_compared_for_neither(model: Make, twins: Make) -> None:
    # Without task 0 the model gains one task and its twin none.
    beside = Beside(twins(4), twins(4, echo="+---"))
    verdict = compare(model("!---"), model("!+--"), "", "sign-test", beside)
    assert (verdict.accepted, verdict.gain, verdict.twin_gain) == (True, pytest.approx(1 / 3), 0.0)


@pytest.mark.parametrize("side", [0, 1])
def test_without_a_measure_nothing_is_shipped(model: Make, twins: Make, side: int) -> None:
    pair = [twins(4), twins(4)]
    pair[side] = twins(4, random="--!-")
    beside = Beside(*pair)
    why = "no measure of the model: twin random failed at task 2: E at decide: m"
    assert compare(model("----"), model("++++"), "", "sign-test", beside).reason == why
    assert stop_early(model("----"), [], 0, "sign-test", beside) == f"dropped after 0 of 4 tasks: {why}"


def test_there_is_no_hope_where_the_twin_gains_more_than_the_model_can(model: Make, twins: Make) -> None:
    # Three of eight tasks are left to be won, and the twin wins four more.
    before, beside = model("+++++---"), Beside(twins(8), twins(8, echo="++++----"))
    assert stop_early(before, [], 0, "sign-test", beside) == (
        "dropped after 0 of 8 tasks: it can gain 3 tasks at most, and its best twin gains 4 without the model"
    )
    assert stop_early(before, [], 0, "sign-test") == ""
    three = Beside(twins(8), twins(8, echo="+++-----"))
    assert stop_early(before, [], 0, "sign-test", three) == ""
    assert stop_early(before, model("++++"), 0, "sign-test", three) == ""
    assert "it can gain 2 tasks at most, and its best twin gains 3" in stop_early(before, model("+++-"), 0, "sign-test", three)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_dropped_would_have_been_refused(model: Make, twins: Make, mode: str) -> None:
    """Every pair of outcomes of four tasks, and every twin's: a drop never takes what the rest could have saved."""
    marks = ["".join("+-"[number >> bit & 1] for bit in range(4)) for number in range(16)]
    for was in ("----", "+---", "++--"):
        for now in marks:
            beside = Beside(twins(4, echo=was), twins(4, echo=now))
            for before in ("----", "+---", "++-+"):
                for after in marks:
                    if compare(model(before), model(after), "", mode, beside).accepted:
                        dropped = [stop_early(model(before), model(after)[:n], 0, mode, beside) for n in range(4)]
                        assert dropped == [""] * 4
