"""One round: play training tasks, digest, survey, propose, judge, ship. Each artefact is an event of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.mask import MASKED
from homebody.agents.record import Decisions, EpisodeRecord
from homebody.envs import TaskSpec
from homebody.evolution.config import ConfigError
from homebody.evolution.evidence.digest import Digest, digest_episode
from homebody.evolution.evidence.landscape import survey
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.gate.candidate_evaluation import CandidateEvaluation, Gate
from homebody.evolution.gate.checked import CheckedCandidate
from homebody.evolution.gate.player import EndOfRunError, EpisodesFailedError, Player
from homebody.evolution.gate.proposal import Proposals
from homebody.evolution.gate.rule import Verdict, choose_mode, differing
from homebody.evolution.gate.stats import Success, success_rate
from homebody.evolution.gate.twins import MaskTest, TwinResult, beside, no_value, unmask, who_decided
from homebody.evolution.proposers import Evidence
from homebody.evolution.stored import StoredOutcome, StoredRound, StoredValidation

FEW = 5
"""Failing tasks, fewer than which neither tell what to mend nor let a gain show: a set of tasks with so few is enlarged."""
ANSWERS = ("ship", "reject", "stop")
Approve = Callable[[CheckedCandidate, Verdict], str]
"""A person at the gate: asked before a candidate that passed is shipped, answers with one of `ANSWERS`. `stop` ends the run there; it is
asked again when the run is resumed."""


@dataclass(frozen=True)
class ValidationResult:
    """What a harness does on validation tasks."""

    validation: Success
    decisions: Decisions
    """Who decided."""
    twins: TwinResult
    """What the model is worth there."""

    def to_json(self) -> StoredValidation:
        """Return JSON-ready data, as results hold it."""
        return {"validation": self.validation.to_json(), **self.decisions.to_json(), **self.twins.to_json()}


@dataclass(frozen=True)
class Outcome:
    """What a harness of a run does on the validation tasks that it played, at last."""

    behaviour_hash: str
    result: ValidationResult

    def to_json(self) -> StoredOutcome:
        """Return JSON-ready data, as results hold it."""
        return {"behaviour_hash": self.behaviour_hash, **self.result.to_json()}


@dataclass(frozen=True)
class Retired:
    """A variant that the harness lost."""

    name: str
    reason: str


@dataclass(frozen=True)
class RoundReport:
    """What a round did."""

    round: int
    """From 1."""
    behaviour_hash: str
    """Of the harness that it began with."""
    train: Success
    result: ValidationResult
    """Of the harness that it began with."""
    failures: Mapping[str, int]
    """Failing training tasks by category. Errors are no defeats: `train` counts them."""
    candidates: tuple[CandidateEvaluation, ...]
    """In the order in which they were judged."""
    shipped: str | None
    """Id of the candidate that was shipped."""
    variants: tuple[str, ...]
    """Names of the variants of the harness that it ended with."""
    retired: tuple[Retired, ...]

    @property
    def operator(self) -> str:
        """The edit operator that was shipped; empty where none was."""
        return next((one.candidate.manifest.operator for one in self.candidates if one.candidate.id == self.shipped), "")

    def to_json(self) -> StoredRound:
        """Return JSON-ready data, as the store and the result of a run hold it."""
        content = {
            "round": self.round,
            "behaviour_hash": self.behaviour_hash,
            "train": self.train.to_json(),
            **self.result.to_json(),
            "failures": dict(self.failures),
            "candidates": [one.to_json() for one in self.candidates],
            "shipped": self.shipped,
            "variants": list(self.variants),
            "retired": [{"name": one.name, "reason": one.reason} for one in self.retired],
        }
        return cast(StoredRound, content)


class Rounds:
    """The rounds of one run.

    Args:
        player: plays the episodes.
        proposals: who proposes.
        train: all training tasks; the first of them are played, as many as the settings say.
        validation: all validation tasks, likewise.
        statistics: what exploration taught.
        seed_spec: the seed harness.
        approve: the person at the gate, if there is one.
    """

    def __init__(
        self,
        player: Player,
        proposals: Proposals,
        train: Sequence[TaskSpec],
        validation: Sequence[TaskSpec],
        statistics: TrainingStatistics,
        seed_spec: HarnessSpec,
        approve: Approve | None,
    ) -> None:
        self.player, self.proposals = player, proposals
        self._all_train, self._all_validation = train, validation
        self.train, self.validation = train[: player.config.train_tasks], validation[: player.config.validation_tasks]
        """Training tasks whose traces are read, and validation tasks of the gate, in the present round."""
        self.statistics, self.approve = statistics, approve
        self.mode = ""
        """The gate's mode; chosen in the first round."""
        self.reports: list[RoundReport] = []
        self.shipped: list[HarnessSpec] = []
        """The harness after each edit that was shipped."""
        self._tried = {seed_spec.behaviour_hash, seed_spec.without_variants().behaviour_hash}
        self._unclear: set[str] = set()
        """What was tried and refused without the loss of a task: more tasks may show a gain."""
        self._courses: dict[str, tuple[str, ...]] = {}

    def play(self, spec: HarnessSpec) -> HarnessSpec:
        """Play the next round, add its report to `reports`, and return the harness that the round after it starts from.

        Raises:
            EndOfRunError: a budget is spent before a candidate was accepted, or the person at the gate said stop; the round leaves no
                report. Once one was accepted, the round is decided among those that were judged, also when the run is gone on with.
        """
        number, config, store = len(self.reports) + 1, self.player.config, self.player.store
        self.player.tell("round", {"round": number, "behaviour_hash": spec.behaviour_hash})
        if self.reports and not self.reports[-1].shipped and self.reports[-1].result.validation.success:
            self._enlarge()
        training = self._play_enough(spec, self.train, self._all_train, config.train_tasks, number, "training")
        before = self._play_enough(spec, self.validation, self._all_validation, config.validation_tasks, number, "validation")
        self.train, self.validation = self._all_train[: len(training)], self._all_validation[: len(before)]
        self.mode = self.mode or self._choose_mode(spec, before)
        result = self.measure(spec, before)
        self.player.tell("worth", {"round": number, **result.to_json()})
        digests = self._digest(training)
        landscape = survey(digests, [report.to_json() for report in self.reports])
        store.append_once("digests", {"round": number, "digests": [item.to_json() for item in digests]}, "round")
        store.append_once("landscape", {"round": number, **landscape.to_json()}, "round")
        evidence = Evidence(
            number,
            digests,
            landscape,
            self.statistics,
            frozenset(self._tried),
            config.seed,
            self.proposals.backend,
            episodes=training,
            objective=config.objective or "success",
            has_model=self.player.rollouts.policy.has_model,
        )
        twins = self.player.play_twins(spec, self.validation) if config.objective == "model" else None
        gate = Gate(self.player, spec, self.train, self.validation, training, before, self._tried, self.mode, twins)
        decided = next((item for item in store.events("round") if item["round"] == number), None)
        for candidate, critique in self.proposals.gather(spec.without_variants(), evidence):
            if decided is not None and candidate.id not in {one["id"] for one in decided["candidates"]}:
                break
            if not critique.accepted and not candidate.problem:
                gate.reject(candidate, critique.objections)
                continue
            tried = set(self._tried)
            try:
                judged = gate.judge(candidate)
                if config.isolation == "variants":
                    gate.fork(judged)
            except EndOfRunError:
                if not any(one.verdict.accepted for one in gate.evaluations):
                    raise
                self._tried.intersection_update(tried)  # What was not judged to the end may come again.
                break
        for one in gate.evaluations:
            if one.edited is not None and not one.verdict.accepted and not one.verdict.lost:
                self._unclear |= {one.edited.behaviour_hash, one.edited.without_variants().behaviour_hash}
        best = self._choose(number, gate.evaluations)
        shipped, retired = self._ship(spec, best) if best else (spec, [])
        report = RoundReport(
            round=number,
            behaviour_hash=spec.behaviour_hash,
            train=success_rate(record.outcome for record in training),
            result=result,
            failures={category: len(tasks) for category, tasks in landscape.failures.items() if category != "error"},
            candidates=tuple(replace(one, patch=spec.diff(shipped)) if retired and one is best else one for one in gate.evaluations),
            shipped=best.candidate.id if best else None,
            variants=tuple(variant["name"] for variant in shipped.variants),
            retired=tuple(retired),
        )
        self.reports.append(report)
        self.shipped += [shipped] if best else []
        store.append_once("round", report.to_json(), "round")
        return shipped

    def measure(self, spec: HarnessSpec, records: Sequence[EpisodeRecord]) -> ValidationResult:
        """Return how well a harness does on validation tasks, who decided, and what the model is worth there.

        Args:
            spec: the harness.
            records: its episodes, one a task.
        """
        policy = self.player.rollouts.policy
        success, decisions = success_rate(record.outcome for record in records), who_decided(records)
        if not policy.has_model:
            return ValidationResult(success, decisions, TwinResult(no_value(f"{policy.name} is no model")))
        played = {record.task_id for record in records}
        twins = self.player.play_twins(spec, [task for task in self._all_validation if task.task_id in played])
        return ValidationResult(success, decisions, beside(records, policy, twins, twins))

    def outcome(self, spec: HarnessSpec) -> Outcome | None:
        """Return what a harness of this run does on the validation tasks that it played, at last; None where it played none."""
        records = self.player.known(spec, self.validation)
        return Outcome(spec.behaviour_hash, self.measure(spec, records)) if records else None

    def unmask(self, spec: HarnessSpec) -> MaskTest | None:
        """Return whether a harness plays worse where it sees no model, see `homebody.evolution.gate.twins.unmask`; None without a model."""
        records = self.player.known(spec, self.validation)
        if not self.player.rollouts.policy.has_model or not records:
            return None
        played = {record.task_id for record in records}
        tasks = [task for task in self.validation if task.task_id in played]
        return unmask(self.player.play_twins(spec, tasks), self.player.play_twins(spec, tasks, tuple(MASKED)))

    def choose(self) -> tuple[int, list[Outcome | None]]:
        """Choose the final harness.

        Where the objective is the model, it is the last shipped one whose `model_value` on validation tasks is above 0 with 90% confidence,
        and without such a one the seed; else the last one shipped.

        Returns:
            How many shipped edits it has, and what `outcome` returns of the harness after each.
        """
        outcomes = [self.outcome(spec) for spec in self.shipped]
        if self.player.config.objective == "success":
            return len(outcomes), outcomes
        return max((n for n, found in enumerate(outcomes, 1) if found and found.result.twins.value.is_positive), default=0), outcomes

    def _enlarge(self) -> None:
        """Double both sets, after a round that shipped nothing: more failures to read, and tasks enough for a smaller gain to show.

        Not while the harness solves nothing at all: what mends that shows on few tasks, and such a harness is the slowest to play.
        """
        before = len(self.validation)
        self.train = self._all_train[: self._room(2 * len(self.train), self._all_train, self.player.config.train_tasks)]
        self.validation = self._all_validation[: self._room(2 * before, self._all_validation, self.player.config.validation_tasks)]
        if len(self.validation) > before:
            self._tried -= self._unclear
            self._unclear.clear()

    def _room(self, wanted: int, pool: Sequence[TaskSpec], at_first: int) -> int:
        """Return how many tasks a set may have that wants so many."""
        return min(wanted, len(pool), at_first * self.player.config.growth)

    def _play_enough(
        self, spec: HarnessSpec, tasks: Sequence[TaskSpec], pool: Sequence[TaskSpec], at_first: int, number: int, part: str
    ) -> list[EpisodeRecord]:
        """Play the tasks, and more of the pool while too few of them fail: a seed is slow and fails much, later harnesses are neither.

        Raises:
            EpisodesFailedError: an error ended every one of them.
        """
        who = f"round {number}"
        records = self.player.play(spec, tasks, who, part)
        if len(errors := {record.task_id: record.error for record in records if record.error is not None}) == len(records):
            raise EpisodesFailedError(f"{who}, {part}", errors, "mend the cause and go on with evolve --resume")
        while (
            sum(record.outcome is False for record in records) < FEW
            and len(records) < (total := self._room(2 * len(records), pool, at_first))
        ):  # fmt: skip
            done = len(records)
            records += self.player.play(spec, pool[done:total], who, part, done=done, total=total)
        return records

    def _choose_mode(self, spec: HarnessSpec, before: Sequence[EpisodeRecord]) -> str:
        """Return the gate's mode: as set, or as an A/A run says."""
        config = self.player.config
        if config.gate != "auto":
            return config.gate
        first = before[: config.noise_tasks]
        again = self.player.play(spec, self.validation[: len(first)], "round 1", "noise", repeat=1)
        mode = choose_mode(first, again)
        # An episode that an error ended has no outcome to change.
        flips = sum({old.outcome, new.outcome} == {True, False} for old, new in zip(first, again, strict=True))
        found = {"n": len(first), "flips": flips, "differing": differing(first, again), "mode": mode}
        self.player.store.append_once("noise", found)
        return mode

    def _digest(self, records: Sequence[EpisodeRecord]) -> list[Digest]:
        most, naming = self.player.config.max_steps, self.statistics.naming
        digests = [digest_episode(record, self._courses.get(record.task_id, ()), most, naming) for record in records]
        self._courses = {digest.task_id: (*digest.history, digest.category) for digest in digests}
        return digests

    def _choose(self, number: int, evaluations: Sequence[CandidateEvaluation]) -> CandidateEvaluation | None:
        """Return the candidate to be shipped: the one that gains most, and of equals the first, since later ones had to beat it."""
        passed = sorted((one for one in evaluations if one.verdict.accepted), key=lambda one: -one.verdict.net)
        return next((one for one in passed if self.approve is None or self._is_approved(number, one)), None)

    def _is_approved(self, number: int, one: CandidateEvaluation) -> bool:
        assert self.approve is not None
        name, store = one.candidate.id, self.player.store
        known = [item["answer"] for item in store.events("approval") if (item["round"], item["id"]) == (number, name)]
        answer = known[0] if known else self.approve(one.candidate, one.verdict)
        if answer == "stop":
            raise EndOfRunError("approval")
        if answer not in ANSWERS:
            raise ConfigError(f"the person at the gate answered {answer!r}; it must be one of {', '.join(ANSWERS)}")
        store.append_once("approval", {"round": number, "id": name, "answer": answer}, "round", "id")
        return bool(answer == "ship")

    def _ship(self, spec: HarnessSpec, best: CandidateEvaluation) -> tuple[HarnessSpec, list[Retired]]:
        """Return the harness to go on with and the variants that are retired: those lost in the edit, or no better than what it brought."""
        name, edited = best.candidate.id, best.edited
        assert edited is not None
        left = {variant["name"] for variant in edited.variants}
        retired = [
            Retired(variant["name"], f"{name} changed or did itself what it changes")
            for variant in spec.variants
            if variant["name"] not in left
        ]
        kept = edited.variants
        if kept and edited.without_variants().behaviour_hash != spec.without_variants().behaviour_hash:
            after = self.player.play(edited, self.train, name, "training")
            kept = []
            for variant in edited.variants:
                own = [(task, record) for task, record in zip(self.train, after, strict=True) if record.variant == variant["name"]]
                base = self.player.play(edited.without_variants(), [task for task, _ in own], name, f"without {variant['name']}")
                won, alone = sum(record.won for _, record in own), sum(record.won for record in base)
                if won > alone:
                    kept.append(variant)
                else:
                    reason = f"it solves {won} of its {len(own)} training tasks, and the harness itself {alone}"
                    retired.append(Retired(variant["name"], reason))
        self.player.tell("ship", {"id": name, "operator": best.candidate.manifest.operator, "reason": best.verdict.reason})
        return edited.with_variants(kept) if len(kept) < len(edited.variants) else edited, retired
