"""Colours and sizes of the panels, each in one place.

Every text colour has a contrast of at least 4.5:1 on its grounds; a test computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import Color

PAPER: Final[Color] = (255, 255, 255)
CARD: Final[Color] = (243, 245, 248)
EDGE: Final[Color] = (205, 211, 218)
QUIET: Final[Color] = (87, 96, 106)
"""Text of less weight, on paper and cards."""
GOOD: Final[Color] = (0, 112, 82)
"""Done, accepted: text on paper and cards, and ground of white text."""
BAD: Final[Color] = (170, 68, 0)
"""Refused, lost: likewise."""
CHANGE: Final[Color] = (122, 54, 118)
"""The harness changed itself: likewise."""
DARK: Final[Color] = (70, 80, 94)
"""Ground of white text."""
MODEL: Final[Color] = (0, 92, 158)
"""The language model, and what it decided: text on paper and on `TINT`, and ground of white text."""
TINT: Final[Color] = (231, 242, 251)
"""Ground of what the model was asked, and of what follows an earlier answer of it."""
IDLE: Final[Color] = (176, 184, 194)
"""What the harness decided, in bars: ground of text in ink."""
CHOSEN: Final[Color] = (150, 203, 236)
OTHER: Final[Color] = (219, 230, 239)
"""Bars: grounds of text in ink."""


@dataclass(frozen=True)
class Measures:
    """Sizes of the panel, which grow with the layout."""

    scale: float = 1.0
    """1 for a layout of 960x720."""

    def px(self, at_1: int) -> int:
        """Return a length or the size of a text, in pixels."""
        return round(at_1 * self.scale)

    @property
    def small(self) -> int:
        """Size of the usual text."""
        return self.px(13)

    @property
    def line(self) -> int:
        """Height of a line of it."""
        return self.px(18)

    @property
    def gap(self) -> int:
        """Between two sections."""
        return self.px(10)

    @property
    def pad(self) -> int:
        """Beside a column."""
        return self.px(12)
