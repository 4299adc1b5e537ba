"""One procedural house: its rooms, a goal that makes sense in them, and what lies about.

Knows which tasks make sense in which rooms and how to set one up so that it can be solved; knows no ids of tasks and no rules of the game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from homebody.envs.core import HELD_OUT
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle
from homebody.envs.household.engine.vocabulary import can_contain, object_flags, receptacle_kinds, room_plans
from homebody.envs.household.houses.furniture import Dice, Ids, Room, adopt_habits, furnish, location_id, stock
from homebody.envs.household.houses.holdout import Holdout, is_reserved_pair, layouts

VERSION: Final = 1
"""Part of every house's seed: a new number means new houses, so it rises with every change to the generator or its tables."""

ROOMS: Final = ("kitchen", "livingroom", "bedroom", "bathroom", "home")
"""Kinds of houses: four of a single room, and `home`, a kitchen with two of the other rooms."""

TASK_ROOMS: Final = {
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


@dataclass(frozen=True)
class HouseStyle:
    """The parameters of a house, checked; `HouseSource` says what they mean."""

    clutter: float = 1.0
    size: float = 1.0
    distractors: int = 0
    closed: float = 1.0
    holdout: Holdout | None = None

    @property
    def seed(self) -> str:
        """The part of a house's seed that the parameters make; those added later show only where they differ from their default."""
        later = {name: getattr(self, name) for name in ("distractors", "closed", "holdout")}
        changed = [f"/{name}={value}" for name, value in later.items() if value != getattr(HouseStyle, name)]
        return f"{self.clutter}/{self.size}{''.join(changed)}"


@dataclass(frozen=True)
class House:
    """A house as a game."""

    problem: Problem
    layout: int
    """Number of its layout, among those of its kind of house; 0 for a house that has a layout of its own."""
    plain: str
    """The goal in ALFWorld's words; `problem.task` may say it otherwise."""


def build(split: str, kind: GoalKind, name: str, style: HouseStyle, task_id: str) -> House:
    """Build a house.

    Args:
        split: Decides, with `style.holdout`, which layouts and goals are possible.
        kind: Kind of task; it makes sense in this house.
        name: Which of `ROOMS`.
        style: The parameters.
        task_id: What makes the house different from all others.
    """
    dice, ids, layout = Dice(f"house/{VERSION}/{style.seed}/{task_id}"), Ids(), 0
    if style.holdout in ("rooms", "both"):
        layout = dice.pick(layouts(split))
        plan_dice = Dice(f"layout/{VERSION}/{style.size}/{name}/{layout}")
        rooms = _furnish(name, style.size, plan_dice, ids)
        for room in rooms:
            adopt_habits(room, plan_dice)
    else:
        rooms = _furnish(name, style.size, dice, ids)
    goal, goal_room = _choose_goal(kind, rooms, dice, split in HELD_OUT if style.holdout in ("pairs", "both") else None)
    _scatter(rooms, goal, goal_room, style.clutter * (_HOME_SIZE if name == "home" else 1.0), dice, ids)
    _distract(rooms, goal, style.distractors, dice, ids)
    receptacles = tuple(
        _ajar(place.receptacle, style.closed, dice) for room in rooms for places in room.places.values() for place in places
    )
    things = tuple(thing for room in rooms for thing in room.things)
    start = location_id(rooms[0].left + rooms[0].side // 2, 0, dice.between(0, 3), 30)
    problem = Problem(
        receptacles=receptacles,
        things=things,
        locations=tuple(sorted({receptacle.location for receptacle in receptacles} | {start})),
        agent_location=start,
        can_contain=can_contain(receptacles, things),
        goal=goal,
        task=dice.pick(_SENTENCES[kind]).format(goal.object.lower(), goal.target.lower()),
    )
    return House(problem, layout, problem.task)


def _furnish(name: str, size: float, dice: Dice, ids: Ids) -> list[Room]:
    names = [name]
    if name == "home":
        others = [room for room in ROOMS if room not in ("kitchen", "home")]
        others.remove(dice.pick(others))
        names, size = ["kitchen", *others], size * _HOME_SIZE
    rooms: list[Room] = []
    for room in names:
        left = rooms[-1].left + rooms[-1].side + 12 if rooms else -dice.between(0, 12)
        rooms.append(furnish(room, size, left, dice, ids))
    return rooms


def _choose_goal(kind: GoalKind, rooms: Sequence[Room], dice: Dice, reserved: bool | None) -> tuple[Goal, Room]:
    """Choose a goal that can be reached in these rooms, empty of objects as they are, and the room that its object starts in.

    Args:
        kind: Kind of task.
        rooms: The house.
        dice: Where the chances come from.
        reserved: Whether the goal's pairing must be one that is held out, or must not; `None` if that does not matter.
    """
    hosts = [room for room in rooms if room.kind in TASK_ROOMS[kind]]
    flag, copies = _NEEDED_FLAG.get(kind, "pickupable"), _copies(kind)
    objects = sorted({type_ for room in hosts for type_ in room_plans()[room.kind].objects if flag in object_flags()[type_]})
    # The tables give every room and kind at least one goal of either sort with the furniture that such a room always has: the loop ends.
    while True:
        object_ = objects.pop(dice.between(0, len(objects) - 1))
        goals = [Goal(kind, object_, target) for target in _targets(kind, object_, rooms)]
        choices = [
            (goal, room)
            for goal in goals
            if reserved is None or is_reserved_pair(goal) == reserved
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


def _distract(rooms: Sequence[Room], goal: Goal, count: int, dice: Dice, ids: Ids) -> None:
    """Add objects of other types that would do for the same task, where such objects are kept and while there is room for them."""
    flag, kinds = _NEEDED_FLAG.get(goal.kind, "pickupable"), receptacle_kinds()
    for _ in range(count):
        choices = [
            (room, type_)
            for room in rooms
            for type_ in room_plans()[room.kind].objects
            if type_ != goal.object
            and {"pickupable", flag} <= object_flags()[type_]
            and (goal.kind == GoalKind.LIGHT or type_ in kinds[goal.target].holds)
            and room.options(type_)
        ]
        if not choices:
            return
        room, type_ = dice.pick(choices)
        room.put(type_, dice, ids)


def _ajar(receptacle: Receptacle, closed: float, dice: Dice) -> Receptacle:
    """Return a receptacle as it is at the start; no chance is drawn where all doors are closed, as they are by default."""
    return replace(receptacle, opened=True) if closed < 1 and receptacle.openable and not dice.chance(closed) else receptacle
