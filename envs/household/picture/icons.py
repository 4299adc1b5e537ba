"""What furniture, things and their states look like: `assets/household/pictures.toml`, drawn smooth at any size, and kept.

Knows the shapes of that file, and nothing of houses and plans. A type without a drawing of its own gets a plain one.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from homebody.envs.canvas import Box, Canvas, Color

_FINE: Final = 4
"""How many times larger a drawing is made than it is shown, so that its edges are smooth."""
_FURNITURE: Final = 100
_OBJECT: Final = 24
"""Sides of the fields on which the file draws."""


@functools.lru_cache(maxsize=1024)
def furniture(type_: str, closed: bool, width: int, height: int) -> Canvas:
    """Return a piece of furniture as a transparent canvas; it stands at the bottom, in the middle.

    Args:
        type_: Class name, as `Fridge`.
        closed: Whether its door is shut.
        width: In pixels.
        height: In pixels.
    """
    entry = _furniture(type_)
    body = _body(entry, width, height)
    return _drawn(entry["closed"] if closed and "closed" in entry else entry["shapes"], body, width, height, _FURNITURE)


def items_box(type_: str, width: int, height: int) -> Box:
    """Return where on such a canvas the things on or in the piece are shown."""
    entry = _furniture(type_)
    body = _body(entry, width, height)
    x, y, w, h = (value / _FURNITURE for value in entry["items"])
    return Box(body.x + round(x * body.width), body.y + round(y * body.height), round(w * body.width), round(h * body.height))


@functools.lru_cache(maxsize=1024)
def icon(type_: str, size: int) -> Canvas:
    """Return a thing as a transparent square canvas of `size` pixels."""
    shapes = _book()["object"]
    return _drawn(shapes.get(type_, shapes["other"]), Box(0, 0, size, size), size, size, _OBJECT)


@functools.lru_cache(maxsize=64)
def mark(name: str, size: int) -> Canvas:
    """Return the mark of a state (`clean`, `hot`, `cool`, `sliced`, `on`) as a transparent square canvas of `size` pixels."""
    return _drawn(_book()["mark"][name], Box(0, 0, size, size), size, size, _OBJECT)


def drawn_types() -> tuple[frozenset[str], frozenset[str]]:
    """Return the types of furniture and of things that have a drawing of their own."""
    return frozenset(_book()["furniture"]) - {"other"}, frozenset(_book()["object"]) - {"other"}


@functools.cache
def _book() -> dict[str, Any]:
    return tomllib.loads((resources.files("homebody.assets") / "household" / "pictures.toml").read_text(encoding="utf-8"))


def _furniture(type_: str) -> dict[str, Any]:
    pieces: dict[str, dict[str, Any]] = _book()["furniture"]
    return pieces.get(type_, pieces["other"])


def _body(entry: dict[str, Any], width: int, height: int) -> Box:
    """Return the part of a slot that a piece fills: no wider than its shape allows."""
    inner = min(width, round(height * entry.get("aspect", 4.0)))
    return Box((width - inner) // 2, 0, inner, height)


def _drawn(shapes: Sequence[str], body: Box, width: int, height: int, field: int) -> Canvas:
    canvas = Canvas(width * _FINE, height * _FINE, None)
    pen = _Pen(canvas, Box(*(side * _FINE for side in body)), field)
    for shape in shapes:
        kind, *words = shape.split()
        getattr(pen, kind)(*words)
    return canvas.scaled(width, height)


class _Pen:
    """Draws the shapes of the file; its methods bear their names and take their words."""

    def __init__(self, canvas: Canvas, body: Box, field: int) -> None:
        self._canvas = canvas
        self._left, self._top = body.x, body.y
        self._dx, self._dy = body.width / field, body.height / field
        # What is round or has a thickness keeps its shape where the field is stretched.
        self._unit = min(self._dx, self._dy)

    def rect(self, x: str, y: str, width: str, height: str, radius: str, color: str) -> None:
        self._canvas.rect(self._box(x, y, width, height), _color(color), radius=round(float(radius) * self._unit))

    def oval(self, x: str, y: str, width: str, height: str, color: str) -> None:
        self._canvas.ellipse(self._box(x, y, width, height), _color(color))

    def disc(self, x: str, y: str, radius: str, color: str) -> None:
        self._canvas.circle(self._point(x, y), float(radius) * self._unit, _color(color))

    def ring(self, x: str, y: str, radius: str, width: str, color: str) -> None:
        self._canvas.circle(self._point(x, y), float(radius) * self._unit, _color(color), border=self._thick(width))

    def poly(self, color: str, *numbers: str) -> None:
        self._canvas.polygon(self._points(numbers), _color(color))

    def line(self, width: str, color: str, *numbers: str) -> None:
        points = self._points(numbers)
        self._canvas.line(points, _color(color), self._thick(width))
        for point in points:  # round ends and corners
            self._canvas.circle(point, self._thick(width) / 2, _color(color))

    def _thick(self, width: str) -> int:
        return max(1, round(float(width) * self._unit))

    def _box(self, x: str, y: str, width: str, height: str) -> tuple[float, float, float, float]:
        return *self._point(x, y), float(width) * self._dx, float(height) * self._dy

    def _point(self, x: str, y: str) -> tuple[float, float]:
        return self._left + float(x) * self._dx, self._top + float(y) * self._dy

    def _points(self, numbers: Sequence[str]) -> list[tuple[float, float]]:
        return [self._point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


@functools.cache
def _color(name: str) -> Color:
    code = _book()["palette"][name]
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
