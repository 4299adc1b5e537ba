"""The floor plan of a house: where each room, each receptacle and each label is drawn.

Promises that nothing overlaps, by construction: every receptacle gets a slot of its own, along the walls and in rows between them, with
aisles for the agent. Within that, what stands left of, behind or beside something in the house does so on the plan. Knows no drawing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import SMALLEST_TEXT, Box
from homebody.envs.household.engine.game import Game
from homebody.envs.household.picture.assignment import cheapest

Measure = Callable[[str, int], int]
"""Gives the width in pixels of a text of a size."""

WALL: Final = 8
"""Thickness of the walls, in pixels."""

WIDE: Final = frozenset({"CounterTop", "DiningTable", "Bed", "Sofa", "Desk", "BathtubBasin", "Dresser", "CoffeeTable", "TVStand"})
"""The types that get two slots where there is room."""

_ROOM_OF: Final = {"Fridge": "kitchen", "Toilet": "bathroom", "Bed": "bedroom", "Sofa": "living room"}
"""What tells the rooms of a home apart, in the order in which it names a single room."""

_SLOT: Final = (84, 62)
"""A slot that is comfortable, in pixels of a picture of 960x720; where two slots for a wide piece would make it smaller, it gets one."""
_LEAST_ART: Final = 26
"""Height in pixels below which a drawing cannot be made out."""
_AMPLE: Final = 112
"""Width beyond which it is better to have a free floor in the middle of the room than still larger furniture."""
_LARGEST: Final = (168, 126)
_SHAPE: Final = 1.35
"""Width of a slot by its height, where there is a choice."""


class Slot(NamedTuple):
    """A place for a piece of furniture."""

    box: Box
    stand: tuple[int, int]
    """Where the agent stands to use it."""
    row: int
    """Slots of one row can be joined; -1 for those along the side walls, which cannot."""


@dataclass(frozen=True)
class Piece:
    """A receptacle on the plan."""

    box: Box
    """All of it, label included."""
    art: Box
    """What its drawing may fill."""
    label: Box
    lines: tuple[str, ...]
    """Its name, in one or two lines."""
    stand: tuple[int, int]
    """Where the agent stands to use it."""


@dataclass(frozen=True)
class DrawnRoom:
    """A room."""

    kind: str
    """`kitchen`, `bathroom`, `bedroom`, `living room`, or `room` where its furniture does not tell."""
    floor: Box
    """What is within its walls."""
    rug: Box | None
    """The middle of the floor, where nothing stands there."""


@dataclass(frozen=True)
class Plan:
    """A whole house on an area."""

    rooms: tuple[DrawnRoom, ...]
    pieces: tuple[Piece, ...]
    """One for each receptacle of the game, in its order."""
    doors: tuple[Box, ...]
    """The openings in the walls between rooms."""
    aisle: int
    """Width of the narrowest way, in pixels."""
    label_size: int
    """Of the labels' text, in pixels."""
    middle: tuple[int, int]
    """Where an agent stands that is at no receptacle."""


def lay_out(game: Game, area: Box, scale: float, measure: Measure) -> Plan:
    """Make the plan of a house.

    Args:
        game: The house.
        area: What the plan may fill, outer walls included.
        scale: 1 for a picture of 960x720; labels and aisles grow with it.
        measure: Gives the width of a label.
    """
    groups, names, size = _rooms(game), game.receptacles, label_size(scale)
    types = [[game.receptacle_types[r] for r in group] for group in groups]
    least = max(_label_width(_split(name, type_), size, measure) for name, type_ in zip(names, game.receptacle_types, strict=True)) + 8
    # Width by the number of pieces alone leaves a small room too narrow for its labels, and a fixed part for each takes it from the large.
    widths_of = [
        _shares([sum(1 + (t in WIDE) for t in room) for room in types], area.width - WALL, round(part * least)) for part in (1, 1.7, 2.4)
    ]
    options = [_grids(_floors(area, widths), types, scale, least) for widths in (widths_of if len(groups) > 1 else widths_of[:1])]
    floors, grids = max(options, key=lambda option: min(min(grid.width, _SHAPE * grid.height) for grid in option[1]))
    # Rows of one height, so that the ways under the top rows meet at the doors.
    height, aisle = min(grid.height for grid in grids), min(grid.aisle for grid in grids)
    if min(grid.width for grid in grids) >= _AMPLE * max(1.0, scale):
        size += 2
    pieces: dict[int, Piece] = {}
    for floor, grid, group in zip(floors, grids, groups, strict=True):
        slots = grid.slots(floor, height, scale)
        chosen = _assign(slots, _places(game, group, floor), [grid.wide and game.receptacle_types[r] in WIDE for r in group])
        for r, slot in zip(group, chosen, strict=True):
            pieces[r] = _piece(slot, names[r], game.receptacle_types[r], size, measure)
    doors = [Box(left.right, left.y + height + 2, WALL, aisle - 4) for left in floors[:-1]]
    first = floors[0]
    return Plan(
        rooms=tuple(
            DrawnRoom(_kind(game, group), floor, grid.middle(floor, height))
            for group, floor, grid in zip(groups, floors, grids, strict=True)
        ),
        pieces=tuple(pieces[r] for r in range(len(game.receptacles))),
        doors=tuple(doors),
        aisle=aisle,
        label_size=size,
        middle=(first.x + first.width // 2, first.y + height + aisle // 2),
    )


def _floors(area: Box, widths: Sequence[int]) -> list[Box]:
    floors, x = [], area.x + WALL
    for width in widths:
        floors.append(Box(x, area.y + WALL, width - WALL, area.height - 2 * WALL))
        x += width
    return floors


def _grids(floors: list[Box], types: Sequence[Sequence[str]], scale: float, least: int) -> tuple[list[Box], list[_Grid]]:
    return floors, [_Grid.best(floor, room, scale, least) for floor, room in zip(floors, types, strict=True)]


@dataclass(frozen=True)
class _Grid:
    """How the slots of a room are arranged: a row along the top and the bottom wall, a column along each side wall, rows between them."""

    columns: int
    side: int
    """Slots along each side wall."""
    inner_rows: int
    inner_columns: int
    width: int
    """Of a slot."""
    height: int
    aisle: int
    wide: bool
    """Whether wide pieces get two slots."""

    @classmethod
    def best(cls, floor: Box, types: Sequence[str], scale: float, label_width: int) -> _Grid:
        """Return the arrangement with the largest slots that has one for every piece; at small sizes the aisles become narrow."""
        n_wide = sum(type_ in WIDE for type_ in types)
        text = 2 * math.ceil(1.2 * label_size(scale)) + 4
        comfortable = min(round(_SLOT[0] * scale), label_width + 4), max(round(_SLOT[1] * scale), text + _LEAST_ART)
        found: list[_Grid] = []
        for aisle, wide in ((30, True), (30, False), (22, False), (14, False)):
            found = list(cls._all(floor, len(types) + wide * n_wide, max(14, round(aisle * scale)), wide, scale))
            good = [g for g in found if g.width >= comfortable[0] and g.height >= comfortable[1]]
            if good:
                break
        else:
            good = found

        def worth(grid: _Grid) -> tuple[float, int, float, int]:
            size = min(grid.width, _SHAPE * grid.height)
            return min(size, _AMPLE * scale), -grid.inner_rows, min(size, _LARGEST[0] * scale), grid.columns + grid.side

        return max(good, key=worth)

    @classmethod
    def _all(cls, floor: Box, n: int, aisle: int, wide: bool, scale: float) -> Iterable[_Grid]:
        for columns in range(2, 25):
            # Two columns along the side walls have a way between them.
            width = min(floor.width // columns, (floor.width - aisle) // 2)
            for inner_rows in range(0, 13):
                strips = math.ceil(inner_rows / 2)
                height = min((floor.height - (strips + 1) * aisle) // (inner_rows + 2), round(_LARGEST[1] * scale))
                if height < 1 or width < 1:
                    continue
                side = max(0, floor.height - 2 * height - 2 * aisle) // height
                inner_columns = max(0, floor.width - 2 * width - 2 * aisle) // width if inner_rows else 0
                if 2 * columns + 2 * side + inner_rows * inner_columns >= n:
                    yield cls(columns, side, inner_rows, inner_columns, width, height, aisle, wide)

    def middle(self, floor: Box, height: int) -> Box | None:
        """Return what is left in the middle of the floor, a way round it left free; `None` where there are rows, or no room."""
        box = floor.inset(min(self.width, floor.width // 3) + self.aisle, height + self.aisle)
        return box if self.inner_rows == 0 and box.width >= 2 * self.aisle and box.height >= 2 * self.aisle else None

    def slots(self, floor: Box, height: int, scale: float) -> list[Slot]:
        """Return the slots, of a height that is at most the one they could have."""
        width, half = min(self.width, round(_LARGEST[0] * scale)), self.aisle // 2
        slots = []
        for nth in range(self.columns):
            x = floor.x + floor.width * (2 * nth + 1) // (2 * self.columns) - width // 2
            slots.append(Slot(Box(x, floor.y, width, height), (x + width // 2, floor.y + height + half), 0))
            slots.append(Slot(Box(x, floor.bottom - height, width, height), (x + width // 2, floor.bottom - height - half), 1))
        top, room = floor.y + height + self.aisle, floor.height - 2 * height - 2 * self.aisle
        for nth in range(self.side):
            y = top + room * (2 * nth + 1) // (2 * self.side) - height // 2
            slots.append(Slot(Box(floor.x, y, width, height), (floor.x + width + half, y + height // 2), -1))
            slots.append(Slot(Box(floor.right - width, y, width, height), (floor.right - width - half, y + height // 2), -1))
        strips = math.ceil(self.inner_rows / 2)
        gap = (room - self.inner_rows * height - (strips - 1) * self.aisle) // (strips + 1) if strips else 0
        left = floor.x + width + self.aisle
        inside = floor.width - 2 * width - 2 * self.aisle
        for row in range(self.inner_rows):
            y = top + gap + row * height + (row // 2) * (self.aisle + gap)
            # The upper row of a strip is used from above, the lower one from below.
            stand = y - half if row % 2 == 0 else y + height + half
            for nth in range(self.inner_columns):
                x = left + (inside - self.inner_columns * width) // 2 + nth * width
                slots.append(Slot(Box(x, y, width, height), (x + width // 2, stand), 2 + row))
        return slots


def label_size(scale: float) -> int:
    """Return the size of the labels' text, in pixels, for a picture of `scale` times 960x720."""
    return max(SMALLEST_TEXT, round(12 * math.pow(scale, 0.8)))


def _rooms(game: Game) -> list[list[int]]:
    """Return the receptacles of each room from west to east: a home has rooms side by side, told apart by what stands in them."""
    everything = list(range(len(game.receptacles)))
    x = [stand[0] for stand in game.stands if stand is not None]
    kinds = {type_ for type_ in game.receptacle_types if type_ in _ROOM_OF}
    # In ALFWorld's games, which are of one room, a bedroom may have a sofa; a home always has a kitchen.
    if "Fridge" not in kinds or len(kinds) < 2 or len(x) < len(everything):
        return [everything]
    order = sorted(everything, key=lambda r: x[r])
    marks = [(n, game.receptacle_types[r]) for n, r in enumerate(order) if game.receptacle_types[r] in _ROOM_OF]
    cuts = [0]
    for (left, left_type), (right, right_type) in pairwise(marks):
        if left_type != right_type:
            # The wall is in the widest stretch between what tells the two rooms apart.
            cuts.append(max(range(left + 1, right + 1), key=lambda n: x[order[n]] - x[order[n - 1]]))
    return [sorted(order[begin:end]) for begin, end in pairwise([*cuts, len(order)])]


def _kind(game: Game, group: Sequence[int]) -> str:
    types = {game.receptacle_types[r] for r in group}
    return next((kind for type_, kind in _ROOM_OF.items() if type_ in types), "room")


def _shares(weights: Sequence[int], total: int, least: int) -> list[int]:
    """Divide a width: `least` for each, while there is as much, and the rest in proportion to weights."""
    least = min(least, total // len(weights))
    rest = total - least * len(weights)
    cuts = [round(rest * sum(weights[:n]) / sum(weights)) for n in range(len(weights) + 1)]
    return [least + right - left for left, right in pairwise(cuts)]


def _places(game: Game, group: Sequence[int], floor: Box) -> NDArray[np.float64]:
    """Return where the pieces of a room would stand on its floor, true to scale in each direction: shape (n, 2), pixels."""
    known = [position for r in group if (position := game.positions[r]) is not None]
    if not known:
        return np.tile([floor.center], (len(group), 1)).astype(np.float64)
    xz = np.array([[p[0], -p[2]] for p in known])
    low, span = xz.min(axis=0), np.maximum(np.ptp(xz, axis=0), 0.5)
    places = []
    for r in group:
        position = game.positions[r]
        point = np.array([position[0], -position[2]]) if position is not None else low + span / 2
        # Height only orders what stands one above the other, so that it comes side by side in that order.
        places.append((point - low) / span * [floor.width, floor.height] + [floor.x + (position[1] if position else 0.0), floor.y])
    return np.array(places)


def _assign(slots: Sequence[Slot], places: NDArray[np.float64], wide: Sequence[bool]) -> list[Slot]:
    """Choose a slot for each piece so that the sum of squared distances is small; wide pieces come first and get two neighbours."""
    free, chosen = list(slots), dict[int, Slot]()
    for piece in (n for n, is_wide in enumerate(wide) if is_wide):
        pairs = [(_joined(a, b), a, b) for a, b in pairwise(sorted(free, key=lambda s: (s.row, s.box.x))) if _neighbours(a, b)]
        if not pairs or len(free) - len(places) + len(chosen) < 1:
            continue
        chosen[piece], a, b = min(pairs, key=lambda pair: math.dist(pair[0].box.center, places[piece]))
        free.remove(a)
        free.remove(b)
    rest = [n for n in range(len(places)) if n not in chosen]
    if rest:
        centers = np.array([slot.box.center for slot in free], np.float64)
        costs = ((places[rest, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
        chosen.update(zip(rest, (free[column] for column in cheapest(costs)), strict=True))
    return [chosen[n] for n in range(len(places))]


def _neighbours(a: Slot, b: Slot) -> bool:
    return a.row == b.row >= 0 and b.box.x - a.box.x < 2 * a.box.width


def _joined(a: Slot, b: Slot) -> Slot:
    box = Box(a.box.x, a.box.y, b.box.right - a.box.x, a.box.height)
    return Slot(box, (box.x + box.width // 2, a.stand[1]), a.row)


def _piece(slot: Slot, name: str, type_: str, size: int, measure: Measure) -> Piece:
    box = slot.box.inset(1, 2)
    lines: tuple[str, ...] = (name.strip(),)
    if measure(lines[0], size) > box.width:
        lines = _split(name, type_)
    if _label_width(lines, size, measure) > box.width:
        lines = _halved(name)
    height = math.ceil(size * 1.2)
    label = Box(box.x, box.bottom - height * len(lines), box.width, height * len(lines))
    art = Box(box.x + 1, box.y, box.width - 2, label.y - box.y - 1)
    return Piece(slot.box, art, label, lines, slot.stand)


def _split(name: str, type_: str) -> tuple[str, ...]:
    """Return a name in two lines, broken where its class name has a capital and else before its number."""
    base, _, number = name.strip().rpartition(" ")
    words = re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", type_)
    first = "".join(words[: (len(words) + 1) // 2]).lower()
    if base.startswith(first) and base != first:
        return f"{first}-", f"{base[len(first) :]} {number}"
    return (base, number) if base else (number,)


def _halved(name: str) -> tuple[str, ...]:
    """Return a name in two lines, broken in the middle: where its slot is too narrow for a better break."""
    name = name.strip()
    middle = (len(name) + 1) // 2
    return f"{name[:middle]}-", name[middle:]


def _label_width(lines: Sequence[str], size: int, measure: Measure) -> int:
    return max(measure(line, size) for line in lines)
