"""The player: a layout that moves in time, with keys and buttons. Knows events, and time as it is told; `watch` shows it in a window."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import click

from homebody.envs.canvas import INK, WHITE, Box, Canvas
from homebody.envs.window import DisplayError, Event, Window
from homebody.scripts.view.layout import Layout
from homebody.scripts.view.theme import CARD, DARK, EDGE, QUIET

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_WALK: Final = 12
"""Pictures of a step's way."""
_PACE: Final = 30
"""Milliseconds that a picture on the way stands at speed 1."""
_HOLD: Final = 900
_ASKED: Final = 2500
"""Milliseconds that a moment stands at speed 1, and one at which the model was asked."""
_LOOK: Final = 15
"""Milliseconds between two looks at what the person did."""

BUTTONS: Final = (
    ("Start", "Home", "start"),
    ("Back", "Left", "back"),
    ("Play", "Space", "toggle"),
    ("Next", "Right", "forward"),
    ("End", "End", "end"),
    ("Failure", "F", "failure"),
    ("Slower", "-", "slower"),
    ("Faster", "+", "faster"),
    ("Close", "Esc", "close"),
)
"""Label, key as it is shown, and method of each button."""
_KEYS: Final = {
    "home": "start", "left": "back", "space": "toggle", "right": "forward", "end": "end", "f": "failure", "-": "slower", "+": "faster",
    "escape": "close", "q": "close",
}  # fmt: skip


class Player:
    """Plays a layout.

    Args:
        layout: what to play; it must have room for buttons.
        is_live: whether the episode is still being played, so that its last moment so far is not its end.
    """

    def __init__(self, layout: Layout, *, is_live: bool = False) -> None:
        self.layout, self.is_live = layout, is_live
        self.is_playing, self.is_closed = True, False
        self.is_dirty = True
        """Whether there is something new to draw."""
        self._speed = SPEEDS.index(1.0)
        self._walk: Iterator[None] | None = None
        self._due = 0.0
        self._now = 0.0
        self._was_last = layout.last

    @property
    def speed(self) -> float:
        """How many times as fast as usual."""
        return SPEEDS[self._speed]

    def handle(self, event: Event) -> None:
        """Do what a key or a click asks for."""
        action = None
        if event.kind == "close":
            action = "close"
        elif event.kind == "key":
            action = _KEYS.get(event.text) or _KEYS.get(event.key)
        elif event.kind == "click":
            action = next((name for box, (_, _, name) in self._buttons() if box.contains(event.x, event.y)), None)
            if action is None and (moment := self.layout.moment_at(event.x, event.y)) is not None:
                self._jump(moment)
        if action is not None:
            getattr(self, action)()

    def tick(self, now: float) -> None:
        """Move on as far as time has; `now` is in milliseconds and never goes back."""
        self._now = now
        if self._was_last != self.layout.last:
            self._was_last, self.is_dirty = self.layout.last, True
        while now >= self._due and (self._walk is not None or self.is_playing):
            if self._walk is None:
                if self.layout.at >= self.layout.last:
                    self.is_playing = self.is_live
                    return
                self._start_walk()
            self._take_step()

    def start(self) -> None:
        """Go to the opening."""
        self._jump(0)

    def end(self) -> None:
        """Go to the end."""
        self._jump(self.layout.last)

    def back(self) -> None:
        """Go a moment back."""
        self._jump(self.layout.at - 1)

    def forward(self) -> None:
        """Go a moment on, along its way."""
        self.is_playing = False
        if self.layout.at < self.layout.last:
            self._start_walk()
            self._take_step()

    def toggle(self) -> None:
        """Pause, or play on; at the end play again from the opening."""
        self.is_playing = not self.is_playing
        if self.is_playing and self.layout.at >= self.layout.last and not self.is_live:
            self.layout.show(0)
        self._due, self.is_dirty = self._now, True

    def failure(self) -> None:
        """Go to where it first goes wrong."""
        self._jump(min(replay.failure for replay in self.layout.replays))

    def slower(self) -> None:
        """Play slower."""
        self._speed, self.is_dirty = max(0, self._speed - 1), True

    def faster(self) -> None:
        """Play faster."""
        self._speed, self.is_dirty = min(len(SPEEDS) - 1, self._speed + 1), True

    def close(self) -> None:
        """Stop looking."""
        self.is_closed = True

    def draw(self) -> Canvas:
        """Draw the layout and its buttons."""
        canvas = self.layout.draw()
        row = self.layout.buttons
        canvas.rect(row, CARD)
        size = 14 if row.width >= 800 else 12
        for box, (label, key, action) in self._buttons():
            words = "Pause" if action == "toggle" and self.is_playing else label
            is_main = action == "toggle"
            canvas.rect(box, DARK if is_main else WHITE, radius=6)
            canvas.rect(box, DARK if is_main else EDGE, radius=6, border=1)
            canvas.text(words, box.center[0], box.y + 4, size=size, bold=True, color=WHITE if is_main else INK, align="center")
            canvas.text(key, box.center[0], box.y + 21, size=12, color=WHITE if is_main else QUIET, align="center")
        live = "live, " if self.is_live else ""
        canvas.text(f"{live}speed {self.speed:g}", row.right - 12, row.y + 16, size=14, color=QUIET, align="right")
        self.is_dirty = False
        return canvas

    def _buttons(self) -> Iterator[tuple[Box, tuple[str, str, str]]]:
        row = self.layout.buttons
        width = min(96, (row.width - 140) // len(BUTTONS))
        for number, button in enumerate(BUTTONS):
            yield Box(row.x + 8 + number * width, row.y + 6, width - 6, row.height - 12), button

    def _jump(self, at: int) -> None:
        self.is_playing, self._walk, self.is_dirty = False, None, True
        self.layout.show(at)

    def _start_walk(self) -> None:
        self.layout.show(self.layout.at + 1)
        self._walk = self.layout.walk(_WALK)

    def _take_step(self) -> None:
        assert self._walk is not None
        self.is_dirty = True
        if next(self._walk, self) is self:
            self._walk, pause = None, _ASKED if self.layout.is_asked else _HOLD
        else:
            pause = _PACE
        self._due = self._now + pause / self.speed


def open_window(size: tuple[int, int], title: str, instead: str) -> Window:
    """Open a window that waits for a person.

    Args:
        size: width and height in pixels.
        title: of the window.
        instead: what to do where there is no display.

    Raises:
        click.UsageError: there is no display, or one that nobody sees.
        CanvasSizeError: the size is not possible.
        PygameMissingError: pygame is not installed.
    """
    try:
        window = Window(*size, title)
    except DisplayError as error:
        raise click.UsageError(f"{str(error).partition(';')[0]}; {instead}") from None
    if not window.is_seen:
        window.close()
        driver = os.environ.get("SDL_VIDEODRIVER")
        raise click.UsageError(f"SDL_VIDEODRIVER is {driver!r}, which shows nothing; unset it, or {instead}")
    return window


def watch(player: Player, window: Window, listen: Callable[[], None] = lambda: None) -> None:
    """Show a player in a window until the person closes it; it is closed afterwards in any case.

    Args:
        player: what to show.
        window: of the size of its layout.
        listen: called again and again, to take in what is new.
    """
    looks = 0
    try:
        while window.is_open and not player.is_closed:
            for event in window.events():
                player.handle(event)
            listen()
            player.tick(1000 * time.monotonic())
            # Now and then even if nothing is new: the person may have changed the window's size.
            if player.is_dirty or looks % 20 == 0:
                window.show(player.draw())
            looks += 1
            window.wait(_LOOK)
    finally:
        window.close()
