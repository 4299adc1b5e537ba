"""The sections of the inspector: each draws itself in a box, as much as has room there, and says how high that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homebody.agents.record import BY_MODEL, StepRecord
from homebody.envs.canvas import Box, Canvas, Color, fit, line_height, measure, wrap
from homebody.evolution.reports import decision
from homebody.scripts.view.details import decided, outcome, shares
from homebody.scripts.view.mark import SIDE, mark
from homebody.scripts.view.replay import Moment
from homebody.scripts.view.theme import BAD, CARD, CHANGE, CHOSEN, DARK, EDGE, GOOD, MODEL, OTHER, QUIET, TINT, Measures
from homebody.scripts.view.who import draw_chip

Section = tuple[int, Callable[[Canvas, Box], int]]
"""Least height in pixels, and what draws it in a box and returns the height used."""


def heading(m: Measures, canvas: Canvas, box: Box, title: str, note: str = "") -> int:
    """Draw the title of a section, and a note on the right where there is room; return the height used."""
    right = canvas.text(title, box.x, box.y, size=m.small, bold=True, color=QUIET).right + m.px(8)
    if note and box.right - right > m.px(40):
        canvas.text(fit(note, box.right - right, size=m.px(12)), box.right, box.y + 1, size=m.px(12), color=QUIET, align="right")
    return m.line + 2


def choice(m: Measures, moment: Moment, *, is_by_model: bool) -> Section:
    """Return the section of what was chosen, by whom, and the outcome."""
    entry = moment.entry
    if entry is None:
        return m.px(62), lambda canvas, box: _words(m, canvas, box, "The episode begins", moment.observation)
    lines: list[tuple[str, Color]] = [(outcome(moment), outcome_color(moment))]
    if is_by_model and (twin := decision.twin(entry)):
        lines.insert(0, (f"without the model: {twin}", QUIET))
    if adapted := entry.adapted:
        n = len(adapted["patch"])
        lines.append((f"adapted by {adapted['rule']} ({adapted['signal']}): {n} {'edit' if n == 1 else 'edits'}", CHANGE))
    size, chip = m.px(18), m.px(26) if is_by_model else 0

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, "Chosen", f"step {entry.step}, from {entry.offered} of {entry.admissible}")
        below = chip + m.line * len(lines)
        most = 2 if used + 2 * line_height(size) + below <= box.height else 1
        command = wrap(entry.command or "(nothing)", box.width, size=size, bold=True)
        for line in [*command[: most - 1], " ".join(command[most - 1 :])] if len(command) > most else command:
            canvas.text(fit(line, box.width, size=size, bold=True), box.x, box.y + used, size=size, bold=True)
            used += line_height(size)
        if chip:
            draw_chip(m, canvas, Box(box.x, box.y + used + m.px(2), box.width, m.px(21)), *decided(moment))
            used += chip
        for text, color in lines[: max(0, (box.height - used) // m.line)]:
            bold = color != QUIET
            canvas.text(fit(text, box.width, size=m.small, bold=bold), box.x, box.y + used + 1, size=m.small, color=color, bold=bold)
            used += m.line
        return used

    return m.px(44) + chip + m.line * len(lines), draw


def wrote(m: Measures, entry: StepRecord) -> Section | None:
    """Return the section of what the model thought and wrote; None where it wrote the command alone."""
    thought, reply = decision.thought(entry), decision.reply(entry)
    if not thought and not reply:
        return None
    pad = m.px(8)

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, "The model thought" + (" and wrote" if reply else "") if thought else "The model wrote")
        inner = Box(box.x + pad + 3, box.y + used + pad // 2, box.width - 2 * pad - 3, box.height - used - pad)
        most = max(1, inner.height // m.line)
        answer = _wrapped(m, reply, inner.width)
        # The end of an answer has the command, and some of the thought is shown in any case.
        answer = answer[-max(1, most - (2 if thought else 0)) :]
        ideas = _shortened(m, _wrapped(m, thought, inner.width), most - len(answer), inner.width)
        shown = [(line, QUIET) for line in ideas] + [(line, DARK) for line in answer]
        height = len(shown) * m.line
        canvas.rect((box.x, box.y + used, box.width, height + pad), TINT, radius=4)
        canvas.rect((box.x, box.y + used, 3, height + pad), MODEL, radius=1)
        for number, (line, color) in enumerate(shown):
            canvas.text(line, inner.x, inner.y + number * m.line, size=m.small, color=color)
        return used + height + pad

    return m.line * 3 + 2 + pad, draw


def _wrapped(m: Measures, text: str, width: int) -> list[str]:
    return [part for line in text.splitlines() for part in wrap(line, width, size=m.small)]


def _shortened(m: Measures, lines: list[str], most: int, width: int) -> list[str]:
    """Return as many lines as there is room for, the last one marked where some are left out."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], fit(f"{lines[most - 1]} {lines[most]}", width, size=m.small)] if most > 0 else []


def outcome_color(moment: Moment) -> Color:
    """Return the colour of what came of a command."""
    if moment.entry is not None and moment.entry.tool:
        return DARK
    return BAD if moment.is_refused else GOOD


def bars(m: Measures, entry: StepRecord, how: str) -> Section:
    """Return the section of the candidates with their scores."""
    chosen = CHOSEN if entry.decided_by in BY_MODEL else EDGE

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, "Candidates", how)
        if not entry.scores:
            none = Box(box.x, box.y + used, box.width, m.line)
            return used + canvas.paragraph("no scores: nothing was compared", none, size=m.small, color=QUIET)
        step, pad = m.px(24), m.px(7)
        for (command, score), share in zip(entry.scores, shares(entry.method, entry.scores), strict=True):
            if used + step > box.height:
                break
            is_chosen = command == entry.scores[0][0]
            row = Box(box.x, box.y + used, box.width, step - 3)
            canvas.rect(row, CARD, radius=3)
            canvas.rect((row.x, row.y, max(3, round(share * row.width)), row.height), chosen if is_chosen else OTHER, radius=3)
            number = f"{score:+.2f}"
            left = row.right - measure(number, size=m.small, bold=is_chosen)[0] - pad
            canvas.text(number, left, row.y + 2, size=m.small, bold=is_chosen)
            room = left - row.x - 2 * pad
            canvas.text(fit(command, room, size=m.small, bold=is_chosen), row.x + pad, row.y + 2, size=m.small, bold=is_chosen)
            used += step
        return used

    return m.px(60), draw


def past(m: Measures, moments: Sequence[Moment], *, is_by_model: bool) -> Section:
    """Return the section of the commands so far: the last at the bottom, as many as there is room for."""

    def draw(canvas: Canvas, box: Box) -> int:
        most = (box.height - m.line - 2) // m.line
        if most < 2 or not moments:
            return 0
        used = heading(m, canvas, box, "So far")
        for moment in moments[-most:]:
            entry = moment.entry
            assert entry is not None
            y = box.y + used
            right = canvas.text(f"{entry.step}", box.x + m.px(18), y, size=m.small, color=QUIET, align="right").right + m.px(6)
            if is_by_model:
                canvas.paste(mark(entry.decided_by), right, y + (m.line - SIDE) // 2)
                right += SIDE + m.px(6)
            note = "" if entry.accepted and not entry.tool else outcome(moment).partition(",")[0]
            edge = box.right - measure(note, size=m.small)[0]
            canvas.text(note, edge, y, size=m.small, color=outcome_color(moment))
            canvas.text(fit(entry.command or "(nothing)", edge - right - 8, size=m.small), right, y, size=m.small)
            used += m.line
        return used

    return 0, draw


def listed(m: Measures, title: str, lines: Sequence[tuple[str, str]], least: int) -> Section:
    """Return a section of lines, as many as fit, each with its note on the right where there is room for that."""

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, title)
        most = max(1, (box.height - used) // m.line)
        shown = lines if len(lines) <= most else [*lines[: most - 1], (f"and {len(lines) - most + 1} more", "")]
        for number, (line, note) in enumerate(shown):
            y = box.y + used + number * m.line
            right = canvas.text(fit(line, box.width, size=m.small), box.x, y, size=m.small).right
            if note and right + m.pad + measure(note, size=m.px(12))[0] <= box.right:
                canvas.text(note, box.right, y + 1, size=m.px(12), color=QUIET, align="right")
        return used + len(shown) * m.line

    return m.px(least), draw


def tail(m: Measures, title: str, lines: Sequence[str]) -> Section:
    """Return the section of the last of some lines, as many as fit."""
    pad = m.px(8)

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, title)
        most = max(1, (box.height - used - 6) // m.line)
        shown = [part for line in lines for part in (wrap(line, box.width - 2 * pad, size=m.small) or [""])][-most:]
        canvas.rect((box.x, box.y + used, box.width, len(shown) * m.line + 6), CARD, radius=4)
        for number, line in enumerate(shown):
            canvas.text(line, box.x + pad, box.y + used + 3 + number * m.line, size=m.small)
        return used + len(shown) * m.line + 6

    return m.px(86), draw


def _words(m: Measures, canvas: Canvas, box: Box, title: str, text: str) -> int:
    """Draw a text below a title, as much as fits."""
    used = heading(m, canvas, box, title)
    return used + canvas.paragraph(text, Box(box.x, box.y + used, box.width, box.height - used), size=m.small)
