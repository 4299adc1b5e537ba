"""`homebody controls` and `homebody export`: what they print, write and refuse."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_controls_prints_the_table_and_writes_it(homebody: Callable[..., Any], run_dir: Path, tmp_path: Path, loaded: Any) -> None:
    answer = homebody("controls", run_dir, "--tasks", 2, "--attempts", 2, "--only", "seed,final", "--json", tmp_path / "c.json")
    assert answer.code == 0
    assert "| seed harness, the run's policy | 2 |" in answer.out
    assert "8 of 8 checks passed" in answer.out
    result = loaded(tmp_path / "c.json")
    twins = ["no-model", "random", "echo", "executor"]
    assert [row["row"] for row in result["rows"]] == [name for key in ("seed", "final") for name in (key, *(f"{key} {t}" for t in twins))]
    again = homebody("controls", run_dir, "--tasks", 2, "--attempts", 2, "--only", "seed,final", "--json", tmp_path / "d.json")
    assert again.out == answer.out
    assert loaded(tmp_path / "d.json") == result


def test_controls_fails_where_the_audit_finds_something(homebody: Callable[..., Any], run_dir: Path) -> None:
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        number, text = db.execute("SELECT id, data FROM events WHERE kind = 'start'").fetchone()
        db.execute("UPDATE events SET data = ? WHERE id = ?", (json.dumps({**json.loads(text), "model": "expert"}), number))
    db.close()
    answer = homebody("controls", run_dir, "--tasks", 1, "--only", "noop")
    assert answer.code == 1
    assert "**failed**, policy: expert played in the evolution, and it is privileged" in answer.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "seed,fnal"], "no row is called 'fnal'; did you mean final"),
        (["--split", "tset"], "unknown split 'tset'; did you mean test"),
        (["--equal", "steps"], "Invalid value for '--equal'"),
    ],
)
def test_controls_refuses_in_one_line(homebody: Callable[..., Any], run_dir: Path, arguments: list[str], said: str) -> None:
    answer = homebody("controls", run_dir, *arguments)
    assert answer.code == 2
    assert said in answer.error


def test_controls_of_no_run_says_so(homebody: Callable[..., Any], tmp_path: Path) -> None:
    answer = homebody("controls", tmp_path / "none")
    assert answer.code == 2
    assert "holds no run" in answer.error


def test_export_writes_lines(homebody: Callable[..., Any], run_dir: Path, tmp_path: Path, loaded: Any) -> None:
    out = tmp_path / "out.jsonl"
    answer = homebody("export", run_dir, "--format", "grpo", "--out", out, "--episodes", 2, "--json", tmp_path / "e.json")
    assert answer.code == 0
    assert f"{out}: 2 records, 6 steps, 0 won, no tokens" in answer.out
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [record["split"] for record in records] == ["train", "train"]
    assert loaded(tmp_path / "e.json")["records"] == 2


def test_export_tells_of_what_differs_and_of_what_it_left_out(homebody: Callable[..., Any], run_dir: Path, tmp_path: Path) -> None:
    homebody("evaluate", "--split", "train", "--tasks", 1, "--policy", "random", "--max-steps", 3, "--run-dir", run_dir)
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        for key, text in db.execute("SELECT key, data FROM episodes").fetchall():
            db.execute("UPDATE episodes SET data = ? WHERE key = ?", (json.dumps({**json.loads(text), "trace_hash": "0" * 64}), key))
    db.close()
    answer = homebody("export", run_dir, "--format", "grpo", "--out", tmp_path / "out.jsonl", "--episodes", 1)
    assert answer.code == 0
    assert "1 replays differ from what was stored" in answer.out
    assert "left out: 1 episodes of other harnesses or policies" in answer.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "dpo", "--out", "x.jsonl"], "Invalid value for '--format'"),
        (["--format", "sft"], "Missing option '--out'"),
        (["--format", "sft", "--out", "no/such/x.jsonl"], "cannot write no/such/x.jsonl: there is no folder no/such"),
        (["--format", "sft", "--out", "x.jsonl"], "has no won episode of split 'train'"),
        (["--format", "grpo", "--out", "x.jsonl", "--model", "smollm3"], "unknown model 'smollm3'"),
    ],
)
def test_export_refuses_in_one_line(
    homebody: Callable[..., Any], run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = homebody("export", run_dir, *arguments)
    assert answer.code == 2
    assert said in answer.error
    assert list(tmp_path.iterdir()) == []
