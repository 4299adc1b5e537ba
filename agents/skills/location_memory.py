"""Where things were in training: what an observation at a kind of place showed, as a prior over places to search."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypedDict

from homebody.agents.harness.hooks import BeforeModel, Changes
from homebody.agents.processors.base import GUARDS, Services, register
from homebody.agents.processors.parameter import array, mapping, number, string
from homebody.agents.processors.prior import last_kind
from homebody.agents.processors.question import fill
from homebody.agents.skills import operator
from homebody.agents.skills.skill import Advice, Skill, shortlist

TOLD = 3
"""Kinds of places that the text names, at most."""


class LocationTable(TypedDict):
    """What training counted, as the parameters of the same names describe it."""

    hits: Mapping[str, Mapping[str, int]]
    observations: Mapping[str, int]
    scene_observations: Mapping[str, Mapping[str, int]]
    mean_places: Mapping[str, float]
    density_exponent: float
    cost: Mapping[str, float]
    finishing: list[str]


@register
class LocationMemory(Skill):
    """Ranks the places to search by how often training found the wanted kind there. Helps where knowing the usual places saves steps.

    A place's prior is the log of its rate divided by the steps that an observation costs. The rate of a kind of place is
    (hits + k * prior) / (observations + k). The prior is the mean rate over the places on offer, shaped by the prior that
    the candidates already have (from a model, say): with no counts the prior decides, with many the counts do.
    Acts only while the phase of the subgoal is `search`, which `learned_plan` sets.

    Two things make the rate that of the place at hand. Only scenes that held the wanted kind say where in such a scene it stands
    (`scene_observations`). And what stands at one place of a kind is spread over its places: where they are more than on
    average, each holds it less often, by (mean number / number here) to the power of `density_exponent`.
    """

    name = "location_memory"
    dimension = "memory"
    after = (*GUARDS, "action_prior", "location_prior")
    texts = ("message",)
    schema = {
        **Skill.modes,
        "message": string(
            "advise: what the model reads, with {thing} and {places}", default="Where {thing} was found most often: {places}."
        ),
        "hits": mapping(
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            "hits[wanted][place]: observations of such a place that showed the wanted kind",
        ),
        "observations": mapping({"type": "integer", "minimum": 1}, "observations[place]: observations of such a place in training"),
        "scene_observations": mapping(
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            "scene_observations[wanted][place]: those in scenes with the wanted kind; where empty, `observations` counts",
        ),
        "mean_places": mapping(
            {"type": "number", "minimum": 0.001}, "mean_places[place]: mean number of such places in a training scene that has any"
        ),
        "density_exponent": number("how much the number of places counts", default=0.0, least=0, most=4),
        "cost": mapping({"type": "number", "minimum": 1}, "cost[place]: mean number of commands until such a place has shown everything"),
        "finishing": array({"type": "string"}, "action schemas of the commands that end an observation which another command has begun"),
        "pseudo": {"type": "number", "exclusiveMinimum": 0, "default": 2.0, "description": "k, the weight of the prior in observations"},
    }

    operators = operator.MEMORY

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._places: Counter[str] = Counter()
        """Places of each kind that the commands of the first step named."""
        self._prior: tuple[float, ...] = ()

    def advise(self, event: BeforeModel) -> Advice | None:
        """Rank the candidates by the log of rate / cost."""
        naming = self.services.naming
        if not self._places:
            named = {entity[-1] for command in event.admissible if (entity := naming.entities(command))}
            self._places = Counter(map(naming.kind, named))
        if event.subgoal is None or event.subgoal.phase != "search":
            return None
        wanted = event.subgoal.wanted
        hits = self.params["hits"].get(wanted, {})
        observations = self.params["scene_observations"].get(wanted) or self.params["observations"]
        places = [last_kind(command, naming) for command in event.candidates]
        known = sorted({place for place in places if place in observations})
        if not known:
            return None
        mean = sum(hits.get(place, 0) for place in known) / sum(observations[place] for place in known)
        total = sum(observations.values())
        before = shares(event.prior)
        k, prior = self.params["pseudo"], []
        for command, place, share in zip(event.candidates, places, before, strict=True):
            expected = max(mean, 0.5 / total) * share
            # A share can be too small for a number; the logarithm needs one.
            rate = (hits.get(place, 0) + k * expected) / (observations.get(place, 0) + k)
            rate = max(rate * self._sparseness(place), sys.float_info.min)
            # Such a command ends an observation whose first step is already paid for.
            finishing = naming.template(command)[0] in self.params["finishing"]
            cost = 1.0 if finishing else self.params["cost"].get(place, 1.0)
            prior.append(math.log(rate / cost))
        self._prior = tuple(prior)
        ranked = sorted(range(len(prior)), key=lambda i: (-prior[i], i))
        order = tuple(event.candidates[i] for i in ranked)
        said = list(dict.fromkeys(places[i] for i in ranked if hits.get(places[i])))[:TOLD]
        text = fill(self.params["message"], {"thing": wanted, "places": ", ".join(said)}) if said else ""
        kept = shortlist(event.candidates, prior, order[:1])
        return Advice(text, tuple((command,) for command in order), kept)

    def limit(self, event: BeforeModel, advice: Advice) -> Changes:
        """Replace the prior."""
        return {"prior": self._prior}

    def _sparseness(self, place: str) -> float:
        mean = self.params["mean_places"].get(place)
        return (mean / self._places[place]) ** self.params["density_exponent"] if mean and self._places[place] else 1.0


def shares(prior: tuple[float, ...]) -> list[float]:
    """Return exp(prior) scaled to a mean of 1; shape (len(prior),)."""
    top = max(prior)
    weights = [math.exp(value - top) for value in prior]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]
