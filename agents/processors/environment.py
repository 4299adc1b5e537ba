"""What the model reads of the environment's answers: shorter, and with a reason where it was refused."""

from __future__ import annotations

import difflib

from homebody.agents.harness.hooks import AfterTool, Changes
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.operator import LONG, UNABLE, EditOperator, scaled, where_written
from homebody.agents.processors.parameter import integer, string


@register
class TrimObservation(Processor):
    """Cuts a long observation and says how much was cut. Helps where one page of text would fill the context of a small model."""

    name = "trim_observation"
    hook = "after_tool"
    dimension = "environment"
    schema = {
        "lines": integer("lines that stay, at most", default=40, least=1, most=10000),
        "characters": integer("characters that stay, at most", default=1500, least=1, most=100000),
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
    after = ("trim_observation",)
    schema = {
        "nearest": integer("commands named, at most; 0: reasons only", default=3, least=0, most=10),
        "header": string("what stands before them", default="Not possible now. Nearest:"),
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
