"""Many episodes: one after another here, or by an `Executor`, with the same records each way.

An executor is a pool of worker processes (`homebody.agents.pool`), or threads of this process for a
model on a server: while it answers one episode, the others go on. Records come back in the order of
the jobs, and do not depend on who plays them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

import gymnasium

from homebody.agents.cluster import Cluster
from homebody.agents.episode import ModelCall, run_episode
from homebody.agents.errors import BadRequestError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.mask import ALONE
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Backend, Shared
from homebody.agents.own_policy import own_backend, own_policy
from homebody.agents.policy import Policy
from homebody.agents.pool import Pool, WorkerDiedError, uninterrupted
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.agents.threads import Halt, Threads
from homebody.agents.twin import REFERENCE
from homebody.envs import TaskSpec, make
from homebody.envs.module import is_own


@dataclass(frozen=True)
class RolloutConfig:
    """Where episodes are played: everything about a run but the harness and the task."""

    env_id: str
    policy: str
    """A model name or path, one of `MODEL_FREE`, or a policy or model of the user's as `module:Class`."""
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
        if is_own(self.policy):
            return own_policy(self.policy)
        return ModelPolicy(self.load_model(self.policy, copies=copies))

    def take_seat(self) -> Seat:
        """Return an environment and a policy of its own: what a worker plays with.

        Raises:
            AgentError, EnvError: as `make_policy` and `make_env` do.
        """
        return Seat(self, self.make_policy())

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

        if is_own(name):
            return own_backend(name)

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


class Seat:
    """What plays one episode at a time: an environment and a policy.

    Args:
        config: where to play; the environment is made here.
        policy: who plays where the job names nobody else.
    """

    def __init__(self, config: RolloutConfig, policy: Policy) -> None:
        self._max_steps = config.max_steps
        with _making:
            self._env = config.make_env()
        self.policy = policy

    def play(
        self,
        job: Job,
        halt: threading.Event | None = None,
        *,
        on_step: Callable[[StepRecord], None] | None = None,
        on_decision: Callable[[ModelCall], None] | None = None,
        on_start: Callable[[str, str], None] | None = None,
    ) -> EpisodeRecord:
        """Return the record of a job; see `run_episode`.

        Raises:
            Halt: `halt` was set meanwhile.
        """

        def go_on(step: StepRecord) -> None:
            if halt is not None and halt.is_set():
                raise Halt
            if on_step is not None:
                on_step(step)

        return run_episode(
            self._env, job.spec, job.choose_policy(self.policy), job.task, job.seed, attempt=job.attempt, max_steps=self._max_steps,
            twin=job.twin, on_start=on_start, on_step=go_on, on_decision=on_decision,
        )  # fmt: skip

    def close(self) -> None:
        """Close the environment, and the model."""
        if isinstance(self.policy, ModelPolicy):
            self.policy.backend.close()
        self._env.close()


_making = threading.Lock()
"""Held while an environment is made: what reads its data then, once for all, need not be ready for several threads."""


class Executor(Protocol):
    """Plays episodes elsewhere than in the thread that asks for them."""

    def submit(self, job: Job, halt: threading.Event) -> Future[EpisodeRecord]:
        """Return the future of a job's record. Once `halt` is set, it need not be played."""
        ...

    def close(self, at_once: bool = False) -> None:
        """End it; at once, or when what is in play is done."""
        ...


class Rollouts:
    """The workers of a configuration; a context manager.

    Args:
        config: where to play. A model on a server plays as many episodes at a time as its `concurrency` says; a policy without a model
            plays one at a time.
        workers: number of processes; 1 plays in this process.
        cluster: the address of a Ray cluster on which so many actors play instead; see `homebody.agents.cluster`.

    Raises:
        ClusterError: there is no such cluster, or no Ray.
        BadRequestError: several episodes are to be in flight, and the model is in this process, or there are several processes.
    """

    def __init__(self, config: RolloutConfig, workers: int = 1, cluster: str | None = None) -> None:
        if config.concurrency > 1 and workers > 1:
            raise BadRequestError("--workers", workers, f"1 with --concurrency {config.concurrency}, whose episodes one process plays")
        self.config = config
        self.policy = config.make_policy(1 if workers == 1 else 1 + workers)
        """The policy of this process: plays when there is one worker, and names the fingerprint."""
        self._executor = self._start(workers, cluster)
        self._seat = Seat(config, self.policy) if workers == 1 and cluster is None else None

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close(at_once=error is not None)  # Episodes that nobody will ask for are not played to their end.

    def _start(self, workers: int, cluster: str | None) -> Executor | None:
        if cluster is not None:
            return Cluster(self.config, cluster, workers)
        if workers > 1:
            return Pool(self.config, workers)
        if self.config.concurrency == 1 or not isinstance(self.policy, ModelPolicy):
            return None
        backend = self.policy.backend
        if not isinstance(backend, Shared):
            backend.close()
            allowed = "1 with a model in this process; --workers plays several episodes at a time"
            raise BadRequestError("--concurrency", self.config.concurrency, allowed)
        return Threads(self.config.concurrency, lambda: Seat(self.config, ModelPolicy(backend.share())))

    def close(self) -> None:
        """End the workers and free the model."""
        self._close()

    def _close(self, at_once: bool = False) -> None:
        if isinstance(self._executor, Pool | Cluster):
            self._executor.close(at_once)
        if isinstance(self.policy, ModelPolicy):
            self.policy.backend.close()  # Threads that wait for an answer wait no longer.
        if isinstance(self._executor, Threads):
            self._executor.close()
        if self._seat is not None:
            self._seat.close()

    def play(
        self,
        jobs: Sequence[Job],
        on_step: Callable[[StepRecord], None] | None = None,
        on_decision: Callable[[ModelCall], None] | None = None,
        on_ahead: Callable[[int, EpisodeRecord], None] | None = None,
        on_start: Callable[[str, str], None] | None = None,
    ) -> Iterator[EpisodeRecord]:
        """Play the jobs; yield their records in the order of the jobs, each as soon as it and those before it are done.

        Args:
            jobs: what to play.
            on_step: called with each step's trace entry; only where one episode is played at a time.
            on_decision: called with what each decision was made from; likewise.
            on_ahead: called with number and record of each job that is finished ahead of its turn, as soon as it is.
            on_start: called with goal and opening observation of each episode; as on_step.

        Raises:
            WorkerDiedError: a worker process was killed or crashed.
        """
        is_alone = self._seat is not None and all(job.policy is not None for job in jobs)  # Twins wait for nobody.
        if self._executor is None or is_alone:
            assert self._seat is not None
            for job in jobs:
                yield self._seat.play(job, on_step=on_step, on_decision=on_decision, on_start=on_start)
            return
        halt = threading.Event()
        numbers: dict[Future[EpisodeRecord], int] = {}
        ahead: dict[int, EpisodeRecord] = {}
        turn = 0
        try:
            with uninterrupted():  # Threads inherit that, too: a signal finds the main one.
                for number, job in enumerate(jobs):
                    numbers[self._executor.submit(job, halt)] = number
            for future in as_completed(numbers):
                ahead[numbers[future]] = record = future.result()
                if on_ahead is not None and numbers[future] != turn:
                    on_ahead(numbers[future], record)
                while turn in ahead:
                    record = ahead.pop(turn)
                    turn += 1
                    yield record
        except BaseException as error:
            halt.set()
            for future, number in numbers.items():
                is_played = not future.cancel() and future.done() and future.exception() is None
                if is_played and number >= turn and number not in ahead and on_ahead is not None and not isinstance(error, GeneratorExit):
                    on_ahead(number, future.result())
            if isinstance(error, BrokenProcessPool):
                raise WorkerDiedError from None
            raise
