from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household import rules
from homebody.envs.household.game import Game, compile_game
from homebody.envs.household.problem import Problem
from homebody.envs.household.rules import Verb

VERBS = {
    Verb.GO: "go",
    Verb.OPEN: "open",
    Verb.CLOSE: "close",
    Verb.TAKE: "take",
    Verb.MOVE: "move",
    Verb.CLEAN: "clean",
    Verb.HEAT: "heat",
    Verb.COOL: "cool",
    Verb.USE: "use",
    Verb.SLICE: "slice",
    Verb.EXAMINE_RECEPTACLE: "examine",
    Verb.EXAMINE_OBJECT: "examine",
    Verb.INVENTORY: "inventory",
    Verb.LOOK: "look",
    Verb.HELP: "help",
}
OF_RECEPTACLES = (Verb.GO, Verb.OPEN, Verb.CLOSE, Verb.EXAMINE_RECEPTACLE)


def ids_of(problem: Problem, code: tuple[int, int, int]) -> tuple[str, ...]:
    objects, receptacles = sorted(t.id for t in problem.things), sorted(r.id for r in problem.receptacles)
    verb, a, b = code
    first = [] if a < 0 else [receptacles[a] if verb in OF_RECEPTACLES else objects[a]]
    second = [] if b < 0 else [objects[b] if verb == Verb.SLICE else receptacles[b]]
    return (VERBS[Verb(verb)], *first, *second)


def play_both(problem: Problem, dice: random.Random, reference: ModuleType, n_steps: int) -> None:
    game = compile_game(problem)
    state, slow = game.initial.copy(), reference.Reference(problem)
    out = np.empty((rules.capacity(game.world), 3), np.int16)
    for _ in range(n_steps):
        codes = [tuple(row) for row in out[: rules.admissible(game.world, state, out)].tolist()]
        assert len(codes) == len(set(codes))
        assert {ids_of(problem, code) for code in codes} == slow.admissible()
        assert bool(rules.is_won(game.world, state)) == slow.is_won()
        code = dice.choice(codes) if dice.random() < 0.8 else any_code(game, dice)
        assert bool(rules.step(game.world, state, *code)) == (code in codes)
        slow.step(ids_of(problem, code))


def any_code(game: Game, dice: random.Random) -> tuple[int, int, int]:
    """Draw a command with indices in range, admissible or not."""
    verb = dice.choice(tuple(Verb))
    o, r = dice.randrange(len(game.objects)), dice.randrange(len(game.receptacles))
    if verb >= Verb.INVENTORY:
        return verb, -1, -1
    if verb in OF_RECEPTACLES:
        return verb, r, -1
    if verb in (Verb.USE, Verb.EXAMINE_OBJECT):
        return verb, o, -1
    return verb, o, dice.randrange(len(game.objects)) if verb == Verb.SLICE else r


@settings(max_examples=150, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_kernels_equal_reference_under_random_play(
    dice: random.Random, random_problem: Callable[..., Problem], reference: ModuleType
) -> None:
    play_both(random_problem(dice), dice, reference, n_steps=30)


@pytest.mark.parametrize("seed", range(3))
def test_kernels_equal_reference_beyond_64_receptacles(seed: int, random_problem: Callable[..., Problem], reference: ModuleType) -> None:
    dice = random.Random(seed)
    problem = random_problem(dice, n_receptacles=200, n_things=40)
    while len(problem.receptacles) <= 128:
        problem = random_problem(dice, n_receptacles=200, n_things=40)
    play_both(problem, dice, reference, n_steps=40)


def test_kernels_equal_reference_in_the_kitchen(kitchen: Problem, reference: ModuleType) -> None:
    for seed in range(5):
        play_both(kitchen, random.Random(seed), reference, n_steps=200)


def test_copy_state_resets(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    state = game.initial.copy()
    out = np.empty((rules.capacity(game.world), 3), np.int16)
    dice = random.Random(0)
    for _ in range(100):
        n = rules.admissible(game.world, state, out)
        rules.step(game.world, state, *out[dice.randrange(n)].tolist())
    assert any((a != b).any() for a, b in zip(state, game.initial, strict=True))
    rules.copy_state(game.initial, state)
    assert all((a == b).all() for a, b in zip(state, game.initial, strict=True))
