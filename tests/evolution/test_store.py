import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.record import EpisodeRecord
from homebody.envs import TaskSpec
from homebody.envs.file import FolderError, PathError
from homebody.evolution.loop import evolve
from homebody.evolution.store import FORM, SCHEMA, RunError, Store, episode_key, holds

TASK = TaskSpec("train/a-0", "a", "train")


def test_events_come_back_by_kind_in_the_order_of_their_coming(tmp_path: Path) -> None:
    with Store(tmp_path / "deep" / "run") as store:
        store.append("round", {"round": 1})
        store.append("start", {"model": "no-model"})
    with Store(tmp_path / "deep" / "run") as store:
        store.append("round", {"round": 2})
        assert store.events("round") == [{"round": 1}, {"round": 2}]
        assert store.events("start") == [{"model": "no-model"}]
        assert store.events("end") == []


def test_the_first_episode_under_a_key_stays(tmp_path: Path, episode: Callable[..., EpisodeRecord]) -> None:
    first, second = episode(True, steps=4, usage={"prompt_tokens": 7}), episode(False)
    with Store(tmp_path) as store:
        assert store.episode("k") is None
        store.add_episode("k", first)
        store.add_episode("k", second)
        store.add_episode("l", second)
    with Store(tmp_path, readonly=True) as store:
        assert store.episode("k") == first
        assert store.episode("l") == second


def test_all_episodes_and_the_times_of_events(tmp_path: Path, episode: Callable[..., EpisodeRecord]) -> None:
    before = time.time()
    with Store(tmp_path) as store:
        store.add_episode("z", episode(True))
        store.add_episode("a", episode(False))
        store.append("progress", ["begin", {}])
    with Store(tmp_path, readonly=True) as store:
        assert {key: record["won"] for key, record in store.episodes().items()} == {"z": True, "a": False}
        assert list(store.episodes()) == ["z", "a"]  # as they came
        ((when, data),) = store.timed("progress")
    assert data == ["begin", {}]
    assert before <= when <= time.time()


def test_an_episode_that_an_error_ended_is_not_kept(tmp_path: Path, episode: Callable[..., EpisodeRecord]) -> None:
    with Store(tmp_path) as store:
        store.add_episode("k", episode(error={"boundary": "reset", "kind": "E", "message": "m"}))
        assert store.episode("k") is None
        store.add_episode("k", episode(True))
        assert store.episode("k") == episode(True)


def test_whatever_an_outcome_depends_on_is_in_its_key() -> None:
    base = ("h", TASK, {"policy": "no-model"}, 15, 0, 0)
    changed = [("i", *base[1:]), ("h", TaskSpec("train/a-1", "a", "train"), *base[2:]), (*base[:2], {"policy": "random"}, *base[3:])]
    changed += [(*base[:3], 16, 0, 0), (*base[:3], 15, 1, 0), (*base[:3], 15, 0, 1), (*base, {"size": 2})]
    keys = [episode_key(*values) for values in (base, *changed)]
    assert len(set(keys)) == 8
    assert episode_key(*base, {}) == keys[0]
    assert episode_key(*base) == keys[0]


def test_reading_needs_a_run_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere holds no run \(no run.sqlite\); give the --run-dir"):
        Store(tmp_path / "nowhere", readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("readonly", [True, False])
def test_an_empty_path_is_not_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readonly: bool) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PathError, match="'' is no path: it is empty"):
        Store("", readonly=readonly)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(FolderError, match=r"cannot write into the folder .*run: File exists; give another folder"):
        Store(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.parametrize("readonly", [True, False])
def test_a_file_that_is_no_store(tmp_path: Path, readonly: bool) -> None:
    (tmp_path / "run.sqlite").write_text("no database " * 100)
    with pytest.raises(RunError, match=r"run.sqlite cannot be used: file is not a database; move it away"):
        Store(tmp_path, readonly=readonly)
    (tmp_path / "run.sqlite").unlink()
    Store(tmp_path).close()  # the failure kept no lock


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", "is empty and holds no run; remove it, or choose another --run-dir"),
        ("CREATE TABLE colours (name TEXT)", "is no run of homebody but another program's file; move it away"),
        ("CREATE TABLE events (colour TEXT)", "is no run of homebody but another program's file; move it away"),
        (SCHEMA + "PRAGMA user_version=99;", f"is a run of another version of homebody .form 99, this version reads {FORM}.; read it with"),
        (SCHEMA + "PRAGMA user_version=0;", "is a run of another version of homebody .form 0"),
    ],
)
def test_another_database_is_no_store_and_stays_as_it_is(tmp_path: Path, script: str, told: str, readonly: bool) -> None:
    path = tmp_path / "run.sqlite"
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()
    path.touch()
    before = path.read_bytes()
    with pytest.raises(RunError, match=rf"run.sqlite {told}"):
        Store(tmp_path, readonly=readonly)
    assert path.read_bytes() == before
    assert not holds(tmp_path, "start")


def test_what_a_run_holds(tmp_path: Path) -> None:
    assert not holds(tmp_path / "nowhere", "start")
    with Store(tmp_path) as store:
        store.append("start", {})
    assert holds(tmp_path, "start")
    assert not holds(tmp_path, "end")


def test_a_store_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            Store(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "run.lock"] == []
    Store(tmp_path).close()  # it kept no lock


READS = """
import json, sys
from homebody.evolution.store import Store
with Store(sys.argv[1], readonly=True) as store:
    print(json.dumps([store.events("round"), len(store.episodes())]))
"""


def test_a_run_that_has_ended_is_read_where_nothing_can_be_written(
    tmp_path: Path, episode: Callable[..., EpisodeRecord], read_only: Callable[..., Any]
) -> None:
    with Store(tmp_path) as store:
        store.append("round", 1)
        store.add_episode("k", episode(True))
    done = read_only(tmp_path, sys.executable, "-c", READS, tmp_path)
    assert (done.stdout, done.stderr) == ("[[1], 1]\n", "")


@pytest.mark.parametrize("is_copied", [False, True])
def test_what_a_killed_run_wrote_last_is_read_there_too(tmp_path: Path, is_copied: bool, read_only: Callable[..., Any]) -> None:
    with Store(tmp_path) as store:
        store.append("round", 1)
    code = "import os, signal, sys; from homebody.evolution.store import Store; store = Store(sys.argv[1]); "
    code += "store.append('round', 2); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / "run.sqlite-wal").stat().st_size
    if is_copied:  # as by a program that takes the store and its log alone
        (tmp_path / "run.sqlite-shm").unlink()
    done = read_only(tmp_path, sys.executable, "-c", READS, tmp_path)
    assert (done.stdout, done.stderr) == ("[[1, 2], 0]\n", "")


def test_a_store_damaged_in_the_middle_is_named_when_it_shows(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(200):
            store.append("round", {"number": number, "padding": "x" * 500})
    path = tmp_path / "run.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 5 :] = b"\xff" * (len(content) - 4096 * 5)
    path.write_bytes(content)
    with (
        pytest.raises(RunError, match=r"run.sqlite cannot be used: database disk image is malformed"),
        Store(tmp_path, readonly=True) as store,
    ):
        store.events("round")


def test_a_lock_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(RunError, match=r"run.lock cannot be used: unable to open database file"):
        Store(tmp_path)


def test_a_second_writer_in_this_process_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", 1)
        with pytest.raises(RunError, match="is in use by another process; wait for it, or choose another --run-dir"):
            Store(tmp_path)
        with Store(tmp_path, readonly=True) as reader:
            assert reader.events("start") == [1]
            store.append("start", 2)
            assert reader.events("start") == [1, 2]
    Store(tmp_path).close()


@contextmanager
def holder(run_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open, has acknowledged one event, and waits."""
    code = (
        "import sys, time; from homebody.evolution.store import Store; store = Store(sys.argv[1]); "
        "store.append('start', {'by': 'holder'}); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(run_dir)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_lock_holds_against_other_processes_and_dies_with_its_holder(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(RunError, match="is in use by another process"):
            Store(tmp_path)
        with Store(tmp_path, readonly=True) as reader:
            assert reader.events("start") == [{"by": "holder"}]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with Store(tmp_path) as store:
            assert store.events("start") == [{"by": "holder"}]  # what was acknowledged is there


def test_events_are_plain_json_that_any_tool_can_read(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"b": 1, "a": [True, None]})
    db = sqlite3.connect(tmp_path / "run.sqlite")
    ((kind, data),) = db.execute("SELECT kind, data FROM events").fetchall()
    db.close()
    assert (kind, json.loads(data)) == ("start", {"a": [True, None], "b": 1})


def test_a_repeat_has_a_key_of_its_own_and_the_first_play_keeps_its_key() -> None:
    task = TaskSpec("t", "a", "train")
    first = episode_key("h", task, {"policy": "d"}, 15)
    assert episode_key("h", task, {"policy": "d"}, 15, repeat=0) == first
    keys = {episode_key("h", task, {"policy": "d"}, 15, repeat=n, env_args=args) for n in (0, 1, 2) for args in ({}, {"a": 1})}
    assert len(keys) == 6


def test_an_event_is_added_once_for_the_same_fields(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for data in ({"round": 1, "x": 1}, {"round": 1, "x": 2}, {"round": 2, "x": 3}):
            store.append_once("digests", data, "round")
            store.append_once("noise", data)
        assert store.events("digests") == [{"round": 1, "x": 1}, {"round": 2, "x": 3}]
        assert store.events("noise") == [{"round": 1, "x": 1}]


def test_working_time_leaves_out_what_lies_between_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("homebody.evolution.store.time.monotonic", lambda: now[0])
    with Store(tmp_path) as store:
        assert store.working_s() == 0
        events = [
            (100, "start", {}), (100, "progress", ["begin", {}]), (103, "progress", ["play", {}]),  # killed after three seconds
            (200, "progress", ["begin", {}]), (204, "progress", ["play", {}]), (205, "end", {}), (290, "evaluation", {}),
        ]  # fmt: skip
        for when, kind, data in events:
            now[0] = float(when)
            store.append(kind, data)
        assert store.working_s() == 8


def test_working_time_leaves_out_a_process_that_played_nothing_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("homebody.evolution.store.time.monotonic", lambda: now[0])
    with Store(tmp_path) as store:
        for when, kind, data in (
            (100, "progress", ["begin", {}]), (103, "end", {"episodes": 2}),
            (200, "progress", ["begin", {}]), (209, "end", {"episodes": 2}),  # gone on with, as it was
            (300, "progress", ["begin", {}]), (304, "end", {"episodes": 5}),  # with a larger budget
        ):  # fmt: skip
            now[0] = float(when)
            store.append(kind, data)
        assert store.working_s() == 3 + 4


@pytest.mark.parametrize("data", ["{", "", "[" * 100_000, None])
def test_row_that_is_no_json_is_named(tmp_path: Path, data: str | None) -> None:
    with Store(tmp_path) as store:
        store.append("start", {})
    database = sqlite3.connect(tmp_path / "run.sqlite")
    with database:
        database.execute("DROP TABLE events")
        database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, time REAL, kind TEXT, data TEXT)")
        database.execute("INSERT INTO events (time, kind, data) VALUES (1.0, 'start', ?)", (data,))
    database.close()
    with Store(tmp_path, readonly=True) as store, pytest.raises(RunError, match=r"run\.sqlite cannot be used: .*; move it away"):
        store.events("start")


@pytest.mark.parametrize(
    ("table", "path", "value", "said"),
    [
        ("episodes", "$.usage", None, "KeyError: 'usage'"),
        ("episodes", "$.trace[0].scores", 5, "TypeError"),
        ("events WHERE kind = 'start'", "$.env_kwargs", [1], "AttributeError"),
        ("events WHERE kind = 'round'", "$.round", None, "KeyError: 'round'"),
    ],
)
def test_a_run_of_other_rows_is_named_when_it_goes_on(baseline: Any, tmp_path: Path, table: str, path: str, value: Any, said: str) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(baseline.run_dir, run_dir)
    database = sqlite3.connect(run_dir / "run.sqlite")
    name, _, where = table.partition(" ")
    changed = f"json_remove(data, '{path}')" if value is None else f"json_set(data, '{path}', json('{json.dumps(value)}'))"
    with database:
        database.execute(f"UPDATE {name} SET data = {changed} {where}")
    database.close()
    with pytest.raises(RunError, match=rf"run\.sqlite is not as homebody writes it \({said}.*; give a run that"):
        evolve(baseline.config, run_dir, resume=True)


@pytest.mark.parametrize("pages", [5, 20])
def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path, pages: int) -> None:
    def fill() -> None:
        with Store(tmp_path) as store:
            store._db.execute(f"PRAGMA max_page_count={pages}")  # SQLite then says what it says of a full disk
            for _ in range(100):
                store.append("round", {"text": "x" * 5000})

    with pytest.raises(RunError, match="its disk is full; make room and run the command again, evolve with --resume"):
        fill()
    with Store(tmp_path) as store:
        assert all(event == {"text": "x" * 5000} for event in store.events("round"))
