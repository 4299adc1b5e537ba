"""ALFWorld's rules and sentences in plain Python: dictionaries, sets and strings. The yardstick for the compiled engine.

It gives the same answers, and it is written as one would write it without numba: what does not change is worked out once, and a step
touches only what it changes. It knows nothing of the engine but its names.
"""

from __future__ import annotations

from typing import Final

from homebody.envs.household.engine.game import number_names
from homebody.envs.household.engine.language import _HELP, NOTHING_HAPPENS, listing
from homebody.envs.household.engine.problem import GoalKind, Logic, Problem

_TOOLS: Final = {
    "SinkBasin": ("clean", "cleanable"),
    "Sink": ("clean", "cleanable"),
    "Microwave": ("heat", "heatable"),
    "Fridge": ("cool", "coolable"),
}
_CONDITIONS: Final = (
    ({"clean", "hot", "sliced"}, "a hot and clean sliced"),
    ({"clean", "cool", "sliced"}, "a cool and clean sliced"),
    ({"clean", "sliced"}, "a clean sliced"),
    ({"hot", "sliced"}, "a hot sliced"),
    ({"cool", "sliced"}, "a cool sliced"),
    ({"clean", "hot"}, "a hot and clean"),
    ({"clean", "cool"}, "a cool and clean"),
    ({"hot"}, "a hot"),
    ({"clean"}, "a clean"),
    ({"cool"}, "a cold"),
)

_KNIVES: Final = ("Knife", "ButterKnife")
_WANTED: Final = {GoalKind.CLEAN: ("cleanable", "clean"), GoalKind.HEAT: ("heatable", "hot"), GoalKind.COOL: ("coolable", "cool")}

Command = tuple[str, int, int]
"""A verb, and the positions of what it is about in the lists of objects and receptacles, or -1."""


class PlainGame:
    """A household being played. Objects and receptacles are known by their positions in the order of their ids."""

    def __init__(self, problem: Problem, logic: Logic) -> None:
        receptacles = sorted(problem.receptacles, key=lambda r: r.id)
        things = sorted(problem.things, key=lambda t: t.id)
        places = [*(r.location for r in receptacles), *problem.locations]
        names = number_names([*(r.id for r in receptacles), *(t.id for t in things), *places, *problem.extra_ids])
        position = {r.id: i for i, r in enumerate(receptacles)}
        self.problem, self.logic = problem, logic
        self.receptacles = [names[r.id] for r in receptacles]
        self.locations = [names[r.location] for r in receptacles]
        self.place_of = [r.location for r in receptacles]
        self.here: dict[str, list[int]] = {}
        for i, r in enumerate(receptacles):
            self.here.setdefault(r.location, []).append(i)
        self.openable = [r.openable for r in receptacles]
        self.initially_open = {i for i, r in enumerate(receptacles) if r.opened}
        self.tools = [_TOOLS.get(r.type, ("", "")) for r in receptacles]
        self.objects = [names[t.id] for t in things]
        self.types = [t.type for t in things]
        self.flags = [t.flags for t in things]
        self.contained = [[names[o] for o in sorted(t.contains)] for t in things]
        self.inside_at_first = [{o for o, t in enumerate(things) if r.id in t.inside} for r in receptacles]
        self.at_first = {place: {o for o, t in enumerate(things) if place in t.at} for place in places}
        accepted = {(r.type, t.type) for r in receptacles for t in things} & problem.can_contain
        self.accepts = [{o for o, t in enumerate(things) if (r.type, t.type) in accepted} for r in receptacles]
        self.goal_receptacles = [position[r.id] for r in receptacles if r.type == problem.goal.target]
        self.goal_objects = {o for o, t in enumerate(things) if t.type == problem.goal.object}
        self.put = "move {} to {}" if logic == "current" else "put {} in/on {}"
        self.gone = [(f"go to {name}", ("go", r, -1)) for r, name in enumerate(self.receptacles)]
        self.reset()

    def reset(self) -> str:
        """Start again and return the first observation."""
        self.place, self.held = self.problem.agent_location, -1
        self.opened = set(self.initially_open)
        self.inside = [set(held) for held in self.inside_at_first]
        self.at = {place: set(things) for place, things in self.at_first.items()}
        self.taken: list[set[int]] = [set() for _ in self.receptacles]
        self.status = [set(flags & {"clean", "hot", "cool", "sliced", "toggled"}) for flags in self.flags]
        self._refresh()
        view = self._look()
        if not self.here.get(self.place):
            every = listing([f"a {name}" for name in self.receptacles])
            view = f"You are in the middle of a room. Looking quickly around you, you see {every}."
        return f"-= Welcome to TextWorld, ALFRED! =-\n\n{view}\n\nYour task is to: {self.problem.task}"

    def step(self, text: str) -> str:
        """Give a command and return the answer."""
        command = self._commands.get(text.strip()) or self._commands.get(text)
        if command is None:
            return NOTHING_HAPPENS
        answer = self._apply(*command)
        if command[0] not in ("examine", "inspect", "inventory", "look", "help"):
            self._refresh()
        return answer

    def admissible(self) -> list[str]:
        """Return the commands that would be accepted now, sorted."""
        return list(self._sorted)

    def _refresh(self) -> None:
        """Work out the commands on offer, and whether the goal holds."""
        offered: dict[str, Command] = {text: go for text, go in self.gone if self.place_of[go[1]] != self.place}
        held = self.held
        for r in self.here.get(self.place, ()):
            name = self.receptacles[r]
            offered[f"examine {name}"] = ("examine", r, -1)
            is_open = r in self.opened
            if self.openable[r]:
                offered[f"{'close' if is_open else 'open'} {name}"] = ("close" if is_open else "open", r, -1)
            if is_open or not self.openable[r]:
                if held < 0:
                    for o in self.inside[r]:
                        if "pickupable" in self.flags[o]:
                            offered[f"take {self.objects[o]} from {name}"] = ("take", o, r)
                elif held in self.accepts[r]:
                    offered[self.put.format(self.objects[held], name)] = ("move", held, r)
            verb, needed = self.tools[r]
            if held >= 0 and needed in self.flags[held]:
                offered[f"{verb} {self.objects[held]} with {name}"] = (verb, held, r)
            for o in self.inside[r]:
                if "toggleable" in self.flags[o]:
                    offered[f"use {self.objects[o]}"] = ("use", o, -1)
        if held >= 0:
            offered[f"examine {self.objects[held]}"] = ("inspect", held, -1)
            if self.types[held] in _KNIVES:
                for o in self.at.get(self.place, ()):
                    if "sliceable" in self.flags[o]:
                        offered[f"slice {self.objects[o]} with {self.objects[held]}"] = ("slice", o, held)
        offered["inventory"] = ("inventory", -1, -1)
        offered["look"] = ("look", -1, -1)
        if self.logic == "current":
            offered["help"] = ("help", -1, -1)
        self._commands = offered
        self._sorted = sorted(offered)
        self.won = self._is_won()

    def _apply(self, verb: str, a: int, b: int) -> str:
        """Carry out a command and return the answer."""
        match verb:
            case "go":
                self.place = self.place_of[a]
                there = self.receptacles[a] if self.logic == "current" else self.locations[a]
                return f"You arrive at {there}. {self._examine(a)}"
            case "open":
                self.opened.add(a)
                return f"You open the {self.receptacles[a]}. {self._examine(a)}"
            case "close":
                self.opened.remove(a)
                return f"You close the {self.receptacles[a]}."
            case "take":
                self.held = a
                self.inside[b].remove(a)
                self.taken[b].add(a)
                self.at[self.place].discard(a)
                return f"You pick up the {self.objects[a]} from the {self.receptacles[b]}."
            case "move":
                self.held = -1
                self.inside[b].add(a)
                self.taken[b].discard(a)
                self.at[self.place].add(a)
                words = ("move", "to") if self.logic == "current" else ("put", "in/on")
                return f"You {words[0]} the {self.objects[a]} {words[1]} the {self.receptacles[b]}."
            case "clean" | "heat" | "cool":
                self._treat(verb, a)
                return f"You {verb} the {self.objects[a]} using the {self.receptacles[b]}."
            case "use":
                self.status[a].add("toggled")
                return f"You turn on the {self.objects[a]}."
            case "slice":
                self.status[a].add("sliced")
                return f"You sliced the {self.objects[a]} with the {self.objects[b]}."
            case "examine":
                return self._examine(a)
            case "inspect":
                return self._inspect(a)
            case "inventory":
                return f"You are carrying: a {self.objects[self.held]}." if self.held >= 0 else "You are not carrying anything."
            case "look":
                return self._look()
        return _HELP

    def _treat(self, verb: str, o: int) -> None:
        if verb == "clean":
            self.status[o].add("clean")
        else:
            gained, lost = ("hot", "cool") if verb == "heat" else ("cool", "hot")
            self.status[o].add(gained)
            self.status[o].discard(lost)

    def _examine(self, r: int) -> str:
        name = self.receptacles[r]
        if self.openable[r] and r not in self.opened:
            return f"The {name} is closed."
        seen = listing([f"a {self.objects[o]}" for o in sorted(self.inside[r])])
        return f"The {name} is open. In it, you see {seen}." if self.openable[r] else f"On the {name}, you see {seen}."

    def _inspect(self, o: int) -> str:
        name, status = self.objects[o], self.status[o]
        if "container" in self.flags[o]:
            return f"This is a normal {name}. In it, you see {listing([f'a {inner}' for inner in self.contained[o]])}."
        for needed, words in _CONDITIONS:
            if needed <= status:
                return f"This is {words} {name}."
        if "toggleable" in self.flags[o] and "toggled" in status:
            return f"This {name} is on."
        if "sliceable" in self.flags[o] and "sliced" in status:
            return f"This is a sliced {name}."
        return f"There's nothing special about {name}."

    def _look(self) -> str:
        here = self.here.get(self.place)
        if not here:
            return "You are in the middle of a room. Looking quickly around you, you see nothing."
        beside = sorted(o for r in here for o in self.taken[r] & self.at[self.place])
        seen = listing([f"a {self.objects[o]}" for o in beside])
        return f"You are facing the {listing([self.receptacles[r] for r in here])}. Next to it, you see {seen}."

    def _is_won(self) -> bool:
        goal = self.problem.goal
        if goal.kind == GoalKind.LIGHT:
            return self.held in self.goal_objects and any(
                self.types[o] == goal.target and "toggleable" in self.flags[o] and "toggled" in self.status[o]
                for r in self.here.get(self.place, ())
                for o in self.inside[r]
            )
        able, done = _WANTED.get(goal.kind, ("", ""))
        needed = 2 if goal.kind == GoalKind.TWO else 1
        for r in self.goal_receptacles:
            delivered = self.inside[r] & self.goal_objects
            if done:
                delivered = {o for o in delivered if able in self.flags[o] and done in self.status[o]}
            if len(delivered) >= needed:
                return True
        return False
