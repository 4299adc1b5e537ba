"""The proof that exported games are ALFWorld's: the real engine and ours give the same bytes, step by step.

The engine is looked for in this interpreter (the extra `peers`), or in the one that HOMEBODY_PEER_PYTHON names. HOMEBODY_PEER_HOUSES
says how many houses to play (default 6).
"""

import contextlib
import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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
JUNK = ("go to nowhere 1", "put mug 1 in/on shelf 1", "", "LOOK", "take", " inventory  ", "go to agent1", "examine room")
PARAMETERS: tuple[dict[str, Any], ...] = (
    {},
    {"distractors": 12, "closed": 0.4},
    {"size": 0.5, "clutter": 2.0, "holdout": "both"},
    {"closed": 0.0, "clutter": 0.25, "holdout": "rooms"},
)


@pytest.fixture(scope="module")
def peer() -> Callable[[list[tuple[Path, list[str]]]], list[Played]]:
    """Play games in the real engine."""
    python = os.environ.get("HOMEBODY_PEER_PYTHON", "")
    if not python:
        if any(importlib.util.find_spec(name) is None for name in ("alfworld", "textworld", "fast_downward")):
            pytest.skip("the real ALFWorld engine is not installed: pip install 'homebody[peers]', or set HOMEBODY_PEER_PYTHON")
        python = sys.executable

    def play(games: list[tuple[Path, list[str]]]) -> list[Played]:
        given = json.dumps([[str(path), commands] for path, commands in games])
        script = Path(__file__).with_name("peer.py")
        done = subprocess.run([python, "-P", str(script)], input=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        played: list[Played] = json.loads(done.stdout.splitlines()[-1])
        return played

    return play


def wander(problem: Problem, dice: random.Random, steps: int) -> tuple[list[str], Played]:
    """Play at random, then as the expert does from there, then at random again; return the commands, and what our engine said."""
    game = TextGame(compile_game(problem))
    commands: list[str] = []
    record: Played = [[game.reset(), game.admissible(), 0, game.won]]
    seen: set[str] = set()

    def give(command: str) -> None:
        observation = game.step(command)
        commands.append(command)
        record.append([observation, game.admissible(), game.reward, game.won])

    def roam(n: int) -> None:
        for _ in range(n):
            menu = game.admissible()
            seen.update(menu)
            # Most of what can be done is to go somewhere: every verb is tried as often. Some commands are of other times, some are junk.
            verb = dice.choice(sorted({command.split()[0] for command in menu}))
            alike = [command for command in menu if command.split()[0] == verb]
            give(dice.choice(dice.choices((menu, alike, sorted(seen), JUNK), (30, 54, 8, 8))[0]))

    roam(steps)
    # As in ALFWorld, a teddy bear in the hand stays there: no receptacle takes one.
    with contextlib.suppress(NoPlanError):
        for code in plan(game.game, game.state):
            give(game.language.command(code))
        assert game.won
    roam(steps // 2)
    return commands, record


def test_real_engine_plays_exported_houses_identically(tmp_path: Path, peer: Callable[..., list[Played]]) -> None:
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
        commands, record = wander(load_game_file(path).problem, dice, 14)
        games.append((path, commands))
        expected.append(record)
    compare(tasks, games, expected, peer(games))


def test_real_engine_plays_small_problems_identically(
    tmp_path: Path, peer: Callable[..., list[Played]], random_problem: Callable[..., Problem]
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
                commands, record = wander(load_game_file(path).problem, random.Random(seed), 18)
                games.append((path, commands))
                expected.append(record)
    verbs = {command.partition(" ")[0] for _, commands in games for command in commands}
    assert verbs >= {"go", "open", "close", "take", "move", "clean", "heat", "cool", "use", "slice", "examine", "inventory", "look", "help"}
    compare(names, games, expected, peer(games))


def compare(names: list[str], games: list[tuple[Path, list[str]]], expected: list[Played], played: list[Played]) -> None:
    for name, (_, commands), ours, theirs in zip(names, games, expected, played, strict=True):
        for t, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            assert our == their, f"{name}, step {t}: {commands[t - 1] if t else 'reset'}"
    print(f"{sum(map(len, expected))} answers compared in {len(names)} games")
