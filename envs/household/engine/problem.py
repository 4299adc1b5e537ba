"""A household game before it becomes arrays: what the PDDL parser reads and the house generator writes.

Knows the vocabulary of the household domain, but neither rules nor text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, get_args

Logic = Literal["current", "2.1.1"]
"""The two versions of ALFWorld's rules: they differ in `move O to R` against `put O in/on R`, in what `go to` answers, and in `help`."""
LOGICS: Final[tuple[str, ...]] = get_args(Logic)


class GoalKind(IntEnum):
    """The six task types of ALFWorld; values index `TASK_TYPES`."""

    PLACE = 0
    LIGHT = 1
    CLEAN = 2
    HEAT = 3
    COOL = 4
    TWO = 5


TASK_TYPES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)


@dataclass(frozen=True)
class Receptacle:
    """A place that can hold objects."""

    id: str
    """Lower-case PDDL id, as `cabinet_bar__minus_00_dot_36_bar__plus_00_dot_38_bar__plus_00_dot_27`."""
    type: str
    """Class name without the suffix `Type`, as `Cabinet`."""
    location: str
    """Lower-case PDDL id of the place where an agent stands to use it; several receptacles may share one."""
    openable: bool = False
    opened: bool = False


@dataclass(frozen=True)
class Thing:
    """An object: anything that is no receptacle, fixtures included (they count for the numbering of names)."""

    id: str
    """Lower-case PDDL id."""
    type: str
    """Class name without the suffix `Type`, as `Mug`."""
    inside: tuple[str, ...] = ()
    """Ids of the receptacles that hold it: usually one; none for a fixture; ALFWorld has objects in two."""
    at: tuple[str, ...] = ()
    """Location ids (PDDL `objectAtLocation`), which may disagree with those of `inside`."""
    contains: tuple[str, ...] = ()
    """Ids of the objects in it, if it is itself a container (PDDL `inReceptacleObject`); they never change."""
    flags: frozenset[str] = frozenset()
    """Of `pickupable cleanable heatable coolable sliceable toggleable container`, and of `clean hot cool sliced toggled` what holds."""


@dataclass(frozen=True)
class Goal:
    """What must hold at the end; existential over the instances of the named types."""

    kind: GoalKind
    object: str
    """Class name of the object to deliver or to look at."""
    target: str
    """Class name of the receptacle to put it in or, for `LIGHT`, of the lamp."""


@dataclass(frozen=True)
class Problem:
    """One game: a house, where everything is, and a task.

    Ids are unique. Order carries no meaning: names and listings sort by id.
    """

    receptacles: tuple[Receptacle, ...]
    things: tuple[Thing, ...]
    locations: tuple[str, ...]
    """Every location id that occurs in an initial fact: needed to number locations as the 2.1.1 logic prints them."""
    agent_location: str
    can_contain: frozenset[tuple[str, str]]
    """Pairs (receptacle type, object type) of class names."""
    goal: Goal
    task: str
    """The task sentence, as `put a clean mug in cabinet.` with its full stop."""
    extra_ids: tuple[str, ...] = ()
    """Further ids of the initial facts that take part in the numbering of names."""
