"""S-expressions, the notation of PDDL: text to nested lists, without recursion, so that no nesting is too deep."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from homebody.envs.household.alfworld.errors import PddlSyntaxError

Tree = list["str | Tree"]

_COMMENT: Final = re.compile(r";[^\n]*")
_FOREIGN: Final = re.compile(r"[^\s!-~]")


def parse(path: Path, text: str) -> Tree:
    """Read the expressions in a text; atoms keep their spelling.

    Raises:
        PddlSyntaxError: A parenthesis has no partner, or a character is none of PDDL's.
    """
    text = _COMMENT.sub("", text)
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    # Quicker than the pattern, which is only needed to tell where.
    if not (plain := "".join(tokens)).isascii() or not plain.isprintable():
        foreign = next(_FOREIGN.finditer(text))
        raise PddlSyntaxError(path, f"line {_line(text, foreign.start())} has the character {foreign[0]!r}, which PDDL does not know")
    inner: Tree = []
    stack = []
    for n, token in enumerate(tokens):
        if token == "(":
            stack.append(inner)
            inner = []
            stack[-1].append(inner)
        elif token != ")":
            inner.append(token)
        elif stack:
            inner = stack.pop()
        else:
            nth = tokens[:n].count(")")
            closing = next(itertools.islice(re.finditer(r"\)", text), nth, None))
            raise PddlSyntaxError(path, f"line {_line(text, closing.start())} closes a parenthesis that was never opened")
    if stack:
        raise PddlSyntaxError(path, f"{len(stack)} parentheses are never closed")
    return inner


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def typed_names(path: Path, items: Iterable[str | Tree], where: str) -> Iterator[tuple[str, str]]:
    """Yield (name, sort) from a list as `a b - object c - location`."""
    names: list[str] = []
    words = iter(items)
    for word in words:
        if word == "-":
            sort = next(words, "")
            if not isinstance(sort, str) or not sort or not names:
                raise PddlSyntaxError(path, f"{where} has a '-' without names before it and a type after it")
            yield from ((name, sort.lower()) for name in names)
            names = []
        elif isinstance(word, str):
            names.append(word)
        else:
            raise PddlSyntaxError(path, f"{where} has a list where a name should be")
    if names:
        raise PddlSyntaxError(path, f"{where} gives no type to {names[0]!r}")


def show(tree: str | Tree) -> str:
    """Return the beginning of a tree's text, without recursion."""
    words: list[str] = []
    pending: list[str | Tree] = [tree]
    while pending and len(words) < 40:
        part = pending.pop()
        if isinstance(part, str):
            words.append(part)
        else:
            words.append("(")
            pending.extend([")", *reversed(part)])
    text = re.sub(r"\( | (?=\))", lambda m: m[0].strip(), " ".join(words))
    return text if len(text) <= 200 and not pending else f"{text[:200]}..."
