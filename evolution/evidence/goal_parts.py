"""The parts of goals that differ from goal to goal, learned from the goals of training tasks.

Two goals that are alike but for a few places have those places as parts: what stands there is what this task is about. A template is a
goal with its parts left blank. What mostly stands around parts, as quotation marks do, tells parts in goals that have no known template.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import islice, pairwise

from homebody.agents.skills.goal_parts import PartsTable, blanks_of

ALIKE = 0.5
"""Share of their words and marks that two goals have in common in the same order, at least, to be of one template."""
MOST_COMPARED, MOST_TOKENS = 100, 100
"""Goals with which a goal is compared, and words and marks of a goal that is read, at most."""
LEAST_TEXTS = 3
"""Different texts that a blank holds, at least; so a template needs as many goals."""
WHOLE, FEW = 0.8, 1 / 3
"""A template gives way to another that has its goals and more, and at least this share of its text, where those are at most this share of
the goals of the other."""
ENCLOSED = 0.1
"""Share of the parts that two marks enclose, at least, to tell a part by themselves."""
_TOKEN = re.compile(r"\w+(?:[^\w\s]\w+)*|[^\w\s]")

Span = tuple[int, int]
"""Where a part begins and ends in its goal, in characters."""
Template = tuple[str, ...]
"""The texts around the parts."""


def learn_goal_parts(goals: Sequence[str]) -> PartsTable | None:
    """Learn the goal templates of some goals, those that say most first, and the marks around their parts.

    Returns:
        None where no two goals are alike.
    """
    tokens = {goal: found for goal in dict.fromkeys(goals) if len(found := list(_TOKEN.finditer(goal))) <= MOST_TOKENS}
    # Goals of one template begin or end alike, or nearly all do: to compare all with all would take too long.
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for goal, found in tokens.items():
        for end in _ends(found):
            alike[end].append(goal)
    templates = {
        _template(goal, parts)
        for goal, found in tokens.items()
        for other in islice(dict.fromkeys(other for end in _ends(found) for other in alike[end] if other != goal), MOST_COMPARED)
        if (parts := _parts(found, tokens[other]))
    }
    kept = _needed(templates, list(tokens))
    if not kept:
        return None
    around = Counter(pair for template in kept for pair in pairwise(template))
    marks: Counter[tuple[str, str]] = Counter()
    for (before, after), count in around.items():
        if before and after and _is_mark(before[-1]) and _is_mark(after[0]):
            marks[before[-1], after[0]] += count
    often = sorted(pair for pair, count in marks.items() if count >= ENCLOSED * around.total())
    return PartsTable(templates=[list(template) for template in kept], marks=[list(pair) for pair in often])


def _needed(templates: Iterable[Template], goals: Sequence[str]) -> list[Template]:
    """Return the templates that goals are likely to be made from, those that say most first.

    A blank has to hold several texts; where it holds two in many goals, those are rather two templates. A template of a few goals that
    happen to share a part gives way to the one that has this part blank.
    """
    having: dict[Template, frozenset[str]] = {}
    for template in templates:
        found = {goal: blanks for goal in goals if (blanks := blanks_of(template, goal))}
        if found and all(len(set(texts)) >= LEAST_TEXTS for texts in zip(*found.values(), strict=True)):
            having[template] = frozenset(found)
    size = {template: len("".join(template)) for template in having}

    def is_chance(one: Template, other: Template) -> bool:
        is_narrower = having[one] < having[other] and len(having[one]) <= FEW * len(having[other])
        return is_narrower and size[other] >= WHOLE * size[one]

    kept = [one for one in having if not any(is_chance(one, other) for other in having)]
    return sorted(kept, key=lambda template: (-size[template], template))


def _ends(tokens: Sequence[re.Match[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the last two words or marks of a goal, and its first."""
    found = tuple(token[0] for token in tokens)
    return (("", *found[-2:]), (found[0],)) if found else ()


def _is_mark(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


def _parts(own: Sequence[re.Match[str]], other: Sequence[re.Match[str]]) -> tuple[Span, ...]:
    """Return the parts of the first of two goals; none where they are of different templates."""
    matcher = SequenceMatcher(None, [token[0] for token in own], [token[0] for token in other], autojunk=False)
    if matcher.real_quick_ratio() < ALIKE or matcher.ratio() < ALIKE:
        return ()
    steps = [(kind, start, end) for kind, start, end, _, _ in matcher.get_opcodes() if kind != "equal"]
    if any(kind != "replace" for kind, _, _ in steps):
        return ()
    return tuple((own[start].start(), own[end - 1].end()) for _, start, end in steps)


def _template(goal: str, parts: Sequence[Span]) -> Template:
    """Return the texts around the parts of a goal."""
    edges = [0, *(edge for part in parts for edge in part), len(goal)]
    return tuple(goal[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
