"""The proof that exported games are ALFWorld's: the real engine and ours give the same bytes, step by step.

The engine is looked for in this interpreter (the extra `peers`), or in the one that HOMEBODY_PEER_PYTHON names. HOMEBODY_PEER_HOUSES
says how many houses to play (default 6).
"""

import contextlib
import functools
import importlib.util
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import GoalKind, Problem
from homebody.envs.household.expert.expert import NoPlanError, plan
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.building import TASK_ROOMS
from homebody.envs.household.houses.houses import KINDS, HouseSource

Played = list[list[Any]]
PARAMETERS: tuple[dict[str, Any], ...] = (
    {},
    {"distractors": 12, "closed": 0.4},
    {"size": 0.5, "clutter": 2.0, "holdout": "both"},
    {"closed": 0.0, "clutter": 0.25, "holdout": "rooms"},
)


@pytest.fixture(scope="module")
def peer(parity: ModuleType) -> Callable[[list[tuple[Path, list[str]]]], list[Played]]:
    """Play games in the real engine."""
    python = os.environ.get("HOMEBODY_PEER_PYTHON", "")
    if not python:
        if any(importlib.util.find_spec(name) is None for name in ("alfworld", "textworld", "fast_downward")):
            pytest.skip("the real ALFWorld engine is not installed: pip install 'homebody[peers]', or set HOMEBODY_PEER_PYTHON")
        python = sys.executable

    return functools.partial(parity.play, python)


def test_real_engine_plays_exported_houses_identically(tmp_path: Path, peer: Callable[..., list[Played]], parity: ModuleType) -> None:
    dice = random.Random(5)
    tasks, games, expected = [], [], []
    for i in range(int(os.environ.get("HOMEBODY_PEER_HOUSES", "6"))):
        # The first six are of all kinds of task and of house; further on, each kind of task meets each kind of house and of parameters.
        number, kind = divmod(i, len(GoalKind))
        rooms = sorted(set(TASK_ROOMS[GoalKind(kind)]))
        tasks.append(f"test/{rooms[(number + kind + 1) % len(rooms)]}-{KINDS[kind]}-{number:06d}")
        problem = HouseSource(**PARAMETERS[(kind + number) % len(PARAMETERS)]).load(tasks[-1])
        path = tmp_path / f"{i}.tw-pddl"
        path.write_text(to_game_file(problem))
        commands, record = parity.random_walk(load_game_file(path).problem, dice, 14)
        games.append((path, commands))
        expected.append(record)
    compare(tasks, games, expected, peer(games))


def test_real_engine_plays_small_problems_identically(
    tmp_path: Path, peer: Callable[..., list[Played]], random_problem: Callable[..., Problem], parity: ModuleType
) -> None:
    """In houses of which nothing makes sense much happens that homes rarely show: slicing, things in two places, hot from the start."""
    names, games, expected = [], [], []
    seed = 0
    while len(games) < 3 * int(os.environ.get("HOMEBODY_PEER_HOUSES", "6")):
        seed += 1
        problem = random_problem(random.Random(seed), 5, 6)
        game = TextGame(compile_game(problem))
        with contextlib.suppress(NoPlanError):
            # The real engine loads no game whose goal cannot be reached, or needs nothing done.
            if plan(game.game, game.state):
                names.append(f"problem {seed}")
                path = tmp_path / f"{seed}.tw-pddl"
                path.write_text(to_game_file(problem))
                commands, record = parity.random_walk(load_game_file(path).problem, random.Random(seed), 18)
                games.append((path, commands))
                expected.append(record)
    verbs = {command.partition(" ")[0] for _, commands in games for command in commands}
    assert verbs >= {"go", "open", "close", "take", "move", "clean", "heat", "cool", "use", "slice", "examine", "inventory", "look", "help"}
    compare(names, games, expected, peer(games))


def test_the_recording_is_what_the_real_engine_says(tmp_path: Path, peer: Callable[..., list[Played]], parity: ModuleType) -> None:
    names, games, expected = [], [], []
    for head, commands, played in parity.answers():
        path = tmp_path / f"{len(games)}.tw-pddl"
        path.write_text(to_game_file(HouseSource(**head["parameters"]).load(head["task"])))
        names.append(head["task"])
        games.append((path, commands))
        expected.append(played)
    compare(names, games, expected, peer(games))


def compare(names: list[str], games: list[tuple[Path, list[str]]], expected: list[Played], played: list[Played]) -> None:
    for name, (_, commands), ours, theirs in zip(names, games, expected, played, strict=True):
        for t, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            assert our == their, f"{name}, step {t}: {commands[t - 1] if t else 'reset'}"
    print(f"{sum(map(len, expected))} answers compared in {len(names)} games")
