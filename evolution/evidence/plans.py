"""Plans from successes: what shortest wins have in common, generalized, and tested by rollouts on training tasks.

A success is abstracted to the action schemas of its commands and the kinds of their arguments. Successes of one shape are
generalized together into a candidate plan; which of them serves which goal template is found by rollouts. Where none
serves, mutations are tested: a candidate with one more command in it, or done twice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import gymnasium

from homebody.agents import wording
from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import NoModelPolicy
from homebody.agents.skills.learned_plan import Plan, Subgoal
from homebody.agents.skills.location_memory import LocationTable
from homebody.agents.skills.names import name_settings
from homebody.agents.wording import NUMBERED, Naming
from homebody.envs import TaskSpec

ROLLOUTS = 5
"""Training tasks on which a candidate plan is tested for a goal template."""
KEPT = 0.4
"""Share of rollouts that a candidate plan has to win to be kept for a goal template."""
CANDIDATES = 12
"""Candidate plans that are tested, at most, those with most successes behind them."""
MUTATED = 3
"""How many of them are mutated."""
VARIABLES = 26
"""Arguments of a candidate plan, at most: a variable is one letter."""

Steps = list[Subgoal]


@dataclass(frozen=True)
class Success:
    """A shortest success, abstracted: the commands that matter, exploration left out."""

    actions: tuple[str, ...]
    args: tuple[tuple[tuple[str, str], ...], ...]
    """For each argument of each command: its slot of the goal as {n}, or nothing; and the instance."""

    @classmethod
    def of(cls, goal: str, commands: Sequence[str], kinds: frozenset[str], explore: Sequence[str], naming: Naming = NUMBERED) -> Success:
        """Abstract a success.

        Args:
            goal: the goal sentence.
            commands: commands that win.
            kinds: every word that names a kind of instance.
            explore: action schemas to leave out.
            naming: how instances are named.
        """
        _, slots = wording.goal_template(goal, kinds)
        steps = [step for step in map(naming.template, commands) if step[0] not in explore]
        slot = {word: f"{{{number}}}" for number, word in enumerate(slots)}
        args = tuple(tuple((slot.get(naming.kind(entity), ""), entity) for entity in named) for _, named in steps)
        return cls(tuple(action for action, _ in steps), args)


def candidate_plans(successes: Iterable[Success], naming: Naming = NUMBERED) -> list[Steps]:
    """Generalize successes into candidate plans, one for each sequence of action schemas, those with most successes first.

    An argument is a slot of the goal if it is one in every success that has such a command; else a fixed kind if only one kind was ever
    seen there; else anything. Two arguments of one kind share a variable where they were one instance in all successes of the sequence.
    """
    plans = [plan for plan in successes if plan.actions and sum(map(len, plan.args)) <= VARIABLES]
    slots: dict[tuple[str, int], set[str]] = defaultdict(set)
    kinds: dict[tuple[str, int], set[str]] = defaultdict(set)
    for plan in plans:
        for action, args in zip(plan.actions, plan.args, strict=True):
            for position, (slot, entity) in enumerate(args):
                slots[action, position].add(slot)
                kinds[action, position].add(naming.kind(entity))
    counts = Counter(plan.actions for plan in plans)
    ranked = sorted(counts, key=lambda actions: (-counts[actions], len(actions), actions))
    return [_generalize([plan for plan in plans if plan.actions == actions], slots, kinds) for actions in ranked[:CANDIDATES]]


def _generalize(plans: Sequence[Success], slots: Mapping[tuple[str, int], set[str]], kinds: Mapping[tuple[str, int], set[str]]) -> Steps:
    instances = [[entity for args in plan.args for _, entity in args] for plan in plans]
    # Two positions are one variable if, in every plan, the instance at both is first named at the same position.
    signatures = [tuple(named.index(named[position]) for named in instances) for position in range(len(instances[0]))]
    variables: dict[tuple[str, tuple[int, ...]], str] = {}
    steps: Steps = []
    position = 0
    for index, action in enumerate(plans[0].actions):
        args = []
        for argument in range(len(plans[0].args[index])):
            here = {plan.args[index][argument][0] for plan in plans}
            if len(here) == 1 and "" not in slots[action, argument]:
                kind = next(iter(here))
            elif len(kinds[action, argument]) == 1:
                kind = next(iter(kinds[action, argument]))
            else:
                kind = "*"
            args.append(f"{kind}={variables.setdefault((kind, signatures[position]), chr(ord('a') + len(variables)))}")
            position += 1
        steps.append({"action": action, "args": args})
    return steps


def mutations(plan: Steps, actions: Mapping[str, Sequence[frozenset[str]]]) -> list[Steps]:
    """Return mutations of a candidate plan: one more command on its first thing, between two subgoals; or all of it twice.

    Args:
        plan: the candidate; its first argument, if it has any, is the thing that it is about.
        actions: action schemas that were ever accepted, with the kinds seen at each argument.
    """
    thing = next((arg for step in plan for arg in step["args"]), None)
    if thing is None:
        return [[*plan, *plan]]
    inserted = [[*plan[:position], step, *plan[position:]] for step in _more(plan, thing, actions) for position in range(1, len(plan))]
    # The second time about another thing of the kind, found anywhere, but for the rest as before.
    second = [Subgoal(action=step["action"], args=[_other(arg, thing) for arg in step["args"]]) for step in plan]
    return [*inserted, [*plan, *second]]


def further_mutations(plan: Steps, actions: Mapping[str, Sequence[frozenset[str]]]) -> list[Steps]:
    """Return what `mutations` leaves out: one more command on another of its instances, anywhere, or on its first before or after all."""
    things = list(dict.fromkeys(arg for step in plan for arg in step["args"]))
    everywhere = range(len(plan) + 1)
    return [
        [*plan[:position], step, *plan[position:]]
        for number, thing in enumerate(things)
        for step in _more(plan, thing, actions)
        for position in (everywhere if number else (0, len(plan)))
    ]


def _more(plan: Steps, thing: str, actions: Mapping[str, Sequence[frozenset[str]]]) -> list[Subgoal]:
    """Return the subgoals on a thing whose action the plan does not have."""
    used = {step["action"] for step in plan}
    found = []
    for action in sorted(set(actions) - used):
        rest = [
            f"{next(iter(kinds)) if len(kinds) == 1 else '*'}={chr(ord('z') - number)}" for number, kinds in enumerate(actions[action][1:])
        ]
        found.append(Subgoal(action=action, args=[thing, *rest]))
    return found


def _other(arg: str, thing: str) -> str:
    return f"{arg[:-1]}{arg[-1].upper()}" if arg == thing or arg.startswith("*") else arg


@dataclass(frozen=True)
class RolloutOutcome:
    """What the rollouts found."""

    plans: tuple[Plan, ...]
    """One for each goal template that a candidate serves, sorted by template."""
    support: Mapping[str, float]
    """Share of rollouts that each won, by goal template."""
    steps: int
    """Environment steps taken."""


@dataclass
class RolloutTest:
    """Finds the candidate plan that serves each goal template by playing training tasks within it, without a model.

    Args:
        env: the environment; its own step limit ends a rollout.
        tasks: training tasks.
        goals: the goal's template by task id.
        explore: action schemas that explore.
        memory: parameters of `location_memory`, by which the rollouts search.
        names: how instances are named.
        budget: environment steps after which no further candidate is tested.
    """

    env: gymnasium.Env[str, str]
    tasks: Sequence[TaskSpec]
    goals: Mapping[str, str]
    explore: Sequence[str]
    memory: LocationTable | None
    names: Naming
    budget: int
    steps: int = field(default=0, init=False)

    def run(self, candidates: Sequence[Steps], actions: Mapping[str, Sequence[frozenset[str]]]) -> RolloutOutcome:
        """Test candidates, and mutations of them for goals that none of them serves.

        Args:
            candidates: what to test, in order of preference among equals.
            actions: action schemas for mutations; see `mutations`.
        """
        templates = sorted(set(self.goals.values()))
        ranked = [(plan, False) for plan in candidates]
        ranked += [(mutation, True) for plan in candidates[:MUTATED] for mutation in mutations(plan, actions)]
        found = {template: self._best(template, ranked) for template in templates}
        # What is left of the budget goes to the goals that nothing serves yet.
        further = [(mutation, True) for plan in candidates[:MUTATED] for mutation in further_mutations(plan, actions)]
        for template in templates:
            if found[template][0] < KEPT:
                found[template] = self._best(template, further)
        plans = {template: steps for template, (share, steps) in found.items() if share >= KEPT}
        support = {template: found[template][0] for template in plans}
        return RolloutOutcome(tuple(Plan(goal=template, steps=steps) for template, steps in plans.items()), support, self.steps)

    def _best(self, template: str, candidates: Sequence[tuple[Steps, bool]]) -> tuple[float, Steps]:
        """Return the share of rollouts that the best candidate won, and the candidate.

        Args:
            template: of the goals.
            candidates: each with whether it is a mutation: those are for goals that nothing serves.
        """
        sample = [task for task in self.tasks if self.goals[task.task_id] == template][:ROLLOUTS]
        slots = len(set(re.findall(r"\{\d+\}", template)))
        best: tuple[float, float, Steps] = (0.0, 0.0, [])
        for steps, is_mutation in candidates:
            if self.steps >= self.budget or best[0] == -1.0 or (is_mutation and -best[0] >= KEPT):
                break
            if slots != len({arg[:3] for step in steps for arg in step["args"] if arg.startswith("{")}):
                continue
            harness = rollout_harness(Plan(goal=template, steps=steps), self.explore, self.memory, self.names)
            records = [run_episode(self.env, harness, NoModelPolicy(), task) for task in sample]
            self.steps += sum(record.steps for record in records)
            # Where the last step has no subgoal, the plan was over and a draw among all commands has won.
            won = [record.steps for record in records if record.won and record.trace[-1].subgoal]
            best = min(best, (-len(won) / len(sample), sum(won) / max(1, len(won)), steps), key=lambda item: item[:2])
        return -best[0], best[2]


def rollout_harness(plan: Plan, explore: Sequence[str], memory: LocationTable | None, names: Naming) -> HarnessSpec:
    """Return a harness that follows one plan, for play without a model.

    Args:
        plan: the plan.
        explore: action schemas that explore.
        memory: parameters of `location_memory`, by which it searches.
        names: how instances are named.
    """
    settings: dict[str, object] = {
        "learned_plan": {"plans": [plan], "explore": list(explore)},
        "visited": {"actions": list(explore)},
        **({"location_memory": memory} if memory else {}),
        **name_settings(names),
    }
    components = {use: {"use": use, "params": params} for use, params in settings.items()}
    return HarnessSpec.from_json({"format": 2, "name": "rollout-test", "components": components})
