"""A goal said as one of the plain templates that training taught: what fills their blanks, in a grammar, or part by part by score."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from homebody.agents import wording
from homebody.agents.harness.grammar import literal
from homebody.agents.harness.hooks import TaskStart
from homebody.agents.models.backend import Message
from homebody.agents.processors.base import Services
from homebody.agents.processors.examples import telling
from homebody.agents.processors.question import MOST_LINE, score
from homebody.agents.wording import Naming
from homebody.envs.text import one_line

_BLANK = re.compile(r"\{([0-9]+)\}")
MOST_BLANKS = 3
"""Blanks of a template whose examples are taken apart: with more of them the ways to cut a hostile text have no bound to speak of."""
Names = Mapping[str, Sequence[str]]
"""What may fill each blank of a template, by its number."""


class Parts:
    """A goal that is read part by part, by score.

    Args:
        services: of the processor.
        messages: the chat that ends with the goal.
    """

    def __init__(self, services: Services, messages: Sequence[Message]) -> None:
        self._services, self._messages = services, messages
        self._known: dict[tuple[str, ...], list[float] | None] = {}
        """Scores by answers."""
        self._margins: list[float] = []
        """Of each choice so far, by how much the likeliest is ahead of the next."""
        self._turn: int | None = None
        """Number of the choice at which the next likeliest is taken."""

    def read(self, templates: Sequence[tuple[str, Names]], turn: int | None = None) -> str | None:
        """Return the likeliest template, its blanks filled with what is likeliest in turn; None where nothing scores.

        A template is scored whole: where its first word misleads, what must follow it tells.
        """
        self._margins, self._turn = [], turn
        best = self._choose([f"{_bare(template)}." for template, _ in templates]) if len(templates) > 1 else 0
        if best is None:
            return None
        reading, names = templates[best]
        answer = f"{_bare(reading)}."
        for number, blank in enumerate(names, start=1):
            answers = [f"{answer} {name}{'.' if number == len(names) else ','}" for name in names[blank]]
            best = self._choose(answers)
            if best is None:
                return None
            answer, reading = answers[best], reading.replace(f"{{{blank}}}", names[blank][best])
        return reading

    def read_other(self, templates: Sequence[tuple[str, Names]], vain: Sequence[str]) -> str | None:
        """Return the likeliest reading that was not in vain, of those that part from the likeliest at one choice at most.

        Choices are turned in the order of how sure they were, the least sure first. Where all are in vain it is the last of them; None
        where nothing scores.
        """
        reading = self.read(templates)
        turns = sorted((margin, number) for number, margin in enumerate(self._margins) if margin < math.inf)
        for _, turn in turns:
            if reading not in vain:
                return reading
            reading = self.read(templates, turn)
        return reading if reading not in vain else vain[-1]

    def _choose(self, answers: Sequence[str]) -> int | None:
        """Return the number of the likeliest answer, the first of equals, or of the next where it is its turn; None without a model."""
        key = tuple(answers)
        if key not in self._known:
            self._known[key] = score(self._services, self._messages, answers)
        scores = self._known[key]
        if not scores:
            return None
        order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
        is_turn = len(self._margins) == self._turn
        self._margins.append(scores[order[0]] - scores[order[1]] if len(order) > 1 else math.inf)
        return order[1 if is_turn and len(order) > 1 else 0]


def usable(rows: Mapping[str, Sequence[Sequence[str]]], event: TaskStart, naming: Naming) -> list[tuple[str, Names]]:
    """Return the templates whose blanks can be filled, each with what fills them: of its row, by number, or what is met first."""
    met = sorted({kind for text in (event.observation, *event.candidates) for kind in naming.kinds(text)})
    found: list[tuple[str, Names]] = []
    for template, names in {one_line(template): names for template, names in rows.items()}.items():
        blanks = dict.fromkeys(_BLANK.findall(template))
        given = {blank: names[int(blank)] if int(blank) < len(names) and names[int(blank)] else met for blank in blanks}
        # A name with a blank of its own could never be filled to the end.
        fillings = {
            blank: [name for name in dict.fromkeys(map(one_line, given[blank])) if name and not _BLANK.search(name)] for blank in given
        }
        if template and all(fillings.values()):
            found.append((template, fillings))
    return found


def of_met(templates: Sequence[tuple[str, Names]], met: Collection[str]) -> list[tuple[str, Names]]:
    """Return templates whose blanks are filled only with what was met, where any of that fits the blank."""
    return [
        (template, {blank: [name for name in some if name in met] or some for blank, some in names.items()})
        for template, names in templates
    ]


def _bare(template: str) -> str:
    """Return a template with a letter in each blank, from A on: the same blank has the same."""
    order = list(dict.fromkeys(_BLANK.findall(template)))
    return _BLANK.sub(lambda found: chr(ord("A") + order.index(found[1])), template.rstrip(" ."))


def telling_examples(goal: str, pairs: Sequence[Sequence[str]], templates: Sequence[str], most: int) -> list[tuple[str, str]]:
    """Return goals of training with their answer part by part, the one most like `goal` last.

    Pairs whose plain goal is of no template are left out. Words weigh what they tell about the template and about each blank.
    """
    rows = [(said, *parts) for said, plain in pairs if (parts := _parts(templates, plain)) is not None]
    if not rows:
        return []
    words = [frozenset(wording.words(said)) for said, _, _ in rows]
    weight = telling(words, [template for _, template, _ in rows])
    for blank in sorted({blank for _, _, filled in rows for blank in filled}):
        having = [number for number, (_, _, filled) in enumerate(rows) if blank in filled]
        for word, told in telling([words[number] for number in having], [rows[number][2][blank] for number in having]).items():
            weight[word] += told
    wanted = frozenset(wording.words(goal))

    def of(some: frozenset[str]) -> float:
        return math.fsum(weight.get(word, 0.0) for word in sorted(some))

    likeness = [of(wanted & some) / (of(wanted | some) or 1.0) for some in words]
    shown: list[tuple[str, str]] = []
    left = dict.fromkeys(templates, max(1, most // 4))
    for said, template, filled in (rows[number] for number in sorted(range(len(rows)), key=lambda number: (-likeness[number], number))):
        if len(shown) < most and left[template]:
            left[template] -= 1
            shown.append((said, " ".join([f"{_bare(template)}.", *([f"{', '.join(filled.values())}."] if filled else [])])))
    return shown[::-1]


def _parts(templates: Sequence[str], plain: str) -> tuple[str, dict[str, str]] | None:
    """Return the template that a plain goal is of, the longest first, and what fills its blanks; None of another goal.

    A goal of more than `MOST_LINE` characters, or a template of more than `MOST_BLANKS` blanks, is not tried.
    """
    if len(plain) > MOST_LINE:
        return None
    for template in sorted(templates, key=lambda template: (-len(template), template)):
        if len(set(_BLANK.findall(template))) > MOST_BLANKS:
            continue
        pattern, met = "", dict[str, str]()
        for number, part in enumerate(_BLANK.split(template.rstrip(" ."))):
            if number % 2 == 0:
                pattern += re.escape(part)
            else:
                pattern += f"(?P=b{part})" if part in met else f"(?P<b{part}>.+?)"
                met[part] = ""
        if match := re.fullmatch(pattern, one_line(plain).rstrip(" ."), re.IGNORECASE):
            return template, {blank: match[f"b{blank}"] for blank in met}
    return None


def is_of(template: str, names: Names, text: str) -> bool:
    """Tell whether a text is a template with its blanks filled, capitals and a full stop aside; the same blank is filled alike."""
    pattern, met = "", set[str]()
    for number, part in enumerate(_BLANK.split(template.rstrip(" ."))):
        if number % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P=b{part})" if part in met else f"(?P<b{part}>{'|'.join(map(re.escape, names[part]))})"
            met.add(part)
    return re.fullmatch(pattern, text.rstrip(" ."), re.IGNORECASE) is not None


def grammar(templates: Sequence[tuple[str, Names]]) -> str:
    """Return the grammar of some templates."""
    rules: dict[str, str] = {}
    roots: list[str] = []
    for template, names in templates:
        for one in _once(template, names):
            parts = []
            for number, part in enumerate(_BLANK.split(one)):
                if number % 2:
                    rule = " | ".join(map(literal, names[part]))
                    parts.append(rules.setdefault(rule, f"blank-{len(rules)}"))
                elif part:
                    parts.append(literal(part))
            roots.append(" ".join(parts))
    return "\n".join([f"root ::= {' | '.join(roots)}", *(f"{name} ::= {rule}" for rule, name in rules.items())])


def _once(template: str, names: Names) -> list[str]:
    """Return a template with each blank once: one that stands there more often is filled with each of its names."""
    blanks = _BLANK.findall(template)
    twice = next((blank for blank in blanks if blanks.count(blank) > 1), None)
    if twice is None:
        return [template]
    return [one for name in names[twice] for one in _once(template.replace(f"{{{twice}}}", name), names)]


def longest(template: str, names: Names) -> int:
    """Return the most bytes of a filled template: no answer of a grammar has more tokens."""
    return len(template.encode()) + sum(max(len(name.encode()) for name in names[blank]) for blank in _BLANK.findall(template))
