"""Candidates at the gate: what is checked before anything is played, the smoke run, and paired rollouts with early stopping.

In order: proposal (it is an edit at all), manifest, build (the patch applies and every processor lives), novelty (the behaviour was not
tried before), a smoke run on one training task, then the validation tasks, judged by `gate.rule.compare`. Where the objective is the model,
the edited harness's twins play the validation tasks first: they cost no tokens, and what they gain the model must be able to gain, too.
What the critic refused does not come here. Where asked to, an edit that helps some goals and hurts others comes back as a variant for the
former (`variants.fork`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import EpisodeRecord
from homebody.envs import TaskSpec
from homebody.evolution.gate import variants
from homebody.evolution.gate.checked import CheckedCandidate
from homebody.evolution.gate.episodes import describe_error
from homebody.evolution.gate.player import Player
from homebody.evolution.gate.rule import TASKS_BETWEEN_LOOKS, Check, Verdict, compare, refuse, stop_early
from homebody.evolution.gate.twins import Beside, Twins
from homebody.evolution.stored import StoredEdit


@dataclass(frozen=True)
class CandidateEvaluation:
    """A candidate with what the gate says of it."""

    candidate: CheckedCandidate
    verdict: Verdict
    patch: Patch
    """From the present harness to the edited one, its variants included; the candidate's own where that could not be made."""
    edited: HarnessSpec | None = None
    """The edited harness, where it could be made."""
    flipped: tuple[str, ...] | None = None
    """Training tasks that the edit solves and the present harness does not, where both were played on them."""

    def to_json(self) -> StoredEdit:
        """Return the entry of a round's report."""
        candidate, verdict = self.candidate, self.verdict
        return {
            "id": candidate.id,
            "dimension": candidate.dimension,
            "patch": self.patch,
            "manifest": candidate.manifest.to_json(),
            "verdict": "accepted" if verdict.accepted else "rejected",
            "reason": verdict.reason,
            "wins": len(verdict.won),
            "losses": len(verdict.lost),
            "won": list(verdict.won),
            "lost": list(verdict.lost),
            "gain": verdict.gain,
            "twin_gain": verdict.twin_gain,
            "activations": verdict.activations,
            "checks": [list(check) for check in verdict.checks],
            "flipped": None if self.flipped is None else list(self.flipped),
        }


class Gate:
    """The gate of one round.

    Args:
        player: plays the episodes.
        spec: the present harness.
        train: training tasks.
        validation: validation tasks.
        training: episodes of the present harness on `train`.
        before: episodes of the present harness on `validation`.
        tried: behaviours that need not be played again; those that come by are added.
        mode: one of `config.MODES`.
        twins: of the present harness on `validation`, where the objective is the model; else None.
    """

    def __init__(
        self,
        player: Player,
        spec: HarnessSpec,
        train: Sequence[TaskSpec],
        validation: Sequence[TaskSpec],
        training: Sequence[EpisodeRecord],
        before: Sequence[EpisodeRecord],
        tried: set[str],
        mode: str,
        twins: Twins | None,
    ) -> None:
        self.player, self.spec, self.train, self.validation = player, spec, train, validation
        self.training, self.before, self.tried, self.mode, self.twins = training, before, tried, mode, twins
        self.evaluations: list[CandidateEvaluation] = []

    @property
    def to_beat(self) -> int:
        """Wins minus losses of the best candidate so far, or 0."""
        return max((one.verdict.net for one in self.evaluations if one.verdict.accepted), default=0)

    def judge(self, candidate: CheckedCandidate) -> CandidateEvaluation:
        """Judge a candidate.

        Raises:
            EndOfRunError: a budget is spent.
        """
        found = self._check(candidate)
        if found.edited is not None:
            found = self._play(found, found.edited)
        self._note(found)
        return found

    def reject(self, candidate: CheckedCandidate, objections: Sequence[str]) -> None:
        """Note a candidate that the critic refused."""
        self.player.tell("candidate", candidate.announcement())
        self._note(CandidateEvaluation(candidate, refuse("critic", "; ".join(objections)), candidate.patch))

    def fork(self, judged: CandidateEvaluation) -> CandidateEvaluation | None:
        """Where a judged edit helped some goals and hurt others, judge it as a variant for those that it helps on training tasks.

        Raises:
            EndOfRunError: a budget is spent.
        """
        if judged.edited is None or judged.verdict.accepted or not judged.verdict.lost:
            return None
        after = self.player.play(judged.edited, self.train, judged.candidate.id, "training")
        forked = variants.fork(self.spec, judged.edited, self.training, after, f"{judged.candidate.id}v")
        if forked is None:
            return None
        pairs = zip(self.training, after, strict=True)
        helped = tuple(new.task_id for old, new in pairs if new.outcome and not old.outcome)
        candidate = judged.candidate.for_some_goals(helped)
        self.player.tell("candidate", candidate.announcement())
        made = CandidateEvaluation(candidate, Verdict(False, ""), self.spec.diff(forked), forked, helped)
        if forked.behaviour_hash in self.tried:
            made = replace(made, verdict=refuse("novelty", "this behaviour was tried before"))
        else:
            self.tried.add(forked.behaviour_hash)
            made = self._play(made, forked)
        self._note(made)
        return made

    def _note(self, found: CandidateEvaluation) -> None:
        self.evaluations.append(found)
        verdict = found.verdict
        if verdict.checks[-1][0] in ("critic", "novelty", "smoke run") and not verdict.accepted:
            smoked = verdict.checks[-1][0] == "smoke run"
            self.player.saved.refused += len(self.validation) + (0 if smoked else 1)
        told = {"accepted": verdict.accepted, "reason": verdict.reason, "wins": len(verdict.won), "losses": len(verdict.lost)}
        self.player.tell("verdict", {"id": found.candidate.id, **told})

    def _check(self, candidate: CheckedCandidate) -> CandidateEvaluation:
        """Return the candidate with its variants, or the verdict on one that is not to be played."""
        self.player.tell("candidate", candidate.announcement())
        if candidate.fault is not None:
            return CandidateEvaluation(candidate, refuse(candidate.fault.check, "; ".join(candidate.fault.problems)), candidate.patch)
        base = candidate.edited
        assert base is not None
        edited = base.with_variants(variants.rebase(self.spec, base)[0])
        patch = self.spec.diff(edited) if self.spec.variants else candidate.patch
        if {base.behaviour_hash, edited.behaviour_hash} & self.tried:
            return CandidateEvaluation(candidate, refuse("novelty", "this behaviour was tried before"), patch)
        self.tried.update((base.behaviour_hash, edited.behaviour_hash))
        return CandidateEvaluation(candidate, Verdict(False, ""), patch, edited)

    def _play(self, found: CandidateEvaluation, edited: HarnessSpec) -> CandidateEvaluation:
        name = found.candidate.id
        checks: list[Check] = [(check, "passed") for check in ("manifest", "build", "novelty")]
        (smoke,) = self.player.play(edited, self.train[:1], name, "smoke run")
        if smoke.error or smoke.failures:
            failure = smoke.error or smoke.failures[0]
            fell = refuse("smoke run", describe_error(failure))
            return replace(found, verdict=replace(fell, checks=(*checks, *fell.checks)))
        verdict = self._validate(edited, name, found.candidate.manifest.attribution_signature)
        return replace(found, verdict=replace(verdict, checks=(*checks, ("smoke run", "passed"), *verdict.checks)))

    def _validate(self, edited: HarnessSpec, name: str, signature: str) -> Verdict:
        """Play the validation tasks, as long as the candidate can still be shipped."""
        after: list[EpisodeRecord] = []
        tasks = [record.task_id for record in self.before]
        beside = Beside(self.twins, self.player.play_twins(edited, self.validation)) if self.twins is not None else None
        while len(after) < len(self.before):
            # Twins alone may show that there is no hope.
            if (after or beside) and (reason := stop_early(self.before, after, self.to_beat, self.mode, beside)):
                self.player.saved.stopped_early += len(self.before) - len(after)
                so_far = compare(self.before[: len(after)], after, signature, self.mode, beside)
                twin_gain = beside.gain(tasks) / len(tasks) if beside is not None else None
                return replace(so_far, accepted=False, reason=reason, checks=(("rollouts", reason),), gain=None, twin_gain=twin_gain)
            upcoming = self.validation[len(after) : len(after) + TASKS_BETWEEN_LOOKS]
            after += self.player.play(edited, upcoming, name, "validation", done=len(after), total=len(self.before))
        return compare(self.before, after, signature, self.mode, beside)
