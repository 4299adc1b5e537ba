"""Processors that steer the decision: decide, loop_guard, and the rule that no menu is emptied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.harness import Harness
from homebody.agents.hooks import METHODS, BeforeModel
from homebody.agents.processors.control import keep_only

MENU = ("wait", "walk to dock 1", "walk to dock 2")


@given(st.lists(st.tuples(st.booleans(), st.floats(-9, 9)), min_size=1, max_size=6))
def test_menu_is_cut_with_its_bias_and_never_to_nothing(rows):
    keep = [kept for kept, _ in rows]
    menu = tuple(f"walk to dock {number}" for number in range(len(rows)))
    bias = tuple(value for _, value in rows)
    changes = keep_only(BeforeModel("goal", "", menu, "", menu, bias), keep)
    if len(set(keep)) == 1:
        assert changes is None
    else:
        chosen = [number for number in range(len(rows)) if keep[number]]
        assert changes == {"menu": tuple(menu[n] for n in chosen), "bias": tuple(bias[n] for n in chosen)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("normalize", ["sum", "mean"])
def test_decide_sets_the_method(method, normalize, harness, yard):
    event, _ = Harness(harness(("decide", {"method": method, "normalize": normalize})), None).run(yard.ask(MENU))
    assert (event.method, event.normalize) == (method, normalize)


def test_decide_by_default_generates_and_would_divide_by_length(harness, yard):
    event, changed = Harness(harness("decide"), None).run(yard.ask(MENU))
    assert (event.method, event.normalize) == ("generate", "mean")
    assert changed == [["decide", ["normalize"]]]


def test_loop_guard_drops_what_was_answered_alike_too_often(make, yard):
    guard = make("loop_guard", {"repeats": 2})
    guard.observe(yard.told("wait", "You wait."))
    assert guard.process(yard.ask(MENU)) is None
    guard.observe(yard.told("wait", "You wait."))
    assert guard.process(yard.ask(MENU, bias=(1.0, 2.0, 3.0))) == {"menu": MENU[1:], "bias": (2.0, 3.0)}


def test_loop_guard_lets_pass_what_is_answered_in_other_words(make, yard):
    guard = make("loop_guard", {"repeats": 2})
    for number in range(5):
        guard.observe(yard.told("wait", f"{number} o'clock."))
    guard.observe(yard.told("walk to dock 1", "3 o'clock."))
    assert guard.process(yard.ask(MENU)) is None


def test_loop_guard_counts_refused_commands_too_and_keeps_them_off(make, yard):
    guard = make("loop_guard", {"repeats": 1})
    guard.observe(yard.told("walk to dock 1", "Nothing moves.", accepted=False))
    guard.observe(yard.told("walk to dock 1", "You walk to dock 1."))
    assert guard.process(yard.ask(MENU))["menu"] == ("wait", "walk to dock 2")


def test_loop_guard_never_empties_the_menu(make, yard):
    guard = make("loop_guard", {"repeats": 1})
    guard.observe(yard.told("wait"))
    assert guard.process(yard.ask(("wait",))) is None
