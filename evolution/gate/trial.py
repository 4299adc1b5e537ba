"""Candidates at the gate: what is checked before anything is played, the smoke run, and paired rollouts with racing.

In order: proposal (it is an edit at all), manifest, build (the patch applies and every processor lives), novelty (the behaviour was not
tried before), a smoke run on one training task, then the validation tasks, judged by `gate.rule.compare`. Where the objective is the model,
the edited harness's twins play the validation tasks first: they cost no tokens, and what they gain the model must be able to gain, too.
What the critic refused does not come here. Where asked to, an edit that helps some goals and hurts others comes back as a variant for the
former (`variants.fork`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.record import EpisodeRecord
from homebody.envs import TaskSpec
from homebody.evolution.gate import variants
from homebody.evolution.gate.manifest import ManifestError, check_manifest
from homebody.evolution.gate.player import Player
from homebody.evolution.gate.rule import RACE, Check, Verdict, compare, hopeless, refuse
from homebody.evolution.gate.twins import Beside, Twins
from homebody.evolution.proposers import Candidate


@dataclass(frozen=True)
class Trial:
    """A candidate with what the gate says of it."""

    candidate: Candidate
    verdict: Verdict
    patch: Patch
    """From the present harness to the edited one, its variants included; the candidate's own where that could not be made."""
    edited: HarnessSpec | None = None
    """The edited harness, where it could be made."""
    flipped: tuple[str, ...] | None = None
    """Training tasks that the edit solves and the present harness does not, where both were played on them."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a round's report."""
        candidate, verdict = self.candidate, self.verdict
        return {
            "id": candidate.id,
            "dimension": candidate.dimension,
            "patch": self.patch,
            "manifest": candidate.manifest,
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
        self.trials: list[Trial] = []

    @property
    def to_beat(self) -> int:
        """Wins minus losses of the best candidate so far, or 0."""
        return max((trial.verdict.net for trial in self.trials if trial.verdict.accepted), default=0)

    def judge(self, candidate: Candidate) -> Trial:
        """Judge a candidate, whose patch is one of the harness without its variants.

        Raises:
            EndOfRunError: a budget is spent.
        """
        trial = self._check(candidate)
        if trial.edited is not None:
            trial = self._play(trial, trial.edited)
        self._note(trial)
        return trial

    def reject(self, candidate: Candidate, objections: Sequence[str]) -> None:
        """Note a candidate that the critic refused."""
        readable = _readable(candidate)
        self.player.tell("candidate", _head(readable))
        self._note(Trial(readable, refuse("critic", "; ".join(objections)), candidate.patch))

    def fork(self, trial: Trial) -> Trial | None:
        """Where a judged edit helped some goals and hurt others, judge it as a variant for those that it helps on training tasks.

        Raises:
            EndOfRunError: a budget is spent.
        """
        if trial.edited is None or trial.verdict.accepted or not trial.verdict.lost:
            return None
        after = self.player.play(trial.edited, self.train, trial.candidate.id, "training")
        forked = variants.fork(self.spec, trial.edited, self.training, after, f"{trial.candidate.id}v")
        if forked is None:
            return None
        pairs = zip(self.training, after, strict=True)
        helped = tuple(new.task_id for old, new in pairs if new.outcome and not old.outcome)
        candidate = _as_variant(trial.candidate, helped)
        self.player.tell("candidate", _head(candidate))
        made = Trial(candidate, Verdict(False, ""), self.spec.diff(forked), forked, helped)
        if forked.behaviour_hash in self.tried:
            made = replace(made, verdict=refuse("novelty", "this behaviour was tried before"))
        else:
            self.tried.add(forked.behaviour_hash)
            made = self._play(made, forked)
        self._note(made)
        return made

    def _note(self, trial: Trial) -> None:
        self.trials.append(trial)
        verdict = trial.verdict
        if verdict.checks[-1][0] in ("critic", "novelty", "smoke run") and not verdict.accepted:
            smoked = verdict.checks[-1][0] == "smoke run"
            self.player.saved.refused += len(self.validation) + (0 if smoked else 1)
        told = {"accepted": verdict.accepted, "reason": verdict.reason, "wins": len(verdict.won), "losses": len(verdict.lost)}
        self.player.tell("verdict", {"id": trial.candidate.id, **told})

    def _check(self, candidate: Candidate) -> Trial:
        """Check what can be checked without playing."""
        readable = _readable(candidate)
        self.player.tell("candidate", _head(readable))
        fallen = Trial(readable, refuse("proposal", candidate.problem), candidate.patch)
        if candidate.problem:
            return fallen
        try:
            check_manifest(candidate.manifest)
        except ManifestError as error:
            return replace(fallen, verdict=refuse("manifest", "; ".join(error.problems)))
        try:
            base = self.spec.without_variants().patch(candidate.patch).check()
        except (PatchError, HarnessError) as error:
            return replace(fallen, verdict=refuse("build", str(error)))
        edited = base.with_variants(variants.rebase(self.spec, base)[0])
        fallen = replace(fallen, patch=self.spec.diff(edited) if self.spec.variants else candidate.patch)
        if {base.behaviour_hash, edited.behaviour_hash} & self.tried:
            return replace(fallen, verdict=refuse("novelty", "this behaviour was tried before"))
        self.tried.update((base.behaviour_hash, edited.behaviour_hash))
        return replace(fallen, edited=edited)

    def _play(self, trial: Trial, edited: HarnessSpec) -> Trial:
        name = trial.candidate.id
        checks: list[Check] = [(check, "passed") for check in ("manifest", "build", "novelty")]
        (smoke,) = self.player.play(edited, self.train[:1], name, "smoke run")
        if smoke.error or smoke.failures:
            failure = smoke.error or smoke.failures[0]
            fell = refuse("smoke run", f"{failure['kind']} at {failure['boundary']}: {failure['message']}")
            return replace(trial, verdict=replace(fell, checks=(*checks, *fell.checks)))
        verdict = self._race(edited, name, trial.candidate.manifest["attribution_signature"])
        return replace(trial, verdict=replace(verdict, checks=(*checks, ("smoke run", "passed"), *verdict.checks)))

    def _race(self, edited: HarnessSpec, name: str, signature: str) -> Verdict:
        """Play the validation tasks, as long as the candidate can still be shipped."""
        after: list[EpisodeRecord] = []
        tasks = [record.task_id for record in self.before]
        beside = Beside(self.twins, self.player.play_twins(edited, self.validation)) if self.twins is not None else None
        while len(after) < len(self.before):
            # Twins alone may show that there is no hope.
            if (after or beside) and (reason := hopeless(self.before, after, self.to_beat, self.mode, beside)):
                self.player.saved.raced += len(self.before) - len(after)
                so_far = compare(self.before[: len(after)], after, signature, self.mode, beside)
                twin_gain = beside.gain(tasks) / len(tasks) if beside is not None else None
                return replace(so_far, accepted=False, reason=reason, checks=(("rollouts", reason),), gain=None, twin_gain=twin_gain)
            upcoming = self.validation[len(after) : len(after) + RACE]
            after += self.player.play(edited, upcoming, name, "validation", done=len(after), total=len(self.before))
        return compare(self.before, after, signature, self.mode, beside)


def _head(candidate: Candidate) -> dict[str, Any]:
    return {key: value for key, value in candidate.to_json().items() if key != "patch"}


def _readable(candidate: Candidate) -> Candidate:
    """Return the candidate with a manifest that can be reported: its own, or where that is not complete one that claims nothing."""
    try:
        check_manifest(candidate.manifest)
    except ManifestError:
        operator = str(candidate.manifest.get("operator") or "no operator named")[:120]
        impact: dict[str, list[str]] = {"will_unlock": [], "will_stabilize": [], "at_risk": []}
        blank = {
            "candidate_id": candidate.id,
            "bucket": candidate.dimension,
            "operator": operator,
            "hypothesis": "The manifest is not complete.",
        }
        return replace(candidate, manifest={**blank, "evidence": {}, "predicted_impact": impact, "attribution_signature": ""})
    return candidate


def _as_variant(candidate: Candidate, helped: Sequence[str]) -> Candidate:
    """Return the candidate that plays an edit for some goals only; it predicts what the training tasks showed."""
    manifest = {
        **candidate.manifest,
        "candidate_id": f"{candidate.id}v",
        "operator": f"{candidate.manifest['operator'][:100]}, for some goals",
        "hypothesis": "The edit helps some training tasks and hurts others, and the words of their goals tell them apart.",
        "predicted_impact": {"will_unlock": sorted(helped), "will_stabilize": [], "at_risk": []},
    }
    return replace(candidate, id=f"{candidate.id}v", manifest=manifest)
