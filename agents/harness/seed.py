"""Seed harnesses: the names of their documents, and which of them fits a model.

A seed is a name for several documents, each in a style of its own: `generic` stands for
`generic-act`, `generic-react`, `generic-think` and `generic-tool`. The one place that decides which
of them a seed's bare name means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homebody.agents.model_free import MODEL_FREE
from homebody.agents.models.kind import kind_of
from homebody.envs.module import is_own

STYLES = ("act", "react", "think", "tool")
"""`act`: a command. `react`: a line of thought, then a command; worked examples. `think`: the model's
own thinking, then a command. `tool`: a native call of a tool."""
FEW_WEIGHTS = 300_000_000
"""Weights below which a model gets the style `act`: with thoughts of its own it writes fewer commands."""


@dataclass(frozen=True)
class Pick:
    """Which document a name stands for."""

    name: str
    """Of the document."""
    why: str = ""
    """Why a seed's bare name stands for it; empty for any other name."""


def seed_names(documents: Sequence[str]) -> list[str]:
    """Return the names of the seeds that have a document in the style `act` among `documents`, in their order."""
    return [name.removesuffix("-act") for name in documents if name.endswith("-act")]


def pick_document(name: str, documents: Sequence[str], model: str | None) -> Pick:
    """Return the document that a name stands for: itself, or for a seed the one in the style that fits the model.

    Args:
        name: of a seed, a document or a file.
        documents: names of the documents that there are.
        model: who is to play: a model, a policy without one, or None.

    Raises:
        AgentError: what kind of model it is cannot be told, see `homebody.agents.models.kind.kind_of`.
    """
    if name not in seed_names(documents):
        return Pick(name)
    style, why = _style(model)
    return Pick(f"{name}-{style}", why)


def seed_documents(seed: str, documents: Sequence[str], model: str | None) -> list[str]:
    """Return the documents of a seed that a model may be tried with: those in `act` and in the style that fits it.

    A model that fits `react` or `think` may call tools besides.

    Raises:
        AgentError: see `pick_document`.
    """
    fitting = ["act"]
    if (style := _style(model)[0]) != "act":
        fitting += [other for other in STYLES if other in ("react", style, "tool")]
    return [f"{seed}-{style}" for style in fitting if f"{seed}-{style}" in documents]


def _style(model: str | None) -> tuple[str, str]:
    """Return the style that fits a model, and why."""
    if model is None:
        return "act", "no model is named"
    if model in MODEL_FREE:
        return "act", f"{model} asks no model"
    if is_own(model):
        return "act", f"{model} is your own"
    kind = kind_of(model)
    if not kind.is_chat:
        return "act", f"{model} has no chat template"
    if kind.n_weights is not None and kind.n_weights < FEW_WEIGHTS:
        return "act", f"{model} has {kind.n_weights / 1e6:.0f} million weights"
    if kind.thinks:
        return "think", f"{model} thinks before it answers"
    return "react", f"{model} chats and has no thoughts of its own"
