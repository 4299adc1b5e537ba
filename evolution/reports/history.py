"""What the episodes of a run add up to: outcomes by task and round, what edits predicted and what came of them, what all of it cost.

Reads a store, ended or not. A run that was recorded before there were series has rounds and evaluations, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from homebody.agents.record import EpisodeRecord
from homebody.evolution.evidence.digest import digest_episode
from homebody.evolution.reports.summary import latest, read_run
from homebody.evolution.store import Store
from homebody.evolution.stored import Run, StoredEdit, StoredResult


@dataclass(frozen=True)
class Series:
    """Episodes that were played for one purpose."""

    what: str
    """Its name: `round 1: training`, `r1c2: validation`, ..."""
    keys: Mapping[str, str]
    """Key of the episode, by task."""
    won: Mapping[str, bool | None]
    """Outcome, by task; None where an error ended the episode."""


class TaskOutcome(TypedDict):
    """One episode in a table of tasks."""

    won: bool | None
    """None: an error ended it."""
    key: str
    sentence: str
    """The outcome in words."""


class TaskOutcomes(TypedDict):
    """A row of such a table: a task."""

    task: str
    type: str
    cells: list[TaskOutcome | None]
    """One a round or evaluation; None where it was not played."""


class HeldOut(TypedDict):
    """The evaluations of a split with one step limit."""

    split: str
    columns: list[StoredResult]
    """Harness, policy and success of each."""
    rows: list[TaskOutcomes]


class JudgedEdit(StoredEdit):
    """A candidate with its outcome."""

    round: int
    came: str
    """`shipped`, `accepted, not shipped` or `rejected`."""
    gained: list[str]
    """Validation tasks that it won and the harness before lost."""
    compared: int
    """Validation tasks on which it was played."""
    of: int
    """Validation tasks of its round."""
    predicted: list[str]
    """Training tasks, as are the following ones."""
    stabilize: list[str]
    at_risk: list[str]
    unlocked: list[str] | None
    """Of the predicted ones; None where no next round played them."""
    broken: list[str] | None
    """Of those at risk."""


class OperatorCounts(TypedDict):
    """Edits of an operator."""

    operator: str
    dimensions: list[str]
    tried: int
    accepted: int
    shipped: int
    predicted: int
    """Training tasks, over the shipped edits whose next round was played."""
    unlocked: int


class Cost(TypedDict):
    """What an evolution cost, its evaluations apart."""

    episodes: int
    """Played."""
    from_store: int
    """Asked for again, so not played again."""
    stopped_early: int
    """Not played because the candidate could no longer win."""
    steps: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    model_s: float
    wall_s: float
    exploration_steps: int


@dataclass(frozen=True)
class History:
    """A run with all its episodes."""

    run: Run
    series: Mapping[str, Series]
    """By name, in the order of play."""
    evaluations: Sequence[StoredResult]
    """With `won` and `keys`; of several alike one, see `homebody.evolution.reports.summary.latest`."""
    records: Mapping[str, Mapping[str, Any]]
    """Episodes as data, by key."""
    seconds: float
    """Wall time of the processes that evolved, together."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Step limit of an episode, by key; where it is not known there is none."""
    surveys: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """By round: its `digests` by task, and its `landscape`, as the store has them."""
    critiques: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """What the critic said, by candidate: `revision`, `accepted`, `objections`, `rank`."""
    seed: Mapping[str, Any] | None = None
    """The document of the seed harness."""

    def training(self, number: int) -> Series:
        """Return the training series of a round; empty where it was not recorded."""
        return self._find(f"round {number}: training")

    def validation(self, who: int | str) -> Series:
        """Return the validation series of a round (a number) or a candidate (an id); empty where there is none."""
        return self._find(f"round {who}: validation" if isinstance(who, int) else f"{who}: validation")

    def _find(self, what: str) -> Series:
        return self.series.get(what) or Series(what, {}, {})


def read_history(run_dir: str | Path) -> History:
    """Read a run with its episodes.

    Raises:
        RunError: there is no run.
    """
    run = read_run(run_dir)
    with Store(run_dir, readonly=True) as store:
        progress, seconds = store.events("progress"), store.working_s()
        evaluations = store.events("evaluation")
        records = store.episodes()
        digests, landscapes, critiques = (store.events(kind) for kind in ("digests", "landscape", "critique"))
        documents = store.events("harness")
    series = _series(progress)
    alike: dict[tuple[object, ...], list[StoredResult]] = {}
    for item in evaluations:
        alike.setdefault((item["split"], item["max_steps"], item["behaviour_hash"], item["policy"]), []).append(item)
    limit = run["start"].get("max_steps") if run["start"] else None
    limits = {key: limit for one in series.values() for key in one.keys.values()} if limit else {}
    return History(
        run,
        series,
        [latest(found) for found in alike.values()],
        records,
        seconds,
        limits | {key: item["max_steps"] for item in evaluations for key in item.get("keys", ())},
        _surveys(digests, landscapes),
        _critiques(critiques),
        documents[0]["document"] if documents else None,
    )


def outcomes(history: History, part: str) -> list[TaskOutcomes]:
    """Return the tasks of a part (`training` or `validation`) with their outcome in each round."""
    rounds = [item["round"] for item in history.run["rounds"]]
    return _rows(history, [history.training(number) if part == "training" else history.validation(number) for number in rounds])


def held_out(history: History) -> list[HeldOut]:
    """Return the evaluations by split and step limit."""
    found: list[HeldOut] = []
    for split, steps in dict.fromkeys((item["split"], item["max_steps"]) for item in history.evaluations if item.get("keys")):
        here = [item for item in history.evaluations if (item["split"], item["max_steps"]) == (split, steps) and item.get("keys")]
        rows = _rows(history, [evaluation_series(history, item) for item in here])
        columns: list[StoredResult] = [
            {"harness": item["harness"], "policy": item["policy"], "success": item["success"], "n": item["n"]} for item in here
        ]
        found.append({"split": f"{split}, {steps} steps", "columns": columns, "rows": rows})
    return found


def evaluation_series(history: History, item: StoredResult) -> Series:
    """Return the episodes of an evaluation, of each task the first attempt."""
    name = f"{item['split']}, {item['max_steps']} steps: {item['harness']}, {item['policy']}"
    records = [(key, history.records[key]) for key in item.get("keys", ()) if key in history.records]
    first = {record["task_id"]: key for key, record in records if record["attempt"] == 0}
    return Series(name, first, {task: history.records[key]["won"] for task, key in first.items()})


def candidates(history: History) -> list[JudgedEdit]:
    """Return every candidate with its outcome."""
    found: list[JudgedEdit] = []
    for item in history.run["rounds"]:
        played = item["validation"]["n"] + item["validation"].get("errors", 0)
        before, after = history.validation(item["round"]).won, history.training(item["round"] + 1).won
        for edit in item["candidates"]:
            shipped = edit["id"] == item["shipped"]
            came = "rejected" if edit["verdict"] == "rejected" else "shipped" if shipped else "accepted, not shipped"
            own = history.validation(edit["id"]).won
            impact = edit["manifest"]["predicted_impact"]
            is_known = shipped and bool(after)
            found.append(
                {
                    **edit,
                    "round": item["round"],
                    "came": came,
                    "gained": sorted(task for task, won in own.items() if won and not before.get(task, True)),
                    "lost": sorted(task for task, won in own.items() if won is False and before.get(task)),
                    "compared": len(own),
                    "of": played,
                    "predicted": impact["will_unlock"],
                    "stabilize": impact.get("will_stabilize", []),
                    "at_risk": impact["at_risk"],
                    "unlocked": [task for task in impact["will_unlock"] if after.get(task)] if is_known else None,
                    "broken": [task for task in impact["at_risk"] if after.get(task) is False] if is_known else None,
                }
            )
    return found


def operators(found: Sequence[JudgedEdit]) -> list[OperatorCounts]:
    """Sum candidates up by operator, in order of first use."""
    rows: dict[str, OperatorCounts] = {}
    for edit in found:
        operator = edit["manifest"]["operator"]
        new = OperatorCounts(operator=operator, dimensions=[], tried=0, accepted=0, shipped=0, predicted=0, unlocked=0)
        row = rows.setdefault(operator, new)
        row["dimensions"] = sorted({*row["dimensions"], edit["dimension"]})
        row["tried"] += 1
        row["accepted"] += edit["verdict"] == "accepted"
        row["shipped"] += edit["came"] == "shipped"
        if edit["unlocked"] is not None:
            row["predicted"] += len(edit["predicted"])
            row["unlocked"] += len(edit["unlocked"])
    return list(rows.values())


def cost(history: History) -> Cost:
    """Return what the evolution cost."""
    keys = [key for series in history.series.values() for key in series.keys.values()]
    records = [history.records[key] for key in dict.fromkeys(keys) if key in history.records]
    stopped = [edit for edit in candidates(history) if edit["compared"] and edit["verdict"] == "rejected"]
    statistics = history.run["statistics"]
    return {
        "episodes": len(set(keys)),
        "from_store": len(keys) - len(set(keys)),
        "stopped_early": sum(edit["of"] - edit["compared"] for edit in stopped),
        "steps": sum(record["steps"] for record in records),
        "prompt_tokens": int(_usage(records, "prompt_tokens")),
        "cached_tokens": int(_usage(records, "cached_tokens")),
        "generated_tokens": int(_usage(records, "generated_tokens")),
        "model_s": _usage(records, "seconds"),
        "wall_s": history.seconds,
        "exploration_steps": statistics["steps"] if statistics else 0,
    }


def said(record: Mapping[str, Any] | None, won: bool | None, max_steps: int | None = None) -> str:
    """Say how an episode ended, in a few words. One that an error ended is not kept, so there is no more to say of it."""
    if won is None:
        return "ended by an error"
    if record is None:
        return "won" if won else "not won"
    if won:
        return f"won in {record['steps']} steps"
    category = digest_episode(EpisodeRecord.from_json(dict(record)), max_steps=max_steps).category
    return f"not won in {record['steps']} steps: {category.replace('_', ' ')}"


def _series(events: Sequence[Any]) -> dict[str, Series]:
    keys: dict[str, dict[str, str]] = {}
    won: dict[str, dict[str, bool | None]] = {}
    for kind, data in events:
        if kind == "series":
            keys.setdefault(data["what"], {}).update({task: key for task, (key, _) in data["episodes"].items()})
            won.setdefault(data["what"], {}).update({task: wins for task, (_, wins) in data["episodes"].items()})
    return {what: Series(what, keys[what], won[what]) for what in keys}


def _surveys(digests: Sequence[Mapping[str, Any]], landscapes: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for item in digests:
        found[item["round"]] = {"digests": {digest["task_id"]: digest for digest in item["digests"]}, "landscape": {}}
    for item in landscapes:
        found[item["round"]] |= {"landscape": {key: value for key, value in item.items() if key != "round"}}
    return found


def _critiques(events: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        for item in event["critiques"]:
            said = {key: value for key, value in item.items() if key != "candidate_id"}
            found.setdefault(item["candidate_id"], []).append({"revision": event["revision"], **said})
    return found


def _rows(history: History, columns: Sequence[Series]) -> list[TaskOutcomes]:
    tasks = dict.fromkeys(task for series in columns for task in series.keys)
    rows: list[TaskOutcomes] = []
    for task in tasks:
        cells: list[TaskOutcome | None] = []
        kind = ""
        for series in columns:
            key = series.keys.get(task)
            record = history.records.get(key) if key else None
            kind = record["type"] if record else kind
            cells.append(
                {"won": series.won[task], "key": key, "sentence": said(record, series.won[task], history.limits.get(key))} if key else None
            )
        rows.append({"task": task, "type": kind, "cells": cells})
    return rows


def _usage(records: Sequence[Mapping[str, Any]], counter: str) -> float:
    return float(sum(record["usage"].get(counter, 0) for record in records))
