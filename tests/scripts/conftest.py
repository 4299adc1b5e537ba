"""For the tests of this folder: the command line, in this process and in another, and a run to look at."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homebody.scripts.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on standard error; the test fails if there are more, or fewer."""
        (line,) = self.err.splitlines()
        assert line.startswith("homebody: "), line
        return line.removeprefix("homebody: ")


@pytest.fixture
def homebody(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `homebody ARGUMENTS...` in this process, through its entry point."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["homebody", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, out, err)

    return run


@pytest.fixture
def homebody_process() -> Callable[..., subprocess.Popen[str]]:
    """Start `homebody ARGUMENTS...` as a process of its own group."""

    def start(*arguments: object, **keywords: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "homebody.scripts.cli", *map(str, arguments)]
        env = {**os.environ, "COLUMNS": "200"}
        return subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **keywords
        )

    return start


SMALL = ("--model", "flat", "--train-tasks", 2, "--validation-tasks", 2, "--exploration-steps", 0, "--max-steps", 3, "--rounds", 1)
"""An evolution of a second."""


@pytest.fixture
def small() -> tuple[object, ...]:
    """Options of `evolve` for an evolution of a second."""
    return SMALL


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small run that has ended; not to be changed."""
    from homebody.evolution.loop import EvolveConfig, evolve

    path = tmp_path_factory.mktemp("runs") / "small"
    evolve(
        EvolveConfig(
            "homebody/Household-v0", "flat", "household", rounds=1, train_tasks=2, validation_tasks=2, max_steps=3, exploration_steps=0
        ),
        path,
    )
    return path


@pytest.fixture
def loaded() -> Callable[[Path], Any]:
    """Read a JSON file."""
    return lambda path: json.loads(path.read_text("utf-8"))
