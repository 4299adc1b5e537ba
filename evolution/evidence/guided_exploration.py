"""Guided exploration: where no goal is worded like another, plans that have won are tried with the things that a goal may mean.

A random walk seldom wins a task of several subgoals. What a few wins have in common is a plan with blanks; here the plan and its
mutations are played on more training tasks, each with the kinds in its blanks whose names are spelled most like the goal's words. A
win says what the goal meant. The spelling only orders what is tried: nothing is taken for a meaning that did not win.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from homebody.agents import wording
from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import NoModelPolicy
from homebody.agents.skills.learned_plan import Plan
from homebody.agents.skills.location_memory import LocationTable
from homebody.envs import TaskSpec
from homebody.evolution.evidence.explore import Explorer, Walk
from homebody.evolution.evidence.plans import Steps, mutations, rollout_harness

CHOICES = 3
"""Kinds that are tried for a blank, those most like the goal's words."""
FILLINGS = 4
"""Ways to fill all blanks of a plan that are tried on a task."""
ROLLOUTS = 24
"""Rollouts on a task, at most."""
STEPS = 40
"""Steps of a rollout, at most."""
UNPROVED = 2
"""Fillings that are tried of a mutation that has not won yet."""

Forms = Mapping[str, Sequence[frozenset[str]]]
"""Action schemas, with the kinds seen at each argument."""


class _ReadsAs(NoModelPolicy):
    """Follows the harness with a goal in plain words."""

    def __init__(self, reading: str) -> None:
        super().__init__()
        self._reading = reading

    def read_goal(self, goal: str) -> str:
        """Return the plain words."""
        return self._reading


@dataclass
class _Tried:
    """A plan, and how it has done."""

    plan: Plan
    harness: HarnessSpec
    rollouts: int = 0
    wins: int = 0

    @property
    def worth(self) -> float:
        """Share of wins, drawn towards the half."""
        return (self.wins + 1) / (self.rollouts + 2)


@dataclass
class GuidedExploration:
    """Plays training tasks by plans with blanks.

    Args:
        explorer: plays, and counts the steps.
        actions: of the commands that act.
        memory: parameters of `location_memory`, by which the rollouts search.
        explore: action schemas that explore.
        budget: environment steps after which no further task is tried.
    """

    explorer: Explorer
    actions: Forms
    memory: LocationTable | None
    explore: Sequence[str]
    budget: int

    def run(self, tasks: Sequence[TaskSpec], plans: Sequence[Plan]) -> list[tuple[Walk, list[str]]]:
        """Return the tasks that were won, each with the commands that it needed.

        Args:
            tasks: training tasks.
            plans: what has won before, with blanks {0}, {1} in the goal and the steps.
        """
        tried = [self._begin(plan, wins=1) for plan in plans]
        tried += [self._begin(Plan(goal=plan["goal"], steps=steps)) for plan in plans for steps in mutations(plan["steps"], self.actions)]
        found = []
        start = self.explorer.steps
        for task in tasks:
            if self.explorer.steps - start >= self.budget:
                break
            if (won := self._try(task, tried)) is not None:
                found.append(won)
        return found

    def _begin(self, plan: Plan, wins: int = 0) -> _Tried:
        return _Tried(plan, rollout_harness(plan, self.explore, self.memory, self.explorer.naming), rollouts=wins, wins=wins)

    def _try(self, task: TaskSpec, tried: Sequence[_Tried]) -> tuple[Walk, list[str]] | None:
        opening = self.explorer.open(task)
        here = frozenset(kind for command in opening.opening for kind in self.explorer.naming.kinds(command))
        left = ROLLOUTS
        for one in sorted(tried, key=lambda one: -one.worth):
            for reading in self._fillings(one.plan, opening.goal, here)[: FILLINGS if one.wins else UNPROVED]:
                if not left:
                    return None
                left -= 1
                record = run_episode(self.explorer.env, one.harness, _ReadsAs(reading), task, max_steps=STEPS)
                self.explorer.steps += record.steps
                # Where the last step has no subgoal, the plan was over and a draw among all commands has won.
                is_won = record.won and bool(record.trace[-1].subgoal)
                one.rollouts += 1
                one.wins += is_won
                if is_won:
                    plan = self.explorer.shorten(task, [step.command for step in record.trace if step.accepted])
                    return (opening, plan) if plan else None
        return None

    def _fillings(self, plan: Plan, goal: str, here: frozenset[str]) -> list[str]:
        """Return plain goals, those first whose kinds are spelled most like words of the goal."""
        numbers = sorted(set(re.findall(r"\{(\d+)\}", plan["goal"])))
        ranked = []
        for number in numbers:
            kinds = self._kinds(plan["steps"], f"{{{number}}}")
            kinds = kinds & here or kinds
            likely = sorted(((likeness(kind, goal), kind) for kind in kinds), key=lambda pair: (-pair[0], pair[1]))
            ranked.append([pair for pair in likely if pair[0] > 0][:CHOICES])
        found = sorted(product(*ranked), key=lambda chosen: -sum(share for share, _ in chosen))
        made = []
        for chosen in found:
            text = plan["goal"]
            for number, (_, kind) in zip(numbers, chosen, strict=True):
                text = text.replace(f"{{{number}}}", kind)
            made.append(text)
        return made

    def _kinds(self, steps: Steps, blank: str) -> frozenset[str]:
        """Return the kinds that were seen at every argument of a blank."""
        seen = [
            self.actions[step["action"]][place]
            for step in steps
            for place, arg in enumerate(step["args"])
            if arg.startswith(blank) and step["action"] in self.actions
        ]
        return frozenset.intersection(*seen) if seen else frozenset()


@lru_cache(maxsize=65536)
def likeness(kind: str, goal: str) -> float:
    """Return how much the spelling of a kind is like that of some words of a goal, 0 to 1.

    It is the greatest Dice coefficient of the letter trigrams of the kind and of one to three words of the goal, joined.
    """
    words = wording.words(goal)
    own = _trigrams("".join(wording.words(kind)))
    joined = {"".join(words[start : start + size]) for size in (1, 2, 3) for start in range(len(words))}
    return max((2 * len(own & other) / (len(own) + len(other)) for other in map(_trigrams, joined)), default=0.0)


@lru_cache(maxsize=65536)
def _trigrams(text: str) -> frozenset[str]:
    framed = f"^{text}$"
    return frozenset(framed[start : start + 3] for start in range(len(framed) - 2))
