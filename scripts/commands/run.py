"""`homebody run`: play one task and show it."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from typing import Any

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import (
    SPLIT,
    end_with,
    env_kwargs,
    harness_option,
    json_out,
    model_settings,
    no_adaptation,
    policy_option,
    seed,
    timeout,
    where,
    without,
)
from homebody.scripts.view import option


@click.command(short_help="Play one task and print the episode.")
@where
@click.option("--split", type=SPLIT, default="test", show_default=True, help="Split that the task is taken from.")
@click.option("--task", "task_id", metavar="ID", help="Task id; without it the task at --index of the split.")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Which task of the split, from 0.")
@harness_option
@no_adaptation
@without
@policy_option
@seed
@model_settings
@timeout
@click.option("--watch", "is_watched", is_flag=True, help="Show it in a window while it is played.")
@option.record
@option.size
@json_out
def run(
    env_id: str, data_dir: str | None, env_args: tuple[str, ...], max_steps: int, split: str, task_id: str | None, index: int,
    harness: str, no_adaptation: bool, without: tuple[str, ...], policy: str, seed: int, n_ctx: int | None, n_threads: int,
    gpu_layers: int, timeout_s: float | None, is_watched: bool, record: str | None, size: tuple[int, int] | None, json_path: str | None,
) -> None:  # fmt: skip
    """Play one task and print it step by step.

    Where a model plays, each step shows what it thought and wrote, and says who decided, by what margin, and what the harness would
    have sent without the model (its twin):

    \b
      model     the model's choice; the twin would have sent another command
      agreed    the model's choice, and the twin's too
      reading   follows an earlier answer of the model
      harness   the harness alone
      fallback  the model's reply could not be read

    \b
    Examples:
      homebody run --policy random --harness household
      homebody run --index 3 --policy smollm2 --harness runs/first/final.json --watch
      homebody run --policy no-model --harness household-smollm2 --record episode.gif
      homebody run --harness household-gemma3-270m --without location_memory --policy gemma3-270m
      homebody run --env homebody/WebShop-v0 --harness webshop-smollm2 --policy no-model --max-steps 20
      homebody run --env mymodule:MyEnv --harness generic --policy random
    """
    from homebody.agents.episode import ModelCall
    from homebody.agents.harness.spec import HarnessSpec
    from homebody.agents.record import EpisodeRecord
    from homebody.agents.rollout import Job, RolloutConfig, Rollouts
    from homebody.envs import TaskSpec, tasks
    from homebody.envs.canvas import check_size
    from homebody.scripts.view.layout import LEAST, ONE, Layout
    from homebody.scripts.view.live import listen, watch_live
    from homebody.scripts.view.player import open_window
    from homebody.scripts.view.recorder import check_recording
    from homebody.scripts.view.recorder import record as write_recording
    from homebody.scripts.view.replay import Replay
    from homebody.scripts.view.source import Stored

    check_target(json_path)
    check_recording(record)
    if size is not None and not is_watched and record is None:
        raise click.UsageError("--size is given and nothing is drawn; add --watch or --record FILE.gif, or leave it out")
    size = check_size(size or ONE, LEAST)
    settings = env_kwargs(env_id, data_dir, env_args)
    if task_id is None:
        task = tasks(env_id, split, index + 1, **settings)[index]
    else:
        task = next((task for task in tasks(env_id, split, None, **settings) if task.task_id == task_id), TaskSpec(task_id, "", split))
    console = Console()
    spec = HarnessSpec.load(console.picked_harness(harness, policy))
    if no_adaptation:
        spec = spec.without_adaptations()
    for component in without:
        spec = spec.without(component)
    spec.check()
    console.prepare(policy, n_threads=n_threads, gpu_layers=gpu_layers)
    config = RolloutConfig(env_id, policy, max_steps, settings, gpu_layers, n_ctx, n_threads, timeout_s=timeout_s)
    model_calls: list[ModelCall | None] = []
    # Before a model is loaded: without a display there is nothing to wait for.
    window = open_window(size, f"homebody: {task.task_id}", "leave --watch out, or give --record FILE.gif") if is_watched else None
    with Rollouts(config) as rollouts:

        def play(on_step: Any, on_decision: Any) -> EpisodeRecord:
            (played,) = rollouts.play([Job(spec, task, seed)], on_step, on_decision, on_start=console.opening)
            return played

        console.episode_head(task, spec, rollouts.policy.name)
        if window is not None:
            layout = Layout([Replay(config.make_env(), task.task_id, seed, spec.name, rollouts.policy.name)], size, has_buttons=True)
            played = watch_live(play, layout, window, console.step, model_calls)
        else:
            played = listen(play, console.step, model_calls)
    console.episode_end(played)
    stored = Stored(played, spec.name, env_id, settings, model_calls)
    write_json(json_path, stored.to_json())
    if record is not None and not played.error:
        write_recording(Layout([stored.replay()], size), record)
    end_with([played.to_json()])
