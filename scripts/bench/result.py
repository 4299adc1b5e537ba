"""What every bench reports: the machine, and one row for each thing measured."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, TypedDict

from homebody.evolution.controls import provenance


class Measured(TypedDict):
    """A row of a bench's `results`."""

    name: str
    """What was measured."""
    value: float
    """The median over the repeats."""
    unit: str
    """Of `value` and of `peer_value`; less of it is better, where there is a peer."""
    peer: str | None
    """What it is compared with; None where there is nothing."""
    peer_value: float | None
    """The same of the peer."""
    ratio: float | None
    """How many times better than the peer's it is."""
    repeats: int
    """How often it was measured."""


def result(name: str, value: float, unit: str, repeats: int, peer: str | None = None, peer_value: float | None = None) -> Measured:
    """Return a row of a bench's `results`, with its ratio."""
    ratio = None if peer_value is None else peer_value / value
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio, "repeats": repeats}


def machine() -> dict[str, Any]:
    """Return what the figures of a bench depend on, besides the code."""
    return {**provenance.machine(), "numba": version("numba"), "numpy": version("numpy")}
