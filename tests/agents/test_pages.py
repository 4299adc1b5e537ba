"""Pages: how their text is read, and what the processors for them do."""

import math

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.model_free import NoModelPolicy
from homebody.agents.skills import page_reading
from homebody.agents.skills.page_reading import Choice, Marks, Page, features, rarities, read
from homebody.agents.skills.page_values import logistic

MARKS = Marks(": ", ", ")

# --- reading


def test_a_list_has_its_texts_beside_each_choice(stacks):
    page = read("Do it | Start over | More books | B2 | Bread at Home | 900 | B1 | Bread", stacks.LIST, stacks.FIXED, " | ", "Do it")
    assert [(choice.command, choice.argument, choice.texts) for choice in page.choices] == [
        ("pick[b2]", "B2", ("Bread at Home", "900")),
        ("pick[b1]", "B1", ("Bread",)),
    ]
    assert page.pieces == ("Bread at Home", "900", "Bread")


def test_rows_of_choices_have_headings():
    commands = ("pick[red]", "pick[blue]", "pick[8]", "pick[9]", "pick[take]")
    page = read("Colour\nred\nblue\nWidth\n8\n9\nA title\nTake", commands, {"pick[take]"}, "\n", "a goal")
    assert {heading: [choice.argument for choice in row] for heading, row in page.groups.items()} == {
        "Colour": ["red", "blue"],
        "Width": ["8", "9"],
    }
    assert page.pieces == ("Colour", "Width", "A title")


@pytest.mark.parametrize(("command", "inside"), [("pick[a]b]", "a]b"), ("ask[]", ""), ("walk to dock 1", ""), ("pick(a)", ""), ("", "")])
def test_argument_is_what_stands_in_the_brackets(command, inside):
    assert page_reading.argument(command, ("[", "]")) == inside


@pytest.mark.parametrize(
    ("commands", "marks"),
    [
        (("pick[a]", "ask[b c]", "wait"), ("[", "]")),
        (("pick<a>", 'say("b")', "pick<b>"), ("<", ">")),  # those of most
        (("press the key", "wait", "open box 3: now"), None),
        ((), None),
    ],
)
def test_brackets_are_read_off_the_commands(commands, marks):
    assert page_reading.brackets(commands) == marks


def test_a_page_of_calls_with_other_brackets():
    page = read("Start / B2 / Bread / Take", ("pick(b2)", "pick(start)", "pick(take)"), {"pick(start)", "pick(take)"}, " / ", "Do it")
    assert [(choice.command, choice.argument) for choice in page.choices] == [("pick(b2)", "B2")]


def row(heading, *names):
    return tuple(Choice(f"pick[{name}]", name, heading, ()) for name in names)


@pytest.mark.parametrize(
    ("names", "goal", "chosen"),
    [
        (("red", "blue"), "a blue one", "blue"),
        (("red", "dark red"), "one with cover: dark red", "dark red"),  # the longest
        (("dark red", "red"), "not dark red, with cover: red", "red"),  # after the heading before anywhere else
        (("8", "8.5"), "with width: 8.5", "8.5"),
        (("red",), "a bored one", None),  # within a word is not named
        ((), "red", None),
    ],
)
def test_best_choice_is_what_the_goal_names(names, goal, chosen):
    found = page_reading.best_choice(row("Cover", *names), goal, MARKS)
    assert (found and found.argument) == chosen


def test_words_lose_the_s_of_a_plural():
    assert page_reading.page_words("Two BOOKS, 8.5 gas; gas's") == {"two", "book", "8.5", "gas", "s"}


def test_rarities_fall_with_the_number_of_texts():
    assert rarities(["red cover", "red spine", "red"]) == pytest.approx(
        {"red": math.log(4 / 3), "cover": math.log(4), "spine": math.log(4)}
    )
    assert rarities([]) == {}


# --- features

PAGE = Page((*row("cover", "red", "blue"), *row("width", "8")), ("cover", "width", "wolves at night", "Weight: 200 grams"))
GOAL = "lend me wolves with cover: red, and width: 9, and weight lower than 250 grams"


def test_features_of_a_page():
    shares = {"lend": 1.0, "me": 1.0, "with": 0.9, "and": 0.9, "lower": 0.8, "than": 0.8, "gram": 0.8, "weight": 0.5, "cover": 0.1}
    found = features(PAGE, 3, GOAL, shares, {}, MARKS)
    assert tuple(found) == page_reading.FEATURES
    # Without rarities all listed words weigh log(1 / 0.1), "wolves", "width", "red", "9" and "250" as the rarest: 4 of 6 are on the page.
    assert found == pytest.approx(
        {
            "place": 1 / 4,
            "depth": 0.3,
            "words": 4 / 6,  # cover, red, width, wolve; not 9, not 250
            "rows": 1 / 2,  # the goal names a cover, and no width that is there
            "names": 1 / 2,  # "cover: red" stands in the goal, "width: 8" does not
            "bounds": 1.0,  # 200 grams are at most 250
            "own": 3 / 6,  # cover, width, wolve of those and at, night, 200
        }
    )


def test_bounds_are_broken_by_larger_numbers_and_not_by_numbers_of_something_else():
    heavy = Page((), ("Weight: 1,200.50 grams", "Edition 3000"))
    assert features(heavy, 0, GOAL, {}, {}, MARKS)["bounds"] == -1.0
    assert features(Page((), ("Edition 3000", "7")), 0, GOAL, {}, {}, MARKS)["bounds"] == 0.0


def test_features_of_an_empty_page_and_goal():
    assert features(Page((), ()), 40, "", {}, {}, MARKS) == {
        "place": 1 / 41, "depth": 1.0, "words": 1.0, "rows": 1.0, "names": 1.0, "bounds": 0.0, "own": 1.0,
    }  # fmt: skip


def test_marks_of_goals_are_data():
    goal = "lend me wolves; cover - red; width - 9; weight lower than 250 grams"
    assert features(PAGE, 3, goal, {}, {}, Marks(" - ", "; "))["names"] == 1 / 2
    # Without a mark of headings no goal names any; without one of parts the goal is one part.
    assert features(PAGE, 3, goal, {}, {}, Marks())["names"] == 1.0
    light = Page((), ("Weight: 260 grams",))
    assert features(light, 0, "width 300; weight lower than 250 grams; and 900", {}, {}, Marks("", "; "))["bounds"] == -1.0


# --- fill_slot


def test_slot_is_filled_without_the_words_that_say_nothing(make, stacks):
    fill = make("fill_slot", {"drop": ["lend", "me", "book"]})
    changes = fill.process(stacks.ask(("ask[{text}]", "wait[a]"), goal="Lend me books, wolves & bread!"))
    assert changes == {"candidates": ("ask[wolves bread!]", "wait[a]")}


def test_slot_stays_where_no_word_would_be_left_or_there_is_none(make, stacks):
    fill = make("fill_slot", {"drop": ["wolve"]})
    assert fill.process(stacks.ask(("ask[{text}]",), goal="Wolves")) is None
    assert fill.process(stacks.ask(stacks.LIST)) is None


# --- result_prior

LISTED = "B1 | Bread | 300 | B2 | Wolves | 900"


def test_choices_gain_by_what_the_goal_makes_of_their_text(make, stacks):
    scores = {
        ("Lend me wolves:", " Wolves"): -3.0,
        ("This is:", " Wolves"): -9.0,
        ("Lend me wolves:", " Bread"): -8.0,
        ("This is:", " Bread"): -3.0,
    }
    asked = []

    def score(prefix, texts):
        asked.append((prefix, list(texts)))
        return [scores[prefix, text] for text in texts]

    prior = make("result_prior", {"fixed": stacks.FIXED, "separator": " | ", "weight": 2.0}, score)
    event = stacks.ask(stacks.LIST, LISTED)
    # Bread: 2 * (-8 - -3) / 5 letters; Wolves: 2 * (-3 - -9) / 6.
    assert prior.process(event)["prior"] == pytest.approx((-2.0, 2.0, 0.0, 0.0))
    assert prior.process(event)["prior"] == pytest.approx((-2.0, 2.0, 0.0, 0.0))
    assert len(asked) == 2  # once


def test_choice_prior_needs_a_model_and_a_list(make, stacks):
    params = {"fixed": stacks.FIXED, "separator": " | "}
    assert make("result_prior", params).process(stacks.ask(stacks.LIST, LISTED)) is None
    rows = stacks.ask(stacks.BOOK, "Cover | cloth | leather | Bread | Take")
    assert make("result_prior", params, lambda prefix, texts: [0.0] * len(texts)).process(rows) is None


# --- open_and_compare


def play(stacks, harness, task_id, *before, max_steps=20, **params):
    known = {"final": "pick[take]", "back": "pick[to the list]", "fixed": stacks.FIXED, "separator": " | ", "heading_mark": ": "}
    env = stacks.Library()
    record = run_episode(
        env, harness(*before, ("open_and_compare", known | params)), NoModelPolicy(), stacks.task(task_id), max_steps=max_steps
    )
    assert record.error is None
    assert record.failures == []
    return env.sent[1:], record.won


def test_first_choice_is_opened_and_the_episode_ended(stacks, harness):
    assert play(stacks, harness, "b1/cloth") == (["pick[b1]", "pick[take]"], False)


def test_what_the_goal_names_is_chosen_before_the_end(stacks, harness):
    assert play(stacks, harness, "b1/cloth", choose=True) == (["pick[b1]", "pick[cloth]", "pick[take]"], True)
    # With one step left nothing but the end is of use.
    assert play(stacks, harness, "b1/cloth", choose=True, max_steps=3) == (["pick[b1]", "pick[take]"], False)


def test_several_are_opened_and_the_best_is_taken(stacks, harness):
    # b2 has the same title as b5 and stands before it in the list, but no cover of red leather.
    sent, won = play(stacks, harness, "b5/red leather", choose=True, most_opened=3, weights={"names": 4.0})
    assert won
    assert sent[0] == "pick[b2]"
    assert sent.count("pick[to the list]") == 3
    assert sent[-3:] == ["pick[b5]", "pick[red leather]", "pick[take]"]


def test_best_that_is_open_is_not_opened_again(stacks, harness):
    # The deeper in the list the better: the last of the three is.
    sent, _ = play(stacks, harness, "b2/paper", most_opened=3, weights={"depth": 100.0})
    assert sent.count("pick[to the list]") == 2
    assert sent[-2:] == [sent[4], "pick[take]"]
    assert len({sent[0], sent[2], sent[4]}) == 3


def test_good_enough_ends_the_search(stacks, harness):
    sent, _ = play(stacks, harness, "b1/cloth", most_opened=5, weights={"prior": 5.0}, threshold=0.9)
    assert sent == ["pick[b1]", "pick[take]"]


@pytest.mark.parametrize("max_steps", range(3, 21))
def test_episode_ends_within_the_steps(max_steps, stacks, harness):
    sent, _ = play(stacks, harness, "b1/leather", choose=True, most_opened=5, weights={"depth": 1.0}, max_steps=max_steps)
    assert sent[-1] == "pick[take]"
    assert len(sent) < max_steps


def test_without_a_way_back_the_first_is_taken(stacks, harness):
    assert play(stacks, harness, "b1/cloth", most_opened=5, back="")[0] == ["pick[b1]", "pick[take]"]


def test_higher_prior_is_opened_first(make, stacks):
    compare = make("open_and_compare", {"final": "pick[take]", "fixed": stacks.FIXED, "separator": " | "})
    changes = compare.process(stacks.ask(stacks.LIST, LISTED, prior=(0.0, 0.5, 9.0, 0.0)))
    assert changes == {"candidates": ("pick[b2]",), "prior": (0.0,), "advised": "pick[b2]"}


def test_a_page_of_no_known_kind_is_left(make, stacks):
    params = {"final": "pick[take]", "back": "pick[to the list]", "fixed": stacks.FIXED, "separator": " | "}
    compare = make("open_and_compare", params)
    assert compare.process(stacks.ask(("pick[start over]", "pick[to the list]"), "Chapter 1"))["candidates"] == ("pick[to the list]",)
    assert compare.process(stacks.ask(("pick[start over]",), "Chapter 1")) is None


def test_an_opened_page_at_once_is_ended_with(make, stacks):
    params = {"final": "pick[take]", "fixed": stacks.FIXED, "separator": " | ", "choose": True, "weights": {"words": 1.0, "own": 2.0}}
    compare = make("open_and_compare", params)
    event = stacks.ask(stacks.BOOK, "Cover | cloth | leather | Wolves | Take", goal="Lend me wolves in leather")
    assert compare.process(event)["candidates"] == ("pick[leather]",)
    compare.observe(stacks.told("pick[leather]", stacks.BOOK))
    assert compare.process(event)["candidates"] == ("pick[take]",)


def test_without_a_final_command_nothing_is_done(make, stacks):
    assert make("open_and_compare").process(stacks.ask(stacks.LIST, LISTED)) is None


def test_a_refused_command_chooses_nothing(make, stacks):
    compare = make("open_and_compare", {"final": "pick[take]", "fixed": stacks.FIXED, "separator": " | ", "choose": True})
    event = stacks.ask(stacks.BOOK, "Cover | cloth | leather | Wolves | Take", goal="Lend me wolves in leather")
    compare.process(event)
    compare.observe(stacks.told("pick[leather]", stacks.BOOK, accepted=False))
    assert compare.process(event)["candidates"] == ("pick[leather]",)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25), (5000.0, 1.0), (-5000.0, 0.0)])
def test_logistic(value, expected):
    assert logistic(value) == pytest.approx(expected)
