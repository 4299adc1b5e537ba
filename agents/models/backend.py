"""What the harness asks of a language model: generate text, and score given continuations.

A backend knows nothing of tasks, harnesses or episodes. A prompt is a tuple of text *segments*: the chat, rendered by the
model's own template and cut where the harness will later append or drop text. Segments are what makes results repeatable:

- The same segments give the same bits, whether the backend was fresh, had part of them cached, or had served other prompts,
  and in every process on the same machine with the same settings. A backend that cannot promise this (a remote one) says so.
- The same text cut differently may give slightly different numbers: each segment is tokenized and evaluated on its own.
- `Backend.score` does not depend on the order of the continuations, but it may depend on which others are scored with them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from homebody.agents.errors import BadRequestError

CUT = "\x1f"
"""Cut mark inside a message's content: what follows it in the message is a segment of its own, so that a later prompt without
that text (yesterday's candidates of commands) still shares everything before it. It never reaches the model."""

TOKENIZED = 1024
"""Texts whose tokens a backend remembers. One of 300 tokens takes some 11 KB (an integer of Python has 28 bytes, its
place in a tuple 8): more of them would only be old observations."""

Message = Mapping[str, str]
"""A chat message: ``role`` (system, user or assistant) and ``content``."""

Segments = tuple[str, ...]
"""A rendered prompt, cut in segments."""


@dataclass
class Usage:
    """Running counters of a backend; all only grow. ``later - earlier`` gives what lies between two snapshots."""

    prompt_tokens: int = 0
    """Tokens of all prompts asked for, cached or not (continuations of `Backend.score` not counted)."""
    cached_tokens: int = 0
    """Those of `prompt_tokens` that were served from the key-value cache."""
    generated_tokens: int = 0
    """Tokens chosen by `Backend.generate`, the one that ended the text included."""
    scored_tokens: int = 0
    """Tokens evaluated to score continuations (nodes of the token tree, not the sum of the lengths)."""
    calls: int = 0
    """Calls of generate and score that returned."""
    seconds: float = 0.0
    """Wall time inside generate and score, in seconds. Not part of any hash."""
    decode_seconds: float = 0.0
    """The part of `seconds` that the engine itself spent evaluating tokens; 0.0 where it is another process. Not part of any hash."""

    def snapshot(self) -> "Usage":
        """Return a copy that later calls do not change."""
        return Usage(**{f.name: getattr(self, f.name) for f in fields(self)})

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(**{f.name: getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)})


@runtime_checkable
class Backend(Protocol):
    """A language model that generates and scores text. Not safe for use by two threads at once."""

    name: str
    """The name that the user chose it by."""
    fingerprint: dict[str, str]
    """What fixes its numbers: model file hash, quantization, engine version, settings. JSON, no path and no time."""
    n_ctx: int
    """Tokens that a prompt and what follows it may have together."""
    usage: Usage
    """Running counters."""
    finish: str
    """Why the last text of `generate` ended: `stop` (an end mark, a stop string, the end of the grammar) or `length` (no more room)."""

    def segments(self, messages: Sequence[Message]) -> Segments:
        """Render chat messages as a prompt that ends where the assistant's next reply begins.

        Boundaries lie at each `CUT`, at the end of a message that has none, and where a reply begins (see
        `homebody.agents.models.chat_template`), so two conversations that share their first messages share their first segments. `CUT` is
        removed.

        Args:
            messages: at least one message, in order.

        Raises:
            BadChatTemplateError: the model's template refuses these messages.
            BadRequestError: there is no message.
        """
        ...

    def count_tokens(self, segments: Sequence[str]) -> int:
        """Return the number of tokens of a prompt, each segment counted as it will be evaluated."""
        ...

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
        """Return the text that follows the prompt.

        Args:
            segments: the prompt.
            max_tokens: most tokens to generate, at least 1.
            stop: the text ends before the first occurrence of any of these.
            grammar: GBNF grammar that the text obeys; it may be cut short by `max_tokens`.
            schema: JSON Schema that the text obeys, as a JSON text; it may be cut short as well. Not together with `grammar`.
            temperature: 0 takes the most probable token; otherwise samples from the softmax of logits / temperature. Finite.
            seed: of the sampling, at least 0; same arguments and seed, same text.

        Raises:
            ContextOverflowError: the prompt and `max_tokens` more do not fit. Nothing is ever cut in silence.
            BadGrammarError: the grammar does not parse.
            BadSchemaError: the schema cannot be made a grammar.
            BadRequestError: an argument is out of range.
        """
        ...

    def score(self, segments: Sequence[str], continuations: Sequence[str]) -> list[float]:
        """Return the log-probability of each continuation after the prompt.

        Args:
            segments: the prompt.
            continuations: texts, in any order, repeats allowed. Each is tokenized on its own and without a leading space of
                the tokenizer's making: a text that follows a word must bring its own space.

        Returns:
            For each continuation, in the given order, the sum over its tokens of the natural log of the token's probability
            (at most 0.0; 0.0 for the empty text). The end of the text is not scored.

        Raises:
            ContextOverflowError: the prompt and the longest continuation do not fit.
        """
        ...

    def close(self) -> None:
        """Free the model. Calling it again does nothing; any other call raises BackendClosedError."""
        ...


def check_request(max_tokens: int, temperature: float, seed: int, grammar: str | None, schema: Mapping[str, Any] | None) -> None:
    """Check the arguments of `Backend.generate`.

    Raises:
        BadRequestError: one is out of range.
    """
    if max_tokens < 1:
        raise BadRequestError("max_tokens", max_tokens, "an integer of at least 1")
    if not 0.0 <= temperature < math.inf:
        raise BadRequestError("temperature", temperature, "a finite number of at least 0")
    if seed < 0:
        raise BadRequestError("seed", seed, "an integer of at least 0")
    if grammar is not None and schema is not None:
        raise BadRequestError("the form of the answer", "both a grammar and a schema", "one of them")
