"""Anybody's own environment by `module:Class`, without registration.

Imports the module, makes the class, and looks whether it keeps the contract of text planning environments before anything is played.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

import gymnasium

from homebody.envs.check import check_info
from homebody.envs.core import SPLITS, EnvError, TaskSource, TaskSpec, UnknownSplitError, did_you_mean, take_tasks

CONTRACT = "a gymnasium.Env with Text in and out, whose info has goal, admissible_commands, won and task_id"


class CustomEnvError(EnvError):
    """An environment given as `module:Class` that cannot be used."""

    def __init__(self, env_id: str, problem: str) -> None:
        super().__init__(f"environment {env_id!r}: {problem}")


def load_class(env_id: str) -> type[gymnasium.Env[str, str]] | None:
    """Return the class that `module:Class` names, or None if this is an id of `gymnasium.make`.

    The module is one that is installed, or a file in the current folder. Importing it may register ids, so `module:Id-v0` is one of
    `gymnasium.make`.

    Raises:
        CustomEnvError: there is no such module, it cannot be imported, or it has no such class.
    """
    module_name, colon, name = env_id.partition(":")
    if not colon:
        return None
    module = _import(env_id, module_name)
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, gymnasium.Env):
        return found
    if found is not None:
        raise CustomEnvError(env_id, f"{name} is no subclass of gymnasium.Env; give {CONTRACT}")
    if any(name in (known, known.rpartition("-v")[0]) for known in gymnasium.registry):
        return None
    classes = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, gymnasium.Env)]
    hint = did_you_mean(name, classes) or f"; its environments: {', '.join(classes) or 'none'}"
    raise CustomEnvError(env_id, f"module {module_name} has no class {name!r} and registers no such id{hint}")


def make(env_id: str, found: type[gymnasium.Env[str, str]], **kwargs: Any) -> gymnasium.Env[str, str]:
    """Make an environment of a class, and play one step of it to see whether it keeps the contract.

    Raises:
        CustomEnvError: it cannot be made, or reset and step do not work as agreed.
        ContractError: its `info` or its observation is not as agreed.
    """
    doing = f"{found.__name__}({', '.join(f'{key}={value!r}' for key, value in kwargs.items())})"

    def look(observation: object, info: object) -> dict[str, Any]:
        if not isinstance(observation, str):
            raise CustomEnvError(env_id, f"{doing} observed {observation!r}; give {CONTRACT}")
        check_info(env, info, doing)
        assert isinstance(info, dict)
        return info

    try:
        env = found(**kwargs)
        doing = "reset(seed=0)"
        info = look(*env.reset(seed=0))
        options = {"task": info["task_id"]}
        doing = f"reset({options=})"
        info = look(*env.reset(seed=0, options=options))
        for command in info["admissible_commands"][:1]:
            doing = f"step({command!r})"
            observation, _, _, _, info = env.step(command)
            look(observation, info)
    except EnvError:
        raise
    except Exception as error:
        raise CustomEnvError(env_id, f"{doing} raised {type(error).__name__}: {error}; give {CONTRACT}") from error
    return env


class OneTask:
    """The task source of a class that offers none: the task that its reset draws with seed 0, in every split.

    Args:
        env_id: how the environment was named.
        found: its class.
        **kwargs: of its constructor.
    """

    def __init__(self, env_id: str, found: type[gymnasium.Env[str, str]], **kwargs: Any) -> None:
        self._env_id, self._class, self._kwargs = env_id, found, kwargs

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the one task.

        Raises:
            UnknownSplitError: there is no such split.
            TaskCountError: more than one task is asked for.
            EnvError: the environment cannot be made, or breaks the contract.
        """
        if split not in SPLITS:
            raise UnknownSplitError(split, SPLITS)
        env = make(self._env_id, self._class, **self._kwargs)
        _, info = env.reset(seed=0)
        env.close()
        return take_tasks([TaskSpec(info["task_id"], self._class.__name__, split)], split, n)


def task_source(env_id: str, found: type[gymnasium.Env[str, str]], **kwargs: Any) -> TaskSource:
    """Return the class's own task source, or that of its one task."""
    own = getattr(found, "task_source", None)
    if own is None:
        return OneTask(env_id, found, **kwargs)
    source: TaskSource = own(**kwargs)
    return source


def _import(env_id: str, name: str) -> ModuleType:
    # A command that is installed does not look into the current folder, where a user's file lies.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise CustomEnvError(env_id, f"module {name} needs {error.name}, which is not installed; install it") from None
        raise CustomEnvError(env_id, f"there is no module {name!r}; install it, or run where {name}.py lies") from None
    except Exception as error:
        raise CustomEnvError(env_id, f"module {name!r} cannot be imported: {type(error).__name__}: {error}") from None
