"""The operators for environments of pages: what can be done with `homebody.agents.skills.page_values` and what training there taught.

Little but the end tells why a failure failed there, so all of them answer the same failures, and the gate tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.skills.page_values import PageTable
from homebody.evolution.evidence.learn import Lessons
from homebody.evolution.proposers.operator import WRITING, Build, EditOperator, Settings, method_of, param_of

MOST_LOOKS = 10
"""Most choices of a list that are opened."""


def page_operators(answers: frozenset[str]) -> list[EditOperator]:
    """Return the table.

    Args:
        answers: failure categories that these operators answer.
    """
    return [
        EditOperator(
            "end as successes end",
            "Successes on training tasks fill the slot, open a choice and give the same last command.",
            answers,
            "open_and_compare",
            _follow,
        ),
        EditOperator(
            "choose what the goal names",
            "A page that is ended with before the choices that the goal names were made is not what the goal asks for.",
            answers,
            "open_and_compare",
            _choose,
        ),
        EditOperator(
            "open more choices",
            "What a choice is worth shows on its page, and what was measured on training pages tells the right ones from the others.",
            answers,
            "open_and_compare",
            _look_further,
        ),
        EditOperator(
            "leave out what all goals share",
            "Words that most goals have do not tell what this one asks for.",
            answers,
            "fill_slot",
            _fill_slot,
        ),
        EditOperator(
            "end with what is good enough",
            "On training tasks a page of this worth was right often enough, and the steps that are saved are not missing at the end.",
            answers,
            "open_and_compare",
            _compare("enough", lambda table: table["enough"]),
        ),
        EditOperator(
            "ask which choice fits",
            "The goal makes the model expect the text beside some choices more than beside others.",
            answers,
            "result_prior",
            _choice_prior,
        ),
    ]


def _follow(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    skill = lessons.skills.get("open_and_compare")
    if skill is None or spec.id_of("open_and_compare") is not None:
        return None
    return {"decide": {"method": "rank"}, **skill.settings}


def _choose(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """Where no page is right without its choices, following successes solves nothing by itself: then both come at once."""
    if not lessons.pages:
        return None
    settings = _follow(spec, lessons) or {"open_and_compare": {}}
    return {**settings, "open_and_compare": {**settings["open_and_compare"], "choose": True}}


def _compare(param: str, value: Callable[[PageTable], Any]) -> Build:
    """Set a parameter of `open_and_compare` where that is in the harness and training in an environment of pages taught something."""

    def build(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
        if lessons.pages is None or spec.id_of("open_and_compare") is None:
            return None
        return {"open_and_compare": {param: value(lessons.pages)}}

    return build


def _look_further(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """Open twice as many and one, and weigh them as training showed."""
    look = param_of(spec, "open_and_compare", "look")
    if not lessons.pages or look is None or look >= MOST_LOOKS:
        return None
    return {"open_and_compare": {"look": min(2 * look + 1, MOST_LOOKS), "weights": lessons.pages["weights"]}}


def _fill_slot(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """A model that writes fills the slot itself."""
    skill = lessons.skills.get("fill_slot")
    return None if skill is None or method_of(spec) in WRITING else skill.settings


def _choice_prior(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    if not lessons.pages or spec.id_of("open_and_compare") is None:
        return None
    return {"result_prior": {"fixed": lessons.pages["fixed"], "separator": lessons.pages["separator"]}}
