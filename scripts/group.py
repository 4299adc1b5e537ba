"""The commands of `homebody`. Thin: they read options, call the library and print. Each is a module of `homebody.scripts.commands`."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.commands.bench import bench
from homebody.scripts.commands.controls import controls
from homebody.scripts.commands.data import data
from homebody.scripts.commands.evaluate import evaluate
from homebody.scripts.commands.evolve import evolve
from homebody.scripts.commands.export import export
from homebody.scripts.commands.harness import harness
from homebody.scripts.commands.household import household
from homebody.scripts.commands.models import models
from homebody.scripts.commands.play import play
from homebody.scripts.commands.report import report
from homebody.scripts.commands.reproduce import reproduce
from homebody.scripts.commands.run import run
from homebody.scripts.commands.watch import watch
from homebody.scripts.commands.webshop import webshop
from homebody.scripts.options import HELP_NAMES, Group

CONTEXT = {"help_option_names": HELP_NAMES, "max_content_width": 110}


@click.group(cls=Group, context_settings=CONTEXT)
@click.version_option(package_name="homebody")
def cli() -> None:
    """A laboratory for agents that plan in a home, run by small local models, whose harness improves itself.

    \b
    Start here:
      homebody run                          watch one episode
      homebody evolve --run-dir runs/first  let the harness improve itself
      homebody controls runs/first          what the gain is worth
      homebody report runs/first            read what happened
    """


for command in (
    run, watch, play, evaluate, evolve, controls, reproduce, report, export,
    harness, models, household, webshop, data, bench,
):  # fmt: skip
    cli.add_command(command)
