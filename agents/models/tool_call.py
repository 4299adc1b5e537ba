"""Calls of tools as models write them, read as data.

How a model writes a call is found by rendering one with its chat template: what stands around the name, the field and the value is a
`ToolForm`. Two forms are read from any model: JSON (Hermes, Qwen2.5, Qwen3, Llama) and nested tags (Qwen3.5, Qwen3-Coder).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.models.backend import Message, Tool
from homebody.agents.models.generation import ToolCall
from homebody.envs.text import UnreadableError, parse_json

START, END = "<tool_call>", "</tool_call>"
_FUNCTION = re.compile(r"<function=([^>\n]+)>")
_PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_MARK = re.compile(r'<[^<>\n]*>|\[[A-Z_]+\]|<?[^\s{\["<>]{3,}')
_NAMES, _ARGUMENTS = ("name", "tool_name"), ("arguments", "parameters")
_MOST_OBJECTS = 16
"""Places of a text at which a JSON object is looked for."""

_NAME, _FIELD, _VALUE, _ID, _ANSWER = "zqname", "zqfield", "zqvalue", "zqid00001", "zqanswer"
PROBE_TOOL: Tool = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "Sends one text.",
        "parameters": {"type": "object", "properties": {_FIELD: {"type": "string", "description": "the text"}}, "required": [_FIELD]},
    },
}
PROBE_ASKED = "zqasked"
NO_FORM = "in words: its chat template shows none"
"""How a model is told of tools that has no form of its own."""
_WORDS = """\
You may call these functions:
{tools}

To call one, answer with a JSON object of its name and arguments:
{example}"""


@dataclass(frozen=True)
class ToolForm:
    """How a model writes a call."""

    kind: str
    """`JSON`, or `text`, whose pieces stand around name, field and value."""
    start: str
    """Mark that begins a call; empty where the call begins with its JSON."""
    pattern: re.Pattern[str]
    """Finds name, field and value; white space and ids aside."""
    quote: str
    """The mark in which the value stands as in a program; empty where it stands as it is."""
    as_text: bool
    """Whether the template wants the arguments as a JSON text."""

    def __str__(self) -> str:
        kind = "a JSON object" if self.kind == "JSON" else "marks around name and values"
        return f"{kind}, after {self.start}" if self.start else kind


def probe_chat(as_text: bool, thought: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return a chat in which the model calls `PROBE_TOOL` and is answered.

    Args:
        as_text: whether the arguments are a JSON text.
        thought: keys of the calling message besides.
    """
    arguments: Any = {_FIELD: _VALUE}
    function = {"name": _NAME, "arguments": json.dumps(arguments) if as_text else arguments}
    return [
        {"role": "user", "content": PROBE_ASKED},
        {"role": "assistant", "content": "", "tool_calls": [{"id": _ID, "type": "function", "function": function}], **(thought or {})},
        {"role": "tool", "content": _ANSWER, "tool_call_id": _ID, "name": _NAME},
    ]


def find_form(rendered: str, header: str, plain: str, as_text: bool) -> ToolForm | None:
    """Return how a call is written, from a rendering of `probe_chat`; None if tool, call or answer are not shown, or not as they are.

    Args:
        rendered: the chat with the tool.
        header: what stands between the user's message and a reply that is a text.
        plain: the same with the reply and the end of the turn.
        as_text: how the arguments were given.
    """
    before, asked, after = rendered.rpartition(PROBE_ASKED)
    if not asked or _NAME not in before or _FIELD not in before:
        return None
    found = re.match(f"(.*?){_NAME}(.*?){_FIELD}(.*?){_VALUE}(.*?){_ANSWER}", after, re.DOTALL)
    if found is None or "\\" in found[2] + found[3]:
        return None
    opening = found[1][shared(found[1], header) :].lstrip()
    name, field, rest = found[2], found[3], found[4]
    marks = [mark for mark in _MARK.findall(opening) if mark not in plain and "think" not in mark.lower() and not mark.isalpha()]
    quote = field[-1:] if field[-1:] in ("'", '"') and rest.startswith(field[-1]) else ""
    if quote:
        value = rf"((?:[^{quote}\\]|\\.)*){quote}"
    else:
        closing = re.match(r"<[^<>\n]*>|\[[^\[\]\n]*\]|\S+", rest.lstrip())
        value = r"(.*?)\s*" + _loose(closing[0] if closing else "")
    pattern = re.compile(rf"{_loose(opening)}([\w.-]+?){_loose(name)}([\w.-]+?){_loose(field)}{value}", re.DOTALL)
    is_json = re.search(rf'"(?:{"|".join(_NAMES)})"\s*:\s*"$', opening) is not None
    return ToolForm("JSON" if is_json else "text", marks[0] if marks else "", pattern, quote, as_text)


class CallReader:
    """Finds calls in what a model writes.

    Args:
        form: how the model writes them.
        offered: whether it was offered a tool. If so, a JSON object of a name and arguments is a call, too.
    """

    def __init__(self, form: ToolForm | None = None, *, offered: bool = False) -> None:
        self._form, self._offered = form, offered
        self.starts = tuple(dict.fromkeys(filter(None, (START, form.start if form and offered else ""))))
        """Marks that begin a call."""

    def find(self, text: str) -> ToolCall | None:
        """Return the first whole call in a text, or None."""
        found = find_tool_call(text)
        if found is None and self._offered:
            found = self._by_form(text) or find_json_call(text)
        return found

    def _by_form(self, text: str) -> ToolCall | None:
        found = self._form.pattern.search(text) if self._form else None
        if self._form is None or found is None:
            return None
        value = _unquoted(found[3], self._form.quote)
        return ToolCall(found[1], {found[2]: value}, text[: found.start()]) if value is not None else None


def find_tool_call(text: str) -> ToolCall | None:
    """Return the first whole call in a text that stands between the marks `START` and `END`, or None."""
    before, mark, rest = text.partition(START)
    body, closed, _ = rest.partition(END)
    if not mark:
        return None
    function = _FUNCTION.search(body)
    if function:
        found = {name.strip(): value for name, value in _PARAMETER.findall(body)}
        return ToolCall(function[1].strip(), found, before) if found or closed else None
    call = make_tool_call(body.strip()) if closed else None
    return ToolCall(call.name, call.arguments, before) if call else None


def find_json_call(text: str) -> ToolCall | None:
    """Return the first JSON object of a name and arguments in a text, or None."""
    for start, end in _objects(text):
        call = make_tool_call(text[start:end])
        if call and call.arguments:
            return ToolCall(call.name, call.arguments, text[:start])
    return None


def make_tool_call(text: str) -> ToolCall | None:
    """Return the call that a JSON text is: `name`, and `arguments` as an object or as the JSON text of one; None if it is none."""
    found = _object(text)
    name = next((found[key] for key in _NAMES if key in found), None)
    if not isinstance(name, str):
        return None
    arguments: Any = next((found[key] for key in _ARGUMENTS if key in found), {})
    if isinstance(arguments, str):
        arguments = _object(arguments)
    return ToolCall(name, arguments) if isinstance(arguments, dict) else None


def in_words(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[dict[str, Any]]:
    """Return a chat without tools for a template that has no place for them: said in the system text, called and answered in texts."""
    said = []
    for message in messages:
        shown = {key: value for key, value in message.items() if key not in ("tool_calls", "tool_call_id", "name")}
        if message["role"] == "tool":
            shown["role"] = "user"
        for call in message.get("tool_calls", ()):
            function = {key: call["function"][key] for key in ("name", "arguments")}
            shown["content"] = f"{shown['content']}\n{json.dumps(function, ensure_ascii=False)}".lstrip()
        said.append(shown)
    if not tools:
        return said
    functions = [tool["function"] for tool in tools]
    fields = functions[0]["parameters"].get("properties", {})
    example = {"name": functions[0]["name"], "arguments": {field: "..." for field in fields}}
    lines = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    words = _WORDS.format(tools=lines, example=json.dumps(example, ensure_ascii=False))
    if not said or said[0]["role"] != "system":
        return [{"role": "system", "content": words}, *said]
    return [{**said[0], "content": f"{said[0]['content']}\n\n{words}"}, *said[1:]]


def shared(text: str, other: str) -> int:
    """Return the length of what two texts begin with both, words and marks in pointed brackets left whole."""
    same = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    opened, closed = text.rfind("<", 0, same), text.rfind(">", 0, same)
    if opened > closed:
        return opened
    word = re.search(r"[^\s>]*\Z", text[:same])
    return same - len(word[0]) if word and text[same : same + 1].isalnum() else same


def _loose(literal: str) -> str:
    """Return a pattern of a text in which white space is free, around marks too, and the names of the probe are any name."""
    pattern = r"\s*".join(re.escape(part) for part in re.split(r"\s+|(?<=>)|(?=<)", literal))
    for sentinel in (_NAME, _FIELD, _ID):
        pattern = pattern.replace(sentinel, r"[\w.-]*")
    return pattern


def _unquoted(text: str, quote: str) -> str | None:
    """Return the text that a literal stands for; None if it is damaged."""
    if not quote:
        return text.strip()
    if quote == "'":
        text = re.sub(r"\\(.)|(\")", lambda found: "'" if found[1] == "'" else '\\"' if found[2] else found[0], text)
    found = _object('{"value": "' + text.replace("\n", "\\n").replace("\t", "\\t") + '"}').get("value")
    return found if isinstance(found, str) else None


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Find where whole JSON objects begin and end."""
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"\{", text)]
    for start in starts[:_MOST_OBJECTS]:
        try:
            yield start, decoder.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            continue


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = parse_json(text, "a model's call of a tool")
    except UnreadableError:
        return {}
    return found if isinstance(found, dict) else {}
