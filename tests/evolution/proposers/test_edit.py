from typing import Any

import pytest

from homebody.agents.harness.patch import apply
from homebody.agents.harness.spec import HarnessSpec, entry
from homebody.agents.processors import REGISTRY
from homebody.evolution.proposers import set_processors
from homebody.evolution.proposers.edit import ORDER


def uses(spec: HarnessSpec) -> list[str]:
    return [item["use"] for item in spec.processors]


def params(spec: HarnessSpec, use: str) -> Any:
    position = spec.index(use)
    return None if position is None else spec.processors[position]["params"]


def test_processors_stand_in_order_whatever_order_they_come_in(seed: HarnessSpec) -> None:
    spec = seed
    for use in ("location_memory", "decide", "learned_plan", "loop_guard", "location_prior", "visited"):
        spec = spec.patch(set_processors(spec, {use: {}}))
    assert uses(spec) == [use for use in ORDER if use in uses(spec)]
    assert len(uses(spec)) == 9
    assert {*ORDER, "code"} == set(REGISTRY)  # every processor of the library has its place


def test_setting_a_processor_that_is_there_keeps_its_other_parameters(seed: HarnessSpec) -> None:
    spec = seed.patch(set_processors(seed, {"show_candidates": {"header": "Commands:"}}))
    assert params(spec, "show_candidates") == {**params(seed, "show_candidates"), "header": "Commands:"}
    assert uses(spec) == uses(seed)
    assert set_processors(seed, {"history_window": {"turns": 20}}) == []


CHAIN = [
    {"op": "add", "path": "/processors/1", "value": entry("stall_guard")},
    {"op": "remove", "path": "/processors/0"},
    {"op": "move", "from": "/processors/2", "path": "/processors/0"},
    {"op": "copy", "from": "/processors/1", "path": "/processors/-"},
    {"op": "remove", "path": "/processors/1"},
    {"op": "replace", "path": "/processors/0/params", "value": {"layout": "groups"}},
]
PATCHES = [
    [{"op": "replace", "path": "/processors/1/params", "value": {"method": "rank"}}],
    [{"op": "add", "path": "/processors/2/params/layout", "value": "groups"}],
    [{"op": "remove", "path": "/processors/2"}],
    [{"op": "remove", "path": "/processors/0"}, {"op": "remove", "path": "/processors/0"}],
    [{"op": "add", "path": "/processors/4", "value": entry("stall_guard")}],
    CHAIN,
    [
        {"op": "replace", "path": "/processors", "value": [entry("decide")]},
        {"op": "add", "path": "/processors/0", "value": entry("notes")},
    ],
]


@pytest.mark.parametrize("holder", ["adaptations", "variants"])
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: " ".join(operation["op"] for operation in patch))
def test_patches_that_the_harness_holds_go_on_to_mean_the_same_processors(patch: list[dict[str, Any]], holder: str) -> None:
    four = [entry("system_prompt", {"text": "Act."}), entry("decide"), entry("show_candidates"), entry("repair")]
    held = {"name": "stuck", "patch": patch}
    base = HarnessSpec({"format": 1, "name": "ruled", "processors": four, holder: [held]})
    applied = apply(base.document, patch)["processors"]
    for use in ("history_window", "trim_observation"):
        edited = HarnessSpec(apply(base.document, set_processors(base, {use: {}})))
        assert edited.index(use) == (1 if use == "history_window" else 4)
        after = apply(edited.document, edited.document[holder][0]["patch"])["processors"]
        assert [item for item in after if item["use"] != use] == applied
