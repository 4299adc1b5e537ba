"""A backend that plays a script: the test double for everything that asks a model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.errors import BackendClosedError, ScriptExhaustedError
from homebody.agents.models.backend import Message, Segments, Usage
from homebody.agents.models.chat_template import render_plain


@dataclass(frozen=True)
class Call:
    """One recorded call."""

    kind: str
    """generate or score."""
    prompt: str
    """The prompt's text, segments joined."""
    segments: Segments
    """The prompt as it was given."""
    continuations: tuple[str, ...] = ()
    """What was to be scored."""


class Scripted:
    """Implements `Backend` without a model: queued replies, given scores, recorded prompts.

    Tokens are white-space separated words. Segments that the last call began with count as cached.

    Args:
        replies: what `generate` returns, one a call, cut at stop strings and at `max_tokens` words as a model's text would be.
        scores: called with the prompt's text and one continuation; without it every continuation scores 0.0.
        name: shown in results.
        n_ctx: reported only.
    """

    def __init__(
        self,
        replies: Iterable[str] = (),
        scores: Callable[[str, str], float] | None = None,
        *,
        name: str = "scripted",
        n_ctx: int = 4096,
    ) -> None:
        self.name = name
        self.fingerprint: dict[str, str] = {"engine": "scripted", "model": name}
        self.n_ctx = n_ctx
        self.usage = Usage()
        self.finish = "stop"
        self.calls: list[Call] = []
        self._replies = list(replies)
        self._next = 0
        self._scores = scores
        self._held: Segments = ()
        self._closed = False

    def enqueue(self, *replies: str) -> None:
        """Add replies to the end of the script."""
        self._replies.extend(replies)

    def segments(self, messages: Sequence[Message]) -> Segments:
        """Render as a plain transcript; see `homebody.agents.models.chat_template.render_plain`."""
        return render_plain(messages)

    def count_tokens(self, segments: Sequence[str]) -> int:
        """Return the number of words."""
        return sum(len(segment.split()) for segment in segments)

    def generate(
        self,
        segments: Sequence[str],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        grammar: str | None = None,
        schema: Mapping[str, Any] | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> str:
        """Return the next reply of the script.

        Raises:
            ScriptExhaustedError: there is none left.
        """
        self._record("generate", segments)
        if self._next == len(self._replies):
            raise ScriptExhaustedError(len(self._replies))
        reply = self._replies[self._next]
        self._next += 1
        for text in stop:
            reply = reply.partition(text)[0]
        words = reply.split()
        self.finish = "length" if len(words) > max_tokens else "stop"
        if len(words) > max_tokens:
            reply = " ".join(words[:max_tokens])
        self.usage.generated_tokens += min(len(words), max_tokens)
        return reply

    def score(self, segments: Sequence[str], continuations: Sequence[str]) -> list[float]:
        """Return the given scores, or 0.0s."""
        self._record("score", segments, tuple(continuations))
        prompt = "".join(segments)
        return [self._scores(prompt, text) if self._scores else 0.0 for text in continuations]

    def close(self) -> None:
        """Refuse further calls."""
        self._closed = True

    def _record(self, kind: str, segments: Sequence[str], continuations: tuple[str, ...] = ()) -> None:
        if self._closed:
            raise BackendClosedError(self.name)
        given = tuple(segments)
        shared = 0
        while shared < min(len(given), len(self._held)) and given[shared] == self._held[shared]:
            shared += 1
        self._held = given
        self.calls.append(Call(kind, "".join(given), given, continuations))
        self.usage.calls += 1
        self.usage.prompt_tokens += self.count_tokens(given)
        self.usage.cached_tokens += self.count_tokens(given[:shared])
