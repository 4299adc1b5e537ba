"""What `homebody reproduce` leaves behind: the results table as JSON, Markdown, pictures, and one HTML page that needs nothing else.

The same runs give the same bytes, but for the times that they took. Whatever a page shows is escaped, and it runs no script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from homebody.envs.file import make_folder, write_file
from homebody.evolution.controls.figure import draw_hit_rates, draw_results, summed
from homebody.evolution.controls.markdown import (
    ATTRIBUTION_HEADS,
    CONTROL_HEADS,
    PUBLISHED_HEADS,
    RESULT_HEADS,
    attribution_cells,
    control_cells,
    describe_origin,
    describe_rows,
    describe_seed,
    marks,
    published_cells,
    remarks,
    result_cells,
    results_markdown,
)
from homebody.evolution.controls.pictures import draw_by_benchmark, draw_by_size, draw_curves, draw_kinds
from homebody.evolution.controls.results import dump_report
from homebody.evolution.reports.figure import Picture, figures, inline_svg, save
from homebody.evolution.reports.page import source, templates
from homebody.evolution.stored import StoredRound

SHOWN = {
    "rounds": "Line chart of the share of training and validation tasks solved in each round.",
    "failures": "Stacked bars of the failures on training tasks in each round, by category.",
    "operators": "Bars of how often each operator was tried, by its outcome.",
    "hit-rates": "Bars of the training tasks that shipped edits were to unlock, and of those that were solved in the next round.",
}
"""Figures of a combination, with what each shows for those who do not see it."""
TOGETHER = {
    "by-benchmark": "Gain and model_value in points with their intervals, by benchmark and model.",
    "by-size": "Gain and model_value by the number of the model's parameters; lines join models of one family on one benchmark, and hollow "
    "marks are of harnesses that evolved for another model.",
    "curves": "Line charts of the share of validation tasks solved in each round, by benchmark, a line a model.",
    "kinds": "Grid of the dimensions of edits by model: how many edits were shipped, of how many that were tried.",
    "hit-rates": SHOWN["hit-rates"],
}
"""Figures of all rows together, likewise."""


def write_results(report: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write everything into a folder.

    Args:
        report: as `homebody.evolution.controls.table.gather` returns it.
        folder: made where it is missing.

    Returns:
        The files: results.json, results.md, results.html, results.png and .svg, and in figures/ those of all rows together and of each
        combination.

    Raises:
        OutputError: one of them cannot be written.
    """
    folder = make_folder(Path(folder) / "figures").parent
    found = [folder / f"results.{ending}" for ending in ("json", "md", "html", "png", "svg")]
    write_file(found[0], dump_report(report))
    write_file(found[1], results_markdown(report))
    write_file(found[2], build_results_page(report))
    for path in found[3:]:
        save(draw_results(report), path)
    for name, figure in _together(report):
        for ending in ("png", "svg"):
            found.append(folder / "figures" / f"{name}.{ending}")
            save(figure, found[-1])
    for one in report["combinations"]:
        for name, figure in _figures(one):
            for ending in ("png", "svg"):
                found.append(folder / "figures" / f"{one['run']}-{name}.{ending}")
                save(figure, found[-1])
    return found


def build_results_page(report: Mapping[str, Any]) -> str:
    """Return the HTML page."""
    return (
        templates()
        .get_template("results.html")
        .render(
            style=Markup(source("page.css")),
            remarks=remarks(report),
            picture=Markup(inline_svg(draw_results(report), "results")),
            result_heads=RESULT_HEADS,
            result_rows=list(map(result_cells, report["rows"], report["combinations"])),
            figures=[{"svg": Markup(inline_svg(figure, name)), "alternative": TOGETHER[name]} for name, figure in _together(report)],
            sentences=describe_rows(report),
            published=report["published"],
            published_heads=PUBLISHED_HEADS,
            published_rows=[published_cells(row) for row in report["published"]["rows"]],
            control_heads=CONTROL_HEADS,
            attribution_heads=ATTRIBUTION_HEADS,
            combinations=[
                _combination(number, row, one) for number, (row, one) in enumerate(zip(report["rows"], report["combinations"], strict=True))
            ],
        )
    )


def _combination(number: int, row: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    controls = one["controls"]
    attribution = controls["attribution"]
    return {
        **{key: one[key] for key in ("about", "cost", "run", "candidates")},
        "harness_of": one.get("harness_of"),
        "name": ", ".join([f"{one['model']} on {one['benchmark']}", *marks(row)]),
        "origin": describe_origin(one["manifest"]),
        "figures": [{"svg": Markup(inline_svg(figure, f"c{number}-{name}")), "alternative": SHOWN[name]} for name, figure in _figures(one)],
        "played": controls["run"].get("about", ""),
        "seed": describe_seed(one["seed"]),
        "control_rows": [control_cells(row) for row in controls["rows"]],
        "attribution": attribution,
        "attribution_rows": attribution_cells(attribution) if attribution else [],
        "skipped": controls["skipped"],
        "audit": controls["audit"],
    }


def _together(report: Mapping[str, Any]) -> Iterator[tuple[str, Picture]]:
    """Draw the figures of all rows together for which there are data."""
    drawn = {
        "by-benchmark": draw_by_benchmark(report),
        "by-size": draw_by_size(report),
        "curves": draw_curves(report),
        "kinds": draw_kinds(report),
        "hit-rates": draw_hit_rates(summed(report["combinations"])),
    }
    for name in TOGETHER:
        if figure := drawn[name]:
            yield name, figure


def _figures(one: Mapping[str, Any]) -> Iterator[tuple[str, Picture]]:
    """Draw the figures of a combination for which there are data."""
    rounds: Sequence[StoredRound] = one["rounds"]
    drawn = {**figures({"start": None, "rounds": rounds, "table": {}}), "hit-rates": draw_hit_rates(one["operators"])}
    for name in SHOWN:
        if figure := drawn.get(name):
            yield name, figure
