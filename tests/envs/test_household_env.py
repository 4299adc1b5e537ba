from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

import homebody.envs
from homebody.envs.core import (
    EnvError,
    MaxStepsError,
    NoTasksError,
    NoTaskSourceError,
    NotResetError,
    ResetOptionError,
    SnapshotError,
    TaskCountError,
    TaskSpec,
    UnknownEnvError,
    UnknownParameterError,
    UnknownSplitError,
    UnknownTaskError,
)
from homebody.envs.file import PathError
from homebody.envs.household.alfworld.data_check import check_data
from homebody.envs.household.alfworld.errors import GameFileMissingError, GamePathError, UnknownGoalError
from homebody.envs.household.alfworld.games import AlfWorldSource, DataDirError
from homebody.envs.household.engine.layout import HELD, OPENED, PLACE
from homebody.envs.household.engine.problem import Problem
from homebody.envs.household.env import (
    AlfWorldEnv,
    HouseholdEnv,
    LogicError,
    ProceduralEnv,
)

HEAT = "json_2.1.1/train/pick_heat_then_place_in_recep-Apple-None-Cabinet-1/trial_T1/game.tw-pddl"
HOUSEHOLDS = ("homebody/Household-v0", "homebody/AlfWorld-v0")
OLD = "json_2.1.1/valid_seen/pick_and_place_simple-Spoon-None-Cabinet-1/trial_T3/game.tw-pddl"


@pytest.fixture(params=HOUSEHOLDS)
def any_env(request: pytest.FixtureRequest, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> gymnasium.Env[Any, Any]:
    monkeypatch.setenv("ALFWORLD_DATA", str(data_dir))
    return gymnasium.make(request.param)


def household(env: gymnasium.Env[Any, Any]) -> HouseholdEnv:
    assert isinstance(env.unwrapped, HouseholdEnv)
    return env.unwrapped


def test_registered_envs_keep_our_contract(any_env: gymnasium.Env[Any, Any]) -> None:
    homebody.envs.check_env(any_env)


def test_registered_envs_keep_gymnasiums_contract(any_env: gymnasium.Env[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # it opens a window, for every render mode is tried
    gymnasium_check_env(any_env.unwrapped)


def test_expert_wins_what_registered_envs_draw(any_env: gymnasium.Env[Any, Any]) -> None:
    for seed in range(12):
        any_env.reset(seed=seed)
        result: Any = None
        for command in household(any_env).expert():
            result = any_env.step(command)
        assert result[1:4] == (1.0, True, False)
        assert household(any_env).expert() == []


def test_seed_draws_the_task(any_env: gymnasium.Env[Any, Any]) -> None:
    def draw(seed: int) -> list[str]:
        return [any_env.reset(seed=seed)[1]["task_id"], *(any_env.reset()[1]["task_id"] for _ in range(5))]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(5)}) > 1


def test_split_says_where_reset_draws(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir, split="valid_seen")
    assert env.reset()[1]["task_id"] == OLD
    assert ProceduralEnv(split="test").reset()[1]["task_id"].startswith("test/")


def test_info_after_reset_and_step(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir)
    observation, info = env.reset(options={"task": HEAT})
    assert observation.endswith("Your task is to: put a hot apple in cabinet.")
    assert {key: value for key, value in info.items() if key != "admissible_commands"} == {
        "goal": "put a hot apple in cabinet.",
        "won": False,
        "task_id": HEAT,
    }
    observation, reward, terminated, truncated, info = env.step("go to desk 1")
    assert (observation, reward, terminated, truncated) == ("You arrive at desk 1. On the desk 1, you see a desklamp 1.", 0.0, False, False)
    assert sorted(info) == ["admissible_commands", "goal", "task_id", "won"]
    assert "use desklamp 1" in info["admissible_commands"]


def test_episode_goes_on_after_its_end(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir, max_steps=8)
    env.reset(options={"task": HEAT})
    plan = env.expert()
    ends = [env.step(command)[1:4] for command in plan]
    assert ends == [(0.0, False, False)] * 5 + [(1.0, True, False)]
    cabinet = plan[-1].partition(" to ")[2]
    assert env.step(f"take apple 2 from {cabinet}")[1:4] == (0.0, False, False)
    assert env.step("look")[1:4] == (0.0, False, True)
    assert env.step("look")[1:4] == (0.0, False, True)


def test_info_lists_are_fresh(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir)
    commands = env.reset(options={"task": HEAT})[1]["admissible_commands"]
    commands.clear()
    assert env.step("look")[4]["admissible_commands"]


@pytest.mark.parametrize(("logic", "answer"), [("auto", "loc 1"), ("2.1.1", "loc 1"), ("current", "countertop 1")])
def test_logic(data_dir: Path, logic: Any, answer: str) -> None:
    env = AlfWorldEnv(data_dir, logic=logic)
    env.reset(options={"task": OLD})
    assert env.step("go to countertop 1")[0].startswith(f"You arrive at {answer}.")


def test_explain_says_why(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir, explain=True)
    assert env.reset(options={"task": HEAT})[1]["why"] == ""
    assert env.step("open fridge 1")[4]["why"] == "You are not at fridge 1: go there first."
    assert env.step("look")[4]["why"] == ""


def walk(env: HouseholdEnv, n: int, seed: int) -> list[object]:
    """Take random commands, some of them junk, then reset twice without a task; return all that was said."""
    dice = random.Random(seed)
    said: list[object] = []
    for _ in range(n):
        said.append(env.step(dice.choice([*env.play.admissible(), "junk"])))
    return [*said, env.expert(), env.reset(), env.reset()]


@pytest.mark.parametrize("env_id", HOUSEHOLDS)
def test_snapshot_goes_back(env_id: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(data_dir))
    env, other = household(gymnasium.make(env_id)), household(gymnasium.make(env_id, max_steps=50))
    env.reset(seed=3)
    for command in env.expert()[:3]:
        info = env.step(command)[4]
    snapshot = env.snapshot()
    later = walk(env, 20, seed=0)
    for again in (env, other):  # the other one was never reset
        assert again.restore(snapshot) == info
        assert again.snapshot() == snapshot
        assert walk(again, 20, seed=0) == later
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    assert len(pickle.dumps(snapshot)) < 4000


@pytest.mark.parametrize("env_id", HOUSEHOLDS)
def test_pickled_env_resumes(env_id: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(data_dir))
    env = gymnasium.make(env_id, explain=True)
    env.reset(seed=4)
    for _ in range(3):
        env.step(household(env).scripted_policy()[0])
    pickled = pickle.dumps(env)
    assert len(pickled) < 20_000
    copy = pickle.loads(pickled)
    assert household(copy).scripted_policy() == household(env).scripted_policy()
    assert walk(household(copy), 20, seed=0) == walk(household(env), 20, seed=0)


def test_env_that_was_never_reset_can_be_pickled(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir)
    assert pickle.loads(pickle.dumps(env)).reset(seed=1) == env.reset(seed=1)


def test_bad_snapshots_are_named(data_dir: Path, write_game: Callable[..., Path], kitchen: Problem) -> None:
    env = AlfWorldEnv(data_dir)
    env.reset(options={"task": HEAT})
    good = env.snapshot()
    house = good.kept
    words = np.frombuffer(house.state, np.uint64)
    beyond = [words.copy() for _ in range(4)]
    beyond[0][PLACE], beyond[1][HELD], beyond[2][OPENED], beyond[3][-1] = 99, 99, 2**63, 2**63
    bad: list[object] = [None, house, {}, replace(good, kept=None)]
    bad += [replace(good, n_steps=n) for n in (-1, True, 1.5, None)]
    states = (None, b"", house.state[:-8], house.state[:-1], *(b.tobytes() for b in beyond))
    bad += [replace(good, kept=replace(house, state=state)) for state in states]
    bad += [replace(good, generator=generator) for generator in (None, {}, {**good.generator, "bit_generator": "MT19937"})]
    bad.append(replace(good, kept=replace(house, house=0)))
    env.step("go to desk 1")
    before = env.snapshot()
    for snapshot in bad:
        with pytest.raises(SnapshotError, match="this snapshot cannot be restored: ") as caught:
            env.restore(snapshot)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        assert env.snapshot() == before
    with pytest.raises(UnknownTaskError):
        env.restore(replace(good, task_id="nowhere"))
    write_game((data_dir / HEAT).parent, replace_place(kitchen))
    with pytest.raises(SnapshotError, match="was changed"):
        AlfWorldEnv(data_dir).restore(good)


def replace_place(problem: Problem) -> Problem:
    return replace(problem, agent_location=problem.receptacles[0].location)


def test_online_expert_wins(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir)
    env.reset(options={"task": HEAT})
    for _ in range(50):
        if env.step(env.scripted_policy()[0])[2]:
            break
    assert env.play.won


def test_more_games_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homebody.envs.household.env._MAX_GAMES", 2)
    env = ProceduralEnv()
    first = [env.reset(options={"task": f"train/kitchen-clean-00000{i}"})[0] for i in range(4)]
    assert first == [env.reset(options={"task": f"train/kitchen-clean-00000{i}"})[0] for i in range(4)]


def test_changed_file_is_read_again(data_dir: Path, write_game: Callable[..., Path]) -> None:
    AlfWorldSource(data_dir).load(HEAT)
    write_game((data_dir / HEAT).parent, pddl=("(isHot ?o)", "(isSliced ?o)"))
    with pytest.raises(UnknownGoalError):
        AlfWorldSource(data_dir).load(HEAT)


def test_data_dir_may_be_the_games_folder_itself(data_dir: Path) -> None:
    source = AlfWorldSource(data_dir / "json_2.1.1")
    assert [task.task_id.split("/")[0] for task in source.tasks("train")] == ["train", "train"]
    assert source.load(source.tasks("train")[0].task_id).walkthrough == ("look",)


def test_listing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = homebody.envs.tasks("homebody/AlfWorld-v0", "train", data_dir=data_dir, max_steps=3, logic="current")
    assert sorted((task.task_id.split("/")[2], task.type) for task in train) == [
        ("my-own-name", "pick_and_place_simple"),
        ("pick_heat_then_place_in_recep-Apple-None-Cabinet-1", "pick_heat_then_place_in_recep"),
    ]
    monkeypatch.setenv("ALFWORLD_DATA", str(data_dir))
    assert homebody.envs.tasks("homebody/AlfWorld-v0", "train", 1) == train[:1]
    for name in ("validation", "valid_seen"):
        assert homebody.envs.tasks("homebody/AlfWorld-v0", name) == [TaskSpec(OLD, "pick_and_place_simple", "validation")]
    assert [task.task_id.split("/")[3] for task in homebody.envs.tasks("homebody/AlfWorld-v0", "test")] == ["trial_T4"]


def test_unlisted_game_can_be_played(data_dir: Path) -> None:
    hidden = "json_2.1.1/valid_unseen/pick_and_place_simple-Spoon-None-Cabinet-3/trial_T7/game.tw-pddl"
    assert AlfWorldEnv(data_dir).reset(options={"task": hidden})[1]["task_id"] == hidden


def test_procedural_options() -> None:
    tasks = homebody.envs.tasks("homebody/Household-v0", "test", 6, rooms=["bedroom"], max_steps=15)
    assert all(task.task_id.startswith("test/bedroom-") for task in tasks)
    env = ProceduralEnv(rooms=["bedroom"], logic="2.1.1")
    env.reset(options={"task": tasks[0].task_id})
    assert "help" not in env.play.admissible()


@pytest.mark.parametrize("env_id", ["homebody/Household-v0", "homebody/AlfWorld-v0"])
def test_an_unknown_parameter_is_named(env_id: str, data_dir: Path) -> None:
    known = {"data_dir": data_dir} if "AlfWorld" in env_id else {"clutter": 1.0}
    said = r"unknown parameter 'max_step'; choose among: .*; did you mean max_steps\?"
    with pytest.raises(UnknownParameterError, match=said):
        gymnasium.make(env_id, **known, max_step=3)
    for name in ("n", "env_id", "max_step"):  # the first two are names of our own functions' parameters
        with pytest.raises(UnknownParameterError, match=f"unknown parameter '{name}'; choose among: "):
            homebody.envs.tasks(env_id, "train", 1, **known, **{name: 1})


def test_a_parameter_that_is_called_like_one_of_ours_reaches_the_env() -> None:
    tasks = homebody.envs.tasks("homebody/Household-v0", "test", 2, split="validation")
    assert [task.split for task in tasks] == ["test", "test"]
    assert homebody.envs.make("homebody/Household-v0", split="validation").reset(seed=0)[1]["task_id"].startswith("validation/")


@pytest.mark.parametrize(
    "task",
    [
        "nope",
        "",
        HEAT.replace("T1", "T9"),
        "/etc/passwd",
        f"../x/{HEAT}",
        "json_2.1.1",
        "x" * 5000 + "/game.tw-pddl",
        "\0/game.tw-pddl",
        3,
        None,
        ["x"],
    ],
)
def test_unknown_task_is_named(data_dir: Path, task: object) -> None:
    with pytest.raises(UnknownTaskError, match="unknown task"):
        AlfWorldEnv(data_dir).reset(options={"task": task})


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ("json_2.1.1/train", "."),  # a split's folder
        ("json_2.1.1/train/my-own-name/trial_T2", "."),
        ("logs", "."),
        ("other/json/train", "other/json"),  # under another name
        ("other", "other/json"),
    ],
)
def test_a_folder_beside_the_data_is_told_from_theirs(data_dir: Path, given: str, instead: str) -> None:
    (data_dir / "logs").mkdir()
    if given.startswith("other"):
        (data_dir / "json_2.1.1").rename(data_dir / "json")
        (data_dir / "json").rename(empty(data_dir / "other") / "json")
    told = f"give {str(data_dir / instead)!r} instead"
    for act in (lambda path: AlfWorldSource(path).tasks("test"), check_data):
        with pytest.raises(DataDirError) as raised:
            act((data_dir / given).resolve())
        assert str(raised.value).endswith(told)
    assert len(AlfWorldSource(data_dir / instead).tasks("train")) == 2


def empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_unknown_task_names_the_nearest(data_dir: Path) -> None:
    with pytest.raises(UnknownTaskError, match=f"did you mean {HEAT}"):
        AlfWorldEnv(data_dir).reset(options={"task": HEAT.replace("T1", "T11")})


def test_absolute_path_is_no_task_id(data_dir: Path) -> None:
    with pytest.raises(UnknownTaskError):
        AlfWorldEnv(data_dir).reset(options={"task": str(data_dir / HEAT)})


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda d: AlfWorldEnv(d, logic="3"), LogicError, "unknown logic '3'; choose one of: auto, current, 2.1.1"),
        (lambda d: ProceduralEnv(logic="auto"), LogicError, "unknown logic 'auto'"),
        (lambda d: AlfWorldEnv(d, max_steps=0), MaxStepsError, "max_steps=0 is not possible"),
        (lambda d: ProceduralEnv(max_steps=True), MaxStepsError, "max_steps=True is not possible"),
        (lambda d: AlfWorldEnv(d / "no"), DataDirError, "is not a folder; give data_dir="),
        (lambda d: AlfWorldEnv(), DataDirError, "neither data_dir nor ALFWORLD_DATA is given, and '/nowhere/alfworld' is not a folder"),
        (lambda d: AlfWorldEnv(""), PathError, "it is empty"),
        (lambda d: AlfWorldEnv(d).reset(options={"tasks": HEAT}), ResetOptionError, "unknown reset option 'tasks'; did you mean task?"),
        (lambda d: AlfWorldEnv(d).step("look"), NotResetError, "was used before reset"),
        (lambda d: AlfWorldEnv(d).expert(), NotResetError, "was used before reset"),
        (lambda d: AlfWorldEnv(d).scripted_policy(), NotResetError, "was used before reset"),
        (lambda d: AlfWorldEnv(d).snapshot(), NotResetError, "was used before reset"),
        (
            lambda d: AlfWorldEnv(d, split="dev").reset(),
            UnknownSplitError,
            "unknown split 'dev'; choose one of: train, validation, test, valid_seen",
        ),
        (lambda d: AlfWorldSource(d).tasks("train", 3), TaskCountError, "at most 2"),
        (lambda d: AlfWorldSource(empty(d / "e" / "train").parent).tasks("test"), NoTasksError, "split 'test' has no tasks"),
        (lambda d: homebody.envs.tasks("homebody/Hausehold-v0", "test"), UnknownEnvError, "did you mean homebody/Household-v0"),
        (lambda d: homebody.envs.tasks("no.such.module:X-v0", "test"), EnvError, "there is no module 'no.such.module'"),
        (lambda d: homebody.envs.tasks("CartPole-v1", "test"), NoTaskSourceError, "CartPoleEnv does not offer one"),
    ],
)
def test_mistakes_are_named(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], object], error: type[EnvError], message: str
) -> None:
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    monkeypatch.setenv("HOMEBODY_CACHE", "/nowhere")
    with pytest.raises(error) as caught:
        act(data_dir)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_folder_the_games_that_were_fetched_are_played(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path))
    (tmp_path / "alfworld").symlink_to(data_dir, target_is_directory=True)
    assert AlfWorldSource().root == tmp_path / "alfworld"
    assert AlfWorldEnv().reset(options={"task": HEAT}) == AlfWorldEnv(data_dir).reset(options={"task": HEAT})
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path / "else"))
    with pytest.raises(DataDirError, match="else' is not a folder"):
        AlfWorldSource()


def test_env_without_entry_point_has_no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gymnasium.registry, "Odd-v0", gymnasium.envs.registration.EnvSpec("Odd-v0", entry_point=None))
    with pytest.raises(NoTaskSourceError, match="no entry point"):
        homebody.envs.tasks("Odd-v0", "test")


def test_users_own_env_offers_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(gymnasium.Env[str, str]):
        @classmethod
        def task_source(cls, n: int) -> Any:
            class Source:
                def tasks(self, split: str, limit: int | None = None) -> list[TaskSpec]:
                    return [TaskSpec(str(i), "t", split) for i in range(n)]

            return Source()

    spec = gymnasium.envs.registration.EnvSpec("Own-v0", entry_point=Own, kwargs={"n": 2})
    monkeypatch.setitem(gymnasium.registry, "Own-v0", spec)
    assert len(homebody.envs.tasks("Own-v0", "test")) == 2
    assert len(homebody.envs.tasks("Own-v0", "test", None)) == 2


def test_unreadable_file_in_a_listing_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(GameFileMissingError, match=r"cannot be read \(Permission denied\)"):
        AlfWorldSource(data_dir).tasks("train")


@pytest.mark.parametrize(
    "task", ["put the cook\u2019s caf\u00e9 cup on cabinet.", "\u628a\u676f\u5b50\u653e\u597d", "put it \U0001f9f9 away"]
)
def test_game_in_other_words_keeps_the_contract(data_dir: Path, write_game: Callable[..., Path], kitchen: Problem, task: str) -> None:
    write_game(data_dir / "json_2.1.1" / "train" / "pick_and_place_simple-Apple-None-Cabinet-9" / "trial_T9", replace(kitchen, task=task))
    env = gymnasium.make("homebody/AlfWorld-v0", data_dir=data_dir, render_mode="rgb_array", disable_env_checker=True)
    task_id = "json_2.1.1/train/pick_and_place_simple-Apple-None-Cabinet-9/trial_T9/game.tw-pddl"
    observation, info = env.reset(options={"task": task_id})
    assert info["goal"] == task
    assert task in observation
    assert observation in env.observation_space
    assert env.render() is not None


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "a\x1b[0m"])
def test_path_that_is_no_text_is_named(data_dir: Path, write_game: Callable[..., Path], name: str) -> None:
    write_game(data_dir / "json_2.1.1" / "train" / name)
    source = AlfWorldSource(data_dir)
    for ask in (lambda: source.tasks("train"), lambda: source.load(f"json_2.1.1/train/{name}/game.tw-pddl")):
        with pytest.raises(GamePathError, match="its path is not one line of UTF-8 text, as a task id has to be; rename its folders"):
            ask()


SCRIPT = """
import hashlib, random, sys
import gymnasium, homebody.envs
digest = hashlib.sha256()
for env_id, kwargs in (("homebody/AlfWorld-v0", {"data_dir": sys.argv[1]}), ("homebody/Household-v0", {})):
    tasks = homebody.envs.tasks(env_id, "train", 2, **kwargs)
    digest.update(repr([task.hash for task in tasks]).encode())
    env = gymnasium.make(env_id, explain=True, **kwargs)
    dice = random.Random(0)
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        digest.update(repr((observation, info, env.unwrapped.expert())).encode())
        for _ in range(30):
            step = env.step(dice.choice([*info["admissible_commands"], "junk"]))
            info = step[4]
            digest.update(repr(step).encode())
        env.action_space.seed(seed)
        digest.update(env.action_space.sample().encode())
print(digest.hexdigest())
"""


def test_fresh_processes_give_the_same_bytes_whatever_the_hash_seed(data_dir: Path) -> None:
    def run(hash_seed: str) -> str:
        # -P: the repository's folders must not shadow the installed package.
        command = [sys.executable, "-P", "-W", "error", "-c", SCRIPT, str(data_dir)]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True).stdout

    assert run("0") == run("1") != ""


def test_import_of_the_package_is_light() -> None:
    code = "import sys, homebody.envs; sys.exit('numba' in sys.modules or 'homebody.envs.household.env' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
