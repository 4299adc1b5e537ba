"""Anybody's own environment, registered or by `module:Class`: whatever it returns is checked and cleaned before an agent sees it.

A class by its name is imported, made, and tried before anything is played.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gymnasium

from homebody.envs.check import check_reset, check_step
from homebody.envs.core import SPLITS, EnvError, NoTasksError, TaskSource, TaskSpec, UnknownSplitError, did_you_mean, take_tasks
from homebody.envs.module import UserModuleError, import_module
from homebody.envs.text import is_name, one_line, short

_T = TypeVar("_T")
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
    try:
        module = import_module(module_name)
    except UserModuleError as error:
        raise CustomEnvError(env_id, str(error)) from None
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


class CheckedEnv(gymnasium.Wrapper[str, str, str, str]):
    """Another's environment, held to the contract of text planning environments at every call.

    Texts are cleaned (see `text.clean`). What cannot be cleaned, and whatever the environment raises, is one named error: in an episode
    the record tells it.

    Args:
        env: The environment.
        env_id: How it was named.
    """

    def __init__(self, env: gymnasium.Env[str, str], env_id: str) -> None:
        super().__init__(env)
        self._env_id = env_id

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start a task.

        Raises:
            CustomEnvError: The environment raised an error.
            EnvError: It breaks the contract, or raised a named error of its own.
        """
        given: dict[str, Any] = {name: value for name, value in (("seed", seed), ("options", options)) if value is not None}
        where = f"reset({_arguments(given)})"
        return check_reset(self.env, self._call(where, lambda: self.env.reset(**given)), where)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Give a command.

        Raises:
            CustomEnvError: The environment raised an error.
            EnvError: It breaks the contract, or raised a named error of its own.
        """
        where = f"step({short(action)})"
        return check_step(self.env, self._call(where, lambda: self.env.step(action)), where)

    def close(self) -> None:
        """Close the environment.

        Raises:
            CustomEnvError: The environment raised an error.
        """
        self._call("close()", self.env.close)

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        return _named(self._env_id, what, call)


def held_to_contract(env: gymnasium.Env[str, str], env_id: str = "") -> gymnasium.Env[str, str]:
    """Return an environment as it is if it is one of ours or checked already, else checked at every call."""
    # Ours are clean from the files on: looking again at every step would cost time.
    is_ours = type(env.unwrapped).__module__.startswith("homebody.envs.")
    return env if is_ours or isinstance(env, CheckedEnv) else CheckedEnv(env, env_id or str(env))


def make(env_id: str, found: type[gymnasium.Env[str, str]], /, **kwargs: Any) -> gymnasium.Env[str, str]:
    """Make an environment of a class, and play one step of it to see whether it keeps the contract.

    Raises:
        CustomEnvError: it cannot be made, or reset or step raise an error.
        ContractError: what they return is not as agreed.
    """
    env = CheckedEnv(_named(env_id, f"{found.__name__}({_arguments(kwargs)})", lambda: found(**kwargs)), env_id)
    _, info = env.reset(seed=0)
    _, info = env.reset(seed=0, options={"task": info["task_id"]})
    env.step(info["admissible_commands"][0])
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


class CheckedSource:
    """Another's task source: what it lists is checked.

    Args:
        source: The task source.
        env_id: How its environment was named.
    """

    def __init__(self, source: TaskSource, env_id: str) -> None:
        self._source, self._env_id = source, env_id

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, all if `n` is None.

        Raises:
            CustomEnvError: The source raised an error, or what it lists are no tasks.
            NoTasksError: It lists none.
            TaskCountError: It lists fewer than `n`.
            EnvError: It raised a named error of its own.
        """
        doing = f"tasks({split!r}, {n!r}) of its task source"
        listed = _named(self._env_id, doing, lambda: list(self._source.tasks(split, n)))
        for task in listed:
            fields = (task.task_id, task.type, task.split) if isinstance(task, TaskSpec) else ()
            if not fields or not all(isinstance(value, str) and is_name(value) for value in fields):
                problem = f"{doing} lists {short(task)}; give each task as a TaskSpec of three texts without control characters"
                raise CustomEnvError(self._env_id, problem)
        if not listed:
            raise NoTasksError(split, self._env_id, "take another split, or give it tasks")
        return take_tasks(listed, split, n)


def task_source(env_id: str, found: type[gymnasium.Env[str, str]], /, **kwargs: Any) -> TaskSource:
    """Return the class's own task source, or that of its one task."""
    own = getattr(found, "task_source", None)
    if own is None:
        return OneTask(env_id, found, **kwargs)
    return CheckedSource(_named(env_id, f"task_source({_arguments(kwargs)})", lambda: own(**kwargs)), env_id)


def _named(env_id: str, what: str, call: Callable[[], _T]) -> _T:
    """Return what a call of another's code returns; whatever it raises, other than named errors, becomes one."""
    try:
        return call()
    except EnvError:
        raise
    except (Exception, SystemExit) as error:
        raise CustomEnvError(env_id, f"{what} raised {type(error).__name__}: {one_line(str(error))}; give {CONTRACT}") from error


def _arguments(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{name}={short(value)}" for name, value in kwargs.items())
