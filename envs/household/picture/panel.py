"""What stands above and below the plan: the task and the step; the last command, the hand, and what is here.

Knows texts and things to show, and no house.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import INK, WHITE, Box, Canvas, fit, line_height, measure
from homebody.envs.household.picture.look import CARD, DONE, PAPER, QUIET, TARGET, WALL_COLOR, WANTED, Measures, show_thing

HEADER: Final = 58
FOOTER: Final = 128
"""Heights in a picture of 960x720, in pixels."""


@dataclass(frozen=True)
class Shown:
    """A thing to show with its name."""

    type: str
    name: str
    marks: tuple[str, ...]
    is_wanted: bool


def draw_header(canvas: Canvas, at: Measures, goal: str, step: int, *, won: bool, has_target: bool) -> None:
    """Draw the task, what its colours mean, and the step, over the whole canvas.

    Args:
        canvas: Where to draw.
        at: Sizes.
        goal: The task sentence.
        step: How many commands were given.
        won: Whether the goal holds.
        has_target: Whether the task asks for a place, and not only for things.
    """
    canvas.rect(canvas.box, PAPER)
    pad, title, small = at.px(14), at.text(19), at.text(12)
    chip = f"step {step}: done" if won else f"step {step}"
    width = measure(chip, size=at.text(15), bold=True)[0] + 2 * at.px(12)
    box = Box(canvas.width - width - pad, at.px(9), width, line_height(at.text(15)) + at.px(8))
    canvas.rect(box, DONE if won else WALL_COLOR, radius=box.height // 2)
    canvas.text(chip, box.center[0], box.y + at.px(4), size=at.text(15), bold=True, color=WHITE, align="center")
    goal = goal[:1].upper() + goal[1:]
    room = box.x - 2 * pad
    # What people say is longer than ALFWorld's own sentences: smaller letters before any are cut.
    size = next((size for size in (title, at.text(16), at.text(13)) if measure(goal, size=size, bold=True)[0] <= room), at.text(13))
    canvas.text(fit(goal, room, size=size, bold=True), pad, at.px(7), size=size, bold=True)
    y = at.px(10) + line_height(title)
    x = pad
    side = small - 2
    named = ((WANTED, "what to bring", False), (TARGET, "where to", True)) if has_target else ((WANTED, "what the task names", False),)
    for color, words, is_filled in named:
        swatch = Box(x, y + 2, side, side)
        canvas.rect(swatch, color, radius=3, border=0 if is_filled else 2)
        x = canvas.text(words, swatch.right + at.px(5), y, size=small, color=QUIET).right + at.px(14)
    if x + measure("? not looked into yet", size=small)[0] < box.x:
        x = canvas.text("?", x, y, size=small, color=QUIET, bold=True).right + at.px(5)
        canvas.text("not looked into yet", x, y, size=small, color=QUIET)


def draw_footer(
    canvas: Canvas, at: Measures, command: str, answer: str, held: Shown | None, place: str, here: Sequence[Shown] | None
) -> None:
    """Draw the three cards below the plan, over the whole canvas.

    Args:
        canvas: Where to draw.
        at: Sizes.
        command: The last one; empty at the start.
        answer: What was said to it.
        held: What the agent holds.
        place: Where it stands, in words.
        here: What is seen there; `None` where nothing can be seen.
    """
    canvas.rect(canvas.box, PAPER)
    pad = at.px(8)
    room = canvas.width - 4 * pad
    widths = (round(room * 0.37), round(room * 0.15), room - round(room * 0.37) - round(room * 0.15))
    cards, x = [], pad
    for width in widths:
        cards.append(Box(x, pad, width, canvas.height - 2 * pad))
        x += width + pad
    _draw_words(canvas, at, _card(canvas, at, cards[0], "Last command"), command, answer)
    _draw_hand(canvas, at, _card(canvas, at, cards[1], "In hand"), held)
    _draw_here(canvas, at, _card(canvas, at, cards[2], place), here)


def _card(canvas: Canvas, at: Measures, box: Box, title: str) -> Box:
    """Draw a card with its title, and return what is left for its contents."""
    canvas.rect(box, CARD, radius=at.px(8))
    size, pad = at.text(12), at.px(9)
    canvas.text(fit(title, box.width - 2 * pad, size=size, bold=True), box.x + pad, box.y + at.px(6), size=size, color=QUIET, bold=True)
    top = box.y + at.px(8) + line_height(size)
    return Box(box.x + pad, top, box.width - 2 * pad, box.bottom - top - at.px(5))


def _draw_words(canvas: Canvas, at: Measures, box: Box, command: str, answer: str) -> None:
    size = at.text(15)
    command = fit(command or "(start)", box.width, size=size, bold=True)
    canvas.text(command, box.x, box.y, size=size, bold=True, color=INK if command != "(start)" else QUIET)
    used = line_height(size) + at.px(2)
    canvas.paragraph(answer, Box(box.x, box.y + used, box.width, box.height - used), size=at.text(13))


def _draw_hand(canvas: Canvas, at: Measures, box: Box, held: Shown | None) -> None:
    size = at.text(13)
    if held is None:
        canvas.text("nothing", box.x, box.y, size=size, color=QUIET)
        return
    side = min(at.px(46), box.height - line_height(size) - at.px(6))
    show_thing(canvas, held.type, held.marks, box.x + (box.width - side) // 2, box.y + 2, side, is_wanted=held.is_wanted)
    name = fit(held.name, box.width, size=size, bold=True)
    canvas.text(name, box.center[0], box.bottom - line_height(size), size=size, bold=True, align="center")


def _draw_here(canvas: Canvas, at: Measures, box: Box, here: Sequence[Shown] | None) -> None:
    size = at.text(12)
    if not here:
        canvas.text("nothing" if here is not None else "what is in it is not seen", box.x, box.y, size=size, color=QUIET)
        return
    side, step = size + 4, size + 10
    rows = max(1, (box.height + 6) // step)
    columns = max(1, box.width // at.px(118))
    width = box.width // columns
    n_left_out = len(here) - rows * columns
    shown = here if n_left_out <= 0 else here[: rows * columns - 1]
    for n, thing in enumerate(shown):
        x, y = box.x + n // rows * width, box.y + n % rows * step
        show_thing(canvas, thing.type, thing.marks, x + 2, y, side, is_wanted=thing.is_wanted)
        canvas.text(fit(thing.name, width - side - at.px(14), size=size), x + side + 8, y + 1, size=size)
    if n_left_out > 0:
        n = rows * columns - 1
        more = f"and {len(here) - len(shown)} more"
        canvas.text(fit(more, width, size=size), box.x + n // rows * width + 2, box.y + n % rows * step + 1, size=size, color=QUIET)
