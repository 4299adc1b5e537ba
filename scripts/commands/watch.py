"""`homebody watch`: look at episodes that were kept."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homebody.scripts.console import error_line
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, json_out
from homebody.scripts.terminal import echo
from homebody.scripts.view import option

if TYPE_CHECKING:
    from homebody.scripts.view.source import Stored


@click.command(short_help="Look at an episode again: replay, side by side, recording.")
@click.argument("source", type=PATH, metavar="RUN_DIR|FILE")
@click.option("--episode", metavar="N|TASK", help="Of a run: an episode's number, or the last one of a task. Without it they are listed.")
@click.option("--beside", type=PATH, metavar="N|RUN_DIR|FILE", help="Another episode of the same task, shown beside it.")
@click.option("--env", "env_id", metavar="ID", help="Environment to play it again in, where that was not kept.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of the game files, for environments that read some.")
@option.record
@click.option(
    "--step", type=click.IntRange(min=0), metavar="N", help="Of FILE.png: the picture after step N, 0 is the opening.  [default: the end]"
)
@option.size
@json_out
def watch(
    source: str, episode: str | None, beside: str | None, env_id: str | None, data_dir: str | None, record: str | None,
    step: int | None, size: tuple[int, int] | None, json_path: str | None,
) -> None:  # fmt: skip
    """Replay an episode of a run, or one that `homebody run --json` or `homebody play --json` wrote.

    In the window: Space plays and pauses, Left and Right go a step, F goes to the first failure, - and + change the speed, Esc closes.
    With --record no window is opened. --json writes the episode, or the list of episodes. The list says of how many steps the model
    decided (by_model), where one played.

    \b
    Examples:
      homebody watch runs/first
      homebody watch runs/first --episode 12 --beside 40
      homebody watch seed.json --beside evolved.json --record both.gif
      homebody watch evolved.json --record question.png --step 1
    """
    from homebody.scripts.view.layout import ONE, TWO, Layout
    from homebody.scripts.view.player import Player, open_window
    from homebody.scripts.view.player import watch as show
    from homebody.scripts.view.recorder import check_recording
    from homebody.scripts.view.recorder import record as write_recording
    from homebody.scripts.view.source import choose, read_file, read_run

    check_target(json_path)
    check_recording(record)
    if step is not None and not (record or "").endswith(".png"):
        raise click.UsageError(f"--step {step} is of one picture, and --record is {record!r}; give --record FILE.png")
    is_run = Path(source).is_dir()
    stored = read_run(source) if is_run else [read_file(source)]
    if is_run and episode is None:
        for name, given in {"--record": record, "--beside": beside, "--size": size}.items():
            if given is not None:
                raise click.UsageError(f"{name} is of one episode, and {source} is a run; give --episode N, without it they are listed")
        _list(stored)
        write_json(json_path, [_row(number, item) for number, item in enumerate(stored, 1)])
        return
    if not is_run and episode is not None:
        raise click.UsageError(f"--episode is {episode!r} and {source} is a file, which holds one episode; leave it out")
    chosen = [choose(stored, episode, source) if episode is not None else stored[0]]
    if beside is not None:
        chosen.append(_other(stored, beside, source, chosen[0].record.task_id))
    replays = [item.replay(env_id, data_dir) for item in chosen]
    for replay in replays:
        if replay.differs:
            error_line(f"{replay.title}: {replay.differs} is not as recorded; give the right environment and data by --env and --data-dir")
    write_json(json_path, chosen[0].to_json())
    size = size or (ONE if len(replays) == 1 else TWO)
    if record is not None:
        layout = Layout(replays, size)
        if step is not None and step > layout.last:
            raise click.UsageError(f"--step is {step} and the episode has {layout.last}; give a number from 0 to {layout.last}")
        write_recording(layout, record, step)
        return
    player = Player(Layout(replays, size, has_buttons=True))
    show(player, open_window(size, f"homebody: {replays[0].task_id}", "record it instead: --record FILE.gif"))


def _other(stored: Sequence[Stored], beside: str, source: str, task_id: str) -> Stored:
    """Return the episode to show beside one of a task.

    Raises:
        click.UsageError: there is none, or it plays another task.
    """
    from homebody.scripts.view.source import choose, read_file, read_run

    if beside.isdecimal() and Path(source).is_dir():
        other = choose(stored, beside, source)
    elif Path(beside).is_dir():
        other = choose(read_run(beside), task_id, beside)
    else:
        other = read_file(beside)
    if other.record.task_id != task_id:
        raise click.UsageError(f"--beside plays {other.record.task_id} and not {task_id}; give two episodes of one task")
    return other


def _list(stored: Sequence[Stored]) -> None:
    rows = [tuple(map(str, _row(number, item).values())) for number, item in enumerate(stored, 1)]
    rows.insert(0, ("episode", "task", "harness", "policy", "won", "steps", "by_model"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _row(number: int, item: Stored) -> dict[str, int | str | bool]:
    from homebody.agents.record import BY_MODEL
    from homebody.evolution.reports.decision import is_by_model

    record = item.record
    won = {True: "yes", False: "no", None: "error"}[record.outcome]
    by_model = str(sum(step.decided_by in BY_MODEL for step in record.moves)) if is_by_model(record.trace) else "-"
    return {
        "episode": number, "task": record.task_id, "harness": item.title, "policy": record.policy, "won": won, "steps": record.steps,
        "by_model": by_model,
    }  # fmt: skip
