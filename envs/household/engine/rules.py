"""The rules of the household as compiled functions on the flat arrays of `layout.py`: step, admissible commands, goal, reset; one or many.

A command is three integers (verb, a, b), an action is one (`command.py`). No text here. Unless it says otherwise a function takes one
world, shape (n,), and one of its states, shape (m,), both uint64; rows of a batch do as well as arrays of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.compiled import inlined, kernel
from homebody.envs.household.engine.command import O_BLOCKS, R_BLOCKS, SINGLES, Verb
from homebody.envs.household.engine.layout import HELD, OPENED, PLACE, Head, ObjectSet, ReceptacleSet, Status, Words
from homebody.envs.household.engine.problem import GoalKind

# Inside compiled functions enumerations are slow to compile: plain integers, taken from them once.
_GO, _OPEN, _CLOSE, _TAKE, _MOVE, _CLEAN, _HEAT, _COOL, _USE, _SLICE, _EXAMINE_RECEPTACLE, _EXAMINE_OBJECT, _INVENTORY, _LOOK, _HELP = (
    int(v) for v in Verb
)
_N_RECEPTACLES, _N_OBJECTS, _, _R_WORDS, _O_WORDS, _GOAL, _N_TARGETS, _RECEPTACLE_SETS, _OBJECT_SETS, *_BEGINS = (int(h) for h in Head)
_PLACE_OF, _HERE, _FIRST, _MEMBERS, _TARGETS, _ACCEPTS, _STATUS, _INSIDE, _AT, _TAKEN = _BEGINS
_OPENABLE, _CLEANS, _, _ = (int(s) for s in ReceptacleSet)
_PICKUPABLE, _CLEANABLE, _, _, _SLICEABLE, _TOGGLEABLE, _KNIFE, _GOAL_OBJECT, _GOAL_LAMP = (int(s) for s in ObjectSet)
_IS_CLEAN, _IS_HOT, _IS_COOL, _IS_SLICED, _IS_TOGGLED = (int(s) for s in Status)
_, _LIGHT, _CLEAN_GOAL, _, _COOL_GOAL, _TWO = (int(g) for g in GoalKind)
_R_VERBS, _O_VERBS, _SINGLE_VERBS = (tuple(int(v) for v in block) for block in (R_BLOCKS, O_BLOCKS, SINGLES))
_N_R_BLOCKS, _N_O_BLOCKS, _N_SINGLES = len(R_BLOCKS), len(O_BLOCKS), len(SINGLES)
_NONE, _ONE, _ALL = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)
# No index has more bits. Cutting the rest off tells the compiler that no index is negative, which makes faster code.
_INDEX = np.uint64(2**24 - 1)


@inlined
def has(words: Words, begin: int, i: int) -> bool:
    """Tell whether the set that begins at `words[begin]` has item `i`."""
    return bool((words[begin + (i >> 6)] >> np.uint64(i & 63)) & _ONE != _NONE)


@inlined
def put(words: Words, begin: int, i: int) -> None:
    """Put item `i` into the set that begins at `words[begin]`."""
    words[begin + (i >> 6)] |= _ONE << np.uint64(i & 63)


@inlined
def drop(words: Words, begin: int, i: int) -> None:
    """Remove item `i` from the set that begins at `words[begin]`."""
    words[begin + (i >> 6)] &= ~(_ONE << np.uint64(i & 63))


@inlined
def number(words: Words, i: int) -> int:
    """Return a word as a signed integer, for numba makes floats of mixed ones; indices and sizes only."""
    return int(np.int64(words[i] & _INDEX))


@inlined
def of_receptacles(world: Words, row: int) -> int:
    """Return where a `ReceptacleSet` begins."""
    return number(world, _RECEPTACLE_SETS) + row * number(world, _R_WORDS)


@inlined
def of_objects(world: Words, row: int) -> int:
    """Return where an `ObjectSet` begins."""
    return number(world, _OBJECT_SETS) + row * number(world, _O_WORDS)


@inlined
def contents(world: Words, r: int) -> int:
    """Return where the set of the objects in a receptacle begins in a state."""
    return number(world, _INSIDE) + r * number(world, _O_WORDS)


@inlined
def status(world: Words, row: int) -> int:
    """Return where the set of the objects with a `Status` begins in a state."""
    return number(world, _STATUS) + row * number(world, _O_WORDS)


@inlined
def is_here(world: Words, state: Words, r: int) -> bool:
    """Tell whether a receptacle is used from where the agent is."""
    return bool(world[number(world, _PLACE_OF) + r] == state[PLACE])


@inlined
def is_accessible(world: Words, state: Words, r: int) -> bool:
    """Tell whether a receptacle has no door or an open one."""
    return not has(world, of_receptacles(world, _OPENABLE), r) or has(state, OPENED, r)


@inlined
def accepts(world: Words, r: int, o: int) -> bool:
    """Tell whether an object may be put into a receptacle."""
    return has(world, number(world, _ACCEPTS) + o * number(world, _R_WORDS), r)


@inlined
def is_admissible(world: Words, state: Words, verb: int, a: int, b: int) -> bool:
    """Tell whether a command may be given now; one that names what does not exist may not."""
    n_receptacles, n_objects = number(world, _N_RECEPTACLES), number(world, _N_OBJECTS)
    if verb <= _CLOSE or verb == _EXAMINE_RECEPTACLE:
        if verb < 0 or a < 0 or a >= n_receptacles:
            return False
        here = is_here(world, state, a)
        if verb == _GO:
            return not here
        if verb == _EXAMINE_RECEPTACLE:
            return here
        return here and has(world, of_receptacles(world, _OPENABLE), a) and has(state, OPENED, a) == (verb == _CLOSE)
    if verb >= _INVENTORY:
        return verb <= _HELP
    held = number(state, HELD) - 1
    if a < 0 or a >= n_objects:
        return False
    if verb == _EXAMINE_OBJECT:
        return bool(held == a)
    if verb == _USE:
        return has(world, of_objects(world, _TOGGLEABLE), a) and is_in_one_here(world, state, a)
    if verb == _SLICE:
        able = held >= 0 and held == b and has(world, of_objects(world, _KNIFE), b) and has(world, of_objects(world, _SLICEABLE), a)
        return able and has(state, number(world, _AT) + number(state, PLACE) * number(world, _O_WORDS), a)
    if b < 0 or b >= n_receptacles or not is_here(world, state, b):
        return False
    if verb == _TAKE:
        free = held < 0 and has(world, of_objects(world, _PICKUPABLE), a)
        return free and has(state, contents(world, b), a) and is_accessible(world, state, b)
    if held != a:
        return False
    if verb == _MOVE:
        return accepts(world, b, a) and is_accessible(world, state, b)
    tool = verb - _CLEAN
    return has(world, of_objects(world, _CLEANABLE + tool), a) and has(world, of_receptacles(world, _CLEANS + tool), b)


@inlined
def is_in_one_here(world: Words, state: Words, o: int) -> bool:
    """Tell whether an object is in a receptacle that is used from where the agent is."""
    place = number(state, PLACE)
    first, members = number(world, _FIRST) + place, number(world, _MEMBERS)
    for i in range(number(world, first), number(world, first + 1)):
        if has(state, contents(world, number(world, members + i)), o):
            return True
    return False


@inlined
def step(world: Words, state: Words, verb: int, a: int, b: int) -> bool:
    """Give a command: change `state` if it is admissible, and tell whether it was."""
    if not is_admissible(world, state, verb, a, b):
        return False
    if verb == _GO:
        state[PLACE] = world[number(world, _PLACE_OF) + a]
    elif verb == _OPEN:
        put(state, OPENED, a)
    elif verb == _CLOSE:
        drop(state, OPENED, a)
    elif verb == _TAKE or verb == _MOVE:
        o_words = number(world, _O_WORDS)
        taken = number(world, _TAKEN) + b * o_words
        at = number(world, _AT) + number(state, PLACE) * o_words
        if verb == _TAKE:
            drop(state, contents(world, b), a)
            put(state, taken, a)
            drop(state, at, a)
            state[HELD] = np.uint64(a + 1)
        else:
            put(state, contents(world, b), a)
            drop(state, taken, a)
            put(state, at, a)
            state[HELD] = _NONE
    elif verb == _CLEAN:
        put(state, status(world, _IS_CLEAN), a)
    elif verb == _HEAT:
        put(state, status(world, _IS_HOT), a)
        drop(state, status(world, _IS_COOL), a)
    elif verb == _COOL:
        put(state, status(world, _IS_COOL), a)
        drop(state, status(world, _IS_HOT), a)
    elif verb == _USE:
        put(state, status(world, _IS_TOGGLED), a)
    elif verb == _SLICE:
        put(state, status(world, _IS_SLICED), a)
    return True


def capacity(world: Words) -> int:
    """Return how many rows `admissible` may write at most."""
    n_receptacles, n_objects = int(world[_N_RECEPTACLES]), int(world[_N_OBJECTS])
    most = most_at_one_place(world)
    return n_receptacles + n_objects * (most + 2) + 6 * most + 4


def most_at_one_place(world: Words) -> int:
    """Return how many receptacles are used from one place at most."""
    first = world[int(world[_FIRST]) : int(world[_MEMBERS])]
    return int(np.diff(first).max())


@inlined
def write(out: NDArray[np.int16], n: int, verb: int, a: int, b: int) -> int:
    """Write a command as row `n`, and return the number of the next row."""
    out[n, 0] = verb
    out[n, 1] = a
    out[n, 2] = b
    return n + 1


@kernel
def admissible(world: Words, state: Words, out: NDArray[np.int16]) -> int:
    """Write every admissible command as a row of `out`, shape (`capacity(world)`, 3), and return how many there are."""
    place, held = number(state, PLACE), number(state, HELD) - 1
    n_objects = number(world, _N_OBJECTS)
    n = 0
    for r in range(number(world, _N_RECEPTACLES)):
        if not is_here(world, state, r):
            n = write(out, n, _GO, r, -1)
            continue
        n = write(out, n, _EXAMINE_RECEPTACLE, r, -1)
        if has(world, of_receptacles(world, _OPENABLE), r):
            n = write(out, n, _CLOSE if has(state, OPENED, r) else _OPEN, r, -1)
        if held >= 0:
            for verb in range(_MOVE, _COOL + 1):
                if is_admissible(world, state, verb, held, r):
                    n = write(out, n, verb, held, r)
        elif is_accessible(world, state, r):
            for o in range(n_objects):
                if has(state, contents(world, r), o) and has(world, of_objects(world, _PICKUPABLE), o):
                    n = write(out, n, _TAKE, o, r)
    can_slice = held >= 0 and has(world, of_objects(world, _KNIFE), held)
    at = number(world, _AT) + place * number(world, _O_WORDS)
    for o in range(n_objects):
        if has(world, of_objects(world, _TOGGLEABLE), o) and is_in_one_here(world, state, o):
            n = write(out, n, _USE, o, -1)
        if can_slice and has(world, of_objects(world, _SLICEABLE), o) and has(state, at, o):
            n = write(out, n, _SLICE, o, held)
    if held >= 0:
        n = write(out, n, _EXAMINE_OBJECT, held, -1)
    for verb in range(_INVENTORY, _HELP + 1):
        n = write(out, n, verb, -1, -1)
    return n


@inlined
def is_won(world: Words, state: Words) -> bool:
    """Tell whether the goal holds."""
    o_words, goal = number(world, _O_WORDS), number(world, _GOAL)
    if goal == _LIGHT:
        return _is_lit(world, state)
    wanted = of_objects(world, _GOAL_OBJECT)
    made = status(world, goal - _CLEAN_GOAL)
    targets = number(world, _TARGETS)
    for i in range(number(world, _N_TARGETS)):
        inside = contents(world, number(world, targets + i))
        once = False
        for w in range(o_words):
            delivered = state[inside + w] & world[wanted + w]
            if _CLEAN_GOAL <= goal <= _COOL_GOAL:
                delivered &= state[made + w]
            if delivered != _NONE:
                # A second one is a second bit in this word, or one in another word.
                if goal != _TWO or once or delivered & (delivered - _ONE) != _NONE:
                    return True
                once = True
    return False


@inlined
def _is_lit(world: Words, state: Words) -> bool:
    """Tell whether an object to look at is held, and a lamp of the goal's type is here and switched on."""
    held, place, o_words = number(state, HELD) - 1, number(state, PLACE), number(world, _O_WORDS)
    if held < 0 or not has(world, of_objects(world, _GOAL_OBJECT), held):
        return False
    lamps, toggled = of_objects(world, _GOAL_LAMP), status(world, _IS_TOGGLED)
    first, members = number(world, _FIRST) + place, number(world, _MEMBERS)
    for i in range(number(world, first), number(world, first + 1)):
        inside = contents(world, number(world, members + i))
        for w in range(o_words):
            if state[inside + w] & world[lamps + w] & state[toggled + w] != _NONE:
                return True
    return False


@inlined
def copy(source: Words, out_target: Words) -> None:
    """Copy one array over another: with the first state of a game over a later one, the game starts again."""
    for i in range(source.shape[0]):
        out_target[i] = source[i]


@inlined
def decode(world: Words, state: Words, action: int) -> tuple[int, int, int]:
    """Return the command (verb, a, b) that an action stands for now; a verb of -1 for none.

    Only `is_admissible` tells whether the command may be given: a hand that is empty gives the object -1, for example.
    """
    r_words, o_words = number(world, _R_WORDS), number(world, _O_WORDS)
    held = number(state, HELD) - 1
    word = action >> 6
    if action < 0 or word > _N_R_BLOCKS * r_words + _N_O_BLOCKS * o_words:
        return -1, -1, -1
    if word < _N_R_BLOCKS * r_words:
        block = word if r_words == 1 else word // r_words  # a division takes as long as a small rule
        verb = _R_VERBS[block]
        r = action - block * r_words * 64
        if _MOVE <= verb <= _COOL:
            return verb, held, r
        return verb, r, -1
    word -= _N_R_BLOCKS * r_words
    action -= _N_R_BLOCKS * r_words * 64
    if word < _N_O_BLOCKS * o_words:
        block = word if o_words == 1 else word // o_words
        verb = _O_VERBS[block]
        o = action - block * o_words * 64
        if verb == _TAKE:
            return verb, o, _giver(world, state, o)
        if verb == _SLICE:
            return verb, o, held
        return verb, o, -1
    single = action - _N_O_BLOCKS * o_words * 64
    if single >= _N_SINGLES:
        return -1, -1, -1
    verb = _SINGLE_VERBS[single]
    return verb, held if verb == _EXAMINE_OBJECT else -1, -1


@inlined
def _giver(world: Words, state: Words, o: int) -> int:
    """Return the first accessible receptacle here that holds an object, or -1."""
    first, members = number(world, _FIRST) + number(state, PLACE), number(world, _MEMBERS)
    for i in range(number(world, first), number(world, first + 1)):
        r = number(world, members + i)
        if has(state, contents(world, r), o) and is_accessible(world, state, r):
            return r
    return -1


@inlined
def act(world: Words, state: Words, action: int) -> bool:
    """Do an action: change `state` if it is admissible, and tell whether it was."""
    verb, a, b = decode(world, state, action)
    return step(world, state, verb, a, b)


@inlined
def mask(world: Words, state: Words, out_mask: Words) -> None:
    """Write the admissible actions to `out_mask`, shape (`mask_words(world)`,)."""
    r_words, o_words = number(world, _R_WORDS), number(world, _O_WORDS)
    place, held = number(state, PLACE), number(state, HELD) - 1
    _mask_receptacles(world, state, out_mask)
    take = _N_R_BLOCKS * r_words
    use, slices = take + o_words, take + 2 * o_words
    at = number(world, _AT) + place * o_words
    pickupable, toggleable, sliceable = of_objects(world, _PICKUPABLE), of_objects(world, _TOGGLEABLE), of_objects(world, _SLICEABLE)
    free = _ALL if held < 0 else _NONE
    cuts = _ALL if held >= 0 and has(world, of_objects(world, _KNIFE), held) else _NONE
    first, members = number(world, _FIRST) + place, number(world, _MEMBERS)
    for w in range(o_words):
        inside = reached = _NONE
        for i in range(number(world, first), number(world, first + 1)):
            r = number(world, members + i)
            objects = state[contents(world, r) + w]
            inside |= objects
            if is_accessible(world, state, r):
                reached |= objects
        out_mask[take + w] = reached & world[pickupable + w] & free
        out_mask[use + w] = inside & world[toggleable + w]
        out_mask[slices + w] = state[at + w] & world[sliceable + w] & cuts
    out_mask[slices + o_words] = np.uint64(14 if held < 0 else 15)


@inlined
def _mask_receptacles(world: Words, state: Words, out_mask: Words) -> None:
    r_words, held = number(world, _R_WORDS), number(state, HELD) - 1
    here = number(world, _HERE) + number(state, PLACE) * r_words
    openable = of_receptacles(world, _OPENABLE)
    accepted = number(world, _ACCEPTS) + max(held, 0) * r_words
    beyond = number(world, _N_RECEPTACLES)
    for w in range(r_words):
        near, doors, opened = world[here + w], world[openable + w], state[OPENED + w]
        real = min(max(beyond - 64 * w, 0), 64)
        out_mask[w] = ~near & (_ALL >> np.uint64(64 - real) if real > 0 else _NONE)
        out_mask[r_words + w] = near & doors & ~opened
        out_mask[2 * r_words + w] = near & doors & opened
        out_mask[3 * r_words + w] = near & (~doors | opened) & world[accepted + w] if held >= 0 else _NONE
        for tool in range(3):
            able = held >= 0 and has(world, of_objects(world, _CLEANABLE + tool), held)
            out_mask[(4 + tool) * r_words + w] = near & world[of_receptacles(world, _CLEANS + tool) + w] if able else _NONE
        out_mask[7 * r_words + w] = near


@kernel
def decode_batch(
    worlds: Words, game_of: NDArray[np.int64], states: Words, actions: NDArray[np.int64], out_codes: NDArray[np.int16]
) -> None:
    """Write the commands that the actions of n worlds stand for now: shape (n, 3), as rows of `decode`; the others as in `step_batch`."""
    for i in range(states.shape[0]):
        out_codes[i, 0], out_codes[i, 1], out_codes[i, 2] = decode(worlds[game_of[i]], states[i], actions[i])


@kernel
def step_batch(
    worlds: Words,
    game_of: NDArray[np.int64],
    states: Words,
    actions: NDArray[np.int64],
    out_accepted: NDArray[np.bool_],
    out_won: NDArray[np.bool_],
    out_masks: Words,
) -> None:
    """Do one action in each of n worlds, and say what may be done next. What is not admissible changes nothing.

    Args:
        worlds: Shape (n_games, n_world_words), of a `Stack`.
        game_of: Shape (n,): the row of `worlds` that each world plays.
        states: Shape (n, n_state_words): changed.
        actions: Shape (n,).
        out_accepted: Shape (n,): whether the action was admissible.
        out_won: Shape (n,): whether the goal holds afterwards.
        out_masks: Shape (n, `Stack.mask_words`): what is admissible afterwards.
    """
    for i in range(states.shape[0]):
        world, state = worlds[game_of[i]], states[i]
        out_accepted[i] = act(world, state, actions[i])
        out_won[i] = is_won(world, state)
        mask(world, state, out_masks[i])


@kernel
def reset_batch(
    worlds: Words, initials: Words, game_of: NDArray[np.int64], chosen: NDArray[np.bool_], states: Words, out_masks: Words
) -> None:
    """Start the chosen worlds again.

    Args:
        worlds: Shape (n_games, n_world_words), of a `Stack`.
        initials: Shape (n_games, n_state_words), of the same `Stack`.
        game_of: Shape (n,): the row of `worlds` that each world plays from now on.
        chosen: Shape (n,): which worlds to start again; the others are left alone.
        states: Shape (n, n_state_words): changed.
        out_masks: Shape (n, `Stack.mask_words`): what is admissible now, in the chosen worlds.
    """
    for i in range(states.shape[0]):
        if chosen[i]:
            copy(initials[game_of[i]], states[i])
            mask(worlds[game_of[i]], states[i], out_masks[i])
