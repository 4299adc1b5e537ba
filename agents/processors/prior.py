"""What the model itself knows: where things are and what serves a goal, freed of what it merely likes to say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, Changes
from homebody.agents.processors.base import GUARDS, Processor, Score, Services, register
from homebody.agents.skills import wording


@register
class LocationPrior(Processor):
    """Ranks the places to search by what the model says of them. Helps before the harness has memories, and for what training never showed.

    Adds log P(place | thing) - log P(place), both under the model. The first term is read from a sentence that names the thing, the second
    from one that does not: the difference is pointwise mutual information, so that a frequent word gains nothing from being frequent. What
    the model says of a kind of place is shared out among the places of that kind by `spread`: one of twenty is worth less of a visit than
    the only one. Needs a model; acts only while the focus is `search`, which `learned_plan` sets.
    """

    name = "location_prior"
    hook = "before_model"
    dimension = "model"
    group = "location_prior"
    after = GUARDS
    texts = ("given", "base")
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
        "spread": {
            "type": "number",
            "minimum": 0,
            "maximum": 4,
            "default": 0.0,
            "description": "how much a kind's prior is shared out among its places: the log of their number, times this, is taken off",
        },
    }

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._number: Counter[str] = Counter()
        """Places of each kind that the commands of the first search named."""
        self._places: tuple[str, ...] = ()
        self._base: dict[str, float] = {}
        self._prior: dict[str, dict[str, float]] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the prior of each command's place to its prior."""
        if self.services.score is None or event.focus is None or event.focus.phase != "search":
            return None
        if not self._places:
            # All the places of the episode at once: a log-probability depends in its last digits on what else is in the batch.
            named = {entity[-1] for command in event.admissible if (entity := wording.entities(command))}
            self._number = Counter(map(wording.kind, named))
            self._places = tuple(sorted(self._number))
        wanted = event.focus.wanted
        if wanted not in self._prior:
            self._prior[wanted] = self._ask(wanted)
            # For those who read the episode: neither answer alone says where the search will go.
            ranked = sorted(self._prior[wanted].items(), key=lambda pair: (-pair[1], pair[0]))
            self.notes[wanted] = [[place, round(value, 6)] for place, value in ranked[:5]]
        prior = self._prior[wanted]
        places = [wording.kind(entity[-1]) if (entity := wording.entities(command)) else "" for command in event.candidates]
        worth = {place: self.params["weight"] * prior[place] - self.params["spread"] * math.log(self._number[place]) for place in prior}
        return {"prior": tuple(old + worth.get(place, 0.0) for old, place in zip(event.prior, places, strict=True))}

    def _ask(self, wanted: str) -> dict[str, float]:
        assert self.services.score is not None
        given = fill_in(self.services.score, self.params["given"].replace("{thing}", wanted), "{place}", self._places)
        self._base = self._base or fill_in(self.services.score, self.params["base"], "{place}", self._places)
        return {place: given[place] - self._base[place] for place in self._places}


@register
class ActionPrior(Processor):
    """Ranks commands by how much the goal makes the model expect them. Helps in an environment that the harness knows nothing of yet.

    Adds `weight` times log P(command | goal) - log P(command), both under the model, read from two plain sentences as
    `location_prior` does. A small model is better at the likelihood of a sentence than at a chat. Needs a model.
    """

    name = "action_prior"
    hook = "before_model"
    dimension = "model"
    group = "action_prior"
    after = GUARDS
    texts = ("given", "base")
    schema = {
        "given": {
            "type": "string",
            "pattern": r"\{goal\}[\s\S]*\{command\}",
            "default": "To {goal}, the next thing to do is: {command}",
            "description": "a text with {goal}, then {command}",
        },
        "base": {
            "type": "string",
            "pattern": r"\{command\}",
            "default": "The next thing to do is: {command}",
            "description": "a text with {command} alone",
        },
        "weight": {"type": "number", "minimum": 0.001, "maximum": 1000, "default": 1.0, "description": "factor on the difference"},
    }

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._base: dict[str, float] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the difference to the prior."""
        score = self.services.score
        if score is None or len(event.candidates) < 2:
            return None
        given = fill_in(score, self.params["given"].replace("{goal}", event.goal.rstrip(". ")), "{command}", event.candidates)
        new = [command for command in event.candidates if command not in self._base]
        if new:
            self._base |= fill_in(score, self.params["base"], "{command}", new)
        pairs = zip(event.candidates, event.prior, strict=True)
        return {"prior": tuple(prior + self.params["weight"] * (given[command] - self._base[command]) for command, prior in pairs)}


def fill_in(score: Score, sentence: str, blank: str, texts: Sequence[str]) -> dict[str, float]:
    """Return, for each text in the blank of a sentence, the log-probability of it and what follows, given what stands before."""
    before, _, after = sentence.partition(blank)
    # The space belongs to the text: a word with its leading space is what tokenizers know best.
    return dict(zip(texts, score(before.rstrip(" "), [f" {text}{after}" for text in texts]), strict=True))
