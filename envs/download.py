"""Fetch one large file over HTTP: resumed where it broke off, complete and verified before it gets its name.

Knows nothing of what is in the file. What is checked: the size that the server announced, and the SHA-256 where the caller or the server
names one (the hub of Hugging Face does, in ``X-Linked-Etag``). A file that does not match is deleted.
"""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO

from homebody.envs.core import EnvError
from homebody.envs.file import expand_path

Progress = Callable[[int, int], None]
"""Called with bytes on disk and bytes in all (0 where the server does not say)."""

_BLOCK = 1 << 20
_TIMEOUT_S = 30.0


class DownloadError(EnvError):
    """A file could not be fetched whole."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"could not fetch {url}: {problem}; run the same command again to resume")


class NoHomeError(EnvError):
    """The cache is to be in the user's home, and the user has none."""

    def __init__(self) -> None:
        super().__init__("there is no folder for the cache: this user has no home; set HOMEBODY_CACHE to a folder")


def cache_root() -> Path:
    """Return the folder of what is fetched or prepared; it need not exist.

    It is ``$HOMEBODY_CACHE``, or ``homebody`` in the user's cache.

    Raises:
        PathError: A variable holds no path.
        NoHomeError: Neither ``HOMEBODY_CACHE`` nor ``XDG_CACHE_HOME`` is set, and the user has no home.
    """
    if root := os.environ.get("HOMEBODY_CACHE"):
        return expand_path(root)
    if root := os.environ.get("XDG_CACHE_HOME"):
        return expand_path(root) / "homebody"
    try:
        return Path.home() / ".cache" / "homebody"
    except RuntimeError:  # a user id that the system does not know, as in some containers
        raise NoHomeError from None


def fetch(url: str, target: Path, progress: Progress | None = None, sha256: str = "") -> Path:
    """Download a file, unless it is there already; what is fetched lies in ``<target>.part`` until it is whole.

    Args:
        url: http or https address; redirects are followed.
        target: where the file goes; its folder exists.
        progress: told after each block.
        sha256: what the file must have, 64 hexadecimal digits; empty where it is not known.

    Returns:
        The target.

    Raises:
        DownloadError: the server refuses or breaks off, or the file is not what the server announced or the caller expects. What was
            fetched of a good file is kept, and the next call goes on from there.
    """
    if target.exists():
        return target
    part = target.with_name(target.name + ".part")
    links = _Links()
    try:
        total = _transfer(url, part, links, progress)
    except (OSError, HTTPException, ValueError) as error:
        # URLError and time-outs are OSErrors, a broken body is an HTTPException, an address of no known form a ValueError.
        raise DownloadError(url, str(error) or type(error).__name__) from error
    size = part.stat().st_size
    if total and size != total:
        if size > total:
            part.unlink()
        raise DownloadError(url, f"got {size} bytes of {total}")
    _verify(url, part, {"expected": sha256.lower(), "announced": links.sha256})
    os.replace(part, target)
    return target


def announced_revision(url: str) -> str:
    """Return the commit from which a hub would send a file, as 40 hexadecimal digits; empty where it names none, or does not answer."""
    links = _Links()
    request = urllib.request.Request(url, headers={"User-Agent": "homebody"}, method="HEAD")
    try:
        with urllib.request.build_opener(links).open(request, timeout=_TIMEOUT_S) as response:
            links.note(response.headers)
    except urllib.error.HTTPError as error:
        error.close()
        links.note(error.headers)
    except (OSError, HTTPException, ValueError):
        return ""  # Fetching the file will fail, too, and says why.
    return links.revision


def _verify(url: str, part: Path, sums: dict[str, str]) -> None:
    """Compare the file with the sums that are not empty, and delete it if it differs."""
    if not any(sums.values()):
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    for whence, named in sums.items():
        if named and named != found:
            part.unlink()
            raise DownloadError(url, f"its SHA-256 is {found}, {whence} was {named}; the file was deleted")


class _Links(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and remembers the SHA-256 and the commit that one of the answers named."""

    sha256 = ""
    revision = ""

    def note(self, headers: Message) -> None:
        named = re.fullmatch(r'(?:W/)?"?([0-9a-f]{64})"?', headers.get("X-Linked-Etag", ""))
        if named:
            self.sha256 = named[1]
        if re.fullmatch(r"[0-9a-f]{40}", commit := headers.get("X-Repo-Commit", "")):
            self.revision = commit

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        self.note(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _transfer(url: str, part: Path, links: _Links, progress: Progress | None) -> int:
    """Append to the part what is missing of it; return the size that the whole file should have, 0 if the server does not say."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "homebody"}
    if have:
        # GitHub keeps release files in a store that answers a range only to those who name the version of its interface.
        headers |= {"Range": f"bytes={have}-", "x-ms-version": "2020-04-08"}
    opener = urllib.request.build_opener(links)
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        links.note(error.headers)
        if error.code == 416:  # Nothing lies beyond what we have: either it is whole, or it is another file.
            return _total(error.headers) or have
        raise
    with response:
        links.note(response.headers)
        if response.status != 206:
            have = 0  # The server sends the file from its start.
        length = int(response.headers.get("Content-Length") or 0)
        total = _total(response.headers) or (have + length if length else 0)
        with part.open("ab" if have else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                have += len(block)
                if progress:
                    progress(have, total)
    return total


def _total(headers: Message) -> int:
    """Return the whole size from a Content-Range header, 0 if there is none."""
    found = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return int(found[1]) if found else 0
