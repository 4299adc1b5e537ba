"""How an environment names its instances, learned from the commands and texts of training tasks.

Where commands name instances by a word and a number, the mark between the two is all there is to learn. Elsewhere names are what commands
have in each other's place: a phrase that the environment's texts use, too, and that stands in some command where another such phrase
stands in another. Which of those phrases are names is decided by description length: a name that takes more words than it saves in
the action schemas is none.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from homebody.agents.wording import NUMBERED, Naming

MOST_WORDS = 4
"""Words of a name, at most."""
MOST_COMMANDS = 400
"""Commands that are read, at most, those first met."""
NUMBERED_SHARE = 0.25
"""Share of the commands, at least, that name instances by numbers where instances are numbered."""
_NUMBERED = re.compile(r"\b[a-z][a-z_-]*?([^\w\s]|[ _-]|)\d+\b")
_TOKEN = re.compile(r"\{text\}|\w+(?:[-']\w+)*|[^\w\s]")

Span = tuple[int, int]


def numbered(commands: Iterable[str]) -> Naming | None:
    """Return how commands number their instances; None where too few of them do."""
    commands = list(commands)
    marks = Counter(match[1] for command in commands if (match := _NUMBERED.search(command)))
    if not commands or marks.total() < NUMBERED_SHARE * len(commands):
        return None
    return Naming(min(marks, key=lambda mark: (-marks[mark], mark)))


def learn_naming(commands: Iterable[str], texts: Iterable[str]) -> Naming:
    """Learn how instances are named.

    Args:
        commands: what was on offer.
        texts: what the environment said: observations and goals.

    Returns:
        Numbers where commands have them; names of their own where there are any; else numbers, which then are not met.
    """
    offered = list(dict.fromkeys(commands))[:MOST_COMMANDS]
    found = numbered(offered)
    if found is not None:
        return found
    tokens = {command: list(_TOKEN.finditer(command)) for command in offered}
    split = {command: tuple(match[0].lower() for match in found) for command, found in tokens.items()}
    names = _needed(_exchangeable(split.values(), _phrases(texts)), [words for words in split.values() if words])
    actions: dict[str, None] = {}
    met: set[str] = set()
    for command, words in split.items():
        spans = _spans(words, names)
        action = command
        for start, end in reversed(spans):
            first, last = tokens[command][start].start(), tokens[command][end - 1].end()
            met.add(command[first:last].lower())
            action = f"{action[:first]}#{action[last:]}"
        if spans:
            actions[action] = None
    return Naming(actions=tuple(sorted(actions)), names=tuple(sorted(met))) if actions else NUMBERED


def _phrases(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """Return all phrases of the texts, as long as a name may be."""
    found: set[tuple[str, ...]] = set()
    for text in dict.fromkeys(texts):
        words = _TOKEN.findall(text.lower())
        found.update(tuple(words[i : i + size]) for size in range(1, MOST_WORDS + 1) for i in range(len(words) - size + 1))
    return found


def _exchangeable(commands: Iterable[tuple[str, ...]], phrases: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return the phrases that stand in one command where another one stands in another; a command's first word says what to do."""
    places: dict[tuple[tuple[str, ...], tuple[str, ...]], set[tuple[str, ...]]] = defaultdict(set)
    for words in commands:
        for start in range(1, len(words)):
            for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
                phrase = words[start:end]
                if phrase in phrases and all(word[0].isalnum() for word in phrase):
                    places[words[:start], words[end:]].add(phrase)
    # Where all begin or all end alike, that belongs to the command and not to the name.
    return {
        phrase
        for together in places.values()
        for phrase in together
        if any(other[0] != phrase[0] and other[-1] != phrase[-1] for other in together)
    }


def _needed(names: set[tuple[str, ...]], commands: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Leave out names as long as names and actions take fewer words without them, the longest first."""
    kept = set(names)
    length = _length(kept, commands)
    for name in sorted(names, key=lambda name: (-len(name), name)):
        shorter = _length(kept - {name}, commands)
        if shorter < length:
            kept.discard(name)
            length = shorter
    return kept


def _length(names: set[tuple[str, ...]], commands: Sequence[tuple[str, ...]]) -> int:
    """Return the words that it takes to write down the names that the commands have, and the actions that are left of the commands."""
    actions: set[tuple[str, ...]] = set()
    used: set[tuple[str, ...]] = set()
    for words in commands:
        spans = _spans(words, names)
        action = list(words)
        for start, end in reversed(spans):
            used.add(words[start:end])
            action[start:end] = ["#"]
        actions.add(tuple(action))
    return sum(map(len, actions)) + sum(map(len, used))


def _spans(words: tuple[str, ...], names: set[tuple[str, ...]]) -> list[Span]:
    """Return where the names stand in a command, from left to right, of those that begin at one word the longest."""
    found: list[Span] = []
    start = 1
    while start < len(words):
        ends = (end for end in range(min(start + MOST_WORDS, len(words)), start, -1) if words[start:end] in names)
        end = next(ends, None)
        if end is not None:
            found.append((start, end))
        start = end or start + 1
    return found
