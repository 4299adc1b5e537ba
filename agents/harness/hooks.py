"""The eight hooks of an episode: one frozen event type each, with the fields that a processor may change.

A processor never assigns to an event. It returns the changes, and the pipeline refuses those that the hook does not allow. `step_end`
and `task_end` allow none. The contract follows HarnessX (arXiv 2606.14249), with the candidates of commands as a further object of
`before_model`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, ClassVar, TypeGuard

from homebody.agents.harness.grammar import matches
from homebody.agents.models.generation import Generation

HOOKS = ("task_start", "step_start", "before_model", "after_model", "before_tool", "after_tool", "step_end", "task_end")
DIMENSIONS = ("model", "context", "memory", "tools", "environment", "evaluation", "control", "observability", "training")
READS = ("first", "last", "after", "between", "json", "tool")
METHODS = ("generate", "grammar", "vote", "score", "rank")
MOST_SAMPLES = 16
"""Answers that one decision may sample."""


@dataclass(frozen=True)
class Turn:
    """One past step as the prompt shows it."""

    command: str
    observation: str
    reply: str = ""
    """What the model wrote, where the chat shows that in the place of the command; else empty."""
    thought: str = ""
    """What it thought before, whether the chat shows it or not."""
    text: str = ""
    """What it wrote before a call of a tool, where that gave the command."""
    is_summary: bool = False
    """Whether the observation is a summary of earlier steps. It stands before the turns that stay."""


@dataclass(frozen=True)
class CurrentSubgoal:
    """What the agent is after at this step, as far as the harness knows."""

    phase: str
    """`act` (the next milestone is among the candidates), `reach` (its place is known) or `search`."""
    wanted: str
    """The kind of thing that is needed next."""


@dataclass(frozen=True)
class Choice:
    """How the policy is to choose."""

    method: str = "generate"
    """One of `METHODS`."""
    normalize: str = "sum"
    """Score of a command under the model: `sum` of its log-probability, or `mean`, divided by its number of characters."""
    correct: float = 0.0
    """Share, 0 to 1, of a command's log-probability without any context that its score loses: see `score` in `decide`."""
    weight: float = 1.0
    """Factor on the model's score, at least 0, before the prior is added."""
    samples: int = 5
    """Answers that `vote` samples, 1 to `MOST_SAMPLES`."""
    temperature: float = 0.7
    """Of the answers that `vote` samples, above 0."""
    pick: str = "most"
    """Which of them `vote` takes: given `most` often, or `best` by prior."""
    constrained: bool = False
    """Whether those answers are written under the grammar of what is on offer."""
    retry: bool = False
    """Whether a reply of `generate` that names no command on offer is written again under that grammar."""

    def __post_init__(self) -> None:
        for field, allowed in (("method", METHODS), ("normalize", ("sum", "mean")), ("pick", ("most", "best"))):
            if getattr(self, field) not in allowed:
                raise ValueError(f"choice.{field} is {getattr(self, field)!r}; it must be one of {', '.join(allowed)}")
        if not (0 <= self.correct <= 1 and 0 <= self.weight < inf and 1 <= self.samples <= MOST_SAMPLES and 0 < self.temperature < inf):
            raise ValueError(
                f"choice has correct={self.correct}, weight={self.weight}, samples={self.samples}, temperature={self.temperature}; "
                f"they must be in [0, 1], at least 0, in [1, {MOST_SAMPLES}], and above 0"
            )


@dataclass(frozen=True)
class Reading:
    """How a command is read from the answer that a model wrote freely; see `homebody.agents.answer`."""

    read: str = "first"
    """One of `READS`."""
    mark: str = ""
    """What stands before the command, for `after` and `between`."""
    end: str = ""
    """What stands after it, for `between`."""
    field: str = "command"
    """Where it stands in a JSON object or in the arguments of a tool."""
    shown: str = "command"
    """What the chat shows of a past turn: the bare `command`, the whole `reply`, or that of the `last` turn alone.

    Where the model acts by a tool, a reply is a call of it and its answer. Before the last turn `last`
    shows the command with its mark, or the call with nothing said before it."""
    listed: bool = False
    """Whether the definition of the tool lists the commands on offer."""

    def __post_init__(self) -> None:
        for field, allowed in (("read", READS), ("shown", ("command", "reply", "last"))):
            if getattr(self, field) not in allowed:
                raise ValueError(f"reading.{field} is {getattr(self, field)!r}; it must be one of {', '.join(allowed)}")

    def marked(self, command: str) -> str:
        """Return a command as an answer with nothing else in it would give it."""
        match self.read:
            case "after":
                return f"{self.mark} {command}"
            case "between":
                return f"{self.mark}{command}{self.end}"
        return command


ONE_LINE = Generation(tokens=24, stop=("\n",))
"""What a harness without the component `answer` lets a model write: a line of at most 24 tokens, which is the command."""


@dataclass(frozen=True)
class Intercept:
    """An outcome of a processor: its changes are the last word at this hook, the processors after it do not see the event."""

    changes: dict[str, Any]


@dataclass(frozen=True)
class Interrupt:
    """An outcome of a processor: the episode ends here, as not won unless it is won already."""

    reason: str


@dataclass(frozen=True)
class TaskStart:
    """The episode begins."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"goal", "system_prompt"})
    goal: str
    """The goal as the environment says it. Every later event has what a processor reads in it."""
    observation: str
    candidates: tuple[str, ...]
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
    goal: str = ""


@dataclass(frozen=True)
class BeforeModel:
    """The model (or whoever decides) is about to be asked."""

    CHANGES: ClassVar[frozenset[str]] = frozenset(
        {
            "content",
            "candidates",
            "prior",
            "tools",
            "subgoal",
            "choice",
            "generation",
            "reading",
            "thoughts",
            "advised",
            "barred",
            "others",
            "guidance",
        }
    )
    goal: str
    observation: str
    """What the environment said last."""
    admissible: tuple[str, ...]
    """All commands that the environment accepts now, sorted; one may hold a free slot, written {text}."""
    content: str
    """The last user message; what stands after `CUT` is shown at this step only."""
    candidates: tuple[str, ...]
    """The commands on offer: a subset of `admissible`, never empty unless that is. A free slot is filled, at first with the goal,
    unless it may hold several lines."""
    prior: tuple[float, ...]
    """What the harness knows of each candidate, as a log-score; shape (len(candidates),)."""
    subgoal: CurrentSubgoal | None = None
    choice: Choice = Choice()
    generation: Generation = ONE_LINE
    reading: Reading = Reading()
    thoughts: int = 0
    """Past turns, the last ones, whose thoughts the chat shows."""
    tools: tuple[str, ...] = ()
    """Commands that the harness itself answers, on offer beside the candidates; one may hold a free slot, written {text}."""
    steps_left: int = 0
    """Steps that remain, this one included."""
    env_text: str = ""
    """What the environment said last, before any processor edited it."""
    advised: str = ""
    """The candidate that a learned skill would send here; empty where none advises."""
    slot_lines: tuple[str, ...] = ()
    """Of `admissible`, the commands whose free slot may hold several lines; among the candidates it is left open."""
    barred: tuple[str, ...] = ()
    """Texts that a written command is not to repeat: commands, and what was read. See `homebody.agents.policy.repeats`."""
    others: int = 0
    """Answers, at most, that the model writes in the place of one that repeats such a text, 0 to `MOST_SAMPLES`."""
    guidance: float = 0.0
    """Share of a command's score without the goal that is taken off its score, 0 to 1."""

    def __post_init__(self) -> None:
        known = set(self.admissible)
        strange = [command for command in self.candidates if command not in known and not matches(command, self.admissible)]
        if strange:
            raise ValueError(f"candidates hold {strange[0]!r}, which is not admissible; they may hold admissible commands only")
        if self.admissible and not self.candidates:
            raise ValueError("candidates are empty; leave at least one admissible command")
        if len(self.candidates) != len(self.prior):
            raise ValueError(f"prior has {len(self.prior)} values for {len(self.candidates)} admissible commands; give one each")


@dataclass(frozen=True)
class AfterModel:
    """The policy has answered."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"command"})
    response: str
    """The raw answer."""
    command: str
    """The command read from it."""
    admissible: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    """What was on offer."""
    tools: tuple[str, ...] = ()
    """The harness's own commands that were on offer, as in `BeforeModel`."""


@dataclass(frozen=True)
class BeforeTool:
    """A command is about to be sent to the environment."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"command", "approved", "answer"})
    command: str
    approved: bool = True
    """If false, the environment is not asked and the step is spent."""
    answer: str | None = None
    """If a text, the command was a tool call: the harness answers it, the environment is not asked, and no step is spent."""
    admissible: tuple[str, ...] = ()
    steps_left: int = 0
    """Steps that remain, this one included."""
    goal: str = ""
    observation: str = ""
    """What the environment said last."""


@dataclass(frozen=True)
class AfterTool:
    """The environment has answered; the observation that goes into the history may be edited."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"observation"})
    command: str
    observation: str
    accepted: bool = True
    """Whether the command was among the admissible ones and was sent."""
    why: str = ""
    """Why the environment refused the command, where it says so (`info["why"]`)."""
    admissible: tuple[str, ...] = ()
    """The admissible commands after the command."""
    goal: str = ""


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
    reward: float = 0.0
    won: bool = False
    goal: str = ""
    why: str = ""
    """Why the environment refused the command, where it says so."""


@dataclass(frozen=True)
class TaskEnd:
    """The episode is over. Read-only."""

    CHANGES: ClassVar[frozenset[str]] = frozenset()
    won: bool
    steps: int


Event = TaskStart | StepStart | BeforeModel | AfterModel | BeforeTool | AfterTool | StepEnd | TaskEnd
Changes = dict[str, Any]
Outcome = Changes | Intercept | Interrupt | None
"""What a processor returns: changed fields, an intercept, an interrupt, or None to let the event pass."""
READ_ONLY = ("step_end", "task_end")

EVENT_OF_HOOK: dict[str, type[Event]] = dict(
    zip(HOOKS, (TaskStart, StepStart, BeforeModel, AfterModel, BeforeTool, AfterTool, StepEnd, TaskEnd), strict=True)
)
HOOK_OF_EVENT: dict[type, str] = {event: hook for hook, event in EVENT_OF_HOOK.items()}


def _text(value: object) -> bool:
    return isinstance(value, str)


def _tuple_of(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


def _numbers(value: object) -> bool:
    return isinstance(value, tuple) and all(_is_number(item) for item in value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


FIELDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "goal": ("a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip())),
    "system_prompt": ("a text", _text),
    "history": ("a tuple of Turn", _tuple_of(Turn)),
    "content": ("a text", _text),
    "candidates": ("a tuple of texts", _tuple_of(str)),
    "prior": ("a tuple of finite numbers", _numbers),
    "subgoal": ("a CurrentSubgoal or None", lambda value: value is None or isinstance(value, CurrentSubgoal)),
    "choice": ("a Choice", lambda value: isinstance(value, Choice)),
    "generation": ("a Generation", lambda value: isinstance(value, Generation)),
    "reading": ("a Reading", lambda value: isinstance(value, Reading)),
    "thoughts": ("an integer of at least 0", lambda value: type(value) is int and value >= 0),
    "tools": ("a tuple of texts", _tuple_of(str)),
    "advised": ("a text", _text),
    "barred": ("a tuple of texts", _tuple_of(str)),
    "others": (f"an integer of 0 to {MOST_SAMPLES}", lambda value: type(value) is int and 0 <= value <= MOST_SAMPLES),
    "guidance": ("a number of 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "command": ("a text", _text),
    "approved": ("true or false", lambda value: isinstance(value, bool)),
    "answer": ("a text or None", lambda value: value is None or _text(value)),
    "observation": ("a text", _text),
}
"""What each field that a processor may change must be, in words and as a test."""
