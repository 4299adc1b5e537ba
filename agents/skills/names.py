"""The names of an environment's instances, as a component that the others of a harness read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.hooks import TaskStart
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.parameter import string
from homebody.agents.wording import NUMBERED, Naming

TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}, "default": []}


@register
class Names(Processor):
    """Says how instances are named, for the components that tell them apart. Helps where names are not words with numbers.

    It changes nothing itself: what it says is in the services of every component.
    """

    name = "names"
    hook = "task_start"
    dimension = "memory"
    is_recorder = True
    schema = {
        "mark": string("what stands between the word and the number of an instance", default=" "),
        "actions": {**TEXTS, "description": "action schemas, with # for each instance; none: instances are words with numbers"},
        "names": {**TEXTS, "description": "names met in training, in lower case, which are found in texts"},
    }

    def process(self, event: TaskStart) -> None:
        """Let the event pass."""


def naming_of(components: Mapping[str, Mapping[str, Any]]) -> Naming:
    """Return how the components of a harness are to read names; without `names` among them, as words with numbers."""
    params: Mapping[str, Any] = next((item["params"] for item in components.values() if item["use"] == Names.name), {})
    return Naming(params.get("mark", " "), tuple(params.get("actions", ())), tuple(params.get("names", ())))


def name_settings(naming: Naming) -> dict[str, dict[str, Any]]:
    """Return what a harness needs in order to read names so: the parameters of `names`, or nothing where it reads them so anyway."""
    if naming == NUMBERED:
        return {}
    return {Names.name: {"mark": naming.mark, "actions": list(naming.actions), "names": list(naming.names)}}
