"""Traces in, better harness out: digests, edits, the gate, controls and figures."""
