"""The sandbox of a process that was forked from one with a sandbox: a process of its own that runs `interpreter` for it.

Each forked process starts one, with an empty environment, at its first question. It ends when the process that asks does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import Any

_LOADER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""What Python itself may need to start."""

_lock = threading.Lock()
_running: tuple[int, subprocess.Popen[bytes]] | None = None
"""The process that started the other, and that other."""


def ask(request: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields of the `SandboxResult` of a call; None where the process died.

    Args:
        request: `source`, `event`, `limits` and `names` of the call, JSON-ready.
    """
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "homebody.envs.interpreter_fork"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _LOADER if name in os.environ},
            )
            _running = (os.getpid(), process)
        process = _running[1]
        assert process.stdin is not None
        assert process.stdout is not None
        answer = b""
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:  # it has died
            pass
        finally:  # whatever was interrupted: a late answer would be taken for the next one's
            if not answer.endswith(b"\n"):
                _running = None
                process.kill()
                process.communicate()
    return dict(json.loads(answer)) if answer.endswith(b"\n") else None


def _serve() -> None:
    """Answer the lines of standard input until it ends."""
    from homebody.envs.interpreter import Limits, run

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the process that asks answers them
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.environ.clear()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        result = run(request["source"], request["event"], Limits(**request["limits"]), tuple(request["names"]))
        sys.stdout.buffer.write(json.dumps(asdict(result)).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
