"""One household in text: commands in, sentences out, exactly as ALFWorld's engine, and without Gymnasium."""

from __future__ import annotations

import numpy as np

from homebody.envs.household import rules
from homebody.envs.household.game import Game, State
from homebody.envs.household.language import NOTHING_HAPPENS, Code, Language
from homebody.envs.household.problem import Logic
from homebody.envs.household.rules import Verb


class TextGame:
    """A game being played. It goes on after it is won, as the real engine does.

    Args:
        game: The compiled game; many players may share it.
        logic: Which version of ALFWorld's rules to speak.
    """

    def __init__(self, game: Game, logic: Logic = "current") -> None:
        self.game = game
        self.language = Language(game, logic)
        self.state: State = game.initial.copy()
        """The arrays of this play; read them, and let only `reset` and `step` change them."""
        self.won = False
        """Whether the goal holds now: winning can be undone."""
        self._rows = np.empty((rules.capacity(game.world), 3), np.int16)
        self._texts: dict[Code, str] = {}
        self._codes: dict[str, Code] = {}
        self._sorted: list[str] = []
        self.reset()

    @property
    def reward(self) -> float:
        """1.0 while the goal holds, else 0.0: a level, not an increment."""
        return float(self.won)

    def reset(self) -> str:
        """Start again and return the first observation."""
        rules.copy_state(self.game.initial, self.state)
        self._refresh()
        return self.language.intro(self.state)

    def step(self, command: object) -> str:
        """Give a command and return the answer; anything that is not admissible answers "Nothing happens.".

        Spaces around the command do not count, everything else does.
        """
        if not isinstance(command, str):
            return NOTHING_HAPPENS
        # A name without a number ends in a space, and so may a command: hence the second look.
        code = self._codes.get(command.strip()) or self._codes.get(command)
        if code is None:
            return NOTHING_HAPPENS
        rules.step(self.game.world, self.state, *code)
        if code[0] < Verb.EXAMINE_RECEPTACLE:
            self._refresh()
        return self.language.answer(self.state, code)

    def admissible(self) -> list[str]:
        """Return the commands that would be accepted now, sorted as plain strings; the list is the caller's."""
        return list(self._sorted)

    def _refresh(self) -> None:
        """Work out what depends on the state: the admissible commands, and whether the goal holds."""
        world, texts = self.game.world, self._texts
        codes: dict[str, Code] = {}
        for verb, a, b in self._rows[: rules.admissible(world, self.state, self._rows)].tolist():
            code = (verb, a, b)
            text = texts.get(code)
            if text is None:
                text = texts[code] = self.language.command(code)
            codes[text] = code
        if self.language.logic == "2.1.1":
            del codes["help"]
        self._codes = codes
        self._sorted = sorted(codes)
        self.won = bool(rules.is_won(world, self.state))
