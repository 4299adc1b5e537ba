"""A person as the policy: of an episode like any other, whose record is a demonstration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import ModelFreePolicy
from homebody.agents.models.backend import Message
from homebody.agents.policy import Decision
from homebody.agents.record import EpisodeRecord
from homebody.envs.check import FREE_SLOT
from homebody.scripts.terminal import echo

HUMAN = "human"
"""The name of this policy in records."""
BARE = HarnessSpec.from_json(
    {"format": 2, "name": "bare", "description": "No processor: whoever decides sees the environment as it is.", "components": {}}
)
"""The harness in which a person plays."""
_SHOWN = 60
"""Commands listed at once on a terminal."""


class StoppedError(AgentError):
    """The person stopped playing."""

    def __init__(self) -> None:
        super().__init__("the person stopped")


class HumanPolicy(ModelFreePolicy):
    """Asks a person.

    Args:
        ask: returns the person's command, given what is on offer; raises `StoppedError` when the person stops.
    """

    name = HUMAN

    def __init__(self, ask: Callable[[BeforeModel], str]) -> None:
        super().__init__()
        self._ask = ask

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Return the person's command."""
        command = self._ask(event)
        return Decision(command, command)


def without_stop(record: EpisodeRecord) -> EpisodeRecord:
    """Return a record in which a person's stopping is an end and no error."""
    if record.error is None or record.error["kind"] != StoppedError.__name__:
        return record
    return replace(record, error=None, interrupted=record.error["message"])


def matching(typed: str, commands: Sequence[str]) -> list[str]:
    """Return the commands that a person may mean: those that begin with what was typed, else those that hold all its words."""
    wanted = " ".join(typed.lower().split())
    if not wanted:
        return list(commands)
    begun = [command for command in commands if command.lower().startswith(wanted)]
    return begun or [command for command in commands if all(word in command.lower() for word in wanted.split())]


def completion(typed: str, commands: Sequence[str]) -> str:
    """Return what was typed, continued as far as all commands that begin with it agree; whole where it fits one only."""
    found = matching(typed, commands)
    if len(found) == 1:
        return found[0]
    begun = [command for command in found if command.lower().startswith(typed.lower())]
    if not begun:
        return typed
    low, high = min(begun), max(begun)
    length = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length] if length > len(typed) else typed


def ended(typed: str, commands: Sequence[str]) -> str:
    """Return what was typed, with the end of the command whose free slot it fills: `search[shoes` becomes `search[shoes]`."""
    for command in commands:
        head, slot, tail = command.partition(FREE_SLOT)
        if slot and typed.startswith(head) and len(typed) > len(head) and not typed.endswith(tail):
            return typed + tail
    return typed


def ask_on_terminal(event: BeforeModel) -> str:
    """Show what is seen and the commands, numbered, and read one.

    Raises:
        StoppedError: the person ended the input, or wrote `quit`.
    """
    echo(f"\n{event.observation}\n")
    _list(event.candidates, event.candidates)
    click.echo(f"{event.steps_left} steps left. A number, a command or its beginning; ? lists again, quit stops.")
    while True:
        try:
            typed = click.prompt(">", prompt_suffix=" ", default="", show_default=False).strip()
        except click.Abort:
            raise StoppedError from None
        if typed == "quit":
            raise StoppedError
        if typed.isdecimal():
            if 1 <= int(typed) <= len(event.candidates):
                return _filled(event.candidates[int(typed) - 1])
            click.echo(f"There is no number {typed}; 1 to {len(event.candidates)} are listed.")
            continue
        found = matching(typed if typed != "?" else "", event.candidates)
        if typed in event.candidates or not found:
            return ended(typed, event.candidates)
        if len(found) == 1:
            echo(found[0])
            return _filled(found[0])
        _list(found, event.candidates)


def _filled(command: str) -> str:
    """Return a command with what the person writes in its free slot, if it has one."""
    if FREE_SLOT not in command:
        return command
    try:
        return command.replace(FREE_SLOT, click.prompt(command.partition(FREE_SLOT)[0], prompt_suffix=" ").strip())
    except click.Abort:
        raise StoppedError from None


def _list(commands: Sequence[str], offered: Sequence[str]) -> None:
    for command in commands[:_SHOWN]:
        echo(f"{offered.index(command) + 1:>4}  {command}")
    if len(commands) > _SHOWN:
        click.echo(f"      and {len(commands) - _SHOWN} more; type the beginning of one")
