"""Processors, what a harness is made of: prompts, answers, tools, memory, control; a module for each thing they do.

They import the models, the hooks and the grammar of commands. `homebody.agents.harness.library` knows them by name; skills and
the harness import them, and evolution its edit operators.
"""

from homebody.agents.processors.base import Processor, register

__all__ = ["Processor", "register"]
