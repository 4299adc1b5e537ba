"""The demonstration: a harness is rewritten from its own traces until it asks its model, and the model's part is measured.

Runs the commands that a user would, one after another, and shows them. Every result is kept in the run directory; a demonstration that
was stopped goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from homebody.scripts.interrupt import interruptible, run_child
from homebody.scripts.options import PATH

# One round ends before evolution has learned a table of where things are, which would make the model superfluous: the plan says what to
# look for, and where that would be is the model's to say. The houses of the test have layouts of rooms that no training house has.
HOUSES = ["--env-arg", "holdout=rooms"]
EVOLVE = ["--rounds", "1", "--candidates", "1", "--train-tasks", "4", "--validation-tasks", "16", "--growth", "2"]
EXPLORE = ["--exploration-steps", "150000"]
SEED_TASKS, TASKS = "8", "60"
EPISODE = "0"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", default="gemma3-270m", show_default=True, help="Which model plays: smollm2, gemma3-270m, a .gguf path, ...")
@click.option("--run-dir", default="runs/demo", show_default=True, type=PATH, help="Where everything is kept.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Worker processes, one thread each.")
def demo(model: str, run_dir: str, workers: int) -> None:
    """Evolve a small model's harness on procedural houses, and measure what the model adds on houses it has never met."""
    from homebody.agents.harness.spec import HarnessSpec
    from homebody.evolution.store import holds

    final = str(Path(run_dir) / "final.json")
    chart, episode, picture = (str(Path(run_dir) / name) for name in ("chart.png", "episode.json", "episode.png"))
    played = ["--policy", model, *HOUSES]
    test = ["evaluate", "--split", "test", "--run-dir", run_dir, *played, "--workers", str(workers)]
    click.secho("\n1. Evolve: play training houses, read the failures, edit the harness, keep what helps on validation houses", bold=True)
    resume = ["--resume"] if holds(run_dir, "start") else []
    _homebody(["evolve", "--model", model, *HOUSES, "--run-dir", run_dir, *resume, "--workers", str(workers), *EVOLVE, *EXPLORE])
    click.secho(
        "\n2. Test on houses that no one has met: the plain harness, then the evolved one beside its twins without a model", bold=True
    )
    _homebody([*test, "--tasks", SEED_TASKS, "--harness", "household"])
    _homebody([*test, "--tasks", TASKS, "--harness", final, "--twins"])
    click.secho("\n3. One episode: what the harness asks, and what the model answers", bold=True)
    _homebody(["run", "--split", "test", "--index", EPISODE, "--harness", final, *played, "--json", episode])
    _homebody(["watch", episode, "--record", picture, "--step", "1"])
    click.secho("\n4. The result", bold=True)
    _homebody(["report", run_dir, "--png", chart])
    seed = HarnessSpec.load(final).document["origin"]["seed_harness"]
    click.secho("\nThe run is in ", nl=False)
    click.secho(run_dir, bold=True, nl=False)
    click.echo(f", the chart in {chart}, the episode in {picture}. Try next:")
    click.echo(f"  .venv/bin/homebody watch {episode}          the episode in a window")
    click.echo(f"  .venv/bin/homebody harness diff {seed} {final}          what evolution changed")
    click.echo(f"  .venv/bin/homebody report {run_dir} --html {run_dir}/report.html          every edit, from evidence to verdict")


def _homebody(arguments: list[str]) -> None:
    """Show a command and run it; end with its exit code if it fails."""
    click.secho("$ homebody " + " ".join(arguments), fg="cyan")
    sys.stdout.flush()
    code = run_child([sys.executable, "-P", "-m", "homebody.scripts.cli", *arguments])
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    with interruptible():
        demo()
