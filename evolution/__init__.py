"""Traces in, better harness out: digests, edits, the gate, controls and figures."""

from homebody.evolution.config import EvolveConfig
from homebody.evolution.evaluation import evaluate
from homebody.evolution.loop import evolve

__all__ = ["EvolveConfig", "evaluate", "evolve"]
