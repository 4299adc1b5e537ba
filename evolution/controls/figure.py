"""The figures of many runs: gains beside their best twins and the published ones, and what edits predicted beside what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.evolution.controls.claims import evolved_row, gain_of
from homebody.evolution.controls.markdown import counted, interval, marks
from homebody.evolution.reports.figure import (
    BLUE,
    GREY,
    GROUND,
    INK,
    ORANGE,
    VERMILION,
    Picture,
    blank,
    plain,
    plain_text,
    short_name,
    title,
    two_lines,
)
from homebody.evolution.reports.gain import NO_GAIN
from homebody.evolution.reports.worth import percent

BAR = 0.34
"""Height of a bar, where a row has the height 1."""
LETTER = 0.075
"""Width of a letter beside the rows of the results, in inches."""
PLOT = 3.4
"""Width of what shows 0 to 100%, in inches."""


def draw_results(report: Mapping[str, Any]) -> Picture:
    """Draw where each harness began and ended, beside its best twin; ours above the published ones of the same benchmark.

    Args:
        report: as `homebody.evolution.controls.table.gather` returns it.
    """
    rows = _rows(report)
    with plain_text():
        left, right = (_width([row[key] for row in rows]) for key in ("label", "sentence"))
        figure, axes = blank(left + PLOT + right + 0.5, 1.9 + 0.62 * len(rows))
        title(axes, "What evolution of the harness gained")
        for place, row in enumerate(reversed(rows)):
            colour = ORANGE if row["is_published_protocol"] else BLUE
            line = colour if row["is_gain"] else GREY
            axes.plot([row["before"], row["after"]], [place, place], color=line, linewidth=2.4, zorder=2)
            for low, high in row["intervals"]:
                axes.plot([low, high], [place - 0.16, place - 0.16], color=INK, linewidth=0.8, zorder=1)
            axes.plot([row["before"]], [place], marker="o", markersize=8, color=GROUND, markeredgecolor=GREY, markeredgewidth=2, zorder=3)
            axes.plot([row["after"]], [place], marker="o" if row["ours"] else "s", markersize=8, color=colour, zorder=3)
            if row["twin"] is not None:
                axes.plot([row["twin"]], [place], marker="|", markersize=20, color=VERMILION, markeredgewidth=2.4, zorder=4)
            axes.text(104, place, row["sentence"], va="center", fontsize=9, color=INK)
        axes.set_yticks(range(len(rows)), [row["label"] for row in reversed(rows)], fontsize=9)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(-2, 104 + 100 * right / PLOT)
        axes.set_xticks(range(0, 101, 20))
        note = (
            "tasks solved, %\nhollow: seed harness; blue: ours, first attempt, held-out tasks; thin line: 95% interval\n"
            "upright line: best twin, the evolved harness without the model; grey: the gain is null"
        )
        if any(row["is_published_protocol"] for row in rows):
            note += "\norange: published protocol (pass@2, best round, on the tasks that it evolved on)\nsquares: the publication's rows"
        axes.set_xlabel(note, color=INK, fontsize=9)
        plain(axes, "x")
        axes.spines["bottom"].set_bounds(0, 100)
    return figure


def draw_hit_rates(operators: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Draw, by operator, how many training tasks the shipped edits were to unlock, and how many of those were solved in the next round.

    Args:
        operators: as `homebody.evolution.reports.history.operators` returns them.

    Returns:
        The figure, or None where no shipped edit was put to the test.
    """
    shown = [row for row in reversed(operators) if row["predicted"]]
    if not shown:
        return None
    with plain_text():
        figure, axes = blank(7.2, 1.5 + 0.62 * len(shown))
        title(axes, "Predictions: tasks that shipped edits were to unlock")
        places = range(len(shown))
        predicted, unlocked = [row["predicted"] for row in shown], [row["unlocked"] for row in shown]
        axes.barh([p + BAR / 2 for p in places], predicted, height=BAR, color=GROUND, edgecolor=INK, linewidth=0.8, label="predicted")
        axes.barh([p - BAR / 2 for p in places], unlocked, height=BAR, color=BLUE, edgecolor=INK, linewidth=0.8, label="unlocked")
        for place, row in zip(places, shown, strict=True):
            share = f"{row['unlocked']} of {row['predicted']} ({100 * row['unlocked'] / row['predicted']:.0f}%)"
            axes.text(row["predicted"] + 0.02 * max(predicted), place, share, va="center", fontsize=9, color=INK)
        axes.set_yticks(places, [two_lines(row["operator"]) for row in shown], fontsize=9)
        axes.set_xlim(0, 1.35 * max(predicted))
        axes.set_xlabel("training tasks", color=INK)
        figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
        plain(axes, "x")
    return figure


def summed(combinations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of edits by operator over many runs, as `draw_hit_rates` takes them."""
    found: dict[str, Counter[str]] = {}
    for one in combinations:
        for row in one["operators"]:
            found.setdefault(row["operator"], Counter()).update({key: row[key] for key in ("predicted", "unlocked")})
    return [{"operator": name, "predicted": counts["predicted"], "unlocked": counts["unlocked"]} for name, counts in found.items()]


def _width(texts: Sequence[str]) -> float:
    """Return the width of the longest line, in inches."""
    return LETTER * max((len(line) for text in texts for line in text.splitlines()), default=0)


def _rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the figure of the results shows, in percent, benchmark by benchmark."""
    found: list[dict[str, Any]] = []
    ours = [(row, one) for row, one in zip(report["rows"], report["combinations"], strict=True) if gain_of(one)]
    for name in dict.fromkeys(row["benchmark"] for row in report["rows"]):
        found += [_ours(row, one) for row, one in ours if row["benchmark"] == name]
        found += [_theirs(row) for row in report["published"]["rows"] if row["benchmark"] == name]
    return found


def _ours(row: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    intervals = (
        [found["ci95"] for found in one["controls"]["rows"] if found["row"] in ("seed", evolved_row(one))]
        if row["protocol"] == "held-out"
        else []
    )
    twin = row["twins"][row["best_twin"]] if row["best_twin"] else None
    beside = [f"best twin {percent(twin)}"] if twin is not None else []
    beside += [f"model_value {interval(row['model_value'])}"] if row["model_value"] else []
    gained = f"{interval(row['gain'])} points, n = {row['gain']['n']}" if row["gain"] else NO_GAIN
    return {
        "ours": True,
        "is_published_protocol": row["protocol"] == "published",
        "label": f"{short_name(row['model'])}\n{', '.join([row['benchmark'], *marks(row)])}, n = {counted(row)}, {row['max_steps']} steps",
        "before": 100 * row["seed"],
        "after": 100 * row["evolved"],
        "twin": None if twin is None else 100 * twin,
        "is_gain": row["gain"] is not None,
        "intervals": [[100 * end for end in ends] for ends in intervals],
        "sentence": "\n".join([gained, *([", ".join(beside)] if beside else [])]),
    }


def _theirs(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ours": False,
        "is_published_protocol": True,
        "label": f"{row['model']} (published)\n{row['benchmark']}, n = {row['n']}, {row['max_steps']} steps",
        "before": row["initial"],
        "after": row["evolved"],
        "twin": None,
        "is_gain": True,
        "intervals": [],
        "sentence": f"{row['gain']:+.1f} points\nround {row['best_round']}",
    }
