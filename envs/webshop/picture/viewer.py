"""Shows an environment's visits to the shop: as arrays, or in a window that a person may close while the play goes on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import Canvas, Window
from homebody.envs.core import RENDER_MODES, RenderModeError
from homebody.envs.webshop.pages.pages import Page
from homebody.envs.webshop.picture.picture import ShopPicture

STEPS_PER_SECOND: Final = 2
"""How many pages a window shows in a second."""


class Viewer:
    """Follows one environment.

    Args:
        mode: One of `RENDER_MODES`.
        size: Width and height of the pictures, in pixels.

    Raises:
        RenderModeError: There is no such mode.
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, mode: str, size: tuple[int, int]) -> None:
        if mode not in RENDER_MODES:
            raise RenderModeError(mode)
        self._picture = ShopPicture(size)
        self._canvas = Canvas(*self._picture.size)
        self._in_window = mode == "human"
        self._window: Window | None = None
        self._shown: tuple[Page, str, str] | None = None

    def show(self, page: Page, instruction: str, said: str = "") -> None:
        """Turn to a page.

        Args:
            page: What to show.
            instruction: What the visitor was asked to buy.
            said: The command that led here; empty at the beginning.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        self._shown = page, instruction, said
        if not self._in_window:
            return
        if self._window is None:
            self._window = Window(*self._picture.size, "homebody")
        # Not to ask for events would make the desktop think that the program hangs.
        self._window.events()
        if self._window.is_open:
            self._picture.draw(self._canvas, *self._shown)
            self._window.show(self._canvas)
            self._window.wait(1000 // STEPS_PER_SECOND)

    def frame(self) -> NDArray[np.uint8] | None:
        """Return the page shown last: shape (height, width, 3), red, green, blue; None where a window shows it, or nothing was shown."""
        if self._in_window or self._shown is None:
            return None
        self._picture.draw(self._canvas, *self._shown)
        return self._canvas.to_array()

    def close(self) -> None:
        """Close the window, if there is one; it stays closed."""
        if self._window is not None:
            self._window.close()
