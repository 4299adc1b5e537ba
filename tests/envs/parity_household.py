"""Records what the real ALFWorld engine says in houses of our own; `household_answers.jsonl` has its answers, for every clone to compare.

    .venv/bin/python -P tests/envs/parity_household.py "$(scripts/peers)"

writes that file again: it exports the houses, walks through each with our engine to choose commands, and has the engine that the given
interpreter has play them (`peer.py`). Nothing that our engine says is kept. A line is a game, or a step of the last game; what is on offer
stands there as what came and what went since the step before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Problem
from homebody.envs.household.expert.expert import NoPlanError, plan
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.houses import HouseSource

Played = list[list[Any]]
"""An answer a step, the first for the reset: observation, commands on offer, reward, whether it is won."""

ANSWERS = Path(__file__).with_name("household_answers.jsonl")
JUNK = ("go to nowhere 1", "put mug 1 in/on shelf 1", "", "LOOK", "take", " inventory  ", "go to agent1", "examine room")
HOUSES: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("test/kitchen-place-000000", {}, 7600),
    ("test/bedroom-light-000001", {"distractors": 6, "closed": 0.4}, 1),
    ("test/bathroom-clean-000002", {"holdout": "both"}, 2),
    ("test/kitchen-heat-000003", {"closed": 0.0, "clutter": 0.25, "holdout": "rooms"}, 3),
    ("test/kitchen-cool-000004", {"goals": "said"}, 4),
    ("test/livingroom-two-000005", {}, 5),
    ("train/livingroom-place-000006", {"size": 0.5, "clutter": 1.5}, 6),
    ("train/livingroom-light-000007", {"goals": "said"}, 7),
    ("train/kitchen-clean-000008", {"closed": 1.0}, 10808),
    ("validation/home-heat-000009", {"clutter": 0.25}, 9),
    ("validation/kitchen-cool-000010", {}, 10),
    ("validation/bedroom-two-000011", {"goals": "said"}, 11),
)
"""Tasks, parameters of their houses, seeds of the walks: each of the six kinds of task twice. The two large seeds are walks that slice."""


def random_walk(problem: Problem, dice: random.Random, steps: int) -> tuple[list[str], Played]:
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


def play(python: str, games: list[tuple[Path, list[str]]]) -> list[Played]:
    """Return what the real engine of an interpreter answers to the commands of each game."""
    given = json.dumps([[str(path), commands] for path, commands in games])
    done = subprocess.run(
        [python, "-P", str(Path(__file__).with_name("peer.py"))], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    played: list[Played] = json.loads(done.stdout.splitlines()[-1])
    return played


def digest(text: str) -> str:
    """Return the SHA-256 of a game file, which says that a replay has the house that was recorded."""
    return hashlib.sha256(text.encode()).hexdigest()


def answers() -> Iterator[tuple[dict[str, Any], list[str], Played]]:
    """Read the recording: of each game its task, parameters and digest, the commands, and what the real engine answered."""
    games: list[tuple[dict[str, Any], list[str], Played]] = []
    offer: set[str] = set()
    for line in map(json.loads, ANSWERS.read_text("utf-8").splitlines()):
        if "task" in line:
            games.append((line, [], []))
            offer = set()
            continue
        _, commands, played = games[-1]
        if played:
            commands.append(line["command"])
        offer = (offer - set(line["went"])) | set(line["came"])
        played.append([line["said"], sorted(offer), line["reward"], line["won"]])
    yield from games


def record(python: str) -> str:
    """Return the text of a new recording.

    Raises:
        ValueError: The real engine's commands come in another order than by code points, which this form of a recording cannot keep.
    """
    heads, games = [], []
    with TemporaryDirectory() as folder:
        for task, parameters, seed in HOUSES:
            text = to_game_file(HouseSource(**parameters).load(task))
            path = Path(folder, f"{len(games)}.tw-pddl")
            path.write_text(text, "utf-8")
            commands, _ = random_walk(load_game_file(path).problem, random.Random(seed), 14)
            heads.append({"task": task, "parameters": parameters, "sha256": digest(text)})
            games.append((path, commands))
        recorded = play(python, games)
    lines: list[dict[str, Any]] = []
    for head, (_, commands), played in zip(heads, games, recorded, strict=True):
        lines.append(head)
        offer: list[str] = []
        for command, (said, now, reward, won) in zip([None, *commands], played, strict=True):
            if now != sorted(set(now)):
                raise ValueError(f"{head['task']}: the commands on offer are in no order")
            came, went = sorted(set(now) - set(offer)), sorted(set(offer) - set(now))
            lines.append({"command": command, "said": said, "reward": reward, "won": won, "came": came, "went": went})
            offer = now
    return "".join(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    ANSWERS.write_text(record(sys.argv[1]), "utf-8")
    print(f"{ANSWERS.name}: {ANSWERS.stat().st_size} bytes")
