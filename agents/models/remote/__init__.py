"""A model on a server that speaks OpenAI's protocol, as a backend; see `OpenAICompatible`."""

from homebody.agents.models.remote.backend import OpenAICompatible

__all__ = ["OpenAICompatible"]
