"""What can be read off the wording of commands and observations: instances, action schemas, goal templates.

How an environment names its instances is data, a `Naming`. Evolution learns it from training tasks;
`homebody.evolution.evidence.names` says how. A harness holds it as its component `names`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_SLOT = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True)
class Naming:
    """How the commands and texts of an environment name instances.

    Either an instance is a word and a number ("lever 2"), and "lever" is its kind; or instances have
    names of their own ("brass key"), which are their kinds, too. Names of their own are found in a
    command by its action and in a text by the list of those met in training.
    """

    mark: str = " "
    """What stands between the word and the number."""
    actions: tuple[str, ...] = ()
    """Action schemas with # for each instance; none: instances are words with numbers."""
    names: tuple[str, ...] = ()
    """Names of their own, in lower case."""

    @property
    def is_numbered(self) -> bool:
        """Whether an instance is a word and a number."""
        return not self.actions

    def entities(self, text: str) -> tuple[str, ...]:
        """Return the instance names in a command or a text, in order of appearance, repeats kept."""
        return _entities(self, text)

    def template(self, command: str) -> tuple[str, tuple[str, ...]]:
        """Split a command into its action and its arguments.

        "pull lever 2" gives ("pull #", ("lever 2",)).
        """
        return _template(self, command)

    def kind(self, entity: str) -> str:
        """Return the kind of an instance: the word of "lever 2", and the whole of "brass key"."""
        if self.is_numbered:
            return entity.rstrip("0123456789").removesuffix(self.mark)
        return " ".join(words(entity)) or entity.lower()

    def kinds(self, text: str) -> frozenset[str]:
        """Return the kinds of all instances that a text names."""
        return _kinds(self, text)

    def match(self, template: str, goal: str) -> tuple[str, ...] | None:
        """Match a goal against a goal template.

        Returns:
            The words in its slots; None where the goal has another template.
        """
        return _match(template, " ".join(words(goal)), self.is_numbered)


FUNCTION_WORDS = frozenset(["a", "an", "the", "some", "it", "in", "on", "at", "to", "of", "for", "from", "with", "by", "and", "or", "is"])
"""Words of English that say nothing of what a goal is about."""

NUMBERED = Naming()
"""Instances are words with numbers."""


@lru_cache(maxsize=65536)
def _entities(naming: Naming, text: str) -> tuple[str, ...]:
    if naming.is_numbered:
        return tuple(match.group(0) for match in _numbered(naming.mark).finditer(text))
    action, args = naming.template(text)
    if action != text:
        return args
    listed = _listed(naming)
    return tuple(match.group(0).lower() for match in listed.finditer(text)) if listed else ()


@lru_cache(maxsize=65536)
def _template(naming: Naming, command: str) -> tuple[str, tuple[str, ...]]:
    if naming.is_numbered:
        return _numbered(naming.mark).sub("#", command), naming.entities(command)
    for action, pattern in _patterns(naming):
        if match := pattern.fullmatch(command):
            return action, tuple(arg.lower() for arg in match.groups())
    return command, ()


@lru_cache(maxsize=65536)
def _kinds(naming: Naming, text: str) -> frozenset[str]:
    return frozenset(naming.kind(entity) for entity in naming.entities(text))


@lru_cache(maxsize=64)
def _numbered(mark: str) -> re.Pattern[str]:
    return re.compile(rf"\b[a-z][a-z_-]*{re.escape(mark)}\d+\b")


@lru_cache(maxsize=64)
def _listed(naming: Naming) -> re.Pattern[str] | None:
    ranked = sorted(naming.names, key=lambda name: (-len(name), name))
    found = "|".join(map(re.escape, ranked))
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)", re.IGNORECASE) if found else None


@lru_cache(maxsize=64)
def _patterns(naming: Naming) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the actions as patterns, those that say most first."""
    ranked = sorted(naming.actions, key=lambda action: (-len(action.replace("#", "")), action))
    return tuple((action, re.compile(re.escape(action).replace(r"\#", "(.+?)"))) for action in ranked)


@lru_cache(maxsize=4096)
def _match(template: str, goal: str, is_one_word: bool) -> tuple[str, ...] | None:
    slot = r"\S+" if is_one_word else r"\S+(?: \S+)*?"
    pattern, seen = "", set[str]()
    for number, part in enumerate(_SLOT.split(template)):
        if number % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P=s{part})" if part in seen else f"(?P<s{part}>{slot})"
            seen.add(part)
    match = re.fullmatch(pattern, goal)
    return tuple(match[f"s{part}"] for part in sorted(seen, key=int)) if match else None


def words(text: str) -> tuple[str, ...]:
    """Return the lower-case words of `text`, punctuation dropped."""
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=65536)
def content_words(text: str) -> frozenset[str]:
    """Return the words of a text that say what it is about, a plural's s dropped; no numbers, no function words."""
    found = (word for word in words(text) if word not in FUNCTION_WORDS and not word.isdigit())
    return frozenset(word.removesuffix("s") if len(word) > 3 else word for word in found)


def goal_template(goal: str, kinds: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Turn a goal into its template and the words in its slots.

    Args:
        goal: the goal sentence.
        kinds: kinds of instances, each of one word or of several; where the goal has one, the
            longest of those that begin there, it becomes a slot.

    Returns:
        The template, with slots written {0}, {1}, ... in order of appearance (one kind, one slot),
        and the kinds that fill them.
    """
    found = words(goal)
    longest = max((kind.count(" ") + 1 for kind in kinds), default=1)
    slots: list[str] = []
    parts: list[str] = []
    place = 0
    while place < len(found):
        phrases = (" ".join(found[place : place + size]) for size in range(longest, 0, -1))
        kind = next((phrase for phrase in phrases if phrase in kinds), None)
        if kind is None:
            parts.append(found[place])
            place += 1
            continue
        if kind not in slots:
            slots.append(kind)
        parts.append(f"{{{slots.index(kind)}}}")
        place += kind.count(" ") + 1
    return " ".join(parts), tuple(slots)


def own_words(template: str) -> tuple[str, ...]:
    """Return the words of a goal template that are not slots."""
    return tuple(part for part in template.split(" ") if not part.startswith("{"))
