import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents import wording
from homebody.agents.wording import NUMBERED, Naming


def test_entities_are_a_word_and_a_number_in_order_with_repeats():
    text = "You see lever 2, side-crate 10 and half_crate 3; lever 2 is up. Lever 4, 5 docks, crate x."
    assert NUMBERED.entities(text) == ("lever 2", "side-crate 10", "half_crate 3", "lever 2")
    assert NUMBERED.entities("nothing here") == ()


def test_capitals_start_no_entity_name():
    # The tail of a capitalised word is no word of its own.
    assert NUMBERED.entities("Lever 4") == ()


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
    assert NUMBERED.template(command) == expected


def test_kind_is_the_word():
    assert NUMBERED.kind("lever 2") == "lever"
    assert NUMBERED.kind("side-crate 10") == "side-crate"
    assert NUMBERED.kinds("lift crate 1 off dock 2, crate 7") == {"crate", "dock"}
    assert NUMBERED.kinds("wait") == frozenset()


def test_words_are_lower_case_without_punctuation():
    assert wording.words("Put 2 Crates, on (the) dock!") == ("put", "2", "crates", "on", "the", "dock")
    assert wording.words("...") == ()


def test_goal_template_numbers_slots_by_first_appearance_one_word_one_slot():
    kinds = {"crate", "dock", "vat"}
    assert wording.goal_template("Put a dock, a crate and a dock.", kinds) == ("put a {0} a {1} and a {0}", ("dock", "crate"))
    assert wording.goal_template("Rest.", kinds) == ("rest", ())


def test_match_reads_the_slots():
    pattern = "put a {0} on a {1}"
    assert NUMBERED.match(pattern, "Put a crate on a dock.") == ("crate", "dock")
    assert NUMBERED.match(pattern, "put a crate on a crate") == ("crate", "crate")
    assert NUMBERED.match(pattern, "put a crate in a dock") is None
    assert NUMBERED.match(pattern, "put a crate on a big dock") is None
    assert NUMBERED.match("rest", "Rest!") == ()


def test_match_wants_the_same_word_in_the_same_slot():
    pattern = "swap a {1} for a {0} and a {1}"
    assert NUMBERED.match(pattern, "swap a crate for a dock and a crate") == ("dock", "crate")
    assert NUMBERED.match(pattern, "swap a crate for a dock and a barrel") is None


WORDS = st.sampled_from(["put", "a", "crate", "dock", "vat", "on", "two", "7"])


@given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), st.sets(st.sampled_from(["crate", "dock", "vat"])))
def test_a_goal_matches_its_own_template(goal, kinds):
    pattern, slots = wording.goal_template(goal, kinds)
    assert NUMBERED.match(pattern, goal) == slots
    assert set(slots) == kinds & set(goal.split())


OWN = Naming(actions=("take #", "put # in #", "go #"), names=("brass key", "key", "oak chest", "north"))


def test_names_of_their_own_are_found_by_the_forms_of_commands_also_where_training_had_none():
    assert OWN.template("put brass key in oak chest") == ("put # in #", ("brass key", "oak chest"))
    assert OWN.template("take Silver Thimble") == ("take #", ("silver thimble",))
    assert OWN.template("look") == ("look", ())
    assert OWN.entities("put silver thimble in oak chest") == ("silver thimble", "oak chest")


def test_names_of_their_own_are_found_in_texts_the_longest_first():
    assert OWN.entities("A Brass key lies here, no keyhole; another key is in the oak chest.") == ("brass key", "key", "oak chest")
    assert Naming(actions=("take #",)).entities("A brass key lies here.") == ()
    assert (OWN.kind("brass key"), OWN.kinds("take brass key")) == ("brass key", {"brass key"})


def test_goals_with_names_of_several_words():
    template, slots = wording.goal_template("Put the brass key in the oak chest, key first.", {"brass key", "key", "oak chest"})
    assert (template, slots) == ("put the {0} in the {1} {2} first", ("brass key", "oak chest", "key"))
    assert OWN.match("put the {0} in the {1}", "Put the silver thimble in the long oak chest!") == ("silver thimble", "long oak chest")
    assert OWN.match("swap the {0} and the {0}", "swap the old key and the old key") == ("old key",)
    assert OWN.match("swap the {0} and the {0}", "swap the old key and the new key") is None
    assert NUMBERED.match("put the {0} in the {1}", "put the brass key in the chest") is None


@pytest.mark.parametrize(
    ("mark", "text", "found"), [("_", "open box_3 and bin 4", ("box_3",)), ("", "open box3", ("box3",)), ("#", "box#12", ("box#12",))]
)
def test_the_mark_before_a_number_is_data(mark, text, found):
    naming = Naming(mark)
    assert naming.entities(text) == found
    assert {naming.kind(entity) for entity in found} == {"box"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Put two crates on a dock.", {"put", "two", "crate", "dock"}),
        ("drop crate 1 on dock 12", {"drop", "crate", "dock"}),
        ("is it in the vat", {"vat"}),
        ("gas", {"gas"}),
        ("", set()),
    ],
)
def test_content_words_are_what_a_text_is_about(text, expected):
    assert wording.content_words(text) == expected
