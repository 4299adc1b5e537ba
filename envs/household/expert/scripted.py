"""An expert of the household that sees only what an agent sees: the goal, what the game answers, and the admissible commands.

It knows homes in general (where things are kept, from the tables in `assets/household/`) and nothing of the house that it is in until it
has read it. It draws no lots, so the same answers give the same commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.engine.vocabulary import fitting_rooms, receptacle_kinds

_GOALS: Final = (
    (GoalKind.TWO, r"(?:put two|find two) (?P<object>\w+) (?:and put them )?in (?P<target>\w+)"),
    (GoalKind.CLEAN, r"(?:put a clean|clean some) (?P<object>\w+) (?:and put it )?in (?P<target>\w+)"),
    (GoalKind.HEAT, r"(?:put a hot|heat some) (?P<object>\w+) (?:and put it )?in (?P<target>\w+)"),
    (GoalKind.COOL, r"(?:put a cool|cool some) (?P<object>\w+) (?:and put it )?in (?P<target>\w+)"),
    (GoalKind.PLACE, r"put (?:a|some) (?P<object>\w+) (?:in|on) (?P<target>\w+)"),
    (GoalKind.LIGHT, r"(?:look at|examine the) (?P<object>\w+) (?:under|with) the (?P<target>\w+)"),
)
_TOOLS: Final = {
    GoalKind.CLEAN: ("clean", {"sinkbasin", "sink"}),
    GoalKind.HEAT: ("heat", {"microwave"}),
    GoalKind.COOL: ("cool", {"fridge"}),
}

_OPEN: Final = re.compile(r"The (.+?) is open\. In it, you see (.+)\.")
_ON: Final = re.compile(r"On the (.+?), you see (.+)\.")
_CLOSED: Final = re.compile(r"The (.+?) is closed\.|You close the (.+)\.")
_TAKEN: Final = re.compile(r"You pick up the (.+?) from the (.+)\.")
_PUT: Final = re.compile(r"You (?:move|put) the (.+?) (?:to|in/on) the (.+)\.")
_TREATED: Final = re.compile(r"You (clean|heat|cool) the (.+?) using the .+\.")
_CARRYING: Final = re.compile(r"You are (?:carrying: a (.+)|not carrying anything)\.")

_FAINT: Final = 0.01
"""What a receptacle counts where the tables do not expect the object: less than any that they name, and more than nothing."""


class GoalSentenceError(EnvError):
    """A goal is none of the sentences that ALFWorld makes."""

    def __init__(self, goal: str) -> None:
        super().__init__(
            f"the online expert does not understand the goal {goal[:200]!r}; it knows sentences as 'put a clean mug in cabinet', "
            "'find two pens and put them in drawer' or 'look at book under the desklamp'; "
            "for another, give it what the environment's read_goal() returns"
        )


class OnlineExpert:
    """Plays one task from what it reads.

    `see` takes every answer of the game in order, whoever chose the commands; `choose` says what to do next. Objects and receptacles are
    known by their names, as `mug 1`.
    """

    def __init__(self, goal: str) -> None:
        """Understand a goal.

        Args:
            goal: The task sentence.

        Raises:
            GoalSentenceError: It is none of ALFWorld's forms.
        """
        self.kind, self.object, self.target = read_goal(goal)
        self._contents: dict[str, set[str]] = {}
        self._explored: set[str] = set()
        self._closed: set[str] = set()
        self._held = ""
        self._ready: set[str] = set()
        self._refused: set[tuple[str, str]] = set()
        self._menu: Mapping[str, None] = {}
        self._receptacles: list[str] = []
        self._here: list[str] = []
        self._switches: list[str] = []

    def see(self, observation: str) -> None:
        """Take in what the game said."""
        for form in (_OPEN, _ON):
            if match := form.search(observation):
                self._contents[match[1]] = set(_names(match[2]))
                self._explored.add(match[1])
                self._closed.discard(match[1])
                return
        if match := _TAKEN.fullmatch(observation):
            self._held = match[1]
            self._contents.get(match[2], set()).discard(match[1])
        elif match := _PUT.fullmatch(observation):
            self._held = ""
            self._contents.setdefault(match[2], set()).add(match[1])
        elif match := _TREATED.fullmatch(observation):
            self._treat(*match.groups())
        elif match := _CARRYING.fullmatch(observation):
            self._held = match[1] or ""
        elif match := _CLOSED.search(observation):
            self._closed.add(match[1] or match[2])

    def choose(self, admissible: Sequence[str]) -> str:
        """Return the next command, one of `admissible`; `look` where it knows of nothing that would help.

        Args:
            admissible: The commands that the game would accept now.
        """
        self._read_menu(admissible)
        if not self._held:
            command = self._fetch()
        elif _type(self._held) != self.object:
            command = self._put(self._receptacles)
        elif self.kind == GoalKind.LIGHT:
            command = self._light()
        elif self.kind in _TOOLS and self._held not in self._ready:
            command = self._treatment()
        else:
            command = self._put([self._base()] if self._base() else [r for r in self._receptacles if _type(r) == self.target])
        return command or "look"

    def _treat(self, verb: str, name: str) -> None:
        if self.kind in _TOOLS and verb == _TOOLS[self.kind][0]:
            self._ready.add(name)
        elif verb != "clean" and self.kind != GoalKind.CLEAN:
            self._ready.discard(name)  # what is heated is no longer cool, and the reverse

    def _read_menu(self, admissible: Sequence[str]) -> None:
        """Learn from the commands on offer: which receptacles there are and which are here, what is held, what lies in reach."""
        self._menu = dict.fromkeys(admissible)
        takes = [command[5:].rpartition(" from ") for command in admissible if command.startswith("take ")]
        puts = [form for command in admissible if (form := re.fullmatch(r"(?:move|put) (.+) (?:to|in/on) (.+)", command))]
        if takes or puts:
            self._held = "" if takes else puts[0][1]
        far = [command[6:] for command in admissible if command.startswith("go to ")]
        self._here = [name for command in admissible if command.startswith("examine ") and (name := command[8:]) != self._held]
        self._receptacles = sorted({*far, *self._here})
        for receptacle in self._here:
            if f"open {receptacle}" in self._menu:
                self._closed.add(receptacle)
                continue
            self._closed.discard(receptacle)
            self._note_refusals(receptacle)
            if not self._held:
                inside = {name for name, _, place in takes if place == receptacle}
                kept = {name for name in self._contents.get(receptacle, set()) if _type(name) != self.object}
                self._contents[receptacle] = kept | inside
                self._explored.add(receptacle)
        self._switches = [command[4:] for command in admissible if command.startswith("use ")]

    def _note_refusals(self, receptacle: str) -> None:
        if self._held and not {f"move {self._held} to {receptacle}", f"put {self._held} in/on {receptacle}"} & self._menu.keys():
            self._refused.add((self._held, receptacle))

    def _fetch(self) -> str:
        """Return a step towards an object of the goal, known or still to be found."""
        base = self._base()
        known = [
            (self._cost(receptacle), receptacle, name)
            for receptacle, names in self._contents.items()
            for name in names
            if _type(name) == self.object and receptacle != base and receptacle in self._receptacles
        ]
        if known:
            _, receptacle, name = min(known)
            return self._reach(receptacle, f"take {name} from {receptacle}")
        return self._search(self.object)

    def _light(self) -> str:
        """Return a step towards a lamp that shines on what is held."""
        for lamp in self._switches:
            if _type(lamp) == self.target:
                return f"use {lamp}"
        known = [r for r, names in self._contents.items() if r in self._receptacles and any(_type(name) == self.target for name in names)]
        return self._reach(min(known), "") if known else self._search(self.target)

    def _treatment(self) -> str:
        """Return a step towards making what is held clean, hot or cool."""
        verb, tools = _TOOLS[self.kind]
        there = [receptacle for receptacle in self._receptacles if _type(receptacle) in tools]
        there.sort(key=lambda receptacle: receptacle not in self._here)
        for receptacle in there:
            for command in (f"{verb} {self._held} with {receptacle}", f"go to {receptacle}"):
                if command in self._menu:
                    return command
        return ""

    def _put(self, receptacles: Iterable[str]) -> str:
        """Return a step towards putting down what is held in the nearest of some receptacles."""
        open_to = [(self._cost(r), r) for r in receptacles if (self._held, r) not in self._refused]
        if not open_to:
            return ""
        _, receptacle = min(open_to)
        return self._reach(receptacle, f"move {self._held} to {receptacle}", f"put {self._held} in/on {receptacle}")

    def _search(self, wanted: str) -> str:
        """Return a step to the place where an object is found soonest: most likely there, for the commands that it takes to look."""
        unknown = [receptacle for receptacle in self._receptacles if receptacle not in self._explored]
        if self.kind == GoalKind.PLACE:
            unknown = [receptacle for receptacle in unknown if _type(receptacle) != self.target]
        if not unknown:
            return ""
        chances = _chances(wanted, tuple(_type(receptacle) for receptacle in self._receptacles))
        best = max(unknown, key=lambda r: (chances[_type(r)] / max(self._cost(r), 1.0), r))
        return self._reach(best, "")

    def _reach(self, receptacle: str, *commands: str) -> str:
        """Return the first possible of: the commands, opening the receptacle, going there; empty if none is."""
        return next((c for c in (*commands, f"open {receptacle}", f"go to {receptacle}") if c in self._menu), "")

    def _cost(self, receptacle: str) -> float:
        """Return how many commands it takes, on the average, to have a receptacle open in front of one."""
        here = receptacle in self._here
        if receptacle in self._closed:
            return 1.0 if here else 2.0
        known = here or receptacle in self._explored
        return (0.0 if here else 1.0) + (0.0 if known else _openable().get(_type(receptacle), 0.0))

    def _base(self) -> str:
        """Return, for a goal of two, the target that has one of them already; empty if none is known to."""
        if self.kind != GoalKind.TWO:
            return ""
        counts = {
            receptacle: sum(_type(name) == self.object for name in names)
            for receptacle, names in self._contents.items()
            if _type(receptacle) == self.target
        }
        return max((r for r, count in counts.items() if count), key=lambda r: (counts[r], r), default="")


def read_goal(sentence: str) -> tuple[GoalKind, str, str]:
    """Return the kind of a task sentence, its object's type and its receptacle's or lamp's, in lower case.

    Raises:
        GoalSentenceError: It is none of ALFWorld's forms.
    """
    for kind, form in _GOALS:
        if match := re.fullmatch(form, sentence.strip().rstrip(".")):
            return kind, match["object"], match["target"]
    raise GoalSentenceError(sentence)


def is_plain(sentence: str) -> bool:
    """Tell whether a task sentence is one of ALFWorld's forms."""
    return any(re.fullmatch(form, sentence.strip().rstrip(".")) for _, form in _GOALS)


def _names(listing: str) -> list[str]:
    """Read `a mug 1, a pen 2, and a pen 1`."""
    return [] if listing == "nothing" else [name.removeprefix("a ") for name in re.split(r", (?:and )?", listing)]


def _type(name: str) -> str:
    """Return the type of a named thing: `mug` of `mug 1`."""
    return name.rpartition(" ")[0]


@cache
def _openable() -> dict[str, float]:
    """Return the share of receptacles with a door, by type in lower case."""
    return {name.lower(): kind.openable for name, kind in receptacle_kinds().items()}


@cache
def _chances(wanted: str, present: tuple[str, ...]) -> dict[str, float]:
    """Return how many objects of a type to expect in one receptacle of each type.

    Args:
        wanted: The object's type, in lower case.
        present: The type of every receptacle of the house, in lower case.
    """
    expected = dict.fromkeys(present, _FAINT)
    for plan in fitting_rooms(present):
        for name, stock in plan.objects.items():
            where = {kind.lower(): weight for kind, weight in stock.where.items() if kind.lower() in present}
            if name.lower() == wanted and where:
                for kind, weight in where.items():
                    expected[kind] += stock.share * (1 + stock.most) / 2 * weight / sum(where.values()) / present.count(kind)
    return expected
