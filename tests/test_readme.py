"""What the README shows must work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from homebody.scripts.group import cli

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
COMMANDS = sorted({line.split("#")[0].strip() for line in re.findall(r"^homebody .*$", TEXT, re.MULTILINE)})


def test_python_example_wins_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    scope: dict[str, object] = {}
    exec(example, scope)
    assert scope["terminated"] is True
    assert "You clean the" in capsys.readouterr().out


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    # Parsing alone: nothing is run.
    command.make_context("homebody", words, resilient_parsing=True)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_files_of_the_map_exist() -> None:
    block = re.findall(r"```\n(envs/ .*?)```", TEXT, re.DOTALL)[0]
    folder = ""
    for line in block.splitlines():
        names = [word for word in line.split("  ")[0 if not line.startswith(" ") else 1].split() if re.search(r"[./]", word)]
        if not line.startswith(" "):
            folder = line.split("/")[0]
            assert (ROOT / folder).is_dir(), line
        for name in names:
            assert (ROOT / folder / name).exists() or (ROOT / name).exists(), line
