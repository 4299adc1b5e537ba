"""Traces to digests: one small record a task that says what happened and where it went wrong.

Failure categories are read off the trace alone: what was refused, what came round again, what the agent was after when time ran out. No
category knows a domain: a thing of the goal is a name that the environment uses and the goal has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from homebody.agents import wording
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.record import DECIDED_BY, NO_ROOM, EpisodeRecord, StepRecord
from homebody.agents.wording import NUMBERED, Naming

CATEGORIES = {
    "won": "the goal was reached",
    "error": "an error ended the episode, which is no defeat",
    "overflow": "the prompt outgrew the model's context, which ended the episode",
    "cut_off": "at least half of the answers were no admissible command and were cut off, or their thoughts were",
    "unusable_answers": "at least half of the answers were no admissible command",
    "premature_end": "the episode ended before the step limit: a final act came too early, or was the wrong one",
    "loop": "at least a third of the steps repeated a command with the same answer",
    "order": "commands that were refused or had no effect worked later, after another one",
    "refused": "at least a quarter of the commands were refused or had no effect",
    "searching": "time ran out while the agent searched for a thing that the goal needs",
    "final_step_missing": "time ran out with all things of the goal but one acted on",
    "unfinished": "time ran out with everything found and the goal not reached",
    "goal_untouched": "no accepted command named both a thing and a word of the goal after its place was found",
    "ceiling": "time ran out for no plainer reason",
}
"""What a trace can show; where it shows several, the first that `_diagnose` looks for."""
PARTS = {
    "answer": ("overflow", "cut_off", "unusable_answers"),
    "reading of the goal": ("premature_end", "goal_untouched"),
    "choice": ("loop", "refused"),
    "knowledge": ("order", "searching"),
    "time": ("final_step_missing", "unfinished", "ceiling"),
}
"""What failed, by categories."""
PART = {category: part for part, categories in PARTS.items() for category in categories}
"""What failed where a category was found; nothing did in a success, nor where an error ended the episode."""


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
    history: tuple[str, ...] = ()
    """Categories of the same task in the rounds before, oldest first."""
    decided_by: Mapping[str, int] = field(default_factory=dict)
    """The steps that show the failure by who decided them (`homebody.agents.record.DECIDED_BY`), zeros left out; empty without a model."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def digest_episode(record: EpisodeRecord, history: Sequence[str] = (), max_steps: int | None = None, naming: Naming = NUMBERED) -> Digest:
    """Digest one episode.

    Args:
        record: the episode.
        history: categories of the same task in the rounds before, oldest first.
        max_steps: the step limit of the episode; where it is not known, no end counts as premature.
        naming: how instances are named.
    """
    category, component, evidence = _diagnose(record, max_steps, naming)
    shown = set(evidence) if record.policy not in MODEL_FREE else set()
    decided = Counter(step.decided_by for step in record.moves if step.step in shown)
    return Digest(
        record.task_id,
        record.type,
        record.outcome is True,
        record.steps,
        category,
        component,
        tuple(evidence[:8]),
        tuple(history),
        {name: decided[name] for name in DECIDED_BY if decided[name]},
    )


def _diagnose(record: EpisodeRecord, max_steps: int | None, naming: Naming) -> tuple[str, str, list[int]]:
    """Return the category, the dimension that it points at, and the steps that show it."""
    if record.error is not None:
        return "error", "environment", []
    if record.won:
        return "won", "", []
    steps = [step for step in record.trace if not step.tool]
    if (record.interrupted or "").startswith(NO_ROOM):
        return "overflow", "context", [step.step for step in steps[-1:]]
    if not steps:  # a processor ended the episode before its first step
        return "ceiling", "control", []
    cut = [step.step for step in steps if step.cut and not step.accepted]
    if 2 * len(cut) >= len(steps):
        return "cut_off", "model", cut
    unusable = [step.step for step in steps if not step.accepted and not step.usable]
    if 2 * len(unusable) >= len(steps):
        return "unusable_answers", "control", unusable
    if max_steps is not None and record.steps < max_steps and record.interrupted is None:
        return "premature_end", "control", [steps[-1].step]
    if 3 * len(repeats := _repeats(steps)) >= len(steps):
        return "loop", "control", repeats
    idle = _idle(steps)
    early = _early(steps, idle)
    if 4 * len(idle) >= len(steps):
        return ("order", "memory", early) if 2 * len(early) >= len(idle) else ("refused", "control", sorted(idle))
    acts, left = _acts(record.reading or record.goal, steps, [record.opening, *(step.observation for step in steps)], naming)
    if subgoal := steps[-1].subgoal:
        searching = [step.step for step in steps if step.subgoal and step.subgoal["phase"] == "search"]
        if subgoal["phase"] == "search":
            return "searching", "memory", searching
        return ("final_step_missing" if acts and left == 1 else "unfinished"), "memory", [steps[-1].step]
    if early:
        return "order", "memory", early
    if not acts:
        return "goal_untouched", "memory", [step.step for step in steps]
    return ("final_step_missing", "memory", acts) if left == 1 else ("ceiling", "control", acts)


def _repeats(steps: Sequence[StepRecord]) -> list[int]:
    """Return the steps whose command had been given before, with the same answer."""
    answers: Counter[tuple[str, str]] = Counter()
    repeats = []
    for step in steps:
        answers[step.command, step.observation] += 1
        if answers[step.command, step.observation] > 1:
            repeats.append(step.step)
    return repeats


def _idle(steps: Sequence[StepRecord]) -> set[int]:
    """Return the steps whose command was refused, or got an answer with which others were refused."""
    refusals: set[str] = set()
    echoes: set[str] = set()
    """Answers that only show again what was shown before: an accepted command may lead there too."""
    shown = None
    for step in steps:
        if not step.accepted:
            (echoes if step.observation == shown else refusals).add(step.observation)
        shown = step.observation
    return {step.step for step in steps if not step.accepted or step.observation in refusals - echoes}


def _early(steps: Sequence[StepRecord], idle: set[int]) -> list[int]:
    """Return the idle steps whose command worked later, after another one that did."""
    worked = [step for step in steps if step.step not in idle]
    early = []
    for step in steps:
        if step.step in idle:
            later = [other.command for other in worked if other.step > step.step]
            if step.command in later[1:]:
                early.append(step.step)
    return early


def _acts(goal: str, steps: Sequence[StepRecord], texts: Sequence[str], naming: Naming) -> tuple[list[int], int]:
    """Return the steps that acted on a thing of the goal, and how many things of the goal no step acted on.

    A command acts if it names a kind in the goal, and another instance besides. Where no command names instances, one acts that has a word
    of the goal after its first word and does not write the goal out; then one thing is left if such a command was the last that worked.

    Args:
        goal: the goal sentence.
        steps: of the trace.
        texts: where the names of kinds are found: whatever the environment said.
        naming: how instances are named.
    """
    words = set(wording.words(goal))
    accepted = [step for step in steps if step.accepted]
    if not any(naming.entities(step.command) for step in steps):
        named = [step for step in accepted if 0 < len(words.intersection(wording.words(step.command)[1:])) <= len(words) / 2]
        return [step.step for step in named], int(named != [] and named[-1] is accepted[-1])
    shown = {kind for text in texts for kind in naming.kinds(text)}
    wanted = set(wording.goal_template(goal, shown | {kind for step in steps for kind in naming.kinds(step.command)})[1])
    acts = [step for step in accepted if len(args := naming.entities(step.command)) > 1 and naming.kind(args[0]) in wanted]
    things = wanted & shown
    return [step.step for step in acts], len(things - {kind for step in acts for kind in naming.kinds(step.command)})
