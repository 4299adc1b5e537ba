"""The run directory: one SQLite file that events and episodes are only ever added to.

Everything else (resume, report, figures) is read from it. An acknowledged write survives a killed
process (WAL, synchronous=NORMAL). A run is read wherever it lies, also where nothing can be written.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar, cast

from homebody.agents.content_hash import canonical, digest
from homebody.agents.errors import AgentError
from homebody.agents.record import EpisodeRecord
from homebody.agents.twin import REFERENCE
from homebody.envs import EnvError, TaskSpec
from homebody.envs.file import UserPath, expand_path, make_folder, replacing
from homebody.envs.text import clean

F = TypeVar("F", bound=Callable[..., Any])

FORM = 2
"""Of the store, events and episodes included: counted up when an older one cannot be read any more."""
SCHEMA = f"""
PRAGMA journal_mode=WAL;
PRAGMA user_version={FORM};
CREATE TABLE events (id INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE episodes (key TEXT PRIMARY KEY, behaviour_hash TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX events_by_kind ON events (kind, id);
"""
AHEAD = "CREATE TABLE IF NOT EXISTS ahead (key TEXT PRIMARY KEY, data TEXT NOT NULL)"
"""Episodes that were finished before others that were asked for earlier: they wait for their place among `episodes`."""


def episode_key(
    behaviour_hash: str,
    task: TaskSpec,
    fingerprint: Mapping[str, str],
    max_steps: int,
    seed: int = 0,
    attempt: int = 0,
    env_args: Mapping[str, Any] | None = None,
    repeat: int = 0,
    twin: str = REFERENCE,
) -> str:
    """Return the key of an episode: everything that its record depends on, so that nothing needs to be played twice.

    `repeat` above 0 is the key of the same episode played anew, for those who want to see whether it comes out the same.
    `twin` is what a model's steps are compared with.
    """
    content = [behaviour_hash, task.to_json(), dict(fingerprint), max_steps, seed, attempt, *([dict(env_args)] if env_args else [])]
    marks = [*([f"repeat {repeat}"] if repeat else []), *([f"twin {twin}"] if twin != REFERENCE else [])]
    return digest([*content, *marks])


_SHARED_BYTES = 1 << 16
"""More than the file that readers share takes at first."""
NAME = "run.sqlite"
"""Of the file."""


class RunError(AgentError):
    """A run directory that cannot be used as asked."""


class Store:
    """The store of one run; a context manager. One process at a time may write.

    Args:
        run_dir: the directory; made if missing.
        readonly: open an existing run to read only; needs no lock, and a place that can be written
            to neither.

    Raises:
        RunError: another process writes to it, there is no run to read, or the file is no store.
        FolderError: it cannot be written to.
    """

    def __init__(self, run_dir: UserPath, readonly: bool = False) -> None:
        self.run_dir = expand_path(run_dir)
        self._lock: sqlite3.Connection | None = None
        self._copy: TemporaryDirectory[str] | None = None
        path = self.run_dir / NAME
        if readonly and not os.path.isfile(path):
            raise RunError(f"{self.run_dir} holds no run (no {NAME}); give the --run-dir of an earlier evolve or evaluate")
        if not readonly:
            make_folder(self.run_dir)
            self._lock = self._take_lock()
        db = None
        try:
            db = self._open_to_read(path) if readonly else _open_to_write(path)
            tables = _check(db, path)
            if not readonly:
                db.execute(AHEAD)
            self._tables = ("episodes", "ahead") if not readonly or "ahead" in tables else ("episodes",)
        except BaseException as error:
            if db is not None:
                db.close()
            self._release()
            if isinstance(error, sqlite3.DatabaseError | UnicodeError):
                raise _unusable(path, error) from None
            raise
        self._db = db
        # Times of one process differ by what its own clock says, however the clock of the machine is set meanwhile.
        self._opened = time.time() - time.monotonic()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise _unusable(self.run_dir / NAME, error) from error

    def close(self) -> None:
        """Close the file and give the directory back."""
        self._db.close()
        self._release()

    def append(self, kind: str, data: Any) -> None:
        """Add an event."""
        with self._db:
            self._db.execute(
                "INSERT INTO events (time, kind, data) VALUES (?, ?, ?)", (self._opened + time.monotonic(), kind, canonical(data))
            )

    def append_once(self, kind: str, data: Mapping[str, Any], *fields: str) -> None:
        """Add an event, unless there is one of its kind with the same values in these fields."""
        if not any(all(item[field] == data[field] for field in fields) for item in self.events(kind)):
            self.append(kind, data)

    def events(self, kind: str) -> list[Any]:
        """Return the data of all events of a kind, oldest first."""
        return [data for _, data in self.timed(kind)]

    def timed(self, kind: str) -> list[tuple[float, Any]]:
        """Return time (seconds since 1970) and data of all events of a kind, oldest first."""
        rows = self._db.execute("SELECT time, data FROM events WHERE kind = ? ORDER BY id", (kind,))
        return [(when, self._parse(data)) for when, data in rows]

    def evaluated(self) -> list[tuple[float, list[str]]]:
        """Return when (seconds since 1970) an evaluation began or ended, and its tasks, oldest first."""
        begun = [(when, item["tasks"]) for when, item in self.timed("evaluating")]
        return sorted(begun + [(when, [*item["won"]]) for when, item in self.timed("evaluation")])

    def working_s(self) -> float:
        """Return the seconds that the run was worked on so far: of each process that evolved, from its first to its last sign of life.

        A process that came to the same end as the one before it has played nothing, and counts for nothing.
        """
        rows = self._db.execute(
            "SELECT time, kind = 'progress' AND data LIKE '[\"begin\"%', CASE kind WHEN 'end' THEN data END FROM events "
            "WHERE kind IN ('progress', 'end') ORDER BY id"
        )
        total, first, last, played = 0.0, 0.0, 0.0, None
        for when, begins, end in rows:
            if begins:
                total, first = total + last - first, when
            last = when
            content = self._parse(end) if end is not None else None
            if isinstance(content, dict) and "episodes" in content:
                before, played = played, content["episodes"]
                first = when if played == before else first
        return total + last - first

    def add_episode(self, key: str, record: EpisodeRecord) -> None:
        """Keep an episode; the first one under a key stays. One that an error ended is not kept: its cause may be mended next time."""
        if record.error is not None:
            return
        with self._db:
            self._place(key, record.behaviour_hash, json.dumps(record.to_json()))

    def add_ahead(self, key: str, record: EpisodeRecord) -> None:
        """Keep an episode ahead of its turn.

        It takes its place among the others with `add_episode` or `settle`: so their order is that in
        which they were asked for, whoever was done first.
        """
        if record.error is None:
            with self._db:
                self._db.execute("INSERT OR IGNORE INTO ahead (key, data) VALUES (?, ?)", (key, json.dumps(record.to_json())))

    def _place(self, key: str, behaviour_hash: str, data: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO episodes (key, behaviour_hash, data) VALUES (?, ?, ?)", (key, behaviour_hash, data))
        self._db.execute("DELETE FROM ahead WHERE key = ?", (key,))

    def episode(self, key: str) -> EpisodeRecord | None:
        """Return the episode under a key, if it was played."""
        for table in self._tables:
            row = self._db.execute(f"SELECT data FROM {table} WHERE key = ?", (key,)).fetchone()
            if row:
                with reading(self.run_dir):
                    return EpisodeRecord.from_json(self._parse(row[0]))
        return None

    def settle(self, key: str) -> None:
        """Give an episode that was kept ahead of its turn its place, now that the turn has come."""
        row = self._db.execute("SELECT data FROM ahead WHERE key = ?", (key,)).fetchone()
        if row:
            with reading(self.run_dir):
                behaviour_hash = str(self._parse(row[0])["behaviour_hash"])
            with self._db:
                self._place(key, behaviour_hash, row[0])

    def episodes(self) -> dict[str, dict[str, Any]]:
        """Return what was kept of every episode, by key, as data: reports can be made of runs whose records had other fields.

        They come in the order in which they were asked for; last those that wait for their turn.
        """
        rows = (row for table in self._tables for row in self._db.execute(f"SELECT key, data FROM {table} ORDER BY rowid"))
        return {key: self._parse(data) for key, data in rows}

    def _parse(self, data: str) -> Any:
        try:
            return json.loads(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise _unusable(self.run_dir / "run.sqlite", error) from None

    def _open_to_read(self, path: Path) -> sqlite3.Connection:
        """Open a store that is there; where SQLite cannot put the files that readers share, without them."""
        db = _open(path, "mode=rw")
        try:
            db.execute("PRAGMA user_version")  # the first look at the file
        except sqlite3.OperationalError as error:
            db.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN:
                raise
        else:
            return db
        log = path.with_name(f"{NAME}-wal")
        if not log.is_file() or not log.stat().st_size:
            return _open(path, "immutable=1")
        # A process that was killed has left its last writes in the log alone.
        self._copy = TemporaryDirectory(prefix="homebody-run-")
        for file in (path, log):
            shutil.copy(file, self._copy.name)
        return _open(Path(self._copy.name) / NAME, "mode=rw")

    def _take_lock(self) -> sqlite3.Connection:
        # An open exclusive transaction: portable, and the system ends it when the process dies, however it dies.
        path = self.run_dir / "run.lock"
        lock = None
        try:
            lock = sqlite3.connect(path, timeout=0.2, isolation_level=None)
            lock.execute("PRAGMA locking_mode=EXCLUSIVE")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if lock is not None:
                lock.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise _unusable(path, error) from None
            raise RunError(f"run directory {self.run_dir} is in use by another process; wait for it, or choose another --run-dir") from None
        return lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None


@contextmanager
def reading(run_dir: UserPath) -> Iterator[None]:
    """Name the run where what it holds is not as homebody writes it: it may come from anywhere.

    Raises:
        RunError: the block failed as code does that meets other data than it was written for.
    """
    try:
        yield
    except (AgentError, EnvError):
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, sqlite3.DatabaseError) as error:
        path = expand_path(run_dir) / NAME
        problem = f"{type(error).__name__}: {clean(str(error))[:200]}"
        raise RunError(f"{path} is not as homebody writes it ({problem}); give a run that this version of homebody made") from error


def reads_run(read: F) -> F:
    """Make a function whose first argument is a run directory read it within `reading`."""

    @wraps(read)
    def named(run_dir: UserPath, *rest: Any, **settings: Any) -> Any:
        with reading(run_dir):
            return read(run_dir, *rest, **settings)

    return cast(F, named)


def holds(run_dir: UserPath, kind: str) -> bool:
    """Tell whether there is a run in a directory that has an event of a kind; without a run there is none."""
    try:
        with Store(run_dir, readonly=True) as store:
            return bool(store.events(kind))
    except RunError:
        return False


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)


def _open_to_write(path: Path) -> sqlite3.Connection:
    """Open a store, made first where there is none: whole or not at all, whenever the process is killed."""
    if not os.path.lexists(path):
        with replacing(path) as part:
            db = sqlite3.connect(part)
            try:
                db.executescript(SCHEMA)
            finally:
                db.close()
    db = _open(path, "mode=rw")
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def _check(db: sqlite3.Connection, path: Path) -> set[str]:
    """Check that a database is a store that this version reads; return the names of its tables.

    Raises:
        RunError: it is none, or one of another version.
    """
    if not path.stat().st_size:
        raise RunError(f"{path} is empty and holds no run; remove it, or choose another --run-dir")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"events", "episodes"} <= tables:
        raise RunError(f"{path} is no run of homebody but another program's file; move it away or choose another --run-dir")
    (form,) = db.execute("PRAGMA user_version").fetchone()
    if form != FORM:
        raise RunError(
            f"{path} is a run of another version of homebody (form {form}, this version reads {FORM}); "
            "read it with the version that made it, or choose another --run-dir"
        )
    return tables


def _is_full(path: Path, code: int) -> bool:
    """Tell whether an error of SQLite means a full disk: of the file that readers share it says no more than "disk I/O error"."""
    if code == sqlite3.SQLITE_FULL:
        return True
    return code & 0xFF == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < _SHARED_BYTES


def _unusable(path: Path, error: Exception) -> RunError:
    if _is_full(path, getattr(error, "sqlite_errorcode", 0)):
        return RunError(f"{path} cannot be written: its disk is full; make room and run the command again, evolve with --resume")
    return RunError(f"{path} cannot be used: {error}; move it away or choose another --run-dir")
