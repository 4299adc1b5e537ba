"""The command line `homebody`. Thin: it reads options, calls the library, prints, and turns named errors into one line.

Exit codes: 0 done, 1 failed, 2 bad usage or input. Heavy modules are imported inside the commands, so `--help` is quick.
"""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import click

from homebody.scripts.console import Console, check_target, error_line, write_json

DEFAULT_ENV = "homebody/Household-v0"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Group(click.Group):
    """A group that lists its commands in the order of definition, shows its help where none is named, and stops at an interrupt."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; none at all ask for help."""
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command.

        Raises:
            click.UsageError: there is none of that name.
        """
        if args[0] not in self.commands:
            raise click.UsageError(f"no command is called {args[0]!r}; there are {', '.join(self.commands)}: see {ctx.command_path} --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An interrupt is told in one line, where click would print an empty one besides."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


def options(*some: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Join several click options into one decorator."""
    return lambda function: reduce(lambda f, option: option(f), reversed(some), function)


where = options(
    click.option("--env", "env_id", default=DEFAULT_ENV, show_default=True, metavar="ID", help="Gymnasium id of the environment."),
    click.option("--data-dir", type=click.Path(), metavar="DIR", help="Folder of the game files, for environments that read some."),
    click.option("--max-steps", type=click.IntRange(min=1), default=15, show_default=True, metavar="N", help="Steps a task."),
)
json_out = click.option("--json", "json_path", type=click.Path(), metavar="FILE", help="Write the result to FILE as JSON.")
workers = click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Worker processes.")
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Seed of whatever is random.")
gpu = click.option(
    "--gpu-layers", type=click.IntRange(min=-1), default=0, show_default=True, metavar="N", help="Layers on the GPU; -1: all."
)
harness_option = click.option(
    "--harness",
    default="household",
    show_default=True,
    metavar="NAME|FILE",
    help="Harness: a name from `homebody harness list`, or a file.",
)
decider_option = click.option(
    "--decider",
    default="smollm2",
    show_default=True,
    metavar="MODEL",
    help="Who decides: smollm2, gemma3-270m, a .gguf path, hf:owner/repo:file; or a control: random, flat (the harness alone), expert.",
)


def env_kwargs(env_id: str, data_dir: str | None) -> dict[str, Any]:
    """Return the keyword arguments that the options give the environment.

    Raises:
        click.UsageError: a folder is given to an environment that reads none.
    """
    if data_dir is None:
        return {}
    if env_id == DEFAULT_ENV:
        raise click.UsageError(f"--data-dir is {data_dir!r} and {env_id} reads no files; leave it out, or add --env homebody/AlfWorld-v0")
    return {"data_dir": data_dir}


def end_with(episodes: Sequence[Mapping[str, Any]]) -> None:
    """End with a line if episodes failed: exit code 2 if a task could not be loaded, which is for the user to mend, else 1."""
    failed = [(episode["task_id"], episode["error"]) for episode in episodes if episode["error"]]
    if failed:
        task_id, first = failed[0]
        what = f"{len(failed)} of {len(episodes)} episodes failed; the first, {task_id}"
        error_line(f"{what}: {first['kind']} at {first['boundary']}: {first['message']}")
        raise SystemExit(2 if any(error["boundary"] == "reset" for _, error in failed) else 1)


@click.group(cls=Group, context_settings=CONTEXT)
@click.version_option(package_name="homebody")
def cli() -> None:
    """A laboratory for agents that plan in a home, run by small local models, whose harness improves itself.

    \b
    Start here:
      homebody run                          watch one episode
      homebody evolve --run-dir runs/first  let the harness improve itself
      homebody report runs/first            read what happened
    """


@cli.command(short_help="Play one task and print the episode.")
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


@cli.command(short_help="Play many tasks and say how many are solved.")
@where
@click.option("--split", default="test", show_default=True, help="train, validation or test (ALFWorld: valid_seen, valid_unseen too).")
@harness_option
@decider_option
@click.option("--tasks", "n_tasks", type=click.IntRange(min=1), metavar="N", help="The first N tasks of the split; without it all.")
@click.option("--attempts", type=click.IntRange(1, 100), default=1, show_default=True, metavar="K", help="Tries a task; adds pass@k.")
@workers
@click.option("--run-dir", type=click.Path(), metavar="DIR", help="Keep episodes and result in this run; nothing is played twice.")
@seed
@gpu
@json_out
def evaluate(
    env_id: str, data_dir: str | None, max_steps: int, split: str, harness: str, decider: str, n_tasks: int | None, attempts: int,
    workers: int, run_dir: str | None, seed: int, gpu_layers: int, json_path: str | None,
) -> None:  # fmt: skip
    """Play the tasks of a split with a harness and a decider; print success with its 95% interval.

    \b
    Examples:
      homebody evaluate --split test --tasks 60 --harness household --decider smollm2 --workers 2
      homebody evaluate --env homebody/AlfWorld-v0 --data-dir $ALFWORLD_DATA --split valid_unseen --decider random
    """
    from homebody.agents.rollout import Stage
    from homebody.agents.spec import HarnessSpec
    from homebody.evolution.evaluation import evaluate as evaluate_harness

    check_target(json_path, run_dir)
    spec = HarnessSpec.load(harness)
    console = Console()
    with console.progress("episodes") as advance:
        result = evaluate_harness(
            Stage(env_id, decider, max_steps, env_kwargs(env_id, data_dir), gpu_layers),
            spec,
            split,
            tasks=n_tasks,
            attempts=attempts,
            seed=seed,
            workers=workers,
            run_dir=run_dir,
            on_record=lambda done, total, record: advance(done, total, "won" if record.won else "lost"),
        )
    console.evaluation(result)
    write_json(json_path, result)
    end_with(result["episodes"])


@cli.command(short_help="Let a harness improve itself.")
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
    env_id: str, data_dir: str | None, max_steps: int, model: str, harness: str, run_dir: str, rounds: int, proposer: str, candidates: int,
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
        env_kwargs=env_kwargs(env_id, data_dir),
        gpu_layers=gpu_layers,
    )
    console = Console()
    with console.evolution() as progress:
        result = evolve_harness(config, run_dir, workers=workers, resume=resume, progress=progress)
    console.evolution_end(result)
    write_json(json_path, result)


@cli.command(short_help="Read a run: rounds, edits, verdicts, figures.")
@click.argument("run_dir", type=click.Path(), metavar="RUN_DIR")
@click.option("--png", type=click.Path(), metavar="FILE", help="Draw the chart into FILE (.png or .svg).")
@json_out
def report(run_dir: str, png: str | None, json_path: str | None) -> None:
    """Print what a run did and found, as Markdown.

    \b
    Example:
      homebody report runs/first --png runs/first/chart.png
    """
    from homebody.evolution.report import markdown, read_run

    if png is not None and not png.endswith((".png", ".svg")):
        raise click.UsageError(f"--png is {png!r}; give a file name that ends in .png or .svg")
    check_target(png)
    check_target(json_path)
    run = read_run(run_dir)
    Console().markdown(markdown(run))
    write_json(json_path, run)
    if png is not None:
        from homebody.evolution.figure import draw_run

        draw_run(run, png)


@cli.group(cls=Group, short_help="Show, check, compare and edit harnesses.")
def harness() -> None:
    """Harnesses are JSON documents; these commands read, check, compare and edit them."""


@harness.command("list", short_help="The harnesses that ship, and the processors they are made of.")
@json_out
def harness_list(json_path: str | None) -> None:
    """List the harnesses that ship with homebody and the processors that a harness can use.

    \b
    Example:
      homebody harness list
    """
    from homebody.agents.processors import REGISTRY
    from homebody.agents.spec import HarnessSpec, harness_names

    specs = [HarnessSpec.load(name) for name in harness_names()]
    found = {
        "harnesses": [{"name": spec.name, "description": spec.document.get("description", "")} for spec in specs],
        "processors": [
            {"name": name, "hook": p.hook, "dimension": p.dimension, "does": (p.__doc__ or "").strip().splitlines()[0], "params": p.schema}
            for name, p in REGISTRY.items()
        ],
    }
    Console().harness_list(found)
    write_json(json_path, found)


@harness.command("show", short_help="Print a harness.")
@click.argument("name", metavar="NAME|FILE")
@json_out
def harness_show(name: str, json_path: str | None) -> None:
    """Print a harness and its behaviour hash.

    \b
    Example:
      homebody harness show household --json my-harness.json
    """
    from homebody.agents.spec import HarnessSpec

    spec = HarnessSpec.load(name)
    Console().harness(spec)
    write_json(json_path, spec.document)


@harness.command("check", short_help="Check a harness file.")
@click.argument("name", metavar="NAME|FILE")
def harness_check(name: str) -> None:
    """Check a harness; exit code 0 if it is valid, 2 with the reason if not.

    \b
    Example:
      homebody harness check my-harness.json
    """
    from homebody.agents.spec import HarnessSpec

    spec = HarnessSpec.load(name)
    click.echo(f"{name}: valid, {len(spec.processors)} processors, behaviour {spec.behaviour_hash[:16]}")


@harness.command("diff", short_help="The patch from one harness to another.")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@json_out
def harness_diff(old: str, new: str, json_path: str | None) -> None:
    """Print the JSON Patch (RFC 6902) that turns harness A into harness B.

    \b
    Example:
      homebody harness diff household runs/first/final.json
    """
    from homebody.agents.spec import HarnessSpec

    patch = HarnessSpec.load(old).diff(HarnessSpec.load(new))
    Console().patch(patch)
    write_json(json_path, patch)


@harness.command("patch", short_help="Apply a patch to a harness.")
@click.argument("name", metavar="NAME|FILE")
@click.argument("patch_file", metavar="PATCH")
@click.option("--out", required=True, type=click.Path(), metavar="FILE", help="Where the new harness goes.")
def harness_patch(name: str, patch_file: str, out: str) -> None:
    """Apply a JSON Patch to a harness and write the result. Nothing is written if the result is not valid.

    \b
    Example:
      homebody harness patch household edit.json --out edited.json
    """
    from homebody.agents.spec import HarnessSpec, read_patch

    spec = HarnessSpec.load(name).patch(read_patch(patch_file))
    write_json(out, spec.document)
    click.echo(f"{out}: {len(spec.processors)} processors, behaviour {spec.behaviour_hash[:16]}")


@cli.group(cls=Group, short_help="The models that can decide.")
def models() -> None:
    """Models: names of packages that carry weights, .gguf files, and files on Hugging Face."""


@models.command("list", short_help="The models known by name.")
@json_out
def models_list(json_path: str | None) -> None:
    """List the models known by name, and whether they are ready.

    \b
    Example:
      homebody models list
    """
    from dataclasses import asdict

    from homebody.agents.models import list_models

    found = [asdict(model) for model in list_models()]
    Console().models(found)
    write_json(json_path, found)


@models.command("info", short_help="What a model is, file hash included.")
@click.argument("name", metavar="MODEL")
@json_out
def models_info(name: str, json_path: str | None) -> None:
    """Load a model, preparing or fetching it where needed, and print what fixes its numbers.

    \b
    Examples:
      homebody models info smollm2
      homebody models info hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:qwen2.5-0.5b-instruct-q4_0.gguf
    """
    from homebody.agents.models import load

    check_target(json_path)
    backend = load(name)
    found = {"name": backend.name, "n_ctx": backend.n_ctx, **backend.fingerprint}
    backend.close()
    Console().pairs(found)
    write_json(json_path, found)


def main() -> None:
    """Run the command line; the entry point."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        error_line("stopped; what was played is stored where a --run-dir was given")
        sys.exit(1)
    except click.ClickException as error:
        error_line(error.format_message())
        sys.exit(2)
    except Exception as error:
        from homebody.agents.errors import AgentError
        from homebody.envs import EnvError

        if not isinstance(error, AgentError | EnvError):
            raise
        error_line(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
