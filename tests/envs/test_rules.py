"""The compiled rules against the slow reference: step, admissible commands, goal, masks, and batches."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household.engine import rules
from homebody.envs.household.engine.batch import Stack, stack
from homebody.envs.household.engine.command import Code, Verb, encode, mask_words
from homebody.envs.household.engine.game import Game, compile_game
from homebody.envs.household.engine.layout import Words, members
from homebody.envs.household.engine.problem import GoalKind, Problem

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
BLOCKS = ("go", "open", "close", "move", "clean", "heat", "cool", "examine"), ("take", "use", "slice")


def object_ids(problem: Problem) -> list[str]:
    """Return the ids of the objects that have an index: those in receptacles, and those that can be sliced."""
    return sorted(t.id for t in problem.things if t.inside or "sliceable" in t.flags)


def ids_of(problem: Problem, code: tuple[int, ...]) -> tuple[str, ...]:
    objects, receptacles = object_ids(problem), sorted(r.id for r in problem.receptacles)
    verb, a, b = code
    first = [] if a < 0 else [receptacles[a] if verb in OF_RECEPTACLES else objects[a]]
    second = [] if b < 0 else [objects[b] if verb == Verb.SLICE else receptacles[b]]
    return (VERBS[Verb(verb)], *first, *second)


def admissible(game: Game, state: Words) -> list[Code]:
    out = np.empty((rules.capacity(game.world), 3), np.int16)
    return [(verb, a, b) for verb, a, b in out[: rules.admissible(game.world, state, out)].tolist()]


def masked(game: Game, state: Words) -> list[int]:
    out = np.full(mask_words(game.world), 2**64 - 1, np.uint64)
    rules.mask(game.world, state, out)
    return members(out)


def play_both(problem: Problem, dice: random.Random, reference: ModuleType, n_steps: int) -> None:
    game = compile_game(problem)
    state, slow = game.initial.copy(), reference.Reference(problem)
    for _ in range(n_steps):
        codes = admissible(game, state)
        assert len(codes) == len(set(codes))
        assert {ids_of(problem, code) for code in codes} == slow.admissible()
        assert bool(rules.is_won(game.world, state)) == slow.is_won()
        check_mask(problem, game, state, slow)
        code = dice.choice(codes) if dice.random() < 0.8 or not game.objects else any_code(game, dice)
        before = state.copy()
        accepted = rules.step(game.world, state, *code)
        assert accepted == (code in codes)
        if accepted:
            slow.step(ids_of(problem, code))
        else:
            assert (state == before).all()


def check_mask(problem: Problem, game: Game, state: Words, slow: object) -> None:
    """Compare a mask with the reference, number by number, as `command.py` describes the numbering."""
    objects, receptacles = object_ids(problem), sorted(r.id for r in problem.receptacles)
    r_size, o_size = 64 * max(1, -(-len(receptacles) // 64)), 64 * max(1, -(-len(objects) // 64))
    expected = set()
    for verb, *names in slow.admissible():  # type: ignore[attr-defined]
        if verb == "examine" and names[0] in objects:
            expected.add(8 * r_size + 3 * o_size)
        elif verb in ("inventory", "look", "help"):
            expected.add(8 * r_size + 3 * o_size + 1 + ("inventory", "look", "help").index(verb))
        elif verb in BLOCKS[0]:
            expected.add(BLOCKS[0].index(verb) * r_size + receptacles.index(names[-1]))
        else:
            expected.add(8 * r_size + BLOCKS[1].index(verb) * o_size + objects.index(names[0]))
    actions = masked(game, state)
    assert set(actions) == expected
    for action in actions:
        code = rules.decode(game.world, state, action)
        assert rules.is_admissible(game.world, state, *code)
        assert encode(game.world, code) == action


def any_code(game: Game, dice: random.Random) -> Code:
    """Draw a command, admissible or not, and now and then one that names what does not exist."""
    verb = dice.choice((*Verb, -1, 15, 99))
    o, c, r = (dice.randint(-1, n) for n in (len(game.objects), len(game.objects), len(game.receptacles)))
    if verb in OF_RECEPTACLES:
        return verb, r, -1
    if verb in (Verb.USE, Verb.EXAMINE_OBJECT):
        return verb, o, -1
    if Verb.INVENTORY <= verb <= Verb.HELP:
        return verb, -1, -1
    return verb, o, c if verb == Verb.SLICE else r


@settings(max_examples=150, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_kernels_equal_reference_under_random_play(
    dice: random.Random, random_problem: Callable[..., Problem], reference: ModuleType
) -> None:
    play_both(random_problem(dice), dice, reference, n_steps=30)


@settings(max_examples=60, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_kernels_equal_reference_where_receptacles_share_a_place(
    dice: random.Random, random_problem: Callable[..., Problem], reference: ModuleType
) -> None:
    play_both(random_problem(dice, n_receptacles=9, n_things=9), dice, reference, n_steps=40)


@pytest.mark.parametrize("seed", range(3))
def test_kernels_equal_reference_beyond_64_of_each(seed: int, random_problem: Callable[..., Problem], reference: ModuleType) -> None:
    dice = random.Random(seed)
    problem = random_problem(dice, n_receptacles=200, n_things=160)
    while len(problem.receptacles) <= 128 or len(object_ids(problem)) <= 64:
        problem = random_problem(dice, n_receptacles=200, n_things=160)
    play_both(problem, dice, reference, n_steps=40)


def test_kernels_equal_reference_in_the_kitchen(kitchen: Problem, reference: ModuleType) -> None:
    for seed in range(5):
        play_both(kitchen, random.Random(seed), reference, n_steps=200)


def test_rows_of_the_status_follow_the_goals() -> None:
    # `is_won` counts on it.
    assert [GoalKind.CLEAN, GoalKind.HEAT, GoalKind.COOL] == [2, 3, 4]


@pytest.mark.parametrize("action", [-1, -64, 768, 10**9, 767, 11 * 64 + 4, 63, 64 + 7])
def test_numbers_that_stand_for_nothing_change_nothing(kitchen: Problem, action: int) -> None:
    game = compile_game(kitchen)
    state = game.initial.copy()
    assert mask_words(game.world) * 64 == 768
    assert not rules.act(game.world, state, action)
    assert (state == game.initial).all()


def test_copy_starts_a_game_again(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    state = game.initial.copy()
    dice = random.Random(0)
    for _ in range(100):
        rules.step(game.world, state, *dice.choice(admissible(game, state)))
    assert (state != game.initial).any()
    rules.copy(game.initial, state)
    assert (state == game.initial).all()


class Batch:
    """Worlds of a stack, with the arrays that the batch functions write."""

    def __init__(self, games: Stack, game_of: list[int]) -> None:
        self.games, self.game_of = games, np.array(game_of)
        n = len(game_of)
        self.states = np.zeros((n, games.initials.shape[1]), np.uint64)
        self.accepted, self.won = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self.masks = np.zeros((n, games.mask_words), np.uint64)
        self.reset(np.ones(n, np.bool_))

    def reset(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        rules.reset_batch(self.games.worlds, self.games.initials, self.game_of, chosen, self.states, self.masks)

    def step(self, actions: list[int]) -> None:
        rules.step_batch(self.games.worlds, self.game_of, self.states, np.array(actions), self.accepted, self.won, self.masks)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rows_of_a_batch_play_as_worlds_of_their_own(seed: int, random_problem: Callable[..., Problem]) -> None:
    dice = random.Random(seed)
    # One game needs more words for its sets than the others, so theirs are widened.
    sizes = ((4, 4), (6, 8), (90, 100), (3, 80))
    problems = [random_problem(dice, n_receptacles=r, n_things=o) for r, o in sizes]
    games = [compile_game(problem) for problem in problems]
    batch = Batch(stack(games), [0, 1, 2, 3, 1, 0])
    states = [games[g].initial.copy() for g in batch.game_of]
    wide = batch.games.worlds[0]
    for _ in range(20):
        actions, expected = [], []
        for i, g in enumerate(batch.game_of):
            codes = admissible(games[g], states[i])
            assert set(members(batch.masks[i])) == {encode(wide, code) for code in codes}
            action = dice.choice(members(batch.masks[i])) if dice.random() < 0.9 else dice.randrange(batch.games.mask_words * 64)
            code = rules.decode(batch.games.worlds[g], batch.states[i], action)
            actions.append(action)
            expected.append(bool(rules.step(games[g].world, states[i], *code)))
        batch.step(actions)
        assert batch.accepted.tolist() == expected
        assert batch.won.tolist() == [bool(rules.is_won(games[g].world, states[i])) for i, g in enumerate(batch.game_of)]
    chosen = np.array([dice.random() < 0.5 for _ in states])
    before = batch.states.copy()
    batch.reset(chosen)
    for i, g in enumerate(batch.game_of):
        assert (batch.states[i] == (batch.games.initials[g] if chosen[i] else before[i])).all()
