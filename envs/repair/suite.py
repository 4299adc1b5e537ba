"""Tests of a program: what its functions return is compared outside of the sandbox in which they run.

A program never sees what is expected of it. Whatever it does is a result: a value, an error, or the
failure of all tests where it is no program or does not end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from homebody.envs.interpreter import Limits, run

LIMITS: Final = Limits(seconds=0.25, memory_bytes=64 << 20, depth=200)
"""What all tests of a program together may use."""
MOST_PROGRAM: Final = 20_000
"""Characters of a program; a longer one is not run."""
_MOST_VALUE: Final = 20_000
"""Characters of a returned value, as JSON."""
_ENDLESS: Final = "TimeoutError: it takes too long or too much memory"
_NAMES: Final = ("_run_tests", "_tests")
"""What the program does not call its own."""
_PLAIN_CALL: Final = """

def _run_tests(_arguments):
    return {name}(*_arguments)
"""
_DRIVER: Final = """

def _run_tests(_tests):
    from json import dumps as _dumps
    _results = []
    for _name, _arguments in _tests:
        try:
{calls}
            _results.append(["", _dumps(_value, allow_nan=False)[: {most} + 1]])
        except Exception as _error:
            _results.append([type(_error).__name__, str(_error)])
    return _results
"""


@dataclass(frozen=True)
class Case:
    """One test."""

    function: str
    arguments: tuple[Any, ...]
    """What JSON can hold."""
    expected: Any

    @property
    def call(self) -> str:
        """The call in Python."""
        return f"{self.function}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True)
class Result:
    """What came of one test."""

    case: Case
    value: Any = None
    """What was returned."""
    error: str = ""
    """What went wrong instead, in one line; empty if nothing did."""

    @property
    def passed(self) -> bool:
        """Whether the value is the expected one."""
        return not self.error and same(self.value, self.case.expected)


@dataclass(frozen=True)
class Outcome:
    """What came of all tests of a program."""

    results: tuple[Result, ...]
    problem: str = ""
    """Why no test could be run to its end, in one line; empty if they were."""

    @property
    def failed(self) -> tuple[Result, ...]:
        """The tests that did not pass."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Whether all tests passed."""
        return not self.failed


def run_cases(program: str, cases: Sequence[Case], *, seconds: float = LIMITS.seconds) -> Outcome:
    """Run a program's tests in the sandbox. Nothing that the program is or does raises an exception.

    Args:
        program: Python text, which may be anything.
        cases: Its tests; the function names are identifiers.
        seconds: What all of them together may take.
    """
    if len(program) > MOST_PROGRAM:
        return _all_failed(cases, f"it is longer than {MOST_PROGRAM} characters")
    names = dict.fromkeys(case.function for case in cases)
    calls = "\n".join(f"            if _name == {name!r}:\n                _value = {name}(*_arguments)" for name in names)
    driver = _DRIVER.format(calls=calls, most=_MOST_VALUE)
    found = run(program + driver, [[case.function, list(case.arguments)] for case in cases], replace(LIMITS, seconds=seconds), _NAMES)
    if not found.ok:
        return _all_failed(cases, _problem(found.kind, found.problem))
    value = found.value
    if not isinstance(value, list) or len(value) != len(cases) or not all(_is_pair(item) for item in value):
        return _all_failed(cases, "it interferes with its tests")
    return Outcome(tuple(_result(case, kind, text) for case, (kind, text) in zip(cases, value, strict=True)))


def where_it_fails(program: str, case: Case) -> str:
    """Return the error of one test with the line in which it arises, where that is known."""
    found = run(program + _PLAIN_CALL.format(name=case.function), list(case.arguments), LIMITS, _NAMES)
    return "" if found.ok else _problem(found.kind, found.problem)


def same(value: Any, expected: Any) -> bool:
    """Tell whether two JSON values are equal; numbers may differ by one part in a thousand million."""
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(same(value[key], expected[key]) for key in value)
    if isinstance(value, float) or isinstance(expected, float):
        numbers = isinstance(value, int | float) and isinstance(expected, int | float)
        try:
            return numbers and math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)
        except OverflowError:
            return False
    return bool(value == expected)


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(text, str) for text in item)


def _result(case: Case, kind: str, text: str) -> Result:
    if kind:
        return Result(case, error=_one_line(f"{kind}: {text}"))
    if len(text) > _MOST_VALUE:
        return Result(case, error=f"the value is longer than {_MOST_VALUE} characters")
    try:
        return Result(case, json.loads(text))
    except (ValueError, RecursionError):
        return Result(case, error="the value cannot be read")


def _problem(kind: str, problem: str) -> str:
    # Which limit an endless program meets first depends on the machine.
    if kind in ("TimeoutError", "MemoryError"):
        return _ENDLESS
    return "it returns outside of a function" if "outside of a function" in problem else _one_line(problem)


def _all_failed(cases: Sequence[Case], problem: str) -> Outcome:
    return Outcome(tuple(Result(case, error=problem) for case in cases), problem)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:120])
