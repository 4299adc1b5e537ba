"""The household as arrays: against the text engine, Gymnasium's checkers, and itself after snapshots, pickles and autoresets."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from homebody.envs import SYMBOLIC_ID, EnvError, make
from homebody.envs.household.engine.command import Verb
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.layout import HELD, PLACE, ReceptacleSet, Status, members
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.env import ProceduralEnv
from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.symbolic.arrays import OBJECT_TYPES, RECEPTACLE_TYPES
from homebody.envs.household.symbolic.symbolic import HouseholdSymbolicEnv, HouseholdSymbolicVectorEnv
from homebody.envs.household.symbolic.visibility import lowest

TASKS = [f"train/{house}" for house in ("kitchen-clean-000000", "bedroom-light-000003", "bathroom-two-000001", "home-heat-000007")]


@pytest.fixture(scope="module")
def env() -> HouseholdSymbolicEnv:
    return HouseholdSymbolicEnv(tasks=TASKS)


@pytest.fixture(scope="module")
def houses() -> HouseholdSymbolicVectorEnv:
    return HouseholdSymbolicVectorEnv(5, tasks=TASKS, max_steps=7)


def draw(mask: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(mask)))


def play_of(task_id: str) -> TextGame:
    return TextGame(compile_game(HouseSource().load(task_id)))


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("task_id", TASKS)
def test_mask_text_and_goal_are_those_of_the_text_engine(env, task_id):
    rng = np.random.default_rng(5)
    _, info = env.reset(options={"task": task_id})
    play = play_of(task_id)
    assert info["task_id"] == task_id
    assert env.text() == play.reset()
    for _ in range(120):
        commands = {action: env.command(int(action)) for action in np.flatnonzero(info["action_mask"])}
        # An object in two receptacles at one place is taken from the first of them only: see command.py.
        assert set(commands.values()) <= set(play.admissible())
        assert len({c for c in play.admissible() if not c.startswith("take ")} - set(commands.values())) == 0
        action = draw(info["action_mask"], rng)
        _, reward, terminated, _, info = env.step(np.int64(action))
        assert env.text() == play.step(commands[action])
        assert (reward, terminated, info["won"], info["accepted"]) == (play.reward, play.won, play.won, True)


@pytest.mark.parametrize("task_id", TASKS)
def test_the_expert_wins(env, task_id):
    env.reset(options={"task": task_id})
    for action in env.expert():
        _, _, terminated, _, info = env.step(action)
    assert terminated
    assert info["won"]
    assert env.expert() == []


@pytest.mark.parametrize("action", [-1, 10**6, 767, -(2**60)])
def test_a_number_that_is_no_admissible_action_changes_nothing_but_costs_a_step(env, action):
    before, _ = env.reset(options={"task": TASKS[0]})
    after, reward, terminated, _, info = env.step(np.int64(action))
    same(before, after)
    assert (reward, terminated, info["accepted"]) == (0.0, False, False)
    assert env.text() == "Nothing happens."
    assert env.command(action) == ""
    assert env.houses.steps[0] == 1


def test_what_is_in_a_closed_receptacle_is_not_seen_until_it_is_opened(env):
    observation, info = env.reset(options={"task": TASKS[0]})
    assert not observation["seen"].any()
    assert (observation["object_type"] == -1).all()
    assert (observation["object_in"] == -1).all()
    closed = np.flatnonzero(observation["openable"] & ~observation["opened"].astype(bool))
    full = [r for r in closed if env.houses.games[0].view(env.houses.states[0]).inside[r].any()]
    r = int(full[0])
    observation, *_, info = env.step(np.int64(r))  # the first block of actions is GO r
    assert info["accepted"]
    assert not observation["seen"][r]
    assert not (observation["object_in"] == r).any()
    observation, *_, info = env.step(np.int64(64 + r))  # the second one OPEN r
    assert info["accepted"]
    assert observation["seen"][r]
    named = {OBJECT_TYPES[t].lower() for t in observation["object_type"][observation["object_in"] == r]}
    assert named
    assert all(f"a {name} " in env.text() for name in named)


def test_fixed_arrays_say_what_the_game_says(env):
    observation, info = env.reset(options={"task": TASKS[1]})
    game = play_of(TASKS[1]).game
    kind, wanted, lamp = observation["goal"]
    assert GoalKind(kind) == game.goal.kind == GoalKind.LIGHT
    assert (OBJECT_TYPES[wanted], OBJECT_TYPES[lamp]) == (game.goal.object, game.goal.target)
    n = len(game.receptacles)
    assert [RECEPTACLE_TYPES[t] for t in observation["receptacle_type"][:n]] == list(game.receptacle_types)
    assert (observation["receptacle_type"][n:] == -1).all()
    assert observation["agent"].tolist()[1] == -1
    assert len(info["action_mask"]) == env.action_space.n


def test_a_batch_plays_as_single_houses_do(houses):
    rng = np.random.default_rng(0)
    tasks = [*TASKS, TASKS[0]]
    seen, infos = houses.reset(options={"tasks": tasks})
    singles = [HouseholdSymbolicEnv(tasks=TASKS, max_steps=7) for _ in tasks]
    alone = [single.reset(options={"task": task}) for single, task in zip(singles, tasks, strict=True)]
    for _ in range(6):
        for i, (observation, info) in enumerate(alone):
            same({name: array[i] for name, array in seen.items()}, observation)
            np.testing.assert_array_equal(infos["action_mask"][i], info["action_mask"])
        actions = np.array([draw(mask, rng) for mask in infos["action_mask"]])
        seen, rewards, ended, over, infos = houses.step(actions)
        steps = [single.step(action) for single, action in zip(singles, actions, strict=True)]
        assert [tuple(map(bool, t)) for t in zip(ended, over, strict=True)] == [(s[2], s[3]) for s in steps]
        assert rewards.tolist() == [s[1] for s in steps]
        assert [houses.text(i) for i in range(5)] == [single.text() for single in singles]
        alone = [(s[0], s[4]) for s in steps]
    assert houses.command(int(np.flatnonzero(infos["action_mask"][2])[0]), 2).startswith("go to ")


def test_a_batch_with_wider_games_has_the_same_texts():
    """A house of more than 64 receptacles takes two words a set: all games of the batch get wider sets."""
    source = HouseSource(rooms=["home"], size=2.0)
    wide = next(t.task_id for t in source.tasks("train", 60) if len(source.load(t.task_id).receptacles) > 64)
    narrow = "train/home-heat-000003"
    env = HouseholdSymbolicVectorEnv(2, tasks=[wide, narrow], rooms=["home"], size=2.0)
    assert env.houses.n_receptacles == 128
    _, infos = env.reset(options={"tasks": [wide, narrow]})
    plays = [TextGame(compile_game(source.load(task_id))) for task_id in (wide, narrow)]
    rng = np.random.default_rng(1)
    for _ in range(40):
        actions = np.array([draw(mask, rng) for mask in infos["action_mask"]])
        commands = [env.command(int(action), i) for i, action in enumerate(actions)]
        *_, infos = env.step(actions)
        assert [env.text(i) for i in range(2)] == [play.step(command) for play, command in zip(plays, commands, strict=True)]
    assert env.expert(1)


def test_next_step_autoreset_ignores_the_action_and_starts_a_new_task(houses):
    _, infos = houses.reset(seed=3)
    waiting = houses.single_action_space.n - 64 + 1  # INVENTORY
    for _ in range(7):
        *_, over, infos = houses.step(np.full(5, waiting))
    assert over.all()
    observation, rewards, ended, over, infos = houses.step(np.full(5, 0))
    assert not (ended | over).any()
    assert not rewards.any()
    assert houses.houses.steps.tolist() == [0] * 5
    assert (observation["agent"][:, 1] == -1).all()
    assert infos["accepted"].all()


def test_same_step_autoreset_hands_over_the_last_observation():
    env, plain = (HouseholdSymbolicVectorEnv(3, tasks=TASKS, max_steps=2, autoreset_mode=mode) for mode in ("SameStep", "Disabled"))
    for each in (env, plain):
        each.reset(seed=0)
    assert "final_obs" not in env.step(np.array([0, 1, 2]))[4]
    plain.step(np.array([0, 1, 2]))
    waiting = np.full(3, env.single_action_space.n - 64 + 1)
    observation, rewards, ended, over, infos = env.step(waiting)
    last, last_rewards, last_ended, last_over, last_infos = plain.step(waiting)
    assert over.all()
    for got, expected in ((rewards, last_rewards), (ended, last_ended), (over, last_over)):
        np.testing.assert_array_equal(got, expected)
    for i, final in enumerate(infos["final_obs"]):
        same(final, {name: array[i] for name, array in last.items()})
    assert infos["_final_obs"].all()
    for name in ("action_mask", "won", "accepted", "task_id"):
        np.testing.assert_array_equal(infos["final_info"][name], last_infos[name])
    assert not observation["seen"].any()
    assert env.houses.steps.tolist() == [0, 0, 0]


def test_without_autoreset_a_mask_says_which_houses_start_again():
    env = HouseholdSymbolicVectorEnv(3, tasks=TASKS, max_steps=2, autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(EnvError, match="reset of some houses was used before reset"):
        env.reset(options={"reset_mask": np.array([True, False, False])})
    env.reset(seed=0)
    env.step(np.zeros(3, int))
    env.step(np.zeros(3, int))
    with pytest.raises(EnvError, match=r"the episodes of houses \[0, 1, 2\] have ended and autoreset is disabled; call reset\(options="):
        env.step(np.zeros(3, int))
    held = env.houses.states[2].copy()
    env.reset(options={"reset_mask": np.array([True, True, False])})
    assert env.houses.steps.tolist() == [0, 0, 2]
    np.testing.assert_array_equal(env.houses.states[2], held)
    with pytest.raises(EnvError, match=r"the episodes of houses \[2\] have ended"):
        env.step(np.zeros(3, int))
    env.reset(options={"reset_mask": np.array([False, False, True])})
    env.step(np.zeros(3, int))


def test_a_seed_determines_tasks_and_arrays():
    runs = []
    for _ in range(2):
        env = HouseholdSymbolicVectorEnv(4, tasks=TASKS, max_steps=3)
        rng = np.random.default_rng(2)
        observation, infos = env.reset(seed=11)
        run = [observation, infos]
        for _ in range(10):
            observation, *_, infos = env.step(np.array([draw(mask, rng) for mask in infos["action_mask"]]))
            run += [observation, infos]
        runs.append(run)
    for one, other in zip(*runs, strict=True):
        same(one, other)


def first_task(seed: int) -> str:
    return str(HouseholdSymbolicEnv(tasks=TASKS).reset(seed=seed)[1]["task_id"])


@pytest.mark.parametrize(
    ("seed", "each"),
    [
        ([5, 0, 9, 5], (5, 0, 9, 5)),
        ((2, 1, 0, 3), (2, 1, 0, 3)),
        (np.array([7, 3, 2, 4]), (7, 3, 2, 4)),
        (range(4), (0, 1, 2, 3)),
        (6, (6, 7, 8, 9)),
        (np.int64(2), (2, 3, 4, 5)),
        ([np.uint8(1), 2**70, 0, True], (1, 2**70, 0, 1)),
    ],
)
def test_each_house_has_its_own_seed(seed: Any, each: tuple[int, ...]):
    env = HouseholdSymbolicVectorEnv(4, tasks=TASKS)
    _, infos = env.reset(seed=seed)
    assert infos["task_id"].tolist() == [first_task(own) for own in each]
    assert env.np_random_seed == each
    assert [generator.random() for generator in env.np_random] == [
        generator.random() for single in each for generator in [single_after_its_first_task(single)]
    ]


def single_after_its_first_task(seed: int) -> np.random.Generator:
    env = HouseholdSymbolicEnv(tasks=TASKS)
    env.reset(seed=seed)
    return env.np_random


def test_a_house_without_a_seed_goes_on_with_its_generator():
    env, single = HouseholdSymbolicVectorEnv(2, tasks=TASKS), HouseholdSymbolicEnv(tasks=TASKS)
    env.reset(seed=[1, 2])
    single.reset(seed=2)
    for _ in range(4):
        tasks = env.reset(seed=[1, None])[1]["task_id"]
        assert tasks.tolist() == [first_task(1), single.reset()[1]["task_id"]]
    assert env.np_random_seed == (1, 2)


def test_seeds_are_for_the_houses_that_start_again():
    env = HouseholdSymbolicVectorEnv(3, tasks=TASKS, autoreset_mode="Disabled")
    env.reset(seed=[1, 2, 3])
    options = {"reset_mask": np.array([True, False, True])}
    _, infos = env.reset(seed=[7, 8, 9], options=options)
    assert infos["task_id"].tolist() == [first_task(7), first_task(2), first_task(9)]
    assert env.np_random_seed == (7, 2, 9)


@pytest.mark.parametrize("seed", [[1, 2], [1, 2, 3, 4], [], [1, "2", 3], [1, 2.0, 3], [1, -2, 3], [[1], [1, 2], 3], -1, 1.5, "abc", {1: 2}])
def test_wrong_seeds_are_named_and_change_nothing(seed: Any):
    env, other = (HouseholdSymbolicVectorEnv(3, tasks=TASKS) for _ in range(2))
    for each in (env, other):
        each.reset(seed=4)
    with pytest.raises(EnvError) as raised:
        env.reset(seed=seed)
    wanted = "a whole number of at least 0, or 3 of them, one a house; or None"
    assert str(raised.value) == f"seed={seed!r} is not possible; give {wanted}"
    with pytest.raises(EnvError, match="unknown task"):
        env.reset(seed=[1, 2, 3], options={"tasks": ["none"] * 3})
    assert env.np_random_seed == (4, 5, 6)
    same(env.reset()[1], other.reset()[1])


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("seed", [3, [8, 8, 1]])
def test_a_batch_is_what_gymnasium_makes_of_single_houses(mode: AutoresetMode, seed: Any):
    kwargs = {"tasks": TASKS, "max_steps": 3}
    ours = HouseholdSymbolicVectorEnv(3, autoreset_mode=mode, **kwargs)
    theirs = gymnasium.make_vec(
        SYMBOLIC_ID,
        num_envs=3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        **kwargs,
    )
    rng = np.random.default_rng(0)
    results = [env.reset(seed=seed) for env in (ours, theirs)]
    for _ in range(12):
        (observation, *flags, infos), (other, *other_flags, other_infos) = results
        same(observation, other)
        for got, expected in zip(flags, other_flags, strict=True):
            np.testing.assert_array_equal(got, expected)
        for name in ("action_mask", "won", "accepted", "task_id"):
            np.testing.assert_array_equal(infos[name], other_infos[name])
        assert ("final_obs" in infos) == ("final_obs" in other_infos)
        for got, expected in zip(infos.get("final_obs", ()), other_infos.get("final_obs", ()), strict=True):
            same(got, expected)
        actions = np.array([draw(mask, rng) for mask in infos["action_mask"]])
        results = [env.step(actions) for env in (ours, theirs)]
        ended = results[0][2] | results[0][3]
        if mode is AutoresetMode.DISABLED and ended.any():
            results = [env.reset(options={"reset_mask": ended.copy()}) for env in (ours, theirs)]
            same(results[0][0], results[1][0])
            for name in ("action_mask", "task_id"):  # Gymnasium tells only of the houses that start again
                np.testing.assert_array_equal(results[0][1][name][ended], results[1][1][name][ended])
            actions = np.array([draw(mask, rng) for mask in results[0][1]["action_mask"]])
            results = [env.step(actions) for env in (ours, theirs)]


@pytest.mark.parametrize("through_pickle", [False, True])
def test_a_snapshot_is_where_play_goes_on(through_pickle):
    env = HouseholdSymbolicVectorEnv(4, tasks=TASKS, max_steps=4)
    env.reset(seed=1)
    for action in (3, 5):
        env.step(np.full(4, action))
    snapshot = pickle.loads(pickle.dumps(env.snapshot())) if through_pickle else env.snapshot()
    other = pickle.loads(pickle.dumps(env))
    later = [env.step(np.full(4, action)) for action in (0, 64, 2, 7, 1)]
    for again in (env, other):
        again.restore(snapshot)
        for action, (observation, rewards, ended, over, infos) in zip((0, 64, 2, 7, 1), later, strict=True):
            result = again.step(np.full(4, action))
            same(result[0], observation)
            same(result[4], infos)
            for got, expected in zip(result[1:4], (rewards, ended, over), strict=True):
                np.testing.assert_array_equal(got, expected)


def test_a_single_house_resumes_from_a_snapshot(env):
    env.reset(options={"task": TASKS[3]}, seed=4)
    env.step(np.int64(2))
    snapshot = env.snapshot()
    expected = env.step(np.int64(1))
    env.reset(options={"task": TASKS[0]})
    observation, info = env.restore(snapshot)
    assert info["task_id"] == TASKS[3]
    assert observation["agent"][1] == -1
    same(env.step(np.int64(1))[0], expected[0])
    with pytest.raises(EnvError, match=r"snapshot='int' is not possible; give what snapshot\(\)"):
        env.restore(3)
    with pytest.raises(EnvError, match="is not possible"):
        HouseholdSymbolicVectorEnv(2, tasks=TASKS).restore(snapshot)
    other = HouseholdSymbolicEnv(tasks=TASKS[::-1])
    assert other.houses.states.shape == env.houses.states.shape  # so it is not the size that tells
    with pytest.raises(EnvError, match="is not possible"):
        other.restore(snapshot)


def test_gymnasium_checks_pass():
    single = gymnasium.make("homebody/HouseholdSymbolic-v0", n_tasks=6)
    check_env(single.unwrapped, skip_render_check=True)
    envs = gymnasium.make_vec("homebody/HouseholdSymbolic-v0", num_envs=3, n_tasks=6)
    assert isinstance(envs.unwrapped, HouseholdSymbolicVectorEnv)
    observation, _ = envs.reset(seed=0)
    assert observation in envs.observation_space
    envs.action_space.seed(0)
    for _ in range(20):
        observation, *_ = envs.step(envs.action_space.sample())
        assert observation in envs.observation_space


# --- pictures


def test_the_picture_is_that_of_the_text_environment():
    env = gymnasium.make(SYMBOLIC_ID, tasks=TASKS[:1], render_mode="rgb_array", render_size=(640, 480))
    text = ProceduralEnv(render_mode="rgb_array", render_size=(640, 480))
    env.reset(seed=0)
    text.reset(options={"task": TASKS[0]})
    seen = {env.render().tobytes()}
    for action, command in zip(env.unwrapped.expert(), text.expert(), strict=True):
        env.step(action)
        text.step(command)
        seen.add(env.render().tobytes())
        np.testing.assert_array_equal(env.render(), text.render())
    assert len(seen) > 3
    before = env.render()
    env.step(env.action_space.n - 1)  # it is not admissible, and the picture says so
    assert (env.render() != before).any()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_draws_on(again: Callable[[Any], Any]):
    env = HouseholdSymbolicEnv(tasks=TASKS[:1], render_mode="rgb_array", render_size=(640, 480))
    twin = again(env)
    env.reset(seed=0)
    twin.reset(seed=0)
    np.testing.assert_array_equal(twin.render(), env.render())
    twin = again(env)
    for each in (env, twin):
        each.step(np.int64(1))
    assert twin.render().shape == (480, 640, 3)
    restored, _ = twin.restore(env.snapshot())
    same(restored, env.restore(env.snapshot())[0])
    np.testing.assert_array_equal(twin.render(), env.render())


def test_a_window_shows_every_step(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = HouseholdSymbolicEnv(tasks=TASKS[:1], render_mode="human", render_size=(640, 480))
    env.reset(seed=0)
    before = pygame.image.tobytes(pygame.display.get_surface(), "RGB")
    env.step(np.int64(env.expert()[0]))
    assert pygame.image.tobytes(pygame.display.get_surface(), "RGB") != before
    assert env.render() is None
    env.close()
    assert not pygame.display.get_init()


@pytest.mark.parametrize("mode", [None, "sync", "async"])
def test_a_vector_draws_where_its_houses_do(mode):
    kwargs = {"num_envs": 2, "tasks": TASKS[:1], "render_size": (640, 480)}
    if mode is None:
        with pytest.raises(EnvError, match=r"render_mode='rgb_array' is not possible; give None, or make_vec\(.*'sync'\)"):
            gymnasium.make_vec(SYMBOLIC_ID, render_mode="rgb_array", **kwargs)
        assert gymnasium.make_vec(SYMBOLIC_ID, num_envs=2, tasks=TASKS[:1], render_mode=None).render_mode is None
        return
    env = gymnasium.make_vec(SYMBOLIC_ID, vectorization_mode=mode, render_mode="rgb_array", **kwargs)
    try:
        env.reset(seed=0)
        assert [frame.shape for frame in env.render()] == [(480, 640, 3)] * 2
    finally:
        env.close()


def test_pictures_that_are_not_possible_are_named(env):
    with pytest.raises(EnvError, match="render_mode='ansi' draws nothing"):
        HouseholdSymbolicEnv(tasks=TASKS[:1], render_mode="ansi")
    with pytest.raises(EnvError, match=r"a picture of size \(3, 3\) is not possible"):
        HouseholdSymbolicEnv(tasks=TASKS[:1], render_mode="rgb_array", render_size=(3, 3))
    with pytest.raises(EnvError, match="render_mode=None draws nothing"):
        env.render()
    with pytest.raises(EnvError, match="render was used before reset"):
        HouseholdSymbolicEnv(tasks=TASKS[:1], render_mode="rgb_array").render()
    env.close()


def test_the_hand_is_seen(env):
    """Play the expert until something is held: the observation names it."""
    env.reset(options={"task": TASKS[0]})
    for action in env.expert():
        observation, *_ = env.step(np.int64(action))
        held = int(observation["agent"][1])
        assert held == int(env.houses.states[0, HELD]) - 1
        if held >= 0:
            assert OBJECT_TYPES[observation["object_type"][held]] == env.houses.games[0].object_types[held]
            break
    else:
        pytest.fail("nothing was ever held")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HouseholdSymbolicEnv(max_steps=0), "max_steps=0 is not possible"),
        (lambda: HouseholdSymbolicEnv(tasks=[]), r"tasks=\[\] is not possible; give a list of at least one task id"),
        (lambda: HouseholdSymbolicEnv(tasks="train/kitchen-clean-000000"), "is not possible; give a list of at least one task id"),
        (lambda: HouseholdSymbolicEnv(tasks=["nonsense"]), "not a house: 'nonsense'"),
        (lambda: HouseholdSymbolicEnv(n_tasks=0), "0 tasks of split 'train' were asked for"),
        (lambda: HouseholdSymbolicEnv(split="tests"), "unknown split 'tests'; did you mean test"),
        (lambda: HouseholdSymbolicEnv(clutter=9.0), "clutter=9.0 is not possible"),
        (lambda: HouseholdSymbolicEnv("/nowhere"), "is not a folder"),
        (lambda: HouseholdSymbolicEnv(cluter=1.0), "unknown parameter 'cluter'; choose among: .*; did you mean clutter"),
        (lambda: HouseholdSymbolicEnv("/nowhere", render_mood="x"), "unknown parameter 'render_mood'"),
        (lambda: HouseholdSymbolicVectorEnv(2, max_episode_steps=3), "unknown parameter 'max_episode_steps'.* max_steps"),
        (lambda: HouseholdSymbolicEnv("/nowhere", clutter=1.0), "data_dir='/nowhere' is not possible; give None, or leave out clutter"),
        (lambda: HouseholdSymbolicVectorEnv(0), "num_envs=0 is not possible; give a whole number of at least 1"),
        (lambda: HouseholdSymbolicVectorEnv(1, autoreset_mode="never"), "autoreset_mode='never' is not possible; give 'NextStep'"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(EnvError, match=message):
        make()


def test_wrong_calls_are_named(env, houses):
    fresh = HouseholdSymbolicEnv(tasks=TASKS[:1])
    for call in (lambda: fresh.step(0), fresh.expert, lambda: fresh.command(1), fresh.text, fresh.snapshot):
        with pytest.raises(EnvError, match="was used before reset"):
            call()
    batch = HouseholdSymbolicVectorEnv(1, tasks=TASKS[:1])
    for call in (
        lambda: batch.step(np.zeros(1, int)),
        lambda: batch.expert(0),
        lambda: batch.command(1, 0),
        lambda: batch.text(0),
        batch.snapshot,
    ):
        with pytest.raises(EnvError, match="was used before reset"):
            call()
    with pytest.raises(EnvError, match=r"unknown task 'test/x' in the tasks that this environment was made with"):
        env.reset(options={"task": "test/x"})
    with pytest.raises(EnvError, match="unknown reset option 'tsk'; did you mean task"):
        env.reset(options={"tsk": TASKS[0]})
    env.reset(options={"task": TASKS[0]})
    for action in (0.5, "go", None, [1]):
        with pytest.raises(EnvError, match=r"for the action; give a whole number: those of info\['action_mask'\]"):
            env.step(action)
    houses.reset(seed=0)
    with pytest.raises(EnvError, match=r"an array of shape \(3,\) and type int64 for the action; give 5 whole numbers"):
        houses.step(np.zeros(3, int))
    for options, message in (
        ({"reset_mask": [True]}, "give an array of 5 bools"),
        ({"tasks": TASKS}, "give a list of 5 task ids, one a house"),
        ({"tasks": 5}, "give a list of 5 task ids, one a house"),
        ({"tasks": [["test/x"]] * 5}, "unknown task"),
        ({"mask": 1}, "unknown reset option 'mask'.*; choose of: reset_mask, tasks"),
        ([], r"options=\[\] is not possible; give a mapping, as {'reset_mask': ...}, or None"),
        ("tasks", "options='tasks' is not possible"),
    ):
        with pytest.raises(EnvError, match=message):
            houses.reset(options=options)


def test_a_type_without_a_number_is_named(monkeypatch):
    monkeypatch.setattr("homebody.envs.household.symbolic.arrays.RECEPTACLE_TYPES", RECEPTACLE_TYPES[1:])
    with pytest.raises(EnvError, match=f"has the type '{RECEPTACLE_TYPES[0]}'"):
        HouseholdSymbolicEnv(rooms=["bedroom", "livingroom", "kitchen", "bathroom"], n_tasks=40)


def test_task_source_takes_what_the_constructor_takes():
    source = HouseholdSymbolicEnv.task_source(rooms=["kitchen"], split="test", n_tasks=3, max_steps=9)
    assert all("/kitchen-" in task.task_id for task in source.tasks("test", 12))


def test_a_pickle_keeps_the_games_read_only(env):
    """Else numba takes them for another type, and the next step compiles everything anew."""
    env.reset(options={"task": TASKS[0]})
    again = pickle.loads(pickle.dumps(env))
    assert not again.houses.stack.worlds.flags.writeable
    assert not again.houses.stack.initials.flags.writeable
    assert again.text() == env.text()


def test_all_tasks_of_a_split_are_made_ready(tmp_path):
    source = HouseSource()
    for _ in export_houses(source, source.tasks("test", 3), tmp_path):
        pass
    assert len(HouseholdSymbolicEnv(tmp_path, split="test", n_tasks=None).houses.games) == 3
    with pytest.raises(EnvError, match="100 tasks of split 'test' were asked for; give at most 3, or none for all"):
        HouseholdSymbolicEnv(tmp_path, split="test")


@pytest.mark.parametrize(("task_id", "house"), [(TASKS[0], {}), (TASKS[3], {"rooms": ["home"], "size": 2.0, "clutter": 2.0})])
def test_an_observation_is_what_was_before_the_agent_so_far(task_id, house):
    """Play at random, and look at the tables of the state one by one: the bits of the compiled function must say the same."""
    env = HouseholdSymbolicEnv(tasks=[task_id], max_steps=1000, **house)
    game, rng, seen = env.houses.games[0], np.random.default_rng(7), set()
    n, known = len(game.receptacles), game.tables
    assert bool(house) == (len(game.objects) > 64)  # so one of the cases has sets of two words
    observation, info = env.reset()
    for _ in range(150):
        state = game.view(env.houses.states[0][: len(game.initial)])
        held, opened = int(env.houses.states[0, HELD]) - 1, members(state.opened[0])
        doors = members(known.receptacle_sets[ReceptacleSet.OPENABLE])
        seen |= {r for r in members(known.here[int(env.houses.states[0, PLACE])]) if r not in doors or r in opened}
        inside = [next((r for r in range(n) if r in seen and o in members(state.inside[r])), -1) for o in range(len(game.objects))]
        shown = [o for o, r in enumerate(inside) if r >= 0 or o == held]
        status = [sum(1 << row for row in Status if o in members(state.status[row])) if o in shown else 0 for o in range(len(inside))]
        assert observation["agent"].tolist() == [int(env.houses.states[0, PLACE]), held]
        assert np.flatnonzero(observation["opened"]).tolist() == opened
        assert np.flatnonzero(observation["seen"]).tolist() == sorted(seen)
        assert observation["object_in"][: len(inside)].tolist() == inside
        assert observation["object_status"][: len(inside)].tolist() == status
        for o in range(len(observation["object_type"])):
            assert observation["object_type"][o] == (OBJECT_TYPES.index(game.object_types[o]) if o in shown else -1)
        # Half of the time something other than going, so that things are opened, carried and changed.
        acts = np.flatnonzero(info["action_mask"])
        acts = acts[acts >= env.houses.n_receptacles] if rng.random() < 0.5 else acts
        observation, *_, info = env.step(np.int64(rng.choice(acts)))
    assert len(seen) > 5


@pytest.mark.parametrize("bits", [1, 2, 3, 2**63, 2**64 - 1, 2**32, 0b101000, 2**63 + 2**40])
def test_the_lowest_bit_of_a_word(bits):
    assert lowest(np.uint64(bits)) == (bits & -bits).bit_length() - 1


def test_verbs_and_blocks_are_as_documented(env):
    """GO is the first block and OPEN the second: what the tests above and users' programs count on."""
    _, info = env.reset(options={"task": TASKS[0]})
    assert {env.command(int(a)).split()[0] for a in np.flatnonzero(info["action_mask"][:64])} == {"go"}
    assert Verb.GO == 0


def test_it_is_no_text_planning_environment():
    with pytest.raises(EnvError, match=r"HouseholdSymbolic-v0 breaks the contract .*: its observations are a Dict, not a Text"):
        make(SYMBOLIC_ID, n_tasks=1)
