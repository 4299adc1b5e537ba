"""Prompts as templates: the message of a step, written from what the harness knows at that step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, Changes
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import GUARDS, Processor, register
from homebody.agents.processors.sample import SAMPLES
from homebody.agents.sandbox import renderer

VARIABLES = ("content", "focus", "goal", "candidates", "observation", "steps_left", "tools")
"""What a template may name."""


@register
class PromptTemplate(Processor):
    """Adds a text made from a template to the message of a step, for this step only. Helps where a fixed text cannot say what matters now.

    The template (Jinja syntax) may name `goal`, `observation`, `content` (the message so far), `candidates` and `tools` (lists of
    commands), `steps_left`, and `focus` (none, or what the agent is after: `focus.phase`, `focus.wanted`). An empty text changes nothing.
    """

    name = "prompt_template"
    hook = "before_model"
    dimension = "context"
    after = (*GUARDS, "fill_slot", "open_and_compare", "shortlist", "show_candidates")
    schema = {
        "template": {"type": "string", "maxLength": 8000, "description": "Jinja source"},
        "instead": {"type": "boolean", "default": False, "description": "whether the text takes the place of the message"},
    }

    @classmethod
    def check_entry(cls, entry: Mapping[str, Any]) -> list[str]:
        """Compile the template, name unknown variables, and render it once on a sample event."""
        template = entry["params"]["template"]
        problems = renderer.check(template, VARIABLES)
        if not problems:
            try:
                renderer.render(template, _view(SAMPLES["before_model"]))
            except renderer.PromptTemplateError as error:
                problems = [f"on a sample event: {error}"]
        return [f"/params/template: {problem}" for problem in problems]

    def process(self, event: BeforeModel) -> Changes | None:
        """Render and append, after the cut, so that the history keeps the observation alone."""
        text = renderer.render(self.params["template"], _view(event)).strip("\n")
        if not text:
            return None
        if self.params["instead"]:
            return {"content": f"{CUT}{text}"}
        durable, _, ephemeral = event.content.partition(CUT)
        return {"content": f"{durable}{CUT}{ephemeral}\n\n{text}"}


def _view(event: Any) -> dict[str, Any]:
    values = asdict(event)
    return {name: values[name] for name in VARIABLES} | {"content": event.content.replace(CUT, "")}
