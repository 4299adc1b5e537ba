"""What the inspector says of a moment, in words: what was chosen and how, what the harness knows and did, the prompt, the cost.

Reads an entry of a trace and what the decision was made from; knows no environment and no drawing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.model_free import MODEL_FREE
from homebody.agents.models.backend import Usage
from homebody.agents.processors.record import is_detail
from homebody.agents.record import BY_MODEL, StepRecord
from homebody.evolution.reports import decision
from homebody.scripts.view.human import HUMAN
from homebody.scripts.view.replay import Moment, Replay


def outcome(moment: Moment) -> str:
    """Return what came of the command of a moment, which is not the opening."""
    if moment.entry is not None and moment.entry.tool:
        return "answered by the harness, no step spent"
    return "not possible" if moment.is_refused else "accepted"


def is_by_model(replay: Replay) -> bool:
    """Tell whether a model plays, as far as the steps so far show."""
    return decision.is_by_model(moment.entry for moment in replay.moments if moment.entry is not None)


def decided(moment: Moment) -> tuple[str, str]:
    """Return who decided at a moment, which is not the opening, and by what margin, or what else there is to say."""
    entry = moment.entry
    assert entry is not None
    who, _, marks = decision.decision(entry).partition(", ")
    if who == "fallback":
        marks = ", ".join(filter(None, ("the reply could not be read", marks)))
    elif not marks and entry.offered == 1:
        marks = "the only one on offer"
    return who, marks


def counts(replay: Replay, at: int) -> Counter[str]:
    """Return the steps up to a moment by who decided."""
    entries = [moment.entry for moment in replay.moments[: at + 1]]
    return Counter(entry.decided_by for entry in entries if entry is not None and not entry.tool)


def last_asked(replay: Replay, at: int) -> StepRecord | None:
    """Return the step whose answers are at work at a moment: its own, or where an earlier answer decides the last that was asked."""
    entry = replay.moments[at].entry
    if entry is None or entry.questions or entry.decided_by != "reading":
        return entry if entry is not None and entry.questions else None
    earlier = [moment.entry for moment in replay.moments[:at] if moment.entry is not None and moment.entry.questions]
    return earlier[-1] if earlier else None


def shares(method: str, scores: Sequence[tuple[str, float]]) -> list[float]:
    """Return the lengths of bars, 1 for the best: votes in proportion, and log-scores by how likely each is beside the best."""
    best = max(score for _, score in scores)
    if method == "vote" and best > 0 and all(score >= 0 for _, score in scores):
        return [score / best for _, score in scores]
    return [math.exp(max(-50.0, score - best)) for _, score in scores]


def how(replay: Replay, moment: Moment) -> str:
    """Return how the command was chosen, in a few words."""
    if _is_control(replay):
        return f"by {replay.policy}"
    entry = moment.entry
    method = entry.method if entry else ""
    if entry and method == "rank" and entry.decided_by in BY_MODEL:
        return "ranked by its answers"
    return {
        "generate": "written freely", "grammar": "written from the candidates", "vote": "by vote", "score": "by the model's scores",
        "rank": "by the harness's ranking",
    }.get(method, method)  # fmt: skip


def _is_control(replay: Replay) -> bool:
    return replay.policy in MODEL_FREE or replay.policy == HUMAN


def knowledge(moment: Moment) -> list[str]:
    """Return what the harness knows at a moment, a line each: what it is after, and the notes of its processors."""
    entry = moment.entry
    if entry is None:
        return []
    phases = {"act": "the next step is at hand", "reach": "knows where it is", "search": "searches"}
    subgoal = entry.subgoal
    lines = [f"After: {subgoal['wanted']} ({phases.get(subgoal['phase'], subgoal['phase'])})"] if subgoal else []
    for by, notes in entry.notes.items():
        if not is_detail(notes):
            lines += [f"{by}: {key} {_short(value)}" for key, value in notes.items() if not decision.is_ranking(value)]
    return lines or ["nothing that it says"]


def work_lines(replay: Replay, moment: Moment) -> list[tuple[str, str]]:
    """Return what the processors of the harness changed at a moment, a line each, and at which hook."""
    entry = moment.entry
    changes = replay.opening_changes if entry is None else entry.changed
    lines = [(_work(change), change["hook"]) for change in changes]
    return lines or ([("no processor changed anything", "")] if entry else [])


def _work(change: Mapping[str, Any]) -> str:
    name, fields = change["by"], ", ".join(change["fields"])
    if change["outcome"] == "interrupt":
        return f"{name} ended the episode"
    return f"{name}: {fields}" + (", as the last word" if change["outcome"] == "intercept" else "")


def prompt_lines(replay: Replay, moment: Moment) -> tuple[str, list[str]]:
    """Return a title and the end of what the policy read at a moment; no lines where it read nothing."""
    entry = moment.entry
    if entry is None or entry.method == "rank" or _is_control(replay):
        return "Prompt", []
    if moment.model_call is not None:
        last = moment.model_call.messages[-1]
        return f"End of the prompt ({len(moment.model_call.messages)} messages)", last["content"].splitlines()
    for notes in entry.notes.values():
        if is_detail(notes) and "content" in notes:
            return "End of the prompt", notes["content"].splitlines()
    return "Prompt", ["not kept in this recording; homebody run --json keeps it"]


def cost(replay: Replay, moment: Moment, at: int) -> str:
    """Return what the decision cost in tokens and time, or the whole episode where that is all that is known."""
    if moment.model_call is not None:
        return _cost(moment.model_call.usage) or "no call of the model"
    if replay.end is not None and at >= replay.last and (total := _cost(Usage(**replay.end.usage))):
        return f"whole episode: {total}"
    return "tokens and time: known for the whole episode only" if moment.entry else ""


def _cost(usage: Usage) -> str:
    if not usage.calls:
        return ""
    cached = f" ({100 * usage.cached_tokens / usage.prompt_tokens:.0f}% cached)" if usage.prompt_tokens else ""
    written = f"{usage.generated_tokens} written" if usage.generated_tokens else f"{usage.scored_tokens} scored"
    return f"{usage.prompt_tokens} prompt tokens{cached}, {written}, {1000 * usage.seconds:.0f} ms"


def _short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return str(value)
