"""The processor library: importing this package fills the table."""

from homebody.agents.processors import (
    code,
    context,
    control,
    environment,
    evaluation,
    examples,
    memory,
    playbook,
    prior,
    record,
    repair,
    sample,
    template,
    tool,
)
from homebody.agents.processors.base import REGISTRY, Processor, UnknownProcessorError, defaults, find, params_schema, register

__all__ = [
    "REGISTRY",
    "Processor",
    "UnknownProcessorError",
    "code",
    "context",
    "control",
    "defaults",
    "environment",
    "evaluation",
    "examples",
    "find",
    "memory",
    "params_schema",
    "playbook",
    "prior",
    "record",
    "register",
    "repair",
    "sample",
    "template",
    "tool",
]
