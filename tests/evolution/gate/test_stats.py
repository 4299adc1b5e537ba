import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from homebody.evolution.gate.stats import mean_gain, paired_bound, paired_gain, pass_at_k, sign_test, wilson

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_the_wilson_interval_is_scipys(counts: tuple[int, int]) -> None:
    successes, n = counts
    interval = scipy_stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_the_wilson_interval_of_nothing_and_of_everything_touches_the_end() -> None:
    # z^2 / (n + z^2) with z = 1.96, n = 6
    assert wilson(0, 6) == pytest.approx((0.0, 0.390334), abs=1e-6)
    assert wilson(6, 6) == pytest.approx((0.609666, 1.0), abs=1e-6)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_scipys_binomial_test(wins: int, losses: int) -> None:
    # No comparison at all: scipy has no answer, and every p-value is 1.
    expected = scipy_stats.binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_the_sign_test_by_hand() -> None:
    # Of the 16 outcomes of four fair coins, five have at least three heads.
    assert sign_test(3, 1) == 5 / 16


@pytest.mark.parametrize(("n", "c"), [(n, c) for n in range(1, 7) for c in range(n + 1)])
def test_pass_at_k_is_the_share_of_samples_with_a_success(n: int, c: int) -> None:
    attempts = [True] * c + [False] * (n - c)
    for k in range(1, n + 1):
        samples = list(combinations(attempts, k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, samples)) / len(samples))


def test_the_paired_interval_is_scipys_percentile_bootstrap() -> None:
    before, after = [False] * 30 + [True] * 10, [True] * 18 + [False] * 12 + [True] * 6 + [False] * 4
    gain, low, high = paired_gain(before, after)
    change = np.array(after, dtype=float) - np.array(before, dtype=float)
    oracle = scipy_stats.bootstrap((change,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    assert gain == (18 - 4) / 40
    # Means of 40 tasks come in steps of 1/40: the two may differ by one.
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=1 / 40 + 1e-9)
    assert math.isclose(high - low, 2 * 1.96 * change.std() / math.sqrt(40), rel_tol=0.1)


def test_the_paired_bound_is_the_end_of_scipys_one_sided_interval() -> None:
    before, after = [False] * 30 + [True] * 10, [True] * 18 + [False] * 12 + [True] * 6 + [False] * 4
    change = np.array(after, dtype=float) - np.array(before, dtype=float)
    settings = {"n_resamples": 20_000, "method": "percentile", "confidence_level": 0.9, "alternative": "greater"}
    oracle = scipy_stats.bootstrap((change,), np.mean, rng=np.random.default_rng(1), **settings)
    assert paired_bound(before, after) == pytest.approx(oracle.confidence_interval.low, abs=1 / 40 + 1e-9)
    # Below the estimate, and above the lower end of the 95% interval, which leaves out less.
    assert paired_gain(before, after)[1] < paired_bound(before, after) < 0.35
    assert paired_bound([False] * 5, [True] * 5) == 1.0


def test_pairing_matters() -> None:
    # The same totals, 2 of 4 before and 3 of 4 after: one task more in the first case, three changed in the second.
    assert paired_gain([True, True, False, False], [True, True, True, False])[1] == 0.0
    assert paired_gain([True, True, False, False], [True, False, True, True])[1] < 0.0


def test_a_gain_on_every_task_has_no_width_and_the_interval_is_the_same_each_time() -> None:
    assert paired_gain([False] * 5, [True] * 5) == (1.0, 1.0, 1.0)
    mixed = ([False, True] * 10, [True, True] * 5 + [False, False] * 5)
    assert paired_gain(*mixed) == paired_gain(*mixed)


def changes(*values: float) -> dict[str, float]:
    return {f"task {number}": value for number, value in enumerate(values)}


MIXED = changes(*[1.0] * 12, *[0.0] * 24, *[-1.0] * 4)


def test_the_mean_of_one_gain_is_that_gain_with_its_interval() -> None:
    before, after = [False] * 36 + [True] * 4, [True] * 12 + [False] * 28
    points, low, high = mean_gain(["a"], [MIXED])
    assert points == paired_gain(before, after)[0] == 0.2
    assert (low, high) == pytest.approx(paired_gain(before, after)[1:], abs=1 / 40 + 1e-9)


def test_gains_on_the_same_tasks_move_together() -> None:
    width = np.diff(mean_gain(["a"], [MIXED])[1:])
    assert np.diff(mean_gain(["a", "a"], [MIXED, MIXED])[1:]) == pytest.approx(width, abs=1e-9)
    # What one gains is what the other loses: whichever tasks are drawn, the mean is the same.
    opposite = {task: -value for task, value in MIXED.items()}
    assert mean_gain(["a", "a"], [MIXED, opposite]) == (0.0, 0.0, 0.0)
    # Tasks of different benchmarks have nothing to do with each other, though they may be called the same.
    assert np.diff(mean_gain(["a", "b"], [MIXED, MIXED])[1:]) == pytest.approx(width / math.sqrt(2), rel=0.1)


def test_the_interval_of_a_mean_gain_is_scipys_bootstrap_of_the_tasks() -> None:
    other = changes(*[0.0] * 20, *[1.0] * 20)
    both = np.array([[one[task] for task in MIXED] for one in (MIXED, other)])
    oracle = scipy_stats.bootstrap((both.mean(axis=0),), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    points, low, high = mean_gain(["a", "a"], [MIXED, other])
    assert points == pytest.approx(0.35)
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=1 / 80 + 1e-9)


def test_a_null_gain_halves_the_mean_of_two() -> None:
    points, low, high = mean_gain(["a"], [MIXED])
    assert mean_gain(["a", "a"], [MIXED, dict.fromkeys(MIXED, 0.0)]) == pytest.approx((points / 2, low / 2, high / 2))
    assert mean_gain(["a", "b"], [MIXED, {}]) == pytest.approx((points / 2, low / 2, high / 2))


def test_gains_of_which_one_has_fewer_tasks_have_a_mean() -> None:
    few = {task: 1.0 for task in list(MIXED)[:3]}
    points, low, high = mean_gain(["a", "a"], [MIXED, few])
    assert points == pytest.approx((0.2 + 1.0) / 2)
    assert low < points < high
