"""Calls of tools as models write them, read as data.

Two forms are in use: JSON between marks (Hermes, Qwen2.5, Qwen3) and nested tags (Qwen3.5, Qwen3-Coder).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homebody.agents.models.generation import ToolCall
from homebody.envs.text import UnreadableError, parse_json

START, END = "<tool_call>", "</tool_call>"
_FUNCTION = re.compile(r"<function=([^>\n]+)>")
_PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)


def find_tool_call(text: str) -> ToolCall | None:
    """Return the first whole call in a text, or None."""
    _, mark, rest = text.partition(START)
    body, closed, _ = rest.partition(END)
    if not mark:
        return None
    function = _FUNCTION.search(body)
    if function:
        return ToolCall(function[1].strip(), {name.strip(): value for name, value in _PARAMETER.findall(body)})
    return make_tool_call(body.strip()) if closed else None


def make_tool_call(text: str) -> ToolCall | None:
    """Return the call that a JSON text is: `name`, and `arguments` as an object or as the JSON text of one; None if it is none."""
    found = _object(text)
    name = found.get("name")
    if not isinstance(name, str):
        return None
    arguments = found.get("arguments", found.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _object(arguments)
    return ToolCall(name, arguments) if isinstance(arguments, dict) else None


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = parse_json(text, "a model's call of a tool")
    except UnreadableError:
        return {}
    return found if isinstance(found, dict) else {}
