"""Playbooks from successes: what shortest wins have in common, generalized, and tried out on training tasks.

A success is abstracted to the forms of its commands and the kinds of their arguments. Successes of one shape are generalized together
into an idea; which idea serves which form of goal is found by playing, not by guessing. A form of goal that no idea serves is tried with
variations: an idea with one more command in it, or done twice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium

from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.policy import NoModelPolicy
from homebody.agents.skills import wording
from homebody.envs import TaskSpec

TRIALS = 5
"""Training tasks on which an idea is tried for a form of goal."""
KEPT = 0.4
"""Share of trials that an idea has to win to be kept for a form of goal."""
IDEAS = 12
"""Most ideas that are tried, those with most successes behind them."""
VARIED = 3
"""How many of them are varied."""
VARIABLES = 26
"""Most arguments of an idea: a variable is one letter."""

Steps = list[dict[str, Any]]
"""Milestones as `homebody.agents.skills.learned_plan` reads them."""


@dataclass(frozen=True)
class Plan:
    """A shortest success, abstracted: the commands that matter, exploration left out."""

    forms: tuple[str, ...]
    args: tuple[tuple[tuple[str, str], ...], ...]
    """For each argument of each command: its slot of the goal as {n}, or nothing; and the instance."""

    @classmethod
    def of(cls, goal: str, commands: Sequence[str], kinds: frozenset[str], explore: Sequence[str]) -> Plan:
        """Abstract a plan.

        Args:
            goal: the goal sentence.
            commands: commands that win.
            kinds: every word that names a kind of instance.
            explore: forms of commands to leave out.
        """
        _, slots = wording.frame(goal, kinds)
        steps = [step for step in map(wording.template, commands) if step[0] not in explore]
        slot = {word: f"{{{number}}}" for number, word in enumerate(slots)}
        args = tuple(tuple((slot.get(wording.kind(entity), ""), entity) for entity in named) for _, named in steps)
        return cls(tuple(form for form, _ in steps), args)


def suggest(plans: Iterable[Plan]) -> list[Steps]:
    """Generalize successes into ideas, one for each sequence of command forms, those with most successes first.

    An argument is a slot of the goal if it is one in every success that has such a command; else a fixed kind if only one kind was ever
    seen there; else anything. Two arguments of one kind share a variable where they were one instance in all successes of the sequence.
    """
    plans = [plan for plan in plans if plan.forms and sum(map(len, plan.args)) <= VARIABLES]
    slots: dict[tuple[str, int], set[str]] = defaultdict(set)
    kinds: dict[tuple[str, int], set[str]] = defaultdict(set)
    for plan in plans:
        for form, args in zip(plan.forms, plan.args, strict=True):
            for position, (slot, entity) in enumerate(args):
                slots[form, position].add(slot)
                kinds[form, position].add(wording.kind(entity))
    counts = Counter(plan.forms for plan in plans)
    ranked = sorted(counts, key=lambda forms: (-counts[forms], len(forms), forms))
    return [_generalize([plan for plan in plans if plan.forms == forms], slots, kinds) for forms in ranked[:IDEAS]]


def _generalize(plans: Sequence[Plan], slots: Mapping[tuple[str, int], set[str]], kinds: Mapping[tuple[str, int], set[str]]) -> Steps:
    instances = [[entity for args in plan.args for _, entity in args] for plan in plans]
    # Two positions are one variable if, in every plan, the instance at both is first named at the same position.
    signatures = [tuple(named.index(named[position]) for named in instances) for position in range(len(instances[0]))]
    variables: dict[tuple[str, tuple[int, ...]], str] = {}
    steps: Steps = []
    position = 0
    for index, form in enumerate(plans[0].forms):
        args = []
        for argument in range(len(plans[0].args[index])):
            here = {plan.args[index][argument][0] for plan in plans}
            if len(here) == 1 and "" not in slots[form, argument]:
                kind = next(iter(here))
            elif len(kinds[form, argument]) == 1:
                kind = next(iter(kinds[form, argument]))
            else:
                kind = "*"
            args.append(f"{kind}={variables.setdefault((kind, signatures[position]), chr(ord('a') + len(variables)))}")
            position += 1
        steps.append({"form": form, "args": args})
    return steps


def vary(idea: Steps, forms: Mapping[str, Sequence[frozenset[str]]]) -> list[Steps]:
    """Return variations of an idea: one more command on its first thing, at any place after the first step; or all of it twice.

    Args:
        idea: the idea; its first argument, if it has any, is the thing that it is about.
        forms: forms of commands that were ever accepted, with the kinds seen at each argument.
    """
    thing = next((arg for step in idea for arg in step["args"]), None)
    if thing is None:
        return [[*idea, *idea]]
    used = {step["form"] for step in idea}
    varied: list[Steps] = []
    for form in sorted(set(forms) - used):
        rest = [f"{next(iter(kinds)) if len(kinds) == 1 else '*'}={chr(ord('z') - number)}" for number, kinds in enumerate(forms[form][1:])]
        step = {"form": form, "args": [thing, *rest]}
        varied += [[*idea[:position], step, *idea[position:]] for position in range(1, len(idea))]
    # The second time about another thing of the kind, found anywhere, but for the rest as before.
    second = [{"form": step["form"], "args": [_other(arg, thing) for arg in step["args"]]} for step in idea]
    return [*varied, [*idea, *second]]


def _other(arg: str, thing: str) -> str:
    return f"{arg[:-1]}{arg[-1].upper()}" if arg == thing or arg.startswith("*") else arg


def try_out(
    env: gymnasium.Env[str, str],
    tasks: Sequence[TaskSpec],
    goals: Mapping[str, str],
    ideas: Sequence[Steps],
    forms: Mapping[str, Sequence[frozenset[str]]],
    explore: Sequence[str],
    memory: Mapping[str, Any],
    budget: int,
) -> tuple[tuple[dict[str, Any], ...], dict[str, float], int]:
    """Find the idea that serves each form of goal by playing training tasks within it, without a model.

    Args:
        env: the environment; its own step limit ends a trial.
        tasks: training tasks.
        goals: the goal's frame by task id.
        ideas: what to try, in order of preference among equals.
        forms: forms of commands for variations; see `vary`.
        explore: forms of commands that explore.
        memory: parameters of `location_memory`, by which the trials search.
        budget: environment steps after which no further idea is tried.

    Returns:
        The learned_plan's frames, sorted by goal; the share of trials that each won; and the environment steps taken.
    """
    frames: list[dict[str, Any]] = []
    support: dict[str, float] = {}
    taken = 0
    variations = [varied for idea in ideas[:VARIED] for varied in vary(idea, forms)]
    for goal in sorted(set(goals.values())):
        sample = [task for task in tasks if goals[task.task_id] == goal][:TRIALS]
        best: tuple[float, float, Steps] | None = None
        for number, idea in enumerate((*ideas, *variations)):
            # The ideas compete; variations are for goals that none of them serves.
            if taken >= budget or (best and -best[0] >= KEPT and number >= len(ideas)) or (best and best[0] == -1.0):
                break
            if len(set(re.findall(r"\{\d+\}", goal))) != len({arg[:3] for step in idea for arg in step["args"] if arg.startswith("{")}):
                continue
            harness = _harness(goal, idea, explore, memory)
            records = [run_episode(env, harness, NoModelPolicy(), task) for task in sample]
            taken += sum(record.steps for record in records)
            # Where the last step has no focus, the plan was over and a draw among all commands has won.
            won = [record.steps for record in records if record.won and record.trace[-1].focus]
            result = (-len(won) / len(sample), sum(won) / max(1, len(won)), idea)
            best = min(best, result, key=lambda item: item[:2]) if best else result
        if best and -best[0] >= KEPT:
            frames.append({"goal": goal, "steps": best[2]})
            support[goal] = -best[0]
    return tuple(frames), support, taken


def _harness(goal: str, idea: Steps, explore: Sequence[str], memory: Mapping[str, Any]) -> HarnessSpec:
    settings = {
        "learned_plan": {"frames": [{"goal": goal, "steps": idea}], "explore": list(explore)},
        "visited": {"forms": list(explore)},
        "location_memory": memory,
    }
    components = {use: {"use": use, "params": params} for use, params in settings.items()}
    return HarnessSpec.from_json({"format": 2, "name": "trial", "components": components})
