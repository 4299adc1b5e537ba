"""How the model is asked: how its answer is read, how its tokens are chosen, whether it thinks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from homebody.agents.harness.hooks import READS, BeforeModel, Changes, Reading
from homebody.agents.models.generation import AT_BUDGET, MODES, RESERVED, VARIABLE, Thinking
from homebody.agents.processors.base import Processor, register
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, EditOperator, Settings, method_of, scaled, where_written
from homebody.agents.processors.parameter import array, boolean, integer, number, one_of, string

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


THOUGHT_FIRST: Settings = {
    "answer": {"read": "after", "mark": "Action:", "tokens": 128, "shown": "last"},
    "show_candidates": {"footer": "Write one sentence on what comes next. Then write Action: and one of the commands."},
}
"""A sentence of thought, then the command behind a mark."""


def _reads(spec: HarnessSpec) -> str:
    return str(spec.param("answer", "read") or "first")


def _plain_list(spec: HarnessSpec) -> dict[str, dict[str, str]]:
    """Return the settings of a list of commands that asks for nothing but one of them."""
    return {"show_candidates": {"footer": "Write one of the commands and nothing else."}} if spec.id_of("show_candidates") else {}


@register
class Answer(Processor):
    """Says how an answer is read and how long it may be. Helps a model that says more than the command: a thought line, a tag, a call.

    `first` and `last`: that line. `after`: the line after the last `mark`. `between`: what stands between the last `mark` and `end`.
    `json`: the text in `field` of a JSON object. `tool`: the text in `field` of a call of the tool `act`,
    which the model is offered in the form that it was trained on; past turns are such calls and their
    answers. Where the mark, the object or the call is missing the last line counts. The chat shows what the
    model wrote in place of the bare command, unless `shown` says otherwise. A harness without this component
    has one line of at most 24 tokens written, and shows commands.
    """

    name = "answer"
    hook = "before_model"
    dimension = "model"
    schema = {
        "read": one_of(READS, "where the command stands in the answer", default="first"),
        "mark": string("after, between: what stands before the command", default="Action:", most=80),
        "end": string("between: what stands after it", default="", most=80),
        "field": string("json, tool: name of its field", default="command", most=80),
        "tokens": integer("of the answer, at most", default=128, least=1, most=32768),
        "stop": array(
            {"type": "string", "maxLength": 80},
            "texts that end the answer; so do the line's end (first, unless a command may hold several) and `end` (between)",
            most=4,
        ),
        "shown": one_of(
            ["reply", "last", "command"],
            "what the chat shows of past turns; last: the reply of the last one, the commands of those before it",
            default="reply",
        ),
        "listed": boolean("tool: whether its definition lists the commands on offer; where these change, no prompt begins as the last one"),
    }

    operators = (
        EditOperator(
            "more room for an answer",
            "An answer that is cut before its command says none.",
            frozenset({"cut_off"}),
            scaled("answer", "tokens", 2, 1, 2048),
        ),
        EditOperator(
            "read the last line",
            "A model that explains itself first gives its command last.",
            frozenset({"unusable_answers", "refused"}),
            lambda spec, found: {"answer": {"read": "last"}} if method_of(spec) == "generate" and _reads(spec) == "first" else None,
        ),
        EditOperator(
            "one thought before the command",
            "A model that says in a sentence what comes next chooses the command that fits it.",
            AIMLESS | ENDING | LOOP,
            lambda spec, found: THOUGHT_FIRST if method_of(spec) in ("generate", "grammar") and _reads(spec) in ("first", "last") else None,
            signal="stalled",
        ),
        EditOperator(
            "command without a thought",
            "A small model that writes a thought first loses its way in it, or its room.",
            frozenset({"cut_off", "unusable_answers"}) | LOOP,
            lambda spec, found: {"answer": {"read": "first", "tokens": 32}, **_plain_list(spec)} if _reads(spec) == "after" else None,
        ),
    )

    def process(self, event: BeforeModel) -> Changes:
        """Set room, stop strings and reading."""
        given = self.params
        own = {"first": "" if event.slot_lines else "\n", "between": given["end"]}.get(given["read"], "")
        stop = (*given["stop"], *([own] if own else []))
        return {
            "generation": replace(event.generation, tokens=given["tokens"], stop=stop),
            "reading": Reading(given["read"], given["mark"], given["end"], given["field"], given["shown"], given["listed"]),
        }


@register
class Sampling(Processor):
    """Says how tokens are chosen. Helps a model that repeats itself when the likeliest one is always taken, as thinking models do.

    What is sampled follows the seed of the episode, the attempt and the step. Order: penalties, temperature, `top_k`, `top_p`, `min_p`.
    """

    name = "generation"
    hook = "before_model"
    dimension = "model"
    schema = {
        "temperature": number("0 takes the likeliest token", default=0.0, least=0, most=10),
        "top_k": integer("likeliest tokens that stay; 0 all", default=0, least=0, most=1000000),
        "top_p": number("probability that the likeliest share", default=1.0, least=0.001, most=1),
        "min_p": number("least probability, against the likeliest", default=0.0, least=0, most=1),
        "presence_penalty": number("for tokens already written", default=0.0, least=-10, most=10),
        "frequency_penalty": number("for each time of them", default=0.0, least=-10, most=10),
        "repetition_penalty": number("factor on them", default=1.0, least=0.01, most=10),
        "maker": boolean("whether what the model's maker recommends goes first"),
        "seed": integer("added to the seed of the episode", default=0, least=0, most=2147483647),
    }

    operators = (
        EditOperator(
            "sample as its maker says",
            "Many a model was tuned to be sampled, and repeats itself where the likeliest token is always taken.",
            LOOP,
            where_written({"generation": {"temperature": 0.7, "maker": True}}),
        ),
        EditOperator(
            "penalize repeated words",
            "A model that falls into its own last words is pushed out of them by a penalty on them.",
            LOOP | {"unusable_answers"},
            where_written({"generation": {"repetition_penalty": 1.1}}),
        ),
    )

    def process(self, event: BeforeModel) -> Changes:
        """Set the sampling."""
        # 1 and 1.0 are one setting, so they make one trace.
        values: dict[str, Any] = {
            key: float(self.params[key]) if rule["type"] == "number" else self.params[key] for key, rule in self.schema.items()
        }
        return {"generation": replace(event.generation, **values)}


@register
class Think(Processor):
    """Says whether the model thinks before it answers, and how long. Helps a model that was trained to; costs tokens.

    `template` leaves it to the model's chat template, `on` and `off` insist. A thought of `budget` tokens is closed by `sentence` and
    answered, or gives no answer (`fail`). A model without marks for a thought answers at once. No command is read from a thought.
    """

    name = "think"
    hook = "before_model"
    dimension = "model"
    schema = {
        "mode": one_of(MODES, "whether it thinks", default="template"),
        "budget": integer("tokens of a thought, at most", default=512, least=0, most=131072),
        "at_budget": one_of(AT_BUDGET, "what happens to a thought that is longer", default="close"),
        "sentence": string("close: its last words", default=Thinking().sentence, most=200),
        "keep": integer("past turns, the last ones, whose thoughts the chat shows", default=0, least=0, most=1000),
        "template": {
            "type": "object",
            "propertyNames": {"pattern": f"^{VARIABLE.pattern}$", "description": f"a name; {', '.join(RESERVED)} are taken"},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "default": {},
            "description": "what the chat template is told besides: an effort or a date, for one that asks for it",
        },
        "marks": {
            "type": "object",
            "properties": {name: {"type": "string", "minLength": 1, "maxLength": 80} for name in ("start", "end")},
            "dependentRequired": {"start": ["end"], "end": ["start"]},
            "additionalProperties": False,
            "default": {},
            "description": "what begins and ends a thought, in the place of the marks that are found",
        },
    }

    operators = (
        EditOperator(
            "think before answering",
            "A model that was trained to think uses more of what it knows when it may.",
            AIMLESS | ENDING | LOOP,
            lambda spec, found: {"think": {"mode": "on", "budget": 256}} if spec.param("think", "mode") == "off" else None,
            calls_step=3,  # a thought is as long as several answers
            signal="stalled",
        ),
        EditOperator(
            "answer without thinking",
            "A thought that does not come to its end leaves no answer.",
            frozenset({"cut_off"}),
            lambda spec, found: {"think": {"mode": "off"}} if spec.param("think", "mode") in ("template", "on") else None,
        ),
        EditOperator(
            "think longer",
            "A thought that is closed by force has not come to what it was for.",
            frozenset({"cut_off"}) | AIMLESS,
            lambda spec, found: None if spec.param("think", "mode") == "off" else scaled("think", "budget", 2, 1, 4096)(spec, found),
            calls_step=3,
        ),
    )

    def process(self, event: BeforeModel) -> Changes:
        """Set mode and budget, and what the chat shows."""
        given = self.params
        names = ("mode", "budget", "at_budget", "sentence", "template")
        thinking = Thinking(**{name: given[name] for name in names}, **given["marks"])
        return {"generation": replace(event.generation, thinking=thinking), "thoughts": given["keep"]}
