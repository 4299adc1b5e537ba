"""ALFWorld's official release of games: fetched, unpacked, and checked. Knows where it is, and how many games it has.

An archive is unpacked beside its place and renamed, so a folder of games is there whole or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.download import Progress, cache_root, fetch
from homebody.envs.file import expand_path
from homebody.envs.household.alfworld.games import GAMES_FOLDER

URL: Final = "https://github.com/alfworld/alfworld/releases/download/0.4.2/json_2.1.3_tw-pddl.zip"
"""The games of ALFWorld 0.4.2, 36,507,267 bytes."""
SHA256: Final = "5df77ea759f2211a4106082839ddbbb790f1ba4e7d097ed732cf453f72aa36cf"
"""Of the file at `URL`, as several independent users of it have published it; ALFWorld itself names no sum."""

MAX_MEMBERS: Final = 100_000
MAX_BYTES: Final = 4 * 2**30
"""Of an archive's files unpacked; ALFWorld's 4027 games take about 0.4 GB (822 of them have 87 kB on the average)."""
MAX_RATIO: Final = 100
"""Unpacked bytes for each packed one; ALFWorld's archive has about 10."""

_BLOCK: Final = 1 << 20


class ArchiveError(EnvError):
    """An archive of games cannot be unpacked, or must not be."""

    def __init__(self, archive: Path, problem: str) -> None:
        super().__init__(f"archive {archive}: {problem}; nothing was unpacked: fetch it again, or give another --url")


class ChecksumFormError(EnvError):
    """A checksum was given that is none."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"sha256 is {sha256[:80]!r}; give 64 hexadecimal digits")


class GamesThereError(EnvError):
    """There are games already where some were to be fetched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is there already; check it with --check, give another --dir, or delete it first")


class DataFolderError(EnvError):
    """The folder for the games cannot be written to."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(f"cannot write to {folder}: {problem}; give another --dir, or make room")


def default_dir() -> Path:
    """Return where games go unless told otherwise: `ALFWORLD_DATA`, or `alfworld` in the cache of homebody."""
    return expand_path(given) if (given := os.environ.get("ALFWORLD_DATA")) else cache_root() / "alfworld"


def fetch_games(data_dir: Path, *, url: str = URL, sha256: str = "", progress: Progress | None = None) -> Path:
    """Fetch an archive of games and unpack it; what was fetched before a break is kept, and the next call goes on from there.

    Args:
        data_dir: Where the folder `json_2.1.1` is to be; made if it is missing.
        url: The archive, a zip file.
        sha256: What the archive must have; empty for the known sum of `URL`, and for none of another address.
        progress: Told of bytes fetched.

    Returns:
        The folder of games.

    Raises:
        GamesThereError: There is such a folder.
        ChecksumFormError: `sha256` is no checksum.
        DownloadError: The archive could not be fetched whole, or is not the expected one.
        ArchiveError: It is no archive of games, or could do harm; it was deleted.
        DataFolderError: `data_dir` cannot be written to.
    """
    games = data_dir / GAMES_FOLDER
    if sha256 and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise ChecksumFormError(sha256)
    if games.exists():
        raise GamesThereError(games)
    # Named after the address, so that the part of one archive is never continued with another.
    archive = data_dir / f"games-{hashlib.sha256(url.encode()).hexdigest()[:12]}.zip"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(data_dir, os.W_OK):
            raise DataFolderError(data_dir, "permission denied")
        fetch(url, archive, progress, sha256 or (SHA256 if url == URL else ""))
        _unpack(archive, games)
    except OSError as error:
        raise DataFolderError(data_dir, (error.strerror or str(error)).lower()) from error
    except ArchiveError:
        archive.unlink()
        raise
    archive.unlink()
    return games


_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, struct.error, ValueError, RuntimeError, OverflowError
)  # fmt: skip
"""What the standard library raises over an archive that is none, or not whole."""


def _unpack(archive: Path, games: Path) -> None:
    """Unpack the folder of games; it gets its name when it is whole."""
    beside = games.with_name(f".{GAMES_FOLDER}.part")
    shutil.rmtree(beside, ignore_errors=True)  # what a killed process left
    try:
        with zipfile.ZipFile(archive) as file:
            members = _safe_members(archive, file)
            for member in members:
                target = beside.joinpath(*PurePosixPath(member.filename).parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out, _BLOCK)
        beside.replace(games)
    except _DAMAGED as error:
        raise ArchiveError(archive, f"is damaged or no zip file ({error})") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise ArchiveError(archive, "has a file and a folder of one name") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # These two come of places and streams that the archive names wrongly.
            raise
        raise ArchiveError(archive, f"is damaged or no zip file ({error})") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _safe_members(archive: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of the games, after a look at everything that the archive says of itself."""
    infos = file.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ArchiveError(archive, f"has {len(infos)} members, more than the {MAX_MEMBERS} allowed")
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES or total > MAX_RATIO * archive.stat().st_size:
        raise ArchiveError(archive, f"would unpack to {total} bytes, more than {MAX_BYTES} or {MAX_RATIO} times its size")
    for info in infos:
        if problem := _problem(info):
            raise ArchiveError(archive, f"member {info.filename[:200]!r} {problem}")
    members = [info for info in infos if not info.is_dir() and PurePosixPath(info.filename).parts[0] == GAMES_FOLDER]
    names = [info.filename for info in members]
    if len(set(names)) < len(names):
        raise ArchiveError(archive, f"has the member {max(names, key=names.count)[:200]!r} twice")
    if not members:
        raise ArchiveError(archive, f"has no folder {GAMES_FOLDER}")
    return members


_PROBLEMS: Final[tuple[tuple[str, Callable[[zipfile.ZipInfo], object]], ...]] = (
    ("lies outside of the archive's own folder", lambda info: PurePosixPath(info.filename).is_absolute() or ".." in _parts(info)),
    ("has a name that is none on every system", lambda info: set(info.filename) & set('\\:*?"<>|') or not info.filename.isprintable()),
    ("is a link or a device", lambda info: stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR)),
    ("is encrypted", lambda info: info.flag_bits & 1),
)


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(info.filename).parts


def _problem(info: zipfile.ZipInfo) -> str:
    return next((problem for problem, is_so in _PROBLEMS if is_so(info)), "" if _parts(info) else "has no name")
