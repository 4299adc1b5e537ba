"""The loop: play training tasks, digest, propose, pass the gate, ship; and again.

Deterministic given its configuration. Everything that was played is in the store under its content, so a killed run that is started
again plays only what is missing and ends with the same harness.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from homebody.agents.episode import EpisodeRecord
from homebody.agents.errors import AgentError
from homebody.agents.patch import PatchError
from homebody.agents.rollout import Job, Rollouts, Stage
from homebody.agents.spec import HarnessSpec, digest
from homebody.envs import TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.evolution.digest import digest_episode, landscape
from homebody.evolution.gate import RACE, Verdict, compare, hopeless
from homebody.evolution.learn import Lessons, learn
from homebody.evolution.propose import PROPOSERS, Candidate, Evidence
from homebody.evolution.stats import wilson
from homebody.evolution.store import RunError, Store, episode_key

EXPLORED_TASKS = 600
"""Most training tasks that exploration plays."""

Progress = Callable[[str, Mapping[str, Any]], None]
"""Called with what happens: `explore`, `round`, `play`, `series`, `candidate`, `verdict`, `ship`. The store keeps it as `progress`."""


class ConfigError(AgentError):
    """A setting of an evolution that cannot be used."""


@dataclass(frozen=True)
class EvolveConfig:
    """What fixes a run. All of it is in the store, and a resumed run must have the same."""

    env_id: str
    model: str
    """Model name or path, or a decider without a model."""
    harness: str
    """Name or path of the seed harness."""
    proposer: str = "rules"
    """Key of `PROPOSERS`."""
    rounds: int = 6
    """Most rounds."""
    candidates: int = 2
    """Candidates a round."""
    train_tasks: int = 24
    """Training tasks whose traces the proposer reads, a round."""
    validation_tasks: int = 40
    """Validation tasks on which the gate compares."""
    max_steps: int = 15
    exploration_steps: int = 200_000
    """Environment steps of model-free exploration of training tasks; 0 turns it off."""
    budget_episodes: int | None = None
    """Most model episodes; None sets no limit."""
    patience: int = 3
    """Rounds without a shipped edit after which the run ends."""
    seed: int = 0
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    gpu_layers: int = 0

    def check(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a setting is out of range.
        """
        for name in ("rounds", "candidates", "train_tasks", "validation_tasks", "max_steps", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.exploration_steps < 0:
            raise ConfigError(f"exploration_steps is {self.exploration_steps}; it must be at least 0 (0 turns exploration off)")
        if self.proposer not in PROPOSERS:
            raise ConfigError(f"no proposer is called {self.proposer!r}; there are {', '.join(sorted(PROPOSERS))}")


class TaskError(AgentError):
    """A task that cannot be loaded. It is bad input, no failure of the harness, so no edit is judged by it."""


class BudgetSpentError(AgentError):
    """The episode budget ran out; the run ends with what was shipped so far."""


def evolve(
    config: EvolveConfig, run_dir: str | Path, *, workers: int = 1, resume: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Evolve a harness on training tasks, gated on validation tasks. No test task is read.

    Args:
        config: what to run.
        run_dir: where to keep it.
        workers: number of worker processes; the result does not depend on it.
        resume: go on with the run in `run_dir`, or start it if there is none.
        progress: told what happens.

    Returns:
        The result as DESIGN describes it for `homebody evolve --json`; the final harness is also in `run_dir/final.json`.

    Raises:
        AgentError, EnvError: something in the configuration cannot be used; nothing was run.
        RunError: the directory holds another run, or is in use.
    """
    config.check()
    seed_spec = HarnessSpec.load(config.harness)
    train = list_tasks(config.env_id, "train", None, **config.env_kwargs)
    validation = list_tasks(config.env_id, "validation", None, **config.env_kwargs)[: config.validation_tasks]
    stage = Stage(config.env_id, config.model, config.max_steps, config.env_kwargs, config.gpu_layers)
    # The decider first: where there is no such model, no run directory is made.
    with Rollouts(stage, workers) as rollouts, Store(run_dir) as store:
        _claim(store, {**asdict(config), "seed_hash": seed_spec.behaviour_hash, "decider": rollouts.decider.fingerprint}, resume)
        return _Evolution(config, store, rollouts, train, validation, progress or (lambda kind, data: None)).run(seed_spec)


def _claim(store: Store, start: dict[str, Any], resume: bool) -> None:
    known = store.events("start")
    if not known:
        store.append("start", start)
        return
    if not resume:
        raise RunError(f"{store.run_dir} already holds a run; add --resume to go on with it, or choose another --run-dir")
    differing = sorted(key for key in start if digest(known[0].get(key)) != digest(start[key]))
    if differing:
        was = ", ".join(f"{key} was {known[0].get(key)!r} and is {start[key]!r}" for key in differing)
        raise RunError(f"{store.run_dir} holds a run with other settings ({was}); give the same, or choose another --run-dir")


class _Evolution:
    """One run at work."""

    def __init__(
        self,
        config: EvolveConfig,
        store: Store,
        rollouts: Rollouts,
        train: Sequence[TaskSpec],
        validation: Sequence[TaskSpec],
        progress: Progress,
    ) -> None:
        self.config, self.store, self.rollouts, self.progress = config, store, rollouts, progress
        self.explored, self.train, self.validation = train[:EXPLORED_TASKS], train[: config.train_tasks], validation
        self.keys: set[str] = set()
        """Episodes that this run asked for, played now or earlier: what the budget counts."""
        self.tokens = 0

    def run(self, seed_spec: HarnessSpec) -> dict[str, Any]:
        started = time.monotonic()
        self.store.append("progress", ["begin", {}])
        lessons = self._lessons()
        spec, tried, rounds, idle = seed_spec, {seed_spec.behaviour_hash}, [], 0
        for number in range(1, self.config.rounds + 1):
            try:
                report, shipped, spec = self._round(number, spec, lessons, tried)
            except BudgetSpentError:
                break
            rounds.append(report)
            if len(self.store.events("round")) < number:
                self.store.append("round", report)
            idle = 0 if shipped else idle + 1
            if idle >= self.config.patience or not report["candidates"]:
                break
        final = self._finish(spec, seed_spec, rounds, lessons)
        path = self.store.run_dir / "final.json"
        path.write_text(final.dumps(), "utf-8")
        result = {
            "seed_hash": seed_spec.behaviour_hash,
            "final_hash": final.behaviour_hash,
            "final_harness": str(path),
            "rounds": rounds,
            "episodes": len(self.keys),
            "exploration_steps": lessons.steps,
            "tokens": self.tokens,
            "wall_s": round(time.monotonic() - started, 1),
        }
        self.store.append("end", result)
        return result

    def _round(
        self, number: int, spec: HarnessSpec, lessons: Lessons, tried: set[str]
    ) -> tuple[dict[str, Any], Candidate | None, HarnessSpec]:
        self._tell("round", {"round": number, "behaviour_hash": spec.behaviour_hash})
        training = self._play(spec, self.train, f"round {number}", "training")
        before = self._play(spec, self.validation, f"round {number}", "validation")
        digests = [digest_episode(record) for record in training]
        propose = PROPOSERS[self.config.proposer]
        candidates = propose(spec, Evidence(number, digests, lessons, frozenset(tried), self.config.seed), self.config.candidates)
        judged: list[tuple[Candidate, Verdict, HarnessSpec]] = []
        for candidate in candidates:
            self._tell("candidate", {key: value for key, value in candidate.to_json().items() if key != "patch"})
            to_beat = max((item[1].wins - item[1].losses for item in judged if item[1].accepted), default=0)
            verdict, edited = self._gate(spec, candidate, before, tried, to_beat)
            self._tell("verdict", {"id": candidate.id, **asdict(verdict)})
            judged.append((candidate, verdict, edited))
        passed = [item for item in judged if item[1].accepted]
        # Of equals the first proposed: those after it were dropped once they could no more than draw level.
        best = max(passed, key=lambda item: item[1].wins - item[1].losses, default=None)
        report = {
            "round": number,
            "behaviour_hash": spec.behaviour_hash,
            "train": rate(training),
            "validation": rate(before),
            "failures": {category: len(tasks) for category, tasks in landscape(digests).items()},
            "candidates": [
                {
                    "id": candidate.id,
                    "dimension": candidate.dimension,
                    "patch": candidate.patch,
                    "manifest": candidate.manifest,
                    "verdict": "accepted" if verdict.accepted else "rejected",
                    "reason": verdict.reason,
                    "wins": verdict.wins,
                    "losses": verdict.losses,
                }
                for candidate, verdict, _ in judged
            ],
            "shipped": best[0].id if best else None,
        }
        if best:
            self._tell("ship", {"id": best[0].id, "lever": best[0].manifest["lever"], "reason": best[1].reason})
        return report, best[0] if best else None, best[2] if best else spec

    def _gate(
        self, spec: HarnessSpec, candidate: Candidate, before: Sequence[EpisodeRecord], tried: set[str], to_beat: int
    ) -> tuple[Verdict, HarnessSpec]:
        """Judge a candidate; returns the verdict and the edited harness."""
        try:
            edited = spec.patch(candidate.patch)
        except PatchError as error:
            return Verdict(False, f"build: {error}"), spec
        behaviour = edited.behaviour_hash
        if behaviour in tried:
            return Verdict(False, "novelty: this behaviour was tried before"), spec
        tried.add(behaviour)
        (smoke,) = self._play(edited, self.train[:1], candidate.id, "smoke run")
        if smoke.error or smoke.failures:
            failure = smoke.error or smoke.failures[0]
            return Verdict(False, f"smoke run: {failure['kind']} at {failure['boundary']}: {failure['message']}"), spec
        after: list[EpisodeRecord] = []
        while len(after) < len(before):
            upcoming = self.validation[len(after) : len(after) + RACE]
            after += self._play(edited, upcoming, candidate.id, "validation", len(after), len(before))
            if len(after) < len(before) and (reason := hopeless(before, after, to_beat)):
                return Verdict(False, reason), edited
        return compare(before, after, candidate.manifest["attribution_signature"]), edited

    def _play(
        self, spec: HarnessSpec, tasks: Sequence[TaskSpec], who: str, part: str, done: int = 0, total: int = 0
    ) -> list[EpisodeRecord]:
        """Return the episodes of these tasks, from the store where they were played before.

        `who` (a round or a candidate) and `part` name the series for those who watch; `done` and `total` place these tasks in it.
        """
        keys = [self._key(spec, task) for task in tasks]
        limit = self.config.budget_episodes
        if limit is not None and len(self.keys | set(keys)) > limit:
            raise BudgetSpentError(f"{limit} episodes are spent")
        known = {key: self.store.episode(key) for key in keys}
        missing = [(key, task) for key, task in zip(keys, tasks, strict=True) if known[key] is None]
        done, total = done + len(tasks) - len(missing), total or len(tasks)
        series = {"what": f"{who}: {part}", "who": who, "part": part, "total": total}
        self._tell("play", {**series, "done": done})
        jobs = [Job(spec, task, self.config.seed) for _, task in missing]
        for number, ((key, _), played) in enumerate(zip(missing, self.rollouts.play(jobs), strict=True), 1):
            if played.error and played.error["boundary"] == "reset":
                raise TaskError(f"task {played.task_id} cannot be loaded: {played.error['kind']}: {played.error['message']}")
            self.store.add_episode(key, played)
            known[key] = played
            self._tell("play", {**series, "done": done + number, "task": played.task_id, "won": played.won, "tokens": _tokens(played)})
        records = [record for key in keys if (record := known[key]) is not None]
        episodes = {record.task_id: [key, record.won] for key, record in zip(keys, records, strict=True)}
        self._tell("series", {**series, "behaviour_hash": spec.behaviour_hash, "episodes": episodes})
        for key, record in zip(keys, records, strict=True):
            if key not in self.keys:
                self.keys.add(key)
                self.tokens += _tokens(record)
        return records

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell those who watch: in this process through `progress`, in others through the store."""
        self.store.append("progress", [kind, data])
        self.progress(kind, data)

    def _key(self, spec: HarnessSpec, task: TaskSpec) -> str:
        fingerprint, stage = self.rollouts.decider.fingerprint, self.rollouts.stage
        return episode_key(spec.behaviour_hash, task, fingerprint, stage.max_steps, self.config.seed, env_args=stage.env_args)

    def _lessons(self) -> Lessons:
        """Return what exploration teaches, from the store if it was done before; controls that use no lessons do not explore."""
        known = self.store.events("lessons")
        if known:
            return Lessons.from_json(known[0])
        if self.config.proposer != "rules" or not self.config.exploration_steps:
            return Lessons()
        self._tell("explore", {"steps": self.config.exploration_steps, "tasks": len(self.explored)})
        env = self.rollouts.stage.make_env()
        lessons = learn(env, self.explored, self.config.exploration_steps, self.config.seed)
        env.close()
        self.store.append("lessons", lessons.to_json())
        return lessons

    def _finish(self, spec: HarnessSpec, seed_spec: HarnessSpec, rounds: Sequence[Mapping[str, Any]], lessons: Lessons) -> HarnessSpec:
        """Give the final harness its name and say where it comes from; its behaviour stays."""
        if spec.behaviour_hash == seed_spec.behaviour_hash:
            return seed_spec
        config, model = self.config, self.rollouts.decider
        described = f"Evolved from {seed_spec.name} on {config.env_id} with {model.name}, {config.max_steps} steps a task."
        shipped = [edit["manifest"]["lever"] for item in rounds for edit in item["candidates"] if edit["id"] == item["shipped"]]
        origin = {
            "seed_harness": seed_spec.name,
            "seed_hash": seed_spec.behaviour_hash,
            "env": config.env_id,
            "model": dict(model.fingerprint),
            "proposer": config.proposer,
            "edits": shipped,
            "train_tasks": config.train_tasks,
            "validation_tasks": config.validation_tasks,
            "max_steps": config.max_steps,
            "explored_tasks": len(lessons.tasks),
            "exploration_steps": lessons.steps,
            "seed": config.seed,
        }
        return HarnessSpec.from_json({**spec.document, "name": f"{seed_spec.name}-evolved", "description": described, "origin": origin})


def _tokens(record: EpisodeRecord) -> int:
    return int(record.usage.get("prompt_tokens", 0) + record.usage.get("generated_tokens", 0))


def rate(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """Return the success of some episodes: `n`, `success` (a fraction) and `ci95` (Wilson)."""
    won = sum(record.won for record in records)
    return {"n": len(records), "success": won / len(records), "ci95": list(wilson(won, len(records)))}
