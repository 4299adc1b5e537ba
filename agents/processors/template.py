"""Texts as templates: written from what the harness knows at a hook, for the model to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from homebody.agents.harness.hooks import HOOK_OF_EVENT, AfterTool, BeforeModel, Changes, TaskStart
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import GUARDS, Processor, register
from homebody.agents.processors.operator import AIMLESS, LOOP, EditOperator, added, method_of
from homebody.agents.processors.parameter import boolean, string
from homebody.agents.processors.sample import SAMPLES
from homebody.agents.sandbox import renderer

WRITES = {"task_start": "system_prompt", "before_model": "content", "after_tool": "observation"}
"""The text that a template adds to, by hook."""
VARIABLES = {
    "task_start": ("content", "goal", "candidates", "observation"),
    "before_model": ("content", "subgoal", "goal", "candidates", "observation", "steps_left", "tools"),
    "after_tool": ("content", "command", "accepted", "why"),
}
"""What a template may name, by hook; `content` is the text so far."""


GOAL_AGAIN = {
    "use": "template",
    "hook": "before_model",
    "dimension": "context",
    "params": {"text": "Goal: {{ goal }}\nSteps left: {{ steps_left }}"},
}


@register
class Template(Processor):
    """Adds a text from a template to what the model reads. Helps where no fixed text says what matters.

    At `task_start` it adds to the system prompt, at `before_model` to the message of the step, for this
    step only, and at `after_tool` to the observation, as the history keeps it. The template (Jinja
    syntax) may name `content`, the text so far, and of the event: `goal`, `candidates` and
    `observation` at the first two hooks; `steps_left`, `tools` (a list of commands) and `subgoal` (none,
    or what the agent is after: `subgoal.phase`, `subgoal.wanted`) at `before_model`; `command`, `accepted`
    and `why` at `after_tool`. An empty text changes nothing.
    """

    name = "template"
    hook = ""
    hooks = tuple(WRITES)
    dimension = ""
    group = None
    after = (
        *("system_prompt", "examples", "trim_observation", "explain_refusal"),
        *(*GUARDS, "fill_slot", "open_and_compare", "shortlist", "show_candidates"),
    )
    schema = {
        "text": string("Jinja source", most=8000),
        "instead": boolean("whether the text takes the place of the text so far"),
    }

    operators = (
        EditOperator(
            "say the goal again at each step",
            "In a long chat a small model answers what stands near the end, so the goal and the time left stand there.",
            AIMLESS | LOOP,
            lambda spec, found: added(spec, "goal_again", GOAL_AGAIN) if method_of(spec) != "rank" else None,
        ),
    )

    @classmethod
    def check_entry(cls, entry: Mapping[str, Any]) -> list[str]:
        """Compile the template, name unknown variables, and render it once on a sample event."""
        hook, template = entry["hook"], entry["params"]["text"]
        problems = renderer.check(template, VARIABLES[hook])
        if not problems:
            try:
                renderer.render(template, _view(SAMPLES[hook], hook))
            except renderer.PromptTemplateError as error:
                problems = [f"on a sample event: {error}"]
        return [f"/params/text: {problem}" for problem in problems]

    def process(self, event: TaskStart | BeforeModel | AfterTool) -> Changes | None:
        """Render and append.

        In the message of a step the text comes after the cut: the history keeps the observation alone.
        """
        hook = HOOK_OF_EVENT[type(event)]
        text = renderer.render(self.params["text"], _view(event, hook)).strip("\n")
        if not text:
            return None
        before: str = getattr(event, WRITES[hook])
        if isinstance(event, BeforeModel):
            durable, _, ephemeral = ("", "", "") if self.params["instead"] else before.partition(CUT)
            return {"content": f"{durable}{CUT}{ephemeral}\n\n{text}" if durable or ephemeral else f"{CUT}{text}"}
        return {WRITES[hook]: text if self.params["instead"] or not before else f"{before}\n\n{text}"}


def _view(event: Any, hook: str) -> dict[str, Any]:
    values = asdict(event)
    content = str(values[WRITES[hook]]).replace(CUT, "")
    return {name: values[name] for name in VARIABLES[hook] if name in values} | {"content": content}
