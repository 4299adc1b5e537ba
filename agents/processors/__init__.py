"""The processor library: importing this package fills the table, the skills included."""

from homebody.agents.processors import (
    code,
    context,
    control,
    environment,
    evaluation,
    examples,
    memory,
    model,
    prior,
    record,
    repair,
    sample,
    template,
    tool,
)
from homebody.agents.processors.base import REGISTRY, Processor, UnknownProcessorError, defaults, find, known, params_schema, register
from homebody.agents.skills import learned_plan, location_memory, page_values

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
    "known",
    "learned_plan",
    "location_memory",
    "memory",
    "model",
    "page_values",
    "params_schema",
    "prior",
    "record",
    "register",
    "repair",
    "sample",
    "template",
    "tool",
]
