"""Episodes in flight: threads of this process, each with an environment and a policy of its own.

For a policy that waits for a server most of the time. The threads are daemons: none of them holds up
the end of the process, whatever it waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")
J_in = TypeVar("J_in", contravariant=True)
R_out = TypeVar("R_out", covariant=True)

_LAST_S = 2.0
"""Seconds that `Threads.close` waits for all threads that are still at work."""


class Halt(BaseException):
    """Ends an episode that nobody wants any more."""


class Seat(Protocol[J_in, R_out]):
    """What one thread works with."""

    def play(self, job: J_in, halt: threading.Event | None = None) -> R_out:
        """Return the result of a job; raises Halt soon after the event is set."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Threads(Generic[J, R]):
    """A pool of threads.

    Args:
        number: of threads; each is started when there is work for it.
        take_seat: makes what a thread works with, in that thread.
    """

    def __init__(self, number: int, take_seat: Callable[[], Seat[J, R]]) -> None:
        self._number, self._take_seat = number, take_seat
        self._work: SimpleQueue[tuple[Future[R], J, threading.Event] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: J, halt: threading.Event) -> Future[R]:
        """Return the future of a job's result. Once `halt` is set it is not begun, or ends soon."""
        future: Future[R] = Future()
        self._work.put((future, job, halt))
        if len(self._threads) < self._number:
            name = f"episodes-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
            self._threads[-1].start()
        return future

    def close(self, at_once: bool = False) -> None:
        """End the threads, always within seconds; one that waits for something is left to it."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(_LAST_S / len(self._threads))
        self._threads.clear()

    def _run(self) -> None:
        seat: Seat[J, R] | None = None
        while (item := self._work.get()) is not None:
            future, job, halt = item
            if halt.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                seat = seat or self._take_seat()
                future.set_result(seat.play(job, halt))
            except BaseException as error:
                future.set_exception(error)
        if seat is not None:
            seat.close()
