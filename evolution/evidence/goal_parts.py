"""The parts of goals that differ from goal to goal, learned from the goals of training tasks.

Two goals that are alike but for a few places have those places as parts: what stands there is what this task is about. A template is a
goal with its parts left blank. What mostly stands around parts, as quotation marks do, tells parts in goals that have no known template.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from homebody.agents.skills.goal_parts import PartsTable, parts_of

ALIKE = 0.5
"""Share of their words and marks that two goals have in common in the same order, at least, to be of one template."""
LEAST_GOALS = 2
"""Goals that have a template, at least."""
WHOLE = 0.6
"""Share of the text of a template that another one has, at least, to take its place."""
ENCLOSED = 0.1
"""Share of the parts that two marks enclose, at least, to tell a part by themselves."""
_TOKEN = re.compile(r"\w+(?:[^\w\s]\w+)*|[^\w\s]")

Span = tuple[int, int]
"""Where a part begins and ends in its goal, in characters."""


def learn_goal_parts(goals: Sequence[str]) -> PartsTable | None:
    """Learn the goal templates of some goals, those that say most first, and the marks around their parts.

    Returns:
        None where no two goals are alike.
    """
    goals = list(dict.fromkeys(goals))
    tokens = {goal: list(_TOKEN.finditer(goal)) for goal in goals}
    # Goals of one template begin or end alike, or nearly all do: to compare all with all would take too long.
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for goal, found in tokens.items():
        for end in _ends(found):
            alike[end].append(goal)
    templates: dict[tuple[str, ...], None] = {}
    for goal, found in tokens.items():
        others = dict.fromkeys(other for end in _ends(found) for other in alike[end] if other != goal)
        parted = (_parted(found, tokens[other]) for other in others)
        nearest = max((pair for pair in parted if pair is not None), key=lambda pair: pair[0], default=None)
        if nearest is not None:
            templates[_template(goal, nearest[1])] = None
    having = {template: frozenset(goal for goal in goals if parts_of(goal, [template], [])) for template in templates}
    size = {template: len("".join(template)) for template in having}
    kept = sorted((one for one, some in having.items() if len(some) >= LEAST_GOALS), key=lambda one: (-size[one], one))
    # Where goals happen to share a part, the template of their kind has it blank, and says nearly as much.
    kept = [one for one in kept if not any(having[one] < having[other] and size[other] >= WHOLE * size[one] for other in kept)]
    if not kept:
        return None
    around = Counter(pair for template in kept for pair in pairwise(template))
    marks: Counter[tuple[str, str]] = Counter()
    for (before, after), count in around.items():
        if before and after and _is_mark(before[-1]) and _is_mark(after[0]):
            marks[before[-1], after[0]] += count
    often = sorted(pair for pair, count in marks.items() if count >= ENCLOSED * around.total())
    return PartsTable(templates=[list(template) for template in kept], marks=[list(pair) for pair in often])


def _ends(tokens: Sequence[re.Match[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the first word of a goal, and its last two words or marks."""
    found = tuple(token[0] for token in tokens)
    return ((found[0],), ("", *found[-2:])) if found else ()


def _is_mark(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


def _parted(own: Sequence[re.Match[str]], other: Sequence[re.Match[str]]) -> tuple[float, tuple[Span, ...]] | None:
    """Return how alike two goals are, and the parts of the first; None where they are of different templates."""
    matcher = SequenceMatcher(None, [token[0] for token in own], [token[0] for token in other], autojunk=False)
    steps = [(kind, start, end) for kind, start, end, _, _ in matcher.get_opcodes() if kind != "equal"]
    if matcher.ratio() < ALIKE or not steps or any(kind != "replace" for kind, _, _ in steps):
        return None
    return matcher.ratio(), tuple((own[start].start(), own[end - 1].end()) for _, start, end in steps)


def _template(goal: str, parts: Sequence[Span]) -> tuple[str, ...]:
    """Return the texts around the parts of a goal."""
    edges = [0, *(edge for part in parts for edge in part), len(goal)]
    return tuple(goal[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
