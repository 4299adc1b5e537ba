"""What stands above and below the plan: the task and the step; the last command, the hand, and what is here.

Knows texts and things to show, and no house.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import INK, WHITE, Box, Canvas, fit, line_height, measure, wrap
from homebody.envs.household.picture.art import CARD, DONE, PAPER, QUIET, TARGET, WALL_COLOR, WANTED, Measures, show_thing

_HEADER: Final = 58
FOOTER: Final = 128
"""Heights in a picture of 960x720, in pixels; the header of a task of one line."""
_TITLE, _SMALL_TITLE = 19, 13
_MOST_LINES: Final = 3
"""Of a task sentence."""


@dataclass(frozen=True)
class Shown:
    """A thing to show with its name."""

    type: str
    name: str
    marks: tuple[str, ...]
    is_wanted: bool


def header_height(at: Measures, goal: str, width: int) -> int:
    """Return the height of a header in pixels: what people say is longer than ALFWorld's own sentences, and takes up to three lines."""
    size, lines = _task_lines(at, goal, width)
    return at.px(_HEADER) + _more(at, size, lines)


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
    pad, small = at.px(14), at.text(12)
    chip = f"step {step}: done" if won else f"step {step}"
    width = measure(chip, size=at.text(15), bold=True)[0] + 2 * at.px(12)
    box = Box(canvas.width - width - pad, at.px(9), width, line_height(at.text(15)) + at.px(8))
    canvas.rect(box, DONE if won else WALL_COLOR, radius=box.height // 2)
    canvas.text(chip, box.center[0], box.y + at.px(4), size=at.text(15), bold=True, color=WHITE, align="center")
    size, lines = _task_lines(at, goal, canvas.width)
    for n, line in enumerate(lines):
        canvas.text(fit(line, box.x - 2 * pad, size=size, bold=True), pad, at.px(7) + n * line_height(size), size=size, bold=True)
    y = at.px(10) + line_height(at.text(_TITLE)) + _more(at, size, lines)
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


def _task_lines(at: Measures, goal: str, width: int) -> tuple[int, list[str]]:
    """Return how large the letters of the task are, and its lines: smaller letters first, then more lines, and an ellipsis at last."""
    goal = " ".join(goal.split())
    goal = goal[:1].upper() + goal[1:]
    room = width - 3 * at.px(14) - measure("step 50: done", size=at.text(15), bold=True)[0] - 2 * at.px(12)
    for size in (at.text(_TITLE), at.text(16), at.text(_SMALL_TITLE)):
        if measure(goal, size=size, bold=True)[0] <= room:
            return size, [goal]
    size = at.text(_SMALL_TITLE)
    lines = wrap(goal, room, size=size, bold=True)
    return size, [*lines[: _MOST_LINES - 1], *([" ".join(lines[_MOST_LINES - 1 :])] if len(lines) >= _MOST_LINES else [])]


def _more(at: Measures, size: int, lines: Sequence[str]) -> int:
    """Return the pixels that the lines of a task take beyond those of one in large letters."""
    return max(0, len(lines) * line_height(size) - line_height(at.text(_TITLE)))


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
