"""The household without text (`homebody/HouseholdSymbolic-v0`): numbered actions, arrays and masks; one house, or a batch of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from homebody.envs.core import (
    RENDER_MODES,
    EnvError,
    NotResetError,
    RenderModeError,
    check_options,
)
from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.symbolic.arrays import (
    PARAMETERS,
    Arrays,
    BatchOptionError,
    Houses,
    Snapshot,
    task_source,
)

if TYPE_CHECKING:
    from homebody.envs.viewer import Viewer

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
    Rendering:
        As `homebody/Household-v0`: what the agent was told since the reset, in a window or as arrays.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012  # declared so by Gymnasium

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        split: str = "train",
        n_tasks: int | None = DEFAULT_TASKS,
        tasks: Sequence[str] | None = None,
        max_steps: int = 50,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **house: Any,
    ) -> None:
        """Make the tasks ready; see `arrays.Houses` for the other arguments and errors.

        Args:
            data_dir: A folder of ALFWorld's games; `None` makes houses.
            split: The split that tasks are taken from.
            n_tasks: How many tasks of the split are made ready.
            tasks: The ids of the tasks, instead.
            max_steps: Steps after which an episode is truncated.
            render_mode: One of `RENDER_MODES`, or `None` for play without pictures.
            render_size: Width and height of the pictures, in pixels; at least (640, 480).
            house: Parameters of `HouseSource`.

        Raises:
            RenderModeError: There is no such render mode.
            CanvasSizeError: There can be no picture of this size.
            PygameMissingError: Pictures are asked for and pygame is not installed.
            EnvError: The tasks cannot be made ready.
        """
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise RenderModeError(render_mode)
        self.render_mode = render_mode
        self._render_size = render_size
        self._viewer = self._make_viewer()
        self.houses = Houses(data_dir, split, n_tasks, tasks, max_steps, house, n=1)
        self.observation_space: gymnasium.Space[Any] = self.houses.space()
        self.action_space: Discrete = Discrete(self.houses.n_actions)
        self._started = False

    @classmethod
    def task_source(cls, data_dir: str | os.PathLike[str] | None = None, **kwargs: Any) -> AlfWorldSource | HouseSource:
        """Return where the tasks come from; takes what the constructor takes."""
        own = {*PARAMETERS, "render_mode", "render_size"}
        return task_source(data_dir, **{key: kwargs[key] for key in kwargs.keys() - own})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """Start a task.

        Raises:
            OptionsError: `options` is no mapping.
            ResetOptionError: `options` has another key than `task`.
            UnknownTaskError: The task is not among those that were made ready.
            DisplayError: A window is to be opened and there is no display.
        """
        super().reset(seed=seed)
        chosen = check_options(options)
        tasks = [chosen["task"]] if "task" in chosen else None
        self.houses.start(np.ones(1, bool), [self.np_random], tasks)
        self._started = True
        self._show_from_here(self.houses.text(0))
        return self._observation(), self._info()

    def step(self, action: np.integer[Any]) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Do an action.

        Raises:
            NotResetError: The environment was never reset.
            ActionsError: `action` is no whole number.
        """
        self._check_started("step")
        houses = self.houses
        houses.step(np.asarray(action)[None])
        if self._viewer is not None:
            command = houses.last_command(0) or f"action {action}"
            self._viewer.follow(houses.play(0).state, command, houses.text(0), int(houses.steps[0]), won=bool(houses.won[0]))
        won = bool(houses.won[0])
        return self._observation(), float(won), won, bool(houses.steps[0] >= houses.max_steps), self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture of the house: shape (height, width, 3), red, green, blue; `None` where a window shows it.

        Raises:
            NotResetError: The environment was never reset.
            RenderModeError: It was made without a render mode.
        """
        if self._viewer is None:
            raise RenderModeError(self.render_mode)
        self._check_started("render")
        return self._viewer.frame()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()

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
        return self.houses.snapshot([self.np_random])

    def restore(self, snapshot: Snapshot) -> tuple[Arrays, dict[str, Any]]:
        """Go back to a snapshot of an environment with the same tasks; returns what `reset` returns.

        Raises:
            BatchOptionError: It is none.
        """
        self.houses.restore(snapshot, [self.np_random])
        self._started = True
        self._show_from_here("")
        return self._observation(), self._info()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: everything but pictures."""
        return {**vars(self), "_viewer": None}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update(kept)
        self._viewer = self._make_viewer()
        if self._started:
            self._show_from_here("")

    def _make_viewer(self) -> Viewer | None:
        if self.render_mode is None:
            return None
        # Imported where pictures are wanted: play without them starts faster.
        from homebody.envs.household.picture import LEAST_SIZE
        from homebody.envs.viewer import Viewer

        return Viewer(self.render_mode, self._render_size, LEAST_SIZE, self.metadata["render_fps"])

    def _show_from_here(self, observation: str) -> None:
        if self._viewer is not None:
            from homebody.envs.household.picture import HousePicture

            play = self.houses.play(0)
            picture = HousePicture(play.game, self._render_size)
            self._viewer.begin(picture, play.state, observation, int(self.houses.steps[0]), won=play.won)

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

    Spaces, rewards and info are those of `HouseholdSymbolicEnv`, batched: shapes (num_envs, ...). Each
    house has its own generator, as in `SyncVectorEnv`, and the same seeds give the same episodes. A
    batch draws no pictures.

    Autoreset as Gymnasium defines it: `NEXT_STEP` (the step after an end ignores its action and is a reset),
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
        render_mode: None = None,
        **house: Any,
    ) -> None:
        """Make the tasks ready; see `HouseholdSymbolicEnv` for the other arguments and errors.

        Args:
            num_envs: How many houses, at least 1.
            data_dir: A folder of ALFWorld's games; `None` makes houses.
            split: The split that tasks are taken from.
            n_tasks: How many tasks of the split are made ready.
            tasks: The ids of the tasks, instead.
            max_steps: Steps after which an episode is truncated.
            autoreset_mode: What follows the end of an episode; see above.
            render_mode: `None`.
            house: Parameters of `HouseSource`.

        Raises:
            BatchOptionError: An argument is not possible.
            EnvError: The tasks cannot be made ready.
        """
        if render_mode is not None:
            without = "None, or make_vec(..., vectorization_mode='sync'): this batch draws no pictures"
            raise BatchOptionError("render_mode", render_mode, without)
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise BatchOptionError("num_envs", num_envs, "a whole number of at least 1")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            raise BatchOptionError("autoreset_mode", autoreset_mode, ", ".join(repr(mode.value) for mode in AutoresetMode)) from None
        self.houses = Houses(data_dir, split, n_tasks, tasks, max_steps, house, n=num_envs)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self.single_observation_space = self.houses.space()
        self.single_action_space = Discrete(self.houses.n_actions)
        self.observation_space: gymnasium.Space[Any] = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._task_ids = np.array(self.houses.task_ids, object)
        self._ended = np.zeros(num_envs, bool)
        self._started = False
        made = [seeding.np_random() for _ in range(num_envs)]
        self._generators = [generator for generator, _ in made]
        self._seeds = [seed for _, seed in made]

    @property  # type: ignore[misc]  # SyncVectorEnv has one for each of its environments, too
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generators that draw tasks, one a house."""
        return tuple(self._generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """Their seeds."""
        return tuple(self._seeds)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Arrays, dict[str, Any]]:
        """Start tasks in all houses, or in those of `options["reset_mask"]` ((num_envs,) bool).

        Args:
            seed: Of the generators that draw tasks, one a house; a single seed s is s, s + 1, s + 2 ...; `None` goes on with the
                generator that is there.
            options: `reset_mask`, and `tasks`: the id of each house's task, instead of drawn ones.

        Raises:
            OptionsError: `options` is no mapping.
            ResetOptionError: It has another key.
            BatchOptionError: A seed or an option is of another kind or length.
            UnknownTaskError: A task is not among those that were made ready.
        """
        given = check_options(options, ("reset_mask", "tasks"))
        chosen = np.asarray(given.get("reset_mask", np.ones(self.num_envs, bool)))
        if chosen.shape != (self.num_envs,) or chosen.dtype != bool:
            raise BatchOptionError("reset_mask", chosen, f"an array of {self.num_envs} bools")
        if not self._started and not chosen.all():
            raise NotResetError("reset of some houses")
        generators, seeds = self._generators.copy(), self._seeds.copy()
        for i, own in enumerate(self._given_seeds(seed)):
            if chosen[i] and own is not None:
                generators[i], seeds[i] = seeding.np_random(own)
        self.houses.start(chosen, generators, given.get("tasks"))
        self._generators, self._seeds = generators, seeds
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
            houses.start(ended, self._generators)
        won, over = houses.won.copy(), houses.steps >= houses.max_steps
        self._ended = won | over
        final: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final()
            houses.start(self._ended, self._generators)
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
        return self.houses.snapshot(self._generators)

    def restore(self, snapshot: Snapshot) -> tuple[Arrays, dict[str, Any]]:
        """Go back to a snapshot of an environment with the same tasks; returns what `reset` returns.

        Raises:
            BatchOptionError: It is none.
        """
        self.houses.restore(snapshot, self._generators)
        self._ended = self.houses.won | (self.houses.steps >= self.houses.max_steps)
        self._started = True
        return self.houses.observe(), self._info()

    def _given_seeds(self, seed: object) -> list[int | None]:
        """Return the seed of each house.

        Raises:
            BatchOptionError: It is neither a seed nor one a house.
        """
        given: Any = seed.tolist() if isinstance(seed, np.ndarray | np.generic) else seed
        if given is None:
            return [None] * self.num_envs
        if _is_seed(given):
            return [given + i for i in range(self.num_envs)]
        is_list = isinstance(given, Sequence) and len(given) == self.num_envs
        if is_list and all(own is None or _is_seed(own) for own in given):
            return [None if own is None else int(own) for own in given]
        allowed = f"a whole number of at least 0, or {self.num_envs} of them, one a house; or None"
        raise BatchOptionError("seed", seed, allowed)

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


def _is_seed(value: Any) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 0)
