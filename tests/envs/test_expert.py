from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household.engine import rules
from homebody.envs.household.engine.command import Code, Verb
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import Game, compile_game
from homebody.envs.household.engine.layout import Head, Words
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing
from homebody.envs.household.expert import expert
from homebody.envs.household.expert.expert import NoPlanError


def shortest(game: Game, state: Words) -> int | None:
    """Return the length of a shortest plan by trying everything; `None` if there is none."""
    out = np.empty((rules.capacity(game.world), 3), np.int16)
    queue, seen = deque([(state.copy(), 0)]), {key(game, state)}
    while queue:
        now, n = queue.popleft()
        if rules.is_won(game.world, now):
            return n
        for code in out[: rules.admissible(game.world, now, out)].tolist():
            # Closing and slicing serve no goal; the rest changes nothing.
            if code[0] < Verb.SLICE and code[0] != Verb.CLOSE:
                following = now.copy()
                rules.step(game.world, following, *code)
                if key(game, following) not in seen:
                    seen.add(key(game, following))
                    queue.append((following, n + 1))
    return None


def key(game: Game, state: Words) -> bytes:
    """Return what goals and commands but `look` and `slice` depend on: all that stands before `at`."""
    return state[: game.world[Head.AT]].tobytes()


def check_plan(game: Game, state: Words, codes: list[Code]) -> None:
    now = state.copy()
    for code in codes:
        assert not rules.is_won(game.world, now)
        assert rules.step(game.world, now, *code)
    assert rules.is_won(game.world, now)


@settings(max_examples=120, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_plan_is_as_short_as_exhaustive_search(dice: random.Random, random_problem: Callable[..., Problem]) -> None:
    game = compile_game(random_problem(dice, n_receptacles=4, n_things=3))
    state = game.initial.copy()
    out = np.empty((rules.capacity(game.world), 3), np.int16)
    for _ in range(dice.randint(0, 12)):
        rules.step(game.world, state, *dice.choice(out[: rules.admissible(game.world, state, out)].tolist()))
    length = shortest(game, state)
    if length is None:
        with pytest.raises(NoPlanError):
            expert.plan(game, state)
    else:
        codes = expert.plan(game, state)
        check_plan(game, state, codes)
        assert len(codes) == length


@pytest.mark.parametrize(
    ("kind", "thing", "target", "length"),
    [
        (GoalKind.PLACE, "Spoon", "Cabinet", 4),
        (GoalKind.LIGHT, "Apple", "DeskLamp", 4),
        (GoalKind.CLEAN, "Mug", "CounterTop", 5),  # taken from the cabinet it stays on the countertop, where it is too
        (GoalKind.HEAT, "Apple", "Cabinet", 6),
        (GoalKind.COOL, "Apple", "SinkBasin", 5),  # the apple in the fridge is cold already
        (GoalKind.TWO, "Apple", "Cabinet", 9),
        (GoalKind.PLACE, "Mug", "CounterTop", 0),
    ],
)
def test_kitchen_plans(kitchen: Problem, kind: GoalKind, thing: str, target: str, length: int) -> None:
    game = compile_game(replace(kitchen, goal=Goal(kind, thing, target)))
    codes = expert.plan(game, game.initial)
    check_plan(game, game.initial, codes)
    assert len(codes) == length == shortest(game, game.initial)


def test_plan_in_a_house_beyond_64_of_each() -> None:
    drawers = tuple(Receptacle(f"drawer_bar_{i:03}", "Drawer", f"loc_bar_{i % 40:03}", i % 2 == 0) for i in range(70))
    fridge = Receptacle("fridge_bar_0", "Fridge", "loc_bar_fridge", openable=True)
    pens = tuple(Thing(f"pen_bar_{i:03}", "Pen", (f"drawer_bar_{i:03}",), flags=frozenset({"pickupable"})) for i in range(70))
    may = frozenset({("Drawer", "Pen"), ("Fridge", "Pen")})
    problem = Problem((*drawers, fridge), pens, (), "loc_bar_start", may, Goal(GoalKind.TWO, "Pen", "Fridge"), "put two pen in fridge.")
    game = compile_game(problem)
    codes = expert.plan(game, game.initial)
    check_plan(game, game.initial, codes)
    # From two drawers without a door: go, take, go, open, move, and again go, take, go, move.
    assert len(codes) == 9


def test_plan_puts_down_what_is_in_the_way(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    for command in ("go to countertop 1", "take mug 1 from countertop 1", "go to microwave 1"):
        play.step(command)
    plan = [play.language.command(code) for code in expert.plan(play.game, play.state)]
    assert len(plan) == 7
    assert [play.step(command) for command in plan].count("Nothing happens.") == 0
    assert play.won


def test_plan_does_not_change_the_state(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    before = play.state.copy()
    expert.plan(play.game, play.state)
    assert (before == play.state).all()


def test_unreachable_goal_is_named(kitchen: Problem) -> None:
    game = compile_game(replace(kitchen, goal=Goal(GoalKind.PLACE, "Window", "Cabinet"), task="put a window in cabinet."))
    with pytest.raises(NoPlanError, match=r"'put a window in cabinet\.'"):
        expert.plan(game, game.initial)


def test_search_gives_up(kitchen: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expert, "MAX_NODES", 2)
    with pytest.raises(NoPlanError):
        expert.plan(*[(game := compile_game(kitchen)), game.initial])
