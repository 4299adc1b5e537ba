"""Tiny models with random weights, written as GGUF files: real architectures, loaded and run by llama.cpp in milliseconds."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from homebody.agents.models.llama import LlamaCpp

WORDS = (
    "go",
    "to",
    "take",
    "open",
    "look",
    "at",
    "from",
    "on",
    "in",
    "the",
    "shelf",
    "box",
    "cup",
    "lamp",
    "red",
    "blue",
    "you",
    "see",
    "a",
)
N_EMBD, N_HEAD, N_FF = 64, 4, 96
D_INNER, D_STATE, D_CONV, DT_RANK = 2 * N_EMBD, 16, 4, 4
WINDOW = 24
KV_HEADS = {"llama": [2, 2, 2], "gemma3": [2, 2, 2], "mamba": [0, 0, 0], "jamba": [0, 2, 0], "qwen35": [0, 2, 0]}
"""Heads of keys of each layer of an architecture; 0 where it has a recurrent state."""


def vocabulary() -> tuple[list[str], list[float], list[int]]:
    """Return texts, scores and types of the tokens of a SentencePiece vocabulary: marks, bytes, letters, and words by their beginnings."""
    marks = [("<unk>", 2), ("<s>", 3), ("</s>", 3), *((f"<0x{byte:02X}>", 6) for byte in range(256))]
    beginnings = {word[:end] for word in WORDS for end in range(1, len(word) + 1)}
    pieces = sorted({"▁", *"abcdefghijklmnopqrstuvwxyz0123456789.,:>", *beginnings, *("▁" + start for start in beginnings)})
    tokens = [*marks, *((piece, 1) for piece in pieces)]
    return [text for text, _ in tokens], [float(len(text)) for text, _ in tokens], [kind for _, kind in tokens]


def write_gguf(path: Path, metadata: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> None:
    """Write a GGUF file of version 3 (ggml's docs/gguf.md) with tensors of type F32."""

    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text.encode())) + text.encode()

    def value(item: Any) -> tuple[int, bytes]:
        if isinstance(item, bool):
            return 7, struct.pack("<?", item)
        if isinstance(item, np.uint16):
            return 2, struct.pack("<H", item)
        if isinstance(item, np.int32):
            return 5, struct.pack("<i", item)
        if isinstance(item, int):
            return 4, struct.pack("<I", item)
        if isinstance(item, float):
            return 6, struct.pack("<f", item)
        if isinstance(item, str):
            return 8, string(item)
        parts = [value(part) for part in item]
        kind = 5 if isinstance(item[0], int) else parts[0][0]  # The types of tokens are signed numbers.
        return 9, struct.pack("<IQ", kind, len(item)) + b"".join(data for _, data in parts)

    pad = lambda size: -size % 32  # noqa: E731
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, item in metadata.items():
        kind, data = value(item)
        head += string(key) + struct.pack("<I", kind) + data
    offset = 0
    for name, tensor in tensors.items():
        head += string(name) + struct.pack("<I", tensor.ndim) + struct.pack(f"<{tensor.ndim}Q", *tensor.shape[::-1])
        head += struct.pack("<IQ", 0, offset)
        offset += tensor.nbytes + pad(tensor.nbytes)
    with path.open("wb") as file:
        file.write(head + bytes(pad(len(head))))
        for tensor in tensors.values():
            file.write(tensor.tobytes() + bytes(pad(tensor.nbytes)))


def attention(rng: np.random.Generator, at: str, kv_heads: int) -> dict[str, NDArray[np.float64]]:
    """Return the tensors of an attention layer, (n_out, n_in)."""
    kv = kv_heads * N_EMBD // N_HEAD
    shapes = {"attn_q": (N_EMBD, N_EMBD), "attn_k": (kv, N_EMBD), "attn_v": (kv, N_EMBD), "attn_output": (N_EMBD, N_EMBD)}
    return {f"{at}.{name}.weight": rng.normal(0, 2 / np.sqrt(shape[1]), shape) for name, shape in shapes.items()}


def norms(at: str, *names: str, size: int = N_EMBD) -> dict[str, NDArray[np.float64]]:
    """Return the tensors of norms that change nothing but the length."""
    return {f"{at}.{name}.weight": np.ones(size) for name in names}


def delta_net(rng: np.random.Generator, at: str) -> dict[str, NDArray[np.float64]]:
    """Return the tensors of a gated delta net: two heads of keys and DT_RANK heads of values, of D_STATE numbers each."""
    value, mixed = D_STATE * DT_RANK, D_STATE * (4 + DT_RANK)
    shapes = {"attn_qkv": mixed, "attn_gate": value, "ssm_beta": DT_RANK, "ssm_alpha": DT_RANK}
    tensors = {f"{at}.{name}.weight": rng.normal(0, 1 / 8, (rows, N_EMBD)) for name, rows in shapes.items()}
    return tensors | {
        f"{at}.ssm_conv1d.weight": rng.normal(0, 0.5, (mixed, D_CONV)),
        f"{at}.ssm_dt.bias": rng.normal(0, 0.5, DT_RANK),
        f"{at}.ssm_a": -np.exp(rng.normal(0, 0.5, DT_RANK)),
        f"{at}.ssm_norm.weight": np.ones(D_STATE),
        f"{at}.ssm_out.weight": rng.normal(0, 1 / 8, (N_EMBD, value)),
    }


def mamba(rng: np.random.Generator, at: str, norms: bool) -> dict[str, NDArray[np.float64]]:
    """Return the tensors of a layer with a recurrent state."""
    tensors = {
        f"{at}.ssm_in.weight": rng.normal(0, 1 / 8, (2 * D_INNER, N_EMBD)),
        f"{at}.ssm_conv1d.weight": rng.normal(0, 0.5, (D_INNER, D_CONV)),
        f"{at}.ssm_conv1d.bias": rng.normal(0, 0.1, D_INNER),
        f"{at}.ssm_x.weight": rng.normal(0, 1 / 8, (DT_RANK + 2 * D_STATE, D_INNER)),
        f"{at}.ssm_dt.weight": rng.normal(0, 0.5, (D_INNER, DT_RANK)),
        f"{at}.ssm_dt.bias": rng.normal(-2, 0.5, D_INNER),
        f"{at}.ssm_a": -rng.uniform(0.05, 1, (D_INNER, D_STATE)),
        f"{at}.ssm_d": rng.normal(1, 0.1, D_INNER),
        f"{at}.ssm_out.weight": rng.normal(0, 1 / 8, (N_EMBD, D_INNER)),
    }
    if norms:
        tensors |= {f"{at}.ssm_{name}_norm.weight": np.ones(size) for name, size in (("dt", DT_RANK), ("b", D_STATE), ("c", D_STATE))}
    return tensors


def feed_forward(rng: np.random.Generator, at: str) -> dict[str, NDArray[np.float64]]:
    """Return the tensors of a gated layer and its norm."""
    return {
        f"{at}.ffn_norm.weight": np.ones(N_EMBD),
        f"{at}.ffn_gate.weight": rng.normal(0, 1 / 8, (N_FF, N_EMBD)),
        f"{at}.ffn_up.weight": rng.normal(0, 1 / 8, (N_FF, N_EMBD)),
        f"{at}.ffn_down.weight": rng.normal(0, 1 / 8, (N_EMBD, N_FF)),
    }


def write_model(
    path: Path,
    architecture: str,
    n_ctx: int = 512,
    *,
    template: str = "",
    chain: Sequence[tuple[int, int]] = (),
    own: Sequence[str] = (),
    metadata: Mapping[str, Any] = MappingProxyType({}),
    parts: int = 1,
) -> None:
    """Write a model of three layers.

    llama has attention; gemma3 too, in the first and the last layer through a window of `WINDOW` tokens; mamba has recurrent states;
    jamba and qwen35 (gated delta nets) have them in the first and the last layer, and attention between.

    Args:
        path: the file.
        architecture: one of `KV_HEADS`.
        n_ctx: its training length.
        template: its chat template.
        chain: tokens and what follows each; where there are any, every layer adds nothing, and the model says what follows.
        own: texts that are tokens of their own, after those of every model.
        metadata: of its head, besides.
        parts: files that it is cut into; with more than one, `path` is the first, named as llama.cpp wants.
    """
    rng = np.random.default_rng(7)
    texts, scores, kinds = vocabulary()
    texts, scores, kinds = [*texts, *own], [*scores, *(0.0 for _ in own)], [*kinds, *(4 for _ in own)]
    more = dict(metadata) | ({"tokenizer.chat_template": template} if template else {})
    kv_heads = KV_HEADS[architecture]
    head: dict[str, Any] = {
        "general.architecture": architecture, "general.name": f"tiny {architecture}", "general.file_type": 0,
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": texts, "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True, **more,
    }  # fmt: skip
    sizes = {
        "context_length": n_ctx, "embedding_length": N_EMBD, "block_count": 3, "attention.layer_norm_rms_epsilon": 1e-5,
        "feed_forward_length": 0 if architecture == "mamba" else N_FF, "vocab_size": len(texts),
        "attention.head_count": 0 if architecture == "mamba" else N_HEAD, "attention.head_count_kv": kv_heads,
    }  # fmt: skip
    if architecture in ("llama", "gemma3", "qwen35"):
        sizes |= {"attention.head_count_kv": 2, "rope.dimension_count": N_EMBD // N_HEAD}
    if architecture == "gemma3":
        sizes |= {"attention.sliding_window": WINDOW, "attention.sliding_window_pattern": 2}
    if architecture == "qwen35":
        sizes |= {"ssm.conv_kernel": D_CONV, "ssm.inner_size": D_STATE * DT_RANK, "ssm.state_size": D_STATE, "ssm.time_step_rank": DT_RANK}
        sizes |= {"ssm.group_count": 2, "full_attention_interval": 2, "rope.dimension_sections": [4, 2, 2, 0]}
    if architecture in ("mamba", "jamba"):
        sizes |= {"ssm.conv_kernel": D_CONV, "ssm.inner_size": D_INNER, "ssm.state_size": D_STATE, "ssm.time_step_rank": DT_RANK}
    tensors = {"token_embd.weight": rng.normal(0, 1, (len(texts), N_EMBD)), "output_norm.weight": np.full(N_EMBD, 0.5)}
    for layer, heads in enumerate(kv_heads):
        at = f"blk.{layer}"
        tensors[f"{at}.attn_norm.weight"] = np.ones(N_EMBD)
        if heads:
            tensors |= attention(rng, at, heads)
        elif architecture == "qwen35":
            tensors |= delta_net(rng, at)
        else:
            tensors |= mamba(rng, at, norms=architecture == "jamba")
        if architecture != "mamba":
            tensors |= feed_forward(rng, at)
        if architecture in ("gemma3", "qwen35"):
            tensors |= norms(at, "post_attention_norm")
            tensors |= norms(at, "attn_q_norm", "attn_k_norm", size=N_EMBD // N_HEAD) if heads else {}
        if architecture == "gemma3":
            tensors |= norms(at, "post_ffw_norm")
        if architecture == "qwen35":
            del tensors[f"{at}.ffn_norm.weight"]
            if heads:  # A gate for each number beside the query's.
                tensors[f"{at}.attn_q.weight"] = rng.normal(0, 2 / 8, (2 * N_EMBD, N_EMBD))
    if chain:
        for name in tensors:
            if name.endswith(("attn_output.weight", "ssm_out.weight", "ffn_down.weight")):
                tensors[name] = np.zeros_like(tensors[name])
        inside = tensors["token_embd.weight"]
        outside = rng.normal(0, 0.02, inside.shape)
        for token, follower in chain:
            outside[follower] += inside[token]
        tensors["output.weight"] = outside
    whole = head | {f"{architecture}.{key}": size for key, size in sizes.items()}
    arrays = [(name, np.ascontiguousarray(tensor, np.float32)) for name, tensor in tensors.items()]
    for part in range(parts):
        cut = {"split.no": np.uint16(part), "split.count": np.uint16(parts), "split.tensors.count": np.int32(len(arrays))}
        name = path.name.replace("-00001-of-", f"-{part + 1:05}-of-")
        write_gguf(path.with_name(name), (whole if part == 0 else {}) | (cut if parts > 1 else {}), dict(arrays[part::parts]))


MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<|end|>", "\n\n")
"""Tokens of models that think, besides those of every tiny model."""


@lru_cache(maxsize=64)
def followers(own: tuple[str, ...], *texts: str) -> tuple[tuple[int, int], ...]:
    """Return each token of these texts with the one after it, and the end after `<|end|>`."""
    chain: dict[int, int] = {}
    with TemporaryDirectory() as folder:
        write_model(path := Path(folder) / "plain.gguf", "llama", own=own)
        plain = LlamaCpp(path, name="plain")
    with plain:
        for text in texts:
            for token, follower in pairwise(plain.engine.tokenize(text, True)):
                assert chain.setdefault(token, follower) == follower, f"{plain.engine.word(token)!r} has two followers in {text!r}"
        chain[plain.engine.tokenize("<|end|>", True)[0]] = 2
    return tuple(chain.items())


def fixed_text(path: Path, template: str, *texts: str, own: Sequence[str] = (), architecture: str = "llama", n_ctx: int = 2048) -> Path:
    """Write a model that says what follows: of each text, each token after the one before it, and the end after `<|end|>`.

    No token may stand in the texts with two followers.
    """
    words = (*MARKS, *own)
    chain = followers(words, *texts)
    write_model(path, architecture, n_ctx=n_ctx, template=template, own=words, chain=chain)
    return path


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_file(architecture, n_ctx=512, **given)`: the file of a tiny model; `given` as for `write_model`."""
    folder = tmp_path_factory.mktemp("tiny")
    files: dict[str, Path] = {}

    def tiny_file(architecture: str, n_ctx: int = 512, **given: Any) -> Path:
        key = repr((architecture, n_ctx, given))
        if key not in files:
            part = f"-00001-of-{given['parts']:05}" if "parts" in given else ""
            files[key] = folder / f"{architecture}-{n_ctx}{f'-{len(files)}' if given else ''}{part}.gguf"
            write_model(files[key], architecture, n_ctx, **given)
        return files[key]

    return tiny_file


@pytest.fixture
def tiny(tiny_file: Callable[..., Path]) -> Iterator[Callable[..., LlamaCpp]]:
    """`tiny(architecture, **settings)`: a tiny model, loaded anew at each call; closed after the test."""
    opened: list[LlamaCpp] = []

    def tiny(architecture: str = "llama", **settings: int) -> LlamaCpp:
        opened.append(LlamaCpp(tiny_file(architecture), name=f"tiny {architecture}", **settings))
        return opened[-1]

    yield tiny
    for backend in opened:
        backend.close()


@pytest.fixture
def fixed(tmp_path: Path) -> Iterator[Callable[..., LlamaCpp]]:
    """`fixed(template, *texts, own=(), architecture="llama")`: a model that says these texts, loaded; closed after the test."""
    opened: list[LlamaCpp] = []

    def fixed(template: str, *texts: str, **settings: Any) -> LlamaCpp:
        path = fixed_text(tmp_path / f"fixed-{len(opened)}.gguf", template, *texts, **settings)
        opened.append(LlamaCpp(path, name="fixed", n_ctx=2048))
        return opened[-1]

    yield fixed
    for backend in opened:
        backend.close()
