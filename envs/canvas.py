"""A drawing surface and a window: one module, because pygame has one importer.

Promises: drawing needs no display and no sound; two canvases drawn alike hold the same bytes. Knows nothing of what is drawn.
Coordinates are pixels from the top left corner; colours are (red, green, blue), 0 to 255.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
_DESKTOP_DRIVERS: Final = {"DISPLAY": "x11", "WAYLAND_DISPLAY": "wayland"}
"""The variables that name a display, in the order in which SDL tries them, and its drivers."""
_UNSEEN_DRIVERS: Final = ("dummy", "offscreen", "evdev")
"""The drivers of SDL that show nothing."""


class PygameMissingError(EnvError):
    """Something is to be drawn and pygame is not installed."""

    def __init__(self) -> None:
        super().__init__("pictures need pygame, which is not installed; run: pip install pygame (Python 3.14 and later: pygame-ce)")


class DisplayError(EnvError):
    """A window is to be opened where there is no display."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"no window can be opened: {problem}; make pictures without one: render_mode='rgb_array', or a recording to a file"
        )


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
def _pygame() -> ModuleType:
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
        pygame = _pygame()
        if background is None:
            self._surface: Any = pygame.Surface(size, pygame.SRCALPHA, 32)
        else:
            self._surface = pygame.Surface(size, 0, 32)
            self._surface.fill(background)

    @classmethod
    def _of(cls, surface: Any) -> Canvas:
        canvas = cls.__new__(cls)
        canvas._surface = surface
        return canvas

    @classmethod
    def from_png(cls, png: bytes) -> Canvas:
        """Return a picture that is given as PNG."""
        return cls._of(_pygame().image.load(io.BytesIO(png), "page.png"))

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self._surface.get_width())

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self._surface.get_height())

    @property
    def box(self) -> Box:
        """The whole of it."""
        return Box(0, 0, self.width, self.height)

    def rect(self, box: Sequence[float], color: Color, *, radius: int = 0, border: int = 0) -> None:
        """Draw a rectangle (x, y, width, height): filled, or only its border of that width; `radius` rounds its corners."""
        _pygame().draw.rect(self._surface, color, box, border, border_radius=radius)

    def circle(self, center: Point, radius: float, color: Color, *, border: int = 0) -> None:
        """Draw a disc, or a ring of width `border`."""
        _pygame().draw.circle(self._surface, color, center, radius, border)

    def ellipse(self, box: Sequence[float], color: Color, *, border: int = 0) -> None:
        """Draw an ellipse that fills a box, or only its border."""
        _pygame().draw.ellipse(self._surface, color, box, border)

    def polygon(self, points: Sequence[Point], color: Color, *, border: int = 0) -> None:
        """Draw a filled polygon, or only its border."""
        _pygame().draw.polygon(self._surface, color, points, border)

    def line(self, points: Sequence[Point], color: Color, width: int = 1) -> None:
        """Draw a line through two or more points."""
        _pygame().draw.lines(self._surface, color, False, points, width)

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
            self._surface.blit(_line_of(text, size, bold, color), (left, round(y)))
        return Box(left, round(y), width, height)

    def paragraph(self, text: str, box: Box, *, size: int = 14, color: Color = INK, bold: bool = False, align: Align = "left") -> int:
        """Write a text in a box, broken at its width; what does not fit its height is cut, with an ellipsis. Return the height used."""
        step = line_height(size)
        most = max(1, box.height // step)
        # A letter is a pixel wide or more: of a text of a megabyte the rest cannot be seen.
        lines = wrap(text[: (most + 2) * max(box.width, 1)], box.width, size=size, bold=bold)
        if len(lines) > most:
            lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), box.width, size=size, bold=bold)]
        x = {"left": box.x, "center": box.x + box.width / 2, "right": box.right}[align]
        for n, line in enumerate(lines):
            self.text(line, x, box.y + n * step, size=size, color=color, bold=bold, align=align)
        return len(lines) * step

    def paste(self, other: Canvas, x: int = 0, y: int = 0, *, opacity: float = 1.0) -> None:
        """Lay another canvas over this one, its top left corner at (x, y)."""
        if opacity < 1:
            other._surface.set_alpha(round(255 * opacity))
        self._surface.blit(other._surface, (x, y))
        if opacity < 1:
            other._surface.set_alpha(255)

    def part(self, box: Box) -> Canvas:
        """Return a canvas that shows through to a box of this one: what is drawn on it, clipped to the box, is drawn here.

        Raises:
            CanvasSizeError: The box is not wholly in this canvas.
        """
        if not self.box.holds(box) or box.width < 1 or box.height < 1:
            raise CanvasSizeError((box.width, box.height))
        return Canvas._of(self._surface.subsurface(tuple(box)))

    @contextmanager
    def clipped(self, box: Box) -> Iterator[None]:
        """Draw only within a box for a while."""
        before = self._surface.get_clip()
        self._surface.set_clip(tuple(box))
        try:
            yield
        finally:
            self._surface.set_clip(before)

    def scaled(self, width: int, height: int) -> Canvas:
        """Return a smooth copy of another size: what is drawn large and made small has no jagged edges."""
        return Canvas._of(_pygame().transform.smoothscale(self._surface, check_size((width, height))))

    def copy(self) -> Canvas:
        """Return an independent copy."""
        return Canvas._of(self._surface.copy())

    def to_array(self) -> NDArray[np.uint8]:
        """Return the pixels: shape (height, width, 3), red, green, blue; a new array."""
        # The surface's memory read as it lies, blue first: a tenth of the time of pygame.surfarray, which yields columns first.
        surface = self._surface.copy() if self._surface.get_parent() else self._surface
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
            _pygame().image.save(self._surface, file, "picture.png")


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


@dataclass(frozen=True)
class Event:
    """What a person did in a window."""

    kind: Literal["key", "click", "move", "wheel", "close"]
    key: str = ""
    """Of a key: its name, as `a`, `space`, `left`, `return`, `backspace`, `escape`, `f1`."""
    text: str = ""
    """Of a key: what it types, with shift and the keyboard's language; empty for `left` and the like."""
    x: int = 0
    """Of a click, a move and a turn of the wheel: where the pointer is."""
    y: int = 0
    turns: int = 0
    """Of the wheel: steps, positive away from the person."""
    shift: bool = False
    control: bool = False


class Window:
    """A window on the screen; its picture is scaled where a person changes the window's size.

    Args:
        width: Of the pictures it will show, in pixels.
        height: In pixels.
        title: What its frame says.

    Raises:
        DisplayError: There is no display, or it does not answer.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = check_size((width, height))
        pygame = _pygame()
        self.is_seen = _open_display() not in _UNSEEN_DRIVERS
        """Whether it is on a screen, where a person can see and close it."""
        try:
            pygame.display.set_mode(self._size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise DisplayError(str(error)) from None
        pygame.display.set_caption(title)
        pygame.key.set_repeat(300, 60)
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether it is on the screen: a person may close it at any time."""
        return self._open

    def show(self, canvas: Canvas) -> None:
        """Show a picture; nothing happens once the window is closed."""
        if not self._open:
            return
        pygame = _pygame()
        screen = pygame.display.get_surface()
        if canvas._surface.get_size() == screen.get_size():
            screen.blit(canvas._surface, (0, 0))
        else:
            screen.fill(INK)
            x, y, factor = self._placed(screen.get_size())
            width, height = (max(1, round(side * factor)) for side in self._size)
            screen.blit(pygame.transform.smoothscale(canvas._surface, (width, height)), (x, y))
        pygame.display.flip()

    def events(self) -> list[Event]:
        """Return what happened since the last call; a window that its person closed is closed."""
        if not self._open:
            return []
        pygame = _pygame()
        found = [event for raw in pygame.event.get() if (event := self._event(raw)) is not None]
        if any(event.kind == "close" for event in found):
            self.close()
        return found

    def wait(self, milliseconds: int) -> None:
        """Let time pass without using the processor."""
        _pygame().time.wait(milliseconds)

    def close(self) -> None:
        """Close it; to close it again does nothing."""
        if self._open:
            self._open = False
            _pygame().display.quit()

    def _placed(self, screen: tuple[int, int]) -> tuple[int, int, float]:
        """Return where the picture stands on the screen, and how much it is enlarged: its shape is kept."""
        factor = min(screen[0] / self._size[0], screen[1] / self._size[1])
        return round((screen[0] - self._size[0] * factor) / 2), round((screen[1] - self._size[1] * factor) / 2), factor

    def _event(self, raw: Any) -> Event | None:
        pygame = _pygame()
        if raw.type == pygame.QUIT:
            return Event("close")
        if raw.type == pygame.KEYDOWN:
            text = raw.unicode if raw.unicode.isprintable() else ""
            return Event(
                "key", pygame.key.name(raw.key), text, shift=bool(raw.mod & pygame.KMOD_SHIFT), control=bool(raw.mod & pygame.KMOD_CTRL)
            )
        left, top, factor = self._placed(pygame.display.get_surface().get_size())
        if raw.type == pygame.MOUSEWHEEL:
            x, y = pygame.mouse.get_pos()
            return Event("wheel", x=round((x - left) / factor), y=round((y - top) / factor), turns=raw.y)
        if (raw.type == pygame.MOUSEBUTTONDOWN and raw.button == 1) or raw.type == pygame.MOUSEMOTION:
            x, y = raw.pos
            kind: Literal["click", "move"] = "click" if raw.type == pygame.MOUSEBUTTONDOWN else "move"
            return Event(kind, x=round((x - left) / factor), y=round((y - top) / factor))
        return None


def _open_display() -> str:
    """Start SDL's display, and return the name of its driver.

    Raises:
        DisplayError: There is none, or it does not answer.
    """
    pygame = _pygame()
    asked = os.environ.get("SDL_VIDEODRIVER", "")
    if _is_unseen(asked):
        pygame.display.quit()  # an earlier one of this process
    if not asked and sys.platform not in ("win32", "darwin"):
        _open_desktop()
    else:
        try:
            pygame.display.init()
        except pygame.error as error:
            problem = f"SDL_VIDEODRIVER={asked}: {error}" if asked else str(error)
            raise DisplayError(problem) from None
    driver = str(pygame.display.get_driver())
    if _is_unseen(asked):
        pygame.display.quit()
        raise DisplayError(f"there is no display (SDL fell back to its driver {driver!r})")
    return driver


def _open_desktop() -> None:
    """Start SDL's display where DISPLAY or WAYLAND_DISPLAY says.

    SDL left to itself would go on to displays that nobody sees, and a person would wait for ever.

    Raises:
        DisplayError: Neither is set, or none answers.
    """
    pygame = _pygame()
    named = {name: where for name in _DESKTOP_DRIVERS if (where := os.environ.get(name))}
    if not named:
        raise DisplayError("there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)")
    for name in named:
        os.environ["SDL_VIDEODRIVER"] = _DESKTOP_DRIVERS[name]
        with suppress(pygame.error):
            pygame.display.init()
        del os.environ["SDL_VIDEODRIVER"]
        if pygame.display.get_init():
            return
    tried = " or ".join(f"{name}={where}" for name, where in named.items())
    raise DisplayError(f"no display answers at {tried}")


def _is_unseen(asked: str) -> bool:
    """Tell whether SDL's display shows nothing, and was not asked to."""
    pygame = _pygame()
    driver = pygame.display.get_driver() if pygame.display.get_init() else ""
    return driver in _UNSEEN_DRIVERS and driver != asked


@functools.cache
def _font(size: int, bold: bool) -> Any:
    if not isinstance(size, int) or size < SMALLEST_TEXT:
        raise TextSizeError(size)
    path = resources.files("homebody.assets") / "fonts" / f"Roboto-{'Bold' if bold else 'Regular'}.ttf"
    # A font goes on reading its file for as long as it is used.
    return _pygame().font.Font(BytesIO(path.read_bytes()), size)


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
