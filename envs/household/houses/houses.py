"""Procedural houses: household games made from nothing but a task id.

Knows task ids, splits, parameters and task lists; `building.py` makes the house.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from homebody.envs.core import FINAL, SPLITS, EnvError, TaskCountError, TaskSpec, UnknownSplitError, did_you_mean
from homebody.envs.household.engine.problem import TASK_TYPES, GoalKind, Problem
from homebody.envs.household.goals.said import Goals, check_goals, say_goal, split_suffix
from homebody.envs.household.houses.building import ROOMS, TASK_ROOMS, House, HouseStyle, build
from homebody.envs.household.houses.holdout import HOLDOUTS, Holdout

KINDS: Final = tuple(kind.name.lower() for kind in GoalKind)
"""Short names of `TASK_TYPES`, as task ids have them: place, light, clean, heat, cool, two."""

DEFAULT_TASKS: Final = {"train": 2000, "validation": 200, "test": 200, FINAL: 200}
"""How many tasks a split lists unless told otherwise."""

MOST_TASKS: Final = 1_000_000
"""How many tasks a split lists at most, so that a slip of the pen does not fill the memory; every house can be played by its id."""

MOST_WEIGHT: Final = 100
"""Largest weight of a kind of task in the mix."""

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
        name, fitting = kind.name.lower(), sorted(set(TASK_ROOMS[kind]))
        super().__init__(f"no {name} task in {' or '.join(rooms)}; rooms for {name} are: {', '.join(fitting)}; add one or leave {name} out")


class HouseSource:
    """Procedural houses and their tasks.

    Description:
        A house is a kitchen, a livingroom, a bedroom, a bathroom, or a `home`: a kitchen and two of the others. Furniture, and where
        things lie, follow the tables in `assets/household/`: knowing homes helps to find a thing, and does not decide. There are six
        kinds of task, those of ALFWorld; every task can be solved, and none is solved at the start.
    Task ids:
        `SPLIT/ROOM-KIND-NUMBER`, as `test/kitchen-clean-000123`; with `+said` behind it the goal is said otherwise, in the same house.
        The id, `building.VERSION` and the parameters from `clutter` on determine the house, in every process and on every machine.
        Every number names a house, a million of them a kind and room and more with longer numbers; the splits are separate because the
        name of the split is in the seed.
    Order:
        Each six tasks in a row hold the six kinds (or those chosen, by their weights) once, and rooms rotate, so the first n are a
        fair sample.
    Goals:
        `plain`: one of ALFWorld's fixed sentences. `said`: one of many wordings with everyday names (`said.py`); validation and test have
        wordings of their own, and the test further names. Listed ids of said goals end in `+said`; an id without it goes by `goals`.
    Harder splits:
        By default the three splits are alike and share no house. `holdout` reserves more for the test.
        `rooms`: every kind of house has 2 * `N_LAYOUTS` fixed layouts, numbered; training and validation draw on the first half, the
        test on the second. A layout is the rooms, the furniture and where it stands, the fixtures, which types of objects the room
        has, and for each of them one usual place, where 7 in 10 are put. A layout belongs to a `size`.
        `pairs`: a quarter of the pairings of object and target (`is_reserved_pair`) are goals in the test, all of them there and
        nowhere else.
        `both`: a test house has a reserved layout and a reserved pairing, any other house has neither.
    """

    def __init__(
        self,
        rooms: Sequence[str] = ROOMS,
        task_types: Sequence[str] | Mapping[str, int] | None = None,
        clutter: float = 1.0,
        size: float = 1.0,
        distractors: int = 0,
        closed: float = 1.0,
        holdout: Holdout | None = None,
        goals: Goals = "plain",
    ) -> None:
        """Choose the houses.

        Args:
            rooms: Which of `ROOMS` the task lists draw on.
            task_types: Which kinds of task they hold, as in `KINDS` or in `TASK_TYPES`; `None` for all that these rooms allow. A
                mapping gives each a weight, 1 to `MOST_WEIGHT`: its tasks in each round of the list.
            clutter: Factor on the number of movable objects, in [0.25, 2].
            size: Factor on the number of pieces of furniture of one type, in [0.5, 2].
            distractors: Further objects that would do for the same task and are not asked for, from 0 to 20: of another type than the
                goal's object, with the property that the task needs (cleanable, heatable, coolable), and of a type that fits in the
                goal's target. They are put where such objects are kept; fewer are added where there is no room or nothing else fits.
            closed: Share of the receptacles with a door that start closed, in [0, 1].
            holdout: What only the test split shows; see above. `None` for nothing.
            goals: `plain` or `said`; see above.

        Raises:
            GoalsError: There is no such way to word goals.
            HouseParameterError: A value is unknown, repeated, or out of range.
            MisplacedTaskError: None of the rooms allows a kind of task that was asked for.
        """
        check_goals(goals)
        self._goals = goals
        self._rooms = _chosen("rooms", rooms, {room: room for room in ROOMS})
        names = {name: kind for kind in GoalKind for name in (KINDS[kind], TASK_TYPES[kind])}
        possible = [kind for kind in GoalKind if set(TASK_ROOMS[kind]) & set(self._rooms)]
        weights = dict.fromkeys(possible, 1) if task_types is None else _weighted("task_types", task_types, names)
        for kind in sorted(weights):
            if kind not in possible:
                raise MisplacedTaskError(kind, self._rooms)
        # Those of a kind of weight 3 come at 1/6, 3/6 and 5/6 of the round: its first n tasks are near the mix too.
        turns = [((2 * turn + 1) / weight, kind, turn) for kind, weight in weights.items() for turn in range(weight)]
        self._round = [(kind, turn, weights[kind]) for _, kind, turn in sorted(turns)]
        if holdout is not None and holdout not in HOLDOUTS:
            raise HouseParameterError("holdout", holdout, f"one of: {', '.join(HOLDOUTS)}, or None")
        self._style = HouseStyle(
            clutter=_factor("clutter", clutter, 0.25, 2.0),
            size=_factor("size", size, 0.5, 2.0),
            distractors=_count("distractors", distractors, 0, 20),
            closed=_factor("closed", closed, 0.0, 1.0),
            holdout=holdout,
        )

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, or `DEFAULT_TASKS[split]`.

        Raises:
            UnknownSplitError: `split` is none of `SPLITS`, nor `FINAL`.
            TaskCountError: `n` is no positive whole number, or more than `MOST_TASKS`.
        """
        if split not in DEFAULT_TASKS:
            raise UnknownSplitError(split, SPLITS)
        if n is None:
            n = DEFAULT_TASKS[split]
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise TaskCountError(n, split)
        if n > MOST_TASKS:
            raise TaskCountError(n, split, MOST_TASKS)
        specs, suffix = [], "+said" if self._goals == "said" else ""
        for position in range(n):
            done, nth = divmod(position, len(self._round))
            kind, turn, weight = self._round[nth]
            number = done * weight + turn
            rooms = [room for room in TASK_ROOMS[kind] if room in self._rooms]
            # Shifted by the kind, so that one round of kinds does not fall in one room.
            room = rooms[(number + kind) % len(rooms)]
            specs.append(TaskSpec(f"{split}/{room}-{KINDS[kind]}-{number:06d}{suffix}", TASK_TYPES[kind], split))
        return specs

    def load(self, task_id: str) -> Problem:
        """Return the game of a task, whether or not the task list has it; see `build`."""
        return self.build(task_id).problem

    def build(self, task_id: str) -> House:
        """Build the house of a task, whether or not the task list has it.

        Raises:
            HouseIdError: `task_id` is not of the right form.
            UnknownSplitError: It names no split.
            MisplacedTaskError: It asks for a kind of task that makes no sense in its room.
        """
        split, room, kind, _ = parse_house_id(task_id)
        base, said = split_suffix(task_id)
        house = build(split, kind, room, self._style, base)
        if not said and self._goals == "plain":
            return house
        return replace(house, problem=replace(house.problem, task=say_goal(house.problem.goal, split, base)))


def parse_house_id(task_id: str) -> tuple[str, str, GoalKind, int]:
    """Return the split, the kind of house, the kind of task and the number that an id names.

    Raises:
        HouseIdError: `task_id` is not of the right form.
        UnknownSplitError: It names no split.
        MisplacedTaskError: It asks for a kind of task that makes no sense in its room.
    """
    base, said = split_suffix(task_id)
    match = _ID.fullmatch(base) if isinstance(base, str) and said in ("", "said") else None
    if match is None:
        raise HouseIdError(task_id, "wrong form")
    split, room, kind_name, number = match.groups()
    if split not in DEFAULT_TASKS:
        raise UnknownSplitError(split, SPLITS)
    for what, name, known in (("room", room, ROOMS), ("kind of task", kind_name, KINDS)):
        if name not in known:
            raise HouseIdError(task_id, f"no {what} {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
    kind = GoalKind(KINDS.index(kind_name))
    if room not in TASK_ROOMS[kind]:
        raise MisplacedTaskError(kind, [room])
    return split, room, kind, int(number)


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


def _weighted(name: str, got: Sequence[str] | Mapping[str, int], known: dict[str, GoalKind]) -> dict[GoalKind, int]:
    if not isinstance(got, Mapping):
        return dict.fromkeys(_chosen(name, got, known), 1)
    weights = [_count(f"{name}[{key!r}]", value, 1, MOST_WEIGHT) for key, value in got.items()]
    return dict(zip(_chosen(name, list(got), known), weights, strict=True))


def _count(name: str, got: int, low: int, high: int) -> int:
    if isinstance(got, bool) or not isinstance(got, int) or not low <= got <= high:
        raise HouseParameterError(name, got, f"a whole number from {low} to {high}")
    return got


def _factor(name: str, got: float, low: float, high: float) -> float:
    if isinstance(got, bool) or not isinstance(got, int | float) or not low <= got <= high:
        raise HouseParameterError(name, got, f"a number from {low} to {high}")
    return float(got)
