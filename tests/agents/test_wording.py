import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.skills import wording


def test_entities_are_a_word_and_a_number_in_order_with_repeats():
    text = "You see lever 2, side-crate 10 and half_crate 3; lever 2 is up. Lever 4, 5 docks, crate x."
    assert wording.entities(text) == ("lever 2", "side-crate 10", "half_crate 3", "lever 2")
    assert wording.entities("nothing here") == ()


def test_capitals_start_no_entity_name():
    # The tail of a capitalised word is no word of its own.
    assert wording.entities("Lever 4") == ()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pull lever 2", ("pull #", ("lever 2",))),
        ("lift crate 1 off dock 12", ("lift # off #", ("crate 1", "dock 12"))),
        ("wait", ("wait", ())),
        ("count to 3", ("count #", ("to 3",))),
    ],
)
def test_template_puts_a_mark_for_each_instance(command, expected):
    assert wording.template(command) == expected


def test_kind_is_the_word():
    assert wording.kind("lever 2") == "lever"
    assert wording.kind("side-crate 10") == "side-crate"
    assert wording.kinds("lift crate 1 off dock 2, crate 7") == {"crate", "dock"}
    assert wording.kinds("wait") == frozenset()


def test_words_are_lower_case_without_punctuation():
    assert wording.words("Put 2 Crates, on (the) dock!") == ("put", "2", "crates", "on", "the", "dock")
    assert wording.words("...") == ()


def test_frame_numbers_slots_by_first_appearance_one_word_one_slot():
    kinds = {"crate", "dock", "vat"}
    assert wording.frame("Put a dock, a crate and a dock.", kinds) == ("put a {0} a {1} and a {0}", ("dock", "crate"))
    assert wording.frame("Rest.", kinds) == ("rest", ())


def test_match_frame_reads_the_slots():
    pattern = "put a {0} on a {1}"
    assert wording.match_frame(pattern, "Put a crate on a dock.") == ("crate", "dock")
    assert wording.match_frame(pattern, "put a crate on a crate") == ("crate", "crate")
    assert wording.match_frame(pattern, "put a crate in a dock") is None
    assert wording.match_frame(pattern, "put a crate on a big dock") is None
    assert wording.match_frame("rest", "Rest!") == ()


def test_match_frame_wants_the_same_word_in_the_same_slot():
    pattern = "swap a {1} for a {0} and a {1}"
    assert wording.match_frame(pattern, "swap a crate for a dock and a crate") == ("dock", "crate")
    assert wording.match_frame(pattern, "swap a crate for a dock and a barrel") is None


WORDS = st.sampled_from(["put", "a", "crate", "dock", "vat", "on", "two", "7"])


@given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), st.sets(st.sampled_from(["crate", "dock", "vat"])))
def test_a_goal_matches_its_own_frame(goal, kinds):
    pattern, slots = wording.frame(goal, kinds)
    assert wording.match_frame(pattern, goal) == slots
    assert set(slots) == kinds & set(goal.split())
