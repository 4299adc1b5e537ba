"""Graphics processors that this llama.cpp can use, and their memory."""

import ctypes
from dataclasses import dataclass

from llama_cpp._ggml import libggml as _ggml

from homebody.agents.models.llama import log  # noqa: F401  It starts the library, which finds the devices.

_KINDS = (1, 2)  # GPU and IGPU of ggml-backend.h.
_count, _get, _kind, _memory = (getattr(_ggml, f"ggml_backend_dev_{name}") for name in ("count", "get", "type", "memory"))
_count.restype = ctypes.c_size_t
_get.restype, _get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
_kind.restype, _kind.argtypes = ctypes.c_int, [ctypes.c_void_p]
_memory.restype, _memory.argtypes = None, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]


@dataclass(frozen=True)
class Memory:
    """Bytes of all graphics processors together: llama.cpp divides the layers among them."""

    free: int
    total: int


def graphics_memory() -> Memory | None:
    """Return the memory of the graphics processors; None where this llama.cpp has none."""
    found = []
    for number in range(_count()):
        device, free, total = _get(number), ctypes.c_size_t(), ctypes.c_size_t()
        if _kind(device) in _KINDS:
            _memory(device, ctypes.byref(free), ctypes.byref(total))
            found.append(Memory(free.value, total.value))
    return Memory(sum(memory.free for memory in found), sum(memory.total for memory in found)) if found else None
