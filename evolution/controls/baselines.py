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

from homebody.agents.content_hash import digest
from homebody.agents.harness.patch import apply
from homebody.agents.harness.spec import HOLD_PATCHES, HarnessSpec
from homebody.agents.model_free import MODEL_FREE, TWINS
from homebody.agents.processors.base import find
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs.file import UserPath, write_file
from homebody.evolution.controls.ablation import leave_one_out
from homebody.evolution.controls.audit import audit
from homebody.evolution.controls.cost import equal_attempts, needed_s
from homebody.evolution.controls.evaluation import evaluate, outcome_of
from homebody.evolution.controls.rows import BASELINES, OPTIONAL, SLOW, TWINNED, Plan
from homebody.evolution.gate.player import EpisodesFailedError
from homebody.evolution.gate.stats import success_rate
from homebody.evolution.loop import evolve
from homebody.evolution.reports.attribution import PlayedRow, summarize_rows
from homebody.evolution.reports.lineage import Lineage, read_lineage
from homebody.evolution.reports.summary import GRADES
from homebody.evolution.store import Store, holds, reads_run

SKILLS = "homebody.agents.skills."
"""The package of the processors that hold what demonstrations taught: plans, memory of places, values of pages."""
ROUNDS_OF_CONTROL = 50
"""Most rounds of the random evolution: its budget ends it before."""
OnEpisode = Callable[[str, int, int, str], None]
"""Called with a row's key, the episodes done, those of the row, and how the last one ended."""


@dataclass(frozen=True)
class Row:
    """A row of the table, to be played: which harness, who decides, on how many tasks."""

    key: str
    label: str
    spec: HarnessSpec
    policy: str
    attempts: int = 1
    tasks: int | None = None
    """The first so many of the split; None takes all."""
    left_out: tuple[str, ...] | None = None
    """Of an ablation: ids of the edits that are missing."""

    @property
    def has_twins(self) -> bool:
        """Whether it stands beside its twins."""
        return self.key in TWINNED

    @property
    def is_best_of(self) -> bool:
        """Whether the best of its attempts counts, and not the first."""
        return self.key == "best-of-n"

    def asked(self, split: str, max_steps: int) -> dict[str, Any]:
        """Return what it is known by in a run's store, as JSON-ready data."""
        return {
            "row": self.key,
            "split": split,
            "tasks": self.tasks,
            "attempts": self.attempts,
            "policy": self.policy,
            "behaviour_hash": self.spec.behaviour_hash,
            "max_steps": max_steps,
            **({"twins": True} if self.has_twins else {}),
        }

    def read(self, result: Mapping[str, Any]) -> PlayedRow:
        """Return the row as it was played.

        An attempt that an error ended has no outcome, and a task has none whose attempts errors ended all.

        Args:
            result: its evaluation, as `homebody evaluate --json` has it.
        """
        played = [episode for episode in result["episodes"] if not episode["error"]]
        first = {episode["task_id"]: episode["won"] for episode in played if not episode["attempt"]}
        won_any: dict[str, bool] = {}
        for episode in played:
            won_any[episode["task_id"]] = won_any.get(episode["task_id"], False) or episode["won"]
        figures = {key: result[key] for key in KEPT if key in result}
        if not self.is_best_of:
            return PlayedRow(self.key, self.label, first, self.attempts, won_any, figures, self.left_out)
        first_attempts = {key: value for key, value in figures.items() if key not in GRADES}
        best = success_rate(won_any.values()).to_json()
        figures = {**first_attempts, **best, "errors": result["errors"]}
        return PlayedRow(self.key, self.label, won_any, self.attempts, None, figures, self.left_out)


@reads_run
def play_controls(
    run_dir: UserPath,
    plan: Plan,
    *,
    workers: int = 1,
    concurrency: int = 1,
    timeout_s: float | None = None,
    data_dir: UserPath | None = None,
    on_episode: OnEpisode | None = None,
) -> dict[str, Any]:
    """Play the rows that are not in the run's store yet, and read all of them.

    Args:
        run_dir: a run that has ended.
        plan: which rows, on what.
        workers: number of worker processes; the result does not depend on it.
        concurrency: episodes in flight at a time, where the model is on a server; likewise.
        timeout_s: seconds to wait for an answer of a server; None: see `homebody.agents.models.names.load`.
        data_dir: where the files of the environment lie now, if elsewhere than in the run.
        on_episode: called after each episode.

    Returns:
        `run` (`env`, `about` where the environment says what is played, `model`, `split`, `max_steps`, `episodes`, `tokens`, ...); `rows`,
        each with `row`, `label`, `n`, `errors`, `attempts`, `success`, `ci95`, `pass_at_k` where there were more attempts, `reward_mean`,
        `success_strict` and `ci95_strict` where the evaluation has them, `steps_mean`, who decided, tokens, hashes, and `gain` over the
        seed; those of `TWINNED` with `twins`, `best_twin` and `model_value`, as `evaluation` has them; `skipped`
        (row -> why); `gain`, `gain_at_k` and `attribution` as `homebody.evolution.reports.attribution` has them; `outcomes` of those of
        `TWINNED`, as `PlayedRow.outcomes` returns them; `audit` (findings).

    Raises:
        ControlError: the plan names what there is not.
        EpisodesFailedError: errors ended all episodes of a row.
        RunError: there is no run, or it has not ended.
    """
    plan.check()
    lineage = read_lineage(run_dir, data_dir)
    lineage = replace(lineage, config=replace(lineage.config, concurrency=concurrency, timeout_s=timeout_s))
    controls = _Controls(lineage, plan, workers, on_episode or (lambda row, done, total, what: None))
    rows = sorted(controls.play(), key=lambda row: list(BASELINES).index(row.key.partition(" ")[0]))
    seed = next((row for row in rows if row.key == "seed"), None)
    rollout = lineage.config.rollout
    result = {
        "run": {
            "env": rollout.env_id,
            "env_args": rollout.env_args,
            "about": _text_of_env(rollout, "about", ""),
            "model": rollout.policy,
            "split": plan.split,
            "max_steps": rollout.max_steps,
            "episodes": lineage.end["episodes"],
            "tokens": lineage.end["tokens"],
            "edits": [edit.label for edit in lineage.edits],
            "final_hash": lineage.end["final_hash"],
            **({"harness_of": lineage.harness_of} if lineage.harness_of else {}),
        },
        "rows": [row.in_table(seed) for row in rows],
        "skipped": controls.skipped,
        **summarize_rows(rows, [edit.id for edit in lineage.edits]),
        "outcomes": {row.key: row.outcomes() for row in rows if row.key in TWINNED},
        "audit": [finding.to_json() for finding in audit(run_dir, data_dir)],
    }
    with Store(run_dir, readonly=True) as store:
        known = store.events("controls")
    if digest(result) != digest(known[-1] if known else None):
        with Store(run_dir) as store:
            store.append("controls", result)
    return result


class _Controls:
    """Plays the rows of one plan.

    Args:
        lineage: the run.
        plan: which rows, on what.
        workers: number of worker processes.
        on_episode: called after each episode.
    """

    def __init__(self, lineage: Lineage, plan: Plan, workers: int, on_episode: OnEpisode) -> None:
        self.lineage, self.plan, self.workers, self.on_episode = lineage, plan, workers, on_episode
        self.rollout = lineage.config.rollout
        self.skipped: dict[str, str] = {}
        """Why a row was not played, by key."""

    def play(self) -> list[PlayedRow]:
        """Play the rows, those that may take as long as the evolution itself last."""
        plan, found = self.plan, []
        ends = time.monotonic() + 60 * plan.minutes if plan.minutes is not None else math.inf
        for key in sorted((key for key in BASELINES if key in plan.only), key=lambda key: key in SLOW):
            if reason := self._reason_to_skip(key):
                self.skipped[key] = reason
                continue
            late = f"the {plan.minutes or 0:g} minutes did not suffice; homebody controls RUN_DIR --only {key}{plan.settings()} plays it"
            if self._is_late(key, ends, key):
                self.skipped[key] = late
                continue
            for row in self._rows(key):
                if row.key != key and self._is_late(key, ends, row.key):
                    self.skipped[row.key] = late
                    continue
                found.append(self._play(row))
        return found

    def _is_late(self, key: str, ends: float, row: str) -> bool:
        """Tell whether a row under a key of `OPTIONAL` would end too late."""
        return key in OPTIONAL and time.monotonic() + needed_s(row, self.lineage, self.plan, self.workers) > ends

    def _reason_to_skip(self, key: str) -> str:
        """Return why a row makes no sense for this run; nothing if it does."""
        edits = self.lineage.edits
        if self.lineage.harness_of and key in (*SLOW, "noop", "ablation", "incremental"):
            return f"nothing was evolved here: the harness evolved for {self.lineage.harness_of}"
        if key == "ablation" and not edits:
            return "no edit was shipped"
        if key == "incremental" and len(edits) < 2:
            return "no harness lies between the seed and the final one"
        if key == "no-skills" and not skills(self.lineage.replayed):
            return "the final harness has no skill"
        if key == "peak" and self.lineage.config.protocol != "published":
            return "the held-out protocol takes the final harness, never the best round"
        if key in ("matcher", "scripted", "expert"):
            env = self.rollout.make_env()
            try:
                if not callable(getattr(env.unwrapped, MODEL_FREE[key].asks, None)):
                    return f"the environment has no {'reader of goals' if key == 'matcher' else key}"
            finally:
                env.close()
        return ""

    def _rows(self, key: str) -> list[Row]:
        """Return what there is to play under a key; the two evolutions that are controls run here."""
        lineage, plan, label = self.lineage, self.plan, BASELINES[key]
        model, slow = lineage.config.model, plan.seed_tasks or plan.tasks
        if key in TWINNED:
            # A final harness that is the seed is as slow, and has played all that the seed has.
            is_seed = key == "seed" or lineage.final.behaviour_hash == lineage.seed.behaviour_hash
            spec, tasks = (lineage.seed if key == "seed" else lineage.final), (slow if is_seed else plan.tasks)
            if key == "peak":
                spec, which = self._peak()
                label = f"{label}: {which}"
            name = label.partition(",")[0]
            twins = [Row(f"{key} {twin}", f"{name}, twin {twin}", spec, twin, 1, tasks) for twin in TWINS]
            return [Row(key, label, spec, model, plan.attempts, tasks), *twins]
        if key == "scripted":
            return [Row(key, _text_of_env(self.rollout, "online_label", label), lineage.final, key, 1, plan.tasks)]
        if key in ("matcher", "expert"):
            return [Row(key, label, lineage.final, key, 1, plan.tasks)]
        if key in ("noop", "random-edits"):
            spec, spent = self._control_evolution(key)
            return [Row(key, f"{label} ({spent})", spec, model, 1, slow)]
        if key == "no-skills":
            return [Row(key, label, without_skills(lineage.final), model, 1, plan.tasks)]
        if key == "best-of-n":
            attempts, much = equal_attempts(lineage, plan)
            label = f"seed harness, best of {attempts} attempts, chosen by an oracle; {much} {plan.equal} as the evolution"
            return [Row(key, label, lineage.seed, model, attempts, slow)]
        if key == "incremental":
            attempts = plan.attempts if lineage.config.protocol == "published" else 1
            return [
                Row(f"incremental {edit.id}", f"after {edit.label}", edit.after, model, attempts, plan.tasks) for edit in lineage.edits[:-1]
            ]
        found = []
        for ablation in leave_one_out(lineage):
            if ablation.spec is None:
                self.skipped[f"ablation {ablation.edit.id}"] = f"{ablation.label}: {ablation.problem}"
                continue
            out = tuple(edit.id for edit in ablation.left_out)
            found.append(Row(f"ablation {ablation.edit.id}", ablation.label, ablation.spec, model, 1, plan.tasks, out))
        return found

    def _peak(self) -> tuple[HarnessSpec, str]:
        """Return the harness of the best round and what it is: most tasks solved in any attempt; of equals the first."""
        edits, tasks, attempts = self.lineage.edits, self.plan.tasks, self.plan.attempts
        harnesses = [(self.lineage.seed, "the seed harness"), *((edit.after, f"after {edit.label}") for edit in edits)]
        keys = ["seed", *(f"incremental {edit.id}" for edit in edits[:-1]), *(["final"] if edits else [])]
        played = [
            self._play(Row(key, which, spec, self.lineage.config.model, attempts, tasks))
            for key, (spec, which) in zip(keys, harnesses, strict=True)
        ]
        return harnesses[max(range(len(played)), key=lambda number: (sum((played[number].won_any or {}).values()), -number))]

    def _play(self, row: Row) -> PlayedRow:
        """Play a row, or find it in the run's store."""
        run_dir = self.lineage.run_dir
        asked = row.asked(self.plan.split, self.rollout.max_steps)
        with Store(run_dir, readonly=True) as store:
            known = [item["found"] for item in store.events("control") if item["asked"] == asked]
        if known:
            return PlayedRow.from_json(known[-1], row.label)
        # The seed of the episodes is the run's, so that what the evolution has played of the split is not played again.
        result = evaluate(
            replace(self.rollout, policy=row.policy),
            row.spec,
            self.plan.split,
            tasks=row.tasks,
            attempts=row.attempts,
            seed=self.lineage.config.seed,
            workers=self.workers,
            run_dir=run_dir,
            twins=row.has_twins,
            on_record=lambda done, total, record: self.on_episode(row.key, done, total, outcome_of(record)),
        )
        if not result["n"]:
            errors = {episode["task_id"]: episode["error"] for episode in result["episodes"] if episode["error"]}
            raise EpisodesFailedError(f"row {row.key}", errors, "mend the cause and run it again: what was played is kept")
        found = row.read(result)
        if not result["errors"]:  # else the next call plays again what errors ended
            with Store(run_dir) as store:
                store.append("control", {"asked": asked, "found": found.to_json()})
        return found

    def _control_evolution(self, key: str) -> tuple[HarnessSpec, str]:
        """Evolve from the same seed with a proposer that is a control, on the run's budget; return its final harness and what it did."""
        lineage, is_noop = self.lineage, key == "noop"
        proposer = "noop" if is_noop else "random"
        folder, budget = lineage.run_dir / "controls" / proposer, int(lineage.end["episodes"])
        if (known := _ended(folder, budget)) is not None:
            return known
        _lend_episodes(lineage.run_dir, folder)
        # A seed that came from a file may have gone; the log still has it.
        write_file(folder / "seed.json", lineage.seed.dumps())
        config = replace(
            lineage.config,
            harness=str(folder / "seed.json"),
            proposer=proposer,
            proposer_model=None,
            budget_episodes=budget,
            budget_tokens=None,
            budget_minutes=None,
            rounds=lineage.config.rounds if is_noop else ROUNDS_OF_CONTROL,
            patience=lineage.config.patience if is_noop else ROUNDS_OF_CONTROL,
        )

        def tell(kind: str, data: Mapping[str, Any]) -> None:
            if kind == "play" and "task" in data:
                self.on_episode(key, int(data["done"]), int(data["total"]), str(data["what"]))

        evolve(config, folder, workers=self.workers, resume=holds(folder, "start"), progress=tell)
        known = _ended(folder, budget)
        assert known is not None
        return known


def _text_of_env(rollout: RolloutConfig, name: str, otherwise: str) -> str:
    """Return a text that the environment may have about itself."""
    env = rollout.make_env()
    try:
        return str(getattr(env.unwrapped, name, otherwise))
    finally:
        env.close()


def skills(spec: HarnessSpec) -> list[str]:
    """Return the ids of a harness's components, those of its adaptations and variants included, that hold what demonstrations taught."""
    documents = [spec.document, *(apply(spec.document, item["patch"]) for key in HOLD_PATCHES for item in spec.document.get(key, ()))]
    held = {name: item["use"] for document in documents for name, item in document["components"].items()}
    return [name for name, use in held.items() if find(use).__module__.startswith(SKILLS)]


def without_skills(spec: HarnessSpec) -> HarnessSpec:
    """Return a harness without its skills: prompts, examples, tools, memory as text and decoding alone."""
    for name in skills(spec):
        spec = spec.without(name)
    return spec


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


KEPT = (
    "n", "errors", "success", "ci95", "pass_at_k", "steps_mean", "invalid_actions", "prompt_tokens", "cached_tokens", "generated_tokens",
    "policy", "behaviour_hash", "trace_hash", "wall_s", "model_share", "model_share_won", "unreadable", "cut", "repaired", "retried",
    "decided_by",
    "twins", "best_twin", "model_value", "model_value_why", "twins_s", *GRADES,
)  # fmt: skip
"""What a row keeps of its evaluation."""
