"""What is said of a model beside its twins."""

from typing import Any

import pytest

from homebody.evolution.reports import worth

TWINS = {"no-model": 0.5, "random": 0.125, "echo": 0.84, "executor": 0.84}
DECIDED = {
    "model_share": 0.625, "model_share_won": 0.5, "unreadable": 0.1, "cut": 0.0, "repaired": 0, "errors": 0,
    "decided_by": {"model": 4, "agreed": 1, "reading": 0, "harness": 2, "fallback": 1},
}  # fmt: skip


def result(points: float = 0.0, low: float = -0.03, high: float = 0.03, **changes: Any) -> dict[str, Any]:
    value = {"points": points, "ci95": [low, high], "lower90": low, "n": 50}
    twins = {"twins": TWINS, "best_twin": "executor", "model_value": value, "twins_s": 2.34, "wall_s": 60.0}
    return {"policy": "SmolLM2", "success": 0.84, **DECIDED, **twins, **changes}


def test_the_headline_names_the_best_twin_and_the_value() -> None:
    assert worth.headline(result()) == "SmolLM2 84.0%, best twin executor 84.0%: model_value +0.0 (-3.0 to +3.0)"
    better = result(0.355, 0.1, 0.62, best_twin="no-model")
    assert worth.headline(better) == "SmolLM2 84.0%, best twin no-model 50.0%: model_value +35.5 (+10.0 to +62.0)"


def test_without_twins_the_headline_says_so() -> None:
    plain = {key: value for key, value in result().items() if key not in ("twins", "best_twin", "model_value")}
    assert worth.headline(plain, "--twins") == "SmolLM2 84.0%, twins not played: --twins"
    assert worth.headline(plain) == "SmolLM2 84.0%, twins not played"
    assert (worth.verdict(plain), worth.twins(plain)) == ("", "")


def test_a_void_measure_says_why() -> None:
    void = result(model_value=None, model_value_why="twin echo failed at task t1: E at step: m")
    assert worth.headline(void).endswith("best twin executor 84.0%: no model_value, twin echo failed at task t1: E at step: m")
    assert worth.verdict(void) == ""


@pytest.mark.parametrize(
    ("points", "low", "high", "said"),
    [
        (0.0, -0.03, 0.03, "The model adds nothing: without it, the harness solves as much."),
        (-0.2, -0.3, -0.1, "The model adds nothing: without it, the harness solves more."),
        (0.1, -0.05, 0.2, "On these tasks, what the model adds cannot be told from nothing."),
        (0.1, 0.0, 0.2, "On these tasks, what the model adds cannot be told from nothing."),
        (0.1, 0.02, 0.2, ""),
    ],
)
def test_one_sentence_where_the_model_adds_nothing(points: float, low: float, high: float, said: str) -> None:
    assert worth.verdict(result(points, low, high)) == said


@pytest.mark.parametrize(
    ("points", "low", "wins", "said"),
    [
        (0.0, 0.0, 1, "The model adds nothing: 1 win in which the model decided no step is not counted."),
        (-0.1, -0.2, 45, "The model adds nothing: 45 wins in which the model decided no step are not counted."),
        (0.1, 0.02, 2, "In model_value, 2 wins in which the model decided no step are not counted."),
        (0.1, -0.02, 2, "On these tasks, what the model adds cannot be told from nothing; "
                        "2 wins in which the model decided no step are not counted."),
    ],
)  # fmt: skip
def test_wins_that_are_not_counted_are_said(points: float, low: float, wins: int, said: str) -> None:
    value = {"points": points, "ci95": [low, 0.3], "lower90": low, "n": 50, "undecided": wins}
    assert worth.verdict(result(model_value=value)) == said


def test_what_the_model_decided_is_said() -> None:
    assert worth.shares(result()) == "model share 62.5% (of won 50.0%), unreadable 10.0%, cut 0.0%, errors 0"
    held = result(unreadable=None, cut=None, repaired=3, errors=2, model_share_won=None)
    assert worth.shares(held) == "model share 62.5% (of won -), repaired 3, errors 2"
    assert worth.decided_by(result()) == "model 4, agreed 1, harness 2, fallback 1"
    assert worth.beside(result()) == [
        "SmolLM2 84.0%, best twin executor 84.0%: model_value +0.0 (-3.0 to +3.0)",
        "The model adds nothing: without it, the harness solves as much.",
        f"{worth.shares(result())}; steps decided by model 4, agreed 1, harness 2, fallback 1.",
    ]


def test_nothing_is_said_of_a_model_where_none_played() -> None:
    alone = result(policy="no-model", model_share=None, model_share_won=None, unreadable=None, cut=None, model_value=None)
    assert worth.beside(alone | {"model_value_why": "no-model is no model"}) == []
    assert worth.twins(alone) == "Twins: no-model 50.0%, random 12.5%, echo 84.0%, executor 84.0%; played in 2.3 s of 60.0 s."
    assert worth.gained(alone | {"success": 0.0}, alone) == "0.0% to 84.0%"


def test_a_result_of_an_earlier_version_says_what_it_has() -> None:
    assert worth.beside({"policy": "SmolLM2", "success": 0.5}, "x") == ["SmolLM2 50.0%, twins not played: x"]
    assert worth.share_cells({}) == ["-", "-", "-"]


def test_a_gain_stands_beside_the_best_twin() -> None:
    assert worth.gained(result(success=0.0), result(success=0.933)) == "0.0% to 93.3%, best twin executor 84.0%"
    assert worth.gained(result(success=None), {"policy": "m", "success": 1.0}) == "- to 100.0%, twins not played"


def test_a_round_reads_as_a_result() -> None:
    report = {"round": 2, "validation": {"n": 40, "errors": 1, "success": 0.9, "ci95": [0.77, 0.96]}, **DECIDED}
    read = worth.of_round({**report, "twins": TWINS, "best_twin": "echo", "model_value": result()["model_value"]})
    assert worth.headline(read) == "the model 90.0%, best twin echo 84.0%: model_value +0.0 (-3.0 to +3.0)"
    assert (read["n"], read["errors"]) == (40, 1)
