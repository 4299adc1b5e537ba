"""What the rows of a run's controls say of its gain: points, share of the headroom, and which edit it is due to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from homebody.evolution.gate.stats import paired_gain

OUTCOMES = ("row", "label", "attempts", "won", "won_any", "left_out")
"""Keys of a row, as a store holds it, that are no figures of its evaluation."""


class WrittenGain(TypedDict):
    """A `Gain` as results hold it."""

    n: int
    points: float
    ci95: list[float]
    headroom_closed: float | None


class WrittenGainAtK(WrittenGain):
    """The gain in what the best of `k` attempts solved."""

    k: int


class AttributedEdit(TypedDict):
    """What an edit has to do with the gain."""

    edit: str
    label: str
    left_out: list[str]
    """Ids of the edits that are missing in its ablation, its own first."""
    drop: float
    """What is lost without it."""
    ci95: list[float]
    n: int
    """Tasks of the drop."""
    own: float
    """The drop less that of the edits that go with it."""
    added: float | None
    """Gain at its shipping, where that was played."""


class Attribution(TypedDict):
    """Which edits the gain is due to."""

    edits: list[AttributedEdit]
    sum: float
    """Of `own`."""
    added: float | None
    """The sum of those of the edits; None where none was played."""
    gain: float | None
    sentence: str


class RowsSummary(TypedDict):
    """What the rows of a run's controls say of its gain."""

    gain: WrittenGain | None
    """None without the rows `seed` and `final`."""
    gain_at_k: WrittenGainAtK | None
    """None where there was one attempt."""
    attribution: Attribution | None
    """None without ablations."""


class Outcomes(TypedDict):
    """The outcomes of a row by task."""

    first: dict[str, bool]
    """Of the first attempt."""
    any: dict[str, bool] | None
    """Of all together; None where there was one attempt."""


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

    def to_json(self) -> WrittenGain:
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

    def outcomes(self) -> Outcomes:
        """Return the outcomes by task."""
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


def summarize_rows(rows: Sequence[PlayedRow], shipped: Sequence[str]) -> RowsSummary:
    """Return the gain and what each edit has to do with it.

    Args:
        rows: that were played.
        shipped: ids of all edits of the run, in the order of shipping; some may have no ablation.
    """
    by_key = {row.key: row for row in rows}
    seed, final = by_key.get("seed"), by_key.get("final")
    gain = compare_rows(seed.won, final.won) if seed and final else None
    at_k: WrittenGainAtK | None = None
    if seed and final and seed.attempts == final.attempts > 1 and (best := compare_rows(seed.won_any or {}, final.won_any or {})):
        at_k = {"k": seed.attempts, **best.to_json()}
    found: RowsSummary = {"gain": gain.to_json() if gain else None, "gain_at_k": at_k, "attribution": None}
    ablations = [row for row in rows if row.left_out]
    if final is None or not ablations:
        return found
    added = _added(by_key, shipped)
    edits: list[AttributedEdit] = []
    own: dict[str, float] = {}
    for row in reversed(ablations):
        drop = compare_rows(row.won, final.won)
        if drop is None:  # errors left no task that both played
            continue
        first, *others = row.left_out or ()
        own[first] = drop.points - math.fsum(own.get(other, 0.0) for other in others)
        one: AttributedEdit = {
            "edit": first, "label": row.label, "left_out": [first, *others],
            "drop": drop.points, "ci95": list(drop.ci95), "n": drop.n, "own": own[first], "added": added.get(first),
        }  # fmt: skip
        edits.insert(0, one)
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
    points = gain.points if gain else None
    found["attribution"] = {"edits": edits, "sum": total, "added": steps, "gain": points, "sentence": said}
    return found


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
