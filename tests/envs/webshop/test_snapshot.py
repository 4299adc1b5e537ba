"""Going back to any point of a visit: snapshots, pickles, and environments in other processes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import gymnasium
import pytest

from homebody.envs.core import NotResetError, SnapshotError, UnknownTaskError
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.pages.snapshot import Place

ENV_ID = "homebody/WebShop-v0"


def a_visit() -> list[str]:
    """Commands that lead over every kind of page, and on after the purchase."""
    search, opening, *choices, buy = begun().expert()
    return [search, "click[next >]", "click[< prev]", opening, *choices, "click[features]", "click[< prev]", buy, search, opening]


def begun(**parameters: Any) -> WebShopEnv:
    env = WebShopEnv(observation="text_rich", **parameters)
    env.reset(seed=3)
    return env


def test_every_point_of_a_visit_can_be_gone_back_to() -> None:
    commands = a_visit()
    env, kinds = begun(), []
    for n in range(len(commands)):
        there = env.snapshot()
        kinds.append(env.page.kind)
        rest = [env.step(command) for command in commands[n:]]
        for again in (env, WebShopEnv(observation="text_rich")):
            again.restore(pickle.loads(pickle.dumps(there)))
            assert again.snapshot() == there
            assert [again.step(command) for command in commands[n:]] == rest
        env.restore(there)
        env.step(commands[n])
    assert set(kinds) == {"home", "results", "item", "sub", "done"}


def test_a_restored_environment_draws_the_same_tasks() -> None:
    env = begun()
    there = env.snapshot()
    drawn = [env.reset()[1]["task_id"] for _ in range(5)]
    env.restore(there)
    assert [env.reset()[1]["task_id"] for _ in range(5)] == drawn


def test_a_pickle_resumes_where_it_was_and_is_small() -> None:
    commands = a_visit()
    env = begun(render_mode="rgb_array", render_size=(480, 360))
    for command in commands[:5]:
        env.step(command)
    pickled = pickle.dumps(env)
    assert len(pickled) < 10_000
    copy = pickle.loads(pickled)
    assert (copy.render() == env.render()).shape == (360, 480, 3)
    assert [copy.step(command) for command in commands[5:]] == [env.step(command) for command in commands[5:]]
    assert copy.goal_shop is env.goal_shop


def test_an_environment_that_was_never_reset_can_be_pickled() -> None:
    env = WebShopEnv(max_steps=7, split="test")
    copy = pickle.loads(pickle.dumps(env))
    assert copy.max_steps == 7
    assert copy.reset(seed=1) == env.reset(seed=1)
    with pytest.raises(NotResetError):
        WebShopEnv().snapshot()


def test_what_cannot_be_restored_is_named_and_changes_nothing() -> None:
    env = begun()
    good = env.snapshot()
    elsewhere = replace(good, kept=replace(good.kept, place=replace(Place.of(env.page), kind="item", asin="NONE")))
    for snapshot, said in ((elsewhere, "product 'NONE' is not in this shop"), (b"", "it is bytes, not Snapshot")):
        with pytest.raises(SnapshotError, match=f"this snapshot cannot be restored: {said}; give one from"):
            env.restore(snapshot)  # type: ignore[arg-type]
    with pytest.raises(UnknownTaskError, match="unknown task 'none'"):
        env.restore(replace(good, task_id="none"))
    assert env.snapshot() == good


def test_processes_of_a_vector_play_as_one_does() -> None:
    vector = gymnasium.make_vec(ENV_ID, num_envs=2, vectorization_mode="async", vector_kwargs={"shared_memory": False})
    try:
        observations, infos = vector.reset(seed=[3, 4])
        assert observations[0] == WebShopEnv().reset(seed=3)[0]
        assert observations[1] == WebShopEnv().reset(seed=4)[0]
        assert list(infos["goal"]) == [WebShopEnv().reset(seed=seed)[1]["goal"] for seed in (3, 4)]
    finally:
        vector.close()
