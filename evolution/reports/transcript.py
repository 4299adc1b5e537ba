"""Episodes as readable transcripts, and the choice of those that a report of bounded size shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from homebody.agents.record import StepRecord
from homebody.envs.text import PIECE_MARK
from homebody.evolution.reports import decision
from homebody.evolution.reports.history import History, Series, candidates, evaluation_series, said

OBSERVATION_CHARS = 600
"""Longest observation that is shown whole."""
OPENING_CHARS = 1500


@dataclass(frozen=True)
class Group:
    """Episodes that are shown together."""

    title: str
    keys: Sequence[str]


def groups(history: History) -> list[Group]:
    """Return the keys of all stored episodes of a run in the order in which a reader meets them; each key once."""
    ordered: list[tuple[str, Series]] = []
    for item in history.run["rounds"]:
        number = item["round"]
        ordered += [(f"Round {number}, training", history.training(number)), (f"Round {number}, validation", history.validation(number))]
        ordered += [(f"Candidate {edit['id']}, validation", history.validation(edit["id"])) for edit in item["candidates"]]
    series = [evaluation_series(history, item) for item in history.evaluations]
    ordered += [(f"Held out, {one.what}", one) for one in series]
    seen: set[str] = set()
    found = []
    for title, one in ordered:
        keys = [key for key in one.keys.values() if key in history.records and key not in seen]
        seen.update(keys)
        if keys:
            found.append(Group(title, keys))
    return found


def by_worth(history: History) -> Iterator[str]:
    """Yield the keys of all stored episodes, the most telling first; some more than once.

    The order: both sides of each flip that a candidate made; the losses of the rounds, the latest round first; the losses of the
    evaluations; then all that is left, in the order of `groups`.
    """
    for edit in candidates(history):
        own, before = history.validation(edit["id"]), history.validation(edit["round"])
        for task in (*edit["gained"], *edit["lost"]):
            yield from (key for key in (own.keys[task], before.keys[task]) if key in history.records)
    rounds = [item["round"] for item in reversed(history.run["rounds"])]
    played = [series for number in rounds for series in (history.validation(number), history.training(number))]
    for series in [*played, *(evaluation_series(history, item) for item in history.evaluations)]:
        yield from (key for task, key in series.keys.items() if series.won[task] is False)
    for group in groups(history):
        yield from group.keys


class StepShown(TypedDict):
    """What a step is, of whoever decided."""

    number: int
    kind: str
    """`step`, `refused` or `tool`."""
    command: str
    thought: str
    """Empty where the model did not think."""
    response: str
    """Empty where it is the command."""
    candidates: str
    observation: str
    changes: str
    """What the harness changed, in words."""


class Decided(TypedDict):
    """Who decided a step where a model played; empty where none did."""

    who: str
    meaning: str
    marks: str
    twin: str
    """What the twin would have sent, if that is another command."""
    asked: list[tuple[str, str]]
    """What the model was asked: questions with their answers, or with what was made of them."""


class Line(StepShown, Decided):
    """A step or a tool call of a transcript."""


class Transcript(TypedDict):
    """An episode as what a transcript shows."""

    task: str
    goal: str
    won: bool
    sentence: str
    policy: str
    behaviour_hash: str
    opening: str
    end: str
    """Why it ended early, or empty."""
    shares: str
    """Who decided its steps, in words; empty without a model."""
    lines: list[Line]


def transcript(record: Mapping[str, Any], max_steps: int | None = None) -> Transcript:
    """Return an episode as what a transcript shows.

    Args:
        record: an episode as data.
        max_steps: its step limit, where it is known.
    """
    error = record["error"]
    trace = [StepRecord.from_json(step) for step in record["trace"]]
    is_by_model = decision.is_by_model(trace)
    counts = Counter(step.decided_by for step in trace if not step.tool)
    end = f"{error['kind']} at {error['boundary']}: {error['message']}" if error else record["interrupted"] or ""
    return {
        "task": record["task_id"],
        "goal": record["goal"],
        "won": record["won"],
        "sentence": said(record, record["won"], max_steps),
        "policy": record["policy"],
        "behaviour_hash": record["behaviour_hash"],
        "opening": _cut(record["opening"], OPENING_CHARS),
        "end": end,
        "shares": decision.shares(counts) if is_by_model else "",
        "lines": [{**_shown(step), **(_decided(step) if is_by_model else _NOT_DECIDED)} for step in trace],
    }


def _shown(step: StepRecord) -> StepShown:
    changes = [f"{change['by']}: {', '.join(change['fields']) or change['outcome']}" for change in step.changed]
    if adapted := step.adapted:
        changes.append(f"adapted by {adapted['rule']} ({adapted['signal']})")
    return {
        "number": step.step,
        "kind": "tool" if step.tool else "step" if step.accepted else "refused",
        "command": step.command,
        "thought": decision.thought(step, OBSERVATION_CHARS),
        "response": decision.reply(step, OBSERVATION_CHARS),
        "candidates": f"{step.offered} of {step.admissible}",
        "observation": _cut(step.observation, OBSERVATION_CHARS),
        "changes": "; ".join(changes),
    }


_NOT_DECIDED: Decided = {"who": "", "meaning": "", "marks": "", "twin": "", "asked": []}


def _decided(step: StepRecord) -> Decided:
    who, _, marks = decision.decision(step).partition(", ")
    asked = [(decision.asked(question)[0], ", ".join(decision.answers(question))) for question in step.questions]
    return {
        "who": who,
        "meaning": decision.MEANINGS[who],
        "marks": marks,
        "twin": decision.twin(step),
        "asked": asked
        + [(f"so, {name}:", ", ".join(f"{text} {value:+.1f}" for text, value in ranked)) for name, ranked in decision.conclusions(step)],
    }


def _cut(text: str, length: int) -> str:
    text = text.replace(PIECE_MARK, "\n")
    return text if len(text) <= length else f"{text[:length]} [{len(text) - length} more characters]"
