"""Traces in, better harness out: digests, edits, the gate, controls and figures.

`evolve` and `evaluate` are the library's door; each room's docstring says who may import it.
"""

from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.loop import evolve

__all__ = ["EvolveConfig", "evaluate", "evolve"]
