"""Models in several files: one model, whatever is asked of it, and each way in which its files can be wrong is named."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from homebody.agents.errors import BadModelFileError
from homebody.agents.models.generation import Generation
from homebody.agents.models.gguf import part_paths, read_header
from homebody.agents.models.names import load
from homebody.agents.models.prepare import describe

PROMPT = ("you see a red box. ", "go to ")


@pytest.fixture
def parts(tiny_file: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """Copies of the three files of a model."""
    found = []
    for path in part_paths(tiny_file("llama", parts=3)):
        found.append(tmp_path / path.name)
        found[-1].write_bytes(path.read_bytes())
    return found


def test_size_memory_and_hash_are_those_of_all(parts: list[Path], tiny_file: Callable[..., Path]) -> None:
    whole, header = read_header(tiny_file("llama")), read_header(parts[0])
    size = sum(path.stat().st_size for path in parts)
    assert (header.size_bytes, header.n_tensors, header.end <= size) == (size, whole.n_tensors, True)
    assert header.memory_bytes(100) - whole.memory_bytes(100) == size - whole.size_bytes
    header.check_whole(parts[0])
    sha256 = hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()
    found = describe(str(parts[0]))
    assert (found["sha256"], found["parts"], found["size_bytes"]) == (sha256, 3, size)
    with load(str(parts[0])) as backend, load(str(tiny_file("llama"))) as other:
        assert backend.fingerprint["sha256"] == sha256
        assert backend.chat(PROMPT, Generation(tokens=8)) == other.chat(PROMPT, Generation(tokens=8))


def test_a_later_part_is_named_as_such(parts: list[Path]) -> None:
    for number in (2, 3):
        with pytest.raises(BadModelFileError, match=f"is part {number} of 3; give the first, {parts[0]}"):
            load(str(parts[number - 1]))


def test_a_later_part_of_another_name_is_named_as_such(parts: list[Path]) -> None:
    other = parts[1].rename(parts[1].with_name("b.gguf"))
    with pytest.raises(BadModelFileError, match=r"is part 2 of 3; give the first, whose name ends in -00001-of-00003.gguf"):
        load(str(other))


def test_missing_damaged_and_mixed_up_parts_are_named(parts: list[Path]) -> None:
    data = parts[1].read_bytes()
    parts[1].unlink()
    with pytest.raises(BadModelFileError, match=f"{parts[1].name}: part 2 of 3 is missing"):
        load(str(parts[0]))
    parts[1].write_bytes(data[:-1])
    with pytest.raises(BadModelFileError, match=f"{parts[1].name}: is truncated"):
        load(str(parts[0]))
    parts[1].write_bytes(data[:30])
    with pytest.raises(BadModelFileError, match=f"{parts[1].name}: its head is damaged"):
        load(str(parts[0]))
    parts[1].write_bytes(parts[2].read_bytes())
    with pytest.raises(BadModelFileError, match="says that it is part 3 of 3, expected: part 2 of 3"):
        load(str(parts[0]))


def test_a_first_part_of_another_name_is_named(parts: list[Path]) -> None:
    other = parts[0].rename(parts[0].with_name("a.gguf"))
    with pytest.raises(BadModelFileError, match=r"has 3 parts, and its name says 1; give it a name such as a-00001-of-00003.gguf"):
        load(str(other))
