"""What the rows of a run's controls say of its gain: points, share of the headroom, and which edit it is due to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homebody.evolution.gate.stats import paired_gain

OUTCOMES = ("row", "label", "attempts", "won", "won_any", "left_out")
"""Keys of a row, as a store holds it, that are no figures of its evaluation."""


@dataclass(frozen=True)
class Gain:
    """What changed from one row to another, on the tasks that both have."""

    n: int
    """Tasks."""
    points: float
    """Success after minus success before, in [-1, 1]."""
    ci95: tuple[float, float]
    """Its interval, tasks resampled."""
    headroom_closed: float | None
    """Share of the tasks that were not solved before; None where there is none."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data, as results hold it."""
        return {"n": self.n, "points": self.points, "ci95": list(self.ci95), "headroom_closed": self.headroom_closed}


@dataclass(frozen=True)
class PlayedRow:
    """A row of the table of a run's controls, as it was played."""

    key: str
    label: str
    won: Mapping[str, bool]
    """Outcome of the first attempt by task; of best-of-N that of all attempts together."""
    attempts: int = 1
    won_any: Mapping[str, bool] | None = None
    """Outcome of all attempts together, by task; None of best-of-N."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What its evaluation found, as `homebody evaluate --json` has it."""
    left_out: tuple[str, ...] | None = None
    """Of an ablation: ids of the edits that are missing."""

    @classmethod
    def from_json(cls, found: Mapping[str, Any], label: str) -> PlayedRow:
        """Return a row that a store holds, under its present label."""
        figures = {key: value for key, value in found.items() if key not in OUTCOMES}
        left_out = tuple(found["left_out"]) if "left_out" in found else None
        return cls(found["row"], label, found["won"], found["attempts"], found.get("won_any"), figures, left_out)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data, as a store holds it."""
        any_of = {} if self.won_any is None else {"won_any": dict(self.won_any)}
        return {**self._head(), "won": dict(self.won), **any_of, **self._tail()}

    def outcomes(self) -> dict[str, Any]:
        """Return the outcomes by task: `first` of the first attempt, and `any` of all together, None where there was one attempt."""
        return {"first": dict(self.won), "any": None if self.won_any is None or self.attempts == 1 else dict(self.won_any)}

    def in_table(self, seed: PlayedRow | None) -> dict[str, Any]:
        """Return the row as the table of controls has it: without outcomes, all but the seed's with its `gain` over the seed."""
        if self.key == "seed":
            return {**self._head(), **self._tail()}
        gain = compare_rows(seed.won if seed else {}, self.won)
        return {**self._head(), **self._tail(), "gain": gain.to_json() if gain else None}

    def _head(self) -> dict[str, Any]:
        return {"row": self.key, "label": self.label, **self.figures, "attempts": self.attempts}

    def _tail(self) -> dict[str, Any]:
        return {} if self.left_out is None else {"left_out": list(self.left_out)}


def summarize_rows(rows: Sequence[PlayedRow], shipped: Sequence[str]) -> dict[str, Any]:
    """Return the gain and what each edit has to do with it.

    Args:
        rows: that were played.
        shipped: ids of all edits of the run, in the order of shipping; some may have no ablation.

    Returns:
        `gain`: n, points (a fraction), ci95 (paired bootstrap over tasks), headroom_closed; or None without the rows `seed` and `final`.
        `gain_at_k`: `k` and the same of what the best of k attempts solved; or None where there was one attempt.
        `attribution`: `edits`, of which each has `edit`, `label`, `left_out`, `drop` (what is lost without it), `ci95` and `n` of that,
        `own` (the drop less that of the edits that go with it) and `added` (gain at its shipping, or None); `sum` of `own`; `added`, the
        sum of those; `gain`; and `sentence`. Or None without ablations.
    """
    by_key = {row.key: row for row in rows}
    seed, final = by_key.get("seed"), by_key.get("final")
    gain = compare_rows(seed.won, final.won) if seed and final else None
    at_k = None
    if seed and final and seed.attempts == final.attempts > 1 and (best := compare_rows(seed.won_any or {}, final.won_any or {})):
        at_k = {"k": seed.attempts, **best.to_json()}
    gains = {"gain": gain.to_json() if gain else None, "gain_at_k": at_k}
    ablations = [row for row in rows if row.left_out]
    if final is None or not ablations:
        return {**gains, "attribution": None}
    added = _added(by_key, shipped)
    edits: list[dict[str, Any]] = []
    own: dict[str, float] = {}
    for row in reversed(ablations):
        drop = compare_rows(row.won, final.won)
        if drop is None:  # errors left no task that both played
            continue
        first, *others = row.left_out or ()
        own[first] = drop.points - math.fsum(own.get(other, 0.0) for other in others)
        figures = {"drop": drop.points, "ci95": list(drop.ci95), "n": drop.n, "own": own[first], "added": added.get(first)}
        edits.insert(0, {"edit": first, "label": row.label, "left_out": [first, *others], **figures})
    total = math.fsum(own.values())
    said = ""
    if gain:
        rest = "the rest is interaction" if total <= gain.points else "edits that need one another are counted more than once"
        said = f"leaving out one edit at a time explains {100 * total:.1f} of {100 * gain.points:.1f} points; {rest}"
        if played := sorted({edit["n"] for edit in edits} - {gain.n}):
            said += f"; edits were left out on {' or '.join(map(str, played))} tasks, the gain is that of {gain.n}"
        if missing := len(shipped) - len(edits):
            said += f"; {missing} of the {len(shipped)} edits were not left out"
    steps = math.fsum(added.values()) if added else None
    return {
        **gains,
        "attribution": {"edits": edits, "sum": total, "added": steps, "gain": gain.points if gain else None, "sentence": said},
    }


def compare_rows(before: Mapping[str, bool], after: Mapping[str, bool]) -> Gain | None:
    """Compare the outcomes of two rows by task; None where they have no task in common."""
    common = [task for task in before if task in after]
    if not common:
        return None
    was, now = [before[task] for task in common], [after[task] for task in common]
    points, low, high = paired_gain(was, now)
    headroom = 1.0 - sum(was) / len(was)
    return Gain(len(common), points, (low, high), points / headroom if headroom else None)


def _added(by_key: Mapping[str, PlayedRow], edits: Sequence[str]) -> dict[str, float]:
    """Return what each edit added when it was shipped, on the tasks of the seed's row: these sum up to the gain."""
    harnesses = [by_key.get("seed"), *(by_key.get(f"incremental {edit}") for edit in edits[:-1]), by_key.get("final")]
    if any(row is None for row in harnesses):
        return {}
    won = [row.won for row in harnesses if row is not None]
    tasks = [task for task in won[0] if all(task in one for one in won)]
    if not tasks:
        return {}
    rates = [sum(one[task] for task in tasks) / len(tasks) for one in won]
    return {edit: after - before for edit, before, after in zip(edits, rates, rates[1:], strict=False)}
