"""repair: what becomes of an answer that is no command on offer."""

from dataclasses import replace

import pytest

from homebody.agents.harness.hooks import AfterModel

MENU = ("lift crate 1 off dock 1", "wait", "walk to dock 1", "walk to dock 12")
ADMISSIBLE = (*MENU, "walk to vat 1")


def answered(response, command=None, tools=()):
    return AfterModel(response, command or response, ADMISSIBLE, MENU, tools)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("I will walk to dock 12 now", "walk to dock 12"),
        ("I will walk to dock 1 now", "walk to dock 1"),
        ("WALK TO DOCK 1", "walk to dock 1"),
        ("wait, then lift crate 1 off dock 1!", "lift crate 1 off dock 1"),  # the longest
        ("await", None),  # not a whole word, and too unlike
        ("walk too dock 1", "walk to dock 1"),
        ("lift crate 1", "lift crate 1 off dock 1"),
        ("sing a song", None),
        ("", None),
    ],
)
def test_answer_becomes_the_command_it_holds_or_nearly_spells(response, expected, make):
    changes = make("repair", {"cutoff": 0.65 if response == "lift crate 1" else 0.9}).process(answered(response))
    assert changes == (None if expected is None else {"command": expected})


def test_likeness_is_twice_the_matches_by_both_lengths(make):
    # "walk to dock" matches 12 characters of 12 and of 14: 24 / 26 = 0.923
    event = answered("walk to dock")
    assert make("repair", {"cutoff": 0.923}).process(event) == {"command": "walk to dock 1"}
    assert make("repair", {"cutoff": 0.924}).process(event) is None


def test_command_is_searched_in_the_whole_answer(make):
    assert make("repair").process(answered("My choice: wait, of course", "My choice: wait, of course")) == {"command": "wait"}


@pytest.mark.parametrize("command", [*ADMISSIBLE, "note a thing"])
def test_command_and_tool_call_pass(command, make):
    assert make("repair").process(answered(command, tools=("note {text}",))) is None


def test_possible_command_off_the_candidates_is_repaired_if_asked(make):
    assert make("repair", {"within": "candidates", "cutoff": 0.7}).process(answered("walk to vat 1")) == {"command": "walk to dock 1"}


def test_nothing_on_offer_leaves_the_answer(make):
    assert make("repair", {"cutoff": 0.0}).process(AfterModel("wait", "wait", ())) is None


def test_a_command_that_is_not_possible_any_more_is_no_misspelling(make):
    repair = make("repair", {"cutoff": 0.5})
    assert repair.process(answered("walk to dock 1")) is None
    there = AfterModel("walk to dock 1", "walk to dock 1", ("walk to dock 12", "wait"), ("walk to dock 12", "wait"))
    assert repair.process(there) is None  # the environment says that one is there
    assert repair.process(replace(there, command="walk to dock 2")) == {"command": "walk to dock 12"}  # never possible
    repair.process(AfterModel("wait", "wait", ("note {text}", "wait"), ("note {text}", "wait")))
    assert repair.process(replace(there, command="note a thing")) is None
