"""Shows a program under repair: as arrays, or in a window that a person may close while the play goes on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import Canvas, Window
from homebody.envs.repair.picture import RepairPicture, Sheet

STEPS_PER_SECOND: Final = 2
"""How many sheets a window shows in a second."""


class Viewer:
    """Follows one environment.

    Args:
        mode: One of `homebody.envs.core.RENDER_MODES`.
        size: Width and height of the pictures, in pixels.

    Raises:
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, mode: str, size: tuple[int, int]) -> None:
        self._picture = RepairPicture(size)
        self._canvas = Canvas(*self._picture.size)
        self._in_window = mode == "human"
        self._window: Window | None = None
        self._shown: Sheet | None = None

    def show(self, sheet: Sheet) -> None:
        """Turn to a sheet.

        Raises:
            DisplayError: A window is to be opened and there is no display.
        """
        self._shown = sheet
        if not self._in_window:
            return
        if self._window is None:
            self._window = Window(*self._picture.size, "homebody")
        # Not to ask for events would make the desktop think that the program hangs.
        self._window.events()
        if self._window.is_open:
            self._picture.draw(self._canvas, sheet)
            self._window.show(self._canvas)
            self._window.wait(1000 // STEPS_PER_SECOND)

    def frame(self) -> NDArray[np.uint8] | None:
        """Return the sheet shown last: shape (height, width, 3), red, green, blue; None where a window shows it, or nothing was shown."""
        if self._in_window or self._shown is None:
            return None
        self._picture.draw(self._canvas, self._shown)
        return self._canvas.to_array()

    def close(self) -> None:
        """Close the window, if there is one; it stays closed."""
        if self._window is not None:
            self._window.close()
