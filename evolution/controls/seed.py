"""The seed of a gain: of all styles in which the seed harness may ask a model, the one that does best on validation tasks.

A gain over a seed whose answers cannot be read is a gain in reading. So the evolution begins with the best style, and
its gain is measured from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from homebody.agents.harness.seed import STYLES, seed_documents
from homebody.agents.harness.spec import HarnessSpec, harness_names
from homebody.agents.processors.operator import method_of
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import TaskSpec
from homebody.envs.file import write_file
from homebody.evolution.controls.evaluation import summarize
from homebody.evolution.gate.episodes import OnRecord, play_once
from homebody.evolution.gate.player import EpisodesFailedError
from homebody.evolution.proposers.edit import set_processors
from homebody.evolution.store import Store, holds, reads_run

CONSTRAINED = ("grammar", "score")
"""What each document whose model writes freely is tried with besides: an answer under the grammar of the candidates, and
a choice among them by score."""
FILE = "seed.json"
"""Where a run directory has the chosen seed."""


@dataclass(frozen=True)
class Style:
    """One way of a seed harness to ask a model."""

    name: str
    """Style of the document, then `free`, `grammar` or `score`: `react-free`."""
    spec: HarnessSpec


def seed_styles(seed: str, model: str | None = None) -> list[Style]:
    """Return the styles of a seed that a model is tried with, in the order that decides between equals; no two behave the same.

    Args:
        seed: name of a seed that ships with homebody.
        model: who plays, see `homebody.agents.harness.seed.seed_documents`.

    Raises:
        AgentError: there is no such model, or it cannot be read.
    """
    return _styles(seed, seed_documents(seed, harness_names(), model))


def find_seed(seed: str, behaviour_hash: str) -> HarnessSpec | None:
    """Return the style of a seed that behaves so, of those that any model is tried with; None where there is none in this version."""
    documents = [f"{seed}-{style}" for style in STYLES if f"{seed}-{style}" in harness_names()]
    return next((style.spec for style in _styles(seed, documents) if style.spec.behaviour_hash == behaviour_hash), None)


def _styles(seed: str, documents: Sequence[str]) -> list[Style]:
    """Return the styles of documents of a seed, no two of which behave the same."""
    found: dict[str, Style] = {}
    for name in documents:
        spec = HarnessSpec.load(name)
        method = method_of(spec)
        styles = {method: spec} if method != "generate" else {"free": spec, **{how: _constrained(spec, how) for how in _held(spec)}}
        for how, one in styles.items():
            found.setdefault(one.behaviour_hash, Style(f"{name.removeprefix(f'{seed}-')}-{how}", one))
    return list(found.values())


def _held(spec: HarnessSpec) -> tuple[str, ...]:
    """Return the constrained styles of a document; where a command is an argument of a call, there is no grammar for it."""
    reads = {item["params"].get("read") for item in spec.components.values() if item["use"] == "answer"}
    return () if "tool" in reads else CONSTRAINED


def _constrained(spec: HarnessSpec, how: str) -> HarnessSpec:
    patched = spec.patch(set_processors(spec, {"decide": {"method": how}}))
    return HarnessSpec.from_json({**patched.document, "name": f"{spec.name}-{how}"})


class TriedStyle(TypedDict):
    """What a style of the seed harness did on the tasks of the choice."""

    style: str
    behaviour_hash: str
    n: int
    errors: int
    success: float | None
    unreadable: float | None


class Asked(TypedDict):
    """Among what was chosen, and on what."""

    styles: dict[str, str]
    """Names by behaviour hash, those included for which the time did not suffice."""
    tasks: list[str]
    """Ids."""


class ChosenSeed(TypedDict):
    """The choice of a seed, as the store keeps it."""

    style: str
    document: dict[str, Any]
    """The chosen harness."""
    tried: list[TriedStyle]
    asked: Asked


def choose_seed(
    run_dir: Path,
    styles: Sequence[Style],
    rollout: RolloutConfig,
    tasks: Sequence[TaskSpec],
    workers: int,
    on_record: OnRecord | None = None,
    minutes: float | None = None,
) -> ChosenSeed:
    """Play the styles on the same tasks and keep the best one in the run directory, as the event `seed` and as `FILE`.

    The highest success wins, of equals the fewest unreadable replies, of equals one whose answers are constrained, for of
    few replies all may be read by chance, of equals the first style. Episodes are kept, so that the evolution which begins
    with the seed finds its own. What was chosen before is not chosen again.

    Args:
        run_dir: of the run.
        styles: of the seed harness.
        rollout: environment, policy and step limit.
        tasks: of the validation split.
        workers: number of worker processes; the choice does not depend on it.
        on_record: told after each episode that is played.
        minutes: begin no further style after so many; None tries all.

    Raises:
        EpisodesFailedError: errors ended all episodes of all styles.
    """
    asked: Asked = {"styles": {style.spec.behaviour_hash: style.name for style in styles}, "tasks": [task.task_id for task in tasks]}
    if known := _known(run_dir, asked):
        write_file(run_dir / FILE, HarnessSpec.from_json(known["document"]).dumps())
        return known
    # The policy first: where there is no such model, no run directory is made.
    with Rollouts(rollout, workers) as rollouts, Store(run_dir) as store:
        records: list[EpisodeRecord] = []
        started = time.monotonic()
        # Without a limit all at a time, so that no worker waits for the last episode of a style.
        for batch in [styles] if minutes is None else [[style] for style in styles]:
            if minutes is not None and records and time.monotonic() - started > 60 * minutes:
                break
            jobs = [Job(style.spec, task) for style in batch for task in tasks]
            told = on_record and _shifted(on_record, len(records), len(styles) * len(tasks))
            records += play_once(rollouts, jobs, store, told).values()
        if all(record.error for record in records):
            errors = {record.task_id: record.error for record in records if record.error}
            raise EpisodesFailedError("styles of the seed harness", errors, "mend the cause and run it again")
        by_style = [records[first : first + len(tasks)] for first in range(0, len(records), len(tasks))]
        tried: list[TriedStyle] = [
            {
                "style": style.name, "behaviour_hash": figures["behaviour_hash"], "n": figures["n"], "errors": figures["errors"],
                "success": figures["success"], "unreadable": figures["unreadable"],
            }
            for style, figures in zip(styles, map(summarize, by_style), strict=False)
        ]  # fmt: skip
        best = max(range(len(tried)), key=lambda number: _rank(tried[number]))
        found: ChosenSeed = {"style": styles[best].name, "document": styles[best].spec.document, "tried": tried, "asked": asked}
        store.append("seed", found)
        write_file(run_dir / FILE, styles[best].spec.dumps())
    return found


def _shifted(on_record: OnRecord, done: int, total: int) -> OnRecord:
    """Return what tells of an episode of one style as one of all."""
    return lambda number, _, record: on_record(done + number, total, record)


def _rank(item: TriedStyle) -> tuple[float, float, bool]:
    success, unreadable = item["success"], item["unreadable"]
    return -1.0 if success is None else success, -(unreadable or 0.0), unreadable is None


@reads_run
def _known(run_dir: Path, asked: Asked) -> ChosenSeed | None:
    """Return what was chosen before: of an evolution that has begun always, else where it was the same choice and whole."""
    if not holds(run_dir, "seed"):
        return None
    with Store(run_dir, readonly=True) as store:
        found: ChosenSeed = store.events("seed")[-1]
        has_begun = bool(store.events("start"))
    HarnessSpec.from_json(found["document"])  # as it is read later
    is_whole = len(found["tried"]) == len(asked["styles"]) and not any(item["errors"] for item in found["tried"])
    return found if has_begun or (is_whole and found["asked"] == asked) else None
