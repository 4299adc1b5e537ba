"""A person plays in a window: the world beside the commands, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.envs.canvas import INK, WHITE, Box, Canvas, check_size, fit, measure
from homebody.envs.check import FREE_SLOT
from homebody.envs.window import Event, Window
from homebody.scripts.view.human import StoppedError, completion, ended, matching
from homebody.scripts.view.layout import LEAST
from homebody.scripts.view.replay import Replay
from homebody.scripts.view.scene import scene_of
from homebody.scripts.view.theme import BAD, CARD, CHOSEN, DARK, EDGE, GOOD, PAPER, QUIET

_PAD: Final = 12
_ROW: Final = 24
_WALK: Final = 10
_PACE: Final = 30
"""Milliseconds that a picture on the way stands."""
_LOOK: Final = 15
_BUTTONS: Final = (("Send", "Enter"), ("Complete", "Tab"), ("Clear", "Esc"))


class PlayLayout:
    """What a person sees and does: the world on the left, what was typed and the commands that fit it on the right.

    Args:
        replay: the episode, which grows.
        size: width and height in pixels, at least `board.LEAST`.

    Raises:
        CanvasSizeError: the size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, replay: Replay, size: tuple[int, int]) -> None:
        width, height = check_size(size, LEAST)
        self.replay = replay
        self.canvas = Canvas(width, height)
        side = max(width // 3, 320)
        self._world, self.side = Box(0, 0, width - side, height), Box(width - side, 0, side, height)
        """The picture of the world, and what a person uses beside it."""
        self.scene = scene_of(replay, (self._world.width, self._world.height))
        self.scene.show(0)
        x, right = self.side.x + _PAD, self.side.right - _PAD
        self._input = Box(x, 40, right - x, 32)
        self.buttons = [Box(x + n * ((right - x + 6) // 3), 80, (right - x + 6) // 3 - 6, 40) for n in range(3)]
        """Where to send, to complete and to clear."""
        self.listed = Box(x, 154, right - x, (height - 154 - 70) // _ROW * _ROW)
        """Where the commands stand, one a row."""
        self.commands: Sequence[str] = ()
        """The commands that are possible now."""
        self.steps_left = 0
        self.typed = ""
        self.said = ""
        """How it ended, once it has."""
        self._chosen = -1
        self._first = 0

    @property
    def found(self) -> list[str]:
        """The commands that fit what was typed."""
        return matching(self.typed, self.commands)

    def offer(self, commands: Sequence[str], steps_left: int) -> None:
        """Take the commands of the next step."""
        self.commands, self.steps_left = commands, steps_left
        self._type("")

    def handle(self, event: Event) -> str | None:
        """Do what a person did; return the command if one is sent."""
        if event.kind == "key":
            return self._press(event)
        if event.kind == "wheel":
            self._scroll(-3 * event.turns)
        elif event.kind == "click":
            return self._click(event.x, event.y)
        return None

    def draw(self) -> Canvas:
        """Draw it all, and return the canvas; the next call draws on the same one."""
        self.scene.draw(self.canvas.part(self._world))
        canvas, side = self.canvas, self.side
        canvas.rect(side, PAPER)
        canvas.line([(side.x, 0), (side.x, side.bottom)], EDGE)
        canvas.text("Your turn" if not self.said else "The end", side.x + _PAD, 10, size=18, bold=True)
        left = f"{self.steps_left} {'step' if self.steps_left == 1 else 'steps'} left" if not self.said else ""
        canvas.text(left, side.right - _PAD, 13, size=14, color=QUIET, align="right")
        if self.said:
            won = self.replay.end is not None and self.replay.end.won
            canvas.rect(self._input, GOOD if won else BAD, radius=6)
            words = fit(self.said, self._input.width - 16, size=15, bold=True)
            canvas.text(words, self._input.center[0], self._input.y + 6, size=15, bold=True, color=WHITE, align="center")
            canvas.text("Enter or Esc closes the window", side.x + _PAD, self._input.bottom + 10, size=14, color=QUIET)
        else:
            self._draw_input()
            self._draw_list()
        return canvas

    def _press(self, event: Event) -> str | None:
        if event.key in ("return", "enter", "[enter]"):
            return self._send()
        if event.key == "tab":
            self._type(completion(self.typed, self.commands))
        elif event.key == "escape":
            self._type("")
        elif event.key == "backspace":
            self._type("" if event.control else self.typed[:-1])
        elif event.key in ("up", "down"):
            self._choose(self._chosen + (1 if event.key == "down" else -1))
        elif event.key in ("page up", "page down"):
            self._scroll(self._rows * (1 if event.key == "page down" else -1))
        elif event.text and not event.control:
            self._type(self.typed + event.text)
        return None

    def _click(self, x: int, y: int) -> str | None:
        if self.listed.contains(x, y):
            number = self._first + (y - self.listed.y) // _ROW
            return self._take(self.found[number]) if number < len(self.found) else None
        for number, box in enumerate(self.buttons):
            if box.contains(x, y):
                if number == 0:
                    return self._send()
                self._type(completion(self.typed, self.commands) if number == 1 else "")
        name = self.scene.named(x, y).strip() if self._world.contains(x, y) else ""
        if name:
            self._type(name)
            if len(self.found) == 1:
                return self._take(self.found[0])
        return None

    def _send(self) -> str | None:
        found = self.found
        if 0 <= self._chosen < len(found):
            return self._take(found[self._chosen])
        # What fits no command is sent as it is: the environment answers it.
        return ended(self.typed.strip(), self.commands) or None

    def _take(self, command: str) -> str | None:
        """Return a command to send; None if its free slot is to be filled first, and then its beginning stands in the field."""
        head, slot, _ = command.partition(FREE_SLOT)
        if not slot:
            return command
        self._type(head)
        self._chosen = -1
        return None

    @property
    def _rows(self) -> int:
        return self.listed.height // _ROW

    def _type(self, text: str) -> None:
        self.typed, self._first = text, 0
        self._chosen = 0 if text and self.found else -1

    def _choose(self, number: int) -> None:
        if self.found:
            self._chosen = max(0, min(number, len(self.found) - 1))
            self._first = min(max(self._first, self._chosen - self._rows + 1), self._chosen)

    def _scroll(self, rows: int) -> None:
        self._first = max(0, min(self._first + rows, len(self.found) - self._rows))

    def _draw_input(self) -> None:
        canvas, box = self.canvas, self._input
        canvas.rect(box, WHITE, radius=6)
        canvas.rect(box, DARK, radius=6, border=2)
        text = self.typed
        while measure(text, size=16)[0] > box.width - 24:
            text = text[1:]
        right = canvas.text(text, box.x + 10, box.y + 6, size=16).right
        canvas.line([(right + 1, box.y + 7), (right + 1, box.bottom - 8)], INK, 2)
        if not self.typed:
            canvas.text("type a command, or click", box.x + 18, box.y + 7, size=14, color=QUIET)
        for button, (label, key) in zip(self.buttons, _BUTTONS, strict=True):
            canvas.rect(button, CARD, radius=6)
            canvas.rect(button, EDGE, radius=6, border=1)
            canvas.text(label, button.center[0], button.y + 3, size=14, bold=True, align="center")
            canvas.text(key, button.center[0], button.y + 20, size=12, color=QUIET, align="center")

    def _draw_list(self) -> None:
        canvas, box, found = self.canvas, self.listed, self.found
        title = f"{len(found)} of {len(self.commands)} commands" if self.typed else f"{len(self.commands)} commands"
        canvas.text(title, box.x, box.y - 22, size=13, bold=True, color=QUIET)
        if not found:
            canvas.paragraph("no command fits; Enter sends it as it is", Box(box.x, box.y, box.width, 40), size=14, color=BAD)
        for row, command in enumerate(found[self._first : self._first + self._rows]):
            line = Box(box.x, box.y + row * _ROW, box.width, _ROW - 2)
            canvas.rect(line, CHOSEN if self._first + row == self._chosen else CARD, radius=4)
            canvas.text(fit(command, line.width - 20, size=14), line.x + 8, line.y + 2, size=14)
        if len(found) > self._rows:
            length = max(20, box.height * self._rows // len(found))
            top = box.y + (box.height - length) * self._first // (len(found) - self._rows)
            canvas.rect((box.right + 3, top, 5, length), QUIET, radius=2)
        where = "Click a command, or a place in the picture." if self.scene.is_picture else "Click a command, or type it."
        lines = (where, "Up and Down choose, the wheel scrolls.", "Close the window to stop.")
        for row, text in enumerate(lines):
            canvas.text(text, box.x, self.side.bottom - 62 + 18 * row, size=13, color=QUIET)


class Session:
    """A person at a layout in a window.

    Args:
        layout: what is seen.
        window: of its size.
    """

    def __init__(self, layout: PlayLayout, window: Window) -> None:
        self.layout, self.window = layout, window

    def ask(self, event: BeforeModel) -> str:
        """Wait for the person's command.

        Raises:
            StoppedError: the window was closed.
        """
        self.layout.offer(event.candidates, event.steps_left)
        while self.window.is_open:
            self._show()
            for happened in self.window.events():
                command = self.layout.handle(happened)
                if command is not None:
                    return command
            self.window.wait(_LOOK)
        raise StoppedError

    def take_in(self, entry: StepRecord) -> None:
        """Take an entry of the trace, and show its way."""
        self.layout.replay.add(entry)
        self.layout.scene.show(self.layout.replay.last)
        for _ in self.layout.scene.walk(_WALK):
            self._show()
            self.window.wait(_PACE)

    def finish(self, record: EpisodeRecord) -> None:
        """Show how it ended until the person closes the window; does nothing if that is closed."""
        self.layout.replay.close(record)
        assert self.layout.replay.end is not None
        self.layout.said = self.layout.replay.end.words
        while self.window.is_open:
            self._show()
            for event in self.window.events():
                if event.kind == "key" and event.key in ("return", "escape"):
                    self.window.close()
            self.window.wait(_LOOK)

    def _show(self) -> None:
        self.window.show(self.layout.draw())
