"""The expert of the household: an exact shortest plan from any state of a game to its goal. It sees everything, so it is a control."""

from __future__ import annotations

from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.household.engine.command import Code
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.layout import Words
from homebody.envs.household.expert.search import find_plan

MAX_NODES: Final = 50_000
"""States looked at before the search gives up. A solvable game of ALFWorld takes at most some hundreds."""


class NoPlanError(EnvError):
    """The goal cannot be reached from here, or not within `MAX_NODES` states."""

    def __init__(self, task: str) -> None:
        super().__init__(f"no plan reaches the goal {task!r} from this state; reset the game, or choose a task that can be solved")


def plan(game: Game, state: Words) -> list[Code]:
    """Return a shortest list of commands from `state` to the goal; empty if it holds already.

    Raises:
        NoPlanError: There is none.
    """
    # The copy is never read-only, so that one compiled function serves all.
    found, codes = find_plan(game.world, state.copy(), MAX_NODES)
    if not found:
        raise NoPlanError(game.plain)
    return [(verb, a, b) for verb, a, b in codes.tolist()]
