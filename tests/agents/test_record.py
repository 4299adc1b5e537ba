"""What a trace keeps besides what happened: trace_detail, training_marks."""

import json

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import Choice, StepEnd, TaskEnd
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.models.scripted import Scripted

MENU = ("wait", "walk to dock 1")


def test_what_the_policy_was_shown_is_noted(make, yard):
    detail = make("trace_detail")
    asked = yard.ask(MENU, content=f"You wait.{CUT}\n\nwait", prior=(0.0, 1 / 3), tools=("read notes",), choice=Choice("rank"))
    assert detail.process(asked) is None
    assert detail.notes == {
        "content": "You wait.\n\nwait",
        "candidates": ["wait", "walk to dock 1"],
        "prior": [0.0, 0.333333],
        "tools": ["read notes"],
        "choice": {
            "method": "rank", "normalize": "sum", "correct": 0.0, "weight": 1.0,
            "samples": 5, "temperature": 0.7, "pick": "most", "constrained": False, "retry": False,
        },
    }  # fmt: skip
    json.dumps(detail.notes)


def test_only_the_parts_asked_for_are_noted(make, yard):
    detail = make("trace_detail", {"parts": ["candidates", "prior"]})
    detail.process(yard.ask(MENU))
    assert detail.notes == {"candidates": list(MENU), "prior": [0.0, 0.0]}


STEPS = [
    ("wait", True, "You wait."),
    ("jump", False, "Nothing moves."),
    ("wait", True, "You wait."),  # the same answer again
    ("wait", True, "A bell rings."),
    ("drop crate 1 on dock 1", True, "You drop it."),
]


def marked(make, won, **params):
    marks = make("training_marks", params)
    for number, (command, accepted, observation) in enumerate(STEPS, 1):
        marks.observe(StepEnd(number, command, accepted, observation, ()))
    assert marks.process(TaskEnd(won, len(STEPS))) is None
    return marks.notes


def test_accepted_steps_that_are_no_loops_are_marked(make):
    assert marked(make, won=True) == {"steps": [1, 4, 5], "weights": [1.0, 1.0, 1.0]}


def test_weight_falls_with_the_distance_from_the_end(make):
    assert marked(make, won=True, discount=0.5) == {"steps": [1, 4, 5], "weights": [0.0625, 0.5, 1.0]}


def test_lost_episode_has_no_marks(make):
    assert marked(make, won=False) == {}


PLAN = ["walk to shed 2", "unlock shed 2", "dance", "lift crate 1 off shed 2", "walk to dock 1", "drop crate 1 on dock 1"]


@pytest.mark.parametrize(("max_steps", "notes"), [(6, {"steps": [1, 2, 4, 5, 6], "weights": [1.0] * 5}), (5, None)])
def test_marks_stand_in_the_record(max_steps, notes, harness, yard):
    policy = ModelPolicy(Scripted(PLAN))
    record = run_episode(yard.Yard(), harness("training_marks", "trace_detail"), policy, yard.task(), max_steps=max_steps)
    assert record.won == (notes is not None)
    assert record.notes.get("training_marks") == notes
    assert record.trace[0].notes["trace_detail"]["candidates"] == sorted(yard.Yard.commands(_fresh(yard)))


def _fresh(yard):
    env = yard.Yard()
    env.reset(options={"task": "one"})
    return env
