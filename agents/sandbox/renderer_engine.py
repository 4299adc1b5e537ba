"""The engine of `renderer`: renders prompt templates with minijinja, in a worker process of `process`. The only importer of minijinja.

It has a process of its own because minijinja bounds the steps of a template, but neither what `~`, `replace` or `indent` grow nor the
depth of an expression: some templates end it by a failed allocation or a stack overflow (assets/attacks/template.toml has them).

A template may call what reads a list or an object, and no other method of Python's: one that changes them would pass for a filter, and a
method that is printed would put an address of this process into the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from typing import Any

import minijinja

FUNCTIONS = frozenset({"dict", "namespace", "range"})
"""What a template may call."""
_PLACE = re.compile(r" \(in <string>:\d+\).*", re.DOTALL)
"""The place and the drawing that minijinja adds to a message."""


class _Method:
    """A method of a list or an object, which prints as its name."""

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self._name, self._call = name, call

    def __call__(self, *arguments: Any) -> Any:
        return _sealed(self._call(*arguments))

    def __repr__(self) -> str:
        return f"<method {self._name}>"


class _Sealed:
    """What a list and an object have in common: all public attributes hidden but some methods."""

    _methods: frozenset[str]

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):  # minijinja refuses these to a template
            return super().__getattribute__(name)
        if name not in self._methods:
            raise AttributeError(f"there is no {name!r} here; there are {', '.join(sorted(self._methods))}")
        return _Method(name, super().__getattribute__(name))


class _List(_Sealed, list[Any]):
    _methods = frozenset({"count", "index"})


class _Object(_Sealed, dict[str, Any]):
    _methods = frozenset({"get", "items", "keys", "values"})


def _sealed(value: Any) -> Any:
    if isinstance(value, dict):
        return _Object({key: _sealed(item) for key, item in dict.items(value)})
    if isinstance(value, list | tuple | ItemsView | KeysView | ValuesView):
        return _List([_sealed(item) for item in value])
    return value


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Render, or list the unknown names.

    Args:
        request: `template`, `fuel`, `max_chars`, and either `context` (to render) or `allowed`, a list of names (to check).

    Returns:
        `text`, or `unknown`, a sorted list; or what went wrong: `kind`, `message`, `line`.
    """
    environment = minijinja.Environment(
        fuel=request["fuel"],
        undefined_behavior="strict",
        auto_escape_callback=lambda name: False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        pycompat=False,
        debug=False,
    )
    environment.remove_global("debug")
    try:
        if "allowed" in request:
            names = environment.undeclared_variables_in_str(request["template"])
            return {"unknown": sorted(names - set(request["allowed"]) - FUNCTIONS)}
        text = environment.render_str(request["template"], **{name: _sealed(value) for name, value in request["context"].items()})
    except Exception as error:  # minijinja hands on what the methods of lists and dicts raise
        message = _PLACE.sub("", str(error)).strip()
        return {"kind": getattr(error, "kind", type(error).__name__), "message": message, "line": getattr(error, "line", None)}
    if len(text) > request["max_chars"]:
        return {"kind": "TooLarge", "message": f"the text is longer than {request['max_chars']} characters", "line": None}
    return {"text": text}
