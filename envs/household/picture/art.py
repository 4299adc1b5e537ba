"""Colours and measures of the picture, each in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import SMALLEST_TEXT, Canvas, Color
from homebody.envs.household.picture import icons

PAPER: Final[Color] = (255, 255, 255)
CARD: Final[Color] = (243, 245, 248)
WALL_COLOR: Final[Color] = (70, 80, 94)
WINDOW: Final[Color] = (196, 224, 240)
QUIET: Final[Color] = (87, 96, 106)
"""Text of less weight: contrast 5.8:1 on a card."""
WANTED: Final[Color] = (213, 94, 0)
"""Around a thing of the type that the task asks for."""
TARGET: Final[Color] = (0, 98, 158)
"""Under the label of a place that the task asks for; white text on it has a contrast of 6.5:1."""
HERE: Final[Color] = (0, 114, 178)
"""Around the place where the agent stands, and its way there."""
DONE: Final[Color] = (0, 112, 82)
"""Where the goal holds; white text on it has a contrast of 6.2:1."""

FLOORS: Final[dict[str, tuple[Color, Color]]] = {
    "kitchen": ((246, 243, 236), (238, 233, 223)),
    "bathroom": ((238, 245, 248), (226, 237, 242)),
    "bedroom": ((246, 238, 226), (237, 226, 210)),
    "living room": ((245, 239, 229), (236, 227, 213)),
    "room": ((244, 244, 242), (235, 235, 232)),
}
"""Ground and pattern of the floor of each kind of room."""


@dataclass(frozen=True)
class Measures:
    """Sizes that grow with the picture."""

    scale: float
    """1 for a picture of 960x720."""

    def px(self, at_960: float) -> int:
        """Return a length."""
        return max(1, round(at_960 * self.scale))

    def text(self, at_960: int) -> int:
        """Return the size of a text: never too small to read."""
        return max(SMALLEST_TEXT, round(at_960 * self.scale))


def show_thing(canvas: Canvas, type_: str, marks: tuple[str, ...], x: int, y: int, size: int, *, is_wanted: bool) -> None:
    """Draw a thing with the marks of its state in its corners.

    Args:
        canvas: Where to draw.
        type_: Class name.
        marks: Names of its states.
        x: Left edge.
        y: Top edge.
        size: Of its square, in pixels.
        is_wanted: Whether it is of the type that the task asks for.
    """
    if is_wanted:
        canvas.rect((x - 2, y - 2, size + 4, size + 4), (255, 240, 226), radius=4)
        canvas.rect((x - 2, y - 2, size + 4, size + 4), WANTED, radius=4, border=2)
    canvas.paste(icons.icon(type_, size), x, y)
    side = max(9, round(size * 0.42))
    corners = ((x + size - side + 2, y - 2), (x - 2, y - 2), (x + size - side + 2, y + size - side + 2), (x - 2, y + size - side + 2))
    for name, (left, top) in zip(marks, corners, strict=False):
        canvas.paste(icons.mark(name, side), left, top)
