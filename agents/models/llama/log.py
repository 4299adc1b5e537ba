"""What llama.cpp says when it fails: the errors that it logs, and those that it only prints. Starts the library."""

import ctypes
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp

_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR of ggml.h; the numbers in llama-cpp-python's own _logger.py are out of date.

errors: list[str] = []
"""What was logged as an error since the list was cleared: clear it before a call whose failure is to be explained."""

_COUNT = re.compile(rb"\[ *(\d+)/ *(\d+)\]")
_counters: list[Callable[[int, int], None]] = []


@llama_cpp.llama_log_callback
def _on_log(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        errors.append(text.decode("utf-8", "replace").strip())
    if _counters and (found := _COUNT.match(text)):
        _counters[-1](int(found[1]), int(found[2]))


llama_cpp.llama_log_set(_on_log, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def reason() -> str:
    """Return the first error that llama.cpp logged: the ones after it say that loading failed."""
    return errors[0] if errors else "it gives no reason"


@contextmanager
def signals_held() -> Iterator[list[int]]:
    """Hold signals that ask to stop back while C code calls Python: an exception that a callback raises is lost.

    The list holds the numbers of those that came; the first of them is answered when the block is left. Only the main thread gets any.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    before = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None)) is not None}
    # One that is ignored, ends the process by itself, or is handled by C code is no danger.
    handled: dict[int, Any] = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in handled:
            signal.signal(number, lambda number, _: held.append(number))
        yield held
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
    if held:
        handled[held[0]](held[0], None)


@contextmanager
def counted(on_count: Callable[[int, int], None]) -> Iterator[None]:
    """Pass on lines that begin with a count, as ``[ 12/ 290]``: how far llama.cpp has come where it has no other way to tell."""
    _counters.append(on_count)
    try:
        yield
    finally:
        _counters.pop()


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Catch what C code prints; the list holds it, as one text, when the block is left."""
    printed: list[str] = []
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield printed
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            printed.append(file.read().decode("utf-8", "replace"))
