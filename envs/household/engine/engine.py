"""One household in text: commands in, sentences out, exactly as ALFWorld's engine, and without Gymnasium."""

from __future__ import annotations

from typing import Final

import numpy as np

from homebody.envs.household.engine.command import Code, Verb
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.language import NOTHING_HAPPENS, language_of
from homebody.envs.household.engine.layout import Words
from homebody.envs.household.engine.problem import Logic
from homebody.envs.household.engine.view import WON, step_and_view, view_words

# Plain integers: to call a compiled function with a member of an enumeration is slow.
_LOOK: Final[Code] = (int(Verb.LOOK), -1, -1)


class TextGame:
    """A game being played. It goes on after it is won, as the real engine does.

    Args:
        game: The compiled game; many players may share it.
        logic: Which version of ALFWorld's rules to speak.
    """

    def __init__(self, game: Game, logic: Logic = "current") -> None:
        self.game = game
        self.language = language_of(game, logic)
        self.state: Words = game.initial.copy()
        """The state of this play, as `layout.py` says; read it, and let only `reset`, `restore` and `step` change it."""
        self.won = False
        """Whether the goal holds now: winning can be undone."""
        self._n_situation, n_answer = view_words(game.world)
        self._view = np.zeros(self._n_situation + n_answer, np.uint64)
        self._commands: list[str] = []
        self.reset()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the game and where it stands, without the sentences that were kept."""
        return _resume, (self.game, self.language.logic, self.state)

    @property
    def reward(self) -> float:
        """1.0 while the goal holds, else 0.0: a level, not an increment."""
        return 1.0 if self.won else 0.0

    def reset(self) -> str:
        """Start again and return the first observation."""
        self._start(self.game.initial)
        return self.language.intro

    def restore(self, state: Words) -> None:
        """Go on from a copy of a state of this game.

        Raises:
            StateError: It is none.
        """
        self.game.check(state)
        self._start(state)

    def step(self, command: object) -> str:
        """Give a command and return the answer; anything that is not admissible answers "Nothing happens.".

        Spaces around the command do not count, everything else does.
        """
        if not isinstance(command, str):
            return NOTHING_HAPPENS
        codes = self.language.codes
        # A name without a number ends in a space, and so may a command: hence the look at the command as it is.
        code = codes.get(command) or codes.get(command.strip())
        return NOTHING_HAPPENS if code is None else self._give(code) or NOTHING_HAPPENS

    def admissible(self) -> list[str]:
        """Return the commands that would be accepted now, sorted as plain strings; the list is the caller's."""
        return self._commands.copy()

    def _start(self, state: Words) -> None:
        self.state[:] = state
        self._give(_LOOK)

    def _give(self, code: Code) -> str:
        """Give a command and return its answer, or nothing if it is not admissible."""
        verb, a, b = code
        outcome = step_and_view(self.game.world, self.state, verb, a, b, self._n_situation, self._view)
        if not outcome:
            return ""
        self.won = outcome == WON
        view, cut = self._view.tobytes(), self._n_situation * 8
        self._commands = self.language.commands(self.state, view[:cut])
        return self.language.answer(self.state, code, view[cut:])


def _resume(game: Game, logic: Logic, state: Words) -> TextGame:
    play = TextGame(game, logic)
    play.restore(state)
    return play
