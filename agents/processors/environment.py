"""What the model reads of the environment's answers: shorter, and with a reason where it was refused."""

from __future__ import annotations

import difflib

from homebody.agents.harness.hooks import AfterTool, Changes
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.operator import LONG, UNABLE, EditOperator, scaled, where_written


@register
class TrimObservation(Processor):
    """Cuts a long observation and says how much was cut. Helps where one page of text would fill the context of a small model."""

    name = "trim_observation"
    hook = "after_tool"
    dimension = "environment"
    group = "trim_observation"
    schema = {
        "lines": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 40, "description": "lines that stay, at most"},
        "characters": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100000,
            "default": 1500,
            "description": "characters that stay, at most",
        },
    }

    operators = (
        EditOperator(
            "read less",
            "An observation that is cut leaves room for an answer in the model's context.",
            LONG,
            lambda spec, found: {"trim_observation": {}} if spec.id_of("trim_observation") is None else None,
        ),
        EditOperator(
            "read half of it",
            "Where cut observations still fill the context, shorter ones leave room.",
            LONG,
            scaled("trim_observation", "characters", 0.5, 100, 100000),
        ),
    )

    def process(self, event: AfterTool) -> Changes | None:
        """Keep the beginning."""
        text = event.observation
        kept = "".join(text.splitlines(keepends=True)[: self.params["lines"]])[: self.params["characters"]].rstrip()
        if len(kept) == len(text.rstrip()):
            return None
        return {"observation": f"{kept}\n[{len(text) - len(kept)} of {len(text)} characters left out]"}


@register
class ExplainRefusal(Processor):
    """Adds to a refused command the reason, if the environment gives one, else the commands most like it. Helps a model that misspells."""

    name = "explain_refusal"
    hook = "after_tool"
    dimension = "environment"
    group = "explain_refusal"
    after = ("trim_observation",)
    schema = {
        "nearest": {
            "type": "integer",
            "minimum": 0,
            "maximum": 10,
            "default": 3,
            "description": "commands named, at most; 0: reasons only",
        },
        "header": {"type": "string", "default": "Not possible now. Nearest:", "description": "what stands before them"},
    }

    operators = (
        EditOperator(
            "explain refusals",
            "A model that reads why a command was refused, or what comes nearest to it, can do better at the next step.",
            UNABLE,
            where_written({"explain_refusal": {}}),
        ),
    )

    def process(self, event: AfterTool) -> Changes | None:
        """Append one line."""
        if event.accepted:
            return None
        hint = event.why
        if not hint:
            near = difflib.get_close_matches(event.command, event.admissible, n=max(1, self.params["nearest"]), cutoff=0.0)
            if not near or not self.params["nearest"]:
                return None
            hint = f"{self.params['header']} {'; '.join(near)}"
        return {"observation": f"{event.observation}\n{hint}"}
