"""What our text planning environments share: choice of tasks, the step limit, snapshots, pickles, pictures."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import gymnasium
import numpy as np
from gymnasium.spaces import Text
from numpy.typing import NDArray

from homebody.envs.core import (
    RENDER_MODES,
    MaxStepsError,
    NotResetError,
    RenderModeError,
    SnapshotError,
    TaskSource,
    TaskSpec,
    UnknownParameterError,
    check_options,
)
from homebody.envs.space import AnyText

if TYPE_CHECKING:
    from homebody.envs.canvas import Canvas
    from homebody.envs.viewer import Viewer


class Picture(Protocol):
    """Draws an episode for people, who see what the agent was told and no more."""

    def forget(self) -> None:
        """Begin again: the agent has seen nothing."""
        ...

    def see(self, view: Any, command: str = "", answer: str = "", step: int = 0, *, won: bool = False) -> None:
        """Take the next view of the episode; the first one is that of the reset.

        Args:
            view: What the environment's `view()` returned.
            command: What led to it; empty at the reset.
            answer: The observation.
            step: How many commands were given so far.
            won: Whether the goal holds.
        """
        ...

    def walk(self, n_frames: int) -> Iterator[None]:
        """Go from the view before to this one, a part at a time: draw after each."""
        ...

    def draw(self, canvas: Canvas) -> None:
        """Draw over a whole canvas of the picture's size."""
        ...

    def at(self, x: int, y: int) -> str:
        """Return the name of what is drawn at a pixel; empty where nothing has a name."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """Where an environment stood: small, and to be pickled and compared."""

    task_id: str
    kept: Any
    """What the environment itself keeps."""
    n_steps: int
    generator: Mapping[str, Any]
    """State of the generator that draws tasks."""


class TextTaskEnv(gymnasium.Env[str, str], ABC):
    """Base of the text planning environments of this package.

    A subclass says where its tasks come from, begins one, answers commands, and describes where it stands. The rest is here: see
    the class's own methods that have no underscore.

    Args:
        max_steps: Steps after which `truncated` is set; at least 1.
        split: Where a reset without options draws its task.
        render_mode: One of `RENDER_MODES`, or None for play without pictures.
        render_size: Width and height of the pictures, in pixels.

    Raises:
        MaxStepsError: `max_steps` is no positive integer.
        RenderModeError: There is no such render mode.
        CanvasSizeError: There can be no picture of this size.
        PygameMissingError: Pictures are asked for and pygame is not installed.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012  # declared so by Gymnasium
    snapshots_share: ClassVar[str] = "tasks"
    """What an environment has to have in common with the one that a snapshot is from, in a word."""
    max_observation: ClassVar[int] = 2**16
    """Most characters of an observation; longer ones are cut."""
    max_command: ClassVar[int] = 1024
    """Most characters of the samples of the action space; `step` takes any value."""
    unpickled: ClassVar[tuple[str, ...]] = ()
    """Attributes that a pickle leaves out; `_revive` sets them again."""

    def __init__(
        self,
        *,
        max_steps: int,
        split: str,
        render_mode: str | None,
        render_size: tuple[int, int],
    ) -> None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise MaxStepsError(max_steps)
        self.observation_space = AnyText(self.max_observation)
        self.action_space: Text = AnyText(self.max_command)
        self.max_steps = max_steps
        self._split = split
        self._drawn_from: list[TaskSpec] | None = None
        self._task_id = ""
        """Of the task that is played; empty before the first reset."""
        self._n_steps = 0
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise RenderModeError(render_mode)
        self.render_mode = render_mode
        self._render_size = render_size
        self._viewer = self._make_viewer()

    @classmethod
    def check_parameters(cls, names: Iterable[str]) -> None:
        """Check that the constructor has parameters of these names.

        Raises:
            UnknownParameterError: It has no such parameter.
        """
        kinds = inspect.signature(cls).parameters.values()
        known = [parameter.name for parameter in kinds if parameter.kind != parameter.VAR_KEYWORD]
        for name in names:
            if name not in known:
                raise UnknownParameterError(name, known)

    @classmethod
    def parameters_of(cls, made: Callable[..., object], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the constructor's parameters that go to what it makes, as to its source of tasks.

        Raises:
            UnknownParameterError: The constructor has no such parameter.
        """
        cls.check_parameters(given)
        taken = inspect.signature(made).parameters
        return {name: value for name, value in given.items() if name in taken}

    @property
    @abstractmethod
    def source(self) -> TaskSource:
        """Where tasks are listed."""

    @abstractmethod
    def _begin(self, task_id: str) -> str:
        """Start a task and return the opening observation; on an `EnvError` everything is as before."""

    @abstractmethod
    def _act(self, action: object) -> tuple[str, float, bool]:
        """Answer a command: observation, reward, terminated. Whatever it is, it is no exception."""

    @abstractmethod
    def _info(self) -> dict[str, Any]:
        """Return `info` as the contract of text planning environments has it."""

    @abstractmethod
    def _keep(self) -> Any:
        """Return what `_go_back` needs: small, and to be pickled and compared."""

    @abstractmethod
    def _go_back(self, task_id: str, kept: Any) -> None:
        """Go back to where `_keep` was called; on an `EnvError` everything is as before."""

    def _revive(self) -> None:
        """Set the attributes that a pickle leaves out."""

    @abstractmethod
    def view(self) -> Any:
        """Return what a picture needs of how things stand; it stays as it is while the episode goes on."""

    @abstractmethod
    def picture_class(self) -> type[Any]:
        """Return the class of its pictures, each a `Picture`; imported here, so that play without them starts faster."""

    def picture(self, size: tuple[int, int]) -> Picture:
        """Return a picture of the task that is played.

        Args:
            size: Width and height in pixels, at least `least_picture()`.
        """
        drawn: Picture = self.picture_class()(size)
        return drawn

    def least_picture(self) -> tuple[int, int]:
        """Return the smallest width and height of a picture, in pixels."""
        least: tuple[int, int] = self.picture_class().least
        return least

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start a task: the one of `options["task"]`, or one drawn from the split by the seeded generator.

        Raises:
            OptionsError: `options` is no mapping.
            ResetOptionError: `options` has another key than `task`.
            EnvError: There is no such task, or it cannot be loaded.
        """
        super().reset(seed=seed)
        chosen = check_options(options)
        task_id = chosen["task"] if "task" in chosen else self._draw().task_id
        observation = self._begin(task_id)
        self._task_id, self._n_steps = task_id, 0
        info = self._info()
        self._show_from_here(observation, won=info["won"])
        return observation, info

    def step(self, action: object) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Give a command. Never raises on what the command is.

        Raises:
            NotResetError: The environment was never reset.
        """
        if not self._task_id:
            raise NotResetError("step")
        observation, reward, terminated = self._act(action)
        self._n_steps += 1
        info = self._info()
        if self._viewer is not None:
            command = action if isinstance(action, str) else repr(action)
            self._viewer.follow(self.view(), command, observation, self._n_steps, won=info["won"])
        return observation, reward, terminated, self._n_steps >= self.max_steps, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture: shape (height, width, 3), red, green, blue; None where a window shows it.

        Raises:
            NotResetError: The environment was never reset.
            RenderModeError: It was made without a render mode.
        """
        if self._viewer is None:
            raise RenderModeError(self.render_mode)
        if not self._task_id:
            raise NotResetError("render")
        return self._viewer.frame()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()

    def snapshot(self) -> Snapshot:
        """Return where everything stands now.

        Raises:
            NotResetError: The environment was never reset.
        """
        if not self._task_id:
            raise NotResetError("snapshot")
        return Snapshot(self._task_id, self._keep(), self._n_steps, self.np_random.bit_generator.state)

    def restore(self, snapshot: Snapshot) -> dict[str, Any]:
        """Go back to a snapshot, and return its `info`: from then on everything goes as it went, or would have gone, after it.

        What `gymnasium.make` returns wants a reset before its first step all the same.

        Raises:
            SnapshotError: It is none, or it is from an environment with other tasks.
            EnvError: There is no such task, or it cannot be loaded.
        """
        same = self.snapshots_share
        if not isinstance(snapshot, Snapshot):
            raise SnapshotError(f"it is {type(snapshot).__name__}, not Snapshot", same)
        n_steps = snapshot.n_steps
        if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 0:
            raise SnapshotError(f"it has {n_steps!r} steps", same)
        generator = self.np_random.bit_generator
        before = generator.state
        try:
            generator.state = snapshot.generator
        except (TypeError, ValueError, KeyError) as error:
            raise SnapshotError(" ".join(str(error).split()), same) from None
        try:
            self._go_back(snapshot.task_id, snapshot.kept)
        except Exception:
            generator.state = before
            raise
        self._task_id, self._n_steps = snapshot.task_id, n_steps
        info = self._info()
        self._show_from_here("", won=info["won"])
        return info

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: parameters and a snapshot."""
        kept = {key: value for key, value in vars(self).items() if key not in ("_viewer", "_drawn_from", *self.unpickled)}
        return {**kept, "snapshot": self.snapshot() if self._task_id else None}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        snapshot = kept.pop("snapshot")
        vars(self).update(kept, _drawn_from=None)
        self._revive()
        self._viewer = self._make_viewer()
        if snapshot is not None:
            self.restore(snapshot)

    def _draw(self) -> TaskSpec:
        """Draw a task of the split."""
        if self._drawn_from is None:
            self._drawn_from = self.source.tasks(self._split)
        return self._drawn_from[int(self.np_random.integers(len(self._drawn_from)))]

    def _make_viewer(self) -> Viewer | None:
        if self.render_mode is None:
            return None
        # Imported where pictures are wanted: play without them starts faster.
        from homebody.envs.viewer import Viewer

        return Viewer(self.render_mode, self._render_size, self.least_picture(), self.metadata["render_fps"])

    def _show_from_here(self, observation: str, *, won: bool) -> None:
        if self._viewer is not None:
            self._viewer.begin(self.picture(self._render_size), self.view(), observation, self._n_steps, won=won)
