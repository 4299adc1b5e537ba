"""The table of operators: what can be done to a harness with the processor library, and which failures are a reason to do it.

An operator is one row. What it sets comes from the lessons of training or from the library's defaults; where the lessons do not hold what
it needs, or the harness gives it nothing to act on, it does not apply. Nothing here knows a domain. Processors that only record
(`shaped_reward`, `training_marks`, `trace_detail`) change nothing that an agent does, so no failure is a reason for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.evolution.evidence.learn import Lessons
from homebody.evolution.proposers.operator import WRITING, Build, EditOperator, Settings, method_of, param_of
from homebody.evolution.proposers.page_operators import page_operators


def operators() -> list[EditOperator]:
    """Return the table; of operators that answer as many failures, the first is tried first.

    What the model knows is asked before what training showed is remembered; what changes the whole way of deciding comes before what
    adds to it, and what costs the model more tokens comes last.
    """
    searching = frozenset({"searching"})
    unable = frozenset({"cut_off", "unusable_answers", "refused"})
    aimless = frozenset({"goal_untouched", "ceiling"})
    ending = frozenset({"order", "premature_end", "final_step_missing"})
    return [
        EditOperator(
            "learned_plan",
            "Successes on training tasks reach the same milestones in the same order, so only what leads to the next one is offered.",
            unable | aimless | ending | {"loop"},
            "learned_plan",
            _playbook,
        ),
        *page_operators(unable | aimless | ending | {"loop"}),
        EditOperator(
            "choose by score",
            "A model that cannot write a command letter by letter may still prefer the right one of those on offer.",
            unable | {"loop"},
            "decide",
            _method("score"),
        ),
        EditOperator(
            "guard against loops",
            "A command that was answered in the same words before will be again.",
            unable | {"loop"},
            "loop_guard",
            lambda spec, _: {"loop_guard": {}},
        ),
        EditOperator(
            "do not look twice",
            "A place that was looked at has shown what it holds, so a second look is a step lost.",
            searching | {"loop"},
            "visited",
            _visited,
        ),
        *(
            EditOperator(
                f"ask where things are ({number})",
                "What the model has read of the world makes it expect things in some places more than in others.",
                searching,
                "location_prior",
                _where_prior(sentence, another=number > 1),
            )
            for number, sentence in enumerate(_sentences(), 1)
        ),
        EditOperator(
            "remember where things were",
            "Things lie where their like lay in training, so those places are searched first.",
            searching,
            "location_memory",
            _seen_where,
        ),
        EditOperator(
            "trust the prior more",
            "Few looks in training say less of a place than what is expected of it.",
            searching,
            "location_memory",
            _scale("location_memory", "pseudo", 4.0),
        ),
        EditOperator(
            "trust the prior less",
            "What training showed says more of a place than what is expected of it.",
            searching,
            "location_memory",
            _scale("location_memory", "pseudo", 0.25),
        ),
        EditOperator(
            "trust the model more",
            "The model's differences between places are right and too small.",
            searching,
            "location_prior",
            _scale("location_prior", "weight", 2.0),
        ),
        EditOperator(
            "trust the model less",
            "The model's differences between places are too large to be weighed against other knowledge.",
            searching,
            "location_prior",
            _scale("location_prior", "weight", 0.5),
        ),
        EditOperator(
            "leave a look unfinished",
            "To end every look that was begun costs steps that another place would repay better.",
            searching,
            "learned_plan",
            _unfinished_looks,
        ),
        EditOperator(
            "short history",
            "A small model copies from a long history instead of answering what was said last.",
            unable | {"loop"},
            "history_window",
            lambda spec, _: {"history_window": {"turns": 4}},
        ),
        EditOperator(
            "show solved tasks",
            "A model that copies well and plans badly does better with tasks before it that were solved.",
            unable | aimless | {"order"},
            "examples",
            _examples,
        ),
        EditOperator(
            "repair answers",
            "An answer that holds or nearly spells a command on offer means that command.",
            unable,
            "repair",
            _where_written({"repair": {}}),
        ),
        EditOperator(
            "answer under a grammar",
            "A model that may write nothing but a command on offer cannot be refused.",
            unable,
            "decide",
            lambda spec, _: {"decide": {"method": "grammar"}} if method_of(spec) == "generate" else None,
        ),
        EditOperator(
            "show the commands",
            "A model that has not read the commands on offer can only guess their wording.",
            unable,
            "show_candidates",
            lambda spec, _: {"show_candidates": {}} if method_of(spec) in WRITING and spec.id_of("show_candidates") is None else None,
        ),
        EditOperator(
            "explain refusals",
            "A model that reads why a command was refused, or what comes nearest to it, can do better at the next step.",
            unable,
            "explain_refusal",
            _where_written({"explain_refusal": {}}),
        ),
        EditOperator(
            "wait for what must come first",
            "In training successes these commands came only after others, so they are held back until those were done.",
            ending,
            "requires",
            _requires,
        ),
        EditOperator(
            "commands about the goal first",
            "A command that names what the goal names is more likely to serve it.",
            aimless | {"final_step_missing"},
            "goal_words",
            _goal_words,
        ),
        EditOperator(
            "ask which command fits the goal",
            "The goal makes the model expect some commands more than they are expected without it.",
            unable | aimless | {"loop"},
            "action_prior",
            _command_prior,
        ),
        EditOperator(
            "guard against stalls",
            "After several steps that showed nothing new, what was tried before will not show it either.",
            frozenset({"loop", "ceiling"}),
            "stall_guard",
            lambda spec, _: {"stall_guard": {}},
        ),
        EditOperator(
            "end with the goal",
            "When few steps are left, only what names the goal's things can still reach it.",
            frozenset({"ceiling", "unfinished", "final_step_missing"}),
            "step_budget",
            lambda spec, _: {"step_budget": {}},
        ),
        EditOperator(
            "take off a command's own likelihood",
            "A command that is a likely text as such is preferred whatever the goal is.",
            aimless | {"loop"},
            "decide",
            lambda spec, _: {"decide": {"correct": 1.0}} if method_of(spec) == "score" else None,
        ),
        EditOperator(
            "look up what was read",
            "What was cut from the history can be asked for instead of being found anew.",
            frozenset({"loop"}),
            "recall",
            _where_written({"recall": {}}, beside=("history_window", "history_budget")),
        ),
        EditOperator(
            "count the steps",
            "A model that knows how many steps are left can tell whether there is time for more before the end.",
            frozenset({"ceiling", "premature_end"}),
            "steps_left",
            _where_written({"steps_left": {}}),
        ),
        EditOperator(
            "vote among answers",
            "What most of several answers say is wrong less often than one answer.",
            aimless | unable,
            "decide",
            _where_written({"decide": {"method": "vote", "constrained": True}}),
        ),
        EditOperator(
            "read less",
            "An observation that is cut leaves room for an answer in the model's context.",
            frozenset({"error"}),
            "trim_observation",
            lambda spec, _: {"trim_observation": {}},
        ),
    ]


def _sentences() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((resources.files("homebody.assets") / "prompts" / "where.json").read_text("utf-8"))
    return found


def _playbook(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    skill = lessons.skills.get("learned_plan")
    return None if skill is None else {**_ranked_search(lessons), **skill.settings}


def _visited(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    return {"visited": {"forms": list(lessons.explore)}, **lessons.names} if lessons.explore else None


def _seen_where(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    skill = lessons.skills.get("location_memory")
    return None if skill is None else {**_ranked_search(lessons), **skill.settings}


def _where_prior(sentence: Mapping[str, str], another: bool) -> Build:
    """Ask by this sentence; `another` one is tried only in the place of the first, so that the two do not fill a round."""

    def build(spec: HarnessSpec, lessons: Lessons) -> Mapping[str, Mapping[str, Any]] | None:
        if another and spec.id_of("location_prior") is None:
            return None
        return {**_ranked_search(lessons), "location_prior": sentence}

    return build


def _ranked_search(lessons: Lessons) -> dict[str, Mapping[str, Any]]:
    """What finds the way by what the harness knows: a ranking, and places that were looked at gone from the candidates."""
    return {"decide": {"method": "rank"}, "visited": {"forms": list(lessons.explore)}, **lessons.names}


def _scale(use: str, param: str, factor: float) -> Build:
    def build(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
        value = param_of(spec, use, param)
        return None if value is None else {use: {param: value * factor}}

    return build


def _unfinished_looks(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    return {"learned_plan": {"finish_looks": False}} if param_of(spec, "learned_plan", "finish_looks") else None


def _method(method: str) -> Build:
    return lambda spec, lessons: {"decide": {"method": method}}


def _where_written(settings: Settings, beside: tuple[str, ...] = ()) -> Build:
    """Set this where a model writes its commands and, if any are named, one of the processors `beside` is in the harness."""

    def build(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
        wanted = not beside or any(spec.id_of(use) is not None for use in beside)
        return settings if wanted and method_of(spec) in WRITING else None

    return build


def _examples(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """A ranking reads no prompt, so examples would change nothing."""
    return {"examples": {"bank": list(lessons.bank)}} if lessons.bank and method_of(spec) != "rank" else None


def _requires(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """Each milestone of a frame needs the one before it, for goals with the frame's own words."""
    rules = [
        {"form": step["form"], "needs": [before["form"]], "goal": [word for word in frame["goal"].split() if not word.startswith("{")]}
        for frame in lessons.frames
        for before, step in zip(frame["steps"], frame["steps"][1:], strict=False)
        if before["form"] != step["form"]
    ]
    return {"requires": {"rules": rules}, **lessons.names} if rules and spec.id_of("learned_plan") is None else None


def _goal_words(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """A model that writes sees the preference only in what is left among the candidates."""
    return {"goal_words": {}, **({"shortlist": {}} if method_of(spec) in WRITING else {})}


def _command_prior(spec: HarnessSpec, lessons: Lessons) -> Settings | None:
    """A learned_plan leaves little to choose between but places, and of those the model can be asked more to the point."""
    return None if spec.id_of("learned_plan") is not None else {"decide": {"method": "rank"}, "action_prior": {}}
