"""`homebody evolve`: let a harness improve itself."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from homebody.scripts.console import Console
from homebody.scripts.evolution_console import print_evolution, shown_evolution
from homebody.scripts.json_file import check_target, json_written
from homebody.scripts.options import (
    PATH,
    FiniteRange,
    cluster,
    env_kwargs,
    harness_option,
    json_out,
    model_settings,
    seed,
    server_settings,
    where,
    workers,
)
from homebody.scripts.terminal import echo

if TYPE_CHECKING:
    from homebody.evolution.gate.checked import CheckedCandidate
    from homebody.evolution.gate.rule import Verdict


@click.command(short_help="Let a harness improve itself.")
@where
@click.option("--model", default="smollm2", show_default=True, metavar="MODEL", help="Who decides: a model, or a control (see evaluate).")
@harness_option
@click.option("--run-dir", required=True, type=PATH, metavar="DIR", help="Where the run is kept.")
@click.option("--objective", type=click.Choice(["model", "success"]),
              help="model, unless a control decides: an edit must gain as much with the model as its best twin gains without; "
              "success: whoever decides.")  # fmt: skip
@click.option("--protocol", type=click.Choice(["held-out", "published"]), default="held-out", show_default=True,
              help="published: evolve and gate on the test tasks themselves, as the publication does; what is gained on them says "
              "nothing of other tasks.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=6, show_default=True, metavar="N", help="Most rounds.")
@click.option("--proposer", default="rules", show_default=True, metavar="P",
              help="rules, llm, gepa, a control (random, noop), or your own module:callable.")  # fmt: skip
@click.option("--proposer-model", metavar="MODEL", help="Model that the proposer may ask; without it the one that plays.")
@click.option("--proposer-ctx", "proposer_n_ctx", type=click.IntRange(min=1), metavar="N", help="Tokens of that model's context.")
@click.option("--proposer-timeout", "proposer_timeout_s", type=FiniteRange(min=0, min_open=True), metavar="S",
              help="Seconds to wait for one answer of that model's server.  [default: 600]")  # fmt: skip
@click.option("--candidates", type=click.IntRange(1, 20), default=2, show_default=True, metavar="K", help="Edits tried a round.")
@click.option(
    "--train-tasks", type=click.IntRange(min=1), default=24, show_default=True, metavar="N", help="Tasks whose traces are read, at first."
)
@click.option(
    "--validation-tasks", type=click.IntRange(min=1), default=40, show_default=True, metavar="N", help="Tasks of the gate, at first."
)
@click.option("--growth", type=click.IntRange(1, 100), default=8, show_default=True, metavar="F",
              help="Most times that both sets grow: they double while fewer than 5 of their tasks fail, "
              "and after a round that shipped nothing, once any is solved; 1: never.")  # fmt: skip
@click.option("--exploration-steps", type=click.IntRange(min=0), default=200_000, show_default=True, metavar="N",
              help="Model-free steps on training tasks; 0: none.")  # fmt: skip
@click.option("--gate", type=click.Choice(["auto", "no-regression", "sign-test", "noise-aware"]), default="auto", show_default=True,
              help="What losses it lets through; auto: sign-test where runs repeat exactly, else noise-aware.")  # fmt: skip
@click.option("--isolation", type=click.Choice(["none", "variants"]), default="none", show_default=True,
              help="variants: an edit that helps some goals and hurts others is kept for the former.")  # fmt: skip
@click.option("--budget-episodes", type=click.IntRange(min=1), metavar="N", help="Most model episodes; without it no limit.")
@click.option("--budget-tokens", type=click.IntRange(min=1), metavar="N", help="Begin no episode after N prompt and generated tokens.")
@click.option("--budget-minutes", type=FiniteRange(min=0, min_open=True), metavar="M", help="Begin no episode after M minutes of work.")
@click.option("--approve", is_flag=True, help="Ask before an edit is shipped: ship, reject or stop.")
@workers
@cluster
@seed
@model_settings
@server_settings
@click.option("--resume", is_flag=True, help="Go on with the run in --run-dir.")
@json_out
def evolve(
    env_id: str, data_dir: str | None, env_args: tuple[str, ...], max_steps: int, model: str, harness: str, run_dir: str,
    objective: str | None, protocol: str, rounds: int, proposer: str, proposer_model: str | None, proposer_n_ctx: int | None,
    proposer_timeout_s: float | None, candidates: int, train_tasks: int, validation_tasks: int, growth: int,
    exploration_steps: int, gate: str, isolation: str, budget_episodes: int | None, budget_tokens: int | None,
    budget_minutes: float | None, approve: bool, workers: int, cluster: str | None, seed: int, n_ctx: int | None, n_threads: int,
    gpu_layers: int, concurrency: int, timeout_s: float | None, resume: bool, json_path: str | None,
) -> None:  # fmt: skip
    """Evolve a harness on training tasks; a gate on validation tasks decides which edits stay. Test tasks are not read.

    The final harness is the last one shipped whose model is worth something on validation tasks: its success is above that of the best
    twin, which plays the harness without a model, with 90% confidence. Without such a one a run ends with its seed and says so. With
    --objective success it is the last one shipped, and its results are marked so. --protocol published takes test tasks in place of both,
    and its results are marked so, too.

    The result is RUN_DIR/final.json, a harness file for evaluate and run. A run ends before its last round when the proposer has no edit
    left, after three rounds in a row without anything new to play, or when a budget is spent; then the harness is what was shipped so
    far. A run that was stopped goes on with --resume and its own settings; budgets may be larger, or left out.

    The proposer's model may be on another server. Its key is HOMEBODY_PROPOSER_API_KEY where that is set, else HOMEBODY_API_KEY.

    \b
    Examples:
      homebody evolve --model smollm2 --run-dir runs/first --workers 2
      homebody evolve --proposer random --run-dir runs/control
      homebody evolve --approve --budget-minutes 30 --run-dir runs/watched
      homebody evolve --model http://127.0.0.1:8000/v1 --concurrency 16 --proposer-model https://HOST/v1 --run-dir runs/two
    """
    from homebody.evolution.config import EvolveConfig
    from homebody.evolution.loop import evolve as evolve_harness

    check_target(json_path, run_dir)
    if approve and not has_terminal():
        raise click.UsageError("--approve asks a person, and standard input is no terminal; run it in one, or leave --approve out")
    config = EvolveConfig(
        env_id=env_id,
        model=model,
        harness=harness,
        objective=objective,
        protocol=protocol,
        proposer=proposer,
        proposer_model=proposer_model,
        proposer_n_ctx=proposer_n_ctx,
        proposer_timeout_s=proposer_timeout_s,
        rounds=rounds,
        candidates=candidates,
        train_tasks=train_tasks,
        validation_tasks=validation_tasks,
        growth=growth,
        max_steps=max_steps,
        exploration_steps=exploration_steps,
        gate=gate,
        isolation=isolation,
        budget_episodes=budget_episodes,
        budget_tokens=budget_tokens,
        budget_minutes=budget_minutes,
        seed=seed,
        env_kwargs=env_kwargs(env_id, data_dir, env_args),
        gpu_layers=gpu_layers,
        n_ctx=n_ctx,
        n_threads=n_threads,
        concurrency=concurrency,
        timeout_s=timeout_s,
    )
    config.check()
    console = Console()
    config = replace(config, harness=console.picked_harness(harness, model))
    console.prepare(model, *([proposer_model] if proposer_model else []), n_threads=n_threads, gpu_layers=gpu_layers)
    with shown_evolution(console, config, plain=approve) as progress:
        person = ask if approve else None
        result = evolve_harness(config, run_dir, workers=workers, cluster=cluster, resume=resume, progress=progress, approve=person)
    with json_written(json_path, result):
        print_evolution(console, result)


def has_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty()


def ask(candidate: CheckedCandidate, verdict: Verdict) -> str:
    """Show an edit that passed the gate and ask what to do with it; returns `ship`, `reject` or `stop`."""
    manifest = candidate.manifest
    impact = manifest.predicted_impact
    patch = json.dumps(candidate.patch, ensure_ascii=False)
    evidence = "; ".join(f"{category}: {len(tasks)} tasks" for category, tasks in manifest.evidence.items())
    echo(f"\n{candidate.id} passed the gate: {verdict.reason}")
    for name, said in (
        ("operator", f"{manifest.operator} ({candidate.dimension})"),
        ("hypothesis", manifest.hypothesis),
        ("evidence", evidence or "none"),
        ("predicted", f"unlocks {len(impact.will_unlock)} training tasks, puts {len(impact.at_risk)} at risk"),
        ("won", ", ".join(verdict.won)),
        ("lost", ", ".join(verdict.lost) or "none"),
        ("at work", f"{verdict.activations} times, by {manifest.attribution_signature or 'nothing: it removes a processor'}"),
        ("patch", patch if len(patch) <= 500 else f"{patch[:500]}... ({len(patch)} characters)"),
    ):
        echo(f"  {name:<11} {said}")
    return str(click.prompt("Ship it?", type=click.Choice(["ship", "reject", "stop"])))
