"""Commands that play many episodes at a time against a server: the results of one after another, and clean ends."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.models import names
from homebody.agents.models.remote import http_client
from homebody.agents.models.scripted import Scripted
from homebody.evolution.store import Store
from homebody.scripts.interrupt import NOTE

Command = Callable[..., Any]
COSTS = ("wall_s", "twins_s", "cached_tokens")
"""What two runs of the same command may differ in."""
SMALL = ("--harness", "generic-act", "--train-tasks", 3, "--validation-tasks", 3, "--growth", 1, "--exploration-steps", 0,
         "--max-steps", 3, "--rounds", 1, "--gate", "no-regression")  # fmt: skip


def told(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in COSTS}


@pytest.mark.parametrize("attempts", [1, 2])
def test_an_evaluation_is_that_of_one_after_another(homebody: Command, loaded: Command, serve: Any, tmp_path: Path, attempts: int) -> None:
    stub, found = serve(), []
    command = ("evaluate", "--policy", stub.url, "--harness", "generic-act", "--tasks", 6, "--max-steps", 3, "--attempts", attempts)
    for number, more in enumerate(((), ("--concurrency", 5), ("--concurrency", 5, "--twins"))):
        answer = homebody(*command, *more, "--json", tmp_path / f"{number}.json", "--run-dir", tmp_path / f"run{number}")
        assert answer.code == 0, answer.err
        found.append(told(loaded(tmp_path / f"{number}.json")))
    assert found[0] == found[1]
    assert found[2]["success"] == found[0]["success"]
    assert set(found[2]["twins"]) == {"no-model", "random", "echo", "executor"}
    assert stub.most_busy > 1


def test_a_run_may_be_resumed_with_another_number_of_episodes_in_flight(
    homebody: Command, loaded: Command, serve: Any, tmp_path: Path
) -> None:
    stub, found = serve(), []
    for number, (first, second) in enumerate(((1, 1), (4, 2))):
        evolve = ("evolve", "--model", stub.url, *SMALL, "--run-dir", tmp_path / f"run{number}")
        answer = homebody(*evolve, "--concurrency", first, "--budget-episodes", 4)
        assert answer.code == 0, answer.err
        more = ("--concurrency", second, "--timeout", 30 + number, "--json", tmp_path / f"{number}.json", "--resume")
        assert homebody(*evolve, *more).code == 0
        result = loaded(tmp_path / f"{number}.json")
        found.append({key: result[key] for key in ("final_hash", "rounds", "episodes", "tokens", "stopped")})
        with Store(tmp_path / f"run{number}", readonly=True) as store:
            starts = store.events("start")
        assert len(starts) == 2  # The budget was raised.
        assert not {"concurrency", "timeout_s", "proposer_timeout_s"} & set(starts[-1])
    assert found[0] == found[1]
    rows = []
    for concurrency in (1, 4):
        run = tmp_path / f"run{0 if concurrency == 1 else 1}"
        only = ("--only", "seed,final,best-of-n", "--tasks", 3)
        answer = homebody("controls", run, *only, "--concurrency", concurrency, "--json", tmp_path / "rows.json")
        assert answer.code == 0, answer.err
        rows.append([(row["row"], row["success"], row["trace_hash"]) for row in loaded(tmp_path / "rows.json")["rows"]])
    assert rows[0] == rows[1]


def test_a_model_of_this_machine_has_workers_for_that(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "load", lambda name, **settings: Scripted(["wait"], name="tiny"))
    monkeypatch.setattr(names, "is_prepared", lambda name: True)
    answer = homebody("evaluate", "--policy", "tiny", "--harness", "generic-act", "--tasks", 1, "--concurrency", 2)
    assert answer.code == 2
    assert answer.error == ("--concurrency is 2; allowed: 1 with a model in this process; --workers plays several episodes at a time")
    answer = homebody("evaluate", "--policy", "random", "--tasks", 1, "--concurrency", 2, "--workers", 2)
    assert (answer.code, answer.error.partition(";")[0]) == (2, "--workers is 2")


def test_a_refused_connection_is_one_line(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = homebody("evaluate", "--policy", f"http://127.0.0.1:{port}/v1", "--tasks", 4, "--concurrency", 4)
    assert answer.code == 2
    assert answer.error == f"server 127.0.0.1:{port}: Connection refused; check that it is running and can be reached"


def test_a_time_out_is_one_line(homebody: Command, serve: Any) -> None:
    stub = serve()
    command = ("evaluate", "--policy", stub.url, "--harness", "generic-act", "--tasks", 4, "--max-steps", 2)
    stub.gather = 10**6
    answer = homebody(*command, "--concurrency", 4, "--timeout", 0.4)
    assert answer.code == 1
    assert answer.error.startswith("4 of 4 episodes failed; the first, ")
    assert "no answer to /v1/chat/completions within 0.4 s; check that it is running" in answer.error


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_episodes_in_flight_at_once_and_keeps_what_was_played(
    homebody: Command, homebody_process: Command, loaded: Command, serve: Any, tmp_path: Path
) -> None:
    stub, never = serve(), threading.Event()
    chat = stub.chat

    def some(body: dict[str, Any]) -> tuple[int, Any]:
        """Leave the requests after the first twelve without an answer."""
        if len(stub.chats()) > 12:
            never.wait(600)
        return chat(body)

    stub.chat = some
    command = ("evaluate", "--policy", stub.url, "--harness", "generic-act", "--tasks", 12, "--max-steps", 2,
               "--run-dir", tmp_path / "run", "--concurrency", 3)  # fmt: skip
    with homebody_process(*command) as process:
        deadline = time.monotonic() + 60
        while len(stub.chats()) < 15 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    never.set()
    assert (process.returncode, out) == (1, "")
    assert [line for line in err.splitlines() if not line.startswith("episodes: ")] == [f"homebody: {NOTE}"]
    with Store(tmp_path / "run", readonly=True) as store:
        kept = store.episodes()
    assert len(kept) >= 1
    assert all(record["error"] is None for record in kept.values())
    stub.chat = chat
    asked = len(stub.chats())
    assert homebody(*command, "--json", tmp_path / "result.json").code == 0
    assert loaded(tmp_path / "result.json")["n"] == 12
    assert len(stub.chats()) - asked == 1 + 2 * (12 - len(kept))  # The probe, and what was not played yet.


def test_two_servers_have_a_key_each_and_neither_is_told_anywhere(
    homebody: Command, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE_S", 0.001)
    player, proposer = serve(), serve()
    keys = {"HOMEBODY_API_KEY": "sk-player-1f2e", "HOMEBODY_PROPOSER_API_KEY": "sk-proposer-3d4c"}
    for name, key in keys.items():
        monkeypatch.setenv(name, key)
    for stub, key in ((player, keys["HOMEBODY_API_KEY"]), (proposer, keys["HOMEBODY_PROPOSER_API_KEY"])):
        stub.speaker.answer = f"look {key}"  # What it says goes into traces.
    run = tmp_path / "run"
    evolve = ("evolve", "--model", player.url, *SMALL, "--run-dir", run, "--proposer", "llm", "--proposer-model", proposer.url)
    answers = [homebody(*evolve, "--proposer-ctx", 3000, "--proposer-timeout", 20, "--concurrency", 2, "--json", tmp_path / "r.json")]
    answers.append(homebody("report", run, "--png", tmp_path / "chart.png", "--figures", tmp_path / "figures"))
    assert [answer.code for answer in answers] == [0, 0], answers[0].err
    assert len(proposer.chats()) >= 1
    for stub, key in ((player, keys["HOMEBODY_API_KEY"]), (proposer, keys["HOMEBODY_PROPOSER_API_KEY"])):
        assert {headers.get("Authorization") for _, _, headers in stub.asked} == {f"Bearer {key}"}
    player.failures = [(401, {}, json.dumps({"error": {"message": f"bad key {keys['HOMEBODY_API_KEY']}"}}).encode())]
    answers.append(homebody("evaluate", "--policy", player.url, "--harness", "generic-act", "--tasks", 1, "--run-dir", tmp_path / "e"))
    assert answers[-1].code == 1
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    said = "".join(answer.out + answer.err for answer in answers)
    for key in keys.values():
        assert key not in said
        assert key.encode() not in written
    assert b"look ***" in written


def test_the_proposers_server_has_options_of_its_own(
    homebody: Command, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposer = serve()
    asked = []
    load = names.load

    def loads(name: str, **settings: Any) -> Any:
        asked.append((name, {key: value for key, value in settings.items() if value not in (None, "")}))
        return load(name, **settings) if name == proposer.url else Scripted(["wait"] * 999, name=name)

    monkeypatch.setattr(names, "load", loads)
    monkeypatch.setattr(names, "is_prepared", lambda name: True)
    monkeypatch.setenv("HOMEBODY_PROPOSER_API_KEY", "p")
    evolve = ("evolve", "--model", "tiny", *SMALL, "--run-dir", tmp_path / "run", "--ctx", 700, "--threads", 2)
    answer = homebody(*evolve, "--proposer-model", proposer.url, "--proposer-ctx", 3000, "--proposer-timeout", 20)
    assert answer.code == 0, answer.err
    own = {"n_ctx": 3000, "n_threads": 1, "gpu_layers": 0, "timeout_s": 20.0, "key_name": "HOMEBODY_PROPOSER_API_KEY"}
    assert [name for name, _ in asked] == ["tiny", proposer.url]
    assert {"n_ctx": 700, "n_threads": 2, "gpu_layers": 0}.items() <= asked[0][1].items()
    assert own.items() <= asked[1][1].items()
