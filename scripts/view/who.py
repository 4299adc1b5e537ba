"""Who decided, drawn: a chip for a step, and a bar of shares for the steps so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from homebody.agents.record import DECIDED_BY
from homebody.envs.canvas import WHITE, Box, Canvas, Color, fit, line_height, measure
from homebody.scripts.view.mark import SIDE, mark
from homebody.scripts.view.theme import BAD, CHOSEN, DARK, IDLE, MODEL, QUIET, TINT, Measures

GROUNDS: Final[Mapping[str, tuple[Color, Color]]] = {
    "model": (MODEL, WHITE), "agreed": (MODEL, WHITE), "reading": (TINT, MODEL), "harness": (DARK, WHITE), "fallback": (BAD, WHITE),
}  # fmt: skip
"""Ground and text by who decided."""
PARTS: Final[Mapping[str, Color]] = {
    "model": MODEL, "agreed": (86, 150, 205), "reading": CHOSEN, "harness": IDLE, "fallback": BAD,
}  # fmt: skip
"""Colours of the shares, by who decided."""


def draw_chip(m: Measures, canvas: Canvas, box: Box, who: str, marks: str) -> None:
    """Draw who decided, and beside it the margin."""
    ground, color = GROUNDS[who]
    width = measure(who, size=m.small, bold=True)[0] + m.px(18)
    canvas.rect((box.x, box.y, width, box.height), ground, radius=box.height // 2)
    y = box.y + (box.height - line_height(m.small)) // 2
    canvas.text(who, box.x + width // 2, y, size=m.small, bold=True, color=color, align="center")
    left = box.x + width + m.px(8)
    canvas.text(fit(marks, box.right - left, size=m.small), left, y, size=m.small, color=QUIET)


def share_rows(m: Measures, counts: Mapping[str, int], width: int) -> list[list[tuple[str, str]]]:
    """Return who decided and how many steps, in rows of a width: each as the name and what is written."""
    rows: list[list[tuple[str, str]]] = [[]]
    x = 0
    for name in DECIDED_BY:
        if counts.get(name):
            words = f"{counts[name]} {name}"
            length = measure(words, size=m.px(12))[0] + SIDE + m.px(16)
            if rows[-1] and x + length - m.px(12) > width:
                rows, x = [*rows, []], 0
            rows[-1].append((name, words))
            x += length
    return rows


def draw_shares(m: Measures, canvas: Canvas, box: Box, counts: Mapping[str, int]) -> None:
    """Draw who decided the steps so far: a bar of the shares, and below it what its colours mean."""
    done = x = 0
    for name in DECIDED_BY:
        done += counts.get(name, 0)
        right = round(box.width * done / sum(counts.values()))
        canvas.rect((box.x + x, box.y, right - x, m.px(7)), PARTS[name])
        x = right
    y = box.y + m.px(11)
    for row in share_rows(m, counts, box.width):
        x = box.x
        for name, words in row:
            canvas.paste(mark(name), x, y + (line_height(m.px(12)) - SIDE) // 2)
            x = canvas.text(words, x + SIDE + m.px(4), y, size=m.px(12), color=QUIET).right + m.px(12)
        y += m.line
