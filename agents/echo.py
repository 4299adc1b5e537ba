"""What a harness wrote into a prompt by itself: the command that it would have a model copy.

A list of candidates is no advice, and what the environment said is not the harness's: both are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.models.backend import CUT
from homebody.agents.processors.context import grouped


def last_written(event: BeforeModel) -> str:
    """Return the admissible command that the harness wrote last into the prompt, outside of lists of candidates; or ""."""
    world = f"{event.env_text}\nGoal: {event.goal}"  # as an episode writes the goal where the opening does not say it
    lines = _without_groups(event.content.replace(CUT, "\n"), event.candidates)
    return _outside_rows("\n".join(line for line in lines if line not in world), event)


def _without_groups(text: str, candidates: Sequence[str]) -> list[str]:
    """Return the lines of a text, stripped, without candidates listed in groups, as `show_candidates` may list them."""
    groups = set(grouped(candidates))
    mark = "\0"  # Stands for a group; no text of a prompt holds it.
    for group in sorted(groups - set(candidates), key=len, reverse=True):
        text = text.replace(group, f"\n{mark}\n")
    kept: list[str] = []
    for is_listed, lines in groupby(filter(None, map(str.strip, text.splitlines())), lambda line: line == mark or line in groups):
        run = list(lines)
        kept += run if not is_listed or run == run[:1] != [mark] else []
    return kept


def _outside_rows(text: str, event: BeforeModel) -> str:
    """Return the last command in a text that is no item of a list.

    A list is a row of several commands with nothing but marks between them. One that stands there more often than the others was
    written beside the list.
    """
    rows: list[list[str]] = []
    end = 0
    for span in _mentions(text, event):
        if not rows or re.search(r"[^\W\d_]", text[end : span[0]]):
            rows.append([])
        rows[-1].append(text[slice(*span)])
        end = span[1]
    for row in reversed(rows):
        (command, times), *others = Counter(row).most_common(2)
        if not others or times > others[0][1]:
            return command
    return ""


def _mentions(text: str, event: BeforeModel) -> list[tuple[int, int]]:
    """Return where commands stand in a text, from left to right: the longest of those that begin at one place, none within another."""
    forms = sorted({*event.candidates, *event.admissible, *event.tools}, key=lambda form: (-len(form), form))
    if not forms:
        return []
    patterns = [r"([^\n]+?)".join(map(re.escape, form.split(SLOT))) for form in forms]
    one_of = re.compile("|".join(rf"(?<!\w){pattern}(?!\w)" for pattern in patterns))
    return [found.span() for found in one_of.finditer(text)]
