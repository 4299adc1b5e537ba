"""What the model itself knows of where things are, freed of what it merely likes to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents import wording
from homebody.agents.hooks import BeforeModel, Changes
from homebody.agents.processors.base import Processor, Score, register


@register
class WherePrior(Processor):
    """Ranks the places to search by log P(place | thing) - log P(place), both under the model.

    The first term is read from a sentence that names the thing, the second from one that does not: the difference is pointwise mutual
    information, so that a frequent word gains nothing from being frequent. Needs a model; acts only while the focus is `search`, which
    `playbook` sets. Helps before the harness has memories of its own, and for kinds of things that training never showed.
    """

    name = "where_prior"
    hook = "before_model"
    dimension = "model"
    group = "where_prior"
    schema = {
        "given": {
            "type": "string",
            "pattern": r"\{thing\}.*\{place\}",
            "default": "The best place to find a {thing} is in or on the {place}.",
            "description": "a sentence with {thing}, then {place}",
        },
        "base": {
            "type": "string",
            "pattern": r"\{place\}",
            "default": "You look in or on the {place}.",
            "description": "a sentence with {place} alone",
        },
        "weight": {"type": "number", "exclusiveMinimum": 0, "default": 1.0, "description": "factor on the difference"},
    }

    def __init__(self, params: Mapping[str, Any], score: Score | None) -> None:
        super().__init__(params, score)
        self._places: tuple[str, ...] = ()
        self._base: dict[str, float] = {}
        self._prior: dict[str, dict[str, float]] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the prior of each command's place to its bias."""
        if self.score is None or event.focus is None or event.focus.phase != "search":
            return None
        if not self._places:
            # All the places of the episode at once: a log-probability depends in its last digits on what else is in the batch.
            self._places = tuple(sorted({wording.kind(entity[-1]) for c in event.admissible if (entity := wording.entities(c))}))
        wanted = event.focus.wanted
        if wanted not in self._prior:
            self._prior[wanted] = self._ask(wanted)
        prior = self._prior[wanted]
        places = [wording.kind(entity[-1]) if (entity := wording.entities(command)) else "" for command in event.menu]
        bias = [old + self.params["weight"] * prior.get(place, 0.0) for old, place in zip(event.bias, places, strict=True)]
        return {"bias": tuple(bias)}

    def _ask(self, wanted: str) -> dict[str, float]:
        assert self.score is not None
        given = self._sentence(self.params["given"].replace("{thing}", wanted))
        self._base = self._base or self._sentence(self.params["base"])
        return {place: given[place] - self._base[place] for place in self._places}

    def _sentence(self, sentence: str) -> dict[str, float]:
        assert self.score is not None
        before, _, after = sentence.partition("{place}")
        # The space belongs to the place: a word with its leading space is what tokenizers know best.
        endings = [f" {place}{after}" for place in self._places]
        return dict(zip(self._places, self.score(before.rstrip(" "), endings), strict=True))
