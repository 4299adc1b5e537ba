"""The expert of the household: an exact shortest plan from any state of a game to its goal. It sees everything, so it is a control.

A plan only needs a few kinds of steps: take an object of the goal, put down what is held, use a tool on it, switch on a lamp, deliver.
Each is done at one receptacle, so it is counted together with the `go to` and the `open` right before it; and places that offer the same
are interchangeable, so one stands for all. What remains is small enough for A*.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import EnvError
from homebody.envs.household.game import Game, State, Status, Trait
from homebody.envs.household.language import Code
from homebody.envs.household.problem import GoalKind
from homebody.envs.household.rules import Verb

MAX_NODES: Final = 50_000
"""States looked at before the search gives up. A solvable game of ALFWorld takes at most some hundreds."""

_TOOL_VERBS: Final = {GoalKind.CLEAN: Verb.CLEAN, GoalKind.HEAT: Verb.HEAT, GoalKind.COOL: Verb.COOL}


class NoPlanError(EnvError):
    """The goal cannot be reached from here, or not within `MAX_NODES` states."""

    def __init__(self, task: str) -> None:
        super().__init__(f"no plan reaches the goal {task!r} from this state; reset the game, or choose a task that can be solved")


def plan(game: Game, state: State) -> list[Code]:
    """Return a shortest list of commands from `state` to the goal; empty if it holds already.

    Raises:
        NoPlanError: There is none.
    """
    return _Search(game, state).run()


class _Node(NamedTuple):
    """What the search distinguishes. Objects are positions in `_Search.objects`; sets of receptacles are the bits of an integer."""

    place: int
    held: int
    inside: tuple[int, ...]
    """For each object the receptacles that hold it."""
    ready: int
    """The objects in the state that the goal asks for: cleaned, heated, cooled; for lamps, switched on."""
    opened: int


@dataclass(frozen=True)
class _Spot:
    """A receptacle that a plan may use."""

    r: int
    bit: int
    place: int
    openable: bool
    accepts: int
    """Bits of the objects that may be put in."""
    is_goal: bool
    is_tool: bool


class _Search:
    def __init__(self, game: Game, state: State) -> None:
        world = game.world
        self.game = game
        self.kind = GoalKind(int(world.goal[0]))
        held = int(state.agent[1])
        inside = {o: _integer(row) for o, row in enumerate(state.inside)}
        wanted = Trait.GOAL_OBJECT | Trait.GOAL_LAMP
        self.objects = [o for o in inside if o == held or (int(world.traits[o]) & wanted and inside[o])]
        traits = [int(world.traits[o]) for o in self.objects]
        self.is_goal_object = [bool(t & Trait.GOAL_OBJECT) for t in traits]
        self.is_lamp = [bool(t & Trait.GOAL_LAMP) for t in traits]
        self.is_pickupable = [bool(t & Trait.PICKUPABLE) for t in traits]
        needed = int(world.goal[1])
        status = [int(state.status[o]) for o in self.objects]
        ready = sum(
            1 << i
            for i, s in enumerate(status)
            if (self.is_lamp[i] and s & Status.TOGGLED if self.kind == GoalKind.LIGHT else self.is_goal_object[i] and s & needed == needed)
        )
        self.start = _Node(
            place=int(state.agent[0]),
            held=self.objects.index(held) if held >= 0 else -1,
            inside=tuple(inside[o] for o in self.objects),
            ready=ready,
            opened=_integer(state.opened),
        )
        self.spots = self._choose_spots(self._all_spots())
        self.goal_bits = sum(s.bit for s in self._all_spots() if s.is_goal)
        self.goal_places = {s.place for s in self.spots if s.is_goal}

    def run(self) -> list[Code]:
        """Search from the start."""
        start = self.start
        best = {start: 0}
        came: dict[_Node, tuple[_Node, list[Code]]] = {}
        queue = [(self._bound(start), 0, start)]
        pushed = 0
        while queue and len(best) < MAX_NODES:
            _, _, node = heapq.heappop(queue)
            if self._is_goal(node):
                steps: list[list[Code]] = []
                while node in came:
                    node, codes = came[node]
                    steps.append(codes)
                return [code for codes in reversed(steps) for code in codes]
            for following, codes in self._steps(node):
                cost = best[node] + len(codes)
                if cost < best.get(following, cost + 1):
                    best[following] = cost
                    came[following] = (node, codes)
                    pushed += 1
                    # A node is queued again when a cheaper way to it is found; the entry left behind does no harm.
                    heapq.heappush(queue, (cost + self._bound(following), pushed, following))
        raise NoPlanError(self.game.task)

    def _is_goal(self, node: _Node) -> bool:
        if self.kind == GoalKind.LIGHT:
            return (
                node.held >= 0
                and self.is_goal_object[node.held]
                and any(
                    lamp and node.ready >> i & 1 and any(s.place == node.place for s in self._spots_of(node, i))
                    for i, lamp in enumerate(self.is_lamp)
                )
            )
        return self._delivered(node) >= (2 if self.kind == GoalKind.TWO else 1)

    def _delivered(self, node: _Node) -> int:
        """Return the most objects in the state asked for that one goal receptacle holds, up to two."""
        once = twice = 0
        for i, bits in enumerate(node.inside):
            if self.is_goal_object[i] and node.ready >> i & 1:
                bits &= self.goal_bits
                twice |= once & bits
                once |= bits
        return 2 if twice else 1 if once else 0

    def _spots_of(self, node: _Node, i: int) -> list[_Spot]:
        return [s for s in self.spots if node.inside[i] & s.bit]

    def _bound(self, node: _Node) -> int:
        """Return a lower bound on the commands still needed."""
        held = node.held
        if self.kind == GoalKind.LIGHT:
            if self._is_goal(node):
                return 0
            lit = any(lamp and node.ready >> i & 1 for i, lamp in enumerate(self.is_lamp))
            return (0 if lit else 1) + (0 if held >= 0 and self.is_goal_object[held] else 1 if held < 0 else 2)
        missing = (2 if self.kind == GoalKind.TWO else 1) - self._delivered(node)
        if missing <= 0:
            return 0
        unready = self.kind in _TOOL_VERBS and not any(goal and node.ready >> i & 1 for i, goal in enumerate(self.is_goal_object))
        travel = 0 if node.place in self.goal_places else 1
        if held < 0:
            return 2 * missing + unready + travel
        return 2 * missing + unready + travel + (-1 if self.is_goal_object[held] else 1)

    def _steps(self, node: _Node) -> Iterator[tuple[_Node, list[Code]]]:
        """Yield what can be done next, and the commands it takes."""
        for spot in self.spots:
            go: list[Code] = [] if spot.place == node.place else [(Verb.GO, spot.r, -1)]
            closed = spot.openable and not node.opened & spot.bit
            reach: list[Code] = [*go, (Verb.OPEN, spot.r, -1)] if closed else go
            there = node._replace(place=spot.place)
            used = there._replace(opened=node.opened | spot.bit) if closed else there
            held = node.held
            if held < 0:
                for i, bits in enumerate(node.inside):
                    if bits & spot.bit and self.is_pickupable[i]:
                        moved = _with(node.inside, i, bits & ~spot.bit)
                        yield used._replace(held=i, inside=moved), [*reach, (Verb.TAKE, self.objects[i], spot.r)]
            else:
                if spot.accepts >> held & 1:
                    moved = _with(node.inside, held, node.inside[held] | spot.bit)
                    yield used._replace(held=-1, inside=moved), [*reach, (Verb.MOVE, self.objects[held], spot.r)]
                if spot.is_tool and self.is_goal_object[held] and not node.ready >> held & 1:
                    tool = _TOOL_VERBS[self.kind]
                    yield there._replace(ready=node.ready | 1 << held), [*go, (tool, self.objects[held], spot.r)]
            for i, lamp in enumerate(self.is_lamp):
                if lamp and node.inside[i] & spot.bit:
                    if not node.ready >> i & 1:
                        yield there._replace(ready=node.ready | 1 << i), [*go, (Verb.USE, self.objects[i], -1)]
                    elif go:
                        yield there, go

    def _all_spots(self) -> list[_Spot]:
        world = self.game.world
        accepts = [_integer(world.accepts[o]) for o in self.objects]
        verb = _TOOL_VERBS.get(self.kind)
        tools = _integer(world.tools[verb - Verb.CLEAN]) if verb is not None else 0
        goals, openable = _integer(world.goal_receptacles), _integer(world.openable)
        return [
            _Spot(
                r=r,
                bit=1 << r,
                place=place,
                openable=bool(openable >> r & 1),
                accepts=sum(1 << i for i, bits in enumerate(accepts) if bits >> r & 1),
                is_goal=bool(goals >> r & 1),
                is_tool=bool(tools >> r & 1),
            )
            for r, place in enumerate(world.place_of.tolist())
        ]

    def _choose_spots(self, spots: list[_Spot]) -> list[_Spot]:
        """Keep one of the receptacles and places that offer the same; two, where they hold objects of which the goal wants two."""
        places: dict[int, list[tuple[object, _Spot]]] = {}
        for spot in spots:
            contents = self._contents(spot)
            offer = (spot.openable and not self.start.opened & spot.bit, spot.accepts, spot.is_goal, spot.is_tool, contents)
            offers = places.setdefault(spot.place, [])
            if any(offer[1:]) and (contents or all(offer != other for other, _ in offers)):
                offers.append((offer, spot))
        chosen: list[_Spot] = []
        seen: dict[tuple[str, ...], int] = {}
        for _, offers in sorted(places.items(), key=lambda item: (item[0] != self.start.place, item[0])):
            whole = tuple(sorted(repr(offer) for offer, _ in offers))
            seen[whole] = seen.get(whole, 0) + 1
            most = 2 if self.kind == GoalKind.TWO and any(self._contents(spot) for _, spot in offers) else 1
            if seen[whole] <= most:
                chosen += [spot for _, spot in offers]
        return chosen

    def _contents(self, spot: _Spot) -> tuple[tuple[int, ...], ...]:
        """Describe the objects in a receptacle, so that objects which serve a plan alike are described alike."""
        start = self.start
        kinds = []
        for i, bits in enumerate(start.inside):
            if bits & spot.bit:
                # Held and yet inside, or inside two receptacles: such an object is like no other.
                alone = i if bits != spot.bit or i == start.held else -1
                kinds.append((alone, self.is_goal_object[i], self.is_lamp[i], self.is_pickupable[i], start.ready >> i & 1))
        return tuple(sorted(kinds))


def _with(inside: tuple[int, ...], i: int, bits: int) -> tuple[int, ...]:
    return (*inside[:i], bits, *inside[i + 1 :])


def _integer(words: NDArray[np.uint64]) -> int:
    """Return a bit set as one integer."""
    return int.from_bytes(words.astype("<u8").tobytes(), "little")
