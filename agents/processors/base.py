"""What a processor is, and the table of those that exist."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from homebody.agents.errors import AgentError
from homebody.agents.hooks import Changes, StepEnd

Score = Callable[[str, Sequence[str]], list[float]]
"""`score(prefix, continuations)`: log-probability of each continuation after the prefix, natural log."""


class UnknownProcessorError(AgentError):
    """A harness names a processor that does not exist."""


class Processor(ABC):
    """One piece of a harness: it sees the events of its hook and answers with the fields to change.

    An instance lives for one episode. `process` returns the changed fields of the event, or None to let it pass; what it may change is
    the hook's `CHANGES`. `observe` is called after every step, on every processor, and may only update the processor's own memory.
    """

    name: ClassVar[str]
    """The name by which a harness uses it."""
    version: ClassVar[int] = 1
    """Raised whenever behaviour changes: part of the behaviour hash."""
    hook: ClassVar[str]
    dimension: ClassVar[str]
    group: ClassVar[str | None] = None
    """At most one processor of a group may stand in a harness."""
    schema: ClassVar[dict[str, Any]]
    """JSON Schema of each parameter, by name; `default` makes a parameter optional."""

    def __init__(self, params: Mapping[str, Any], score: Score | None) -> None:
        self.params = params
        self.score = score

    @abstractmethod
    def process(self, event: Any) -> Changes | None:
        """Answer an event of this processor's hook."""

    def observe(self, step: StepEnd) -> None:  # noqa: B027  (few processors keep a memory; the others need no empty method)
        """Take note of a finished step."""


REGISTRY: dict[str, type[Processor]] = {}


def register(processor: type[Processor]) -> type[Processor]:
    """Add a processor class to the table; used as a decorator."""
    REGISTRY[processor.name] = processor
    return processor


def find(name: str) -> type[Processor]:
    """Return the processor class of that name.

    Raises:
        UnknownProcessorError: there is none.
    """
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(REGISTRY))}"
        raise UnknownProcessorError(f"no processor is called {name!r}; {hint}")
    return REGISTRY[name]


def defaults(processor: type[Processor]) -> dict[str, Any]:
    """Return the parameters that have a default, with it."""
    return {key: rule["default"] for key, rule in processor.schema.items() if "default" in rule}


def params_schema(processor: type[Processor]) -> dict[str, Any]:
    """Return the JSON Schema of the whole `params` object: no unknown key, every parameter without a default required."""
    required = sorted(key for key, rule in processor.schema.items() if "default" not in rule)
    return {"type": "object", "properties": processor.schema, "required": required, "additionalProperties": False}
