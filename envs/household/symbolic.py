"""The household without text (`homebody/HouseholdSymbolic-v0`): numbered actions, arrays and masks; one house, or a batch of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from homebody.envs.core import EnvError, NotResetError, ResetOptionError
from homebody.envs.household.alfworld import AlfWorldSource
from homebody.envs.household.arrays import Arrays, BatchOptionError, Houses, Snapshot, task_source
from homebody.envs.household.houses import HouseSource

DEFAULT_TASKS: Final = 100
"""How many tasks of the split are made ready unless told otherwise."""


class EndedError(EnvError):
    """A batch without autoreset was stepped while the episodes of some of its houses were over."""

    def __init__(self, ended: list[int]) -> None:
        super().__init__(
            f"the episodes of houses {ended} have ended and autoreset is disabled; "
            "call reset(options={'reset_mask': MASK}) first, with true for each of them"
        )


class HouseholdSymbolicEnv(gymnasium.Env[Arrays, np.integer[Any]]):
    """A house as arrays, for agents that do not read.

    Observation:
        A `Dict` of what the agent knows; n_receptacles and n_objects are multiples of 64, unused places hold -1 or 0:

        | key | shape, dtype | meaning |
        |---|---|---|
        | goal | (3,) int16 | `GoalKind`; type of the object; type of the receptacle (for light: the object type of the lamp) |
        | agent | (2,) int16 | its place; the object in its hand or -1 |
        | receptacle_type | (n_receptacles,) int16 | position in `arrays.RECEPTACLE_TYPES` |
        | receptacle_place | (n_receptacles,) int16 | the place where it is used from; several may share one |
        | openable, opened | (n_receptacles,) int8 | whether it has a door; whether it is open |
        | seen | (n_receptacles,) int8 | whether the agent has looked into it |
        | object_type | (n_objects,) int16 | position in `arrays.OBJECT_TYPES`; -1 until it is seen |
        | object_in | (n_objects,) int16 | the first seen receptacle that holds it, or -1 |
        | object_status | (n_objects,) uint8 | bits: 1 clean, 2 hot, 4 cool, 8 sliced, 16 switched on; 0 until it is seen |
    Action:
        `Discrete`: the numbering of `command.py`. What is not admissible changes nothing and costs a step.
    Reward:
        1.0 while the goal holds, else 0.0: a level, not an increment.
    Episode end:
        `terminated` while the goal holds; `truncated` from step `max_steps` on.
    Info:
        `action_mask` ((n_actions,) int8, for `action_space.sample(mask=...)`), `won`, `accepted` (whether the last action was
        admissible), `task_id`.
    Reset:
        `reset(options={"task": ID})` plays that task; without it the seeded generator draws one of those that were made ready.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        split: str = "train",
        n_tasks: int | None = DEFAULT_TASKS,
        tasks: Sequence[str] | None = None,
        max_steps: int = 50,
        **house: Any,
    ) -> None:
        """Make the tasks ready; see `arrays.Houses` for the arguments and errors. `house` are parameters of `HouseSource`."""
        self.houses = Houses(data_dir, split, n_tasks, tasks, max_steps, house, n=1)
        self.observation_space: gymnasium.Space[Any] = self.houses.space()
        self.action_space: Discrete = Discrete(self.houses.n_actions)
        self._started = False

    @classmethod
    def task_source(cls, data_dir: str | os.PathLike[str] | None = None, **kwargs: Any) -> AlfWorldSource | HouseSource:
        """Return where the tasks come from; takes what the constructor takes."""
        return task_source(data_dir, **{key: kwargs[key] for key in kwargs.keys() - {"split", "n_tasks", "tasks", "max_steps"}})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """Start a task.

        Raises:
            ResetOptionError: `options` has another key than `task`.
            UnknownTaskError: The task is not among those that were made ready.
        """
        super().reset(seed=seed)
        options = _known(options, ["task"])
        self.houses.start(np.ones(1, bool), self.np_random, [options["task"]] if "task" in options else None)
        self._started = True
        return self._observation(), self._info()

    def step(self, action: np.integer[Any]) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Do an action.

        Raises:
            NotResetError: The environment was never reset.
            ActionsError: `action` is no whole number.
        """
        self._check_started("step")
        self.houses.step(np.asarray(action)[None])
        won = bool(self.houses.won[0])
        return self._observation(), float(won), won, bool(self.houses.steps[0] >= self.houses.max_steps), self._info()

    def expert(self) -> list[int]:
        """Return the actions of a shortest plan from here to the goal. It sees the whole house.

        Raises:
            NotResetError: The environment was never reset.
            NoPlanError: The goal cannot be reached.
        """
        self._check_started("expert")
        return self.houses.expert(0)

    def command(self, action: int) -> str:
        """Return what an action is in ALFWorld's words; empty if it is not admissible now."""
        self._check_started("command")
        return self.houses.command(action, 0)

    def text(self) -> str:
        """Return what the text engine says to the last action; the opening before the first."""
        self._check_started("text")
        return self.houses.text(0)

    def snapshot(self) -> Snapshot:
        """Return a copy of where everything stands, the generator included."""
        self._check_started("snapshot")
        return self.houses.snapshot(self.np_random)

    def restore(self, snapshot: Snapshot) -> tuple[Arrays, dict[str, Any]]:
        """Go back to a snapshot of an environment with the same tasks; returns what `reset` returns.

        Raises:
            BatchOptionError: It is none.
        """
        self.houses.restore(snapshot, self.np_random)
        self._started = True
        return self._observation(), self._info()

    def _check_started(self, what: str) -> None:
        if not self._started:
            raise NotResetError(what)

    def _observation(self) -> Arrays:
        return {name: array[0] for name, array in self.houses.observe().items()}

    def _info(self) -> dict[str, Any]:
        houses = self.houses
        return {
            "action_mask": houses.action_masks()[0],
            "won": bool(houses.won[0]),
            "accepted": bool(houses.accepted[0]),
            "task_id": houses.task_ids[houses.game_of[0]],
        }


class HouseholdSymbolicVectorEnv(VectorEnv[Arrays, NDArray[np.integer[Any]], NDArray[Any]]):
    """Many houses at once: what `gymnasium.make_vec("homebody/HouseholdSymbolic-v0", num_envs=N)` makes.

    Spaces, rewards and info are those of `HouseholdSymbolicEnv`, batched: shapes (num_envs, ...). One generator draws all tasks, so a seed
    determines them all. Autoreset as Gymnasium defines it: `NEXT_STEP` (the step after an end ignores its action and is a reset),
    `SAME_STEP` (the last observation goes to `info["final_obs"]`, the last info to `info["final_info"]`) or `DISABLED`
    (call `reset(options={"reset_mask": ...})`).
    """

    def __init__(
        self,
        num_envs: int,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        split: str = "train",
        n_tasks: int | None = DEFAULT_TASKS,
        tasks: Sequence[str] | None = None,
        max_steps: int = 50,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **house: Any,
    ) -> None:
        """Make the tasks ready; see `arrays.Houses` for the arguments and errors. `house` are parameters of `HouseSource`."""
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise BatchOptionError("num_envs", num_envs, "a whole number of at least 1")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            raise BatchOptionError("autoreset_mode", autoreset_mode, ", ".join(repr(mode.value) for mode in AutoresetMode)) from None
        self.houses = Houses(data_dir, split, n_tasks, tasks, max_steps, house, n=num_envs)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.houses.space()
        self.single_action_space = Discrete(self.houses.n_actions)
        self.observation_space: gymnasium.Space[Any] = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._task_ids = np.array(self.houses.task_ids, object)
        self._ended = np.zeros(num_envs, bool)
        self._started = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """Start tasks in all houses, or in those of `options["reset_mask"]` ((num_envs,) bool).

        Args:
            seed: Of the generator that draws tasks.
            options: `reset_mask`, and `tasks`: the id of each house's task, instead of drawn ones.

        Raises:
            ResetOptionError: `options` has another key.
            BatchOptionError: It has a value of another shape.
            UnknownTaskError: A task is not among those that were made ready.
        """
        super().reset(seed=seed)
        options = _known(options, ["reset_mask", "tasks"])
        chosen = np.asarray(options.get("reset_mask", np.ones(self.num_envs, bool)))
        if chosen.shape != (self.num_envs,) or chosen.dtype != bool:
            raise BatchOptionError("reset_mask", chosen, f"an array of {self.num_envs} bools")
        if not self._started and not chosen.all():
            raise NotResetError("reset of some houses")
        self.houses.start(chosen, self.np_random, options.get("tasks"))
        self._ended[chosen] = False
        self._started = True
        return self.houses.observe(), self._info()

    def step(
        self, actions: NDArray[np.integer[Any]]
    ) -> tuple[Arrays, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Do one action in each house.

        Raises:
            NotResetError: The environment was never reset.
            EndedError: Autoreset is disabled, and an episode has ended and was not reset.
            ActionsError: `actions` is not one whole number a house.
        """
        self._check_started("step")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            raise EndedError(np.flatnonzero(self._ended).tolist())
        houses, ended = self.houses, self._ended
        houses.step(actions)
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and ended.any():
            houses.start(ended, self.np_random)
        won, over = houses.won.copy(), houses.steps >= houses.max_steps
        self._ended = won | over
        final: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final()
            houses.start(self._ended, self.np_random)
            self._ended = np.zeros(self.num_envs, bool)
        return houses.observe(), won.astype(np.float64), won, over, {**self._info(), **final}

    def expert(self, i: int) -> list[int]:
        """Return the actions of a shortest plan in house `i` from here to the goal. It sees the whole house.

        Raises:
            NotResetError: The environment was never reset.
            NoPlanError: The goal cannot be reached.
        """
        self._check_started("expert")
        return self.houses.expert(i)

    def command(self, action: int, i: int) -> str:
        """Return what an action is in ALFWorld's words in house `i`; empty if it is not admissible now."""
        self._check_started("command")
        return self.houses.command(action, i)

    def text(self, i: int) -> str:
        """Return what the text engine says to the last action of house `i`; the opening before the first."""
        self._check_started("text")
        return self.houses.text(i)

    def snapshot(self) -> Snapshot:
        """Return a copy of where everything stands, the generator included."""
        self._check_started("snapshot")
        return self.houses.snapshot(self.np_random)

    def restore(self, snapshot: Snapshot) -> tuple[Arrays, dict[str, Any]]:
        """Go back to a snapshot of an environment with the same tasks; returns what `reset` returns.

        Raises:
            BatchOptionError: It is none.
        """
        self.houses.restore(snapshot, self.np_random)
        self._ended = self.houses.won | (self.houses.steps >= self.houses.max_steps)
        self._started = True
        return self.houses.observe(), self._info()

    def _check_started(self, what: str) -> None:
        if not self._started:
            raise NotResetError(what)

    def _info(self) -> dict[str, Any]:
        houses, everywhere = self.houses, np.ones(self.num_envs, bool)
        values = {
            "action_mask": houses.action_masks(),
            "won": houses.won.copy(),
            "accepted": houses.accepted.copy(),
            "task_id": self._task_ids[houses.game_of],
        }
        return values | {f"_{name}": everywhere for name in values}

    def _final(self) -> dict[str, Any]:
        """Return the last observations and info of the episodes that have just ended, as Gymnasium's own vector environments do."""
        ended, observations = self._ended.copy(), self.houses.observe()
        info = {name: values for name, values in self._info().items() if not name.startswith("_")}
        final = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(ended):
            final[i] = {name: array[i].copy() for name, array in observations.items()}
        info |= {f"_{name}": ended for name in info}
        return {"final_obs": final, "_final_obs": ended, "final_info": info, "_final_info": ended}


def _known(options: dict[str, Any] | None, known: Sequence[str]) -> dict[str, Any]:
    """Return the options of a reset, or say which of them is unknown."""
    for option in options or {}:
        if option not in known:
            raise ResetOptionError(option, known)
    return options or {}
