"""What is done with model files before anybody plays: describe them, fetch and verify them, and measure which copy is the fastest.

llama.cpp repacks some quantizations for the processor at hand and not others, so a re-quantized copy may be several times faster; which,
is measured and not guessed. A known name always stands for the same file all the same, because published figures depend on it: the faster
copy has a name of its own, as in ``gemma3-270m@q4_0``.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homebody.agents.errors import BadChatTemplateError, BadModelFileError, BadRequestError
from homebody.agents.models.cache import cache_folder
from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Generation
from homebody.agents.models.gguf import Header, has_word, read_header, sha256_of
from homebody.agents.models.hub import hub_file, revision_of
from homebody.agents.models.known import KNOWN, VARIANTS
from homebody.agents.models.names import N_CTX, is_installed, is_prepared, is_remote, known_file, load, resolve
from homebody.agents.models.provenance import add_to_record, read_record, record_beside
from homebody.agents.models.thinking import find_marks
from homebody.agents.models.tool_call import NO_FORM
from homebody.envs.download import DownloadError, Progress

_PROSE = "The sun rises in the east and sets in the west. "
_PROMPT_TOKENS = 256
_GENERATED_TOKENS = 32
_REPEATS = 3


@dataclass(frozen=True)
class Speed:
    """How fast a model file runs here."""

    name: str
    """What it is called."""
    quantization: str
    """Type of most of its tensors."""
    size_bytes: int
    """Of the file."""
    prompt_tokens_per_s: float
    """Tokens of a new prompt evaluated in a second of processor time; one thread, median of three."""
    decode_tokens_per_s: float
    """Tokens generated in a second of processor time; one thread, median of three."""

    @property
    def seconds(self) -> float:
        """Processor time of 256 tokens of prompt and 32 generated: what the fastest is chosen by."""
        return _PROMPT_TOKENS / self.prompt_tokens_per_s + _GENERATED_TOKENS / self.decode_tokens_per_s


def describe(name: str, n_ctx: int = N_CTX) -> dict[str, Any]:
    """Return what a model is: of a file what its head says, of a server's what the server says.

    Args:
        name: see `homebody.agents.models.names.load`.
        n_ctx: tokens of context that the memory is estimated for.

    Raises:
        AgentError: there is no such model.
    """
    if is_remote(name):
        from homebody.agents.models.remote import OpenAICompatible

        with load(name) as backend:
            thinking = backend.about_thinking() if isinstance(backend, OpenAICompatible) else ""
            return {"name": name, **backend.fingerprint, "thinking": thinking}
    path = resolve(name)
    header = read_header(path)
    header.check_whole(path)
    return {
        "name": name,
        "model": header.metadata.get("general.name", ""),
        "architecture": header.architecture,
        "layers": header.number("block_count"),
        "context": header.number("context_length"),
        "words": header.n_words,
        "quantization": header.quantization,
        **_asked(name, path, header),
        "size_bytes": header.size_bytes,
        "memory_context": min(n_ctx, header.number("context_length", n_ctx)),
        "memory_bytes": header.memory_bytes(n_ctx),
        "sha256": sha256_of(path),
        **_origin(name, header),
    }


def _origin(name: str, header: Header) -> dict[str, Any]:
    """Return of how many files a model is, where several, and the revision of one from the hub."""
    revision = revision_of(name)
    return ({"parts": len(header.parts)} if header.parts else {}) | ({"revision": revision} if revision else {})


def _asked(name: str, path: Path, header: Header) -> dict[str, str]:
    """Return how a model is asked: whether it has a template, whether it thinks and calls tools, and the sampling that its maker says."""
    source = header.metadata.get("tokenizer.chat_template")
    sampling = ", ".join(f"{key} {value:.6g}" for key, value in header.sampling.items()) or "none said"
    if not isinstance(source, str) or not source:
        return {"chat_template": "no", "thinking": "no", "tools": NO_FORM, "sampling": sampling}
    try:
        template = ChatTemplate(source, bos="", eos="", model=name)
    except BadChatTemplateError as error:
        return {"chat_template": f"of no use: {error}", "thinking": "no", "tools": NO_FORM, "sampling": sampling}
    marks = find_marks(template, lambda mark: has_word(path, mark))
    form = template.tool_form
    return {
        "chat_template": "yes",
        "thinking": str(marks) if marks else "no",
        "tools": str(form) if form else NO_FORM,
        "sampling": sampling,
    }


def fetch_model(name: str, sha256: str = "", progress: Progress | None = None) -> dict[str, Any]:
    """Fetch a file from the hub, unless it is there, and record its hash beside it.

    Args:
        name: ``hf:owner/repo:file``.
        sha256: that it must have, in hexadecimal; empty to trust what the hub announces.
        progress: told after each block.

    Raises:
        BadRequestError: the name or the hash is none.
        BadModelFileError: what came is not a whole model file.
        homebody.envs.download.DownloadError: it could not be fetched whole, or has another hash.
    """
    if not name.startswith("hf:"):
        raise BadRequestError("the file to fetch", name, "hf:owner/repo:file; other models are prepared, see homebody models prepare")
    sha256 = sha256.lower()
    if sha256 and (len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef")):
        raise BadRequestError("the SHA-256", sha256, "64 hexadecimal digits")
    path = resolve(name, progress, sha256)
    found = sha256_of(path)
    if sha256 and found != sha256:  # It was there before this call.
        raise DownloadError(hub_file(name)[0], f"the copy in the cache has the SHA-256 {found}, not {sha256}; delete {path} first")
    header = read_header(path)
    header.check_whole(path)
    add_to_record(_record_path(path), url=hub_file(name)[0], sha256=found, size_bytes=header.size_bytes)
    return {"name": name, "file": str(path), "sha256": found, "size_bytes": header.size_bytes, **_origin(name, header)}


def verify(name: str, progress: Progress | None = None) -> dict[str, Any]:
    """Compute a model file's hash anew, and compare it with what is known of it; prepare it first where it is not there yet.

    Returns:
        name, file, sha256, size_bytes, and ``compared_with``: "the published figures", "the file that is known by this name",
        "the record of its download", or "nothing".

    Raises:
        BadModelFileError: it is not there, not whole, or another file than it should be.
    """
    if name.startswith("hf:") and not is_prepared(name) and name.rpartition("@")[2] not in VARIANTS:
        raise BadModelFileError(name, "is not fetched yet", "run homebody models fetch")
    path = resolve(name, progress)
    header = read_header(path)
    header.check_whole(path)
    found = sha256_of(path)
    expected, source = "", "nothing"
    if file := known_file(name):
        expected, source = file.sha256, "the published figures" if name in KNOWN else "the file that is known by this name"
    elif recorded := read_record(_record_path(path)).get("sha256"):
        expected, source = recorded, "the record of its download"
    if expected and found != expected:
        remedy = "delete it and run homebody models prepare, or fetch it again; a copy re-quantized on another kind of processor may differ"
        raise BadModelFileError(path, f"its SHA-256 is {found}, that of {source} is {expected}", remedy)
    return {"name": name, "file": str(path), "sha256": found, "size_bytes": header.size_bytes, "compared_with": source}


def prepare(name: str, variants: Sequence[str] = ("q4_0",), progress: Progress | None = None) -> dict[str, Any]:
    """Prepare a model, measure it and re-quantized copies of it, and keep the fastest of those copies if it is faster.

    A copy that was there before this call stays in any case. The measurement is written as JSON beside the file.

    Args:
        name: a known name, a path or ``hf:owner/repo:file``.
        variants: quantizations to try.
        progress: see `homebody.agents.models.names.resolve`.

    Returns:
        name, sha256, ``candidates`` (fields of `Speed`), ``fastest`` (its name, to be given as a model from now on), ``machine``.

    Raises:
        AgentError: there is no such model, or it cannot be loaded.
    """
    path = resolve(name, progress)
    known = KNOWN.get(name)
    base = measure(path, name)
    speeds = []
    if known and known.copy and is_installed(known):
        shipped = f"{name}@{known.shipped.file.quantization.lower()}"
        speeds.append(measure(resolve(shipped, progress), shipped))
    made = []
    for variant in variants:
        before = set(_variants())
        copy = resolve(f"{name}@{variant}", progress)
        if copy != path:
            speeds.append(measure(copy, f"{name}@{variant}"))
            made += [(copy, speeds[-1])] if copy not in before else []
    best = min([base, *speeds], key=lambda speed: speed.seconds)
    for copy, speed in made:
        if speed is not best:
            copy.unlink()
    result = {
        "name": name,
        "sha256": sha256_of(path),
        "candidates": [asdict(speed) for speed in (base, *speeds)],
        "fastest": best.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }
    add_to_record(_record_path(path), measured=result)
    return result


def measure(path: Path, name: str) -> Speed:
    """Measure a model file on one thread. Processor time is counted, so that other programs disturb little."""
    prompts, decodes = [], []
    with load(str(path), n_ctx=_PROMPT_TOKENS + _GENERATED_TOKENS + 64) as backend:
        sentences = max(1, _PROMPT_TOKENS // backend.count_tokens((_PROSE,)))
        for repeat in range(_REPEATS):
            text = (f"Day {repeat}. " + _PROSE * sentences,)  # Another prompt each time: nothing of it is in the cache.
            before, started = backend.usage.snapshot(), time.process_time()
            backend.chat(text, Generation(tokens=1))
            after, evaluated = backend.usage.snapshot(), time.process_time()
            backend.chat(text, Generation(tokens=_GENERATED_TOKENS))
            decoded = time.process_time()
            prompts.append((after - before).prompt_tokens / (evaluated - started))
            decodes.append((backend.usage - after).generated_tokens / (decoded - evaluated))
    header = read_header(path)
    return Speed(name, header.quantization, header.size_bytes, round(statistics.median(prompts), 1), round(statistics.median(decodes), 1))


def _variants() -> Iterable[Path]:
    return (cache_folder() / "variants").glob("*.gguf")


def _record_path(path: Path) -> Path:
    """Return where a file's record is: beside it, or in the cache for a file outside of it."""
    if path.is_relative_to(cache_folder()):
        return record_beside(path)
    return cache_folder() / "variants" / f"{path.stem}-{sha256_of(path)[:12]}.json"
