"""Downloads, against a server of our own on loopback."""

import hashlib
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from homebody.envs.core import EnvError
from homebody.envs.download import DownloadError, cache_root, fetch

DATA = bytes(range(256)) * 9000
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Hub:
    """A server that answers as the hub does, or worse."""

    url: str = ""
    ranges: bool = True
    stop_after: int | None = None
    etag: str = SHA256
    announces: bool = True
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub(http_server) -> Hub:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/resolve/"):
                self.send_response(302)
                self.send_header("X-Linked-Etag", f'"{state.etag}"')
                self.send_header("Location", "/blob")
                self.end_headers()
                return
            if self.path != "/blob":
                self.send_error(404, "Entry not found")
                return
            asked = self.headers.get("Range")
            state.asked.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and state.ranges else 0
            if start >= len(DATA):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(DATA)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
            if state.announces:
                self.send_header("Content-Length", str(len(DATA) - start))
            self.end_headers()
            self.wfile.write(DATA[start : state.stop_after])

    state.url = f"http://127.0.0.1:{http_server(Handler).server_port}"
    return state


@pytest.mark.parametrize("announces", [True, False])
def test_fetches_once_and_reports_progress(hub, tmp_path, announces):
    hub.announces = announces
    seen = []
    target = tmp_path / "model.gguf"
    assert fetch(f"{hub.url}/resolve/main/f", target, lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA) if announces else 0)
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]
    fetch(f"{hub.url}/resolve/main/f", target)
    assert hub.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_where_it_broke_off(hub, tmp_path, ranges):
    hub.ranges = ranges
    hub.stop_after = 1_500_000
    target = tmp_path / "model.gguf"
    with pytest.raises(DownloadError, match="run the same command again"):
        fetch(f"{hub.url}/resolve/main/f", target)
    assert not target.exists()
    had = (tmp_path / "model.gguf.part").stat().st_size
    assert 0 < had < len(DATA)
    hub.stop_after = None
    fetch(f"{hub.url}/resolve/main/f", target)
    assert target.read_bytes() == DATA
    assert hub.asked[1] == f"bytes={had}-"


def test_whole_part_gets_its_name(hub, tmp_path):
    (tmp_path / "model.gguf.part").write_bytes(DATA)
    assert fetch(f"{hub.url}/resolve/main/f", tmp_path / "model.gguf").read_bytes() == DATA


def test_part_of_a_longer_file_is_deleted(hub, tmp_path):
    part = tmp_path / "model.gguf.part"
    part.write_bytes(DATA + b"x")
    with pytest.raises(DownloadError, match=f"got {len(DATA) + 1} bytes of {len(DATA)}"):
        fetch(f"{hub.url}/resolve/main/f", tmp_path / "model.gguf")
    assert not part.exists()


@pytest.mark.parametrize("part", [b"", b"y" * 1000])
def test_wrong_content_is_deleted(hub, tmp_path, part):
    if part:
        (tmp_path / "model.gguf.part").write_bytes(part)
    else:
        hub.etag = "0" * 64
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch(f"{hub.url}/resolve/main/f", tmp_path / "model.gguf")
    assert list(tmp_path.iterdir()) == []


def test_etag_that_is_no_hash_is_not_compared(hub, tmp_path):
    hub.etag = "abc-1"
    assert fetch(f"{hub.url}/resolve/main/f", tmp_path / "model.gguf").read_bytes() == DATA


def test_refusals_are_named(hub, tmp_path):
    with pytest.raises(DownloadError, match="Entry not found"):
        fetch(f"{hub.url}/nothing", tmp_path / "model.gguf")
    with pytest.raises(DownloadError, match="refused"):
        fetch("http://127.0.0.1:9/file", tmp_path / "model.gguf")
    assert list(tmp_path.iterdir()) == []


def test_the_sum_that_the_caller_expects_is_compared(hub, tmp_path):
    hub.etag = ""
    with pytest.raises(DownloadError, match=f"its SHA-256 is {SHA256}, expected was {'0' * 64}; the file was deleted"):
        fetch(f"{hub.url}/resolve/main/f", tmp_path / "games.zip", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []
    assert fetch(f"{hub.url}/resolve/main/f", tmp_path / "games.zip", sha256=SHA256.upper()).read_bytes() == DATA


@pytest.mark.parametrize("url", ["games.zip", "", "x://games.zip"])
def test_what_is_no_address_is_named(tmp_path, url):
    with pytest.raises(DownloadError, match="unknown url type"):
        fetch(url, tmp_path / "games.zip")


def test_the_cache_is_where_the_variables_say(monkeypatch, tmp_path):
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("HOMEBODY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "homebody"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "homebody"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HOMEBODY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(EnvError, match="this user has no home; set HOMEBODY_CACHE to a folder"):
        cache_root()
