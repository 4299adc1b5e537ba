"""What several commands share: the group that lists commands, options, and how they end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import click

from homebody.scripts.console import error_line

DEFAULT_ENV = "homebody/Household-v0"
HELP_NAMES = ["-h", "--help"]


class Group(click.Group):
    """A group that lists its commands in the order of definition, shows its help where none is named, and stops at an interrupt."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; its short `-h` is its own, so that it is there however the command is called."""
        cmd.context_settings.setdefault("help_option_names", HELP_NAMES)
        super().add_command(cmd, name)

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


class _Path(click.Path):
    """A path of the user's, see `homebody.envs.file.expand_path`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        from homebody.envs.file import PathError, expand_path

        try:
            path = str(expand_path(value))
        except PathError as error:
            self.fail(str(error), param, ctx)
        return os.path.join(path, "") if os.fspath(value).endswith(os.sep) else path  # as only a folder's does


PATH = _Path()
"""The type of every option and argument that is a path."""


class _Split(click.types.StringParamType):
    """The name of a split, of those that commands list."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, unless it is the one that is opened once a release."""
        if value == "final":
            self.fail("'final' is opened once a release, by homebody reproduce --final alone; give train, validation or test", param, ctx)
        return super().convert(value, param, ctx)


class FiniteRange(click.FloatRange):
    """A range of numbers, without infinity and what is no number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is no finite number; give one, or leave the option out", param, ctx)
        return found


SPLIT = _Split()
"""The type of every option `--split`."""


def options(*some: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Join several click options into one decorator."""
    return lambda function: reduce(lambda f, option: option(f), reversed(some), function)


where = options(
    click.option(
        "--env", "env_id", default=DEFAULT_ENV, show_default=True, metavar="ID", help="Gymnasium id of the environment, or module:Class."
    ),
    click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of the game files, for environments that read some."),
    click.option(
        "--env-arg",
        "env_args",
        multiple=True,
        metavar="KEY=VALUE",
        help="An argument of the environment, as holdout=rooms; VALUE is JSON or a text. Can be repeated.",
    ),
    click.option("--max-steps", type=click.IntRange(min=1), default=15, show_default=True, metavar="N", help="Steps a task."),
)
json_out = click.option("--json", "json_path", type=PATH, metavar="FILE", help="Write the result to FILE as JSON.")
workers = click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Worker processes.")
cluster = click.option(
    "--cluster", metavar="ADDR", help="Play on a Ray cluster: HOST:PORT of its head node, or auto; --workers is then the number of actors."
)
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Seed of whatever is random.")
model_settings = options(
    click.option(
        "--ctx",
        "n_ctx",
        type=click.IntRange(min=1),
        metavar="N",
        help="Tokens of the model's context.  [default: 4096, or those it was trained with if fewer; with a server what that has]",
    ),
    click.option(
        "--threads",
        "n_threads",
        type=click.IntRange(1, 512),
        default=1,
        show_default=True,
        metavar="N",
        help="Threads of the model, in each worker.",
    ),
    click.option(
        "--gpu-layers", type=click.IntRange(min=-1), default=0, show_default=True, metavar="N", help="Layers on the GPU; -1: all."
    ),
)
timeout = click.option(
    "--timeout",
    "timeout_s",
    type=FiniteRange(min=0, min_open=True),
    metavar="S",
    help="Seconds to wait for one answer of a server.  [default: 600]",
)
server_settings = options(
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        metavar="N",
        help="Episodes in flight at a time, with a model on a server; the results are those of 1.",
    ),
    timeout,
)
harness_option = click.option(
    "--harness",
    default="household",
    show_default=True,
    metavar="NAME|FILE",
    help="Harness: a name from `homebody harness list`, or a file. household, webshop and generic pick their style by the model.",
)
no_adaptation = click.option(
    "--no-adaptation", is_flag=True, help="Leave out the harness's rules that change it in the midst of an episode."
)
without = click.option(
    "--without", multiple=True, metavar="ID", help="Leave out the harness's component of that id, as location_memory. Can be repeated."
)
policy_option = click.option(
    "--policy",
    default="smollm2",
    show_default=True,
    metavar="MODEL",
    help="Who decides: smollm2, gemma3-270m, qwen2.5-coder-0.5b or -1.5b (with @q4_0, @q8_0 or @q4_k_m at the end too), a .gguf path, "
    "hf:owner/repo:file, http://HOST:PORT/v1#MODEL; module:Class of your own; or a control: no-model, random, echo, "
    "executor (twins: the harness alone), "
    "matcher (executor, with goals in other words read without a model), scripted (sees what an agent sees), expert.",
)


def env_kwargs(env_id: str, data_dir: str | None, env_args: Sequence[str] = ()) -> dict[str, Any]:
    """Return the keyword arguments that the options give the environment.

    Raises:
        click.UsageError: a folder is given to an environment that reads none, or an argument is not KEY=VALUE.
    """
    # Imported where it is wanted: `homebody --help` answers without environments.
    from homebody.envs.text import JsonError, clean, parse_json

    kwargs: dict[str, Any] = {}
    for text in env_args:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or key in (*kwargs, "data_dir", "max_steps"):
            raise click.UsageError(
                f"--env-arg {text!r} is not possible; give KEY=VALUE with a name of the environment's own, each once, as holdout=rooms "
                "(--data-dir and --max-steps have options of their own)"
            )
        if clean(value) != value:
            raise click.UsageError(f"--env-arg {key} holds a control character, or is not UTF-8; leave it out, or write it as UTF-8")
        try:
            kwargs[key] = parse_json(value, key)
        except JsonError:
            kwargs[key] = value
    if data_dir is None:
        return kwargs
    if env_id == DEFAULT_ENV:
        raise click.UsageError(f"--data-dir is {data_dir!r} and {env_id} reads no files; leave it out, or add --env homebody/AlfWorld-v0")
    return {**kwargs, "data_dir": data_dir}


def end_with(episodes: Sequence[Mapping[str, Any]]) -> None:
    """End with a line if episodes failed: exit code 2 if a task could not be loaded, which is for the user to mend, else 1."""
    failed = [(episode["task_id"], episode["error"]) for episode in episodes if episode["error"]]
    if failed:
        task_id, first = failed[0]
        what = f"{len(failed)} of {len(episodes)} episodes failed; the first, {task_id}"
        error_line(f"{what}: {first['kind']} at {first['boundary']}: {first['message']}")
        raise SystemExit(2 if any(error["boundary"] == "reset" for _, error in failed) else 1)
