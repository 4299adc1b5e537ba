"""Real programs with one fault each, from a folder laid out as QuixBugs is.

`python_programs/NAME.py` has the fault, `correct_python_programs/NAME.py` has none, and
`json_testcases/NAME.json` holds a test a line: `[arguments, expected]`. The function is named like
the file. What the sandbox cannot run is left out, by name and with the reason.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

from homebody.envs.core import SPLITS, EnvError, NoTasksError, TaskSpec, UnknownSplitError, UnknownTaskError, take_tasks
from homebody.envs.repair.suite import Case, run_cases
from homebody.envs.repair.tasks import VISIBLE, Task
from homebody.envs.text import JsonError, clean, parse_json, read_text, short

FAULTY, CORRECT, TESTS = "python_programs", "correct_python_programs", "json_testcases"
SECONDS: Final = 1.0
"""What all tests of a real program may take together."""
MOST_TESTS: Final = 40
_SPLIT_OF_PLACE: Final = ("test", "train", "test", "validation")
"""Of the programs in alphabetical order; from the fifth on again."""


class ProgramsError(EnvError):
    """A folder of real programs that cannot be used."""

    def __init__(self, where: object, fault: str) -> None:
        layout = f"give a folder with {FAULTY}/NAME.py, {CORRECT}/NAME.py and {TESTS}/NAME.json, as QuixBugs has them"
        super().__init__(f"{clean(str(where))}: {fault}; {layout}")


class ProgramSource:
    """The programs of a folder as tasks. An id is the name of a program.

    Args:
        data_dir: The folder.

    Raises:
        ProgramsError: It has no such programs.
        UnreadableError: A file is no text, or no JSON.
    """

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        root = Path(os.path.abspath(data_dir))
        # What was read is kept as long as no file changes.
        stamps = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(root.glob("*/*.*")) if path.is_file())
        self._found, self.left_out = _read_folder(root, stamps)
        self._where = clean(str(data_dir))

    @property
    def about(self) -> str:
        """What is played, for tables: how many programs, and which ones are left out."""
        left = "; ".join(f"{name}: {reason}" for name, reason in self.left_out.items())
        return f"{len(self._found)} real programs" + (f", {len(self.left_out)} left out ({left})" if left else "")

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, all if `n` is None: half of the programs are for tests.

        Raises:
            UnknownSplitError: There is no such split.
            NoTasksError: The folder has too few programs.
            TaskCountError: `n` is no positive integer, or more than there are.
        """
        if split not in SPLITS:
            raise UnknownSplitError(split, SPLITS)
        places = {name: _SPLIT_OF_PLACE[place % len(_SPLIT_OF_PLACE)] for place, name in enumerate(self._found)}
        found = [TaskSpec(name, "program", split) for name in self._found if places[name] == split]
        if not found:
            raise NoTasksError(split, self._where, f"add programs; there are {self.about}")
        return take_tasks(found, split, n)

    def task(self, task_id: object) -> Task:
        """Return a task.

        Raises:
            UnknownTaskError: There is no such program, or it is left out.
        """
        task = self._found.get(task_id) if isinstance(task_id, str) else None
        if task is None:
            reason = f" ({self.left_out[task_id]})" if isinstance(task_id, str) and task_id in self.left_out else ""
            raise UnknownTaskError(task_id, self._found, self._where + reason)
        return task


@lru_cache(maxsize=8)
def _read_folder(root: Path, stamps: tuple[tuple[str, int, int], ...]) -> tuple[dict[str, Task], dict[str, str]]:
    """Return the tasks of a folder, and why other programs are left out, by name."""
    for name in (FAULTY, CORRECT, TESTS):
        if not (root / name).is_dir():
            raise ProgramsError(root, f"there is no folder {name}")
    names = sorted(path.stem for path in (root / FAULTY).glob("*.py") if not path.stem.endswith("_test"))
    if not names:
        raise ProgramsError(root / FAULTY, "there are no programs")
    found: dict[str, Task] = {}
    left_out: dict[str, str] = {}
    for name in names:
        made = _read_program(root, name)
        if isinstance(made, Task):
            found[name] = made
        else:
            left_out[name] = made
    return found, left_out


def _read_program(root: Path, name: str) -> Task | str:
    """Return the task of a program, or why there is none."""
    if not name.isidentifier():
        return "its name is no function's"
    if not (root / CORRECT / f"{name}.py").is_file():
        return f"there is no {CORRECT}/{name}.py"
    if not (root / TESTS / f"{name}.json").is_file():
        return f"there is no {TESTS}/{name}.json"
    program, reference = (_source(root / folder / f"{name}.py") for folder in (FAULTY, CORRECT))
    cases = _read_cases(root / TESTS / f"{name}.json", name)
    right = run_cases(reference, cases, seconds=SECONDS)
    if right.problem:
        return f"the sandbox does not run it, {right.problem}"
    if not right.passed:
        first = right.failed[0]
        return f"its correct program fails a test, {short(first.case.call)}"
    failed = [result.case for result in run_cases(program, cases, seconds=SECONDS).failed]
    if not failed:
        return "no test shows its fault"
    dice = Random(name)
    dice.shuffle(failed)
    others = [case for case in cases if case != failed[0]]
    visible = [failed[0], *dice.sample(others, min(VISIBLE - 1, len(others)))]
    dice.shuffle(visible)
    return Task(name, "program", f"repair the program {name}", program, reference, tuple(visible), tuple(cases), seconds=SECONDS)


def _source(path: Path) -> str:
    return clean(read_text(path)).replace("\r\n", "\n").replace("\t", "    ").strip("\n").rstrip()


def _read_cases(path: Path, name: str) -> list[Case]:
    """Return the tests of a file, `MOST_TESTS` at most.

    Raises:
        JsonError: A line is no test.
    """
    cases: list[Case] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            test = parse_json(line, f"{path}, line {number}")
            if not isinstance(test, list) or len(test) != 2:
                raise JsonError(f"{path}, line {number}", f"is {short(test)}, no test", "give [arguments, expected]")
            arguments = test[0] if isinstance(test[0], list) else [test[0]]
            cases.append(Case(name, tuple(arguments), test[1]))
    if not cases:
        raise JsonError(path, "holds no tests", "give one a line: [arguments, expected]")
    return cases[:MOST_TESTS]
