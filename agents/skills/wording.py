"""What can be read off the wording of commands and observations, with no knowledge of any domain.

Text environments name an instance by a word and a number ("lever 2"). This module finds such names and abstracts them away; it knows
nothing of what the words mean.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ENTITY = re.compile(r"\b([a-z][a-z_-]*) (\d+)\b")
_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


@lru_cache(maxsize=65536)
def entities(text: str) -> tuple[str, ...]:
    """Return the instance names in `text` ("lever 2", "lever 10"), in order of appearance, repeats kept."""
    return tuple(match.group(0) for match in _ENTITY.finditer(text))


@lru_cache(maxsize=65536)
def template(command: str) -> tuple[str, tuple[str, ...]]:
    """Split a command into its form and its arguments: "pull lever 2" gives ("pull #", ("lever 2",))."""
    return _ENTITY.sub("#", command), entities(command)


def kind(entity: str) -> str:
    """Return the word of an instance name: "lever 2" gives "lever"."""
    return entity.rpartition(" ")[0]


@lru_cache(maxsize=65536)
def kinds(text: str) -> frozenset[str]:
    """Return the kinds of all instances that `text` names."""
    return frozenset(kind(entity) for entity in entities(text))


def words(text: str) -> tuple[str, ...]:
    """Return the lower-case words of `text`, punctuation dropped."""
    return tuple(_WORD.findall(text.lower()))


def frame(goal: str, kinds: frozenset[str] | set[str]) -> tuple[str, tuple[str, ...]]:
    """Turn a goal into its frame and the words in its slots.

    Args:
        goal: the goal sentence.
        kinds: words that name kinds of instances; each of them in the goal becomes a slot.

    Returns:
        The frame, with slots written {0}, {1}, ... in order of appearance (one word, one slot), and the words that fill them.
    """
    slots: list[str] = []
    parts: list[str] = []
    for word in words(goal):
        if word in kinds:
            if word not in slots:
                slots.append(word)
            parts.append(f"{{{slots.index(word)}}}")
        else:
            parts.append(word)
    return " ".join(parts), tuple(slots)


@lru_cache(maxsize=4096)
def match_frame(pattern: str, goal: str) -> tuple[str, ...] | None:
    """Match a goal against a frame; return the slots' words, or None if the goal has another frame."""
    parts, found = pattern.split(" "), words(goal)
    if len(parts) != len(found):
        return None
    slots: dict[int, str] = {}
    for part, word in zip(parts, found, strict=True):
        if part.startswith("{"):
            if slots.setdefault(int(part[1:-1]), word) != word:
                return None
        elif part != word:
            return None
    return tuple(slots[index] for index in sorted(slots))
