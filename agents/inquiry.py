"""What processors may ask of a model: each question is noted, and one that fails is an answer too."""

from __future__ import annotations

from collections.abc import Sequence

from homebody.agents.errors import AgentError, is_lost
from homebody.agents.models.backend import CUT, Message
from homebody.agents.models.chat_template import render_plain
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.policy import Policy
from homebody.agents.processors.base import Services
from homebody.agents.record import Question
from homebody.envs.text import clean

MOST_ASKED = 2000
"""Characters of a chat in a record."""


class Inquiry:
    """A policy's model as processors see it.

    Args:
        policy: whose model it is.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.questions: list[Question] = []
        """What was asked since the last `take`."""

    def services(self) -> Services:
        """Return what processors are given; without a model nobody can be asked."""
        has_score, has_chat = self._policy.score is not None, self._policy.chat is not None
        return Services(self._score if has_score else None, self._policy.count_tokens, self._chat if has_chat else None)

    def take(self) -> tuple[Question, ...]:
        """Return the questions, and forget them."""
        taken = tuple(self.questions)
        self.questions.clear()
        return taken

    def _score(self, prompt: str | Sequence[Message], continuations: Sequence[str]) -> list[float]:
        ask = self._policy.score
        assert ask is not None
        asked = prompt if isinstance(prompt, str) else _transcript(prompt)
        try:
            scores = ask(prompt, continuations)
        except AgentError as error:
            self.questions.append(Question(asked, error=clean(str(error))))
            raise
        ranked = sorted(zip(continuations, scores, strict=True), key=lambda pair: -pair[1])
        if ranked:
            self.questions.append(Question(asked, tuple((text, round(value, 6)) for text, value in ranked[:5])))
        return scores

    def _chat(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Return the model's reply; one of no text where the model refuses the question, as one that is too long."""
        ask = self._policy.chat
        assert ask is not None
        before = self._policy.usage.generated_tokens
        error = ""
        try:
            reply = ask(messages, generation)
        except AgentError as refusal:
            if is_lost(refusal):
                raise
            reply, error = Reply("", finish="length"), clean(str(refusal))
        reply = Reply(clean(reply.text), clean(reply.thought), reply.tool_call, reply.finish)
        written = self._policy.usage.generated_tokens - before
        self.questions.append(Question(_transcript(messages), (), reply.text, reply.thought, reply.finish, written, error))
        return reply


def _transcript(messages: Sequence[Message]) -> str:
    """Return a chat as a text; of a long one the middle is left out, since what is asked stands at its end."""
    text = clean("".join(render_plain(messages)).replace(CUT, "")) if messages else ""
    if len(text) <= MOST_ASKED:
        return text
    half = MOST_ASKED // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"
