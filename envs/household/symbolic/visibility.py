"""What the agents of a batch of houses know, as a compiled function on the flat arrays of `layout.py`. Knows no spaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.compiled import inlined, kernel
from homebody.envs.household.engine.layout import HELD, OPENED, PLACE, Head, Status, Words
from homebody.envs.household.engine.rules import has, is_accessible, number, put

# Plain integers for the compiled functions, as in `rules.py`.
_R_WORDS, _O_WORDS, _N_RECEPTACLES = int(Head.R_WORDS), int(Head.O_WORDS), int(Head.N_RECEPTACLES)
_HERE, _STATUS, _INSIDE = int(Head.HERE), int(Head.STATUS), int(Head.INSIDE)
_N_STATUS = len(Status)
_NONE, _ONE = np.uint64(0), np.uint64(1)
# Each counts the ones of a word in fields of twice the size: of 1, 2 and 4 bits.
_PAIRS, _FOURS, _BYTES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)


@inlined
def lowest(bits: np.uint64) -> int:
    """Return the position of the lowest one of a word that has any: the number of ones in all below it."""
    below = (bits & (~bits + _ONE)) - _ONE
    below -= (below >> np.uint64(1)) & _PAIRS
    below = (below & _FOURS) + ((below >> np.uint64(2)) & _FOURS)
    below = (below + (below >> np.uint64(4))) & _BYTES
    return int(np.int64((below * _SUM) >> np.uint64(56)))


@kernel
def observe_batch(
    worlds: Words,
    game_of: NDArray[np.int64],
    states: Words,
    object_types: NDArray[np.int16],
    seen: Words,
    out_agent: NDArray[np.int16],
    out_opened: NDArray[np.int8],
    out_seen: NDArray[np.int8],
    out_type: NDArray[np.int16],
    out_in: NDArray[np.int16],
    out_status: NDArray[np.uint8],
) -> None:
    """Write what the agent of each house knows.

    Args:
        worlds: Shape (n_games, n_world_words), of a `Stack`.
        game_of: Shape (n,): the game of each house.
        states: Shape (n, n_state_words).
        object_types: Shape (n_games, 64 * o_words): the true types.
        seen: Shape (n, r_words): the receptacles that were looked into; those that the agent stands before now are added.
        out_agent: Shape (n, 2): its place, and the object in its hand or -1.
        out_opened: Shape (n, 64 * r_words): 1 for each open receptacle.
        out_seen: Shape (n, 64 * r_words): `seen` as ones and zeros.
        out_type: Shape (n, 64 * o_words): types of the objects that were seen, else -1.
        out_in: Shape (n, 64 * o_words): the first receptacle that was seen to hold the object, else -1.
        out_status: Shape (n, 64 * o_words): `Status` of the objects that were seen as bits, else 0.
    """
    for i in range(states.shape[0]):
        world, state, known = worlds[game_of[i]], states[i], seen[i]
        r_words, o_words = number(world, _R_WORDS), number(world, _O_WORDS)
        held = number(state, HELD) - 1
        out_agent[i, 0], out_agent[i, 1] = number(state, PLACE), held
        out_type[i], out_in[i], out_status[i] = -1, -1, 0
        out_opened[i], out_seen[i] = 0, 0
        here = number(world, _HERE) + number(state, PLACE) * r_words
        for r in range(number(world, _N_RECEPTACLES)):
            if has(world, here, r) and is_accessible(world, state, r):
                put(known, 0, r)
            out_opened[i, r], out_seen[i, r] = has(state, OPENED, r), has(known, 0, r)
        # Word by word and bit by bit, for most words are nearly empty: a test of each object takes several times as long.
        for w in range(o_words):
            sight = _NONE
            for r in range(number(world, _N_RECEPTACLES)):
                if has(known, 0, r):
                    fresh = state[number(world, _INSIDE) + r * o_words + w] & ~sight
                    sight |= fresh
                    while fresh != _NONE:
                        o = 64 * w + lowest(fresh)
                        out_in[i, o], out_type[i, o] = r, object_types[game_of[i], o]
                        fresh &= fresh - _ONE
            if held >> 6 == w:
                sight |= _ONE << np.uint64(held & 63)
                out_type[i, held] = object_types[game_of[i], held]
            for row in range(_N_STATUS):
                having = state[number(world, _STATUS) + row * o_words + w] & sight
                while having != _NONE:
                    out_status[i, 64 * w + lowest(having)] |= 1 << row
                    having &= having - _ONE
