"""When a difference is a gain of the model's, and how it is told."""

from typing import Any

import pytest

from homebody.evolution.reports.gain import describe_gain, null_gain


def seed(unreadable: float | None = None) -> dict[str, Any]:
    return {"policy": "m", "success": 0.0, "unreadable": unreadable}


def final(points: float, low: float, high: float, twin: float = 0.45) -> dict[str, Any]:
    worth = {"points": points, "ci95": [low, high]}
    return {"policy": "m", "success": 0.84, "twins": {"echo": twin}, "best_twin": "echo", "model_value": worth}


@pytest.mark.parametrize("unreadable", [None, 0.0, 0.05])
def test_a_seed_that_can_be_read_and_a_model_that_adds_something_make_a_gain(unreadable: float | None) -> None:
    assert null_gain(seed(unreadable), final(0.39, 0.25, 0.5)) == ""


@pytest.mark.parametrize(("unreadable", "told"), [(0.051, "5.1%"), (1.0, "100.0%")])
def test_a_seed_that_cannot_be_read_makes_none(unreadable: float, told: str) -> None:
    assert null_gain(seed(unreadable), final(0.39, 0.25, 0.5)) == f"{told} of the seed's replies could not be read, and 5.0% may be"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ((0.0, 0.0, 0.0), "without the model the harness solves as much, model_value +0.0 (+0.0 to +0.0)"),
        ((-0.1, -0.2, 0.0), "without the model the harness solves more, model_value -10.0 (-20.0 to +0.0)"),
        ((0.1, 0.0, 0.2), "what the model adds cannot be told from nothing, model_value +10.0 (+0.0 to +20.0)"),
        ((0.1, -0.1, 0.3), "what the model adds cannot be told from nothing, model_value +10.0 (-10.0 to +30.0)"),
    ],
)
def test_a_value_whose_lower_end_is_at_or_below_0_makes_none(value: tuple[float, float, float], why: str) -> None:
    assert null_gain(seed(), final(*value)) == why


def test_wins_that_are_not_counted_are_why() -> None:
    bought = final(0.0, 0.0, 0.0)
    bought["model_value"]["undecided"] = 45
    why = "45 wins in which the model decided no step are not counted, model_value +0.0 (+0.0 to +0.0)"
    assert null_gain(seed(), bought) == why


def test_a_value_that_is_not_known_makes_none() -> None:
    voided = {"policy": "m", "success": 0.84, "model_value": None, "model_value_why": "twin echo failed at task a"}
    assert null_gain(seed(), voided) == "twin echo failed at task a"
    assert null_gain(seed(), {"policy": "m", "success": 0.84}) == "twins not played"


def test_a_gain_is_told_beside_the_best_twin() -> None:
    said = describe_gain(seed(), final(0.39, 0.25, 0.5), "gain +84.0 points")
    assert said == "0.0% to 84.0%, best twin echo 45.0%: gain +84.0 points, model_value +39.0 (+25.0 to +50.0)"


def test_a_null_gain_is_told_with_both_figures_and_without_points() -> None:
    assert describe_gain(seed(), final(0.0, 0.0, 0.0, 0.84), "gain +84.0 points") == (
        "0.0% to 84.0%, best twin echo 84.0%: no gain of the model's: without the model the harness solves as much, "
        "model_value +0.0 (+0.0 to +0.0)"
    )
