import time

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.skills.goal_parts import parts_of

TEMPLATES = [["Send ", " to ", " by night."], ["Send ", " away."], ["Wake <", ">"]]
MARKS = [["<", ">"], ["(", ")"]]


def test_the_parts_of_a_goal_are_what_stands_in_the_blanks_of_the_first_template_that_it_has() -> None:
    assert parts_of("Send the red fox to Old Mill by night.", TEMPLATES, MARKS) == ("the red fox", "Old Mill")
    assert parts_of("Send a hen away.", TEMPLATES, MARKS) == ("a hen",)
    assert parts_of("Send a hen away.", [["Send ", "."], *TEMPLATES], MARKS) == ("a hen away",)


def test_a_blank_ends_as_early_as_can_be_and_the_last_at_the_end() -> None:
    assert parts_of("Send x to y to z by night.", TEMPLATES, []) == ("x", "y to z")
    assert parts_of("Wake <a> and <b>", TEMPLATES, MARKS) == ("a> and <b",)


def test_a_blank_is_never_empty() -> None:
    assert parts_of("Send  to y by night.", TEMPLATES, []) == ()
    assert parts_of("Send   to y by night.", TEMPLATES, []) == ("y",)  # a blank of one space holds nothing
    assert parts_of("Send  away.", [["Send ", " away."]], []) == ()
    assert parts_of("aa", [["a", "", "a"]], []) == ()


def test_a_goal_of_no_known_template_has_the_parts_between_marks_in_its_order_and_once() -> None:
    assert parts_of("Feed (hay) and <oats> or <hay> at (noon).", TEMPLATES, MARKS) == ("hay", "oats", "noon")
    assert parts_of("Feed <hay", TEMPLATES, MARKS) == ()
    assert parts_of("Feed <a> <b> <c>", [], MARKS, most=2) == ("a", "b")


def test_each_part_is_offered_in_the_place_of_the_goal_with_its_prior(make, stacks) -> None:
    parts = make("goal_parts", {"templates": TEMPLATES, "marks": MARKS})
    forms = ("ask[{text}]", "say {text} twice", "wait[a]")
    event = stacks.ask(forms, goal="Feed <hay> or <oats>")
    changes = parts.process(event)
    assert changes["candidates"] == ("ask[hay]", "ask[oats]", "say hay twice", "say oats twice", "wait[a]")
    assert len(changes["prior"]) == 5


def test_a_command_that_is_on_offer_anyway_is_not_offered_twice(make, stacks) -> None:
    parts = make("goal_parts", {"marks": MARKS})
    changes = parts.process(stacks.ask(("pick hay", "pick {text}"), goal="Feed <hay> or <oats>"))
    assert changes == {"candidates": ("pick hay", "pick oats"), "prior": (0.0, 0.0)}


def test_nothing_changes_without_slots_without_parts_and_where_another_has_filled_the_slot(make, stacks) -> None:
    parts = make("goal_parts", {"templates": TEMPLATES, "marks": MARKS})
    assert parts.process(stacks.ask(stacks.LIST, goal="Feed <hay>")) is None
    assert parts.process(stacks.ask(("ask[{text}]",), goal="Feed the hens")) is None
    assert make("goal_parts", {}).process(stacks.ask(("ask[{text}]",), goal="Feed <hay>")) is None


def test_once_a_slot_is_filled_once_and_a_part_written_once_as_long_as_another_is_left(make, stacks) -> None:
    parts = make("goal_parts", {"marks": MARKS, "once": True})
    event = stacks.ask(("fill a with {text}", "fill b with {text}", "wait[a]"), goal="Feed <hay> or <oats>")
    assert parts.process(event)["candidates"][:4] == ("fill a with hay", "fill a with oats", "fill b with hay", "fill b with oats")
    parts.observe(stacks.told("fill a with oats", accepted=False))
    assert len(parts.process(event)["candidates"]) == 5
    parts.observe(stacks.told("fill a with oats"))
    assert parts.process(event)["candidates"] == ("fill b with hay", "wait[a]")
    again = make("goal_parts", {"marks": MARKS, "once": True})
    alone = stacks.ask(("fill a with {text}", "fill b with {text}"), goal="Feed <hay>")
    again.process(alone)
    again.observe(stacks.told("fill a with hay"))
    assert again.process(alone)["candidates"] == ("fill b with hay",)
    again.observe(stacks.told("fill b with hay"))
    assert again.process(alone)["candidates"] == ("fill a with hay", "fill b with hay")  # nothing else is left


def test_what_was_sent_once_is_kept_from_coming_again_with_a_part_in_its_slot() -> None:
    """Guards look at what is on offer, so they come after."""
    spec = HarnessSpec.from_json(
        {
            "format": 2,
            "name": "x",
            "components": {
                "a_guard": {"use": "loop_guard", "params": {}},
                "b_parts": {"use": "goal_parts", "params": {}},
                "c_budget": {"use": "step_budget", "params": {}},
            },
        }
    )
    assert spec.in_order() == ["b_parts", "a_guard", "c_budget"]


def test_templates_that_read_alike_take_no_time() -> None:
    begun = time.perf_counter()
    assert parts_of("a" * 5000, [["", *["a"] * 60, "b"]], [["a", "b"]]) == ()
    assert time.perf_counter() - begun < 5
