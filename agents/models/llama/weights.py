"""Model files: checked, loaded by llama.cpp, and written again in another quantization."""

import ctypes
import os
from pathlib import Path
from typing import Any

import llama_cpp

from homebody.agents.errors import BadModelFileError, BadRequestError
from homebody.agents.models.gguf import sha256_of
from homebody.agents.models.llama.log import counted, errors, reason, signals_held
from homebody.envs.download import Progress

_QUANTIZATIONS: dict[int, str] = {
    number: name.removeprefix(prefix)
    for prefix in ("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_")
    for name, number in vars(llama_cpp).items()
    if name.startswith(prefix)
}
"""Names of the quantizations by llama.cpp's number."""


def check_file(path: Path | str) -> str:
    """Return the SHA-256 of a file that begins as a GGUF file does; of a model in several files, of all.

    Raises:
        BadModelFileError: it cannot be read, or begins otherwise.
    """
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise BadModelFileError(path, f"is not a GGUF file (begins with {magic!r})")
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower()) from error
    return sha256_of(Path(path))


def load_model(path: Path | str, gpu_layers: int) -> Any:
    """Return llama.cpp's handle of a model that adds no leading space to texts.

    Raises:
        BadModelFileError: llama.cpp refuses the file.
    """
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    overrides = (llama_cpp.llama_model_kv_override * 2)()  # The second one, empty, ends the list.
    overrides[0].key = b"tokenizer.ggml.add_space_prefix"
    overrides[0].tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_BOOL
    value: Any = overrides[0].value
    value.val_bool = False
    params.kv_overrides = overrides
    errors.clear()
    with signals_held() as held:
        params.progress_callback = llama_cpp.llama_progress_callback(lambda share, _: not held)
        model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if held and model is not None:
            llama_cpp.llama_model_free(model)
    if model is None:
        raise BadModelFileError(path, f"llama.cpp refuses it: {reason()}")
    return model


def requantize(source: Path, target: Path, quantization: str = "Q4_0", progress: Progress | None = None) -> None:
    """Write a copy of a GGUF model, already quantized or not, in another quantization.

    llama.cpp repacks some types for the CPU at hand, Q4_0 and Q8_0 among them: prompts run faster.

    Args:
        source: the model.
        target: where the copy goes.
        quantization: one of llama.cpp's "mostly" types, such as Q4_0 or Q8_0.
        progress: told after each tensor, in bytes of the source; all tensors count the same.

    Raises:
        BadModelFileError: llama.cpp cannot read the source or write the target.
        BadRequestError: llama.cpp has no such quantization.
    """
    params = llama_cpp.llama_model_quantize_default_params()
    if quantization not in _QUANTIZATIONS.values():
        raise BadRequestError("the quantization", quantization, ", ".join(sorted(_QUANTIZATIONS.values())))
    params.ftype = next(number for number, name in _QUANTIZATIONS.items() if name == quantization)
    params.allow_requantize = True
    params.nthread = 1
    errors.clear()
    size = source.stat().st_size if progress else 0
    with signals_held(), counted(lambda done, total: progress(size * done // total, size) if progress else None):
        failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(params)) != 0
    if failed:
        raise BadModelFileError(source, f"llama.cpp cannot re-quantize it: {reason()}", "check the file, and the free disk space")


def quantization(file_type: str) -> str:
    """Return the name of a quantization, such as Q4_0, from the number that metadata give it."""
    return _QUANTIZATIONS.get(int(file_type), f"LLAMA_FTYPE_{file_type}") if file_type.isdecimal() else "LLAMA_FTYPE_UNKNOWN"
