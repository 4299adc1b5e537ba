"""Runs that lie elsewhere: where nothing can be written, on another machine, or not there at all."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.store import Store

Command = Callable[..., Any]
HOMEBODY = (sys.executable, "-P", "-m", "homebody.scripts.cli")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


READS = {
    "report": (("report", "{run}"), "no HTML page: the folder {run} cannot be written to; give --html FILE with a place for it"),
    "report --html": (("report", "{run}", "--html", "{out}"), "HTML page: {out}"),
    "report --round": (("report", "{run}", "--round", 1), "Round 1"),
    "watch": (("watch", "{run}"), "episode  task"),
    "watch --record": (("watch", "{run}", "--episode", 1, "--record", "{out}.png"), ""),
    "export": (("export", "{run}", "--format", "grpo", "--out", "{out}"), "{out}: "),
    "controls": (("controls", "{run}", "--only", "final,noop", "--tasks", 1, "--json", "{out}"), "0 edits shipped"),
    "evaluate": (("evaluate", "--harness", "{run}/final.json", "--policy", "no-model", "--tasks", 1, "--max-steps", 2), "2.0 steps a task"),
}  # fmt: skip


@pytest.fixture(scope="module")
def played(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run whose controls were played."""
    from homebody.evolution.controls.baselines import play_controls
    from homebody.evolution.controls.rows import Plan

    run_dir = Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("played") / "run"))
    play_controls(run_dir, Plan("test", 1, only=("final", "noop")))
    return run_dir


@pytest.mark.parametrize("name", READS)
def test_a_finished_run_can_be_read_where_nothing_can_be_written(read_only: Command, played: Path, tmp_path: Path, name: str) -> None:
    arguments, told = READS[name]
    places = {"run": str(played), "out": str(tmp_path / "out")}
    before = contents(played)
    done = read_only(played, *HOMEBODY, *(str(argument).format(**places) for argument in arguments))
    assert (done.returncode, done.stderr) == (0, "")
    assert told.format(**places) in done.stdout
    assert contents(played) == before
    if any("{out}" in str(argument) for argument in arguments):
        assert any(path.stat().st_size for path in tmp_path.glob("out*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("controls", "{run}", "--only", "expert", "--tasks", 1),
        ("evolve", "--model", "no-model", "--run-dir", "{run}"),
        ("evaluate", "--policy", "no-model", "--tasks", 1, "--run-dir", "{run}"),
        ("evaluate", "--policy", "no-model", "--tasks", 1, "--run-dir", "{run}/new"),
        ("reproduce", "--models", "no-model", "--benchmarks", "household", "--run-dir", "{run}"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_what_has_to_be_written_there_is_one_line(read_only: Command, played: Path, arguments: tuple[object, ...]) -> None:
    done = read_only(played, *HOMEBODY, *(str(argument).format(run=played) for argument in arguments))
    assert done.returncode == 2
    assert done.stderr.startswith(f"homebody: cannot write into the folder {played}")
    assert done.stderr.count("\n") == 1


def test_resume_of_a_mistyped_folder_begins_nothing(homebody: Command, small: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("mistyped", "there"):
        answer = homebody("evolve", *small, "--run-dir", tmp_path / name, "--resume")
        assert (answer.code, answer.out) == (2, "")
        assert answer.error.startswith(f"{tmp_path / name} holds no run (no run.sqlite); give the --run-dir of")
    assert contents(tmp_path) == {}


def test_resume_of_evaluations_begins_no_evolution(homebody: Command, small: tuple[object, ...], tmp_path: Path) -> None:
    assert homebody("evaluate", "--policy", "no-model", "--tasks", 1, "--max-steps", 2, "--run-dir", tmp_path).code == 0
    answer = homebody("evolve", *small, "--run-dir", tmp_path, "--resume")
    assert (answer.code, answer.error) == (2, f"{tmp_path} holds no evolution to go on with; leave --resume out to begin one")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(84), b"PK\3\4 some archive " * 50], ids=["empty", "torn", "foreign"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "{run}"), ("report", "{run}", "--round", 1), ("watch", "{run}"), ("controls", "{run}"),
        ("export", "{run}", "--format", "sft", "--out", "{run}/out"),
        ("evolve", "--model", "no-model", "--run-dir", "{run}"), ("evolve", "--model", "no-model", "--run-dir", "{run}", "--resume"),
        ("evaluate", "--policy", "no-model", "--tasks", 1, "--run-dir", "{run}"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)  # fmt: skip
def test_a_store_that_is_none_is_one_line(homebody: Command, tmp_path: Path, content: bytes, arguments: tuple[object, ...]) -> None:
    (tmp_path / "run.sqlite").write_bytes(content)
    answer = homebody(*(str(argument).format(run=tmp_path) for argument in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith(f"{tmp_path / 'run.sqlite'} ")
    assert contents(tmp_path).pop("run.sqlite") == content


def test_report_of_a_run_that_has_stored_nothing_says_so(homebody: Command, tmp_path: Path) -> None:
    Store(tmp_path).close()  # what is there of an evaluation that was stopped
    answer = homebody("report", tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert "Nothing has come to its end here yet." in answer.out


def test_game_files_that_lie_elsewhere_now_can_be_named(homebody: Command, tmp_path: Path, small: tuple[object, ...]) -> None:
    houses, run_dir = tmp_path / "houses", tmp_path / "run"
    assert homebody("household", "export", "--out", houses, "--tasks", 4).code == 0
    env = ("--env", "homebody/AlfWorld-v0")
    assert homebody("evolve", *env, "--data-dir", houses, *small, "--run-dir", run_dir).code == 0
    houses.rename(tmp_path / "moved")
    there = ("--data-dir", tmp_path / "moved")
    controls = ("controls", run_dir, "--only", "final", "--tasks", 1)
    export = ("export", run_dir, "--format", "grpo", "--out", tmp_path / "out.jsonl")
    for command in (controls, export):
        answer = homebody(*command)
        assert (answer.code, f"'{houses}' is not a folder" in answer.error) == (2, True)
        assert homebody(*command, *there).code == 0
    assert homebody("evolve", *env, *there, *small, "--run-dir", run_dir, "--resume").code == 0
    with Store(run_dir, readonly=True) as store:
        assert [start["env_kwargs"] for start in store.events("start")] == [
            {"data_dir": str(houses)},
            {"data_dir": str(tmp_path / "moved")},
        ]
