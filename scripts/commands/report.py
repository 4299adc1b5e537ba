"""`homebody report`: read a run."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, json_out

if TYPE_CHECKING:
    from homebody.evolution.reports.explain import Card, ExplainedRound
    from homebody.evolution.stored import Run

DEFAULT_PORT = 8350


@click.command(short_help="Read a run: rounds, edits, verdicts, figures.")
@click.argument("run_dir", type=PATH, metavar="RUN_DIR")
@click.option("--html", type=PATH, metavar="FILE", help="Write the HTML page into FILE instead of RUN_DIR/report.html.")
@click.option("--png", type=PATH, metavar="FILE", help="Draw the chart into FILE (.png or .svg).")
@click.option("--figures", "folder", type=PATH, metavar="DIR", help="Draw each figure into DIR, as PNG and as SVG.")
@click.option("--round", "number", type=int, metavar="N", help="Print this round alone, with its evidence.")
@click.option("--candidate", metavar="M", help="With --round: explain this edit, by its number or id, from evidence to verdict.")
@click.option("--serve", "serving", is_flag=True, help="Show the run on a local web page that follows it; Ctrl-C ends.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port of --serve; 0 takes a free one.  [default: 8350]")
@json_out
def report(
    run_dir: str,
    html: str | None,
    png: str | None,
    folder: str | None,
    number: int | None,
    candidate: str | None,
    serving: bool,
    port: int | None,
    json_path: str | None,
) -> None:
    """Print what a run did and found, as Markdown, and write it as one HTML page: curves, controls, edits, tasks and transcripts.

    With --round only that round is printed, and with --candidate only that edit; no page is written then.

    \b
    Examples:
      homebody report runs/first --png runs/first/chart.png
      homebody report runs/first --round 3 --candidate 2
      homebody report runs/first --serve
    """
    if candidate is not None and number is None:
        raise click.UsageError(f"--candidate is {candidate} and no round is given; add --round")
    if number is not None:
        if html or png or folder or serving:
            raise click.UsageError("--round writes no file but --json; leave it out, or leave out --html, --png, --figures and --serve")
        _explain(run_dir, number, candidate, json_path)
        return
    from homebody.envs.file import OutputError, make_folder, write_file
    from homebody.evolution.reports.summary import markdown, read_run

    if png is not None and not png.endswith((".png", ".svg")):
        raise click.UsageError(f"--png is {png!r}; give a file name that ends in .png or .svg")
    if port is not None and not serving:
        raise click.UsageError(f"--port is {port} and nothing is served; add --serve")
    if serving and (html or png or folder or json_path):
        raise click.UsageError("--serve writes no file; leave it out, or leave out --html, --png, --figures and --json")
    run = read_run(run_dir)
    console = Console()
    if serving:
        from homebody.scripts.serve import serve

        serve(run_dir, DEFAULT_PORT if port is None else port, lambda address: console.line(f"{address} follows {run_dir}; Ctrl-C ends"))
        return
    for path in (html, png, json_path):
        check_target(path)
    page, hindrance = html or str(Path(run_dir) / "report.html"), ""
    if html is None:
        try:
            check_target(page)
        except OutputError as error:  # a run can be read wherever it lies
            hindrance = error.problem
    if folder is not None:
        make_folder(folder)
    from homebody.evolution.store import reading

    with reading(run_dir):
        console.markdown(markdown(run))
        write_json(json_path, run)
        _draw(run, png, folder)
    if hindrance:
        console.line(f"\nno HTML page: {hindrance}; give --html FILE with a place for it")
        return
    from homebody.evolution.reports.page import build_page

    write_file(page, build_page(run_dir))
    console.line(f"\nHTML page: {page}")


def _draw(run: Run, png: str | None, folder: str | None) -> None:
    from homebody.evolution.reports.figure import draw_run, figures, save

    if png is not None:
        draw_run(run, png)
    if folder is not None:
        for name, figure in figures(run).items():
            for ending in (".png", ".svg"):
                save(figure, Path(folder) / f"{name}{ending}")


def _explain(run_dir: str, number: int, candidate: str | None, json_path: str | None) -> None:
    from homebody.evolution.reports.explain import card_markdown, explain, round_markdown

    check_target(json_path)
    found: ExplainedRound | Card
    if candidate is None:
        text = round_markdown(found := explain(run_dir, number))
    else:
        text = card_markdown(found := explain(run_dir, number, candidate))
    Console().markdown(text)
    write_json(json_path, found)
