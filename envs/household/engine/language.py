"""Every sentence of the household, made from the state on demand and then kept, in both versions of ALFWorld's rules.

What is kept is found again by the words that it depends on (`view.step_and_view`), and by nothing else: a kept sentence equals a made one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, cast

import numpy as np

from homebody.envs.household.engine import rules
from homebody.envs.household.engine.command import Code, Verb
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.layout import HELD, PLACE, Head, ObjectSet, ReceptacleSet, Status, Words, members
from homebody.envs.household.engine.problem import Logic

NOTHING_HAPPENS: Final = "Nothing happens."
"""The answer to every command that is not admissible."""

_HELP: Final = """\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""

# How a verb's command is written: {o} and {c} are objects, {r} is a receptacle; `MOVE` depends on the logic.
_COMMANDS: Final = {
    Verb.GO: "go to {r}",
    Verb.OPEN: "open {r}",
    Verb.CLOSE: "close {r}",
    Verb.TAKE: "take {o} from {r}",
    Verb.CLEAN: "clean {o} with {r}",
    Verb.HEAT: "heat {o} with {r}",
    Verb.COOL: "cool {o} with {r}",
    Verb.USE: "use {o}",
    Verb.SLICE: "slice {o} with {c}",
    Verb.EXAMINE_RECEPTACLE: "examine {r}",
    Verb.EXAMINE_OBJECT: "examine {o}",
    Verb.INVENTORY: "inventory",
    Verb.LOOK: "look",
    Verb.HELP: "help",
}
_MOVE_COMMAND: Final[dict[Logic, str]] = {"current": "move {o} to {r}", "2.1.1": "put {o} in/on {r}"}

# What a verb answers, where that does not depend on the state.
_ANSWERS: Final = {
    Verb.CLOSE: "You close the {r}.",
    Verb.TAKE: "You pick up the {o} from the {r}.",
    Verb.CLEAN: "You clean the {o} using the {r}.",
    Verb.HEAT: "You heat the {o} using the {r}.",
    Verb.COOL: "You cool the {o} using the {r}.",
    Verb.USE: "You turn on the {o}.",
    Verb.SLICE: "You sliced the {o} with the {c}.",
    Verb.HELP: _HELP,
}
_MOVE_ANSWER: Final[dict[Logic, str]] = {"current": "You move the {o} to the {r}.", "2.1.1": "You put the {o} in/on the {r}."}

# The first row whose bits an examined object has describes it.
_CONDITIONS: Final = (
    ({Status.CLEAN, Status.HOT, Status.SLICED}, "hot and clean sliced"),
    ({Status.CLEAN, Status.COOL, Status.SLICED}, "cool and clean sliced"),
    ({Status.CLEAN, Status.SLICED}, "clean sliced"),
    ({Status.HOT, Status.SLICED}, "hot sliced"),
    ({Status.COOL, Status.SLICED}, "cool sliced"),
    ({Status.CLEAN, Status.HOT}, "hot and clean"),
    ({Status.CLEAN, Status.COOL}, "cool and clean"),
    ({Status.HOT}, "hot"),
    ({Status.CLEAN}, "clean"),
    ({Status.COOL}, "cold"),
)

MAX_SITUATIONS: Final = 512
"""How many lists of commands are kept for one game; when there are more, all are forgotten."""
MAX_ANSWERS: Final = 512
"""How many answers are kept for one game; when there are more, all are forgotten."""


def language_of(game: Game, logic: Logic) -> Language:
    """Return the sentences of a game, which all its players share."""
    language = game.cache.get(logic)
    if language is None:
        language = game.cache[logic] = Language(game, logic)
    return cast(Language, language)


class Language:
    """The sentences of one game. Keeps no state of play: only texts, and what they depend on."""

    def __init__(self, game: Game, logic: Logic) -> None:
        self.game = game
        self.logic = logic
        self.codes: dict[str, Code] = {}
        """What each command means that was admissible at any time so far."""
        self._unknown = -1 if logic == "current" else int(Verb.HELP)
        self._tables = game.tables
        self._openable = frozenset(members(self._tables.receptacle_sets[ReceptacleSet.OPENABLE]))
        self._patterns = _COMMANDS | {Verb.MOVE: _MOVE_COMMAND[logic]}
        self._answers = _ANSWERS | {Verb.MOVE: _MOVE_ANSWER[logic]}
        self._indefinite = tuple(f"a {name}" for name in game.objects)
        self._capacity = rules.capacity(game.world)
        self._texts: dict[Code, str] = {}
        self._kept_commands: dict[bytes, list[str]] = {}
        self._kept_answers: dict[bytes, str] = {}

    def commands(self, state: Words, situation: bytes) -> list[str]:
        """Return the admissible commands, sorted as plain strings: a list to read, not to change.

        Args:
            state: The state.
            situation: The first part of its `view.step_and_view`.
        """
        commands = self._kept_commands.get(situation)
        if commands is None:
            # An array of its own: players in several threads may share a game.
            codes = np.empty((self._capacity, 3), np.int16)
            rows = codes[: rules.admissible(self.game.world, state, codes)].tolist()
            commands = sorted({self._say(code) for code in map(tuple, rows) if code[0] != self._unknown})
            if len(self._kept_commands) >= MAX_SITUATIONS:
                self._kept_commands.clear()
            self._kept_commands[situation] = commands
        return commands

    def command(self, code: Code) -> str:
        """Return the text of a command."""
        return self._fill(self._patterns[Verb(code[0])], code)

    def _say(self, code: Code) -> str:
        """Return the text of an admissible command, and remember what it means."""
        text = self._texts.get(code)
        if text is None:
            text = self._texts[code] = self.command(code)
            self.codes[text] = code
        return text

    @cached_property
    def intro(self) -> str:
        """The first observation."""
        if self._receptacles_at(int(self.game.initial[PLACE])):
            view = self._look(self.game.initial)
        else:
            view = _IN_THE_ROOM.format(listing([f"a {name}" for name in self.game.receptacles]))
        return f"-= Welcome to TextWorld, ALFRED! =-\n\n{view}\n\nYour task is to: {self.game.task}"

    def answer(self, state: Words, code: Code, seen: bytes) -> str:
        """Return what an accepted command answers.

        Args:
            state: The state after it.
            code: The command.
            seen: The second part of its `view.step_and_view`.
        """
        answer = self._kept_answers.get(seen)
        if answer is None:
            answer = self.tell(state, code)
            if len(self._kept_answers) >= MAX_ANSWERS:
                self._kept_answers.clear()
            self._kept_answers[seen] = answer
        return answer

    def tell(self, state: Words, code: Code) -> str:
        """Make what an accepted command answers, from the state after it."""
        verb, a, _ = code
        if verb == Verb.GO:
            there = self.game.receptacles[a] if self.logic == "current" else self.game.locations[a]
            return f"You arrive at {there}. {self._examine_receptacle(state, a)}"
        if verb == Verb.OPEN:
            return f"You open the {self.game.receptacles[a]}. {self._examine_receptacle(state, a)}"
        if verb == Verb.EXAMINE_RECEPTACLE:
            return self._examine_receptacle(state, a)
        if verb == Verb.EXAMINE_OBJECT:
            return self._examine_object(state, a)
        if verb == Verb.INVENTORY:
            held = int(state[HELD]) - 1
            return f"You are carrying: {self._indefinite[held]}." if held >= 0 else "You are not carrying anything."
        if verb == Verb.LOOK:
            return self._look(state)
        return self._fill(self._answers[Verb(verb)], code)

    def _fill(self, template: str, code: Code) -> str:
        verb, a, b = code
        objects, receptacles = self.game.objects, self.game.receptacles
        if verb in (Verb.GO, Verb.OPEN, Verb.CLOSE, Verb.EXAMINE_RECEPTACLE):
            return template.format(r=receptacles[a])
        if verb in (Verb.USE, Verb.EXAMINE_OBJECT):
            return template.format(o=objects[a])
        if verb == Verb.SLICE:
            return template.format(o=objects[a], c=objects[b])
        if verb in (Verb.INVENTORY, Verb.LOOK, Verb.HELP):
            return template
        return template.format(o=objects[a], r=receptacles[b])

    def _examine_receptacle(self, state: Words, r: int) -> str:
        name, openable = self.game.receptacles[r], r in self._openable
        if not rules.is_accessible(self.game.world, state, r):
            return f"The {name} is closed."
        o_words = int(self.game.world[Head.O_WORDS])
        begin = int(self.game.world[Head.INSIDE]) + r * o_words
        seen = listing([self._indefinite[o] for o in members(state[begin : begin + o_words])])
        return f"The {name} is open. In it, you see {seen}." if openable else f"On the {name}, you see {seen}."

    def _examine_object(self, state: Words, o: int) -> str:
        name, contents = self.game.objects[o], self.game.contents[o]
        if contents is not None:
            return f"This is a normal {name}. In it, you see {listing([f'a {inner}' for inner in contents])}."
        status = {row for row in Status if o in members(self.game.view(state).status[row])}
        for needed, words in _CONDITIONS:
            if needed <= status:
                return f"This is a {words} {name}."
        if Status.TOGGLED in status and o in members(self._tables.object_sets[ObjectSet.TOGGLEABLE]):
            return f"This {name} is on."
        if Status.SLICED in status and o in members(self._tables.object_sets[ObjectSet.SLICEABLE]):
            return f"This is a sliced {name}."
        return f"There's nothing special about {name}."

    def _look(self, state: Words) -> str:
        place, tables = int(state[PLACE]), self.game.view(state)
        receptacles = self._receptacles_at(place)
        if not receptacles:
            return _IN_THE_ROOM.format("nothing")
        # An object that lies here is listed once for each receptacle here that it was taken from and not put back in.
        beside = sorted(o for r in receptacles for o in members(tables.taken[r] & tables.at[place]))
        facing = listing([self.game.receptacles[r] for r in receptacles])
        return f"You are facing the {facing}. Next to it, you see {listing([self._indefinite[o] for o in beside])}."

    def _receptacles_at(self, place: int) -> list[int]:
        return members(self._tables.here[place])


_IN_THE_ROOM: Final = "You are in the middle of a room. Looking quickly around you, you see {}."


def listing(items: Sequence[str]) -> str:
    """Join names as ALFWorld does: `nothing`, `X`, `X, and Y`, `X, Y, and Z`."""
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])}, and {items[-1]}"
