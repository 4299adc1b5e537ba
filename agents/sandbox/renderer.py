"""Prompt templates (Jinja syntax, by minijinja), rendered in a worker process over JSON copies of what they may see.

A template sees its context and nothing else: no loader, so no include or import; no environment variables; names that it does not know are
errors; of a list's methods there are `count` and `index`, of an object's `get`, `items`, `keys` and `values`. It has a budget of steps, of
time, of memory and of characters. What runs out of one of them, or brings its worker down, is a `PromptTemplateError`, and the next
template gets a new worker. Equal template and context give an equal text; only the budgets of time and memory depend on the machine, and
the error is then the same whichever ran out.

"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.sandbox.process import DoesNotStartError, Worker
from homebody.envs.interpreter import one_line

FUEL = 20_000
"""Steps of a template; a pass through a loop takes a few."""
MAX_CHARS = 64 << 10
"""Length of the text."""
SECONDS = 0.25
MEMORY_BYTES = 512 << 20
"""Address space of the worker, Python included."""

_worker = Worker(Path(__file__).with_name("renderer_engine.py"), SECONDS, MEMORY_BYTES)
_OVER = f"it takes longer than {SECONDS * 1000:g} ms or more than {MEMORY_BYTES >> 20} MiB, or nests too deep"


class PromptTemplateError(AgentError):
    """A template that does not compile or render.

    Attributes:
        kind: minijinja's name (`UndefinedError`, `SyntaxError`, `OutOfFuel`, ...), `TooLarge` for a text over `MAX_CHARS`, `NotJson` for a
            context that JSON does not have, `Stopped` for a worker that ran out of time or memory or died.
    """

    def __init__(self, kind: str, message: str, line: int | None = None) -> None:
        where = "" if line is None else f" in line {line}"
        super().__init__(f"template: {kind}{where}: {one_line(message)}")
        self.kind = kind


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return the text of a template.

    Args:
        template: Jinja source.
        context: the variables: JSON-ready data, tuples as lists.

    Raises:
        PromptTemplateError: it does not compile, names something unknown, or is over a limit.
    """
    return str(_ask({"template": template, "context": dict(context)})["text"])


def check(template: str, allowed: Iterable[str]) -> list[str]:
    """Return what is wrong with a template before it meets a context: that it does not compile, or each unknown variable.

    Args:
        template: Jinja source.
        allowed: the variables that it may use.
    """
    known = sorted(allowed)
    try:
        unknown = _ask({"template": template, "allowed": known})["unknown"]
    except PromptTemplateError as error:
        return [str(error)]
    return [f"template: there is no variable {one_line(repr(name))}; there are {', '.join(known)}" for name in unknown]


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    try:
        line = json.dumps({**request, "fuel": FUEL, "max_chars": MAX_CHARS}, ensure_ascii=False, allow_nan=False)
        line.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PromptTemplateError("NotJson", f"the template or its context: {error}") from None
    try:
        found = _worker.ask(line)
    except DoesNotStartError:
        raise PromptTemplateError("Stopped", "the worker process does not start; is minijinja installed beside homebody?") from None
    if found is None:
        raise PromptTemplateError("Stopped", _OVER)
    if "kind" in found:
        raise PromptTemplateError(found["kind"], found["message"], found["line"])
    return found
