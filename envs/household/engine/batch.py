"""Games of any sizes side by side, for `rules.step_batch`: their worlds and first states as rows of one array each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from homebody.envs.household.engine.command import mask_words
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.layout import Head, Words, widen


@dataclass(frozen=True)
class Stack:
    """Games of any sizes, laid out so that rows of one batch may belong to any of them."""

    worlds: Words
    """Shape (n_games, words of the largest world, rounded up likewise), read-only."""
    initials: Words
    """Shape (n_games, words of the largest state, rounded up to whole lines of the processor's cache), read-only."""
    mask_words: int
    """How many words a mask takes; there are 64 times as many actions, numbered alike in all games."""

    def __setstate__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts)
        # A pickle forgets it, and numba compiles anew, for many seconds, for arrays that can be written to.
        for array in (self.worlds, self.initials):
            array.flags.writeable = False


def stack(games: Sequence[Game]) -> Stack:
    """Lay out games for a batch; there must be at least one."""
    r_words, o_words = (max(int(game.world[head]) for game in games) for head in (Head.R_WORDS, Head.O_WORDS))
    pairs = [widen(game.world, game.initial, r_words, o_words) for game in games]
    worlds, initials = (_pad([pair[i] for pair in pairs]) for i in range(2))
    return Stack(worlds, initials, mask_words(worlds[0]))


def _pad(rows: Sequence[Words]) -> Words:
    table = np.zeros((len(rows), -(-max(len(row) for row in rows) // 8) * 8), np.uint64)
    for padded, row in zip(table, rows, strict=True):
        padded[: len(row)] = row
    table.flags.writeable = False
    return table
