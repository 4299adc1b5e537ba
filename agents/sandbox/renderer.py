"""Prompt templates (Jinja syntax, by minijinja), rendered in a worker process over JSON copies of what they may see.

A template sees its context and nothing else: no loader, so no include or import; no environment variables; names that it does not know are
errors; of a list's methods there are `count` and `index`, of an object's `get`, `items`, `keys` and `values`. It has a budget of steps, of
time, of memory and of characters. What runs out of one of them, or brings its worker down, is a `PromptTemplateError`, and the next
template gets a new worker. Equal template and context give an equal text; only the budgets of time and memory depend on the machine, and
the error is then the same whichever ran out.

The worker runs under the user's own account, without a system-call filter (see `sandbox` for what that means). Waiting for its answer with
a time limit needs POSIX; so does its limit on memory, which macOS does not enforce.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.sandbox.interpreter import one_line

FUEL = 20_000
"""Steps of a template; a pass through a loop takes a few."""
MAX_CHARS = 64 << 10
"""Length of the text."""
SECONDS = 0.25
MEMORY_BYTES = 512 << 20
"""Address space of the worker, Python included."""

_WORKER = Path(__file__).with_name("renderer_worker.py")
_LOADER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What Python itself may need to start; the worker forgets it before the first template."""
_OVER = f"it takes longer than {SECONDS * 1000:g} ms or more than {MEMORY_BYTES >> 20} MiB, or nests too deep"


class PromptTemplateError(AgentError):
    """A template that does not compile or render.

    Attributes:
        kind: minijinja's name (`UndefinedError`, `SyntaxError`, `OutOfFuel`, ...), `TooLarge` for a text over `MAX_CHARS`, `NotJson` for a
            context that JSON does not have, `Stopped` for a worker that ran out of time or memory or died.
    """

    def __init__(self, kind: str, message: str, line: int | None = None) -> None:
        where = "" if line is None else f" in line {line}"
        super().__init__(f"template: {kind}{where}: {one_line(message)}")
        self.kind = kind


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return the text of a template.

    Args:
        template: Jinja source.
        context: the variables: JSON-ready data, tuples as lists.

    Raises:
        PromptTemplateError: it does not compile, names something unknown, or is over a limit.
    """
    return str(_ask({"template": template, "context": dict(context)})["text"])


def check(template: str, allowed: Iterable[str]) -> list[str]:
    """Return what is wrong with a template before it meets a context: that it does not compile, or each unknown variable.

    Args:
        template: Jinja source.
        allowed: the variables that it may use.
    """
    known = sorted(allowed)
    try:
        unknown = _ask({"template": template, "allowed": known})["unknown"]
    except PromptTemplateError as error:
        return [str(error)]
    return [f"template: there is no variable {one_line(repr(name))}; there are {', '.join(known)}" for name in unknown]


class _Worker:
    """The process that renders."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER), str(MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _LOADER if name in os.environ},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        if self._out.readline() != b"\n":
            self.close()
            raise PromptTemplateError("Stopped", "the worker process does not start; is minijinja installed beside homebody?")

    def ask(self, line: bytes) -> bytes:
        """Return the answer to a line; empty if the worker died or ran out of time."""
        try:
            self._in.write(line)
            self._in.flush()
        except BrokenPipeError:
            return b""
        ready, _, _ = select.select([self._out], [], [], SECONDS)
        return self._out.readline() if ready else b""

    def close(self) -> None:
        """End the process; in a fork, only let go of it."""
        if self.owner == os.getpid():
            self._process.kill()
            self._process.communicate()


_worker: _Worker | None = None
_lock = threading.Lock()


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    try:
        line = json.dumps({**request, "fuel": FUEL, "max_chars": MAX_CHARS}, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise PromptTemplateError("NotJson", f"the template or its context: {error}") from None
    with _lock:
        answer = _running().ask(line)
        if not answer.endswith(b"\n"):
            _close()
            raise PromptTemplateError("Stopped", _OVER)
    found: dict[str, Any] = json.loads(answer)
    if "kind" in found:
        raise PromptTemplateError(found["kind"], found["message"], found["line"])
    return found


def _running() -> _Worker:
    """Return this process's worker, started if need be."""
    global _worker
    if _worker is None or _worker.owner != os.getpid():
        _worker = _Worker()
    return _worker


@atexit.register
def _close() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None
