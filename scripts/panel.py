"""A running evolution as a panel on the terminal: what is played, how the candidate does, how fast, how long at most.

Shows the state that `evolution.reports.live` keeps; 40 columns are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from homebody.scripts.terminal import clean, escape

SHOWN_ROUNDS = 8
"""Rounds in the table, the latest."""


def panel(state: Mapping[str, Any], width: int) -> RenderableType:
    """Lay a state out.

    Args:
        state: as `Live.state` returns it.
        width: columns of the terminal.
    """
    parts: list[RenderableType] = []
    if state["rounds"]:
        parts.append(_rounds(state["rounds"][-SHOWN_ROUNDS:], width))
    current = state["current"]
    if current:
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            _cut(current["what"], max(width - 28, 12)),
            ProgressBar(total=max(current["total"], 1), completed=current["done"], width=min(20, max(width // 4, 6))),
            f"{current['done']}/{current['total']}",
        )
        parts.append(bar)
    else:
        parts.append(Text(clean(state["phase"])))
    if current and state["candidates"] and state["candidates"][-1]["id"] == current["who"]:
        candidate = state["candidates"][-1]
        score = f"{candidate['wins']} won, {candidate['losses']} lost of {candidate['compared']} compared"
        parts.append(Text.from_markup(f"{escape(candidate['operator'])} [dim]({escape(candidate['dimension'])})[/]: {score}"))
    parts.append(Text(pace(state), style="dim"))
    return Group(*parts)


def pace(state: Mapping[str, Any]) -> str:
    """Say how much was played, how fast, and what may follow."""
    said = [f"{state['episodes']} episodes played"]
    if state["episodes_per_s"] is not None:
        said.append(f"{state['episodes_per_s']:.1f} a second")
        if state["tokens"]:
            said.append(f"{state['tokens_per_s']:.0f} tokens a second")
    needed = [duration(state["left_s"])] if state["left_s"] is not None else []
    if state["tokens"] and state["episodes"]:
        needed.append(f"{state['left'] * state['tokens'] / state['episodes']:.0f} tokens")
    left = f"at most {state['left']} to go" + (f" ({', '.join(needed)})" if needed else "")
    said.append(left + " unless tasks are added" if state["may_grow"] else left)
    return ", ".join(said)


def duration(seconds: float) -> str:
    """Say a time in two units at most: `45 s`, `3 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _rounds(rounds: list[Mapping[str, Any]], width: int) -> Table:
    wide = width >= 60
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("round", "training", "validation"):
        table.add_column(name if wide else name[:5], justify="right", no_wrap=True)
    if twins := wide and any(row["worth"] for row in rounds):
        table.add_column("best twin", justify="right", no_wrap=True)
    table.add_column("shipped", no_wrap=True, overflow="ellipsis")
    for row in rounds:
        twin = [row["worth"]["twin"].removeprefix("best twin ") if row["worth"] else ""] if twins else []
        shipped = _cut(row["shipped"], max(width - (48 if twins else 30), 12))
        table.add_row(str(row["round"]), _rate(row["train"]), _rate(row["validation"]), *twin, shipped)
    return table


def _rate(rate: Mapping[str, Any] | None) -> str:
    return f"{rate['won']}/{rate['n']}" + (f", {rate['errors']} errors" if rate.get("errors") else "") if rate else ""


def _cut(text: str, width: int) -> Text:
    cut = Text(clean(text))
    cut.truncate(width, overflow="ellipsis")
    return cut
