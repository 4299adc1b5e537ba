"""The twins of a harness on some tasks, and what a model is worth beside the best of them.

A twin plays the same harness on the same tasks with the same seed, and asks no model. Which twin is the best is
chosen on validation tasks. A model's worth is its success minus that twin's, on the tasks that both played;
what the model won beyond the twin without deciding a step is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import MODEL_FREE, TWINS
from homebody.agents.policy import Policy
from homebody.agents.record import BY_MODEL, Decisions, EpisodeRecord, decisions
from homebody.agents.rollout import Job, Rollouts
from homebody.envs import TaskSpec
from homebody.evolution.gate.episodes import OnRecord, describe_error, play_once
from homebody.evolution.gate.stats import paired_bound, paired_gain, sign_test, success_rate
from homebody.evolution.store import Store
from homebody.evolution.stored import StoredTwins, StoredWorth


@dataclass(frozen=True)
class Twins:
    """What the four twins did on some tasks."""

    episodes: Mapping[str, Mapping[str, EpisodeRecord]]
    """Episodes by their key, by twin; in the order of `homebody.agents.model_free.TWINS` and of the tasks."""
    seconds: float
    """Wall time that it took."""

    @property
    def success(self) -> dict[str, float | None]:
        """Success of each twin, in [0, 1]; None where errors ended all of its episodes."""
        return {name: success_rate(record.outcome for record in episodes.values()).success for name, episodes in self.episodes.items()}

    @cached_property
    def best(self) -> str:
        """Name of the twin with the highest success; of equals the first in the order of `TWINS`."""
        success = self.success
        return max(success, key=lambda name: -1.0 if (share := success[name]) is None else share)

    def won(self, name: str) -> dict[str, bool]:
        """Return the outcome of a twin's episodes by task; those that an error ended have none."""
        return {record.task_id: record.won for record in self.episodes[name].values() if record.outcome is not None}

    def counted(self, model: Sequence[EpisodeRecord], best: str) -> list[bool | None]:
        """Return the outcomes of a model's episodes as they count beside a twin's; None where an error ended one.

        A win in which the model decided no step is none of the model's, and counts only where the twin won too.
        What repairs unreadable replies, or waits for them, acts beside a model and not beside a twin,
        whose answers can always be read.

        Args:
            model: the model's episodes, first attempts, one a task.
            best: the twin.
        """
        alone = self.won(best)
        return [record.outcome and (_is_decided(record) or alone.get(record.task_id, False)) for record in model]

    def fault(self, model: Sequence[EpisodeRecord] = ()) -> str:
        """Return why these twins are no measure, in a clause; empty where they are one.

        An error in a twin voids it, and so does a processor that fails for the twin alone: the harness then did
        less without the model than it can.

        Args:
            model: the model's episodes of the tasks, one a task. Where an error ended one, its task is not compared.
                Tasks without an episode of the model are judged by errors alone.
        """
        by_task = {record.task_id: record for record in model} if self._flawed else {}
        for name, record in self._flawed:
            beside = by_task.get(record.task_id)
            if beside is not None and beside.error is not None:
                continue
            if record.error is not None:
                return f"twin {name} failed at task {record.task_id}: {describe_error(record.error)}"
            known = {(failure["boundary"], failure["kind"]) for failure in beside.failures} if beside else set()
            for failure in record.failures if beside else ():
                if (failure["boundary"], failure["kind"]) not in known:
                    return f"a processor failed for twin {name} alone, at task {record.task_id}: {describe_error(failure)}"
        return ""

    @cached_property
    def _flawed(self) -> list[tuple[str, EpisodeRecord]]:
        """The episodes in which something failed, with their twins."""
        every = ((name, record) for name, episodes in self.episodes.items() for record in episodes.values())
        return [(name, record) for name, record in every if record.error is not None or record.failures]


@dataclass(frozen=True)
class Beside:
    """The twins of a harness and of an edited one on the same tasks: what an edit brings without the model."""

    before: Twins
    after: Twins

    def gain(self, tasks: Sequence[str]) -> int:
        """Return how many more of these tasks the best twin of the edited harness wins than that of the other.

        Each harness has the best twin of its own, chosen on all tasks that its twins played.
        """
        was, now = (twins.won(twins.best) for twins in (self.before, self.after))
        return sum(now.get(task, False) - was.get(task, False) for task in tasks)

    def fault(self, before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord]) -> str:
        """Return why these twins are no measure, in a clause; empty where they are one; see `Twins.fault`."""
        return self.before.fault(before) or self.after.fault(after)


@dataclass(frozen=True)
class ModelValue:
    """Success with the model minus success of the best twin on the same tasks: fractions, paired by task."""

    n: int
    """Tasks that both played to their end."""
    points: float | None
    """The difference, in [-1, 1]; None where there is no measure."""
    ci95: tuple[float, float] | None
    """Its 95% interval, tasks resampled."""
    lower90: float | None
    """Its one-sided lower bound: the value is above it with 90% confidence."""
    why: str = ""
    """Why there is no measure, in a clause; empty where there is one."""
    undecided: int = 0
    """Wins beyond the twin's in which the model decided no step: they count as the twin's defeat does."""

    @property
    def is_positive(self) -> bool:
        """Whether it is above 0 with 90% confidence."""
        return self.lower90 is not None and self.lower90 > 0

    def to_json(self) -> StoredTwins:
        """Return what results hold: `model_value`, None without a measure, and then `model_value_why`."""
        if self.points is None or self.ci95 is None:
            return {"model_value": None, "model_value_why": self.why}
        undecided: StoredWorth = {"undecided": self.undecided} if self.undecided else {}
        return {"model_value": {"points": self.points, "ci95": list(self.ci95), "lower90": self.lower90, "n": self.n, **undecided}}


def play_twins(
    rollouts: Rollouts,
    spec: HarnessSpec,
    tasks: Sequence[TaskSpec],
    seed: int = 0,
    *,
    store: Store | None = None,
    on_record: OnRecord | None = None,
    names: Iterable[str] = tuple(TWINS),
) -> Twins:
    """Play the four twins of a harness, first attempts only, on the workers of a run.

    Args:
        rollouts: of the run; its own policy is not asked.
        spec: the harness.
        tasks: what to play.
        seed: of the model's episodes, which makes theirs a pair of them.
        store: where episodes are kept; those that are there are not played.
        on_record: told after each episode that is played.
        names: of the twins; `homebody.agents.mask.MASKED` has the same ones in a model's clothes.
    """
    started = time.monotonic()
    played = play_once(rollouts, [Job(spec, task, seed, policy=name) for name in names for task in tasks], store, on_record)
    pairs = list(played.items())
    by_twin = {name: dict(pairs[n * len(tasks) : (n + 1) * len(tasks)]) for n, name in enumerate(names)}
    return Twins(by_twin, time.monotonic() - started)


def model_value(model: Sequence[EpisodeRecord], twins: Twins, best: str) -> ModelValue:
    """Return what the model is worth; `Twins.counted` says which of its wins count.

    Args:
        model: its episodes, first attempts, one a task.
        twins: of the same harness on the same tasks, with the same seed.
        best: the twin to compare with, chosen on validation tasks.
    """
    alone = twins.won(best)
    counted = zip(model, twins.counted(model, best), strict=True)
    pairs = [(alone[record.task_id], record.won, won) for record, won in counted if won is not None and record.task_id in alone]
    if fault := twins.fault(model):
        return no_value(fault, len(pairs))
    if not pairs:
        return no_value("errors left no task that model and twin both played")
    before = [was for was, _, _ in pairs]
    after = [won for _, _, won in pairs]
    points, low, high = paired_gain(before, after)
    undecided = sum(won for _, won, _ in pairs) - sum(after)
    return ModelValue(len(pairs), points, (low, high), paired_bound(before, after), undecided=undecided)


@dataclass(frozen=True)
class MaskTest:
    """The best of the twins in a model's clothes beside the best twin of the same harness, on the same tasks."""

    best: str
    success: float | None
    won: int
    """Tasks that it alone solves."""
    lost: int
    """Tasks that the twin alone solves."""
    p: float
    """Chance of as many wins or more where clothes make no difference. A small one says that the harness plays worse where it sees no
    model."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data, as results hold it."""
        return asdict(self)


def unmask(twins: Twins, masked: Twins) -> MaskTest:
    """Compare the best twin of a harness with the best of those in a model's clothes, which are on the same tasks."""
    plain, dressed = twins.won(twins.best), masked.won(masked.best)
    pairs = [(plain[task], won) for task, won in dressed.items() if task in plain]
    won, lost = (sum(pair == flip for pair in pairs) for flip in ((False, True), (True, False)))
    return MaskTest(masked.best, masked.success[masked.best], won, lost, sign_test(won, lost))


@dataclass(frozen=True)
class TwinResult:
    """What results say of a model beside its twins."""

    value: ModelValue
    success: Mapping[str, float | None] | None = None
    """Success of each twin; None where no twin was played."""
    best: str = ""

    def to_json(self) -> StoredTwins:
        """Return `twins` and `best_twin` where twins were played, and what `ModelValue.to_json` returns."""
        twins: StoredTwins = {} if self.success is None else {"twins": dict(self.success), "best_twin": self.best}
        return {**twins, **self.value.to_json()}


def beside(model: Sequence[EpisodeRecord], policy: Policy, chosen_on: Twins, twins: Twins) -> TwinResult:
    """Return a model's value beside its twins.

    Args:
        model: its episodes, first attempts, one a task.
        policy: who played them.
        chosen_on: the twins on validation tasks.
        twins: the twins on the tasks of the episodes; the same where these are validation tasks.
    """
    if not policy.has_model:
        value = no_value(f"{policy.name} is no model")
    elif twins is not chosen_on and (fault := chosen_on.fault()):
        value = no_value(f"on validation, {fault}")
    else:
        value = model_value(model, twins, chosen_on.best)
    return TwinResult(value, twins.success, chosen_on.best)


def who_decided(records: Sequence[EpisodeRecord]) -> Decisions:
    """Return who decided in the episodes of one policy; shares are None without a model."""
    found = decisions(records)
    return replace(found, model_share=None, model_share_won=None) if records[0].policy in MODEL_FREE else found


def no_value(why: str, n: int = 0) -> ModelValue:
    """Return that there is no measure of a model, and why, in a clause."""
    return ModelValue(n, None, None, None, why)


def _is_decided(record: EpisodeRecord) -> bool:
    """Tell whether the model decided any step of an episode."""
    return any(step.decided_by in BY_MODEL for step in record.moves)
