"""The user's paths, and files that are written whole.

The one place that says what a path means and how the project writes a file. A file is written
beside its place and gets its name when it is whole. A link stays, and the file that it leads to is
replaced. Whatever is no regular file (a device, a named pipe, /dev/stdout) is written to, once the
content is whole.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from homebody.envs.core import EnvError

UserPath = str | os.PathLike[str]
"""A path as a user gives it; `expand_path` says what it means."""

_OPEN_FILE: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
"""A path that names a file which is open already; /dev/stdout is a link to one."""
_MOST_LINKS: Final = 40
"""Links that are followed to an open file, as many as Linux follows."""


class PathError(EnvError):
    """A text that is no path."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{str(path)!r} is no path: {problem}")


class OutputError(EnvError):
    """A file that cannot be written.

    Attributes:
        problem: Why, in a few words.
    """

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"cannot write {path}: {problem}; give a file in a folder that exists and can be written")
        self.problem = problem


class FolderError(EnvError):
    """A folder that cannot be made, or written into."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"cannot write into the folder {path}: {problem}; give another folder")


def expand_path(path: UserPath) -> Path:
    """Return a path as the user means it: `~` and `~NAME` at its start are home folders.

    Raises:
        PathError: It is empty, holds a null character, or names the home of nobody.
    """
    text = os.fspath(path)
    if not text:  # as `--json "$UNSET"` gives; for Python an empty path is the present folder
        raise PathError(path, "it is empty; give one")
    if "\0" in text:
        raise PathError(path, "it holds a null character; leave that out")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise PathError(path, "that home folder is not known; write it out, or begin with ./") from None


def _expand_file(path: UserPath) -> Path:
    """Return the path of a file to write, see `expand_path`.

    Raises:
        PathError: It is no path.
        OutputError: It ends as only a folder's does; a `Path` would not know that any more.
    """
    named = expand_path(path)
    if os.path.basename(os.fspath(path)) in ("", ".", ".."):
        raise OutputError(path, "it is a folder")
    return named


def nearby_folder(folder: Path, *names: str) -> Path | None:
    """Return the nearest folder above another one, or else just below it, that holds one of these files or folders."""
    around = [*folder.absolute().parents, *sorted(path for path in folder.glob("*") if path.is_dir())]
    return next((one for one in around if any((one / name).exists() for name in names)), None)


def check_target(path: UserPath, made: UserPath | None = None) -> None:
    """Check that a file can be written, before the work whose result goes there starts.

    Args:
        path: The file.
        made: A folder that the work makes where it is missing.

    Raises:
        PathError: It is no path.
        OutputError: It cannot be written.
    """
    named = _expand_file(path)
    with _reported(path):
        problem = _problem(named, made)
    if problem:
        raise OutputError(path, problem)


def make_folder(path: UserPath) -> Path:
    """Make a folder, and those above it, where it is missing; return it.

    Raises:
        PathError: It is no path.
        FolderError: It cannot be made, or nothing can be written into it.
    """
    named = expand_path(path)
    try:
        named.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(path, error.strerror or str(error)) from None
    if not os.access(named, os.W_OK):
        raise FolderError(path, "it cannot be written to")
    return named


def write_file(path: UserPath, content: str | bytes) -> None:
    """Write a file whole; a text is written as UTF-8, with its line ends as they are.

    A question mark stands for half a surrogate pair, which a path may hold that is not UTF-8.

    Raises:
        PathError: It is no path.
        OutputError: It cannot be written; a regular file that was there before is still there.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    named = _expand_file(path)
    with _reported(path):
        if _is_replaced(named):
            with replacing(path) as part:
                part.write_bytes(data)
        else:
            with _open(named) as out:
                out.write(data)


@contextmanager
def replacing(path: UserPath) -> Iterator[Path]:
    """Yield where to write a file; at the end of the block it becomes the file.

    It has the file's own name, in a folder of its own beside the file's place. A block that raises
    leaves what was there before.

    Raises:
        PathError: It is no path.
        OutputError: It cannot be written; an `OSError` of the block becomes one, too.
    """
    named = _expand_file(path)
    with _reported(path):
        is_replaced, target = _is_replaced(named), Path(os.path.realpath(named))
        folder = target.parent if is_replaced else None
        with TemporaryDirectory(prefix=".writing-", dir=folder, ignore_cleanup_errors=True) as beside:
            part = Path(beside) / named.name
            yield part
            if is_replaced:
                _replace(part, target)
            else:
                _pour(part, named)


@contextmanager
def _reported(path: UserPath) -> Iterator[None]:
    """Turn what the system says into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from None


def _is_replaced(named: Path) -> bool:
    """Tell whether a file is written by putting a new one in its place.

    Raises:
        OSError: Nothing can be written there.
    """
    if _open_number(named) is not None:
        return False
    mode = _mode(named)
    if mode is None:
        return True
    if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode):
        raise OSError(errno.EISDIR, f"it is a {'folder' if stat.S_ISDIR(mode) else 'socket'}")
    if not os.access(named, os.W_OK):
        raise PermissionError(errno.EACCES, "it cannot be written to")
    return stat.S_ISREG(mode)


def _replace(part: Path, target: Path) -> None:
    """Put a whole file in the place of another, whose permissions it gets."""
    mode = _mode(target)
    if mode is not None:
        part.chmod(stat.S_IMODE(mode))
    try:
        os.replace(part, target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # A file that is mounted by itself, as into a container, can be written and not replaced.
        _pour(part, target)


def _pour(part: Path, named: Path) -> None:
    """Write the content of a whole file into what is there."""
    with part.open("rb") as source, _open(named) as out:
        shutil.copyfileobj(source, out)


def _open(named: Path) -> IO[bytes]:
    number = _open_number(named)
    if number is None:
        return named.open("wb")
    # Opened by its name it would begin anew, over what was printed before.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return os.fdopen(os.dup(number), "wb")


def _mode(named: Path) -> int | None:
    """Return the mode of what a path leads to; None where nothing is there yet."""
    try:
        return named.stat().st_mode
    except FileNotFoundError:
        return None


def _open_number(named: Path) -> int | None:
    """Return the number of the open file that a path leads to; None for a path to elsewhere."""
    text = os.path.abspath(named)
    for _ in range(_MOST_LINKS):
        if found := _OPEN_FILE.fullmatch(text):
            return int(found[1])
        if not os.path.islink(text):
            break
        text = os.path.normpath(os.path.join(os.path.dirname(text), os.readlink(text)))
    return None


def _problem(named: Path, made: UserPath | None) -> str:
    """Say why a file cannot be written; nothing where it seems that it can.

    Raises:
        OSError: The system says why.
    """
    number = _open_number(named)
    if number is not None:
        os.write(number, b"")  # fails where it is closed, or open for reading alone
    folder = os.path.dirname(os.path.realpath(named))
    if not _is_replaced(named) or os.access(folder, os.W_OK):
        return ""
    shown = folder if named.is_symlink() else named.parent
    if os.path.isdir(folder):
        return f"the folder {shown} cannot be written to"
    is_made = made is not None and folder == os.path.realpath(expand_path(made))
    return "" if is_made else f"there is no folder {shown}"
