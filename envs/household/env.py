"""The household as Gymnasium environments: ALFWorld's games, and houses made from a seed."""

from __future__ import annotations

import os
import string
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Literal

import gymnasium
from gymnasium.spaces import Text

from homebody.envs.core import EnvError, TaskSource, TaskSpec, did_you_mean
from homebody.envs.household import expert
from homebody.envs.household.alfworld import AlfWorldSource
from homebody.envs.household.engine import TextGame
from homebody.envs.household.explanation import explain
from homebody.envs.household.game import compile_game
from homebody.envs.household.houses import ROOMS, HouseSource
from homebody.envs.household.problem import LOGICS, Logic

CHARSET: Final = string.digits + string.ascii_letters + string.punctuation + " \n"
"""Every character that an observation may hold."""
MAX_OBSERVATION: Final = 2**16
"""Characters; the largest of ALFWorld's observations has under 1500."""
MAX_COMMAND: Final = 256
"""Characters of the action space's samples; `step` takes any text."""

_MAX_GAMES: Final = 64
"""How many games an environment keeps ready to play."""


class LogicError(EnvError):
    """A version of the rules was named that does not exist."""

    def __init__(self, logic: object) -> None:
        super().__init__(f"unknown logic {logic!r}; choose one of: auto, {', '.join(LOGICS)}")


class MaxStepsError(EnvError):
    """The step limit is no positive integer."""

    def __init__(self, max_steps: object) -> None:
        super().__init__(f"max_steps={max_steps!r} is not possible; give a whole number of at least 1 (ALFWorld's own limit is 50)")


class ResetOptionError(EnvError):
    """`reset` got an option that it does not know."""

    def __init__(self, option: object) -> None:
        super().__init__(f"unknown reset option {option!r}{did_you_mean(option, ['task'])}; the only option is 'task', a task id")


class NotResetError(EnvError):
    """The environment was used before its first reset."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was called before reset; call reset() first, with options={{'task': ID}} to choose the task")


class HouseholdEnv(gymnasium.Env[str, str], ABC):
    """A house in text: an agent with one hand carries out a task by commands.

    Observation:
        `Text`: what the engine says. Everything an agent learns it has to read there; closed receptacles hide what is in them.
    Action:
        `Text`: a command, as `take mug 1 from shelf 2`. Spaces around it are dropped, the rest is matched to the letter. Any other
        value is answered by "Nothing happens." and costs a step.
    Reward:
        1.0 while the goal holds, else 0.0: a level, not an increment.
    Episode end:
        `terminated` while the goal holds; `truncated` from step `max_steps` on. The environment itself goes on after either.
    Info:
        `goal` (the task sentence), `admissible_commands` (sorted), `won`, `task_id`; with `explain=True` also `why`: the reason why
        the last command was refused, empty if it was accepted.
    Reset:
        `reset(options={"task": ID})` plays that task; without options the environment's own seeded generator draws one from `split`.
    """

    def __init__(self, source: TaskSource, *, max_steps: int = 50, split: str = "train", explain: bool = False) -> None:
        """Prepare to play the tasks of a source.

        Args:
            source: Where tasks are listed.
            max_steps: Steps after which `truncated` is set; at least 1.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.

        Raises:
            MaxStepsError: `max_steps` is no positive integer.
        """
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise MaxStepsError(max_steps)
        self.observation_space = Text(MAX_OBSERVATION, min_length=0, charset=CHARSET)
        self.action_space = Text(MAX_COMMAND, min_length=0, charset=CHARSET)
        self.source = source
        self.max_steps = max_steps
        self._split = split
        self._explain = explain
        self._drawn_from: list[TaskSpec] | None = None
        self._games: dict[str, TextGame] = {}
        self._play: TextGame | None = None
        self._task_id = ""
        self._n_steps = 0

    @property
    def play(self) -> TextGame:
        """The game being played, for viewers and tests."""
        if self._play is None:
            raise NotResetError("step or expert")
        return self._play

    @abstractmethod
    def load_game(self, task_id: str) -> TextGame:
        """Load the game of a task; raise an `EnvError` if there is none."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start a task: the one of `options["task"]`, or one drawn from the split by the seeded generator.

        Raises:
            ResetOptionError: `options` has another key than `task`.
            EnvError: There is no such task, or its game cannot be loaded.
        """
        super().reset(seed=seed)
        options = options or {}
        for option in options:
            if option != "task":
                raise ResetOptionError(option)
        task_id = options["task"] if "task" in options else self._draw()
        play = self._ready(task_id)
        observation = play.reset()
        self._play, self._task_id, self._n_steps = play, task_id, 0
        return observation, self._info("")

    def step(self, action: object) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Give a command. Never raises on what the command is.

        Raises:
            NotResetError: The environment was never reset.
        """
        play = self.play
        why = explain(play, action) if self._explain else ""
        observation = play.step(action)
        self._n_steps += 1
        return observation, play.reward, play.won, self._n_steps >= self.max_steps, self._info(why)

    def expert(self) -> list[str]:
        """Return a shortest list of commands from here to the goal; empty if it holds. It sees the whole house.

        Raises:
            NotResetError: The environment was never reset.
            NoPlanError: The goal cannot be reached.
        """
        play = self.play
        return [play.language.command(code) for code in expert.plan(play.game, play.state)]

    def _draw(self) -> str:
        if self._drawn_from is None:
            self._drawn_from = self.source.tasks(self._split)
        return self._drawn_from[int(self.np_random.integers(len(self._drawn_from)))].task_id

    def _ready(self, task_id: str) -> TextGame:
        play = self._games.get(task_id) if isinstance(task_id, str) else None
        if play is None:
            play = self.load_game(task_id)
            if len(self._games) >= _MAX_GAMES:
                del self._games[next(iter(self._games))]
            self._games[task_id] = play
        return play

    def _info(self, why: str) -> dict[str, Any]:
        play = self.play
        info: dict[str, Any] = {
            "goal": play.game.task,
            "admissible_commands": play.admissible(),
            "won": play.won,
            "task_id": self._task_id,
        }
        if self._explain:
            info["why"] = why
        return info


class AlfWorldEnv(HouseholdEnv):
    """ALFWorld's own games (`homebody/AlfWorld-v0`), reproduced to the letter.

    A task id is a game file's path below the data folder. Splits are `train`, `validation` and `test`; ALFWorld's names
    `valid_seen` (validation) and `valid_unseen` (test) are accepted too.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        logic: Literal["auto", "current", "2.1.1"] = "auto",
        max_steps: int = 50,
        split: str = "train",
        explain: bool = False,
    ) -> None:
        """Find the data folder.

        Args:
            data_dir: The folder that holds `json_2.1.1/`; `None` takes the environment variable `ALFWORLD_DATA`.
            logic: Which version of the rules to speak; `auto` goes by each file.
            max_steps: Steps after which `truncated` is set.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.

        Raises:
            LogicError: There is no such logic.
            DataDirError: There is no such folder.
            MaxStepsError: `max_steps` is no positive integer.
        """
        if logic != "auto" and logic not in LOGICS:
            raise LogicError(logic)
        self._source = AlfWorldSource(data_dir)
        self._logic = logic
        super().__init__(self._source, max_steps=max_steps, split=split, explain=explain)

    @classmethod
    def task_source(cls, data_dir: str | os.PathLike[str] | None = None, **_: Any) -> AlfWorldSource:
        """Return where the tasks come from; takes what the constructor takes."""
        return AlfWorldSource(data_dir)

    def load_game(self, task_id: str) -> TextGame:
        """Load a game file; see `AlfWorldSource.load`."""
        loaded = self._source.load(task_id)
        return TextGame(loaded.game, loaded.logic if self._logic == "auto" else self._logic)


class ProceduralEnv(HouseholdEnv):
    """Houses made from a seed (`homebody/Household-v0`), under the same rules: nothing to download.

    See `HouseSource` for ids and splits.
    """

    def __init__(
        self,
        *,
        rooms: Sequence[str] = ROOMS,
        task_types: Sequence[str] | None = None,
        clutter: float = 1.0,
        size: float = 1.0,
        logic: Logic = "current",
        max_steps: int = 50,
        split: str = "train",
        explain: bool = False,
    ) -> None:
        """Choose the houses.

        Args:
            rooms: Kinds of houses.
            task_types: Kinds of tasks; `None` for all that the rooms allow.
            clutter: Factor on the number of movable objects.
            size: Factor on the number of pieces of furniture.
            logic: Which version of ALFWorld's rules to speak.
            max_steps: Steps after which `truncated` is set.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.

        Raises:
            LogicError: There is no such logic.
            EnvError: `HouseSource` refuses a parameter, or `max_steps` is no positive integer.
        """
        if logic not in LOGICS:
            raise LogicError(logic)
        self._houses = HouseSource(rooms, task_types, clutter, size)
        self._logic = logic
        super().__init__(self._houses, max_steps=max_steps, split=split, explain=explain)

    @classmethod
    def task_source(
        cls,
        rooms: Sequence[str] = ROOMS,
        task_types: Sequence[str] | None = None,
        clutter: float = 1.0,
        size: float = 1.0,
        **_: Any,
    ) -> HouseSource:
        """Return where the tasks come from; takes what the constructor takes."""
        return HouseSource(rooms, task_types, clutter, size)

    def load_game(self, task_id: str) -> TextGame:
        """Make the house; see `HouseSource.load`."""
        return TextGame(compile_game(self._houses.load(task_id)), self._logic)
