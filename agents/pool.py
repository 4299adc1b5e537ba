"""Worker processes of this machine that play episodes.

Each holds one environment and one policy with one thread; the weights are mapped, so workers share them.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from homebody.agents.errors import FailedError
from homebody.agents.record import EpisodeRecord

if TYPE_CHECKING:
    from homebody.agents.rollout import Job, RolloutConfig, Seat


class WorkerDiedError(FailedError):
    """A worker process ended without an answer."""

    def __init__(self) -> None:
        super().__init__(
            "a worker process died (killed, or out of memory); what was done is stored: run again with --resume, or with --workers 1"
        )


class Pool:
    """Worker processes, started by spawn; an `Executor`.

    Args:
        config: what each of them makes.
        workers: number of them.
    """

    def __init__(self, config: RolloutConfig, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        end, self._workers_end = context.Pipe(duplex=False)
        with uninterrupted():  # It starts the process that cleans up after the pool.
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(config, end))

    def submit(self, job: Job, halt: threading.Event) -> Future[EpisodeRecord]:
        """Return the future of a job's record; `halt` ends none that is in play, `close` does."""
        return self._pool.submit(_play, job)

    def close(self, at_once: bool = False) -> None:
        """End the workers; at once, or when what is in play is done."""
        if at_once:
            self._workers_end.close()
        self._pool.shutdown(cancel_futures=True)
        self._workers_end.close()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals that ask to stop back while processes or threads start.

    They inherit that, so only the main one answers them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_seat: Seat | None = None


def _start_worker(config: RolloutConfig, end: Connection) -> None:
    global _seat
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _seat = config.take_seat()


def _end_with_parent(end: Connection) -> None:
    """End this worker when the main process says so or is gone, however it went: the pool's own workers would wait for jobs for ever.

    Nothing is lost by that, whatever the worker is doing: all that is kept is kept by the main process.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel, end])
    os._exit(1)


def _play(job: Job) -> EpisodeRecord:
    assert _seat is not None
    return _seat.play(job)
