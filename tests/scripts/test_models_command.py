"""`homebody models`, through the entry point, on model files of a few bytes."""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.models import prepare
from homebody.agents.models.known import KNOWN
from homebody.agents.models.prepare import Speed
from homebody.envs.download import DownloadError

Command = Callable[..., Any]


def number(key: str, value: int) -> bytes:
    return struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", 4, value)


NUMBERS = {"block_count": 4, "context_length": 8192, "embedding_length": 64, "attention.head_count": 2}
DEEP = b"GGUF" + struct.pack("<IQQ", 3, 0, len(NUMBERS)) + b"".join(number(f".{key}", value) for key, value in NUMBERS.items())
"""The head of a model of four layers that was trained with 8,192 tokens."""
EMPTY = (b"GGUF" + struct.pack("<IQQ", 3, 0, 0)).ljust(32, b"\0")
"""A whole model file with nothing in it."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.gguf"
    path.write_bytes(EMPTY)
    return path


def test_list_names_what_is_known(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("models", "list", "--json", tmp_path / "m.json")
    assert answer.code == 0
    assert [item["name"] for item in loaded(tmp_path / "m.json")] == list(KNOWN)


def test_info_prints_what_the_file_says(homebody: Command, loaded: Command, own: Path, tmp_path: Path) -> None:
    answer = homebody("models", "info", own, "--json", tmp_path / "m.json")
    assert (answer.code, answer.err) == (0, "")
    found = loaded(tmp_path / "m.json")
    assert found["sha256"] == hashlib.sha256(EMPTY).hexdigest()
    assert [line.split()[0] for line in answer.out.splitlines()] == list(found)


def test_info_tells_the_memory_for_a_context(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(DEEP.ljust(512, b"\0"))
    memory = []
    for ctx in ((), ("--ctx", 4096), ("--ctx", 8192), ("--ctx", 10**9)):
        assert homebody("models", "info", path, *ctx, "--json", tmp_path / "m.json").code == 0
        memory.append(loaded(tmp_path / "m.json")["memory_bytes"])
    # Keys and values of 64 numbers of 16 bits in each layer, for at most the tokens that it was trained with.
    assert [size - memory[0] for size in memory] == [0, 0, 4 * 4096 * 2 * 64 * 2, 4 * 4096 * 2 * 64 * 2]


def test_verify_prints_what_was_compared(homebody: Command, loaded: Command, own: Path, tmp_path: Path) -> None:
    answer = homebody("models", "verify", own, "--json", tmp_path / "m.json")
    assert (answer.code, answer.err) == (0, "")
    assert loaded(tmp_path / "m.json")["compared_with"] == "nothing"


def test_prepare_prints_a_line_a_copy(
    homebody: Command, loaded: Command, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homebody.agents.models.llama.requantize", lambda source, target, quantization, progress: target.write_bytes(EMPTY))
    monkeypatch.setattr(prepare, "measure", lambda path, name: Speed(name, "Q4_0", 32, 300.4 if "@" in name else 100.2, 50.0))
    answer = homebody("models", "prepare", own, "--quantization", "q8_0", "--json", tmp_path / "m.json")
    assert (answer.code, answer.err) == (0, "")
    _, *lines, last = answer.out.splitlines()
    assert [line.split()[-2:] for line in lines] == [["100", "50"], ["300", "50"]]
    assert last.startswith(f"fastest here: {own}@q8_0")
    assert loaded(tmp_path / "m.json")["fastest"] == f"{own}@q8_0"


def test_fetch_passes_on_the_hash_and_prints_the_result(
    homebody: Command, loaded: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str, target: Path, progress: Callable[[int, int], None], sha256: str) -> Path:
        progress(32, 32)
        if sha256:
            raise DownloadError(url, f"expected {sha256[:4]}")
        target.write_bytes(EMPTY)
        return target

    monkeypatch.setattr("homebody.agents.models.hub.fetch", fetch)
    answer = homebody("models", "fetch", "hf:owner/repo:m.gguf", "--json", tmp_path / "m.json")
    assert (answer.code, answer.err) == (0, "")
    assert loaded(tmp_path / "m.json")["size_bytes"] == 32
    answer = homebody("models", "fetch", "hf:owner/repo:other.gguf", "--sha256", "ab" * 32)
    assert (answer.code, answer.out) == (2, "")
    assert "could not fetch" in answer.error
    assert "expected abab" in answer.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("info", "smollm3"), "unknown model 'smollm3'; did you mean smollm2?"),
        (("info", "http://127.0.0.1:9/v1?key=x"), "the server's address is 'http://127.0.0.1:9/v1'"),
        (("info", "ftp.gguf"), "model file ftp.gguf: no such file"),
        (("verify", "hf:owner/repo:m.gguf"), "is not fetched yet; run homebody models fetch"),
        (("fetch", "smollm2"), "the file to fetch is 'smollm2'"),
        (("fetch", "hf:owner/repo:m.gguf", "--sha256", "12"), "the SHA-256 is '12'; allowed: 64 hexadecimal digits"),
        (("prepare", "smollm2@q5"), "the quantization after @ is 'q5'"),
        (("prepare", "smollm2", "--quantization", "q5"), "'q5' is not one of 'q4_0', 'q8_0'"),
    ],
)
def test_mistakes_are_told_in_one_line(homebody: Command, arguments: tuple[str, ...], said: str) -> None:
    answer = homebody("models", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.error


@pytest.mark.parametrize("command", ["list", "info", "prepare", "fetch", "verify"])
def test_a_result_that_cannot_be_written_stops_before_the_work(homebody: Command, command: str, tmp_path: Path) -> None:
    names = () if command == "list" else ("hf:owner/repo:m.gguf",)
    answer = homebody("models", command, *names, "--json", tmp_path / "nowhere" / "m.json")
    assert answer.code == 2
    assert "there is no folder" in answer.error


def test_a_download_that_is_damaged_afterwards_is_found(homebody: Command, cache: Path) -> None:
    path = cache / "hf" / "owner" / "repo" / "m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(EMPTY)
    path.with_name("m.gguf.json").write_text(json.dumps({"sha256": "0" * 64}))
    answer = homebody("models", "verify", "hf:owner/repo:m.gguf")
    assert answer.code == 2
    assert "that of the record of its download is 000" in answer.error
