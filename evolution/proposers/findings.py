"""What training tasks showed, gathered for edit operators: from the episodes of the present harness and from exploration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.adaptation import SIGNALS
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.processors.operator import Findings, Refusal
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.agents.wording import Naming
from homebody.envs.text import one_line
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.evidence.readings import readings
from homebody.evolution.proposers.candidate import Evidence

MOST_OWN = 12
"""Successes of the model that are kept, the shortest."""
MOST_THOUGHT = 200
"""Characters of a thought in an example."""
COUNTS = range(2, 7)
TELLING = {"stalled": COUNTS, "refused": COUNTS, "repeated": COUNTS, "unusable": COUNTS, "plan_over": range(1, 7)}
"""Signals for which a trigger is learned, with the counts that are tried: a plan is over once."""
OFTEN, SELDOM = 1 / 3, 1 / 5
"""Share of failing episodes that a trigger must be seen in, at least, and of won ones, at most."""
OF_LAST = 5
"""Steps over which refusals are counted."""


def gather(spec: HarnessSpec, evidence: Evidence) -> Findings:
    """Return what training showed of a harness.

    Args:
        spec: the harness.
        evidence: of the round; its episodes may be missing.
    """
    lost = [record for record in evidence.episodes if record.outcome is False]
    won = [record for record in evidence.episodes if record.outcome]
    statistics, own = evidence.statistics, own_successes(spec, won)
    bank = tuple(dict(success) for success in statistics.bank)
    template = statistics.naming.template
    endings = [template(success["steps"][-1]["command"])[0] for success in (*bank, *own)]
    found = triggers(won, lost)
    endings += [template(record.moves[-1].command)[0] for record in _premature(evidence, lost) if record.moves]
    return Findings(
        refusals=_refusals(lost),
        repeated=_repeated(lost),
        actions=_actions([*won, *lost], bank, statistics.naming),
        bank=bank,
        own=own,
        endings=tuple(dict.fromkeys(endings)),
        readings=readings(statistics, own),
        triggers=found,
        shown={signal: _share(lost, signal, count) - _share(won, signal, count) for signal, count in found.items()},
        again=_again(lost) - _again(won),
        circling=_circling(lost) - _circling(won),
        whole_goal=_whole_goal(lost) - _whole_goal(won),
        **learned(statistics),
    )


def learned(statistics: TrainingStatistics) -> dict[str, Any]:
    """Return what skills learned, as `Findings` has it."""
    skills = {use: skill.settings for use, skill in statistics.skills.items()}
    same = {name: getattr(statistics, name) for name in ("explore", "plans", "support", "naming", "names")}
    return {**same, "skills": skills, "pages": statistics.pages or {}}


def when(signal: str, count: int) -> dict[str, Any]:
    """Return the condition of a mid-task rule."""
    return {"signal": signal, "at_least": count, **({"of_last": max(OF_LAST, count)} if signal == "refused" else {})}


def triggers(won: Sequence[EpisodeRecord], lost: Sequence[EpisodeRecord]) -> dict[str, int]:
    """Return by signal the least count that is seen in many failing episodes and in few won ones; a signal without one is left out."""
    found: dict[str, int] = {}
    for signal, counts in TELLING.items():
        for count in counts:
            if lost and _share(lost, signal, count) >= OFTEN and _share(won, signal, count) <= SELDOM:
                found[signal] = count
                break
    return found


def own_successes(spec: HarnessSpec, won: Sequence[EpisodeRecord]) -> tuple[dict[str, Any], ...]:
    """Return episodes that the model won as examples, with its thoughts; commands without effect are left out."""
    mark = str(spec.param("answer", "mark") or "") if spec.param("answer", "read") == "after" else ""
    made = []
    for record in sorted(won, key=lambda record: (record.steps, record.task_id))[:MOST_OWN]:
        steps = [_example_step(step, mark) for step in record.moves if step.accepted]
        if steps:
            made.append({"goal": record.goal, "task": record.task_id, "steps": steps})
    return tuple(made)


def _example_step(step: StepRecord, mark: str) -> dict[str, str]:
    before = step.thought or (step.response.rpartition(mark)[0] if mark else "")
    thought = one_line(before).strip()
    thought = (thought.partition(":")[2] if thought.lower().startswith("thought:") else thought).strip()[:MOST_THOUGHT]
    return {**({"thought": thought} if thought else {}), "command": step.command, "observation": step.observation}


def _premature(evidence: Evidence, lost: Sequence[EpisodeRecord]) -> list[EpisodeRecord]:
    early = set(evidence.landscape.failures.get("premature_end", ()))
    return [record for record in lost if record.task_id in early]


def _refusals(lost: Sequence[EpisodeRecord]) -> tuple[Refusal, ...]:
    tasks: dict[tuple[str, str], set[str]] = {}
    for record in lost:
        for step in record.moves:
            if not step.accepted and step.command.strip():
                tasks.setdefault((step.command, step.observation), set()).add(record.task_id)
    ranked = sorted(tasks.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(Refusal(command, answer, len(some)) for (command, answer), some in ranked)


def _repeated(lost: Sequence[EpisodeRecord]) -> tuple[str, ...]:
    again: Counter[str] = Counter()
    for record in lost:
        seen: set[tuple[str, str]] = set()
        for step in record.moves:
            again[step.command] += (step.command, step.observation) in seen
            seen.add((step.command, step.observation))
    return tuple(command for command, count in sorted(again.items(), key=lambda item: (-item[1], item[0])) if count and command.strip())


def _actions(records: Sequence[EpisodeRecord], bank: Sequence[Mapping[str, Any]], naming: Naming) -> dict[str, str]:
    commands = [step.command for record in records for step in record.moves if step.accepted]
    commands += [step["command"] for success in bank for step in success["steps"]]
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for command in commands:
        action = naming.template(command)[0]
        counts[action] += 1
        first.setdefault(action, command)
    return {action: first[action] for action, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}


def _share(records: Sequence[EpisodeRecord], signal: str, count: int) -> float:
    return sum(_is_seen(record, signal, count) for record in records) / max(1, len(records))


def _again(records: Sequence[EpisodeRecord]) -> float:
    taken = [[step.command for step in record.moves if step.accepted] for record in records]
    return sum(len(set(commands)) < len(commands) for commands in taken) / max(1, len(records))


def _circling(records: Sequence[EpisodeRecord]) -> float:
    return sum(len(set(_situated(record))) < len(record.moves) for record in records) / max(1, len(records))


def _situated(record: EpisodeRecord) -> list[tuple[str, str, str]]:
    """Return each command with what was given and answered before it."""
    before = [("", record.opening), *((step.command, step.observation) for step in record.moves)]
    return [(*situation, step.command) for situation, step in zip(before, record.moves, strict=False)]


def _whole_goal(records: Sequence[EpisodeRecord]) -> float:
    return sum(any(record.goal in step.command for step in record.moves if step.accepted) for record in records) / max(1, len(records))


def _is_seen(record: EpisodeRecord, signal: str, count: int) -> bool:
    condition, moves = when(signal, count), record.moves
    return any(SIGNALS[signal](condition, moves[:end], 0, record.opening, 1) for end in range(1, len(moves) + 1))
