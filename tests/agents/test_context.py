"""Processors that shape what the model reads: system_prompt, show_candidates, history_window, history_budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.harness.hooks import StepStart, TaskStart, Turn
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessError
from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import render_plain
from homebody.agents.processors.base import Services, find
from homebody.agents.processors.context import grouped

MENU = ("wait", "walk to dock 1")


def test_system_prompt_is_set(make):
    assert make("system_prompt", {"text": "Be brief."}).process(TaskStart("goal", "A yard.", MENU)) == {"system_prompt": "Be brief."}


def test_later_system_prompt_stands_before_the_earlier(harness):
    alive = Harness(harness(("system_prompt", {"text": "One."}), ("system_prompt", {"text": "Two."})), Services())
    event = alive.run(TaskStart("goal", "A yard.", MENU))
    assert event.system_prompt == "Two.\n\nOne."


def test_candidates_stands_after_the_cut(make, yard):
    assert make("show_candidates").process(yard.ask(MENU, content="You wait.")) == {
        "content": f"You wait.{CUT}\n\nAvailable commands:\nwait\nwalk to dock 1"
    }


def test_candidates_has_header_separator_and_footer(make, yard):
    processor = make("show_candidates", {"header": "You can:", "separator": ", ", "footer": "Choose."})
    assert processor.process(yard.ask(MENU, content="You wait."))["content"] == (
        f"You wait.{CUT}\n\nYou can:\nwait, walk to dock 1\nChoose."
    )


def test_candidates_follows_what_stands_after_a_cut_already(make, yard):
    content = make("show_candidates").process(yard.ask(("wait",), content=f"You wait.{CUT} Hurry."))["content"]
    assert content == f"You wait.{CUT} Hurry.\n\nAvailable commands:\nwait"


def test_candidates_shows_what_others_left_on_it(harness, yard):
    alive = Harness(harness(("loop_guard", {"repeats": 1}), "show_candidates"), Services())
    alive.observe(yard.told("wait"))
    assert alive.run(yard.ask(MENU)).content.endswith("Available commands:\nwalk to dock 1")


def test_prompt_without_the_candidates_shares_what_stands_before_the_cut(make, yard):
    content = make("show_candidates").process(yard.ask(MENU, content="You wait."))["content"]
    now = render_plain([{"role": "user", "content": content}])
    later = render_plain([{"role": "user", "content": f"You wait.{CUT}"}, {"role": "assistant", "content": "wait"}])
    assert later[0] == now[0]
    assert "You wait." in now[0]
    assert "Available" in "".join(now)
    assert "Available" not in "".join(later)


TURNS = tuple(Turn(f"walk to dock {n}", f"Dock {n}.") for n in range(3))


@pytest.mark.parametrize(("turns", "kept"), [(0, ()), (1, TURNS[2:]), (2, TURNS[1:])])
def test_history_window_keeps_the_last_turns(turns, kept, make):
    assert make("history_window", {"turns": turns}).process(StepStart(4, 9, TURNS)) == {"history": kept}


@pytest.mark.parametrize("turns", [3, 4])
def test_history_window_lets_a_short_history_pass(turns, make):
    assert make("history_window", {"turns": turns}).process(StepStart(4, 9, TURNS)) is None


# --- groups, tools


def test_candidates_in_groups_is_shorter(make, yard):
    candidates = ("click[a b]", "click[c]", "lift crate 1 off dock 1", "look", "open", "open shed 1", "walk to dock 1", "walk to shed 1")
    content = make("show_candidates", {"layout": "groups"}).process(yard.ask(candidates))["content"]
    assert content.partition(CUT)[2] == (
        "\n\nAvailable commands:\nclick[...]: a b; c\nlift: crate 1 off dock 1\nlook; open\nopen: shed 1\nwalk to: dock 1; shed 1"
    )


PLACES = st.tuples(st.sampled_from(["shed", "big-vat", "dock"]), st.integers(1, 30)).map(lambda pair: f"{pair[0]} {pair[1]}")
COMMANDS = st.one_of(
    PLACES.map("walk to {}".format),
    st.tuples(PLACES, PLACES).map(lambda pair: f"lift {pair[0]} off {pair[1]}"),
    st.sampled_from(["look", "wait"]),
    st.text("abc ", min_size=1).map("click[{}]".format),
    PLACES,
)


@given(st.lists(COMMANDS, unique=True, min_size=1, max_size=20))
def test_every_command_can_be_read_from_its_group(candidates):
    read = []
    for line in grouped(candidates):
        head, colon, tails = line.partition(": ")
        for tail in (tails if colon else line).split("; "):
            read.append(head.replace("[...]", f"[{tail}]") if "[" in head else f"{head} {tail}" if colon else tail)
    assert sorted(read) == sorted(candidates)


def test_tools_stand_below_the_candidates(make, yard):
    processor = make("show_candidates", {"tools_header": "Or:", "footer": "Choose."})
    content = processor.process(yard.ask(("wait",), tools=("note {text}", "read notes")))["content"]
    assert content.partition(CUT)[2] == "\n\nAvailable commands:\nwait\nOr:\nnote ...\nread notes\nChoose."


# --- history_budget


def budget(tokens, history):
    processor = find("history_budget")
    made = processor({"tokens": tokens}, Services(None, lambda text: len(text.split())))
    return made.process(StepStart(4, 9, history))


# Each of these turns has 4 + 2 words.
@pytest.mark.parametrize(("tokens", "kept"), [(0, ()), (5, ()), (6, TURNS[2:]), (17, TURNS[1:])])
def test_history_budget_keeps_the_last_turns_that_fit(tokens, kept):
    assert budget(tokens, TURNS) == {"history": kept}


@pytest.mark.parametrize("history", [TURNS, (), TURNS[:1]])
def test_history_within_its_budget_passes(history):
    assert budget(18, history) is None


def test_old_turn_is_not_kept_beyond_one_that_does_not_fit():
    long = Turn("wait", "one two three four five six seven eight")
    assert budget(10, (TURNS[0], long, TURNS[1])) == {"history": (TURNS[1],)}


def test_only_one_processor_cuts_the_history(harness):
    with pytest.raises(HarnessError, match="group 'history'"):
        harness("history_window", "history_budget")
