"""The plain simulator of the bench gives the answers of the engine: else a comparison of their speed would mean nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Logic, Problem
from homebody.envs.household.houses.houses import HouseSource
from homebody.scripts.bench.plain_household import PlainGame

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alfworld"


def compare(problem: Problem, logic: Logic, dice: random.Random, steps: int) -> None:
    """Play both at random: commands that change something as often as going about, and some that are refused."""
    ours, plain = TextGame(compile_game(problem), logic), PlainGame(problem, logic)
    said = (ours.reset(), plain.reset())
    for _ in range(steps):
        assert said[0] == said[1]
        assert (ours.admissible(), ours.won) == (plain.admissible(), plain.won)
        menu = ours.admissible()
        rest = [command for command in menu if not command.startswith("go to ")]
        command = dice.choice((dice.choice(menu), dice.choice(rest), dice.choice(rest), " look ", "go to nowhere 1"))
        said = (ours.step(command), plain.step(command))
    assert plain.reset() == ours.reset()


@pytest.mark.parametrize("logic", ["current", "2.1.1"])
def test_it_plays_houses_as_the_engine_does(logic: Logic) -> None:
    source = HouseSource()
    for i, task in enumerate(source.tasks("train", 36)):
        compare(source.load(task.task_id), logic, random.Random(i), 150)


def test_it_plays_real_games_as_the_engine_does() -> None:
    files = sorted(REAL.rglob("game.tw-pddl"))[::20]
    if not files:
        pytest.skip("the real ALFWorld games are not beside this repository (../shared/data/alfworld)")
    for i, path in enumerate(files):
        file = load_game_file(path)
        compare(file.problem, file.logic, random.Random(i), 150)


@pytest.mark.parametrize("seed", range(60))
def test_it_wins_where_the_walkthrough_wins(seed: int) -> None:
    """Every kind of task, from the first state to the goal."""
    from homebody.envs.household.expert.expert import plan

    source = HouseSource()
    problem = source.load(source.tasks("validation", 60)[seed].task_id)
    ours, plain = TextGame(compile_game(problem)), PlainGame(problem, "current")
    for code in plan(ours.game, ours.state):
        command = ours.language.command(code)
        assert (ours.step(command), ours.won) == (plain.step(command), plain.won)
    assert plain.won
