"""Who gets which place, so that everybody together is as near as possible to where they would like to be. Knows numbers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cheapest(costs: NDArray[np.float64]) -> list[int]:
    """Return for each row a column of its own, so that the sum of the costs is least: the Hungarian method by shortest paths.

    Args:
        costs: Shape (n, m), n <= m.
    """
    n, m = costs.shape
    row_of = np.full(m + 1, -1)  # the last column stands for the row being placed
    by_row, by_column = np.zeros(n), np.zeros(m + 1)
    for row in range(n):
        row_of[m], column = row, m
        least, came_from, done = np.full(m, np.inf), np.full(m, m), np.zeros(m + 1, bool)
        while row_of[column] >= 0:
            done[column] = True
            current = row_of[column]
            reduced = costs[current] - by_row[current] - by_column[:m]
            better = ~done[:m] & (reduced < least)
            least[better], came_from[better] = reduced[better], column
            nearest = int(np.argmin(np.where(done[:m], np.inf, least)))
            step = least[nearest]
            by_row[row_of[done]] += step
            by_column[done] -= step
            least[~done[:m]] -= step
            column = nearest
        while column != m:
            row_of[column] = row_of[came_from[column]]
            column = int(came_from[column])
    columns = [0] * n
    for column in range(m):
        if row_of[column] >= 0:
            columns[row_of[column]] = column
    return columns
