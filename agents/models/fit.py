"""Whether a model will fit the memory and how fast it will be, told before it is loaded.

The system would end the process without a word, and a large model on one thread seems to hang. Counts what is free now to this
process: the kernel's own estimate, less what a container or a limit of the shell allows. Where a system does not tell (any but
Linux), nothing is checked. The memory of graphics processors is given by the caller.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from homebody.agents.errors import GpuTooSmallError, ModelTooBigError
from homebody.agents.models.gguf import Header

MEMINFO = Path("/proc/meminfo")
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
STATUS = Path("/proc/self/statm")

WRITTEN_BYTES_PER_S, READ_BYTES_PER_S = 7.5e9, 38e9
"""Bytes of a Q4_0 model times tokens a second of one busy thread: Qwen2.5-Coder 0.5B and 1.5B wrote 17 and 7, and read 113 and 35."""
SLOW_TOKENS_PER_S = 3.0
"""A model that writes fewer is announced as slow."""
SLOW_BYTES = WRITTEN_BYTES_PER_S / SLOW_TOKENS_PER_S
"""Bytes of a model that writes so many on one thread."""


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


def gpu_bytes(header: Header, n_ctx: int, gpu_layers: int) -> int:
    """Estimate the graphics memory of one copy of a model.

    Args:
        header: of its file.
        n_ctx: tokens of context.
        gpu_layers: layers on the GPU; -1 for all. llama.cpp counts the output as one more.
    """
    layers = header.number("block_count") + 1
    return header.memory_bytes(n_ctx) * (min(gpu_layers, layers) if gpu_layers >= 0 else layers) // layers


def check_fits_gpu(path: object, header: Header, n_ctx: int, gpu_layers: int, *, copies: int, free: int) -> None:
    """Check that copies of a model can be loaded, each process having one.

    Args:
        path: of the file.
        header: of the file.
        n_ctx: tokens of context.
        gpu_layers: see `gpu_bytes`.
        copies: processes that will load it.
        free: bytes of graphics memory.

    Raises:
        GpuTooSmallError: they need more.
    """
    each = gpu_bytes(header, n_ctx, gpu_layers)
    if copies * each > free:
        raise GpuTooSmallError(path, each, copies, free)


def slowness(name: str, header: Header, n_threads: int) -> str:
    """Return a line on how slow a model will be on so many threads of a processor; empty for one that is fast enough."""
    used, count = header.number("expert_used_count"), header.number("expert_count")
    active = header.size_bytes * (used / count if 0 < used < count else 1.0)  # Nearly all weights of such a model are experts'.
    written, read = (n_threads * rate / max(active, 1.0) for rate in (WRITTEN_BYTES_PER_S, READ_BYTES_PER_S))
    if written >= SLOW_TOKENS_PER_S:
        return ""
    threads = "one processor thread" if n_threads == 1 else f"{n_threads} processor threads"
    return (
        f"{name}: {header.size_bytes / 1e9:.1f} GB on {threads}: about {written:.1f} tokens a second written and {read:.1f} read, "
        "estimated from its size; --threads, --gpu-layers or a server make it faster"
    )
