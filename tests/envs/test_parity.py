"""Parity in every clone: what the real ALFWorld engine said in houses of our own (recorded by `parity_household.py`) ours says too."""

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import pytest

import homebody.envs  # noqa: F401  (registers the ids)
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import TASK_TYPES
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.houses import HouseSource

ANSWERS = Path(__file__).with_name("household_answers.jsonl")
TASKS = [line["task"] for line in map(json.loads, ANSWERS.read_text("utf-8").splitlines()) if "task" in line]
AGAIN = 'record again: .venv/bin/python -P tests/envs/parity_household.py "$(scripts/peers)"'


def recorded(parity: ModuleType, task: str) -> tuple[dict[str, Any], list[str], list[list[Any]]]:
    (found,) = [game for game in parity.answers() if game[0]["task"] == task]
    return found


@pytest.mark.parametrize("task", TASKS)
def test_the_engine_says_what_the_real_one_said(task: str, parity: ModuleType, tmp_path: Path) -> None:
    head, commands, theirs = recorded(parity, task)
    text = to_game_file(HouseSource(**head["parameters"]).load(task))
    assert parity.digest(text) == head["sha256"], f"this is another house than the recorded one; {AGAIN}"
    path = tmp_path / "game.tw-pddl"
    path.write_text(text, "utf-8")
    game = TextGame(compile_game(load_game_file(path).problem))
    assert [game.reset(), game.admissible(), 0, game.won] == theirs[0]
    for t, (command, their) in enumerate(zip(commands, theirs[1:], strict=True), 1):
        assert [game.step(command), game.admissible(), game.reward, game.won] == their, f"step {t}: {command!r}"


@pytest.mark.parametrize("task", TASKS)
def test_the_environment_says_what_the_real_engine_said(task: str, parity: ModuleType) -> None:
    head, commands, theirs = recorded(parity, task)
    env = gymnasium.make("homebody/Household-v0", max_steps=1000, **head["parameters"])
    observation, info = env.reset(options={"task": task})
    assert [observation, info["admissible_commands"], info["won"]] == [*theirs[0][:2], theirs[0][3]]
    for t, (command, their) in enumerate(zip(commands, theirs[1:], strict=True), 1):
        observation, reward, terminated, _, info = env.step(command)
        assert [observation, info["admissible_commands"], reward, info["won"]] == their, f"step {t}: {command!r}"
        if terminated:
            break
    env.close()


def test_the_recording_has_every_kind_of_task_and_of_answer(parity: ModuleType) -> None:
    games = list(parity.answers())
    kinds = Counter(HouseSource(**head["parameters"]).load(head["task"]).goal.kind for head, _, _ in games)
    assert len(kinds) == len(TASK_TYPES)
    assert set(kinds.values()) == {2}
    assert all(any(won for *_, won in played) for _, _, played in games), "each is won"
    refused = sum(said == "Nothing happens." for _, _, played in games for said, *_ in played)
    assert refused >= 20
    verbs = {command.partition(" ")[0] for _, commands, _ in games for command in commands}
    assert verbs >= {"go", "open", "close", "take", "move", "clean", "heat", "cool", "use", "slice", "examine", "inventory", "look", "help"}
    assert ANSWERS.stat().st_size < 300_000
