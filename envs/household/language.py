"""Every sentence of the household, made from the state on demand, in both versions of ALFWorld's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from homebody.envs.household import rules
from homebody.envs.household.game import Game, State, Status, Trait
from homebody.envs.household.problem import Logic
from homebody.envs.household.rules import Verb

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
    (Status.CLEAN | Status.HOT | Status.SLICED, "hot and clean sliced"),
    (Status.CLEAN | Status.COOL | Status.SLICED, "cool and clean sliced"),
    (Status.CLEAN | Status.SLICED, "clean sliced"),
    (Status.HOT | Status.SLICED, "hot sliced"),
    (Status.COOL | Status.SLICED, "cool sliced"),
    (Status.CLEAN | Status.HOT, "hot and clean"),
    (Status.CLEAN | Status.COOL, "cool and clean"),
    (Status.HOT, "hot"),
    (Status.CLEAN, "clean"),
    (Status.COOL, "cold"),
)

Code = tuple[int, int, int]
"""A command as `rules` takes it: a `Verb`, and indices of objects or receptacles, or -1."""


class Language:
    """The sentences of one game. Keeps no state of play: only texts that depend on the game alone."""

    def __init__(self, game: Game, logic: Logic) -> None:
        self.game = game
        self.logic = logic
        self._commands = _COMMANDS | {Verb.MOVE: _MOVE_COMMAND[logic]}
        self._answers = _ANSWERS | {Verb.MOVE: _MOVE_ANSWER[logic]}
        self._indefinite = tuple(f"a {name}" for name in game.objects)
        self._out = np.empty(rules.capacity(game.world), np.int16)

    def command(self, code: Code) -> str:
        """Return the text of a command."""
        return self._fill(self._commands[Verb(code[0])], code)

    def intro(self, state: State) -> str:
        """Return the first observation."""
        place = int(state.agent[0])
        if self._receptacles_at(place):
            view = self._look(state)
        else:
            view = _IN_THE_ROOM.format(listing([f"a {name}" for name in self.game.receptacles]))
        return f"-= Welcome to TextWorld, ALFRED! =-\n\n{view}\n\nYour task is to: {self.game.task}"

    def answer(self, state: State, code: Code) -> str:
        """Return what an accepted command answers; `state` is the one after it."""
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
            held = int(state.agent[1])
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

    def _examine_receptacle(self, state: State, r: int) -> str:
        name = self.game.receptacles[r]
        openable = rules.has(self.game.world.openable, r)
        if openable and not rules.has(state.opened, r):
            return f"The {name} is closed."
        objects = self._out[: rules.objects_in(state, r, self._out)].tolist()
        seen = listing([self._indefinite[o] for o in objects])
        return f"The {name} is open. In it, you see {seen}." if openable else f"On the {name}, you see {seen}."

    def _examine_object(self, state: State, o: int) -> str:
        name = self.game.objects[o]
        traits, status = int(self.game.world.traits[o]), int(state.status[o])
        if traits & Trait.CONTAINER:
            return f"This is a normal {name}. In it, you see {listing([self._indefinite[i] for i in self.game.contents[o]])}."
        for bits, words in _CONDITIONS:
            if status & bits == bits:
                return f"This is a {words} {name}."
        if traits & Trait.TOGGLEABLE and status & Status.TOGGLED:
            return f"This {name} is on."
        if traits & Trait.SLICEABLE and status & Status.SLICED:
            return f"This is a sliced {name}."
        return f"There's nothing special about {name}."

    def _look(self, state: State) -> str:
        receptacles = self._receptacles_at(int(state.agent[0]))
        if not receptacles:
            return _IN_THE_ROOM.format("nothing")
        beside = self._out[: rules.objects_beside(self.game.world, state, self._out)].tolist()
        return f"You are facing the {listing(receptacles)}. Next to it, you see {listing([self._indefinite[o] for o in beside])}."

    def _receptacles_at(self, place: int) -> list[str]:
        return [name for name, p in zip(self.game.receptacles, self.game.world.place_of.tolist(), strict=True) if p == place]


_IN_THE_ROOM: Final = "You are in the middle of a room. Looking quickly around you, you see {}."


def listing(items: Sequence[str]) -> str:
    """Join names as ALFWorld does: `nothing`, `X`, `X, and Y`, `X, Y, and Z`."""
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])}, and {items[-1]}"
