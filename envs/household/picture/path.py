"""Ways over the floor of a plan: around the furniture, through the doors, without detours. Knows no drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.picture.plan import Plan

Spot = tuple[int, int]

_CELL: Final = 6
"""Side in pixels of the cells in which the floor is searched."""
_FAR: Final = np.iinfo(np.int32).max


class Floor:
    """The free floor of a plan.

    Args:
        plan: The plan.
        margin: Distance in pixels that a way keeps from walls and furniture; less than half an aisle.
    """

    def __init__(self, plan: Plan, margin: int) -> None:
        right = max(room.floor.right for room in plan.rooms)
        bottom = max(room.floor.bottom for room in plan.rooms)
        x, y = (np.arange(0, end + _CELL, _CELL) + _CELL // 2 for end in (right, bottom))
        self._free = np.zeros((len(y), len(x)), bool)
        for room in plan.rooms:
            self._free |= _within(x, y, room.floor.inset(margin))
        for door in plan.doors:
            self._free |= _within(x, y, door.inset(-2 * margin, min(margin, (door.height - 2 * _CELL) // 2)))
        for piece in plan.pieces:
            self._free &= ~_within(x, y, piece.box.inset(-margin))

    def way(self, start: Spot, end: Spot) -> list[Spot]:
        """Return the points of a shortest way, both ends included; a straight line where there is no way."""
        if start == end:
            return [start]
        from_cell, to_cell = self._cell(start), self._cell(end)
        distances = self._distances(to_cell, from_cell)
        if distances[from_cell] == _FAR:
            return [start, end]
        cells = [from_cell]
        while cells[-1] != to_cell:
            row, column = cells[-1]
            around = [(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]
            inside = [cell for cell in around if 0 <= cell[0] < distances.shape[0] and 0 <= cell[1] < distances.shape[1]]
            cells.append(min(inside, key=lambda cell: (distances[cell], math.dist(cell, to_cell))))
        return self._straightened([start, *((column * _CELL + 3, row * _CELL + 3) for row, column in cells), end])

    def _cell(self, spot: Spot) -> tuple[int, int]:
        """Return the free cell that is nearest to a point, as (row, column)."""
        rows, columns = np.nonzero(self._free)
        nearest = int(np.argmin((rows * _CELL + 3 - spot[1]) ** 2 + (columns * _CELL + 3 - spot[0]) ** 2))
        return int(rows[nearest]), int(columns[nearest])

    def _distances(self, origin: tuple[int, int], until: tuple[int, int]) -> NDArray[np.int32]:
        """Return how many steps every cell is from one, as far as it takes to reach another: shape of the floor."""
        distances = np.full(self._free.shape, _FAR, np.int32)
        wave = np.zeros(self._free.shape, bool)
        wave[origin] = True
        step = 0
        while wave.any():
            distances[wave] = step
            if wave[until]:
                break
            step += 1
            grown = wave.copy()
            grown[1:] |= wave[:-1]
            grown[:-1] |= wave[1:]
            wide = grown.copy()
            wide[:, 1:] |= grown[:, :-1]
            wide[:, :-1] |= grown[:, 1:]
            wave = wide & self._free & (distances == _FAR)
        return distances

    def _straightened(self, points: Sequence[Spot]) -> list[Spot]:
        """Return the points without those that a straight line can leave out."""
        kept, n = [points[0]], 0
        while n < len(points) - 1:
            # A few looks ahead, halving: the last point that is seen from here.
            ahead = len(points) - 1
            while ahead > n + 1 and not self._is_clear(points[n], points[ahead]):
                ahead = max(n + 1, ahead - max(1, (ahead - n) // 4))
            n = ahead
            kept.append(points[n])
        return kept

    def _is_clear(self, a: Spot, b: Spot) -> bool:
        n = max(2, int(math.dist(a, b) / (_CELL / 2)))
        x = np.clip((np.linspace(a[0], b[0], n) // _CELL).astype(int), 0, self._free.shape[1] - 1)
        y = np.clip((np.linspace(a[1], b[1], n) // _CELL).astype(int), 0, self._free.shape[0] - 1)
        return bool(self._free[y, x].all())


def along(way: Sequence[Spot], share: float) -> Spot:
    """Return the point that is `share`, in [0, 1], of the length of a way from its start."""
    left = share * sum(math.dist(a, b) for a, b in pairwise(way))
    for a, b in pairwise(way):
        length = math.dist(a, b)
        if length and left <= length:
            return round(a[0] + (b[0] - a[0]) * left / length), round(a[1] + (b[1] - a[1]) * left / length)
        left -= length
    return way[-1]


def _within(x: NDArray[np.int64], y: NDArray[np.int64], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    left, top, width, height = box
    return ((y >= top) & (y < top + height))[:, None] & ((x >= left) & (x < left + width))[None, :]
