"""Text planning environments for Gymnasium, and their tasks: importing this registers every id, and loads none of their engines."""

from __future__ import annotations

from typing import Any, Final

import gymnasium
from gymnasium.envs.registration import load_env_creator

from homebody.envs import custom
from homebody.envs.check import ContractError, check_env
from homebody.envs.core import SPLITS, BadEnvError, EnvError, NoTaskSourceError, TaskSource, TaskSpec, UnknownEnvError
from homebody.envs.custom import CheckedEnv, held_to_contract

__all__ = [
    "BROWSER_IDS",
    "ENV_IDS",
    "SPLITS",
    "SYMBOLIC_ID",
    "CheckedEnv",
    "ContractError",
    "EnvError",
    "TaskSource",
    "TaskSpec",
    "check_env",
    "held_to_contract",
    "make",
    "task_source",
    "tasks",
]

_ENTRY_POINTS: Final = {
    "homebody/Household-v0": "homebody.envs.household.env:ProceduralEnv",
    "homebody/AlfWorld-v0": "homebody.envs.household.env:AlfWorldEnv",
    "homebody/WebShop-v0": "homebody.envs.webshop.env:WebShopEnv",
    "homebody/Repair-v0": "homebody.envs.repair.env:RepairEnv",
}
ENV_IDS: Final = tuple(_ENTRY_POINTS)
"""The text planning environments that `gymnasium.make` knows once this package is imported."""
SYMBOLIC_ID: Final = "homebody/HouseholdSymbolic-v0"
"""The household as arrays: no text planning environment, so none of `ENV_IDS`; `gymnasium.make_vec` makes a native batch of it."""
_BROWSER_ENTRY_POINTS: Final = {
    "homebody/WebShopBrowser-v0": "homebody.envs.webshop.site.browser:BrowserShop",
    "homebody/MiniWob-v0": "homebody.envs.miniwob.env:MiniWobEnv",
}
BROWSER_IDS: Final = tuple(_BROWSER_ENTRY_POINTS)
"""What is played in a real browser: the shop, and MiniWoB++. They need playwright and a Chromium, so they are none of `ENV_IDS` either."""

for _env_id, _entry_point in {**_ENTRY_POINTS, **_BROWSER_ENTRY_POINTS}.items():
    if _env_id not in gymnasium.registry:
        gymnasium.register(_env_id, entry_point=_entry_point)
if SYMBOLIC_ID not in gymnasium.registry:
    gymnasium.register(
        SYMBOLIC_ID,
        entry_point="homebody.envs.household.symbolic.symbolic:HouseholdSymbolicEnv",
        vector_entry_point="homebody.envs.household.symbolic.symbolic:HouseholdSymbolicVectorEnv",
    )


def make(env_id: str, /, **make_kwargs: Any) -> gymnasium.Env[str, str]:
    """Make a text planning environment.

    Args:
        env_id: An id of `gymnasium.make`, of this package or of anybody's; or `module:Class`, a class that need not be registered.
        **make_kwargs: Arguments of the environment.

    Raises:
        EnvError: There is none of this name, it does not take the arguments, or a class breaks the contract.
    """
    found = custom.load_class(env_id)
    if found is not None:
        return custom.make(env_id, found, **make_kwargs)
    try:
        env: gymnasium.Env[str, str] = gymnasium.make(env_id, disable_env_checker=True, **make_kwargs)
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        raise BadEnvError(env_id, make_kwargs, error) from None
    if not isinstance(env.observation_space, gymnasium.spaces.Text):
        raise ContractError(env_id, f"its observations are a {type(env.observation_space).__name__}, not a Text")
    return held_to_contract(env, env_id)


def task_source(env_id: str, /, **make_kwargs: Any) -> TaskSource:
    """Return where an environment's tasks come from.

    Args:
        env_id: As in `make`. A `module:Class` that offers no tasks has one, the same in every split.
        **make_kwargs: What would be given to `make`, as `data_dir`.

    Raises:
        UnknownEnvError: There is no such id.
        NoTaskSourceError: The class of a registered environment has no classmethod `task_source`.
        EnvError: The class refuses the arguments.
    """
    found = custom.load_class(env_id)
    if found is not None:
        return custom.task_source(env_id, found, **make_kwargs)
    try:
        spec = gymnasium.spec(env_id.rpartition(":")[2])  # the module before the colon is imported by now
    except (gymnasium.error.Error, ImportError, ValueError):
        raise UnknownEnvError(env_id, (*ENV_IDS, *BROWSER_IDS)) from None
    entry_point = spec.entry_point
    if entry_point is None:
        raise NoTaskSourceError(env_id, "it has no entry point")
    creator: Any = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    make_source = getattr(creator, "task_source", None)
    if make_source is None:
        raise NoTaskSourceError(env_id, f"{getattr(creator, '__name__', creator)} does not offer one")
    source: TaskSource = make_source(**{**spec.kwargs, **make_kwargs})
    return source if env_id.startswith("homebody/") else custom.CheckedSource(source, env_id)


def tasks(env_id: str, split: str, n: int | None = None, /, **make_kwargs: Any) -> list[TaskSpec]:
    """Return the first `n` tasks of a split (all, if `None`): a fair sample of the task types, in an order that never changes.

    Args:
        env_id: As in `task_source`.
        split: One of `SPLITS`, or a name that the environment knows besides.
        n: How many, at least 1.
        **make_kwargs: What would be given to `make`, as `data_dir`.

    Raises:
        EnvError: The id, the split, `n`, or an argument is not usable.
    """
    return task_source(env_id, **make_kwargs).tasks(split, n)
