"""For the tests of this folder: the command line, in this process and in another, and a run to look at."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import EpisodeRecord, HarnessSpec, Job, RolloutConfig, Rollouts
from homebody.envs import tasks
from homebody.envs import window as window_module
from homebody.envs.canvas import Canvas
from homebody.envs.window import Event, Window
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


SMALL = (
    "--model",
    "no-model",
    "--train-tasks",
    2,
    "--validation-tasks",
    2,
    "--growth",
    1,
    "--exploration-steps",
    0,
    "--max-steps",
    3,
    "--rounds",
    1,
)
"""An evolution of a second."""


@pytest.fixture
def small() -> tuple[object, ...]:
    """Options of `evolve` for an evolution of a second."""
    return SMALL


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small run that has ended; `run_dir` hands out copies of it."""
    from homebody.evolution.config import EvolveConfig
    from homebody.evolution.loop import evolve

    path = tmp_path_factory.mktemp("runs") / "small"
    evolve(
        EvolveConfig(
            "homebody/Household-v0", "no-model", "household", rounds=1, train_tasks=2, validation_tasks=2, max_steps=3, exploration_steps=0
        ),
        path,
    )
    return path


@pytest.fixture
def run_dir(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small run that has ended: this test's own, so that what it writes there reaches no other."""
    return Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "run"))


@pytest.fixture
def loaded() -> Callable[[Path], Any]:
    """Read a JSON file."""
    return lambda path: json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="session")
def make_record() -> Callable[..., EpisodeRecord]:
    """Play a test task of the procedural houses and return its record."""

    def play(policy: str = "no-model", max_steps: int = 4, index: int = 0, harness: str = "household") -> EpisodeRecord:
        task = tasks("homebody/Household-v0", "test", index + 1)[index]
        with Rollouts(RolloutConfig("homebody/Household-v0", policy, max_steps)) as rollouts:
            (record,) = rollouts.play([Job(HarnessSpec.load(harness), task)])
        return record

    return play


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Canvas]]:
    """Let windows open without a display, give them events, and keep the pictures that they show."""

    def prepare(*batches: Sequence[Event]) -> list[Canvas]:
        """Each look at the window finds the next batch; where there is none left, its person closes it."""
        shown: list[Canvas] = []
        left = list(batches)

        def events(self: Window) -> list[Event]:
            if not self.is_open:
                return []
            if not left:
                self.close()
                return [Event("close")]
            return list(left.pop(0))

        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        monkeypatch.setattr(window_module, "_UNSEEN_DRIVERS", ())
        monkeypatch.setattr(Window, "events", events)
        monkeypatch.setattr(Window, "wait", lambda self, milliseconds: None)
        monkeypatch.setattr(Window, "show", lambda self, canvas: shown.append(canvas.copy()) if self.is_open else None)
        return shown

    return prepare


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the display away."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
