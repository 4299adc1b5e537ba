"""An episode whose model is another program's: the harness asks, the program brings the replies.

The episode is that of `homebody.agents.run_episode`, harness included. It runs in a thread and an environment of its own, so that
many can be open at once, and so that an environment may block where the program is asynchronous. Chats and replies have the form of
OpenAI's protocol, which every such program can translate.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from homebody.agents.episode import run_episode
from homebody.agents.errors import AgentError, BadRequestError, FailedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Prompt, Tool, Usage, parts
from homebody.agents.models.generation import Generation, Reply, Thinking
from homebody.agents.models.remote.message import read_message, sent_message
from homebody.agents.models.tool_call import CallReader
from homebody.agents.processors.base import Services
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import RolloutConfig
from homebody.agents.threads import Halt
from homebody.envs import TaskSpec, tasks
from homebody.envs.core import MaxStepsError

N_CTX = 32_768
"""Tokens of context that the other program's model is taken to have: what the harness fits its chats into, by an estimate."""
_making = threading.Lock()
"""Held while an environment is made: what reads its data then, once for all, need not be ready for several threads."""


class CannotRelayError(AgentError):
    """A harness that needs more of its model than replies to chats."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the harness wants to {what}, and a model of another program only replies; choose one that writes, as generic-react"
        )


class EpisodeFailedError(FailedError):
    """An episode that ended with an error, which is no defeat."""

    def __init__(self, record: EpisodeRecord) -> None:
        error = record.error or {}
        super().__init__(f"task {record.task_id} failed at {error.get('boundary')}: {error.get('kind')}: {error.get('message')}")


@dataclass(frozen=True)
class Ask:
    """What the harness asks the model at one point of an episode."""

    messages: tuple[dict[str, Any], ...]
    """The chat, as OpenAI's protocol has it."""
    tools: tuple[Tool, ...]
    """What the model may call, likewise."""
    generation: Generation
    """How the harness wants the reply."""

    @property
    def most_tokens(self) -> int:
        """Most tokens of the reply, its thought included."""
        thinking = self.generation.thinking
        return self.generation.tokens + (thinking.budget if thinking.mode != "off" else 0)


@dataclass(frozen=True)
class TaskSet:
    """Tasks of a split, and how they are played."""

    config: RolloutConfig
    spec: HarnessSpec
    tasks: tuple[TaskSpec, ...]
    seed: int

    @classmethod
    def load(
        cls, env: str, split: str, *, n: int | None, goals: str | None, max_steps: int, harness: str, data_dir: str | None, seed: int
    ) -> TaskSet:
        """Read the tasks and the harness, and try both.

        Args:
            env: id of the environment.
            split: train, validation, test, or a name that the environment knows besides.
            n: the first so many tasks, at least 1; None for all.
            goals: how goals are said, where the environment offers a choice; None for its default.
            max_steps: most commands of an episode, at least 1.
            harness: name of a harness that ships with homebody, or a file.
            data_dir: folder of the environment's data, where it reads any.
            seed: of whatever is random in the harness, at least 0.

        Raises:
            EnvError: the environment, its arguments, the split, `n` or `max_steps` is not possible.
            AgentError: the harness or the seed is not possible.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise BadRequestError("seed", seed, "a whole number of at least 0")
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise MaxStepsError(max_steps)
        kwargs = {key: value for key, value in (("goals", goals), ("data_dir", data_dir)) if value is not None}
        config = RolloutConfig(env, "no-model", max_steps, kwargs)
        spec = HarnessSpec.load(harness).check()
        config.make_env().close()
        return cls(config, spec, tuple(tasks(env, split, n, **kwargs)), seed)

    def task(self, task_id: str) -> TaskSpec:
        """Return the task of this id, which is one of `tasks`."""
        return next(task for task in self.tasks if task.task_id == task_id)


class Episode:
    """One episode, played by replies from outside.

    Args:
        tasks: where the task comes from.
        task: what to play.
        model: name of the model, for the record.
        attempt: 0 for the greedy first try; later tries sample.
    """

    def __init__(self, tasks: TaskSet, task: TaskSpec, model: str, attempt: int = 0) -> None:
        self._tasks, self._task, self._attempt = tasks, task, attempt
        self._told: SimpleQueue[Ask | EpisodeRecord | BaseException] = SimpleQueue()
        self._relay = _Relay(model, self._told)
        self._thread = threading.Thread(target=self._run, name=f"episode-{task.task_id}", daemon=True)

    def start(self) -> Ask | EpisodeRecord:
        """Begin; return what the model is asked first, or the record of an episode that needed no model.

        Raises:
            EpisodeFailedError: the episode ended with an error.
            EnvError: the environment cannot be made.
        """
        self._thread.start()
        return self._next()

    def answer(self, message: Mapping[str, Any], finish_reason: object) -> Ask | EpisodeRecord:
        """Give the reply to what was asked last; return what is asked next, or the record at the end.

        Args:
            message: the model's message, as OpenAI's protocol has it.
            finish_reason: why it ended, likewise; `length` says that it was cut.

        Raises:
            EpisodeFailedError: the episode ended with an error.
        """
        self._relay.replies.put((message, finish_reason))
        return self._next()

    def close(self) -> None:
        """End the episode, wherever it is; its environment is freed soon after."""
        self._relay.close()

    def _next(self) -> Ask | EpisodeRecord:
        told = self._told.get()
        if isinstance(told, BaseException):
            raise told
        if isinstance(told, EpisodeRecord) and told.error is not None:
            raise EpisodeFailedError(told)
        return told

    def _run(self) -> None:
        config = self._tasks.config
        try:
            with _making:
                env = config.make_env()
            try:
                told: EpisodeRecord | BaseException = run_episode(
                    env, self._tasks.spec, ModelPolicy(self._relay), self._task, self._tasks.seed,
                    attempt=self._attempt, max_steps=config.max_steps,
                )  # fmt: skip
            finally:
                env.close()
        except BaseException as error:
            told = error
        self._told.put(told)


class _Relay:
    """Implements `Backend`: each chat goes out, and its reply comes in. Tokens are estimates, four characters each."""

    has_grammar = False

    def __init__(self, name: str, told: SimpleQueue[Ask | EpisodeRecord | BaseException]) -> None:
        self.name = name
        self.fingerprint = {"engine": "relay", "model": name}
        self.n_ctx = N_CTX
        self.usage = Usage()
        self.replies: SimpleQueue[tuple[Mapping[str, Any], object] | None] = SimpleQueue()
        self._told = told

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        """Hand the chat over and wait for the reply.

        Raises:
            CannotRelayError: the reply is to obey a grammar or a schema.
        """
        if generation.is_constrained:
            raise CannotRelayError("hold replies to a grammar")
        segments, messages = parts(prompt)
        chat = messages or ({"role": "user", "content": "".join(segments)},)
        self._told.put(Ask(tuple(map(sent_message, chat)), tuple(tools), generation))
        given = self.replies.get()
        if given is None:
            raise Halt
        reply = read_message(*given, generation, CallReader(offered=bool(tools)), may_think=False)
        self.usage.calls += 1
        self.usage.prompt_tokens += self.count_tokens(prompt, tools)
        self.usage.generated_tokens += self.count_tokens((reply.thought, reply.text))
        return reply

    def score(self, prompt: Prompt, continuations: Sequence[str], reply: Reply | None = None) -> list[float]:
        """Refuse.

        Raises:
            CannotRelayError: always.
        """
        raise CannotRelayError("score commands")

    def count_tokens(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> int:
        """Estimate."""
        segments, messages = parts(prompt)
        texts = [*segments, *(json.dumps(sent_message(message)) for message in messages), *map(json.dumps, tools)]
        return sum(map(Services().count_tokens, texts))

    def thinks(self, thinking: Thinking) -> bool:
        """Say no: what a model thinks comes with its reply, and has a room of its own."""
        return False

    def close(self) -> None:
        """End the wait for a reply."""
        self.replies.put(None)
