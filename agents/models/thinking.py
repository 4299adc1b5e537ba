"""Where a model's thought begins and ends: the marks, found once by rendering its chat template, and the prompts made with them.

A template ends a prompt in an open thought, in a closed one, or in none, and may do so by the variable `enable_thinking`. What differs
between prompts with and without it shows the marks; where nothing does, the model's own vocabulary may have them. Knows nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.errors import BadChatTemplateError
from homebody.agents.models.backend import Message, Segments

KNOWN = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
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

Render = Callable[..., Segments]
"""Renders messages with variables; `homebody.agents.models.chat_template.ChatTemplate.render`."""
_PROBE: tuple[Message, ...] = ({"role": "user", "content": "One."},)


@dataclass(frozen=True)
class Marks:
    """How a model marks its thought."""

    start: str
    end: str
    opens: Mapping[str, str]
    """By mode, how the template ends a prompt: `open`, `closed` or `none`."""

    def closing(self, sentence: str = "") -> str:
        """Return the text that ends a thought in the model's place; the answer follows it."""
        return f"{sentence}\n{self.end}{GAP}"

    def wrap(self, thought: str) -> str:
        """Return a thought as it stands before a reply in a chat."""
        return f"{self.start}\n{thought.strip()}\n{self.end}{GAP}"


def find_marks(render: Render, has: Callable[[str], bool]) -> Marks | None:
    """Return how a model marks its thought; None if it does not think.

    Args:
        render: its chat template.
        has: whether a text is a mark of its vocabulary; asked where the template shows none.
    """
    tails = {mode: _tail(render, mode) for mode in VARIABLES}
    shown = (pair for pair in KNOWN if any(mark in tail for mark in pair for tail in tails.values()))
    owned = (pair for pair in KNOWN if has(pair[0]) and has(pair[1]))
    pair = next(shown, None) or next(owned, None)
    return Marks(*pair, {mode: _state(tail, *pair) for mode, tail in tails.items()}) if pair else None


def open_prompt(render: Render, marks: Marks | None, messages: Sequence[Message], mode: str) -> tuple[Segments, bool]:
    """Return the prompt of a chat, and whether it ends in an open thought.

    What the template writes of a thought at the end of the prompt is a segment of its own: all before it is still there when the reply has
    become history. A thought of an earlier reply (`thought` in its message) stands before it as the model wrote it, whatever the template
    would do with it, so that prompts only grow.
    """
    if marks is None:
        return render([{key: value for key, value in message.items() if key != "thought"} for message in messages]), False
    shown = [{**message, "thought": marks.wrap(message["thought"])} if message.get("thought") else message for message in messages]
    segments = render(shown, **VARIABLES[mode])
    before, last = segments[:-1], segments[-1]
    state = _state(last, marks.start, marks.end)
    at = max(last.rfind(marks.start), last.rfind(marks.end) if marks.start not in last else -1)
    head, tail = (last[:at], last[at:]) if state != "none" else (last, "")
    if mode == "on" and state != "open":
        tail, state = f"{marks.start}\n", "open"
    if mode == "off" and state == "open":
        tail, state = tail + marks.closing(), "closed"
    return tuple(filter(None, (*before, head, tail))), state == "open"


def split_thought(text: str) -> tuple[str, str]:
    """Return the thought and the answer of a text in which the marks in use may stand; an open thought has no answer after it."""
    for start, end in KNOWN:
        before, mark, after = text.rpartition(end)
        if mark:
            return before.partition(start)[2] or before, after
        if text.lstrip().startswith(start):
            return text.partition(start)[2], ""
    return "", text


def _tail(render: Render, mode: str) -> str:
    """Return what a template puts at the end of a prompt, where the reply begins; empty if it refuses."""
    try:
        opened = "".join(render(_PROBE, **VARIABLES[mode]))
        closed = "".join(render(_PROBE, **VARIABLES[mode], add_generation_prompt=False))
    except BadChatTemplateError:
        return ""
    common = next((i for i, (a, b) in enumerate(zip(opened, closed, strict=False)) if a != b), min(len(opened), len(closed)))
    return opened[common:]


def _state(text: str, start: str, end: str) -> str:
    """Tell how a prompt ends: in an `open` thought, a `closed` one, or `none`."""
    stripped = text.rstrip()
    return "open" if stripped.endswith(start) else "closed" if stripped.endswith(end) else "none"
