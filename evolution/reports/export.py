"""Episodes of a run as records to train on: prompts, answers, token ids, log-probabilities, rewards.

A store keeps what was answered and not what was read, so each episode is played again, with the model where one decided, and the replay
must be the stored episode exactly; one that is not says so. What a record holds is always the replay's: it is true of itself.
assets/schemas/export.json has the fields. Their names are those of TRL and verifiers: `prompt` and `completion` of a step are a row of a
conversational data set, `prompt_ids`, `completion_ids` and `logprobs` what a rollout returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium

from homebody.agents.answer import tools_for
from homebody.agents.episode import run_episode
from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Backend, Message, Prompt, Tool, Usage, uncut
from homebody.agents.models.generation import Reply
from homebody.agents.policy import Decision, Policy
from homebody.agents.processors.base import Chat, Score
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs import TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.envs.file import UserPath, check_target, replacing
from homebody.evolution.reports.lineage import Lineage, read_lineage
from homebody.evolution.store import Store

FORMATS = ("sft", "grpo")


class ExportError(AgentError):
    """Records that cannot be made as asked."""


class Reader(Backend, Protocol):
    """A model whose tokens can be read: `homebody.agents.models.llama.LlamaCpp`."""

    on_text: Callable[[str, list[int], list[int], list[float]], None] | None

    def tokens(self, prompt: Prompt, reply: Reply | None = None, tools: Sequence[Tool] = ()) -> list[int]:
        """Return the tokens of a prompt with its tools, and of the thought of a reply to it."""
        ...

    def spell(self, continuation: str) -> list[int]:
        """Return the tokens of an answer."""
        ...

    def trace(self, prompt: Prompt, continuation: str, reply: Reply | None = None) -> tuple[list[int], list[float]]:
        """Return the tokens of an answer and their log-probabilities."""
        ...


@dataclass(frozen=True)
class _Noted:
    """A decision and what it was made from."""

    prompt: list[dict[str, Any]]
    tools: list[Tool]
    answer: str
    thought: str
    by_model: bool
    prompt_ids: list[int] | None
    completion_ids: list[int] | None
    logprobs: list[float] | None


class Recording:
    """A policy that decides as another one does, and notes prompts, answers and tokens.

    Args:
        inner: who decides.
        reader: whose tokens to note; None notes texts only.
    """

    def __init__(self, inner: Policy, reader: Reader | None) -> None:
        self.name, self.fingerprint, self.asks, self.has_model = inner.name, inner.fingerprint, inner.asks, inner.has_model
        self.noted: list[_Noted] = []
        """The decisions since `begin`."""
        self._inner, self._reader = inner, reader
        self._plays = reader is not None and isinstance(inner, ModelPolicy) and inner.backend is reader
        self._written: list[tuple[str, list[int], list[int], list[float]]] = []

    @property
    def usage(self) -> Usage:
        """The other one's counters."""
        return self._inner.usage

    @property
    def score(self) -> Score | None:
        """The other one's scores."""
        return self._inner.score

    @property
    def chat(self) -> Chat | None:
        """The other one's replies."""
        return self._inner.chat

    def count_tokens(self, text: str) -> int:
        """Ask the other one."""
        return self._inner.count_tokens(text)

    def read_goal(self, goal: str) -> str:
        """Ask the policy."""
        return self._inner.read_goal(goal)

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Begin an episode, and forget the last one."""
        self.noted = []
        self._inner.begin(seed, attempt, expert, task_id)

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Ask the other one."""
        return self._inner.fits(event, messages)

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Let the other one decide."""
        self._written = []
        if self._plays:
            assert self._reader is not None
            self._reader.on_text = lambda *written: self._written.append(written)
        try:
            decision = self._inner.decide(event, messages)
        finally:
            if self._plays:
                assert self._reader is not None
                self._reader.on_text = None
        shown, tools = [uncut(message) for message in messages], list(tools_for(event))
        self.noted.append(_Noted(shown, tools, decision.response, decision.thought, *self._tokens(event, messages, decision)))
        return decision

    def _tokens(
        self, event: BeforeModel, messages: Sequence[Message], decision: Decision
    ) -> tuple[bool, list[int] | None, list[int] | None, list[float] | None]:
        """Return whether the reader's model chose, and tokens of prompt and answer with the log-probabilities of the latter."""
        if self._reader is None:
            return False, None, None, None
        for text, prompt, tokens, logs in self._written:
            if text == decision.response:
                return True, prompt, tokens, logs
        reply = decision.reply if self._plays else None
        prompt = self._reader.tokens(messages, reply, tools_for(event))
        if self._plays and event.choice.method == "score" and len(event.candidates) > 1:
            return True, prompt, *self._reader.trace(messages, decision.response, reply)
        return False, prompt, self._reader.spell(decision.response), None


def export(
    run_dir: UserPath,
    form: str,
    path: UserPath,
    *,
    split: str = "train",
    model: str | None = None,
    episodes: int | None = None,
    data_dir: UserPath | None = None,
    callback: Callable[[int, int, EpisodeRecord], None] | None = None,
) -> dict[str, Any]:
    """Write the episodes of a run as JSON lines; the file gets its name when it is whole.

    Args:
        run_dir: a run that has ended.
        form: `sft`, the episodes that were won, or `grpo`, all of them.
        path: the file.
        split: only episodes of its tasks. Train is what training is for; another has to be asked for.
        model: whose tokens to write; None takes the run's own, if a model decided in it.
        episodes: most records; None sets no limit.
        data_dir: where the files of the environment lie now, if elsewhere than in the run.
        callback: called after each episode: number done, number of all, the replay.

    Returns:
        `format`, `split`, `tokenizer`, `records`, `steps`, `won`, `exact` (records whose replay was the stored episode) and `unknown`
        (episodes of harnesses that are not the run's own: an evaluation of another one, an ablation).

    Raises:
        ExportError: there is no such format, no episode to write, or the model's tokens cannot be read.
        OutputError: the file cannot be written.
        RunError: there is no run, or it has not ended.
    """
    if form not in FORMATS:
        raise ExportError(f"no format is called {form!r}; there are {', '.join(FORMATS)}")
    lineage = read_lineage(run_dir, data_dir)
    config = lineage.config
    tasks = {task.task_id: task for task in list_tasks(config.env_id, split, None, **config.env_kwargs)}
    found, unknown = _select(lineage, form, tasks)
    if not found:
        raise ExportError(
            f"{run_dir} has no {'won ' if form == 'sft' else ''}episode of split {split!r} played by a harness of the run; "
            "give another --split, or --format grpo for lost ones, too"
        )
    rollout = config.rollout
    counts = {"records": 0, "steps": 0, "won": 0, "exact": 0}
    check_target(path)
    some = found[:episodes]
    with _Replays(lineage, rollout, model) as replays, replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for number, (key, stored) in enumerate(some, 1):
            record, line = replays.play(key, stored, tasks[stored["task_id"]], form)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            counts["records"] += 1
            counts["steps"] += len(line["steps"])
            counts["won"] += line["won"]
            counts["exact"] += line["exact"]
            if callback:
                callback(number, len(some), record)
    return {"format": form, "split": split, "tokenizer": replays.tokenizer, **counts, "unknown": unknown}


def _select(lineage: Lineage, form: str, tasks: Mapping[str, TaskSpec]) -> tuple[list[tuple[str, dict[str, Any]]], int]:
    """Return the episodes to write, by key, and how many of the split there are of other harnesses or policies."""
    found, unknown = [], 0
    with Store(lineage.run_dir, readonly=True) as store:
        for key, record in store.episodes().items():
            if record["task_id"] not in tasks or (form == "sft" and not record["won"]):
                continue
            if record["behaviour_hash"] in lineage.candidates and record["policy"] == lineage.config.model:
                found.append((key, record))
            else:
                unknown += 1
    return found, unknown


class _Replays:
    """Plays stored episodes again; a context manager that frees the models."""

    def __init__(self, lineage: Lineage, rollout: RolloutConfig, model: str | None) -> None:
        self._lineage, self._rollout = lineage, rollout
        self._inner = rollout.make_policy()
        own = self._inner.backend if isinstance(self._inner, ModelPolicy) else None
        reader: Any = rollout.load_model(model) if model is not None and model != rollout.policy else own
        self._backends = [backend for backend in (own, reader) if backend is not None]
        if reader is not None and not hasattr(reader, "on_text"):
            self._close()
            raise ExportError(f"the tokens of {reader.name} cannot be read: it is on a server; give --model with a model of this machine")
        self.tokenizer: str | None = reader.name if reader is not None else None
        self._tape = Recording(self._inner, reader)
        self._env: gymnasium.Env[str, str] = rollout.make_env()

    def __enter__(self) -> _Replays:
        return self

    def __exit__(self, *of_error: object) -> None:
        self._env.close()
        self._close()

    def _close(self) -> None:
        for backend in self._backends:
            backend.close()

    def play(self, key: str, stored: Mapping[str, Any], task: TaskSpec, form: str) -> tuple[EpisodeRecord, dict[str, Any]]:
        """Play an episode again; return the replay and its line."""
        spec = self._lineage.candidates[stored["behaviour_hash"]]
        record = run_episode(
            self._env, spec, self._tape, task, stored["seed"], attempt=stored["attempt"], max_steps=self._rollout.max_steps
        )
        return record, {
            "format": form,
            "episode": key,
            "group": task.task_id,
            "type": task.type,
            "split": task.split,
            "env": self._rollout.env_id,
            "max_steps": self._rollout.max_steps,
            "goal": record.goal,
            "behaviour_hash": record.behaviour_hash,
            "policy": record.policy,
            "tokenizer": self.tokenizer,
            "seed": record.seed,
            "attempt": record.attempt,
            "reward": sum(step.reward for step in record.trace),
            "won": record.won,
            "exact": record.trace_hash == stored["trace_hash"],
            "steps": list(_steps(record, self._tape.noted)),
        }


def _steps(record: EpisodeRecord, noted: Sequence[_Noted]) -> Iterator[dict[str, Any]]:
    # A decision after which the harness ended the episode has no entry in the trace.
    for step, note in zip(record.trace, noted, strict=False):
        yield {
            "prompt": note.prompt,
            **({"tools": note.tools} if note.tools else {}),
            "completion": [{"role": "assistant", "content": note.answer} | ({"thought": note.thought} if note.thought else {})],
            "command": step.command,
            "accepted": step.accepted,
            "reward": step.reward,
            "method": step.method,
            "decided_by": step.decided_by,
            "twin": step.twin,
            "readable": step.readable,
            "cut": step.cut,
            "by_model": note.by_model,
            "prompt_ids": note.prompt_ids,
            "completion_ids": note.completion_ids,
            "logprobs": note.logprobs,
        }
