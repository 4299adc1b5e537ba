"""What a processor is, and the table of those that exist."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import Outcome, StepEnd

GUARDS = ("learned_plan", "visited", "loop_guard", "stall_guard", "requires", "step_budget")
"""Names of the processors that take candidates away; what ranks or shows them follows these."""
PRIORS = ("action_prior", "location_prior", "location_memory", "goal_words", "result_prior")
"""Names of the processors that give candidates a prior; what reads the prior follows them."""
Score = Callable[[str, Sequence[str]], list[float]]
"""`score(prefix, continuations)`: log-probability of each continuation after the prefix, natural log."""


def _estimate(text: str) -> int:
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Services:
    """What an episode offers to its processors."""

    score: Score | None = None
    """The model's scores, or None without a model."""
    count_tokens: Callable[[str], int] = _estimate
    """Number of tokens of a text; without a model an estimate, four characters a token."""


class UnknownProcessorError(AgentError):
    """A harness names a processor that does not exist."""


class Processor(ABC):
    """One piece of a harness: it sees the events of its hook and answers with the fields to change.

    An instance lives for one episode. `process` returns an `Outcome`: the changed fields of the event, say, or None to let it pass; what it
    may change is the hook's `CHANGES`. `observe` is called after every step, on every processor, and may only update the processor's own
    memory. At every hook a processor may put JSON values in `notes`: they go to the trace, and nothing else reads
    them. `notes` is emptied before every call.
    """

    name: ClassVar[str]
    """The name by which a harness uses it."""
    version: ClassVar[int] = 1
    """Raised whenever behaviour changes: part of the behaviour hash."""
    hook: str
    """Where it is asked; empty if its entry in the harness says so, as it then says the dimension."""
    dimension: str
    group: ClassVar[str | None] = None
    """At most one processor of a group may stand in a harness."""
    after: ClassVar[tuple[str, ...]] = ()
    """Names of processors of the same hook that are asked before this one."""
    before: ClassVar[tuple[str, ...]] = ()
    """Names of processors of the same hook that are asked after this one."""
    max_failures: int = 3
    """Failures in one episode after which the processor is switched off for the rest of it."""
    schema: ClassVar[dict[str, Any]]
    """JSON Schema of each parameter, by name; `default` makes a parameter optional."""

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        self.params = params
        self.services = services
        self.notes: dict[str, Any] = {}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], services: Services) -> Processor:
        """Make the processor that an entry of a harness document declares."""
        return cls(defaults(cls) | entry["params"], services)

    @classmethod
    def check_entry(cls, entry: Mapping[str, Any]) -> list[str]:
        """Run what an entry holds of code or templates once on a sample event; return what goes wrong.

        A line that begins with / names the place within the entry.
        """
        return []

    @abstractmethod
    def process(self, event: Any) -> Outcome:
        """Answer an event of this processor's hook."""

    def offers(self) -> tuple[str, ...]:
        """Return the commands that this processor would answer at `before_tool`; one may hold a free slot, written {text}."""
        return ()

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
