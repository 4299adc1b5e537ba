import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from homebody.evolution.stats import paired_bound, paired_gain, pass_at_k, sign_test, wilson

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
