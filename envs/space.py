"""Observation and action spaces of texts."""

from __future__ import annotations

import string
from typing import Any

from gymnasium.spaces import Text


class AnyText(Text):
    """Texts of any characters, for what people wrote. Samples are printable ASCII."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable)

    def contains(self, x: Any) -> bool:
        """Tell whether `x` is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length
