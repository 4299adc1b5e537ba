"""`homebody bench household`: what it measures and says; no test looks at how long anything took."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseSource

Command = Callable[..., Any]
NAMES = {
    "text_step_vs_alfworld": "us", "text_step_cold_vs_alfworld": "us", "text_step_vs_python": "us", "env_step_vs_alfworld": "us",
    "reset_vs_alfworld": "us", "cold_parse_vs_alfworld": "us", "symbolic_step": "steps/s", "bytes_per_world": "bytes",
    "vector_step": "steps/s", "vector_bytes_per_world": "bytes", "import_s": "s",
}  # fmt: skip
SMALL = ("--games", 2, "--steps", 4, "--repeats", 1)
PEER = """#!{python} -P
import json, sys
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.alfworld.gamefile import load_game_file
from pathlib import Path
said = []
for path, commands in json.load(sys.stdin):
    file = load_game_file(Path(path))
    play = TextGame(compile_game(file.problem), file.logic)
    said.append([[play.reset(), play.admissible(), play.won]])
    said[-1] += [[play.step(command) + "{extra}", play.admissible(), play.won] for command in commands]
n = len(said)
print("noise")
print(json.dumps({{"engine": "alfworld 0", "load_s": [2.0] * n, "step_s": [0.1] * n, "said": said}}))
"""


@pytest.fixture
def peer(tmp_path: Path) -> Callable[[str], Path]:
    """Make an interpreter that answers as the real engine does."""

    def make(text: str) -> Path:
        path = tmp_path / "python"
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


def test_it_measures_houses_and_says_that_no_engine_was_beside(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("bench", "household", *SMALL, "--json", tmp_path / "b.json")
    assert answer.code == 0, answer.err
    result = loaded(tmp_path / "b.json")
    assert result["games"] == "2 houses, 4 commands each"
    assert result["differences"] == []
    assert {"processor", "cores", "system", "python", "numba", "numpy"} == set(result["machine"])
    assert {row["name"]: row["unit"] for row in result["results"]} == NAMES
    for row in result["results"]:
        assert set(row) == {"name", "value", "unit", "peer", "peer_value", "ratio", "repeats"}
        assert row["value"] > 0
        if row["name"] == "text_step_vs_python":
            assert row["ratio"] == pytest.approx(row["peer_value"] / row["value"])
        elif row["peer"] is None:
            assert (row["peer_value"], row["ratio"]) == (None, None)
        assert row["name"] in answer.out


def test_the_real_engine_plays_the_same_commands(homebody: Command, loaded: Command, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    source = HouseSource()
    list(export_houses(source, source.tasks("test", 3), tmp_path / "data"))
    python = peer(PEER.format(python=sys.executable, extra=""))
    arguments = ("--data-dir", tmp_path / "data", "--peer-python", python, "--json", tmp_path / "b.json")
    answer = homebody("bench", "household", *SMALL, *arguments)
    assert answer.code == 0, answer.err
    result = loaded(tmp_path / "b.json")
    assert result["games"] == "2 games of ALFWorld, 4 commands each"
    rows = {row["name"]: row for row in result["results"]}
    for name in ("text_step_vs_alfworld", "env_step_vs_alfworld", "text_step_cold_vs_alfworld"):
        assert (rows[name]["peer"], rows[name]["peer_value"]) == ("ALFWorld (alfworld 0)", pytest.approx(1e5))
        assert rows[name]["ratio"] == pytest.approx(1e5 / rows[name]["value"])
    assert rows["reset_vs_alfworld"]["peer_value"] == pytest.approx(2e6)
    assert rows["cold_parse_vs_alfworld"]["peer_value"] == pytest.approx(2e6)
    assert "beside it: ALFWorld (alfworld 0)" in answer.out
    assert "times better than 100,000 of ALFWorld" in answer.out


def test_engines_that_say_something_else_are_named(homebody: Command, loaded: Command, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    python = peer(PEER.format(python=sys.executable, extra="!"))
    answer = homebody("bench", "household", *SMALL, "--peer-python", python, "--json", tmp_path / "b.json")
    assert answer.code == 1
    assert "8 answers differ, so the times of their engines say nothing; the real engine differs in json_2.1.1/train/" in answer.err
    assert len(loaded(tmp_path / "b.json")["differences"]) == 8


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("#!/bin/sh\necho 'No module named textworld' >&2\nexit 1\n", "No module named textworld"),
        ("#!/bin/sh\nexit 1\n", "it said nothing"),
        ("#!/bin/sh\n", "list index out of range"),
        ("#!/bin/sh\necho hello\n", "Expecting value"),
    ],
)
def test_an_interpreter_without_the_engine_is_refused(homebody: Command, peer: Callable[[str], Path], text: str, problem: str) -> None:
    answer = homebody("bench", "household", *SMALL, "--peer-python", peer(text))
    assert (answer.code, answer.out) == (2, "")
    assert f"does not play: {problem}" in answer.error
    assert "give one that imports alfworld and textworld" in answer.error


def test_wrong_input_is_one_line(homebody: Command, tmp_path: Path) -> None:
    answer = homebody("bench", "household", "--peer-python", tmp_path / "none")
    assert (answer.code, answer.out) == (2, "")
    assert "No such file or directory" in answer.error
    (tmp_path / "json_2.1.1").mkdir()
    answer = homebody("bench", "household", "--data-dir", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "split 'test' has no tasks in" in answer.error


def test_the_real_engine_itself(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    python = os.environ.get("HOMEBODY_PEER_PYTHON")
    if not python:
        pytest.skip("HOMEBODY_PEER_PYTHON does not name an interpreter with the real ALFWorld engine")
    answer = homebody("bench", "household", *SMALL, "--peer-python", python, "--json", tmp_path / "b.json")
    assert (answer.code, loaded(tmp_path / "b.json")["differences"]) == (0, [])
