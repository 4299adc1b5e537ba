"""The figures of all rows of a results table together: by benchmark, by size, the curves of the evolutions, and what kinds of edit won."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from homebody.evolution.controls.markdown import marks
from homebody.evolution.reports.figure import (
    BLUE,
    GREEN,
    GREY,
    GROUND,
    INK,
    ORANGE,
    PINK,
    SKY,
    VERMILION,
    Panel,
    Picture,
    blank,
    grid_of,
    plain,
    plain_text,
    short_name,
    title,
)

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PINK, SKY, GREY, INK)
"""By model or family, in the order of the rows; a ninth has the first one's."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""By benchmark, likewise."""
MEASURES = {"gain": "Gain over the seed", "model_value": "model_value: points over the best twin"}


def draw_by_benchmark(report: Mapping[str, Any]) -> Picture | None:
    """Draw gain and model_value of each row with their intervals, benchmark by benchmark; a null gain is a hollow mark at 0."""
    rows = [row for name in dict.fromkeys(row["benchmark"] for row in report["rows"]) for row in report["rows"] if row["benchmark"] == name]
    if not rows:
        return None
    with plain_text():
        figure, panels = grid_of(10.4, 1.5 + 0.46 * len(rows), 1, 2)
        for axes, (key, label) in zip(panels, MEASURES.items(), strict=True):
            title(axes, label)
            axes.axvline(0, color=GREY, linewidth=0.9)
            for place, row in enumerate(reversed(rows)):
                _draw_measure(axes, place, row, key)
            for border in _borders(rows):
                axes.axhline(border, color=GREY, linewidth=0.6, linestyle=":")
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_xlabel("points (line: 95% interval)", color=INK)
            plain(axes, "x")
        panels[0].set_yticks(range(len(rows)), [_label(row) for row in reversed(rows)], fontsize=9)
        panels[1].set_yticks([])
        notes = ["hollow: the gain is null"] if any(row["gain"] is None for row in rows) else []
        notes += ["orange: published protocol"] if any(row["protocol"] == "published" for row in rows) else []
        panels[0].set_xlabel("\n".join(["points (line: 95% interval)", *notes]), color=INK)
    return figure


def draw_by_size(report: Mapping[str, Any]) -> Picture | None:
    """Draw gain and model_value by the number of parameters, a null gain as 0: a colour a family, a mark a benchmark.

    A line joins the models of one family on one benchmark, and no others. Each repeat is a mark, and the line goes through their mean. A
    model in the harness that evolved for another is a hollow mark that no line joins.
    """
    rows = [row for row in report["rows"] if row["parameters"] and row["protocol"] == "held-out" and row["split"] == "test"]
    if not rows:
        return None
    families, benchmarks = _numbered(rows, "family"), _numbered(rows, "benchmark")
    sizes = sorted({row["parameters"] for row in rows})
    with plain_text():
        figure, panels = grid_of(10.4, 4.6, 1, 2)
        for axes, (key, label) in zip(panels, MEASURES.items(), strict=True):
            title(axes, f"{label}, by model size")
            axes.axhline(0, color=GREY, linewidth=0.9)
            for family, benchmark in dict.fromkeys((row["family"], row["benchmark"]) for row in rows):
                here = [row for row in rows if (row["family"], row["benchmark"]) == (family, benchmark)]
                # Side by side, where models of one size would hide each other.
                shift = 1 + 0.06 * (benchmarks[benchmark] - (len(benchmarks) - 1) / 2)
                points = sorted((row["parameters"] * shift, *_measure(row, key), not row.get("harness_of")) for row in here)
                colour, marker = COLOURS[families[family] % len(COLOURS)], MARKERS[benchmarks[benchmark] % len(MARKERS)]
                own = sorted({place for place, *_, is_own in points if is_own})
                means = [fmean(at for place, at, _, _, is_own in points if is_own and place == at_size) for at_size in own]
                axes.plot(own, means, color=colour, linestyle="-" if len(own) > 1 else "none", linewidth=1.4)
                for place, at, low, high, is_own in points:
                    axes.plot([place, place], [low, high], color=colour, linewidth=1.0, alpha=0.6)
                    face, edge = (colour, GROUND) if is_own else (GROUND, colour)
                    axes.plot([place], [at], marker=marker, markersize=8, color=face, markeredgecolor=edge, zorder=3)
            axes.set_xscale("log")
            axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
            axes.set_xticks(sizes, [_count(size) for size in sizes])
            axes.set_xticks([], minor=True)
            axes.set_xlabel("parameters", color=INK)
            null = "; a null gain is 0" if key == "gain" and any(row["gain"] is None for row in rows) else ""
            axes.set_ylabel(f"points (line: 95% interval){null}", color=INK)
            plain(axes, "y")
        for family, number in families.items():
            panels[0].plot([], [], color=COLOURS[number % len(COLOURS)], linewidth=3, label=family)
        for benchmark, number in benchmarks.items():
            panels[0].plot([], [], color=INK, linestyle="none", marker=MARKERS[number % len(MARKERS)], label=benchmark)
        others = any(row.get("harness_of") for row in rows)
        if others:
            panels[0].plot([], [], color=GROUND, linestyle="none", marker="o", markeredgecolor=INK, label="harness of another model")
        entries = len(families) + len(benchmarks) + others
        figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=min(entries, 5), labelcolor=INK)
    return figure


def draw_curves(report: Mapping[str, Any]) -> Picture | None:
    """Draw the share of validation tasks solved in each round, a panel a benchmark, a line a row; `+` marks a shipped edit."""
    every = zip(report["rows"], report["combinations"], strict=True)
    pairs = [(row, one) for row, one in every if one["rounds"] and row["split"] == "test"]
    names = list(dict.fromkeys(row["benchmark"] for row, _ in pairs))
    if not names:
        return None
    models = _numbered([row for row, _ in pairs], "model")
    with plain_text():
        deep = math.ceil(len(names) / 2)
        figure, panels = grid_of(10.4 if len(names) > 1 else 7.2, 0.8 + 3.2 * deep, deep, 2 if len(names) > 1 else 1)
        for axes, name in zip(panels, names, strict=False):
            title(axes, name)
            longest = 1
            for row, one in pairs:
                if row["benchmark"] != name:
                    continue
                numbers = [item["round"] for item in one["rounds"]]
                solved = [item["validation"]["success"] for item in one["rounds"]]
                shares = [math.nan if share is None else 100 * share for share in solved]
                longest = max(longest, *numbers)
                colour = COLOURS[models[row["model"]] % len(COLOURS)]
                line = "--" if row["protocol"] == "published" else "-"
                axes.plot(numbers, shares, color=colour, linestyle=line, marker="o", markersize=4)
                won = [(item["round"], share) for item, share in zip(one["rounds"], shares, strict=True) if item["shipped"]]
                axes.plot([at for at, _ in won], [share + 4 for _, share in won], color=colour, linestyle="none", marker="+", markersize=7)
            axes.set_ylim(-2, 106)
            axes.set_xlim(0.6, longest + 0.4)
            axes.set_xticks(range(1, longest + 1, math.ceil(longest / 8)))
            axes.set_xlabel("round", color=INK)
            axes.set_ylabel("validation tasks solved, %", color=INK)
            plain(axes, "y")
        for axes in panels[len(names) :]:
            axes.axis("off")
        for model, number in models.items():
            panels[0].plot([], [], color=COLOURS[number % len(COLOURS)], marker="o", markersize=4, label=short_name(model))
        panels[0].plot([], [], color=INK, linestyle="none", marker="+", label="an edit was shipped")
        if any(row["protocol"] == "published" for row, _ in pairs):
            panels[0].plot([], [], color=INK, linestyle="--", label="published protocol")
        figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=min(len(models) + 2, 6), labelcolor=INK)
    return figure


def draw_kinds(report: Mapping[str, Any]) -> Picture | None:
    """Draw which kinds of edit won for which model: a row a dimension of edits, a column a model; how many of the tried were shipped."""
    counts: dict[tuple[str, str], list[int]] = {}
    for one in report["combinations"]:
        for edit in one["candidates"]:
            tally = counts.setdefault((edit["dimension"], one["model"]), [0, 0])
            tally[0] += edit["came"] == "shipped"
            tally[1] += 1
    if not counts:
        return None
    models = list(dict.fromkeys(one["model"] for one in report["combinations"] if not one.get("harness_of")))
    total = {name: sum(tally[0] for (kind, _), tally in counts.items() if kind == name) for name, _ in counts}
    kinds = sorted(total, key=lambda name: (total[name], name))
    with plain_text():
        figure, axes = blank(2.6 + 1.5 * max(len(models), 2), 1.3 + 0.42 * len(kinds))
        title(axes, "Edits shipped, of those tried")
        for x, model in enumerate(models):
            for y, kind in enumerate(kinds):
                shipped, tried = counts.get((kind, model), [0, 0])
                share = shipped / tried if tried else 0.0
                axes.barh(y, 0.94, left=x - 0.47, height=0.88, color=BLUE, alpha=0.08 + 0.72 * share, zorder=1)
                text = f"{shipped} of {tried}" if tried else "-"
                axes.text(x, y, text, ha="center", va="center", fontsize=9, color=GROUND if share > 0.6 else INK)
        axes.set_yticks(range(len(kinds)), kinds, fontsize=9)
        axes.set_xticks(range(len(models)), [textwrap.fill(short_name(model), 18) for model in models], fontsize=9)
        axes.set_xlim(-0.5, len(models) - 0.5)
        axes.set_ylim(-0.5, len(kinds) - 0.5)
        plain(axes, "x")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
    return figure


def _draw_measure(axes: Panel, place: int, row: Mapping[str, Any], key: str) -> None:
    if key == "model_value" and not row[key]:
        return
    at, low, high = _measure(row, key)
    colour = ORANGE if row["protocol"] == "published" else BLUE
    axes.plot([low, high], [place, place], color=colour, linewidth=2.0, solid_capstyle="butt", zorder=2)
    face, edge = (colour, colour) if row[key] else (GROUND, GREY)
    axes.plot([at], [place], marker="o", markersize=7, color=face, markeredgecolor=edge, markeredgewidth=1.6, zorder=3)


def _measure(row: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    """Return points and the ends of their interval, in percent; 0 where there are none."""
    found = row[key]
    return (100 * found["points"], *(100 * end for end in found["ci95"])) if found else (0.0, 0.0, 0.0)


def _borders(rows: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    """Yield the heights between benchmarks, rows from the bottom."""
    upwards = list(reversed(rows))
    for place in range(1, len(upwards)):
        if upwards[place]["benchmark"] != upwards[place - 1]["benchmark"]:
            yield place - 0.5


def _label(row: Mapping[str, Any]) -> str:
    paired = f" (gain: {row['gain']['n']})" if row["gain"] and row["gain"]["n"] != row["n"] else ""
    return f"{', '.join([row['benchmark'], *marks(row)])}\n{short_name(row['model'])}, n = {row['n']}{paired}"


def _numbered(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(str(row[key]) for row in rows))}


def _count(parameters: float) -> str:
    return f"{parameters / 1e9:g}B" if parameters >= 1e9 or parameters % 1e8 == 0 else f"{parameters / 1e6:g}M"
