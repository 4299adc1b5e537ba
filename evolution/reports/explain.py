"""One edit, or one round, from evidence to verdict.

What failed, what was proposed against it and why, what the critic and the gate said, and the outcome. Reads what a run has kept; of
runs that kept less, it tells less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, overload

from homebody.agents.errors import AgentError
from homebody.agents.harness.outline import changes, short
from homebody.agents.harness.patch import PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.envs.text import cut
from homebody.evolution.evidence.digest import CATEGORIES, PART
from homebody.evolution.reports.history import History, JudgedEdit, candidates, read_history
from homebody.evolution.reports.lineage import replay
from homebody.evolution.reports.summary import cell, round_lines
from homebody.evolution.reports.worth import gains
from homebody.evolution.store import RunError, reads_run
from homebody.evolution.stored import StoredRound

LONG = 64
"""Characters of a task's name that are shown in Markdown."""


class ShownTask(TypedDict):
    """A training task that shows a failure."""

    task: str
    steps: list[int]
    """Numbers of the steps that show it."""
    history: list[str]
    """Categories of the task in earlier rounds."""


class Card(JudgedEdit, total=False):
    """All that is known of a candidate."""

    shown: dict[str, list[ShownTask]]
    """By failure category."""
    changes: list[str]
    """The patch in words, a line each."""
    critique: list[Mapping[str, Any]]
    """`revision`, `accepted`, `objections` and `rank`, oldest first."""


class ExplainedRound(StoredRound, total=False):
    """All that is known of a round."""

    digests: Mapping[str, Mapping[str, Any]]
    """By task, as the store has them."""
    landscape: Mapping[str, Any]
    cards: list[Card]


@overload
def explain(run_dir: str | Path, number: int, candidate: None = None) -> ExplainedRound: ...
@overload
def explain(run_dir: str | Path, number: int, candidate: str) -> Card: ...
@reads_run
def explain(run_dir: str | Path, number: int, candidate: str | None = None) -> ExplainedRound | Card:
    """Explain a round, or one of its candidates.

    Args:
        run_dir: the run's directory.
        number: of the round, from 1.
        candidate: its number in the round, from 1, or its id; None for the round.

    Returns:
        Of a round its report, `digests` (by task), `landscape` and `cards`; of a candidate one of the `cards`.

    Raises:
        RunError: there is no such run, round or candidate.
    """
    history = read_history(run_dir)
    rounds = {item["round"]: item for item in history.run["rounds"]}
    if number not in rounds:
        there = f"it has the rounds 1 to {len(rounds)}" if rounds else "no round of it has ended yet"
        raise RunError(f"{run_dir} has no round {number}; {there}")
    own = [card for card in cards(history) if card["round"] == number]
    if candidate is None:
        survey = history.surveys.get(number, {"digests": {}, "landscape": {}})
        return {**rounds[number], "digests": survey["digests"], "landscape": survey["landscape"], "cards": own}
    found = next((card for card in own if card["id"] in (candidate, f"r{number}c{candidate}")), None)
    if found is None:
        there = f"it has {', '.join(card['id'] for card in own)}" if own else "it has none"
        raise RunError(f"round {number} of {run_dir} has no candidate {candidate}; {there}")
    return found


def cards(history: History) -> list[Card]:
    """Return every candidate with all that is known of it."""
    harnesses = _harnesses(history)
    return [
        {
            **edit,
            "shown": {category: [_task(history, edit, task) for task in tasks] for category, tasks in edit["manifest"]["evidence"].items()},
            "changes": _words(harnesses.get(edit["round"]), edit["patch"]),
            "critique": list(history.critiques.get(edit["id"], ())),
            "checks": edit.get("checks", []),
            "activations": edit.get("activations"),
        }
        for edit in candidates(history)
    ]


def _task(history: History, edit: JudgedEdit, task: str) -> ShownTask:
    digest = history.surveys.get(edit["round"], {}).get("digests", {}).get(task, {})
    return {"task": task, "steps": list(digest.get("evidence", ())), "history": list(digest.get("history", ()))}


def _harnesses(history: History) -> dict[int, HarnessSpec]:
    """Return the harness that each round started from, as far as the seed is known and the patches lead."""
    found: dict[int, HarnessSpec] = {}
    named = str((history.run["start"] or {}).get("harness", ""))
    if not history.seed and not named:  # evaluations only
        return found
    try:
        # A run that kept no document of its seed names it.
        seed = HarnessSpec.from_json(history.seed) if history.seed else HarnessSpec.load(named)
        for item, spec in replay(seed, history.run["rounds"]):
            if spec.behaviour_hash != item["behaviour_hash"]:
                break
            found[item["round"]] = spec
    except (HarnessError, PatchError):  # a seed that is gone or has changed, or a processor that has
        pass
    return found


def _words(spec: HarnessSpec | None, patch: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a patch changes; where the harness is not known or the patch does not fit, what it says."""
    if spec is not None:
        try:
            return changes(spec, spec.patch([dict(operation) for operation in patch]))
        except AgentError:
            pass
    return [
        f"{operation['op']} {operation['path']}" + (f" = {short(operation['value'], 60)}" if "value" in operation else "")
        for operation in patch
    ]


def card_markdown(card: Card) -> str:
    """Write what is known of a candidate as Markdown that fits a screen."""
    manifest = card["manifest"]
    lines = [
        f"# {card['id']}: {_line(manifest['operator'])} ({card['dimension']})",
        "",
        f"**{card['came']}**: {_line(card['reason'])}",
        "",
        f"Hypothesis: {_line(manifest.get('hypothesis') or 'none was kept')}",
        "",
        *_evidence(card),
        "",
        f"- Predicted to unlock: {few(_names(card['predicted']))}",
        f"- To stabilize: {few(_names(card['stabilize']))}",
        f"- At risk: {few(_names(card['at_risk']))}",
        f"- Shows in: {manifest['attribution_signature'] or 'no processor'}{_activations(card)}",
        "",
        "## Patch",
        "",
        *([f"- {_line(line)}" for line in card["changes"]] or ["- nothing"]),
        "",
        "## Verdict",
        "",
        *(f"- Critic{_asked_again(item)}: {_line('; '.join(item['objections']) or 'no objection')}" for item in card["critique"]),
        *(f"- Gate, {number}. {_line(name)}: {_line(said)}" for number, (name, said) in enumerate(card["checks"], 1)),
        f"- Validation: {_validation(card)}",
        *([f"- Gain in points: {said}"] if (said := gains(card)) else []),
        f"- Training, round {card['round'] + 1}: {_training(card)}",
    ]
    return "\n".join(lines) + "\n"


def round_markdown(found: ExplainedRound) -> str:
    """Write what is known of a round as Markdown that fits a screen or two."""
    landscape = found["landscape"]
    lines = [f"# Round {found['round']}", "", f"Harness {found['behaviour_hash'][:12]}.", *round_lines(found), ""]
    if landscape:
        kinds = ", ".join(
            f"{kind or 'no type'} {row['won']} of {row['n']}" + (f" and {row['errors']} errors" if row.get("errors") else "")
            for kind, row in landscape["clusters"].items()
        )
        lines += [f"- Solved on training, by type: {kinds}", f"- Dimensions that no edit had touched: {few(landscape['untried'], 9)}", ""]
    for category in found["failures"]:
        digests = [digest for digest in found["digests"].values() if digest["category"] == category]
        shown = _with_steps([{"task": digest["task_id"], "steps": digest["evidence"], "history": []} for digest in digests])
        part = f"; what failed: {PART[category]}" if category in PART else ""
        meaning = CATEGORIES.get(category, "a category of an older version") + part
        lines.append(f"- {category.replace('_', ' ')} ({meaning}): {_line(few(shown))}")
    for part, found_here in landscape.get("parts", {}).items():
        by = ", ".join(f"{name} {steps}" for name, steps in found_here["decided_by"].items())
        lines += [f"- The steps that show where {part} failed were decided by {by}"] if by else []
    for card in found["cards"]:
        lines += ["", f"## {card['id']}: {_line(card['manifest']['operator'])}", ""]
        lines += [f"{card['came'].capitalize()}: {_line(card['reason'])}", "", _line(card["manifest"].get("hypothesis", "")), ""]
        lines += [f"- {_line(line)}" for line in card["changes"]]
    return "\n".join(lines).rstrip() + "\n"


def few(names: Sequence[str], most: int = 4) -> str:
    """Return how many names there are, and the first of them."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(names[:most])}{rest}" if names else "none"


def _evidence(card: Card) -> list[str]:
    if not card["shown"]:
        return ["Evidence: none; it claims nothing."]
    lines = ["| evidence | what it means | training tasks, and the steps that show it |", "|---|---|---|"]
    for category, tasks in card["shown"].items():
        meaning = CATEGORIES.get(category, "a category of an older version")
        lines.append(f"| {cell(category.replace('_', ' '))} | {cell(meaning)} | {cell(few(_with_steps(tasks), 3))} |")
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def _with_steps(tasks: Sequence[ShownTask]) -> list[str]:
    """Return the names of tasks, cut where they are long, each with the steps that show the failure, where they are known."""
    found = []
    for item in tasks:
        numbers = item["steps"]
        steps = f"step{'s' if len(numbers) != 1 else ''} {', '.join(map(str, numbers[:3]))}{', ...' if len(numbers) > 3 else ''}"
        found.append(cut(item["task"], LONG) + (f" ({steps})" if numbers else ""))
    return found


def _names(tasks: Sequence[str]) -> list[str]:
    return [cut(task, LONG) for task in tasks]


def _asked_again(critique: Mapping[str, Any]) -> str:
    return ", second answer" if critique["revision"] else ""


def _activations(card: Card) -> str:
    return "" if card["activations"] is None or not card["compared"] else f", at work {card['activations']} times on the validation tasks"


def _validation(card: Card) -> str:
    if not card["compared"]:
        return f"{card['wins']} won, {card['losses']} lost" if card["wins"] or card["losses"] else "not played"
    spared = f", {card['of'] - card['compared']} spared" if card["compared"] < card["of"] else ""
    return f"{card['compared']} tasks played{spared}; won {few(_names(card['gained']))}; lost {few(_names(card['lost']))}"


def _training(card: Card) -> str:
    if card["unlocked"] is None:
        return "not played with this edit"
    return (
        f"{len(card['unlocked'])} of {len(card['predicted'])} predicted tasks solved, "
        f"{len(card['broken'] or ())} of {len(card['at_risk'])} at risk lost"
    )
