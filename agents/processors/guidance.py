"""What of a command's score is due to the goal."""

from __future__ import annotations

from homebody.agents.harness.hooks import BeforeModel, Changes
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, EditOperator, method_of
from homebody.agents.processors.parameter import number


@register
class Guidance(Processor):
    """Prefers commands that the goal makes likelier. Helps a model that likes some commands whatever the goal is.

    Of the model's score of each command, this share of the score that it has in the same chat without the goal's words is taken off:
    classifier-free guidance (Sanchez et al. 2023) of 1 / (1 - share). Only `decide: score` scores commands. The second chat is read as
    far as it is new, as the first one is.
    """

    name = "guidance"
    hook = "before_model"
    dimension = "control"
    schema = {"share": number("share of the score without the goal that is taken off", default=0.5, least=0, most=1)}

    operators = (
        EditOperator(
            "prefer what the goal makes likelier",
            "A command that is as likely without the goal is not what the goal asks for.",
            AIMLESS | LOOP | ENDING,
            lambda spec, found: {"guidance": {}} if method_of(spec) == "score" and spec.id_of("guidance") is None else None,
            calls_step=1,
        ),
    )

    def process(self, event: BeforeModel) -> Changes | None:
        """Set the share."""
        return {"guidance": float(self.params["share"])}
