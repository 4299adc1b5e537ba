"""What the rows of a run's controls say of its gain: points, share of the headroom, and which edit it is due to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.evolution.gate.stats import paired_gain


def summarize_rows(rows: Sequence[Mapping[str, Any]], shipped: Sequence[str]) -> dict[str, Any]:
    """Return the gain and what each edit has to do with it.

    Args:
        rows: as `homebody.evolution.controls.baselines` keeps them: with `row`, `label`, `won` (the outcome of the first attempt, by task),
            `attempts` and `won_any` (the outcome of all attempts together); those of an ablation with `left_out`, ids of edits.
        shipped: ids of all edits of the run, in the order of shipping; some may have no ablation.

    Returns:
        `gain`: n, points (a fraction), ci95 (paired bootstrap over tasks), headroom_closed; or None without the rows `seed` and `final`.
        `gain_at_k`: `k` and the same of what the best of k attempts solved; or None where there was one attempt.
        `attribution`: `edits`, of which each has `edit`, `label`, `left_out`, `drop` (what is lost without it), `ci95` and `n` of that,
        `own` (the drop less that of the edits that go with it) and `added` (gain at its shipping, or None); `sum` of `own`; `added`, the
        sum of those; `gain`; and `said`. Or None without ablations.
    """
    by_key = {row["row"]: row for row in rows}
    seed, final = by_key.get("seed"), by_key.get("final")
    gain = compare_rows(seed["won"], final["won"]) if seed and final else None
    at_k = None
    if seed and final and seed["attempts"] == final["attempts"] > 1 and (best := compare_rows(seed["won_any"], final["won_any"])):
        at_k = {"k": seed["attempts"], **best}
    ablations = [row for row in rows if row["row"].startswith("ablation ")]
    if final is None or not ablations:
        return {"gain": gain, "gain_at_k": at_k, "attribution": None}
    added = _added(by_key, shipped)
    edits: list[dict[str, Any]] = []
    own: dict[str, float] = {}
    for row in reversed(ablations):
        drop = compare_rows(row["won"], final["won"])
        if drop is None:  # errors left no task that both played
            continue
        first, *others = row["left_out"]
        own[first] = drop["points"] - math.fsum(own.get(other, 0.0) for other in others)
        figures = {"drop": drop["points"], "ci95": drop["ci95"], "n": drop["n"], "own": own[first], "added": added.get(first)}
        edits.insert(0, {"edit": first, "label": row["label"], "left_out": row["left_out"], **figures})
    total = math.fsum(own.values())
    said = ""
    if gain:
        rest = "the rest is interaction" if total <= gain["points"] else "edits that need one another are counted more than once"
        said = f"leaving out one edit at a time explains {100 * total:.1f} of {100 * gain['points']:.1f} points; {rest}"
        if played := sorted({edit["n"] for edit in edits} - {gain["n"]}):
            said += f"; edits were left out on {' or '.join(map(str, played))} tasks, the gain is that of {gain['n']}"
        if missing := len(shipped) - len(edits):
            said += f"; {missing} of the {len(shipped)} edits were not left out"
    steps = math.fsum(added.values()) if added else None
    return {
        "gain": gain,
        "gain_at_k": at_k,
        "attribution": {"edits": edits, "sum": total, "added": steps, "gain": gain["points"] if gain else None, "said": said},
    }


def with_gains(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without their outcomes by task, each but the seed's with its `gain` over the seed on common tasks (None without)."""
    seed: Mapping[str, bool] = next((row["won"] for row in rows if row["row"] == "seed"), {})
    return [
        {key: value for key, value in row.items() if key not in ("won", "won_any")}
        | ({} if row["row"] == "seed" else {"gain": compare_rows(seed, row["won"])})
        for row in rows
    ]


def compare_rows(before: Mapping[str, bool], after: Mapping[str, bool]) -> dict[str, Any] | None:
    """Compare two rows on the tasks that both have: `n`, `points`, `ci95`, `headroom_closed` (None where there is none); or None."""
    common = [task for task in before if task in after]
    if not common:
        return None
    was, now = [before[task] for task in common], [after[task] for task in common]
    points, low, high = paired_gain(was, now)
    headroom = 1.0 - sum(was) / len(was)
    return {"n": len(common), "points": points, "ci95": [low, high], "headroom_closed": points / headroom if headroom else None}


def _added(by_key: Mapping[str, Mapping[str, Any]], edits: Sequence[str]) -> dict[str, float]:
    """Return what each edit added when it was shipped, on the tasks of the seed's row: these sum up to the gain."""
    harnesses = [by_key.get("seed"), *(by_key.get(f"incremental {edit}") for edit in edits[:-1]), by_key.get("final")]
    if any(row is None for row in harnesses):
        return {}
    won = [row["won"] for row in harnesses if row is not None]
    tasks = [task for task in won[0] if all(task in one for one in won)]
    if not tasks:
        return {}
    rates = [sum(one[task] for task in tasks) / len(tasks) for one in won]
    return {edit: after - before for edit, before, after in zip(edits, rates, rates[1:], strict=False)}
