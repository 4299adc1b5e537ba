"""A run as one HTML page that needs nothing else: no network, no other file. The same run gives the same bytes.

All text of the run is escaped, and the page's own policy lets no script run but the one that it was made with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from homebody.evolution.evidence.digest import CATEGORIES, PART, PARTS
from homebody.evolution.reports.explain import cards
from homebody.evolution.reports.figure import figures, inline_svg
from homebody.evolution.reports.history import History, cost, held_out, operators, outcomes, read_history
from homebody.evolution.reports.summary import EVOLVED, SEED, ended, grades, interval, objective, plays_twins, steps
from homebody.evolution.reports.transcript import by_worth, groups, transcript
from homebody.evolution.reports.worth import SHARE_HEADS, beside, best_twin, choice, gains, percent, share_cells, value
from homebody.evolution.store import reads_run
from homebody.evolution.stored import StoredEnd

TRANSCRIPT_BYTES = 2_000_000
"""Room for transcripts on a page; what does not fit is counted there."""

ALTERNATIVES = {
    "rounds": "Line chart of the share of training and validation tasks solved in each round; the table below has its numbers.",
    "held-out": "Bar chart of the share of held-out tasks solved by harnesses and controls; the table below has its numbers.",
    "failures": "Stacked bars of the failures on training tasks in each round, by category; the table below has its numbers.",
    "operators": "Bars of how often each operator was tried, by its outcome; the table below has its numbers.",
}
"""What each figure shows, for those who do not see it."""


@reads_run
def build_page(run_dir: str | Path, transcript_bytes: int = TRANSCRIPT_BYTES) -> str:
    """Make the page of a run.

    Args:
        run_dir: the run's directory.
        transcript_bytes: most bytes of transcripts.

    Raises:
        RunError: there is no run.
    """
    history = read_history(run_dir)
    environment = templates()
    found = cards(history)
    groups_shown, shown, left_out = _transcripts(history, environment, transcript_bytes)
    script = source("page.js")
    return environment.get_template("page.html").render(
        run=history.run,
        evaluations=history.evaluations,
        style=Markup(source("page.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        figures={name: Markup(inline_svg(figure, name)) for name, figure in figures(history.run).items()},
        alternatives=ALTERNATIVES,
        categories=[name for name in CATEGORIES if any(item["failures"].get(name) for item in history.run["rounds"])],
        meanings=CATEGORIES,
        part_of=PART,
        decided=_decided(history),
        objective=objective(history.run["end"] or history.run["start"] or StoredEnd()),
        choice=choice(history.run["end"] or StoredEnd()),
        operators=operators(found),
        candidates=found,
        parts={part: outcomes(history, part) for part in ("training", "validation")},
        held_out=held_out(history),
        cost=cost(history),
        groups=groups_shown,
        shown=shown,
        left_out=left_out,
        gain=_gain(history.run),
        share_heads=SHARE_HEADS,
    )


def _decided(history: History) -> dict[str, list[Mapping[str, Any] | None]]:
    """Return by what failed an entry a round: `tasks`, and `decided_by` of the steps that show it; None where it did not."""
    numbers = [item["round"] for item in history.run["rounds"]]
    parts = [history.surveys.get(number, {}).get("landscape", {}).get("parts", {}) for number in numbers]
    rows = {part: [found.get(part) for found in parts] for part in PARTS}
    return {part: row for part, row in rows.items() if any(item and item["decided_by"] for item in row)}


def templates() -> Environment:
    """Return the environment of the page templates; whatever they show is escaped."""
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, loader=FunctionLoader(source)
    )
    environment.filters |= {
        "percent": percent,
        "interval": lambda ends: f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}",
        "success": interval,
        "steps": steps,
        "grades": grades,
        "shares": share_cells,
        "beside": lambda item: beside(item, plays_twins(item)),
        "best_twin": lambda report: best_twin(report) if "twins" in report else "",
        "value": lambda report: value(report) if "twins" in report else "",
        "gains": gains,
        "ended": ended,
        "number": lambda value: f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        "json": lambda value: json.dumps(value, indent=1, ensure_ascii=False),
    }
    return environment


def source(name: str) -> str:
    """Return a file of assets/report."""
    return (resources.files("homebody.assets") / "report" / name).read_text("utf-8")


def script_hash(script: str) -> str:
    """Return what a page's policy calls a script by, so that this one runs and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _transcripts(history: History, environment: Environment, most: int) -> tuple[list[dict[str, Any]], dict[str, str], dict[str, int]]:
    """Choose and lay out transcripts.

    Returns:
        The groups with their episodes, laid out; the page's id of each episode shown, by key; and how many won and lost ones there
        was no room for.
    """
    write = environment.get_template("episode.html").module.episode  # type: ignore[attr-defined]
    laid_out: dict[str, Markup] = {}
    spent, left_out = 0, {"won": 0, "lost": 0}
    for key in dict.fromkeys(by_worth(history)):
        text = write(transcript(history.records[key], history.limits.get(key)), f"e-{key[:12]}")
        size = len(text.encode())
        if spent + size > most:
            left_out["won" if history.records[key]["won"] else "lost"] += 1
            continue
        spent += size
        laid_out[key] = text
    found = [
        {"title": group.title, "all": len(group.keys), "episodes": [laid_out[key] for key in group.keys if key in laid_out]}
        for group in groups(history)
    ]
    return found, {key: f"e-{key[:12]}" for key in laid_out}, left_out


def _gain(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the gain row of the figures on the latest split, with the rows that it compares."""
    for split, rows in reversed(run["table"].items()):
        named = {row["row"]: row for row in rows}
        if "gain" in named:
            return {"split": split, "row": named["gain"], "seed": named[SEED], "final": named[EVOLVED]}
    return None
