"""Model names to model files, and names to backends.

A name is one of these; the first three may end in ``@q4_0`` or ``@q8_0`` for a re-quantized copy:

- one of `KNOWN`, which stands for one file, whatever there is beside it, because published figures depend on it; with the quantization of
  what its packages carry at its end, as in ``qwen2.5-coder-0.5b@q4_k_m``, it stands for that;
- the path of a ``.gguf`` file; of a model in several files the first;
- ``hf:owner/repo:file`` for a file on the hub of Hugging Face (or on the server that ``HF_ENDPOINT`` names): the commit that its main
  branch had when it was first fetched, or with ``hf:owner/repo@revision:file`` another revision;
- the address of a server, ``http://HOST:PORT/v1#MODEL``, which has no file here.

What has to be prepared or fetched is kept in ``$HOMEBODY_CACHE/models``, by default ``${XDG_CACHE_HOME:-~/.cache}/homebody/models``; a
file there is whole, because it gets its name last.

A file is read as far as its head before it is loaded: one that is truncated, of another kind, or too large for the memory is an error
there. Nothing heavy is imported until a model is prepared or loaded.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homebody.agents.errors import (
    AgentError,
    BadModelFileError,
    BadRequestError,
    ModelNotFoundError,
    ModelPackageMissingError,
    NoServerError,
)
from homebody.agents.models.cache import cache_folder, made
from homebody.agents.models.fit import SLOW_BYTES, check_fits, check_fits_gpu, slowness
from homebody.agents.models.gguf import part_paths, read_header, sha256_of
from homebody.agents.models.hub import HUB_HOSTS, HUB_NAME, fetched, hub_endpoint, hub_file
from homebody.agents.models.known import KNOWN, VARIANTS, KnownModel
from homebody.agents.models.packaged import ModelFile
from homebody.envs.download import Progress
from homebody.envs.file import expand_path

if TYPE_CHECKING:
    from homebody.agents.models.llama import LlamaCpp
    from homebody.agents.models.remote import OpenAICompatible


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


N_CTX = 4096
"""Tokens of context that a model of this machine is given where nothing else is asked for."""


def is_remote(name: str) -> bool:
    """Tell whether a name is a server's address.

    Raises:
        NoServerError: it is the address of a hub's page, or of a file.
    """
    is_address = name.startswith(("http://", "https://"))
    parts = re.match(r"(?:https?://)?(?:[^/@]*@)?(?P<host>[^/?#]+)/*(?P<path>[^?#]*)", name)
    host, path = (parts["host"].lower(), parts["path"].rstrip("/")) if parts else ("", "")
    if not is_address and (host not in HUB_HOSTS or Path(name).exists()):
        return False
    is_file = path.lower().endswith(".gguf")
    is_hub = host in (*HUB_HOSTS, hub_endpoint().partition("://")[2].partition("/")[0].lower())
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

    Two processes may do this at once: one prepares, and the other waits for it; where the system cannot make it wait, it works in a file
    of its own. (Not so two that fetch one file from the hub: they share the part that is there.)

    Args:
        name: a known name, a path, or ``hf:owner/repo:file``; each may end in ``@q4_0`` or ``@q8_0``, and a known one in ``@`` and the
            quantization of what its packages carry.
        progress: told of the progress of each step: fetching, joining, re-quantizing.
        sha256: that a file from the hub must have; empty where it is not known.

    Raises:
        ModelNotFoundError: the name is none of these.
        NoServerError: it is the address of a hub's page, or of a file.
        BadRequestError: there is no such variant, or the name is a server's address.
        ModelPackageMissingError: a package with the weights is not installed.
        BadModelFileError: there is no such file, or the weights in the packages are damaged or another model's.
        homebody.envs.download.DownloadError: the file could not be fetched whole.
        CacheError: the cache cannot be written to.
    """
    if known := KNOWN.get(name):
        return _known_file(known, known.file, progress)
    if is_remote(name):
        raise BadRequestError("the model", name, "one whose file is on this machine")
    base, at, variant = name.rpartition("@")
    if known := KNOWN.get(base):
        if variant not in known.quantizations:
            raise BadRequestError("the quantization after @", variant, " or ".join(known.quantizations))
        file = known.variant(variant)
        return _known_file(known, file, progress) if file else variant_file(_shipped(known, progress), variant, progress)
    if not name:
        raise ModelNotFoundError(name, KNOWN)
    if at and not HUB_NAME.fullmatch(name) and not expand_path(name).exists():
        if variant not in VARIANTS:
            raise BadRequestError("the quantization after @", variant, " or ".join(VARIANTS))
        return variant_file(resolve(base, progress, sha256), variant, progress)
    if name.startswith("hf:"):
        return fetched(name, progress, sha256)
    path = expand_path(name)
    if path.exists():
        return path
    if path.suffix == ".gguf":
        raise BadModelFileError(name, "no such file")
    raise ModelNotFoundError(name, KNOWN)


def known_file(name: str) -> ModelFile | None:
    """Return what is known of the file that a name stands for; None where its content is not known before it is read."""
    base, _, variant = name.rpartition("@")
    if known := KNOWN.get(name):
        return known.file
    return KNOWN[base].variant(variant) if base in KNOWN else None


def is_prepared(name: str) -> bool:
    """Tell whether `resolve` would find the file in the cache; True for a name that needs nothing from there, too."""
    if file := known_file(name):
        return (cache_folder() / file.name).exists()
    if is_remote(name):
        return True
    if name.startswith("hf:") and HUB_NAME.fullmatch(name):
        return all(path.exists() for path in part_paths(hub_file(name)[1]))
    return "@" not in name


def variant_file(source: Path, variant: str, progress: Progress | None = None) -> Path:
    """Return a re-quantized copy of a model file, made where it is not there yet; the file itself if it is of that type.

    The copy's name holds the beginning of the source's SHA-256: another file of the same name gets a copy of its own.

    Raises:
        BadModelFileError: llama.cpp cannot read the source.
        CacheError: the cache cannot be written to.
    """
    if read_header(source).quantization == variant.upper():
        return source
    target = cache_folder() / "variants" / f"{source.stem}-{sha256_of(source)[:12]}@{variant}.gguf"

    return made(target, 0, lambda path: _requantize(source, path, variant, progress))


def load(
    name: str,
    *,
    n_ctx: int | None = None,
    n_threads: int = 1,
    gpu_layers: int = 0,
    n_batch: int = 512,
    timeout_s: float | None = None,
    key_name: str = "",
    copies: int = 1,
    progress: Progress | None = None,
) -> "LlamaCpp | OpenAICompatible":
    """Return a backend for a model.

    Args:
        name: see `resolve`; or a server's address, see `homebody.agents.models.remote.OpenAICompatible`.
        n_ctx: tokens of context, at most those that the model was trained with or the server has. None is `N_CTX`, or those if they
            are fewer; with a server what that has.
        n_threads: see `homebody.agents.models.llama.LlamaCpp`, as for the settings that follow; a server has its own.
        gpu_layers: layers on the GPU.
        n_batch: most tokens of one batch.
        timeout_s: seconds to wait for an answer of a server; None waits ten minutes.
        key_name: variable of the environment that holds the key of this server alone, where it is set.
        copies: processes that will load it, this one included: each has its own in the graphics memory.
        progress: see `resolve`.

    Raises:
        AgentError: there is no such model, or it cannot be loaded; the subclass says why.
    """
    if n_ctx is not None and n_ctx < 1:
        raise BadRequestError("the context", n_ctx, "at least 1 token")
    if is_remote(name):
        return _connect(name, n_ctx, n_threads, gpu_layers, timeout_s, key_name)
    if timeout_s is not None:
        raise BadRequestError("the time-out", timeout_s, "none with a model of this machine, which is waited for")
    path = resolve(name, progress)
    header = read_header(path)
    header.check_whole(path)
    header.check_model(path)
    trained = header.number("context_length")
    if n_ctx is not None and trained and n_ctx > trained:
        raise BadRequestError(f"the context of {name}", n_ctx, f"1 to {trained}, the tokens that it was trained with")
    n_ctx = n_ctx or N_CTX
    if gpu_layers == 0:
        check_fits(path, header, n_ctx)
    from homebody.agents.models.llama import LlamaCpp
    from homebody.agents.models.llama.device import graphics_memory

    if gpu_layers:
        memory = graphics_memory()
        if memory is None:
            raise BadRequestError("the number of layers on the GPU", gpu_layers, "0 without a GPU that llama-cpp-python is built for")
        check_fits_gpu(path, header, n_ctx, gpu_layers, copies=copies, free=memory.free)
    return LlamaCpp(path, name=name, n_ctx=n_ctx, n_threads=n_threads, gpu_layers=gpu_layers, n_batch=n_batch)


def slow_line(name: str, n_threads: int) -> str:
    """Return a line on how slow a prepared model will be; empty for a fast one, a server, and what is no model's name."""
    if is_remote(name) or not is_prepared(name):
        return ""
    try:
        path = resolve(name)
        if sum(part.stat().st_size for part in part_paths(path) if part.exists()) < n_threads * SLOW_BYTES:
            return ""  # To read its head takes a tenth of a second.
        return slowness(name, read_header(path), n_threads)
    except AgentError:  # Whoever loads it says what is wrong.
        return ""


def _connect(name: str, n_ctx: int | None, n_threads: int, gpu_layers: int, timeout_s: float | None, key_name: str) -> "OpenAICompatible":
    from homebody.agents.models.remote import OpenAICompatible

    for what, value, allowed in (("threads", n_threads, 1), ("layers on the GPU", gpu_layers, 0)):
        if value != allowed:
            raise BadRequestError(f"the number of {what}", value, f"{allowed} with a server, which has settings of its own")
    backend = OpenAICompatible(name, n_ctx=n_ctx, timeout_s=timeout_s, key_name=key_name)
    if n_ctx is not None and backend.n_ctx < n_ctx:
        backend.close()
        raise BadRequestError("the context", n_ctx, f"1 to {backend.n_ctx} with this server, which was started with that")
    return backend


def list_models() -> list[ModelInfo]:
    """Return the known models, and the files that were fetched from the hub."""
    infos = [
        ModelInfo(model.name, model.title, _state(model), model.file.size_bytes, model.file.quantization, model.licence)
        for model in KNOWN.values()
    ]
    hub = cache_folder() / "hf"
    found = sorted(hub.glob("*/*/**/*.gguf"))
    later = {part for path in found for part in part_paths(path)[1:]}
    for path in found:
        if path not in later:
            owner, repo, *file = path.relative_to(hub).parts
            sizes = {part.name: part.stat().st_size if part.exists() else 0 for part in part_paths(path)}
            missing = next((name for name, size in sizes.items() if not size), None)
            state = f"not whole: {missing} is missing" if missing else "ready"
            infos.append(ModelInfo(f"hf:{owner}/{repo}:{'/'.join(file)}", path.stem, state, sum(sizes.values()), "", ""))
    return infos


def is_installed(model: KnownModel) -> bool:
    """Tell whether what the model's packages carry is there: in the cache already, or in the packages."""
    return (cache_folder() / model.shipped.file.name).exists() or not model.shipped.missing()


def _state(model: KnownModel) -> str:
    if (cache_folder() / model.file.name).exists():
        return "ready"
    if is_installed(model):
        return "installed (prepared at its first use)"
    first, *rest = model.shipped.missing()
    more = f" and {len(rest)} more" if rest else ""
    return f'needs package {first.package}{more}: pip install "homebody[{model.shipped.extra}]"'


def _known_file(model: KnownModel, file: ModelFile, progress: Progress | None) -> Path:
    """Return one of the two files that are known of a model."""
    if file is model.shipped.file:
        return _shipped(model, progress)
    target = cache_folder() / file.name
    if target.exists():
        return target
    source = _shipped(model, progress)  # It takes the lock of the folder itself.
    return made(target, file.size_bytes, lambda path: _requantize(source, path, file.quantization, progress))


def _shipped(model: KnownModel, progress: Progress | None) -> Path:
    """Return what the model's packages carry: joined in the cache, or where it is, if it is in one piece."""
    shipped = model.shipped
    target = cache_folder() / shipped.file.name
    if target.exists():
        return target
    if missing := shipped.missing():
        raise ModelPackageMissingError(model.name, [part.package for part in missing], shipped.extra)
    if len(shipped.parts) == 1:
        path = shipped.parts[0].find()
        assert path is not None
        shipped.check(sha256_of(path))
        return path
    return made(target, shipped.file.size_bytes, lambda path: shipped.join(path, progress))


def _requantize(source: Path, target: Path, quantization: str, progress: Progress | None) -> None:
    from homebody.agents.models.llama import requantize

    requantize(source, target, quantization.upper(), progress)
