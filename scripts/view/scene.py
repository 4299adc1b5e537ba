"""What is shown of the world of an episode: the environment's own picture, or where it has none what was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from homebody.envs.canvas import INK, Canvas, line_height, wrap
from homebody.envs.text_env import Picture, TextTaskEnv
from homebody.scripts.view.replay import Moment, Replay
from homebody.scripts.view.theme import BAD, CARD, GOOD, QUIET


class Scene(Protocol):
    """The view of one replay's world."""

    is_picture: bool
    """Whether things have their places in it, rather than being told of."""

    def draw(self, canvas: Canvas) -> None:
        """Draw the moment that was shown last, over the whole canvas."""
        ...

    def show(self, at: int) -> None:
        """Turn to a moment."""
        ...

    def walk(self, n_frames: int) -> Iterator[None]:
        """Go from the moment before to the one that was shown last: draw after each part."""
        ...

    def named(self, x: int, y: int) -> str:
        """Return the name of what is drawn at a pixel; empty where there is nothing with a name."""
        ...


def scene_of(replay: Replay, size: tuple[int, int]) -> Scene:
    """Return the view of a replay: a picture where there is one and it has the room, else text.

    Args:
        replay: what is to be seen.
        size: width and height in pixels.
    """
    env = replay.env.unwrapped
    if not isinstance(env, TextTaskEnv):
        return TextScene(replay)
    width, height = env.least_picture()
    return PictureScene(replay, env.picture(size), size) if size[0] >= width and size[1] >= height else TextScene(replay)


class PictureScene:
    """The picture of the environment, drawn from the views of the replay."""

    is_picture = True

    def __init__(self, replay: Replay, picture: Picture, size: tuple[int, int]) -> None:
        self._replay, self._picture = replay, picture
        self._unseen = Canvas(*size)
        self._at = -1

    def show(self, at: int) -> None:
        """Turn to a moment: the picture must be told of all before it, since it shows what the agent has seen."""
        if at < self._at:
            self._picture.forget()
            self._at = -1
        for number in range(self._at + 1, at + 1):
            if number == at:
                # A way is drawn over the picture of the moment before, which nobody may have looked at.
                self._picture.draw(self._unseen)
            self._tell(self._replay.moments[number])
        self._at = at

    def walk(self, n_frames: int) -> Iterator[None]:
        """Go from the view before."""
        return self._picture.walk(n_frames)

    def draw(self, canvas: Canvas) -> None:
        """Draw the picture."""
        self._picture.draw(canvas)

    def named(self, x: int, y: int) -> str:
        """Return the name of what has its place there."""
        return self._picture.at(x, y)

    def _tell(self, moment: Moment) -> None:
        entry = moment.entry
        if entry is None:
            self._picture.see(moment.view)
        else:
            step = entry.step - 1 if entry.tool else entry.step
            self._picture.see(moment.view, entry.command, moment.observation, step, won=moment.won)


class TextScene:
    """What was said, the last of it at the bottom."""

    is_picture = False

    def __init__(self, replay: Replay) -> None:
        self._replay, self._at = replay, 0

    def show(self, at: int) -> None:
        """Turn to a moment."""
        self._at = at

    def walk(self, n_frames: int) -> Iterator[None]:
        """Show it at once."""
        yield

    def draw(self, canvas: Canvas) -> None:
        """Draw the goal, and below it as many of the last steps as there is room for."""
        pad, size, step = 14, 15, line_height(15)
        width = canvas.width - 2 * pad
        canvas.rect(canvas.box, CARD)
        top = pad
        for line in wrap(self._replay.goal, width, size=17, bold=True)[:3]:
            top = canvas.text(line, pad, top, size=17, bold=True).bottom + 2
        canvas.line([(pad, top + 6), (canvas.width - pad, top + 6)], QUIET)
        top += 14
        lines: list[tuple[str, bool, tuple[int, int, int]]] = []
        for moment in self._replay.moments[: self._at + 1]:
            if moment.entry is not None:
                mark = "not possible: " if moment.is_refused else ""
                color = BAD if moment.is_refused else GOOD
                lines += [("", False, INK)] + [
                    (line, True, color) for line in wrap(f"> {mark}{moment.entry.command or '(nothing)'}", width, size=size, bold=True)
                ]
            lines += [(line, False, INK) for line in wrap(moment.observation, width, size=size)]
        most = max(1, (canvas.height - pad - top) // step)
        for number, (text, bold, color) in enumerate(lines[-most:]):
            canvas.text(text, pad, top + number * step, size=size, bold=bold, color=color)

    def named(self, x: int, y: int) -> str:
        """Nothing has a place."""
        return ""
