"""The demonstration: a small model fails in a plain harness, the harness is rewritten from its own traces, the same model succeeds.

Runs the commands that a user would, one after another, and shows them. Every result is kept in the run directory; a demonstration that
was stopped goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from homebody.scripts.interrupt import interruptible, run_child
from homebody.scripts.options import PATH

# Sized for ten minutes on two cores. The plain harness is the slow one: a model that writes its commands reads all candidates at every
# step, so fewer tasks are played with it.
EVOLVE = ["--train-tasks", "6", "--validation-tasks", "10", "--exploration-steps", "150000"]
SEED_TASKS, TASKS = "12", "60"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", default="smollm2", show_default=True, help="Which model plays: smollm2, gemma3-270m, a .gguf path, ...")
@click.option("--run-dir", default="runs/demo", show_default=True, type=PATH, help="Where everything is kept.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Worker processes, one thread each.")
def demo(model: str, run_dir: str, workers: int) -> None:
    """Evolve a small model's harness on procedural houses and test it on houses that it has never met."""
    from homebody.evolution.store import holds

    final = str(Path(run_dir) / "final.json")
    chart = str(Path(run_dir) / "chart.png")
    test = ["evaluate", "--split", "test", "--run-dir", run_dir]
    click.secho("\n1. Evolve: play training houses, read the failures, edit the harness, keep what helps on validation houses", bold=True)
    resume = ["--resume"] if holds(run_dir, "start") else []
    _homebody(["evolve", "--model", model, "--run-dir", run_dir, *resume, "--workers", str(workers), *EVOLVE])
    click.secho("\n2. Test on houses that no one has met: the plain harness, then the evolved one, then the controls", bold=True)
    _homebody([*test, "--tasks", SEED_TASKS, "--harness", "household", "--policy", model, "--workers", str(workers)])
    _homebody([*test, "--tasks", TASKS, "--harness", final, "--policy", model, "--workers", str(workers)])
    for control in ("no-model", "random", "expert"):
        _homebody([*test, "--tasks", TASKS, "--harness", final, "--policy", control])
    click.secho("\n3. The result", bold=True)
    _homebody(["report", run_dir, "--png", chart])
    click.secho("\nThe run is in ", nl=False)
    click.secho(run_dir, bold=True, nl=False)
    click.echo(f", the chart in {chart}. Try next:")
    click.echo(f"  .venv/bin/homebody run --harness {final} --policy {model} --index 1     watch the evolved agent")
    click.echo(f"  .venv/bin/homebody run --harness household --policy {model} --index 1    and the same task before")
    click.echo(f"  .venv/bin/homebody harness diff household {final}          what evolution changed")


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
