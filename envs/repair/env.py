"""The environment: a program with a fault is shown, run, changed and handed in."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from homebody.envs.core import RENDER_MODES, NotResetError, SnapshotError
from homebody.envs.repair.picture import RepairPicture, Sheet
from homebody.envs.repair.programs import ProgramSource
from homebody.envs.repair.search import SEARCHES, Searcher
from homebody.envs.repair.suite import MOST_PROGRAM, Outcome, Result, run_cases, where_it_fails
from homebody.envs.repair.tasks import FunctionSource, RepairParameterError, Task
from homebody.envs.text import clean
from homebody.envs.text_env import TextTaskEnv

MOST_SHOWN: Final = 3
"""Failing tests that `run` shows, the first ones."""
MOST_CHARACTERS: Final = 100
"""Of a value or a call in an observation."""
WRITE: Final = "write {text}"
NO_COMMAND: Final = "No such command. Commands: run, show, replace N: code, write code, undo, submit."
_UNFILLED: Final = "Write Python code in the place of {text}."
_REPLACE: Final = re.compile(r"replace (\d{1,6}):(.*)", re.DOTALL)
_WRITE: Final = re.compile(r"write\s(.*)", re.DOTALL)
_FENCE: Final = re.compile(r"^[ \t]*```.*$", re.MULTILINE)


class RepairEnv(TextTaskEnv):
    """Repair a small Python program (`homebody/Repair-v0`).

    Observation:
        `Text`: the answer to the command. At first the number of visible tests and the program, its lines numbered from 1.
    Action:
        `Text`: `run` (the visible tests: which fail, with values and errors), `show` (the program), `replace N: CODE` (line N becomes
        the code, which takes that line's indentation; several lines up to an empty one), `write CODE` (the whole program; of code in
        a fence of ``` what is inside), `undo` (the last change), `submit` (hidden tests decide). Anything else is answered by the
        list of commands, and costs a step. Programs run in the sandbox of `homebody.envs.interpreter`: one that is wrong, endless or
        hostile is an answer, too.
    Reward:
        1.0 for a program that is handed in and passes all hidden tests, else 0.0.
    Episode end:
        `terminated` by `submit`; `truncated` from step `max_steps` on. The environment itself goes on after either.
    Info:
        `goal`, `admissible_commands` (sorted), `slot_lines` (those for several lines), `won` (the last program handed in was right),
        `task_id`.
    Reset:
        `reset(options={"task": ID})` plays that task; without options the environment's own seeded generator draws one from `split`.
    Rendering:
        `render_mode="human"` shows program and tests in a window; `"rgb_array"` draws them when `render` is called.
    """

    online_label = "search: tries changes of the kinds that faults are made of, by what the visible tests say"
    """What `scripted_policy` is, for tables."""
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 2}  # noqa: RUF012  # declared so by Gymnasium
    max_command = 4096

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        level: str = "one",
        holdout: str = "function",
        search: str = "steps",
        max_steps: int = 8,
        split: str = "train",
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **unknown: Any,
    ) -> None:
        """Choose the programs.

        Args:
            data_dir: A folder of real programs; see `ProgramSource`. `None` makes tasks of functions of our own.
            level: Faults of the latter: `one`, `two` in one function, or `pair`: two functions with one each.
            holdout: What only their test split shows: each a `function`, or whole `family`s, which is harder.
            search: How `scripted_policy` searches: `steps` tries each change in the environment, `interpreter` runs programs by
                itself on the tests that it has seen fail.
            max_steps: Steps after which `truncated` is set; at least 1.
            split: Where a reset without options draws its task.
            render_mode: `human` for a window, `rgb_array` for pictures from `render`; `None` is for play without either.
            render_size: Width and height of the pictures, in pixels.
            **unknown: Refused by name.

        Raises:
            UnknownParameterError: There is no such parameter.
            RepairParameterError: A parameter is not possible.
            EnvError: The folder cannot be used, or there can be no such pictures.
        """
        self.check_parameters(unknown)
        if search not in SEARCHES:
            raise RepairParameterError("search", search, f"one of: {', '.join(SEARCHES)}")
        self._source = self.task_source(data_dir, level=level, holdout=holdout)
        self._search = search
        self._task: Task | None = None
        self._searcher: Searcher | None = None
        super().__init__(max_steps=max_steps, split=split, render_mode=render_mode, render_size=render_size)

    @classmethod
    def task_source(
        cls, data_dir: str | os.PathLike[str] | None = None, *, level: str = "one", holdout: str = "function", **others: Any
    ) -> FunctionSource | ProgramSource:
        """Return where the tasks come from; takes what the constructor takes."""
        cls.check_parameters(others)
        return FunctionSource(level, holdout) if data_dir is None else ProgramSource(data_dir)

    @property
    def about(self) -> str:
        """What is played, for tables."""
        return self._source.about

    @property
    def source(self) -> FunctionSource | ProgramSource:
        """Where the tasks come from."""
        return self._source

    @property
    def task(self) -> Task:
        """The task being played, for viewers and tests."""
        if self._task is None:
            raise NotResetError("step, render, expert, scripted_policy or snapshot")
        return self._task

    @property
    def program(self) -> str:
        """The program as it stands."""
        assert self.task
        return self._program

    def view(self) -> Sheet:
        """Return what a picture shows of the program as it stands."""
        return Sheet(self.task.goal, self._program, self.task.program)

    def picture_class(self) -> type[RepairPicture]:
        """Return the class of its pictures."""
        return RepairPicture

    def expert(self) -> list[str]:
        """Return a shortest list of commands that repairs the program; empty once it is handed in. It knows the fault.

        Raises:
            NotResetError: The environment was never reset.
        """
        task = self.task
        if self._won:
            return []
        now, right = self._program.split("\n"), task.reference.split("\n")
        if now == right:
            return ["submit"]
        different = [number for number, lines in enumerate(zip(now, right, strict=False), 1) if lines[0] != lines[1]]
        if len(now) == len(right) and len(different) == 1 and _indentation(now[different[0] - 1]) == _indentation(right[different[0] - 1]):
            return [f"replace {different[0]}: {right[different[0] - 1].strip()}", "submit"]
        return [f"write {task.reference}", "submit"]

    def scripted_policy(self) -> list[str]:
        """Return the next command, in a list, of a search that knows what an agent reads; it goes by what was said since the reset.

        Raises:
            NotResetError: The environment was never reset.
        """
        assert self.task
        if self._searcher is None:  # after a restore: it begins with the program as it stands
            self._searcher = Searcher(self._search)
            self._searcher.see("", numbered(self._program))
        return [self._searcher.choose(self.max_steps - self._n_steps)]

    def _begin(self, task_id: str) -> str:
        task = self._source.task(task_id)
        self._set(task, task.program, ())
        self._won = False
        tests = len(task.visible)
        # The program stands last: what follows it a small model takes for a part of it.
        observation = f"{tests} visible test{'s' if tests > 1 else ''}.\n\n{numbered(task.program)}"
        self._searcher = Searcher(self._search)
        self._searcher.see("", observation)
        return observation

    def _act(self, action: object) -> tuple[str, float, bool]:
        command = clean(action) if isinstance(action, str) else ""
        observation, is_end = self._do(command.strip() if command.strip() in ("run", "show", "undo", "submit") else command)
        if self._searcher is not None:
            self._searcher.see(command, observation)
        return observation, 1.0 if is_end and self._won else 0.0, is_end

    def _keep(self) -> tuple[str, tuple[str, ...], bool]:
        return self._program, self._before, self._won

    def _go_back(self, task_id: str, kept: Any) -> None:
        try:
            program, before, won = kept
        except (TypeError, ValueError):
            raise SnapshotError(f"it keeps {type(kept).__name__}, not a program") from None
        self._set(self._source.task(task_id), program, before)
        self._won, self._searcher = won, None

    def _set(self, task: Task, program: str, before: tuple[str, ...]) -> None:
        """Set the program as it stands, and those to which `undo` goes back, the last one last."""
        self._task, self._program, self._before = task, program, before

    def _do(self, command: str) -> tuple[str, bool]:
        """Carry a command out; return what to say, and whether the program was handed in."""
        if command == "run":
            return told(self._program, run_cases(self._program, self.task.visible, seconds=self.task.seconds)), False
        if command == "show":
            return numbered(self._program), False
        if command == "undo":
            if not self._before:
                return "There is no change to undo.", False
            *before, program = self._before
            self._set(self.task, program, tuple(before))
            return f"The last change is undone.\n{numbered(program)}", False
        if command == "submit":
            return self._submit(), True
        if (found := _REPLACE.fullmatch(command)) is not None:
            return self._replace(int(found[1]), found[2]), False
        if (found := _WRITE.fullmatch(command)) is not None:
            return self._write(found[1]), False
        return NO_COMMAND, False

    def _submit(self) -> str:
        outcome = run_cases(self._program, self.task.hidden, seconds=self.task.seconds)
        self._won = outcome.passed
        count = len(outcome.results)
        return f"All {count} hidden tests pass." if self._won else f"{len(outcome.failed)} of {count} hidden tests fail."

    def _replace(self, number: int, text: str) -> str:
        lines = self._program.split("\n")
        if not 1 <= number <= len(lines):
            return f"There is no line {number}; the program has {len(lines)} lines."
        new = _in_place(unfenced(text), _indentation(lines[number - 1]))
        if not new or text.strip() == "{text}":
            return _UNFILLED
        last = number + len(new) - 1
        refused = self._change("\n".join((*lines[: number - 1], *new, *lines[number:])))
        return refused or f"Line {number} is now:\n{numbered(self._program, number, last)}"

    def _write(self, text: str) -> str:
        code = unfenced(text)
        if not code or code == "{text}":
            return _UNFILLED
        count = code.count("\n") + 1
        return self._change(code) or f"The program is now this one, of {count} line{'s' if count > 1 else ''}."

    def _change(self, program: str) -> str:
        """Set the program; return why not, if it cannot be."""
        if len(program) > MOST_PROGRAM:
            return f"That is too long; a program has at most {MOST_PROGRAM} characters."
        self._set(self.task, program, (*self._before, self._program))
        return ""

    def _info(self) -> dict[str, Any]:
        replace = [f"replace {number}: {{text}}" for number in range(1, self._program.count("\n") + 2)]
        commands = ["run", "show", "submit", *(["undo"] if self._before else []), WRITE, *replace]
        return {
            "goal": self.task.goal,
            "admissible_commands": sorted(commands),
            "slot_lines": sorted((WRITE, *replace)),
            "won": self._won,
            "task_id": self.task.task_id,
        }


def numbered(program: str, first: int = 1, last: int | None = None) -> str:
    """Return the lines of a program from one to another, each with its number before it."""
    lines = program.split("\n")
    width = len(str(len(lines)))
    return "\n".join(
        f"{number:>{width}} {line}".rstrip() for number, line in enumerate(lines, 1) if first <= number <= (last or len(lines))
    )


def told(program: str, outcome: Outcome) -> str:
    """Return what came of visible tests, in words: the first failing ones with values and errors."""
    count, failed = len(outcome.results), outcome.failed
    if not failed:
        return f"All {count} visible tests pass."
    if outcome.problem:
        return f"All {count} visible tests fail: {outcome.problem}\n{_wanted(failed[0])}"
    lines = [f"{len(failed)} of {count} visible tests fail.", *(_failure(program, result) for result in failed[:MOST_SHOWN])]
    return "\n".join(lines)


def unfenced(text: str) -> str:
    """Return code without the fence of ``` around it, and without what a model says before and after."""
    fences = list(_FENCE.finditer(text))
    if fences:
        before = text[: fences[0].start()]
        end = fences[1].start() if len(fences) > 1 else len(text)
        text = before if before.strip() else text[fences[0].end() : end]
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _in_place(code: str, indentation: str) -> list[str]:
    """Return lines for the place of one with some indentation: up to an empty one, the first with that indentation.

    Further lines stay as they are where none of them is indented less; else they move in as far.
    """
    first, *others = code.lstrip().split("\n")
    others = others[: others.index("")] if "" in others else others
    if any(not line.startswith(indentation) for line in others):
        others = [indentation + line for line in others]
    return [indentation + first, *others] if first else []


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _wanted(result: Result) -> str:
    return f"{_short(result.case.call)} should return {_short(repr(result.case.expected))}"


def _failure(program: str, result: Result) -> str:
    if not result.error:
        return f"{_short(result.case.call)} returned {_short(repr(result.value))}, not {_short(repr(result.case.expected))}"
    error = where_it_fails(program, result.case) or result.error
    return f"{_short(result.case.call)} raised {_short(error)}; it should return {_short(repr(result.case.expected))}"


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
