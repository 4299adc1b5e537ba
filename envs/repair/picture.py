"""A program under repair as a picture: its lines, those that differ from the faulty program, and what was said last."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import INK, SMALLEST_TEXT, WHITE, Box, Canvas, Color, fit, line_height, wrap
from homebody.envs.still_picture import StillPicture

LEAST_SIZE: Final = (320, 240)
"""Smallest width and height of a picture, in pixels."""
_PAD: Final = 14
_HEADING: Final = 17
_CODE: Final = 15
_QUIET: Final[Color] = (120, 126, 136)
_CHANGED: Final[Color] = (255, 243, 205)
_GOOD: Final[Color] = (28, 122, 70)
_BAD: Final[Color] = (176, 42, 48)
_RULE: Final[Color] = (222, 225, 230)
_MOST_SAID: Final = 8
"""Lines of what was said last."""


@dataclass(frozen=True)
class Sheet:
    """What is to be drawn."""

    goal: str
    program: str
    faulty: str
    """The program at the beginning: lines that it does not have are marked."""


def changed_lines(program: str, faulty: str) -> set[int]:
    """Return the numbers, from 1, of the lines of a program that differ from the faulty one."""
    now, then = program.split("\n"), faulty.split("\n")
    blocks = difflib.SequenceMatcher(None, then, now, autojunk=False).get_opcodes()
    return {line + 1 for tag, _, _, first, last in blocks if tag != "equal" for line in range(first, last)}


class RepairPicture(StillPicture[Sheet]):
    """Draws sheets: the goal, the program, and what was said last."""

    least = LEAST_SIZE

    def draw(self, canvas: Canvas) -> None:
        """Draw over the whole canvas: the goal, the program, and below them what was said last; nothing where nothing was seen."""
        canvas.rect(canvas.box, WHITE)
        sheet = self._view
        if sheet is None:
            return
        width = canvas.width - 2 * _PAD
        top = canvas.text(fit(sheet.goal, width, size=_HEADING, bold=True), _PAD, _PAD, size=_HEADING, bold=True).bottom + 8
        said = self._said(sheet, width)
        bottom = canvas.height - _PAD - len(said) * line_height(_CODE)
        self._program(canvas, sheet, top, bottom - 14)
        canvas.line([(_PAD, bottom - 8), (canvas.width - _PAD, bottom - 8)], _RULE)
        for number, (text, color, bold) in enumerate(said):
            canvas.text(text, _PAD, bottom + number * line_height(_CODE), size=_CODE, color=color, bold=bold)

    def _said(self, sheet: Sheet, width: int) -> list[tuple[str, Color, bool]]:
        """Return the last command and its answer as lines; a program in them is not said twice."""
        lines: list[tuple[str, Color, bool]] = []
        if self._command:
            lines.append((fit(f"> {self._command.splitlines()[0]}", width, size=_CODE, bold=True), INK, True))
        shown = {line.strip() for line in sheet.program.split("\n")}
        for line in self._answer.split("\n"):
            code = line.lstrip(" 0123456789")
            if line.strip() and not (code.strip() in shown and line.strip()[0].isdigit()):
                color = _GOOD if line.endswith("tests pass.") else _BAD if "tests fail" in line else INK
                lines += [(part, color, False) for part in wrap(line, width, size=_CODE)]
        return lines[: _MOST_SAID + 1]

    def _program(self, canvas: Canvas, sheet: Sheet, top: int, bottom: int) -> None:
        """Draw the lines with their numbers, smaller where there are many; what does not fit is told of."""
        lines = sheet.program.split("\n")
        sizes = range(_CODE, SMALLEST_TEXT - 1, -1)
        size = next((size for size in sizes if len(lines) * line_height(size) <= bottom - top), SMALLEST_TEXT)
        most, step = max(1, (bottom - top) // line_height(size)), line_height(size)
        changed, left = changed_lines(sheet.program, sheet.faulty), _PAD + 3 * size
        cut = len(lines) > most
        for number, line in enumerate(lines[: most - 1 if cut else most], 1):
            y = top + (number - 1) * step
            if number in changed:
                canvas.rect(Box(_PAD, y, canvas.width - 2 * _PAD, step), _CHANGED)
            canvas.text(str(number), left - size, y, size=size, color=_QUIET, align="right")
            # The font is no typewriter's: an indentation is as wide as it would be there.
            x = left + round(0.6 * size * (len(line) - len(line.lstrip())))
            text = fit(line.strip(), max(1, canvas.width - _PAD - x), size=size, bold=number in changed)
            canvas.text(text, x, y, size=size, bold=number in changed)
        if cut:
            canvas.text(f"and {len(lines) - most + 1} more lines", left, top + (most - 1) * step, size=size, color=_QUIET)
