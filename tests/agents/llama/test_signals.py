"""A signal that comes while llama.cpp calls Python is answered: what a callback raises is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LOADS = """
import os, signal, sys
import homebody.agents.models.llama.log as log
from homebody.agents.models.llama import LlamaCpp

class Level:
    "Compared in the callback of llama.cpp's log: what is raised there is lost."
    sent = False
    def __eq__(self, other):
        if not Level.sent:
            Level.sent = True
            os.kill(os.getpid(), signal.SIGINT)
        return False
    __hash__ = None

log._ERROR_LEVEL = Level()
{before}
    with LlamaCpp(sys.argv[1], name="m"):
        print("loaded", Level.sent)
    print("went on", Level.sent)
{after}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("try:", "except KeyboardInterrupt:\n    print('stopped', Level.sent)"),
        ("from homebody.scripts.interrupt import interruptible\ntry:\n  with interruptible():",
         "except KeyboardInterrupt:\n    print('stopped', Level.sent)"),
    ],
    ids=["in the library", "in the command line"],
)  # fmt: skip
def test_an_interrupt_while_a_model_loads_is_not_lost(tiny_file: Callable[..., Path], before: str, after: str) -> None:
    code = LOADS.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tiny_file("llama"))], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped True\n", "")


def test_a_model_that_nobody_waits_for_any_more_is_not_loaded_to_its_end(tiny_file: Callable[..., Path]) -> None:
    code = """
import os, signal, sys, threading
import llama_cpp
from homebody.agents.models.llama import weights

make, told = llama_cpp.llama_progress_callback, []

def spied(inner):
    def progress(share, data):
        told.append(share)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return inner(share, data)
    return make(progress)

signal.signal(signal.SIGTERM, signal.default_int_handler)
llama_cpp.llama_progress_callback = spied
try:
    weights.load_model(sys.argv[1], 0)
except KeyboardInterrupt:
    print("stopped", max(told) < 1)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tiny_file("llama"))], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped True\n", "")
