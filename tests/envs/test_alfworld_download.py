"""Fetching and unpacking ALFWorld's games, against archives of our own on a server on loopback."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.download import DownloadError
from homebody.envs.household.alfworld import download
from homebody.envs.household.alfworld.download import (
    ArchiveError,
    ChecksumFormError,
    DataFolderError,
    GamesThereError,
    default_dir,
    fetch_games,
)

GAME = "json_2.1.1/train/a/trial_T1/game.tw-pddl"
Members = dict[str | zipfile.ZipInfo, bytes]


def pack(members: Members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


WHOLE = pack({"json_2.1.1/": b"", GAME: os.urandom(300_000), "json_2.1.1/valid_seen/b/game.tw-pddl": b"{}", "README": b"not a game"})


@dataclass
class Server:
    """A server of one file."""

    content: bytes = WHOLE
    ranges: bool = True
    stop_after: int | None = None
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server(http_server: Callable[..., Any]) -> Server:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/games.zip":
                self.send_error(404, "no such asset")
                return
            asked = self.headers.get("Range")
            state.asked.append(asked)
            match = re.fullmatch(r"bytes=(\d+)-", asked) if asked and state.ranges else None
            start = int(match[1]) if match else 0
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            self.wfile.write(state.content[start : state.stop_after])

    state.url = f"http://127.0.0.1:{http_server(Handler).server_port}/games.zip"
    return state


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_games_are_fetched_and_unpacked(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "new" / "data"
    games = fetch_games(folder, url=server.url, progress=lambda done, total: seen.append((done, total)))
    assert games == folder / "json_2.1.1"
    # Only the folder of games is taken, and the archive goes when it has served.
    assert left(folder) == [GAME, "json_2.1.1/valid_seen/b/game.tw-pddl"]
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as file:
        assert (folder / GAME).read_bytes() == file.read(GAME)
    assert seen[-1] == (len(WHOLE), len(WHOLE))
    with pytest.raises(GamesThereError, match="is there already; check it with --check"):
        fetch_games(folder, url=server.url)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.ranges, server.stop_after = ranges, 100_000
    with pytest.raises(DownloadError, match=f"got 100000 bytes of {len(WHOLE)}; run the same command again to resume"):
        fetch_games(tmp_path, url=server.url)
    assert [name.endswith(".zip.part") for name in left(tmp_path)] == [True]
    server.stop_after = None
    fetch_games(tmp_path, url=server.url)
    assert server.asked == [None, "bytes=100000-"]
    assert GAME in left(tmp_path)


def test_the_part_of_one_archive_is_not_continued_with_another(server: Server, tmp_path: Path) -> None:
    server.stop_after = 100_000
    with pytest.raises(DownloadError):
        fetch_games(tmp_path, url=server.url)
    server.stop_after = None
    fetch_games(tmp_path, url=server.url.replace("127.0.0.1", "localhost"))
    assert server.asked[-1] is None


def test_checksums_are_compared(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = hashlib.sha256(WHOLE).hexdigest()
    with pytest.raises(ChecksumFormError, match="sha256 is 'abc'; give 64 hexadecimal digits"):
        fetch_games(tmp_path, url=server.url, sha256="abc")
    with pytest.raises(DownloadError, match=f"its SHA-256 is {right}, expected was {'0' * 64}"):
        fetch_games(tmp_path, url=server.url, sha256="0" * 64)
    # The official address has a sum that is known.
    monkeypatch.setattr(download, "URL", server.url)
    with pytest.raises(DownloadError, match=f"expected was {download.SHA256}"):
        fetch_games(tmp_path, url=server.url)
    assert left(tmp_path) == []
    fetch_games(tmp_path, url=server.url, sha256=right)


def test_refusals_of_the_server_are_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="no such asset"):
        fetch_games(tmp_path, url=server.url + "x")
    with pytest.raises(DownloadError, match="refused"):
        fetch_games(tmp_path, url="http://127.0.0.1:9/games.zip")


def link(name: str, mode: int = stat.S_IFLNK) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode | 0o777) << 16
    return info


def corrupt(content: bytes) -> bytes:
    """Change a byte of the first member's content."""
    at = content.index(b"PK\x03\x04", 10) + 1000
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def encrypt(content: bytes) -> bytes:
    """Set the flag of encryption in every entry of the directory."""
    out = bytearray(content)
    for match in re.finditer(b"PK\x01\x02", content):
        out[match.start() + 8] |= 1
    return bytes(out)


def twice() -> bytes:
    first, second = (pack({GAME[:-1] + last: b"{}"}) for last in ("l", "m"))
    out = io.BytesIO(first)
    with zipfile.ZipFile(out, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(GAME, second)
    return out.getvalue()


HARMFUL: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"<html>rate limit</html>", "is damaged or no zip file"),
    (lambda: WHOLE[:-30], "is damaged or no zip file"),
    (lambda: corrupt(WHOLE), "is damaged or no zip file"),
    (lambda: encrypt(WHOLE), "is encrypted"),
    (lambda: pack({GAME: b"{}", "../../evil": b"x"}), "member '../../evil' lies outside"),
    (lambda: pack({"json_2.1.1/../../evil": b"x"}), "lies outside"),
    (lambda: pack({"/etc/evil": b"x"}), "member '/etc/evil' lies outside"),
    (lambda: pack({"json_2.1.1/a\\..\\evil": b"x"}), "has a name that is none on every system"),
    (lambda: pack({"C:/evil": b"x"}), "has a name that is none on every system"),
    (lambda: pack({"json_2.1.1/\x07": b"x"}), "has a name that is none on every system"),
    (lambda: pack({link("json_2.1.1/train"): b"/etc"}), "is a link or a device"),
    (lambda: pack({link("json_2.1.1/pipe", stat.S_IFIFO): b""}), "is a link or a device"),
    (lambda: pack({".": b"x"}), "has no name"),
    (lambda: pack({GAME: b"0" * 50_000_000}), "would unpack to 50000000 bytes"),
    (lambda: pack({"other/game.tw-pddl": b"{}"}), "has no folder json_2.1.1"),
    (lambda: pack({}), "has no folder json_2.1.1"),
    (lambda: pack({"json_2.1.1/a": b"x", "json_2.1.1/a/b": b"x"}), "has a file and a folder of one name"),
    (twice, f"has the member '{GAME}' twice"),
]


@pytest.mark.parametrize(("make", "message"), HARMFUL, ids=[message for _, message in HARMFUL])
def test_harmful_archives_are_refused_and_leave_nothing(server: Server, tmp_path: Path, make: Callable[[], bytes], message: str) -> None:
    server.content = make()
    with pytest.raises(ArchiveError, match=re.escape(message)) as caught:
        fetch_games(tmp_path / "data", url=server.url)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert list((tmp_path / "data").iterdir()) == []


def test_too_many_members_are_refused(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_MEMBERS", 3)
    with pytest.raises(ArchiveError, match="has 4 members, more than the 3 allowed"):
        fetch_games(tmp_path, url=server.url)


def test_an_interrupted_unpacking_leaves_nothing_half_written(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "copyfileobj", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch_games(tmp_path, url=server.url)
    assert [name.endswith(".zip") for name in left(tmp_path)] == [True]
    # A process that was killed could not even clean up.
    (tmp_path / ".json_2.1.1.part" / "train").mkdir(parents=True)
    (tmp_path / ".json_2.1.1.part" / "train" / "half").write_text("{")
    fetch_games(tmp_path, url=server.url)
    assert left(tmp_path) == [GAME, "json_2.1.1/valid_seen/b/game.tw-pddl"]
    assert server.asked == [None]


def test_folders_that_cannot_be_written_to_are_named(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match=r"cannot write to .*file: (file exists|not a directory)"):
        fetch_games(tmp_path / "file", url=server.url)
    monkeypatch.setattr(download.os, "access", lambda *_: False)
    with pytest.raises(DataFolderError, match="permission denied"):
        fetch_games(tmp_path, url=server.url)
    monkeypatch.undo()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfileobj", full)
    with pytest.raises(DataFolderError, match="no space left on device; give another --dir, or make room"):
        fetch_games(tmp_path, url=server.url)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    assert default_dir() == tmp_path
    monkeypatch.delenv("ALFWORLD_DATA")
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path))
    assert default_dir() == tmp_path / "alfworld"
