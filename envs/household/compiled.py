"""How the functions of the household are compiled, and what keeps numba's disk cache honest.

numba keeps machine code beside the sources and drops it when the file of a function changes. A function that inlines functions, or takes
constants, of other files keeps its old code when only those change: after an update of the package it would play by old rules. So the
cache of this folder is dropped whenever one of `SOURCES` has changed.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from numba import njit

SOURCES: Final = ("command", "compiled", "layout", "problem", "rules", "search", "sight", "spots", "view")
"""The modules with compiled functions, and those whose constants these take."""
STAMP: Final = "numba-sources"
"""Name of the file, beside the cached code, with the hash of the sources that it was made from."""


def drop_stale_code(folder: Path) -> None:
    """Remove the machine code that numba has kept in a folder if one of `SOURCES` there has changed; a read-only one is left alone."""
    cache = folder / "__pycache__"
    sources = hashlib.sha256()
    for name in SOURCES:
        sources.update((folder / f"{name}.py").read_bytes() + b"\0")
    stamp = cache / STAMP
    with suppress(OSError):
        if stamp.is_file() and stamp.read_text("utf-8") == sources.hexdigest():
            return
        cache.mkdir(exist_ok=True)
        for path in (*cache.glob("*.nbi"), *cache.glob("*.nbc")):
            path.unlink(missing_ok=True)
        stamp.write_text(sources.hexdigest(), "utf-8")


drop_stale_code(Path(__file__).parent)

kernel = njit(cache=True, error_model="numpy")
"""How the functions of the household are compiled: no checks for division by zero."""
inlined = njit(cache=True, error_model="numpy", forceinline=True)
"""The same for what other compiled functions call: a call that is not inlined counts references to arrays, which is slow."""
