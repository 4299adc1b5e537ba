"""Where everything stands in the two flat arrays of a game: its world, which never changes, and a state, one row for each player.

Both are 1-D arrays of uint64, so that reset, copy, snapshot and a batch are plain copies of memory. The tables below name their parts: a
world begins with the numbers of `Head`, which give sizes and where each part begins; a state begins with the agent's place and hand.
Sets are bits: item `i` is bit `i % 64` of word `i // 64`, and a set takes as many words as its game needs, so no size is limited.
Knows neither rules nor names.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


class Head(IntEnum):
    """The words at the beginning of a world: sizes, and where the parts of the world and of its states begin."""

    N_RECEPTACLES = 0
    N_OBJECTS = 1
    N_PLACES = 2
    R_WORDS = 3  # words in a set of receptacles
    O_WORDS = 4  # words in a set of objects
    GOAL = 5  # the `GoalKind`
    N_TARGETS = 6
    RECEPTACLE_SETS = 7  # from here on: where the fields of `World`, in their order, begin
    OBJECT_SETS = 8
    PLACE_OF = 9
    HERE = 10
    FIRST = 11
    MEMBERS = 12
    TARGETS = 13
    ACCEPTS = 14
    STATUS = 15  # and where the fields of `State` from `status` on begin; the ones before it stand where they always do
    INSIDE = 16
    AT = 17
    TAKEN = 18


class ReceptacleSet(IntEnum):
    """The rows of `World.receptacle_sets`."""

    OPENABLE = 0
    CLEANS = 1
    HEATS = 2
    COOLS = 3


class ObjectSet(IntEnum):
    """The rows of `World.object_sets`."""

    PICKUPABLE = 0
    CLEANABLE = 1
    HEATABLE = 2
    COOLABLE = 3
    SLICEABLE = 4
    TOGGLEABLE = 5
    KNIFE = 6
    GOAL_OBJECT = 7  # of the goal's object type, and able to take on the state that the goal asks for
    GOAL_LAMP = 8  # of the goal's lamp type, and toggleable


class Status(IntEnum):
    """The rows of `State.status`."""

    CLEAN = 0
    HOT = 1
    COOL = 2
    SLICED = 3
    TOGGLED = 4


class World(NamedTuple):
    """The parts of a world as tables. All indices follow the order of the ids; all values are uint64."""

    receptacle_sets: Words
    """Shape (4, r_words): a set of receptacles for each `ReceptacleSet`."""
    object_sets: Words
    """Shape (9, o_words): a set of objects for each `ObjectSet`."""
    place_of: Words
    """Shape (n_receptacles, 1): the place where an agent stands to use the receptacle."""
    here: Words
    """Shape (n_places, r_words): the receptacles used from each place, as a set."""
    first: Words
    """Shape (n_places + 1, 1): the receptacles of place `p` are also `members[first[p]:first[p + 1]]`."""
    members: Words
    """Shape (n_receptacles, 1): the receptacles, place by place."""
    targets: Words
    """Shape (n_targets, 1): the receptacles to deliver to; none for `GoalKind.LIGHT`."""
    accepts: Words
    """Shape (n_objects, r_words): the receptacles that each object may be put in."""


class State(NamedTuple):
    """The parts of a state as tables: views, so that what is written to them is written to the state."""

    place: Words
    """Shape (1, 1): where the agent is."""
    held: Words
    """Shape (1, 1): one more than the object in its hand; 0 for an empty hand."""
    opened: Words
    """Shape (1, r_words): the open receptacles."""
    status: Words
    """Shape (5, o_words): a set of objects for each `Status`."""
    inside: Words
    """Shape (n_receptacles, o_words): the objects in each receptacle; a game may say that an object is in two."""
    at: Words
    """Shape (n_places, o_words): PDDL's `objectAtLocation`, which may disagree with `inside`."""
    taken: Words
    """Shape (n_receptacles, o_words): the objects taken from each receptacle and not put back in; only `look` reads it."""


PLACE: Final = 0
HELD: Final = 1
OPENED: Final = 2
"""Where the first three parts of every state begin."""

_IN_R_WORDS: Final = frozenset({"receptacle_sets", "here", "accepts", "opened"})
_IN_O_WORDS: Final = frozenset({"object_sets", "inside", "taken", "at", "status"})


def n_words(n: int) -> int:
    """Return how many words a set of up to `n` items takes: at least one."""
    return max(1, -(-n // 64))


def sets(rows: Sequence[Sequence[int]], n: int) -> Words:
    """Return sets of items below `n`, one a row: shape (len(rows), n_words(n))."""
    size = 8 * n_words(n)
    bits = b"".join(sum(1 << i for i in set(row)).to_bytes(size, "little") for row in rows)
    return np.frombuffer(bits, "<u8").astype(np.uint64).reshape(len(rows), size // 8)


def members(words: Words) -> list[int]:
    """Return the items of a set, ascending."""
    bits = int.from_bytes(words.astype("<u8").tobytes(), "little")
    items = []
    while bits:
        items.append((bits & -bits).bit_length() - 1)
        bits &= bits - 1
    return items


def numbers(values: Sequence[int]) -> Words:
    """Return a table of one column."""
    return np.array(values, np.uint64).reshape(-1, 1)


def pack(world: World, state: State, goal: int) -> tuple[Words, Words]:
    """Return the world and the state as flat arrays, both read-only."""
    head = np.zeros(len(Head), np.uint64)
    head[: Head.RECEPTACLE_SETS] = (
        len(world.place_of),
        len(world.accepts),
        len(world.here),
        world.here.shape[1],
        state.at.shape[1],
        goal,
        len(world.targets),
    )
    head[Head.RECEPTACLE_SETS : Head.STATUS] = np.cumsum([len(head), *(part.size for part in world)])[:-1]
    head[Head.STATUS :] = np.cumsum([part.size for part in state])[State._fields.index("status") - 1 : -1]
    arrays = np.concatenate([head, *(part.ravel() for part in world)]), np.concatenate([part.ravel() for part in state])
    for array in arrays:
        array.flags.writeable = False
    return arrays


def unpack(words: Words, state: Words) -> tuple[World, State]:
    """Return the tables of a flat world and of one of its states, as views; words behind the last part are padding."""
    n_receptacles, n_objects, n_places, r_words, o_words, _, n_targets = words[: Head.RECEPTACLE_SETS].tolist()
    rows = (len(ReceptacleSet), len(ObjectSet), n_receptacles, n_places, n_places + 1, n_receptacles, n_targets, n_objects)
    widths = {**dict.fromkeys(_IN_R_WORDS, r_words), **dict.fromkeys(_IN_O_WORDS, o_words)}
    world = World(*_cut(words, len(Head), rows, [widths.get(name, 1) for name in World._fields]))
    state_rows = (1, 1, 1, len(Status), n_receptacles, n_places, n_receptacles)
    return world, State(*_cut(state, 0, state_rows, [widths.get(name, 1) for name in State._fields]))


def widen(words: Words, state: Words, r_words: int, o_words: int) -> tuple[Words, Words]:
    """Return the same game with larger sets: games in one batch number their actions alike."""
    world, tables = unpack(words, state)
    goal = int(words[Head.GOAL])

    def wide(name: str, table: Words) -> Words:
        width = r_words if name in _IN_R_WORDS else o_words if name in _IN_O_WORDS else 1
        return np.pad(table, ((0, 0), (0, width - table.shape[1])))

    return pack(
        World(*(wide(name, table) for name, table in world._asdict().items())),
        State(*(wide(name, table) for name, table in tables._asdict().items())),
        goal,
    )


def _cut(flat: Words, begin: int, rows: Sequence[int], widths: Sequence[int]) -> list[Words]:
    parts = []
    for n, width in zip(rows, widths, strict=True):
        parts.append(flat[begin : begin + n * width].reshape(n, width))
        begin += n * width
    return parts
