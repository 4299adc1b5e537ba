"""What the model has read: the cached prompt, and the saved states of earlier ones.

- A new prompt keeps the longest common beginning of *segments*: of the prompt in sequence 0, or of a saved one.
- A segment is always evaluated as its own batches, in chunks of ``n_batch`` tokens from its start, and always in the same cells.
  The kernels round differently for batches of different shapes, and sum in the order of the cells. So results are equal to the bit
  whether a prompt was evaluated at once or over many calls, here or in another process, cached or restored.
- A prompt that keeps less than half of the cached one belongs to another conversation: a question between the steps of an episode,
  say. The cached prompt is then saved, and the conversation is taken up again where it was.
- Recurrent and hybrid models cannot drop the end of a sequence. For them a copy of the recurrent state alone (a *point*) is kept at the
  ends of the segments to which prompts go back: the first one, the last few, and those where another conversation began.

Saved states are bounded in bytes and points in number; the least recently used go first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from homebody.agents.models.gguf import N_POINTS
from homebody.agents.models.llama.engine import Engine, State
from homebody.agents.models.llama.sampling import Floats

SAVED_BYTES = 256 << 20
"""Most bytes of saved states. Eleven thousand tokens of SmolLM2-135M, whose tokens take 23,040 bytes each: 30 layers, keys and
values, 3 heads of 64 numbers of 2 bytes."""
RECENT = 4
"""Segments at the end of a prompt whose points are kept: the next prompt of a conversation goes back by the candidates, the mark
that opens the answer, and a thought."""

Piece = tuple[str, tuple[int, ...]]
"""Text and tokens of a segment."""

Texts = tuple[str, ...]
"""Segments of a prompt, from its first."""

V = TypeVar("V")


@dataclass(frozen=True)
class _Prefill:
    """A prompt that was evaluated."""

    texts: Texts = ()
    sizes: tuple[int, ...] = ()
    """Tokens of each segment."""
    last: Floats | None = None
    """Logits (n_vocab,) after its last token, where they were kept."""

    def shared(self, texts: Texts) -> int:
        """Return the number of segments that a prompt has in common with this one, and need not be evaluated again."""
        count = 0
        while count < min(len(texts), len(self.texts)) and texts[count] == self.texts[count]:
            count += 1
        if count == len(texts) and (count < len(self.texts) or self.last is None):
            count -= 1  # Without the logits after it its last segment is evaluated again, as the same batches.
        return count


@dataclass(frozen=True)
class _Point:
    state: NDArray[np.uint8]
    is_fork: bool
    """Whether another conversation began after these segments."""


class PromptMemory:
    """Brings prompts into sequence 0 of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.saved_bytes = SAVED_BYTES if engine.saves else 0
        """Most bytes of saved states."""
        self.n_points = N_POINTS if engine.saves else 0
        """Most points."""
        self._engine = engine
        self._cached = _Prefill()
        self.saved: dict[Texts, tuple[_Prefill, State]] = {}
        """States of whole prompts by their texts, the one used last at the end."""
        self.points: dict[Texts, _Point] = {}
        """Points by the texts before them, likewise."""
        self._fork: Texts = ()

    @property
    def n_bytes(self) -> int:
        """Bytes of all saved states and points."""
        return sum(map(_size, self.saved.values())) + sum(point.state.nbytes for point in self.points.values())

    def enter(self, pieces: Sequence[Piece]) -> tuple[int, Floats]:
        """Make a prompt the content of sequence 0.

        Args:
            pieces: its segments, none empty; at least one token in all.

        Returns:
            The number of its tokens that were cached, and the logits (n_vocab,) after its last token.

        Raises:
            DecodeError: llama.cpp fails; nothing is cached then.
        """
        texts = tuple(text for text, _ in pieces)
        try:
            kept = self._keep(texts)
            cached = start = sum(self._cached.sizes)
            for end, (_, tokens) in enumerate(pieces[kept:], start=kept + 1):
                self._mark(texts[: end - 1])
                last = self._read(tokens, start, end == len(pieces))
                self._cached = _Prefill(texts[:end], (*self._cached.sizes, len(tokens)), last)
                start += len(tokens)
            self._thin(texts)
        except BaseException:  # An interrupt, too: the content of sequence 0 is unknown.
            self.clear()
            raise
        assert self._cached.last is not None
        return cached, self._cached.last

    def clear(self) -> None:
        """Forget the cached prompt, but no saved one."""
        self._cached = _Prefill()
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

    def _keep(self, texts: Texts) -> int:
        """Reduce sequence 0 to what is known of a prompt, restored where a saved one has more; return the number of its segments."""
        _touch(self.saved, texts)
        _touch(self.points, texts)
        best = max(self.saved, key=lambda key: self._worth(self.saved[key][0], texts), default=())
        taken = self.saved.get(best)
        if taken and self._worth(taken[0], texts) > self._worth(self._cached, texts):
            del self.saved[best]
        else:
            taken = None
        base = taken[0] if taken else self._cached
        shared = base.shared(texts)
        goes_on = 2 * sum(base.sizes[:shared]) >= sum(base.sizes)
        if taken or not goes_on:
            self._save(self._cached)
        if taken:
            self._cached = base if self._engine.restore(taken[1]) else _Prefill()
            if not goes_on:
                self.saved[best] = taken
                _trim(self.saved, _size, self.saved_bytes)
        if goes_on:
            for end in range(shared + 1, len(base.texts) + 1):
                self.points.pop(base.texts[:end], None)
        else:
            self._fork = texts[:shared]
            if self._fork in self.points:
                self.points[self._fork] = replace(self.points[self._fork], is_fork=True)
        kept = self._reached(self._cached, texts)
        if kept < len(self._cached.texts):
            self._cached = _Prefill(texts[:kept], self._cached.sizes[:kept])
            point = self.points.get(texts[:kept])
            if kept == 0 or not self._engine.go_back(sum(self._cached.sizes), point.state if point else None):
                self.clear()
        return len(self._cached.texts)

    def _reached(self, prefill: _Prefill, texts: Texts) -> int:
        """Return the number of segments of an evaluated prompt from which another can go on."""
        count = prefill.shared(texts)
        if not self._engine.forgets:
            while 0 < count < len(prefill.texts) and texts[:count] not in self.points:
                count -= 1
        return count

    def _worth(self, prefill: _Prefill, texts: Texts) -> int:
        """Return the number of tokens of those segments."""
        return sum(prefill.sizes[: self._reached(prefill, texts)])

    def _save(self, prefill: _Prefill) -> None:
        """Save the cached prompt, unless it is saved, or too large."""
        if not prefill.texts or prefill.texts in self.saved or self._engine.state_size() > self.saved_bytes:
            return
        self.saved[prefill.texts] = (prefill, self._engine.state())
        _trim(self.saved, _size, self.saved_bytes)

    def _mark(self, texts: Texts) -> None:
        """Keep a point after these segments, which are what sequence 0 holds."""
        if texts and not self._engine.forgets and self.n_points and texts not in self.points:
            self.points[texts] = _Point(self._engine.point(), is_fork=texts == self._fork)
            _trim(self.points, lambda _: 1, self.n_points)

    def _thin(self, texts: Texts) -> None:
        """Drop the points inside a prompt to which nothing goes back."""
        for end in range(2, len(texts) - RECENT):
            point = self.points.get(texts[:end])
            if point and not point.is_fork:
                del self.points[texts[:end]]


def _touch(known: dict[Texts, V], texts: Texts) -> None:
    """Count what begins a prompt as used now, the shortest last: more prompts begin by it."""
    for end in range(len(texts), 0, -1):
        if texts[:end] in known:
            known[texts[:end]] = known.pop(texts[:end])


def _trim(known: dict[Texts, V], size: Callable[[V], int], most: int) -> None:
    """Drop the least recently used until the rest is small enough."""
    while known and sum(map(size, known.values())) > most:
        del known[next(iter(known))]


def _size(entry: tuple[_Prefill, State]) -> int:
    prefill, state = entry
    return sum(part.nbytes for part in state) + (prefill.last.nbytes if prefill.last is not None else 0)
