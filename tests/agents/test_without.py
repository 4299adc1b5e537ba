"""`HarnessSpec.without`: the harness without one of its processors, wherever it stands."""

import pytest

from homebody.agents.harness.spec import HarnessError, HarnessSpec, entry

GUARD, SEEN, BOOK, WINDOW = entry("loop_guard"), entry("location_memory"), entry("learned_plan"), entry("history_window", {"turns": 4})


def harness(*processors, **fields):
    return HarnessSpec.from_json({"format": 1, "name": "test", "processors": list(processors), **fields})


def add(place, processor):
    return [{"op": "add", "path": f"/processors/{place}", "value": processor}]


def test_the_others_stay_as_they_are():
    spec = harness(WINDOW, BOOK, SEEN, description="mine")
    assert spec.without("learned_plan") == harness(WINDOW, SEEN, description="mine")
    assert spec.without("learned_plan").without("location_memory").without("history_window").processors == []
    assert spec == harness(WINDOW, BOOK, SEEN, description="mine")


def test_every_processor_of_the_name_goes():
    code = entry("code", hook="step_end", dimension="observability", source="def process(event):\n    return None")
    assert harness(code, SEEN, code).without("code") == harness(SEEN)


def test_rules_go_on_to_mean_the_processors_that_they_meant():
    change = [{"op": "replace", "path": "/processors/2/params/turns", "value": 9}]
    rule = {"name": "far", "when": {"signal": "stalled", "at_least": 1}, "patch": change}
    spec = harness(BOOK, SEEN, WINDOW, adaptations=[rule]).without("location_memory")
    assert spec.processors == [BOOK, WINDOW]
    (left,) = spec.adaptations
    assert spec.without_adaptations().patch(left["patch"]).processors == [BOOK, entry("history_window", {"turns": 9})]
    assert {key: left[key] for key in ("name", "when")} == {key: rule[key] for key in ("name", "when")}
    # Without what it acts on, the rule does nothing, so it goes too.
    assert harness(BOOK, SEEN, WINDOW, adaptations=[rule]).without("history_window") == harness(BOOK, SEEN)


def test_variants_lose_the_processor_too():
    variants = [
        {"name": "both", "route": {"words": {"red": 1.0}, "bias": 0.0}, "patch": [*add(2, GUARD), *add(3, WINDOW)]},
        {"name": "one", "route": {"words": {"blue": 1.0}, "bias": 0.0}, "patch": add(0, GUARD)},
    ]
    spec = harness(SEEN, GUARD, variants=[{**variants[1], "patch": add(0, WINDOW)}]).without("loop_guard")
    assert [spec.variant(item).processors for item in spec.variants] == [[WINDOW, SEEN]]
    brought = harness(BOOK, SEEN, variants=variants).without("location_memory")
    assert [brought.variant(item).processors for item in brought.variants] == [[BOOK, GUARD, WINDOW], [GUARD, BOOK]]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("location_memry", "harness test has no processor 'location_memry'; did you mean location_memory?"),
        ("visited", "harness test has no processor 'visited'; it has learned_plan, location_memory"),
    ],
)
def test_a_processor_that_is_not_there_is_named(use, message):
    with pytest.raises(HarnessError) as caught:
        harness(BOOK, SEEN).without(use)
    assert str(caught.value) == message
