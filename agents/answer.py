"""From a model's reply to a command: how an answer is read.

A thought is never read. What a model wrote is data: a reply without a command gives a text that is none, or the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.grammar import SLOT, matches
from homebody.agents.harness.hooks import BeforeModel, Reading
from homebody.agents.models.backend import Tool
from homebody.agents.models.generation import Reply
from homebody.agents.models.tool_call import find_json_call
from homebody.envs.text import UnreadableError, parse_json

TOOL_NAME = "act"
_CALL = re.compile(rf"""\b{TOOL_NAME}\s*\(\s*(?:\w+\s*=\s*)?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*\)""")
"""A call as programs write one."""
_ESCAPES = {"n": "\n", "t": "\t"}


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


def read_answer(reply: Reply, reading: Reading, forms: Sequence[str] = (), slot_lines: Sequence[str] = ()) -> str:
    """Return the command that a reply gives.

    A call of a tool is read wherever a model writes one. Otherwise:

    - `first` and `last`: that line of the answer, empty ones aside.
    - `after`: the first line after the last occurrence of the mark; without one the last line.
    - `between`: what stands between the last mark and the end that follows it, or the end of the text; without a mark the last line.
    - `json`: the text in the field of the JSON object that the answer holds; without one the last line.
    - `tool`: a call that was missed, as JSON or as programs write one, also in a thought that no answer follows; without one the last line.

    Quotes, prompt marks and a full stop around a command are no part of it. What is read begins with a line; where that line begins a
    command of `slot_lines`, the lines after it belong to the command, up to one that is or begins another. The last line is then the line
    with which the last command begins.

    Args:
        reply: what the model wrote.
        reading: how to read it.
        forms: the commands that may be sent; one may hold a free slot, written {text}.
        slot_lines: those of them whose slot ends the command and may hold several lines.
    """
    several = _Several(forms, slot_lines)
    if reply.tool_call is not None:
        return _argument(reply.tool_call.arguments, reading.field, several)
    if reading.read == "tool" and (missed := _missed(reply.text or reply.thought, reading.field, several)):
        return missed
    match reading.read:
        case "first":
            return several.first(reply.text)
        case "after" | "between" if (found := _after(reply.text, reading.mark)) is not None:
            if reading.read == "between" and reading.end:
                found = found.partition(reading.end)[0]
            return several.first(found)
        case "json":
            return _argument(_object(reply.text), reading.field, several) or several.last(reply.text)
    return several.last(reply.text)


def read_command(line: str) -> str:
    """Return a line without quotes, prompt marks or a full stop around it."""
    return line.strip().lstrip("> ").strip("\"'`*. ")


def _missed(text: str, field: str, several: _Several) -> str:
    """Return the command of a call that stands in a text; of several the last one; empty if there is none."""
    found = ""
    while call := find_json_call(text):
        found = _argument(call.arguments, field, several) if call.name == TOOL_NAME else found
        text = text[len(call.before) + 1 :]
    if found:
        return found
    calls = _CALL.findall(text)
    if calls:
        return several.whole(re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), calls[-1][1:-1]))
    value = _object(text).get(field)
    return several.whole(value) if isinstance(value, str) else ""


class _Several:
    """Reads commands of one line and of several from lines of text."""

    def __init__(self, forms: Sequence[str], slot_lines: Sequence[str]) -> None:
        self._forms = tuple(form for form in forms if form not in slot_lines)
        self._beginnings = tuple(form.removesuffix(SLOT) for form in slot_lines)

    def first(self, text: str) -> str:
        """Return the command with which the first line begins that is not empty."""
        lines = text.splitlines()
        start = next((number for number, line in enumerate(lines) if _has_command(line)), None)
        return "" if start is None else self._from(lines, start)

    def last(self, text: str) -> str:
        """Return the last command, or the last line that is not empty."""
        lines = text.splitlines()
        starts = [number for number, line in enumerate(lines) if _has_command(line)]
        begun = [number for number in starts if self._begins(lines[number])]
        if begun and not matches(read_command(lines[starts[-1]]), self._forms):
            return self._from(lines, begun[-1])
        return read_command(lines[starts[-1]]) if starts else ""

    def whole(self, text: str) -> str:
        """Return the command that a text is."""
        return self.first(text) if "\n" in text or self._begins(text) else read_command(text)

    def _begins(self, line: str) -> str | None:
        """Return the words with which the line begins a command of several lines; None if it does not."""
        bare = line.strip().lstrip(_AROUND)
        return next((words for words in self._beginnings if bare.startswith(words) or bare == words.rstrip()), None)

    def _from(self, lines: Sequence[str], start: int) -> str:
        words = self._begins(lines[start])
        if words is None:
            return read_command(lines[start])
        end = start + 1
        while end < len(lines) and not (self._begins(lines[end]) or matches(read_command(lines[end]), self._forms)):
            end += 1
        line = lines[start].strip()
        bare = line.lstrip(_AROUND)
        text = "\n".join((bare[len(words) :], *lines[start + 1 : end])).strip("\n").rstrip()
        for mark in reversed(line[: len(line) - len(bare)]):
            text = text.removesuffix(mark)
        return words + text


_AROUND = "> \"'`*"
"""What may stand before a command."""


def _has_command(line: str) -> bool:
    """Tell whether a line holds anything but marks: a fence around what a model wrote is none, with the name of a language or without."""
    return bool(read_command(line)) and not re.fullmatch(r"```\w*", line.strip())


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


def _argument(values: Mapping[str, Any], field: str, several: _Several) -> str:
    """Return the text in a field, or the only text that there is; empty if there is none."""
    texts = [value for value in values.values() if isinstance(value, str)]
    value = values.get(field, texts[0] if len(texts) == 1 else None)
    return several.whole(value) if isinstance(value, str) else ""
