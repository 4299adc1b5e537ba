"""The tables in `assets/household/`: types of objects and receptacles, and what a room of each kind has in it.

Knows names and numbers only; makes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from homebody.envs.household.engine.problem import Receptacle, Thing

Spread = tuple[float, int, int]
"""Share of rooms that have a type, and the fewest and the most of it there."""


@dataclass(frozen=True)
class ReceptacleKind:
    """What holds for every receptacle of one type."""

    holds: frozenset[str]
    """Object types that fit in."""
    tilts: tuple[int, ...]
    """Camera angles to use it from, in degrees; below the horizon is positive."""
    heights: tuple[int, int]
    """Lowest and highest place of an instance, in cm."""
    reach: int
    """From the agent to the receptacle, in cm."""
    openable: float
    """Share of instances with a door, in [0, 1]; these start closed."""
    single: bool
    """Whether it is made for one object."""
    part: str
    """Type of the object that comes with every instance, as the knob of a burner; empty if none does."""
    beside: Mapping[str, float]
    """Chance to stand at the location of another receptacle, by the type of that one."""


@dataclass(frozen=True)
class Stock:
    """How many objects of one type a kind of room has, and where they are kept."""

    share: float
    """Share of rooms that have any, in [0, 1]."""
    most: int
    """Most copies; the number is uniform between 1 and this."""
    where: Mapping[str, int]
    """Weight of each receptacle type: 8 usual, 4 often, 2 now and then, 1 rare."""


@dataclass(frozen=True)
class RoomPlan:
    """What a kind of room may have in it."""

    furniture: Mapping[str, Spread]
    fixtures: Mapping[str, Spread]
    objects: Mapping[str, Stock]


def can_contain(receptacles: Iterable[Receptacle], things: Iterable[Thing]) -> frozenset[tuple[str, str]]:
    """Return which object types fit in which receptacle types, among those of a house."""
    kinds, present = receptacle_kinds(), {thing.type for thing in things}
    return frozenset((type_, held) for type_ in {r.type for r in receptacles} for held in kinds[type_].holds & present)


@cache
def receptacle_kinds() -> dict[str, ReceptacleKind]:
    """Return the receptacle types of the vocabulary by name."""
    return {
        name: ReceptacleKind(
            holds=frozenset(row["holds"].split()),
            tilts=tuple(row["tilts"]),
            heights=(row["heights"][0], row["heights"][1]),
            reach=row["reach"],
            openable=row.get("openable", 0.0),
            single=row.get("single", False),
            part=row.get("part", ""),
            beside=row.get("beside", {}),
        )
        for name, row in _table("vocabulary")["receptacles"].items()
    }


@cache
def object_flags() -> dict[str, frozenset[str]]:
    """Return what can be done with each type of object, in the words of `Thing.flags`."""
    return {name: frozenset(words.split()) for name, words in _table("vocabulary")["objects"].items()}


@cache
def room_plans() -> dict[str, RoomPlan]:
    """Return the kinds of rooms by name."""
    return {
        name: RoomPlan(
            furniture={type_: tuple(spread) for type_, spread in row["furniture"].items()},
            fixtures={type_: tuple(spread) for type_, spread in row["fixtures"].items()},
            objects={type_: Stock(*entry) for type_, entry in row["objects"].items()},
        )
        for name, row in _table("rooms").items()
        if name != "about"
    }


def fitting_rooms(present: Collection[str]) -> list[RoomPlan]:
    """Return the kinds of rooms that a house may have; all where none fits.

    Args:
        present: The types of its receptacles, in lower case. A room fits if all the furniture that such a room always has is there.
    """
    plans = list(room_plans().values())
    return [plan for plan in plans if all(name.lower() in present for name, spread in plan.furniture.items() if spread[0] == 1.0)] or plans


def _table(name: str) -> dict[str, Any]:
    text = resources.files("homebody.assets").joinpath("household", f"{name}.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
