"""Episodes on a Ray cluster; the one place that imports Ray.

An actor holds an environment and a policy, so a model is loaded once an actor, and plays one
episode at a time. It has one job to play and the next with it; the others wait here. Jobs of a few
milliseconds go to it several at once, since a call costs Ray about as much.
"""

from __future__ import annotations

import importlib
import os
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from homebody.agents.errors import AgentError, FailedError
from homebody.agents.record import EpisodeRecord

if TYPE_CHECKING:
    from homebody.agents.rollout import Job, RolloutConfig

_AHEAD = 2
"""Calls that an actor has: one whose jobs it plays, and the next, so that it does not wait for this process."""
_CALL_S = 0.03
"""Seconds that the jobs of a call are to take; an episode of that length or more has a call of its own."""
_MOST_JOBS = 16
"""Most jobs of a call."""
MOST_LOSSES = 5
"""Times that one job is given to another actor, because the one that had it is gone."""
_LOOK_S = 0.5
"""Seconds after which this process looks for new jobs while it waits for records."""


_ANSWER_S = 10.0
"""Seconds within which a head node has to take a connection."""


class ClusterError(AgentError):
    """A cluster that cannot be used as asked."""


class NodesLostError(FailedError):
    """An episode was lost with its actor again and again."""

    def __init__(self, task_id: str, cause: object) -> None:
        said = " ".join(str(cause).split())[:300]
        super().__init__(
            f"task {task_id} was lost with its actor ({said}); what was done is stored: run the same command again, evolve with --resume"
        )


class Cluster:
    """Actors on a Ray cluster; an `Executor`.

    Args:
        config: what each actor makes.
        address: HOST:PORT of the head node, or `auto` for the cluster that this machine is part of.
        actors: number of them, one processor each.

    Raises:
        ClusterError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, config: RolloutConfig, address: str, actors: int) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError:
            raise ClusterError('--cluster needs Ray, which is not installed; run: pip install "homebody[ray]"') from None
        self._ray = ray
        _check_listens(address)
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns of a change of its own else.
        try:
            ray.init(address=address, namespace="homebody", log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise ClusterError(
                f"--cluster is {address!r}, where no Ray cluster answers ({said}); give HOST:PORT of a head node, or auto"
            ) from None
        n_free = int(ray.available_resources().get("CPU", 0))
        if actors > n_free:
            ray.shutdown()
            raise ClusterError(f"--workers is {actors}, and the cluster has {n_free} free processors; give as many at most")
        self._kind = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=1, enable_task_events=False)(_Actor)
        self._config, self._path = config, [place for place in sys.path if place]
        self._busy: dict[Any, int] = {}
        """Calls that each actor has; one that is not ready yet is not among them."""
        self._sizes: dict[str | None, int] = {}
        """Jobs of a call, by who plays them: twins without a model are faster than it by far."""
        self._starting: dict[Any, Any] = {}
        """Actors that have no place or no model yet, by what will say that they are ready."""
        self._is_hurried = False
        for _ in range(actors):
            self._start()
        self._jobs: queue.SimpleQueue[tuple[Future[EpisodeRecord], Job, threading.Event] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()

    def submit(self, job: Job, halt: threading.Event) -> Future[EpisodeRecord]:
        """Return the future of a job's record. Once `halt` is set it is not begun."""
        future: Future[EpisodeRecord] = Future()
        self._jobs.put((future, job, halt))
        return future

    def close(self, at_once: bool = False) -> None:
        """End the actors; at once, or when what is in play is done."""
        self._is_hurried = at_once
        self._jobs.put(None)
        self._thread.join()
        for actor in (*self._busy, *self._starting.values()):
            self._ray.kill(actor)
        self._ray.shutdown()

    def _start(self) -> None:
        actor = self._kind.remote(self._config, self._path)
        self._starting[actor.ready.remote()] = actor

    def _run(self) -> None:
        """Give jobs to actors, and records to their futures, until there is no more of either."""
        waiting: deque[_Task] = deque()
        playing: dict[Any, tuple[list[_Task], Any]] = {}
        is_open = True
        while (is_open or waiting or playing) and not self._is_hurried:
            is_open = self._take(waiting, is_idle=not waiting and not playing) and is_open
            while waiting and self._busy and min(self._busy.values()) < _AHEAD:
                actor = min(self._busy, key=self._busy.__getitem__)
                if tasks := self._next(waiting):
                    playing[actor.play.remote([task.job for task in tasks])] = tasks, actor
                    self._busy[actor] += 1
            refs = [*playing, *self._starting]
            for ref in self._ray.wait(refs, num_returns=1, timeout=_LOOK_S)[0] if refs else ():
                if ref in self._starting:
                    self._join(ref, waiting)
                else:
                    self._settle(ref, *playing.pop(ref), waiting)
        for task in (*waiting, *(task for tasks, _ in playing.values() for task in tasks)):
            task.end(NodesLostError(task.job.task.task_id, "the run was ended"))

    def _take(self, waiting: deque[_Task], is_idle: bool) -> bool:
        """Move new jobs to those that wait, and wait for one where there is nothing else to do; False when no more will come."""
        try:
            while (item := self._jobs.get(block=is_idle)) is not None:
                waiting.append(_Task(*item))
                is_idle = False
        except queue.Empty:
            return True
        return False

    def _next(self, waiting: deque[_Task]) -> list[_Task]:
        """Take the jobs of the next call, all of them played by the same; fewer where not many wait, so that every actor has some."""
        policy = waiting[0].job.policy
        size = max(1, min(self._sizes.get(policy, 1), len(waiting) // len(self._busy)))
        tasks = []
        while waiting and size and waiting[0].job.policy == policy:
            size -= 1
            task = waiting.popleft()
            if task.begin():
                tasks.append(task)
        return tasks

    def _join(self, ref: Any, waiting: deque[_Task]) -> None:
        """Let an actor play that is ready; where it could not be made, try again, unless that is the way with all of them."""
        actor = self._starting.pop(ref)
        try:
            self._ray.get(ref)
            self._busy[actor] = 0
        except self._ray.exceptions.RayError as error:
            if not self._busy:
                for task in waiting:
                    task.losses += 1
                while waiting and waiting[0].losses >= MOST_LOSSES:
                    lost = waiting.popleft()
                    lost.end(NodesLostError(lost.job.task.task_id, error))
            self._start()

    def _settle(self, ref: Any, tasks: list[_Task], actor: Any, waiting: deque[_Task]) -> None:
        """Give the records of a call to their futures; where its actor is gone, let the jobs wait for another one."""
        exceptions = self._ray.exceptions
        try:
            records, seconds = self._ray.get(ref)
            self._busy[actor] -= 1
            self._sizes[tasks[0].job.policy] = max(1, min(_MOST_JOBS, int(_CALL_S * len(tasks) / max(seconds, 1e-6))))
            for task, record in zip(tasks, records, strict=True):
                task.future.set_result(record)
        except exceptions.RayTaskError as error:
            self._busy[actor] -= 1
            for task in tasks:
                task.end(error.cause if isinstance(error.cause, Exception) else error)
        except exceptions.RayError as error:
            if self._busy.pop(actor, None) is not None:  # It is gone, and so are its other jobs.
                self._start()
            for task in reversed(tasks):
                task.losses += 1
                if task.losses >= MOST_LOSSES:
                    task.end(NodesLostError(task.job.task.task_id, error))
                else:
                    waiting.appendleft(task)


def _check_listens(address: str) -> None:
    """Check that somebody listens at a HOST:PORT: Ray would try for minutes.

    Raises:
        ClusterError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto`, or what Ray itself refuses at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"--cluster is {address!r}, where no Ray cluster answers ({error}); give HOST:PORT of a head node, or auto"
        ) from None


class _Task:
    """A job that is to be played, with how often it was lost."""

    def __init__(self, future: Future[EpisodeRecord], job: Job, halt: threading.Event) -> None:
        self.future, self.job, self.halt = future, job, halt
        self.losses = 0
        self._is_begun = False

    def begin(self) -> bool:
        """Tell whether it is to be played: whether somebody still wants it."""
        if self.halt.is_set():
            self.future.cancel()
        self._is_begun = self._is_begun or self.future.set_running_or_notify_cancel()
        return self._is_begun

    def end(self, error: Exception) -> None:
        """Give up."""
        if self._is_begun or self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class _Actor:
    """What plays on the cluster."""

    def __init__(self, config: RolloutConfig, path: Sequence[str]) -> None:
        sys.path += [place for place in path if place not in sys.path]  # The user's own modules are found as they are here.
        self._seat = config.take_seat()

    def ready(self) -> None:
        """Answer when the model is loaded."""

    def play(self, jobs: Sequence[Job]) -> tuple[list[EpisodeRecord], float]:
        """Return the records of some jobs, and the seconds that they took."""
        started = time.perf_counter()
        return [self._seat.play(job) for job in jobs], time.perf_counter() - started
