"""The processor library: importing this package fills the table."""

from homebody.agents.processors import context, control, memory, playbook, prior
from homebody.agents.processors.base import REGISTRY, Processor, UnknownProcessorError, defaults, find, params_schema, register

__all__ = [
    "REGISTRY",
    "Processor",
    "UnknownProcessorError",
    "context",
    "control",
    "defaults",
    "find",
    "memory",
    "params_schema",
    "playbook",
    "prior",
    "register",
]
