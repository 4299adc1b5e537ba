"""How a processor asks the model something in a short chat of its own.

An answer of no use is no answer. Without a model there is none, and where the model refuses the question neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.errors import AgentError, is_lost
from homebody.agents.models.backend import Message, uncut
from homebody.agents.models.generation import Generation, Reply, Thinking
from homebody.agents.processors.base import Services
from homebody.envs.text import one_line

THOUGHT = {
    "type": "integer",
    "minimum": 0,
    "maximum": 32768,
    "default": 0,
    "description": "tokens of a thought before the answer, at most, for a model that thinks; 0: it answers at once",
}
MOST_LINE = 300
"""Characters of a line that a model wrote or read in a question."""
_MARK = re.compile(r"^\s*(?:[-*•]\s+|\d+[.)]\s*)")


def room(tokens: int) -> dict[str, Any]:
    """Return the schema of a parameter that is the room of an answer, with its default."""
    return {"type": "integer", "minimum": 1, "maximum": 4096, "default": tokens, "description": "tokens of the answer, at most"}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its {blanks} filled; a blank that has no value stays."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)


def user(text: str, system: str = "") -> list[Message]:
    """Return a chat of one message."""
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]


def write(services: Services, messages: Sequence[Message], tokens: int, thought: int = 0, grammar: str | None = None) -> Reply | None:
    """Return the model's reply to a chat; None without a model."""
    if services.chat is None:
        return None
    thinking = Thinking("template", thought) if thought else Thinking("off")
    return services.chat(list(map(uncut, messages)), Generation(tokens=tokens, grammar=grammar, thinking=thinking))


def score(services: Services, messages: Sequence[Message], answers: Sequence[str]) -> list[float] | None:
    """Return the log-probability of each answer to a chat; None without a model, and where it refuses the question."""
    if services.score is None:
        return None
    try:
        return services.score(list(map(uncut, messages)), answers)
    except AgentError as error:
        if is_lost(error):
            raise
        return None


def lines(reply: Reply | None) -> list[str]:
    """Return the lines of an answer without the marks of a list, empty ones left out; of a cut answer the last line is no whole one."""
    if reply is None:
        return []
    found = [one_line(_MARK.sub("", line))[:MOST_LINE].strip() for line in reply.text.splitlines()]
    found = [line for line in found if line]
    return found[:-1] if reply.finish == "length" and len(found) > 1 else found


def told(command: str, observation: str) -> str:
    """Return a step as a question tells it, on two lines."""
    return f"> {command}\n{one_line(observation)[:MOST_LINE]}"
