"""The inspector: the words of `details`, laid out in columns of sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from homebody.envs.canvas import WHITE, Box, Canvas, fit, line_height, measure
from homebody.scripts.view.details import cost, counts, how, is_by_model, knowledge, last_asked, prompt_lines, work_lines
from homebody.scripts.view.question import asked
from homebody.scripts.view.replay import Replay
from homebody.scripts.view.section import Section, bars, choice, listed, past, tail, wrote
from homebody.scripts.view.theme import BAD, EDGE, GOOD, PAPER, QUIET, Measures
from homebody.scripts.view.who import draw_shares, share_rows

_COLUMN: Final = 300
"""Least width of a column at scale 1, in pixels."""


def draw_title(canvas: Canvas, replay: Replay, at: int, scale: float = 1.0) -> None:
    """Draw who plays, and at the end how it ended, over the whole canvas, which is two lines high."""
    m = Measures(scale)
    canvas.rect(canvas.box, PAPER)
    right = canvas.width - m.pad
    if replay.end is not None and at >= replay.last:
        size = m.px(13)
        words = fit(replay.end.words, canvas.width // 2, size=size, bold=True)
        width, height = measure(words, size=size, bold=True)[0] + m.px(20), line_height(size) + m.px(8)
        chip = Box(right - width, (canvas.height - height) // 2, width, height)
        canvas.rect(chip, GOOD if replay.end.won else BAD, radius=height // 2)
        canvas.text(words, chip.center[0], chip.y + m.px(4), size=size, bold=True, color=WHITE, align="center")
        right = chip.x - m.px(8)
    room, size = right - m.pad, m.px(13)
    canvas.text(fit(replay.title, room, size=size, bold=True), m.pad, m.px(4), size=size, bold=True)
    canvas.text(fit(f"policy {replay.policy}", room, size=m.px(12)), m.pad, m.px(21), size=m.px(12), color=QUIET)


def draw_inspector(canvas: Canvas, replay: Replay, at: int, scale: float = 1.0) -> None:
    """Draw the inspector at a moment, over the whole canvas: in one column, or in two or three where it is wide.

    Args:
        canvas: At least 300 by 200 pixels at scale 1.
        replay: The episode.
        at: Which moment.
        scale: Of all sizes, at least 1.
    """
    m = Measures(scale)
    canvas.rect(canvas.box, PAPER)
    at = min(at, replay.last)
    moment = replay.moments[at]
    area = _draw_foot(m, canvas, replay, at)
    by_model = is_by_model(replay)
    chosen = choice(m, moment, is_by_model=by_model)
    question = last_asked(replay, at)
    ask = [asked(m, question, is_now=question is moment.entry)] if question is not None else []
    written = [part] if moment.entry is not None and (part := wrote(m, moment.entry)) else []
    is_compared = moment.entry is not None and (moment.entry.scores or not written)
    candidates = [bars(m, moment.entry, how(replay, moment))] if moment.entry is not None and is_compared else []
    known, done, (title, read) = knowledge(moment), work_lines(replay, moment), prompt_lines(replay, moment)
    knows = [listed(m, "What the harness knows", [(line, "") for line in known], 44)] if known else []
    work = [listed(m, "What the harness did", done, 62)] if done else []
    prompt = [tail(m, title, read)] if read else []
    before = past(m, replay.moments[1 : at + 1], is_by_model=by_model)
    n_columns = max(1, min(3, int(canvas.width / (_COLUMN * scale))))
    columns: dict[int, list[list[Section]]] = {
        1: [[chosen, *written, *ask, *candidates, *knows, *work, *prompt, before]],
        2: [[chosen, *written, *candidates, before], [*ask, *knows, *work, *prompt]],
        3: [[chosen, *written, *candidates], [*ask, *knows, *work, before], prompt],
    }
    width = (area.width - (n_columns - 1) * 2 * m.pad) // n_columns
    for number, sections in enumerate(columns[n_columns]):
        _draw_column(m, canvas, Box(area.x + number * (width + 2 * m.pad), area.y, width, area.height), sections)


def _draw_foot(m: Measures, canvas: Canvas, replay: Replay, at: int) -> Box:
    """Draw who decided the steps so far and what the last decision cost; return the area above it."""
    width = canvas.width - 2 * m.pad
    found = counts(replay, at) if is_by_model(replay) else {}
    rows = len(share_rows(m, found, width)) if found else 0
    foot = Box(m.pad, canvas.height - m.px(26), width, m.line)
    said = f"not as recorded: {replay.differs}" if replay.differs else cost(replay, replay.moments[at], at)
    canvas.text(fit(said, foot.width, size=m.px(12)), foot.x, foot.y, size=m.px(12), color=BAD if replay.differs else QUIET)
    top = foot.y - m.px(5)
    if rows:
        top -= m.px(10) + rows * m.line
        draw_shares(m, canvas, Box(foot.x, top + m.px(6), width, foot.y - top), found)
    canvas.line([(0, top), (canvas.width, top)], EDGE)
    return Box(m.pad, m.gap, width, top - m.px(3) - m.gap)


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
