"""Gymnasium's vector environments of every family: what they show is what single environments show."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Dict
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from homebody.envs import ENV_IDS, SYMBOLIC_ID, EnvError
from homebody.envs.check import ContractError
from homebody.envs.core import OptionsError, UnknownTaskError
from homebody.envs.file import OutputError
from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseIdError, HouseSource
from homebody.envs.space import AnyText

TEXTS = ("", "plain", "caf\u00e9 \u201cnew\u201d", "\U0001f9f9\u2603", "\ud800", "\0a\0", "x" * 32, "a")


@pytest.fixture(scope="module")
def kwargs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each id is made with, so that it is small and episodes end soon."""
    games, source = tmp_path_factory.mktemp("games"), HouseSource()
    for _ in export_houses(source, source.tasks("train", 3), games):
        pass
    return {
        "homebody/Household-v0": {"max_steps": 2},
        "homebody/AlfWorld-v0": {"max_steps": 2, "data_dir": games},
        "homebody/WebShop-v0": {"max_steps": 2, "catalogue_size": 30},
        "homebody/Repair-v0": {"max_steps": 2},
        SYMBOLIC_ID: {"max_steps": 2, "n_tasks": 6},
    }


def act(infos: dict[str, Any], n: int) -> Any:
    """An admissible action for each environment."""
    if "action_mask" in infos:
        return np.array([int(np.flatnonzero(mask)[n]) for mask in infos["action_mask"]])
    return tuple(menu[n % len(menu)].replace("{text}", "caf\u00e9") for menu in infos["admissible_commands"])


def play(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> list[Any]:
    """Play until each environment has been reset by itself, and close; return all that was seen."""
    try:
        observations, infos = env.reset(seed=[4, 9])
        seen = [copy.deepcopy(observations)]
        for n in range(5):
            observations, rewards, *flags, infos = env.step(act(infos, n))
            assert observations in env.observation_space
            seen += [copy.deepcopy(observations), rewards.tolist(), *(flag.tolist() for flag in flags)]
            seen.append(list(infos["task_id"]))
        return seen
    finally:
        env.close()


@pytest.mark.parametrize("env_id", [*ENV_IDS, SYMBOLIC_ID])
@pytest.mark.parametrize("shared", [True, False])
def test_processes_show_what_one_shows(kwargs: Any, env_id: str, shared: bool) -> None:
    one = gymnasium.make_vec(env_id, 2, vectorization_mode="sync", **kwargs[env_id])
    several = gymnasium.make_vec(
        env_id,
        2,
        vectorization_mode="async",
        vector_kwargs={"shared_memory": shared},
        **kwargs[env_id],
    )
    assert repr(play(several)) == repr(play(one))


@pytest.mark.parametrize("env_id", [*ENV_IDS, SYMBOLIC_ID])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_autoreset_mode_and_differing_spaces(kwargs: Any, env_id: str, mode: AutoresetMode) -> None:
    given = {"autoreset_mode": mode, "observation_mode": "different"}
    env = gymnasium.make_vec(env_id, 2, vectorization_mode="sync", vector_kwargs=given, **kwargs[env_id])
    _, infos = env.reset(seed=3)
    for n in range(2):
        observations, _, _, truncated, infos = env.step(act(infos, n))
        assert observations in env.observation_space
    assert truncated.all()
    assert ("final_obs" in infos) == (mode is AutoresetMode.SAME_STEP)
    if mode is AutoresetMode.DISABLED:
        _, infos = env.reset(options={"reset_mask": np.array([True, True])})
    env.step(act(infos, 0))


@pytest.mark.parametrize("env_id", [*ENV_IDS, SYMBOLIC_ID])
def test_wrong_options_are_named(kwargs: Any, env_id: str) -> None:
    env = gymnasium.make(env_id, **kwargs[env_id])
    for options in ([], "task", 5):
        with pytest.raises(OptionsError, match=r"options=.* is not possible; give a mapping, as {'task': ...}, or None"):
            env.reset(options=options)  # type: ignore[arg-type]
    with pytest.raises(EnvError, match="unknown reset option 'tasks'; did you mean task"):
        env.reset(options={"tasks": []})
    assert env.reset(options={})[1]["task_id"]


@pytest.mark.filterwarnings("ignore:.*Worker-0:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Traceback:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Raising the last exception:UserWarning")
@pytest.mark.parametrize("env_id", [*ENV_IDS, SYMBOLIC_ID])
def test_an_error_of_another_process_is_the_same_error(kwargs: Any, env_id: str) -> None:
    """Gymnasium raises `TYPE(ERROR)` of what it got from a process."""
    with pytest.raises(EnvError) as expected:
        gymnasium.make(env_id, **kwargs[env_id]).reset(options={"task": "none"})
    env = gymnasium.make_vec(env_id, 1, vectorization_mode="async", **kwargs[env_id])
    try:
        with pytest.raises(EnvError) as raised:
            env.reset(options={"task": "none"})
    finally:
        env.close(terminate=True)
    assert type(raised.value) is type(expected.value)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize(
    "error",
    [
        UnknownTaskError("a", ["b"], "here"),
        HouseIdError("a", "wrong form"),
        ContractError("env", "it is none"),
        OutputError("a.json", "no space"),  # it has an attribute
    ],
)
def test_an_error_is_pickled_with_its_text(error: EnvError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    assert type(error)(error) is error  # type: ignore[call-arg, arg-type]


# --- texts in shared memory


def test_texts_of_any_characters_are_shared() -> None:
    space = Dict({"said": AnyText(32)})
    memory = create_shared_memory(space, n=2)
    shown, expected = read_from_shared_memory(space, memory, n=2)["said"], ["", ""]
    for n, text in enumerate(TEXTS):
        write_to_shared_memory(space, n % 2, {"said": text}, memory)
        expected[n % 2] = text
        assert copy.deepcopy(shown) == tuple(expected)
        assert (list(shown), shown[n % 2], shown[:1], len(shown)) == (expected, text, (expected[0],), 2)


class Echo(gymnasium.Env[str, str]):
    """Says what it is told."""

    def __init__(self) -> None:
        self.observation_space = self.action_space = AnyText(32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "\u2603", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return action, 0.0, False, False, {}


@pytest.mark.parametrize("copied", [True, False])
def test_processes_share_texts_of_any_characters(copied: bool) -> None:
    env = AsyncVectorEnv([Echo, Echo], shared_memory=True, copy=copied)
    try:
        first, _ = env.reset()
        assert list(first) == ["\u2603", "\u2603"]
        for said in zip(TEXTS, reversed(TEXTS), strict=True):
            observations, *_ = env.step(said)
            assert list(observations) == list(said)
        # A copy stays as it was, the memory does not.
        assert list(first) == (["\u2603", "\u2603"] if copied else [TEXTS[-1], TEXTS[0]])
    finally:
        env.close()
