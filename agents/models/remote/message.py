"""Messages as OpenAI's protocol has them: what is sent of a chat, and what is read of an answer.

What a server says is data: null, empty and missing parts are no text. Whatever a model thought is
kept apart from its answer, in whichever place the server puts it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homebody.agents.errors import RemoteRefusedError
from homebody.agents.models.backend import CUT, Message
from homebody.agents.models.generation import Generation, Reply, first_stop
from homebody.agents.models.thinking import KNOWN, split_thought
from homebody.agents.models.tool_call import CallReader, make_tool_call

Body = dict[str, Any]
_OF_TOOLS = ("tool_call_id", "name")
"""Parts of the answer to a call that go to the server as they are."""


def sent_message(message: Message) -> Body:
    """Return a message as the protocol has it; a thought has the name that most servers take."""
    sent: Body = {"role": message["role"], "content": message["content"].replace(CUT, "")}
    sent |= {name: message[name] for name in _OF_TOOLS if message.get(name)}
    if calls := message.get("tool_calls"):
        sent["tool_calls"] = [_sent_call(call) for call in calls]
    return sent | ({"reasoning_content": message["thought"]} if message.get("thought") else {})


def _sent_call(call: Mapping[str, Any]) -> Body:
    """Return a call with its arguments as the JSON text that the protocol wants."""
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.dumps(function["arguments"])}}


def read_message(message: Mapping[str, Any], reason: object, generation: Generation, calls: CallReader, *, may_think: bool) -> Reply:
    """Return a server's message as a reply.

    Args:
        message: what the server says.
        reason: why it says that the message ended.
        generation: how it was asked for.
        calls: finds calls of tools in a text.
        may_think: whether the model thinks before it answers. Then a text that was cut, and shows no
            thought, is a thought.
    """
    found = {key: message.get(key) for key in ("content", "reasoning", "reasoning_content")}
    content, *reasoning = (value if isinstance(value, str) else "" for value in found.values())
    thought, text = split_thought(content)
    is_open = not text.strip() and content.lstrip().startswith(tuple(start for start, _ in KNOWN))
    thought = (thought or next(filter(None, reasoning), "")).strip()
    called = None
    given = message.get("tool_calls")
    if isinstance(given, list) and given and isinstance(given[0], dict):
        called = make_tool_call(json.dumps(given[0].get("function")))
    if not called and (reply := called_in_thought(thought, calls)):
        return reply
    if not called and not thought and may_think and (reply := called_in_thought(text, calls)):
        return reply
    reply = ended(text.lstrip(), reason, generation, calls)
    if called or reply.tool_call:
        return replace(reply, thought=thought, tool_call=called or reply.tool_call, finish="tool")
    if reason == "length" and may_think and not thought:
        return Reply("", reply.text.strip(), finish="budget")
    if is_open or (reason == "length" and not reply.text):
        # What had room for no letter of an answer was a thought, shown or not.
        return Reply("", thought, finish="budget")
    return replace(reply, thought=thought)


def called_in_thought(thought: str, calls: CallReader) -> Reply | None:
    """Return the reply that a call makes of the thought which it ends; None without a whole call."""
    at = find_start(thought, calls)
    called = calls.find(thought[at:]) if at is not None else None
    return Reply(thought[at:], thought[:at].strip(), called, "tool") if called else None


def find_start(text: str, calls: CallReader) -> int | None:
    """Return where the first call in a text begins, by its mark."""
    return min((at for start in calls.starts if (at := text.find(start)) >= 0), default=None)


def ended(text: str, reason: object, generation: Generation, calls: CallReader) -> Reply:
    """Return a server's text, cut at the stop strings, as a reply."""
    at = first_stop(text, generation.stop) if find_start(text, calls) is None else None
    finish = "length" if reason == "length" and at is None else "stop"
    called = calls.find(text[:at]) if finish == "stop" and not generation.is_constrained else None
    return Reply(text[:at], tool_call=called, finish="tool" if called else finish)


def find_reason(answer: Any) -> object:
    """Return why a server says that its text ended; None where it does not say."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    return choices[0].get("finish_reason") if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None


def find_overflow(error: RemoteRefusedError) -> tuple[int, int] | None:
    """Return tokens needed and tokens allowed, if a server refused a prompt as too long; one too many where it does not say."""
    found = re.search(r"maximum context length is (\d+) tokens(?:.*?(?:requested|has|contains)\D*(\d+))?", str(error))
    if found is None:  # llama-server's words.
        found = re.search(r"context size \((\d+) tokens\)", str(error))
        needed = re.search(r"request \((\d+) tokens\)", str(error))
        return (int(needed[1]) if needed else int(found[1]) + 1, int(found[1])) if found else None
    return int(found[2] or int(found[1]) + 1), int(found[1])
