"""Files of models on the hub of Hugging Face: their names, addresses and revisions, and how they are fetched."""

import os
import re
from pathlib import Path

from homebody.agents.errors import (
    BadRequestError,
    ModelNotFoundError,
)
from homebody.agents.models.cache import cache_folder
from homebody.agents.models.gguf import check_first_part, part_paths
from homebody.agents.models.known import KNOWN, VARIANTS
from homebody.agents.models.provenance import add_to_record, read_record, record_beside, writable
from homebody.envs.download import Progress, announced_revision, fetch

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
HUB_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?:(?P<file>[\w.-]+(?:/[\w.-]+)*)")


def hub_file(name: str) -> tuple[str, Path]:
    """Return the address of a file on the hub, and its place in the cache.

    The address names a revision: that of the name, ``hf:owner/repo@revision:file``, else the commit that was the main branch's when
    the file was first asked for.

    Raises:
        BadModelFileError: the record of that commit is damaged.
        ModelNotFoundError: the name is not ``hf:owner/repo:file``.
        BadRequestError: ``HF_ENDPOINT`` is no address, or has a password in it: the address is shown in messages and kept in records.
    """
    found = HUB_NAME.fullmatch(name)
    if found is None or ".." in name:
        raise ModelNotFoundError(name, KNOWN)
    endpoint = hub_endpoint()
    if not re.fullmatch(r"https?://[^@?#\s]+", endpoint):
        raise BadRequestError("HF_ENDPOINT", re.sub(r"//.*@", "//***@", endpoint), "https://HOST, with no password in it")
    given = f"@{found['revision']}" if found["revision"] else ""
    target = cache_folder() / "hf" / f"{found['repo']}{given}" / found["file"]
    revision = found["revision"] or read_record(record_beside(target)).get("revision", "main")
    return f"{endpoint.rstrip('/')}/{found['repo']}/resolve/{revision}/{found['file']}", target


def revision_of(name: str) -> str:
    """Return the revision of a hub's repository that a file is from; empty for a file from elsewhere."""
    base, _, variant = name.rpartition("@")
    base = base if variant in VARIANTS else name
    return hub_file(base)[0].partition("/resolve/")[2].partition("/")[0] if base.startswith("hf:") else ""


def fetched(name: str, progress: Progress | None, sha256: str) -> Path:
    """Return a file from the hub, with the other parts of its model beside it; all of one revision."""
    check_first_part(name)
    url, target = hub_file(name)
    paths = part_paths(target)
    if not all(path.exists() for path in paths):
        with writable(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        if "/resolve/main/" in url and (revision := announced_revision(url)):
            add_to_record(record_beside(target), revision=revision)
            url, _ = hub_file(name)
    folder = url.rpartition("/")[0]
    for path in paths:
        fetch(f"{folder}/{path.name}", path, progress, sha256 if len(paths) == 1 else "")
    return target


def hub_endpoint() -> str:
    """Return the address of the hub, or of the server that ``HF_ENDPOINT`` names."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
