"""Who chooses the command: a language model, or one of the controls that need none.

A decider sees what the harness offers (the `BeforeModel` event and the chat), and nothing else; only `expert`, a control, asks the
environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from homebody.agents.backend import Backend, Message, Usage
from homebody.agents.errors import AgentError
from homebody.agents.hooks import BeforeModel
from homebody.agents.processors.base import Score

CONTROLS = ("random", "flat", "expert")
MAX_COMMAND_TOKENS = 24
"""Tokens after which an answer is cut off."""


class NoExpertError(AgentError):
    """The expert was asked to play an environment that has none."""


@dataclass(frozen=True)
class Decision:
    """What a decider chose."""

    response: str
    """The raw answer: a model's text, or the command itself."""
    command: str
    """The command read from it."""
    scores: tuple[tuple[str, float], ...] = ()
    """At most five commands with their scores, the chosen one first; empty where nothing was scored."""


class Decider(Protocol):
    """One way to choose a command. Bound to one episode at a time by `begin`."""

    name: str
    fingerprint: dict[str, str]
    """What fixes its choices, besides the prompt and the seed."""

    @property
    def usage(self) -> Usage:
        """Token counters so far."""
        ...

    @property
    def score(self) -> Score | None:
        """The model's scores for processors that ask for them, or None without a model."""
        ...

    def begin(self, seed: int, attempt: int, expert: Callable[[], Sequence[str]] | None) -> None:
        """Start an episode.

        Args:
            seed: of the episode.
            attempt: 0 for the first try at the task; further tries sample where the first is greedy.
            expert: the environment's expert, if it has one.
        """
        ...

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Choose a command of `event.menu`, or write one."""
        ...

    def fits(self, messages: Sequence[Message]) -> bool:
        """Tell whether the prompt leaves room for an answer."""
        ...


class ControlDecider:
    """Base of the deciders without a model."""

    name: str

    def __init__(self) -> None:
        self.fingerprint = {"decider": self.name}
        self.usage = Usage()
        self.score: Score | None = None

    def begin(self, seed: int, attempt: int, expert: Callable[[], Sequence[str]] | None) -> None:
        """Remember what the episode needs."""
        self._rng = np.random.Generator(np.random.PCG64([seed, attempt]))
        self._expert = expert

    def fits(self, messages: Sequence[Message]) -> bool:
        """Without a model every prompt fits."""
        return True


class RandomDecider(ControlDecider):
    """Chooses uniformly among what the harness offers; shows what the harness does with no one in it."""

    name = "random"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Draw a command."""
        command = event.menu[int(self._rng.integers(len(event.menu)))]
        return Decision(command, command)


class FlatDecider(ControlDecider):
    """Chooses the command of highest bias, the first of equals: the harness's own knowledge, without a model."""

    name = "flat"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the harness's favourite."""
        return best(event.menu, event.bias)


class ExpertDecider(ControlDecider):
    """Plays the environment's own expert: privileged, an upper bound."""

    name = "expert"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the first command of the expert's plan from here."""
        if self._expert is None:
            raise NoExpertError("this environment has no expert() method, so the decider 'expert' cannot play it; choose a model or random")
        plan = self._expert()
        command = plan[0] if plan else event.menu[0]
        return Decision(command, command)


class ModelDecider:
    """A language model behind the harness: writes the command, or scores those on offer."""

    def __init__(self, backend: Backend, temperature: float = 1.0) -> None:
        self.backend = backend
        self.name = backend.name
        self.fingerprint = {"decider": "model", **backend.fingerprint}
        self._temperature = temperature
        self._rng: np.random.Generator | None = None

    @property
    def usage(self) -> Usage:
        """The backend's counters."""
        return self.backend.usage

    @property
    def score(self) -> Score:
        """Scores of endings after a plain-text prefix."""
        return lambda prefix, continuations: self.backend.score((prefix,), continuations)

    def begin(self, seed: int, attempt: int, expert: Callable[[], Sequence[str]] | None) -> None:
        """Choose between greedy (first attempt) and sampling."""
        self._rng = np.random.Generator(np.random.PCG64([seed, attempt])) if attempt else None

    def fits(self, messages: Sequence[Message]) -> bool:
        """Count the tokens."""
        return self.backend.count_tokens(self.backend.segments(messages)) + 2 * MAX_COMMAND_TOKENS <= self.backend.n_ctx

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Follow the event's method."""
        if event.method == "generate":
            return self._generate(event, messages)
        totals = event.bias
        if event.method == "score":
            totals = tuple(b + s for b, s in zip(event.bias, self._scores(event, messages), strict=True))
        return best(event.menu, totals, self._rng, self._temperature)

    def _generate(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        sampling = {"temperature": self._temperature, "seed": int(self._rng.integers(2**31))} if self._rng is not None else {}
        segments = self.backend.segments(messages)
        response = self.backend.generate(segments, max_tokens=MAX_COMMAND_TOKENS, stop=("\n",), **sampling)  # type: ignore[arg-type]
        return Decision(response, read_command(response))

    def _scores(self, event: BeforeModel, messages: Sequence[Message]) -> list[float]:
        if len(event.menu) == 1:
            return [0.0]
        sums = self.backend.score(self.backend.segments(messages), event.menu)
        if event.normalize == "sum":
            return sums
        return [value / len(command) for value, command in zip(sums, event.menu, strict=True)]


def best(commands: Sequence[str], scores: Sequence[float], rng: np.random.Generator | None = None, temperature: float = 1.0) -> Decision:
    """Take the command of highest score, the first of equals; or, with a generator, sample from the softmax of score / temperature."""
    values = list(scores)
    if rng is not None:
        values = [score / temperature + float(noise) for score, noise in zip(scores, rng.gumbel(size=len(values)), strict=True)]
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    command = commands[order[0]]
    return Decision(command, command, tuple((commands[i], round(float(scores[i]), 6)) for i in order[:5]))


def read_command(response: str) -> str:
    """Read a command from what a model wrote: its first line that is not empty, without quotes, prompt marks or a full stop."""
    line = next((part.strip() for part in response.splitlines() if part.strip()), "")
    return line.lstrip("> ").strip("\"'`*. ")
