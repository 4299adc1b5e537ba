"""`homebody evolve`: let a harness improve itself."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console, check_target, write_json
from homebody.scripts.options import env_kwargs, gpu, harness_option, json_out, seed, where, workers


@click.command(short_help="Let a harness improve itself.")
@where
@click.option("--model", default="smollm2", show_default=True, metavar="MODEL", help="Who decides: a model, or a control (see evaluate).")
@harness_option
@click.option("--run-dir", required=True, type=click.Path(), metavar="DIR", help="Where the run is kept.")
@click.option("--rounds", type=click.IntRange(1, 100), default=6, show_default=True, metavar="N", help="Most rounds.")
@click.option("--proposer", default="rules", show_default=True, metavar="P", help="rules, or a control: random, noop.")
@click.option("--candidates", type=click.IntRange(1, 20), default=2, show_default=True, metavar="K", help="Edits tried a round.")
@click.option("--train-tasks", type=click.IntRange(min=1), default=24, show_default=True, metavar="N", help="Tasks whose traces are read.")
@click.option("--validation-tasks", type=click.IntRange(min=1), default=40, show_default=True, metavar="N", help="Tasks of the gate.")
@click.option("--exploration-steps", type=click.IntRange(min=0), default=200_000, show_default=True, metavar="N",
              help="Model-free steps on training tasks; 0: none.")  # fmt: skip
@click.option("--budget-episodes", type=click.IntRange(min=1), metavar="N", help="Most model episodes; without it no limit.")
@workers
@seed
@gpu
@click.option("--resume", is_flag=True, help="Go on with the run in --run-dir.")
@json_out
def evolve(
    env_id: str, data_dir: str | None, env_args: tuple[str, ...], max_steps: int, model: str, harness: str, run_dir: str, rounds: int,
    proposer: str, candidates: int,
    train_tasks: int, validation_tasks: int, exploration_steps: int, budget_episodes: int | None, workers: int, seed: int, gpu_layers: int,
    resume: bool, json_path: str | None,
) -> None:  # fmt: skip
    """Evolve a harness on training tasks; a gate on validation tasks decides which edits stay. Test tasks are not read.

    The result is RUN_DIR/final.json, a harness file for evaluate and run. A run that was stopped goes on with --resume.

    \b
    Examples:
      homebody evolve --model smollm2 --run-dir runs/first --workers 2
      homebody evolve --proposer random --run-dir runs/control
    """
    from homebody.evolution.loop import EvolveConfig
    from homebody.evolution.loop import evolve as evolve_harness

    check_target(json_path, run_dir)
    config = EvolveConfig(
        env_id=env_id,
        model=model,
        harness=harness,
        proposer=proposer,
        rounds=rounds,
        candidates=candidates,
        train_tasks=train_tasks,
        validation_tasks=validation_tasks,
        max_steps=max_steps,
        exploration_steps=exploration_steps,
        budget_episodes=budget_episodes,
        seed=seed,
        env_kwargs=env_kwargs(env_id, data_dir, env_args),
        gpu_layers=gpu_layers,
    )
    console = Console()
    with console.evolution(config) as progress:
        result = evolve_harness(config, run_dir, workers=workers, resume=resume, progress=progress)
    console.evolution_end(result)
    write_json(json_path, result)
