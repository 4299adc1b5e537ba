"""The household as Gymnasium environments: ALFWorld's games, and houses made from a seed."""

from __future__ import annotations

import os
import re
import string
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from zlib import crc32

import numpy as np
from gymnasium.spaces import Text

from homebody.envs.core import EnvError, NotResetError, SnapshotError, TaskSource
from homebody.envs.household.alfworld.games import AlfWorldGoals, AlfWorldSource
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.explanation import explain
from homebody.envs.household.engine.game import StateError, compile_game
from homebody.envs.household.engine.layout import Words
from homebody.envs.household.engine.problem import LOGICS, Logic
from homebody.envs.household.expert import expert
from homebody.envs.household.expert.scripted import OnlineExpert, is_plain
from homebody.envs.household.goals import matcher
from homebody.envs.household.goals.said import Goals
from homebody.envs.household.houses.building import ROOMS
from homebody.envs.household.houses.holdout import Holdout
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.text_env import Picture, TextTaskEnv

CHARSET: Final = string.digits + string.ascii_letters + string.punctuation + " \n"
"""The characters of commands, and of observations other than what a person wrote: a task sentence may hold any."""

_MAX_GAMES: Final = 64
"""How many games an environment keeps ready to play."""
_MOST_UNREAD: Final = 512
"""Observations kept for the online expert until it is asked: without it, endless play would fill the memory."""


class LogicError(EnvError):
    """A version of the rules was named that does not exist."""

    def __init__(self, logic: object) -> None:
        super().__init__(f"unknown logic {logic!r}; choose one of: auto, {', '.join(LOGICS)}")


@dataclass(frozen=True)
class HouseState:
    """Where a house stood."""

    state: bytes
    """The state of the house, as `layout.py` says."""
    house: int
    """CRC-32 of the house's world: tells a house that was changed since."""


class HouseholdEnv(TextTaskEnv):
    """A house in text: an agent with one hand carries out a task by commands.

    Observation:
        `Text`: what the engine says. Everything an agent learns it has to read there; closed receptacles hide what is in them.
    Action:
        `Text`: a command, as `take mug 1 from shelf 2`. Spaces around it are dropped, the rest is matched exactly. Any other
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
    Going back:
        `snapshot` and `restore` go back to any point, in this or another environment with the same tasks; a pickle resumes where it was.
    Rendering:
        `render_mode="human"` shows each step in a window; `"rgb_array"` draws when `render` is called. The plan of the house shows what
        the agent was told since the reset, and hides the rest.
    """

    max_command = 256
    unpickled = ("_games", "_play")

    def __init__(
        self,
        source: TaskSource,
        *,
        max_steps: int = 50,
        split: str = "train",
        explain: bool = False,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
    ) -> None:
        """Prepare to play the tasks of a source.

        Args:
            source: Where tasks are listed.
            max_steps: Steps after which `truncated` is set; at least 1.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.
            render_mode: One of `RENDER_MODES`, or `None` for play without pictures.
            render_size: Width and height of the pictures, in pixels; at least (640, 480).

        Raises:
            MaxStepsError: `max_steps` is no positive integer.
            RenderModeError: There is no such render mode.
            CanvasSizeError: There can be no picture of this size.
            PygameMissingError: Pictures are asked for and pygame is not installed.
        """
        super().__init__(max_steps=max_steps, split=split, render_mode=render_mode, render_size=render_size)
        self.action_space = Text(self.max_command, min_length=0, charset=CHARSET)
        self._source = source
        self._explain = explain
        self._why = ""
        self._games: dict[str, TextGame] = {}
        self._play: TextGame | None = None
        self._unread: deque[str] = deque(maxlen=_MOST_UNREAD)
        self._online: OnlineExpert | None = None

    @property
    def source(self) -> TaskSource:
        """Where tasks are listed."""
        return self._source

    @property
    def play(self) -> TextGame:
        """The game being played, for viewers and tests."""
        if self._play is None:
            raise NotResetError("the house")
        return self._play

    @abstractmethod
    def load_game(self, task_id: str) -> TextGame:
        """Load the game of a task; raise an `EnvError` if there is none."""

    def _begin(self, task_id: str) -> str:
        play = self._ready(task_id)
        observation = play.reset()
        self._play, self._why, self._online = play, "", None
        self._unread.clear()
        self._unread.append(observation)
        return observation

    def _act(self, action: object) -> tuple[str, float, bool]:
        play = self.play
        if self._explain:
            self._why = explain(play, action)
        observation = play.step(action)
        self._unread.append(observation)
        return observation, play.reward, play.won

    def view(self) -> Words:
        """Return the state of the house, as `layout.py` says."""
        state: Words = self.play.state.copy()
        return state

    def picture_class(self) -> type[Any]:
        """Return the class of its pictures."""
        from homebody.envs.household.picture import HousePicture

        return HousePicture

    def picture(self, size: tuple[int, int]) -> Picture:
        """Return a floor plan of the house."""
        drawn: Picture = self.picture_class()(self.play.game, size)
        return drawn

    def expert(self) -> list[str]:
        """Return a shortest list of commands from here to the goal; empty if it holds. It sees the whole house.

        Raises:
            NotResetError: The environment was never reset.
            NoPlanError: The goal cannot be reached.
        """
        play = self.play
        return [play.language.command(code) for code in expert.plan(play.game, play.state)]

    def read_goal(self) -> str:
        """Return the goal as a plain sentence, as read without a model; a goal that is one already as it is.

        The reader sees the task sentence and the places that the first observation lists; see `matcher.py`.

        Raises:
            NotResetError: The environment was never reset.
        """
        play = self.play
        if is_plain(play.game.task):
            return play.game.task
        seen = play.language.intro.partition("Your task is to:")[0]
        return matcher.say_plainly(matcher.read(play.game.task, re.findall(r"\ba (\S+) \d+", seen)))

    def scripted_policy(self) -> list[str]:
        """Return the next command, in a list, of an expert that sees only what an agent sees; it goes by what was said since the reset.

        What the task is it takes from `read_goal`.

        Raises:
            NotResetError: The environment was never reset.
        """
        play = self.play
        if self._online is None:
            self._online = OnlineExpert(self.read_goal())
        while self._unread:
            self._online.see(self._unread.popleft())
        return [self._online.choose(play.admissible())]

    def _keep(self) -> HouseState:
        play = self.play
        return HouseState(play.state.tobytes(), crc32(play.game.world.tobytes()))

    def _go_back(self, task_id: str, kept: HouseState) -> None:
        if not isinstance(kept, HouseState):
            raise SnapshotError(f"it is not of a house but {type(kept).__name__}")
        play = self._ready(task_id)
        if crc32(play.game.world.tobytes()) != kept.house:
            raise SnapshotError(f"the house of {task_id!r} was changed")
        try:
            state = np.frombuffer(kept.state, np.uint64)
            play.game.check(state)
        except (StateError, TypeError, ValueError) as error:
            raise SnapshotError(" ".join(str(error).split())) from None
        play.restore(state)
        self._play, self._why, self._online = play, "", None
        self._unread.clear()

    def _revive(self) -> None:
        self._games, self._play = {}, None

    def __setstate__(self, kept: dict[str, Any]) -> None:
        unread, online, why = kept["_unread"], kept["_online"], kept["_why"]
        super().__setstate__(kept)
        self._unread, self._online, self._why = unread, online, why

    def _ready(self, task_id: str) -> TextGame:
        play = self._games.get(task_id) if isinstance(task_id, str) else None
        if play is None:
            play = self.load_game(task_id)
            if len(self._games) >= _MAX_GAMES:
                del self._games[next(iter(self._games))]
            self._games[task_id] = play
        return play

    def _info(self) -> dict[str, Any]:
        play = self.play
        info: dict[str, Any] = {
            "goal": play.game.task,
            "admissible_commands": play.admissible(),
            "won": play.won,
            "task_id": self._task_id,
        }
        if self._explain:
            info["why"] = self._why
        return info


class AlfWorldEnv(HouseholdEnv):
    """ALFWorld's own games (`homebody/AlfWorld-v0`), reproduced exactly.

    A task id is a game file's path below the data folder. Splits are `train`, `validation` and `test`; ALFWorld's names
    `valid_seen` (validation) and `valid_unseen` (test) are accepted too.
    """

    _source: AlfWorldSource

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        logic: Literal["auto", "current", "2.1.1"] = "auto",
        goals: AlfWorldGoals = "plain",
        annotation: int = 0,
        max_steps: int = 50,
        split: str = "train",
        explain: bool = False,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **unknown: Any,
    ) -> None:
        """Find the data folder.

        Args:
            data_dir: The folder that holds `json_2.1.1/`; `None` takes the one of `download.default_dir`.
            logic: Which version of the rules to speak; `auto` goes by each file.
            goals: How goals are worded: `plain`, `said` or `human`; see `AlfWorldSource`.
            annotation: Which annotator's sentence, from 0; only for `human`.
            max_steps: Steps after which `truncated` is set.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.
            render_mode: One of `RENDER_MODES`, or `None` for play without pictures.
            render_size: Width and height of the pictures, in pixels; at least (640, 480).
            **unknown: Refused by name.

        Raises:
            UnknownParameterError: There is no such parameter.
            LogicError: There is no such logic.
            DataDirError: There is no such folder.
            GoalsError: There is no such way to word goals.
            EnvError: `annotation` is no whole number of at least 0, `max_steps` is no positive integer, or there can be no such pictures.
        """
        self.check_parameters(unknown)
        if logic != "auto" and logic not in LOGICS:
            raise LogicError(logic)
        self._source = AlfWorldSource(data_dir, goals=goals, annotation=annotation)
        self._logic = logic
        super().__init__(self._source, max_steps=max_steps, split=split, explain=explain, render_mode=render_mode, render_size=render_size)

    @classmethod
    def task_source(cls, **parameters: Any) -> AlfWorldSource:
        """Return where the tasks come from; takes what the constructor takes."""
        return AlfWorldSource(**cls.parameters_of(AlfWorldSource, parameters))

    def load_game(self, task_id: str) -> TextGame:
        """Load a game file; see `AlfWorldSource.load`."""
        loaded = self._source.load(task_id)
        return TextGame(loaded.game, loaded.logic if self._logic == "auto" else self._logic)


class ProceduralEnv(HouseholdEnv):
    """Houses made from a seed (`homebody/Household-v0`), under the same rules: nothing to download.

    See `HouseSource` for ids, splits and what the parameters mean.
    """

    def __init__(
        self,
        *,
        rooms: Sequence[str] = ROOMS,
        task_types: Sequence[str] | Mapping[str, int] | None = None,
        clutter: float = 1.0,
        size: float = 1.0,
        distractors: int = 0,
        closed: float = 1.0,
        holdout: Holdout | None = None,
        goals: Goals = "plain",
        logic: Logic = "current",
        max_steps: int = 50,
        split: str = "train",
        explain: bool = False,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **unknown: Any,
    ) -> None:
        """Choose the houses.

        Args:
            rooms: Kinds of houses.
            task_types: Kinds of tasks, with weights if it is a mapping; `None` for all that the rooms allow.
            clutter: Factor on the number of movable objects.
            size: Factor on the number of pieces of furniture.
            distractors: Number of further objects that would do for the same task.
            closed: Share of the receptacles with a door that start closed.
            holdout: What only the test split shows: `rooms`, `pairs` or `both`.
            goals: How goals are worded: `plain` or `said`; see `HouseSource`.
            logic: Which version of ALFWorld's rules to speak.
            max_steps: Steps after which `truncated` is set.
            split: Where a reset without options draws its task.
            explain: Whether `info["why"]` gives reasons.
            render_mode: One of `RENDER_MODES`, or `None` for play without pictures.
            render_size: Width and height of the pictures, in pixels; at least (640, 480).
            **unknown: Refused by name.

        Raises:
            UnknownParameterError: There is no such parameter.
            LogicError: There is no such logic.
            EnvError: `HouseSource` refuses a parameter, `max_steps` is no positive integer, or there can be no such pictures.
        """
        self.check_parameters(unknown)
        if logic not in LOGICS:
            raise LogicError(logic)
        self._houses = HouseSource(rooms, task_types, clutter, size, distractors, closed, holdout, goals)
        self._logic = logic
        super().__init__(self._houses, max_steps=max_steps, split=split, explain=explain, render_mode=render_mode, render_size=render_size)

    @classmethod
    def task_source(cls, **parameters: Any) -> HouseSource:
        """Return where the tasks come from; takes what the constructor takes."""
        return HouseSource(**cls.parameters_of(HouseSource, parameters))

    def load_game(self, task_id: str) -> TextGame:
        """Make the house; see `HouseSource.load`."""
        house = self._houses.build(task_id)
        return TextGame(replace(compile_game(house.problem), plain=house.plain), self._logic)
