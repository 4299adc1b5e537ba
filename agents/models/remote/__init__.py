"""A model on a server that speaks OpenAI's protocol, as a backend: `OpenAICompatible`.

Imports the protocol of backends and what models share; what loads or describes a model imports it, and the adapters its messages.
"""

from homebody.agents.models.remote.backend import OpenAICompatible

__all__ = ["OpenAICompatible"]
