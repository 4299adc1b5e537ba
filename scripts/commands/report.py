"""`homebody report`: read a run."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console, check_target, write_json
from homebody.scripts.options import json_out


@click.command(short_help="Read a run: rounds, edits, verdicts, figures.")
@click.argument("run_dir", type=click.Path(), metavar="RUN_DIR")
@click.option("--png", type=click.Path(), metavar="FILE", help="Draw the chart into FILE (.png or .svg).")
@json_out
def report(run_dir: str, png: str | None, json_path: str | None) -> None:
    """Print what a run did and found, as Markdown.

    \b
    Example:
      homebody report runs/first --png runs/first/chart.png
    """
    from homebody.evolution.report import markdown, read_run

    if png is not None and not png.endswith((".png", ".svg")):
        raise click.UsageError(f"--png is {png!r}; give a file name that ends in .png or .svg")
    check_target(png)
    check_target(json_path)
    run = read_run(run_dir)
    Console().markdown(markdown(run))
    write_json(json_path, run)
    if png is not None:
        from homebody.evolution.figure import draw_run

        draw_run(run, png)
