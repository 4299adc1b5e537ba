"""How often the gate errs: its own rule on simulated runs, in which the truth is known.

A task is solved or not; a play shows that, or by chance the opposite. `flips` is the chance that two plays of a task differ, which is what
an A/A run sees. An edit solves a share of the unsolved tasks and loses a share of the solved ones. The gate's code (`compare`, `hopeless`,
racing included) judges as it does in a run; only the episodes are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homebody.agents.record import EpisodeRecord
from homebody.evolution.gate.rule import MODES, RACE, choose_mode, compare, hopeless
from homebody.evolution.stats import wilson

Outcomes = NDArray[np.bool_]


@dataclass(frozen=True)
class Effect:
    """What an edit truly does."""

    name: str
    gain: float
    """Share of the unsolved tasks that it solves."""
    loss: float
    """Share of the solved tasks that it loses."""


EFFECTS = (
    Effect("no change", 0.0, 0.0),
    Effect("harm", 0.0, 0.1),
    Effect("as much lost as won", 0.1, 0.1),
    Effect("small gain", 0.1, 0.0),
    Effect("gain", 0.3, 0.0),
    Effect("gain with losses", 0.5, 0.05),
)
FLIPS = (0.0, 0.02, 0.08)
"""Chances that two plays of a task differ; 8% is that of specs/evolution.md."""
NOISE_TASKS = 4
"""Tasks of the A/A run that `auto` is simulated with."""


def deviation(flips: float) -> float:
    """Return the chance that a play does not show the truth, where two plays differ with chance `flips`: 2 q (1 - q) = flips."""
    return (1 - math.sqrt(1 - 2 * flips)) / 2


def play(truth: Outcomes, flips: float, rng: np.random.Generator) -> Outcomes:
    """Return what one play of each task shows; same shape."""
    shown: Outcomes = truth ^ (rng.random(truth.shape) < deviation(flips))
    return shown


def edit(truth: Outcomes, effect: Effect, rng: np.random.Generator) -> Outcomes:
    """Return the truth of the edited harness; same shape."""
    drawn = rng.random(truth.shape)
    edited: Outcomes = np.where(truth, drawn >= effect.loss, drawn < effect.gain)
    return edited


def judge(before: list[EpisodeRecord], after: list[EpisodeRecord], mode: str) -> bool:
    """Tell whether the gate would ship, with racing as in a run."""
    for done in range(RACE, len(before), RACE):
        if hopeless(before, after[:done], 0, mode):
            return False
    return compare(before, after, "", mode).accepted


def accept_rates(runs: int = 400, tasks: int = 40, success: float = 0.5, seed: int = 0) -> list[dict[str, Any]]:
    """Simulate A/A and A/B runs of the gate.

    Args:
        runs: simulated runs of each kind, at least 1.
        tasks: validation tasks, at least 1.
        success: chance that the present harness solves a task.
        seed: of the draws.

    Returns:
        A row for each chance of a flip, effect and mode: `flips`, `effect`, `truth` (mean true gain, a fraction), `mode`, `accepted` (the
        share of runs that ship the edit: false where the truth is not above 0), `ci95` (Wilson) and `runs`. Mode `auto` chooses by an A/A
        run of `NOISE_TASKS` tasks of which only the outcomes are known: that is its worst case, as real A/A runs compare every command.
    """
    rows = []
    for number, flips in enumerate(FLIPS):
        for place, effect in enumerate(EFFECTS):
            rng = np.random.Generator(np.random.PCG64([seed, number, place]))
            accepted = dict.fromkeys((*MODES, "auto"), 0)
            gains = 0.0
            for _ in range(runs):
                truth = rng.random(tasks) < success
                edited = edit(truth, effect, rng)
                gains += float(edited.mean() - truth.mean())
                before, after = _records(play(truth, flips, rng)), _records(play(edited, flips, rng))
                again = _records(play(truth, flips, rng)[:NOISE_TASKS])
                ships = {mode: judge(before, after, mode) for mode in MODES}
                ships["auto"] = ships[choose_mode(before[:NOISE_TASKS], again)]
                for mode, shipped in ships.items():
                    accepted[mode] += shipped
            for mode, count in accepted.items():
                row = {"flips": flips, "effect": effect.name, "truth": gains / runs, "mode": mode, "accepted": count / runs}
                rows.append(row | {"ci95": list(wilson(count, runs)), "runs": runs})
    return rows


def best_of_rounds(tasks: int, rounds: int, flips: float = 0.08, runs: int = 400, seed: int = 0) -> dict[str, Any]:
    """Simulate a harness that never changes, reported by the best of its rounds.

    Returns:
        `gain`: mean of the best round's success minus that of round 0, a fraction; `tasks`, `rounds` (without round 0), `flips`, `runs`.
    """
    rng = np.random.Generator(np.random.PCG64([seed, tasks, rounds]))
    gains = []
    for _ in range(runs):
        truth = rng.random(tasks) < 0.5
        shown = np.array([play(truth, flips, rng).mean() for _ in range(rounds + 1)])
        gains.append(float(shown.max() - shown[0]))
    return {"tasks": tasks, "rounds": rounds, "flips": flips, "gain": float(np.mean(gains)), "runs": runs}


def literal_at_two(tasks: int = 134, success: float = 0.8, flips: float = 0.08, runs: int = 400, seed: int = 0) -> dict[str, Any]:
    """Simulate the published seesaw on a harness that does not change: solved in one of two tries before, it must be again.

    Returns:
        `refused`: the share of runs in which some task that was solved is not solved again; `tasks`, `success`, `flips`, `runs`.
    """
    rng = np.random.Generator(np.random.PCG64([seed, tasks]))
    refused = 0
    for _ in range(runs):
        truth = rng.random(tasks) < success
        before, after = (play(truth, flips, rng) | play(truth, flips, rng) for _ in range(2))
        refused += bool((before & ~after).any())
    return {"tasks": tasks, "success": success, "flips": flips, "refused": refused / runs, "runs": runs}


def neutral_run(
    rounds: int = 15, candidates: int = 2, tasks: int = 40, flips: float = 0.08, runs: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Simulate whole runs whose every edit changes nothing.

    Returns:
        By mode `shipped`: mean number of edits shipped in a run; besides `rounds`, `candidates`, `tasks`, `flips`, `runs`. What such edits
        gain on tasks that the gate never saw is 0, whatever it shipped.
    """
    rng = np.random.Generator(np.random.PCG64([seed, rounds, candidates]))
    shipped = dict.fromkeys(MODES, 0)
    for _ in range(runs):
        truth = rng.random(tasks) < 0.5
        for mode in MODES:
            before = _records(play(truth, flips, rng))
            for _ in range(rounds):
                plays = [_records(play(truth, flips, rng)) for _ in range(candidates)]
                passed = next((after for after in plays if judge(before, after, mode)), None)
                if passed is not None:
                    shipped[mode] += 1
                    before = passed
    means = {mode: count / runs for mode, count in shipped.items()}
    return {"rounds": rounds, "candidates": candidates, "tasks": tasks, "flips": flips, "shipped": means, "runs": runs}


def _record(won: bool) -> EpisodeRecord:
    return EpisodeRecord(
        task_id="", type="", won=won, steps=1, seed=0, attempt=0, behaviour_hash="", policy="", opening="", goal="", trace=(),
        invalid_actions=0, activations={}, failures=[], error=None,
    )  # fmt: skip


_LOST, _WON = _record(False), _record(True)


def _records(outcomes: Outcomes) -> list[EpisodeRecord]:
    return [_WON if won else _LOST for won in outcomes]
