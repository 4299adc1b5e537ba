"""PDDL problems of the household domain, made into a `Problem`: declarations and initial facts; `goal.py` reads the goal."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

from homebody.envs.core import did_you_mean
from homebody.envs.household.alfworld.errors import (
    GameFileSizeError,
    IncompleteHouseError,
    PddlDeclarationError,
    PddlFactError,
    PddlSyntaxError,
)
from homebody.envs.household.alfworld.goal import recognise_goal
from homebody.envs.household.alfworld.sexpression import Tree, parse, typed_names
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing

MAX_MEMBERS: Final = 500
"""Of receptacles, of objects, of locations, of types; ALFWorld's games have at most 73 of any."""
MAX_ID: Final = 120
"""Characters; ALFWorld's ids have at most 87. With `MAX_MEMBERS` it keeps a listing within the observations of the environment."""

_PREDICATES: Final[dict[str, tuple[str, ...]]] = {
    "atlocation": ("agent", "location"),
    "receptacleatlocation": ("receptacle", "location"),
    "objectatlocation": ("object", "location"),
    "openable": ("receptacle",),
    "opened": ("receptacle",),
    "inreceptacle": ("object", "receptacle"),
    "isreceptacleobject": ("object",),
    "inreceptacleobject": ("object", "object"),
    "receptacletype": ("receptacle", "rtype"),
    "cancontain": ("rtype", "otype"),
    "objecttype": ("object", "otype"),
    **dict.fromkeys(("isclean", "ishot", "iscool", "issliced", "istoggled"), ("object",)),
    **dict.fromkeys(("cleanable", "heatable", "coolable", "pickupable", "sliceable", "toggleable"), ("object",)),
    # The domain has these and no command's text, condition or goal depends on them.
    **dict.fromkeys(("moveable", "ison", "isreceptacleobjectfull"), ("object",)),
    **dict.fromkeys(("full", "checked"), ("receptacle",)),
    "wasinreceptacle": ("object", "receptacle"),
    "examined": ("location",),
}
FLAGS: Final = {
    "pickupable": "pickupable",
    "cleanable": "cleanable",
    "heatable": "heatable",
    "coolable": "coolable",
    "sliceable": "sliceable",
    "toggleable": "toggleable",
    "container": "isReceptacleObject",
    "clean": "isClean",
    "hot": "isHot",
    "cool": "isCool",
    "sliced": "isSliced",
    "toggled": "isToggled",
}
"""ALFWorld's predicate of each flag of a thing."""


def read_problem(path: Path, text: str, task: str) -> Problem:
    """Read a PDDL problem.

    Args:
        path: The file, for messages.
        text: The PDDL text.
        task: The task sentence, which PDDL does not hold.

    Raises:
        GameFileError: The problem cannot be used; the subclass names the cause.
    """
    return _Reader(path, text).problem(task)


class _Reader:
    """Reads one PDDL problem: sections, declarations, facts, goal."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        tree = parse(path, text)
        form = tree[0] if len(tree) == 1 else ""
        if not isinstance(form, list) or not form or not isinstance(form[0], str) or form[0].lower() != "define":
            raise PddlSyntaxError(path, "pddl_problem is not one (define ...) form")
        self.sections: dict[str, Tree] = {}
        for part in form[1:]:
            if not isinstance(part, list) or not part or not isinstance(part[0], str):
                raise PddlSyntaxError(path, "(define ...) holds something that is no section")
            name = part[0].lower()
            if name in self.sections:
                raise PddlSyntaxError(path, f"pddl_problem has the section ({name} ...) twice")
            self.sections[name] = part[1:]
        for name in (":objects", ":init", ":goal"):
            if name not in self.sections:
                raise PddlSyntaxError(path, f"pddl_problem has no ({name} ...) section")
        self.sorts: dict[str, str] = {}
        self.spelling: dict[str, str] = {}
        for name, sort in typed_names(path, self.sections[":objects"], "(:objects ...)"):
            if self.sorts.setdefault(name.lower(), sort) != sort:
                raise PddlDeclarationError(path, f"{name!r} is declared as {self.sorts[name.lower()]} and as {sort}")
            self.spelling.setdefault(name.lower(), name)
        self.facts: dict[str, set[tuple[str, ...]]] = {name: set() for name in _PREDICATES}
        for fact in self.sections[":init"]:
            self._read_fact(fact)

    def problem(self, task: str) -> Problem:
        """Put the facts together."""
        agents = self.facts["atlocation"]
        if len(agents) != 1:
            raise IncompleteHouseError(self.path, f"{len(agents)} facts say where the agent is, not one")
        receptacles, things = self._receptacles(), self._things()
        # Ids that are neither, as cracked eggs without a type, still count in the numbering of names; without `_bar_` there is no number.
        used = {argument for arguments in self.facts.values() for fact in arguments for argument in fact}
        locations = {key for key in used if self.sorts[key] == "location"}
        named = {r.id for r in receptacles} | {t.id for t in things} | locations
        for what, ids in (("receptacles", receptacles), ("objects", things), ("locations", locations), ("other ids", used - named)):
            if len(ids) > MAX_MEMBERS:
                raise GameFileSizeError(self.path, f"has {len(ids)} {what}, more than the {MAX_MEMBERS} allowed")
        longest = max(used, key=len)
        if len(longest) > MAX_ID:
            raise GameFileSizeError(self.path, f"the id {longest[:20]}... has {len(longest)} characters, more than the {MAX_ID} allowed")
        return Problem(
            receptacles=receptacles,
            things=things,
            locations=tuple(sorted(locations)),
            agent_location=next(iter(agents))[1],
            can_contain=frozenset((self._class(r), self._class(o)) for r, o in self.facts["cancontain"]),
            goal=self._goal(),
            task=task,
            extra_ids=tuple(sorted(key for key in used - named if "_bar_" in key)),
        )

    def _read_fact(self, fact: str | Tree) -> None:
        # A game has hundreds of facts: the usual ones take the quick way.
        if not isinstance(fact, list) or set(map(type, fact)) != {str}:
            if isinstance(fact, list) and fact and fact[0] == "=":
                return  # the cost of a plan, as (= (total-cost) 0): only planners need it
            raise PddlSyntaxError(self.path, "(:init ...) holds something that is no fact of plain words")
        predicate, *arguments = [word.lower() for word in cast(list[str], fact)]
        if predicate not in _PREDICATES:
            near = did_you_mean(predicate, _PREDICATES)
            raise PddlFactError(self.path, f"the initial fact '{fact[0]}' is not one this engine knows{near}")
        sorts = _PREDICATES[predicate]
        if len(arguments) != len(sorts):
            raise PddlFactError(self.path, f"the initial fact '{fact[0]}' has {len(arguments)} arguments, not {len(sorts)}")
        for argument, sort in zip(arguments, sorts, strict=True):
            if self.sorts.get(argument) != sort:
                self._require(argument, sort)
        self.facts[predicate].add(tuple(arguments))

    def _require(self, key: str, sort: str) -> None:
        declared = self.sorts.get(key)
        if declared is None:
            raise PddlDeclarationError(self.path, f"{key!r} is used and not declared")
        if declared != sort:
            raise PddlDeclarationError(self.path, f"{key!r} is declared as {declared} and used as {sort}")

    def _class(self, key: str) -> str:
        """Return the class name of a type id: its spelling in `:objects` without the suffix `Type`."""
        spelling = self.spelling[key]
        return spelling[: -len("type")] if key.endswith("type") else spelling

    def _group(self, predicate: str) -> dict[str, list[str]]:
        """Return, for a predicate of two arguments, the sorted second ones by the first."""
        groups: dict[str, list[str]] = {}
        for first, second in sorted(self.facts[predicate]):
            groups.setdefault(first, []).append(second)
        return groups

    def _only(self, groups: dict[str, list[str]], key: str, what: str) -> str:
        values = groups.get(key, [])
        if len(values) != 1:
            raise IncompleteHouseError(self.path, f"{self.spelling[key]!r} has {len(values)} {what}s, not one")
        return values[0]

    def _members(self, sort: str) -> list[str]:
        return sorted({key for facts in self.facts.values() for fact in facts for key in fact if self.sorts[key] == sort})

    def _receptacles(self) -> tuple[Receptacle, ...]:
        types, places = self._group("receptacletype"), self._group("receptacleatlocation")
        return tuple(
            Receptacle(
                id=key,
                type=self._class(self._only(types, key, "type")),
                location=self._only(places, key, "location"),
                openable=(key,) in self.facts["openable"],
                opened=(key,) in self.facts["opened"],
            )
            for key in self._members("receptacle")
        )

    def _things(self) -> tuple[Thing, ...]:
        types, inside, at = self._group("objecttype"), self._group("inreceptacle"), self._group("objectatlocation")
        contents: dict[str, list[str]] = {}
        for inner, outer in sorted(self.facts["inreceptacleobject"]):
            contents.setdefault(outer, []).append(inner)
        reachable = {
            key for predicate in ("inreceptacle", "inreceptacleobject", "sliceable") for fact in self.facts[predicate] for key in fact
        }
        return tuple(
            Thing(
                id=key,
                type=self._class(self._only(types, key, "type")),
                inside=tuple(inside.get(key, ())),
                at=tuple(at.get(key, ())),
                contains=tuple(contents.get(key, ())),
                flags=frozenset(flag for flag, predicate in FLAGS.items() if (key,) in self.facts[predicate.lower()]),
            )
            for key in self._members("object")
            # ALFWorld's cracked eggs have no type, are in no receptacle, and no command ever reaches them: those are left out here.
            if key in types or key in reachable
        )

    def _goal(self) -> Goal:
        kind, thing, target = recognise_goal(self.path, self.sections[":goal"])
        self._require(thing, "otype")
        self._require(target, "otype" if kind == GoalKind.LIGHT else "rtype")
        return Goal(kind, self._class(thing), self._class(target))
