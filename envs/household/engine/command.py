"""What can be done in a house: the commands of the rules, and the fixed numbering of actions for programs that need no text.

The numbering depends only on how many words a set takes (`layout.py`), so that games of one batch share it. It is made of blocks of whole
words, so that a mask of actions is made of whole words too: action `i` is bit `i % 64` of word `i // 64`. The blocks, in their order:

    r_words each: GO r, OPEN r, CLOSE r, MOVE what is held to r, CLEAN, HEAT and COOL it with r, EXAMINE r
    o_words each: TAKE o (from the first receptacle here that gives it), USE o, SLICE o with what is held
    one word: EXAMINE what is held (bit 0), INVENTORY (1), LOOK (2), HELP (3)

Nearly all games have one word for either: 12 words, 768 actions. Numbers that stand for nothing in a game are never admissible in it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from homebody.envs.household.engine.layout import Head, Words

Code = tuple[int, int, int]
"""A command as `rules.py` takes it: a `Verb`, and indices of objects or receptacles, or -1."""


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


R_BLOCKS: Final = (Verb.GO, Verb.OPEN, Verb.CLOSE, Verb.MOVE, Verb.CLEAN, Verb.HEAT, Verb.COOL, Verb.EXAMINE_RECEPTACLE)
O_BLOCKS: Final = (Verb.TAKE, Verb.USE, Verb.SLICE)
SINGLES: Final = (Verb.EXAMINE_OBJECT, Verb.INVENTORY, Verb.LOOK, Verb.HELP)


def mask_words(world: Words) -> int:
    """Return how many words a mask of a game's actions takes; there are 64 times as many actions."""
    return len(R_BLOCKS) * int(world[Head.R_WORDS]) + len(O_BLOCKS) * int(world[Head.O_WORDS]) + 1


def encode(world: Words, code: Code) -> int:
    """Return the action of a command; `rules.decode` is the way back. Two `take`s of one object from two receptacles are one action."""
    verb, a, b = code
    r_words, o_words = int(world[Head.R_WORDS]), int(world[Head.O_WORDS])
    if verb in R_BLOCKS:
        return R_BLOCKS.index(Verb(verb)) * r_words * 64 + (b if Verb.MOVE <= verb <= Verb.COOL else a)
    begin = len(R_BLOCKS) * r_words
    if verb in O_BLOCKS:
        return (begin + O_BLOCKS.index(Verb(verb)) * o_words) * 64 + a
    return (begin + len(O_BLOCKS) * o_words) * 64 + SINGLES.index(Verb(verb))
