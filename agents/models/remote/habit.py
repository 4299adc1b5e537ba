"""What a server's replies show, found once for all threads: whether its model thinks, and which fields it refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from homebody.agents.errors import ContextOverflowError, RemoteAnswerError, RemoteRefusedError
from homebody.agents.models.backend import Message
from homebody.agents.models.chat_template import join_system
from homebody.agents.models.generation import Reply, Thinking
from homebody.agents.models.remote.message import Body

PROBE: tuple[Message, ...] = (
    {"role": "user", "content": "Write the word yes."},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "Write the word no."},
    {"role": "assistant", "content": "no"},
    {"role": "user", "content": "Write the word maybe."},
)
"""A chat whose answer any model knows, a base model by the examples."""
_WORD = "maybe"
PROBE_TOKENS = 512
"""Room for the reply to it, a thought included."""


class Habit:
    """Whether a model thinks before it answers, as its reply to `PROBE` shows.

    The probe is asked when it is first needed, once for each way of thinking. So all chats are asked
    in the same way from the first to the last, in whatever order they come.

    Args:
        ask: returns the reply to the probe.
    """

    def __init__(self, ask: Callable[[Thinking], Reply]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._found: dict[str, bool] = {}

    def thinks(self, thinking: Thinking) -> bool:
        """Tell whether it thinks before it answers.

        A reply that has an end and shows no thought is an answer. One that has no end is a thought,
        unless it begins with the answer, or thinking is off. A server that refuses the probe has no
        model that thinks.
        """
        key = json.dumps([thinking.mode, sorted(thinking.template.items())])
        with self._lock:
            if key not in self._found:
                self._found[key] = self._is_thought(thinking)
            return self._found[key]

    def _is_thought(self, thinking: Thinking) -> bool:
        try:
            reply = self._ask(thinking)
        except (RemoteRefusedError, RemoteAnswerError, ContextOverflowError) as error:
            # One that has no chats may score and complete all the same.
            if getattr(error, "is_lost", False) and getattr(error, "status", 0) != 404:
                raise
            return False
        if reply.thought or reply.finish == "budget":
            return True
        is_answer = reply.text.strip().strip("\"'`*").lower().startswith(_WORD)
        return reply.finish == "length" and thinking.mode != "off" and not is_answer


class Refusals:
    """What a server refuses of a chat completion, though others of its kind take it: fields, or a system text."""

    def __init__(self) -> None:
        self._known: list[str] = []

    def learn(self, body: Body, error: RemoteRefusedError) -> None:
        """Remember what a refusal says of a request."""
        said = [sign for sign, fields in _SIGNS.items() if sign in error.reason and fields & set(body)]
        if _SYSTEM in error.reason.lower() and body["messages"][0]["role"] == _SYSTEM:
            said.append(_SYSTEM)
        self._known += [sign for sign in said if sign not in self._known]

    def adapt(self, body: Body) -> Body:
        """Return a request as this server takes it."""
        for sign in self._known:
            if sign == "max_completion_tokens" and "max_tokens" in body:
                body = {**body, sign: body["max_tokens"]}
                del body["max_tokens"]
            elif sign == "tool-call-parser" and "tools" in body:
                # The model is shown its tools all the same, and its calls are read here.
                body = body | {"tool_choice": "none"}
            elif sign in ("thinking_token_budget", "reasoning_config"):
                body = {name: value for name, value in body.items() if name != "thinking_token_budget"}
            elif sign == _SYSTEM:
                body = body | {"messages": join_system(body["messages"])}
        return body


_SYSTEM = "system"
"""The role whose text the template of some models refuses, such as Gemma 2's; the word of their refusal."""
_SIGNS = {
    "max_completion_tokens": {"max_tokens"},  # OpenAI's own newer models have renamed it.
    "tool-call-parser": {"tools"},  # vLLM was started without one.
    # An older vLLM, or one without --reasoning-config.
    "thinking_token_budget": {"thinking_token_budget"},
    "reasoning_config": {"thinking_token_budget"},
}
"""Words of a refusal, and the fields of which it speaks."""
