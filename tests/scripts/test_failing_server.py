"""Runs against a server that fails: what an error ended is no defeat, and a run that cannot go on stops in one line."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.models.remote import http_client
from homebody.evolution.store import Store

Command = Callable[..., Any]
SMALL = ("--train-tasks", 2, "--validation-tasks", 2, "--growth", 1, "--exploration-steps", 0, "--max-steps", 2, "--rounds", 1,
         "--proposer", "noop", "--gate", "no-regression")  # fmt: skip

BROKEN: dict[str, tuple[int, bytes, str]] = {
    "error with status 200": (
        200,
        b'{"error": {"message": "model is loading", "code": 503}}',
        "it sends an error as an answer: model is loading",
    ),
    "a page": (200, b"<html>login</html>", "RemoteAnswerError at decide"),
    "a refusal": (400, b'{"error": {"message": "max_tokens is not supported"}}', "RemoteRefusedError at decide"),
}
"""Status, body and what it becomes."""


class Server:
    """A server that answers chats by `mode`: `good`, a key of BROKEN, or `gone`; after `lasts` good answers it is gone."""

    def __init__(self, http_server: Callable[..., Any]) -> None:
        self.mode, self.lasts = "good", 10**9
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def out(self, status: int, raw: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def do_GET(self) -> None:
                if self.path == "/v1/models":
                    return self.out(200, json.dumps({"data": [{"id": "toy", "owned_by": "x"}]}).encode())
                return self.out(404, b"{}")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if not self.path.endswith("/chat/completions"):
                    return self.out(404, b"{}")
                if outer.mode == "good":
                    outer.lasts -= 1
                    if outer.lasts < 0:
                        outer.mode = "gone"
                if outer.mode == "gone":
                    self.close_connection = True
                    return None
                if outer.mode in BROKEN:
                    return self.out(*BROKEN[outer.mode][:2])
                message = {"role": "assistant", "content": "look"}
                usage = {"prompt_tokens": 5, "completion_tokens": 1}
                return self.out(200, json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode())

        self.url = f"http://127.0.0.1:{http_server(Handler).server_port}/v1"


@pytest.fixture
def server(http_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE_S", 0.001)
    return Server(http_server)


def evaluate(server: Server, run_dir: Path, tasks: int) -> tuple[object, ...]:
    """A command that evaluates the server's model."""
    return ("evaluate", "--policy", server.url, "--harness", "generic-act", "--tasks", tasks, "--max-steps", 2, "--run-dir", run_dir)


@pytest.mark.parametrize("mode", BROKEN)
def test_a_run_whose_every_episode_fails_stops_in_one_line_and_goes_on(
    homebody: Command, loaded: Command, server: Server, tmp_path: Path, mode: str
) -> None:
    server.mode, run_dir = mode, tmp_path / "run"
    evolve = ("evolve", "--model", server.url, "--harness", "generic-act", *SMALL, "--run-dir", run_dir)
    answer = homebody(*evolve)
    assert answer.code == 1
    *progress, last = answer.err.splitlines()
    assert not any(line.startswith("takes ") for line in progress)  # episodes that errors ended say nothing of a rate
    assert progress[-2:] == ["  round 1: training: 2 episodes", "  round 1: training: errors ended 2 of 2 episodes"]
    assert last.startswith("homebody: round 1, training: errors ended all 2 episodes; the first, ")
    assert BROKEN[mode][2] in last
    assert last.endswith("; mend the cause and go on with evolve --resume")
    assert not (run_dir / "final.json").exists()
    report = homebody("report", run_dir, "--png", tmp_path / "chart.png", "--figures", tmp_path / "figures")
    assert (report.code, report.err) == (0, "")
    assert "The run was stopped: round 1, training: errors ended all 2 episodes" in report.out
    server.mode = "good"
    resumed = homebody(*evolve, "--resume", "--json", tmp_path / "result.json")
    assert resumed.code == 0
    train = loaded(tmp_path / "result.json")["rounds"][0]["train"]
    assert (train["n"], train["errors"], train["success"]) == (2, 0, 0.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_dies_on_the_way_stops_the_run_in_one_line(
    homebody: Command, loaded: Command, server: Server, tmp_path: Path, workers: int
) -> None:
    # Two training tasks of two steps are played, and one of the two validation tasks.
    server.lasts, run_dir = 6, tmp_path / "run"
    evolve = ("evolve", "--model", server.url, "--harness", "generic-act", *SMALL, "--run-dir", run_dir, "--workers", workers)
    answer = homebody(*evolve)
    assert answer.code == 1
    last = answer.err.splitlines()[-1]
    assert last.startswith("homebody: the model does not answer any more: server 127.0.0.1:")
    assert "Traceback" not in answer.err
    with Store(run_dir, readonly=True) as store:
        kept = store.episodes()
        assert len(kept) >= 2
        assert all(record["error"] is None for record in kept.values())
    assert homebody("report", run_dir).code == 0
    server.mode, server.lasts = "good", 10**9
    assert homebody(*evolve, "--resume", "--json", tmp_path / "result.json").code == 0
    assert loaded(tmp_path / "result.json")["rounds"][0]["validation"]["errors"] == 0


def test_an_evaluation_counts_errors_apart(homebody: Command, loaded: Command, server: Server, tmp_path: Path) -> None:
    server.mode = "a refusal"
    command = evaluate(server, tmp_path / "run", tasks=2)
    answer = homebody(*command, "--json", tmp_path / "result.json")
    assert answer.code == 1
    assert answer.error.startswith("2 of 2 episodes failed; the first, ")
    assert "no episode was played, 2 errors" in answer.out
    result = loaded(tmp_path / "result.json")
    assert (result["n"], result["errors"], result["success"], result["ci95"]) == (0, 2, None, None)
    assert homebody("report", tmp_path / "run").code == 0
    server.mode = "good"
    assert homebody(*command, "--json", tmp_path / "result.json").code == 0
    result = loaded(tmp_path / "result.json")
    assert (result["n"], result["errors"], result["success"]) == (2, 0, 0.0)


def test_an_evaluation_whose_server_is_gone_keeps_what_was_played(homebody: Command, server: Server, tmp_path: Path) -> None:
    server.lasts = 3
    command = evaluate(server, tmp_path / "run", tasks=4)
    answer = homebody(*command)
    assert (answer.code, answer.out) == (1, "")
    assert answer.error.startswith("the model does not answer any more: ")
    assert answer.error.endswith("what was played is kept where a --run-dir was given")
    with Store(tmp_path / "run", readonly=True) as store:
        assert len(store.episodes()) == 1
