"""What kind of model a name stands for, as far as a harness has to be made for it: known without loading it."""

from __future__ import annotations

from dataclasses import dataclass

from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Thinking
from homebody.agents.models.gguf import has_word, read_header
from homebody.agents.models.names import is_remote, resolve
from homebody.agents.models.thinking import find_marks


@dataclass(frozen=True)
class ModelKind:
    """How a model was trained, and how large it is."""

    is_chat: bool
    """Whether it has a chat template; a base model has none."""
    thinks: bool
    """Whether that template knows a thought before the answer."""
    n_weights: int | None
    """Number of weights, embeddings included; None where a server does not tell."""


def kind_of(model: str) -> ModelKind:
    """Return the kind of a model: from the head of its file, or as its server says.

    A server that does not show its template is taken for one of a model that chats and does not think.

    Args:
        model: see `homebody.agents.models.names.load`. A file that is not there yet is prepared or fetched.

    Raises:
        AgentError: there is no such model, its file is damaged, its template cannot render a chat, or
            its server cannot be reached.
    """
    if is_remote(model):
        from homebody.agents.models.remote import OpenAICompatible

        with OpenAICompatible(model) as server:
            return ModelKind(True, server.thinks(Thinking("on")), None)
    path = resolve(model)
    header = read_header(path)
    source = header.metadata.get("tokenizer.chat_template")
    if not isinstance(source, str) or not source:
        return ModelKind(False, False, header.n_weights)
    # As `homebody models info` tells it.
    marks = find_marks(ChatTemplate(source, bos="", eos="", model=model), lambda mark: has_word(path, mark))
    return ModelKind(True, marks is not None, header.n_weights)
