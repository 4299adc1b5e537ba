"""The simulated gate: its draws are what they say, and it errs as often as can be worked out by hand."""

import math

import numpy as np
import pytest

from homebody.evolution.gate.noise import (
    EFFECTS,
    FLIPS,
    Effect,
    accept_rates,
    accept_rates_beside,
    best_of_rounds,
    deviation,
    edit,
    final_rates,
    neutral_run,
    no_regression_at_two,
    play,
)

MANY = np.arange(200_000) % 2 == 0


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(7))


@pytest.mark.parametrize("flips", FLIPS)
def test_two_plays_differ_as_often_as_they_are_to(flips: float) -> None:
    q = deviation(flips)
    assert 2 * q * (1 - q) == pytest.approx(flips)
    draws = rng()
    differing = (play(MANY, flips, draws) != play(MANY, flips, draws)).mean()
    assert differing == pytest.approx(flips, abs=0.003)  # four standard errors at 8%


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_edit_solves_and_loses_the_shares_that_it_says(effect: Effect) -> None:
    edited = edit(MANY, effect, rng())
    assert edited[~MANY].mean() == pytest.approx(effect.gain, abs=0.007)
    assert 1 - edited[MANY].mean() == pytest.approx(effect.loss, abs=0.007)


@pytest.fixture(scope="module")
def rates() -> dict[tuple[float, str, str], float]:
    return {(row["flips"], row["effect"], row["mode"]): row["accepted"] for row in accept_rates(runs=400)}


@pytest.mark.parametrize("mode", ["no-regression", "sign-test", "noise-aware", "auto"])
def test_without_noise_what_changes_nothing_or_harms_is_never_shipped(rates: dict[tuple[float, str, str], float], mode: str) -> None:
    assert rates[0.0, "no change", mode] == rates[0.0, "harm", mode] == 0


def test_without_noise_a_small_gain_is_shipped_whenever_it_shows(rates: dict[tuple[float, str, str], float]) -> None:
    # A task is unsolved with chance 1/2 and then won with 1/10: of 40 tasks one at least is won with chance 1 - 0.95^40 = 87.1%.
    by_hand = 1 - 0.95**40
    for mode in ("no-regression", "sign-test", "auto"):
        assert rates[0.0, "small gain", mode] == pytest.approx(by_hand, abs=0.06)
    # Four wins at least, with chance 14.2% (binomial).
    four = 1 - sum(math.comb(40, n) * 0.05**n * 0.95 ** (40 - n) for n in range(4))
    assert rates[0.0, "small gain", "noise-aware"] == pytest.approx(four, abs=0.06)


def test_a_good_edit_with_losses_is_refused_by_the_sign_test_and_shipped_by_the_default(rates: dict[tuple[float, str, str], float]) -> None:
    # No loss at all has chance 0.975^40 = 36.3%.
    assert rates[0.0, "gain with losses", "no-regression"] == pytest.approx(0.975**40, abs=0.08)
    assert rates[0.0, "gain with losses", "auto"] > 0.9


@pytest.mark.parametrize("flips", [0.02, 0.08])
def test_with_noise_the_test_keeps_to_its_level_and_the_letter_does_not(rates: dict[tuple[float, str, str], float], flips: float) -> None:
    assert rates[flips, "no change", "noise-aware"] <= 0.1
    assert rates[flips, "harm", "noise-aware"] <= 0.1
    assert rates[flips, "no change", "no-regression"] > 0.1


def test_rows_are_complete_and_repeat() -> None:
    rows = accept_rates(runs=5, tasks=8, seed=3)
    assert len(rows) == len(FLIPS) * len(EFFECTS) * 4
    assert rows == accept_rates(runs=5, tasks=8, seed=3)
    assert rows != accept_rates(runs=5, tasks=8, seed=4)
    assert all(row["ci95"][0] <= row["accepted"] <= row["ci95"][1] and row["runs"] == 5 for row in rows)


def test_the_best_round_of_an_unchanged_harness_seems_to_gain() -> None:
    # Sixteen normal draws of standard error sqrt(0.04 / 103): the highest lies 1.77 of them above a given one, on average.
    assert best_of_rounds(103, 15)["gain"] == pytest.approx(1.77 * math.sqrt(0.04 / 103), abs=0.004)
    assert best_of_rounds(103, 15, flips=0.0)["gain"] == 0


def test_no_regression_refuses_an_unchanged_harness() -> None:
    assert no_regression_at_two(flips=0.0)["refused"] == 0
    # A solved task is shown unsolved twice with chance q^2, an unsolved one as solved with 1 - (1 - q)^2; both in that order for a refusal.
    q = deviation(0.08)
    falls = 0.8 * (1 - q * q) * q * q + 0.2 * (1 - (1 - q) ** 2) * (1 - q) ** 2
    assert no_regression_at_two()["refused"] == pytest.approx(1 - (1 - falls) ** 134, abs=0.06)


def test_edits_without_effect_in_a_run() -> None:
    assert neutral_run(rounds=3, flips=0.0, runs=5)["shipped"] == {"no-regression": 0, "sign-test": 0, "noise-aware": 0}
    shipped = neutral_run(runs=50)["shipped"]
    assert 0 < shipped["noise-aware"] < shipped["no-regression"]


@pytest.fixture(scope="module")
def beside() -> dict[tuple[float, str, str], float]:
    return {(row["flips"], row["effect"], row["mode"]): row["accepted"] for row in accept_rates_beside(runs=200)}


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("mode", ["no-regression", "sign-test", "noise-aware", "auto"])
def test_what_gives_the_twin_more_is_not_shipped(beside: dict[tuple[float, str, str], float], flips: float, mode: str) -> None:
    # The best twin gains some 21 and 42 points, the model 0 and 15: as far apart as that, 40 tasks show it.
    assert beside[flips, "the twin's alone", mode] <= 0.01
    assert beside[flips, "more to the twin", mode] <= 0.01


def test_beside_twins_that_gain_nothing_the_rule_is_the_one_without(beside: dict[tuple[float, str, str], float]) -> None:
    # A task is unsolved with chance 1/2 and then won with 3/10: of 40 tasks one at least, and four at least (binomial).
    assert beside[0.0, "the model's alone", "sign-test"] == pytest.approx(1 - 0.85**40, abs=0.02)
    four = 1 - sum(math.comb(40, n) * 0.15**n * 0.85 ** (40 - n) for n in range(4))
    assert beside[0.0, "the model's alone", "noise-aware"] == pytest.approx(four, abs=0.07)
    for effect in ("no change", "harm to the model"):
        assert beside[0.0, effect, "sign-test"] == 0


def test_what_gives_both_as_much_is_a_matter_of_the_draw(beside: dict[tuple[float, str, str], float]) -> None:
    # "At least as much" holds in half of the draws and in the ties; the edit that gives the model more passes more often.
    assert 0.35 < beside[0.0, "as much to both", "auto"] < 0.7 < beside[0.0, "more to the model", "auto"]


def test_runs_of_a_model_that_is_worth_nothing_mostly_end_with_the_seed() -> None:
    rows = {(row["tasks"], row["flips"], row["gain"]): row["kept"] for row in final_rates(runs=40)}
    assert all(kept <= 0.35 for (_, _, gain), kept in rows.items() if gain == 0.1)
    assert rows[40, 0.0, 0.3] > 0.9
    assert rows[10, 0.0, 0.3] < rows[40, 0.0, 0.3] + 0.01
