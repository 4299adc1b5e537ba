"""Controls: what else might explain the gain of a run, what its event log proves, and the results table of models times benchmarks.

Holds the evaluation of a harness on a split, baselines, ablations, the audit, the choice of a seed and the table. The top of evolution:
the command line alone imports it; it imports every other room.
"""
