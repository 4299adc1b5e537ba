"""`homebody run`: play one task and show it."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console, check_target, write_json
from homebody.scripts.options import decider_option, end_with, env_kwargs, gpu, harness_option, json_out, seed, where


@click.command(short_help="Play one task and print the episode.")
@where
@click.option("--split", default="test", show_default=True, help="Split that the task is taken from.")
@click.option("--task", "task_id", metavar="ID", help="Task id; without it the task at --index of the split.")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Which task of the split, from 0.")
@harness_option
@decider_option
@seed
@gpu
@json_out
def run(
    env_id: str, data_dir: str | None, max_steps: int, split: str, task_id: str | None, index: int, harness: str, decider: str, seed: int,
    gpu_layers: int, json_path: str | None,
) -> None:  # fmt: skip
    """Play one task and print it step by step.

    \b
    Examples:
      homebody run --decider random --harness household
      homebody run --index 3 --decider smollm2 --harness runs/first/final.json
    """
    from homebody.agents.rollout import Job, Rollouts, Stage
    from homebody.agents.spec import HarnessSpec
    from homebody.envs import TaskSpec, tasks

    check_target(json_path)
    spec = HarnessSpec.load(harness)
    settings = env_kwargs(env_id, data_dir)
    if task_id is None:
        task = tasks(env_id, split, index + 1, **settings)[index]
    else:
        task = next((task for task in tasks(env_id, split, None, **settings) if task.task_id == task_id), TaskSpec(task_id, "", split))
    console = Console()
    with Rollouts(Stage(env_id, decider, max_steps, settings, gpu_layers)) as rollouts:
        console.episode_head(task, spec, rollouts.decider.name)
        (record,) = rollouts.play([Job(spec, task, seed)], on_step=console.step)
    console.episode_end(record)
    write_json(json_path, record.to_json())
    end_with([record.to_json()])
