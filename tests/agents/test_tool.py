"""Tools that the model can call: notes, recall, steps_left."""

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import BeforeTool, StepEnd
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted


def call(tool, command, admissible=("wait",), steps_left=5):
    changes = tool.process(BeforeTool(command, admissible=admissible, steps_left=steps_left))
    return changes and changes["answer"]


def test_notes_are_written_and_read(make):
    tool = make("notes")
    assert tool.offers() == ("note {text}",)
    assert call(tool, "note crate 1 is in shed 2") == "Noted: crate 1 is in shed 2"
    assert tool.offers() == ("note {text}", "read notes")
    assert call(tool, "note dock 1 is free") == "Noted: dock 1 is free"
    assert call(tool, "read notes") == "- crate 1 is in shed 2\n- dock 1 is free"


@pytest.mark.parametrize("command", ["wait", "note", "note ", "read notes", "notes"])
def test_what_is_no_call_passes(command, make):
    assert call(make("notes"), command) is None


@pytest.mark.parametrize(("name", "command"), [("notes", "note a"), ("steps_left", "count steps")])
def test_calls_are_bounded(name, command, make):
    tool = make(name, {"calls": 2})
    assert [call(tool, command) is not None for _ in range(3)] == [True, True, False]
    assert tool.offers() == ()


def test_calls_that_are_none_cost_nothing(make):
    tool = make("notes", {"calls": 1})
    assert call(tool, "wait") is None
    assert call(tool, "note a") == "Noted: a"


def test_environment_gets_its_own_command(make):
    assert call(make("notes"), "note a", admissible=("note a",)) is None


READ = [
    StepEnd(1, "walk to shed 2", True, "It is locked.", ()),
    StepEnd(2, "unlock shed 2", True, "You see crate 1 and barrel 1.", ()),
    StepEnd(3, "walk to dock 1", True, "You see crate 2.", ()),
]


def test_recall_quotes_the_steps_that_share_most_words(make):
    tool = make("recall")
    assert tool.offers() == ()
    for step in READ:
        tool.observe(step)
    assert tool.offers() == ("recall {text}",)
    assert call(tool, "recall barrel and crate") == (
        "Step 2, unlock shed 2: You see crate 1 and barrel 1.\nStep 3, walk to dock 1: You see crate 2."
    )
    assert call(tool, "recall the walk") == "Step 3, walk to dock 1: You see crate 2.\nStep 1, walk to shed 2: It is locked."
    assert call(tool, "recall the tower") == "Nothing that was read says anything of the tower."


def test_recall_quotes_no_more_steps_than_asked_for(make):
    tool = make("recall", {"most": 1})
    for step in READ:
        tool.observe(step)
    assert call(tool, "recall crate") == "Step 3, walk to dock 1: You see crate 2."


def test_steps_are_counted(make):
    tool = make("steps_left")
    assert call(tool, "count steps", steps_left=8) == "Steps spent: 0. Steps left: 8, of 8."
    tool.observe(READ[0])
    tool.observe(READ[1])
    assert call(tool, "count steps", steps_left=6) == "Steps spent: 2. Steps left: 6, of 8."


def test_model_calls_tools_within_an_episode(harness, yard):
    backend = Scripted(
        ["note look in shed 2", "walk to shed 2", "read notes", "count steps", "recall locked", "note too much", "wait", "wait"]
    )
    items = ["show_candidates", ("notes", {"calls": 2}), "steps_left", "recall"]
    env = yard.Yard()
    record = run_episode(env, harness(*items), ModelPolicy(backend), yard.task(), max_steps=4)
    assert (record.error, record.failures, record.steps) == (None, [], 4)
    assert env.sent == ["walk to shed 2", "note too much", "wait", "wait"]
    prompts = [call.prompt for call in backend.calls]
    offers = [[form for form in ("note ...", "read notes", "count steps", "recall ...") if form in prompt] for prompt in prompts]
    assert offers[0] == ["note ...", "count steps"]
    assert offers[2] == ["note ...", "read notes", "count steps", "recall ..."]
    assert "note ..." not in offers[3]
    assert "- look in shed 2" in prompts[3]
    assert "Steps spent: 1. Steps left: 3, of 4." in prompts[4]
    assert "Step 1, walk to shed 2: You walk to shed 2. It is locked." in prompts[5]
    assert record.activations == {"show_candidates": 8, "notes": 2, "steps_left": 1, "recall": 1}
