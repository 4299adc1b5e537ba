"""A drawing surface. This module alone imports pygame.

Promises: drawing needs no display and no sound; two canvases drawn alike hold the same bytes. Knows nothing of what is drawn.
Coordinates are pixels from the top left corner; colours are (red, green, blue), 0 to 255.
"""

from __future__ import annotations

import functools
import io
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import EnvError
from homebody.envs.file import replacing

# SDL opens a sound device together with the display on some systems, and ALSA complains aloud where there is none.
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
Color = tuple[int, int, int]
Point = tuple[float, float]
Align = Literal["left", "center", "right"]
INK: Final[Color] = (31, 35, 40)
"""Text on light ground: contrast over 12:1 on white."""
WHITE: Final[Color] = (255, 255, 255)
# Okabe and Ito's palette, which people with any common colour blindness tell apart.
ORANGE: Final[Color] = (230, 159, 0)
SKY: Final[Color] = (86, 180, 233)
GREEN: Final[Color] = (0, 158, 115)
YELLOW: Final[Color] = (240, 228, 66)
BLUE: Final[Color] = (0, 114, 178)
VERMILION: Final[Color] = (213, 94, 0)
PURPLE: Final[Color] = (204, 121, 167)
SMALLEST_TEXT: Final = 12
"""Smallest size of a text, in pixels."""
MOST_PIXELS: Final = 8192
"""Largest width and height of a canvas."""


class PygameMissingError(EnvError):
    """Something is to be drawn and pygame is not installed."""

    def __init__(self) -> None:
        super().__init__("pictures need pygame, which is not installed; run: pip install pygame (Python 3.14 and later: pygame-ce)")


class CanvasSizeError(EnvError):
    """A canvas of a size that it cannot have."""

    def __init__(self, size: object, least: tuple[int, int] = (1, 1)) -> None:
        super().__init__(
            f"a picture of size {size!r} is not possible; "
            f"give (width, height) in whole pixels, from {least} to ({MOST_PIXELS}, {MOST_PIXELS})"
        )


class TextSizeError(EnvError):
    """A text that would be too small to read."""

    def __init__(self, size: object) -> None:
        super().__init__(f"text of {size!r} pixels is too small to read; give at least {SMALLEST_TEXT}")


@functools.cache
def import_pygame() -> ModuleType:
    """Return pygame, with its fonts ready.

    Raises:
        PygameMissingError: pygame is not installed.
    """
    try:
        import pygame
    except ImportError:
        raise PygameMissingError from None
    pygame.font.init()
    return pygame


class Box(NamedTuple):
    """A rectangle of pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.y + self.height

    @property
    def center(self) -> tuple[int, int]:
        """The pixel in the middle."""
        return self.x + self.width // 2, self.y + self.height // 2

    def inset(self, dx: int, dy: int | None = None) -> Box:
        """Return the box that is smaller by `dx` on the left and right, and by `dy` (as `dx` unless given) above and below."""
        dy = dx if dy is None else dy
        return Box(self.x + dx, self.y + dy, self.width - 2 * dx, self.height - 2 * dy)

    def contains(self, x: float, y: float) -> bool:
        """Tell whether a point is in it."""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def holds(self, other: Box) -> bool:
        """Tell whether another box is wholly in it."""
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom

    def overlaps(self, other: Box) -> bool:
        """Tell whether they share a pixel."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


def check_size(size: object, least: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """Return a size (width, height) if it is one.

    Raises:
        CanvasSizeError: It is no pair of whole numbers, or one of them is below `least` or over `MOST_PIXELS`.
    """
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise CanvasSizeError(size, least)
    for value, low in zip(size, least, strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MOST_PIXELS:
            raise CanvasSizeError(size, least)
    return size[0], size[1]


class Canvas:
    """A surface to draw on.

    Args:
        width: In pixels.
        height: In pixels.
        background: Its first colour; `None` for a transparent one, to be pasted on another.

    Raises:
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, width: int, height: int, background: Color | None = WHITE) -> None:
        size = check_size((width, height))
        pygame = import_pygame()
        if background is None:
            self.surface: Any = pygame.Surface(size, pygame.SRCALPHA, 32)
            """What pygame draws on; `homebody.envs.window` shows it."""
        else:
            self.surface = pygame.Surface(size, 0, 32)
            self.surface.fill(background)

    @classmethod
    def _of(cls, surface: Any) -> Canvas:
        canvas = cls.__new__(cls)
        canvas.surface = surface
        return canvas

    @classmethod
    def from_png(cls, png: bytes) -> Canvas:
        """Return a picture that is given as PNG."""
        return cls._of(import_pygame().image.load(io.BytesIO(png), "page.png"))

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.surface.get_width())

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.surface.get_height())

    @property
    def box(self) -> Box:
        """The whole of it."""
        return Box(0, 0, self.width, self.height)

    def rect(self, box: Sequence[float], color: Color, *, radius: int = 0, border: int = 0) -> None:
        """Draw a rectangle (x, y, width, height): filled, or only its border of that width; `radius` rounds its corners."""
        import_pygame().draw.rect(self.surface, color, box, border, border_radius=radius)

    def circle(self, center: Point, radius: float, color: Color, *, border: int = 0) -> None:
        """Draw a disc, or a ring of width `border`."""
        import_pygame().draw.circle(self.surface, color, center, radius, border)

    def ellipse(self, box: Sequence[float], color: Color) -> None:
        """Draw an ellipse that fills a box."""
        import_pygame().draw.ellipse(self.surface, color, box)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Draw a filled polygon."""
        import_pygame().draw.polygon(self.surface, color, points)

    def line(self, points: Sequence[Point], color: Color, width: int = 1) -> None:
        """Draw a line through two or more points."""
        import_pygame().draw.lines(self.surface, color, False, points, width)

    def text(self, text: str, x: float, y: float, *, size: int = 14, color: Color = INK, bold: bool = False, align: Align = "left") -> Box:
        """Write one line, its top at `y`.

        Args:
            text: What to write; characters that the font lacks are shown as an empty box, line breaks as spaces.
            x: The left end, the middle or the right end of the line, as `align` says.
            y: The top of the line.
            size: Height of a line in pixels is about 1.17 times this; at least `SMALLEST_TEXT`.
            color: Of the letters.
            bold: Whether to use the bold face.
            align: What `x` means.

        Returns:
            Where it stands.

        Raises:
            TextSizeError: It would be too small to read.
        """
        text = _one_line(text)
        width, height = _measure(text, size, bold)
        left = round(x - {"left": 0.0, "center": width / 2, "right": float(width)}[align])
        if width:
            self.surface.blit(_line_of(text, size, bold, color), (left, round(y)))
        return Box(left, round(y), width, height)

    def paragraph(self, text: str, box: Box, *, size: int = 14, color: Color = INK, bold: bool = False) -> int:
        """Write a text in a box, broken at its width; what does not fit its height is cut, with an ellipsis. Return the height used."""
        step = line_height(size)
        most = max(1, box.height // step)
        # A letter is a pixel wide or more: of a text of a megabyte the rest cannot be seen.
        lines = wrap(text[: (most + 2) * max(box.width, 1)], box.width, size=size, bold=bold)
        if len(lines) > most:
            lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), box.width, size=size, bold=bold)]
        for n, line in enumerate(lines):
            self.text(line, box.x, box.y + n * step, size=size, color=color, bold=bold)
        return len(lines) * step

    def paste(self, other: Canvas, x: int = 0, y: int = 0, *, opacity: float = 1.0) -> None:
        """Lay another canvas over this one, its top left corner at (x, y)."""
        if opacity < 1:
            other.surface.set_alpha(round(255 * opacity))
        self.surface.blit(other.surface, (x, y))
        if opacity < 1:
            other.surface.set_alpha(255)

    def part(self, box: Box) -> Canvas:
        """Return a canvas that shows through to a box of this one: what is drawn on it, clipped to the box, is drawn here.

        Raises:
            CanvasSizeError: The box is not wholly in this canvas.
        """
        if not self.box.holds(box) or box.width < 1 or box.height < 1:
            raise CanvasSizeError((box.width, box.height))
        return Canvas._of(self.surface.subsurface(tuple(box)))

    @contextmanager
    def clipped(self, box: Box) -> Iterator[None]:
        """Draw only within a box for a while."""
        before = self.surface.get_clip()
        self.surface.set_clip(tuple(box))
        try:
            yield
        finally:
            self.surface.set_clip(before)

    def scaled(self, width: int, height: int) -> Canvas:
        """Return a smooth copy of another size: what is drawn large and made small has no jagged edges."""
        return Canvas._of(import_pygame().transform.smoothscale(self.surface, check_size((width, height))))

    def copy(self) -> Canvas:
        """Return an independent copy."""
        return Canvas._of(self.surface.copy())

    def to_array(self) -> NDArray[np.uint8]:
        """Return the pixels: shape (height, width, 3), red, green, blue; a new array."""
        # The surface's memory read as it lies, blue first: a tenth of the time of pygame.surfarray, which yields columns first.
        surface = self.surface.copy() if self.surface.get_parent() else self.surface
        pixels = np.frombuffer(surface.get_buffer(), np.uint8).reshape(self.height, self.width, 4)
        array = np.empty((self.height, self.width, 3), np.uint8)
        for channel in range(3):
            array[..., channel] = pixels[..., 2 - channel]
        return array

    def save(self, path: str | Path) -> None:
        """Write a PNG file.

        Raises:
            OutputError: It cannot be written.
        """
        with replacing(path) as part, part.open("wb") as file:
            import_pygame().image.save(self.surface, file, "picture.png")


def measure(text: str, *, size: int = 14, bold: bool = False) -> tuple[int, int]:
    """Return the width and height in pixels of a text on one line.

    Raises:
        TextSizeError: It would be too small to read.
    """
    return _measure(_one_line(text), size, bold)


def line_height(size: int) -> int:
    """Return the distance of two lines of text, in pixels."""
    return int(_font(size, False).get_linesize())


def fit(text: str, width: int, *, size: int = 14, bold: bool = False) -> str:
    """Return the text as one line, cut with an ellipsis where it is wider than `width` pixels."""
    text = _one_line(text)
    if _measure(text, size, bold)[0] <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _measure(text[:middle].rstrip() + "…", size, bold)[0] <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(text: str, width: int, *, size: int = 14, bold: bool = False) -> list[str]:
    """Return the lines of a text broken at `width` pixels: at its own line breaks, between words, and within words that are wider."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in _one_line(paragraph).split():
            longer = f"{line} {word}" if line else word
            if _measure(longer, size, bold)[0] <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while n := _first_part(word, width, size, bold):
                lines.append(word[:n])
                word = word[n:]
            line = word
        lines.append(line)
    return lines


def _first_part(word: str, width: int, size: int, bold: bool) -> int:
    """Return how many letters of a word fit, at least 1; 0 where all of them do, or it has no more than one."""
    some = word[: 2 * max(width, 1)]  # a letter is a pixel wide or more
    if len(some) < 2 or _measure(some, size, bold)[0] <= width:
        return 0
    return 1 + bisect_right(range(2, len(some)), width, key=lambda n: _measure(some[:n], size, bold)[0])


@functools.cache
def _font(size: int, bold: bool) -> Any:
    if not isinstance(size, int) or size < SMALLEST_TEXT:
        raise TextSizeError(size)
    path = resources.files("homebody.assets") / "fonts" / f"Roboto-{'Bold' if bold else 'Regular'}.ttf"
    # A font goes on reading its file for as long as it is used.
    return import_pygame().font.Font(BytesIO(path.read_bytes()), size)


@functools.lru_cache(maxsize=4096)
def _line_of(text: str, size: int, bold: bool, color: Color) -> Any:
    return _font(size, bold).render(text, True, color)


@functools.lru_cache(maxsize=16384)
def _measure(text: str, size: int, bold: bool) -> tuple[int, int]:
    width, height = _font(size, bold).size(text)
    return width, height


def _one_line(text: str) -> str:
    """Return a text that a font can draw: no line breaks, no control characters (SDL refuses a NUL)."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
