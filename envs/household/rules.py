"""The rules of the household as compiled functions on the arrays of `game.py`: step, admissible commands, goal, copy.

A command is a row (verb, a, b) of integers: a `Verb`, and indices of objects or receptacles, or -1. No text here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from homebody.envs.household.game import State, Status, Trait, World
from homebody.envs.household.problem import GoalKind


class Verb(IntEnum):
    """What can be done. In the comments, `o` and `c` are objects, `r` is a receptacle."""

    GO = 0  # r
    OPEN = 1  # r
    CLOSE = 2  # r
    TAKE = 3  # o from r
    MOVE = 4  # o to r
    CLEAN = 5  # o with r
    HEAT = 6  # o with r
    COOL = 7  # o with r
    USE = 8  # o
    SLICE = 9  # c with o
    EXAMINE_RECEPTACLE = 10  # r
    EXAMINE_OBJECT = 11  # o
    INVENTORY = 12
    LOOK = 13
    HELP = 14


# Inside compiled functions enumerations are slow to compile: plain integers, taken from them once.
_GO, _OPEN, _CLOSE, _TAKE, _MOVE = (int(v) for v in (Verb.GO, Verb.OPEN, Verb.CLOSE, Verb.TAKE, Verb.MOVE))
_CLEAN, _HEAT, _COOL, _USE, _SLICE = (int(v) for v in (Verb.CLEAN, Verb.HEAT, Verb.COOL, Verb.USE, Verb.SLICE))
_EXAMINE_RECEPTACLE, _EXAMINE_OBJECT = int(Verb.EXAMINE_RECEPTACLE), int(Verb.EXAMINE_OBJECT)
_INVENTORY, _LOOK, _HELP = int(Verb.INVENTORY), int(Verb.LOOK), int(Verb.HELP)
_PICKUPABLE, _SLICEABLE, _TOGGLEABLE, _KNIFE = (int(t) for t in (Trait.PICKUPABLE, Trait.SLICEABLE, Trait.TOGGLEABLE, Trait.KNIFE))
_GOAL_OBJECT, _GOAL_LAMP = int(Trait.GOAL_OBJECT), int(Trait.GOAL_LAMP)
_IS_CLEAN, _IS_HOT, _IS_COOL, _IS_SLICED, _IS_TOGGLED = (
    int(s) for s in (Status.CLEAN, Status.HOT, Status.COOL, Status.SLICED, Status.TOGGLED)
)
_ABLE = (int(Trait.CLEANABLE), int(Trait.HEATABLE), int(Trait.COOLABLE))
_LIGHT, _TWO = int(GoalKind.LIGHT), int(GoalKind.TWO)


def capacity(world: World) -> int:
    """Return how many rows `admissible` may write at most."""
    n_objects, n_receptacles = len(world.traits), len(world.place_of)
    most_here = int(np.bitwise_count(world.here).sum(axis=1).max()) if len(world.here) else 0
    return n_receptacles + n_objects * (most_here + 2) + 6 * most_here + 4


@njit(cache=True)
def has(row: NDArray[np.uint64], i: int) -> bool:
    """Tell whether bit `i` of a bit set is set."""
    return bool((row[i >> 6] >> np.uint64(i & 63)) & np.uint64(1) != np.uint64(0))


@njit(cache=True)
def put(row: NDArray[np.uint64], i: int) -> None:
    """Set bit `i` of a bit set."""
    row[i >> 6] |= np.uint64(1) << np.uint64(i & 63)


@njit(cache=True)
def drop(row: NDArray[np.uint64], i: int) -> None:
    """Clear bit `i` of a bit set."""
    row[i >> 6] &= ~(np.uint64(1) << np.uint64(i & 63))


@njit(cache=True)
def meets(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> bool:
    """Tell whether two bit sets have a member in common."""
    common = np.uint64(0)
    for w in range(a.shape[0]):
        common |= a[w] & b[w]
    return bool(common != np.uint64(0))


@njit(cache=True)
def is_accessible(world: World, state: State, r: int) -> bool:
    """Tell whether a receptacle has no door or an open one."""
    return not has(world.openable, r) or has(state.opened, r)


@njit(cache=True)
def is_admissible(world: World, state: State, verb: int, a: int, b: int) -> bool:
    """Tell whether a command may be given now. Indices must be in range for the verb."""
    place, held = int(state.agent[0]), int(state.agent[1])
    if verb == _GO:
        return bool(world.place_of[a] != place)
    if verb == _OPEN:
        return world.place_of[a] == place and has(world.openable, a) and not has(state.opened, a)
    if verb == _CLOSE:
        return world.place_of[a] == place and has(world.openable, a) and has(state.opened, a)
    if verb == _TAKE:
        free = held < 0 and world.traits[a] & _PICKUPABLE != 0
        return free and world.place_of[b] == place and has(state.inside[a], b) and is_accessible(world, state, b)
    if verb == _MOVE:
        return bool(held == a and world.place_of[b] == place and has(world.accepts[a], b) and is_accessible(world, state, b))
    if _CLEAN <= verb <= _COOL:
        tool = verb - _CLEAN
        return held == a and world.traits[a] & _ABLE[tool] != 0 and world.place_of[b] == place and has(world.tools[tool], b)
    if verb == _USE:
        return world.traits[a] & _TOGGLEABLE != 0 and meets(state.inside[a], world.here[place])
    if verb == _SLICE:
        knife = held == b and world.traits[b] & _KNIFE != 0
        return knife and world.traits[a] & _SLICEABLE != 0 and has(state.at[a], place)
    if verb == _EXAMINE_RECEPTACLE:
        return bool(world.place_of[a] == place)
    if verb == _EXAMINE_OBJECT:
        return bool(held == a)
    return _INVENTORY <= verb <= _HELP


@njit(cache=True)
def step(world: World, state: State, verb: int, a: int, b: int) -> bool:
    """Give a command: change `state` if it is admissible, and tell whether it was."""
    if not is_admissible(world, state, verb, a, b):
        return False
    place = int(state.agent[0])
    if verb == _GO:
        state.agent[0] = world.place_of[a]
    elif verb == _OPEN:
        put(state.opened, a)
    elif verb == _CLOSE:
        drop(state.opened, a)
    elif verb == _TAKE:
        drop(state.inside[a], b)
        put(state.taken[a], b)
        drop(state.at[a], place)
        state.agent[1] = a
    elif verb == _MOVE:
        put(state.inside[a], b)
        drop(state.taken[a], b)
        put(state.at[a], place)
        state.agent[1] = -1
    elif verb == _CLEAN:
        state.status[a] |= _IS_CLEAN
    elif verb == _HEAT:
        state.status[a] = (state.status[a] | _IS_HOT) & ~_IS_COOL
    elif verb == _COOL:
        state.status[a] = (state.status[a] | _IS_COOL) & ~_IS_HOT
    elif verb == _USE:
        state.status[a] |= _IS_TOGGLED
    elif verb == _SLICE:
        state.status[a] |= _IS_SLICED
    return True


@njit(cache=True)
def _write(out: NDArray[np.int16], n: int, verb: int, a: int, b: int) -> int:
    out[n, 0] = verb
    out[n, 1] = a
    out[n, 2] = b
    return n + 1


@njit(cache=True)
def admissible(world: World, state: State, out: NDArray[np.int16]) -> int:
    """Write every admissible command as a row of `out`, shape (`capacity(world)`, 3), and return how many there are.

    The same as asking `is_admissible` for each conceivable command, written out: asking took twice the time, and ten seconds to compile.
    """
    place, held = int(state.agent[0]), int(state.agent[1])
    n_objects, n_words = state.inside.shape
    here = world.here[place]
    n = 0
    for r in range(world.place_of.shape[0]):
        if world.place_of[r] != place:
            n = _write(out, n, _GO, r, -1)
            continue
        n = _write(out, n, _EXAMINE_RECEPTACLE, r, -1)
        if has(world.openable, r):
            n = _write(out, n, _CLOSE if has(state.opened, r) else _OPEN, r, -1)
        if held >= 0:
            if has(world.accepts[held], r) and is_accessible(world, state, r):
                n = _write(out, n, _MOVE, held, r)
            for tool in range(3):
                if world.traits[held] & _ABLE[tool] != 0 and has(world.tools[tool], r):
                    n = _write(out, n, _CLEAN + tool, held, r)
    can_slice = held >= 0 and world.traits[held] & _KNIFE != 0
    for o in range(n_objects):
        if held < 0 and world.traits[o] & _PICKUPABLE != 0:
            for w in range(n_words):
                if state.inside[o, w] & here[w] != np.uint64(0):
                    for r in range(w * 64, min(w * 64 + 64, world.place_of.shape[0])):
                        if has(here, r) and has(state.inside[o], r) and is_accessible(world, state, r):
                            n = _write(out, n, _TAKE, o, r)
        if world.traits[o] & _TOGGLEABLE != 0 and meets(state.inside[o], here):
            n = _write(out, n, _USE, o, -1)
        if can_slice and world.traits[o] & _SLICEABLE != 0 and has(state.at[o], place):
            n = _write(out, n, _SLICE, o, held)
    if held >= 0:
        n = _write(out, n, _EXAMINE_OBJECT, held, -1)
    for verb in range(_INVENTORY, _HELP + 1):
        n = _write(out, n, verb, -1, -1)
    return n


@njit(cache=True)
def is_won(world: World, state: State) -> bool:
    """Tell whether the goal holds."""
    place, held = int(state.agent[0]), int(state.agent[1])
    kind, needed = world.goal[0], world.goal[1]
    n_objects, n_words = state.inside.shape
    if kind == _LIGHT:
        if held < 0 or world.traits[held] & _GOAL_OBJECT == 0:
            return False
        for o in range(n_objects):
            if world.traits[o] & _GOAL_LAMP != 0 and state.status[o] & _IS_TOGGLED != 0 and meets(state.inside[o], world.here[place]):
                return True
        return False
    for w in range(n_words):
        once = np.uint64(0)
        twice = np.uint64(0)
        for o in range(n_objects):
            if world.traits[o] & _GOAL_OBJECT != 0 and state.status[o] & needed == needed:
                delivered = state.inside[o, w] & world.goal_receptacles[w]
                twice |= once & delivered
                once |= delivered
        if (twice if kind == _TWO else once) != np.uint64(0):
            return True
    return False


@njit(cache=True)
def objects_in(state: State, r: int, out: NDArray[np.int16]) -> int:
    """Write the objects in a receptacle to `out`, shape (n_objects,), and return how many there are."""
    n = 0
    for o in range(state.inside.shape[0]):
        if has(state.inside[o], r):
            out[n] = o
            n += 1
    return n


@njit(cache=True)
def objects_beside(world: World, state: State, out: NDArray[np.int16]) -> int:
    """Write what `look` lists to `out`, shape (n_objects * n_receptacles,), and return how many there are.

    An object that lies at the agent's location is listed once for each receptacle there that it was taken from and not put back in.
    """
    place = int(state.agent[0])
    n = 0
    for o in range(state.at.shape[0]):
        if has(state.at[o], place):
            for r in range(world.place_of.shape[0]):
                if world.place_of[r] == place and has(state.taken[o], r):
                    out[n] = o
                    n += 1
    return n


@njit(cache=True)
def copy_state(source: State, target: State) -> None:
    """Copy one state over another of the same game: how a game is reset."""
    # Loops, because numba takes five seconds to compile the same as assignments of slices.
    for i in range(2):
        target.agent[i] = source.agent[i]
    for w in range(source.opened.shape[0]):
        target.opened[w] = source.opened[w]
    for o in range(source.status.shape[0]):
        target.status[o] = source.status[o]
        for w in range(source.inside.shape[1]):
            target.inside[o, w] = source.inside[o, w]
            target.taken[o, w] = source.taken[o, w]
        for w in range(source.at.shape[1]):
            target.at[o, w] = source.at[o, w]
