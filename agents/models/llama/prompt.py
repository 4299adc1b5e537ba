"""What the model has read: the prompt in its memory, and earlier ones put aside.

- A new prompt keeps the longest common beginning of *segments*: of the prompt in sequence 0, or of one that was put aside.
- A segment is always evaluated as its own batches, in chunks of ``n_batch`` tokens from its start, and always in the same cells. The
  kernels round differently for batches of different shapes, and sum in the order of the cells, so this is what makes results equal to
  the bit whether a prompt was evaluated at once or over many calls, here or in another process, held or put aside and restored.
- A prompt that keeps less than half of what is held belongs to another conversation: a question between the steps of an episode, say.
  What is held is then put aside as bytes, and the conversation is taken up again where it was.
- Memory that cannot forget a tail (recurrent and hybrid models) goes back by a copy of its state, taken after each segment.

What is put aside is bounded in bytes; what has not been of use for the longest time goes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homebody.agents.models.llama.engine import Engine
from homebody.agents.models.llama.sampling import Floats

ASIDE_BYTES = 256 << 20
"""Most bytes put aside, of a model that forgets. Eleven thousand tokens of SmolLM2-135M, whose
tokens take 23,040 bytes each: 30 layers, keys and values, 3 heads of 64 numbers of 2 bytes."""
STATES_BYTES = 4 * ASIDE_BYTES
"""The same of one that cannot, and has a state after each segment instead."""

Piece = tuple[str, tuple[int, ...]]
"""Text and tokens of a segment."""


@dataclass(frozen=True)
class _Held:
    """A prompt that was evaluated."""

    texts: tuple[str, ...] = ()
    """Of its segments."""
    sizes: tuple[int, ...] = ()
    """Tokens of each."""
    last: Floats | None = None
    """Logits (n_vocab,) after its last token, where they were kept."""

    def shared(self, texts: Sequence[str], forgets: bool) -> int:
        """Return the number of segments that a prompt can keep of this one."""
        count = 0
        while count < min(len(texts), len(self.texts)) and texts[count] == self.texts[count]:
            count += 1
        if count == len(texts) and (count < len(self.texts) or self.last is None):
            count -= 1  # The logits after it are not there: its last segment is evaluated again, as the same batches.
        return count if forgets or count == len(self.texts) else 0

    def worth(self, texts: Sequence[str], forgets: bool) -> int:
        """Return the number of tokens of those segments."""
        return sum(self.sizes[: self.shared(texts, forgets)])


class PromptMemory:
    """Brings prompts into sequence 0 of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.aside_bytes = ASIDE_BYTES if engine.forgets else STATES_BYTES
        """Most bytes put aside."""
        self._engine = engine
        self._held = _Held()
        self._aside: dict[tuple[str, ...], tuple[_Held, NDArray[np.uint8]]] = {}
        """By the texts of the segments, the one of longest disuse first."""

    def enter(self, pieces: Sequence[Piece]) -> tuple[int, Floats]:
        """Make a prompt the content of sequence 0.

        Args:
            pieces: its segments, none empty; at least one token in all.

        Returns:
            The number of its tokens that were there already, and the logits (n_vocab,) after its last token.

        Raises:
            DecodeError: llama.cpp fails; nothing is held then.
        """
        texts = tuple(text for text, _ in pieces)
        try:
            kept = self._keep(texts)
            cached = start = sum(self._held.sizes)
            for end, (_, tokens) in enumerate(pieces[kept:], start=kept + 1):
                last = self._read(tokens, start, end == len(pieces))
                self._held = _Held(texts[:end], (*self._held.sizes, len(tokens)), last)
                start += len(tokens)
                if not self._engine.forgets and end < len(pieces):
                    self._put_aside()
        except BaseException:  # An interrupt, too: what sequence 0 holds is not known.
            self.clear()
            raise
        assert self._held.last is not None
        return cached, self._held.last

    def clear(self) -> None:
        """Forget the prompt in sequence 0, but nothing that was put aside."""
        self._held = _Held()
        self._engine.clear()

    def _read(self, tokens: Sequence[int], start: int, ends: bool) -> Floats | None:
        """Evaluate one segment; return the logits after its last token if it ends the prompt."""
        row: Floats | None = None
        for at in range(0, len(tokens), self._engine.n_batch):
            chunk = tokens[at : at + self._engine.n_batch]
            wanted = ends and at + len(chunk) == len(tokens)
            rows = self._engine.decode(chunk, start + at, 0, outputs=int(wanted))
            row = rows[0].copy() if wanted else None
        return row

    def _keep(self, texts: tuple[str, ...]) -> int:
        """Bring what is known of a prompt into sequence 0, and nothing else; return the number of its segments that are there."""
        forgets = self._engine.forgets
        self._touch(texts)
        here = self._held.worth(texts, forgets)
        best = max(self._aside, key=lambda key: self._aside[key][0].worth(texts, forgets), default=())
        better = best in self._aside and self._aside[best][0].worth(texts, forgets) > here
        taken = self._aside.pop(best) if better else None
        if better or 2 * here < sum(self._held.sizes):
            self._put_aside()
        if taken is not None:
            held, state = taken
            self._held = held if self._engine.restore(state) else _Held()
            if not forgets:
                self._aside[best] = taken  # It will be needed again: this memory cannot go back to it by forgetting.
        kept = self._held.shared(texts, forgets)
        if kept < len(self._held.texts):
            self._held = _Held(texts[:kept], self._held.sizes[:kept])
        if kept == 0 or not self._engine.truncate(sum(self._held.sizes)):
            self.clear()
        return len(self._held.texts)

    def _touch(self, texts: tuple[str, ...]) -> None:
        """Count what begins the prompt as of use now, the shortest last: more prompts begin by it."""
        for key in sorted((key for key in self._aside if texts[: len(key)] == key), key=len, reverse=True):
            self._aside[key] = self._aside.pop(key)

    def _put_aside(self) -> None:
        """Copy the prompt in sequence 0, where there is one that is not there yet and not too large."""
        if not self._held.texts or self._held.texts in self._aside or self._engine.state_size() > self.aside_bytes:
            return
        self._aside[self._held.texts] = (self._held, self._engine.state())
        while sum(_size(*entry) for entry in self._aside.values()) > self.aside_bytes:
            del self._aside[next(iter(self._aside))]


def _size(held: _Held, state: NDArray[np.uint8]) -> int:
    return state.nbytes + (held.last.nbytes if held.last is not None else 0)
