"""The edit operators of skills: what evolution can do with learned plans, memories of places and values of pages.

Most of them dictate: what was learned decides, and the model has no part in it. Under the objective `model` they come after those that
help the model, as those do by which a skill says what it knows and a model chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from homebody.agents.processors.operator import (
    AIMLESS,
    ENDING,
    LOOP,
    SEARCHING,
    UNABLE,
    WRITING,
    Build,
    EditOperator,
    Findings,
    Settings,
    method_of,
    scaled,
)

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec

MOST_OPENED = 10
"""Most choices of a list that are opened."""
ANY = UNABLE | AIMLESS | ENDING | LOOP
"""Little but the end tells why a failure failed where pages are opened, so all of its operators answer the same failures."""


def _ranked_search(found: Findings) -> dict[str, Any]:
    """What finds the way by what the harness knows: a ranking, and places that were looked at gone from the candidates."""
    return {"decide": {"method": "rank"}, "visited": {"actions": list(found.explore)}, **found.names}


def _plan(spec: HarnessSpec, found: Findings) -> Settings | None:
    settings = found.skills.get("learned_plan")
    return {**_ranked_search(found), **settings} if settings else None


def _memory(spec: HarnessSpec, found: Findings) -> Settings | None:
    settings = found.skills.get("location_memory")
    return {**_ranked_search(found), **settings} if settings else None


def _advise(use: str, **more: Any) -> Build:
    """Let a skill advise a model that reads a prompt: without one there is nobody to be told."""

    def build(spec: HarnessSpec, found: Findings) -> Settings | None:
        settings = found.skills.get(use)
        if settings is None or method_of(spec) == "rank":
            return None
        return {**found.names, use: {**settings[use], **more, "mode": "advise"}}

    return build


PLAN = (
    EditOperator(
        "say what the learned plan wants next",
        "A model that reads which steps reached goals like this one, and finds what serves the next one first, can still choose otherwise.",
        ANY,
        _advise("learned_plan"),
    ),
    EditOperator(
        "follow the learned plan",
        "Successes on training tasks reach the same subgoals in the same order, so only what leads to the next one is offered.",
        ANY,
        _plan,
        dictates=True,
        without_model=True,
        proof=lambda found: sum(found.support.values()) / len(found.support) if found.support else 0.0,
    ),
    EditOperator(
        "leave an observation unfinished",
        "To end every observation that was begun costs steps that another place would repay better.",
        SEARCHING,
        lambda spec, found: {"learned_plan": {"finish_observations": False}} if spec.param("learned_plan", "finish_observations") else None,
        without_model=True,
    ),
)
MEMORY = (
    EditOperator(
        "say where things were",
        "A model that reads where the like of a thing lay in training can weigh it against what it sees.",
        SEARCHING,
        _advise("location_memory"),
    ),
    EditOperator(
        "remember where things were",
        "Things lie where their like lay in training, so those places are searched first.",
        SEARCHING,
        _memory,
        dictates=True,
        without_model=True,
    ),
    EditOperator(
        "trust the prior more",
        "Few observations in training say less of a place than what is expected of it.",
        SEARCHING,
        scaled("location_memory", "pseudo", 4.0, 0.001, 1000),
        without_model=True,
    ),
    EditOperator(
        "trust the prior less",
        "What training showed says more of a place than what is expected of it.",
        SEARCHING,
        scaled("location_memory", "pseudo", 0.25, 0.001, 1000),
        without_model=True,
    ),
)


def _follow(spec: HarnessSpec, found: Findings) -> dict[str, Any] | None:
    settings = found.skills.get("open_and_compare")
    return {"decide": {"method": "rank"}, **settings} if settings and spec.id_of("open_and_compare") is None else None


def _choose(spec: HarnessSpec, found: Findings) -> Settings | None:
    """Where no page is right without its choices, following successes solves nothing by itself: then both come at once."""
    if not found.pages:
        return None
    settings = _follow(spec, found) or {"open_and_compare": {}}
    return {**settings, "open_and_compare": {**settings["open_and_compare"], "choose": True}}


def _compare(param: str, value: Callable[[Findings], Any]) -> Build:
    """Set a parameter of `open_and_compare` where that is in the harness and training in an environment of pages taught something."""

    def build(spec: HarnessSpec, found: Findings) -> Settings | None:
        there = found.pages and spec.id_of("open_and_compare") is not None
        return {"open_and_compare": {param: value(found)}} if there else None

    return build


def _open_more(spec: HarnessSpec, found: Findings) -> Settings | None:
    """Open twice as many and one, and weigh them as training showed."""
    opened = spec.param("open_and_compare", "most_opened")
    if not found.pages or opened is None or opened >= MOST_OPENED:
        return None
    return {"open_and_compare": {"most_opened": min(2 * opened + 1, MOST_OPENED), "weights": found.pages["weights"]}}


def _fill_slot(spec: HarnessSpec, found: Findings) -> Settings | None:
    """A model that writes fills the slot itself."""
    return None if method_of(spec) in WRITING else found.skills.get("fill_slot")


def _result_prior(spec: HarnessSpec, found: Findings) -> Settings | None:
    if not found.pages or spec.id_of("open_and_compare") is None:
        return None
    return {"result_prior": {name: found.pages[name] for name in ("fixed", "separator")}}


OPEN_AND_COMPARE = (
    EditOperator(
        "say what is worth opening",
        "A model that finds first what successes on training pages went on with can still choose otherwise.",
        ANY,
        _advise("open_and_compare", choose=True),
    ),
    EditOperator(
        "end as successes end",
        "Successes on training tasks fill the slot, open a choice and give the same last command.",
        ANY,
        _follow,
        dictates=True,
        without_model=True,
    ),
    EditOperator(
        "choose what the goal names",
        "A page that is ended with before the choices that the goal names were made is not what the goal asks for.",
        ANY,
        _choose,
        dictates=True,
        without_model=True,
    ),
    EditOperator(
        "open more choices",
        "What a choice is worth shows on its page, and what was measured on training pages tells the right ones from the others.",
        ANY,
        _open_more,
        dictates=True,
        without_model=True,
    ),
    EditOperator(
        "end at a page above the threshold",
        "To end with a page of this worth won no fewer training tasks than to open all, and it saves steps.",
        ANY,
        _compare("threshold", lambda found: found.pages["threshold"]),
        dictates=True,
        without_model=True,
    ),
)
FILL_SLOT = (
    EditOperator(
        "leave out what all goals share",
        "Words that most goals have do not tell what this one asks for.",
        ANY,
        _fill_slot,
        without_model=True,
    ),
)


def _goal_parts(spec: HarnessSpec, found: Findings) -> Settings | None:
    return found.skills.get("goal_parts")


def _each_once(spec: HarnessSpec, found: Findings) -> Settings | None:
    settings = found.skills.get("goal_parts")
    return {"goal_parts": {**settings["goal_parts"], "once": True}, "loop_guard": {"repeats": 1}} if settings else None


def _scored_parts(spec: HarnessSpec, found: Findings) -> Settings | None:
    settings = _each_once(spec, found) if method_of(spec) != "rank" and spec.id_of("guidance") is None else None
    return {**settings, "decide": {"method": "score"}, "guidance": {}} if settings else None


def _whole_goal(found: Findings) -> float:
    return max(0.0, found.whole_goal)


GOAL_PARTS = (
    EditOperator(
        "offer the parts of the goal",
        "What has to be written is a part of the goal, and a model that reads the parts one by one need only choose.",
        ANY,
        _goal_parts,
        without_model=True,
        symptom=_whole_goal,
    ),
    EditOperator(
        "offer each part of the goal once",
        "What has to be written is a part of the goal, and what was written or done before need not be again.",
        ANY,
        _each_once,
        without_model=True,
        symptom=lambda found: max(_whole_goal(found), found.again),
    ),
    EditOperator(
        "choose by guided score among the parts of the goal",
        "A model that copies a command, or gives it again, may still prefer the right one once it is on offer, each part once.",
        ANY,
        _scored_parts,
        symptom=lambda found: max(_whole_goal(found), found.again),
    ),
)
RESULT_PRIOR = (
    EditOperator(
        "ask which choice fits",
        "The goal makes the model expect the text beside some choices more than beside others.",
        ANY,
        _result_prior,
        calls_step=1,
    ),
)
