"""Runs Python text that nobody trusts: a pure function of one JSON value, in an interpreter of its own, within limits.

The interpreter is Monty (pydantic-monty), a small Python written for this: it has no files, no network, no environment variables, no
process control and no host functions, and refuses the import of what it does not have. It runs in a worker process, one for each process
that calls `run`, started by the first call. Every call gets a fresh session, so that nothing is left from the call before.

What is promised: the text sees the event and nothing else; JSON goes in and JSON text comes out, read by the host after its length was
checked; a call ends within `Limits.seconds`, or is ended by force `GRACE_S` later; a worker that dies is one failed call. The clock stands
still and `random` starts from one seed: equal text and event give equal results in every process, unless the time runs out, which depends
on the machine.

What is not: the worker runs under the user's own account, without a system-call filter. A bug in the interpreter that lets text run
machine code would have the rights of that account. Its environment is empty, so there are no keys to be found in it.

The interpreter's client does not survive a fork. A process that was forked from one with a sandbox asks a process of its own, which is
`homebody.envs.interpreter_fork`: equal results, at the price of one more process.
"""

from __future__ import annotations

import atexit
import ctypes
import datetime
import json
import os
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from homebody.envs import interpreter_fork

if TYPE_CHECKING:
    import pydantic_monty

GRACE_S = 0.25
"""Seconds after `Limits.seconds` at which a worker that does not stop by itself is killed."""
_MESSAGE_CHARS = 200
_DIED = "the sandbox's worker process died; the next call gets a new one"


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    seconds: float = 0.25
    """Execution time, the definition of the function included."""
    memory_bytes: int = 64 << 20
    """Heap of the interpreter."""
    depth: int = 100
    """Calls within calls."""
    result_chars: int = 256 << 10
    """Length of the result as JSON text."""
    log_bytes: int = 16 << 10
    """Length of all that it prints."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class SandboxResult:
    """How a call ended."""

    ok: bool
    value: Any = None
    """The result: what JSON can hold, fresh objects."""
    kind: str = ""
    """What went wrong: the name of the exception in the sandbox (`TimeoutError`, `MemoryError`, `PermissionError`, ...), `NotJson` for a
    value that JSON does not have, `TooLarge` for a result or a print-out over its limit, `Crashed` for a worker that died."""
    message: str = ""
    """In words, one line of at most 200 characters."""
    line: int | None = None
    """Line of the text, from 1, where that is known."""
    log: str = ""
    """What it printed."""

    @property
    def problem(self) -> str:
        """The failure in one line."""
        where = "" if self.line is None else f" in line {self.line}"
        return f"{self.kind}{where}: {self.message}"


# A slice, as the text may have put something else in the place of `len`. The host looks at the length again.
_CALL = """

_result = {function}({given})
import json as _json
_json.dumps(_result, allow_nan=False)[: {limit} + 1]
"""


def run(source: str, event: Any, limits: Limits = DEFAULT_LIMITS, names: tuple[str, str] = ("process", "event")) -> SandboxResult:
    """Define what `source` defines and return `process(event)`.

    Args:
        source: Python text (the subset that Monty knows) that defines a function `process` of one argument.
        event: JSON-ready data; the text gets a copy, tuples as lists.
        limits: what the call may use.
        names: of the function and of the variable that holds the event.

    Returns:
        The result, or what went wrong. Nothing that the text does raises an exception here.
    """
    try:
        source, event = _json_copy([source, event])
    except (TypeError, ValueError, RecursionError) as error:
        return SandboxResult(False, kind="NotJson", message=one_line(f"the event or the source: {error}"))
    pool = _pool()
    if pool is None:
        found = interpreter_fork.ask({"source": source, "event": event, "limits": asdict(limits), "names": names})
        return SandboxResult(**found) if found is not None else SandboxResult(False, kind="Crashed", message=_DIED)
    import pydantic_monty as monty

    log = monty.CollectString(limits.log_bytes)
    try:
        with _lock, pool.checkout(limits=_limits(limits), os_policy=_policy()) as session:
            text = session.feed_run(
                source + _CALL.format(function=names[0], given=names[1], limit=limits.result_chars),
                inputs={names[1]: event},
                print_callback=log,
            )
    except (monty.MontySyntaxError, monty.MontyRuntimeError) as error:
        return _failure(error, len(source.split("\n")), limits, log.output)
    except monty.MontyCrashedError as error:
        if error.timed_out:
            return SandboxResult(False, kind="TimeoutError", message=_over_time(limits))
        return SandboxResult(False, kind="Crashed", message=_DIED)
    return _read(text, limits, log.output)


def _read(text: Any, limits: Limits, log: str) -> SandboxResult:
    """Read the JSON text that came out of the sandbox, which may hold anything."""
    if not isinstance(text, str):
        message = "the text returns outside of a function; define process(event) and return there"
        return SandboxResult(False, kind="NotJson", message=message, log=log)
    if len(text) > limits.result_chars:
        return SandboxResult(False, kind="TooLarge", message=f"the result is longer than {limits.result_chars} characters of JSON", log=log)
    try:
        value = _json_copy(json.loads(text))
    except (ValueError, RecursionError) as error:
        return SandboxResult(False, kind="NotJson", message=one_line(f"the result: {error}"), log=log)
    return SandboxResult(True, value, log=log)


def _failure(error: Any, lines: int, limits: Limits, log: str) -> SandboxResult:
    """Describe an exception of the sandbox, without the figures that differ from run to run."""
    # The exception's class would be the host's own, whose name may differ between versions of Python.
    kind, message = error.display("type-msg").partition(":")[0].rpartition(".")[2], error.display("msg")
    frames = error.traceback()
    last = frames[-1].line if frames else None
    line = last if last is not None and last <= lines else None
    if kind == "TimeoutError" and "time limit exceeded" in message:
        message = _over_time(limits)
    elif kind == "MemoryError" and f"> {limits.log_bytes} bytes" in message:
        kind, message, line = "TooLarge", f"printed more than {limits.log_bytes} bytes", None
    elif kind == "MemoryError" and ("memory limit exceeded" in message or "exceeded its memory limit" in message):
        message = f"needs more than {limits.memory_bytes >> 20} MiB"
    elif last == lines + 4 and kind in ("TypeError", "ValueError", "RecursionError"):
        kind, message = "NotJson", f"the result: {message}"
    return SandboxResult(False, kind=kind, message=one_line(message), line=line, log=log)


def one_line(message: str) -> str:
    """Return a message that somebody's text made as one line that a terminal can show, at most 200 characters."""
    return "".join(char if char.isprintable() else " " for char in message[:_MESSAGE_CHARS])


def _over_time(limits: Limits) -> str:
    return f"takes longer than {limits.seconds * 1000:g} ms"


def _json_copy(value: Any) -> Any:
    """Return what JSON makes of a value; refuses NaN, infinity, half a surrogate pair and objects that JSON does not have."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()
    return json.loads(text)


def _limits(limits: Limits) -> pydantic_monty.ResourceLimits:
    return {
        "max_feed_duration_secs": limits.seconds,
        "max_memory": limits.memory_bytes,
        "max_recursion_depth": limits.depth,
        "max_suspensions": 100,  # questions to the host, which answers every one with an error
    }


def _policy() -> pydantic_monty.OSPolicy:
    """A clock that stands still, sleep that takes no time, random numbers from one seed."""
    now = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    return {"datetime": now, "timezone": "utc", "sleep": "zero", "process_time": "zero", "random_start": {"seed": 0}}


_running: tuple[int, pydantic_monty.Monty] | None = None
"""The process that started the worker, and the pool of that one worker."""
_lock = threading.Lock()
"""Held during a call: there is one worker, and a call's time does not count what it waits for others' to end."""


def _pool() -> pydantic_monty.Monty | None:
    """Return this process's pool, started if need be; None in a fork of a process that has one."""
    global _running
    if _running is None:
        with _lock:
            if _running is None:
                import pydantic_monty as monty

                pool = monty.Monty(min_processes=1, max_processes=1, feed_duration_limit_grace=GRACE_S)
                pool.__enter__()
                # A fork would drop its copy of the pool when it ends, and so end the worker of its parent: nobody ever drops it.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))
                _running = (os.getpid(), pool)
                atexit.register(_close)
    owner, pool = _running
    return pool if owner == os.getpid() else None


def _close() -> None:
    if _running is not None and _running[0] == os.getpid():
        _running[1].__exit__(None, None, None)
