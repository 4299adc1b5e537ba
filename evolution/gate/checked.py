"""A candidate as the gate carries it: checked once, before the critic reads it and anything is played for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.evolution.gate.manifest import Impact, Manifest, ManifestError, check_manifest
from homebody.evolution.proposers import Candidate
from homebody.evolution.stored import StoredManifest

OPERATOR_CHARS = 120
"""Most characters of an operator's name, as assets/schemas/manifest.json has it."""


@dataclass(frozen=True)
class Fault:
    """Why a candidate cannot be played."""

    check: str
    """The check that it fails: `proposal` (it is an edit at all), `manifest`, or `build` (the patch applies and every processor lives)."""
    problems: tuple[str, ...]


class Announcement(TypedDict):
    """What those who watch are told of a candidate."""

    id: str
    dimension: str
    manifest: StoredManifest
    problem: str


@dataclass(frozen=True)
class CheckedCandidate:
    """A candidate with what can be said of it without playing."""

    id: str
    dimension: str
    patch: Patch
    """Of the present harness without its variants."""
    manifest: Manifest
    """Its own; where that is not complete, one that claims nothing."""
    edited: HarnessSpec | None
    """The edited harness without variants; None where there is a fault."""
    fault: Fault | None = None
    problem: str = ""
    """See `Candidate.problem`."""

    def announcement(self) -> Announcement:
        """Return what those who watch are told of it, as JSON-ready data."""
        return {"id": self.id, "dimension": self.dimension, "manifest": self.manifest.to_json(), "problem": self.problem}

    def for_some_goals(self, helped: Sequence[str]) -> CheckedCandidate:
        """Return the candidate that plays this edit for some goals only; it predicts what the training tasks showed.

        Args:
            helped: training tasks that the edit solves and the present harness does not.
        """
        name = f"{self.id}v"
        manifest = replace(
            self.manifest,
            candidate_id=name,
            operator=f"{self.manifest.operator[:100]}, for some goals",
            hypothesis="The edit helps some training tasks and hurts others, and the words of their goals tell them apart.",
            predicted_impact=Impact(will_unlock=tuple(sorted(helped))),
        )
        return replace(self, id=name, manifest=manifest)


def check_candidate(spec: HarnessSpec, candidate: Candidate) -> CheckedCandidate:
    """Check what can be checked of a candidate without playing it.

    Args:
        spec: the present harness, without variants.
        candidate: as its proposer wrote it.
    """
    try:
        manifest = check_manifest(candidate.manifest)
        problems: tuple[str, ...] = ()
    except ManifestError as error:
        manifest, problems = _blank(candidate), error.problems

    def checked(edited: HarnessSpec | None, fault: Fault | None) -> CheckedCandidate:
        return CheckedCandidate(candidate.id, candidate.dimension, candidate.patch, manifest, edited, fault, candidate.problem)

    if candidate.problem:
        return checked(None, Fault("proposal", (candidate.problem,)))
    if problems:
        return checked(None, Fault("manifest", problems))
    try:
        return checked(spec.patch(candidate.patch).check(), None)
    except (PatchError, HarnessError) as error:
        return checked(None, Fault("build", (str(error),)))


def _blank(candidate: Candidate) -> Manifest:
    operator = str(candidate.manifest.get("operator") or "no operator named")[:OPERATOR_CHARS]
    control = candidate.manifest.get("control") is True
    return Manifest(candidate.id, candidate.dimension, operator, "The manifest is not complete.", {}, Impact(), "", control)
