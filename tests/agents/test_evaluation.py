"""Processors that tell a good step from a bad one: requires, goal_words, shaped_reward."""

import dataclasses

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted

TARRED = {"action": "drop # on #", "needs": ["tar # with #"], "goal": ["tarred"]}
MENU = ("drop crate 1 on dock 1", "tar crate 1 with vat 1", "wait")
GOAL = "put a tarred crate on a dock"


def offered(guard, yard, candidates=MENU, goal=GOAL):
    changes = guard.process(yard.ask(candidates, goal=goal))
    return changes["candidates"] if changes else candidates


def test_command_waits_for_what_it_needs(make, yard):
    guard = make("requires", {"rules": [TARRED]})
    assert offered(guard, yard) == MENU[1:]
    guard.observe(yard.told("tar crate 1 with vat 1", accepted=False))
    assert offered(guard, yard) == MENU[1:]
    guard.observe(yard.told("tar barrel 1 with vat 1"))  # another one
    assert offered(guard, yard) == MENU[1:]
    guard.observe(yard.told("tar crate 1 with vat 1"))
    assert offered(guard, yard) == MENU


def test_rule_holds_only_for_goals_with_its_words(make, yard):
    assert offered(make("requires", {"rules": [TARRED]}), yard, goal="put a crate on a dock") == MENU
    assert offered(make("requires", {"rules": [{**TARRED, "goal": []}]}), yard, goal="put a crate on a dock") == MENU[1:]


def test_every_need_of_every_rule_must_be_met(make, yard):
    rules = [{"action": "wait", "needs": ["look", "walk to #"]}, {"action": "wait", "needs": ["sit"]}]
    guard, candidates = make("requires", {"rules": rules}), ("look", "wait")
    for command in ("look", "walk to dock 1"):
        guard.observe(yard.told(command))
        assert offered(guard, yard, candidates) == ("look",)
    guard.observe(yard.told("sit"))
    assert offered(guard, yard, candidates) == candidates


def test_need_without_instances_serves_every_instance(make, yard):
    guard = make("requires", {"rules": [{"action": "drop # on #", "needs": ["look"]}]})
    guard.observe(yard.told("look"))
    assert offered(guard, yard) == MENU


def test_candidates_is_never_emptied(make, yard):
    assert offered(make("requires", {"rules": [TARRED]}), yard, candidates=MENU[:1]) == MENU[:1]


# --- goal_words


def test_shared_words_add_to_the_prior(make, yard):
    asked = yard.ask(MENU, goal="put two tarred crates on a dock", prior=(0.5, 0.0, 0.0))
    # crate and dock; crate (tar is not tarred); nothing
    assert make("goal_words", {"weight": 2.0}).process(asked) == {"prior": (4.5, 2.0, 0.0)}


def test_function_words_and_numbers_are_not_shared(make, yard):
    asked = yard.ask(("walk to 1 on a dock", "walk to a 7"), goal="sit on a 1 to the 7")
    assert make("goal_words").process(asked) == {"prior": (0.0, 0.0)}


# --- shaped_reward


def told(yard, step, command, **fields):
    accepted = fields.pop("accepted", True)
    return dataclasses.replace(yard.told(command, accepted=accepted), step=step, goal="put a crate on a dock", **fields)


def test_potential_is_the_share_of_goal_words_acted_on(make, yard):
    shaped = make("shaped_reward", {"step_cost": 0.1, "refused_cost": 0.2})
    found = []
    for step in (
        told(yard, 1, "lift crate 1 off shed 1"),
        told(yard, 2, "put dock 1", accepted=False),
        told(yard, 3, "lift crate 1 off shed 1"),
        told(yard, 4, "drop crate 1 on dock 1", reward=1.0, won=True),
    ):
        shaped.notes.clear()
        assert shaped.process(step) is None
        found.append((shaped.notes["potential"], shaped.notes["shaped_reward"]))
    # put, crate, dock: a third at first; a refused command names nothing, and one named already adds nothing.
    third, two = round(1 / 3, 6), round(2 / 3, 6)
    assert found == [(third, round(1 / 3 - 0.1, 6)), (third, -0.3), (third, -0.1), (two, round(1 + 1 / 3 - 0.1, 6))]


def test_goal_without_words_has_no_potential(make, yard):
    shaped = make("shaped_reward")
    shaped.process(dataclasses.replace(yard.told("wait"), goal=""))
    assert shaped.notes == {"potential": 0.0, "shaped_reward": -0.01}


def test_shaped_reward_stands_in_the_trace_and_changes_nothing_else(harness, yard):
    plan = ["wait", "jump", "walk to shed 2"]
    plain, shaped = (
        run_episode(yard.Yard(), harness(*items), ModelPolicy(Scripted(plan)), yard.task(), max_steps=3)
        for items in (["show_candidates"], ["show_candidates", "shaped_reward"])
    )
    assert [step.notes["shaped_reward"]["shaped_reward"] for step in shaped.trace] == pytest.approx([-0.01, -0.11, -0.01])
    for before, after in zip(plain.trace, shaped.trace, strict=True):
        assert dataclasses.replace(after, notes={}) == before
