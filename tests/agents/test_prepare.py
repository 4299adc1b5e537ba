"""What is done with model files before anybody plays: on files of a few bytes, and with a hub of our own on loopback."""

import contextlib
import dataclasses
import hashlib
import importlib
import json
import re
import struct
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from homebody.agents.errors import BadModelFileError, BadRequestError, CacheError, ModelNotFoundError, ModelTooBigError
from homebody.agents.models import names, prepare
from homebody.agents.models.known import KNOWN, KnownModel
from homebody.agents.models.packaged import ModelFile, Packaged, Part
from homebody.agents.models.prepare import Speed
from homebody.agents.models.scripted import Scripted
from homebody.envs.download import DownloadError


def tiny(file_type: int = 15, kind: str = "model", words: str = "llama", layers: int = 1) -> bytes:
    """A whole GGUF file without tensors, of an architecture without a name."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    numbers, texts = {"general.file_type": file_type, ".block_count": layers}, {"general.type": kind, "tokenizer.ggml.model": words}
    keys = [text(key) + struct.pack("<II", 4, number) for key, number in numbers.items()]
    keys += [text(key) + struct.pack("<I", 8) + text(value) for key, value in texts.items()]
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(keys)
    return head + bytes(-len(head) % 32)


DATA = tiny()
SHA256 = hashlib.sha256(DATA).hexdigest()
NAME = "hf:owner/repo:sub/m.gguf"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def toy(tmp_path, monkeypatch) -> KnownModel:
    """A known model of Q4_K_M, in two parts."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for number, data in enumerate((DATA[:40], DATA[40:]), 1):
        (tmp_path / "site" / f"toy{number}").mkdir(parents=True)
        (tmp_path / "site" / f"toy{number}" / "part").write_bytes(data)
    parts = tuple(Part(f"toy{number}==1", f"toy{number}", "part") for number in (1, 2))
    made = KnownModel("toy", "A toy", "MIT", Packaged(ModelFile("toy.gguf", "Q4_K_M", len(DATA), SHA256), parts, "models"))
    monkeypatch.setitem(KNOWN, "toy", made)
    return made


@pytest.fixture
def copies(monkeypatch) -> list[str]:
    """Re-quantizing writes a file of the new type, and what it was asked for is listed."""
    asked: list[str] = []

    def requantize(source: Path, target: Path, quantization: str, progress: object) -> None:
        asked.append(f"{source.name} {quantization}")
        target.write_bytes(tiny({"Q4_0": 2, "Q8_0": 7}[quantization]))

    monkeypatch.setattr("homebody.agents.models.llama.requantize", requantize)
    return asked


@pytest.fixture
def speeds(monkeypatch) -> dict[str, tuple[float, float]]:
    """Prompt and decode tokens a second by name."""
    table: dict[str, tuple[float, float]] = {}
    monkeypatch.setattr(prepare, "measure", lambda path, name: Speed(name, "T", path.stat().st_size, *table[name]))
    return table


# --- names of variants


def test_a_variant_is_made_once_beside_the_model(toy, copies, cache):
    path = names.resolve("toy@q4_0")
    assert path == cache / "variants" / f"toy-{SHA256[:12]}@q4_0.gguf"
    assert path.read_bytes() == tiny(2)
    assert names.resolve("toy@q4_0") == path
    assert copies == ["toy.gguf Q4_0"]
    assert names.resolve("toy").read_bytes() == DATA


def test_a_file_of_that_type_is_its_own_variant(tmp_path, copies):
    path = tmp_path / "a.gguf"
    path.write_bytes(tiny(2))
    assert names.resolve(f"{path}@q4_0") == path
    assert names.resolve(f"{path}@q8_0").name == f"a-{hashlib.sha256(tiny(2)).hexdigest()[:12]}@q8_0.gguf"
    assert copies == ["a.gguf Q8_0"]


def test_no_such_variant_is_named(toy):
    with pytest.raises(BadRequestError, match="the quantization after @ is 'q5'; allowed: q4_0 or q8_0 or q4_k_m"):
        names.resolve("toy@q5")
    with pytest.raises(ModelNotFoundError, match="unknown model 'toi'"):
        names.resolve("toi@q4_0")


def test_a_path_may_hold_the_mark(tmp_path):
    path = tmp_path / "me@home.gguf"
    path.write_bytes(DATA)
    assert names.resolve(str(path)) == path


# --- before a model is loaded


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (DATA[:-1], "is truncated: its tensors end at byte"),
        (tiny(kind="adapter"), "not a model that generates text: it says that it is of type 'adapter'"),
        # llama.cpp ends the process at these.
        (tiny(words="none"), "it has no vocabulary"),
        (tiny(layers=0), "it says that it has 0 layers, expected: 1 to 512"),
        (tiny(layers=513), "it says that it has 513 layers"),
    ],
)
def test_files_that_are_no_whole_model_are_not_loaded(tmp_path, data, said):
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(BadModelFileError, match=said):
        names.load(str(path))


def test_a_model_that_does_not_fit_is_not_loaded(tmp_path, monkeypatch):
    path = tmp_path / "large.gguf"
    path.write_bytes(DATA)
    monkeypatch.setattr("homebody.agents.models.fit.available_bytes", lambda: 1_000_000)
    with pytest.raises(ModelTooBigError, match="64 MB with a context of 77 tokens, and 1 MB are free"):
        names.load(str(path), n_ctx=77)


# --- describe


def test_describes_a_file_by_its_head(toy):
    found = prepare.describe("toy")
    assert found == {
        "name": "toy", "model": "", "architecture": "", "layers": 1, "context": 0, "words": 0, "quantization": "Q4_K_M",
        "chat_template": "no", "thinking": "no", "tools": "in words: its chat template shows none", "sampling": "none said",
        "size_bytes": len(DATA), "memory_context": 4096, "memory_bytes": len(DATA) + 64_000_000, "sha256": SHA256,
    }  # fmt: skip


# --- fetch


@dataclass
class Hub:
    """A hub with one file."""

    stop_after: int | None = None
    announced: str = SHA256
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub(http_server, monkeypatch) -> Hub:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/owner/repo/resolve/main/sub/m.gguf":
                self.send_error(404, "Entry not found")
                return
            asked = self.headers.get("Range")
            state.asked.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
            self.send_response(206 if start else 200)
            self.send_header("X-Linked-Etag", f'"{state.announced}"')
            self.send_header("Content-Length", str(len(DATA) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
            self.end_headers()
            self.wfile.write(DATA[start : state.stop_after])

    server = http_server(Handler)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    return state


@pytest.mark.parametrize("sha256", ["", SHA256, SHA256.upper()])
def test_fetches_checks_and_records(hub, cache, sha256):
    seen: list[tuple[int, int]] = []
    found = prepare.fetch_model(NAME, sha256, lambda done, total: seen.append((done, total)))
    path = cache / "hf/owner/repo/sub/m.gguf"
    assert found == {"name": NAME, "file": str(path), "sha256": SHA256, "size_bytes": len(DATA), "revision": "main"}
    assert (path.read_bytes(), seen[-1]) == (DATA, (len(DATA), len(DATA)))
    record = json.loads((path.parent / "m.gguf.json").read_text())
    assert (record["sha256"], record["url"].partition("//127.0.0.1:")[0]) == (SHA256, "http:")
    assert prepare.fetch_model(NAME, sha256) == found
    assert hub.asked == [None]
    assert prepare.verify(NAME)["compared_with"] == "the record of its download"


def test_goes_on_where_it_broke_off(hub, cache):
    hub.stop_after = 40
    with pytest.raises(DownloadError, match="run the same command again"):
        prepare.fetch_model(NAME)
    hub.stop_after = None
    prepare.fetch_model(NAME)
    assert hub.asked == [None, "bytes=40-"]


def test_another_hash_is_refused_before_and_after(hub, cache):
    wrong = "0" * 64
    with pytest.raises(DownloadError, match=f"SHA-256 is {SHA256}"):
        prepare.fetch_model(NAME, wrong)
    assert not (cache / "hf/owner/repo/sub/m.gguf").exists()
    prepare.fetch_model(NAME)
    with pytest.raises(DownloadError, match=f"the copy in the cache has the SHA-256 {SHA256}, not {wrong}; delete"):
        prepare.fetch_model(NAME, wrong)


def test_what_is_no_model_is_not_recorded(hub, cache, monkeypatch):
    monkeypatch.setitem(globals(), "DATA", b"<html>not found")
    hub.announced = ""
    with pytest.raises(BadModelFileError, match="is not a GGUF file"):
        prepare.fetch_model(NAME)
    assert not list(cache.rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "sha256", "said"),
    [
        ("toy", "", "the file to fetch is 'toy'; allowed: hf:owner/repo:file"),
        (NAME, "12", "the SHA-256 is '12'"),
        (NAME, "x" * 64, "64 hex"),
    ],
)
def test_what_cannot_be_fetched_is_named(name, sha256, said):
    with pytest.raises(BadRequestError, match=said):
        prepare.fetch_model(name, sha256)


# --- verify


def test_verifies_a_known_model(toy, cache):
    assert prepare.verify("toy") == {
        "name": "toy", "file": str(cache / "toy.gguf"), "sha256": SHA256, "size_bytes": len(DATA), "compared_with": "the published figures",
    }  # fmt: skip
    (cache / "toy.gguf").write_bytes(tiny(2))
    with pytest.raises(BadModelFileError, match=f"its SHA-256 is .*, that of the published figures is {SHA256}; delete it"):
        prepare.verify("toy")
    (cache / "toy.gguf").write_bytes(DATA[:-1])
    with pytest.raises(BadModelFileError, match="is truncated"):
        prepare.verify("toy")


def test_a_file_of_ones_own_has_nothing_to_compare_with(tmp_path):
    path = tmp_path / "own.gguf"
    path.write_bytes(DATA)
    assert prepare.verify(str(path))["compared_with"] == "nothing"


def test_a_changed_download_is_named(hub, cache):
    path = Path(prepare.fetch_model(NAME)["file"])
    path.write_bytes(tiny(2))
    with pytest.raises(BadModelFileError, match=f"that of the record of its download is {SHA256}"):
        prepare.verify(NAME)
    record = path.with_name("m.gguf.json")
    for damaged in ("{", "[]"):
        record.write_text(damaged)
        with pytest.raises(BadModelFileError, match="is not a record of a model; delete it"):
            prepare.verify(NAME)


def test_what_is_not_there_is_not_verified():
    with pytest.raises(BadModelFileError, match="is not fetched yet; run homebody models fetch"):
        prepare.verify(NAME)
    for action in (prepare.verify, prepare.prepare):
        with pytest.raises(BadRequestError, match="one whose file is on this machine"):
            action("http://127.0.0.1:9/v1")


# --- prepare


def test_a_faster_copy_is_kept_under_its_own_name(toy, copies, speeds, cache):
    speeds |= {"toy": (100.0, 50.0), "toy@q4_0": (300.0, 60.0), "toy@q8_0": (200.0, 40.0)}
    found = prepare.prepare("toy", ("q4_0", "q8_0"))
    assert found["fastest"] == "toy@q4_0"
    assert [row["name"] for row in found["candidates"]] == ["toy", "toy@q4_0", "toy@q8_0"]
    assert found["candidates"][1] | {"size_bytes": 0} == {
        "name": "toy@q4_0", "quantization": "T", "size_bytes": 0, "prompt_tokens_per_s": 300.0, "decode_tokens_per_s": 60.0,
    }  # fmt: skip
    assert [path.name for path in (cache / "variants").iterdir()] == [f"toy-{SHA256[:12]}@q4_0.gguf"]
    assert json.loads((cache / "toy.gguf.json").read_text())["measured"] == found
    assert names.resolve("toy").read_bytes() == DATA


def test_a_slower_copy_goes_unless_it_was_there_before(toy, copies, speeds, cache):
    speeds |= {"toy": (100.0, 50.0), "toy@q4_0": (99.0, 50.0)}
    assert prepare.prepare("toy")["fastest"] == "toy"
    assert list((cache / "variants").iterdir()) == []
    names.resolve("toy@q4_0")
    assert prepare.prepare("toy")["fastest"] == "toy"
    assert len(list((cache / "variants").iterdir())) == 1


def test_the_fastest_is_the_one_for_256_new_and_32_generated_tokens():
    assert Speed("a", "T", 1, 128.0, 16.0).seconds == 4.0


def test_what_packages_carry_is_measured_beside_the_copy(toy, copies, speeds, tmp_path, monkeypatch):
    copy = ModelFile("toy-q4_0.gguf", "Q4_0", len(DATA), hashlib.sha256(tiny(2)).hexdigest())
    monkeypatch.setitem(KNOWN, "toy", dataclasses.replace(toy, copy=copy))
    speeds |= {"toy": (100.0, 50.0), "toy@q4_k_m": (90.0, 60.0)}
    found = prepare.prepare("toy")
    assert [row["name"] for row in found["candidates"]] == ["toy", "toy@q4_k_m"]
    assert found["fastest"] == "toy"
    assert copies == ["toy.gguf Q4_0"]  # The copy is Q4_0 already.
    assert [prepare.verify(name)["sha256"] for name in ("toy", "toy@q4_k_m")] == [copy.sha256, SHA256]
    assert prepare.verify("toy@q4_k_m")["compared_with"] == "the file that is known by this name"
    names.resolve("toy@q4_k_m").write_bytes(tiny(3))
    with pytest.raises(BadModelFileError, match=f"that of the file that is known by this name is {SHA256}"):
        prepare.verify("toy@q4_k_m")
    speeds["toy@q4_k_m"] = (900.0, 900.0)
    assert prepare.prepare("toy")["fastest"] == "toy@q4_k_m"
    assert names.resolve("toy@q4_k_m").exists()  # Only copies that were tried are deleted.


def test_a_model_whose_packages_are_gone_is_measured_alone(toy, copies, speeds, tmp_path, monkeypatch, cache):
    copy = ModelFile("toy-q4_0.gguf", "Q4_0", len(DATA), hashlib.sha256(tiny(2)).hexdigest())
    monkeypatch.setitem(KNOWN, "toy", dataclasses.replace(toy, copy=copy))
    names.resolve("toy")
    (cache / "toy.gguf").unlink()
    (tmp_path / "site" / "toy1").rename(tmp_path / "site" / "gone")
    importlib.invalidate_caches()
    speeds |= {"toy": (100.0, 50.0)}
    assert [row["name"] for row in prepare.prepare("toy")["candidates"]] == ["toy"]


def test_the_record_of_a_file_of_ones_own_is_in_the_cache(tmp_path, copies, speeds, cache):
    path = tmp_path / "own.gguf"
    path.write_bytes(DATA)
    speeds |= {str(path): (1.0, 1.0), f"{path}@q4_0": (2.0, 2.0)}
    prepare.prepare(str(path))
    assert [found.name for found in tmp_path.iterdir() if found.suffix == ".json"] == []
    assert (cache / "variants" / f"own-{SHA256[:12]}.json").exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, copies, monkeypatch):
    path = tmp_path / "own.gguf"
    path.write_bytes(DATA)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError):
        names.resolve(f"{path}@q4_0")


def test_no_prompt_is_measured_twice(tmp_path, monkeypatch):
    path = tmp_path / "m.gguf"
    path.write_bytes(DATA)
    backend = Scripted(["word " * 40] * 6)
    monkeypatch.setattr(prepare, "load", lambda *_, **__: contextlib.nullcontext(backend))
    speed = prepare.measure(path, "m")
    prompts = [call.prompt for call in backend.calls]
    assert prompts[::2] == prompts[1::2]  # The prompt, then what is generated after it.
    assert len(set(prompts)) == 3
    assert (speed.name, speed.quantization, speed.size_bytes) == ("m", "Q4_K_M", len(DATA))


# --- with real models


@pytest.mark.model
def test_real_models_are_what_is_known_of_them(smollm2_file, cache, monkeypatch):
    cache.mkdir(parents=True)
    (cache / KNOWN["smollm2"].file.name).symlink_to(smollm2_file)
    found = prepare.describe("smollm2")
    known = {"architecture": "llama", "layers": 30, "context": 8192, "words": 49152, "quantization": "Q4_0", "chat_template": "yes"}
    assert known.items() <= found.items()
    assert 250e6 < found["memory_bytes"] < 400e6  # 301 MB resident were seen with a full context of 4096.
    assert prepare.verify("smollm2")["compared_with"] == "the published figures"
    monkeypatch.setattr(prepare, "_REPEATS", 1)
    speed = prepare.measure(smollm2_file, "smollm2")
    assert (speed.name, speed.quantization, speed.size_bytes) == ("smollm2", "Q4_0", KNOWN["smollm2"].file.size_bytes)
    assert speed.prompt_tokens_per_s > speed.decode_tokens_per_s > 0
