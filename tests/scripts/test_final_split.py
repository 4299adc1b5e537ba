"""The final split is in no listing of a command."""

from collections.abc import Callable
from typing import Any

import click
import pytest

from homebody.scripts.group import cli


def listing() -> list[list[str]]:
    """Every command that takes --split, with what else it needs."""
    found: list[list[str]] = []

    def walk(command: click.Command, path: list[str]) -> None:
        if isinstance(command, click.Group):
            for name, one in command.commands.items():
                walk(one, [*path, name])
        elif any("--split" in option.opts for option in command.params):
            found.append(path)

    walk(cli, [])
    return found


@pytest.mark.parametrize("command", listing(), ids=" ".join)
def test_no_command_lists_it(homebody: Callable[..., Any], command: list[str]) -> None:
    answer = homebody(*command, "--split", "final")
    assert answer.code == 2
    assert "'final' is opened once a release, by homebody reproduce --final alone" in answer.error


def test_there_are_commands_that_might_have() -> None:
    assert len(listing()) >= 8
