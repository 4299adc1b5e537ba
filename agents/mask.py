"""Twins in a model's clothes: each decides as its twin does, and to the harness it looks as if a model were there.

Code of a harness can tell a twin from a model: without one nobody can be asked, so what rests on its answers stays flat, and every reply
can be read. A harness that then plays worse on purpose makes its model look good. In a model's clothes a twin answers questions, with
noise, writes replies, and now and then one that cannot be read. Whoever plays honestly does no better for that.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.model_free import MODEL_FREE, TWINS, ModelFreePolicy
from homebody.agents.models.backend import Message
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.policy import Decision

UNREADABLE = 0.25
"""Chance that a reply, where a model writes freely, is no command."""
SAID = "I am not sure."
"""What stands in the place of a command then, and in answer to whatever a processor asks."""
WIDEST = 20.0
"""Log-probabilities are drawn from -`WIDEST` to 0, the same for the same question in the same episode."""


def _chat(messages: Sequence[Message], generation: Generation) -> Reply:
    return Reply(SAID)


def _masked(twin: type[ModelFreePolicy]) -> type[ModelFreePolicy]:
    class Masked(twin):  # type: ignore[valid-type,misc]
        name = f"masked {twin.name}"

        def __init__(self) -> None:
            super().__init__()
            self.score, self.chat = self._noise, _chat

        def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
            super().begin(seed, attempt, expert, task_id)
            # Draws of its own: what the twin draws stays the same.
            self._readable = np.random.Generator(np.random.PCG64([*self._ties.key, len(self.name)]))

        def _noise(self, prompt: str | Sequence[Message], continuations: Sequence[str]) -> list[float]:
            asked = prompt if isinstance(prompt, str) else "\n".join(message["content"] for message in prompt)
            texts = (f"{self._ties.key} {asked}\0{text}" for text in continuations)
            return [-WIDEST * zlib.crc32(text.encode(errors="replace")) / 2**32 for text in texts]

        def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
            command = super().decide(event, messages).command
            if event.choice.method not in ("generate", "vote"):
                return Decision(command, command)
            if self._readable.random() < UNREADABLE:
                return Decision(SAID, SAID, is_free=True, reply=Reply(SAID))
            text = f"{event.reading.mark} {command}\n".lstrip()
            return Decision(text, command, is_free=True, reply=Reply(text))

    return Masked


MASKED: Mapping[str, type[ModelFreePolicy]] = {policy.name: policy for policy in map(_masked, TWINS.values())}
"""The twins in a model's clothes, by name."""
ALONE: Mapping[str, type[ModelFreePolicy]] = {**MODEL_FREE, **MASKED}
"""All policies that play without a model."""
