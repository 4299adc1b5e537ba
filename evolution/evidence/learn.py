"""What training traces teach: how things are named, which commands reveal them, where they usually are, and the subgoals of success.

Each skill has a learner. A learner looks at how a training task begins and says whether its skill applies; one that does not apply takes no
step. What it learns is data for the components of a harness.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, TypedDict

import gymnasium

from homebody.agents import wording
from homebody.agents.skills.goal_parts import PartsTable
from homebody.agents.skills.learned_plan import Plan
from homebody.agents.skills.location_memory import LocationTable
from homebody.agents.skills.names import name_settings
from homebody.agents.skills.page_reading import COMMON
from homebody.agents.skills.page_values import PageTable
from homebody.agents.wording import NUMBERED, Naming
from homebody.envs import CheckedEnv, TaskSpec
from homebody.evolution.evidence import locations, page_values
from homebody.evolution.evidence.explore import Explorer, Walk
from homebody.evolution.evidence.goal_parts import learn_goal_parts
from homebody.evolution.evidence.guided_exploration import GuidedExploration
from homebody.evolution.evidence.locations import LocationCounts
from homebody.evolution.evidence.names import learn_naming, numbered
from homebody.evolution.evidence.plans import RolloutOutcome, RolloutTest, Success, candidate_plans
from homebody.evolution.evidence.readings import readings

LEAST_BUDGET = 3
"""Environment steps with which anything can be learned."""
WALK_LENGTH = 50
PROBED = 4
"""Tasks that are walked through once where the names of instances do not show at the start."""
EXAMPLES = 2
"""Examples that are kept for each goal template."""
REVEALING = 0.2
"""A action schema explores if its first use reveals at least this share of what the most revealing action does."""

Settings = Mapping[str, Mapping[str, Any]]
"""Parameters by processor."""


class ExampleStep(TypedDict):
    """One step of an example."""

    command: str
    observation: str


class Example(TypedDict):
    """A short success: see `homebody.agents.processors.examples`."""

    goal: str
    steps: list[ExampleStep]


@dataclass(frozen=True)
class Skill:
    """A skill that applies: what a harness needs for it."""

    use: str
    """Its processor, of `homebody.agents.skills`."""
    settings: Settings
    """Parameters of it, and of the processors that it needs beside it."""


@dataclass(frozen=True)
class TrainingStatistics:
    """Training statistics: what was learned; every part is JSON and goes into a harness as it is."""

    explore: tuple[str, ...] = ()
    """Action schemas that reveal or give access to things, most revealing first."""
    plans: tuple[Plan, ...] = ()
    """The learned plans: see `homebody.agents.skills.learned_plan`."""
    support: Mapping[str, float] = field(default_factory=dict)
    """Share of rollouts on training tasks that each plan won, by its goal template."""
    hits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Observations of a kind of place that showed a kind of thing: hits[thing][place]."""
    observations: Mapping[str, int] = field(default_factory=dict)
    """Observations of a kind of place."""
    scene_observations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Observations of a kind of place in scenes that held a kind of thing: scene_observations[thing][place]."""
    mean_places: Mapping[str, float] = field(default_factory=dict)
    """Mean number of places of a kind in the scenes that have any."""
    density_exponent: float = 0.0
    """How much the number of places of a kind counts; see `homebody.evolution.evidence.locations.best_density_exponent`."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Mean number of commands of an observation of a kind of place, at least 1."""
    finishing: tuple[str, ...] = ()
    """Action schemas that mostly finish an observation which another command began."""
    bank: tuple[Example, ...] = ()
    """Short successes."""
    kinds: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    """Kinds seen at each argument, sorted, by action of the commands that do not explore."""
    first: tuple[str, ...] = ()
    """Kinds of the instances that tasks begin with, sorted."""
    pages: PageTable | None = None
    """What an environment of pages taught; None elsewhere, and where no task was won."""
    parts: PartsTable | None = None
    """What parts goals have; None where no command has a free slot, and where no two goals are alike."""
    naming: Naming = NUMBERED
    """How instances are named."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Why a skill does not apply to these tasks, by its learner."""
    steps: int = 0
    """Environment steps that exploration took."""
    tasks: tuple[str, ...] = ()
    """Ids of the training tasks that were played."""

    @property
    def memory(self) -> LocationTable:
        """The parameters of `homebody.agents.skills.location_memory.LocationMemory`."""
        return LocationTable(
            hits=self.hits,
            observations=self.observations,
            scene_observations=self.scene_observations,
            mean_places=self.mean_places,
            density_exponent=self.density_exponent,
            cost=self.cost,
            finishing=list(self.finishing),
        )

    @property
    def names(self) -> Settings:
        """What a harness needs in order to tell instances apart; nothing where they are words with numbers."""
        return name_settings(self.naming)

    @property
    def skills(self) -> Mapping[str, Skill]:
        """The skills that apply, by processor."""
        found: dict[str, Settings] = {}
        if self.plans:
            plans = {"plans": list(self.plans), "explore": list(self.explore)}
            found["learned_plan"] = {"visited": {"actions": list(self.explore)}, **self.names, "learned_plan": plans}
        if self.observations:
            found["location_memory"] = {"visited": {"actions": list(self.explore)}, **self.names, "location_memory": dict(self.memory)}
        if self.pages:
            later = ("weights", "threshold")
            found["open_and_compare"] = {"open_and_compare": {key: value for key, value in self.pages.items() if key not in later}}
            found["fill_slot"] = {
                "fill_slot": {"drop": [word for word, share in self.pages["document_frequency"].items() if share >= COMMON]}
            }
        if self.parts:
            found["goal_parts"] = {"goal_parts": dict(self.parts)}
        return {use: Skill(use, settings) for use, settings in found.items()}

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__} | {"naming": asdict(self.naming)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrainingStatistics:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        naming = content["naming"]
        return cls(**{**fields, "naming": Naming(naming["mark"], tuple(naming["actions"]), tuple(naming["names"]))})


class Learner(Protocol):
    """Learns one kind of skill from training tasks."""

    name: str

    def unfit(self, opening: Walk) -> str:
        """Return why its skill does not apply to tasks that begin so; empty where it does."""
        ...

    def learn(self, explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> TrainingStatistics:
        """Learn.

        Args:
            explorer: plays, and counts the steps.
            tasks: training tasks, at least one.
            budget: about how many environment steps to take.
        """
        ...


def learn(env: gymnasium.Env[str, str], tasks: Sequence[TaskSpec], budget: int, seed: int = 0) -> TrainingStatistics:
    """Explore training tasks and learn from what happened, by the first learner whose skill applies.

    Args:
        env: the environment.
        tasks: training tasks, at least one.
        budget: about how many environment steps to take.
        seed: of the exploration.
    """
    if budget < LEAST_BUDGET:
        return TrainingStatistics()
    # Gymnasium's own wrappers cost time; what other people's environments return is to be checked at every step.
    explorer = Explorer(env if isinstance(env, CheckedEnv) else env.unwrapped, seed)
    opening = explorer.open(tasks[0])
    reasons: dict[str, str] = {}
    for learner in LEARNERS:
        reason = learner.unfit(opening)
        if not reason:
            return replace(learner.learn(explorer, tasks, budget), unfit=reasons)
        reasons[learner.name] = reason
    return TrainingStatistics(unfit=reasons)


class PageValueLearner:
    """Learns how successes end in an environment of pages, and which features good pages have."""

    name = "page values"

    def unfit(self, opening: Walk) -> str:
        """Tell that not all commands are calls."""
        return "" if page_values.is_paged(opening) else "not all commands at the start are calls with an argument"

    def learn(self, explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> TrainingStatistics:
        """Walk at random, then play choices to the end."""
        found, names = page_values.learn_page_values(explorer, tasks, budget)
        return TrainingStatistics(pages=found, steps=explorer.steps, tasks=tuple(names))


class PlanLearner:
    """Learns plans and where things are, in an environment whose commands name instances or nothing at all."""

    name = "plans and locations"

    def unfit(self, opening: Walk) -> str:
        """Tell that texts have to be written."""
        return "commands want texts of several lines, which no plan can hold" if opening.slot_lines else ""

    def learn(self, explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> TrainingStatistics:
        """Take random walks and shorten what succeeded, observe everything once, and test by rollouts what the successes suggest.

        About a third of the budget goes to the first, a sixth to the second and half to the third. Where commands have free slots,
        the goals of all tasks say what parts goals have, and tasks with slots are walked through once more with those.
        """
        explorer.naming = naming = _naming(explorer, tasks, budget)
        walks: list[Walk] = []
        wins: list[tuple[Walk, list[str]]] = []
        repeats = max(1, budget // (3 * len(tasks) * WALK_LENGTH))

        def walk(task: TaskSpec, number: int) -> Walk:
            walks.append(explorer.random_walk(task, number, WALK_LENGTH))
            if walks[-1].won and (plan := explorer.shorten(task, [moment.command for moment in walks[-1].moments])):
                wins.append((walks[-1], plan))
            return walks[-1]

        with_slots: list[TaskSpec] = []
        # One task at a time, whatever is done with it, since loading a task may cost more than playing it.
        for task in tasks:
            for number in range(repeats):
                if explorer.steps < budget // 3 and walk(task, number).has_slots and task not in with_slots:
                    with_slots.append(task)
        if with_slots:
            explorer.parts = learn_goal_parts([explorer.open(task).goal for task in tasks])
            for number in range(repeats, 2 * repeats if explorer.parts else repeats):
                for task in with_slots:
                    if explorer.steps < budget // 2:
                        walk(task, number)
        explore = exploring_actions(walks, naming)
        covered = [explorer.coverage_walk(task, explore, 2 * WALK_LENGTH) for task in tasks if explorer.steps < budget // 2]
        kinds = frozenset(naming.kind(entity) for walk in (*walks, *covered) for entity in entities_of(walk, naming))
        read = [locations.read(walk, explore, naming) for walk in covered]
        scenes = [scene for scene, _ in read]
        counts = locations.count(scenes)
        candidates = candidate_plans([Success.of(walk.goal, plan, kinds, explore, naming) for walk, plan in wins], naming)
        goals = {walk.task.task_id: wording.goal_template(walk.goal, kinds)[0] for walk in walks}
        playable = [task for task in tasks if task.task_id in goals]
        acting = changing_actions(walks, explore, naming)
        statistics = TrainingStatistics(
            explore=explore,
            **{name: getattr(counts, name) for name in LocationCounts.__dataclass_fields__},
            density_exponent=locations.best_density_exponent(scenes),
            finishing=locations.finishing_actions(order for _, order in read),
            bank=solved(explorer, wins, kinds),
            kinds={action: [sorted(some) for some in seen] for action, seen in acting.items()},
            first=tuple(sorted({kind for walk in walks for command in walk.opening for kind in naming.kinds(command)})),
            parts=explorer.parts,
            naming=naming,
        )
        meant = readings(statistics) if _are_worded_anew(goals) else None
        if meant is not None:
            guided = GuidedExploration(explorer, acting, statistics.memory, explore, budget // 2)
            wins += guided.run(playable, meant.plans)
            statistics = replace(statistics, bank=solved(explorer, wins, kinds))
            tested = RolloutOutcome((), {}, 0)
        else:
            tested = RolloutTest(explorer.env, playable, goals, explore, statistics.memory, naming, budget // 2).run(candidates, acting)
        plans = locations.with_skips(tested.plans, locations.slots_never_filled(scenes, counts, kinds))
        played = {walk.task.task_id for walk in (*walks, *covered)}
        steps = explorer.steps + tested.steps
        return replace(statistics, plans=plans, support=tested.support, steps=steps, tasks=tuple(sorted(played)))


LEARNERS: Sequence[Learner] = (PageValueLearner(), PlanLearner())
"""In the order in which they are asked."""


def _are_worded_anew(goals: Mapping[str, str]) -> bool:
    """Tell whether most goals have a template of their own, so that no plan can be tested on several tasks of one template."""
    return 2 * len(set(goals.values())) > len(goals) > 1


def _naming(explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> Naming:
    """Return how instances are named: as the first commands show, else as a few random walks do."""
    found = numbered(explorer.open(tasks[0]).opening)
    if found is not None:
        return found
    probes: list[Walk] = []
    for task in tasks[:PROBED]:
        if explorer.steps < budget // 9:
            probes.append(explorer.random_walk(task, len(tasks), WALK_LENGTH))
    commands = (command for walk in probes for command in walk.commands)
    return learn_naming(commands, (text for walk in probes for text in walk.texts))


def solved(explorer: Explorer, wins: Sequence[tuple[Walk, list[str]]], kinds: frozenset[str]) -> tuple[Example, ...]:
    """Return the shortest wins as examples with what was answered: `EXAMPLES` for each goal template, each with other words in it.

    Args:
        explorer: replays them.
        wins: walks that won, each with the commands that it needed.
        kinds: every word that names a kind of instance.
    """
    actions: dict[str, dict[str, tuple[Walk, list[str]]]] = defaultdict(dict)
    for walk, plan in sorted(wins, key=lambda win: (len(win[1]), win[0].goal, win[0].task.task_id)):
        same = actions[wording.goal_template(walk.goal, kinds)[0]]
        if len(same) < EXAMPLES and walk.goal not in same:
            same[walk.goal] = (walk, plan)
    bank: list[Example] = []
    for _, chosen in sorted(actions.items()):
        for goal, (walk, plan) in chosen.items():
            answers = explorer.replay(walk.task, plan)
            steps = [ExampleStep(command=command, observation=answer) for command, answer in zip(plan, answers, strict=True)]
            bank.append(Example(goal=goal, steps=steps))
    return tuple(bank)


def entities_of(walk: Walk, naming: Naming = NUMBERED) -> set[str]:
    """Return all instance names that a walk met."""
    met = {entity for command in walk.opening for entity in naming.entities(command)}
    for moment in walk.moments:
        met.update(naming.entities(moment.observation))
        for command in moment.admissible:
            met.update(naming.entities(command))
    return met


def exploring_actions(walks: Iterable[Walk], naming: Naming = NUMBERED) -> tuple[str, ...]:
    """Return the action schemas with one argument that bring new names to light, most revealing first.

    A command counts at its first use in a walk; what it reveals are the names in its answer, and in the commands that become
    admissible, that the walk had not met before.
    """
    revealed: dict[str, list[int]] = defaultdict(list)
    for walk in walks:
        met = {entity for command in walk.opening for entity in naming.entities(command)}
        done: set[str] = set()
        for moment in walk.moments:
            now = set(naming.entities(moment.observation))
            now.update(entity for command in moment.admissible for entity in naming.entities(command))
            action, args = naming.template(moment.command)
            if moment.command not in done and len(args) == 1:
                revealed[action].append(len(now - met))
            done.add(moment.command)
            met |= now
    means = {action: sum(values) / len(values) for action, values in revealed.items()}
    top = max(means.values(), default=0.0)
    return tuple(
        sorted((action for action, mean in means.items() if top and mean >= REVEALING * top), key=lambda action: (-means[action], action))
    )


def changing_actions(walks: Iterable[Walk], explore: Sequence[str], naming: Naming = NUMBERED) -> dict[str, list[frozenset[str]]]:
    """Return the action schemas with arguments that do not explore, with the kinds seen at each argument."""
    kinds: dict[str, list[set[str]]] = {}
    for walk in walks:
        for moment in walk.moments:
            action, args = naming.template(moment.command)
            if args and action not in explore:
                seen = kinds.setdefault(action, [set() for _ in args])
                for position, entity in enumerate(args):
                    seen[position].add(naming.kind(entity))
    return {action: [frozenset(some) for some in seen] for action, seen in sorted(kinds.items())}
