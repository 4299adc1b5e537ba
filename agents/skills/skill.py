"""A skill: a procedure learned from demonstrations, which advises a model or, as an executor, plays by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from homebody.agents.harness.hooks import BeforeModel, Changes, CurrentSubgoal
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Processor

LEAST_SHORTLIST = 8
"""Candidates that a shortlist keeps, at least, or all where there are no more."""
MODE = {
    "enum": ["limit", "advise"],
    "default": "limit",
    "description": "limit: the skill decides what stays on offer and its order; advise: it says what it knows, and a model chooses",
}
WEIGHT = {
    "type": "number",
    "minimum": 0,
    "maximum": 1000,
    "default": 1.0,
    "description": "advise: log-score that a candidate gains over the next one in the skill's order, once for each rank",
}


@dataclass(frozen=True)
class Advice:
    """What a skill says of one step."""

    text: str = ""
    """Lines for a model to read; empty where there is nothing to say."""
    order: tuple[tuple[str, ...], ...] = ()
    """Candidates in ranks, the most advised rank first; what is in no rank comes last."""
    shortlist: tuple[str, ...] = ()
    """Candidates that should stay on offer; empty: all."""
    subgoal: CurrentSubgoal | None = None
    """What the agent is after; None where the skill does not say."""

    @property
    def command(self) -> str:
        """The candidate that the skill would send; empty where it ranks none."""
        return self.order[0][0] if self.order else ""


class Skill(Processor):
    """Base of the skills.

    A skill says its `Advice` for a step. In the mode `advise` its text is shown to the model at this
    step, its order becomes the order and the prior of the candidates, and its shortlist stays on
    offer. In the mode `limit` the skill makes of it what `limit` returns. In both modes the policy
    `executor` sends the advised command.
    """

    hook = "before_model"
    modes: ClassVar[dict[str, Any]] = {"mode": MODE, "weight": WEIGHT}
    """Parameters that every skill has, for its `schema`."""

    @abstractmethod
    def advise(self, event: BeforeModel) -> Advice | None:
        """Return the advice for this step; None where the skill has nothing to say."""

    @abstractmethod
    def limit(self, event: BeforeModel, advice: Advice) -> Changes:
        """Return the changes by which the skill acts on its advice."""

    def process(self, event: BeforeModel) -> Changes | None:
        """Advise, or act on the advice."""
        advice = self.advise(event)
        if advice is None:
            return None
        changes = self.limit(event, advice) if self.params["mode"] == "limit" else self._tell(event, advice)
        subgoal: Changes = {"subgoal": advice.subgoal} if advice.subgoal else {}
        return {**subgoal, **changes, "advised": advice.command}

    def _tell(self, event: BeforeModel, advice: Advice) -> Changes:
        changes: Changes = {}
        if advice.text:
            durable, _, ephemeral = event.content.partition(CUT)
            changes["content"] = f"{durable}{CUT}{ephemeral}\n\n{advice.text}"
        ranks = {command: number for number, rank in enumerate(reversed(advice.order), 1) for command in rank}
        kept = [
            (command, prior + self.params["weight"] * ranks.get(command, 0))
            for command, prior in zip(event.candidates, event.prior, strict=True)
            if not advice.shortlist or command in advice.shortlist
        ]
        kept.sort(key=lambda pair: (-ranks.get(pair[0], 0), -pair[1]))
        return {**changes, "candidates": tuple(c for c, _ in kept), "prior": tuple(p for _, p in kept)}


def shortlist(candidates: Sequence[str], prior: Sequence[float], advised: Sequence[str]) -> tuple[str, ...]:
    """Return what is advised, filled up with the candidates of highest prior to `LEAST_SHORTLIST`, or to all.

    Args:
        candidates: what is on offer.
        prior: log-scores; shape (len(candidates),).
        advised: some of the candidates.
    """
    others = sorted((i for i, c in enumerate(candidates) if c not in advised), key=lambda i: (-prior[i], i))
    room = max(0, LEAST_SHORTLIST - len(advised))
    return (*advised, *(candidates[i] for i in others[:room]))
