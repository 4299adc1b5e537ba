"""Reading a page of text: what can be opened or chosen on it, what stands beside each choice, and how well the page fits a goal.

Environments of pages offer commands that are calls: a word, and an argument between two marks, as in `name[argument]`. The argument
stands in the text of the page, between other pieces of text, and some separator stands between any two pieces. A page knows its commands
as fixed ones, which it shares with most pages, and as choices, which are its own. Which are fixed and what separates is given; the marks
are read off the commands; nothing here knows what a page is about.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_CALL = re.compile(r"\w+([^\w\s])(.*)([^\w\s])", re.DOTALL)
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Choice:
    """A command of a page's own."""

    command: str
    argument: str
    group: str
    """The piece of text before the row of choices in which it stands."""
    texts: tuple[str, ...]
    """The pieces of text between it and the next choice."""


@dataclass(frozen=True)
class Page:
    """A page, read."""

    choices: tuple[Choice, ...]
    """In the order in which they stand in the text."""
    pieces: tuple[str, ...]
    """Its text, without the goal and the fixed commands."""

    @property
    def groups(self) -> dict[str, tuple[Choice, ...]]:
        """Choices by the heading of their row."""
        found: dict[str, tuple[Choice, ...]] = {}
        for choice in self.choices:
            found[choice.group] = (*found.get(choice.group, ()), choice)
        return found


@dataclass(frozen=True)
class Marks:
    """What stands between the parts of a goal sentence, as training goals show."""

    heading: str = ""
    """Between the heading of a row and the choice that is wanted; empty where goals name no headings."""
    part: str = ""
    """Between two parts of a goal; empty where goals have no parts."""


def brackets(commands: Iterable[str]) -> tuple[str, str] | None:
    """Return the marks before and after the argument in most commands that are calls; None where no command is one."""
    found = Counter((match[1], match[3]) for command in commands if (match := _CALL.fullmatch(command)))
    return min(found, key=lambda pair: (-found[pair], pair), default=None)


def argument(command: str, marks: tuple[str, str] | None) -> str:
    """Return what stands between these marks in a command; the empty text if it is no such call."""
    match = _CALL.fullmatch(command)
    return match[2] if match and (match[1], match[3]) == marks else ""


@lru_cache(maxsize=65536)
def page_words(text: str) -> frozenset[str]:
    """Return the words of a text, lower case, a plural's s dropped."""
    return frozenset(word.removesuffix("s") if len(word) > 3 else word for word in _WORD.findall(text.lower()))


def read(observation: str, commands: Iterable[str], fixed: Collection[str], separator: str, goal: str) -> Page:
    """Read a page.

    Args:
        observation: its text.
        commands: what is admissible on it.
        fixed: commands that are not its own.
        separator: what stands between two pieces of text.
        goal: the goal, which the page may repeat.
    """
    commands = list(commands)
    marks = brackets((*fixed, *commands))
    named = {name.lower(): command for command in commands if (name := argument(command, marks))}
    choices: list[tuple[str, str, str, list[str]]] = []
    pieces: list[str] = []
    group, in_row = "", False
    for piece in (part.strip() for part in observation.split(separator)):
        command = named.get(piece.lower())
        if not piece or piece == goal or command in fixed:
            in_row = False
        elif command is None:
            pieces.append(piece)
            group, in_row = piece, False
            if choices:
                choices[-1][3].append(piece)
        else:
            choices.append((command, piece, choices[-1][2] if in_row else group, []))
            in_row = True
    return Page(tuple(Choice(command, name, row, tuple(texts)) for command, name, row, texts in choices), tuple(pieces))


def best_choice(row: Sequence[Choice], goal: str, marks: Marks) -> Choice | None:
    """Return the choice of a row that the goal names: after the row's heading if it does so, else anywhere; the longest one."""

    def fit(choice: Choice) -> tuple[bool, int]:
        text = choice.argument.lower()
        return _stands_in(f"{choice.group.lower()}{marks.heading}{text}", goal), len(text)

    fitting = [choice for choice in row if _stands_in(choice.argument.lower(), goal)]
    return max(fitting, key=fit, default=None)


@lru_cache(maxsize=65536)
def _stands_in(text: str, goal: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", goal.lower()) is not None


def rarities(texts: Sequence[str]) -> dict[str, float]:
    """Return the weight of each word of some texts: the log of (1 + number of texts) / (number with the word), 0 to log(1 + number)."""
    numbers: dict[str, int] = {}
    for text in texts:
        for word in page_words(text):
            numbers[word] = numbers.get(word, 0) + 1
    return {word: math.log((1 + len(texts)) / number) for word, number in numbers.items()}


COMMON = 0.5
"""Share of the goals from which on a word that they have says nothing."""
FEATURES = ("place", "depth", "words", "rows", "names", "bounds", "own")
"""What is weighed in a page that was opened from a list; each is a number from -1 to 1. See `features`."""


def features(page: Page, place: int, goal: str, shares: Mapping[str, float], rarity: Mapping[str, float], marks: Marks) -> dict[str, float]:
    """Measure how a page fits a goal.

    Args:
        page: the page.
        place: number of the choice in the list by which it was opened, from 0.
        goal: the goal sentence.
        shares: share of goals that have a word; a word that is not in it is as rare as the rarest. Those of `COMMON` and more do not count.
        rarity: weight of a word in the list, as `rarities` gives it; a word that it lacks weighs as much as the rarest.
        marks: of goals.

    Returns:
        `place`: 1 for the first of the list, 1/2 for the second, and so on.
        `depth`: a tenth of that number from 0, at most 1.
        `words`: share of the goal's words on the page, each by its rarity in the list times that in goals.
        `rows`: share of the page's rows of choices of which the goal names one; 1 without rows.
        `names`: number of rows of which the heading, its mark and a choice stand in the goal, by the
            number of such marks in the goal; 1 where it has none.
        `bounds`: mean, over the pieces of text with a number whose words all stand beside a number in
            the goal, of 1 where the first number is at most the goal's and -1 where it is more; 0
            without such pieces.
        `own`: share of the words of the page's own text that the goal has.
    """
    wanted = {word for word in page_words(goal) if shares.get(word, 0.0) < COMMON}
    choices = [choice.argument for choice in page.choices]
    shown = page_words(" ".join((*page.pieces, *choices)))
    most, least = max(rarity.values(), default=1.0), min(shares.values(), default=0.1)
    weight = {word: rarity.get(word, most) * -math.log(shares.get(word, least)) for word in sorted(wanted)}
    met = [best_choice(row, goal, marks) is not None for row in page.groups.values()]
    named = [
        any(_stands_in(f"{name}{marks.heading}{choice.argument}".lower(), goal) for choice in row) for name, row in page.groups.items()
    ]
    own = {word for word in page_words(" ".join(page.pieces)) if shares.get(word, 0.0) < COMMON}
    return {
        "place": 1 / (1 + place),
        "depth": min(1.0, place / 10),
        "words": _share(sum(weight[word] for word in weight if word in shown), sum(weight.values())),
        "rows": _share(sum(met), len(met)),
        "names": min(1.0, _share(sum(named), goal.count(marks.heading) if marks.heading else 0)),
        "bounds": _bounds(page, goal, marks),
        "own": _share(len(own & wanted), len(own)),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _bounds(page: Page, goal: str, marks: Marks) -> float:
    parts = goal.split(marks.part) if marks.part else [goal]
    limits = [(page_words(part), _numbers(part)) for part in parts]
    signs = []
    for piece in page.pieces:
        found = _numbers(piece)
        for words, numbers in limits:
            label = {word for word in page_words(piece) if word.isalpha() and len(word) > 2}
            if found and numbers and label and label <= words:
                signs.append(1.0 if found[0] <= numbers[-1] else -1.0)
    return sum(signs) / len(signs) if signs else 0.0


def _numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
