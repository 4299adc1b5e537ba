"""Procedural houses: household games made from nothing but a task id.

Knows which tasks make sense in which rooms and how to set one up so that it can be solved; knows no rules of the game and no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from homebody.envs.core import SPLITS, EnvError, TaskCountError, TaskSpec, UnknownSplitError, did_you_mean
from homebody.envs.household.furniture import Dice, Ids, Room, furnish, location_id, stock
from homebody.envs.household.problem import TASK_TYPES, Goal, GoalKind, Problem
from homebody.envs.household.vocabulary import can_contain, object_flags, receptacle_kinds, room_plans

VERSION: Final = 1
"""Part of every house's seed: a new number means new houses, so it rises with every change to the generator or its tables."""

ROOMS: Final = ("kitchen", "livingroom", "bedroom", "bathroom", "home")
"""Kinds of houses: four of a single room, and `home`, a kitchen with two of the other rooms."""

KINDS: Final = tuple(kind.name.lower() for kind in GoalKind)
"""Short names of `TASK_TYPES`, as task ids have them: place, light, clean, heat, cool, two."""

DEFAULT_TASKS: Final = {"train": 2000, "validation": 200, "test": 200}
"""How many tasks a split lists unless told otherwise."""

MOST_TASKS: Final = 1_000_000
"""How many tasks a split lists at most, so that a slip of the pen does not fill the memory; every house can be played by its id."""

_MIX: Final = {
    GoalKind.PLACE: ("kitchen", "livingroom", "bedroom", "bathroom", "livingroom", "bedroom", "bathroom", "home"),
    GoalKind.LIGHT: ("bedroom", "livingroom", "bedroom", "bedroom", "livingroom", "bedroom", "bedroom", "home"),
    GoalKind.CLEAN: ("bathroom", "kitchen", "kitchen", "kitchen", "bathroom", "kitchen", "kitchen", "home"),
    GoalKind.HEAT: ("kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "home"),
    GoalKind.COOL: ("kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "kitchen", "home"),
    GoalKind.TWO: ("bedroom", "bathroom", "kitchen", "livingroom", "bathroom", "kitchen", "bedroom", "home"),
}
"""The rooms of each kind of task, in the order of the task list: only where it makes sense; shares near ALFWorld's, an eighth in homes."""

_NEEDED_FLAG: Final = {GoalKind.CLEAN: "cleanable", GoalKind.HEAT: "heatable", GoalKind.COOL: "coolable"}
_TOOL: Final = {GoalKind.CLEAN: "SinkBasin", GoalKind.HEAT: "Microwave", GoalKind.COOL: "Fridge"}
_LAMP: Final = "DeskLamp"

_SENTENCES: Final = {
    GoalKind.PLACE: ("put a {} in {}.", "put some {} on {}."),
    GoalKind.LIGHT: ("look at {} under the {}.", "examine the {} with the {}."),
    GoalKind.CLEAN: ("put a clean {} in {}.", "clean some {} and put it in {}."),
    GoalKind.HEAT: ("put a hot {} in {}.", "heat some {} and put it in {}."),
    GoalKind.COOL: ("put a cool {} in {}.", "cool some {} and put it in {}."),
    GoalKind.TWO: ("put two {} in {}.", "find two {} and put them in {}."),
}
"""ALFWorld's task sentences."""

_HOME_SIZE: Final = 0.55
"""Factor on furniture and clutter of each room of a home, so that a home of three rooms is 1.5 to 2 times a single kitchen."""

V = TypeVar("V")

_ID: Final = re.compile(r"([^/]+)/([a-z]+)-([a-z]+)-(\d{6}|[1-9]\d{6,})")
_ID_FORM: Final = "SPLIT/ROOM-KIND-NUMBER, as train/kitchen-clean-000123"


class HouseIdError(EnvError):
    """A task id does not name a procedural house."""

    def __init__(self, task_id: object, wrong: str) -> None:
        super().__init__(f"not a house: {task_id!r} ({wrong}); give {_ID_FORM}, or list some with HouseSource().tasks(split)")


class HouseParameterError(EnvError):
    """A parameter of `HouseSource` has a value that it cannot have."""

    def __init__(self, name: str, got: object, allowed: str) -> None:
        super().__init__(f"house parameter {name}={got!r} is not possible; give {allowed}")


class MisplacedTaskError(EnvError):
    """A kind of task was asked for where it makes no sense, as heating something in a bathroom."""

    def __init__(self, kind: GoalKind, rooms: Iterable[str]) -> None:
        name, fitting = kind.name.lower(), sorted(set(_MIX[kind]))
        super().__init__(f"no {name} task in {' or '.join(rooms)}; rooms for {name} are: {', '.join(fitting)}; add one or leave {name} out")


class HouseSource:
    """Procedural houses and their tasks.

    Description:
        A house is a kitchen, a livingroom, a bedroom, a bathroom, or a `home`: a kitchen and two of the others. Furniture, and where
        things lie, follow the tables in `assets/household/`: knowing homes helps to find a thing, and does not decide. There are six
        kinds of task, those of ALFWorld; every task can be solved, and none is solved at the start.
    Task ids:
        `SPLIT/ROOM-KIND-NUMBER`, as `test/kitchen-clean-000123`. The id, `VERSION`, `clutter` and `size` determine the house, in every
        process and on every machine. Every number names a house, a million of them a kind and room and more with longer numbers; the
        splits are separate because the name of the split is in the seed.
    Order:
        Each six tasks in a row hold the six kinds (or those chosen) once, and rooms rotate, so the first n are a fair sample.
    """

    def __init__(
        self,
        rooms: Sequence[str] = ROOMS,
        task_types: Sequence[str] | None = None,
        clutter: float = 1.0,
        size: float = 1.0,
    ) -> None:
        """Choose the houses.

        Args:
            rooms: Which of `ROOMS` the task lists draw on.
            task_types: Which kinds of task they hold, as in `KINDS` or in `TASK_TYPES`; `None` for all that these rooms allow.
            clutter: Factor on the number of movable objects, in [0.25, 2].
            size: Factor on the number of pieces of furniture of one type, in [0.5, 2].

        Raises:
            HouseParameterError: A value is unknown, repeated, or out of range.
            MisplacedTaskError: None of the rooms allows a kind of task that was asked for.
        """
        self._rooms = _chosen("rooms", rooms, {room: room for room in ROOMS})
        names = {name: kind for kind in GoalKind for name in (KINDS[kind], TASK_TYPES[kind])}
        possible = [kind for kind in GoalKind if set(_MIX[kind]) & set(self._rooms)]
        self._kinds = possible if task_types is None else sorted(_chosen("task_types", task_types, names))
        for kind in self._kinds:
            if kind not in possible:
                raise MisplacedTaskError(kind, self._rooms)
        self._clutter = _factor("clutter", clutter, 0.25, 2.0)
        self._size = _factor("size", size, 0.5, 2.0)

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, or `DEFAULT_TASKS[split]`.

        Raises:
            UnknownSplitError: `split` is none of `SPLITS`.
            TaskCountError: `n` is no positive whole number, or more than `MOST_TASKS`.
        """
        if split not in SPLITS:
            raise UnknownSplitError(split, SPLITS)
        if n is None:
            n = DEFAULT_TASKS[split]
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise TaskCountError(n, split)
        if n > MOST_TASKS:
            raise TaskCountError(n, split, MOST_TASKS)
        specs = []
        for position in range(n):
            number, nth = divmod(position, len(self._kinds))
            kind = self._kinds[nth]
            rooms = [room for room in _MIX[kind] if room in self._rooms]
            # Shifted by the kind, so that one round of kinds does not fall in one room.
            room = rooms[(number + kind) % len(rooms)]
            specs.append(TaskSpec(f"{split}/{room}-{KINDS[kind]}-{number:06d}", TASK_TYPES[kind], split))
        return specs

    def load(self, task_id: str) -> Problem:
        """Build the house of a task, whether or not the task list has it.

        Raises:
            HouseIdError: `task_id` is not of the right form.
            UnknownSplitError: It names no split.
            MisplacedTaskError: It asks for a kind of task that makes no sense in its room.
        """
        kind, room = _parse(task_id)
        return _build(kind, room, Dice(f"house/{VERSION}/{self._clutter}/{self._size}/{task_id}"), self._clutter, self._size)


def _parse(task_id: str) -> tuple[GoalKind, str]:
    match = _ID.fullmatch(task_id) if isinstance(task_id, str) else None
    if match is None:
        raise HouseIdError(task_id, "wrong form")
    split, room, kind_name, _ = match.groups()
    if split not in SPLITS:
        raise UnknownSplitError(split, SPLITS)
    for what, name, known in (("room", room, ROOMS), ("kind of task", kind_name, KINDS)):
        if name not in known:
            raise HouseIdError(task_id, f"no {what} {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
    kind = GoalKind(KINDS.index(kind_name))
    if room not in _MIX[kind]:
        raise MisplacedTaskError(kind, [room])
    return kind, room


def _build(kind: GoalKind, house: str, dice: Dice, clutter: float, size: float) -> Problem:
    ids = Ids()
    names = [house]
    if house == "home":
        others = [room for room in ROOMS if room not in ("kitchen", "home")]
        others.remove(dice.pick(others))
        names, clutter, size = ["kitchen", *others], clutter * _HOME_SIZE, size * _HOME_SIZE
    rooms: list[Room] = []
    for name in names:
        left = rooms[-1].left + rooms[-1].side + 12 if rooms else -dice.between(0, 12)
        rooms.append(furnish(name, size, left, dice, ids))
    goal, goal_room = _choose_goal(kind, rooms, dice)
    _scatter(rooms, goal, goal_room, clutter, dice, ids)
    receptacles = tuple(place.receptacle for room in rooms for places in room.places.values() for place in places)
    things = tuple(thing for room in rooms for thing in room.things)
    start = location_id(rooms[0].left + rooms[0].side // 2, 0, dice.between(0, 3), 30)
    return Problem(
        receptacles=receptacles,
        things=things,
        locations=tuple(sorted({receptacle.location for receptacle in receptacles} | {start})),
        agent_location=start,
        can_contain=can_contain(receptacles, things),
        goal=goal,
        task=dice.pick(_SENTENCES[kind]).format(goal.object.lower(), goal.target.lower()),
    )


def _choose_goal(kind: GoalKind, rooms: Sequence[Room], dice: Dice) -> tuple[Goal, Room]:
    """Choose a goal that can be reached in these rooms, empty of objects as they are, and the room that its object starts in."""
    hosts = [room for room in rooms if room.kind in _MIX[kind]]
    flag, copies = _NEEDED_FLAG.get(kind, "pickupable"), _copies(kind)
    objects = sorted({type_ for room in hosts for type_ in room_plans()[room.kind].objects if flag in object_flags()[type_]})
    # The tables give every room and kind at least one goal with the furniture that such a room always has, so the loop ends.
    while True:
        object_ = objects.pop(dice.between(0, len(objects) - 1))
        goals = [Goal(kind, object_, target) for target in _targets(kind, object_, rooms)]
        choices = [
            (goal, room)
            for goal in goals
            for room in hosts
            if object_ in room_plans()[room.kind].objects and room.capacity(object_, _barred(goal)) >= copies
        ]
        if choices:
            return dice.pick(choices)


def _targets(kind: GoalKind, object_: str, rooms: Sequence[Room]) -> list[str]:
    if kind == GoalKind.LIGHT:
        return [_LAMP]
    kinds, present = receptacle_kinds(), {type_ for room in rooms for type_ in room.places}
    return sorted(
        type_
        for type_ in present
        if object_ in kinds[type_].holds and type_ != _TOOL.get(kind) and not (kind == GoalKind.TWO and kinds[type_].single)
    )


def _copies(kind: GoalKind) -> int:
    return 2 if kind == GoalKind.TWO else 1


def _barred(goal: Goal) -> str:
    """Return the receptacle type that the goal's object may not start in: as in ALFWorld, none of the work is done at the start."""
    return goal.target if goal.kind in (GoalKind.PLACE, GoalKind.TWO) else ""


def _scatter(rooms: Sequence[Room], goal: Goal, goal_room: Room, clutter: float, dice: Dice, ids: Ids) -> None:
    """Put the objects in the rooms; those of the goal first, while there is room for them."""
    counts = [stock(room, clutter, dice) for room in rooms]
    # Two are harder to find than one: a task of two gets one more than the room would have.
    first = [(goal_room, goal.object, _copies(goal.kind) - 1)]
    if goal.kind == GoalKind.LIGHT:
        first.append((dice.pick([room for room in rooms if _LAMP in room_plans()[room.kind].objects]), _LAMP, 0))
    for room, type_, extra in first:
        have = counts[rooms.index(room)]
        if type_ not in have:
            have[type_] = dice.scaled(dice.between(1, room_plans()[room.kind].objects[type_].most), clutter)
        for _ in range(extra + max(1, have.pop(type_))):
            room.put(type_, dice, ids, _barred(goal) if type_ == goal.object else "")
    for room, have in zip(rooms, counts, strict=True):
        for type_, count in have.items():
            for _ in range(count):
                room.put(type_, dice, ids, _barred(goal) if type_ == goal.object else "")


def _chosen(name: str, got: Sequence[str], known: dict[str, V]) -> list[V]:
    allowed = f"a list of at least one of: {', '.join(known)}"
    if isinstance(got, str) or not isinstance(got, Sequence) or not got:
        raise HouseParameterError(name, got, allowed)
    for value in got:
        if not isinstance(value, str) or value not in known:
            raise HouseParameterError(name, got, f"{allowed} (unknown: {value!r}{did_you_mean(value, known)})")
    chosen = [known[value] for value in got]
    if len(set(chosen)) < len(chosen):
        raise HouseParameterError(name, got, f"{allowed}, none twice")
    return chosen


def _factor(name: str, got: float, low: float, high: float) -> float:
    if isinstance(got, bool) or not isinstance(got, int | float) or not low <= got <= high:
        raise HouseParameterError(name, got, f"a number from {low} to {high}")
    return float(got)
