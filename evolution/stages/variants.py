"""Variants: an edit that helps some goals and hurts others becomes a harness of its own for the former. Forking, rebasing, retirement.

The router is naive Bayes over the words of goals, learned from training outcomes alone. An edit of the harness itself keeps what its
variants change: each is merged again, processor by processor, and one that cannot be is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.spec import HarnessError, HarnessSpec, canonical, route_score
from homebody.agents.record import EpisodeRecord
from homebody.agents.skills import wording

DOUBT = math.log(3)
"""Odds, as a log, that the words of a goal must give before it leaves the harness itself: three to one. Goals of an unknown kind stay."""

Key = tuple[str, int]
"""A processor of a harness: its name, and the how-manieth of that name."""


def learn_route(helped: Sequence[str], hurt: Sequence[str]) -> dict[str, Any]:
    """Learn which goals an edit is for.

    Args:
        helped: goals of training tasks that only the edited harness solves.
        hurt: goals of those that only the present harness solves.

    Returns:
        A route as a harness holds it: for each word the log-odds that a goal with it is helped rather than hurt, add-one smoothed. Words
        that all of these goals have tell nothing, and would weigh something by the smoothing alone: they are left out.
    """
    good, bad = [set(wording.words(goal)) for goal in helped], [set(wording.words(goal)) for goal in hurt]
    goals = [*good, *bad]
    telling = {word for goal in goals for word in goal if not all(word in other for other in goals)}

    def share(word: str, goals: Sequence[set[str]]) -> float:
        return math.log((sum(word in goal for goal in goals) + 1) / (len(goals) + 2))

    return {
        "words": {word: round(share(word, good) - share(word, bad), 3) for word in sorted(telling)},
        "bias": round(-DOUBT, 3),
    }


def fork(
    spec: HarnessSpec, edited: HarnessSpec, before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], name: str
) -> HarnessSpec | None:
    """Make an edit a variant for the goals that it helps.

    Args:
        spec: the present harness.
        edited: the edited one, with the same variants.
        before: training episodes of the present harness.
        after: training episodes of the edited one, on the same tasks in the same order.
        name: of the variant.

    Returns:
        The present harness with one more variant; None where the words of the goals do not tell the tasks that it helps from those that it
        hurts, or where the edit changes more than processors.
    """
    pairs = list(zip(before, after, strict=True))
    helped = [new.goal for old, new in pairs if new.outcome and not old.outcome]
    hurt = [new.goal for old, new in pairs if old.outcome and new.outcome is False]
    if not helped or not hurt:
        return None
    route = learn_route(helped, hurt)
    kept = [goal for goal in helped if route_score(route, goal) > 0]
    if not kept or any(route_score(route, goal) > 0 for goal in hurt):
        return None
    patch = spec.without_variants().diff(edited.without_variants())
    try:
        return spec.with_variants([*spec.variants, {"name": name, "route": route, "patch": patch}])
    except HarnessError:
        return None


def rebase(spec: HarnessSpec, base: HarnessSpec) -> tuple[list[dict[str, Any]], list[str]]:
    """Make the variants of a harness mean the same after an edit of the harness itself.

    Args:
        spec: the harness before the edit, with variants.
        base: the harness after it, without variants.

    Returns:
        The variants for `base`, and the names of those that are dropped: what they change is no longer there, or is done by the harness
        itself, or does not fit it.
    """
    kept: list[dict[str, Any]] = []
    dropped: list[str] = []
    for variant in spec.variants:
        merged = _merge(_entries(spec), _entries(spec.variant(variant)), _entries(base))
        if merged is not None and canonical(merged) != canonical(base.processors):
            patch = base.diff(HarnessSpec({**base.document, "processors": merged}))
            made = {**variant, "patch": patch}
            try:
                base.with_variants([made])
            except HarnessError:
                dropped.append(variant["name"])
            else:
                kept.append(made)
        else:
            dropped.append(variant["name"])
    return kept, dropped


def _entries(spec: HarnessSpec) -> dict[Key, dict[str, Any]]:
    found: dict[Key, dict[str, Any]] = {}
    for item in spec.processors:
        number = sum(use == item["use"] for use, _ in found)
        found[item["use"], number] = item
    return found


def _merge(
    old: Mapping[Key, Mapping[str, Any]], variant: Mapping[Key, Mapping[str, Any]], new: Mapping[Key, Mapping[str, Any]]
) -> list[dict[str, Any]] | None:
    """Carry what a variant changed in `old` over to `new`; None where something that it changed is gone."""
    merged = {key: dict(item) for key, item in new.items() if key not in old or key in variant}
    for key, item in variant.items():
        if key in old and item == old[key]:
            continue
        if key in old and key not in new:
            return None
        if key in merged:
            merged[key] = _merge_entry(old.get(key, {"params": {}}), item, merged[key])
        else:
            merged = _insert(merged, key, dict(item), list(variant))
    return list(merged.values())


def _merge_entry(old: Mapping[str, Any], variant: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Give an entry what the variant changed in it: parameters one by one, everything else as a whole."""
    gone = set(old["params"]) - set(variant["params"])
    params = {name: value for name, value in new["params"].items() if name not in gone}
    params |= {name: value for name, value in variant["params"].items() if name not in old["params"] or old["params"][name] != value}
    rest = {name: value for name, value in variant.items() if name != "params" and old.get(name) != value}
    return {**new, **rest, "params": params}


def _insert(entries: Mapping[Key, dict[str, Any]], key: Key, item: dict[str, Any], order: Sequence[Key]) -> dict[Key, dict[str, Any]]:
    """Put an entry behind the nearest one that stands before it in the variant."""
    earlier = [other for other in order[: order.index(key)] if other in entries]
    place = list(entries).index(earlier[-1]) + 1 if earlier else 0
    items = list(entries.items())
    return dict([*items[:place], (key, item), *items[place:]])
