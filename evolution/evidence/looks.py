"""Where things stood, counted over tours of training tasks, and what these counts say of a place that was never seen.

A tour is a walk that looks at everything once. Nothing here knows a domain: a place is what an exploring command names, and a thing is
what the answer names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from homebody.agents.skills import wording
from homebody.evolution.evidence.explore import Walk

CROWDING = (0.0, 0.5, 1.0)
"""The values of `crowding` among which the tours decide."""
FOLDS = 4
"""Parts into which the tours are split for that."""
PSEUDO = 2.0
"""Looks that the mean rate is worth while they do; the default of `homebody.agents.skills.location_memory.LocationMemory`."""
SURE = 3.0
"""Hits to be expected, at least, before none at all makes a rule: by chance none has a probability of exp(-3), 5%."""


@dataclass(frozen=True)
class Look:
    """A complete look at one place: no exploring command on it was left to do."""

    place: str
    """The kind of the place."""
    cost: int
    """Commands that it took."""
    things: frozenset[str]
    """Kinds that its last answer named."""


@dataclass(frozen=True)
class Scene:
    """What one tour found."""

    goal: str
    looks: tuple[Look, ...]

    @cached_property
    def number(self) -> Counter[str]:
        """Places of each kind."""
        return Counter(look.place for look in self.looks)

    @cached_property
    def things(self) -> frozenset[str]:
        """Kinds of things that stood anywhere."""
        return frozenset(thing for look in self.looks for thing in look.things)


@dataclass(frozen=True)
class Counts:
    """Sums over scenes, under the names of the parameters of `homebody.agents.skills.location_memory.LocationMemory`."""

    hits: Mapping[str, Mapping[str, int]]
    looks: Mapping[str, int]
    present: Mapping[str, Mapping[str, int]]
    usual: Mapping[str, float]
    cost: Mapping[str, float]

    def rate(self, wanted: str, place: str) -> float:
        """Return the share of looks at such a place that showed the wanted kind, in scenes that held it; 0 without any look."""
        looks = self.present.get(wanted, {}).get(place, 0)
        return self.hits.get(wanted, {}).get(place, 0) / looks if looks else 0.0


def read(walk: Walk, explore: Sequence[str]) -> tuple[Scene, dict[str, list[int]]]:
    """Read a tour: its looks, and for each exploring form how many commands on the same place had gone before each use."""
    done: set[str] = set()
    spent: Counter[str] = Counter()
    order: dict[str, list[int]] = defaultdict(list)
    looks: list[Look] = []
    for moment in walk.moments:
        form, (place, *_) = wording.template(moment.command)
        done.add(moment.command)
        order[form].append(spent[place])
        spent[place] += 1
        if any(c not in done and wording.template(c)[0] in explore and wording.entities(c) == (place,) for c in moment.admissible):
            continue
        things = frozenset(wording.kind(entity) for entity in wording.entities(moment.observation) if entity != place)
        looks.append(Look(wording.kind(place), spent[place], things))
    return Scene(walk.goal, tuple(looks)), order


def finishing_forms(orders: Iterable[Mapping[str, Sequence[int]]]) -> tuple[str, ...]:
    """Return the forms of commands that mostly finish a look that another command began, sorted; see `read` for the orders."""
    before: dict[str, list[int]] = defaultdict(list)
    for order in orders:
        for form, values in order.items():
            before[form] += values
    return tuple(sorted(form for form, values in before.items() if 2 * sum(map(bool, values)) > len(values)))


def count(scenes: Iterable[Scene]) -> Counts:
    """Sum up what stood where."""
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    present: dict[str, Counter[str]] = defaultdict(Counter)
    looks: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    having: Counter[str] = Counter()
    for scene in scenes:
        looks.update(scene.number)
        having.update(scene.number.keys())
        for thing in scene.things:
            present[thing].update(scene.number)
        for look in scene.looks:
            commands[look.place] += look.cost
            for thing in look.things:
                hits[thing][look.place] += 1
    return Counts(
        {thing: dict(sorted(hits[thing].items())) for thing in sorted(hits)},
        dict(sorted(looks.items())),
        {thing: dict(sorted(present[thing].items())) for thing in sorted(present)},
        {place: round(looks[place] / having[place], 3) for place in sorted(looks)},
        {place: round(commands[place] / looks[place], 3) for place in sorted(looks)},
    )


def best_crowding(scenes: Sequence[Scene]) -> float:
    """Return the value of `CROWDING` by which goals' things are found soonest in scenes that were left out of the counts.

    Scenes with the same places are left out together: they may be one scene in several tasks. Of equals the smallest.
    """
    layouts = sorted({tuple(sorted(scene.number.items())) for scene in scenes})
    fold = {layout: number % FOLDS for number, layout in enumerate(layouts)}
    parts: list[list[Scene]] = [[] for _ in range(FOLDS)]
    for scene in scenes:
        parts[fold[tuple(sorted(scene.number.items()))]].append(scene)
    costs = dict.fromkeys(CROWDING, 0.0)
    for part in parts:
        counts = count(scene for other in parts if other is not part for scene in other)
        for scene in part:
            for thing in sorted(scene.things.intersection(wording.words(scene.goal))):
                for crowding in CROWDING:
                    costs[crowding] += search_cost(scene, thing, counts, crowding)
    return min(CROWDING, key=lambda crowding: (round(costs[crowding], 6), crowding))


def search_cost(scene: Scene, wanted: str, counts: Counts, crowding: float) -> float:
    """Return the mean number of commands until the wanted kind is found, places of one kind being searched in random order."""
    hits, looks = counts.hits.get(wanted, {}), counts.present.get(wanted) or counts.looks
    mean = sum(hits.get(place, 0) for place in scene.number) / max(1, sum(looks.get(place, 0) for place in scene.number))

    def worth(place: str) -> float:
        rate = (hits.get(place, 0) + PSEUDO * max(mean, 1e-6)) / (looks.get(place, 0) + PSEUDO)
        sparse: float = (counts.usual.get(place, 1.0) / scene.number[place]) ** crowding
        return rate * sparse / counts.cost.get(place, 1.0)

    spent = 0.0
    for place in sorted(scene.number, key=lambda place: (-worth(place), place)):
        here = [look for look in scene.looks if look.place == place]
        each = sum(look.cost for look in here) / len(here)
        found = sum(wanted in look.things for look in here)
        if found:
            return spent + each * (len(here) + 1) / (found + 1)
        spent += each * len(here)
    return spent


def barren_slots(scenes: Iterable[Scene], counts: Counts, kinds: frozenset[str]) -> dict[str, list[str]]:
    """Find the slots of goals that name places where none of the goal's things ever stood, though elsewhere they do stand there.

    Args:
        scenes: the tours' scenes.
        counts: over the same scenes.
        kinds: every word that names a kind of instance.

    Returns:
        For each form of goal that has any, its slots as `{n}`.
    """
    found: Counter[tuple[str, str]] = Counter()
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for scene in scenes:
        frame, slots = wording.frame(scene.goal, kinds)
        things = scene.things.intersection(slots)
        for number, place in enumerate(slots):
            for look in scene.looks:
                if look.place == place:
                    key = (frame, f"{{{number}}}")
                    found[key] += len(things & look.things)
                    expected[key] += sum(counts.rate(thing, place) for thing in sorted(things))
    barren: dict[str, list[str]] = defaultdict(list)
    for (frame, slot), hits in sorted(expected.items()):
        if hits >= SURE and not found[frame, slot]:
            barren[frame].append(slot)
    return dict(barren)


def with_skips(frames: Iterable[Mapping[str, Any]], barren: Mapping[str, list[str]]) -> tuple[dict[str, Any], ...]:
    """Add to a learned_plan's frames the slots that `barren_slots` found for their goals."""
    return tuple({**frame, **({"skip": barren[frame["goal"]]} if frame["goal"] in barren else {})} for frame in frames)
