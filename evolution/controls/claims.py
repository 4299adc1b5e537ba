"""What the rows of a results table say together, each claim with the interval of the difference that it rests on. From data only.

A null gain counts 0. Intervals resample tasks; models that share a task move together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from homebody.evolution.gate.stats import paired_gain, weighted_gain

Row = Mapping[str, Any]


def evolved_row(one: Mapping[str, Any]) -> str:
    """Return the key of the row of the evolved harness: the final one, or with the published protocol that of the best round."""
    return "peak" if one.get("protocol") == "published" else "final"


class Difference(TypedDict):
    """A difference of success, a fraction, with its interval."""

    points: float
    ci95: list[float]


class MeanClaim(Difference):
    """The mean gain of the held-out protocol."""

    n: int
    """Models on benchmarks."""


class SizeClaim(Difference):
    """Whether smaller models gain more: the smaller half minus the larger one, mean of the benchmarks."""

    benchmarks: list[str]
    sentence: str


class ProtocolClaim(TypedDict):
    """How much of a gain is the protocol: published minus held-out."""

    model: str | None
    """None for the mean of all, as `benchmark` is."""
    benchmark: str | None
    published: float
    held_out: float
    points: float
    """The difference, a fraction."""
    ci95: list[float]
    sentence: str


def gain_of(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the evolved harness solves more than the seed, whether or not it is a gain of the model's; None if not both were played.

    Returns:
        `n`, `points`, `ci95` and `headroom_closed`.
    """
    if one.get("protocol") != "published":
        found: Mapping[str, Any] | None = one["controls"]["gain"]
        return found
    changes = [pair for pair in zip(one["outcomes"]["seed"], one["outcomes"]["evolved"], strict=True) if "-" not in pair]
    if not changes:
        return None
    before, after = ([pair[side] == "1" for pair in changes] for side in (0, 1))
    points, low, high = paired_gain(before, after)
    headroom = 1 - sum(before) / len(before)
    return {"n": len(before), "points": points, "ci95": [low, high], "headroom_closed": points / headroom if headroom else None}


def changes(row: Row, one: Mapping[str, Any]) -> dict[str, float]:
    """Return by task what changed from the seed to the evolved harness; 0 of a null gain, nothing of a task that one has not played.

    Args:
        row: as `homebody.evolution.controls.table.table_row` returns it.
        one: its combination.
    """
    found = one["outcomes"]
    letters = zip(found["tasks"], found["seed"], found["evolved"], strict=True)
    return {task: (int(after) - int(before) if row["gain"] else 0.0) for task, before, after in letters if "-" not in (before, after)}


def mean_claim(rows: Sequence[Row], combinations: Sequence[Mapping[str, Any]]) -> MeanClaim:
    """Return the mean gain of the held-out protocol.

    The repeats of a model on a benchmark share one weight. Rows of the final split, those that were evolved for success with a model, and
    those of a harness that evolved for another model stand apart.
    """
    counted = _held_out(rows, combinations)
    names = [(row["model"], row["benchmark"]) for row, _ in counted]
    n = len(set(names))
    weights = [1 / n / names.count(name) for name in names]
    points, low, high = weighted_gain(
        [row["benchmark"] for row, _ in counted], [changes(row, one) for row, one in counted], weights
    )  # fmt: skip
    return {"points": points, "ci95": [low, high], "n": n}


def size_claim(rows: Sequence[Row], combinations: Sequence[Mapping[str, Any]]) -> SizeClaim | None:
    """Return whether smaller models gain more: on each benchmark the gain of the smaller half of its models minus that of the larger half.

    Of an odd number of models the middle one stands in neither half. None where no benchmark has models of two sizes.
    """
    found: list[tuple[str, dict[str, float], float]] = []
    used = []
    counted = [(row, one) for row, one in _held_out(rows, combinations) if row["parameters"]]
    for name in dict.fromkeys(row["benchmark"] for row, _ in counted):
        here = [(row, one) for row, one in counted if row["benchmark"] == name]
        sizes = sorted({row["parameters"] for row, _ in here})
        half = len(sizes) // 2
        if not half:
            continue
        used.append(name)
        for some, sign in ((sizes[:half], 1.0), (sizes[-half:], -1.0)):
            members = [(row, one) for row, one in here if row["parameters"] in some]
            found += [(name, changes(row, one), sign / len(members)) for row, one in members]
    if not used:
        return None
    weights = [weight / len(used) for _, _, weight in found]
    points, low, high = weighted_gain([name for name, _, _ in found], [change for _, change, _ in found], weights)
    figures = f"smaller half minus larger half {100 * points:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    where = f"{figures}, mean of {', '.join(used)}"
    if low > 0:
        sentence = f"Smaller models gain more here: {where}."
    elif high < 0:
        sentence = f"Larger models gain more here: {where}."
    else:
        sentence = f"Whether smaller models gain more is not decided here: {where}."
    return {"points": points, "ci95": [low, high], "benchmarks": used, "sentence": sentence}


def protocol_claims(rows: Sequence[Row], combinations: Sequence[Mapping[str, Any]]) -> list[ProtocolClaim]:
    """Return how much of a gain is the protocol: for each model on a benchmark with rows of both, and the mean of several."""
    counted = [(row, one) for row, one in zip(rows, combinations, strict=True) if row["split"] == "test"]
    both: dict[tuple[str, str], list[tuple[str, dict[str, float], float]]] = {}
    for name in dict.fromkeys((row["model"], row["benchmark"]) for row, _ in counted):
        here = [(row, one) for row, one in counted if (row["model"], row["benchmark"]) == name]
        sides = {
            "published": [pair for pair in here if pair[0]["protocol"] == "published"],
            "held-out": [pair for pair in here if is_counted(pair[0])],
        }
        if all(sides.values()):
            both[name] = [
                (protocol, changes(row, one), (1.0 if protocol == "published" else -1.0) / len(pairs))
                for protocol, pairs in sides.items()
                for row, one in pairs
            ]
    claims = [_protocol_claim({name: found}) for name, found in both.items()]
    return [*claims, *([_protocol_claim(both)] if len(both) > 1 else [])]


def is_marked(row: Row) -> bool:
    """Tell whether a model's harness was evolved for success, whoever decides, in the held-out protocol: its row is marked so."""
    return row["family"] is not None and row["objective"] == "success" and row["protocol"] == "held-out"


def is_counted(row: Row) -> bool:
    """Tell whether a row counts in the mean gain and in the comparison of sizes.

    It does in the held-out protocol on test tasks, where the harness evolved for this model and for what it adds.
    """
    return row["protocol"] == "held-out" and row["split"] == "test" and not is_marked(row) and not row.get("harness_of")


def _protocol_claim(both: Mapping[tuple[str, str], Sequence[tuple[str, dict[str, float], float]]]) -> ProtocolClaim:
    flat = [(benchmark, *item) for (_, benchmark), items in both.items() for item in items]
    share = 1 / len(both)
    sides = {}
    for side in ("published", "held-out"):
        some = [item for item in flat if item[1] == side]
        sides[side] = weighted_gain([item[0] for item in some], [item[2] for item in some], [share * abs(item[3]) for item in some])[0]
    points, low, high = weighted_gain([item[0] for item in flat], [item[2] for item in flat], [share * item[3] for item in flat])
    model, benchmark = next(iter(both)) if len(both) == 1 else (None, None)
    name = f"{model} on {benchmark}" if model else f"Mean of {len(both)}"
    sentence = (
        f"{name}: {100 * sides['published']:+.1f} points by the published protocol, {100 * sides['held-out']:+.1f} held out: "
        f"the protocol is {100 * points:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})."
    )
    return {
        "model": model, "benchmark": benchmark, "published": sides["published"], "held_out": sides["held-out"],
        "points": points, "ci95": [low, high], "sentence": sentence,
    }  # fmt: skip


def _held_out(rows: Sequence[Row], combinations: Sequence[Mapping[str, Any]]) -> list[tuple[Row, Mapping[str, Any]]]:
    pairs = zip(rows, combinations, strict=True)
    return [(row, one) for row, one in pairs if is_counted(row)]
