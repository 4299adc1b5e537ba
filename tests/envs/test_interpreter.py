"""The sandbox: what goes in, what comes out, its limits, and its worker process. What it must withstand is in test_attacks.py."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.interpreter import Limits, SandboxResult, run

ECHO = "def process(event):\n    return event\n"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def workers(parent: int) -> list[int]:
    """Return the process ids of the sandbox's workers below a process."""
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and args.endswith("monty subprocess")]


@given(JSON)
@settings(max_examples=60, deadline=None)
def test_json_comes_out_as_it_went_in(value: object) -> None:
    result = run(ECHO, value)
    assert result == SandboxResult(True, value)


def test_event_is_a_copy_with_tuples_as_lists() -> None:
    event = {"candidates": ("look", "wait")}
    result = run("def process(event):\n    event['candidates'].append('fly')\n    return event\n", event)
    assert result.value == {"candidates": ["look", "wait", "fly"]}
    assert event == {"candidates": ("look", "wait")}


def test_what_it_prints_is_kept_apart() -> None:
    assert run("def process(event):\n    print('hm', event)\n    return 2\n", 1) == SandboxResult(True, 2, log="hm 1\n")


@pytest.mark.parametrize(
    ("source", "kind", "line", "words"),
    [
        ("def process(event)\n    return 1\n", "SyntaxError", 1, "Expected"),
        ("x = 1\n", "NameError", None, "process"),
        ("process = 3\n", "TypeError", None, "not callable"),
        ("def process():\n    return 1\n", "TypeError", 1, "0 positional arguments"),
        ("\ndef process(event):\n    return event['gone']\n", "KeyError", 3, "gone"),
        ("def f(x):\n    return 1 / x\ndef process(event):\n    return f(0)\n", "ZeroDivisionError", 2, "division"),
        ("import re\ndef process(event):\n    return re.match('(', '')\n", "PatternError", 3, ""),
        ("def process(event):\n    return {1, 2}\n", "NotJson", None, "the result: Object of type set"),
        ("return 5\ndef process(event):\n    return 1\n", "NotJson", None, "the text returns outside of a function; define process(event)"),
    ],
)
def test_failure_says_what_and_where(source: str, kind: str, line: int | None, words: str) -> None:
    result = run(source, {})
    assert (result.ok, result.value, result.kind, result.line) == (False, None, kind, line)
    assert words in result.message
    assert result.problem.startswith(kind if line is None else f"{kind} in line {line}: ")


@pytest.mark.parametrize(
    ("limits", "body", "kind", "message"),
    [
        (Limits(seconds=0.05), "while True: pass", "TimeoutError", "takes longer than 50 ms"),
        (Limits(memory_bytes=8 << 20), "return 'a' * (9 << 20)", "MemoryError", "needs more than 8 MiB"),
        (Limits(), "import json\n    return json.dumps([1], indent=10**9)", "MemoryError", "needs more than 64 MiB"),
        (Limits(depth=10), "return process(event)", "RecursionError", "maximum recursion depth exceeded"),
        (Limits(result_chars=10), "return 'x' * 9", "TooLarge", "the result is longer than 10 characters of JSON"),
        (Limits(log_bytes=20), "print('x' * 21)", "TooLarge", "printed more than 20 bytes"),
    ],
)
def test_limits_are_kept_and_named(limits: Limits, body: str, kind: str, message: str) -> None:
    result = run(f"def process(event):\n    {body}\n", {}, limits)
    assert (result.kind, result.message) == (kind, message)


def test_result_as_long_as_the_limit_is_fine() -> None:
    assert run("def process(event):\n    return 'x' * 8\n", {}, Limits(result_chars=10)).value == "x" * 8


@pytest.mark.parametrize("event", [np.int64(3), float("nan"), float("-inf"), "\ud800", {1, 2}], ids=repr)
def test_event_that_is_no_json_is_refused(event: object) -> None:
    result = run(ECHO, {"event": event})
    assert result.kind == "NotJson"
    assert result.message.startswith("the event or the source: ")


def test_event_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert run(ECHO, loop).kind == "NotJson"


def test_message_is_cut() -> None:
    assert len(run("def process(event):\n    raise ValueError('x' * 1000)\n", {}).message) == 200


def test_message_is_one_line_that_a_terminal_can_show() -> None:
    problem = run("def process(event):\n    raise ValueError('a\\nb\\x1b[31mc\\u2028d')\n", {}).problem
    assert problem == "ValueError in line 2: a b [31mc d"


def test_worker_killed_during_a_call_is_one_failed_call() -> None:
    assert run(ECHO, 1).ok
    (worker,) = workers(os.getpid())
    killer = threading.Timer(0.2, os.kill, (worker, 9))
    killer.start()
    result = run("def process(event):\n    while True: pass\n", 1, Limits(seconds=5))
    killer.join()
    assert result.kind == "Crashed"
    assert "worker process died" in result.message
    assert run(ECHO, 2).value == 2


def test_worker_killed_between_calls_is_one_failed_call_at_most() -> None:
    assert run(ECHO, 1).ok
    (worker,) = workers(os.getpid())
    os.kill(worker, 9)
    assert run(ECHO, 2).kind in ("", "Crashed")
    assert [run(ECHO, n).value for n in (3, 4)] == [3, 4]


DRAW = (
    "import random\n"
    "class Thing:\n    def name(self):\n        return 1\n"
    "def process(event):\n"
    "    return [random.random(), hash('a'), list({'x', 'y', 'z'}), event, id(event), hash(Thing()), repr(Thing()), repr(process)]\n"
)
"""Whatever in Python differs from process to process."""


def script(text: str) -> str:
    """Run a script in a process of its own; return what it printed."""
    return subprocess.run([sys.executable, "-P", "-c", text], capture_output=True, text=True, check=True, timeout=30).stdout


def test_results_are_equal_in_every_process() -> None:
    other = script(f"import json; from homebody.envs.interpreter import run; print(json.dumps(run({DRAW!r}, 1).value))")
    assert json.loads(other) == run(DRAW, 1).value


def test_forked_process_has_the_same_results_and_its_parent_goes_on() -> None:
    out = script(
        "import os\nfrom homebody.envs.interpreter import run\n"
        f"echo = {ECHO!r}\nassert run(echo, 1).ok\n"
        "pid = os.fork()\nresult, second = run(echo, 2), run(echo, 3)\n"
        "wrong, after = run('def process(event):\\n    return 1 / 0\\n', 2), run(echo, 4)\n"
        "if pid:\n    os.waitpid(pid, 0)\n"
        "print('parent' if pid else 'child', result.value, second.value, wrong.problem, after.value, flush=True)\n"
    )
    told = "2 3 ZeroDivisionError in line 2: division by zero 4"
    assert out.splitlines() == [f"child {told}", f"parent {told}"]


def test_fork_before_the_first_call_has_its_own_sandbox() -> None:
    out = script(
        "import os\nfrom homebody.envs.interpreter import run\n"
        "pid = os.fork()\n"
        "if pid:\n    os.waitpid(pid, 0)\n"
        f"print(run({ECHO!r}, 2).value, flush=True)\n"
    )
    assert out.splitlines() == ["2", "2"]


def test_worker_ends_with_its_process_however_that_ends() -> None:
    text = f"from homebody.envs.interpreter import run\nprint(run({ECHO!r}, 1).ok, flush=True)\ninput()\n"
    for end in ("close", "kill"):
        with subprocess.Popen([sys.executable, "-P", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "True\n"
            (worker,) = workers(process.pid)
            if end == "kill":
                process.kill()
            else:
                process.stdin.write("\n")
                process.stdin.flush()
            process.wait(20)
        for _ in range(50):
            if not is_running(worker):
                break
            time.sleep(0.1)
        assert not is_running(worker), end


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads the environment of a process from /proc")
def test_worker_has_no_environment() -> None:
    assert run(ECHO, 1).ok
    (worker,) = workers(os.getpid())
    assert Path(f"/proc/{worker}/environ").read_bytes() == b""
