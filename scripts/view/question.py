"""What the model was asked and what it answered, as a section of the inspector."""

from __future__ import annotations

from collections.abc import Sequence

from homebody.agents.record import Question, StepRecord
from homebody.envs.canvas import WHITE, Box, Canvas, fit, measure, wrap
from homebody.evolution.reports import decision
from homebody.scripts.view.details import shares
from homebody.scripts.view.section import Section, heading
from homebody.scripts.view.theme import CHOSEN, MODEL, TINT, Measures


def asked(m: Measures, step: StepRecord, *, is_now: bool) -> Section:
    """Return the section of what the model was asked and what it answered, on a card of the model's colour.

    Args:
        m: the sizes.
        step: which has questions.
        is_now: whether it was asked for the command that is shown, and not earlier.
    """
    pad, row = m.px(8), m.px(21)
    ends = decision.conclusions(step)

    def draw(canvas: Canvas, box: Box) -> int:
        used = heading(m, canvas, box, "The model was asked", "" if is_now else f"at step {step.step}")
        inner = Box(box.x + pad + 3, box.y + used + pad // 2, box.width - 2 * pad - 3, box.height - used - pad)
        plan = _plan(m, inner, step)
        apart = m.px(5)
        texts = sum(len(lines) + 1 for lines, _ in plan) * m.line + (len(plan) - 1) * apart
        below = len(ends) * m.line + apart if ends else 0
        has_ends = texts + below <= inner.height
        height = texts + below * has_ends
        # The first question's answers are bars where there is room for two and more.
        n_bars = min(len(plan[0][1].answers), (inner.height - height + m.line) // row) if is_now else 0
        n_bars = n_bars if n_bars > 1 else 0
        height += n_bars * row - m.line if n_bars else 0
        canvas.rect((box.x, box.y + used, box.width, height + pad), TINT, radius=4)
        canvas.rect((box.x, box.y + used, 3, height + pad), MODEL, radius=1)
        y = inner.y
        for number, (lines, question) in enumerate(plan):
            for line in lines:
                canvas.text(line, inner.x, y, size=m.small)
                y += m.line
            if number == 0 and n_bars:
                _answer_bars(m, canvas, Box(inner.x, y, inner.width, n_bars * row), decision.asked(question)[1][:n_bars])
                y += n_bars * row
            else:
                _in_a_row(m, canvas, inner, y, decision.answers(question))
                y += m.line
            y += apart
        for name, ranked in ends if has_ends else ():
            first, *rest = [f"{text} {value:+.1f}" for text, value in ranked]
            _in_a_row(m, canvas, inner, y, [f"{name}: {first}", *rest], bold=True)
            y += m.line
        return used + height + pad

    # The question at work has room for two lines, its answers, and what was made of them, before others have theirs.
    return m.line * (4 if is_now else 3) + 2 + pad + (len(ends) * m.line + m.px(5) if is_now and ends else 0), draw


def _plan(m: Measures, box: Box, step: StepRecord) -> list[tuple[list[str], Question]]:
    """Return the questions that a box has room for, each with its lines; the first in any case."""
    plan: list[tuple[list[str], Question]] = []
    # Counted in fourths of a line; some two stand between questions.
    left = box.height * 4 // m.line
    for question in step.questions:
        lines = wrap(decision.asked(question)[0], box.width, size=m.small)
        most = max(1, min(3, left // 4 - 1))
        if plan and left < 4 * (len(lines) + 1):
            break
        # The end of a question is where the answer goes.
        plan.append((lines if len(lines) <= most else [f"... {lines[-most]}", *lines[len(lines) - most + 1 :]], question))
        left -= 4 * (len(plan[-1][0]) + 1) + 2
    return [([fit(line, box.width, size=m.small) for line in lines], question) for lines, question in plan]


def _in_a_row(m: Measures, canvas: Canvas, box: Box, y: int, parts: Sequence[str], *, bold: bool = False) -> None:
    """Write as many parts as a line has room for; the first one is cut where it has none."""
    while len(parts) > 1 and measure(", ".join(parts), size=m.small, bold=bold)[0] > box.width:
        parts = parts[:-1]
    canvas.text(fit(", ".join(parts), box.width, size=m.small, bold=bold), box.x, y, size=m.small, bold=bold, color=MODEL)


def _answer_bars(m: Measures, canvas: Canvas, box: Box, answers: Sequence[tuple[str, float]]) -> None:
    """Draw answers as bars, as likely as each is beside the likeliest."""
    row, pad = m.px(21), m.px(6)
    for number, ((text, score), share) in enumerate(zip(answers, shares("score", answers), strict=True)):
        bar = Box(box.x, box.y + number * row, box.width, row - 3)
        canvas.rect(bar, WHITE, radius=3)
        canvas.rect((bar.x, bar.y, max(3, round(share * bar.width)), bar.height), CHOSEN, radius=3)
        left = canvas.text(f"{score:.1f}", bar.right - pad, bar.y + 1, size=m.small, align="right").x
        canvas.text(fit(text, left - bar.x - 2 * pad, size=m.small), bar.x + pad, bar.y + 1, size=m.small)
