"""The few statistics that the figures need, in closed form; scipy is their oracle in the tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homebody.evolution.stored import StoredSuccess

Z95 = 1.959963984540054
"""97.5% quantile of the standard normal distribution."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95% Wilson score interval of a proportion (Wilson 1927), within [0, 1].

    Args:
        successes: at least 0, at most n.
        n: number of trials, at least 1.
    """
    p, z2 = successes / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Success:
    """The success of some episodes: over those that were played to their end; errors are counted apart."""

    n: int
    """Episodes that were played to their end."""
    errors: int
    """Episodes that an error ended."""
    success: float | None
    """The share of `n` that was won, in [0, 1]; None where `n` is 0."""
    ci95: tuple[float, float] | None
    """Its Wilson interval; None where `n` is 0."""

    @property
    def played(self) -> int:
        """Episodes, those that an error ended included."""
        return self.n + self.errors

    def to_json(self) -> StoredSuccess:
        """Return JSON-ready data, as results hold it."""
        return {"n": self.n, "errors": self.errors, "success": self.success, "ci95": list(self.ci95) if self.ci95 else None}


def success_rate(outcomes: Iterable[bool | None]) -> Success:
    """Return the success of some episodes.

    Args:
        outcomes: whether each was won; None for one that an error ended.
    """
    found = list(outcomes)
    played = [won for won in found if won is not None]
    n, won = len(played), sum(played)
    return Success(n, len(found) - n, won / n if n else None, wilson(won, n) if n else None)


def sign_test(wins: int, losses: int) -> float:
    """Return the one-sided exact p-value of a paired comparison (McNemar): P(at least `wins` of wins + losses under a fair coin)."""
    n = wins + losses
    return float(sum(math.comb(n, k) for k in range(wins, n + 1)) / 2**n)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the unbiased estimate of pass@k from n attempts of which c succeeded (Chen et al. 2021, arXiv 2107.03374)."""
    if n - c < k:
        return 1.0
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def paired_gain(before: Sequence[bool], after: Sequence[bool], resamples: int = 10_000) -> tuple[float, float, float]:
    """Return the mean gain of paired outcomes with its 95% bootstrap percentile interval, tasks resampled with a fixed seed.

    Args:
        before: outcome of each task under the first harness; shape (n,).
        after: outcome of the same tasks under the second; shape (n,).
        resamples: number of bootstrap samples.
    """
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    low, high = np.quantile(_resampled_means(change, resamples), [0.025, 0.975])
    return float(change.mean()), float(low), float(high)


def paired_bound(before: Sequence[bool], after: Sequence[bool], resamples: int = 10_000) -> float:
    """Return the one-sided lower bound of the mean gain of paired outcomes: the gain is above it with 90% confidence.

    Args:
        before: outcome of each task under the first harness; shape (n,).
        after: outcome of the same tasks under the second; shape (n,).
        resamples: number of bootstrap samples.
    """
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    return float(np.quantile(_resampled_means(change, resamples), 1 - 0.9))


def _resampled_means(change: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """Return the mean of each bootstrap sample; shape (resamples,)."""
    rng = np.random.Generator(np.random.PCG64(0))
    means: NDArray[np.float64] = change[rng.integers(len(change), size=(resamples, len(change)))].mean(axis=1)
    return means


def mean_gain(groups: Sequence[str], changes: Sequence[Mapping[str, float]], resamples: int = 10_000) -> tuple[float, float, float]:
    """Return the mean of several gains, at least one, with its 95% bootstrap percentile interval, see `weighted_gain`."""
    return weighted_gain(groups, changes, [1 / len(groups)] * len(groups), resamples)


def weighted_gain(
    groups: Sequence[str], changes: Sequence[Mapping[str, float]], weights: Sequence[float], resamples: int = 10_000
) -> tuple[float, float, float]:
    """Return a weighted sum of gains with its 95% bootstrap percentile interval: a mean, or the difference of two.

    Gains of a group share its tasks: these are resampled for all of them together.

    Args:
        groups: group of each gain.
        changes: outcome after minus outcome before, by task of the group, for each gain; a gain without tasks counts 0.
        weights: of each gain.
        resamples: number of bootstrap samples.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    point, samples = 0.0, np.zeros(resamples)
    for group in dict.fromkeys(groups):
        found = zip(groups, changes, weights, strict=True)
        members = [(change, weight) for name, change, weight in found if name == group and change]
        tasks = sorted({task for change, _ in members for task in change})
        drawn = rng.multinomial(len(tasks), [1 / len(tasks)] * len(tasks), size=resamples) if tasks else np.zeros((resamples, 0))
        for change, weight in members:
            has = np.array([task in change for task in tasks], dtype=float)
            values = np.array([change.get(task, 0.0) for task in tasks])
            mean = float(values.sum() / has.sum())
            n = drawn @ has
            # A sample without any of this gain's tasks says nothing about it.
            samples += weight * np.where(n > 0, drawn @ values / np.maximum(n, 1.0), mean)
            point += weight * mean
    low, high = np.quantile(samples, [0.025, 0.975])
    return point, float(low), float(high)
