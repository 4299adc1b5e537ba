"""Marks of moments: each kind has a shape of its own, and not only a colour."""

from __future__ import annotations

from functools import cache
from typing import Final

from homebody.envs.canvas import INK, WHITE, Canvas
from homebody.scripts.view.replay import Moment
from homebody.scripts.view.theme import BAD, CHANGE, DARK, GOOD, MODEL

SIDE: Final = 14
"""Side of a mark's square, in pixels."""
_HERE: Final = 22
"""Side of the ring around the present moment, in pixels."""


def draw_mark(canvas: Canvas, x: float, y: float, moment: Moment) -> None:
    """Draw the mark of a moment around a point: the outcome, else who decided."""
    entry = moment.entry
    kinds = []
    if entry is not None and entry.adapted is not None:
        kinds.append("adapted")
    if moment.won or moment.is_refused:
        kinds.append("won" if moment.won else "refused and adapted" if kinds else "refused")
    for kind in kinds or [entry.decided_by if entry is not None else "harness"]:
        canvas.paste(mark(kind), round(x) - SIDE // 2, round(y) - SIDE // 2)


def draw_here(canvas: Canvas, x: float, y: float) -> None:
    """Draw the ring around the mark of the present moment."""
    canvas.paste(mark("here").scaled(_HERE, _HERE), round(x) - _HERE // 2, round(y) - _HERE // 2)


@cache
def mark(kind: str) -> Canvas:
    """Return a mark: drawn large and made small, for smooth edges."""
    side = 4 * SIDE
    canvas = Canvas(side, side, None)
    middle = (side / 2, side / 2)
    if kind == "won":
        canvas.circle(middle, 26, GOOD)
        canvas.line([(16, 29), (25, 38), (41, 19)], WHITE, 6)
    elif kind == "refused":
        canvas.line([(11, 11), (45, 45)], BAD, 11)
        canvas.line([(11, 45), (45, 11)], BAD, 11)
    elif kind == "refused and adapted":
        canvas.line([(19, 19), (37, 37)], WHITE, 8)
        canvas.line([(19, 37), (37, 19)], WHITE, 8)
    elif kind == "adapted":
        canvas.polygon([(28, 2), (54, 28), (28, 54), (2, 28)], CHANGE)
    elif kind == "here":
        canvas.circle(middle, 27, INK, border=7)
        return canvas
    elif kind in ("model", "agreed"):
        canvas.circle(middle, 24, MODEL)
    elif kind == "reading":
        canvas.circle(middle, 22, WHITE)
        canvas.circle(middle, 22, MODEL, border=9)
    elif kind == "fallback":
        canvas.polygon([(28, 6), (52, 48), (4, 48)], BAD)
    else:
        canvas.circle(middle, 12, DARK)
    return canvas.scaled(SIDE, SIDE)
