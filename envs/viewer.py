"""Shows an environment's episodes: as arrays, or in a window that a person may close while the play goes on.

Knows render modes; the environment's picture draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import Canvas, check_size
from homebody.envs.window import Window

if TYPE_CHECKING:
    from homebody.envs.text_env import Picture

FRAMES_PER_STEP: Final = 8
"""How many pictures a window shows of each step, where something moves."""


class Viewer:
    """Follows what an environment plays.

    Args:
        mode: `human` opens a window and shows every step in it; `rgb_array` draws only when asked.
        size: Width and height of the pictures, in pixels.
        least: The smallest width and height.
        steps_per_second: How many steps a window shows in a second.

    Raises:
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, mode: str, size: tuple[int, int], least: tuple[int, int], steps_per_second: int) -> None:
        self._size = check_size(size, least)
        self._canvas = Canvas(*self._size)
        self._in_window = mode == "human"
        self._wait_ms = 1000 // (steps_per_second * FRAMES_PER_STEP)
        self._window: Window | None = None
        self._picture: Picture | None = None

    def begin(self, picture: Picture, view: Any, observation: str, n_steps: int = 0, *, won: bool = False) -> None:
        """Show a play from here on; what an agent saw earlier is not known.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        picture.see(view, answer=observation, step=n_steps, won=won)
        self._picture = picture
        self._show(picture)

    def follow(self, view: Any, command: str, observation: str, n_steps: int, *, won: bool) -> None:
        """Show the next step of the play that `begin` named.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        if self._picture is not None:
            self._picture.see(view, command, observation, n_steps, won=won)
            self._show(self._picture)

    def frame(self) -> NDArray[np.uint8] | None:
        """Return the picture: shape (height, width, 3), red, green, blue; None where a window shows it."""
        if self._in_window or self._picture is None:
            return None
        self._picture.draw(self._canvas)
        return self._canvas.to_array()

    def close(self) -> None:
        """Close the window, if there is one; it stays closed."""
        if self._window is not None:
            self._window.close()

    def _show(self, picture: Picture) -> None:
        if not self._in_window:
            return
        if self._window is None:
            self._window = Window(*self._size, "homebody")
        shown = 0
        for _ in picture.walk(FRAMES_PER_STEP):
            # Not to ask for events would make the desktop think that the program hangs.
            self._window.events()
            if not self._window.is_open:
                return
            picture.draw(self._canvas)
            self._window.show(self._canvas)
            self._window.wait(self._wait_ms)
            shown += 1
        # A step in which nothing moves is seen as long as one in which something does.
        self._window.wait(self._wait_ms * (FRAMES_PER_STEP - shown))
