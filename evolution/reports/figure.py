"""The figures of a run: success by round, the final figures beside their controls, failures by round, edit operators.

Sole importer of matplotlib.

The same run gives the same bytes: no date and no software version in a file.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from homebody.envs.file import replacing
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.stored import RunFigures, StoredResult, StoredRound

# Okabe and Ito's colours, which people with any kind of colour vision tell apart; all but the grid stand out from white by 3 to 1
# or have a line of ink around them.
BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#007A5A", "#B25A8E", "#E69F00", "#56B4E9", "#767676"
INK, GRID, GROUND = "#222222", "#dddddd", "#ffffff"
COLOURS = {"seed harness": GREY, "evolved harness": BLUE, "expert (privileged)": GREEN}
_COLOURS = (INK, VERMILION, SKY, BLUE, GREEN, PINK, ORANGE)
_FAILURES = [name for name in CATEGORIES if name != "won"]
# On ink a hatch of ink could not be seen, so the second turn leaves it out.
FAILURES = dict(zip(_FAILURES, (*_COLOURS, *_COLOURS[1:]), strict=False))
"""Colour by failure category."""
HATCHED = frozenset(_FAILURES[len(_COLOURS) :])
"""Categories whose colour another one has too."""
VERDICTS = {"shipped": BLUE, "accepted, not shipped": SKY, "rejected": GREY}

NAMES = {BLUE: "blue", VERMILION: "vermilion", GREEN: "green", PINK: "pink", ORANGE: "orange", SKY: "sky", GREY: "grey", INK: "ink",
         GRID: "grid", GROUND: "ground"}  # fmt: skip
"""Names that a page can give other colours to, as on a dark ground."""


Picture: TypeAlias = Figure
"""A drawn figure, for modules that must not import matplotlib."""
Panel: TypeAlias = Axes
"""One pair of its axes, likewise."""


def draw_run(run: RunFigures, path: str | Path) -> None:
    """Draw the chart of a run, rounds beside results, from what `summary.read_run` returns; PNG or SVG by the path's ending."""
    splits = list(run["table"].items())
    figure = Figure(figsize=(11, max([4.6, *(1.2 + 0.44 * len(rows) for _, rows in splits[-1:])])), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    with plain_text():
        _rounds(left, run["rounds"])
        if splits:
            _bars(right, *splits[-1])
        else:
            right.axis("off")
        if run["start"]:
            figure.suptitle(f"{run['start']['env_id']}   {run['start']['model']}", fontsize=12, color=INK)
    save(figure, path)


def figures(run: RunFigures) -> dict[str, Figure]:
    """Draw each figure for which the run has data: `rounds`, `held-out`, `failures`, `operators`."""
    drawn: dict[str, Figure] = {}

    def draw(name: str, height: float, function: Callable[..., None], *arguments: Any) -> None:
        drawn[name] = Figure(figsize=(7.2, height), layout="constrained")
        with plain_text():
            function(drawn[name].subplots(), *arguments)

    if run["rounds"]:
        draw("rounds", 3.8, _rounds, run["rounds"])
    if run["table"]:
        split, rows = list(run["table"].items())[-1]
        draw("held-out", 1.2 + 0.5 * len(rows), _bars, split, rows)
    if any(item["failures"] for item in run["rounds"]):
        draw("failures", 3.6, _failures, run["rounds"])
    if any(item["candidates"] for item in run["rounds"]):
        operators = {edit["manifest"]["operator"] for item in run["rounds"] for edit in item["candidates"]}
        draw("operators", 1.2 + 0.42 * len(operators), _operators, run["rounds"])
    return drawn


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure, its size in inches, with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def grid_of(width: float, height: float, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return an empty figure, its size in inches, with rows times columns axes, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG or SVG, by the path's ending.

    Raises:
        OutputError: it cannot be written.
    """
    metadata = {"Software": None} if str(path).endswith(".png") else {"Date": None}
    # Without the salt the ids in an SVG are drawn at random.
    with replacing(path) as part, rc_context({"svg.hashsalt": "homebody"}):
        figure.savefig(part, dpi=150, metadata=metadata)


def inline_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for an HTML page: text as text, and each colour under its name as a CSS variable.

    Args:
        figure: what to write.
        name: makes the ids differ from those of the page's other figures.
    """
    text = io.StringIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # of no use, and not unique on a page
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)  # the page's own font
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    for colour, label in NAMES.items():
        svg = re.sub(colour, f"var(--{label})", svg, flags=re.IGNORECASE)
    return re.sub(r"\n\s*", "\n", svg).strip()


def plain_text() -> AbstractContextManager[None]:
    """Draw texts as they are: a name with dollar signs is a name, no formula."""
    return rc_context({"text.parse_math": False})


def _rounds(axes: Axes, rounds: Sequence[StoredRound]) -> None:
    title(axes, "Evolution: success by round")
    numbers = [item["round"] for item in rounds]
    train, validation = [item["train"] for item in rounds], [item["validation"] for item in rounds]
    for split, found, colour, marker, shift in (("train", train, VERMILION, "s", -0.04), ("validation", validation, BLUE, "o", 0.04)):
        values = [math.nan if item["success"] is None else 100 * item["success"] for item in found]
        places = [number + shift for number in numbers]
        sizes = sorted({item["n"] for item in found})
        label = f"{split} (n = {' to '.join(map(str, sizes[:: len(sizes) - 1 or 1]))})" if rounds else split
        axes.plot(places, values, color=colour, marker=marker, label=label)
        for place, item in zip(places, found, strict=True):
            if ends := item["ci95"]:
                axes.plot([place, place], [100 * value for value in ends], color=colour, linewidth=1.0, zorder=1)
    if any("twins" in item for item in rounds):
        twins = [item["twins"][item["best_twin"]] if "twins" in item else None for item in rounds]
        label = f"best twin, validation ({', '.join(dict.fromkeys(item['best_twin'] for item in rounds if 'twins' in item))})"
        shares = [math.nan if share is None else 100 * share for share in twins]
        axes.plot(numbers, shares, color=SKY, marker="^", linestyle="--", label=label)
        _worths(axes, rounds)
    labels = []
    for item, before in zip(rounds, [None, *rounds], strict=False):
        shipped = before["shipped"] if before else None
        operator = next((edit["manifest"]["operator"] for edit in before["candidates"] if edit["id"] == shipped), "") if before else ""
        shown = textwrap.wrap(f"+ {operator}" if operator else "", 12) if len(rounds) < 7 else ["+"] if operator else []
        labels.append("\n".join([str(item["round"]), *shown]))
    axes.set_xlabel("round; +: an edit was shipped before it", color=INK)
    axes.set_ylabel("tasks solved, % (line: 95% interval)", color=INK)
    axes.set_ylim(-2, 102)
    axes.set_xticks(numbers, labels, fontsize=9)
    axes.set_xlim(0.5, (numbers[-1] if numbers else 1) + 0.5)
    plain(axes, "y")
    if rounds:
        axes.legend(frameon=False, fontsize=9, loc="best", labelcolor=INK)


def _worths(axes: Axes, rounds: Sequence[StoredRound]) -> None:
    """Write what the model is worth in each round beside its mark on validation tasks, in points."""
    for item in rounds:
        if (value := item.get("model_value")) and (success := item["validation"]["success"]) is not None:
            place = (item["round"] + 0.04, 100 * success)
            text = f"{100 * value['points']:+.0f}"
            axes.annotate(text, place, xytext=(6, 4), textcoords="offset points", fontsize=9, color=BLUE)
    axes.plot([], [], " ", label="number: model_value, points")


def _bars(axes: Axes, split: str, rows: Sequence[StoredResult]) -> None:
    bars = [row for row in rows if row["row"] != "gain"]
    gain = next((row for row in rows if row["row"] == "gain"), None)
    told = textwrap.wrap(gain["headline"], 54) + textwrap.wrap(gain["sentence"], 54) if gain else []
    title(axes, "\n".join([f"Held out: {split}", *told]))
    # As `summary.ROWS` names them; chosen on validation tasks, so another one may be better here.
    best = {f"{row['row'].removesuffix(' harness')}, twin {row['best_twin']}" for row in bars if row.get("best_twin")}
    for position, row in enumerate(reversed(bars)):
        if row["success"] is None:  # errors ended all its episodes
            axes.text(102, position, "-", va="center", fontsize=9, color=INK)
            continue
        success, (low, high) = 100 * row["success"], (100 * value for value in row["ci95"])
        axes.barh(position, success, color=VERMILION if row["row"] in best else COLOURS.get(row["row"], ORANGE), height=0.62)
        axes.plot([low, high], [position, position], color=GROUND, linewidth=4.0)
        axes.plot([low, high], [position, position], color=INK, linewidth=1.4)
        axes.text(102, position, f"{success:.1f}%", va="center", fontsize=9, color=INK)
    names = [f"{row['row']}{' (the best)' if row['row'] in best else ''}\nn = {row['n']}" for row in reversed(bars)]
    axes.set_yticks(range(len(bars)), names, fontsize=9)
    axes.set_xlabel("tasks solved, % (line: 95% interval)", color=INK)
    axes.set_xlim(0, 113)
    axes.set_xticks(range(0, 101, 20))
    plain(axes, "x")


def _failures(axes: Axes, rounds: Sequence[StoredRound]) -> None:
    title(axes, "Failures on training tasks, by round")
    numbers = [item["round"] for item in rounds]
    base = [0] * len(rounds)
    for category, colour in FAILURES.items():
        counts = [item["failures"].get(category, 0) for item in rounds]
        if any(counts):
            label = category.replace("_", " ")
            axes.bar(
                numbers,
                counts,
                bottom=base,
                color=colour,
                hatch="//" if category in HATCHED else "",
                edgecolor=INK,
                linewidth=0.6,
                width=0.6,
                label=label,
            )
            base = [below + count for below, count in zip(base, counts, strict=True)]
    axes.set_xlabel("round", color=INK)
    axes.set_ylabel("tasks", color=INK)
    axes.set_xticks(numbers)
    axes.set_xlim(numbers[0] - 0.6, numbers[-1] + 0.6)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes, "y")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), labelcolor=INK)


def _operators(axes: Axes, rounds: Sequence[StoredRound]) -> None:
    title(axes, "Edit operators: how often tried, and their outcomes")
    counts: dict[str, Counter[str]] = {}
    for item in rounds:
        for edit in item["candidates"]:
            came = "rejected" if edit["verdict"] == "rejected" else "shipped" if edit["id"] == item["shipped"] else "accepted, not shipped"
            counts.setdefault(edit["manifest"]["operator"], Counter())[came] += 1
    names = list(reversed(counts))
    base = [0] * len(names)
    for came, colour in VERDICTS.items():
        values = [counts[name][came] for name in names]
        if any(values):
            axes.barh(range(len(names)), values, left=base, color=colour, edgecolor=INK, linewidth=0.6, height=0.62, label=came)
            base = [before + value for before, value in zip(base, values, strict=True)]
    axes.set_yticks(range(len(names)), [two_lines(name) for name in names], fontsize=9)
    axes.set_xlabel("candidates", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes, "x")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), labelcolor=INK)


def two_lines(name: str) -> str:
    """Return the name of an operator on two lines at most: names that begin alike are told apart by their ends."""
    return textwrap.fill(textwrap.shorten(name, 80, placeholder="..."), 42)


def short_name(model: str) -> str:
    """Return a model's name, of a path the last part."""
    return textwrap.shorten(model.rpartition("/")[2], 34, placeholder="...") or model


def title(axes: Axes, text: str) -> None:
    """Write the title of a pair of axes."""
    axes.set_title(text, loc="left", fontsize=11, color=INK)


def plain(axes: Axes, grid: str) -> None:
    """Take what is not needed off a pair of axes; `grid` is `x` or `y`."""
    axes.grid(axis=grid, color=GRID, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
