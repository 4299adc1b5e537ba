"""Rounds, results and whole runs as the store holds them, in JSON; keys that a run of another kind lacks are left out.

What makes them are typed records (`homebody.evolution.round.RoundReport`, `homebody.evolution.controls.evaluation.summarize`), and what
reads them are reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from homebody.agents.record import WrittenDecisions


class StoredImpact(TypedDict, total=False):
    """Training tasks of which a manifest makes a claim."""

    will_unlock: list[str]
    will_stabilize: list[str]
    at_risk: list[str]


class StoredManifest(TypedDict, total=False):
    """What an edit claims; assets/schemas/manifest.json."""

    candidate_id: str
    bucket: str
    operator: str
    hypothesis: str
    evidence: dict[str, list[str]]
    predicted_impact: StoredImpact
    attribution_signature: str
    control: bool


class StoredEdit(TypedDict, total=False):
    """A candidate of a round; `homebody.evolution.gate.candidate_evaluation.CandidateEvaluation`."""

    id: str
    dimension: str
    patch: Sequence[Mapping[str, Any]]
    """JSON Patch."""
    manifest: StoredManifest
    verdict: str
    """`accepted` or `rejected`."""
    reason: str
    wins: int
    losses: int
    won: list[str]
    lost: list[str]
    gain: float | None
    twin_gain: float | None
    activations: int | None
    checks: list[list[str]]
    flipped: list[str] | None


class StoredSuccess(TypedDict, total=False):
    """`homebody.evolution.gate.stats.Success`."""

    n: int
    success: float | None
    ci95: Sequence[float] | None
    """None, as `success` is, where no episode was played."""
    errors: int


class StoredWorth(TypedDict, total=False):
    """What a model is worth beside its best twin: the difference of their success, with its interval."""

    points: float
    ci95: list[float]
    lower90: float | None
    """One-sided lower bound of the difference, with 90% confidence."""
    n: int
    """Tasks that both played to their end."""
    undecided: int
    """Wins in which the model decided no step; they are not counted."""


class StoredTwins(TypedDict, total=False):
    """A model beside its twins; `homebody.evolution.gate.twins.TwinResult`."""

    twins: dict[str, float | None]
    """Success of each twin, where twins were played."""
    best_twin: str
    model_value: StoredWorth | None
    model_value_why: str
    """Why there is no value, where there is none."""


class StoredResult(StoredSuccess, WrittenDecisions, StoredTwins, total=False):
    """What a policy did on some tasks, and a row of a table."""

    row: str
    """What the row of a table is, and its label there."""
    label: str
    env: str
    env_args: Mapping[str, Any]
    split: str
    max_steps: int
    harness: str
    policy: str
    fingerprint: Mapping[str, str]
    """What fixes the policy's choices, besides the prompt and the seed."""
    behaviour_hash: str
    trace_hash: str
    attempts: int
    pass_at_k: dict[str, float | None]
    by_type: dict[str, StoredResult]
    episodes: list[Mapping[str, Any]]
    adaptations: dict[str, int]
    won: dict[str, bool]
    """Outcome by task, of the first attempts that were played to their end."""
    keys: list[str]
    """Keys of the episodes."""
    steps_mean: float | None
    invalid_actions: int
    decisions: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    wall_s: float
    twins_s: float
    reward_mean: float
    success_strict: float
    ci95_strict: list[float]
    gain: float
    """Of a row that says what was gained; as are the following ones."""
    headroom_closed: float | None
    headline: str
    sentence: str


class StoredVariant(TypedDict):
    """A variant that a harness lost."""

    name: str
    reason: str


class StoredValidation(WrittenDecisions, StoredTwins, total=False):
    """What a harness does on validation tasks; `homebody.evolution.round.ValidationResult`."""

    validation: StoredSuccess


class StoredOutcome(StoredValidation, total=False):
    """The same of the harness with this hash."""

    behaviour_hash: str


class StoredRound(StoredResult, StoredValidation, total=False):
    """What a round did, with its validation and who decided in it."""

    round: int
    train: StoredSuccess
    failures: dict[str, int]
    candidates: list[StoredEdit]
    shipped: str | None
    variants: list[str]
    retired: list[StoredVariant]


class StoredStart(TypedDict, total=False):
    """How an evolution began."""

    env_id: str
    env_kwargs: dict[str, Any]
    model: str
    max_steps: int
    objective: str
    policy: str
    harness_of: Mapping[str, Any]
    """Where the final harness evolved for another model: that `model`, its `policy`, `seed_hash` and `changes` of its run, and the
    harness (`document`, `behaviour_hash`)."""


class StoredEnd(TypedDict, total=False):
    """How an evolution ended."""

    final_harness: str
    final: StoredRound | None
    """What the final harness does on the validation tasks that it played last."""
    masked: Mapping[str, Any] | None
    shipped: list[Mapping[str, Any] | None]
    """What the harness does after each shipped edit; None where it was not played."""
    policy: str
    twins_s: float
    prompt_tokens: int
    seed_hash: str
    final_hash: str
    objective: str
    rounds: list[StoredRound]
    kept: int
    stopped: str
    gate: str
    episodes: int
    errors: int
    savings: dict[str, int]
    exploration_steps: int
    tokens: int
    cached_tokens: int
    generated_tokens: int
    wall_s: float


class StoredNoise(TypedDict):
    """What an A/A run found."""

    n: int
    flips: int
    mode: str


class Exploration(TypedDict):
    """What exploration took and found, in numbers."""

    steps: int
    tasks: int
    plans: int
    places: int


class HitRate(TypedDict):
    """What the edits of an operator were to do, and did, on the training tasks where that was measured."""

    predicted: int
    flipped: int


class RunFigures(TypedDict):
    """What is drawn of a run."""

    start: StoredStart | None
    rounds: Sequence[StoredRound]
    table: Mapping[str, Sequence[StoredResult]]
    """Final figures by split, the latest of each kind."""


class Run(RunFigures):
    """What a run says."""

    statistics: Exploration | None
    end: StoredEnd | None
    """None while the run goes on."""
    failed: str | None
    """The error that stopped a run which has not ended."""
    noise: StoredNoise | None
    hit_rates: Mapping[str, HitRate]
    """By operator."""
    evaluations: Sequence[StoredResult]
