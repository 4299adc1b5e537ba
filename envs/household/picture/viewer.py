"""Shows an environment's episodes: as arrays, or in a window that a person may close while the play goes on.

Knows render modes; `picture` draws.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import Canvas, Window, check_size
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.layout import Words
from homebody.envs.household.picture import LEAST_SIZE, HousePicture

STEPS_PER_SECOND: Final = 4
"""How many steps of an episode are shown in a second."""
_FRAMES_PER_STEP: Final = 8
"""How many pictures a window shows of each step."""


class Play(Protocol):
    """A game being played, as a viewer needs it."""

    @property
    def game(self) -> Game:
        """The game."""

    @property
    def state(self) -> Words:
        """Where it stands, as `layout.py` says."""

    @property
    def won(self) -> bool:
        """Whether the goal holds now."""


class Viewer:
    """Follows what an environment plays.

    Args:
        mode: `human` opens a window and shows every step in it; `rgb_array` draws only when asked.
        size: Width and height of the pictures, in pixels.

    Raises:
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, mode: str, size: tuple[int, int]) -> None:
        self._size = check_size(size, LEAST_SIZE)
        self._canvas = Canvas(*self._size)
        self._in_window = mode == "human"
        self._window: Window | None = None
        self._picture: HousePicture | None = None

    def begin(self, play: Play, observation: str, n_steps: int = 0) -> None:
        """Show a play from here on; what an agent saw earlier is not known.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        if self._picture is None or self._picture.game is not play.game:
            self._picture = HousePicture(play.game, self._size)
        self._picture.forget()
        self._picture.see(play.state, answer=observation, step=n_steps, won=play.won)
        self._show(self._picture)

    def follow(self, play: Play, command: object, observation: str, n_steps: int) -> None:
        """Show the next step of the play that `begin` named.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        if self._picture is not None:
            self._picture.see(play.state, command if isinstance(command, str) else repr(command), observation, n_steps, won=play.won)
            self._show(self._picture)

    def frame(self) -> NDArray[np.uint8] | None:
        """Return the picture: shape (height, width, 3), red, green, blue; `None` where a window shows it."""
        if self._in_window or self._picture is None:
            return None
        self._picture.draw(self._canvas)
        return self._canvas.to_array()

    def close(self) -> None:
        """Close the window, if there is one; it stays closed."""
        if self._window is not None:
            self._window.close()

    def _show(self, picture: HousePicture) -> None:
        if not self._in_window:
            return
        if self._window is None:
            self._window = Window(*self._size, "homebody")
        for _ in picture.walk(_FRAMES_PER_STEP):
            # Not to ask for events would make the desktop think that the program hangs.
            self._window.events()
            if not self._window.is_open:
                return
            picture.draw(self._canvas)
            self._window.show(self._canvas)
            self._window.wait(1000 // (STEPS_PER_SECOND * _FRAMES_PER_STEP))
