"""The contract of a text planning environment, as a test that anybody can run on their own."""

from __future__ import annotations

import random
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.spaces import Text

from homebody.envs.core import EnvError
from homebody.envs.text import clean, finite, is_name, short

FREE_SLOT: Final = "{text}"
"""Where a command, as `search[{text}]`, leaves a text to the agent."""

_INFO_TYPES: Final = {"goal": str, "admissible_commands": list, "won": bool, "task_id": str}
_OPTIONAL_TYPES: Final = {"success_strict": bool, "why": str, "slot_lines": list}
"""What an agent looks at where it is there and not None."""
_JUNK: Final = ("", " ", "\n", "\0", "{", "{text}", "%s %d", "go to nowhere 99", "GO", "\u2603 \U0001f9f9", "\ud800", "x" * 10_000)
_NO_TASK: Final = "no such task"


class ContractError(EnvError):
    """An environment breaks the contract of text planning environments."""

    def __init__(self, env: object, what: str) -> None:
        super().__init__(f"{env} breaks the contract of text planning environments: {what}")


def check_env(env: gymnasium.Env[Any, Any], *, n_steps: int = 20, seed: int = 0) -> None:
    """Test the contract: `Text` in and out; complete `info` after reset and every step; junk is answered, not raised; all repeatable.

    `info` holds `goal: str`, `admissible_commands: list[str]` (sorted, without repetition), `won: bool` and `task_id: str`;
    `slot_lines: list[str]`, if there, are the commands that end with a slot for several lines;
    `reset(options={"task": task_id})` plays that task; the same task and actions give the same values; admissible commands are not refused.

    Args:
        env: The environment; it is reset and stepped.
        n_steps: Length of the random walk that is compared with its repetition.
        seed: Seed of the first reset and of the walk.

    Raises:
        ContractError: The first breach that was found.
    """
    _Checker(env, n_steps, seed).run()


def check_reset(env: gymnasium.Env[Any, Any], result: object, where: str) -> tuple[str, dict[str, Any]]:
    """Return what a call of `reset` returned, its texts cleaned.

    Args:
        env: The environment.
        result: What was returned.
        where: How to name the call in a message.

    Raises:
        ContractError: It is not an observation and an `info` as the contract has them.
    """
    if not isinstance(result, tuple) or len(result) != 2:
        raise ContractError(env, f"{where} returned {short(result)}, not an observation and an info; return both, as Gymnasium asks")
    observation, info = result
    return _observation(env, observation, where), check_info(env, info, where)


def check_step(env: gymnasium.Env[Any, Any], result: object, where: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
    """Return what a call of `step` returned, its texts cleaned, numbers and truth values as Python's own.

    Args:
        env: The environment.
        result: What was returned.
        where: How to name the call in a message.

    Raises:
        ContractError: It is not observation, reward, terminated, truncated and `info` as the contract has them.
    """
    if not isinstance(result, tuple) or len(result) != 5:
        raise ContractError(
            env, f"{where} returned {short(result)}, not observation, reward, terminated, truncated and info; return these five"
        )
    observation, reward, terminated, truncated, info = result
    number = finite(float(reward) if isinstance(reward, np.bool_) else reward)
    if number is None or not _is_bool(terminated) or not _is_bool(truncated):
        got = ", ".join(map(short, (reward, terminated, truncated)))
        raise ContractError(env, f"{where} returned reward, terminated, truncated = {got}, not a finite number and two bools")
    is_over = bool(terminated or truncated)
    checked = check_info(env, info, where, is_over=is_over)
    return _observation(env, observation, where), number, bool(terminated), bool(truncated), checked


def check_info(env: gymnasium.Env[Any, Any], info: object, where: str, *, is_over: bool = False) -> dict[str, Any]:
    """Return the `info` that one call of `reset` or `step` returned, its goal cleaned.

    Args:
        env: The environment.
        info: What was returned.
        where: How to name the call in a message.
        is_over: Whether the episode has ended: only then there may be no command.

    Raises:
        ContractError: A key is missing, a value has a wrong type, the commands are not sorted, there are none, a command has two free
            slots, or a command or the task id is not one line of clean text.
    """

    def fail(what: str) -> ContractError:
        return ContractError(env, what)

    if not isinstance(info, dict):
        raise fail(f"the info of {where} is a {type(info).__name__}, not a dict")
    for key, kind in {**_INFO_TYPES, **{key: kind for key, kind in _OPTIONAL_TYPES.items() if info.get(key) is not None}}.items():
        if not (_is_bool(info.get(key)) if kind is bool else isinstance(info.get(key), kind)):
            raise fail(f"info[{key!r}] of {where} is {short(info.get(key, 'missing'))}, not a {kind.__name__}")
    commands = info["admissible_commands"]
    if not all(isinstance(command, str) for command in commands):
        raise fail(f"info['admissible_commands'] of {where} holds something other than texts")
    if commands != sorted(set(commands)):
        raise fail(f"info['admissible_commands'] of {where} is not sorted, or has a command twice: {short(commands)}")
    if not commands and not is_over:
        raise fail(f"info['admissible_commands'] of {where} is empty, and the episode goes on; offer a command, or end the episode")
    two = next((command for command in commands if command.count(FREE_SLOT) > 1), None)
    if two is not None:
        raise fail(f"info['admissible_commands'] of {where} holds {short(two)}; give a command at most one {FREE_SLOT}")
    odd = [form for form in info.get("slot_lines") or [] if form not in commands or not str(form).endswith(FREE_SLOT)]
    if odd:
        raise fail(f"info['slot_lines'] of {where} holds {short(odd[0])}, not an admissible command that ends with {FREE_SLOT}")
    for key, name in (("task_id", info["task_id"]), *(("admissible_commands", command) for command in commands)):
        if not is_name(name):
            raise fail(f"info[{key!r}] of {where} holds {short(name)}, not one line without control characters")
    truths = {key: bool(info[key]) for key in ("won", "success_strict") if info.get(key) is not None}
    texts = {key: clean(info[key]) for key in ("goal", "why") if info.get(key) is not None}
    return {**info, **truths, **texts}


def _observation(env: gymnasium.Env[Any, Any], observation: object, where: str) -> str:
    if not isinstance(observation, str):
        raise ContractError(env, f"the observation of {where} is {short(observation)}, not a text")
    return clean(observation)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool | np.bool_)


class _Checker:
    def __init__(self, env: gymnasium.Env[Any, Any], n_steps: int, seed: int) -> None:
        self.env = env
        self.n_steps = n_steps
        self.seed = seed

    def run(self) -> None:
        for name in ("observation_space", "action_space"):
            if not isinstance(getattr(self.env, name, None), Text):
                self.fail(f"its {name} is {getattr(self.env, name, None)!r}, not a gymnasium.spaces.Text")
        first = self.reset(seed=self.seed)
        task_id = first[1]["task_id"]
        self.same(first, self.reset(seed=self.seed), f"two resets with seed={self.seed}")
        self.same(
            first, self.reset(options={"task": task_id}), f"a reset with options={{'task': {task_id!r}}} and the reset that drew this task"
        )
        self.unknown_task()
        actions, walked = self.walk(task_id)
        self.same(walked, self.replay(task_id, actions), f"two plays of {actions!r}")
        self.junk(task_id, actions[: len(actions) // 2])
        self.admissible(task_id, [])
        self.admissible(task_id, actions[: len(actions) // 2])

    def fail(self, what: str) -> None:
        raise ContractError(self.env, what)

    def same(self, one: object, other: object, what: str) -> None:
        if one != other:
            self.fail(f"{what} differ: {short(one)} and {short(other)}")

    def reset(self, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        where = f"reset({', '.join(f'{k}={v!r}' for k, v in kwargs.items())})"
        try:
            result = self.env.reset(**kwargs)
        except Exception as error:
            raise ContractError(self.env, f"{where} raised {type(error).__name__}: {error}") from error
        observation, info = check_reset(self.env, result, where)
        self.observed(result[0], where)
        if "task" in (kwargs.get("options") or {}) and info["task_id"] != kwargs["options"]["task"]:
            self.fail(f"task {kwargs['options']['task']!r} was asked for and info['task_id'] is {info['task_id']!r}")
        return observation, info

    def step(self, action: str, task: tuple[str, str] | None = None) -> tuple[str, float, bool, bool, dict[str, Any]]:
        where = f"step({short(action)})"
        try:
            result = self.env.step(action)
        except Exception as error:
            raise ContractError(self.env, f"{where} raised {type(error).__name__}: {error}") from error
        checked = check_step(self.env, result, where)
        self.observed(result[0], where)
        info = checked[4]
        if task is not None and (info["task_id"], info["goal"]) != task:
            self.fail(f"task and goal changed within an episode, at {where}: from {task!r} to {(info['task_id'], info['goal'])!r}")
        return checked

    def observed(self, observation: object, where: str) -> None:
        if observation not in self.env.observation_space:
            self.fail(f"the observation of {where} is not in the observation space: {short(observation)}")

    def unknown_task(self) -> None:
        try:
            self.env.reset(options={"task": _NO_TASK})
        except Exception:
            return
        self.fail(f"reset(options={{'task': {_NO_TASK!r}}}) was accepted; it must raise an error")

    def walk(self, task_id: str) -> tuple[list[str], list[object]]:
        """Take random admissible commands until the episode ends."""
        draw = random.Random(self.seed)
        observation, info = self.reset(options={"task": task_id})
        actions: list[str] = []
        results: list[object] = [(observation, info)]
        for _ in range(self.n_steps):
            commands = info["admissible_commands"]
            if not commands:
                break
            actions.append(draw.choice(commands).replace(FREE_SLOT, "a"))
            result = self.step(actions[-1], (task_id, info["goal"]))
            results.append(result)
            info = result[4]
            if result[2] or result[3]:
                break
        return actions, results

    def replay(self, task_id: str, actions: list[str]) -> list[object]:
        return [self.reset(options={"task": task_id}), *(self.step(action) for action in actions)]

    def situation(self, task_id: str, actions: list[str]) -> tuple[str, list[str]]:
        """Play `actions` and return the last observation and the admissible commands after it."""
        observation, info = self.reset(options={"task": task_id})
        for action in actions:
            observation, _, _, _, info = self.step(action)
        return observation, info["admissible_commands"]

    def junk(self, task_id: str, actions: list[str]) -> None:
        self.replay(task_id, actions)
        for action in _JUNK:
            if self.step(action)[2:4] != (False, False):
                self.replay(task_id, actions)

    def admissible(self, task_id: str, actions: list[str]) -> None:
        """Compare each admissible command's answer with the one to junk, where the environment has such an answer of its own."""
        before, commands = self.situation(task_id, actions)
        refusal, _, _, _, info = self.step(_JUNK[3])
        several = [command.replace(FREE_SLOT, "a\nb") for command in info.get("slot_lines") or []]
        for command in (*(command.replace(FREE_SLOT, "a") for command in commands), *several):
            self.situation(task_id, actions)
            observation = self.step(command)[0]
            if observation == refusal != before:
                self.fail(f"the admissible command {command!r} is refused after {actions!r}")
