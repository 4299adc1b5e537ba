"""A harness without one of its edits, with what built on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.ablation import leave_one_out
from homebody.evolution.proposers import set_processors
from homebody.evolution.reports.lineage import Edit, Lineage

Settings = Mapping[str, Mapping[str, Any]]
CODE = {"use": "code", "hook": "before_model", "dimension": "control", "params": {}, "source": "def process(event):\n    return None\n"}


def lineage(*edits: Settings | list[dict[str, Any]], seed: HarnessSpec | None = None) -> Lineage:
    """Make a run whose shipped edits set these parameters, or are these patches."""
    start = spec = seed or HarnessSpec.load("generic-act")
    made = []
    for number, edit in enumerate(edits, 1):
        patch = edit if isinstance(edit, list) else set_processors(spec, edit)
        after = spec.patch(patch)
        made.append(Edit(f"r{number}c1", number, f"operator {number}", "control", patch, spec, after))
        spec = after
    config = EvolveConfig("Quarry-v0", "no-model", "generic-act")
    return Lineage(Path(), config, {}, start, tuple(made), {})


def uses(spec: HarnessSpec | None) -> list[str]:
    assert spec is not None
    return [spec.components[name]["use"] for name in spec.in_order()]


def param(spec: HarnessSpec | None, use: str, name: str) -> Any:
    assert spec is not None
    found = spec.id_of(use)
    assert found is not None
    return spec.components[found]["params"].get(name)


def test_an_edit_is_left_out_and_the_others_stay_as_they_are() -> None:
    run = lineage({"loop_guard": {"repeats": 2}}, {"goal_words": {}}, {"history_window": {"turns": 3}})
    first, second, third = leave_one_out(run)
    before = uses(run.seed)
    assert uses(first.spec) == [use for use in uses(run.replayed) if use != "loop_guard"]
    assert uses(second.spec) == [use for use in uses(run.replayed) if use != "goal_words"]
    assert set(uses(third.spec)) >= set(before) - {"history_window"}
    assert (first.label, first.problem) == ("without r1c1 operator 1", "")
    assert [edit.id for edit in first.left_out] == ["r1c1"]


def test_an_edit_that_builds_on_another_goes_with_it() -> None:
    run = lineage({"goal_words": {}}, {"loop_guard": {"repeats": 2}}, {"goal_words": {"weight": 7.0}})
    first, _, third = leave_one_out(run)
    assert [edit.id for edit in first.left_out] == ["r1c1", "r3c1"]
    assert first.label == "without r1c1 operator 1 (not separable from r3c1)"
    assert "goal_words" not in uses(first.spec)
    assert "loop_guard" in uses(first.spec)
    assert [edit.id for edit in third.left_out] == ["r3c1"]
    assert param(third.spec, "goal_words", "weight") != 7.0


def test_edits_of_other_parameters_of_one_processor_are_separable() -> None:
    seed = lineage({"loop_guard": {"repeats": 2}}).replayed
    run = lineage({"history_window": {"turns": 3}}, {"history_window": {"turns": 9}}, {"loop_guard": {"repeats": 5}}, seed=seed)
    without = leave_one_out(run)
    assert [param(item.spec, "history_window", "turns") for item in without] == [9, 3, 9]
    assert [param(item.spec, "loop_guard", "repeats") for item in without] == [5, 5, 2]


def test_a_removal_can_be_left_out_and_needs_what_it_removes() -> None:
    seed = lineage({"goal_words": {}}).replayed
    out: list[dict[str, Any]] = [{"op": "remove", "path": "/components/goal_words"}]
    first, second = leave_one_out(lineage({"loop_guard": {"repeats": 2}}, out, seed=seed))
    assert "goal_words" not in uses(first.spec)
    assert param(second.spec, "goal_words", "weight") is None
    assert "loop_guard" in uses(second.spec)
    first, second = leave_one_out(lineage({"goal_words": {}}, out))
    assert [edit.id for edit in first.left_out] == ["r1c1", "r2c1"]
    assert "goal_words" in uses(second.spec)


def test_components_that_use_one_processor_are_told_apart() -> None:
    add: list[dict[str, Any]] = [{"op": "add", "path": "/components/one", "value": CODE}]
    other = [{"op": "add", "path": "/components/two", "value": {**CODE, "source": CODE["source"] + "\n", "after": ["one"]}}]
    free = [{"op": "add", "path": "/components/two", "value": CODE}]
    first, second = leave_one_out(lineage(add, other))
    # The second follows the first by its id: without it, it is no harness.
    assert (first.spec, second.spec and "two" in second.spec.components) == (None, False)
    assert first.problem == "harness: /components/two/after/0: there is no component 'one'"
    first, second = leave_one_out(lineage(add, free))
    assert [item.spec and item.spec.id_of("code") for item in (first, second)] == ["two", "one"]


def test_edits_are_left_out_of_a_harness_with_rules() -> None:
    seed = HarnessSpec.load("household-adaptive")
    run = lineage({"goal_words": {}}, {"history_window": {"turns": 3}}, seed=seed)
    first, second = leave_one_out(run)
    assert first.spec is not None
    assert second.spec is not None
    assert first.spec.adaptations == second.spec.adaptations == seed.adaptations
    assert set(uses(run.replayed)) - set(uses(first.spec)) == {"goal_words"}
    assert param(second.spec, "history_window", "turns") == 20


def test_an_edit_of_another_part_goes_with_what_it_built_on() -> None:
    seed = HarnessSpec.load("household-adaptive")
    rules = seed.adaptations
    fewer: list[dict[str, Any]] = [{"op": "replace", "path": "/adaptations", "value": rules[:1]}]
    none: list[dict[str, Any]] = [{"op": "remove", "path": "/adaptations"}]
    first, second = leave_one_out(lineage(fewer, none, seed=seed))
    assert [edit.id for edit in first.left_out] == ["r1c1", "r2c1"]
    assert first.spec is not None
    assert first.spec.adaptations == rules
    assert second.spec is not None
    assert second.spec.adaptations == rules[:1]


def test_what_would_be_no_harness_says_why() -> None:
    # The rule replaces a parameter that only the first edit has set.
    seed = lineage({"goal_words": {}}).replayed
    patch = [{"op": "replace", "path": "/components/goal_words/params/weight", "value": 9.0}]
    rule = {"name": "push", "when": {"signal": "stalled", "at_least": 3}, "patch": patch}
    add: list[dict[str, Any]] = [{"op": "add", "path": "/adaptations", "value": [rule]}]
    first, second = leave_one_out(lineage({"goal_words": {"weight": 5.0}}, add, seed=seed))
    assert first.spec is None
    assert "adaptations" in first.problem
    assert second.spec is not None
