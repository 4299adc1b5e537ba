"""Options of the commands that show an episode. Loads nothing heavy: `--help` needs them."""

from __future__ import annotations

import re
from typing import Any

import click

from homebody.scripts.options import PATH


class Size(click.ParamType[tuple[int, int]]):
    """A width and a height in pixels, written 960x720."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(value))
        if found is None:
            self.fail(f"{value!r} is no size; give width and height in pixels, as 960x720", param, ctx)
        return int(found[1]), int(found[2])


size = click.option("--size", type=Size(), metavar="WxH", help="Of the picture in pixels.  [default: 960x720, two episodes 1280x900]")
record = click.option("--record", type=PATH, metavar="FILE", help="Write a recording: FILE.gif, FILE.mp4, or FILE.png (the end).")
