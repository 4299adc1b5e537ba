"""What an agent knows of a house, by what it was shown so far: derived from states, commands and answers, without the engine's help."""

from __future__ import annotations

from homebody.envs.household.engine import rules
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.language import NOTHING_HAPPENS
from homebody.envs.household.engine.layout import PLACE, Words, members


class Seen:
    """Follows one episode.

    Args:
        game: The house.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        self._here = [frozenset(members(row)) for row in game.tables.here]
        self._named = {name: r for r, name in enumerate(game.receptacles)}
        self._started = False
        self.inside: frozenset[int] = frozenset()
        """The receptacles that it has looked into or onto."""
        self.visited: frozenset[int] = frozenset()
        """The receptacles that it has stood at."""
        self.at: int | None = None
        """The receptacle that it stands at; `None` if there is none where it is."""

    def look(self, state: Words, command: str, answer: str) -> None:
        """Take note of the next state of the episode.

        Args:
            state: The state; the first one is that of the reset.
            command: What led to it; empty where it is not known: then all that is open where the agent stands counts as seen.
            answer: What was answered to it.
        """
        first, self._started = not self._started, True
        if answer == NOTHING_HAPPENS:
            return
        here = self._here[int(state[PLACE])]
        looked: frozenset[int] = frozenset()
        named = self._named.get(" ".join(command.split()[-2:]))
        if named is not None and named in here:
            self.at, looked = named, frozenset((named,))
        else:
            if self.at not in here:
                self.at = min(here, default=None)
            if not command and not first:
                looked = here
        if self.at is not None:
            self.visited |= {self.at}
        self.inside |= {r for r in looked if rules.is_accessible(self._game.world, state, r)}
