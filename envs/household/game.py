"""A compiled household game: static arrays, the initial state as arrays, and the names that people read.

Relations are bit sets: item `i` of a row is bit `i % 64` of word `i // 64`, so no count has a hard limit below that of int16.
Knows neither rules nor sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import EnvError
from homebody.envs.household.problem import Goal, GoalKind, Problem, Thing


class Trait(IntFlag):
    """What an object is, for good: bits of `World.traits`."""

    PICKUPABLE = 1
    CLEANABLE = 2
    HEATABLE = 4
    COOLABLE = 8
    SLICEABLE = 16
    TOGGLEABLE = 32
    CONTAINER = 64
    KNIFE = 128
    GOAL_OBJECT = 256
    """Of the goal's object type, and able to take on the state that the goal asks for."""
    GOAL_LAMP = 512
    """Of the goal's lamp type and toggleable."""


class Status(IntFlag):
    """What became of an object: bits of `State.status`."""

    CLEAN = 1
    HOT = 2
    COOL = 4
    SLICED = 8
    TOGGLED = 16


class World(NamedTuple):
    """What never changes in a game. `n_words = ceil(n_receptacles / 64)`; all indices follow the order of the ids."""

    place_of: NDArray[np.int16]
    """Shape (n_receptacles,): the place where an agent stands to use the receptacle."""
    here: NDArray[np.uint64]
    """Shape (n_places, n_words): the receptacles used from each place."""
    openable: NDArray[np.uint64]
    """Shape (n_words,): the receptacles with a door."""
    accepts: NDArray[np.uint64]
    """Shape (n_objects, n_words): the receptacles that an object may be put in."""
    tools: NDArray[np.uint64]
    """Shape (3, n_words): the receptacles that clean, heat, and cool."""
    traits: NDArray[np.uint16]
    """Shape (n_objects,): `Trait` bits."""
    goal: NDArray[np.int32]
    """Shape (2,): the `GoalKind`, and the `Status` bits that the object must have."""
    goal_receptacles: NDArray[np.uint64]
    """Shape (n_words,): the receptacles to deliver to; none for `GoalKind.LIGHT`."""


class State(NamedTuple):
    """What a step may change. A house of ALFWorld's largest size takes less than 2 KB."""

    agent: NDArray[np.int16]
    """Shape (2,): the agent's place, and the object in its hand or -1."""
    opened: NDArray[np.uint64]
    """Shape (n_words,): the open receptacles."""
    inside: NDArray[np.uint64]
    """Shape (n_objects, n_words): the receptacles that hold each object; usually one, but a game may say two."""
    taken: NDArray[np.uint64]
    """Shape (n_objects, n_words): the receptacles each object was taken from and not put back in; only `look` reads it."""
    at: NDArray[np.uint64]
    """Shape (n_objects, ceil(n_places / 64)): PDDL's `objectAtLocation`, which may disagree with `inside`."""
    status: NDArray[np.uint8]
    """Shape (n_objects,): `Status` bits."""

    def copy(self) -> State:
        """Return a state of its own, which may be changed."""
        return State(self.agent.copy(), self.opened.copy(), self.inside.copy(), self.taken.copy(), self.at.copy(), self.status.copy())


@dataclass(frozen=True)
class Game:
    """A compiled game; several players may share it, for nothing in it changes."""

    world: World
    initial: State
    """Read-only: play with `initial.copy()`."""
    objects: tuple[str, ...]
    """The name of each object, as `mug 1`."""
    receptacles: tuple[str, ...]
    """The name of each receptacle, as `cabinet 12`."""
    locations: tuple[str, ...]
    """For each receptacle the name of its location, as `loc 4`: the 2.1.1 logic prints it."""
    contents: tuple[tuple[int, ...], ...]
    """For each object that is itself a container the objects in it; they never change."""
    object_types: tuple[str, ...]
    """The class name of each object."""
    receptacle_types: tuple[str, ...]
    """The class name of each receptacle."""
    goal: Goal
    task: str
    """The task sentence."""


class ProblemError(EnvError):
    """A `Problem` contradicts itself."""

    def __init__(self, what: str) -> None:
        super().__init__(f"cannot compile this household problem: {what}; correct what made it")


def compile_game(problem: Problem) -> Game:
    """Turn a problem into arrays and names.

    Raises:
        ProblemError: An id occurs twice, or is used and not defined, or a flag is unknown.
    """
    receptacles = sorted(problem.receptacles, key=lambda r: r.id)
    things = sorted(problem.things, key=lambda t: t.id)
    row = {r.id: i for i, r in enumerate(receptacles)}
    column = {t.id: i for i, t in enumerate(things)}
    _check(problem, row, column)
    places = sorted({r.location for r in receptacles} | {problem.agent_location})
    place = {name: i for i, name in enumerate(places)}
    place_of = [place[r.location] for r in receptacles]
    accepted = {
        kind: _bits([i for i, r in enumerate(receptacles) if (r.type, kind) in problem.can_contain], len(receptacles))
        for kind in {t.type for t in things}
    }
    goal = problem.goal
    world = World(
        place_of=np.array(place_of, np.int16),
        here=_rows([[i for i, p in enumerate(place_of) if p == q] for q in range(len(places))], len(receptacles)),
        openable=_bits([i for i, r in enumerate(receptacles) if r.openable], len(receptacles)),
        accepts=np.array([accepted[t.type] for t in things], np.uint64).reshape(len(things), _words(len(receptacles))),
        tools=_rows([[i for i, r in enumerate(receptacles) if r.type in kinds] for kinds in TOOLS], len(receptacles)),
        traits=np.array([_traits(t, goal) for t in things], np.uint16),
        goal=np.array([goal.kind, _GOAL_STATUS.get(goal.kind, 0)], np.int32),
        goal_receptacles=_bits(
            [i for i, r in enumerate(receptacles) if r.type == goal.target and goal.kind != GoalKind.LIGHT], len(receptacles)
        ),
    )
    initial = State(
        agent=np.array([place[problem.agent_location], -1], np.int16),
        opened=_bits([i for i, r in enumerate(receptacles) if r.opened], len(receptacles)),
        inside=_rows([[row[r] for r in t.inside] for t in things], len(receptacles)),
        taken=_rows([[] for _ in things], len(receptacles)),
        # Where no receptacle is used from, no agent ever comes: such locations need no bit.
        at=_rows([[place[q] for q in t.at if q in place] for t in things], len(places)),
        status=np.array([_flags(t, _STATUS) for t in things], np.uint8),
    )
    for array in (*world, *initial):
        array.flags.writeable = False
    names = number_names([*row, *column, *problem.locations, *(r.location for r in receptacles), *problem.extra_ids])
    return Game(
        world=world,
        initial=initial,
        objects=tuple(names[t.id] for t in things),
        receptacles=tuple(names[r.id] for r in receptacles),
        locations=tuple(names[r.location] for r in receptacles),
        contents=tuple(tuple(sorted(column[o] for o in t.contains)) for t in things),
        object_types=tuple(t.type for t in things),
        receptacle_types=tuple(r.type for r in receptacles),
        goal=goal,
        task=problem.task,
    )


def number_names(ids: Iterable[str]) -> dict[str, str]:
    """Name ids as ALFWorld does: `mug_bar_...` becomes `mug 2`; within a base name the numbers descend as the ids ascend.

    The base name is what precedes the first `_bar_`; where the id contains `basin` anywhere, `basin` is added ("sink" -> "sinkbasin").
    An id without `_bar_` keeps its text and gets a space at its end.
    """
    groups: dict[str, list[str]] = {}
    names = {}
    for key in sorted(set(ids), reverse=True):
        base, bar, _ = key.partition("_bar_")
        if not bar:
            names[key] = f"{key} "
            continue
        group = groups.setdefault(f"{base}basin" if "basin" in key else base, [])
        group.append(key)
    for base, group in groups.items():
        names.update({key: f"{base} {number}" for number, key in enumerate(group, start=1)})
    return names


TOOLS: Final = (("SinkBasin", "Sink"), ("Microwave",), ("Fridge",))
"""The receptacle types that clean, heat, and cool: the rows of `World.tools`."""
_KNIVES: Final = ("Knife", "ButterKnife")
_TRAITS: Final = {
    "pickupable": Trait.PICKUPABLE,
    "cleanable": Trait.CLEANABLE,
    "heatable": Trait.HEATABLE,
    "coolable": Trait.COOLABLE,
    "sliceable": Trait.SLICEABLE,
    "toggleable": Trait.TOGGLEABLE,
    "container": Trait.CONTAINER,
}
_STATUS: Final = {
    "clean": Status.CLEAN,
    "hot": Status.HOT,
    "cool": Status.COOL,
    "sliced": Status.SLICED,
    "toggled": Status.TOGGLED,
}
_GOAL_STATUS: Final = {GoalKind.CLEAN: Status.CLEAN, GoalKind.HEAT: Status.HOT, GoalKind.COOL: Status.COOL}
_GOAL_TRAIT: Final = {GoalKind.CLEAN: Trait.CLEANABLE, GoalKind.HEAT: Trait.HEATABLE, GoalKind.COOL: Trait.COOLABLE}


def _traits(thing: Thing, goal: Goal) -> int:
    bits = _flags(thing, _TRAITS)
    if thing.type in _KNIVES:
        bits |= Trait.KNIFE
    needed = int(_GOAL_TRAIT.get(goal.kind, 0))
    if thing.type == goal.object and bits & needed == needed:
        bits |= Trait.GOAL_OBJECT
    if goal.kind == GoalKind.LIGHT and thing.type == goal.target and bits & Trait.TOGGLEABLE:
        bits |= Trait.GOAL_LAMP
    return bits


def _flags(thing: Thing, table: dict[str, Trait] | dict[str, Status]) -> int:
    return sum(int(bit) for flag, bit in table.items() if flag in thing.flags)


def _words(n: int) -> int:
    return max(1, -(-n // 64))


def _bits(members: Iterable[int], n: int) -> NDArray[np.uint64]:
    words = np.zeros(_words(n), np.uint64)
    for i in members:
        words[i // 64] |= np.uint64(1 << i % 64)
    return words


def _rows(rows: Sequence[Iterable[int]], n: int) -> NDArray[np.uint64]:
    return np.array([_bits(members, n) for members in rows], np.uint64).reshape(len(rows), _words(n))


def _check(problem: Problem, receptacles: dict[str, int], things: dict[str, int]) -> None:
    if len(receptacles) < len(problem.receptacles) or len(things) < len(problem.things) or receptacles.keys() & things.keys():
        ids = [r.id for r in problem.receptacles] + [t.id for t in problem.things]
        raise ProblemError(f"the id {max(ids, key=ids.count)!r} is defined twice")
    known = {*_TRAITS, *_STATUS}
    for thing in problem.things:
        for what, used, defined in (("is inside", thing.inside, receptacles), ("contains", thing.contains, things)):
            for unknown in sorted(set(used) - defined.keys()):
                raise ProblemError(f"{thing.id!r} {what} {unknown!r}, which is not defined")
        for flag in sorted(thing.flags - known):
            raise ProblemError(f"{thing.id!r} has the unknown flag {flag!r} (allowed: {', '.join(sorted(known))})")
