"""A page of a browser as a picture: its screenshot, with what was done last below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from homebody.envs.canvas import WHITE, Box, Canvas, check_size, fit

LEAST_SIZE: Final = (320, 300)
"""Smallest width and height of a picture, in pixels."""
_FOOT: Final = 30
_GROUND: Final = (236, 239, 241)
_SOFT: Final = (84, 95, 107)


class PagePicture:
    """Draws screenshots.

    Args:
        size: Width and height in pixels, at least `LEAST_SIZE`.

    Raises:
        CanvasSizeError: The size is not possible.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = check_size(size, LEAST_SIZE)
        self.forget()

    def forget(self) -> None:
        """Begin again: no page was shown."""
        self._png, self._command = b"", ""

    def see(self, view: bytes, command: str = "", answer: str = "", step: int = 0, *, won: bool = False) -> None:
        """Turn to a screenshot.

        Args:
            view: The page as PNG.
            command: What led here; empty if nothing did.
            answer: The observation, which the picture shows in its own way.
            step: How many commands were given so far.
            won: Whether the task is won.
        """
        self._png, self._command = view, command

    def walk(self, n_frames: int) -> Iterator[None]:
        """Show the page at once."""
        yield

    def draw(self, canvas: Canvas) -> None:
        """Draw the page as large as it fits, over the whole canvas."""
        canvas.rect(canvas.box, _GROUND)
        if self._png:
            shot = Canvas.from_png(self._png)
            room = Box(12, 12, canvas.width - 24, canvas.height - _FOOT - 18)
            scale = min(room.width / shot.width, room.height / shot.height)
            shown = shot.scaled(round(shot.width * scale), round(shot.height * scale))
            x = room.x + (room.width - shown.width) // 2
            canvas.rect((x - 1, room.y - 1, shown.width + 2, shown.height + 2), WHITE, radius=2)
            canvas.paste(shown, x, room.y)
        words = f"> {self._command}" if self._command else "a new page"
        canvas.text(fit(words, canvas.width - 24, size=14), 12, canvas.height - _FOOT + 4, size=14, color=_SOFT)

    def at(self, x: int, y: int) -> str:
        """Nothing has a name."""
        return ""
