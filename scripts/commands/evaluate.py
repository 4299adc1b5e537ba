"""`homebody evaluate`: play many tasks and count."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, json_written
from homebody.scripts.options import (
    PATH,
    SPLIT,
    cluster,
    end_with,
    env_kwargs,
    harness_option,
    json_out,
    model_settings,
    no_adaptation,
    policy_option,
    seed,
    server_settings,
    where,
    without,
    workers,
)

if TYPE_CHECKING:
    from homebody.agents.record import EpisodeRecord


@click.command(short_help="Play many tasks and say how many are solved.")
@where
@click.option(
    "--split", type=SPLIT, default="test", show_default=True, help="train, validation or test (ALFWorld: valid_seen, valid_unseen too)."
)
@harness_option
@no_adaptation
@without
@policy_option
@click.option("--tasks", "n_tasks", type=click.IntRange(min=1), metavar="N", help="The first N tasks of the split; without it all.")
@click.option("--attempts", type=click.IntRange(1, 100), default=1, show_default=True, metavar="K", help="Tries a task; adds pass@k.")
@click.option("--twins", is_flag=True,
              help="Play the harness's four twins too, which ask no model: what the model is worth beside the best of them.")  # fmt: skip
@workers
@cluster
@click.option("--run-dir", type=PATH, metavar="DIR", help="Keep episodes and result in this run; nothing is played twice.")
@seed
@model_settings
@server_settings
@json_out
def evaluate(
    env_id: str, data_dir: str | None, env_args: tuple[str, ...], max_steps: int, split: str, harness: str, no_adaptation: bool,
    without: tuple[str, ...], policy: str, n_tasks: int | None, attempts: int, twins: bool, workers: int,
    cluster: str | None, run_dir: str | None,
    seed: int, n_ctx: int | None, n_threads: int, gpu_layers: int, concurrency: int, timeout_s: float | None,
    json_path: str | None,
) -> None:  # fmt: skip
    """Play the tasks of a split with a harness and a policy; print success with its 95% interval, and who decided.

    With --twins four policies that ask no model play the same harness on the same tasks: no-model (what the harness ranks first), random,
    echo (the command that the harness wrote into the prompt) and executor (what its skills advise). The best of them is chosen on 40
    validation tasks. The model's value is its success minus that twin's, in points, with its 95% interval.

    \b
    Examples:
      homebody evaluate --split test --tasks 60 --harness household --policy smollm2 --twins --workers 2
      homebody evaluate --env-arg holdout=rooms --tasks 60 --harness household-smollm2 --policy no-model
      homebody evaluate --env homebody/AlfWorld-v0 --data-dir $ALFWORLD_DATA --split valid_unseen --policy random
      homebody evaluate --harness household-smollm2 --without location_memory --tasks 60
      homebody evaluate --policy http://127.0.0.1:8000/v1 --concurrency 16
    """
    from homebody.agents.harness.spec import HarnessSpec
    from homebody.agents.rollout import RolloutConfig
    from homebody.evolution.controls.evaluation import evaluate as evaluate_harness

    check_target(json_path, run_dir)
    console = Console()
    spec = HarnessSpec.load(console.picked_harness(harness, policy))
    if no_adaptation:
        spec = spec.without_adaptations()
    for component in without:
        spec = spec.without(component)
    kwargs = env_kwargs(env_id, data_dir, env_args)
    config = RolloutConfig(env_id, policy, max_steps, kwargs, gpu_layers, n_ctx, n_threads, concurrency, timeout_s)
    console.prepare(policy, n_threads=n_threads, gpu_layers=gpu_layers)
    with console.progress("episodes") as advance:
        result = evaluate_harness(
            config,
            spec,
            split,
            tasks=n_tasks,
            attempts=attempts,
            seed=seed,
            workers=workers,
            cluster=cluster,
            run_dir=run_dir,
            twins=twins,
            on_record=lambda done, total, record: advance(done, total, _note(record, policy)),
        )
    with json_written(json_path, result):
        console.evaluation(result)
    end_with(result["episodes"])


def _note(record: EpisodeRecord, policy: str) -> str:
    """Return how an episode ended, and which twin played it if the policy did not."""
    from homebody.agents.model_free import TWINS
    from homebody.evolution.controls.evaluation import outcome_of

    return f"twin {record.policy} {outcome_of(record)}" if record.policy in TWINS and record.policy != policy else outcome_of(record)
