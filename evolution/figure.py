"""The chart of a run: validation success by round, and the final figures beside their controls. Sole importer of matplotlib.

The same run gives the same bytes: no date and no software version in the file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLUE, ORANGE, GREEN, GREY, BLACK = "#0072B2", "#E69F00", "#009E73", "#999999", "#222222"
COLOURS = {"seed harness": GREY, "evolved harness": BLUE, "expert (privileged)": GREEN}


def draw_run(run: Mapping[str, Any], path: str | Path) -> None:
    """Draw what `report.read_run` returns, as a PNG or SVG file by the path's ending."""
    splits = list(run["table"].items())
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _rounds(left, run["rounds"], run["start"])
    if splits:
        _bars(right, *splits[-1])
    else:
        right.axis("off")
    if run["start"]:
        figure.suptitle(f"{run['start']['env_id']}   {run['start']['model']}", fontsize=12, color=BLACK)
    with rc_context({"svg.hashsalt": "homebody"}):  # else the ids in an SVG are drawn at random
        figure.savefig(path, dpi=150, metadata={"Software": None} if str(path).endswith(".png") else {"Date": None})


def _rounds(axes: Axes, rounds: list[Mapping[str, Any]], start: Mapping[str, Any] | None) -> None:
    axes.set_title("Evolution: success by round", loc="left", fontsize=11)
    numbers = [item["round"] for item in rounds]
    for split, colour, marker in (("train", ORANGE, "s"), ("validation", BLUE, "o")):
        values = [100 * item[split]["success"] for item in rounds]
        axes.plot(numbers, values, color=colour, marker=marker, label=f"{split} (n = {rounds[0][split]['n']})" if rounds else split)
    labels = []
    for item, before in zip(rounds, [None, *rounds], strict=False):
        shipped = before["shipped"] if before else None
        lever = next((edit["manifest"]["lever"] for edit in before["candidates"] if edit["id"] == shipped), "") if before else ""
        labels.append("\n".join([str(item["round"]), *textwrap.wrap(f"+ {lever}" if lever else "", 12)]))
    axes.set_xlabel("round, with the edit that was shipped before it")
    axes.set_ylabel("tasks solved, %")
    axes.set_ylim(-2, 102)
    axes.set_xticks(numbers, labels, fontsize=8)
    axes.set_xlim(0.5, (numbers[-1] if numbers else 1) + 0.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if rounds:
        axes.legend(frameon=False, fontsize=9, loc="upper left")


def _bars(axes: Axes, split: str, rows: list[Mapping[str, Any]]) -> None:
    bars = [row for row in rows if row["row"] != "gain"]
    gain = next((row for row in rows if row["row"] == "gain"), None)
    title = f"Held out: {split}" + (f"   gain {100 * gain['gain']:+.1f} points" if gain else "")
    axes.set_title(title, loc="left", fontsize=11)
    for position, row in enumerate(reversed(bars)):
        success, (low, high) = 100 * row["success"], (100 * value for value in row["ci95"])
        axes.barh(position, success, color=COLOURS.get(row["row"], ORANGE), height=0.62)
        axes.plot([low, high], [position, position], color=BLACK, linewidth=1.4)
        axes.text(102, position, f"{success:.1f}%", va="center", fontsize=9, color=BLACK)
    axes.set_yticks(range(len(bars)), [f"{row['row']}\nn = {row['n']}" for row in reversed(bars)], fontsize=9)
    axes.set_xlabel("tasks solved, % (line: 95% interval)")
    axes.set_xlim(0, 113)
    axes.set_xticks(range(0, 101, 20))
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
