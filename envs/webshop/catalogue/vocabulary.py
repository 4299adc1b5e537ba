"""The tables in `assets/webshop/vocabulary.toml`: what the shop without files sells, and in which words.

Knows words only; makes no products.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that is true of some products and not of others."""

    name: str
    """As an instruction says it: `water resistant`."""
    use: str
    """Where an instruction has it: `plain` before the thing, or `with` or `for` after it."""
    sentence: str
    """What a page says of it; holds the name, in any case."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of product."""

    name: str
    query: str
    """What shoppers look for, lower-case."""
    department: str
    path: str
    """Departments from the root, joined by ` \u203a `, as upstream writes a path."""
    prices: tuple[float, float]
    """Lowest and highest, in dollars."""
    picture: str
    """A key of `assets/webshop/pictures.toml`."""
    options: tuple[tuple[str, tuple[str, ...]], ...]
    """Groups as a page calls them, each with all its values in their order."""
    names: tuple[str, ...]
    """Its own name first, and what else it is called."""
    materials: tuple[str, ...]
    own: tuple[Attribute, ...]
    """Attributes of this type."""
    shared: tuple[Attribute, ...]
    """Attributes of its whole department that make sense here, without its own."""
    about: str
    suits: tuple[str, ...]
    """For whom or what it is, as `students`."""
    service: tuple[str, ...]
    """Sentences that are true of everything in the department."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All tables."""

    brands: tuple[str, ...]
    kinds: tuple[Kind, ...]
    attributes: Mapping[str, Attribute]


@cache
def vocabulary() -> Vocabulary:
    """Return the tables, read once."""
    text = (resources.files("homebody.assets") / "webshop" / "vocabulary.toml").read_text("utf-8")
    table = tomllib.loads(text)
    attributes = {name: Attribute(name, *value) for name, value in table["attributes"].items()}
    brands = tuple(first + last for first in table["brands"]["first"] for last in table["brands"]["last"])
    return Vocabulary(brands, tuple(_kind(table, attributes, name) for name in table["types"]), attributes)


def _kind(table: Mapping[str, Any], attributes: Mapping[str, Attribute], name: str) -> Kind:
    of = table["types"][name]
    department = table["departments"][of["department"]]
    own = of["attributes"]
    return Kind(
        name=name,
        query=of["query"],
        department=of["department"],
        path=" \u203a ".join([department["root"], *of["path"]]),
        prices=(float(of["price"][0]), float(of["price"][1])),
        picture=of["picture"],
        options=tuple((table["groups"].get(key, key), tuple(table["options"][key])) for key in of["options"]),
        names=(name, *of["names"]),
        materials=tuple(of["materials"]),
        own=tuple(attributes[key] for key in own),
        shared=tuple(attributes[key] for key in department["attributes"] if key not in own and key not in of["lacks"]),
        about=of["about"],
        suits=tuple(department["for"]),
        service=tuple(department["service"]),
    )
