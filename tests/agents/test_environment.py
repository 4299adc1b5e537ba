"""Processors on the environment's answers: trim_observation, explain_refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.harness.hooks import AfterTool
from homebody.agents.processors.base import Services, defaults
from homebody.agents.processors.environment import TrimObservation

ADMISSIBLE = ("lift crate 1 off dock 1", "wait", "walk to dock 1", "walk to dock 2")


def answered(observation, command="wait", **fields):
    return AfterTool(command, observation, **fields)


@pytest.mark.parametrize(
    ("limits", "text", "expected"),
    [
        ({"lines": 2}, "a\nb\nc\nd", "a\nb\n[4 of 7 characters left out]"),
        ({"characters": 5}, "one two three", "one t\n[8 of 13 characters left out]"),
        ({"characters": 4}, "one two", "one\n[4 of 7 characters left out]"),
        ({"lines": 2, "characters": 3}, "ab\ncd\nef", "ab\n[6 of 8 characters left out]"),
        ({"lines": 2}, "a\nb", None),
        ({"lines": 2}, "a\nb\n\n", None),
        ({"characters": 7}, "one two", None),
        ({}, "", None),
    ],
)
def test_long_observation_is_cut_and_says_so(limits, text, expected, make):
    changes = make("trim_observation", limits).process(answered(text))
    assert changes == (None if expected is None else {"observation": expected})


@given(st.text(), st.integers(1, 20), st.integers(1, 5))
def test_what_is_kept_is_a_beginning_within_the_limits(text, characters, lines):
    processor = TrimObservation({**defaults(TrimObservation), "characters": characters, "lines": lines}, Services())
    changes = processor.process(answered(text))
    if changes is not None:
        kept, _, note = changes["observation"].rpartition("\n")
        assert text.startswith(kept)
        assert len(kept) <= characters
        assert len(kept.splitlines()) <= lines
        assert note == f"[{len(text) - len(kept)} of {len(text)} characters left out]"


def test_accepted_command_needs_no_reason(make):
    assert make("explain_refusal").process(answered("You wait.", why="", admissible=ADMISSIBLE)) is None


def refused(command, **fields):
    return answered("Nothing moves.", command, accepted=False, admissible=ADMISSIBLE, **fields)


@pytest.mark.parametrize("nearest", [0, 3])
def test_reason_of_the_environment_is_added(nearest, make):
    changes = make("explain_refusal", {"nearest": nearest}).process(refused("walk to moon", why="There is no moon."))
    assert changes == {"observation": "Nothing moves.\nThere is no moon."}


@pytest.mark.parametrize(("nearest", "named"), [(1, "walk to dock 1"), (2, "walk to dock 1; walk to dock 2")])
def test_without_a_reason_the_nearest_commands_are_named(nearest, named, make):
    changes = make("explain_refusal", {"nearest": nearest, "header": "Try:"}).process(refused("walk to dock 11"))
    assert changes == {"observation": f"Nothing moves.\nTry: {named}"}


def test_with_neither_reason_nor_command_nothing_is_added(make):
    assert make("explain_refusal", {"nearest": 0}).process(refused("walk to dock 11")) is None
    assert make("explain_refusal").process(answered("Nothing moves.", "dance", accepted=False)) is None
