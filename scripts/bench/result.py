"""What every bench reports: the machine, and one row for each thing measured."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from homebody.evolution.controls import provenance


def result(name: str, value: float, unit: str, repeats: int, peer: str | None = None, peer_value: float | None = None) -> dict[str, Any]:
    """Return a row of a bench's `results`.

    Args:
        name: What was measured.
        value: The median over the repeats.
        unit: Of `value` and of `peer_value`; less of it is better, where there is a peer.
        repeats: How often it was measured.
        peer: What it is compared with; `None` where there is nothing.
        peer_value: The same of the peer.
    """
    ratio = None if peer_value is None else peer_value / value
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio, "repeats": repeats}


def machine() -> dict[str, Any]:
    """Return what the figures of a bench depend on, besides the code."""
    return {**provenance.machine(), "numba": version("numba"), "numpy": version("numpy")}
