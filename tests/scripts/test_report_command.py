"""`homebody report`: what it writes, and the local page that follows a run."""

import errno
import json
import os
import shutil
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.reports.page import build_page
from homebody.evolution.store import Store

Command = Callable[..., Any]


def test_the_page_is_written_into_the_run(homebody: Command, run_dir: Path) -> None:
    answer = homebody("report", run_dir)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == f"HTML page: {run_dir / 'report.html'}"
    assert (run_dir / "report.html").read_text("utf-8") == build_page(run_dir)
    again = homebody("report", run_dir)
    assert again.code == 0
    assert [path.name for path in run_dir.glob("*.html")] == ["report.html"]


def test_the_page_can_go_elsewhere(homebody: Command, run_dir: Path, tmp_path: Path) -> None:
    assert homebody("report", run_dir, "--html", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_bytes().startswith(b"<!doctype html>")
    assert not (run_dir / "report.html").exists()


def test_each_figure_is_drawn_twice(homebody: Command, run_dir: Path, tmp_path: Path) -> None:
    assert homebody("report", run_dir, "--figures", tmp_path / "deep" / "figures").code == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "deep" / "figures").iterdir()}
    names = {name.partition(".")[0] for name in files}
    assert {"rounds", "failures"} <= names
    assert set(files) == {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert struct.unpack(">I", files["rounds.png"][16:20]) == (1080,)  # 7.2 inches at 150 dots


@pytest.mark.parametrize("option", ["--html", "--figures"])
def test_a_target_that_cannot_be_written(homebody: Command, run_dir: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("")
    answer = homebody("report", run_dir, option, tmp_path / "file" / "x")
    assert (answer.code, answer.out) == (2, "")
    assert str(tmp_path / "file" / "x") in answer.error
    assert "give" in answer.error


def test_one_round_and_one_edit_are_explained(homebody: Command, run_dir: Path, tmp_path: Path) -> None:
    answer = homebody("report", run_dir, "--round", 1, "--json", tmp_path / "round.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("# Round 1\n")
    found = json.loads((tmp_path / "round.json").read_text("utf-8"))
    name = found["cards"][0]["id"]
    answer = homebody("report", run_dir, "--round", 1, "--candidate", 1, "--json", tmp_path / "card.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"# {name}: ")
    assert json.loads((tmp_path / "card.json").read_text("utf-8")) == found["cards"][0]
    assert not (run_dir / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--round", 99], "has no round 99; it has the rounds 1 to "),
        (["--round", 1, "--candidate", 99], "has no candidate 99; it has r1c1"),
        (["--candidate", 1], "--candidate is 1 and no round is given; add --round"),
        (["--round", 1, "--html", "x.html"], "--round writes no file but --json"),
        (["--round", 1, "--serve"], "--round writes no file but --json"),
    ],
)
def test_what_cannot_be_explained(homebody: Command, run_dir: Path, options: list[object], said: str) -> None:
    answer = homebody("report", run_dir, *options)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.error


# --- --serve


@pytest.fixture
def served(homebody_process: Command) -> Iterator[Callable[[Path], tuple[Any, str]]]:
    """Start `report --serve`; returns the process and the address."""
    processes = []

    def start(run_dir: Path) -> tuple[Any, str]:
        process = homebody_process("report", run_dir, "--serve", "--port", 0)
        processes.append(process)
        line = process.stdout.readline()
        assert line.endswith(f" follows {run_dir}; Ctrl-C ends\n"), line + process.stderr.read()
        return process, line.split()[0]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def get(address: str, **headers: str) -> tuple[int, str, str]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_a_run_is_served_until_an_interrupt(run_dir: Path, served: Callable[[Path], tuple[Any, str]]) -> None:
    process, address = served(run_dir)
    before = {path: path.read_bytes() for path in run_dir.iterdir() if path.name in ("run.sqlite", "final.json")}
    code, kind, text = get(address)
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert "homebody/Household-v0, no-model: live</title>" in text
    code, kind, text = get(address + "state")
    assert (code, kind) == (200, "application/json; charset=utf-8")
    state = json.loads(text)
    assert (state["phase"], state["round"], state["now"] >= state["last"]) == ("finished", 1, True)
    assert get(address + "report") == (200, "text/html; charset=utf-8", build_page(run_dir))
    code, _, text = get(address + "final.json")
    assert (code, text) == (404, "nothing here; there are /, /state, /report\n")
    assert get(address + "../run.sqlite")[0] == 404
    # A page elsewhere whose name was pointed at this machine is not answered.
    code, _, text = get(address + "state", Host="example.org")
    assert (code, text) == (403, "only requests to this machine are answered\n")
    port = address.rpartition(":")[2].strip("/")
    assert get(address + "state", Host=f"localhost:{port}")[0] == 200
    assert {path: path.read_bytes() for path in before} == before
    shutil.rmtree(run_dir)
    code, _, text = get(address + "state")
    assert (code, "holds no run" in json.loads(text)["error"]) == (503, True)
    process.send_signal(2)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_visitor_who_leaves_is_no_error(run_dir: Path, served: Callable[[Path], tuple[Any, str]]) -> None:
    process, address = served(run_dir)
    port = int(address.rpartition(":")[2].strip("/"))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as visitor:
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing then resets the connection
            visitor.sendall(f"GET /report HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert get(address + "report")[0] == 200
    time.sleep(1)
    process.send_signal(2)
    assert process.communicate(timeout=20) == ("", "")


def test_a_port_that_is_taken(homebody: Command, run_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = homebody("report", run_dir, "--serve", "--port", port)
    assert answer.code == 2
    taken = os.strerror(errno.EADDRINUSE)
    assert answer.error == f"port {port} of 127.0.0.1 cannot be used: {taken}; choose another with --port"


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none(homebody: Command, run_dir: Path, port: str) -> None:
    answer = homebody("report", run_dir, "--serve", "--port", port)
    assert answer.code == 2
    assert "--port" in answer.error


@pytest.mark.parametrize("option", ["--html", "--png", "--figures", "--json"])
def test_serving_writes_nothing(homebody: Command, run_dir: Path, tmp_path: Path, option: str) -> None:
    answer = homebody("report", run_dir, "--serve", option, tmp_path / "x.png")
    assert (answer.code, answer.error.partition(";")[0]) == (2, "--serve writes no file")
    assert homebody("report", run_dir, "--port", 1).error == "--port is 1 and nothing is served; add --serve"


def test_evaluations_cannot_be_followed(homebody: Command, tmp_path: Path) -> None:
    Store(tmp_path / "run").close()
    answer = homebody("report", tmp_path / "run", "--serve")
    assert answer.code == 2
    assert answer.error == f"{tmp_path / 'run'} holds evaluations only, and there is nothing to follow; leave out --serve"
