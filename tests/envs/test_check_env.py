"""The contract checker finds each breach: a small honest environment is broken in one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Discrete, Text

from homebody.envs import ContractError, check_env

Change = Callable[["Shop", Any], Any]


class Shop(gymnasium.Env[str, str]):
    """Two tasks, three commands; `changes` are applied to what `reset` and `step` return, or say what else to break."""

    def __init__(self, **changes: Any) -> None:
        self.observation_space = changes.get("observation_space", Text(100, charset="abcdefghijklmnopqrstuvwxyz .0123456789"))
        self.action_space = Text(100, charset="abcdefghijklmnopqrstuvwxyz[]{}")
        self.changes = changes
        self.n = 0
        self.total = 0
        self.task = "one"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.n = 0
        task = (options or {}).get("task", "one")
        if task not in ("one", "two") and not self.changes.get("any_task"):
            raise KeyError(task)
        self.task = self.changes.get("task", task) if options else task
        return self.changed("reset", f"start {self.n}", self.info())

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.n += 1
        self.total += 1
        if self.changes.get("raises") and action not in ("buy", "leave", "search[a]"):
            raise ValueError(action)
        known = action in ("buy", "leave", "search[a]") and action != self.changes.get("refuses")
        observation, info = self.changed("step", f"step {self.n} {action[:6].strip('[')}" if known else "no.", self.info())
        return observation, self.changes.get("reward", 0.0), False, self.n >= 12, info

    def info(self) -> dict[str, Any]:
        return {"goal": "buy it", "admissible_commands": ["buy", "leave", "search[{text}]"], "won": False, "task_id": self.task}

    def changed(self, where: str, observation: Any, info: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        change = self.changes.get(where)
        return change(self, observation, info) if change else (observation, info)

    def __str__(self) -> str:
        return "<Shop>"


def with_info(**values: Any) -> Callable[[Shop, str, dict[str, Any]], tuple[str, dict[str, Any]]]:
    return lambda shop, observation, info: (observation, {**info, **values})


def test_honest_env_passes() -> None:
    check_env(Shop())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation_space": Discrete(2)}, "its observation_space is Discrete(2), not a gymnasium.spaces.Text"),
        ({"reset": lambda s, o, i: ("START", i)}, "the observation of reset(seed=0) is not in the observation space: 'START'"),
        ({"step": lambda s, o, i: (None, i)}, "the observation of step('leave') is None, not a text"),
        ({"step": lambda s, o, i: ("\ud83d", i)}, "is not in the observation space: '\\ud83d'"),
        ({"reset": lambda s, o, i: (o, None)}, "the info of reset(seed=0) is a NoneType, not a dict"),
        ({"reset": with_info(goal=None)}, "info['goal'] of reset(seed=0) is None, not a str"),
        ({"step": with_info(won=0)}, "info['won'] of step("),
        ({"reset": lambda s, o, i: (o, {k: v for k, v in i.items() if k != "task_id"})}, "info['task_id'] of reset(seed=0) is 'missing'"),
        ({"reset": with_info(admissible_commands=("buy",))}, "is ('buy',), not a list"),
        ({"reset": with_info(admissible_commands=["leave", "buy"])}, "is not sorted, or has a command twice: ['leave', 'buy']"),
        ({"reset": with_info(admissible_commands=["buy", "buy"])}, "is not sorted, or has a command twice"),
        ({"reset": with_info(admissible_commands=[1])}, "holds something other than texts"),
        ({"reset": with_info(admissible_commands=[])}, "info['admissible_commands'] of reset(seed=0) is empty, and the episode goes on"),
        ({"step": with_info(admissible_commands=["buy\nleave"])}, "holds 'buy\\nleave', not one line without control characters"),
        ({"reset": with_info(task_id="on\ud83de")}, "info['task_id'] of reset(seed=0) holds 'on\\ud83de', not one line"),
        ({"step": with_info(success_strict="yes")}, "info['success_strict'] of step('leave') is 'yes', not a bool"),
        ({"step": with_info(why=3)}, "info['why'] of step('leave') is 3, not a str"),
        ({"reset": lambda s, o, i: (f"{o} {s.total} {id(i) % 99991}", i)}, "two resets with seed=0 differ"),
        ({"task": "two"}, "task 'one' was asked for and info['task_id'] is 'two'"),
        ({"any_task": True}, "reset(options={'task': 'no such task'}) was accepted"),
        ({"step": lambda s, o, i: (f"{o} {s.total}", i)}, "differ: "),
        ({"step": with_info(goal="sell it")}, "task and goal changed within an episode"),
        ({"reward": "1"}, "returned reward, terminated, truncated = '1', False, False"),
        ({"reward": float("nan")}, "returned reward, terminated, truncated = nan, False, False, not a finite number and two bools"),
        ({"reward": -float("inf")}, "returned reward, terminated, truncated = -inf, False, False"),
        ({"reward": 10**400}, "not a finite number and two bools"),
        ({"raises": True}, "raised ValueError"),
        ({"refuses": "leave"}, "the admissible command 'leave' is refused after []"),
    ],
)
def test_breach_is_found(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_env(Shop(**changes))
    assert message in str(caught.value)
    assert str(caught.value).startswith("<Shop> breaks the contract")
