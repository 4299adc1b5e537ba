"""Where figures come from: the version of homebody, its commit in a checkout, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from homebody.agents.content_hash import digest
from homebody.evolution.store import Store

ROOT = Path(__file__).resolve().parents[2]
"""Of the checkout, where this is one."""


def machine() -> dict[str, Any]:
    """Return what figures depend on besides the code: `processor`, `cores`, `system`, `python`."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def commit() -> str | None:
    """Return the commit of the checkout, with `-dirty` where it was changed; None where there is none, or no git."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def note(run_dir: Path) -> None:
    """Keep in a run with what it is played from here on; once, where that is as before."""
    found = {"version": version("homebody"), "commit": commit(), "machine": machine()}
    with Store(run_dir, readonly=True) as store:
        known = store.events("played with")
    if digest(found) != digest(known[-1] if known else None):
        with Store(run_dir) as store:
            store.append("played with", found)
