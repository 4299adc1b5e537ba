"""The eight hooks of an episode: one frozen event type each, with the fields that a processor may change.

A processor never assigns to an event. It returns the changes, and the pipeline refuses those that the hook does not allow. `step_end`
and `task_end` allow none. The contract follows HarnessX (arXiv 2606.14249), with the menu of commands as a further object of
`before_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

HOOKS = ("task_start", "step_start", "before_model", "after_model", "before_tool", "after_tool", "step_end", "task_end")
DIMENSIONS = ("model", "context", "memory", "tools", "environment", "evaluation", "control", "observability", "training")
METHODS = ("generate", "score", "rank")


@dataclass(frozen=True)
class Turn:
    """One past step as the prompt shows it."""

    command: str
    observation: str


@dataclass(frozen=True)
class Focus:
    """What the agent is after at this step, as far as the harness knows."""

    phase: str
    """`act` (the next milestone is on the menu), `reach` (its place is known) or `search`."""
    wanted: str
    """The kind of thing that is needed next."""


@dataclass(frozen=True)
class TaskStart:
    """The episode begins."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"system_prompt"})
    goal: str
    observation: str
    menu: tuple[str, ...]
    system_prompt: str = ""


@dataclass(frozen=True)
class StepStart:
    """A step begins; the history may be edited before the prompt is made from it."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"history"})
    step: int
    """Number of this step, from 1."""
    steps_left: int
    """Steps that remain, this one included."""
    history: tuple[Turn, ...]


@dataclass(frozen=True)
class BeforeModel:
    """The model (or whoever decides) is about to be asked."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"content", "menu", "bias", "focus", "method", "normalize"})
    goal: str
    observation: str
    """What the environment said last."""
    admissible: tuple[str, ...]
    """All commands that the environment accepts now, sorted."""
    content: str
    """The last user message; what stands after `CUT` is shown at this step only."""
    menu: tuple[str, ...]
    """The commands on offer: a subset of `admissible`, never empty unless that is."""
    bias: tuple[float, ...]
    """What the harness knows of each command on the menu, as a log-score; shape (len(menu),)."""
    focus: Focus | None = None
    method: str = "generate"
    """How the decider decides: see `METHODS`."""
    normalize: str = "sum"
    """Score of a command under the model: `sum` of its log-probability, or `mean`, divided by its number of characters."""

    def __post_init__(self) -> None:
        if len(self.menu) != len(self.bias) or not set(self.menu) <= set(self.admissible) or (self.admissible and not self.menu):
            raise ValueError(
                f"a menu of {len(self.menu)} commands with {len(self.bias)} biases; it must be some of the admissible ones, a bias each"
            )


@dataclass(frozen=True)
class AfterModel:
    """The decider has answered."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"command"})
    response: str
    """The raw answer."""
    command: str
    """The command read from it."""
    admissible: tuple[str, ...]


@dataclass(frozen=True)
class BeforeTool:
    """A command is about to be sent to the environment."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"command", "approved"})
    command: str
    approved: bool = True
    """If false, the environment is not asked and the step is spent."""


@dataclass(frozen=True)
class AfterTool:
    """The environment has answered; the observation that goes into the history may be edited."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"observation"})
    command: str
    observation: str


@dataclass(frozen=True)
class StepEnd:
    """A step is over. Read-only; every processor sees it and may update its own memory."""

    CHANGES: ClassVar[frozenset[str]] = frozenset()
    step: int
    command: str
    accepted: bool
    """Whether the command was among the admissible ones."""
    observation: str
    admissible: tuple[str, ...]
    """The admissible commands after the step."""


@dataclass(frozen=True)
class TaskEnd:
    """The episode is over. Read-only."""

    CHANGES: ClassVar[frozenset[str]] = frozenset()
    won: bool
    steps: int


Event = TaskStart | StepStart | BeforeModel | AfterModel | BeforeTool | AfterTool | StepEnd | TaskEnd
Changes = dict[str, Any]

EVENT_OF_HOOK: dict[str, type[Event]] = dict(
    zip(HOOKS, (TaskStart, StepStart, BeforeModel, AfterModel, BeforeTool, AfterTool, StepEnd, TaskEnd), strict=True)
)
HOOK_OF_EVENT: dict[type, str] = {event: hook for hook, event in EVENT_OF_HOOK.items()}
