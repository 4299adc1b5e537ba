"""What a GGUF model file says of itself, read without loading its weights.

Knows the file format (ggml's docs/gguf.md) and how large a model of these shapes gets in memory; nothing of llama.cpp. Long lists, as a
tokenizer's words are, are counted and not kept.
"""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homebody.agents.errors import BadModelFileError, BadRequestError
from homebody.agents.models.generation import Generation

BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 10: (256, 84), 11: (256, 110),
    12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50),
    20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""Tensor types by ggml's number: weights in a block, and its bytes. A test compares them with ggml's own."""
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip
"""Quantizations by ``general.file_type``, the common ones."""

_SAMPLING = {"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p", "penalty_repeat": "repetition_penalty"}
"""Keys of ``general.sampling`` that are used; the file format has no key for the other penalties."""
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _LIST = 8, 9
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_MOST_PARTS = 1000
_KEPT = 512
"""Longest list that is kept."""
_HEAD_BYTES = 64 << 20
"""Bytes of a file in which its vocabulary stands; one of 262,144 words takes some 5 MB."""
_MOST_DIMS = 4
_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS of llama.cpp's src/llama-hparams.h.
_OUTPUT_ROWS = 128
_RECURRENT = ("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")
_INTERVAL = ("qwen3next", "qwen35", "qwen35moe")
"""Architectures of which every fourth layer has attention where the file says nothing else."""
_BOTH = ("falcon-h1",)
"""Architectures with attention and a recurrent state in every layer."""
_COMPUTE_BYTES = 64_000_000
N_STATES = 16
"""Sequences that a recurrent or hybrid model may have at once; each takes a state, whether it is used or not."""
N_POINTS = 12
"""Most copies of such a state that are kept beside; see `homebody.agents.models.llama.prompt`."""


@dataclass(frozen=True)
class Header:
    """The head of a model file."""

    metadata: dict[str, Any]
    """Keys and values; a list of more than 512 is its length."""
    n_tensors: int
    """Number of tensors."""
    end: int
    """Bytes that the file must have for all its tensors to be in it; of a model in several files, of all together."""
    size_bytes: int
    """Bytes that it has."""
    parts: tuple[tuple[Path, int, int], ...] = ()
    """Of a model in several files, each with these two numbers."""
    n_weights: int = 0
    """Number of weights in all its tensors."""

    @property
    def architecture(self) -> str:
        """Name of the architecture, as llama.cpp knows it."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def quantization(self) -> str:
        """Name of the type that most of its tensors have."""
        kind = self.metadata.get("general.file_type", -1)
        return TYPES.get(kind, f"file type {kind}")

    def number(self, key: str, default: int = 0) -> int:
        """Return an integer of the architecture's own, as ``block_count``; of a list, one for each layer, the largest."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        numbers = value if isinstance(value, list) else [value]
        return max((number for number in numbers if isinstance(number, int) and number >= 0), default=default)

    @property
    def n_words(self) -> int:
        """Words in the vocabulary."""
        words = self.metadata.get("tokenizer.ggml.tokens", 0)
        return len(words) if isinstance(words, list) else words if isinstance(words, int) else 0

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling that its maker recommends, by field of `Generation`; without values that are out of range."""
        found: dict[str, Any] = {field: self.metadata.get(f"general.sampling.{key}") for key, field in _SAMPLING.items()}
        return {field: value for field, value in found.items() if _recommends(field, value)}

    def memory_bytes(self, n_ctx: int) -> int:
        """Estimate what the model needs with a context of so many tokens, of at most its training length.

        The weights, the keys and values of 16 bits of the layers with attention, the recurrent states (one for each of `N_STATES`
        sequences and `N_POINTS` copies), two times 128 rows of logits, and 64 MB to compute in. Saved prompts come on top as a process
        plays on, up to the bound of `homebody.agents.models.llama.prompt`.
        """
        cells = min(n_ctx, self.number("context_length", n_ctx))
        states = (N_STATES + N_POINTS) * self.state_bytes
        return self.size_bytes + cells * self._token_bytes + states + 2 * _OUTPUT_ROWS * self.n_words * 4 + _COMPUTE_BYTES

    @property
    def state_bytes(self) -> int:
        """Bytes of the recurrent state of one sequence, 32-bit numbers; 0 for a model without one. As llama.cpp's llama-hparams.cpp."""
        width, heads, convolved = self.number("embedding_length"), self.number("attention.head_count"), self.number("ssm.conv_kernel")
        if head := self.number("wkv.head_size"):
            each = self.number("token_shift_count", 2) * width + width * head
        elif shift := self.number("shortconv.l_cache"):
            each = width * (shift - 1)
        elif head := self.number("kda.head_dim"):
            each = 3 * (max(convolved, 1) - 1) * heads * head + head * head * heads
        else:
            inner, state = self.number("ssm.inner_size"), self.number("ssm.state_size")
            each = max(convolved - 1, 0) * (inner + 2 * self.number("ssm.group_count") * state) + state * inner
        both = self.architecture in _BOTH
        return 4 * each * sum(both or not heads for heads in self._heads)

    @property
    def _token_bytes(self) -> int:
        """Bytes of the keys and values of one token."""
        heads = self.number("attention.head_count", 1)
        width = self.number("embedding_length") // max(heads, 1)
        both = self.number("attention.key_length", width) + self.number("attention.value_length", width)
        return 2 * both * sum(self._heads)

    @property
    def _heads(self) -> list[int]:
        """Heads of keys of each layer; 0 for a layer without attention."""
        layers = min(self.number("block_count"), _MOST_LAYERS)
        given = self.metadata.get(f"{self.architecture}.attention.head_count_kv")
        if self.architecture in _RECURRENT:
            return [0] * layers
        if isinstance(given, list):
            heads = [number if isinstance(number, int) and number > 0 else 0 for number in given]
            return [*heads, *[max(heads, default=0)] * layers][:layers]
        heads = [self.number("attention.head_count_kv", self.number("attention.head_count", 1))] * layers
        interval = self.number("full_attention_interval", 4 if self.architecture in _INTERVAL else 1)
        return [number if (layer + 1) % max(interval, 1) == 0 else 0 for layer, number in enumerate(heads)]

    def check_model(self, path: object) -> None:
        """Check that it is of a language model. llama.cpp refuses most others, but ends the process at some.

        Raises:
            BadModelFileError: it is of something else.
        """
        kind, words = self.metadata.get("general.type", "model"), self.metadata.get("tokenizer.ggml.model", "none")
        layers = self.number("block_count")
        problem = ""
        if kind != "model":
            problem = f"it says that it is of type {kind!r}"
        elif words in ("none", "no_vocab"):
            problem = "it has no vocabulary"
        elif not 1 <= layers <= _MOST_LAYERS:
            problem = f"it says that it has {layers} layers, expected: 1 to {_MOST_LAYERS}"
        if problem:
            raise BadModelFileError(path, f"it is not a model that generates text: {problem}", "give a decoder-only language model")

    def check_whole(self, path: object) -> None:
        """Check that the file is as long as its tensors need.

        Raises:
            BadModelFileError: it is not.
        """
        for part, end, size in self.parts or ((path, self.end, self.size_bytes),):
            if size < end:
                raise BadModelFileError(part, f"is truncated: its tensors end at byte {end}, the file at {size}")


def part_paths(path: Path) -> list[Path]:
    """Return the files of a model, of which the first was given: by its name, ``NAME-00001-of-00003.gguf``."""
    found = _PART.fullmatch(path.name)
    if not found or int(found["number"]) != 1:
        return [path]
    numbers = range(1, min(int(found["count"]), _MOST_PARTS) + 1)
    return [path.with_name(f"{found['stem']}-{number:05}-of-{found['count']}.gguf") for number in numbers]


def check_first_part(name: str) -> None:
    """Check that the name of a file is not that of a later part of a model.

    Raises:
        BadModelFileError: it is.
    """
    found = _PART.fullmatch(name)
    if found and int(found["number"]) != 1:
        first = f"{found['stem']}-00001-of-{found['count']}.gguf"
        raise BadModelFileError(name, f"is part {int(found['number'])} of {int(found['count'])}", f"give the first, {first}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; of a model in several, of their content one after the other.

    Raises:
        BadModelFileError: one cannot be read.
    """
    found = hashlib.sha256()
    for part in part_paths(path):
        try:
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
        except OSError as error:
            raise BadModelFileError(part, (error.strerror or str(error)).lower()) from error
    return found.hexdigest()


def read_header(path: Path) -> Header:
    """Read the head of a GGUF file; of a model in several files that of the first, with the sizes of all.

    Raises:
        BadModelFileError: a file cannot be read, is not GGUF, its head is damaged or cut off, or it is a later part of a model.
    """
    header = _read_header(path)
    number, count = (header.metadata.get(f"split.{key}", 0) for key in ("no", "count"))
    paths = part_paths(path)
    if number:
        check_first_part(str(path))
        raise BadModelFileError(path, f"is part {number + 1} of {count}", f"give the first, whose name ends in -00001-of-{count:05}.gguf")
    if max(count, 1) != len(paths):
        wanted = f"{path.stem}-00001-of-{count:05}.gguf" if count > 1 else "one without -00001-of-"
        raise BadModelFileError(path, f"has {max(count, 1)} parts, and its name says {len(paths)}", f"give it a name such as {wanted}")
    if len(paths) == 1:
        return header
    found = [(path, header), *((part, _read_part(part, number, count)) for number, part in enumerate(paths[1:], start=2))]
    parts = tuple((part, each.end, each.size_bytes) for part, each in found)
    tensors, end, size = (sum(getattr(each, field) for _, each in found) for field in ("n_tensors", "end", "size_bytes"))
    n_weights = sum(each.n_weights for _, each in found)
    return replace(header, n_tensors=tensors, end=end, size_bytes=size, parts=parts, n_weights=n_weights)


def _read_part(path: Path, number: int, count: int) -> Header:
    if not path.exists():
        raise BadModelFileError(path, f"part {number} of {count} is missing", "put all parts in one folder, or fetch the first one again")
    header = _read_header(path)
    said = header.metadata.get("split.no", 0) + 1, header.metadata.get("split.count", 0)
    if said != (number, count):
        raise BadModelFileError(path, f"says that it is part {said[0]} of {said[1]}, expected: part {number} of {count}")
    return header


def _read_header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise BadModelFileError(path, f"is not a GGUF file (begins with {magic!r})")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data).header()
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower()) from error
    except (struct.error, _DamagedError) as error:
        raise BadModelFileError(path, f"its head is damaged or cut off: {error}") from error


def has_word(path: Path, word: str) -> bool:
    """Tell whether a text is a word of a model file's vocabulary, or another text of its head.

    Raises:
        BadModelFileError: the file cannot be read.
    """
    data = word.encode()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return whole.find(struct.pack("<Q", len(data)) + data, 0, _HEAD_BYTES) >= 0
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower()) from error


def _recommends(field: str, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        Generation(**{field: value})  # type: ignore[arg-type]
    except BadRequestError:
        return False
    return field != "top_k" or isinstance(value, int)


class _DamagedError(Exception):
    """What stands in the head cannot be meant."""


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self) -> Header:
        version = self._take("<I")
        if version not in (2, 3):
            raise _DamagedError(f"version {version}, expected: 2 or 3")
        n_tensors, n_keys = self._take("<Q"), self._take("<Q")
        metadata = {}
        for _ in range(n_keys):
            key = self._text()
            metadata[key] = self._value(self._take("<I"))
        tensors = [self._tensor() for _ in range(n_tensors)]
        align = metadata.get("general.alignment", 32)
        if not isinstance(align, int) or align < 1:
            raise _DamagedError(f"alignment {align!r}")
        start = -(-self._at // align) * align
        end, n_weights = start + max((end for _, end in tensors), default=0), sum(weights for weights, _ in tensors)
        return Header(metadata, n_tensors, end, len(self._data), n_weights=n_weights)

    def _take(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def _skip(self, size: int) -> int:
        """Move on, and return where it was."""
        start = self._at
        if start + size > len(self._data):
            raise _DamagedError(f"a value of {size} bytes at byte {start} of {len(self._data)}")
        self._at += size
        return start

    def _text(self) -> str:
        size = self._take("<Q")
        start = self._skip(size)
        return self._data[start : self._at].decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _LIST:
            return self._take(self._form(kind))
        kind, count = self._take("<I"), self._take("<Q")
        if kind == _STRING:
            for _ in range(count):
                self._skip(self._take("<Q"))
            return count
        form = self._form(kind)
        if count > _KEPT:
            self._skip(count * struct.calcsize(form))
            return count
        return [self._take(form) for _ in range(count)]

    def _form(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise _DamagedError(f"type {kind} of a value at byte {self._at}")
        return _SCALARS[kind]

    def _tensor(self) -> tuple[int, int]:
        """Return how many weights a tensor has, and where it ends, counted from the first; where it begins if its type is unknown here."""
        self._text()
        weights, n_dims = 1, self._take("<I")
        if n_dims > _MOST_DIMS:  # A product of millions of large numbers would take for ever.
            raise _DamagedError(f"a tensor of {n_dims} dimensions at byte {self._at}")
        for _ in range(n_dims):
            weights *= self._take("<Q")
        per_block, size = BLOCKS.get(self._take("<I"), (1, 0))
        start = self._take("<Q")
        return weights, int(start + weights // per_block * size)
