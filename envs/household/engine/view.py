"""What the sentences after a command depend on, as a few words: with them they can be looked up instead of made.

Compiled functions on the flat arrays of `layout.py`. Knows what the rules read, but no sentence.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from homebody.envs.household.compiled import inlined, kernel
from homebody.envs.household.engine.command import Verb
from homebody.envs.household.engine.layout import HELD, OPENED, PLACE, Head, ObjectSet, Status, Words
from homebody.envs.household.engine.rules import (
    contents,
    has,
    is_accessible,
    is_won,
    most_at_one_place,
    number,
    of_objects,
    status,
    step,
)

# Plain integers for the compiled functions, as in `rules.py`.
_GO, _OPEN, _LOOK, _INVENTORY = int(Verb.GO), int(Verb.OPEN), int(Verb.LOOK), int(Verb.INVENTORY)
_EXAMINE_RECEPTACLE, _EXAMINE_OBJECT = int(Verb.EXAMINE_RECEPTACLE), int(Verb.EXAMINE_OBJECT)
_R_WORDS, _O_WORDS, _HERE, _FIRST, _MEMBERS = (int(h) for h in (Head.R_WORDS, Head.O_WORDS, Head.HERE, Head.FIRST, Head.MEMBERS))
_AT, _TAKEN, _N_STATUS = int(Head.AT), int(Head.TAKEN), len(Status)
_PICKUPABLE, _TOGGLEABLE, _SLICEABLE, _KNIFE = (
    int(s) for s in (ObjectSet.PICKUPABLE, ObjectSet.TOGGLEABLE, ObjectSet.SLICEABLE, ObjectSet.KNIFE)
)
_NONE, _ONE = np.uint64(0), np.uint64(1)


def view_words(world: Words) -> tuple[int, int]:
    """Return how many words of a view tell what may be done, and how many tell the answer: the two parts of `step_and_view`'s result."""
    most, o_words = most_at_one_place(world), int(world[_O_WORDS])
    return 2 + int(world[_R_WORDS]) + (most + 1) * o_words, 2 + most * o_words


@inlined
def _view_situation(world: Words, state: Words, out_view: Words) -> None:
    """Write what the admissible commands depend on to the beginning of a view."""
    r_words, o_words = number(world, _R_WORDS), number(world, _O_WORDS)
    place, held = number(state, PLACE), number(state, HELD) - 1
    out_view[0], out_view[1] = state[PLACE], state[HELD]
    here, n = number(world, _HERE) + place * r_words, 2
    for w in range(r_words):
        out_view[n + w] = state[OPENED + w] & world[here + w]
    n += r_words
    pickupable, toggleable = of_objects(world, _PICKUPABLE), of_objects(world, _TOGGLEABLE)
    first, members = number(world, _FIRST) + place, number(world, _MEMBERS)
    for i in range(number(world, first), number(world, first + 1)):
        r = number(world, members + i)
        can_take = held < 0 and is_accessible(world, state, r)
        for w in range(o_words):
            relevant = world[toggleable + w] | (world[pickupable + w] if can_take else _NONE)
            out_view[n + w] = state[contents(world, r) + w] & relevant
        n += o_words
    if held >= 0 and has(world, of_objects(world, _KNIFE), held):
        for w in range(o_words):
            out_view[n + w] = state[number(world, _AT) + place * o_words + w] & world[of_objects(world, _SLICEABLE) + w]


@inlined
def _view_answer(world: Words, state: Words, verb: int, a: int, b: int, begin: int, out_view: Words) -> None:
    """Write what the answer to an accepted command depends on to a view, from word `begin` on."""
    o_words = number(world, _O_WORDS)
    out_view[begin] = np.uint64((verb << 48) | ((a + 1) << 24) | (b + 1))
    n = begin + 2
    if verb in (_GO, _OPEN, _EXAMINE_RECEPTACLE):
        if is_accessible(world, state, a):
            out_view[begin + 1] = _ONE
            for w in range(o_words):
                out_view[n + w] = state[contents(world, a) + w]
    elif verb == _EXAMINE_OBJECT:
        for row in range(_N_STATUS):
            out_view[begin + 1] |= np.uint64(has(state, status(world, row), a)) << np.uint64(row)
    elif verb == _INVENTORY:
        out_view[begin + 1] = state[HELD]
    elif verb == _LOOK:
        out_view[begin + 1] = state[PLACE]
        at = number(world, _AT) + number(state, PLACE) * o_words
        first, members = number(world, _FIRST) + number(state, PLACE), number(world, _MEMBERS)
        for i in range(number(world, first), number(world, first + 1)):
            taken = number(world, _TAKEN) + number(world, members + i) * o_words
            for w in range(o_words):
                out_view[n + w] = state[at + w] & state[taken + w]
            n += o_words


WON: Final = 2
"""What `step_and_view` returns where the goal holds."""


@kernel
def step_and_view(world: Words, state: Words, verb: int, a: int, b: int, begin: int, out_view: Words) -> int:
    """Give a command, and write all that the sentences after it depend on, so that they can be looked up instead of made.

    Args:
        world: The world.
        state: Its state: changed.
        verb: With `a` and `b`, the command.
        a: See `verb`.
        b: See `verb`.
        begin: The first of the numbers from `view_words(world)`.
        out_view: Shape (sum(view_words(world)),): what the admissible commands depend on, and from word `begin` on what the answer does.

    Returns:
        0 if the command is not admissible, and then nothing was written; `WON` if it is and the goal holds now; otherwise 1.
    """
    if not step(world, state, verb, a, b):
        return 0
    for i in range(out_view.shape[0]):
        out_view[i] = _NONE
    _view_situation(world, state, out_view)
    _view_answer(world, state, verb, a, b, begin, out_view)
    return WON if is_won(world, state) else 1
