"""The layout: one episode, or two beside each other, each as its world, its inspector and its line of steps, on one canvas.

Knows where things go; what is drawn there is the business of `scene` and `mind`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from homebody.agents.record import StepRecord
from homebody.envs.canvas import Box, Canvas, check_size, fit, measure
from homebody.envs.household.picture import LEAST_SIZE as LEAST_HOUSE
from homebody.scripts.view.inspector import draw_inspector, draw_title
from homebody.scripts.view.mark import draw_here, draw_mark
from homebody.scripts.view.replay import Moment, Replay
from homebody.scripts.view.scene import Scene, scene_of
from homebody.scripts.view.theme import CARD, EDGE, QUIET

LEAST: Final = (640, 480)
LEAST_TWO: Final = (960, 600)
"""Smallest width and height of a layout, in pixels, with one episode and with two."""
ONE: Final = (960, 720)
TWO: Final = (1280, 900)
"""Usual sizes, with one episode and with two."""
BUTTONS: Final = 52
"""Height of the row of buttons."""
_TITLE: Final = 40
_ROW: Final = 20
_LEAST_MIND: Final = 190


@dataclass(frozen=True)
class _Place:
    """Where the parts of one episode go."""

    title: Box
    scene: Box
    inspector: Box


class Layout:
    """Episodes on a canvas.

    Args:
        replays: one or two.
        size: width and height in pixels, at least `LEAST`, with two episodes `LEAST_TWO`.
        has_buttons: whether room is left at the bottom for a row of buttons.

    Raises:
        CanvasSizeError: the size is not possible.
        PygameMissingError: pygame is not installed.
    """

    def __init__(self, replays: Sequence[Replay], size: tuple[int, int], *, has_buttons: bool = False) -> None:
        width, height = check_size(size, LEAST if len(replays) == 1 else LEAST_TWO)
        self.replays = replays
        self.canvas = Canvas(width, height)
        bottom = height - (BUTTONS if has_buttons else 0)
        self.buttons = Box(0, bottom, width, height - bottom)
        self.timeline = Box(0, bottom - 8 - _ROW * len(replays), width, 8 + _ROW * len(replays))
        usual = ONE if len(replays) == 1 else TWO
        self._scale = max(1.0, min(width / usual[0], height / usual[1]))
        title = round(_TITLE * self._scale)
        room = width, self.timeline.y
        self._places = _beside(*room, title) if len(replays) == 2 else [_alone(*room, title)]
        self.scenes: list[Scene] = [
            scene_of(replay, (place.scene.width, place.scene.height)) for replay, place in zip(replays, self._places, strict=True)
        ]
        self.at = 0
        self.show(0)

    @property
    def last(self) -> int:
        """The number of the last moment of the longer episode."""
        return max(replay.last for replay in self.replays)

    @property
    def is_asked(self) -> bool:
        """Whether the model was asked for the command of the present moment: there is more to read, and it stands longer."""
        entries = [replay.moments[self.at].entry for replay in self.replays if self.at <= replay.last]
        return any(entry is not None and entry.questions for entry in entries)

    def show(self, at: int) -> None:
        """Turn to a moment; an episode that is over by then stays at its end."""
        self.at = max(0, min(at, self.last))
        for replay, scene in zip(self.replays, self.scenes, strict=True):
            scene.show(min(self.at, replay.last))

    def walk(self, n_frames: int) -> Iterator[None]:
        """Go from the moment before to the present one: draw after each part. An episode that is over does not move."""
        walks = [scene.walk(n_frames) for replay, scene in zip(self.replays, self.scenes, strict=True) if self.at <= replay.last]
        for _ in zip_longest(*walks):
            yield

    def draw(self) -> Canvas:
        """Draw everything but the buttons, and return the canvas; the next call draws on the same one."""
        for replay, scene, place in zip(self.replays, self.scenes, self._places, strict=True):
            scene.draw(self.canvas.part(place.scene))
            draw_title(self.canvas.part(place.title), replay, self.at, self._scale)
            draw_inspector(self.canvas.part(place.inspector), replay, self.at, self._scale)
        self._draw_lines()
        self._draw_timeline()
        return self.canvas

    def moment_at(self, x: int, y: int) -> int | None:
        """Return the moment whose mark in the line of steps is nearest to a pixel; None if that is not in the line."""
        if not self.timeline.contains(x, y) or not self._track.inset(-12, -40).contains(x, y):
            return None
        share = (x - self._track.x) / self._track.width
        return max(0, min(self.last, round(share * max(1, self.last))))

    @property
    def _track(self) -> Box:
        left = 164 if len(self.replays) == 2 else 24
        return Box(left, self.timeline.y, self.timeline.width - left - 220, self.timeline.height)

    def _draw_lines(self) -> None:
        for place in self._places:
            if place.scene.x != place.inspector.x:
                self.canvas.line([(place.inspector.x, 0), (place.inspector.x, self.timeline.y)], EDGE)
            else:
                self.canvas.line([(place.inspector.x, place.inspector.y), (place.inspector.right, place.inspector.y)], EDGE)
            self.canvas.line([(place.title.x, place.title.bottom), (place.title.right, place.title.bottom)], EDGE)
        if len(self._places) == 2:
            x = self._places[1].title.x
            self.canvas.line([(x, 0), (x, self.timeline.y)], QUIET, 2)

    def _draw_timeline(self) -> None:
        self.canvas.rect(self.timeline, CARD)
        self.canvas.line([(0, self.timeline.y), (self.timeline.width, self.timeline.y)], EDGE)
        track = self._track
        for row, replay in enumerate(self.replays):
            y = track.y + 4 + row * _ROW + _ROW // 2
            if len(self.replays) == 2:
                self.canvas.text(fit(replay.title, track.x - 34, size=13), 12, y - 8, size=13)
            xs = [track.x + track.width * number / max(1, self.last) for number in range(replay.last + 1)]
            if len(xs) > 1:
                self.canvas.line([(xs[0], y), (xs[-1], y)], EDGE, 2)
            for number, (x, moment) in enumerate(zip(xs, replay.moments, strict=True)):
                if number == min(self.at, replay.last):
                    draw_here(self.canvas, x, y)
                draw_mark(self.canvas, x, y, moment)
        x, y = float(self.timeline.right - 12), track.y + 4 + _ROW // 2
        for words, moment in _LEGEND:
            x -= measure(words, size=12)[0]
            self.canvas.text(words, x, y - 7, size=12, color=QUIET)
            x -= 10
            draw_mark(self.canvas, x, y, moment)
            x -= 14


_STEP: Final = StepRecord(1, 1, 1, "rank", "", "", accepted=True, observation="", reward=0.0, usable=True)
_LEGEND: Final = (
    ("adapted", Moment("", replace(_STEP, adapted={}))),
    ("refused", Moment("", replace(_STEP, accepted=False))),
    ("won", Moment("", _STEP, won=True)),
)


def _alone(width: int, height: int, title: int) -> _Place:
    inspector = max(width // 3, 320)
    x = width - inspector
    return _Place(Box(x, 0, inspector, title), Box(0, 0, x, height), Box(x, title + 1, inspector, height - title - 1))


def _beside(width: int, height: int, title: int) -> list[_Place]:
    half, room = width // 2, height - title - 1
    # A house gets two thirds, or what it needs, while the inspector keeps what that needs; text can do with half.
    has_house = half >= LEAST_HOUSE[0] and room - LEAST_HOUSE[1] >= _LEAST_MIND
    scene = min(max(round(0.64 * room), LEAST_HOUSE[1]), room - _LEAST_MIND) if has_house else room // 2
    top = title + 1
    return [_Place(Box(x, 0, half, title), Box(x, top, half, scene), Box(x, top + scene, half, room - scene)) for x in (0, half)]
