"""Controls: what else might explain the gain of a run, what its event log proves, and the results table of models times benchmarks."""
