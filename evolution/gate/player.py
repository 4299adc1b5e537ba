"""Episodes for a run: each from the store where it was played before, within the budgets, and counted.

Which episodes are asked for, in which order, decides where an episode or token budget ends a run; who plays them, and in which process
before or after a kill, does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homebody.agents.errors import AgentError, FailedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import TWINS
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, Rollouts
from homebody.envs import TaskSpec
from homebody.evolution.config import EvolveConfig
from homebody.evolution.gate.episodes import describe_error, job_key, take_or_play
from homebody.evolution.gate.twins import Twins, play_twins
from homebody.evolution.store import Store

Progress = Callable[[str, Mapping[str, Any]], None]
"""Called with what happens: `explore`, `estimate`, `round`, `play`, `series`, `worth`, `candidate`, `verdict`, `ship`.
The store keeps it as `progress`."""
COUNTERS = ("prompt_tokens", "cached_tokens", "generated_tokens")


class TaskError(AgentError):
    """A task that cannot be loaded. It is bad input, no failure of the harness, so no edit is judged by it."""


class EpisodesFailedError(FailedError):
    """Errors ended every episode of a harness, so that nothing can be said of it.

    Args:
        what: the episodes were played for, as `round 1, training`.
        errors: what ended them, as `EpisodeRecord.error` has it, by task.
        remedy: what to do.
    """

    def __init__(self, what: str, errors: Mapping[str, Mapping[str, str]], remedy: str) -> None:
        task, first = next(iter(errors.items()))
        many = f"all {len(errors)} episodes" if len(errors) > 1 else "the episode"
        super().__init__(f"{what}: errors ended {many}; the first, {task}: {describe_error(first)}; {remedy}")


class EndOfRunError(AgentError):
    """The run ends here with what was shipped so far.

    Attributes:
        why: `episodes`, `tokens` or `minutes` (the budget that is spent), or `approval` (the person at the gate said stop).
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the run ends: {why}")
        self.why = why


@dataclass
class Saved:
    """Episodes that a run asked for, and those that it did not need to."""

    asked: int = 0
    """Asked for, as often as they were."""
    stopped_early: int = 0
    """Of validation runs that were broken off, because their candidate could no longer be shipped."""
    refused: int = 0
    """Of candidates that fell before their rollouts."""


class Player:
    """Plays the episodes of one run.

    An episode that an error ended is played once more, and the second one counts: what ended the first may have passed, and what comes
    twice is no accident of a server. Such an episode is not kept, so a resumed run plays it again.

    Args:
        config: of the run.
        store: where episodes are kept.
        rollouts: who plays.
        progress: told what happens.
    """

    def __init__(self, config: EvolveConfig, store: Store, rollouts: Rollouts, progress: Progress) -> None:
        self.config, self.store, self.rollouts, self._progress = config, store, rollouts, progress
        self.keys: set[str] = set()
        """Episodes that this run asked for, played now or earlier: what the budget counts."""
        self.errors: set[str] = set()
        """Those of them that errors ended, twice."""
        self.usage = dict.fromkeys(COUNTERS, 0)
        """Tokens of those episodes, and of the proposer."""
        self.saved = Saved()
        self.twins_s = 0.0
        """Seconds that twins took in this process."""
        self._twins: dict[tuple[str, str, str], EpisodeRecord] = {}
        for item in store.events("twins"):
            self._keep_twins(item["behaviour_hash"], map(EpisodeRecord.from_json, item["episodes"]))
        self._before_s = store.working_s()
        self._started = time.monotonic()

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens so far."""
        return self.usage["prompt_tokens"] + self.usage["generated_tokens"]

    @property
    def wall_s(self) -> float:
        """Seconds that the run was worked on, those before a resume included."""
        return self._before_s + time.monotonic() - self._started

    def savings(self) -> dict[str, int]:
        """Return how many episodes it would have taken to play everything, every candidate on every task and every round anew.

        Returns:
            `everything` = `played` + `cached` (asked for again) + `stopped_early` + `refused` (see `Saved`).
        """
        saved, played = self.saved, len(self.keys)
        found = {"played": played, "cached": saved.asked - played, "stopped_early": saved.stopped_early, "refused": saved.refused}
        return {"everything": sum(found.values()), **found}

    def add_usage(self, usage: Mapping[str, float]) -> None:
        """Count tokens."""
        for name in COUNTERS:
            self.usage[name] += int(usage.get(name, 0))

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell those who watch: in this process through `progress`, in others through the store."""
        self.store.append("progress", [kind, data])
        self._progress(kind, data)

    def play(
        self, spec: HarnessSpec, tasks: Sequence[TaskSpec], who: str, part: str, *, done: int = 0, total: int = 0, repeat: int = 0
    ) -> list[EpisodeRecord]:
        """Return the episodes of these tasks.

        Args:
            spec: the harness.
            tasks: what to play.
            who: a round or a candidate; names the series, with `part`, for those who watch.
            part: what the episodes are for.
            done: tasks of the series that came before these.
            total: tasks of the whole series; 0 for these alone.
            repeat: 1 plays episodes anew that were played before.

        Raises:
            EndOfRunError: a budget is spent.
            TaskError: a task cannot be loaded.
            ModelLostError: the model does not answer any more.
        """
        jobs = {job_key(self.rollouts, job, repeat): job for job in (Job(spec, task, self.config.seed) for task in tasks)}
        limit = self.config.budget_episodes
        if limit is not None and len(self.keys | jobs.keys()) > limit:
            raise EndOfRunError("episodes")
        known = {key: record for key in jobs if (record := self.store.episode(key)) is not None}
        done, total = done + len(known), total or len(tasks)
        series = {"what": f"{who}: {part}", "who": who, "part": part, "total": total}
        self.tell("play", {**series, "done": done})
        episodes = take_or_play(self.rollouts, jobs, known, self.store, tries=2)
        records: dict[str, EpisodeRecord] = {}
        for key in jobs:
            self._check_budget(key)
            if key not in known:
                self._check_time()
            records[key] = record = next(episodes)
            if key not in known:
                if record.error and record.error["boundary"] == "reset":
                    raise TaskError(f"task {record.task_id} cannot be loaded: {record.error['kind']}: {record.error['message']}")
                done += 1
                told = {"done": done, "task": record.task_id, "won": record.outcome, "tokens": _tokens(record)}
                self.tell("play", {**series, **told})
            self.saved.asked += 1
            if record.error is not None:
                self.errors.add(key)
            if key not in self.keys:
                self.keys.add(key)
                self.add_usage(record.usage)
        outcomes = {record.task_id: [key, record.outcome] for key, record in records.items()}
        self.tell("series", {**series, "behaviour_hash": spec.behaviour_hash, "episodes": outcomes})
        return list(records.values())

    def play_twins(self, spec: HarnessSpec, tasks: Sequence[TaskSpec], names: Iterable[str] = tuple(TWINS)) -> Twins:
        """Return the twins of a harness on these tasks. They cost no tokens and count for no budget.

        Of their episodes the outcomes are kept, without steps, so that they are played once. One that an error ended is played once more,
        as `play` does.
        """
        started, name = time.monotonic(), spec.behaviour_hash
        for _ in range(2):
            missing = [task for task in tasks if any(self._is_missing(name, twin, task) for twin in names)]
            if not missing:
                break
            found = play_twins(self.rollouts, spec, missing, self.config.seed, names=names)
            records = [_outline(record) for episodes in found.episodes.values() for record in episodes.values()]
            self._keep_twins(name, records)
            kept = [record.to_json() for record in records if record.error is None]
            self.store.append("twins", {"behaviour_hash": name, "episodes": kept})
        played = {twin: {task.task_id: self._twins[name, twin, task.task_id] for task in tasks} for twin in names}
        seconds = time.monotonic() - started
        self.twins_s += seconds
        return Twins(played, seconds)

    def _is_missing(self, behaviour_hash: str, twin: str, task: TaskSpec) -> bool:
        record = self._twins.get((behaviour_hash, twin, task.task_id))
        return record is None or record.error is not None

    def _keep_twins(self, behaviour_hash: str, records: Iterable[EpisodeRecord]) -> None:
        for record in records:
            self._twins[behaviour_hash, record.policy, record.task_id] = record

    def known(self, spec: HarnessSpec, tasks: Sequence[TaskSpec]) -> list[EpisodeRecord]:
        """Return those episodes of these tasks that were played."""
        found = (self.store.episode(job_key(self.rollouts, Job(spec, task, self.config.seed))) for task in tasks)
        return [record for record in found if record is not None]

    def _check_budget(self, key: str) -> None:
        limit = self.config.budget_tokens
        if limit is not None and key not in self.keys and self.tokens >= limit:
            raise EndOfRunError("tokens")

    def _check_time(self) -> None:
        limit = self.config.budget_minutes
        if limit is not None and self.wall_s >= 60 * limit:
            raise EndOfRunError("minutes")


def _outline(record: EpisodeRecord) -> EpisodeRecord:
    """Return what is kept of a twin's episode: how it ended, and what failed in it."""
    return replace(record, opening="", trace=(), activations={}, changed=[], notes={}, adaptations=[], usage={})


def _tokens(record: EpisodeRecord) -> int:
    return int(record.usage.get("prompt_tokens", 0) + record.usage.get("generated_tokens", 0))
