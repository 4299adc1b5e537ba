"""The six goals, recognised in PDDL by their structure, up to the names and the nesting of their variables."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

from homebody.envs.household.alfworld.errors import UnknownGoalError
from homebody.envs.household.alfworld.sexpression import Tree, parse, show, typed_names
from homebody.envs.household.engine.problem import GoalKind


def recognise_goal(path: Path, goal: Tree) -> tuple[GoalKind, str, str]:
    """Return a goal's kind and its two type ids, in lower case: the object's, and the receptacle's or lamp's.

    Args:
        path: The file, for messages.
        goal: What `(:goal ...)` holds.

    Raises:
        UnknownGoalError: It is none of the six forms.
    """
    atoms, sorts = _flatten(path, goal)
    for kind, (form, form_sorts) in _FORMS.items():
        bound = _match(atoms, sorts, form, form_sorts)
        if bound is not None:
            return kind, *bound
    raise UnknownGoalError(path, f"the goal {show(goal)} is of no known form")


Atoms = frozenset[tuple[str, ...]]
_MAX_VARIABLES: Final = 6
"""What the largest of the six forms has; every nested `exists` costs a copy of those around it."""


def _flatten(path: Path, goal: Tree) -> tuple[Atoms, dict[str, str]]:
    """Lift nested `and`s and `exists`es into one set of atoms, with the sort of each variable; bound names are made unique."""
    atoms: set[tuple[str, ...]] = set()
    sorts: dict[str, str] = {}
    pending: list[tuple[str | Tree, dict[str, str]]] = [(part, {}) for part in goal]
    while pending:
        part, scope = pending.pop()
        if not isinstance(part, list) or not part or not isinstance(part[0], str):
            raise UnknownGoalError(path, f"the goal {show(goal)} holds something that is no condition")
        head = part[0].lower()
        if head == "and":
            pending.extend((inner, scope) for inner in part[1:])
        elif head == "exists" and len(part) == 3 and isinstance(part[1], list):
            scope = dict(scope)
            for name, sort in typed_names(path, part[1], "the goal"):
                scope[name.lower()] = f"?{len(sorts)}"
                sorts[f"?{len(sorts)}"] = sort
            if len(sorts) > _MAX_VARIABLES:
                raise UnknownGoalError(path, f"the goal {show(goal)} has more than {_MAX_VARIABLES} variables")
            pending.append((part[2], scope))
        else:
            words = ["not=", *part[1][1:]] if head == "not" and len(part) == 2 and part[1][:1] == ["="] else part
            if not all(isinstance(word, str) for word in words):
                raise UnknownGoalError(path, f"the goal {show(goal)} has the part {show(part)}, which this engine does not know")
            name, *arguments = [str(word).lower() for word in words]
            arguments = [scope.get(argument, argument) for argument in arguments]
            atoms.add((name, *(sorted(arguments) if name == "not=" else arguments)))
    return frozenset(atoms), sorts


def _match(atoms: Atoms, sorts: dict[str, str], form: Atoms, form_sorts: dict[str, str]) -> tuple[str, str] | None:
    """Find names for the form's variables that make it equal to the goal; return what its constants `object` and `target` stand for."""
    if len(atoms) != len(form) or sorted(sorts.values()) != sorted(form_sorts.values()):
        return None
    constants = {argument for atom in atoms for argument in atom[1:] if not argument.startswith("?")}
    for order in itertools.permutations(sorts):
        renamed = dict(zip(form_sorts, order, strict=True))
        if any(sorts[renamed[v]] != form_sorts[v] for v in form_sorts):
            continue
        for thing, target in itertools.product(sorted(constants), repeat=2):
            table = {**renamed, "object": thing, "target": target}
            named = {(name, *(table.get(a, a) for a in arguments)) for name, *arguments in form}
            if {_ordered(atom) for atom in named} == atoms:
                return thing, target
    return None


def _ordered(atom: tuple[str, ...]) -> tuple[str, ...]:
    return (atom[0], *sorted(atom[1:])) if atom[0] == "not=" else atom


def _form(text: str) -> tuple[Atoms, dict[str, str]]:
    path = Path("goal forms")
    return _flatten(path, parse(path, text))


_DELIVERED: Final = "(inReceptacle ?o ?r) (objectType ?o object) (receptacleType ?r target)"
_FORMS: Final = {
    GoalKind.PLACE: _form(f"(exists (?r - receptacle ?o - object) (and {_DELIVERED}))"),
    GoalKind.LIGHT: _form(
        """(exists (?t ?o - object ?r - receptacle ?a ?b - agent ?l - location) (and
            (objectType ?t target) (toggleable ?t) (isToggled ?t) (inReceptacle ?t ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)
            (objectType ?o object) (holds ?b ?o)))"""
    ),
    GoalKind.CLEAN: _form(f"(exists (?r - receptacle ?o - object) (and (cleanable ?o) (isClean ?o) {_DELIVERED}))"),
    GoalKind.HEAT: _form(f"(exists (?r - receptacle ?o - object) (and (heatable ?o) (isHot ?o) {_DELIVERED}))"),
    GoalKind.COOL: _form(f"(exists (?r - receptacle ?o - object) (and (coolable ?o) (isCool ?o) {_DELIVERED}))"),
    GoalKind.TWO: _form(
        f"(exists (?r - receptacle ?o ?p - object) (and {_DELIVERED} (not (= ?o ?p)) (inReceptacle ?p ?r) (objectType ?p object)))"
    ),
}
