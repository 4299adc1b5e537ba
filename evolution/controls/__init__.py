"""Controls: what else might explain the gain of a run, and what its event log proves."""
