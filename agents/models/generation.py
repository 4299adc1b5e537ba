"""What a model is asked for, and what it replies, as data.

A reply has two parts: a thought, which nobody reads as an answer, and the text after it. Knows nothing of backends and harnesses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from homebody.agents.errors import BadRequestError

T = TypeVar("T", str, bytes)

MODES = ("template", "on", "off")
"""Whether a model thinks before it answers: as its chat template has it, always, or never."""
AT_BUDGET = ("close", "fail")
"""What happens to a thought that has used up its budget: it is closed by a sentence and the answer follows, or there is no answer."""
FINISHES = ("stop", "length", "budget", "tool")
"""Why a reply ended: the model or a stop string ended it, it had no more room, its thought had none, or it calls a tool."""
PENALTIES = ("presence_penalty", "frequency_penalty")
RESERVED = ("messages", "tools", "add_generation_prompt", "bos_token", "eos_token")
"""What a chat template is told in any case."""
VARIABLE = re.compile(rf"(?!(?:{'|'.join(RESERVED)})$)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""Names of what it may be told besides."""


@dataclass(frozen=True)
class Thinking:
    """How a model may think before it answers. A model that cannot think answers at once."""

    mode: str = "template"
    """One of `MODES`."""
    budget: int = 512
    """Most tokens of the thought, its marks not counted; at least 0."""
    at_budget: str = "close"
    """One of `AT_BUDGET`."""
    sentence: str = "I have thought enough, and answer now."
    """Ends a thought that is closed at its budget."""
    template: Mapping[str, Any] = field(default_factory=dict)
    """What the chat template is told besides, by name: texts, numbers, true and false. It goes before what the mode says."""
    start: str = ""
    """Mark that begins a thought, in the place of the one that is found; together with `end`, or empty."""
    end: str = ""
    """Mark that ends it."""

    def __post_init__(self) -> None:
        for name, value in self.template.items():
            _check("thinking.template", name, VARIABLE.fullmatch(name) is not None, f"a name but {', '.join(RESERVED)}")
            _check(f"thinking.template.{name}", value, isinstance(value, str | int | float), "a text, a number, true or false")
        both = bool(self.start) == bool(self.end)
        _check("thinking.start and thinking.end", (self.start, self.end), both, "two texts, or two empty ones")
        _check("thinking.mode", self.mode, self.mode in MODES, f"one of {', '.join(MODES)}")
        _check("thinking.at_budget", self.at_budget, self.at_budget in AT_BUDGET, f"one of {', '.join(AT_BUDGET)}")
        _check("thinking.budget", self.budget, self.budget >= 0, "an integer of at least 0")


@dataclass(frozen=True)
class Generation:
    """How a reply is generated.

    A token is chosen in this order: penalties on the logits; where the temperature is 0 the first most probable one; otherwise division
    by the temperature, the `top_k` most probable ones, the fewest of those that have `top_p` together, those that have at least `min_p`
    times the probability of the first, and a draw among what is left.
    """

    tokens: int = 128
    """Most tokens of the answer. 0 asks for a thought alone."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these that follows its first character that is no white space."""
    temperature: float = 0.0
    """0 takes the most probable token."""
    top_k: int = 0
    """0 keeps all tokens."""
    top_p: float = 1.0
    """In (0, 1]."""
    min_p: float = 0.0
    """In [0, 1]."""
    presence_penalty: float = 0.0
    """Taken off the logit of each token that the reply holds already, its thought included."""
    frequency_penalty: float = 0.0
    """The same, times the number of times that it holds it."""
    repetition_penalty: float = 1.0
    """Above 0: divides positive logits of those tokens and multiplies negative ones."""
    maker: bool = False
    """Whether the sampling that the model's maker recommends goes before the values given here, where the model file says any."""
    seed: int = 0
    """Of the draws, at least 0: same request and seed, same reply."""
    grammar: str | None = None
    """GBNF grammar that the answer obeys; it may be cut short by `tokens`."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema that the answer obeys, as a JSON text. Not together with `grammar`."""
    thinking: Thinking = field(default_factory=Thinking)

    def __post_init__(self) -> None:
        _check("tokens", self.tokens, self.tokens >= 0, "an integer of at least 0")
        _check("temperature", self.temperature, 0.0 <= self.temperature < math.inf, "a finite number of at least 0")
        _check("top_k", self.top_k, self.top_k >= 0, "an integer of at least 0")
        _check("top_p", self.top_p, 0.0 < self.top_p <= 1.0, "a number above 0 and at most 1")
        _check("min_p", self.min_p, 0.0 <= self.min_p <= 1.0, "a number from 0 to 1")
        for name in PENALTIES:
            _check(name, getattr(self, name), math.isfinite(getattr(self, name)), "a finite number")
        _check("repetition_penalty", self.repetition_penalty, 0.0 < self.repetition_penalty < math.inf, "a finite number above 0")
        _check("seed", self.seed, self.seed >= 0, "an integer of at least 0")
        if self.grammar is not None and self.schema is not None:
            raise BadRequestError("the form of the answer", "both a grammar and a schema", "one of them")

    @property
    def is_constrained(self) -> bool:
        """Whether the answer obeys a grammar or a schema."""
        return self.grammar is not None or self.schema is not None

    def sampled(self, recommended: Mapping[str, float]) -> Generation:
        """Return the same with the maker's sampling, where that is asked for; see `Header.sampling` in `homebody.agents.models.gguf`."""
        return replace(self, **recommended) if self.maker and recommended else self  # type: ignore[arg-type]


@dataclass(frozen=True)
class ToolCall:
    """A call that a model wrote in its own form, as data."""

    name: str
    arguments: Mapping[str, Any]
    before: str = field(default="", compare=False)
    """What stands before it in the text."""


@dataclass(frozen=True)
class Reply:
    """What a model replied."""

    text: str
    """The answer: what follows the thought. Empty where the thought did not end."""
    thought: str = ""
    """Without its marks."""
    tool_call: ToolCall | None = None
    """The first call of a tool in the answer; the text has it too, as the model wrote it."""
    finish: str = "stop"
    """One of `FINISHES`."""
    place: object = field(default=None, compare=False, repr=False)
    """Where the answer begins, in a form of the backend's own: what `Backend.score` goes on from."""


def first_stop(text: T, stops: Sequence[T]) -> int | None:
    """Return where a text ends by stop strings: at the first of them after its first character that is no white space, or None."""
    start = len(text) - len(text.lstrip())
    found = [at for stop in stops if stop and (at := text.find(stop, start)) >= 0]
    return min(found) if found else None


def _check(what: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise BadRequestError(what, value, allowed)
