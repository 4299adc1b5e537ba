"""Where a model's thought begins and ends: the marks, found once by rendering its chat template, and the prompts made with them.

A template ends a prompt in an open thought, in a closed one, or in none, and may do so by the variable `enable_thinking`. What differs
between prompts with and without it shows the marks, and so does a past thought; where nothing does, the model's own vocabulary may have
them. A harness may name them besides. Knows nothing of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.errors import BadChatTemplateError
from homebody.agents.models.backend import Message, Segments, Tool
from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Thinking

KNOWN = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
)
"""Marks in use, of beginning and end."""
VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "template": {},
    "on": {"enable_thinking": True, "thinking": True},
    "off": {"enable_thinking": False, "thinking": False},
}
"""What a template is told for each mode. Some call the switch `thinking`."""
GAP = "\n\n"
"""What stands between the mark of the end and the answer."""
_GAPS = {
    "<|end|>": "<|start|>assistant<|channel|>final<|message|>",
    "<|close|>think<|sep|>": "<|open|>response<|sep|>",
}
"""The same for marks after which another message begins."""
_MOST_MARK = 60
"""Characters of a mark that is found in a past thought."""
_PROBE: tuple[Message, ...] = ({"role": "user", "content": "One."},)


@dataclass(frozen=True)
class Marks:
    """How a model marks its thought."""

    start: str
    end: str
    opens: Mapping[str, str]
    """By mode, how the template ends a prompt: `open`, `closed` or `none`."""

    def __str__(self) -> str:
        ends = {"open": "the template opens it", "closed": "the template closes it at once", "none": "the model may open it"}
        switched = any(ends != self.opens["template"] for ends in self.opens.values())
        return f"{self.start} {self.end}: {ends[self.opens['template']]}{', unless enable_thinking says otherwise' if switched else ''}"

    @property
    def gap(self) -> str:
        """What stands between the mark of the end and the answer."""
        return _GAPS.get(self.end, GAP)

    @property
    def header(self) -> str:
        """What begins an answer that no thought stands before; empty for most models."""
        return _GAPS.get(self.end, "").removeprefix("<|start|>assistant")

    def answer(self, text: str) -> str:
        """Return what follows a thought, or stands alone, without what begins an answer."""
        return text.lstrip().removeprefix(self.gap).removeprefix(self.header).lstrip() if self.header else text.lstrip()

    def closing(self, sentence: str = "") -> str:
        """Return the text that ends a thought in the model's place; the answer follows it."""
        return f"{sentence}\n{self.end}{self.gap}"

    def wrap(self, thought: str) -> str:
        """Return a thought as it stands before a reply in a chat."""
        return f"{self.start}\n{thought.strip()}\n{self.end}{self.gap}"


def told(thinking: Thinking) -> dict[str, Any]:
    """Return what a template is told: the switches of the mode, and what the harness says."""
    return {**VARIABLES[thinking.mode], **thinking.template}


def find_marks(template: ChatTemplate, has: Callable[[str], bool]) -> Marks | None:
    """Return how a model marks its thought; None if it does not think.

    Args:
        template: its chat template.
        has: whether a text is a mark of its vocabulary; asked where the template shows none.
    """
    tails = {mode: _tail(template, mode) for mode in VARIABLES}
    shown = (pair for pair in KNOWN if any(pair[0] in tail or tail.rstrip().endswith(pair[1]) for tail in tails.values()))
    owned = (pair for pair in KNOWN if has(pair[0]) and has(pair[1]))
    pair = next(shown, None) or _past(template) or next(owned, None)
    return Marks(*pair, {mode: _state(tail, *pair) for mode, tail in tails.items()}) if pair else None


def marks_for(marks: Marks | None, thinking: Thinking) -> Marks | None:
    """Return the marks that hold for a reply: those that the harness names, or else the model's own."""
    if thinking.start:
        return Marks(thinking.start, thinking.end, dict.fromkeys(VARIABLES, "none"))
    return marks


def may_think(template: ChatTemplate, marks: Marks | None, thinking: Thinking) -> bool:
    """Tell whether a reply may begin with a thought."""
    found = marks_for(marks, thinking)
    if found is None or thinking.mode == "off":
        return False
    if thinking.mode == "on" or not (thinking.template or thinking.start):
        return thinking.mode == "on" or found.opens["template"] != "closed"
    return _state("".join(_render(template, _PROBE, thinking)), found.start, found.end) != "closed"


def open_prompt(
    template: ChatTemplate, marks: Marks | None, messages: Sequence[Message], thinking: Thinking, tools: Sequence[Tool] = ()
) -> tuple[Segments, bool]:
    """Return the prompt of a chat, and whether it ends in an open thought.

    What the template writes of a thought at the end of the prompt is a segment of its own: all before it is still there when the reply has
    become history. A thought of an earlier reply (`thought` in its message) stands before it as the model wrote it, whatever the template
    would do with it, so that prompts only grow; before a call of a tool the template shows it.
    """
    marks = marks_for(marks, thinking)
    if marks is None:
        plain = [{key: value for key, value in message.items() if key != "thought"} for message in messages]
        return _render(template, plain, thinking, tools), False
    segments = _render(template, [_shown(message, marks, template) for message in messages], thinking, tools)
    before, last = segments[:-1], segments[-1]
    state = _state(last, marks.start, marks.end)
    at = max(last.rfind(marks.start), last.rfind(marks.end) if marks.start not in last else -1)
    head, tail = (last[:at], last[at:]) if state != "none" else (last, "")
    if thinking.mode == "on" and state != "open":
        tail, state = f"{marks.start}\n", "open"
    if thinking.mode == "off" and state == "open":
        tail, state = tail + marks.closing(), "closed"
    if thinking.mode == "off" and state == "none":
        tail = marks.header
    return tuple(filter(None, (*before, head, tail))), state == "open"


def split_thought(text: str) -> tuple[str, str]:
    """Return the thought and the answer of a text in which the marks in use may stand; an open thought has no answer after it."""
    for start, end in KNOWN:
        before, mark, after = text.rpartition(end)
        if mark:
            return before.partition(start)[2] or before, after.removeprefix(_GAPS.get(end, ""))
        if text.lstrip().startswith(start):
            return text.partition(start)[2], ""
    return "", text


def _render(template: ChatTemplate, messages: Sequence[Message], thinking: Thinking, tools: Sequence[Tool] = ()) -> Segments:
    try:
        return template.render(messages, **told(thinking), **({"tools": list(tools)} if tools else {}))
    except BadChatTemplateError as error:
        if not thinking.template:
            raise
        given = json.dumps(thinking.template)
        raise BadChatTemplateError(error.model, error.problem, f"the harness tells it {given}: tell it something else") from None


def _shown(message: Message, marks: Marks, template: ChatTemplate) -> Message:
    thought = message.get("thought")
    if not thought or (message.get("tool_calls") and template.tool_form and template.thought_key):
        return message
    return {**message, "thought": marks.wrap(thought)}


def _past(template: ChatTemplate) -> tuple[str, str] | None:
    """Return the marks around a past thought, as the template shows it."""
    if template.thought_marks is None:
        return None
    before, start, end = (text.strip() for text in template.thought_marks)
    pair = next((pair for pair in KNOWN if before.endswith(pair[0]) and end.startswith(pair[1])), (start, end))
    return pair if all(0 < len(mark) <= _MOST_MARK for mark in pair) else None


def _tail(template: ChatTemplate, mode: str) -> str:
    """Return what a template puts at the end of a prompt, where the reply begins; empty if it refuses."""
    try:
        opened = "".join(template.render(_PROBE, **VARIABLES[mode]))
        closed = "".join(template.render(_PROBE, **VARIABLES[mode], add_generation_prompt=False))
    except BadChatTemplateError:
        return ""
    common = next((i for i, (a, b) in enumerate(zip(opened, closed, strict=False)) if a != b), min(len(opened), len(closed)))
    return opened[common:]


def _state(text: str, start: str, end: str) -> str:
    """Tell how a prompt ends: in an `open` thought, a `closed` one, or `none`."""
    stripped = text.rstrip()
    return "open" if stripped.endswith(start) else "closed" if stripped.endswith(end) else "none"
