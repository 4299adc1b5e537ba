"""Observation and action spaces of texts, and how a batch of environments shares them.

Gymnasium's shared memory carries a text as places in its space's alphabet, and its vector
environment reads texts only once. Here they are kept as code points, and read when asked for.
"""

from __future__ import annotations

import multiprocessing
import string
from collections.abc import Sequence
from types import ModuleType
from typing import Any, overload

import numpy as np
from gymnasium.spaces import Text
from gymnasium.vector.utils import (
    batch_differing_spaces,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from numpy.typing import NDArray


class AnyText(Text):
    """Texts of any characters, for what people wrote. Samples are printable ASCII."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable)

    def contains(self, x: Any) -> bool:
        """Tell whether `x` is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


class SharedTexts(Sequence[str]):
    """The texts of a batch as they stand in shared memory now; a copy is a tuple.

    Args:
        rows: Shape (n, longest + 1): how many characters, and their code points.
    """

    def __init__(self, rows: NDArray[np.int32]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        row = self._rows[index]
        return bytes(row[1 : 1 + row[0]]).decode("utf-32-le", "surrogatepass")

    def __deepcopy__(self, memo: object) -> tuple[str, ...]:
        return tuple(self)


def _rows(space: AnyText, shared_memory: Any) -> NDArray[np.int32]:
    return np.frombuffer(shared_memory.get_obj(), np.int32).reshape(-1, space.max_length + 1)


@create_shared_memory.register(AnyText)
def _create(space: AnyText, n: int = 1, ctx: ModuleType = multiprocessing) -> Any:
    return ctx.Array("i", n * (space.max_length + 1))


@read_from_shared_memory.register(AnyText)
def _read(space: AnyText, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(_rows(space, shared_memory))


@write_to_shared_memory.register(AnyText)
def _write(space: AnyText, index: int, value: str, shared_memory: Any) -> None:
    codes = np.frombuffer(value.encode("utf-32-le", "surrogatepass"), "<i4")
    row = _rows(space, shared_memory)[index]
    row[0], row[1 : 1 + len(codes)] = len(codes), codes


# It looks for the very type of a space, not for what that is derived from.
batch_differing_spaces.register(AnyText, batch_differing_spaces.dispatch(Text))
