"""The results table: what was played of each combination and its row. Reads the runs' own stores and plays nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.evolution.controls.claims import evolved_row, gain_of
from homebody.evolution.controls.reproduce import Combination
from homebody.evolution.controls.results import Results
from homebody.evolution.reports.gain import null_gain
from homebody.evolution.reports.history import candidates, cost, operators, read_history
from homebody.evolution.reports.lineage import Edit, Lineage, read_lineage
from homebody.evolution.store import RunError, Store
from homebody.evolution.stored import StoredStart

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([MB])(?![A-Za-z])", re.IGNORECASE)
"""The number of a model's parameters in its name, in millions or billions."""


def gather_results(combinations: Sequence[Combination], source: str, quick: bool) -> Results:
    """Return the rows of combinations that were played.

    Args:
        combinations: of which each has its row.
        source: where they are, for people.
        quick: whether few tasks were played.

    Raises:
        RunError: a combination has no run, or no controls were played.
    """
    found = [read_combination(one) for one in combinations]
    return Results(source, [table_row(one) for one in found], found, quick)


def read_combination(combination: Combination) -> dict[str, Any]:
    """Read what was played of a combination: all that its row, the page and the figures show, and how it came about.

    Returns:
        `model`, `harness_of`, `benchmark`, `protocol`, `repeat`, `about`, `run` (its folder's name), `seed` (how its style was chosen, see
        `homebody.evolution.controls.seed.choose_seed`), `controls` (as `play_controls` returned it last for the split, without `outcomes`),
        `outcomes` (`tasks`, and of `seed` and `evolved` a letter a task: 1 solved, 0 not, - not played; of the published protocol what any
        attempt solved), `policy` (its fingerprint), `objective`, `manifest` (see `_manifest`), `rounds`, `operators`, `candidates` and
        `cost` (as `homebody.evolution.reports.history` has them, counts in place of lists of tasks).

    Raises:
        RunError: there is no run, or no seed was chosen, or no controls were played.
    """
    history = read_history(combination.run_dir)
    with Store(combination.run_dir, readonly=True) as store:
        seeds, played = store.events("seed"), store.events("controls")
        made = store.events("played with")
    if not played:
        raise RunError(f"{combination.run_dir} has no controls; homebody controls plays them")
    if not seeds:
        raise RunError(f"{combination.run_dir} was begun by another command than reproduce; choose another --run-dir")
    here = [item for item in played if item["run"]["split"] == combination.split]
    if not here:
        raise RunError(f"{combination.run_dir} has no controls on the split {combination.split}")
    controls = here[-1]
    found, start = candidates(history), history.run["start"] or StoredStart()
    return {
        "model": called(combination.model),
        "harness_of": called(combination.harness_of) if combination.harness_of else None,
        "benchmark": combination.benchmark.name,
        "protocol": combination.protocol,
        "repeat": combination.repeat,
        "about": combination.benchmark.about,
        "run": combination.run_dir.name,
        "policy": start["policy"],
        "objective": start.get("objective", "success"),
        "seed": {key: seeds[-1][key] for key in ("style", "tried", "asked")},
        "controls": {key: value for key, value in controls.items() if key != "outcomes"},
        "outcomes": _outcomes(controls.get("outcomes", {}), combination.protocol),
        "manifest": _manifest(read_lineage(combination.run_dir), controls, made, start.get("harness_of")),
        "rounds": [_round(item) for item in history.run["rounds"]],
        "operators": operators(found),
        "candidates": [_candidate(edit) for edit in found],
        "cost": cost(history),
    }


def table_row(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a combination in the results table.

    Args:
        one: as `read_combination` returns it.

    Returns:
        `model`; `family`, the model's name as far as its size, None without a model; `parameters`, their number, None where the name does
        not say it; `benchmark`; `protocol`; `repeat`; `objective`; `split`; `n` and `seed_n`, test tasks of the evolved harness and of the
        seed; `max_steps`; `attempts` (tries a task, of which the first one counts, and of the published protocol any); `seed` and
        `evolved`, success; `seed_style`; `seed_unreadable`; `twins`, success of each twin of the evolved harness, and `best_twin`;
        `no_skills`, success of the evolved harness without its skills, None where it has none; `matcher`, success of the evolved harness
        with goals read without a model, None where the environment reads none; `gain` (`points`, `ci95`, `n` tasks that both played), None
        where it is null, and then `why` in a clause; `model_value` (`points`, `ci95`), None where there is no measure; `model_share` of
        the evolved harness; `tokens` of the evolution; `model_sha256`, None where the model is no file here; `harness_of`, the model for
        which the harness evolved, None where it is this one. What was not played is None.
        Of the published protocol the evolved harness is that of the best round, and no gain is null: it has no such rule.
    """
    controls, run, policy = one["controls"], one["controls"]["run"], one["policy"]
    rows, protocol = {row["row"]: row for row in controls["rows"]}, one.get("protocol", "held-out")
    seed, final, gain = rows.get("seed", {}), rows.get(evolved_row(one), {}), gain_of(one)
    why = "" if gain else "seed and evolved harness were not both played"
    if gain and protocol == "held-out":
        why = null_gain(seed, final)
    value = final.get("model_value")
    named = policy.get("model", "")
    return {
        "model": one["model"],
        "family": family(named) or None,
        "parameters": parameters(named) or parameters(one["model"]) if policy.get("model") else None,
        "benchmark": one["benchmark"],
        "protocol": protocol,
        "repeat": one.get("repeat", 1),
        "objective": one["objective"],
        "split": run["split"],
        "n": final.get("n"),
        "seed_n": seed.get("n"),
        "max_steps": run["max_steps"],
        "attempts": final.get("attempts"),
        "seed": _success(seed, protocol),
        "seed_style": one["seed"]["style"],
        "seed_unreadable": seed.get("unreadable"),
        "evolved": _success(final, protocol),
        "twins": final.get("twins"),
        "best_twin": final.get("best_twin"),
        "no_skills": rows.get("no-skills", {}).get("success"),
        "matcher": rows.get("matcher", {}).get("success"),
        "gain": None if why or gain is None else {key: gain[key] for key in ("points", "ci95", "n")},
        "why": why or None,
        "model_value": {key: value[key] for key in ("points", "ci95")} if value else None,
        "model_share": final.get("model_share"),
        "tokens": run["tokens"],
        "model_sha256": policy.get("sha256"),
        "harness_of": one.get("harness_of"),
    }


def family(name: str) -> str:
    """Return the family of a model by its own name: all before the number of its parameters.

    Args:
        name: as its file says it, for example `Qwen2.5 Coder 1.5B Instruct`.
    """
    return re.split(r"[\s_-]+\d+(?:\.\d+)?[MB](?![A-Za-z])", name, maxsplit=1, flags=re.IGNORECASE)[0]


def parameters(name: str) -> float | None:
    """Return how many parameters a model has by its name; None where the name does not say it."""
    found = _SIZE.search(name)
    return float(found[1]) * (1e9 if found[2].upper() == "B" else 1e6) if found else None


def called(model: str) -> str:
    """Return a model's name for the table: of the path of a file its last part, so that no table holds a path of its machine."""
    is_path = model.endswith(".gguf") and not model.startswith(("hf:", "http:", "https:"))
    return PurePath(model).name if is_path else model


def _success(row: Mapping[str, Any], protocol: str) -> float | None:
    """Return the success that a protocol counts: of the first attempt, or of any."""
    counted = row.get("pass_at_k") if protocol == "published" else None
    found: float | None = counted[str(row["attempts"])] if counted else row.get("success")
    return found


def _outcomes(found: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """Return the outcomes of seed and evolved harness, a letter a task."""
    named = {"seed": "seed", "evolved": "peak" if protocol == "published" else "final"}
    won = {side: found.get(key) or {"first": {}, "any": None} for side, key in named.items()}
    of = {side: (one["any"] if protocol == "published" and one["any"] else one["first"]) for side, one in won.items()}
    tasks = list(dict.fromkeys([*of["evolved"], *of["seed"]]))
    letters = {True: "1", False: "0", None: "-"}
    return {"tasks": tasks, **{side: "".join(letters[one.get(task)] for task in tasks) for side, one in of.items()}}


def _manifest(
    lineage: Lineage, controls: Mapping[str, Any], made: Sequence[Mapping[str, Any]], origin: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return how a row came about.

    Returns:
        `played_with` (version, commit and machine, more than one where they changed on the way); `env`, `env_args`, `max_steps`,
        `protocol`, `seed` (of evolution and episodes); `sampling` and `behaviour_hash` of `seed` and `evolved` harness; `changes`, the
        edits that lead from the one to the other; `harness_of` where the harness evolved for another model: that `model`, its `policy`,
        and the `seed_hash` and `changes` of its run.
    """
    config, edits = lineage.config, lineage.edits
    peak = next((row["behaviour_hash"] for row in controls["rows"] if row["row"] == "peak"), None)
    if peak is not None and peak != lineage.replayed.behaviour_hash:
        edits = edits[: next((number for number, edit in enumerate(edits, 1) if edit.after.behaviour_hash == peak), 0)]
    evolved = lineage.given or (edits[-1].after if edits else lineage.seed)
    return {
        "played_with": list(made),
        "env": config.env_id,
        "env_args": dict(config.rollout.env_args),
        "max_steps": config.max_steps,
        "protocol": config.protocol,
        "seed": config.seed,
        "sampling": {"seed": _sampling(lineage.seed), "evolved": _sampling(evolved)},
        "behaviour_hash": {"seed": lineage.seed.behaviour_hash, "evolved": evolved.behaviour_hash},
        "changes": changes_of(edits),
        **({"harness_of": {key: value for key, value in origin.items() if key != "document"}} if origin else {}),
    }


def changes_of(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """Return shipped edits as the manifest of a row holds them."""
    return [
        {"id": edit.id, "round": edit.round, "operator": edit.operator, "dimension": edit.dimension, "patch": edit.patch} for edit in edits
    ]


def _sampling(spec: HarnessSpec) -> dict[str, Any]:
    return next((dict(item.get("params", {})) for item in spec.components.values() if item["use"] == "generation"), {})


def _round(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the figures draw of a round."""
    kept = ("round", "train", "validation", "twins", "best_twin", "model_value", "failures", "shipped")
    edits = [
        {"id": edit["id"], "verdict": edit["verdict"], "manifest": {"operator": edit["manifest"]["operator"]}}
        for edit in item["candidates"]
    ]
    return {**{key: item[key] for key in kept if key in item}, "candidates": edits}


def _candidate(edit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says of a candidate, with counts in place of lists of tasks."""
    manifest = edit["manifest"]
    counts = {name: len(edit[name]) if edit[name] is not None else None for name in ("predicted", "at_risk", "unlocked", "broken")}
    return {
        **{key: edit.get(key) for key in ("id", "round", "dimension", "verdict", "reason", "came", "gain", "twin_gain")},
        "operator": manifest["operator"],
        "hypothesis": manifest["hypothesis"],
        "evidence": {category: len(tasks) for category, tasks in manifest["evidence"].items()},
        "signature": manifest["attribution_signature"],
        **counts,
    }
