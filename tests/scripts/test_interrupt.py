"""Signals that ask to stop, at any moment: once, what runs ends cleanly; twice, it ends at once. All in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.store import Store, holds
from homebody.scripts.interrupt import NOTE, NOTE_AT_ONCE

Command = Callable[..., Any]
ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def wait_until(process: subprocess.Popen[str], is_so: Callable[[], bool], limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail("what was waited for did not come")
        time.sleep(0.01)


def catches(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP, which is homebody's own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True  # it has ended
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGHUP - 1)


def python(code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


# --- once


@pytest.mark.parametrize(
    ("number", "workers", "after_s"),
    [
        (signal.SIGINT, 1, 0.0),
        (signal.SIGTERM, 1, 0.3),
        (signal.SIGHUP, 2, 0.0),
        (signal.SIGINT, 2, 1.5),
        (signal.SIGTERM, 2, 3.0),
        (signal.SIGHUP, 2, 3.5),
    ],
)
def test_a_signal_to_all_processes_ends_an_evaluation_in_one_line(
    homebody_process: Command, tmp_path: Path, number: signal.Signals, workers: int, after_s: float
) -> None:
    arguments = ("evaluate", "--policy", "random", "--tasks", 20_000, "--run-dir", tmp_path / "run", "--workers", workers)
    with homebody_process(*arguments) as process:
        wait_until(process, lambda: catches(process.pid))
        time.sleep(after_s)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert [line for line in err.splitlines() if not line.startswith("episodes: ")] == [f"homebody: {NOTE}"]


def test_the_same_signal_that_comes_by_two_ways_is_one(homebody_process: Command, tmp_path: Path) -> None:
    with homebody_process("evaluate", "--policy", "random", "--tasks", 20_000, "--run-dir", tmp_path / "run") as process:
        wait_until(process, lambda: (tmp_path / "run" / "run.sqlite").exists())
        process.send_signal(signal.SIGTERM)  # as coreutils' timeout does it
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, f"homebody: {NOTE}\n")
    Store(tmp_path / "run").close()  # the directory was given back


def test_workers_in_a_long_episode_end_with_it_and_what_they_finished_is_kept(tmp_path: Path) -> None:
    module = tmp_path / "slow_world.py"
    module.write_text(
        """
import pathlib, time
import gymnasium
from gymnasium.spaces import Text
from homebody.envs import TaskSpec

class Slow(gymnasium.Env):
    observation_space = Text(100)
    action_space = Text(100)

    @classmethod
    def task_source(cls):
        return cls

    @classmethod
    def tasks(cls, split, n=None):
        return [TaskSpec(f"{split}-{number}", "wait", split) for number in range(6)][:n]

    def reset(self, *, seed=None, options=None):
        self.task = (options or {}).get("task", "none")
        return "Wait.", self.info(False)

    def step(self, action):
        if self.task == "test-0":
            time.sleep(600)
        pathlib.Path(__file__).with_name(self.task).touch()
        return "Done.", 1.0, True, False, self.info(True)

    def info(self, won):
        return {"goal": "wait", "admissible_commands": ["wait"], "won": won, "task_id": self.task}
"""
    )
    run_dir = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "homebody.scripts.cli", "evaluate", "--env", "slow_world:Slow", "--harness", "generic-act"]
    command += ["--policy", "random", "--workers", "2", "--run-dir", str(run_dir)]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_until(process, lambda: all((tmp_path / f"test-{number}").exists() for number in range(1, 6)))
        time.sleep(0.5)  # the last one's record is on its way
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out, err) == (1, "", f"homebody: {NOTE}\n")
    with Store(run_dir, readonly=True) as store:
        assert sorted(record["task_id"] for record in store.episodes().values()) == [f"test-{number}" for number in range(1, 6)]


def test_an_interrupt_in_any_callback_of_c_code_is_not_lost() -> None:
    code = """
import ctypes, os, signal, time
from homebody.scripts.interrupt import interruptible

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def compare(a, b):
    if not sent:
        sent.append(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
    return 0

sent = []
numbers = (ctypes.c_int * 4)(3, 1, 2, 0)
try:
    with interruptible():
        ctypes.CDLL(None).qsort(numbers, ctypes.c_size_t(4), ctypes.c_size_t(4), compare)
        for _ in range(500):
            time.sleep(0.01)
        print("went on")
except KeyboardInterrupt:
    print("stopped")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


@pytest.mark.parametrize("catch", ["except:", "except BaseException:", "finally:"])
def test_an_interrupt_that_a_library_swallows_is_not_lost(catch: str) -> None:
    code = f"""
import time
from homebody.scripts.interrupt import interruptible

def library():
    while True:
        try:
            print("begun", flush=True)
            time.sleep(600)
        {catch}
            return 1

try:
    with interruptible():
        library()
        try:
            time.sleep(30)
            print("went on")
        except KeyboardInterrupt:
            time.sleep(0.5)  # what cleans up is not disturbed
            print("cleaned up")
            raise
except KeyboardInterrupt:
    print("stopped")
"""
    with python(code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "cleaned up\nstopped\n", "")


def test_an_interrupt_within_an_exec_ends_with_code_1(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("print('begun', flush=True)\nexec('import time\\ntime.sleep(600)')\n")
    command = [sys.executable, "-P", "-m", "homebody.scripts.cli", "evaluate", "--env", "page:Page", "--harness", "generic-act"]
    command += ["--policy", "random"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (1, f"homebody: {NOTE}\n")


@pytest.mark.parametrize(("cause", "ended"), [("KeyboardInterrupt()", "stopped"), ("ValueError()", "RuntimeError")])
def test_an_interrupt_that_became_an_error_is_one(cause: str, ended: str) -> None:
    code = f"""
from homebody.scripts.interrupt import interruptible
try:
    with interruptible():
        try:
            raise {cause}
        except BaseException as error:
            raise RuntimeError("Error calling __set_name__") from error  # as Python 3.11 does it
except KeyboardInterrupt:
    print("stopped")
except RuntimeError:
    print("RuntimeError")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ended}\n", "")


def test_a_command_that_runs_others_passes_a_signal_on_and_ends_with_them(homebody_process: Command, tmp_path: Path) -> None:
    run_dir = tmp_path / "no-model-household"
    arguments = ("reproduce", "--models", "no-model", "--benchmarks", "household", "--quick", "--run-dir", tmp_path)
    with homebody_process(*arguments) as process:
        wait_until(process, lambda: (run_dir / "run.sqlite").exists() and holds(run_dir, "start"))
        process.send_signal(signal.SIGTERM)  # to the one process alone
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "$ homebody evolve" in out
    assert err.splitlines()[-1] == f"homebody: {NOTE}"
    assert err.count(NOTE) == 1
    Store(run_dir).close()


# --- twice


@pytest.mark.parametrize("number", ALL)
def test_a_second_signal_ends_a_process_that_does_not_answer(number: signal.Signals) -> None:
    code = """
import hashlib
from homebody.scripts.interrupt import interruptible
with interruptible():
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 500_000_000)  # minutes of C code
"""
    with python(code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (1, f"homebody: {NOTE_AT_ONCE}\n")


def test_a_second_signal_ends_workers_and_commands_below(homebody_process: Command, tmp_path: Path) -> None:
    code = """
import sys
from homebody.scripts.interrupt import interruptible, run_child
child = "import signal, time, os; signal.signal(signal.SIGINT, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
with interruptible():
    run_child([sys.executable, "-c", child])
"""
    with python(code) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (1, f"homebody: {NOTE_AT_ONCE}\n")
    wait_until(process, lambda: not Path(f"/proc/{child}").exists() or "\nState:\tZ" in Path(f"/proc/{child}/status").read_text(), 10)


def test_a_signal_that_was_ignored_stays_so() -> None:
    code = """
import os, signal
from homebody.scripts.interrupt import interruptible
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does it
with interruptible():
    os.kill(os.getpid(), signal.SIGHUP)
    print("went on")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")
