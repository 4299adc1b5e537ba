"""Faults that are injected for real into commands of their own process: what was done is kept, and the run goes on to the same end.

A slice runs with the other tests. `HOMEBODY_KILLS=50 .venv/bin/pytest -s tests/scripts/test_faults.py -k kill` kills so often;
`HOMEBODY_KILLS_MODEL=smollm2` has that model play in the place of one without weights.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store

Command = Callable[..., Any]
KILLS = int(os.environ.get("HOMEBODY_KILLS", "2"))
MODEL = os.environ.get("HOMEBODY_KILLS_MODEL", "mock_model:Mock")
HOMEBODY = (sys.executable, "-P", "-m", "homebody.scripts.cli")
WORLD = """
import pathlib, resource, time
import gymnasium
from gymnasium.spaces import Text
from homebody.envs import TaskSpec

class World(gymnasium.Env):
    observation_space = Text(100)
    action_space = Text(100)

    def __init__(self, greedy=""):
        self.greedy = greedy

    @classmethod
    def task_source(cls, **settings):
        return cls

    @classmethod
    def tasks(cls, split, n=None):
        return [TaskSpec(f"{split}-{number}", "wait", split) for number in range(24)][:n]

    def reset(self, *, seed=None, options=None):
        self.task = (options or {}).get("task", "none")
        return "Wait.", self.info(False)

    def step(self, action):
        if self.task == self.greedy:
            used = 4096 * int(pathlib.Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), -1))
            try:
                bytearray(1 << 30)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        time.sleep(1.0 if self.task.endswith("-0") else 0.02)  # The others are finished ahead of the first one's turn.
        with pathlib.Path(__file__).with_name("finished").open("a") as file:
            file.write(self.task + "\\n")
        return "Done.", 1.0, True, False, self.info(True)

    def info(self, won):
        return {"goal": "wait", "admissible_commands": ["rest", "wait"], "won": won, "task_id": self.task}
"""


def make_world(folder: Path, mock_model: Path) -> Path:
    folder.mkdir()
    (folder / "fault_world.py").write_text(WORLD)
    shutil.copy(mock_model, folder)
    return folder


@pytest.fixture
def world(tmp_path: Path, mock_model: Path) -> Path:
    """The folder of an environment that notes which episodes came to their end, and of the model."""
    return make_world(tmp_path / "world", mock_model)


def evaluation(world: Path, run_dir: Path, *more: object) -> subprocess.Popen[str]:
    words = (
        "evaluate",
        "--env",
        "fault_world:World",
        "--harness",
        "generic-act",
        "--policy",
        MODEL,
        "--workers",
        2,
        "--run-dir",
        run_dir,
    )
    command = [*HOMEBODY, *map(str, (*words, *more))]
    env = {**os.environ, "PYTHONPATH": str(world), "COLUMNS": "200"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(run_dir: Path) -> dict[str, str]:
    """Task and trace hash of each episode that is kept, read as any program would."""
    path = run_dir / "run.sqlite"
    if not path.is_file():
        return {}
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if name in ("episodes", "ahead")]
        rows = [json.loads(data) for table in tables for (data,) in db.execute(f"SELECT data FROM {table}")]
    except sqlite3.OperationalError:
        return {}
    finally:
        db.close()
    assert len({row["task_id"] for row in rows}) == len(rows)
    return {row["task_id"]: row["trace_hash"] for row in rows}


def workers_of(pid: int) -> list[int]:
    """The worker processes of a command."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
            found.append(int(child))
    return found


def finished(world: Path) -> Counter[str]:
    path = world / "finished"
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, mock_model: Path) -> dict[str, str]:
    """What an evaluation keeps that nothing happens to."""
    folder = make_world(tmp_path_factory.mktemp("whole") / "world", mock_model)
    with evaluation(folder, folder / "run") as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = kept(folder / "run")
    assert len(found) == 24
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_kills_of_main_process_and_workers_lose_no_finished_episode_and_none_is_played_again(
    world: Path, tmp_path: Path, whole: dict[str, str]
) -> None:
    draw, run, kills, ahead = random.Random(23), 0, 0, 0
    while kills < KILLS:
        run += 1
        run_dir = tmp_path / f"run {run}"
        before, again = finished(world), kept(run_dir)
        while True:
            wanted = len(kept(run_dir)) + draw.randint(0, 8)
            with evaluation(world, run_dir) as process:
                while kills < KILLS and process.poll() is None and (len(kept(run_dir)) < wanted or not workers_of(process.pid)):
                    time.sleep(0.005)
                time.sleep(draw.uniform(0, 0.05))
                is_main = draw.random() < 0.5
                with_whom = process.pid if is_main or process.poll() is not None else draw.choice(workers_of(process.pid) or [process.pid])
                if kills < KILLS and process.poll() is None:
                    os.kill(with_whom, signal.SIGKILL)
                _, err = process.communicate(timeout=300)
            now = kept(run_dir)
            assert again.items() <= now.items() <= whole.items()  # nothing is lost, and all is as it would have been
            after = finished(world)
            assert not any(after[task] > before[task] for task in again)  # what was kept is not played again
            ahead += "test-0" not in now and len(now) > 1
            before, again = after, now
            if process.returncode == 0:
                break
            kills += 1
            assert process.returncode == -signal.SIGKILL or (
                process.returncode == 1 and err.splitlines()[-1].startswith("homebody: a worker process died (killed, or out of memory)")
            ), err
        assert now == whole
        with Store(run_dir, readonly=True) as store:
            assert list(store.episodes()) == store.events("evaluation")[-1]["keys"]  # in the order of the tasks, whoever was done first
    print(f"\n{kills} kills in {run} evaluations; {ahead} of them fell while episodes waited for their turn")


def test_a_worker_out_of_memory_is_an_error_of_one_episode(world: Path, tmp_path: Path, whole: dict[str, str]) -> None:
    result = tmp_path / "result.json"
    with evaluation(world, tmp_path / "run", "--env-arg", "greedy=test-3", "--json", result) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("homebody: 1 of 24 episodes failed; the first, test-3: CustomEnvError at step: ")
    found = json.loads(result.read_text())
    assert (found["n"], found["errors"], found["success"]) == (23, 1, 1.0)
    (failed,) = [episode for episode in found["episodes"] if episode["error"]]
    assert (failed["task_id"], "MemoryError" in failed["error"]["message"]) == ("test-3", True)
    assert {task: value for task, value in whole.items() if task != "test-3"} == kept(tmp_path / "run")


FULL = """
mount -t tmpfs -o size=$1 none "$0" || exit 99
shift
"$@" >"$0.first" 2>&1; echo $? >>"$0.first"
mount -o remount,size=64m "$0"
"$@" >"$0.second" 2>&1; echo $? >>"$0.second"
cp -r "$0/." "$0.kept"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no disk can be made small here")
@pytest.mark.parametrize("size", ["24k", "56k"])
def test_a_full_disk_is_one_line_and_with_room_the_run_goes_on(tmp_path: Path, size: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ("evaluate", "--policy", "random", "--tasks", 6, "--max-steps", 4, "--run-dir", disk)
    command = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "bash", "-c", FULL, disk, size, *HOMEBODY, *words]
    if subprocess.run(list(map(str, command)), check=False, stderr=subprocess.DEVNULL).returncode == 99:
        pytest.skip("no disk can be made small here")
    *_, line, code = (tmp_path / "disk.first").read_text().splitlines()
    assert int(code) in (1, 2)
    assert line.startswith("homebody: ")
    assert "disk is full; make room" in line or "No space left on device" in line
    *_, code = (tmp_path / "disk.second").read_text().splitlines()
    assert code == "0"
    assert len(kept(tmp_path / "disk.kept")) == 6


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = EvolveConfig(
        "homebody/Household-v0", "no-model", "household", rounds=1, train_tasks=2, validation_tasks=2, max_steps=3, exploration_steps=0,
        budget_minutes=60.0,
    )  # fmt: skip
    results = []
    for name in ("steady", "jumping"):
        run_dir = tmp_path / name
        with monkeypatch.context() as patch:
            if name == "jumping":
                draw = random.Random(1)
                patch.setattr(time, "time", lambda draw=draw: draw.choice((0.0, 1e9, 4e9)) + draw.random())
            found = evolve(config, run_dir)
            with Store(run_dir, readonly=True) as store:
                assert 0 <= store.working_s() < 600
            results.append({key: value for key, value in found.items() if key not in ("wall_s", "twins_s", "final_harness")})
    assert results[0] == results[1]
