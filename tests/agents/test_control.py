"""Processors that steer the decision: decide, loop_guard, and the rule that candidates are never emptied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.harness.hooks import METHODS, BeforeModel, Choice
from homebody.agents.processors.control import keep_only

MENU = ("wait", "walk to dock 1", "walk to dock 2")


@given(st.lists(st.tuples(st.booleans(), st.floats(-9, 9)), min_size=1, max_size=6))
def test_candidates_is_cut_with_its_prior_and_never_to_nothing(rows):
    keep = [kept for kept, _ in rows]
    candidates = tuple(f"walk to dock {number}" for number in range(len(rows)))
    prior = tuple(value for _, value in rows)
    changes = keep_only(BeforeModel("goal", "", candidates, "", candidates, prior), keep)
    if len(set(keep)) == 1:
        assert changes is None
    else:
        chosen = [number for number in range(len(rows)) if keep[number]]
        assert changes == {"candidates": tuple(candidates[n] for n in chosen), "prior": tuple(prior[n] for n in chosen)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("normalize", ["sum", "mean"])
def test_decide_sets_the_method(method, normalize, make, yard):
    choice = make("decide", {"method": method, "normalize": normalize}).process(yard.ask(MENU))["choice"]
    assert (choice.method, choice.normalize) == (method, normalize)


def test_decide_by_default_generates_and_would_divide_by_length(make, yard):
    assert make("decide").process(yard.ask(MENU)) == {"choice": Choice(method="generate", normalize="mean")}


def test_decide_hands_every_parameter_on(make, yard):
    given = {
        "method": "vote", "normalize": "sum", "correct": 0.5, "weight": 2.0,
        "samples": 3, "temperature": 1.5, "pick": "best", "constrained": True,
    }  # fmt: skip
    assert make("decide", given).process(yard.ask(MENU)) == {"choice": Choice(**given)}


def test_loop_guard_drops_what_was_answered_alike_too_often(make, yard):
    guard = make("loop_guard", {"repeats": 2})
    guard.observe(yard.told("wait", "You wait."))
    assert guard.process(yard.ask(MENU)) is None
    guard.observe(yard.told("wait", "You wait."))
    assert guard.process(yard.ask(MENU, prior=(1.0, 2.0, 3.0))) == {"candidates": MENU[1:], "prior": (2.0, 3.0)}


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
    assert guard.process(yard.ask(MENU))["candidates"] == ("wait", "walk to dock 2")


def test_loop_guard_never_empties_the_candidates(make, yard):
    guard = make("loop_guard", {"repeats": 1})
    guard.observe(yard.told("wait"))
    assert guard.process(yard.ask(("wait",))) is None


def test_whole_numbers_make_the_same_settings_as_their_floats(make, yard):
    whole, floats = (make("decide", {"weight": value, "correct": value}).process(yard.ask(MENU))["choice"] for value in (1, 1.0))
    assert repr(whole) == repr(floats)


# --- stall_guard


def go(guard, yard, *turns):
    for command, observation in turns:
        guard.observe(yard.told(command, observation))


def test_stall_guard_drops_what_was_given_once_nothing_new_is_read(make, yard):
    guard = make("stall_guard", {"steps": 2})
    go(guard, yard, ("walk to dock 1", "Dock 1."), ("wait", "You wait."), ("walk to dock 1", "Dock 1."))
    assert guard.process(yard.ask(MENU)) is None
    go(guard, yard, ("wait", "You wait."))
    assert guard.process(yard.ask(MENU, prior=(1.0, 2.0, 3.0))) == {"candidates": ("walk to dock 2",), "prior": (3.0,)}


def test_stall_guard_lets_go_when_something_new_is_read(make, yard):
    guard = make("stall_guard", {"steps": 1})
    go(guard, yard, ("wait", "You wait."), ("wait", "You wait."))
    assert guard.process(yard.ask(MENU)) is not None
    go(guard, yard, ("walk to dock 2", "Dock 2."))
    assert guard.process(yard.ask(MENU)) is None


def test_stall_guard_never_empties_the_candidates(make, yard):
    guard = make("stall_guard", {"steps": 1})
    go(guard, yard, ("wait", "You wait."), ("wait", "You wait."))
    assert guard.process(yard.ask(("wait",))) is None


# --- step_budget

LATE = ("drop crate 1 on dock 1", "tar crate 1 with vat 1", "wait", "walk to shed 1")


@pytest.mark.parametrize(("left", "acts"), [(4, False), (3, True), (1, True)])
def test_step_budget_leaves_what_names_the_goal_when_few_steps_remain(left, acts, make, yard):
    changes = make("step_budget", {"steps": 3}).process(yard.ask(LATE, steps_left=left, prior=(1.0, 2.0, 3.0, 4.0)))
    assert changes == ({"candidates": LATE[:2], "prior": (1.0, 2.0)} if acts else None)


def test_step_budget_never_empties_the_candidates(make, yard):
    assert make("step_budget").process(yard.ask(("wait", "walk to shed 1"), steps_left=1)) is None


# --- shortlist


@pytest.mark.parametrize(
    ("most", "prior", "kept"),
    [
        (1, (0.0, 2.0, 1.0), ("walk to dock 1",)),
        (2, (1.0, 0.0, 2.0), ("wait", "walk to dock 2")),
        (2, (0.0, 1.0, 0.0), ("wait", "walk to dock 1")),
    ],
)
def test_shortlist_keeps_the_best_in_the_order_of_the_candidates(most, prior, kept, make, yard):
    changes = make("shortlist", {"most": most}).process(yard.ask(MENU, prior=prior))
    assert changes == {"candidates": kept, "prior": tuple(value for command, value in zip(MENU, prior, strict=True) if command in kept)}


def test_shortlist_cuts_nothing_from_an_even_or_a_short_candidates(make, yard):
    assert make("shortlist", {"most": 1}).process(yard.ask(MENU, prior=(1.0, 1.0, 1.0))) is None
    assert make("shortlist", {"most": 3}).process(yard.ask(MENU, prior=(1.0, 2.0, 3.0))) is None
