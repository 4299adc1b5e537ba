"""Many episodes: one after another, on worker processes, or in flight on threads, with the same records each way.

Each worker process holds one environment and one policy with one thread; the weights are mapped, so workers share them. Threads are
for a model on a server: while it answers one episode, the others go on. Results come back in the order of the jobs, and do not depend
on the number of workers or threads.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import gymnasium

from homebody.agents.episode import ModelCall, run_episode
from homebody.agents.errors import BadRequestError, FailedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.mask import ALONE
from homebody.agents.models.backend import Backend, Shared
from homebody.agents.policy import MODEL_FREE, ModelPolicy, Policy
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.agents.threads import Halt, Threads
from homebody.agents.twin import REFERENCE
from homebody.envs import TaskSpec, make


class WorkerDiedError(FailedError):
    """A worker process ended without an answer."""


@dataclass(frozen=True)
class RolloutConfig:
    """Where episodes are played: everything about a run but the harness and the task."""

    env_id: str
    policy: str
    """A model name or path, or one of `MODEL_FREE`."""
    max_steps: int = 50
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    gpu_layers: int = 0
    n_ctx: int | None = None
    """Tokens of context; None: see `homebody.agents.models.names.load`."""
    n_threads: int = 1
    """Threads of the model in each worker."""
    concurrency: int = 1
    """Episodes in flight at a time, for a model on a server; at least 1."""
    timeout_s: float | None = None
    """Seconds to wait for an answer of a server; None: see `homebody.agents.models.names.load`."""

    @property
    def env_args(self) -> dict[str, Any]:
        """The arguments that change what tasks are: all but the folder of the data, which is another on every machine."""
        return {key: value for key, value in self.env_kwargs.items() if key != "data_dir"}

    def make_env(self) -> gymnasium.Env[str, str]:
        """Make the environment.

        Raises:
            EnvError: there is no such environment, it does not take these arguments, or it breaks the contract.
        """
        kwargs = dict(self.env_kwargs)
        if self.env_id.startswith("homebody/"):
            kwargs["max_steps"] = self.max_steps
        return make(self.env_id, **kwargs)

    def make_policy(self, copies: int = 1) -> Policy:
        """Make the policy; a model is loaded here.

        Args:
            copies: processes that will do so, this one included.

        Raises:
            AgentError: there is no such model, or it cannot be loaded.
        """
        if self.policy in MODEL_FREE:
            return MODEL_FREE[self.policy]()
        return ModelPolicy(self.load_model(self.policy, copies=copies))

    def load_model(self, name: str, key_name: str = "", copies: int = 1) -> Backend:
        """Load a model, this one or another, with the settings of this run.

        Args:
            name: see `homebody.agents.models.names.load`, as for the key.
            key_name: variable of the environment that holds the key of this model's server alone.
            copies: see `make_policy`.

        Raises:
            AgentError: there is no such model, or it cannot be loaded.
        """
        from homebody.agents.models.names import load

        return load(
            name,
            n_ctx=self.n_ctx,
            n_threads=self.n_threads,
            gpu_layers=self.gpu_layers,
            timeout_s=self.timeout_s,
            key_name=key_name,
            copies=copies,
        )


@dataclass(frozen=True)
class Job:
    """One episode to play."""

    spec: HarnessSpec
    task: TaskSpec
    seed: int = 0
    attempt: int = 0
    policy: str | None = None
    """One of `homebody.agents.mask.ALONE` that plays it in the place of the run's policy: a twin beside its model, say."""
    twin: str = REFERENCE
    """The twin that a model's steps are compared with."""

    def choose_policy(self, otherwise: Policy) -> Policy:
        """Return who plays it, if the run's policy is `otherwise`."""
        return ALONE[self.policy]() if self.policy is not None else otherwise


_worker: tuple[gymnasium.Env[str, str], Policy, int] | None = None


def _start_worker(stage: RolloutConfig, end: Connection) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _worker = (stage.make_env(), stage.make_policy(), stage.max_steps)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold signals that ask to stop back while worker processes start: they inherit that, so only the main process answers them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent(end: Connection) -> None:
    """End this worker when the main process says so or is gone, however it went: the pool's own workers would wait for jobs for ever.

    Nothing is lost by that, whatever the worker is doing: all that is kept is kept by the main process.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel, end])
    os._exit(1)


def _play(job: Job) -> EpisodeRecord:
    assert _worker is not None
    env, policy, max_steps = _worker
    return run_episode(
        env, job.spec, job.choose_policy(policy), job.task, job.seed, attempt=job.attempt, max_steps=max_steps, twin=job.twin
    )


class _Seat:
    """What plays in one thread."""

    def __init__(self, stage: RolloutConfig, backend: Shared) -> None:
        self._max_steps = stage.max_steps
        with _making:
            self._env = stage.make_env()
        self._policy = ModelPolicy(backend.share())

    def play(self, job: Job, halt: threading.Event) -> EpisodeRecord:
        """Play a job."""

        def go_on(_: StepRecord) -> None:
            if halt.is_set():
                raise Halt

        return run_episode(
            self._env, job.spec, job.choose_policy(self._policy), job.task, job.seed, attempt=job.attempt, max_steps=self._max_steps,
            twin=job.twin, on_step=go_on,
        )  # fmt: skip

    def close(self) -> None:
        """Close the environment, and the share of the model."""
        self._policy.backend.close()
        self._env.close()


_making = threading.Lock()
"""Held while an environment is made: what reads its data then, once for all, need not be ready for several threads."""


class Rollouts:
    """A stage with its workers; a context manager.

    Args:
        stage: where to play. A model on a server plays as many episodes at a time as its `concurrency` says; a policy without a model
            plays one at a time.
        workers: number of processes; 1 plays in this process.

    Raises:
        BadRequestError: several episodes are to be in flight, and the model is in this process, or there are several processes.
    """

    def __init__(self, stage: RolloutConfig, workers: int = 1) -> None:
        if stage.concurrency > 1 and workers > 1:
            raise BadRequestError("--workers", workers, f"1 with --concurrency {stage.concurrency}, whose episodes one process plays")
        self.stage = stage
        self.policy = stage.make_policy(1 if workers == 1 else 1 + workers)
        """The policy of this process: plays when there is one worker, and names the fingerprint."""
        self._threads = self._start_threads() if stage.concurrency > 1 and isinstance(self.policy, ModelPolicy) else None
        self._env = stage.make_env() if workers == 1 else None
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            end, self._workers_end = context.Pipe(duplex=False)
            with _uninterrupted():  # It starts the process that cleans up after the pool.
                self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(stage, end))

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None and error is not None:
            self._workers_end.close()  # Episodes that nobody will ask for are not played to their end.
        self.close()

    def _start_threads(self) -> Threads[Job, EpisodeRecord]:
        assert isinstance(self.policy, ModelPolicy)
        backend = self.policy.backend
        if not isinstance(backend, Shared):
            backend.close()
            allowed = "1 with a model in this process; --workers plays several episodes at a time"
            raise BadRequestError("--concurrency", self.stage.concurrency, allowed)
        return Threads(self.stage.concurrency, lambda: _Seat(self.stage, backend))

    def close(self) -> None:
        """End the workers and free the model."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._workers_end.close()
        if isinstance(self.policy, ModelPolicy):
            self.policy.backend.close()  # Threads that wait for an answer wait no longer.
        if self._threads is not None:
            self._threads.close()
        if self._env is not None:
            self._env.close()

    def play(
        self,
        jobs: Sequence[Job],
        on_step: Callable[[StepRecord], None] | None = None,
        on_decision: Callable[[ModelCall], None] | None = None,
        on_rest: Callable[[int, EpisodeRecord], None] | None = None,
        on_start: Callable[[str, str], None] | None = None,
    ) -> Iterator[EpisodeRecord]:
        """Play the jobs; yield their records in the order of the jobs, each as soon as it and those before it are done.

        Args:
            jobs: what to play.
            on_step: called with each step's trace entry; only where one episode is played at a time.
            on_decision: called with what each decision was made from; likewise.
            on_rest: called with number and record of each job that was finished ahead of its turn when an exception ends the play.
            on_start: called with goal and opening observation of each episode; as on_step.

        Raises:
            WorkerDiedError: a worker process was killed or crashed.
        """
        is_alone = self._threads is None or all(job.policy is not None for job in jobs)  # Twins wait for nobody.
        if self._pool is None and is_alone:
            assert self._env is not None
            for job in jobs:
                yield run_episode(
                    self._env, job.spec, job.choose_policy(self.policy), job.task, job.seed, attempt=job.attempt,
                    max_steps=self.stage.max_steps, twin=job.twin, on_start=on_start, on_step=on_step, on_decision=on_decision,
                )  # fmt: skip
            return
        futures: list[Future[EpisodeRecord]] = []
        done = 0
        halt = threading.Event()
        try:
            with _uninterrupted():  # Threads inherit that, too: a signal finds the main one.
                futures += [self._submit(job, halt) for job in jobs]
            for future in futures:
                record = future.result()
                done += 1
                yield record
        except BaseException as error:
            halt.set()
            for number, rest in enumerate(futures[done:], done):
                is_played = not rest.cancel() and rest.done() and rest.exception() is None
                if is_played and on_rest is not None and not isinstance(error, GeneratorExit):
                    on_rest(number, rest.result())
            if isinstance(error, BrokenProcessPool):
                raise WorkerDiedError(
                    "a worker process died (killed, or out of memory); what was done is stored: run again with --resume, "
                    "or with --workers 1"
                ) from None
            raise

    def _submit(self, job: Job, halt: threading.Event) -> Future[EpisodeRecord]:
        if self._threads is not None:
            return self._threads.submit(job, halt)
        assert self._pool is not None
        return self._pool.submit(_play, job)
