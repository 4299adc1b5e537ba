"""Rooms of a procedural house: which furniture, where it stands, and what lies about in it.

Knows the grid, the chances, and the look of ALFWorld's ids; it knows nothing of tasks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from numpy.random import PCG64

from homebody.envs.household.engine.problem import Receptacle, Thing
from homebody.envs.household.engine.vocabulary import Spread, object_flags, receptacle_kinds, room_plans

CELL_CM: Final = 25
"""Side of a cell of the grid that an agent walks on; locations are numbered in cells."""

_FACING: Final = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Unit step (x, z) of each rotation index."""

_USUAL: Final = 0.7
"""Share of the objects of a type that are put at the type's usual place, in a room with habits."""

T = TypeVar("T")


class Dice:
    """Draws that depend on a text alone: the same in every process and under every version of NumPy.

    Only the raw output of the bit generator is used, because NumPy promises that stream for ever, and that of `Generator` not.
    """

    def __init__(self, text: str) -> None:
        self._bits = PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))
        self._block: list[int] = []

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        if not self._block:
            self._block = self._bits.random_raw(512).tolist()
        return (self._block.pop() >> 11) * 2.0**-53

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return true in this share of the calls."""
        return self.uniform() < share

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values, each with the same chance."""
        return values[int(self.uniform() * len(values))]

    def weighted(self, weights: Sequence[tuple[T, int]]) -> T:
        """Return one of the values, with a chance in proportion to its weight."""
        left = self.uniform() * sum(weight for _, weight in weights)
        for value, weight in weights[:-1]:
            left -= weight
            if left < 0:
                return value
        return weights[-1][0]

    def scaled(self, count: int, scale: float) -> int:
        """Return `count * scale`, rounded up or down at random so that its mean is exact."""
        return int(count * scale + self.uniform())


@dataclass
class Ids:
    """Makes ids of the form that ALFWorld's games have, each once."""

    _taken: set[str] = field(default_factory=set)

    def claim(self, id_: str) -> bool:
        """Take an id; return false if it was taken before."""
        if id_ in self._taken:
            return False
        self._taken.add(id_)
        return True

    def make(self, type_: str, x: int, y: int, z: int) -> str:
        """Return an id for an object or a receptacle at a position in cm; where one stands already, the new one moves 1 cm on."""
        stem = type_.lower().removesuffix("basin")
        # A basin is named after the object it is part of: `sink_bar_..._bar_sinkbasin` in `sink_bar_...`.
        tail = "" if stem == type_.lower() else f"_bar_{type_.lower()}"
        while not self.claim(id_ := f"{stem}_bar_{_metres(x)}_bar_{_metres(y)}_bar_{_metres(z)}{tail}"):
            x += 1
        return id_


@dataclass(frozen=True)
class Place:
    """A receptacle and where it stands."""

    receptacle: Receptacle
    x: int
    """In cm, as `y` (height) and `z`."""
    y: int
    z: int


@dataclass
class Room:
    """One furnished room; objects are added by `put`."""

    kind: str
    """Name of its plan."""
    left: int
    """First grid column of the room; rooms of a house stand side by side."""
    side: int
    """Length of a wall, in grid cells."""
    places: dict[str, list[Place]] = field(default_factory=dict)
    """Receptacles by type."""
    things: list[Thing] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    """Ids of the receptacles that hold something."""
    usual: dict[str, Place] | None = None
    """The room's habits: the types of objects that it has, each with the place where most of them are kept. `None`: it has no habits."""

    def options(self, type_: str, barred: str = "") -> list[tuple[str, int]]:
        """Return the receptacle types that an object can start in, with their weights.

        Args:
            type_: Type of the object.
            barred: A receptacle type to leave out.
        """
        where = room_plans()[self.kind].objects[type_].where
        return [(kind, weight) for kind, weight in where.items() if kind != barred and self._free(kind)]

    def capacity(self, type_: str, barred: str = "") -> int:
        """Return how many such objects can start here; a receptacle that is not made for a single one counts as 2."""
        kinds = receptacle_kinds()
        return sum(len(self._free(kind)) * (1 if kinds[kind].single else 2) for kind, _ in self.options(type_, barred))

    def put(self, type_: str, dice: Dice, ids: Ids, barred: str = "") -> None:
        """Add one object where such objects are kept; nothing is added where there is no room for it."""
        options = self.options(type_, barred)
        if not options:
            return
        place = self.usual.get(type_) if self.usual else None
        if place is None or not self._is_free(place, barred) or not dice.chance(_USUAL):
            place = dice.pick(self._free(dice.weighted(options)))
        receptacle = place.receptacle
        self.used.add(receptacle.id)
        thing = Thing(
            id=ids.make(type_, place.x + dice.between(-25, 25), place.y + dice.between(2, 12), place.z + dice.between(-25, 25)),
            type=type_,
            inside=(receptacle.id,),
            at=(receptacle.location,),
            flags=object_flags()[type_],
        )
        self.things.append(thing)

    def _is_free(self, place: Place, barred: str) -> bool:
        return place.receptacle.type != barred and place in self._free(place.receptacle.type)

    def _free(self, kind: str) -> list[Place]:
        places = self.places.get(kind, [])
        return [p for p in places if p.receptacle.id not in self.used] if receptacle_kinds()[kind].single else places


def furnish(kind: str, size: float, left: int, dice: Dice, ids: Ids) -> Room:
    """Make a room with its furniture and fixtures, empty of objects.

    Args:
        kind: A key of `room_plans`.
        size: Factor on the number of pieces of a type; a type that the room has keeps at least one.
        left: First grid column to use.
        dice: Where the chances come from.
        ids: Where the ids come from.
    """
    plan, kinds = room_plans()[kind], receptacle_kinds()
    groups: list[list[str]] = []
    for type_ in (t for t, spread in plan.furniture.items() for _ in range(_count(spread, size, dice))):
        hosts = [(group, kinds[type_].beside.get(group[-1], 0.0)) for group in groups if len(group) < 2]
        hosts = [(group, share) for group, share in hosts if share]
        # One draw a piece, not one a host: otherwise the share would grow with the number of cabinets.
        host = dice.pick(hosts) if hosts else None
        if host is not None and dice.chance(host[1]):
            host[0].append(type_)
        else:
            groups.append([type_])
    room = Room(kind, left, 8 + len(groups) // 3 + dice.between(0, 7))
    for group in groups:
        _stand(group, room, dice, ids)
    locations = [place.receptacle.location for places in room.places.values() for place in places]
    wall = room.side * CELL_CM
    for type_ in (t for t, spread in plan.fixtures.items() for _ in range(_count(spread, 1.0, dice))):
        position = (left * CELL_CM + dice.between(0, wall), dice.between(0, 190), dice.between(0, wall) - wall // 2)
        room.things.append(Thing(ids.make(type_, *position), type_, at=(dice.pick(locations),), flags=object_flags()[type_]))
    return room


def adopt_habits(room: Room, dice: Dice) -> None:
    """Fix which types of objects a room has, and where each of them is usually kept."""
    room.usual = {}
    for type_, entry in room_plans()[room.kind].objects.items():
        options = room.options(type_)
        if options and dice.chance(entry.share):
            room.usual[type_] = dice.pick(room.places[dice.weighted(options)])


def stock(room: Room, clutter: float, dice: Dice) -> dict[str, int]:
    """Return how many objects of each type a room has; `clutter` is a factor on these numbers."""
    counts = {}
    for type_, entry in room_plans()[room.kind].objects.items():
        if dice.chance(entry.share) if room.usual is None else type_ in room.usual:
            counts[type_] = dice.scaled(dice.between(1, entry.most), clutter)
    return counts


def location_id(x: int, z: int, rotation: int, tilt: int) -> str:
    """Return the id of a place to stand: grid cell, rotation index (0 north, 1 east, 2 south, 3 west), camera angle in degrees."""
    return f"loc_bar_{_whole(x)}_bar_{_whole(z)}_bar_{rotation}_bar_{_whole(tilt)}"


def _stand(group: Sequence[str], room: Room, dice: Dice, ids: Ids) -> None:
    """Find a free location along the walls for receptacles that share one, and add them to the room."""
    kinds = receptacle_kinds()
    spot, tilt = dice.between(0, 4 * room.side - 1), dice.pick(kinds[group[0]].tilts)
    # A room has more spots than groups, so a free one comes.
    while True:
        rotation, step = divmod(spot % (4 * room.side), room.side)
        along, across = step - room.side // 2, room.side // 2
        x, z = ((along, across), (across, along), (along, -across), (-across, along))[rotation]
        x += room.left + room.side // 2
        location = location_id(x, z, rotation, tilt)
        if ids.claim(location):
            break
        spot += 1
    dx, dz = _FACING[rotation]
    for nth, type_ in enumerate(group):
        kind = kinds[type_]
        shift = dice.between(-10, 10) + 40 * nth
        position = (
            x * CELL_CM + dx * kind.reach + abs(dz) * shift,
            dice.between(*kind.heights),
            z * CELL_CM + dz * kind.reach + abs(dx) * shift,
        )
        receptacle = Receptacle(ids.make(type_, *position), type_, location, openable=dice.chance(kind.openable))
        room.places.setdefault(type_, []).append(Place(receptacle, *position))
        if kind.part:
            room.things.append(Thing(ids.make(kind.part, *position), kind.part, at=(location,), flags=object_flags()[kind.part]))


def _count(spread: Spread, scale: float, dice: Dice) -> int:
    share, low, high = spread
    return max(1, dice.scaled(dice.between(low, high), scale)) if dice.chance(share) else 0


def _metres(cm: int) -> str:
    sign = "" if cm == 0 else "_minus_" if cm < 0 else "_plus_"
    return f"{sign}{abs(cm) // 100:02d}_dot_{abs(cm) % 100:02d}"


def _whole(value: int) -> str:
    return f"_minus_{-value}" if value < 0 else str(value)
