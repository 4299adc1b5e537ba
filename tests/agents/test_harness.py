"""The contract between a harness and its processors: who is asked when, what may be changed, what a fault costs."""

from typing import ClassVar

import pytest

from homebody.agents.harness import Harness
from homebody.agents.hooks import (
    EVENT_OF_HOOK,
    HOOKS,
    AfterModel,
    AfterTool,
    BeforeTool,
    StepEnd,
    StepStart,
    TaskEnd,
    TaskStart,
    Turn,
)
from homebody.agents.processors import REGISTRY, Processor

# One event of each hook, and for each of them a field that may be changed (where there is one) and one that may not.
EVENTS = {
    "task_start": (TaskStart("goal", "A yard.", ("wait",)), "system_prompt", "goal"),
    "step_start": (StepStart(1, 9, (Turn("wait", "You wait."),)), "history", "step"),
    "before_model": (None, "content", "admissible"),
    "after_model": (AfterModel("Wait.", "Wait", ("wait",)), "command", "response"),
    "before_tool": (BeforeTool("wait"), "command", None),
    "after_tool": (AfterTool("wait", "You wait."), "observation", "command"),
    "step_end": (StepEnd(1, "wait", True, "You wait.", ("wait",)), None, "observation"),
    "task_end": (TaskEnd(False, 3), None, "won"),
}


def event_of(hook, yard):
    return yard.ask(("wait",)) if hook == "before_model" else EVENTS[hook][0]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_its_event(hook, yard):
    assert type(event_of(hook, yard)) is EVENT_OF_HOOK[hook]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if EVENTS[hook][1]])
def test_allowed_change_is_made_recorded_and_counted(hook, yard, harness, add_processor):
    field = EVENTS[hook][1]
    alive = Harness(harness("visited", add_processor("probe", hook, lambda event: {field: "new"})), None)
    for _ in range(2):
        event, changed = alive.run(event_of(hook, yard))
        assert getattr(event, field) == "new"
        assert changed == [["probe", [field]]]
    assert alive.activations == {"1:probe": 2}
    assert alive.failures == []


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if EVENTS[hook][2]])
def test_forbidden_change_is_stopped_and_noted(hook, yard, harness, add_processor):
    allowed, forbidden = EVENTS[hook][1:]
    changes = {forbidden: "new"} | ({allowed: "new"} if allowed else {})
    alive = Harness(harness(add_processor("probe", hook, lambda event: changes)), None)
    event, changed = alive.run(event_of(hook, yard))
    assert event == event_of(hook, yard)
    assert (changed, dict(alive.activations)) == ([], {})
    (failure,) = alive.failures
    assert failure["boundary"] == f"probe at {hook}"
    assert failure["kind"] == "ContractError"
    assert failure["message"].startswith(f"probe changed {forbidden} at {hook}, which lets it change ")
    assert failure["message"].endswith("change nothing") == (allowed is None)


def test_all_forbidden_fields_are_named_with_the_allowed_ones(harness, add_processor):
    alive = Harness(harness(add_processor("probe", "before_tool", lambda event: {"z": 1, "a": 2, "command": "x"})), None)
    alive.run(BeforeTool("wait"))
    assert alive.failures == [
        {
            "boundary": "probe at before_tool",
            "kind": "ContractError",
            "message": "probe changed a, z at before_tool, which lets it change approved, command",
        }
    ]


def test_processor_that_raises_is_skipped(harness, add_processor):
    def fail(event):
        raise KeyError("crate")

    alive = Harness(
        harness(
            add_processor("bad", "after_tool", fail),
            add_processor("good", "after_tool", lambda event: {"observation": event.observation + "!"}),
        ),
        None,
    )
    event, changed = alive.run(AfterTool("wait", "You wait."))
    assert event.observation == "You wait.!"
    assert changed == [["good", ["observation"]]]
    assert alive.failures == [{"boundary": "bad at after_tool", "kind": "KeyError", "message": "'crate'"}]


@pytest.mark.parametrize("answer", [["observation"], 5, "observation"])
def test_answer_that_is_no_set_of_changes_is_noted(answer, harness, add_processor):
    alive = Harness(harness(add_processor("probe", "after_tool", lambda event: answer)), None)
    event, changed = alive.run(AfterTool("wait", "You wait."))
    assert (event, changed) == (AfterTool("wait", "You wait."), [])
    assert [failure["boundary"] for failure in alive.failures] == ["probe at after_tool"]


@pytest.mark.parametrize("answer", [None, {}, {"observation": "You wait."}])
def test_no_change_is_no_activation(answer, harness, add_processor):
    alive = Harness(harness(add_processor("probe", "after_tool", lambda event: answer)), None)
    assert alive.run(AfterTool("wait", "You wait.")) == (AfterTool("wait", "You wait."), [])
    assert (alive.activations, alive.failures) == ({}, [])


def test_processors_answer_in_order_each_seeing_what_the_last_left(harness, add_processor):
    entries = [
        add_processor(name, "after_tool", lambda event, name=name: {"observation": event.observation + name}) for name in ("a", "b", "c")
    ]
    event, changed = Harness(harness(entries[2], entries[0], entries[1], entries[0]), None).run(AfterTool("wait", "-"))
    assert event.observation == "-caba"
    assert changed == [["c", ["observation"]], ["a", ["observation"]], ["b", ["observation"]], ["a", ["observation"]]]


def test_twins_are_counted_apart(harness, add_processor):
    probe = add_processor("probe", "after_tool", lambda event: {"observation": "new"})
    alive = Harness(harness(probe, probe), None)
    alive.run(AfterTool("wait", "old"))
    alive.run(AfterTool("wait", "old"))
    # The second finds the observation changed already.
    assert alive.activations == {"0:probe": 2}


def test_processor_is_asked_at_its_own_hook_only(harness, add_processor):
    asked = []
    alive = Harness(harness(add_processor("probe", "before_tool", asked.append)), None)
    alive.run(AfterTool("wait", "You wait."))
    alive.run(BeforeTool("wait"))
    assert asked == [BeforeTool("wait")]


def test_every_processor_observes_every_step_and_may_fail_at_it(harness, add_processor, yard):
    seen = []

    def fail(step):
        raise ValueError("blind")

    alive = Harness(
        harness(
            add_processor("bad", "task_start", lambda event: None, fail),
            add_processor("good", "task_end", lambda event: None, seen.append),
        ),
        None,
    )
    step = yard.told("wait")
    alive.observe(step)
    assert seen == [step]
    assert alive.failures == [{"boundary": "bad at step_end", "kind": "ValueError", "message": "blind"}]
    assert alive.activations == {}


def test_processors_get_their_parameters_with_defaults_and_the_scores(harness, monkeypatch):
    given = []

    class Probe(Processor):
        name, hook, dimension = "probe", "task_start", "model"
        schema: ClassVar = {"depth": {"type": "integer", "default": 3}, "width": {"type": "integer"}}

        def process(self, event):
            given.append((dict(self.params), self.score("A", ["b"])))

    monkeypatch.setitem(REGISTRY, "probe", Probe)
    made = harness({"use": "probe", "hook": "task_start", "dimension": "model", "params": {"width": 1}})
    Harness(made, lambda prefix, texts: [-1.0]).run(EVENTS["task_start"][0])
    assert given == [({"depth": 3, "width": 1}, [-1.0])]


def test_instances_live_for_one_harness(harness, yard):
    made = harness(("loop_guard", {"repeats": 1}))
    first, second = Harness(made, None), Harness(made, None)
    first.observe(yard.told("wait"))
    assert first.run(yard.ask(("look", "wait")))[0].menu == ("look",)
    assert second.run(yard.ask(("look", "wait")))[0].menu == ("look", "wait")


@pytest.mark.parametrize(
    "changes",
    [{"menu": ("wait",)}, {"menu": (), "bias": ()}, {"menu": ("fly",), "bias": (0.0,)}],
    ids=["no bias for it", "empty", "not admissible"],
)
def test_menu_that_cannot_be_offered_is_stopped_and_noted(changes, harness, add_processor, yard):
    alive = Harness(harness(add_processor("probe", "before_model", lambda event: changes)), None)
    before = yard.ask(("rest", "wait"))
    assert alive.run(before) == (before, [])
    (failure,) = alive.failures
    assert failure["boundary"] == "probe at before_model"
    assert "admissible" in failure["message"]
