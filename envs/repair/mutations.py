"""Faults: small changes of a program at one place, of the kinds that people make.

A mutation operator yields spans of the source with other text for them, so all else of the program
stays letter by letter as it is. The same operators serve a search for repairs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Span = tuple[int, int]
"""Characters of the source from the first to before the second."""
Change = tuple[Span, str]
"""What stands there instead."""


@dataclass(frozen=True)
class Mutant:
    """A program with one change."""

    kind: str
    """Name of the operator."""
    text: str
    first: int
    """Number of the first line that differs, from 1."""
    last: int
    """Number of the last line that differs, in the program before the change; below `first` where lines were added alone."""
    lines: tuple[str, ...]
    """What stands in their place."""


def mutants(program: str) -> list[Mutant]:
    """Return all programs that one operator makes of a program by one change, no two alike, in an order that never changes.

    Raises:
        SyntaxError: It is no program.
    """
    source = _Source(program)
    found: dict[str, Mutant] = {}
    for kind, operator in OPERATORS.items():
        for (start, end), text in operator(source):
            changed = program[:start] + text + program[end:]
            if changed != program and changed not in found and _is_program(changed):
                found[changed] = Mutant(kind, changed, *_difference(program, changed))
    return list(found.values())


def both(program: str, one: Mutant, other: Mutant) -> str | None:
    """Return the program with both changes; None where they touch the same lines or neighbouring ones."""
    early, late = sorted((one, other), key=lambda mutant: mutant.first)
    if max(early.first, early.last) + 1 >= late.first:
        return None
    lines = program.split("\n")
    for mutant in (late, early):
        lines[mutant.first - 1 : max(mutant.last, mutant.first - 1)] = mutant.lines
    return "\n".join(lines)


class _Source:
    """A program as text and as a tree."""

    def __init__(self, program: str) -> None:
        self.text = program
        self.lines = program.split("\n")
        self.tree = ast.parse(program)
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        self._starts = starts

    def span(self, node: ast.AST) -> Span:
        """Return where a node stands."""
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.arg)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        # Columns count bytes.
        return self._starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def between(self, left: ast.AST, right: ast.AST) -> Span:
        """Return what stands between two nodes."""
        return self.span(left)[1], self.span(right)[0]

    def rows(self, first: int, last: int) -> Span:
        """Return whole lines, with the break before them; after them where there is none before."""
        return (self._starts[first - 1] - 1, self._starts[last] - 1) if first > 1 else (0, self._starts[last])

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield nodes of some kinds in the order of the text."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, kinds) and hasattr(node, "lineno")]
        yield from sorted(found, key=lambda node: (*self.span(node)[:1], -self.span(node)[1]))

    def functions(self) -> Iterator[ast.FunctionDef]:
        """Yield the functions."""
        for node in self.nodes(ast.FunctionDef):
            assert isinstance(node, ast.FunctionDef)
            yield node

    def blocks(self) -> Iterator[list[ast.stmt]]:
        """Yield the blocks of statements, docstrings left out."""
        for node in ast.walk(self.tree):
            for name in ("body", "orelse"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block:
                    yield block[1:] if isinstance(node, ast.FunctionDef) and _is_docstring(block[0]) else block


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_program(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _difference(before: str, after: str) -> tuple[int, int, tuple[str, ...]]:
    """Return the first and the last line that differ, and what stands there instead."""
    old, new = before.split("\n"), after.split("\n")
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head + 1, len(old) - tail, tuple(new[head : len(new) - tail])


# --- operators


def _operator_swap(source: _Source, names: dict[str, Sequence[str]]) -> Iterator[Change]:
    """Replace the sign between two compared values."""
    for node in source.nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        for left, right in pairwise((node.left, *node.comparators)):
            start, end = source.between(left, right)
            sign = source.text[start:end]
            for other in names.get(sign.strip(), ()):
                yield (start, end), sign.replace(sign.strip(), other)


def _boundary(source: _Source) -> Iterator[Change]:
    yield from _operator_swap(source, {"<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"]})


def _direction(source: _Source) -> Iterator[Change]:
    swaps = {"<": [">"], ">": ["<"], "<=": [">="], ">=": ["<="], "==": ["!="], "!=": ["=="], "in": ["not in"], "not in": ["in"]}
    yield from _operator_swap(source, {**swaps, "is": ["is not"], "is not": ["is"]})


def _off_by_one(source: _Source) -> Iterator[Change]:
    for node in source.nodes(ast.Constant):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield source.span(node), str(node.value + 1)
            if node.value > 0:
                yield source.span(node), str(node.value - 1)


def _initial_value(source: _Source) -> Iterator[Change]:
    """Replace a constant that a variable begins with."""
    for node in source.nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        for value in node.value.elts if isinstance(node.value, ast.Tuple) else (node.value,):
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                yield source.span(value), str(not value.value)
            elif isinstance(value, ast.Constant) and value.value == "":
                yield source.span(value), '" "'
            elif isinstance(value, ast.Name):
                yield source.span(value), "0"


def _wrong_variable(source: _Source) -> Iterator[Change]:
    """Read another variable of the same function."""
    for function in source.functions():
        known = sorted({*_arguments(function), *_assigned(function)})
        for node in sorted((n for n in ast.walk(function) if isinstance(n, ast.Name)), key=source.span):
            if isinstance(node.ctx, ast.Load) and node.id in known:
                at = known.index(node.id)
                for other in dict.fromkeys((known[(at + 1) % len(known)], known[at - 1])):
                    yield source.span(node), other


def _arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args]


def _assigned(function: ast.FunctionDef) -> list[str]:
    return [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_"]


def _missing_case(source: _Source) -> Iterator[Change]:
    """Leave a case out: an `if` or an `elif` that nothing follows."""
    for block in source.blocks():
        for node in block:
            if isinstance(node, ast.If) and node.end_lineno is not None:
                is_elif = source.lines[node.lineno - 1].lstrip().startswith("elif")
                if not node.orelse and (len(block) > 1 or is_elif):
                    yield source.rows(node.lineno, node.end_lineno), ""


def _missing_step(source: _Source) -> Iterator[Change]:
    """Leave a statement out."""
    for block in source.blocks():
        for node in block:
            if len(block) > 1 and isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) and node.end_lineno is not None:
                yield source.rows(node.lineno, node.end_lineno), ""


_SIGNS: Final[dict[type[ast.operator], tuple[str, ...]]] = {
    ast.Add: ("-",), ast.Sub: ("+",), ast.Mult: ("+",), ast.FloorDiv: ("%", "*"), ast.Mod: ("//",),
}  # fmt: skip


def _arithmetic(source: _Source) -> Iterator[Change]:
    for node in source.nodes(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        start, end = source.between(node.left, node.right)
        for sign in _SIGNS.get(type(node.op), ()):
            text = source.text[start:end]
            old = next(word for word in ("//", "%", "*", "+", "-") if word in text)
            yield (start, end), text.replace(old, sign)


def _update(source: _Source) -> Iterator[Change]:
    """Update a variable in another way."""
    for node in source.nodes(ast.AugAssign):
        assert isinstance(node, ast.AugAssign)
        start, end = source.between(node.target, node.value)
        others = {ast.Add: (" -= ", " = "), ast.Sub: (" += ", " = ")}
        for text in others.get(type(node.op), (" = ",)):
            yield (start, end), text


def _boolean(source: _Source) -> Iterator[Change]:
    for node in source.nodes(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        for left, right in pairwise(node.values):
            start, end = source.between(left, right)
            text, (old, new) = source.text[start:end], ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            yield (start, end), text.replace(old, new)


def _negation(source: _Source) -> Iterator[Change]:
    """Turn a condition around."""
    for node in source.nodes(ast.If, ast.While, ast.IfExp, ast.UnaryOp):
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Not):
                yield source.span(node), source.of(node.operand)
        elif isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.Constant | ast.Compare | ast.UnaryOp):
            test = source.of(node.test)
            yield source.span(node.test), f"not ({test})" if isinstance(node.test, ast.BoolOp) else f"not {test}"


def _swapped(source: _Source) -> Iterator[Change]:
    """Swap neighbouring arguments of a call, or the operands of a sum, a difference, a quotient or a remainder."""
    for node in source.nodes(ast.Call, ast.BinOp):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Call):
            pairs = list(pairwise(node.args))
        elif isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mult):
            pairs = [(node.left, node.right)]
        for left, right in pairs:
            start, end = source.between(left, right)
            if not any(isinstance(operand, ast.BinOp | ast.Starred) for operand in (left, right)):
                yield (source.span(left)[0], source.span(right)[1]), source.of(right) + source.text[start:end] + source.of(left)


def _wrong_return(source: _Source) -> Iterator[Change]:
    """Return another variable, another constant, or the value without what is done to it."""
    for function in source.functions():
        known = sorted({*_arguments(function), *_assigned(function)})
        for node in (n for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None):
            value = node.value
            assert value is not None
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                yield source.span(value), str(not value.value)
            elif isinstance(value, ast.Constant | ast.UnaryOp):
                yield source.span(value), "None"
            elif isinstance(value, ast.BinOp | ast.BoolOp):
                operands = (value.left, value.right) if isinstance(value, ast.BinOp) else value.values
                yield from ((source.span(value), source.of(operand)) for operand in operands)
            elif isinstance(value, ast.Name):
                yield from ((source.span(value), other) for other in known if other != value.id)
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and len(value.args) == 1:
                yield source.span(value), source.of(value.args[0])


_CALLS: Final = {
    "min": ("max",), "max": ("min",), "any": ("all",), "all": ("any",), "upper": ("lower",), "lower": ("upper",), "sorted": ("list",),
    "startswith": ("endswith",), "isdigit": ("isalpha",), "isalpha": ("isdigit",), "isupper": ("islower",), "append": ("extend",),
    "strip": ("lstrip", "rstrip"), "partition": ("rpartition",), "sum": ("len", "max"), "len": ("sum",), "abs": ("int",),
}  # fmt: skip


def _wrong_call(source: _Source) -> Iterator[Change]:
    """Call a function that has to do with the right one."""
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        _, end = source.span(node.func)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        for other in _CALLS.get(name, ()):
            yield (end - len(name), end), other
        if name == "pop":
            yield (end, source.span(node)[1]), "()" if node.args else "(0)"
        for keyword in node.keywords:
            before = source.text.rindex(",", 0, source.span(keyword)[0])
            yield (before, source.span(keyword)[1]), ""


def _slice_bound(source: _Source) -> Iterator[Change]:
    """Leave a bound of a slice out, or move it."""
    for node in source.nodes(ast.Slice):
        assert isinstance(node, ast.Slice)
        for bound in (node.lower, node.upper):
            if bound is not None:
                yield source.span(bound), ""
                if not isinstance(bound, ast.Constant):
                    yield source.span(bound), f"{source.of(bound)} + 1"


def _index_shift(source: _Source) -> Iterator[Change]:
    for node in source.nodes(ast.Subscript):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name | ast.BinOp | ast.UnaryOp):
            text = source.of(node.slice)
            if isinstance(node.slice, ast.BinOp) and isinstance(node.slice.right, ast.Constant):
                yield source.span(node.slice), source.of(node.slice.left)
            elif isinstance(node.slice, ast.Name):
                yield source.span(node.slice), f"{text} - 1"
                yield source.span(node.slice), f"{text} + 1"


def _range_bound(source: _Source) -> Iterator[Change]:
    """End or begin a range one too early or too late."""
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "range":
            for bound in node.args[:2]:
                if isinstance(bound, ast.BinOp) and isinstance(bound.right, ast.Constant):
                    yield source.span(bound), source.of(bound.left)
                elif not isinstance(bound, ast.Constant | ast.UnaryOp):
                    yield source.span(bound), f"{source.of(bound)} - 1"
                    yield source.span(bound), f"{source.of(bound)} + 1"


def _loop_jump(source: _Source) -> Iterator[Change]:
    """Leave a loop in the place of its turn, or the other way round."""
    for node in source.nodes(ast.Break, ast.Continue):
        yield source.span(node), "continue" if isinstance(node, ast.Break) else "break"


def _early_return(source: _Source) -> Iterator[Change]:
    """Return within the loop that stands before the return."""
    for block in source.blocks():
        for before, node in pairwise(block):
            if isinstance(before, ast.For | ast.While) and isinstance(node, ast.Return):
                start, _ = source.span(node)
                yield (start, start), "    "


OPERATORS: Final[dict[str, Callable[[_Source], Iterator[Change]]]] = {
    "boundary": _boundary,
    "direction": _direction,
    "off-by-one": _off_by_one,
    "initial-value": _initial_value,
    "wrong-variable": _wrong_variable,
    "missing-case": _missing_case,
    "missing-step": _missing_step,
    "arithmetic": _arithmetic,
    "update": _update,
    "boolean": _boolean,
    "negation": _negation,
    "swapped": _swapped,
    "wrong-return": _wrong_return,
    "wrong-call": _wrong_call,
    "slice-bound": _slice_bound,
    "index-shift": _index_shift,
    "range-bound": _range_bound,
    "loop-jump": _loop_jump,
    "early-return": _early_return,
}
"""The mutation operators by name."""
