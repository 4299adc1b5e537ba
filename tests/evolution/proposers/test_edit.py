from typing import Any

import pytest

from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.evolution.proposers import set_processors
from homebody.evolution.proposers.edit import new_id, set_params, take_out, target


def params(spec: HarnessSpec, use: str) -> Any:
    name = spec.id_of(use)
    return None if name is None else spec.components[name]["params"]


NARROWING = ("learned_plan", "visited", "loop_guard", "requires", "stall_guard", "step_budget")
RANKING = ("action_prior", "location_prior", "location_memory", "goal_words", "fill_slot", "result_prior", "open_and_compare")


def test_processors_are_asked_in_order_whatever_order_they_come_in(seed: HarnessSpec) -> None:
    """What narrows the candidates comes before what ranks them, what cuts the ranking after that, and what shows the rest last."""
    wanted = [*NARROWING, *RANKING, "shortlist", "show_candidates", "trace_detail"]
    text = component("template", {"text": "Act."}, hook="before_model", dimension="context")
    for uses in (wanted, wanted[::-1], sorted(wanted)):
        spec = HarnessSpec.from_json({"format": 2, "name": "empty", "components": {}})
        for use in uses:
            spec = spec.patch(set_processors(spec, {use: {}}))
        assert spec.in_order() == wanted
        spec = spec.patch([{"op": "add", "path": "/components/a_text", "value": text}])
        assert spec.in_order() == [*wanted[:-1], "a_text", wanted[-1]]
    both = seed.patch(set_processors(seed, {"explain_refusal": {}, "trim_observation": {}}))
    assert both.in_order()[-2:] == ["trim_observation", "explain_refusal"]


@pytest.mark.parametrize("use", sorted(use for use in REGISTRY if REGISTRY[use].hook))
def test_what_a_class_names_in_its_order_exists_and_is_of_its_hook(use: str) -> None:
    named = [*REGISTRY[use].after, *REGISTRY[use].before]
    assert {REGISTRY[other].hook or REGISTRY[use].hook for other in named} <= {REGISTRY[use].hook}


def test_setting_a_processor_that_is_there_keeps_its_other_parameters(seed: HarnessSpec) -> None:
    spec = seed.patch(set_processors(seed, {"show_candidates": {"header": "Commands:"}}))
    assert params(spec, "show_candidates") == {**params(seed, "show_candidates"), "header": "Commands:"}
    assert spec.in_order() == seed.in_order()
    assert set_processors(seed, {"history_window": {"turns": 20}}) == []


def test_a_patch_names_what_it_sets_and_nothing_else(seed: HarnessSpec) -> None:
    assert set_processors(seed, {"history_window": {"turns": 3}, "decide": {"method": "rank"}}) == [
        {"op": "add", "path": "/components/history_window/params/turns", "value": 3},
        {"op": "add", "path": "/components/decide", "value": component("decide", {"method": "rank"})},
    ]


def test_ids_are_found_by_processor_and_new_ones_are_free() -> None:
    code = component("code", hook="step_end", dimension="control", source="def process(event):\n    return None")
    components = {"decide": component("visited"), "z": code, "y": code, "code_2": component("loop_guard")}
    spec = HarnessSpec.from_json({"format": 2, "name": "test", "components": components})
    assert [target(spec, use) for use in ("code", "visited", "decide", "repair")] == ["y", "decide", "decide_2", "repair"]
    assert [new_id(spec, use) for use in ("code", "visited", "a.b:Own", "x" * 99)] == ["code", "visited", "Own", "x" * 60]
    spec = spec.patch([{"op": "add", "path": "/components/code", "value": code}])
    assert new_id(spec, "code") == "code_3"
    patch = set_processors(spec, {"visited": {"actions": ["open #"]}, "decide": {}})
    assert spec.patch(patch).components["decide"]["params"] == {"actions": ["open #"]}
    assert spec.patch(patch).components["decide_2"] == component("decide")
    assert set_params(spec, "y", {"max_failures": 2}) == [{"op": "add", "path": "/components/y/params/max_failures", "value": 2}]


@pytest.mark.parametrize("holder", ["adaptations", "variants"])
def test_what_is_taken_out_goes_from_the_patches_that_the_harness_holds(holder: str) -> None:
    four = {use: component(use, given) for use, given in {"system_prompt": {"text": "Act."}, "decide": {}, "repair": {}}.items()}
    when = {"adaptations": {"when": {"signal": "stalled", "at_least": 2}}, "variants": {"route": {"words": {"red": 1.0}, "bias": 0.0}}}
    patch = [
        {"op": "replace", "path": "/components/decide/params", "value": {"method": "rank"}},
        {"op": "remove", "path": "/components/repair"},
    ]
    held = {"name": "stuck", "patch": patch, **when[holder]}
    base = HarnessSpec.from_json({"format": 2, "name": "ruled", "components": four, holder: [held]})
    left = base.patch(take_out(base, "decide"))
    assert left.in_order() == ["system_prompt", "repair"]
    assert left.document[holder] == [{**held, "patch": patch[1:]}]
    assert base.patch([*take_out(base, "decide")]).patch(take_out(left, "repair")).document.get(holder) is None
