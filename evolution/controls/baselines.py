"""The controls of a run: what its final harness is worth, beside everything that might explain the gain otherwise.

Every row is played on the same held-out tasks and kept in the run's own store; what is there already is not played again. The no-op and
the random evolution have stores of their own in RUN_DIR/controls, and begin with the run's episodes, so that equal behaviour costs nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.harness.spec import HarnessSpec, digest
from homebody.agents.policy import MODEL_FREE, TWINS
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs import tasks as list_tasks
from homebody.envs.core import did_you_mean
from homebody.envs.file import UserPath, write_file
from homebody.evolution.controls.ablation import leave_one_out
from homebody.evolution.controls.audit import audit
from homebody.evolution.controls.evaluation import evaluate, said_of
from homebody.evolution.gate.player import EpisodesFailedError
from homebody.evolution.gate.stats import success_rate
from homebody.evolution.loop import evolve
from homebody.evolution.reports.attribution import summarize_rows, with_gains
from homebody.evolution.reports.lineage import Lineage, read_lineage
from homebody.evolution.reports.summary import GRADES
from homebody.evolution.store import Store, holds

BASELINES = {
    "seed": "seed harness, the run's policy",
    "final": "evolved harness, the run's policy",
    "noop": "evolution with empty edits, same budget",
    "random-edits": "evolution with random edits, same budget",
    "no-memory": "evolved harness without memory of places, the run's policy",
    "no-memory-random": "evolved harness without memory of places, random choice",
    "best-of-n": "seed harness, best of several attempts, chosen by an oracle; as many episodes or tokens as the evolution",
    "matcher": "evolved harness, executor with goals read by words and letter trigrams",
    "scripted": "the environment's own policy, which sees what an agent sees",
    "expert": "expert (privileged: knows the state)",
    "ablation": "evolved harness without one edit",
    "incremental": "incremental ablation: the harness after each shipped edit",
}
"""Keys of the rows, with their labels, in the order in which they are played. An environment whose own policy has a name says it in
`online_label`. `seed` and `final` bring the rows of their twins with them: `final echo` and the like."""
TWINNED = ("seed", "final")
"""Rows that stand beside their twins."""
LEARNED_MEMORIES = ("location_memory",)
"""Processors that hold what training tasks showed of the world, as against how to act in it."""
ROUNDS_OF_CONTROL = 50
"""Most rounds of the random evolution: its budget ends it before."""
MOST_ATTEMPTS = 100
SLOW = ("best-of-n", "random-edits")
"""Rows that may take longer than the evolution did: as many episodes, and all at the pace of the seed harness."""

Told = Callable[[str, int, int, str], None]
"""Called with a row's key, the episodes done, those of the row, and what happened last."""


class ControlError(AgentError):
    """A row or a setting that does not exist."""


@dataclass(frozen=True)
class Plan:
    """What to play."""

    split: str = "test"
    tasks: int | None = None
    """The first so many tasks of the split; None takes all."""
    seed_tasks: int | None = None
    """The same for the seed harness and best-of-N, whose episodes may be slow; None takes as many as `tasks`."""
    attempts: int = 1
    """Tries at each task of the rows `seed` and `final`: 2 adds pass@2."""
    equal: str = "episodes"
    """What best-of-N has as much of as the evolution had: `episodes` or `tokens`."""
    only: tuple[str, ...] = tuple(BASELINES)
    minutes: float | None = None
    """After so many minutes no further row is begun, and none before that would end later at the pace of the seed harness; None sets no
    limit."""

    def check(self) -> None:
        """Check the settings.

        Raises:
            ControlError: one is not possible.
        """
        for name in self.only:
            if name not in BASELINES:
                raise ControlError(f"no row is called {name!r}{did_you_mean(name, BASELINES)}; there are {', '.join(BASELINES)}")
        if self.equal not in ("episodes", "tokens"):
            raise ControlError(f"best-of-N can be equal in episodes or tokens, not in {self.equal!r}")
        if self.attempts < 1:
            raise ControlError(f"attempts is {self.attempts}; it must be at least 1")


@dataclass(frozen=True)
class _Row:
    """One line of the table, to be played."""

    key: str
    label: str
    spec: HarnessSpec
    policy: str
    attempts: int = 1
    tasks: int | None = None
    left_out: tuple[str, ...] = ()
    """Ids of the edits that are missing."""


def play_controls(
    run_dir: UserPath,
    plan: Plan,
    *,
    workers: int = 1,
    concurrency: int = 1,
    timeout_s: float | None = None,
    data_dir: UserPath | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Play the rows that are not in the run's store yet, and read all of them.

    Args:
        run_dir: a run that has ended.
        plan: which rows, on what.
        workers: number of worker processes; the result does not depend on it.
        concurrency: episodes in flight at a time, where the model is on a server; likewise.
        timeout_s: seconds to wait for an answer of a server; None: see `homebody.agents.models.names.load`.
        data_dir: where the files of the environment lie now, if elsewhere than in the run.
        told: told after each episode.

    Returns:
        `run` (`env`, `about` where the environment says what is played, `model`, `split`, `max_steps`, `episodes`, `tokens`, ...); `rows`,
        each with `row`, `label`, `n`, `errors`, `attempts`, `success`, `ci95`, `pass_at_k` where there were more attempts, `reward_mean`,
        `success_strict` and `ci95_strict` where the evaluation has them, `steps_mean`, who decided, tokens, hashes, and `gain` over the
        seed; those of `TWINNED` with `twins`, `best_twin` and `model_value`, as `evaluation` has them; `skipped`
        (row -> why); `gain`, `gain_at_k` and `attribution` as `homebody.evolution.reports.attribution` has them; `audit` (findings).

    Raises:
        ControlError: the plan names what there is not.
        EpisodesFailedError: errors ended all episodes of a row.
        RunError: there is no run, or it has not ended.
    """
    plan.check()
    told = told or (lambda row, done, total, what: None)
    lineage = read_lineage(run_dir, data_dir)
    lineage = replace(lineage, config=replace(lineage.config, concurrency=concurrency, timeout_s=timeout_s))
    rollout = lineage.config.rollout
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    ends = time.monotonic() + 60 * plan.minutes if plan.minutes is not None else math.inf
    # What may take as long as the evolution itself comes last.
    for key in sorted((key for key in BASELINES if key in plan.only), key=lambda key: key in SLOW):
        if reason := _reason_to_skip(key, lineage, rollout):
            skipped[key] = reason
            continue
        late = f"the {plan.minutes or 0:g} minutes did not suffice; homebody controls RUN_DIR --only {key} plays it"
        if time.monotonic() + _needed_s(key, lineage, plan, workers) > ends:
            skipped[key] = late
            continue
        for row in _rows(key, lineage, plan, rollout, workers, told, skipped):
            if time.monotonic() + (_needed_s(row.key, lineage, plan, workers) if row.key != key else 0.0) > ends:
                skipped[row.key] = late
                continue
            rows.append(_play(row, lineage, rollout, plan, workers, told))
    rows.sort(key=lambda row: list(BASELINES).index(row["row"].partition(" ")[0]))
    result = {
        "run": {
            "env": rollout.env_id,
            "env_args": rollout.env_args,
            "about": _told_by_env(rollout, "about", ""),
            "model": rollout.policy,
            "split": plan.split,
            "max_steps": rollout.max_steps,
            "episodes": lineage.end["episodes"],
            "tokens": lineage.end["tokens"],
            "edits": [edit.label for edit in lineage.edits],
            "final_hash": lineage.end["final_hash"],
        },
        "rows": with_gains(rows),
        "skipped": skipped,
        **summarize_rows(rows, [edit.id for edit in lineage.edits]),
        "audit": [finding.to_json() for finding in audit(run_dir, data_dir)],
    }
    with Store(run_dir, readonly=True) as store:
        known = store.events("controls")
    if digest(result) != digest(known[-1] if known else None):
        with Store(run_dir) as store:
            store.append("controls", result)
    return result


def _reason_to_skip(key: str, lineage: Lineage, rollout: RolloutConfig) -> str:
    """Say why a row makes no sense for this run; nothing if it does."""
    if key == "ablation" and not lineage.edits:
        return "no edit was shipped"
    if key == "incremental" and len(lineage.edits) < 2:
        return "no harness lies between the seed and the final one"
    if key.startswith("no-memory") and not any(lineage.replayed.id_of(use) for use in LEARNED_MEMORIES):
        return f"the final harness has no learned memory of places ({', '.join(LEARNED_MEMORIES)})"
    if key in ("matcher", "scripted", "expert"):
        env = rollout.make_env()
        try:
            if not callable(getattr(env.unwrapped, MODEL_FREE[key].asks, None)):
                return f"the environment has no {'reader of goals' if key == 'matcher' else key}"
        finally:
            env.close()
    return ""


def _needed_s(key: str, lineage: Lineage, plan: Plan, workers: int) -> float:
    """Return the seconds that a row may take at the pace of the seed harness; 0 for one that is in the store or whose harness is quicker.

    A harness without one of its edits may be as slow as the seed. The pace is the mean time in the model of the run's own episodes.
    """
    if key not in SLOW and not key.startswith("ablation "):
        return 0.0
    with Store(lineage.run_dir, readonly=True) as store:
        if key in {item["asked"]["row"] for item in store.events("control")}:
            return 0.0
    config = lineage.config
    n = len(list_tasks(config.env_id, plan.split, plan.seed_tasks if key in SLOW and plan.seed_tasks else plan.tasks, **config.env_kwargs))
    if key == "best-of-n":
        n *= _equal_attempts(lineage, plan)[0]
    elif key == "random-edits":
        n += int(lineage.end["episodes"])
    return n * _mean_of_seed(lineage, "seconds") / max(workers, config.concurrency)


def _told_by_env(rollout: RolloutConfig, name: str, otherwise: str) -> str:
    """Return a text that the environment may have about itself."""
    env = rollout.make_env()
    try:
        return str(getattr(env.unwrapped, name, otherwise))
    finally:
        env.close()


def _rows(key: str, lineage: Lineage, plan: Plan, rollout: RolloutConfig, workers: int, told: Told, skipped: dict[str, str]) -> list[_Row]:
    """Return what there is to play under a key; the two evolutions that are controls run here."""
    model, label = lineage.config.model, BASELINES[key]
    slow = plan.seed_tasks or plan.tasks
    if key in TWINNED:
        spec, tasks = (lineage.seed, slow) if key == "seed" else (lineage.final, plan.tasks)
        name = label.partition(",")[0]
        twins = [_Row(f"{key} {twin}", f"{name}, twin {twin}", spec, twin, 1, tasks) for twin in TWINS]
        return [_Row(key, label, spec, model, plan.attempts, tasks), *twins]
    if key == "scripted":
        return [_Row(key, _told_by_env(rollout, "online_label", label), lineage.final, key, 1, plan.tasks)]
    if key in ("matcher", "expert"):
        return [_Row(key, label, lineage.final, key, 1, plan.tasks)]
    if key in ("noop", "random-edits"):
        spec, spent = _control_evolution(lineage, "noop" if key == "noop" else "random", workers, told)
        return [_Row(key, f"{label} ({spent})", spec, model, 1, slow)]
    if key in ("no-memory", "no-memory-random"):
        policy = model if key == "no-memory" else "random"
        return [_Row(key, label, _forget(lineage.final), policy, 1, plan.tasks)]
    if key == "best-of-n":
        attempts, much = _equal_attempts(lineage, plan)
        label = f"seed harness, best of {attempts} attempts, chosen by an oracle; {much} {plan.equal} as the evolution"
        return [_Row(key, label, lineage.seed, model, attempts, slow)]
    if key == "incremental":
        return [_Row(f"incremental {edit.id}", f"after {edit.label}", edit.after, model, 1, plan.tasks) for edit in lineage.edits[:-1]]
    found = []
    for ablation in leave_one_out(lineage):
        if ablation.spec is None:
            skipped[f"ablation {ablation.edit.id}"] = f"{ablation.label}: {ablation.problem}"
            continue
        out = tuple(edit.id for edit in ablation.left_out)
        found.append(_Row(f"ablation {ablation.edit.id}", ablation.label, ablation.spec, model, 1, plan.tasks, out))
    return found


def _forget(spec: HarnessSpec) -> HarnessSpec:
    """Return a harness without its learned memories."""
    for name, item in spec.components.items():
        spec = spec.without(name) if item["use"] in LEARNED_MEMORIES else spec
    return spec


def _equal_attempts(lineage: Lineage, plan: Plan) -> tuple[int, str]:
    """Return the attempts a task that give best-of-N what the evolution had, 2 to `MOST_ATTEMPTS`, and whether these are as many."""
    config = lineage.config
    n = len(list_tasks(config.env_id, plan.split, plan.seed_tasks or plan.tasks, **config.env_kwargs))
    if plan.equal == "episodes":
        share = float(lineage.end["episodes"]) / n
    else:
        one = _mean_of_seed(lineage, "prompt_tokens", "generated_tokens")
        share = float(lineage.end["tokens"]) / (n * one) if one else 0.0
    attempts = min(MOST_ATTEMPTS, max(2, math.ceil(share)))
    return attempts, "at least as many" if attempts >= share else "fewer"


def _mean_of_seed(lineage: Lineage, *counters: str) -> float:
    """Return the mean of what these counters of the run's episodes of the seed harness add up to."""
    with Store(lineage.run_dir, readonly=True) as store:
        records = [record for record in store.episodes().values() if record["behaviour_hash"] == lineage.seed.behaviour_hash]
    found = [record["usage"] for record in records if record["policy"] not in MODEL_FREE or record["policy"] == lineage.config.model]
    return sum(float(usage.get(name, 0)) for usage in found for name in counters) / len(found) if found else 0.0


def _control_evolution(lineage: Lineage, proposer: str, workers: int, told: Told) -> tuple[HarnessSpec, str]:
    """Evolve from the same seed with a proposer that is a control, on the run's budget; return its final harness and what it did."""
    folder = lineage.run_dir / "controls" / proposer
    budget = int(lineage.end["episodes"])
    config = replace(
        lineage.config,
        proposer=proposer,
        proposer_model=None,
        budget_episodes=budget,
        budget_tokens=None,
        budget_minutes=None,
        rounds=lineage.config.rounds if proposer == "noop" else ROUNDS_OF_CONTROL,
        patience=lineage.config.patience if proposer == "noop" else ROUNDS_OF_CONTROL,
    )
    if (known := _ended(folder, budget)) is not None:
        return known
    _lend_episodes(lineage.run_dir, folder)
    # A seed that came from a file may have gone; the log still has it.
    write_file(folder / "seed.json", lineage.seed.dumps())
    key = "noop" if proposer == "noop" else "random-edits"

    def tell(kind: str, data: Mapping[str, Any]) -> None:
        if kind == "play" and "task" in data:
            told(key, int(data["done"]), int(data["total"]), str(data["what"]))

    config = replace(config, harness=str(folder / "seed.json"))
    evolve(config, folder, workers=workers, resume=holds(folder, "start"), progress=tell)
    known = _ended(folder, budget)
    assert known is not None
    return known


def _ended(folder: Path, budget: int) -> tuple[HarnessSpec, str] | None:
    """Return the final harness of a control evolution and what it did; None if it has not ended on this budget."""
    if not holds(folder, "end"):
        return None
    with Store(folder, readonly=True) as store:
        start, end = store.events("start")[-1], store.events("end")[-1]
    if start["budget_episodes"] != budget:
        return None
    shipped = sum(bool(item["shipped"]) for item in end["rounds"])
    return HarnessSpec.load(folder / "final.json"), f"{end['episodes']} of {budget} episodes, {shipped} edits shipped"


def _lend_episodes(run_dir: Path, folder: Path) -> None:
    """Copy the run's episodes into the store of a control: they are found by their content, so what is equal is not played twice."""
    with Store(run_dir, readonly=True) as store:
        episodes = store.episodes()
    with Store(folder) as store:
        known = store.episodes()
        for key, record in episodes.items():
            if key not in known:
                store.add_episode(key, EpisodeRecord.from_json(record))


def _play(row: _Row, lineage: Lineage, rollout: RolloutConfig, plan: Plan, workers: int, told: Told) -> dict[str, Any]:
    """Play a row, or find it in the run's store."""
    twins = row.key in TWINNED
    asked = {
        "row": row.key,
        "split": plan.split,
        "tasks": row.tasks,
        "attempts": row.attempts,
        "policy": row.policy,
        "behaviour_hash": row.spec.behaviour_hash,
        "max_steps": rollout.max_steps,
        **({"twins": True} if twins else {}),
    }
    with Store(lineage.run_dir, readonly=True) as store:
        known = [item for item in store.events("control") if item["asked"] == asked]
    if known:
        return {**known[-1]["found"], "label": row.label}
    # The seed of the episodes is the run's, so that what the evolution has played of the split is not played again.
    result = evaluate(
        replace(rollout, policy=row.policy),
        row.spec,
        plan.split,
        tasks=row.tasks,
        attempts=row.attempts,
        seed=lineage.config.seed,
        workers=workers,
        run_dir=lineage.run_dir,
        twins=twins,
        on_record=lambda done, total, record: told(row.key, done, total, said_of(record)),
    )
    if not result["n"]:
        errors = {episode["task_id"]: episode["error"] for episode in result["episodes"] if episode["error"]}
        raise EpisodesFailedError(f"row {row.key}", errors, "mend the cause and run it again: what was played is kept")
    found = {"row": row.key, "label": row.label, **{key: result[key] for key in KEPT if key in result}, **_outcomes(row, result)}
    if row.key == "best-of-n":
        found = {key: value for key, value in found.items() if key not in GRADES}  # they are the first attempts'
    if row.key.startswith("ablation"):
        found |= {"left_out": list(row.left_out)}
    if not result["errors"]:  # else the next call plays again what errors ended
        with Store(lineage.run_dir) as store:
            store.append("control", {"asked": asked, "found": found})
    return found


KEPT = (
    "n", "errors", "success", "ci95", "pass_at_k", "steps_mean", "invalid_actions", "prompt_tokens", "cached_tokens", "generated_tokens",
    "policy", "behaviour_hash", "trace_hash", "wall_s", "model_share", "model_share_won", "unreadable", "cut", "repaired", "retried",
    "decided_by",
    "twins", "best_twin", "model_value", "model_value_why", "twins_s", *GRADES,
)  # fmt: skip
"""What a row keeps of its evaluation."""


def _outcomes(row: _Row, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcome by task, and the figures that change where the best of several attempts counts.

    An attempt that an error ended has no outcome, and a task has none whose attempts errors ended all.
    """
    played = [episode for episode in result["episodes"] if not episode["error"]]
    first = {episode["task_id"]: episode["won"] for episode in played if not episode["attempt"]}
    won: dict[str, bool] = {}
    for episode in played:
        won[episode["task_id"]] = won.get(episode["task_id"], False) or episode["won"]
    if row.key != "best-of-n":
        return {"attempts": row.attempts, "won": first, "won_any": won}
    return {"attempts": row.attempts, "won": won, **success_rate(won.values()).to_json(), "errors": result["errors"]}
