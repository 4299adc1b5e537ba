"""A compiled household game: its world and initial state as flat arrays (`layout.py` says what stands where), and the names people read.

Knows neither rules nor sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from homebody.envs.core import EnvError
from homebody.envs.household.engine.layout import (
    ObjectSet,
    ReceptacleSet,
    State,
    Status,
    Words,
    World,
    numbers,
    pack,
    sets,
    unpack,
)
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing


@dataclass(frozen=True, eq=False)
class Game:
    """A compiled game; several players may share it, for nothing in it changes.

    Only objects that a command can ever reach have an index: what lies in a receptacle at the start, and what can be sliced.
    The others only count for the numbers in the names.
    """

    world: Words
    """What never changes, flat and read-only: what the functions of `rules.py` take first."""
    initial: Words
    """The first state, flat and read-only: play with `initial.copy()`."""
    objects: tuple[str, ...]
    """The name of each object, as `mug 1`."""
    receptacles: tuple[str, ...]
    """The name of each receptacle, as `cabinet 12`."""
    locations: tuple[str, ...]
    """For each receptacle the name of its location, as `loc 4`: the 2.1.1 logic prints it."""
    contents: tuple[tuple[str, ...] | None, ...]
    """For each object that is itself a container the names of what is in it, which never change; `None` for the others."""
    object_types: tuple[str, ...]
    """The class name of each object."""
    receptacle_types: tuple[str, ...]
    """The class name of each receptacle."""
    positions: tuple[tuple[float, float, float] | None, ...]
    """Where each receptacle stands, in metres: x to the east, y up, z to the north; `None` where its id does not say it."""
    stands: tuple[tuple[float, float] | None, ...]
    """From where each receptacle is used, in metres: x to the east, z to the north; `None` where the location's id does not say it."""
    goal: Goal
    task: str
    """The task sentence, as an agent reads it."""
    plain: str
    """The sentence of the game itself, for checks; the same where the goal is not said otherwise."""
    cache: dict[str, Any] = field(default_factory=dict, repr=False)
    """What other modules made of this game and keep with it, so that all its players share it; left out of pickles."""

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "cache": {}}

    def __setstate__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts)
        for array in (self.world, self.initial):
            array.flags.writeable = False

    @property
    def tables(self) -> World:
        """The world as tables."""
        return unpack(self.world, self.initial)[0]

    def view(self, state: Words) -> State:
        """Return a state of this game as tables, which are views of it."""
        return unpack(self.world, state)[1]

    def check(self, state: Words) -> None:
        """Check that an array is a state of this game, so that no rule reads beyond its parts.

        Raises:
            StateError: It has another shape or type, or names a place, an object or a receptacle that this game does not have.
        """
        if not isinstance(state, np.ndarray) or (state.shape, state.dtype) != (self.initial.shape, self.initial.dtype):
            raise StateError(f"is no array of {len(self.initial)} uint64 words")
        tables = self.view(state)
        if int(tables.place[0, 0]) >= len(tables.at) or int(tables.held[0, 0]) > len(self.objects):
            raise StateError("names a place or an object that this game does not have")
        for table, n in ((tables.opened, len(self.receptacles)), *((table, len(self.objects)) for table in tables[3:])):
            known = sets([range(n)], n)
            if (table & ~known).any():
                raise StateError("has a set with members that this game does not have")


class StateError(EnvError):
    """An array is no state of a game."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this state {what}; give one that was taken from the same game")


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
    _check(problem, {r.id for r in receptacles}, {t.id for t in things})
    objects = [t for t in things if t.inside or "sliceable" in t.flags]
    places = sorted({r.location for r in receptacles} | {problem.agent_location})
    goal = problem.goal
    world, initial = pack(_world(problem, receptacles, objects, places), _initial(problem, receptacles, objects, places), goal.kind)
    names = number_names(
        [
            *(r.id for r in receptacles),
            *(t.id for t in things),
            *problem.locations,
            *(r.location for r in receptacles),
            *problem.extra_ids,
        ]
    )
    return Game(
        world=world,
        initial=initial,
        objects=tuple(names[t.id] for t in objects),
        receptacles=tuple(names[r.id] for r in receptacles),
        locations=tuple(names[r.location] for r in receptacles),
        contents=tuple(tuple(names[o] for o in sorted(t.contains)) if "container" in t.flags else None for t in objects),
        object_types=tuple(t.type for t in objects),
        receptacle_types=tuple(r.type for r in receptacles),
        positions=tuple(position_of(r.id) for r in receptacles),
        stands=tuple(stand_of(r.location) for r in receptacles),
        goal=goal,
        task=problem.task,
        plain=problem.task,
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


_CELL_M: Final = 0.25
"""Side of a cell of ALFRED's grid, in which locations are counted."""
_STAND: Final = re.compile(r"loc_bar_(_minus_)?(\d+)_bar_(_minus_)?(\d+)_bar_")
_POSITION: Final = re.compile(r"_bar_(?:_(plus|minus)_)?(\d+)_dot_(\d+)" * 3)


def position_of(id_: str) -> tuple[float, float, float] | None:
    """Return the position (x, y, z) in metres that an id of ALFWorld's form has: `..._bar__plus_01_dot_23_bar_...`; `None` for others."""
    match = _POSITION.search(id_)
    if match is None:
        return None
    x, y, z = (
        float(f"{whole}.{part}") * (-1 if sign == "minus" else 1)
        for sign, whole, part in zip(match.groups()[::3], match.groups()[1::3], match.groups()[2::3], strict=True)
    )
    return x, y, z


def stand_of(location: str) -> tuple[float, float] | None:
    """Return the position (x, z) in metres that the id of a location has: `loc_bar_4_bar__minus_2_bar_...`; `None` for others."""
    match = _STAND.match(location)
    if match is None:
        return None
    x, z = (int(cells) * _CELL_M * (-1 if sign else 1) for sign, cells in zip(match.groups()[::2], match.groups()[1::2], strict=True))
    return x, z


TOOLS: Final = {
    ReceptacleSet.CLEANS: ("SinkBasin", "Sink"),
    ReceptacleSet.HEATS: ("Microwave",),
    ReceptacleSet.COOLS: ("Fridge",),
}
"""The receptacle types that clean, heat, and cool."""
_KNIVES: Final = ("Knife", "ButterKnife")
_TRAITS: Final = {
    "pickupable": ObjectSet.PICKUPABLE,
    "cleanable": ObjectSet.CLEANABLE,
    "heatable": ObjectSet.HEATABLE,
    "coolable": ObjectSet.COOLABLE,
    "sliceable": ObjectSet.SLICEABLE,
    "toggleable": ObjectSet.TOGGLEABLE,
}
_STATUS: Final = {
    "clean": Status.CLEAN,
    "hot": Status.HOT,
    "cool": Status.COOL,
    "sliced": Status.SLICED,
    "toggled": Status.TOGGLED,
}
_GOAL_TRAIT: Final = {GoalKind.CLEAN: "cleanable", GoalKind.HEAT: "heatable", GoalKind.COOL: "coolable"}


def _world(problem: Problem, receptacles: list[Receptacle], objects: list[Thing], places: list[str]) -> World:
    goal = problem.goal
    of_type: dict[str, list[int]] = {}
    for i, r in enumerate(receptacles):
        of_type.setdefault(r.type, []).append(i)
    accepting: dict[str, list[int]] = {}
    for kind, thing in problem.can_contain:
        accepting.setdefault(thing, []).extend(of_type.get(kind, ()))
    at_place = [[i for i, r in enumerate(receptacles) if r.location == q] for q in places]
    return World(
        receptacle_sets=sets(
            [
                [i for i, r in enumerate(receptacles) if r.openable],
                *([i for kind in kinds for i in of_type.get(kind, ())] for kinds in TOOLS.values()),
            ],
            len(receptacles),
        ),
        object_sets=sets([[o for o, t in enumerate(objects) if _belongs(t, kind, goal)] for kind in ObjectSet], len(objects)),
        place_of=numbers([places.index(r.location) for r in receptacles]),
        here=sets(at_place, len(receptacles)),
        first=numbers([sum(map(len, at_place[:q])) for q in range(len(places) + 1)]),
        members=numbers([i for members in at_place for i in members]),
        targets=numbers(of_type.get(goal.target, []) if goal.kind != GoalKind.LIGHT else []),
        accepts=sets([accepting.get(t.type, []) for t in objects], len(receptacles)),
    )


def _initial(problem: Problem, receptacles: list[Receptacle], objects: list[Thing], places: list[str]) -> State:
    row = {r.id: i for i, r in enumerate(receptacles)}
    place = {name: i for i, name in enumerate(places)}
    inside: list[list[int]] = [[] for _ in receptacles]
    at: list[list[int]] = [[] for _ in places]
    for o, thing in enumerate(objects):
        for r in thing.inside:
            inside[row[r]].append(o)
        for q in thing.at:
            # Where no receptacle is used from, no agent ever comes: such locations need no set.
            if q in place:
                at[place[q]].append(o)
    return State(
        place=numbers([place[problem.agent_location]]),
        held=numbers([0]),
        opened=sets([[i for i, r in enumerate(receptacles) if r.opened]], len(receptacles)),
        status=sets([[o for o, t in enumerate(objects) if flag in t.flags] for flag in _STATUS], len(objects)),
        inside=sets(inside, len(objects)),
        at=sets(at, len(objects)),
        taken=sets([[] for _ in receptacles], len(objects)),
    )


def _belongs(thing: Thing, kind: ObjectSet, goal: Goal) -> bool:
    if kind == ObjectSet.KNIFE:
        return thing.type in _KNIVES
    if kind == ObjectSet.GOAL_OBJECT:
        return thing.type == goal.object and (goal.kind not in _GOAL_TRAIT or _GOAL_TRAIT[goal.kind] in thing.flags)
    if kind == ObjectSet.GOAL_LAMP:
        return goal.kind == GoalKind.LIGHT and thing.type == goal.target and "toggleable" in thing.flags
    return any(flag in thing.flags for flag, trait in _TRAITS.items() if trait == kind)


def _check(problem: Problem, receptacles: set[str], things: set[str]) -> None:
    if len(receptacles) < len(problem.receptacles) or len(things) < len(problem.things) or receptacles & things:
        ids = [r.id for r in problem.receptacles] + [t.id for t in problem.things]
        raise ProblemError(f"the id {max(ids, key=ids.count)!r} is defined twice")
    known = {*_TRAITS, *_STATUS, "container"}
    for thing in problem.things:
        for what, used, defined in (("is inside", thing.inside, receptacles), ("contains", thing.contains, things)):
            for unknown in sorted(set(used) - defined):
                raise ProblemError(f"{thing.id!r} {what} {unknown!r}, which is not defined")
        for flag in sorted(thing.flags - known):
            raise ProblemError(f"{thing.id!r} has the unknown flag {flag!r} (allowed: {', '.join(sorted(known))})")
