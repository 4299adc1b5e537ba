"""Records beside model files: where a file is from, its hash, and how fast it was measured to be. JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from homebody.agents.errors import BadModelFileError, CacheError
from homebody.envs.file import OutputError, write_file
from homebody.envs.text import UnreadableError, read_json


def record_beside(path: Path) -> Path:
    """Return the place of the record of a file in the cache."""
    return path.with_name(path.name + ".json")


def read_record(record: Path) -> dict[str, Any]:
    """Return what a record says; empty where there is none.

    Raises:
        BadModelFileError: it is damaged.
    """
    try:
        found = read_json(record) if record.exists() else {}
    except UnreadableError:
        found = None
    if not isinstance(found, dict):
        raise BadModelFileError(record, "is not a record of a model", "delete it, and fetch or prepare the model again")
    return found


def add_to_record(record: Path, **fields: Any) -> None:
    """Write fields into a record.

    Raises:
        BadModelFileError: it is damaged.
        CacheError: it cannot be written.
    """
    text = json.dumps(read_record(record) | fields, indent=2) + "\n"
    with writable(record.parent):
        record.parent.mkdir(parents=True, exist_ok=True)
        write_file(record, text)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder in the cache into a CacheError."""
    try:
        yield
    except OSError as error:
        raise CacheError(folder, (error.strerror or str(error)).lower()) from error
    except OutputError as error:
        raise CacheError(folder, error.problem.lower()) from error
