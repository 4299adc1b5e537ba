"""Stopping a command by a signal: SIGINT (Ctrl-C), SIGTERM and SIGHUP are the same.

Once, the command ends cleanly: `KeyboardInterrupt` is raised in the main thread, no new work begins, and what was done
is kept. It is raised again where it got lost, in a callback of C code or in a library that catches everything. Twice, the
process ends at once, whatever it is doing: a thread of its own sees to that, since Python's handlers wait while C code
computes.

Imports the standard library alone, so that it is at work before anything else is imported.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
SAME_S = 0.1
"""Signals within so many seconds of the first are the same one: some programs send theirs to a process and to its group."""
AGAIN_S = 0.3
"""Seconds after which it is looked whether an interrupt got lost, again and again."""
AGAIN = getattr(signal, "SIGURG", None) or getattr(signal, "SIGBREAK")  # noqa: B009  # Each system has one of the two.
"""Asks the main thread whether the interrupt got lost. A signal of its own: the others are counted."""
NOTE = "stopped; what was played is stored where a --run-dir was given"
NOTE_AT_ONCE = "stopped at once; what was played is stored where a --run-dir was given"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let signals stop what the block does. Ignored ones (as SIGHUP under nohup) stay so; in another thread than the main one a no-op."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    stopper = _Stopper(reader)
    hook = sys.unraisablehook
    before = {number: signal.getsignal(number) for number in (*SIGNALS, AGAIN)}
    # One that comes while this is set up waits until all of it stands: half of it would lose the signal.
    _mask("SIG_BLOCK")
    try:
        sys.unraisablehook = stopper.unraisable
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, stopper.handle)
        signal.signal(AGAIN, stopper.handle_again)
        woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        stopper.start()
        _mask("SIG_UNBLOCK")
        yield
    except Exception as error:
        if not _is_interrupt(error):
            raise
        raise KeyboardInterrupt from None
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        sys.unraisablehook = hook
        os.close(writer)
        stopper.join()
        os.close(reader)


def _mask(how: str) -> None:
    """Hold this thread's signals back, or let them come, where the system can."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), SIGNALS)


def _is_interrupt(error: BaseException | None) -> bool:
    """Tell whether an error was raised from an interrupt, as Python 3.11 does while it makes a class."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def run_child(command: Sequence[str]) -> int:
    """Run a command to its end and return its exit code. A signal to this process is passed on to it, once.

    It has a process group of its own, so that it gets each signal once however that was sent.

    Raises:
        SystemExit: A signal stopped it, and it has said so.
    """
    group: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}
    with subprocess.Popen(command, **group) as child:
        _children.add(child)
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            raise SystemExit(max(1, child.wait())) from None
        finally:
            _children.discard(child)


_children: set[subprocess.Popen[bytes]] = set()


class _Stopper(threading.Thread):
    """Counts the signals; the first one raises KeyboardInterrupt, the second one ends the process.

    Args:
        reader: where the interpreter writes the number of each signal, as soon as it comes.
    """

    def __init__(self, reader: int) -> None:
        super().__init__(name="interrupt", daemon=True)
        self._reader = reader
        self._is_raised = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Stop the main thread, the first time."""
        if not self._is_raised:
            self._is_raised = True
            raise KeyboardInterrupt

    def handle_again(self, number: int, frame: FrameType | None) -> None:
        """Stop the main thread if it goes on as if nothing had come: it answers an interrupt while one is being handled."""
        error = sys.exc_info()[1]
        while error is not None and not isinstance(error, KeyboardInterrupt):
            error = error.__context__
        if self._is_raised and error is None:
            raise KeyboardInterrupt

    def unraisable(self, problem: Any) -> None:
        """Say nothing of an interrupt where nobody could catch it, as in a callback of C code: it is raised again."""
        if not issubclass(problem.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(problem)

    def run(self) -> None:
        """Wait for signals, until the writing end is closed."""
        first = None
        ended = threading.Event()
        while numbers := os.read(self._reader, 1):
            if numbers[0] not in SIGNALS:
                continue
            if first is None:
                first = time.monotonic()
                threading.Thread(target=_ask, args=(ended,), name="interrupt again", daemon=True).start()
            elif time.monotonic() - first > SAME_S:
                _end_at_once()
        ended.set()


def _ask(ended: threading.Event) -> None:
    """Send the main thread `AGAIN`, again and again, until the block has ended."""
    while not ended.wait(AGAIN_S):
        if sys.platform == "win32":
            _thread.interrupt_main(AGAIN)
        else:
            signal.pthread_kill(threading.main_thread().ident or 0, AGAIN)


def _end_at_once() -> None:
    """End this process and those that it runs; its workers end with it."""
    for child in list(_children):
        with contextlib.suppress(OSError):
            child.kill()
    with contextlib.suppress(OSError):
        shown = "\x1b[?25h" if os.isatty(2) else ""  # A bar hides the cursor.
        os.write(2, f"{shown}homebody: {NOTE_AT_ONCE}\n".encode())
    os._exit(1)
