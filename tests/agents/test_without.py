"""`HarnessSpec.without`: the harness without one of its components, wherever it is named."""

import pytest

from homebody.agents.harness.spec import HarnessError, HarnessSpec, component

GUARD, SEEN, BOOK, WINDOW = (
    component("loop_guard"),
    component("location_memory"),
    component("learned_plan"),
    component("history_window", {"turns": 4}),
)


def named(*components):
    return {item["use"]: item for item in components}


def harness(*components, **fields):
    return HarnessSpec.from_json({"format": 2, "name": "test", "components": named(*components), **fields})


def add(item):
    return [{"op": "add", "path": f"/components/{item['use']}", "value": item}]


def test_the_others_stay_as_they_are():
    spec = harness(WINDOW, BOOK, SEEN, description="mine")
    assert spec.without("learned_plan") == harness(WINDOW, SEEN, description="mine")
    assert spec.without("learned_plan").without("location_memory").without("history_window").components == {}
    assert spec == harness(WINDOW, BOOK, SEEN, description="mine")


def test_of_two_that_use_one_processor_the_one_that_is_named_goes():
    code = component("code", hook="step_end", dimension="observability", source="def process(event):\n    return None")
    both = HarnessSpec.from_json({"format": 2, "name": "test", "components": {"one": code, "two": code}})
    assert both.without("one").components == {"two": code}


def test_what_followed_it_follows_what_it_followed():
    chain = {"a": component("stall_guard"), "b": component("decide"), "c": component("step_budget"), "d": component("loop_guard")}
    chain["b"]["after"] = ["c", "a"]
    chain["d"]["after"] = ["b"]
    spec = HarnessSpec.from_json({"format": 2, "name": "test", "components": chain})
    assert spec.without("b").components == {"a": chain["a"], "c": chain["c"], "d": component("loop_guard", after=["c", "a"])}
    assert spec.without("b").without("a").without("c").components == {"d": component("loop_guard")}


def test_rules_stay_as_long_as_they_do_something():
    change = [{"op": "replace", "path": "/components/history_window/params/turns", "value": 9}]
    rule = {"name": "far", "when": {"signal": "stalled", "at_least": 1}, "patch": change}
    spec = harness(BOOK, SEEN, WINDOW, adaptations=[rule]).without("location_memory")
    assert spec.components == named(BOOK, WINDOW)
    (left,) = spec.adaptations
    assert spec.without_adaptations().patch(left["patch"]).components == named(BOOK, component("history_window", {"turns": 9}))
    assert {key: left[key] for key in ("name", "when")} == {key: rule[key] for key in ("name", "when")}
    # Without what it acts on, the rule does nothing, so it goes too.
    assert harness(BOOK, SEEN, WINDOW, adaptations=[rule]).without("history_window") == harness(BOOK, SEEN)


def test_variants_lose_the_processor_too():
    variants = [
        {"name": "both", "route": {"words": {"red": 1.0}, "bias": 0.0}, "patch": [*add(GUARD), *add(WINDOW)]},
        {"name": "one", "route": {"words": {"blue": 1.0}, "bias": 0.0}, "patch": add(GUARD)},
    ]
    spec = harness(SEEN, GUARD, variants=[{**variants[1], "patch": add(WINDOW)}]).without("loop_guard")
    assert [spec.variant(item).components for item in spec.variants] == [named(WINDOW, SEEN)]
    brought = harness(BOOK, SEEN, variants=variants).without("location_memory")
    assert [brought.variant(item).components for item in brought.variants] == [named(BOOK, GUARD, WINDOW), named(GUARD, BOOK)]
    # What only a variant brings in can be left out, too.
    less = harness(BOOK, SEEN, variants=variants).without("loop_guard")
    assert [(item["name"], less.variant(item).components) for item in less.variants] == [("both", named(BOOK, SEEN, WINDOW))]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("location_memry", "harness test has no component 'location_memry'; did you mean location_memory?"),
        ("visited", "harness test has no component 'visited'; it has learned_plan, location_memory"),
    ],
)
def test_a_component_that_is_not_there_is_named(name, message):
    with pytest.raises(HarnessError) as caught:
        harness(BOOK, SEEN).without(name)
    assert str(caught.value) == message
