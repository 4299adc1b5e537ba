"""What llama.cpp says when it fails: the errors that it logs, and those that it only prints. Starts the library."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import llama_cpp

_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR of ggml.h; the numbers in llama-cpp-python's own _logger.py are out of date.

errors: list[str] = []
"""What was logged as an error since the list was cleared: clear it before a call whose failure is to be explained."""


@llama_cpp.llama_log_callback
def _on_log(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        errors.append(text.decode("utf-8", "replace").strip())


llama_cpp.llama_log_set(_on_log, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def reason() -> str:
    """Return the first error that llama.cpp logged: the ones after it say that loading failed."""
    return errors[0] if errors else "it gives no reason"


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
