"""What a worker process of `process` runs: it loads an engine and answers one JSON line by another.

Imports nothing of homebody, so that it starts fast. It holds itself to a limit on memory, can write no file and forgets its environment.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any


def confine(memory_bytes: int) -> None:
    """Give up what computing does not need."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # The process that asks answers them, and ends this one.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.environ.clear()
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer the lines of standard input until it ends; an empty line on standard output says that the first one is awaited."""
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    engine = runpy.run_path(sys.argv[1])
    confine(int(sys.argv[2]))
    serve(engine["answer"])
