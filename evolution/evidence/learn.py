"""What training traces teach: which commands reveal things, where things usually are, and the milestones of success.

All of it becomes data in a harness. Nothing here knows a domain: names are found by their wording, and what they mean is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium

from homebody.agents.skills import wording
from homebody.envs import CheckedEnv, TaskSpec
from homebody.evolution.evidence import looks, study
from homebody.evolution.evidence.explore import Explorer, Walk
from homebody.evolution.evidence.looks import Counts
from homebody.evolution.evidence.milestone import Plan, suggest, try_out

WALK_LENGTH = 50
EXAMPLES = 2
"""Examples that are kept for each form of goal."""
REVEALING = 0.2
"""A form of command explores if its first use reveals at least this share of what the most revealing form does."""


@dataclass(frozen=True)
class Lessons:
    """What was learned; every part is JSON and goes into a harness as it is."""

    explore: tuple[str, ...] = ()
    """Forms of commands that reveal or give access to things, most revealing first."""
    frames: tuple[dict[str, Any], ...] = ()
    """The learned_plan: see `homebody.agents.skills.learned_plan`."""
    support: Mapping[str, float] = field(default_factory=dict)
    """Share of trials on training tasks that each frame won, by its goal."""
    hits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Looks at a kind of place that showed a kind of thing: hits[thing][place]."""
    looks: Mapping[str, int] = field(default_factory=dict)
    """Looks at a kind of place."""
    present: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Looks at a kind of place in scenes that held a kind of thing: present[thing][place]."""
    usual: Mapping[str, float] = field(default_factory=dict)
    """Mean number of places of a kind in the scenes that have any."""
    crowding: float = 0.0
    """How much the number of places of a kind counts; see `homebody.evolution.evidence.looks.best_crowding`."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Mean number of commands of a look at a kind of place, at least 1."""
    finishing: tuple[str, ...] = ()
    """Forms of commands that mostly finish a look which another command began."""
    bank: tuple[dict[str, Any], ...] = ()
    """Short successes: see `homebody.agents.processors.examples`."""
    pages: Mapping[str, Any] = field(default_factory=dict)
    """What an environment of pages taught: parameters of `homebody.agents.skills.page_values.OpenAndCompare`, without
    `choose` and `look`."""
    steps: int = 0
    """Environment steps that exploration took."""
    tasks: tuple[str, ...] = ()
    """Ids of the training tasks that were played."""

    @property
    def memory(self) -> dict[str, Any]:
        """The parameters of `homebody.agents.skills.location_memory.LocationMemory`."""
        names = ("hits", "looks", "present", "usual", "crowding", "cost")
        return {name: getattr(self, name) for name in names} | {"finishing": list(self.finishing)}

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Lessons:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        return cls(**fields)


def learn(env: gymnasium.Env[str, str], tasks: Sequence[TaskSpec], budget: int, seed: int = 0) -> Lessons:
    """Explore training tasks and learn from what happened.

    In an environment of pages, `homebody.evolution.evidence.study` does it. Elsewhere about a third of the budget goes to wandering and
    to the shortening of what succeeded, a sixth to looking around, and half to trying out what the successes suggest.

    Args:
        env: the environment.
        tasks: training tasks, at least one.
        budget: about how many environment steps to take.
        seed: of the exploration.
    """
    # Gymnasium's own wrappers cost time; what other people's environments return is to be checked at every step.
    explorer = Explorer(env if isinstance(env, CheckedEnv) else env.unwrapped, seed)
    if budget >= 3 and study.is_paged(explorer, tasks[0]):
        found, names = study.study(explorer, tasks, budget)
        return Lessons(pages=found, steps=explorer.steps, tasks=tuple(names))
    walks: list[Walk] = []
    wins: list[tuple[Walk, list[str]]] = []
    repeats = max(1, budget // (3 * len(tasks) * WALK_LENGTH))
    # One task at a time, whatever is done with it, since loading a task may cost more than playing it.
    for task in tasks:
        for number in range(repeats):
            if explorer.steps < budget // 3:
                walks.append(explorer.wander(task, number, WALK_LENGTH))
                if walks[-1].won and (plan := explorer.shorten(task, [moment.command for moment in walks[-1].moments])):
                    wins.append((walks[-1], plan))
    explore = exploring_forms(walks)
    tours = [explorer.tour(task, explore, 2 * WALK_LENGTH) for task in tasks if explorer.steps < budget // 2]
    kinds = frozenset(wording.kind(entity) for walk in (*walks, *tours) for entity in entities_of(walk))
    toured = [looks.read(tour, explore) for tour in tours]
    scenes = [scene for scene, _ in toured]
    counts = looks.count(scenes)
    ideas = suggest([Plan.of(walk.goal, plan, kinds, explore) for walk, plan in wins])
    goals = {walk.task.task_id: wording.frame(walk.goal, kinds)[0] for walk in walks}
    playable = [task for task in tasks if task.task_id in goals]
    lessons = Lessons(
        explore=explore,
        **{name: getattr(counts, name) for name in Counts.__dataclass_fields__},
        crowding=looks.best_crowding(scenes),
        finishing=looks.finishing_forms(order for _, order in toured),
    )
    frames, support, steps = try_out(env, playable, goals, ideas, acting_forms(walks, explore), explore, lessons.memory, budget // 2)
    frames = looks.with_skips(frames, looks.barren_slots(scenes, counts, kinds))
    bank = solved(explorer, wins, kinds)
    played = {walk.task.task_id for walk in (*walks, *tours)}
    return replace(lessons, frames=frames, support=support, bank=bank, steps=explorer.steps + steps, tasks=tuple(sorted(played)))


def solved(explorer: Explorer, wins: Sequence[tuple[Walk, list[str]]], kinds: frozenset[str]) -> tuple[dict[str, Any], ...]:
    """Return the shortest wins as examples with what was answered: `EXAMPLES` for each form of goal, each with other words in it.

    Args:
        explorer: replays them.
        wins: walks that won, each with the commands that it needed.
        kinds: every word that names a kind of instance.
    """
    forms: dict[str, dict[str, tuple[Walk, list[str]]]] = defaultdict(dict)
    for walk, plan in sorted(wins, key=lambda win: (len(win[1]), win[0].goal, win[0].task.task_id)):
        same = forms[wording.frame(walk.goal, kinds)[0]]
        if len(same) < EXAMPLES and walk.goal not in same:
            same[walk.goal] = (walk, plan)
    bank: list[dict[str, Any]] = []
    for _, chosen in sorted(forms.items()):
        for goal, (walk, plan) in chosen.items():
            answers = explorer.replay(walk.task, plan)
            steps = [{"command": command, "observation": answer} for command, answer in zip(plan, answers, strict=True)]
            bank.append({"goal": goal, "steps": steps})
    return tuple(bank)


def entities_of(walk: Walk) -> set[str]:
    """Return all instance names that a walk met."""
    met = {entity for command in walk.opening for entity in wording.entities(command)}
    for moment in walk.moments:
        met.update(wording.entities(moment.observation))
        for command in moment.admissible:
            met.update(wording.entities(command))
    return met


def exploring_forms(walks: Iterable[Walk]) -> tuple[str, ...]:
    """Return the forms of commands with one argument that bring new names to light, most revealing first.

    A command counts at its first use in a walk; what it reveals are the names in its answer, and in the commands that become
    admissible, that the walk had not met before.
    """
    revealed: dict[str, list[int]] = defaultdict(list)
    for walk in walks:
        met = {entity for command in walk.opening for entity in wording.entities(command)}
        done: set[str] = set()
        for moment in walk.moments:
            now = set(wording.entities(moment.observation))
            now.update(entity for command in moment.admissible for entity in wording.entities(command))
            form, args = wording.template(moment.command)
            if moment.command not in done and len(args) == 1:
                revealed[form].append(len(now - met))
            done.add(moment.command)
            met |= now
    means = {form: sum(values) / len(values) for form, values in revealed.items()}
    top = max(means.values(), default=0.0)
    return tuple(sorted((form for form, mean in means.items() if top and mean >= REVEALING * top), key=lambda form: (-means[form], form)))


def acting_forms(walks: Iterable[Walk], explore: Sequence[str]) -> dict[str, list[frozenset[str]]]:
    """Return the forms of commands with arguments that do not explore, with the kinds seen at each argument."""
    kinds: dict[str, list[set[str]]] = {}
    for walk in walks:
        for moment in walk.moments:
            form, args = wording.template(moment.command)
            if args and form not in explore:
                seen = kinds.setdefault(form, [set() for _ in args])
                for position, entity in enumerate(args):
                    seen[position].add(wording.kind(entity))
    return {form: [frozenset(some) for some in seen] for form, seen in sorted(kinds.items())}
