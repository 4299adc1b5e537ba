"""A window on a person's screen: shows canvases, and says what the person did.

Coordinates are pixels of the picture shown, from its top left corner.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from homebody.envs.canvas import INK, Canvas, check_size, import_pygame
from homebody.envs.core import EnvError

_DESKTOP_DRIVERS: Final = {"DISPLAY": "x11", "WAYLAND_DISPLAY": "wayland"}
"""The variables that name a display, in the order in which SDL tries them, and its drivers."""
_UNSEEN_DRIVERS: Final = ("dummy", "offscreen", "evdev")
"""The drivers of SDL that show nothing."""


class DisplayError(EnvError):
    """A window is to be opened where there is no display."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"no window can be opened: {problem}; make pictures without one: render_mode='rgb_array', or a recording to a file"
        )


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
        pygame = import_pygame()
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
        pygame = import_pygame()
        screen = pygame.display.get_surface()
        if canvas.surface.get_size() == screen.get_size():
            screen.blit(canvas.surface, (0, 0))
        else:
            screen.fill(INK)
            x, y, factor = self._placed(screen.get_size())
            width, height = (max(1, round(side * factor)) for side in self._size)
            screen.blit(pygame.transform.smoothscale(canvas.surface, (width, height)), (x, y))
        pygame.display.flip()

    def events(self) -> list[Event]:
        """Return what happened since the last call; a window that its person closed is closed."""
        if not self._open:
            return []
        pygame = import_pygame()
        found = [event for raw in pygame.event.get() if (event := self._event(raw)) is not None]
        if any(event.kind == "close" for event in found):
            self.close()
        return found

    def wait(self, milliseconds: int) -> None:
        """Let time pass without using the processor."""
        import_pygame().time.wait(milliseconds)

    def close(self) -> None:
        """Close it; to close it again does nothing."""
        if self._open:
            self._open = False
            import_pygame().display.quit()

    def _placed(self, screen: tuple[int, int]) -> tuple[int, int, float]:
        """Return where the picture stands on the screen, and how much it is enlarged: its shape is kept."""
        factor = min(screen[0] / self._size[0], screen[1] / self._size[1])
        return round((screen[0] - self._size[0] * factor) / 2), round((screen[1] - self._size[1] * factor) / 2), factor

    def _event(self, raw: Any) -> Event | None:
        pygame = import_pygame()
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
    pygame = import_pygame()
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
    pygame = import_pygame()
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
    pygame = import_pygame()
    driver = pygame.display.get_driver() if pygame.display.get_init() else ""
    return driver in _UNSEEN_DRIVERS and driver != asked
