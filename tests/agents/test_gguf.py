"""Heads of model files: small ones written here by the format's description, and what is said of damaged ones."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.errors import BadModelFileError, GpuTooSmallError, ModelTooBigError
from homebody.agents.models import fit
from homebody.agents.models.gguf import BLOCKS, Header, read_header

KINDS = {bool: (7, "<?"), int: (4, "<I"), float: (6, "<f")}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value(item: Any) -> bytes:
    """A value with its type before it."""
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, list):
        kind, data = (8, b"".join(map(text, item))) if isinstance(item[0], str) else (4, struct.pack(f"<{len(item)}I", *item))
        return struct.pack("<IIQ", 9, kind, len(item)) + data
    kind, form = KINDS[type(item)]
    return struct.pack("<I", kind) + struct.pack(form, item)


def model(metadata: dict[str, Any], tensors: list[tuple[list[int], int, int]] = (), version: int = 3) -> bytes:  # type: ignore[assignment]
    """A model file; a tensor is its shape, its type's number and where it begins. The data is left to the caller."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(text(key) + value(item) for key, item in metadata.items())
    for shape, kind, start in tensors:
        head += text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, start)
    return head


def padded(head: bytes, align: int = 32) -> bytes:
    return head + bytes(-len(head) % align)


TOY = {
    "general.architecture": "toy", "general.file_type": 2, "toy.block_count": 3, "toy.context_length": 100, "toy.embedding_length": 64,
    "toy.attention.head_count": 4, "toy.attention.head_count_kv": 2, "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.ggml.scores": [7] * 600, "a.list": [1, 2], "a.flag": True, "a.number": 1.5,
}  # fmt: skip


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    """A whole file: two tensors, 64 weights of Q4_0 (36 bytes) and 4 of F32 (16 bytes, from byte 64 on)."""
    path = tmp_path / "toy.gguf"
    path.write_bytes(padded(model(TOY, [([32, 2], 2, 0), ([4], 0, 64)])) + bytes(80))
    return path


def test_reads_what_the_file_says(toy_file):
    header = read_header(toy_file)
    assert (header.architecture, header.quantization, header.n_tensors, header.n_words) == ("toy", "Q4_0", 2, 3)
    assert (header.number("block_count"), header.number("nothing", 9)) == (3, 9)
    assert header.metadata["tokenizer.ggml.scores"] == 600  # A long list is counted only.
    assert (header.metadata["a.list"], header.metadata["a.flag"], header.metadata["a.number"]) == ([1, 2], True, 1.5)
    assert header.end == header.size_bytes == toy_file.stat().st_size
    header.check_whole(toy_file)


def test_a_file_that_ends_within_a_tensor_is_truncated(toy_file):
    data = toy_file.read_bytes()
    toy_file.write_bytes(data[:-1])
    with pytest.raises(BadModelFileError, match=f"is truncated: its tensors end at byte {len(data)}, the file at {len(data) - 1}"):
        read_header(toy_file).check_whole(toy_file)


def test_its_own_alignment_counts(tmp_path):
    path = tmp_path / "m.gguf"
    head = model({"general.alignment": 128}, [([4], 0, 0)])
    path.write_bytes(padded(head, 128) + bytes(16))
    assert read_header(path).end == len(padded(head, 128)) + 16


def test_memory_is_weights_cache_logits_and_room_to_compute(toy_file):
    header = read_header(toy_file)
    cache = 3 * 50 * 2 * (16 + 16) * 2  # layers, tokens, heads, widths of key and value (64 / 4), bytes
    assert header.memory_bytes(50) == header.size_bytes + cache + 2 * 128 * 3 * 4 + 64_000_000
    assert header.memory_bytes(100) == header.memory_bytes(4096)  # It was trained on 100.


def test_widths_of_their_own_and_heads_by_layer_are_taken():
    own = {**TOY, "toy.attention.key_length": 8, "toy.attention.value_length": 24, "toy.attention.head_count_kv": [0, 4, 2]}
    assert Header(own, 0, 0, 0).memory_bytes(11) - Header(own, 0, 0, 0).memory_bytes(10) == (4 + 2) * (8 + 24) * 2


QWEN = {
    "general.architecture": "qwen35", "qwen35.block_count": 32, "qwen35.context_length": 262_144, "qwen35.embedding_length": 4096,
    "qwen35.attention.head_count": 16, "qwen35.attention.head_count_kv": 4, "qwen35.attention.key_length": 256,
    "qwen35.attention.value_length": 256, "qwen35.ssm.conv_kernel": 4, "qwen35.ssm.inner_size": 4096, "qwen35.ssm.state_size": 128,
    "qwen35.ssm.group_count": 16, "qwen35.ssm.time_step_rank": 32, "tokenizer.ggml.tokens": 248_320,
}  # fmt: skip


@pytest.mark.parametrize("interval", [{}, {"qwen35.full_attention_interval": 4}])
def test_a_hybrid_of_the_size_of_qwen_9b(interval):
    """Eight layers of attention and 24 of states: 32 KiB a token and 52.7 MB, as measured (specs of the models)."""
    header = Header(QWEN | interval, 0, 0, 0)
    assert header.state_bytes == 24 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096) == 52_690_944
    assert header.memory_bytes(4097) - header.memory_bytes(4096) == 32_768
    assert header.memory_bytes(262_144) - header.memory_bytes(4096) == 258_048 * 32_768
    assert header.memory_bytes(4096) == 4096 * 32_768 + 28 * 52_690_944 + 2 * 128 * 248_320 * 4 + 64_000_000


def test_a_recurrent_model_has_no_keys():
    header = Header({"general.architecture": "mamba", "mamba.block_count": 24, "mamba.embedding_length": 768, "mamba.ssm.conv_kernel": 4,
                     "mamba.ssm.inner_size": 1536, "mamba.ssm.state_size": 16, "mamba.attention.head_count": 0}, 0, 0, 0)  # fmt: skip
    assert header.state_bytes == 24 * 4 * (3 * 1536 + 16 * 1536)
    assert header.memory_bytes(100) == header.memory_bytes(1000)


def test_an_unknown_quantization_is_a_number():
    assert Header({"general.file_type": 999}, 0, 0, 0).quantization == "file type 999"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"is not a GGUF file \(begins with b''\)"),
        (b"PK\x03\x04", "is not a GGUF file"),
        (b"GGUF", "its head is damaged or cut off"),
        (model({}, version=1), "version 1, expected: 2 or 3"),
        (model(TOY)[:-10], "its head is damaged or cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 40), "a value of 1099511627776 bytes at byte"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "type 77 of a value"),
        (model({"general.alignment": 0}), "alignment 0"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<I", 5), "a tensor of 5 dimensions at byte"),
    ],
)
def test_damaged_heads_are_named(tmp_path, data, said):
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(BadModelFileError, match=said):
        read_header(path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(BadModelFileError, match="no such file"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(BadModelFileError, match="is a directory"):
        read_header(tmp_path)


@given(st.data())
def test_no_damage_escapes_the_named_error(tmp_path_factory, data):
    whole = bytearray(padded(model(TOY, [([32, 2], 2, 0)])) + bytes(36))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(whole[: data.draw(st.integers(4, len(whole)))])
    try:
        header = read_header(path)
        header.check_whole(path)
        assert header.memory_bytes(100) > 0
    except BadModelFileError:
        pass


def test_block_sizes_are_ggmls_own():
    import ctypes

    import llama_cpp._ggml

    ggml = llama_cpp._ggml.libggml
    ggml.ggml_type_size.restype = ctypes.c_size_t
    ggml.ggml_blck_size.restype = ctypes.c_int64
    for kind, sizes in BLOCKS.items():
        assert (ggml.ggml_blck_size(kind), ggml.ggml_type_size(kind)) == sizes, kind


# --- memory


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """What the system says: bytes available, and the container's limit."""

    def say(available_kb: int | None, limit: str | None) -> None:
        for name, content in (("MEMINFO", f"MemFree: 1 kB\nMemAvailable:  {available_kb} kB\n"), ("CGROUP_LIMIT", limit)):
            path = tmp_path / name
            if content is not None and (name != "MEMINFO" or available_kb is not None):
                path.write_text(content)
            monkeypatch.setattr(fit, name, path)

    monkeypatch.setattr("resource.getrlimit", lambda kind: (-1, -1))
    return say


@pytest.mark.parametrize(
    ("available_kb", "limit", "expected"),
    [(1000, "max\n", 1_024_000), (1000, "500000\n", 500_000), (None, "500000", 500_000), (1000, None, 1_024_000), (None, None, None)],
)
def test_the_tightest_limit_counts(memory, available_kb, limit, expected):
    memory(available_kb, limit)
    assert fit.available_bytes() == expected


def test_limits_of_the_shell_count(memory, monkeypatch):
    import resource

    memory(1 << 40, None)
    page = resource.getpagesize()
    (fit.MEMINFO.parent / "statm").write_text("100 50 20 5 0 70 0")
    monkeypatch.setattr(fit, "STATUS", fit.MEMINFO.parent / "statm")
    for kind, used in ((resource.RLIMIT_AS, 100), (resource.RLIMIT_DATA, 70)):
        monkeypatch.setattr("resource.getrlimit", lambda asked, kind=kind: (1 << 30, 0) if asked == kind else (-1, -1))
        assert fit.available_bytes() == (1 << 30) - used * page


def test_elsewhere_nothing_is_checked(monkeypatch, toy_file):
    monkeypatch.setattr("sys.platform", "darwin")
    assert fit.available_bytes() is None
    fit.check_fits("m", read_header(toy_file), 10)


def test_a_model_that_does_not_fit_is_named(memory, toy_file):
    memory(10_000, None)
    with pytest.raises(ModelTooBigError, match="it needs about 64 MB with a context of 10 tokens, and 10 MB are free; end other programs"):
        fit.check_fits(toy_file, read_header(toy_file), 10)


# --- graphics memory and speed


def test_layers_on_the_gpu_take_their_share(toy_file):
    header = read_header(toy_file)
    whole = header.memory_bytes(50)
    assert [fit.gpu_bytes(header, 50, layers) for layers in (-1, 4, 99, 1, 0)] == [whole, whole, whole, whole // 4, 0]


@pytest.mark.parametrize(
    ("copies", "said"),
    [
        (1, "it needs about 64 MB of graphics memory, and 60 MB are free; give fewer --gpu-layers or a smaller --ctx"),
        (3, "it needs about 64 MB of graphics memory in each of 3 processes, and 60 MB are free; give fewer --workers"),
    ],
)
def test_copies_that_do_not_fit_the_gpu_are_named(toy_file, copies, said):
    header = read_header(toy_file)
    with pytest.raises(GpuTooSmallError, match=said):
        fit.check_fits_gpu(toy_file, header, 10, -1, copies=copies, free=60_000_000)
    fit.check_fits_gpu(toy_file, header, 10, -1, copies=copies, free=200_000_000)
    fit.check_fits_gpu(toy_file, header, 10, 1, copies=copies, free=60_000_000)


@pytest.mark.parametrize(
    ("size_bytes", "n_threads", "metadata", "said"),
    [
        (5.4e9, 1, {}, "m.gguf: 5.4 GB on one processor thread: about 1.4 tokens a second written and 7.0 read"),
        (5.4e9, 2, {}, "m.gguf: 5.4 GB on 2 processor threads: about 2.8 tokens a second written and 14.1 read"),
        (5.4e9, 4, {}, ""),
        (1.07e9, 1, {}, ""),
        (20e9, 1, {"toy.expert_count": 128, "toy.expert_used_count": 8}, ""),  # Of 1.25 GB are read for a token.
        (20e9, 1, {"toy.expert_count": 8, "toy.expert_used_count": 2}, "m.gguf: 20.0 GB on one processor thread: about 1.5 tokens"),
    ],
)
def test_a_slow_model_is_announced(size_bytes, n_threads, metadata, said):
    line = fit.slowness("m.gguf", Header(TOY | metadata, 0, 0, int(size_bytes)), n_threads)
    assert line.startswith(said)
    assert bool(line) == bool(said)
