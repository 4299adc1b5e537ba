"""A backend that plays a script: the test double for everything that asks a model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from homebody.agents.errors import ScriptExhaustedError
from homebody.agents.models.backend import Closing, Message, Prompt, Segments, Tool, parts
from homebody.agents.models.chat_template import render_plain
from homebody.agents.models.generation import Generation, Reply, Thinking, first_stop
from homebody.agents.models.tool_call import in_words


@dataclass(frozen=True)
class Call:
    """One recorded call."""

    kind: str
    """chat or score."""
    segments: Segments
    """The prompt, a chat as a plain transcript."""
    continuations: tuple[str, ...] = ()
    """What was to be scored."""
    after: Reply | None = None
    """The reply that it was to be scored after."""
    messages: tuple[Message, ...] = ()
    """The chat."""
    generation: Generation = field(default_factory=Generation)
    """How the reply was to be generated."""
    tools: tuple[Tool, ...] = ()
    """What the model might call."""

    @property
    def prompt(self) -> str:
        """The prompt's text, segments joined."""
        return "".join(self.segments)


class Scripted(Closing):
    """Implements `Backend` without a model: queued replies, given scores, recorded prompts.

    Tokens are white-space separated words. Segments that the last call began with count as cached.

    Args:
        replies: what `chat` returns, one a call; a text is cut at stop strings and at the number of words as a model's would be.
        scores: called with the prompt's text and one continuation; without it every continuation scores 0.0.
        name: shown in results.
        n_ctx: reported only.
        thinks: whether its chat template opens a thought.
        has_grammar: whether it says that a reply can be held to a grammar; the script is followed either way.
    """

    def __init__(
        self,
        replies: Iterable[str | Reply] = (),
        scores: Callable[[str, str], float] | None = None,
        *,
        name: str = "scripted",
        n_ctx: int = 4096,
        thinks: bool = False,
        has_grammar: bool = False,
    ) -> None:
        super().__init__(name)
        self.has_grammar = has_grammar
        self.fingerprint: dict[str, str] = {"engine": "scripted", "model": name}
        self.n_ctx = n_ctx
        self._thinks = thinks
        self.calls: list[Call] = []
        self._replies = list(replies)
        self._next = 0
        self._scores = scores
        self._held: Segments = ()

    def enqueue(self, *replies: str | Reply) -> None:
        """Add replies to the end of the script."""
        self._replies.extend(replies)

    def count_tokens(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> int:
        """Return the number of words."""
        return sum(len(segment.split()) for segment in _segments(prompt, tools))

    def thinks(self, thinking: Thinking) -> bool:
        """Tell what was given, where the mode leaves it open."""
        return thinking.mode == "on" or (self._thinks and thinking.mode != "off")

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        """Return the next reply of the script; one that is a text is cut as `generation` says.

        Raises:
            ScriptExhaustedError: there is none left.
        """
        self._record(Call("chat", _segments(prompt), messages=parts(prompt)[1], generation=generation, tools=tuple(tools)))
        if self._next == len(self._replies):
            raise ScriptExhaustedError(len(self._replies))
        reply = self._replies[self._next]
        self._next += 1
        if isinstance(reply, str):
            text = reply[: first_stop(reply, generation.stop)]
            words = text.split()
            is_cut = len(words) > generation.tokens
            reply = Reply(" ".join(words[: generation.tokens]) if is_cut else text, finish="length" if is_cut else "stop")
        self.usage.generated_tokens += len(reply.text.split()) + len(reply.thought.split())
        return reply

    def score(self, prompt: Prompt, continuations: Sequence[str], reply: Reply | None = None) -> list[float]:
        """Return the given scores, or 0.0s."""
        call = Call("score", _segments(prompt), tuple(continuations), after=reply)
        self._record(call)
        return [self._scores(call.prompt, text) if self._scores else 0.0 for text in continuations]

    def _free(self) -> None:
        """Do nothing: it holds nothing."""

    def _record(self, call: Call) -> None:
        self._check_open()
        given = call.segments
        shared = 0
        while shared < min(len(given), len(self._held)) and given[shared] == self._held[shared]:
            shared += 1
        self._held = given
        self.calls.append(call)
        self.usage.calls += 1
        self.usage.prompt_tokens += self.count_tokens(given)
        self.usage.cached_tokens += self.count_tokens(given[:shared])


def _segments(prompt: Prompt, tools: Sequence[Tool] = ()) -> Segments:
    segments, messages = parts(prompt)
    return render_plain(in_words(messages, tools)) if messages else segments
