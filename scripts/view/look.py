"""Colours of the panels, each in one place. Every text colour has a contrast of at least 4.5:1 on its grounds; a test computes them."""

from __future__ import annotations

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
CHOSEN: Final[Color] = (150, 203, 236)
OTHER: Final[Color] = (219, 230, 239)
"""Bars: grounds of text in ink."""
