"""For the tests of this folder: a model that repeats one sentence."""

from collections.abc import Callable, Sequence

import pytest

from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted


class Fixed(Scripted):
    """Whatever it is asked, it writes the same sentence; the shorter a text, the likelier it is to it, a character too."""

    def __init__(self, name: str = "fixed") -> None:
        super().__init__(name=name, scores=lambda prompt, text: -float(len(text) ** 2))
        self.fingerprint["sha256"] = "f1"

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue("I will do my best.")
        return super().chat(prompt, generation, tools)


@pytest.fixture(scope="session")
def load_fixed() -> Callable[..., Fixed]:
    """What loads that model, whatever the name."""
    return lambda name, **settings: Fixed(name)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch, load_fixed: Callable[..., Fixed]) -> str:
    """A name under which that model is loaded."""
    monkeypatch.setattr(names, "load", load_fixed)
    return "fixed"
