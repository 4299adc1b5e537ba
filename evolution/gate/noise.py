"""How often the gate errs: its own rule on simulated runs, in which the truth is known.

A task is solved or not; a play shows that, or by chance the opposite. `flips` is the chance that two plays of a task differ, which is what
an A/A run sees. An edit solves a share of the unsolved tasks and loses a share of the solved ones. The gate's own
code (`compare`, `stop_early`) judges as it does in a run; only the episodes are drawn.

Where the objective is the model, four twins play beside it, who come again exactly. Each solves its tasks independently of the others
and of the model: the hardest case for a comparison of pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from homebody.agents.model_free import TWINS
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.evolution.config import MODES
from homebody.evolution.gate.rule import TASKS_BETWEEN_LOOKS, choose_mode, compare, stop_early
from homebody.evolution.gate.stats import paired_bound, wilson
from homebody.evolution.gate.twins import Beside, Twins

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


@dataclass(frozen=True)
class Parts:
    """What an edit truly does with the model, and to each twin."""

    name: str
    model: Effect
    twin: Effect


NOTHING = EFFECTS[0]
PARTS = (
    Parts("no change", NOTHING, NOTHING),
    Parts("harm to the model", EFFECTS[1], NOTHING),
    Parts("the twin's alone", NOTHING, Effect("", 0.3, 0.0)),
    Parts("more to the twin", Effect("", 0.3, 0.0), Effect("", 0.6, 0.0)),
    Parts("as much to both", Effect("", 0.3, 0.0), Effect("", 0.15 / 0.7, 0.0)),
    Parts("more to the model", Effect("", 0.5, 0.0), Effect("", 0.15 / 0.7, 0.0)),
    Parts("the model's alone", Effect("", 0.3, 0.0), NOTHING),
    Parts("the same with losses", Effect("", 0.5, 0.05), NOTHING),
)
"""Edits of a harness with which the model solves half of the tasks, and each twin `TWIN_SUCCESS`."""
TWIN_SUCCESS = 0.3
SAMPLES = (10, 16, 24, 40)
"""Numbers of validation tasks that runs begin with: `reproduce --quick`, the demonstration, a quick evolution, and the default."""
RESAMPLES = 2000
"""Of the bound on a model's value; runs take five times as many."""
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


class AcceptRate(TypedDict):
    """How often the gate ships an edit of some true effect, in one of its modes."""

    flips: float
    """Chance that an outcome comes out otherwise, 0 to 1."""
    effect: str
    truth: float
    """Mean true gain, a fraction; with the model where the objective is the model."""
    twin_truth: NotRequired[float]
    """The same of a twin, where the objective is the model."""
    mode: str
    accepted: float
    """Share of the runs that ship the edit."""
    ci95: list[float]
    """Wilson's."""
    runs: int


class FinalRate(TypedDict):
    """How often a run ends with another harness than its seed."""

    tasks: int
    flips: float
    gain: float
    """Of each edit with the model, share of the unsolved tasks."""
    twin_gain: float
    kept: float
    """Share of the runs whose final harness is not the seed."""
    ci95: list[float]
    runs: int


class BestOfRounds(TypedDict):
    """What a harness that never changes seems to gain, reported by the best of its rounds."""

    tasks: int
    rounds: int
    """Without round 0."""
    flips: float
    gain: float
    """Mean of the best round's success minus that of round 0, a fraction."""
    runs: int


class Refused(TypedDict):
    """How often the published seesaw refuses a harness that does not change."""

    tasks: int
    success: float
    flips: float
    refused: float
    """Share of the runs in which some task that was solved is not solved again."""
    runs: int


class NeutralRun(TypedDict):
    """What runs ship whose every edit changes nothing."""

    rounds: int
    candidates: int
    tasks: int
    flips: float
    shipped: dict[str, float]
    """By mode the mean number of edits shipped in a run."""
    runs: int


def judge(before: list[EpisodeRecord], after: list[EpisodeRecord], mode: str) -> bool:
    """Tell whether the gate would ship, with early stopping as in a run."""
    for done in range(TASKS_BETWEEN_LOOKS, len(before), TASKS_BETWEEN_LOOKS):
        if stop_early(before, after[:done], 0, mode):
            return False
    return compare(before, after, "", mode).accepted


def accept_rates(runs: int = 400, tasks: int = 40, success: float = 0.5, seed: int = 0) -> list[AcceptRate]:
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
                row: AcceptRate = {
                    "flips": flips, "effect": effect.name, "truth": gains / runs, "mode": mode,
                    "accepted": count / runs, "ci95": list(wilson(count, runs)), "runs": runs,
                }  # fmt: skip
                rows.append(row)
    return rows


def accept_rates_beside(runs: int = 400, tasks: int = 40, success: float = 0.5, seed: int = 0) -> list[AcceptRate]:
    """Simulate the gate where the objective is the model.

    Args:
        runs: simulated runs of each kind, at least 1.
        tasks: validation tasks, at least 1.
        success: chance that the present harness solves a task with the model.
        seed: of the draws.

    Returns:
        Rows as `accept_rates` returns them, of `PARTS`: `truth` is the gain with the model, and `twin_truth` the mean true gain of a twin.
        To ship is false where the first is not above 0 or the second is above the first.
    """
    rows = []
    for number, flips in enumerate(FLIPS):
        for place, parts in enumerate(PARTS):
            rng = np.random.Generator(np.random.PCG64([seed, number, place, tasks]))
            accepted = dict.fromkeys((*MODES, "auto"), 0)
            gains = np.zeros(2)
            for _ in range(runs):
                truth, alone = rng.random(tasks) < success, rng.random((len(TWINS), tasks)) < TWIN_SUCCESS
                edited, without = edit(truth, parts.model, rng), edit(alone, parts.twin, rng)
                gains += edited.mean() - truth.mean(), without.mean() - alone.mean()
                before, after = _records(play(truth, flips, rng)), _records(play(edited, flips, rng))
                again = _records(play(truth, flips, rng)[:NOISE_TASKS])
                beside = Beside(_twins(alone), _twins(without))
                # Early stopping would change no verdict.
                ships = {mode: compare(before, after, "", mode, beside).accepted for mode in MODES}
                ships["auto"] = ships[choose_mode(before[:NOISE_TASKS], again)]
                for mode, shipped in ships.items():
                    accepted[mode] += shipped
            gain, twin_gain = (gains / runs).tolist()
            for mode, count in accepted.items():
                row: AcceptRate = {
                    "flips": flips, "effect": parts.name, "truth": gain, "twin_truth": twin_gain, "mode": mode,
                    "accepted": count / runs, "ci95": list(wilson(count, runs)), "runs": runs,
                }  # fmt: skip
                rows.append(row)
    return rows


def final_rates(rounds: int = 6, candidates: int = 2, runs: int = 400, seed: int = 0) -> list[FinalRate]:
    """Simulate whole runs to their final harness, where the objective is the model.

    The seed solves `TWIN_SUCCESS` of the tasks with the model, too. Each edit solves a share of the unsolved tasks with the model, and 1 of
    10 with a twin. Where runs do not come again, the gate is `noise-aware`.

    Returns:
        A row for each number of tasks in `SAMPLES`, chance of a flip, and gain: `tasks`, `flips`, `gain` and `twin_gain` (of each edit,
        share of the unsolved tasks), `kept`, the share of runs whose final harness is not the seed (false where both gains are the
        same: the model is then worth nothing in any of them), its `ci95`, and `runs`.
    """
    rows = []
    for tasks in SAMPLES:
        for number, flips in enumerate((FLIPS[0], FLIPS[-1])):
            for place, gain in enumerate((0.1, 0.2, 0.3)):
                rng = np.random.Generator(np.random.PCG64([seed, tasks, number, place]))
                parts = Parts("", Effect("", gain, 0.0), Effect("", 0.1, 0.0))
                kept = sum(_is_kept(rounds, candidates, tasks, flips, parts, rng) for _ in range(runs))
                row: FinalRate = {
                    "tasks": tasks, "flips": flips, "gain": gain, "twin_gain": parts.twin.gain, "kept": kept / runs,
                    "ci95": list(wilson(kept, runs)), "runs": runs,
                }  # fmt: skip
                rows.append(row)
    return rows


def _is_kept(rounds: int, candidates: int, tasks: int, flips: float, parts: Parts, rng: np.random.Generator) -> bool:
    """Tell whether a run whose every edit is of this kind ends with another harness than its seed."""
    truth, alone = rng.random(tasks) < TWIN_SUCCESS, rng.random((len(TWINS), tasks)) < TWIN_SUCCESS
    before, twins = _records(play(truth, flips, rng)), _twins(alone)
    mode = "noise-aware" if flips else "sign-test"
    for _ in range(rounds):
        for _ in range(candidates):
            edited, without = edit(truth, parts.model, rng), edit(alone, parts.twin, rng)
            after, own = _records(play(edited, flips, rng)), _twins(without)
            if compare(before, after, "", mode, Beside(twins, own)).accepted:
                truth, alone, before, twins = edited, without, after, own
                won = twins.won(twins.best)
                if paired_bound([won[record.task_id] for record in before], [record.won for record in before], resamples=RESAMPLES) > 0:
                    return True
                break
    return False


def best_of_rounds(tasks: int, rounds: int, flips: float = 0.08, runs: int = 400, seed: int = 0) -> BestOfRounds:
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


def no_regression_at_two(tasks: int = 134, success: float = 0.8, flips: float = 0.08, runs: int = 400, seed: int = 0) -> Refused:
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


def neutral_run(rounds: int = 15, candidates: int = 2, tasks: int = 40, flips: float = 0.08, runs: int = 200, seed: int = 0) -> NeutralRun:
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


_DECIDED = StepRecord(
    step=1, admissible=2, offered=2, method="score", response="", command="", accepted=True, observation="", reward=0.0, usable=True,
    decided_by="model",
)  # fmt: skip


@cache
def _record(task: int, won: bool) -> EpisodeRecord:
    return EpisodeRecord(
        task_id=str(task), type="", won=won, steps=1, seed=0, attempt=0, behaviour_hash="", policy="", opening="", goal="",
        trace=(_DECIDED,), invalid_actions=0, activations={}, failures=[], error=None,
    )  # fmt: skip


def _records(outcomes: Outcomes) -> list[EpisodeRecord]:
    return [_record(task, won) for task, won in enumerate(outcomes.tolist())]


def _twins(outcomes: Outcomes) -> Twins:
    """Return twins of these outcomes; shape (4, tasks)."""
    by_name = zip(TWINS, outcomes, strict=True)
    return Twins({name: {record.task_id: record for record in _records(own)} for name, own in by_name}, 0.0)
