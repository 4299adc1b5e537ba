"""Procedural tasks: a mutant of a reference function, or of two, with tests that tell it from the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

from homebody.envs.core import FINAL, SPLITS, EnvError, TaskSpec, UnknownSplitError, UnknownTaskError, take_tasks
from homebody.envs.repair.functions import HOLDOUTS, Function, functions, of_split
from homebody.envs.repair.mutations import Mutant, both
from homebody.envs.repair.selection import pool, selected
from homebody.envs.repair.suite import LIMITS, Case, run_cases
from homebody.envs.text import short

LEVELS: Final = ("one", "two", "pair")
"""One fault; two faults in a function; two functions with a fault each."""
TASKS_PER_FUNCTION: Final = 60
"""Of each level. Where a function has fewer mutants, they come again with other tests."""
FINAL_TASKS_PER_FUNCTION: Final = 20
"""Of the final split, numbered on from those of the test: of the same functions, with other tests."""
VISIBLE: Final = 5
"""Tests that `run` shows; the pair of functions has as many each."""
HIDDEN: Final = 15
"""Tests that decide, at most."""


class RepairParameterError(EnvError):
    """A parameter of the tasks that is not possible."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name}={short(value)} is not possible; give {allowed}")


@dataclass(frozen=True)
class Task:
    """A program to be repaired."""

    task_id: str
    type: str
    """The family of the function."""
    goal: str
    program: str
    reference: str
    """The program without its faults."""
    visible: tuple[Case, ...]
    hidden: tuple[Case, ...]
    faults: tuple[str, ...] = ()
    """Names of the mutation operators, where they are known."""
    seconds: float = LIMITS.seconds
    """What all tests together may take."""


class FunctionSource:
    """The procedural tasks. An id is `level/function/number`, as `one/fibonacci/0`.

    Args:
        level: Which of `LEVELS` is listed; tasks of all levels can be made.
        holdout: What only the test split shows: functions, or whole families of them, which is harder.

    Raises:
        RepairParameterError: There is no such level or holdout.
    """

    def __init__(self, level: str = "one", holdout: str = "function") -> None:
        for name, value, allowed in (("level", level, LEVELS), ("holdout", holdout, HOLDOUTS)):
            if value not in allowed:
                raise RepairParameterError(name, value, f"one of: {', '.join(allowed)}")
        self.level, self.holdout = level, holdout

    @property
    def about(self) -> str:
        """What is played, for tables."""
        faults = {"one": "one fault each", "two": "two faults each", "pair": "two functions with a fault each"}[self.level]
        return f"functions of {'families' if self.holdout == 'family' else 'our own'} that no training task has; {faults}"

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, all if `n` is None: one of each function, then the next of each.

        Raises:
            UnknownSplitError: There is no such split.
            TaskCountError: `n` is no positive integer, or more than there are.
        """
        if split not in (*SPLITS, FINAL):
            raise UnknownSplitError(split, SPLITS)
        chosen = of_split(split, self.holdout)
        numbers = range(TASKS_PER_FUNCTION)
        if split == FINAL:
            numbers = range(TASKS_PER_FUNCTION, TASKS_PER_FUNCTION + FINAL_TASKS_PER_FUNCTION)
        return take_tasks(
            [TaskSpec(f"{self.level}/{one.name}/{number}", one.family, split) for number in numbers for one in chosen], split, n
        )

    def task(self, task_id: object) -> Task:
        """Make a task.

        Raises:
            UnknownTaskError: There is no such task.
        """
        level, name, number = (*str(task_id).split("/"), "", "")[:3]
        is_number = number.isascii() and number.isdigit() and str(int(number)) == number and int(number) < _tasks_of(name)
        if not isinstance(task_id, str) or level not in LEVELS or name not in functions() or not is_number or task_id.count("/") != 2:
            known = (spec.task_id for split in SPLITS for spec in self.tasks(split))
            raise UnknownTaskError(task_id, known, "the reference functions")
        return make_task(level, name, int(number))


def _tasks_of(name: str) -> int:
    """Return how many tasks of each level a function has, those of the final split included; 0 where there is no such function."""
    function = functions().get(name)
    if function is None:
        return 0
    return TASKS_PER_FUNCTION + (FINAL_TASKS_PER_FUNCTION if "test" in (function.split(holdout) for holdout in HOLDOUTS) else 0)


@lru_cache(maxsize=512)
def make_task(level: str, name: str, number: int) -> Task:
    """Make a task of a function; `number` is below `TASKS_PER_FUNCTION`, or of the final split."""
    function, task_id = functions()[name], f"{level}/{name}/{number}"
    dice = Random(task_id)
    if level == "pair":
        others = [
            one for one in functions().values() if one.family == function.family and one != function and _split(one) == _split(function)
        ]
        parts = [_one(function, number, dice), _one(others[number % len(others)], dice.randrange(TASKS_PER_FUNCTION), dice)]
    elif level == "two":
        parts = [_two(function, number, dice)]
    else:
        parts = [_one(function, number, dice)]
    return Task(
        task_id,
        function.family,
        _goal([part.function for part in parts]),
        "\n\n\n".join(part.program for part in parts),
        "\n\n\n".join(part.function.text for part in parts),
        tuple(case for part in parts for case in part.visible),
        tuple(case for part in parts for case in part.hidden),
        tuple(kind for part in parts for kind in part.faults),
    )


@dataclass(frozen=True)
class _Part:
    """A function with its faults and its tests."""

    function: Function
    program: str
    faults: tuple[str, ...]
    visible: tuple[Case, ...]
    hidden: tuple[Case, ...]


def _split(function: Function) -> str:
    return function.split("function")


def _goal(chosen: Sequence[Function]) -> str:
    names = " and ".join(function.name for function in chosen)
    return f"repair the function{'s' if len(chosen) > 1 else ''} {names}"


def _one(function: Function, number: int, dice: Random) -> _Part:
    choices = selected(function.name)
    mutant = choices[number % len(choices)]
    return _tested(function, mutant.text, (mutant.kind,), dice)


def _two(function: Function, number: int, dice: Random) -> _Part:
    """Put two mutants together that each fail, and fail together on two inputs or more; the first one is that of level one."""
    choices = selected(function.name)
    first = choices[number % len(choices)]
    others: list[Mutant] = [mutant for mutant in choices if both(function.text, first, mutant) is not None]
    dice.shuffle(others)
    for other in others:
        program = both(function.text, first, other)
        assert program is not None
        outcome = run_cases(program, pool(function.name))
        if not outcome.problem and len(outcome.failed) >= 2:
            return _tested(function, program, (first.kind, other.kind), dice)
    return _two(function, number + 1, dice)


def _tested(function: Function, program: str, faults: tuple[str, ...], dice: Random) -> _Part:
    """Choose the tests: some of those shown fail, and some of those that decide."""
    outcome = run_cases(program, pool(function.name))
    failed = [result.case for result in outcome.results if not result.passed]
    passed = [result.case for result in outcome.results if result.passed]
    dice.shuffle(failed)
    dice.shuffle(passed)
    shown = dice.randint(1, min(3, len(failed) - 1))
    visible = [*failed[:shown], *passed[: VISIBLE - shown]]
    visible += failed[shown : shown + VISIBLE - len(visible)] if len(visible) < VISIBLE and len(failed) > VISIBLE else []
    left = [case for case in failed if case not in visible]
    rest = [*left[1:], *(case for case in passed if case not in visible)]
    dice.shuffle(rest)
    hidden = [left[0], *rest[: HIDDEN - 1]]
    for cases in (visible, hidden):
        dice.shuffle(cases)
    return _Part(function, program, faults, tuple(visible), tuple(hidden))
