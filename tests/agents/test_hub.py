"""Files of a hub of our own on loopback: of one revision, with all parts of a model, and what is said of them."""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.errors import BadModelFileError
from homebody.agents.models import names, prepare

OLD, NEW = "a" * 40, "b" * 40
FIRST = "hf:owner/repo:q/m-00001-of-00003.gguf"


def part(number: int, filler: int) -> bytes:
    """A whole GGUF file without tensors: part of a model in three, or with number 0 a model in one."""
    keys = {"split.no": number - 1, "split.count": 3} if number else {}
    data = b"".join(struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", 4, value) for key, value in keys.items())
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + data
    return head + bytes(-len(head) % 32) + bytes([filler]) * 32


def content(filler: int) -> dict[str, bytes]:
    return {f"q/m-{number:05}-of-00003.gguf": part(number, filler) for number in (1, 2, 3)} | {"m.gguf": part(0, filler)}


@dataclass
class Hub:
    """A repository of two commits; the main branch moves."""

    main: str = OLD
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {OLD: content(1), NEW: content(2)})
    asked: list[str] = field(default_factory=list)
    names_commits: bool = True


@pytest.fixture
def hub(http_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """A hub, and an empty cache."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            state.asked.append(self.path.removeprefix("/owner/repo/resolve/"))
            self.wfile.write(self.answer())

        def answer(self) -> bytes:
            found = re.fullmatch(r"/owner/repo/resolve/([^/]+)/(.+)", self.path)
            assert found is not None
            commit = state.main if found[1] == "main" else found[1]
            data = state.commits.get(commit, {}).get(found[2])
            if data is None:
                self.send_error(404, "Entry not found")
                return b""
            self.send_response(200)
            if state.names_commits:
                self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return data

    server = http_server(Handler)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path))
    return state


def test_all_parts_come_from_one_commit_though_the_branch_moves(hub: Hub) -> None:
    del hub.commits[OLD]["q/m-00002-of-00003.gguf"]
    with pytest.raises(Exception, match="could not fetch"):
        prepare.fetch_model(FIRST)
    hub.commits[OLD] = content(1)
    hub.main = NEW
    assert not names.is_prepared(FIRST)
    found = prepare.fetch_model(FIRST)
    data = [part(number, 1) for number in (1, 2, 3)]
    paths = sorted(Path(found["file"]).parent.glob("*.gguf"))
    assert [path.read_bytes() for path in paths] == data
    assert (found["revision"], found["parts"], found["size_bytes"]) == (OLD, 3, len(b"".join(data)))
    assert all(asked.startswith(OLD) for asked in hub.asked)
    assert names.is_prepared(FIRST)
    record = json.loads(Path(found["file"] + ".json").read_text())
    assert (record["revision"], f"/resolve/{OLD}/" in record["url"]) == (OLD, True)
    (info,) = [info for info in names.list_models() if info.name.startswith("hf:")]
    assert (info.name, info.size_bytes, info.state) == (FIRST, found["size_bytes"], "ready")
    assert prepare.verify(FIRST)["compared_with"] == "the record of its download"
    assert prepare.describe(FIRST)["revision"] == OLD


def test_a_revision_in_the_name_is_a_file_of_its_own(hub: Hub) -> None:
    pinned = f"hf:owner/repo@{NEW}:m.gguf"
    found = [prepare.fetch_model(name) for name in ("hf:owner/repo:m.gguf", pinned)]
    assert [each["revision"] for each in found] == [OLD, NEW]
    assert [Path(each["file"]).read_bytes() for each in found] == [part(0, 1), part(0, 2)]
    assert {info.name for info in names.list_models() if info.name.startswith("hf:")} == {"hf:owner/repo:m.gguf", pinned}


def test_a_hub_that_names_no_commits_is_asked_for_the_branch(hub: Hub) -> None:
    hub.names_commits = False
    assert prepare.fetch_model("hf:owner/repo:m.gguf")["revision"] == "main"


def test_a_later_part_is_named_before_it_is_fetched(hub: Hub) -> None:
    with pytest.raises(BadModelFileError, match=r"is part 2 of 3; give the first, hf:owner/repo:q/m-00001-of-00003.gguf"):
        prepare.fetch_model("hf:owner/repo:q/m-00002-of-00003.gguf")
    assert hub.asked == []
