"""The base of pictures that do not move: each shows the last view of its environment, at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from homebody.envs.canvas import Canvas, check_size

View = TypeVar("View")


class StillPicture(ABC, Generic[View]):
    """Draws views of one size, see `homebody.envs.text_env.Picture`.

    Args:
        size: Width and height in pixels, at least `least`.

    Raises:
        CanvasSizeError: The size is not possible.
    """

    least: ClassVar[tuple[int, int]]
    """Smallest width and height, in pixels."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = check_size(size, self.least)
        self.forget()

    def forget(self) -> None:
        """Begin again: nothing was shown."""
        self._view: View | None = None
        """What is drawn; None where nothing was seen."""
        self._command = self._answer = ""
        """What was sent last, empty at the beginning; and the observation."""

    def see(self, view: View, command: str = "", answer: str = "", step: int = 0, *, won: bool = False) -> None:
        """Turn to a view; the answer says whether the task is won.

        Args:
            view: What the environment's `view()` returned.
            command: What led to it; empty at the beginning.
            answer: The observation.
            step: How many commands were given so far.
            won: Whether the goal holds.
        """
        self._view, self._command, self._answer = view, command, answer

    def walk(self, n_frames: int) -> Iterator[None]:
        """Show the view at once."""
        yield

    @abstractmethod
    def draw(self, canvas: Canvas) -> None:
        """Draw over a whole canvas of the picture's size."""

    def at(self, x: int, y: int) -> str:
        """Return the name of what is drawn at a pixel: nothing has a name."""
        return ""
