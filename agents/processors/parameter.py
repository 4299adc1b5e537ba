"""JSON Schemas of parameters: what a processor says of each of its own, in the `schema` of its class.

A parameter without a default has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rule = dict[str, Any]
"""The JSON Schema of one parameter, with its `default` and a `description`."""


def integer(description: str, *, default: int, least: int, most: int) -> Rule:
    """Return the schema of a whole number, `least` to `most`."""
    return {"type": "integer", "minimum": least, "maximum": most, "default": default, "description": description}


def number(description: str, *, default: float, least: float, most: float) -> Rule:
    """Return the schema of a number, `least` to `most`."""
    return {"type": "number", "minimum": least, "maximum": most, "default": default, "description": description}


def boolean(description: str, *, default: bool = False) -> Rule:
    """Return the schema of a switch."""
    return {"type": "boolean", "default": default, "description": description}


def one_of(values: Sequence[str], description: str, *, default: str) -> Rule:
    """Return the schema of a word, one of `values`."""
    return {"enum": list(values), "default": default, "description": description}


def string(description: str, *, default: str | None = None, pattern: str = "", least: int = 0, most: int = 0) -> Rule:
    """Return the schema of a text: of `least` to `most` characters where these are given, in which `pattern` occurs."""
    limits = {"pattern": pattern, "minLength": least, "maxLength": most}
    rule = {"type": "string", **{name: limit for name, limit in limits.items() if limit}}
    return rule | ({} if default is None else {"default": default}) | {"description": description}


def array(items: Mapping[str, Any], description: str, *, default: Sequence[Any] = (), most: int = 0) -> Rule:
    """Return the schema of a list whose items have a schema, at most `most` of them where that is given."""
    limit = {"maxItems": most} if most else {}
    return {"type": "array", "items": dict(items), **limit, "default": list(default), "description": description}


def mapping(values: Mapping[str, Any], description: str, *, default: Mapping[str, Any] | None = None) -> Rule:
    """Return the schema of values by name, each of which has a schema."""
    return {"type": "object", "additionalProperties": dict(values), "default": dict(default or {}), "description": description}
