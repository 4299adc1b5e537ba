"""The file that ``--json`` names: checked before the work starts, written whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def write_json(path: str | None, value: Any) -> None:
    """Write a value as JSON, see `homebody.envs.file`. Does nothing without a path.

    Raises:
        OutputError: the file cannot be written.
    """
    if path is not None:
        from homebody.envs.file import write_file

        write_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def json_written(path: str | None, value: Any) -> Iterator[None]:
    """Write a value as `write_json` does after a block that prints it, also where its reader has gone, as `head` does.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        yield
    finally:
        write_json(path, value)


def check_target(path: str | None, run_dir: str | None = None) -> None:
    """Check that a file can be written, before the work whose result goes there starts.

    Args:
        path: the file; None asks for nothing.
        run_dir: a folder that the work makes where it is missing.

    Raises:
        OutputError: it cannot.
    """
    if path is not None:
        from homebody.envs import file

        file.check_target(path, run_dir)
