"""How the functions of the household are compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from homebody.envs.compiled import code_folders, compiler

SOURCES: Final = (
    "command",
    "compiled",
    "layout",
    "problem",
    "rules",
    "search",
    "sight",
    "spots",
    "view",
)
"""The modules with compiled functions, and all those whose constants these take."""

_folders = code_folders("household", [Path(__file__).with_name(f"{name}.py") for name in SOURCES])

kernel = compiler(_folders)
"""How most functions are compiled."""
inlined = compiler(_folders, forceinline=True)
"""The same for what other compiled functions call: a call that is not inlined counts references to
arrays, which is slow."""
