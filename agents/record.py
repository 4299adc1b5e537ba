"""What is kept of an episode: its steps, who decided at each of them, and the figures that follow from them.

Records are data: frozen, JSON both ways, with a hash of everything but counters. Knows nothing of environments, harnesses and models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypedDict

from homebody.agents.content_hash import digest

BY_MODEL = ("model", "agreed", "reading")
"""The values of `StepRecord.decided_by` that count in a model's share."""
DECIDED_BY = (*BY_MODEL, "harness", "fallback")
"""Who decides at a step; see `homebody.agents.twin.decided_by`."""
NO_ROOM = "the prompt had no room"
"""How the reason begins (`EpisodeRecord.interrupted`) that ended an episode whose prompt did not fit the model's context."""


@dataclass(frozen=True)
class Question:
    """What a processor asked the model: for the scores of some answers, or for a reply. JSON through `to_json` and `from_json`."""

    prompt: str
    """The text before the answers, or the chat as a transcript; the middle of a long one is left out."""
    answers: tuple[tuple[str, float], ...] = ()
    """At most five of the continuations with their log-probability, the likeliest first."""
    reply: str | None = None
    """What the model wrote; None where answers were scored."""
    thought: str = ""
    """What it thought before."""
    finish: str | None = None
    """Why its reply ended, as in `StepRecord.finish`."""
    tokens: int = 0
    """Tokens that it wrote, those of the thought included."""
    error: str = ""
    """Why the model could not be asked; empty where it was."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data; what is as by default is left out."""
        content = {known.name: value for known in fields(self) if (value := getattr(self, known.name)) != known.default}
        return content | ({"answers": [list(pair) for pair in self.answers]} if self.answers else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Question:
        """Read what `to_json` wrote."""
        known = {key: content[key] for key in cls.__dataclass_fields__ if key in content}
        known["answers"] = tuple((str(text), float(score)) for text, score in content.get("answers", ()))
        return cls(**known)


@dataclass(frozen=True)
class StepRecord:
    """One step of an episode, or one call of a tool, which takes none. JSON through `to_json` and `from_json`."""

    step: int
    """Number of the step, from 1; that of the next step for a tool call."""
    admissible: int
    """Number of commands that the environment accepted."""
    offered: int
    """Number of commands that the harness left on offer."""
    method: str
    """How the policy was to decide: one of `homebody.agents.harness.hooks.METHODS`."""
    response: str
    """The raw answer."""
    command: str
    """What was sent to the environment."""
    accepted: bool
    """Whether the command was among the admissible ones and was sent."""
    observation: str
    """What the environment answered, before any processor edited it."""
    reward: float
    usable: bool
    """Whether the command that was read from the answer could be sent: an admissible one, or a tool's."""
    decided_by: str = "harness"
    """One of `DECIDED_BY`."""
    twin: str | None = None
    """The command that the reference twin would have sent here; None without a model, and where the twin failed."""
    readable: bool | None = None
    """Whether the first free reply was a command, possible at this step or at an earlier one of the episode; None where the model did not
    write freely."""
    repaired: bool = False
    """Whether a processor put a command in the place of an unreadable reply."""
    retried: bool = False
    """Whether a reply was written again: under the grammar where it named no command on offer, another way where it repeated a text."""
    cut: bool | None = None
    """Whether the reply ended because it had no more room; None where the model wrote nothing."""
    finish: str | None = None
    """Why the reply ended: `stop`, `length`, `budget` (of its thought) or `tool`; None where the model wrote nothing."""
    thought: str = ""
    """What the model thought before its answer, which no command is read from."""
    scores: tuple[tuple[str, float], ...] = ()
    """At most five commands with their scores, the chosen one first; empty where nothing was scored."""
    questions: tuple[Question, ...] = ()
    """What processors asked the model since the step before, those at the start of the task included."""
    subgoal: Mapping[str, str] | None = None
    """What the agent is after, as far as the harness knows: `phase` and `wanted`."""
    dropped_turns: int = 0
    """Turns of the history that the prompt had no room for."""
    tool: bool = False
    """Whether the harness answered the command itself."""
    variant: str | None = None
    """Name of the harness's variant that played."""
    adapted: Mapping[str, Any] | None = None
    """The rule that was applied after this step, as in `EpisodeRecord.adaptations`."""
    changed: tuple[Mapping[str, Any], ...] = ()
    """Which processors changed what: `by` (the id of its component), `hook`, `outcome`, `fields`."""
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What processors noted, by the id of their component."""

    @property
    def margin(self) -> float | None:
        """Score of the chosen command above the next one's; None where fewer than two were scored."""
        return self.scores[0][1] - self.scores[1][1] if len(self.scores) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data; what is as by default is left out."""
        content: dict[str, Any] = {}
        for known in fields(self):
            value = getattr(self, known.name)
            usual = known.default if known.default_factory is MISSING else known.default_factory()
            if known.name in _ALWAYS or value != usual:
                content[known.name] = value
        content["scores"] = [list(pair) for pair in self.scores]
        content["changed"] = [dict(change) for change in self.changed]
        if self.questions:
            content["questions"] = [question.to_json() for question in self.questions]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> StepRecord:
        """Read what `to_json` wrote."""
        known = {key: content[key] for key in cls.__dataclass_fields__ if key in content}
        known["scores"] = tuple((str(command), float(score)) for command, score in content.get("scores", ()))
        known["changed"] = tuple(content.get("changed", ()))
        known["questions"] = tuple(map(Question.from_json, content.get("questions", ())))
        return cls(**known)


_ALWAYS = frozenset(
    ("step", "admissible", "offered", "method", "response", "command", "accepted", "observation", "reward", "usable", "decided_by")
)
"""Fields of a step that are always written."""


@dataclass(frozen=True)
class EpisodeRecord:
    """All that is kept of an episode. JSON through `to_json` and `from_json`."""

    task_id: str
    type: str
    won: bool
    steps: int
    """Steps taken, those of commands that were held back included."""
    seed: int
    attempt: int
    behaviour_hash: str
    policy: str
    opening: str
    """The first observation."""
    goal: str
    trace: tuple[StepRecord, ...]
    """The steps, and the calls of tools that the harness answered."""
    invalid_actions: int
    """Steps whose command was not among the admissible ones, or was held back."""
    activations: dict[str, int]
    """How often each processor was at work, by the id of its component; zeros included."""
    failures: list[dict[str, str]]
    """Errors inside processors, which were skipped."""
    error: dict[str, str] | None
    """The error that ended the episode early: `boundary`, `kind`, `message`."""
    interrupted: str | None = None
    """The reason that a processor gave for ending the episode; or that the prompt did not fit the model's context, which is a defeat of the
    harness that wrote it and no error."""
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Changes outside of the steps in the trace: at the start, and in a step that did not come to its end."""
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Notes that processors left outside of the steps in the trace, by the id of their component."""
    adaptations: list[dict[str, Any]] = field(default_factory=list)
    """Rules of the harness that were applied: `step` after which, `rule`, `signal`, `patch`, and the `behaviour_hash` from there on."""
    usage: dict[str, float] = field(default_factory=dict)
    """Token counters and seconds; no part of the trace hash, since the cache that serves tokens depends on the order of work."""
    variant: str | None = None
    """Name of the harness's variant that played; None, and not written, where the harness itself did."""
    strict: bool | None = None
    """Whether it was won exactly, where the environment says so (`info["success_strict"]`); elsewhere None, and not written."""
    reading: str | None = None
    """The goal as the harness read it; None, and not written, where that is the goal as it was said."""
    questions: tuple[Question, ...] | None = None
    """What processors asked the model after the last step of the trace; None, and not written, where they asked nothing."""

    @property
    def outcome(self) -> bool | None:
        """Whether it was won; None where an error ended it. An error is counted apart: it is neither a win nor a defeat."""
        return None if self.error is not None else self.won

    @property
    def reward(self) -> float:
        """The sum of the rewards of all steps."""
        return float(sum(step.reward for step in self.trace))

    @property
    def moves(self) -> tuple[StepRecord, ...]:
        """The steps of the trace without the calls of tools."""
        return tuple(step for step in self.trace if not step.tool)

    @property
    def model_share(self) -> float | None:
        """Share of the steps that the model decided; None without steps."""
        return decisions([self]).model_share

    @property
    def trace_hash(self) -> str:
        """SHA-256 of everything but the counters: equal inputs give equal hashes, whatever the number of workers."""
        return digest({key: value for key, value in self._content().items() if key != "usage"})

    @property
    def play_hash(self) -> str:
        """SHA-256 of what happened: task, opening, commands, observations, rewards, won. It survives changes of what else is kept."""
        played = [[step.command, step.observation, step.reward] for step in self.trace]
        text = json.dumps([self.task_id, self.opening, played, self.won])
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready data, with its trace hash."""
        return {**self._content(), "trace_hash": self.trace_hash}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> EpisodeRecord:
        """Read what `to_json` wrote."""
        known = {key: content[key] for key in cls.__dataclass_fields__ if key in content or key not in _WHERE_KNOWN}
        known["trace"] = tuple(StepRecord.from_json(step) for step in known["trace"])
        if known.get("questions") is not None:
            known["questions"] = tuple(map(Question.from_json, known["questions"]))
        return cls(**known)

    def _content(self) -> dict[str, Any]:
        """Return the fields; one that most episodes have nothing for is left out there, so that it changes no hash of theirs."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        content["trace"] = [step.to_json() for step in self.trace]
        if self.questions is not None:
            content["questions"] = [question.to_json() for question in self.questions]
        return {key: value for key, value in content.items() if key not in _WHERE_KNOWN or value is not None}


_WHERE_KNOWN = ("variant", "strict", "reading", "questions")
"""Fields of a record that are written only where they have a value."""


class WrittenDecisions(TypedDict, total=False):
    """`Decisions` as results hold them."""

    model_share: float | None
    model_share_won: float | None
    unreadable: float | None
    cut: float | None
    repaired: int
    retried: int
    decided_by: dict[str, int]


@dataclass(frozen=True)
class Decisions:
    """Who decided, over the steps of some episodes. Shares are in [0, 1], and None where there is nothing to share."""

    steps: int
    """Steps of all episodes."""
    counts: Mapping[str, int]
    """Steps by `StepRecord.decided_by`, zeros included."""
    model_share: float | None
    """Share of the steps that the model decided: `model`, `agreed` or `reading`."""
    model_share_won: float | None
    """The same over the episodes that were won."""
    unreadable: float | None
    """Share of the first, unrepaired, unconstrained replies that are no command, as `StepRecord.readable` has it; None where replies are
    constrained."""
    cut: float | None
    """Share of the model's replies that ended because they had no more room; None where nothing was written."""
    repaired: int
    """Unreadable replies in whose place a processor put a command."""
    retried: int
    """Free replies that named no command on offer and were written again under the grammar."""

    def to_json(self) -> WrittenDecisions:
        """Return JSON-ready data, as results hold it."""
        return {
            "model_share": self.model_share,
            "model_share_won": self.model_share_won,
            "unreadable": self.unreadable,
            "cut": self.cut,
            "repaired": self.repaired,
            "retried": self.retried,
            "decided_by": dict(self.counts),
        }


def decisions(records: Iterable[EpisodeRecord]) -> Decisions:
    """Count who decided in some episodes; those that an error ended count as far as they came."""
    counts = dict.fromkeys(DECIDED_BY, 0)
    won = dict.fromkeys(DECIDED_BY, 0)
    free = unreadable = written = cut = repaired = retried = 0
    for record in records:
        for step in record.trace:
            if step.readable is not None:
                free += 1
                unreadable += not step.readable
            if step.cut is not None:
                written += 1
                cut += step.cut
            repaired += step.repaired
            retried += step.retried
            if not step.tool:
                counts[step.decided_by] += 1
                won[step.decided_by] += record.won
    return Decisions(
        sum(counts.values()),
        counts,
        _model_share(counts),
        _model_share(won),
        _share(unreadable, free),
        _share(cut, written),
        repaired,
        retried,
    )


def _model_share(counts: Mapping[str, int]) -> float | None:
    return _share(sum(counts[name] for name in BY_MODEL), sum(counts.values()))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
