"""`homebody play`: a person plays a task."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import SPLIT, end_with, env_kwargs, json_out, seed, where
from homebody.scripts.terminal import echo
from homebody.scripts.view import option


@click.command(short_help="Play a task yourself, in a window or a terminal.", context_settings={"default_map": {"max_steps": 50}})
@where
@click.option("--split", type=SPLIT, default="train", show_default=True, help="Split that the task is taken from.")
@click.option("--task", "task_id", metavar="ID", help="Task id; without it the task at --index of the split.")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Which task of the split, from 0.")
@seed
@click.option("--text", "is_text", is_flag=True, help="Play in this terminal; needs no display.")
@option.size
@json_out
def play(
    env_id: str, data_dir: str | None, env_args: tuple[str, ...], max_steps: int, split: str, task_id: str | None, index: int, seed: int,
    is_text: bool, size: tuple[int, int] | None, json_path: str | None,
) -> None:  # fmt: skip
    """Play a task yourself. With --json the episode is kept as a demonstration, which `homebody watch` shows.

    \b
    Examples:
      homebody play
      homebody play --index 3 --json demonstration.json
      homebody play --text
    """
    from homebody.agents.episode import run_episode
    from homebody.agents.rollout import RolloutConfig
    from homebody.envs import TaskSpec, tasks
    from homebody.scripts.view.human import BARE, HUMAN, HumanPolicy, ask_on_terminal, without_stop
    from homebody.scripts.view.layout import ONE
    from homebody.scripts.view.play import PlayLayout, Session
    from homebody.scripts.view.player import open_window
    from homebody.scripts.view.replay import Replay
    from homebody.scripts.view.source import Stored

    check_target(json_path)
    settings = env_kwargs(env_id, data_dir, env_args)
    if task_id is None:
        task = tasks(env_id, split, index + 1, **settings)[index]
    else:
        task = next((task for task in tasks(env_id, split, None, **settings) if task.task_id == task_id), TaskSpec(task_id, "", split))
    config = RolloutConfig(env_id, HUMAN, max_steps, settings)
    env = config.make_env()
    if is_text:
        record = without_stop(run_episode(env, BARE, HumanPolicy(ask_on_terminal), task, seed, max_steps=max_steps))
        if record.trace and not record.interrupted:
            echo(f"\n{record.trace[-1].observation}")
    else:
        layout = PlayLayout(Replay(config.make_env(), task.task_id, seed, BARE.name, HUMAN), size or ONE)
        session = Session(layout, open_window(size or ONE, f"homebody: {task.task_id}", "play in this terminal: homebody play --text"))
        record = without_stop(run_episode(env, BARE, HumanPolicy(session.ask), task, seed, max_steps=max_steps, on_step=session.take_in))
        session.finish(record)
    env.close()
    Console().episode_end(record)
    write_json(json_path, Stored(record, BARE.name, env_id, settings).to_json())
    end_with([record.to_json()])
