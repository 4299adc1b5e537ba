"""Traces to digests: one small record a task that says what happened and where it went wrong.

Failure categories are read off the trace alone: what was refused, what came round again, what the agent was after when time ran out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from homebody.agents import wording
from homebody.agents.episode import EpisodeRecord

CATEGORIES = {
    "won": "the goal was reached",
    "error": "something failed inside the episode",
    "unusable_answers": "at least half of the answers were no admissible command",
    "loop": "at least a third of the steps repeated a command with the same answer",
    "searching": "time ran out while the agent searched for a thing that the goal needs",
    "unfinished": "time ran out with everything found and the goal not reached",
    "goal_untouched": "no accepted command named both a thing and a word of the goal after its place was found",
    "ceiling": "time ran out for no plainer reason",
}


@dataclass(frozen=True)
class Digest:
    """What is kept of an episode for those who propose edits."""

    task_id: str
    type: str
    won: bool
    steps: int
    category: str
    """One of `CATEGORIES`."""
    component: str
    """The dimension of the harness that the failure points at; empty for a success."""
    evidence: tuple[int, ...]
    """Numbers of the steps that show it, at most eight."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def digest_episode(record: EpisodeRecord) -> Digest:
    """Digest one episode."""
    category, component, evidence = _diagnose(record)
    return Digest(record.task_id, record.type, record.won, record.steps, category, component, tuple(evidence[:8]))


def landscape(digests: Iterable[Digest]) -> Mapping[str, list[str]]:
    """Group the failing tasks by category, the most frequent category first."""
    groups: dict[str, list[str]] = {}
    for digest in digests:
        if not digest.won:
            groups.setdefault(digest.category, []).append(digest.task_id)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _diagnose(record: EpisodeRecord) -> tuple[str, str, list[int]]:
    if record.won:
        return "won", "", []
    if record.error is not None:
        return "error", "environment", []
    steps = [step for step in record.trace if not step.get("tool")]
    if not steps:  # a processor ended the episode before its first step
        return "ceiling", "control", []
    refused = [step["step"] for step in steps if not step["accepted"]]
    if 2 * len(refused) >= len(steps):
        return "unusable_answers", "control", refused
    answers: Counter[tuple[str, str]] = Counter()
    repeats = []
    for step in steps:
        answers[step["command"], step["observation"]] += 1
        if answers[step["command"], step["observation"]] > 1:
            repeats.append(step["step"])
    if 3 * len(repeats) >= len(steps):
        return "loop", "control", repeats
    focus = steps[-1]["focus"]
    if focus is not None:
        searching = [step["step"] for step in steps if step["focus"] and step["focus"]["phase"] == "search"]
        return ("searching", "memory", searching) if focus["phase"] == "search" else ("unfinished", "memory", [steps[-1]["step"]])
    goal = set(wording.words(record.goal))
    acted = [
        step["step"]
        for step in steps
        if step["accepted"] and len(args := wording.entities(step["command"])) > 1 and wording.kind(args[0]) in goal
    ]
    return ("ceiling", "control", acted) if acted else ("goal_untouched", "memory", [step["step"] for step in steps])
