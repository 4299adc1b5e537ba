"""Processors that shape what the model reads: system_prompt, show_menu, history_window."""

import pytest

from homebody.agents.backend import CUT
from homebody.agents.harness import Harness
from homebody.agents.hooks import StepStart, TaskStart, Turn
from homebody.agents.scripted import Scripted

MENU = ("wait", "walk to dock 1")


def test_system_prompt_is_set(make):
    assert make("system_prompt", {"text": "Be brief."}).process(TaskStart("goal", "A yard.", MENU)) == {"system_prompt": "Be brief."}


def test_later_system_prompt_stands_before_the_earlier(harness):
    event, _ = Harness(harness(("system_prompt", {"text": "One."}), ("system_prompt", {"text": "Two."})), None).run(
        TaskStart("goal", "A yard.", MENU)
    )
    assert event.system_prompt == "Two.\n\nOne."


def test_menu_stands_after_the_cut(make, yard):
    assert make("show_menu").process(yard.ask(MENU, content="You wait.")) == {
        "content": f"You wait.{CUT}\n\nAvailable commands:\nwait\nwalk to dock 1"
    }


def test_menu_has_header_separator_and_footer(make, yard):
    processor = make("show_menu", {"header": "You can:", "separator": ", ", "footer": "Choose."})
    assert processor.process(yard.ask(MENU, content="You wait."))["content"] == (
        f"You wait.{CUT}\n\nYou can:\nwait, walk to dock 1\nChoose."
    )


def test_menu_follows_what_stands_after_a_cut_already(make, yard):
    content = make("show_menu").process(yard.ask(("wait",), content=f"You wait.{CUT} Hurry."))["content"]
    assert content == f"You wait.{CUT} Hurry.\n\nAvailable commands:\nwait"


def test_menu_shows_what_others_left_on_it(harness, yard):
    alive = Harness(harness(("loop_guard", {"repeats": 1}), "show_menu"), None)
    alive.observe(yard.told("wait"))
    assert alive.run(yard.ask(MENU))[0].content.endswith("Available commands:\nwalk to dock 1")


def test_prompt_without_the_menu_shares_what_stands_before_the_cut(make, yard):
    content = make("show_menu").process(yard.ask(MENU, content="You wait."))["content"]
    now = Scripted().segments([{"role": "user", "content": content}])
    later = Scripted().segments([{"role": "user", "content": f"You wait.{CUT}"}, {"role": "assistant", "content": "wait"}])
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
