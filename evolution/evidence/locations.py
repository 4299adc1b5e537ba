"""Where things stood, counted over coverage walks of training tasks, and what these counts say of a place that was never seen.

A coverage walk observes everything once. A place is what an exploring command names, and a thing is what the answer names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from homebody.agents import wording
from homebody.agents.skills.learned_plan import Plan
from homebody.agents.wording import NUMBERED, Naming
from homebody.evolution.evidence.explore import Walk

DENSITY_EXPONENTS = (0.0, 0.5, 1.0)
"""The values of `density_exponent` among which the coverage walks decide."""
FOLDS = 4
"""Parts into which the walks are split for that."""
PSEUDO = 2.0
"""Observations that the mean rate is worth while they do; the default of `homebody.agents.skills.location_memory.LocationMemory`."""
SURE = 3.0
"""Hits to be expected, at least, before none at all makes a rule: by chance none has a probability of exp(-3), 5%."""


@dataclass(frozen=True)
class Observation:
    """A complete observation of one place: no exploring command on it was left to do."""

    place: str
    """The kind of the place."""
    cost: int
    """Commands that it took."""
    things: frozenset[str]
    """Kinds that its last answer named."""


@dataclass(frozen=True)
class Scene:
    """What one coverage walk found."""

    goal: str
    observations: tuple[Observation, ...]

    @cached_property
    def number(self) -> Counter[str]:
        """Places of each kind."""
        return Counter(observation.place for observation in self.observations)

    @cached_property
    def things(self) -> frozenset[str]:
        """Kinds of things that stood anywhere."""
        return frozenset(thing for observation in self.observations for thing in observation.things)

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Kinds of things that stood somewhere and that the goal names, sorted."""
        return tuple(sorted(wording.goal_template(self.goal, self.things)[1]))


@dataclass(frozen=True)
class LocationCounts:
    """Sums over scenes, under the names of the parameters of `homebody.agents.skills.location_memory.LocationMemory`."""

    hits: Mapping[str, Mapping[str, int]]
    observations: Mapping[str, int]
    scene_observations: Mapping[str, Mapping[str, int]]
    mean_places: Mapping[str, float]
    cost: Mapping[str, float]

    def rate(self, wanted: str, place: str) -> float:
        """Return the share of observations of such a place that showed the wanted kind, in scenes that held it; 0 without any."""
        observations = self.scene_observations.get(wanted, {}).get(place, 0)
        return self.hits.get(wanted, {}).get(place, 0) / observations if observations else 0.0


def read(walk: Walk, explore: Sequence[str], naming: Naming = NUMBERED) -> tuple[Scene, dict[str, list[int]]]:
    """Read a coverage walk: its observations, and for each exploring action how many commands on the place preceded each use."""
    done: set[str] = set()
    spent: Counter[str] = Counter()
    order: dict[str, list[int]] = defaultdict(list)
    observations: list[Observation] = []
    for moment in walk.moments:
        action, (place, *_) = naming.template(moment.command)
        done.add(moment.command)
        order[action].append(spent[place])
        spent[place] += 1
        if any(c not in done and naming.template(c)[0] in explore and naming.entities(c) == (place,) for c in moment.admissible):
            continue
        things = frozenset(naming.kind(entity) for entity in naming.entities(moment.observation) if entity != place)
        observations.append(Observation(naming.kind(place), spent[place], things))
    return Scene(walk.goal, tuple(observations)), order


def finishing_actions(orders: Iterable[Mapping[str, Sequence[int]]]) -> tuple[str, ...]:
    """Return the action schemas that mostly finish a observation that another command began, sorted; see `read` for the orders."""
    before: dict[str, list[int]] = defaultdict(list)
    for order in orders:
        for action, values in order.items():
            before[action] += values
    return tuple(sorted(action for action, values in before.items() if 2 * sum(map(bool, values)) > len(values)))


def count(scenes: Iterable[Scene]) -> LocationCounts:
    """Sum up what stood where."""
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    scene_observations: dict[str, Counter[str]] = defaultdict(Counter)
    observations: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    having: Counter[str] = Counter()
    for scene in scenes:
        observations.update(scene.number)
        having.update(scene.number.keys())
        for thing in scene.things:
            scene_observations[thing].update(scene.number)
        for observation in scene.observations:
            commands[observation.place] += observation.cost
            for thing in observation.things:
                hits[thing][observation.place] += 1
    return LocationCounts(
        {thing: dict(sorted(hits[thing].items())) for thing in sorted(hits)},
        dict(sorted(observations.items())),
        {thing: dict(sorted(scene_observations[thing].items())) for thing in sorted(scene_observations)},
        {place: round(observations[place] / having[place], 3) for place in sorted(observations)},
        {place: round(commands[place] / observations[place], 3) for place in sorted(observations)},
    )


def best_density_exponent(scenes: Sequence[Scene]) -> float:
    """Return the value of `DENSITY_EXPONENTS` by which goals' things are found soonest in scenes that were left out of the counts.

    Scenes with the same places are left out together: they may be one scene in several tasks. Of equals the smallest.
    """
    layouts = sorted({tuple(sorted(scene.number.items())) for scene in scenes})
    fold = {layout: number % FOLDS for number, layout in enumerate(layouts)}
    parts: list[list[Scene]] = [[] for _ in range(FOLDS)]
    for scene in scenes:
        parts[fold[tuple(sorted(scene.number.items()))]].append(scene)
    costs = dict.fromkeys(DENSITY_EXPONENTS, 0.0)
    for part in parts:
        counts = count(scene for other in parts if other is not part for scene in other)
        for scene in part:
            for thing in scene.wanted:
                for density_exponent in DENSITY_EXPONENTS:
                    costs[density_exponent] += search_cost(scene, thing, counts, density_exponent)
    return min(DENSITY_EXPONENTS, key=lambda value: (round(costs[value], 6), value))


def search_cost(scene: Scene, wanted: str, counts: LocationCounts, density_exponent: float) -> float:
    """Return the mean number of commands until the wanted kind is found, places of one kind being searched in random order."""
    hits, observations = counts.hits.get(wanted, {}), counts.scene_observations.get(wanted) or counts.observations
    mean = sum(hits.get(place, 0) for place in scene.number) / max(1, sum(observations.get(place, 0) for place in scene.number))

    def worth(place: str) -> float:
        rate = (hits.get(place, 0) + PSEUDO * max(mean, 1e-6)) / (observations.get(place, 0) + PSEUDO)
        sparse: float = (counts.mean_places.get(place, 1.0) / scene.number[place]) ** density_exponent
        return rate * sparse / counts.cost.get(place, 1.0)

    spent = 0.0
    for place in sorted(scene.number, key=lambda place: (-worth(place), place)):
        here = [observation for observation in scene.observations if observation.place == place]
        each = sum(observation.cost for observation in here) / len(here)
        found = sum(wanted in observation.things for observation in here)
        if found:
            return spent + each * (len(here) + 1) / (found + 1)
        spent += each * len(here)
    return spent


def slots_never_filled(scenes: Iterable[Scene], counts: LocationCounts, kinds: frozenset[str]) -> dict[str, list[str]]:
    """Find the slots of goals that name places where none of the goal's things ever stood, though elsewhere they do stand there.

    Args:
        scenes: the coverage walks' scenes.
        counts: over the same scenes.
        kinds: every word that names a kind of instance.

    Returns:
        For each goal template that has any, its slots as `{n}`.
    """
    found: Counter[tuple[str, str]] = Counter()
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for scene in scenes:
        template, slots = wording.goal_template(scene.goal, kinds)
        things = scene.things.intersection(slots)
        for number, place in enumerate(slots):
            for observation in scene.observations:
                if observation.place == place:
                    key = (template, f"{{{number}}}")
                    found[key] += len(things & observation.things)
                    expected[key] += sum(counts.rate(thing, place) for thing in sorted(things))
    never: dict[str, list[str]] = defaultdict(list)
    for (template, slot), hits in sorted(expected.items()):
        if hits >= SURE and not found[template, slot]:
            never[template].append(slot)
    return dict(never)


def with_skips(plans: Iterable[Plan], never: Mapping[str, list[str]]) -> tuple[Plan, ...]:
    """Add to plans the slots that `slots_never_filled` found for their goals."""
    return tuple(Plan(**plan, skip=never[plan["goal"]]) if plan["goal"] in never else plan for plan in plans)
