"""A model without weights, for processes of their own: `mock_model:Mock`. What it says depends on the prompt alone."""

from collections.abc import Sequence
from zlib import crc32

from homebody.agents.models.backend import Prompt, Tool, parts
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted


class Mock(Scripted):
    """Repeats a line of the last message, which is a command more often than not; scores are numbers as good as drawn."""

    def __init__(self) -> None:
        super().__init__(scores=lambda prompt, text: -(crc32(f"{prompt}\0{text}".encode()) % 1000) / 100, name="mock")

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        segments, messages = parts(prompt)
        text = str(messages[-1]["content"]) if messages else "".join(segments)
        lines = [line.strip("-> ") for line in text.splitlines() if line.strip()]
        self.enqueue(lines[crc32(repr(prompt).encode()) % len(lines)] if lines else "")
        return super().chat(prompt, generation, tools)
