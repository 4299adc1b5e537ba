"""What the things of the shop look like: `assets/webshop/pictures.toml`, as shapes for whoever draws, and as SVG.

Knows which drawing and which colour a product gets. The files of a catalogue may name photographs; nothing here opens those.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from homebody.envs.webshop.catalogue.catalogue import Product

Color = tuple[int, int, int]
FIELD: Final = 100
"""Width and height of the field that shapes are drawn on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One figure of a drawing."""

    kind: str
    """`rect`: x, y, width, height, corner. `disc`: x, y, radius. `oval`: x, y, width, height. `poly`: points. `line`: width, points."""
    color: str
    """`main`, `shade` or `light`, or a key of the palette."""
    numbers: tuple[float, ...]


def look(product: Product, options: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of a product's drawing, and the name of its colour.

    Args:
        product: The product.
        options: Values chosen, by group; what is not chosen looks like the first value on offer.
    """
    table = _table()
    usual, color = table["departments"].get(product.category, table["departments"][""])
    words = f"{product.name} {product.query}".lower().replace(",", " ").split()
    found = [table["words"][word] for word in words if word in table["words"]]
    drawing = _drawings().get(product.query) or (found[-1] if found else usual)
    for group, values in product.options.items():
        names = [name for name in table["colors"] if name in (options.get(group) or " ".join(values[:1]))]
        if names:
            color = max(names, key=len)
            break
    return drawing, color


@cache
def shapes(name: str) -> tuple[Shape, ...]:
    """Return a drawing, back to front. The name is one that `look` returned."""
    return tuple(_shape(line) for line in _table()["pictures"][name])


def is_known(drawing: str, color: str) -> bool:
    """Tell whether there is a drawing and a colour of these names."""
    table = _table()
    return drawing in table["pictures"] and color in table["colors"]


def rgb(name: str, color: str) -> Color:
    """Return a colour of a shape: red, green, blue, 0 to 255.

    Args:
        name: As in `Shape.color`.
        color: The name of the product's colour.
    """
    table = _table()
    main = _read(table["colors"][color])
    if name == "main":
        return main
    if name == "shade":
        return _mix(main, (0, 0, 0), 0.24)
    if name == "light":
        return _mix(main, (255, 255, 255), 0.4)
    return _read(table["palette"][name])


@lru_cache(maxsize=2048)
def svg(drawing: str, color: str) -> str:
    """Return a drawing as a picture file: no script, no text, nothing to fetch."""
    body = "".join(_element(shape, "#{:02x}{:02x}{:02x}".format(*rgb(shape.color, color))) for shape in shapes(drawing))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FIELD} {FIELD}">{body}</svg>'


def _element(shape: Shape, fill: str) -> str:
    n = [f"{number:g}" for number in shape.numbers]
    if shape.kind == "rect":
        return f'<rect x="{n[0]}" y="{n[1]}" width="{n[2]}" height="{n[3]}" rx="{n[4]}" fill="{fill}"/>'
    if shape.kind == "disc":
        return f'<circle cx="{n[0]}" cy="{n[1]}" r="{n[2]}" fill="{fill}"/>'
    if shape.kind == "oval":
        x, y, width, height = shape.numbers
        return f'<ellipse cx="{x + width / 2:g}" cy="{y + height / 2:g}" rx="{width / 2:g}" ry="{height / 2:g}" fill="{fill}"/>'
    if shape.kind == "poly":
        return f'<polygon points="{" ".join(n)}" fill="{fill}"/>'
    return f'<polyline points="{" ".join(n[1:])}" fill="none" stroke="{fill}" stroke-width="{n[0]}" stroke-linecap="round"/>'


def _shape(line: str) -> Shape:
    kind, *rest = line.split()
    color = rest.pop({"poly": 0, "line": 1}.get(kind, -1))
    return Shape(kind, color, tuple(map(float, rest)))


def _read(text: str) -> Color:
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _mix(one: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((resources.files("homebody.assets") / "webshop" / "pictures.toml").read_text("utf-8"))


@cache
def _drawings() -> dict[str, str]:
    """Return the drawings of the kinds of product that the built-in catalogue has."""
    from homebody.envs.webshop.catalogue.vocabulary import vocabulary

    return {kind.query: kind.picture for kind in vocabulary().kinds}
