"""Many episodes: one after another, or on worker processes, with the same records either way.

Each worker process holds one environment and one policy with one thread; the weights are mapped, so workers share them. Results come
back in the order of the jobs, and do not depend on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import gymnasium

from homebody.agents.episode import EpisodeRecord, ModelCall, run_episode
from homebody.agents.errors import FailedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.policy import MODEL_FREE, ModelPolicy, Policy
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

    def make_policy(self) -> Policy:
        """Make the policy; a model is loaded here.

        Raises:
            AgentError: there is no such model, or it cannot be loaded.
        """
        if self.policy in MODEL_FREE:
            return MODEL_FREE[self.policy]()
        from homebody.agents.models.names import load

        return ModelPolicy(load(self.policy, gpu_layers=self.gpu_layers))


@dataclass(frozen=True)
class Job:
    """One episode to play."""

    spec: HarnessSpec
    task: TaskSpec
    seed: int = 0
    attempt: int = 0


_worker: tuple[gymnasium.Env[str, str], Policy, int] | None = None


def _start_worker(stage: RolloutConfig) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _worker = (stage.make_env(), stage.make_policy(), stage.max_steps)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold an interrupt from the keyboard back while worker processes start: they inherit that, so only the main process answers it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End this worker when the main process is gone, however it went: the pool's own workers would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _play(job: Job) -> EpisodeRecord:
    assert _worker is not None
    env, policy, max_steps = _worker
    return run_episode(env, job.spec, policy, job.task, job.seed, attempt=job.attempt, max_steps=max_steps)


class Rollouts:
    """A stage with its workers; a context manager.

    Args:
        stage: where to play.
        workers: number of processes; 1 plays in this process.
    """

    def __init__(self, stage: RolloutConfig, workers: int = 1) -> None:
        self.stage = stage
        self.policy = stage.make_policy()
        """The policy of this process: plays when there is one worker, and names the fingerprint."""
        self._env = stage.make_env() if workers == 1 else None
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(stage,))

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and free the model."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if isinstance(self.policy, ModelPolicy):
            self.policy.backend.close()
        if self._env is not None:
            self._env.close()

    def play(
        self,
        jobs: Sequence[Job],
        on_step: Callable[[dict[str, Any]], None] | None = None,
        on_decision: Callable[[ModelCall], None] | None = None,
    ) -> Iterator[EpisodeRecord]:
        """Play the jobs; yield their records in the order of the jobs, each as soon as it and those before it are done.

        Args:
            jobs: what to play.
            on_step: called with each step's trace entry; only with one worker.
            on_decision: called with what each decision was made from; only with one worker.

        Raises:
            WorkerDiedError: a worker process was killed or crashed.
        """
        if self._pool is None:
            assert self._env is not None
            for job in jobs:
                yield run_episode(
                    self._env, job.spec, self.policy, job.task, job.seed,
                    attempt=job.attempt, max_steps=self.stage.max_steps, on_step=on_step, on_decision=on_decision,
                )  # fmt: skip
            return
        try:
            with _uninterrupted():
                records = self._pool.map(_play, jobs)
            yield from records
        except BrokenProcessPool:
            raise WorkerDiedError(
                "a worker process died (killed, or out of memory); what was done is stored: run again with --resume, or with --workers 1"
            ) from None
