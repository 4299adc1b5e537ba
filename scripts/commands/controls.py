"""`homebody controls`: what the gain of a run is worth."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, json_written
from homebody.scripts.options import PATH, SPLIT, FiniteRange, json_out, server_settings, workers


@click.command(short_help="Play a run's controls: seed, no-op, random edits, ablations, ...")
@click.argument("run_dir", type=PATH, metavar="RUN_DIR")
@click.option("--split", type=SPLIT, default="test", show_default=True, help="train, validation or test.")
@click.option("--tasks", "n_tasks", type=click.IntRange(min=1), metavar="N", help="The first N tasks of the split; without it all.")
@click.option("--seed-tasks", type=click.IntRange(min=1), metavar="N",
              help="The same for the rows of the seed harness, which may be slow.  [default: as --tasks]")  # fmt: skip
@click.option("--attempts", type=click.IntRange(1, 100), default=1, show_default=True, metavar="K",
              help="Tries a task of the seed and the evolved harness; 2 adds pass@2.")  # fmt: skip
@click.option("--equal", type=click.Choice(["episodes", "tokens"]), default="episodes", show_default=True,
              help="What best-of-n has as much of as the evolution had.")  # fmt: skip
@click.option("--only", metavar="ROW,ROW", help="seed, final (each with its twins), noop, random-edits, no-skills, best-of-n, "
              "matcher, scripted, expert, ablation, incremental, peak.  [default: all]")  # fmt: skip
@click.option(
    "--minutes",
    type=FiniteRange(min=0),
    metavar="M",
    help="After M minutes no row is begun that asks the model beyond the seed and the evolved harness, nor one that would end later at the "
    "pace of the seed harness; without it no limit.",
)
@click.option("--data-dir", type=PATH, metavar="DIR", help="Where the game files lie now, if elsewhere than in the run.")
@workers
@server_settings
@json_out
def controls(
    run_dir: str, split: str, n_tasks: int | None, seed_tasks: int | None, attempts: int, equal: str, only: str | None,
    minutes: float | None, data_dir: str | None, workers: int, concurrency: int, timeout_s: float | None,
    json_path: str | None,
) -> None:  # fmt: skip
    """Play what a run's gain has to be compared with, on held-out tasks, and audit the run's log.

    Everything is kept in RUN_DIR, and nothing is played twice: a command that was stopped goes on where it was. The seed and the evolved
    harness stand beside their four twins, which ask no model. The best twin is chosen on validation tasks; a model's value is its success
    minus that twin's. The no-op and the random evolution have the run's budget; best-of-n has as many episodes (or tokens) of the seed
    harness, and an oracle picks the best, which favours this control. Each shipped edit is left out once (ablation); the harness after each
    edit shows what it added (incremental ablation). Exit code 1 if the audit finds something wrong.

    \b
    Examples:
      homebody controls runs/first --tasks 60 --workers 2
      homebody controls runs/first --tasks 60 --attempts 2 --only seed,final
    """
    from homebody.evolution.controls.baselines import play_controls
    from homebody.evolution.controls.markdown import controls_markdown
    from homebody.evolution.controls.rows import BASELINES, Plan

    check_target(json_path, run_dir)
    chosen = tuple(name.strip() for name in only.split(",")) if only is not None else tuple(BASELINES)
    console = Console()
    with console.progress("controls") as advance:
        result = play_controls(
            run_dir,
            Plan(split, n_tasks, seed_tasks, attempts, equal, chosen, minutes),
            workers=workers,
            concurrency=concurrency,
            timeout_s=timeout_s,
            data_dir=data_dir,
            on_episode=lambda row, done, total, what: advance(done, total, f"{row}: {what}"),
        )
    with json_written(json_path, result):
        console.markdown(controls_markdown(result))
    if not all(finding["ok"] for finding in result["audit"]):
        raise SystemExit(1)
