"""The engine of `homebody.agents.models.chat_template`: renders chat templates with Jinja, in a worker process of `process`.

A template is a program from a model file or a server. It runs in Jinja's sandbox, in which it may change
its own lists. It finds what the renderers of Hugging Face and llama.cpp offer: `raise_exception`,
`strftime_now`, `tojson` without HTML escapes, `break` and `continue`, and the tag `generation`, whose body
is rendered as it stands.
"""

from __future__ import annotations

import datetime
import json
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

TODAY = datetime.datetime(2024, 7, 26, tzinfo=datetime.UTC)
"""What a template is told that asks for the date, on every day: the one that Llama's templates have where nobody tells them another."""
KNOWN = 8
"""Compiled templates that are kept."""

_sources: dict[str, str] = {}


class _Generation(Extension):
    """The tag that marks what a model is trained to say."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja has it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return the body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Render a template.

    Args:
        request: `id` of the template, its `source` unless it was sent before, `context`, and `max_chars`.

    Returns:
        `text`; or `unknown` where the source is not known; or what went wrong: `kind` and `message`.
    """
    name = request["id"]
    if "source" in request:
        if len(_sources) >= KNOWN:
            _sources.clear()
        _sources[name] = request["source"]
    if name not in _sources:
        return {"unknown": name}
    try:
        text = _compile(_sources[name]).render(request["context"])
    except Exception as error:  # a program may raise anything
        return {"kind": type(error).__name__, "message": str(error)}
    if len(text) > request["max_chars"]:
        return {"kind": "TooLarge", "message": f"the text is longer than {request['max_chars']} characters"}
    return {"text": text}


@lru_cache(maxsize=KNOWN)
def _compile(source: str) -> Template:
    environment = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation])
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": TODAY.strftime}
    return environment.from_string(source)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, default=list)


def _refuse(problem: str) -> NoReturn:
    raise TemplateError(problem)
