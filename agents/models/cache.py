"""The folder of prepared and fetched models; a file there is whole, and one process writes at a time."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from homebody.agents.errors import (
    CacheError,
)
from homebody.agents.models.provenance import writable
from homebody.envs.download import cache_root
from homebody.envs.file import replacing


def cache_folder() -> Path:
    """Return the folder of prepared and fetched models; it need not exist."""
    return cache_root() / "models"


def made(target: Path, size_bytes: int, make: Callable[[Path], None]) -> Path:
    """Return a file in the cache, made where it is not there yet; it gets its name when it is whole.

    Args:
        target: the file.
        size_bytes: what it will take; 0 where that is not known.
        make: writes it to a path that does not exist.

    Raises:
        CacheError: it cannot be written, or the disk is full.
    """
    if target.exists():
        return target
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent) as is_alone:
            if is_alone:  # What another process has left that was killed in the midst of this.
                for left in target.parent.glob(".writing-*"):
                    if (left / target.name).exists():
                        shutil.rmtree(left, ignore_errors=True)
            if target.exists():
                return target
            free = shutil.disk_usage(target.parent).free
            if free < size_bytes:
                problem = f"{target.name} takes {size_bytes / 1e6:.0f} MB and {free / 1e6:.0f} MB are free"
                raise CacheError(target.parent, problem)
            with replacing(target) as part:
                make(part)
    return target


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Wait until no other process is in this block for this folder; False where the system has no such lock (some network drives)."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    number = os.open(folder, os.O_RDONLY)
    try:
        is_alone = True
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
        except OSError:
            is_alone = False
        yield is_alone
    finally:
        os.close(number)  # This ends the lock.
