"""The real games, where they are: every recorded step, every walkthrough, and the expert against both."""

from __future__ import annotations

import json
import random
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import homebody.envs
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine import rules
from homebody.envs.household.engine.command import mask_words
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.layout import HELD, ObjectSet, members
from homebody.envs.household.expert import expert
from homebody.envs.household.expert.expert import NoPlanError

NO_LIMIT = 10**9


def test_every_recorded_step_is_reproduced(alfworld: Path) -> None:
    files = sorted((alfworld / "transcripts").glob("*.jsonl"))
    assert len(files) == 38
    n = 0
    for file in files:
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        # The scripted edge rollouts were recorded without a step limit.
        max_steps = NO_LIMIT if "edge" in rows[0]["policy"] else 50
        env = gymnasium.make("homebody/AlfWorld-v0", data_dir=alfworld, max_steps=max_steps, disable_env_checker=True)
        for row in rows:
            if row["action"] is None:
                observation, info = env.reset(options={"task": row["game"]})
                reward, done = 0.0, False
            else:
                observation, reward, terminated, truncated, info = env.step(row["action"])  # type: ignore[assignment]
                done = terminated or truncated
            got = (observation, info["admissible_commands"], reward, info["won"], done)
            assert got == (row["obs"], row["admissible"], row["reward"], row["won"], row["done"]), (file.name, row["t"], row["action"])
            n += 1
    assert n == 6861


@pytest.mark.parametrize("folder", ["json_2.1.1/train", "json_2.1.1/valid_seen", "json_2.1.1/valid_unseen", "logic_2.1.1"])
def test_walkthroughs_win_and_the_expert_is_never_longer(alfworld: Path, folder: str) -> None:
    dice = random.Random(0)
    files = sorted((alfworld / folder).rglob("game.tw-pddl"))
    assert len(files) == {"json_2.1.1/train": 614, "json_2.1.1/valid_seen": 140, "json_2.1.1/valid_unseen": 68, "logic_2.1.1": 6}[folder]
    for path in files:
        file = load_game_file(path)
        play = TextGame(compile_game(file.problem), file.logic)
        plan = [play.language.command(code) for code in expert.plan(play.game, play.state)]
        assert len(plan) <= len(file.walkthrough) or folder == "logic_2.1.1"
        for commands in (file.walkthrough, plan):
            if commands:
                play.reset()
                assert [play.step(command) for command in commands].count("Nothing happens.") == 0
                assert play.won, path
        play.reset()
        for _ in range(dice.randint(1, 30)):
            play.step(dice.choice(play.admissible()))
        check_symbolic(play)
        won = [play.won]
        held, tables = int(play.state[HELD]) - 1, play.game.tables
        if held >= 0 and not tables.accepts[held].any() and held not in members(tables.object_sets[ObjectSet.GOAL_OBJECT]):
            # No receptacle takes a teddy bear or a roll of paper towels: who picks one up can never win.
            with pytest.raises(NoPlanError, match="no plan reaches the goal"):
                expert.plan(play.game, play.state)
            continue
        for code in expert.plan(play.game, play.state):
            assert play.step(play.language.command(code)) != "Nothing happens."
            won.append(play.won)
        assert won.index(True) == len(won) - 1, path


def check_symbolic(play: TextGame) -> None:
    """Check that masks say what the admissible commands say, and that a game takes one word a set and under 2 KB a player."""
    game, state = play.game, play.state
    assert mask_words(game.world) == 12
    assert state.nbytes <= 2048
    out = np.empty(12, np.uint64)
    rules.mask(game.world, state, out)
    commands = [play.language.command(rules.decode(game.world, state, action)) for action in members(out)]
    known = [command for command in commands if play.language.logic == "current" or command != "help"]
    missing = set(play.admissible()) - set(known)
    assert set(known) <= set(play.admissible())
    # An object in two receptacles here can be taken from either, by one action.
    assert all(command.startswith("take ") for command in missing)


@pytest.mark.parametrize(
    ("split", "upstream", "n"), [("train", "train", 614), ("validation", "valid_seen", 140), ("test", "valid_unseen", 68)]
)
def test_listing_of_the_real_games(alfworld: Path, split: str, upstream: str, n: int) -> None:
    tasks = homebody.envs.tasks("homebody/AlfWorld-v0", split, data_dir=alfworld)
    assert tasks == homebody.envs.tasks("homebody/AlfWorld-v0", upstream, data_dir=alfworld)
    assert len(tasks) == n
    assert {task.split for task in tasks} == {split}
    assert all(f"/{upstream}/{task.type}-" in task.task_id for task in tasks)
    assert len({task.type for task in tasks[:24]}) == 6


def test_step_limit_ends_an_episode_at_step_50(alfworld: Path) -> None:
    env = gymnasium.make("homebody/AlfWorld-v0", data_dir=alfworld)
    env.reset(seed=0)
    ended = [env.step("look")[2:4] for _ in range(51)]
    assert ended == [(False, False)] * 49 + [(False, True)] * 2
