"""Variants: an edit that helps some goals and hurts others becomes a harness of its own for the former. Forking, rebasing, retirement.

The router is naive Bayes over the words of goals, learned from training outcomes alone. An edit of the harness itself keeps what its
variants change: their patches name components by id, and one whose patch no longer applies is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from homebody.agents import wording
from homebody.agents.harness.spec import HarnessError, HarnessSpec, route_score
from homebody.agents.record import EpisodeRecord

DOUBT = math.log(3)
"""Odds, as a log, that the words of a goal must give before it leaves the harness itself: three to one. Goals of an unknown kind stay."""


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
        hurts, or where the edit changes more than components.
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
    """Keep the variants of a harness that still mean something after an edit of the harness itself.

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
        try:
            base.with_variants([variant])
        except HarnessError:
            dropped.append(variant["name"])
        else:
            kept.append(variant)
    return kept, dropped
