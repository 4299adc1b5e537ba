"""The one JSON text of a value, and its hash: what specs, records and stores are compared and named by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any


def canonical(value: object, default: Callable[[Any], Any] | None = None) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, no NaN; `default` makes JSON of what is none."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default)


def digest(value: object, default: Callable[[Any], Any] | None = None) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex."""
    # Half a surrogate pair has no UTF-8: a processor's own Python may have made one.
    return hashlib.sha256(canonical(value, default).encode("utf-8", "surrogatepass")).hexdigest()
