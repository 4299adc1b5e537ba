"""How the functions of the household are compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from homebody.envs.compiled import code_folders, compiler

SOURCES: Final = (
    "compiled.py",
    "engine/command.py",
    "engine/layout.py",
    "engine/problem.py",
    "engine/rules.py",
    "engine/view.py",
    "expert/abstraction.py",
    "expert/search.py",
    "symbolic/visibility.py",
)
"""The modules with compiled functions, and all those whose constants these take."""

_folders = code_folders("household", [Path(__file__).parent / name for name in SOURCES])

kernel = compiler(_folders)
"""How most functions are compiled."""
inlined = compiler(_folders, forceinline=True)
"""The same for what other compiled functions call: a call that is not inlined counts references to
arrays, which is slow."""
