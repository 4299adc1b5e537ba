"""What the harness asks of a language model: generate text, and score given continuations.

A backend knows nothing of tasks, harnesses or episodes. It makes a tuple of text *segments* of a chat: rendered by the
model's own template and cut where the harness will later append or drop text. Segments are what makes results repeatable:

- The same segments give the same bits, whether the backend was fresh, had part of them cached, or had served other prompts,
  and in every process on the same machine with the same settings. A backend that cannot promise this (a remote one) says so.
- The same text cut differently may give slightly different numbers: each segment is tokenized and evaluated on its own.
- `Backend.score` does not depend on the order of the continuations, but it may depend on which others are scored with them.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from homebody.agents.errors import BackendClosedError
from homebody.agents.models.generation import Generation, Reply, Thinking

CUT = "\x1f"
"""Cut mark inside a message's content: what follows it in the message is a segment of its own, so that a later prompt without
that text (yesterday's candidates of commands) still shares everything before it. It never reaches the model."""

TOKENIZED = 1024
"""Texts whose tokens a backend remembers. One of 300 tokens takes some 11 KB (an integer of Python has 28 bytes, its
place in a tuple 8): more of them would only be old observations."""

Message = Mapping[str, Any]
"""A chat message, JSON-ready: ``role`` (system, user, assistant or tool) and ``content``, a text.

An assistant's may have ``thought``, a text, and ``tool_calls``: a list of {"id", "type": "function", "function": {"name",
"arguments"}} as in OpenAI's protocol, the arguments as an object. A tool's has ``tool_call_id`` and ``name``, those of the call that it
answers."""

Tool = Mapping[str, Any]
"""A function that a model may call, as OpenAI's protocol describes it."""

Segments = tuple[str, ...]
"""A rendered prompt, cut in segments."""

Prompt = Sequence[Message] | Sequence[str]
"""A chat, or a text cut in segments."""


@dataclass
class Usage:
    """Running counters of a backend; all only grow. ``later - earlier`` gives what lies between two snapshots."""

    prompt_tokens: int = 0
    """Tokens of all prompts asked for, cached or not (continuations of `Backend.score` not counted)."""
    cached_tokens: int = 0
    """Those of `prompt_tokens` that were served from the key-value cache."""
    generated_tokens: int = 0
    """Tokens chosen by `Backend.chat`, those of thoughts and the one that ended the text included."""
    scored_tokens: int = 0
    """Tokens evaluated to score continuations (nodes of the token tree, not the sum of the lengths)."""
    calls: int = 0
    """Calls of chat and score that returned."""
    seconds: float = 0.0
    """Wall time inside chat and score, in seconds. Not part of any hash."""
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
    has_grammar: bool
    """Whether a reply can be held to a grammar."""

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        """Return the model's reply.

        A thought is read as such wherever it stands, and a grammar, a schema and stop strings hold for the answer after it.

        Args:
            prompt: a chat; or a text, after which nobody thinks.
            generation: how to generate.
            tools: what the model may call, as OpenAI's protocol describes functions; shown by the model's template, where that can.

        Raises:
            ContextOverflowError: the prompt, the thought and the answer may not fit. Nothing is ever cut in silence.
            BadChatTemplateError: the model's template refuses these messages.
            BadGrammarError: the grammar does not parse.
            BadSchemaError: the schema cannot be made a grammar.
            BadRequestError: there is no message, or the text is empty.
        """
        ...

    def score(self, prompt: Prompt, continuations: Sequence[str], reply: Reply | None = None) -> list[float]:
        """Return the log-probability of each continuation as an answer.

        Args:
            prompt: a chat or a text.
            continuations: texts, in any order, repeats allowed. Each is tokenized on its own and without a leading space of
                the tokenizer's making: a text that follows a word must bring its own space.
            reply: the model's reply to the same chat, for answers after its thought; None for answers without a thought.

        Returns:
            For each continuation, in the given order, the sum over its tokens of the natural log of the token's probability
            (at most 0.0; 0.0 for the empty text). The end of the text is not scored.

        Raises:
            ContextOverflowError: the prompt and the longest continuation do not fit.
        """
        ...

    def count_tokens(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> int:
        """Return the number of tokens of a prompt, with the tools that are shown in it.

        Each segment is counted as it will be evaluated.
        """
        ...

    def thinks(self, thinking: Thinking) -> bool:
        """Tell whether a reply may begin with a thought."""
        ...

    def close(self) -> None:
        """Free the model. Calling it again does nothing; any other call raises BackendClosedError."""
        ...


class Closing(ABC):
    """Base of the backends here: counts calls, and refuses them once it is closed. A context manager: leaving it closes it.

    Args:
        name: what the user calls the model.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.usage = Usage()
        self._closed = False

    def close(self) -> None:
        """Free what it holds; to close it again does nothing."""
        if not self._closed:
            self._closed = True
            self._free()

    @abstractmethod
    def _free(self) -> None:
        """Free what it holds; called once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise BackendClosedError(self.name)

    def _count(self, started: float) -> None:
        """Count a call that began at this reading of `time.perf_counter`."""
        self.usage.calls += 1
        self.usage.seconds += time.perf_counter() - started


Refuses = Callable[[Reply], tuple[int, int] | None]
"""Tells of a reply that will not do between which characters of its text another one may leave it; None of one that will do."""


@runtime_checkable
class Branching(Protocol):
    """A backend that can write the next most probable answers, too."""

    def chat_unless(self, refuses: Refuses, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = (), *, others: int) -> Reply:
        """Return the first of the model's replies that is not refused, the most probable first; the very first where all are.

        Args:
            refuses: judges a reply; it must not ask the model.
            prompt: as of `Backend.chat`, as are the next two. At a temperature above 0 there is one reply alone.
            generation: see there.
            tools: see there.
            others: further replies, at most. They share the thought.

        Raises:
            AgentError: as `Backend.chat`.
        """
        ...


@runtime_checkable
class Shared(Protocol):
    """A backend that several threads can use, each through one of its own."""

    def share(self) -> Backend:
        """Return a backend of the same model, with counters of its own, for another thread; closing it ends it alone."""
        ...


def parts(prompt: Prompt) -> tuple[Segments, tuple[Message, ...]]:
    """Return the segments of a text and no message, or no segment and the messages of a chat."""
    return tuple(part for part in prompt if isinstance(part, str)), tuple(part for part in prompt if not isinstance(part, str))


def uncut(message: Message) -> dict[str, Any]:
    """Return a message without cut marks, as people and trainers read it."""
    return {**message, "content": message["content"].replace(CUT, "")}
