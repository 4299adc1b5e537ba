"""From a model's reply to a command: how an answer is read.

A thought is never read. What a model wrote is data: a reply without a command gives a text that is none, or the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel, Reading
from homebody.agents.models.backend import Tool
from homebody.agents.models.generation import Reply
from homebody.agents.models.tool_call import find_json_call
from homebody.envs.text import UnreadableError, parse_json

TOOL_NAME = "act"
_CALL = re.compile(rf"""\b{TOOL_NAME}\s*\(\s*(?:\w+\s*=\s*)?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*\)""")
"""A call as programs write one."""


def acts_by_tool(event: BeforeModel) -> bool:
    """Tell whether the model acts by calling a tool: where its commands are read from calls, and it writes freely."""
    choice = event.choice
    is_free = choice.method == "generate" or (choice.method == "vote" and not choice.constrained)
    return event.reading.read == "tool" and is_free


def tools_for(event: BeforeModel) -> tuple[Tool, ...]:
    """Return the tool by which a model acts, where it does."""
    if not acts_by_tool(event):
        return ()
    command: dict[str, Any] = {"type": "string", "description": "the command"}
    if event.reading.listed and not any(SLOT in form for form in (*event.admissible, *event.tools)):
        command["enum"] = [*event.candidates, *event.tools]
    parameters = {"type": "object", "properties": {event.reading.field: command}, "required": [event.reading.field]}
    return ({"type": "function", "function": {"name": TOOL_NAME, "description": "Sends one command.", "parameters": parameters}},)


def read_answer(reply: Reply, reading: Reading) -> str:
    """Return the command that a reply gives.

    A call of a tool is read wherever a model writes one. Otherwise:

    - `first` and `last`: that line of the answer, empty ones aside.
    - `after`: the first line after the last occurrence of the mark; without one the last line.
    - `between`: what stands between the last mark and the end that follows it, or the end of the text; without a mark the last line.
    - `json`: the text in the field of the JSON object that the answer holds; without one the last line.
    - `tool`: a call that was missed, as JSON or as programs write one, also in a thought that no answer follows; without one the last line.

    Quotes, prompt marks and a full stop around a command are no part of it.
    """
    if reply.tool_call is not None:
        return _argument(reply.tool_call.arguments, reading.field)
    if reading.read == "tool" and (missed := _missed(reply.text or reply.thought, reading.field)):
        return missed
    lines = reply.text.splitlines()
    last = next(_lines(lines[::-1]), "")
    match reading.read:
        case "first":
            return next(_lines(lines), "")
        case "after" | "between" if (found := _after(reply.text, reading.mark)) is not None:
            if reading.read == "between" and reading.end:
                found = found.partition(reading.end)[0]
            return next(_lines(found.splitlines()), "")
        case "json":
            return _argument(_object(reply.text), reading.field) or last
    return last


def read_command(line: str) -> str:
    """Return a line without quotes, prompt marks or a full stop around it."""
    return line.strip().lstrip("> ").strip("\"'`*. ")


def _missed(text: str, field: str) -> str:
    """Return the command of a call that stands in a text; of several the last one; empty if there is none."""
    found = ""
    while call := find_json_call(text):
        found = _argument(call.arguments, field) if call.name == TOOL_NAME else found
        text = text[len(call.before) + 1 :]
    if found:
        return found
    calls = _CALL.findall(text)
    if calls:
        return read_command(re.sub(r"\\(.)", r"\1", calls[-1][1:-1]))
    value = _object(text).get(field)
    return read_command(value) if isinstance(value, str) else ""


def _lines(lines: Sequence[str]) -> Any:
    return (command for line in lines if (command := read_command(line)))


def _after(text: str, mark: str) -> str | None:
    """Return what follows the last occurrence of a mark, capitals aside."""
    found = [match.end() for match in re.finditer(re.escape(mark), text, re.IGNORECASE)] if mark else []
    return text[found[-1] :] if found else None


def _object(text: str) -> Mapping[str, Any]:
    """Return the JSON object in a text, or an empty one."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = parse_json(text[start : end + 1], "a model's answer") if 0 <= start < end else None
    except UnreadableError:
        found = None
    return found if isinstance(found, dict) else {}


def _argument(values: Mapping[str, Any], field: str) -> str:
    """Return the text in a field, or the only text that there is; empty if there is none."""
    texts = [value for value in values.values() if isinstance(value, str)]
    value = values.get(field, texts[0] if len(texts) == 1 else None)
    return read_command(value) if isinstance(value, str) else ""
