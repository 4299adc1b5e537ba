"""What goals of training tasks meant, read off how they were won: pairs of a goal as said and in plain words, for a model to read by.

Goals that were won by commands of the same actions in the same order mean the same kind of thing. An argument is named by the goal if its
kind stands in its own goals clearly more often than in those of other tasks; else it is what happened to be at hand. Nothing here knows
how goals are worded or what the commands mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from homebody.agents.processors.operator import Readings
from homebody.agents.skills.learned_plan import Plan, Subgoal
from homebody.agents.wording import Naming, content_words

if TYPE_CHECKING:
    from homebody.evolution.evidence.learn import TrainingStatistics

LEAST = 3
"""Successes of one sequence of actions, at least, from which is read what they have in common."""
NAMED = 0.15
"""Share of goals that must name an argument's kind, at least: a few name it by chance, since things and places share words."""
MOST_PAIRS = 300
VARIABLES = "abcdefghijklmnopqrstuvwxyz"
_PLAIN = re.compile(r"\{\d+\}|[a-z0-9]+(?:[-_][a-z0-9]+)*")
_KIND = re.compile(r"[a-z][a-z_-]*")


Place = tuple[int, int]
"""An argument: number of the step and place in its command."""
Steps = tuple[tuple[str, tuple[str, ...]], ...]
"""Commands as actions with their arguments."""


def readings(statistics: TrainingStatistics, more: Sequence[Mapping[str, Any]] = ()) -> Readings | None:
    """Read what goals meant off successes.

    Forms of commands that reveal things say nothing of what a goal means.

    Args:
        statistics: what was learned, with the successes of exploration.
        more: further successes, of commands that were all needed.

    Returns:
        The readings; None where all goals mean one and the same thing, or too few were won.
    """
    groups: dict[tuple[str, ...], list[tuple[str, Steps]]] = {}
    naming = statistics.naming
    for success in (*statistics.bank, *more):
        steps = tuple(step for step in (naming.template(one["command"]) for one in success["steps"]) if step[0] not in statistics.explore)
        if steps:
            groups.setdefault(tuple(action for action, _ in steps), []).append((str(success["goal"]), steps))
    # The same commands in another order are the same meaning: the order that won most often stands for it.
    common: dict[tuple[str, ...], tuple[str, ...]] = {}
    for actions in sorted(groups, key=lambda actions: (-len(groups[actions]), actions)):
        common.setdefault(tuple(sorted(actions)), actions)
    made = [_meaning(groups[actions], naming) for actions in sorted(common.values()) if len(groups[actions]) >= LEAST]
    made = [meaning for meaning in made if len(meaning.variables) <= len(VARIABLES)]
    if sum(map(len, (meaning.group for meaning in made))) < LEAST or len({plain for m in made for _, plain in m.pairs()}) < 2:
        return None
    pairs = [pair for meaning in made for pair in meaning.pairs()]
    names = _fillers(made, statistics)
    fits = {one.template: _fillers([other for other in made if other.template == one.template], statistics) for one in made}
    step = max(1, -(-len(pairs) // MOST_PAIRS))
    templates = tuple(dict.fromkeys(meaning.template for meaning in made))
    won = min(1.0, len(pairs) / max(1, len(statistics.tasks)))
    return Readings(tuple(pairs[::step]), templates, names, fits, tuple(meaning.plan() for meaning in made), won)


def _fillers(made: Sequence[_Meaning], statistics: TrainingStatistics) -> tuple[tuple[str, ...], ...]:
    """Return for each blank the kinds that may fill it, with those that random walks saw there; nothing where all are met first."""
    found = [
        {kind for meaning in made for kind in (*meaning.kinds_of(blank), *meaning.seen_at(blank, statistics.kinds))}
        for blank in range(max((len(meaning.blanks) for meaning in made), default=0))
    ]
    return tuple(() if kinds <= set(statistics.first) else tuple(sorted(kinds)) for kinds in found)


class _Meaning:
    """What the successes of one sequence of actions have in common.

    Args:
        group: the successes, each a goal and its steps.
        naming: how instances are named.
        roles: by argument, its kind where that is always the same, `{n}` where the goal names it, `*` else.
        variables: by argument, the letter of the instance that it is.
        blanks: for each blank the first argument that fills it.
    """

    def __init__(
        self,
        group: Sequence[tuple[str, Steps]],
        naming: Naming,
        roles: Mapping[Place, str],
        variables: Mapping[Place, int],
        blanks: Sequence[Place],
    ) -> None:
        self._naming = naming
        self.group, self.roles, self.variables, self.blanks = group, roles, variables, blanks
        said = [self._said(number) for number in range(len(group[0][1]))]
        # A step that took what was at hand, from wherever it was, says nothing that the others do not say.
        telling = [text for number, text in enumerate(said) if not any(roles[place] == "*" for place in roles if place[0] == number)]
        self.template = " then ".join(telling if set(_blanks(telling)) == set(_blanks(said)) and telling else said)

    def _said(self, number: int) -> str:
        action = self.group[0][1][number][0]
        parts = action.split("#")
        named = ["any" if (role := self.roles[number, place]) == "*" else role for place in range(len(parts) - 1)]
        return "".join(chain.from_iterable(zip(parts, [*named, ""], strict=True))).strip()

    def kinds_of(self, blank: int) -> list[str]:
        """Return what filled a blank in training, one kind a success."""
        if blank >= len(self.blanks):
            return []
        step, place = self.blanks[blank]
        return [self._naming.kind(steps[step][1][place]) for _, steps in self.group]

    def seen_at(self, blank: int, kinds: Mapping[str, Sequence[Sequence[str]]]) -> frozenset[str]:
        """Return the kinds that random walks saw at every argument of a blank."""
        steps = self.group[0][1]
        seen = [
            frozenset(kinds[steps[number][0]][place])
            for (number, place), role in self.roles.items()
            if role == f"{{{blank}}}" and steps[number][0] in kinds
        ]
        return frozenset.intersection(*seen) if seen else frozenset()

    def pairs(self) -> list[tuple[str, str]]:
        """Return each goal as said and in plain words."""
        filled = [self.kinds_of(blank) for blank in range(len(self.blanks))]
        return [
            (goal, re.sub(r"\{(\d+)\}", lambda found, n=number: filled[int(found[1])][n], self.template))  # type: ignore[misc]
            for number, (goal, _) in enumerate(self.group)
        ]

    def plan(self) -> Plan:
        """Return the plan that won, by the plain goal template."""
        named = {at: f"{role}={VARIABLES[self.variables[at]]}" for at, role in self.roles.items()}
        steps = [
            Subgoal(action=action, args=[named[number, place] for place in range(len(args))])
            for number, (action, args) in enumerate(self.group[0][1])
        ]
        return Plan(goal=" ".join(_PLAIN.findall(self.template.lower())), steps=steps)


def _meaning(group: Sequence[tuple[str, Steps]], naming: Naming) -> _Meaning:
    places = [(number, place) for number, (_, args) in enumerate(group[0][1]) for place in range(len(args))]
    named = {at: [steps[at[0]][1][at[1]] for _, steps in group] for at in places}
    # Arguments that are one instance in every success are one variable.
    order: dict[tuple[str, ...], int] = {}
    variables = {at: order.setdefault(tuple(named[at]), len(order)) for at in places}
    kinds = {at: [naming.kind(entity) for entity in named[at]] for at in places}
    goals = [content_words(goal) for goal, _ in group]
    roles: dict[Place, str] = {}
    blanks: list[Place] = []
    slots: dict[tuple[str, ...], str] = {}
    for at in places:
        key = tuple(kinds[at])
        if len(set(key)) == 1:
            roles[at] = key[0] if _KIND.fullmatch(key[0]) else "*"
        elif key in slots:
            roles[at] = slots[key]
        elif _is_named([goal - words for goal, words in zip(goals, _others(kinds, at), strict=True)], key):
            roles[at] = slots[key] = f"{{{len(blanks)}}}"
            blanks.append(at)
        else:
            roles[at] = "*"
    return _Meaning(group, naming, roles, variables, blanks)


def _others(kinds: Mapping[Place, Sequence[str]], at: Place) -> list[frozenset[str]]:
    """Return, by success, the words of the kinds of the other arguments: a goal that has one of them may mean that one.

    An argument that is of the same kind in every success is no other one.
    """
    rows = [other for other in kinds.values() if list(other) != list(kinds[at])]
    return [frozenset[str]().union(*(content_words(other[number]) for other in rows)) for number in range(len(kinds[at]))]


def _is_named(goals: Sequence[frozenset[str]], kinds: Sequence[str]) -> bool:
    """Tell whether goals name their own kind clearly more often than those of other tasks."""
    wanted = [content_words(kind) for kind in kinds]
    own = sum(bool(words) and words <= goal for words, goal in zip(wanted, goals, strict=True)) / len(goals)
    others = [
        bool(words) and words <= goal for number, goal in enumerate(goals) for words, kind in zip(wanted, kinds, strict=True)
        if kind != kinds[number]
    ]  # fmt: skip
    return own >= NAMED and own >= 2 * sum(others) / max(1, len(others))


def _blanks(texts: Sequence[str]) -> list[str]:
    return re.findall(r"\{\d+\}", " ".join(texts))
