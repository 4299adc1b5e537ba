"""Whether a model will fit the memory, told before it is loaded: the system would end the process without a word.

Counts what is free now to this process: the kernel's own estimate, less what a container or a limit of the shell allows. Knows nothing of
graphics memory. Where a system does not tell (any but Linux), nothing is checked.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from homebody.agents.errors import ModelTooBigError
from homebody.agents.models.gguf import Header

MEMINFO = Path("/proc/meminfo")
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
STATUS = Path("/proc/self/statm")


def available_bytes() -> int | None:
    """Return the bytes that this process may still take, or None where the system does not tell."""
    if sys.platform != "linux":
        return None
    import resource

    limits = []
    with contextlib.suppress(OSError, StopIteration):
        line = next(line for line in MEMINFO.read_text("ascii").splitlines() if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # Without a limit it holds "max".
        limits.append(int(CGROUP_LIMIT.read_text("ascii")))  # Cached files count towards it and can be dropped: nothing is deducted.
    for kind, column in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY and STATUS.exists():
            limits.append(max(0, limit - int(STATUS.read_text("ascii").split()[column]) * resource.getpagesize()))
    return min(limits, default=None)


def check_fits(path: object, header: Header, n_ctx: int) -> None:
    """Check that a model of this head can be loaded.

    Raises:
        ModelTooBigError: it needs more memory than there is.
    """
    available = available_bytes()
    needed = header.memory_bytes(n_ctx)
    if available is not None and needed > available:
        raise ModelTooBigError(path, needed, available, n_ctx)
