"""A page of a browser as a picture: its screenshot, with what was done last below it."""

from __future__ import annotations

from typing import Final

from homebody.envs.canvas import WHITE, Box, Canvas, fit
from homebody.envs.still_picture import StillPicture

LEAST_SIZE: Final = (320, 300)
"""Smallest width and height of a picture, in pixels."""
_FOOT: Final = 30
_GROUND: Final = (236, 239, 241)
_SOFT: Final = (84, 95, 107)


class PagePicture(StillPicture[bytes]):
    """Draws screenshots: the page as PNG, and the command that led there."""

    least = LEAST_SIZE

    def draw(self, canvas: Canvas) -> None:
        """Draw the page as large as it fits, over the whole canvas."""
        canvas.rect(canvas.box, _GROUND)
        if self._view:
            shot = Canvas.from_png(self._view)
            room = Box(12, 12, canvas.width - 24, canvas.height - _FOOT - 18)
            scale = min(room.width / shot.width, room.height / shot.height)
            shown = shot.scaled(round(shot.width * scale), round(shot.height * scale))
            x = room.x + (room.width - shown.width) // 2
            canvas.rect((x - 1, room.y - 1, shown.width + 2, shown.height + 2), WHITE, radius=2)
            canvas.paste(shown, x, room.y)
        words = f"> {self._command}" if self._command else "a new page"
        canvas.text(fit(words, canvas.width - 24, size=14), 12, canvas.height - _FOOT + 4, size=14, color=_SOFT)
