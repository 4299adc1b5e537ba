"""The results table: what was played of each combination, its row, and the mean gain. Reads the runs' own stores and plays nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.evolution.controls.benchmark import published
from homebody.evolution.controls.reproduce import Combination
from homebody.evolution.gate.stats import mean_gain
from homebody.evolution.reports.gain import null_gain
from homebody.evolution.reports.history import candidates, cost, operators, read_history
from homebody.evolution.store import RunError, Store
from homebody.evolution.stored import StoredStart

PROTOCOL = "held-out"
"""Of every row: test tasks were played once, for the final harness."""


def gather(combinations: Sequence[Combination], quick: bool) -> dict[str, Any]:
    """Return all that the table and the figures show.

    Returns:
        `quick`; `rows` as `table_row` returns them; `mean_gain` (`points`, `ci95`), in which a null gain counts 0; `combinations` as
        `read_combination` returns them; `published`, the rows of the same benchmarks.

    Raises:
        RunError: a combination has no run, or no controls were played.
    """
    names = {one.benchmark.name for one in combinations}
    others = published()
    found = [read_combination(one) for one in combinations]
    rows = [table_row(one) for one in found]
    gains = [one["changes"] if row["gain"] else dict.fromkeys(one["changes"], 0.0) for one, row in zip(found, rows, strict=True)]
    points, low, high = mean_gain([row["benchmark"] for row in rows], gains)
    return {
        "quick": quick,
        "rows": rows,
        "mean_gain": {"points": points, "ci95": [low, high]},
        "combinations": [{key: value for key, value in one.items() if key != "changes"} for one in found],
        "published": {**others, "rows": [row for row in others["rows"] if row["benchmark"] in names]},
    }


def read_combination(combination: Combination) -> dict[str, Any]:
    """Read what was played of a combination.

    Returns:
        `model`, `benchmark`, `about`, `run` (its folder's name), `seed` (as `homebody.evolution.controls.seed.choose_seed` returns it),
        `controls` (as `play_controls` returned it last), `changes` (outcome of the evolved harness minus that of the seed, by test task),
        `policy` (its fingerprint), `objective`, `rounds`, `operators`, `candidates` and `cost` (as `homebody.evolution.reports.history` has
        them).

    Raises:
        RunError: there is no run, or no seed was chosen, or no controls were played.
    """
    history = read_history(combination.run_dir)
    with Store(combination.run_dir, readonly=True) as store:
        seeds, played, evaluations = store.events("seed"), store.events("controls"), store.events("evaluation")
    if not played:
        raise RunError(f"{combination.run_dir} has no controls; homebody controls plays them")
    if not seeds:
        raise RunError(f"{combination.run_dir} was begun by another command than reproduce; choose another --run-dir")
    found, start = candidates(history), history.run["start"] or StoredStart()
    return {
        "model": combination.model,
        "benchmark": combination.benchmark.name,
        "about": combination.benchmark.about,
        "run": combination.run_dir.name,
        "policy": start["policy"],
        "objective": start.get("objective", "success"),
        "seed": seeds[-1],
        "controls": played[-1],
        "changes": _changes(played[-1], evaluations),
        "rounds": history.run["rounds"],
        "operators": operators(found),
        "candidates": found,
        "cost": cost(history),
    }


def table_row(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a combination in the results table.

    Args:
        one: as `read_combination` returns it.

    Returns:
        `model`; `family`, the model's name as far as its size, None without a model; `benchmark`; `protocol`; `objective`; `split`; `n`
        and `seed_n`, test tasks of the evolved harness and of the seed; `max_steps`; `attempts` (tries a task, of which the first one
        counts); `seed` and `evolved`, success; `seed_style`; `seed_unreadable`; `twins`, success of each twin of the evolved harness, and
        `best_twin`; `matcher`, success of the evolved harness with goals read without a model, None where the environment reads none;
        `gain` (`points`, `ci95`, `n` tasks that both played), None where it is null, and then `why` in a clause;
        `model_value` (`points`, `ci95`), None where there is no measure; `model_share` of the evolved harness; `tokens` of the
        evolution; `model_sha256`, None where the model is no file here. What was not played is None.
    """
    controls, run, policy = one["controls"], one["controls"]["run"], one["policy"]
    rows = {row["row"]: row for row in controls["rows"]}
    seed, final, gain = rows.get("seed", {}), rows.get("final", {}), controls["gain"]
    why = null_gain(seed, final) if gain else "seed and evolved harness were not both played"
    value = final.get("model_value")
    return {
        "model": one["model"],
        "family": family(policy.get("model", "")) or None,
        "benchmark": one["benchmark"],
        "protocol": PROTOCOL,
        "objective": one["objective"],
        "split": run["split"],
        "n": final.get("n"),
        "seed_n": seed.get("n"),
        "max_steps": run["max_steps"],
        "attempts": final.get("attempts"),
        "seed": seed.get("success"),
        "seed_style": one["seed"]["style"],
        "seed_unreadable": seed.get("unreadable"),
        "evolved": final.get("success"),
        "twins": final.get("twins"),
        "best_twin": final.get("best_twin"),
        "matcher": rows.get("matcher", {}).get("success"),
        "gain": None if why else {key: gain[key] for key in ("points", "ci95", "n")},
        "why": why or None,
        "model_value": {key: value[key] for key in ("points", "ci95")} if value else None,
        "model_share": final.get("model_share"),
        "tokens": run["tokens"],
        "model_sha256": policy.get("sha256"),
    }


def family(name: str) -> str:
    """Return the family of a model by its own name: all before the number of its parameters.

    Args:
        name: as its file says it, for example `Qwen2.5 Coder 1.5B Instruct`.
    """
    return re.split(r"[\s_-]+\d+(?:\.\d+)?[MB](?![A-Za-z])", name, maxsplit=1, flags=re.IGNORECASE)[0]


def _changes(controls: Mapping[str, Any], evaluations: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return by task what changed from the seed's row to the evolved harness's; nothing where one of them was not played."""
    won = {}
    for row in controls["rows"]:
        of_row = {"split": controls["run"]["split"], **{key: row[key] for key in ("policy", "behaviour_hash", "n")}}
        if row["row"] in ("seed", "final"):
            won[row["row"]] = next(
                item["won"] for item in reversed(evaluations) if all(item[key] == value for key, value in of_row.items())
            )
    if len(won) < 2:
        return {}
    return {task: float(won["final"][task]) - float(was) for task, was in won["seed"].items() if task in won["final"]}
