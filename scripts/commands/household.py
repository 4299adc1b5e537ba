"""`homebody household`: procedural houses as files, and how their goals are read."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, json_written, write_json
from homebody.scripts.options import DEFAULT_ENV, PATH, SPLIT, Group, json_out, model_settings, options, policy_option

house_parameters = options(
    click.option("--room", "rooms", multiple=True, metavar="ROOM", help="Kind of house: kitchen, livingroom, bedroom, bathroom, home."),
    click.option(
        "--task-type",
        "task_types",
        multiple=True,
        metavar="KIND[=WEIGHT]",
        help="Kind of task: place, light, clean, heat, cool, two; all by default. A weight of 2 makes it twice as frequent.",
    ),
    click.option("--clutter", type=float, default=1.0, show_default=True, metavar="X", help="Factor on the number of objects, 0.25 to 2."),
    click.option("--size", type=float, default=1.0, show_default=True, metavar="X", help="Factor on the amount of furniture, 0.5 to 2."),
    click.option("--distractors", type=int, default=0, show_default=True, metavar="N", help="Further objects that would do, 0 to 20."),
    click.option("--closed", type=float, default=1.0, show_default=True, metavar="X", help="Share of doors closed at the start, 0 to 1."),
    click.option("--holdout", metavar="WHAT", help="What only the test split shows: rooms (layouts), pairs (object and target) or both."),
    click.option("--goals", default="plain", show_default=True, metavar="HOW", help="Task sentences: plain, or said (as people say them)."),
)


@click.group(cls=Group, short_help="Procedural houses as files, and how their goals are read.")
def household() -> None:
    """Procedural houses, written as the game files of ALFWorld; and how goals in other words are read."""


@household.command("export", short_help="Write houses as ALFWorld's own game files.")
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Data folder; made where it is missing.")
@click.option(
    "--split", "splits", type=SPLIT, multiple=True, metavar="S", help="train, validation or test; all three by default. Can be repeated."
)
@click.option("--tasks", "n", type=int, metavar="N", help="Houses a split; by default 2000 to train, 200 to validate, 200 to test.")
@house_parameters
@json_out
def household_export(
    out: str, splits: tuple[str, ...], n: int | None, json_path: str | None, rooms: tuple[str, ...], task_types: tuple[str, ...],
    **rest: Any,
) -> None:  # fmt: skip
    """Write houses as a data folder of ALFWorld: game.tw-pddl files that the real ALFWorld plays too, with its own engine.

    Below DIR/json_2.1.1 the splits have ALFWorld's names: train, valid_seen (validation), valid_unseen (test). The same houses may be
    written again; a file that differs is never overwritten. Give houses of other parameters a folder of their own.

    \b
    Examples:
      homebody household export --out houses --tasks 100
      homebody household export --out hard --holdout both --distractors 8 --closed 0.9 --task-type heat=2 --task-type cool
      homebody evaluate --env homebody/AlfWorld-v0 --data-dir houses --split test --policy random
    """
    from homebody.envs.core import SPLITS
    from homebody.envs.file import make_folder
    from homebody.envs.household.export import export_houses
    from homebody.envs.household.houses.houses import HouseSource

    check_target(json_path)
    parameters = {**rest, **({"rooms": rooms} if rooms else {}), **({"task_types": _mix(task_types)} if task_types else {})}
    source = HouseSource(**parameters)
    listed = {split: source.tasks(split, n) for split in dict.fromkeys(splits or SPLITS)}
    folder = make_folder(out)
    total, games, written = sum(map(len, listed.values())), [], 0
    console = Console()
    with console.progress("exporting") as advance:
        for specs in listed.values():
            for path, is_new in export_houses(source, specs, folder):
                games.append(path)
                written += is_new
                advance(len(games), total, "houses")
    for split, specs in listed.items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(spec.type for spec in specs).items()))
        click.echo(f"{split}: {len(specs)} houses ({kinds})")
    click.echo(f"{out}: {written} games written, {total - written} were there")
    write_json(json_path, {"out": out, "parameters": parameters, "written": written, "present": total - written, "games": games})


@household.command("readings", short_help="How many goals in other words a model reads right.")
@policy_option
@click.option("--split", type=SPLIT, default="test", show_default=True, help="train, validation or test.")
@click.option(
    "--goals", "n", type=click.IntRange(min=1), default=200, show_default=True, metavar="N", help="The first N goals of the split."
)
@click.option("--data-dir", type=PATH, metavar="DIR", help="Goals of ALFWorld's game files there, in place of those of houses.")
@model_settings
@json_out
def household_readings(
    policy: str, split: str, n: int, data_dir: str | None, n_ctx: int | None, n_threads: int, gpu_layers: int, json_path: str | None
) -> None:
    """Ask once what each goal means, and count the right readings; nothing is played.

    A model is asked in a chat of its own, with six examples of training goals, and answers under a grammar of the plain goal templates: any
    movable thing, any lamp, and the kinds of places that the first observation lists. The policy matcher reads the same goals with words,
    stems and letter trigrams of the training wordings alone, and the same list of places: it is the bar.

    \b
    Examples:
      homebody household readings --policy matcher
      homebody household readings --policy qwen2.5-coder-0.5b --goals 50 --split validation --json readings.json
    """
    from homebody.agents.rollout import RolloutConfig
    from homebody.evolution.reports.summary import interval
    from homebody.scripts.readings import read_goals

    check_target(json_path)
    kwargs = {"goals": "said", **({"data_dir": data_dir} if data_dir else {})}
    rollout = RolloutConfig("homebody/AlfWorld-v0" if data_dir else DEFAULT_ENV, policy, 15, kwargs, gpu_layers, n_ctx, n_threads)
    console = Console()
    console.prepare(policy)
    with console.progress("reading") as advance:
        result = read_goals(rollout, split, n, lambda done, total, how: advance(done, total, f"last {how}"))
    with json_written(json_path, result):
        share = interval({"n": result["n"], "success": result["right"], "ci95": result["ci95"]})
        click.echo(f"{result['policy']}, {result['env']} {split}: {share} of {result['n']} goals read right")
        for name, row in result["by_type"].items():
            click.echo(f"  {name:32} {100 * row['right']:5.1f}% of {row['n']}")
        click.echo("  " + ", ".join(f"{part} {100 * share:.1f}%" for part, share in result["parts"].items()))


def _mix(given: tuple[str, ...]) -> dict[str, int]:
    mix: dict[str, int] = {}
    for text in given:
        kind, has_weight, weight = text.partition("=")
        if kind in mix or (has_weight and not weight.isdecimal()):
            raise click.UsageError(f"--task-type {text!r} is not possible; give KIND or KIND=WEIGHT, as heat=2, and each kind once")
        mix[kind] = int(weight) if has_weight else 1
    return mix
