"""A worker process that computes what nobody trusts, within limits of time and memory: one JSON value goes in, one comes out.

The process runs an *engine*: a Python file that defines `answer(request) -> dict`. It is started by the first question, with an empty
environment, in Python's isolated mode, and imports nothing of homebody. It can write no file, and where it dies or runs out of time the
next question gets a new one. Its memory is limited where the system is POSIX; macOS does not enforce it.

It runs under the user's own account, without a system-call filter (see `homebody.envs.interpreter` for what that means).
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import select

_MAIN = Path(__file__).with_name("process_worker.py")
_LOADER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""What Python itself may need to start; the worker forgets it before the first question."""


class DoesNotStartError(Exception):
    """A worker process that does not come up: what its engine imports is not there."""


class Worker:
    """One process at a time, for all threads of this one. A fork of this process has one of its own.

    Args:
        engine: the file of the engine.
        seconds: most wall time of an answer; then the process is killed.
        memory_bytes: address space of the process, Python included.
    """

    def __init__(self, engine: Path, seconds: float, memory_bytes: int) -> None:
        self.engine = engine
        self._seconds, self._memory_bytes = seconds, memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, request: str) -> dict[str, Any] | None:
        """Return the engine's answer; None where the process died, or ran out of time or memory.

        Args:
            request: JSON in one line.

        Raises:
            DoesNotStartError: the process does not come up.
        """
        with self._lock:
            answer = b""
            try:
                answer = self._exchange(self._running(), request.encode() + b"\n")
            finally:  # Whatever was interrupted: a late answer would be taken for the next one's.
                if not answer.endswith(b"\n"):
                    self.close()
        return dict(json.loads(answer)) if answer.endswith(b"\n") else None

    def close(self) -> None:
        """End the process; in a fork, only let go of it."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(_MAIN), str(self.engine), str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _LOADER if name in os.environ},
            )
            assert self._process.stdout is not None
            if self._process.stdout.readline() != b"\n":
                raise DoesNotStartError
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError:  # it has died
            return b""
        if sys.platform != "win32":
            ready, _, _ = select.select([process.stdout], [], [], self._seconds)
            return process.stdout.readline() if ready else b""
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            return process.stdout.readline()
        finally:
            timer.cancel()
