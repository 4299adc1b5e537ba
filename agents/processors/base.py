"""What a processor is, the table of those of the library, and how a user's own is found."""

from __future__ import annotations

import difflib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jsonschema

from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import DIMENSIONS, HOOKS, Outcome, StepEnd
from homebody.agents.models.backend import Message
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.processors.operator import EditOperator
from homebody.agents.wording import NUMBERED, Naming
from homebody.envs.core import did_you_mean
from homebody.envs.module import UserModuleError, import_module, is_own

GUARDS = ("learned_plan", "visited", "loop_guard", "stall_guard", "requires", "step_budget")
"""Names of the processors that take candidates away; what ranks or shows them follows these."""
PRIORS = ("action_prior", "location_prior", "location_memory", "goal_words", "result_prior", "ask")
"""Names of the processors that give candidates a prior; what reads the prior follows them."""
Score = Callable[[str | Sequence[Message], Sequence[str]], list[float]]
"""`score(prompt, continuations)`: log-probability of each continuation after a text or a chat, natural log."""
Chat = Callable[[Sequence[Message], Generation], Reply]
"""`chat(messages, generation)`: the model's reply. A reply of no text where the model could not be asked."""


def _estimate(text: str) -> int:
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Services:
    """What an episode offers to its processors."""

    score: Score | None = None
    """The model's scores, or None without a model."""
    count_tokens: Callable[[str], int] = _estimate
    """Number of tokens of a text; without a model an estimate, four characters a token."""
    chat: Chat | None = None
    """The model's replies to chats of a processor's own, or None without a model."""
    naming: Naming = NUMBERED
    """How the environment names its instances, as the harness's component `names` says."""


class UnknownProcessorError(AgentError):
    """A harness names a processor that does not exist, or that cannot be used."""


class Processor(ABC):
    """One piece of a harness: it sees the events of its hook and answers with the fields to change.

    An instance lives for one episode. `process` returns an `Outcome`: the changed fields of the event, say, or None to let it pass; what it
    may change is the hook's `CHANGES`. `observe` is called after every step, on every processor, and may only update the processor's own
    memory. At every hook a processor may put JSON values in `notes`: they go to the trace, and nothing else reads
    them. `notes` is emptied before every call.

    A processor of the library has a `name` and is registered. A user's own needs neither: a harness
    uses it as `module:Class`. All else that there is to say of a processor stands on its class.
    """

    name: ClassVar[str] = ""
    """The name by which a harness uses it, for those of the library."""
    version: ClassVar[int] = 1
    """Raised whenever behaviour changes: part of the behaviour hash."""
    hook: str
    """Where it is asked; empty if its component says so, which then says the dimension, too."""
    hooks: ClassVar[tuple[str, ...]] = HOOKS
    """The hooks that its component may name, where `hook` is empty."""
    dimension: str
    group: ClassVar[str | None] = None
    """At most one processor of a group may stand in a harness; None: any number. A registered one that names none has its own name."""
    after: ClassVar[tuple[str, ...]] = ()
    """Processors of the same hook that are asked before this one: names, or `module:Class`."""
    before: ClassVar[tuple[str, ...]] = ()
    """Processors of the same hook that are asked after this one: names, or `module:Class`."""
    max_failures: int = 3
    """Failures in one episode after which the processor is switched off for the rest of it."""
    schema: ClassVar[dict[str, Any]]
    """JSON Schema of each parameter, by name; `default` makes a parameter optional."""
    texts: ClassVar[tuple[str, ...]] = ()
    """Parameters that are prose for a model: a proposer may write them anew, but keeps {blanks}."""
    operators: ClassVar[tuple[EditOperator, ...]] = ()
    """What evolution can do to a harness through this processor."""
    is_recorder: ClassVar[bool] = False
    """Whether it only writes notes, and so is no remedy for any failure."""

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        self.params = params
        self.services = services
        self.notes: dict[str, Any] = {}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], services: Services) -> Processor:
        """Make the processor that a component of a harness document declares."""
        made = cls(defaults(cls) | entry["params"], services)
        if not cls.hook:
            made.hook, made.dimension = entry["hook"], entry["dimension"]
        return made

    @classmethod
    def check_entry(cls, entry: Mapping[str, Any]) -> list[str]:
        """Run a component's code or template once on a sample event; return what goes wrong.

        A line that begins with / names the place within the component.
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
    if processor.group is None and "group" not in vars(processor):
        processor.group = processor.name
    REGISTRY[processor.name] = processor
    return processor


def find(use: str) -> type[Processor]:
    """Return a processor class by what a component says in `use`. A user's module is imported here.

    Args:
        use: a registered name, or `module:Class`; the module is an installed one, or a file of the
            current folder.

    Raises:
        UnknownProcessorError: there is none, it cannot be imported, or it is no processor.
    """
    return known(use) or _own(use)


def known(use: str) -> type[Processor] | None:
    """Return the registered processor class of that name; None for `module:Class`.

    Raises:
        UnknownProcessorError: there is none of that name, nor can there be one.
    """
    if is_own(use):
        return None
    if use not in REGISTRY:
        near = difflib.get_close_matches(use, REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(REGISTRY))}; module:Class names your own"
        raise UnknownProcessorError(f"no processor is called {use!r}; {hint}")
    return REGISTRY[use]


def _own(use: str) -> type[Processor]:
    module_name, _, name = use.partition(":")
    try:
        module = import_module(module_name)
    except UserModuleError as error:
        raise UnknownProcessorError(f"processor {use}: {error}") from None
    found = getattr(module, name, None)
    if found is None:
        there = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Processor)]
        hint = did_you_mean(name, there) or f"; its processors: {', '.join(there) or 'none'}"
        raise UnknownProcessorError(f"processor {use}: module {module_name} has no class {name!r}{hint}")
    if not (isinstance(found, type) and issubclass(found, Processor)):
        raise UnknownProcessorError(f"processor {use}: {name} is no Processor; make it a subclass of homebody.agents.processors.Processor")
    if fault := _fault(found):
        raise UnknownProcessorError(f"processor {use}: {fault}")
    return found


def _fault(found: type[Processor]) -> str:
    """Return what is wrong with a class of the user's; nothing where it can be used."""
    if inspect.isabstract(found):
        return f"it lacks {', '.join(sorted(found.__abstractmethods__))}; write that method"
    for field, allowed in (("hook", HOOKS), ("dimension", DIMENSIONS)):
        if getattr(found, field, None) not in allowed:
            return f"its {field} is {getattr(found, field, None)!r}; it must be one of {', '.join(allowed)}"
    for field in ("after", "before", "texts"):
        names = getattr(found, field)
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            return f"its {field} is {names!r}; give a tuple of names"
    if not isinstance(found.operators, tuple) or not all(isinstance(one, EditOperator) for one in found.operators):
        return f"its operators are {found.operators!r}; give a tuple of EditOperator"
    for field in ("version", "max_failures"):
        if type(getattr(found, field)) is not int or getattr(found, field) < 1:
            return f"its {field} is {getattr(found, field)!r}; give a whole number from 1"
    schema = getattr(found, "schema", None)
    if not isinstance(schema, dict) or not all(isinstance(rule, dict) for rule in schema.values()):
        return f"its schema is {schema!r}; give a dict of JSON Schemas by parameter, {{}} for none"
    try:
        jsonschema.Draft202012Validator.check_schema(params_schema(found))
    except jsonschema.SchemaError as error:
        return f"its schema is no JSON Schema: {error.message}"
    return ""


def defaults(processor: type[Processor]) -> dict[str, Any]:
    """Return the parameters that have a default, with it."""
    return {key: rule["default"] for key, rule in processor.schema.items() if "default" in rule}


def params_schema(processor: type[Processor]) -> dict[str, Any]:
    """Return the JSON Schema of the whole `params` object: no unknown key, every parameter without a default required."""
    required = sorted(key for key, rule in processor.schema.items() if "default" not in rule)
    return {"type": "object", "properties": processor.schema, "required": required, "additionalProperties": False}
