"""A replay: an episode as the moments that can be looked at, the opening first and then one for each entry of its trace.

The commands are given once more to an environment of the replay's own, since a trace holds what was said and not how things stood. Knows no
drawing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium

from homebody.agents.episode import HELD_BACK, ModelCall
from homebody.agents.errors import AgentError
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.envs import EnvError
from homebody.envs.text_env import TextTaskEnv


class ReplayError(AgentError):
    """An episode cannot be played again, since its environment fails at the reset, or speaks no text."""

    def __init__(self, task_id: str, error: Exception) -> None:
        super().__init__(
            f"task {task_id!r} cannot be played again: the environment's reset raised {type(error).__name__}: {error}; "
            "check --env and --data-dir"
        )


@dataclass(frozen=True)
class Moment:
    """How things stand after an entry of the trace, or at the opening."""

    observation: str
    """What was said last."""
    entry: StepRecord | None = None
    """The entry of the trace; None at the opening."""
    model_call: ModelCall | None = None
    """What the decision was made from, where that is known."""
    view: Any = None
    """What the environment's picture needs of how things stand; None where it has no picture."""
    won: bool = False
    """Whether the goal holds."""

    @property
    def is_refused(self) -> bool:
        """Whether its command was not possible, or was held back."""
        return self.entry is not None and not self.entry.accepted


@dataclass(frozen=True)
class End:
    """How an episode ended."""

    won: bool
    words: str
    """In a few words."""
    usage: Mapping[str, Any]
    """Token counters and seconds of the whole episode."""


class Replay:
    """An episode to be looked at; it grows while the episode is being played.

    Args:
        env: a text planning environment that nobody else uses; it is reset here.
        task_id: of the task.
        seed: of the episode.
        title: the name of its harness.
        policy: the name of who decides.

    Raises:
        EnvError: the environment has no such task.
        ReplayError: the environment's reset fails, or returns no text.
    """

    def __init__(self, env: gymnasium.Env[str, str], task_id: str, seed: int, title: str, policy: str) -> None:
        self.env, self.task_id, self.title, self.policy = env, task_id, title, policy
        try:
            opening, info = env.reset(seed=seed, options={"task": task_id})
            if not isinstance(opening, str):
                raise TypeError(f"its observation is no text but a {type(opening).__name__}")
            self.goal, self._won = str(info["goal"]), bool(info["won"])
        except EnvError:
            raise
        except Exception as error:
            raise ReplayError(task_id, error) from error
        self.moments = [Moment(opening, view=self._view(), won=self._won)]
        self.opening_changes: Sequence[Mapping[str, Any]] = ()
        """What the processors of the harness changed before the first step; known once the episode is over."""
        self.end: End | None = None
        self.differs = ""
        """The first thing that is not as in the recording; empty if everything is."""
        self._follows = True

    @classmethod
    def of(cls, record: EpisodeRecord, env: gymnasium.Env[str, str], title: str, model_calls: Sequence[ModelCall | None] = ()) -> Replay:
        """Make the replay of an episode that is over.

        Args:
            record: the episode.
            env: as for the constructor.
            title: the name of its harness.
            model_calls: what each decision was made from, one for each entry of the trace; empty where that was not kept.

        Raises:
            EnvError: the environment has no such task.
            ReplayError: the environment's reset fails, or returns no text.
        """
        replay = cls(env, record.task_id, record.seed, title, record.policy)
        if replay.moments[0].observation != record.opening:
            replay._note("the first observation")
        for entry, model_call in zip(record.trace, model_calls or [None] * len(record.trace), strict=True):
            replay.add(entry, model_call)
        replay.close(record)
        return replay

    def add(self, entry: StepRecord, model_call: ModelCall | None = None) -> None:
        """Add an entry of the trace: its command is given to this replay's environment, unless it was not sent in the episode either."""
        sent = not entry.tool and not (entry.observation == HELD_BACK and not entry.accepted)
        if sent and self._follows:
            try:
                observation, _, _, _, info = self.env.step(entry.command)
            except Exception as error:
                self._follows = False
                self._note(f"step {entry.step} ({type(error).__name__}: {error})")
            else:
                self._won = bool(info["won"])
                if observation != entry.observation:
                    self._note(f"the answer at step {entry.step}")
        self.moments.append(Moment(entry.observation, entry, model_call, self._view(), self._won))

    def close(self, record: EpisodeRecord) -> None:
        """Say how the episode ended."""
        if record.error is not None:
            words = f"failed: {record.error['kind']} at {record.error['boundary']}"
        elif record.interrupted and not record.won:
            words = f"ended: {record.interrupted}"
        else:
            words = f"{'won' if record.won else 'not won'} in {record.steps} {'step' if record.steps == 1 else 'steps'}"
        self.opening_changes = [change for change in record.changed if change["hook"] == "task_start"]
        self.end = End(record.won, words, record.usage)

    @property
    def last(self) -> int:
        """The number of the last moment."""
        return len(self.moments) - 1

    @property
    def failure(self) -> int:
        """The first moment whose command was refused, or was answered in the same words before; else the last."""
        met: Counter[tuple[str, str]] = Counter()
        for number, moment in enumerate(self.moments):
            if moment.entry is None:
                continue
            answer = (moment.entry.command, moment.observation)
            if moment.is_refused or met[answer]:
                return number
            met[answer] += 1
        return self.last

    def _view(self) -> Any:
        env = self.env.unwrapped
        return env.view() if isinstance(env, TextTaskEnv) else None

    def _note(self, what: str) -> None:
        """Keep the first thing that differs: what follows it differs because of it."""
        self.differs = self.differs or what
