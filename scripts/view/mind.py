"""The mind panel: the words of `thought`, laid out in columns with the candidates as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from homebody.envs.canvas import INK, WHITE, Box, Canvas, Color, fit, line_height, measure, wrap
from homebody.scripts.view.look import BAD, CARD, CHANGE, CHOSEN, DARK, EDGE, GOOD, OTHER, PAPER, QUIET
from homebody.scripts.view.reel import Moment, Reel
from homebody.scripts.view.thought import cost, how, knowledge, outcome, prompt_lines, shares, work_lines


@dataclass(frozen=True)
class Measures:
    """Sizes of the panel, which grow with the board."""

    scale: float = 1.0
    """1 for a board of 960x720."""

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


_COLUMN: Final = 300
"""Least width of a column at scale 1, in pixels."""

Section = tuple[int, Callable[[Canvas, Box], int]]
"""Least height in pixels, and what draws it in a box and returns the height used."""


def draw_title(canvas: Canvas, reel: Reel, at: int, scale: float = 1.0) -> None:
    """Draw who plays, and at the end how it ended, over the whole canvas, which is one line high."""
    m = Measures(scale)
    canvas.rect(canvas.box, PAPER)
    right = canvas.width - m.pad
    if reel.end is not None and at >= reel.last:
        size = m.px(14)
        words = fit(reel.end.words, canvas.width // 2, size=size, bold=True)
        width, height = measure(words, size=size, bold=True)[0] + m.px(20), line_height(size) + m.px(8)
        chip = Box(right - width, (canvas.height - height) // 2, width, height)
        canvas.rect(chip, GOOD if reel.end.won else BAD, radius=height // 2)
        canvas.text(words, chip.center[0], chip.y + m.px(4), size=size, bold=True, color=WHITE, align="center")
        right = chip.x - m.px(8)
    size = m.px(16)
    y = (canvas.height - line_height(size)) // 2
    x = canvas.text(fit(reel.title, right - m.pad, size=size, bold=True), m.pad, y, size=size, bold=True).right + m.px(8)
    if right - x > m.px(60):
        whole = f"decided by {reel.policy}"
        words = whole if measure(whole, size=m.small)[0] <= right - x else fit(reel.policy, right - x, size=m.small)
        canvas.text(words, x, y + m.px(3), size=m.small, color=QUIET)


def draw_mind(canvas: Canvas, reel: Reel, at: int, scale: float = 1.0) -> None:
    """Draw the mind at a moment, over the whole canvas: in one column, or in two or three where it is wide.

    Args:
        canvas: At least 300 by 200 pixels at scale 1.
        reel: The episode.
        at: Which moment.
        scale: Of all sizes, at least 1.
    """
    m = Measures(scale)
    canvas.rect(canvas.box, PAPER)
    moment = reel.moments[min(at, reel.last)]
    foot = Box(m.pad, canvas.height - m.px(26), canvas.width - 2 * m.pad, m.line)
    canvas.line([(0, foot.y - m.px(5)), (canvas.width, foot.y - m.px(5))], EDGE)
    said = f"not as recorded: {reel.differs}" if reel.differs else cost(reel, moment, at)
    canvas.text(fit(said, foot.width, size=m.small), foot.x, foot.y, size=m.small, color=BAD if reel.differs else QUIET)
    area = Box(m.pad, m.gap, canvas.width - 2 * m.pad, foot.y - m.gap - m.px(8))
    choice, prompt = _choice(m, moment), (m.px(86), lambda c, box: _draw_tail(m, c, box, *prompt_lines(reel, moment)))
    bars = (m.px(60), lambda c, box: _draw_bars(m, c, box, moment, how(reel, moment)))
    knows: Section = (m.px(44), lambda c, box: _draw_lines(m, c, box, "What the harness knows", [(line, "") for line in knowledge(moment)]))
    work: Section = (m.px(62), lambda c, box: _draw_lines(m, c, box, "What the harness did", work_lines(reel, moment)))
    past: Section = (0, lambda c, box: _draw_past(m, c, box, reel.moments[1 : at + 1]))
    n_columns = max(1, min(3, int(canvas.width / (_COLUMN * scale))))
    columns: dict[int, list[list[Section]]] = {
        1: [[choice, bars, knows, work, prompt, past]],
        2: [[choice, bars, past], [knows, work, prompt]],
        3: [[choice, bars], [knows, work, past], [prompt]],
    }
    width = (area.width - (n_columns - 1) * 2 * m.pad) // n_columns
    for number, sections in enumerate(columns[n_columns]):
        _draw_column(m, canvas, Box(area.x + number * (width + 2 * m.pad), area.y, width, area.height), sections)


def _draw_column(m: Measures, canvas: Canvas, box: Box, sections: Sequence[Section]) -> None:
    """Draw sections below each other; where not all have room, those that come first."""
    fitting: list[Section] = []
    for section in sections:
        if not fitting or sum(least + m.gap for least, _ in [*fitting, section]) <= box.height + m.gap:
            fitting.append(section)
    y = box.y
    for number, (_, draw) in enumerate(fitting):
        reserved = sum(least + m.gap for least, _ in fitting[number + 1 :])
        used = draw(canvas, Box(box.x, y, box.width, box.bottom - y - reserved))
        y += used + m.gap if used else 0


def _heading(m: Measures, canvas: Canvas, box: Box, title: str, note: str = "") -> int:
    right = canvas.text(title, box.x, box.y, size=m.small, bold=True, color=QUIET).right + m.px(8)
    if note and box.right - right > m.px(40):
        canvas.text(fit(note, box.right - right, size=m.px(12)), box.right, box.y + 1, size=m.px(12), color=QUIET, align="right")
    return m.line + 2


def _choice(m: Measures, moment: Moment) -> Section:
    """Return the section of what was chosen and what came of it."""
    entry = moment.entry
    if entry is None:
        return m.px(62), lambda canvas, box: _draw_words(m, canvas, box, "The episode begins", moment.observation)
    lines: list[tuple[str, Color]] = [(outcome(moment), _color(moment))]
    if entry.response.strip() != entry.command:
        lines.append((f"written: {' '.join(entry.response.split()) or '(nothing)'}", QUIET))
    if adapted := entry.adapted:
        n = len(adapted["patch"])
        lines.append((f"adapted by {adapted['rule']} ({adapted['signal']}): {n} {'edit' if n == 1 else 'edits'}", CHANGE))

    size = m.px(18)

    def draw(canvas: Canvas, box: Box) -> int:
        used = _heading(m, canvas, box, "Chosen", f"step {entry.step}, from {entry.offered} of {entry.admissible}")
        for line in wrap(entry.command or "(nothing)", box.width, size=size, bold=True)[:2]:
            canvas.text(line, box.x, box.y + used, size=size, bold=True)
            used += line_height(size)
        for text, color in lines:
            bold = color != QUIET
            canvas.text(fit(text, box.width, size=m.small, bold=bold), box.x, box.y + used + 1, size=m.small, color=color, bold=bold)
            used += m.line
        return used

    return m.px(62) + m.line * len(lines), draw


def _color(moment: Moment) -> Color:
    """Return the colour of what came of a command."""
    if moment.entry is not None and moment.entry.tool:
        return DARK
    return BAD if moment.is_refused else GOOD


def _draw_bars(m: Measures, canvas: Canvas, box: Box, moment: Moment, how: str) -> int:
    entry = moment.entry
    if entry is None:
        return 0
    used = _heading(m, canvas, box, "Candidates", how)
    scores = entry.scores
    if not scores:
        return used + canvas.paragraph(
            "no scores: nothing was compared", Box(box.x, box.y + used, box.width, m.line), size=m.small, color=QUIET
        )
    step, pad = m.px(24), m.px(7)
    for (command, score), share in zip(scores, shares(entry.method, scores), strict=True):
        if used + step > box.height:
            break
        is_chosen = command == scores[0][0]
        row = Box(box.x, box.y + used, box.width, step - 3)
        canvas.rect(row, CARD, radius=3)
        canvas.rect((row.x, row.y, max(3, round(share * row.width)), row.height), CHOSEN if is_chosen else OTHER, radius=3)
        number = f"{score:+.2f}"
        left = row.right - measure(number, size=m.small, bold=is_chosen)[0] - pad
        canvas.text(number, left, row.y + 2, size=m.small, bold=is_chosen)
        canvas.text(
            fit(command, left - row.x - 2 * pad, size=m.small, bold=is_chosen), row.x + pad, row.y + 2, size=m.small, bold=is_chosen
        )
        used += step
    return used


def _draw_past(m: Measures, canvas: Canvas, box: Box, moments: Sequence[Moment]) -> int:
    """Draw the commands so far, the last at the bottom, as many as there is room for."""
    most = (box.height - m.line - 2) // m.line
    if most < 2 or not moments:
        return 0
    used = _heading(m, canvas, box, "So far")
    for moment in moments[-most:]:
        entry = moment.entry
        assert entry is not None
        right = canvas.text(f"{entry.step}", box.x + m.px(18), box.y + used, size=m.small, color=QUIET, align="right").right + m.px(8)
        note = "" if entry.accepted and not entry.tool else outcome(moment).partition(",")[0]
        edge = box.right - measure(note, size=m.small)[0]
        canvas.text(note, edge, box.y + used, size=m.small, color=_color(moment))
        canvas.text(fit(entry.command or "(nothing)", edge - right - 8, size=m.small), right, box.y + used, size=m.small)
        used += m.line
    return used


def _draw_lines(m: Measures, canvas: Canvas, box: Box, title: str, lines: Sequence[tuple[str, str]]) -> int:
    """Draw lines below a title, as many as fit, each with its note on the right where there is room for that."""
    if not lines:
        return 0
    used = _heading(m, canvas, box, title)
    most = max(1, (box.height - used) // m.line)
    shown = lines if len(lines) <= most else [*lines[: most - 1], (f"and {len(lines) - most + 1} more", "")]
    for number, (line, note) in enumerate(shown):
        y = box.y + used + number * m.line
        right = canvas.text(fit(line, box.width, size=m.small), box.x, y, size=m.small, color=INK).right
        if note and right + m.pad + measure(note, size=m.px(12))[0] <= box.right:
            canvas.text(note, box.right, y + 1, size=m.px(12), color=QUIET, align="right")
    return used + len(shown) * m.line


def _draw_words(m: Measures, canvas: Canvas, box: Box, title: str, text: str) -> int:
    """Draw a text below a title, as much as fits."""
    used = _heading(m, canvas, box, title)
    return used + canvas.paragraph(text, Box(box.x, box.y + used, box.width, box.height - used), size=m.small)


def _draw_tail(m: Measures, canvas: Canvas, box: Box, title: str, lines: Sequence[str]) -> int:
    """Draw the last of some lines below a title, as many as fit."""
    if not lines:
        return 0
    used = _heading(m, canvas, box, title)
    pad = m.px(8)
    most = max(1, (box.height - used - 6) // m.line)
    shown = [part for line in lines for part in (wrap(line, box.width - 2 * pad, size=m.small) or [""])][-most:]
    canvas.rect((box.x, box.y + used, box.width, len(shown) * m.line + 6), CARD, radius=4)
    for number, line in enumerate(shown):
        canvas.text(line, box.x + pad, box.y + used + 3 + number * m.line, size=m.small)
    return used + len(shown) * m.line + 6
