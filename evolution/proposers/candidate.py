"""What goes into a proposer and what comes out: evidence, candidate edits with their manifests, and the error of those who propose.

Knows neither how an edit is found nor how it is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from homebody.agents.errors import AgentError
from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Backend
from homebody.agents.record import EpisodeRecord
from homebody.evolution.evidence.digest import Digest
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.stored import StoredManifest

if TYPE_CHECKING:
    from homebody.evolution.evidence.landscape import Landscape


class ProposerError(AgentError):
    """A proposer that cannot be used: unknown, not installed, without the model that it needs, or broken."""


@dataclass(frozen=True)
class Candidate:
    """A proposed edit with its manifest."""

    id: str
    """`r3c2`: the second candidate of round 3."""
    dimension: str
    patch: Patch
    manifest: Mapping[str, Any]
    """What the edit claims, as `make_manifest` writes it and assets/schemas/manifest.json describes it."""
    problem: str = ""
    """Why this is no edit at all, where a model's answer could not be made one; the patch is empty then and nothing is to be played."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """All that a proposer may know. Nothing in it comes from a validation or test task."""

    round: int
    """From 1."""
    digests: Sequence[Digest]
    """Of the present harness on training tasks."""
    landscape: Landscape
    """What fails and what was tried so far."""
    statistics: TrainingStatistics
    """What exploration of training tasks taught; empty without exploration."""
    tried: Collection[str]
    """Behaviour hashes that went through the gate before."""
    seed: int
    backend: Backend | None = None
    """The model that proposers may ask, or None."""
    objections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """In the one request for a revision: id -> what the critic said of that candidate; `tried` then holds what the first answer leads to,
    and new candidates alone are wanted. Empty at the first asking."""
    proposed: Sequence[Candidate] = ()
    """In that request: the first answer."""
    episodes: Sequence[EpisodeRecord] = ()
    """The training episodes behind the digests, in the same order, or none: for those who read traces."""
    objective: str = "model"
    """What a gain has to be: `model` or `success`; see `homebody.evolution.config.EvolveConfig.objective`."""
    has_model: bool = True
    """Whether a model plays."""


class Proposer(Protocol):
    """Writes at most `k` candidate edits of a harness."""

    def __call__(self, spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
        """Propose.

        Raises:
            ProposerError: it cannot be used as it is.
        """
        ...


def make_manifest(
    candidate_id: str,
    dimension: str,
    operator: str,
    hypothesis: str,
    evidence: Evidence,
    answers: Collection[str],
    signature: str,
) -> StoredManifest:
    """Write the manifest of an edit that answers failures of some categories.

    Args:
        candidate_id: of the candidate.
        dimension: of the harness that it edits; the manifest's `bucket`.
        operator: what is done, in a few words.
        hypothesis: one sentence: why this edit answers the evidence.
        evidence: what the proposer was given.
        answers: failure categories that the edit is meant to mend.
        signature: the id of the component whose activations show the edit at work; empty where it
            removes one.

    Returns:
        The manifest. It predicts that the edit unlocks the failing tasks of those categories, stabilises the tasks that are won now and
        were lost for one of those reasons after they had been won before, and may cost any other task that is won now.
    """
    shown = {category: list(tasks) for category, tasks in evidence.landscape.failures.items() if category in answers}
    unstable = {digest.task_id for digest in evidence.digests if digest.won and _relapsed(digest.history, answers)}
    return {
        "candidate_id": candidate_id,
        "bucket": dimension,
        "operator": operator,
        "hypothesis": hypothesis,
        "evidence": shown,
        "predicted_impact": {
            "will_unlock": sorted(task for tasks in shown.values() for task in tasks),
            "will_stabilize": sorted(unstable),
            "at_risk": sorted(digest.task_id for digest in evidence.digests if digest.won and digest.task_id not in unstable),
        },
        "attribution_signature": signature,
    }


def _relapsed(history: Sequence[str], answers: Collection[str]) -> bool:
    """Tell whether a task, won before, was lost in a later round for one of these reasons."""
    return any(category in answers and "won" in history[:number] for number, category in enumerate(history))
