"""What is held out: layouts of houses, and pairings of object and target, that only the test split shows.

Knows the rules by which they are reserved; builds nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, get_args

from homebody.envs.core import HELD_OUT
from homebody.envs.household.engine.problem import Goal

Holdout = Literal["rooms", "pairs", "both"]
"""What only the test split shows: layouts of houses, pairings of object and target, or both at once."""
HOLDOUTS: Final[tuple[str, ...]] = get_args(Holdout)

N_LAYOUTS: Final = 26
"""Layouts of each kind of house for training and validation, and as many others for the test; ALFWorld trains on 108 rooms of 4 kinds."""

_SALT: Final = "pair/7"
"""Chosen so that every kind of task finds a reserved and a free pairing in every room, with the furniture that is always there."""


def layouts(split: str) -> range:
    """Return the numbers of the layouts that a split draws on: 1 to `N_LAYOUTS`, and the next `N_LAYOUTS` for those held out."""
    return range(N_LAYOUTS + 1, 2 * N_LAYOUTS + 1) if split in HELD_OUT else range(1, N_LAYOUTS + 1)


def is_reserved_pair(goal: Goal) -> bool:
    """Return whether a goal's object and target are a pairing for the test: a quarter of all, by SHA-256 of their names.

    The kind of task does not count: where `Mug` in `Cabinet` is reserved, so is it clean, hot, cool and twice.
    """
    return hashlib.sha256(f"{_SALT}/{goal.object}/{goal.target}".encode()).digest()[0] < 64
