"""A search for the repair that reads what an agent reads: it tries changes of the kinds that faults are made of.

`steps` tries each change in the environment. `interpreter` runs programs by itself on the tests that
it has seen fail, and sends what passes them: the best that is known without a model.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Final

from homebody.envs.repair.mutations import Mutant, mutants
from homebody.envs.repair.suite import Case, run_cases

SEARCHES: Final = ("steps", "interpreter")
MOST_RUNS: Final = 400
"""Programs that a search with an interpreter runs at a step."""
_LINE: Final = re.compile(r" *\d+(?: (.*))?")
_FAILURE: Final = re.compile(r"(?P<call>\w+\(.*\)) (?:returned .*, not|raised .*; it should return|should return) (?P<expected>.*)")
_ERROR_LINE: Final = re.compile(r"in line (\d+)")


class Searcher:
    """Looks for the repair in one episode.

    Args:
        how: One of `SEARCHES`.
    """

    def __init__(self, how: str) -> None:
        self._how = how
        self._program = ""
        self._cases: dict[str, Case] = {}
        """Failing tests that were seen, by their calls."""
        self._is_known = False
        """Whether the tests ran on the program as it stands."""
        self._passes = False
        self._tried: set[str] = set()
        self._faulty = 0
        """The line in which an error arose; 0 where there was none."""

    def see(self, command: str, observation: str) -> None:
        """Read an answer of the environment; the first one, to no command, is the opening."""
        if not command:
            # Lines are numbered, so the program begins after the last empty one.
            lines = observation.rpartition("\n\n")[2].split("\n")
            self._program = "\n".join(found[1] or "" for line in lines if (found := _LINE.fullmatch(line)) is not None)
        elif command == "run":
            self._is_known = True
            self._passes = observation.startswith("All") and observation.endswith("pass.")
            for line in observation.split("\n"):
                if (case := _read_case(line)) is not None:
                    self._cases.setdefault(case.call, case)
                if not self._faulty and (found := _ERROR_LINE.search(line)) is not None:
                    self._faulty = int(found[1])
        elif command not in ("show", "submit"):
            self._is_known, self._passes = False, False

    def choose(self, steps_left: int) -> str:
        """Return the next command.

        Args:
            steps_left: Steps that remain, this one included.
        """
        if self._passes or (steps_left <= 1 and self._tried):
            return "submit"
        if not self._is_known:
            return "run" if steps_left > 1 else "submit"
        program = self._next()
        if program is None:
            return "submit"
        self._tried.add(program)
        return f"write {program}"

    def _next(self) -> str | None:
        """Return the most promising program that was not tried; None if there is none."""
        left = [mutant for mutant in _ranked(self._program) if mutant.text not in self._tried]
        left.sort(key=lambda mutant: mutant.first != self._faulty if self._faulty else 0)
        if self._how == "interpreter":
            cases = tuple(self._cases.values())
            left = [mutant for mutant in left[:MOST_RUNS] if run_cases(mutant.text, cases).passed] or left
        return left[0].text if left else None


ORDER: Final = (
    "negation", "range-bound", "direction", "arithmetic", "swapped", "update", "wrong-return", "boolean", "index-shift", "off-by-one",
    "initial-value", "boundary", "wrong-call", "wrong-variable", "early-return", "missing-step", "missing-case", "loop-jump", "slice-bound",
)  # fmt: skip
"""Kinds of changes, the one first of which the largest share repairs: measured on 108 training tasks, 11% of negations, 1% of variables."""


@lru_cache(maxsize=64)
def _ranked(program: str) -> tuple[Mutant, ...]:
    """Return all changes of a program, those of the likelier kinds first."""
    try:
        found = mutants(program)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(sorted(found, key=lambda mutant: ORDER.index(mutant.kind)))


def _read_case(line: str) -> Case | None:
    """Return the test that a line tells of; None where it tells of none, or not whole."""
    found = _FAILURE.fullmatch(line)
    if found is None or "..." in line:
        return None
    try:
        call = ast.parse(found["call"], mode="eval").body
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Name)
        return Case(call.func.id, tuple(ast.literal_eval(value) for value in call.args), ast.literal_eval(found["expected"]))
    except (SyntaxError, ValueError, AssertionError):
        return None
