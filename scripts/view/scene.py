"""What is shown of the world of an episode: the house or the shop as a picture, and of any other environment what was said.

Knows these two pictures, and of other environments nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from homebody.envs.canvas import INK, Canvas, line_height, wrap
from homebody.envs.household.env import HouseholdEnv
from homebody.envs.household.picture import LEAST_SIZE, HousePicture
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.pages.pages import Page
from homebody.envs.webshop.picture.picture import LEAST_SIZE as LEAST_SHOP
from homebody.envs.webshop.picture.picture import ShopPicture
from homebody.scripts.view.look import BAD, CARD, GOOD, QUIET
from homebody.scripts.view.reel import Moment, Reel


class Scene(Protocol):
    """The view of one reel's world."""

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


def scene_of(reel: Reel, size: tuple[int, int]) -> Scene:
    """Return the view of a reel: a picture where there is one and it has the room, else text.

    Args:
        reel: what is to be seen.
        size: width and height in pixels.
    """
    env = reel.env.unwrapped
    if isinstance(env, HouseholdEnv) and size[0] >= LEAST_SIZE[0] and size[1] >= LEAST_SIZE[1]:
        return HouseScene(reel, HousePicture(env.play.game, size))
    if isinstance(env, WebShopEnv) and size[0] >= LEAST_SHOP[0] and size[1] >= LEAST_SHOP[1]:
        return ShopScene(reel, ShopPicture(size))
    return TextScene(reel)


class HouseScene:
    """The house, drawn from the states of the reel."""

    is_picture = True

    def __init__(self, reel: Reel, picture: HousePicture) -> None:
        self._reel, self._picture = reel, picture
        self._unseen = Canvas(*picture.size)
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
            self._tell(self._reel.moments[number])
        self._at = at

    def walk(self, n_frames: int) -> Iterator[None]:
        """Let the agent walk."""
        return self._picture.walk(n_frames)

    def draw(self, canvas: Canvas) -> None:
        """Draw the house."""
        self._picture.draw(canvas)

    def named(self, x: int, y: int) -> str:
        """Return the name of a receptacle."""
        return self._picture.at(x, y)

    def _tell(self, moment: Moment) -> None:
        entry, state = moment.entry, moment.state
        if not isinstance(state, np.ndarray):
            return
        if entry is None:
            self._picture.see(state)
        else:
            step = entry.step - 1 if entry.tool else entry.step
            self._picture.see(state, entry.command, moment.observation, step, won=moment.won)


class ShopScene:
    """The shop, drawn from the pages of the reel. What can be clicked is named by its command."""

    is_picture = True

    def __init__(self, reel: Reel, picture: ShopPicture) -> None:
        self._reel, self._picture = reel, picture
        self._at = 0

    def show(self, at: int) -> None:
        """Turn to a moment."""
        self._at = at

    def walk(self, n_frames: int) -> Iterator[None]:
        """Show it at once."""
        yield

    def draw(self, canvas: Canvas) -> None:
        """Draw the page."""
        moment = self._reel.moments[self._at]
        if isinstance(moment.state, Page):
            self._picture.draw(canvas, moment.state, self._reel.goal, moment.entry.command if moment.entry is not None else "")

    def named(self, x: int, y: int) -> str:
        """Return the command of what can be clicked there."""
        return self._picture.at(x, y)


class TextScene:
    """What was said, the last of it at the bottom."""

    is_picture = False

    def __init__(self, reel: Reel) -> None:
        self._reel, self._at = reel, 0

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
        for line in wrap(self._reel.goal, width, size=17, bold=True)[:3]:
            top = canvas.text(line, pad, top, size=17, bold=True).bottom + 2
        canvas.line([(pad, top + 6), (canvas.width - pad, top + 6)], QUIET)
        top += 14
        lines: list[tuple[str, bool, tuple[int, int, int]]] = []
        for moment in self._reel.moments[: self._at + 1]:
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
