"""Who chooses the command: the protocol of policies, what they decide, and how equals are drawn among.

A policy sees what the harness offers (the `BeforeModel` event and the chat), and nothing else; only the experts, which are controls, ask
the environment.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from homebody.agents.harness.grammar import filling, matches
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.models.backend import Message, Usage
from homebody.agents.models.generation import Reply
from homebody.agents.processors.base import Chat, Score
from homebody.envs.text import clean, is_name

_NUMBER = re.compile(r"\s*\d+[.:)|]?\s")
"""The number of a line, with a space."""
_FENCE = re.compile(r"\s*```\w*\s*$")


@dataclass(frozen=True)
class Decision:
    """What a policy chose."""

    response: str
    """The raw answer: a model's text, or the command itself."""
    command: str
    """The command read from it."""
    scores: tuple[tuple[str, float], ...] = ()
    """At most five commands with their scores, the chosen one first; empty where nothing was scored."""
    is_asked: bool = False
    """Whether the model was asked for this decision."""
    is_free: bool = False
    """Whether its first reply was written without a grammar."""
    first: str | None = None
    """The command read from the first free reply, where the model wrote more than one; else None."""
    is_again: bool = False
    """Whether another answer stands in the place of its first one: that named no command on offer, or repeated what is barred."""
    reply: Reply | None = None
    """What the model wrote; None where it wrote nothing."""

    @property
    def thought(self) -> str:
        """What the model thought before it answered."""
        return self.reply.thought if self.reply else ""

    @property
    def finish(self) -> str | None:
        """Why its reply ended: one of `homebody.agents.models.generation.FINISHES`; None where it wrote nothing."""
        return self.reply.finish if self.reply else None

    @property
    def is_cut(self) -> bool | None:
        """Whether its reply ended because there was no more room; None where it wrote nothing."""
        return self.reply.finish in ("length", "budget") if self.reply else None


class Policy(Protocol):
    """One way to choose a command. Bound to one episode at a time by `begin`."""

    name: str
    fingerprint: dict[str, str]
    """What fixes its choices, besides the prompt and the seed."""
    has_model: bool
    """Whether a language model chooses."""
    asks: str
    """The method of the environment that `begin` wants as its expert; empty for a policy that asks none."""

    @property
    def usage(self) -> Usage:
        """Token counters so far."""
        ...

    @property
    def score(self) -> Score | None:
        """The model's scores for processors that ask for them, or None without a model."""
        ...

    @property
    def chat(self) -> Chat | None:
        """The model's replies to processors' own chats, or None without a model."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text; an estimate without a model."""
        ...

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Start an episode.

        Args:
            seed: of the run.
            attempt: 0 for the first try at the task; further tries sample where the first is greedy.
            expert: the environment's method that `asks` names, if it has one.
            task_id: what is played; it makes draws at one task independent of those at another.
        """
        ...

    def read_goal(self, goal: str) -> str:
        """Return the goal as the harness is to know it: as the environment says it, unless the policy reads it otherwise."""
        ...

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Choose a command of `event.candidates`, or write one of the candidates or the tools."""
        ...

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Tell whether the prompt leaves room for an answer, or for the longest command on offer where commands are scored."""
        ...


class Ties:
    """Draws among equals, one stream an episode: the same for a model and its twins, so that equal knowledge gives equal commands."""

    def __init__(self, seed: int, attempt: int, task_id: str) -> None:
        self.key = [seed, attempt, zlib.crc32(task_id.encode())]
        self._decision = 0

    def draw(self) -> Callable[[int], int]:
        """Return the draw of the next decision: given a number n of equals, a number from 0 to n - 1."""
        self._decision += 1
        key = [*self.key, self._decision]
        return lambda n: int(np.random.Generator(np.random.PCG64(key)).integers(n)) if n > 1 else 0


def best(
    commands: Sequence[str],
    scores: Sequence[float],
    tie: Callable[[int], int],
    rng: np.random.Generator | None = None,
    temperature: float = 1.0,
) -> Decision:
    """Take the command of highest score, drawn among equals; or, with a generator, sample from the softmax of score / temperature."""
    values = list(scores)
    if rng is not None:
        values = [score / temperature + float(noise) for score, noise in zip(scores, rng.gumbel(size=len(values)), strict=True)]
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    equals = [i for i in order if values[i] == values[order[0]]]
    chosen = equals[tie(len(equals))]
    order = [chosen, *(i for i in order if i != chosen)]
    return Decision(commands[chosen], commands[chosen], tuple((commands[i], round(float(scores[i]), 6)) for i in order[:5]))


def is_command(command: str, event: BeforeModel) -> bool:
    """Tell whether a text can be a command: one line, or several where a command's slot may hold them."""
    return is_name(command) or (command == clean(command) and matches(command, event.slot_lines))


def repeats(command: str, event: BeforeModel) -> bool:
    """Tell whether a command repeats a text that is barred.

    It does if it is that text; spaces at the ends of lines, empty lines and fences of ``` aside. What fills a slot with several lines
    repeats a text, too, in which these lines stand one below the other, as they are or numbered.
    """
    lines = _lines(command)
    filled = next((filled for form in event.slot_lines if (filled := filling(form, command)) is not None), "")
    inner = _lines(filled)
    for text in event.barred:
        read = _lines(text)
        if read == lines:
            return True
        starts = range(len(read) - len(inner) + 1) if len(inner) > 1 else ()
        if any(_holds(read[start : start + len(inner)], inner) for start in starts):
            return True
    return False


def _holds(read: Sequence[str], lines: Sequence[str]) -> bool:
    """Tell whether lines are others, or end with them after numbers that all take the same room."""
    if read == lines:
        return True
    before = [one[: len(one) - len(other)] if one.endswith(other) else "" for one, other in zip(read, lines, strict=True)]
    return len(set(map(len, before))) == 1 and all(map(_NUMBER.fullmatch, before))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip() and not _FENCE.match(line)]


def is_offered(command: str, event: BeforeModel) -> bool:
    """Tell whether a command is among the candidates, or a tool's with its slot filled."""
    return matches(command, (*event.candidates, *event.tools))
