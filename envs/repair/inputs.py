"""What reference functions are tried on: values of named kinds, drawn from a seeded generator.

A line `# inputs: integer(0, 9), words(1, 5)` above a function names one kind for each of its
arguments. Every value is one that JSON can hold.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from random import Random
from typing import Any, Final

NAMES: Final = "abcdefgh"
"""Nodes of graphs."""
_WORDS: Final = ("an", "ant", "ants", "bee", "been", "cat", "cats", "dog", "do", "Eel", "fish", "fin", "gnu", "hen", "Hens", "it", "owl")


def draw_arguments(inputs: str, dice: Random) -> list[Any]:
    """Return a value for each kind that a line of inputs names.

    Args:
        inputs: Calls of `KINDS` with literal arguments, commas between them.
        dice: Draws the values.

    Raises:
        ValueError: There is no such kind.
    """
    drawn: list[Any] = []
    for call in ast.parse(f"({inputs},)", mode="eval").body.elts:  # type: ignore[attr-defined]
        kind, given = call.func.id, [ast.literal_eval(argument) for argument in call.args]
        if kind in ("member", "node"):  # those that depend on an argument before them
            drawn.append(_KINDS_OF_ANOTHER[kind](dice, drawn[given[0]], *given[1:]))
        elif kind in KINDS:
            drawn.append(KINDS[kind](dice, *given))
        else:
            raise ValueError(f"there are no inputs {kind!r}; there are {', '.join((*KINDS, *_KINDS_OF_ANOTHER))}")
    return drawn


def _integer(dice: Random, low: int, high: int) -> int:
    return dice.randint(low, high)


def _integers(dice: Random, low: int, high: int, least: int, most: int) -> list[int]:
    return [dice.randint(low, high) for _ in range(dice.randint(least, most))]


def _ordered(dice: Random, low: int, high: int, least: int, most: int) -> list[int]:
    """Draw numbers in ascending order, without repeats."""
    return sorted(dice.sample(range(low, high + 1), dice.randint(least, most)))


def _member(dice: Random, numbers: list[int], low: int, high: int) -> int:
    """Draw one of the numbers, more often than not; else any number."""
    return dice.choice(numbers) if numbers and dice.random() < 0.7 else dice.randint(low, high)


def _choice(dice: Random, *values: Any) -> Any:
    return dice.choice(values)


def _text(dice: Random, characters: str, least: int, most: int) -> str:
    return "".join(dice.choice(characters) for _ in range(dice.randint(least, most)))


def _words(dice: Random, least: int, most: int) -> list[str]:
    return [dice.choice(_WORDS) for _ in range(dice.randint(least, most))]


def _phrase(dice: Random, least: int, most: int) -> str:
    return " ".join(_words(dice, least, most)).lower()


def _matrix(dice: Random, least_rows: int, most_rows: int, least: int, most: int, low: int, high: int) -> list[list[int]]:
    width = dice.randint(least, most)
    return [[dice.randint(low, high) for _ in range(width)] for _ in range(dice.randint(least_rows, most_rows))]


def _intervals(dice: Random, least: int, most: int) -> list[list[int]]:
    return [sorted((dice.randint(0, 12), dice.randint(0, 12))) for _ in range(dice.randint(least, most))]


def _mapping(dice: Random, least: int, most: int, low: int, high: int) -> dict[str, int]:
    return {name: dice.randint(low, high) for name in dice.sample(NAMES, dice.randint(least, most))}


def _pairs(dice: Random, least: int, most: int, low: int, high: int) -> list[list[Any]]:
    return [[dice.choice(NAMES[:4]), dice.randint(low, high)] for _ in range(dice.randint(least, most))]


def _nested(dice: Random, depth: int) -> list[Any]:
    return [_nested(dice, depth - 1) if depth and dice.random() < 0.4 else dice.randint(0, 9) for _ in range(dice.randint(0, 3))]


def _tree(dice: Random, least: int, most: int) -> list[Any] | None:
    """Draw a tree of so many nodes: [value, left, right], or None for an empty one."""

    def grow(size: int) -> list[Any] | None:
        if size == 0:
            return None
        left = dice.randint(0, size - 1)
        return [dice.randint(0, 9), grow(left), grow(size - 1 - left)]

    return grow(dice.randint(least, most))


def _graph(dice: Random, least: int, most: int) -> dict[str, list[str]]:
    """Draw the neighbours of each node; about one and a half edges a node."""
    nodes = NAMES[: dice.randint(least, most)]
    return {node: [other for other in nodes if other != node and dice.random() < 1.5 / len(nodes)] for node in nodes}


def _acyclic(dice: Random, least: int, most: int) -> dict[str, list[str]]:
    """Draw a graph whose edges lead from later nodes of some order to earlier ones."""
    order = dice.sample(NAMES[:most], dice.randint(least, most))
    return {node: sorted(other for other in order[:place] if dice.random() < 0.4) for place, node in enumerate(order)}


def _weighted(dice: Random, least: int, most: int) -> dict[str, dict[str, int]]:
    graph = _graph(dice, least, most)
    return {node: {other: dice.randint(1, 9) for other in graph[node]} for node in graph}


def _node(dice: Random, graph: dict[str, Any]) -> str:
    return dice.choice(sorted(graph))


def _edges(dice: Random, least: int, most: int) -> list[list[str]]:
    return [dice.sample(NAMES, 2) for _ in range(dice.randint(least, most))]


def _brackets(dice: Random, least: int, most: int) -> str:
    """Draw brackets, half of the times all closed."""
    text = ""
    for _ in range(dice.randint(least, most) // 2):
        pair, place = dice.choice(("()", "[]", "{}")), dice.randint(0, len(text))
        text = dice.choice((text[:place] + pair + text[place:], pair[0] + text + pair[1]))
    if text and dice.random() < 0.5:
        place = dice.randrange(len(text))
        text = text[:place] + dice.choice("()[]{}") + text[place + 1 :]
    return text


def _sum_text(dice: Random) -> str:
    return "".join(str(dice.randint(0, 99)) + dice.choice("+-") for _ in range(dice.randint(0, 3))) + str(dice.randint(0, 99))


def _postfix(dice: Random) -> list[str]:
    def write(depth: int) -> list[str]:
        if depth == 0 or dice.random() < 0.3:
            return [str(dice.randint(0, 9))]
        return [*write(depth - 1), *write(depth - 1), dice.choice("+-*")]

    return write(2)


def _roman(dice: Random, low: int, high: int) -> str:
    number, written = dice.randint(low, high), ""
    for value, letters in ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        written += letters * (number // value)
        number %= value
    return written


def _settings(dice: Random, least: int, most: int) -> str:
    lines = (f"{dice.choice(NAMES)}{dice.choice(('=', ' = ', ' ='))}{dice.choice(('', '1', 'on', 'a=b'))}" for _ in range(10))
    others = ("", "# note", " # a = 1", "b")
    return "\n".join(next(lines) if dice.random() < 0.7 else dice.choice(others) for _ in range(dice.randint(least, most)))


def _ranges(dice: Random, least: int, most: int) -> str:
    parts = []
    for _ in range(dice.randint(least, most)):
        first = dice.randint(0, 9)
        parts.append(f"{first}-{first + dice.randint(0, 4)}" if dice.random() < 0.5 else str(first))
    return ",".join(parts)


def _coded(dice: Random, least: int, most: int) -> str:
    return "".join(dice.choice(("", "1", "2", "3", "11")) + dice.choice("abc") for _ in range(dice.randint(least, most)))


def _csv_line(dice: Random, least: int, most: int) -> str:
    return ",".join(dice.choice(("", "a", "bc", '"d,e"', '"f"', 'g"h"')) for _ in range(dice.randint(least, most)))


def _path_text(dice: Random, least: int, most: int) -> str:
    return "/" + "/".join(dice.choice(("a", "b", "c", "..", ".", "")) for _ in range(dice.randint(least, most)))


def _clock(dice: Random) -> str:
    return f"{dice.randint(0, 23):02d}:{dice.randint(0, 59):02d}"


KINDS: Final[dict[str, Callable[..., Any]]] = {
    "integer": _integer,
    "integers": _integers,
    "ordered": _ordered,
    "choice": _choice,
    "text": _text,
    "words": _words,
    "phrase": _phrase,
    "matrix": _matrix,
    "intervals": _intervals,
    "mapping": _mapping,
    "pairs": _pairs,
    "nested": _nested,
    "tree": _tree,
    "graph": _graph,
    "acyclic": _acyclic,
    "weighted": _weighted,
    "edges": _edges,
    "brackets": _brackets,
    "sum_text": _sum_text,
    "postfix": _postfix,
    "roman": _roman,
    "settings": _settings,
    "ranges": _ranges,
    "coded": _coded,
    "csv_line": _csv_line,
    "path_text": _path_text,
    "clock": _clock,
}
"""How a value of each kind is drawn."""
_KINDS_OF_ANOTHER: Final[dict[str, Callable[..., Any]]] = {"member": _member, "node": _node}
"""The same of kinds that begin with the number of the argument that they draw from."""
