"""Compiled functions, and the folders in which their machine code is kept for later processes.

numba's own cache asks whether the file of a function has changed. A function that inlines functions
of other files, or takes constants from them, would keep its old code and play by old rules. Here
the name of a folder holds the hash of all sources that its code was made from, so code of other
sources is never found, wherever it lies. Where no folder can be written, each process compiles
for itself.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.core import compiler as numba_compiler
from numba.core import serialize
from numba.core.caching import NullCache

from homebody.envs.core import EnvError
from homebody.envs.download import cache_root
from homebody.envs.file import expand_path, make_folder, write_file

F = TypeVar("F", bound=Callable[..., Any])

KEPT: Final = 8
"""Folders of one name that stay when a new one is made: the ones written to last."""
_DIGEST_BYTES: Final = 32
_rebuild: Any = numba_compiler.CompileResult._rebuild
_dumps: Any = serialize.dumps


def compiler(folders: tuple[Path, ...], **options: Any) -> Callable[[F], F]:
    """Return a decorator that compiles a function, without checks for division by zero.

    Args:
        folders: Where its machine code is kept, from `code_folders`.
        options: Further options of `numba.njit`.
    """

    def compile_function(function: F) -> F:
        dispatcher: Any = numba.njit(error_model="numpy", **options)(function)
        dispatcher._cache = _KeptCode(function, folders)
        compiled: F = dispatcher
        return compiled

    return compile_function


def code_folders(name: str, sources: Iterable[Path]) -> tuple[Path, ...]:
    """Return where machine code may be kept, the preferred folder first.

    The order: below `NUMBA_CACHE_DIR` where that is set; beside this file; in `cache_root()`.

    Args:
        name: Begins the names of the folders.
        sources: The files with compiled functions, and those whose functions or constants
            they take.

    Returns:
        The folders, which need not exist; none where a source cannot be read.
    """
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    try:
        for source in (Path(__file__), *sources):
            content = source.read_bytes()
            digest.update(f" {source.name} {len(content)} ".encode() + content)
    except OSError:
        return ()
    places = [Path(__file__).parent / "__pycache__" / "compiled"]
    if numba_cache := vars(numba.config)["CACHE_DIR"]:
        with suppress(EnvError):  # it is no path
            places.insert(0, expand_path(numba_cache) / "homebody")
    with suppress(EnvError):  # there is no home
        places.append(cache_root() / "compiled")
    return tuple(place / f"{name}-{digest.hexdigest()[:24]}" for place in places)


class _KeptCode(NullCache):
    """The machine code of one function on disk: a file for each signature and processor.

    Processes that compile at once write the same files, each of them whole. numba's own cache
    numbers its files, so one process may overwrite what another has stored for another signature.
    """

    def __init__(self, function: Callable[..., Any], folders: tuple[Path, ...]) -> None:
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._folders = folders

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for a signature, or `None` if none is kept."""
        target_context.refresh()
        name = self._file_name(sig, target_context.codegen())
        for folder in self._folders:
            data = _read(folder / name)
            if data is not None:
                return _rebuild(target_context, *pickle.loads(data))
        return None

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keep a compiled function in the first folder that takes it."""
        if cres.library.has_dynamic_globals:  # it holds addresses of this process
            return
        name, code = self._file_name(sig, cres.codegen), _dumps(cres._reduce())
        for folder in self._folders:
            with suppress(EnvError):
                _write(folder / name, code)
                return

    def _file_name(self, sig: Any, codegen: Any) -> str:
        key = hashlib.sha256(f"{sig} {codegen.magic_tuple()}".encode()).hexdigest()
        return f"{self._name}-{key[:24]}"


def _read(path: Path) -> bytes | None:
    """Return what `_write` wrote, or `None` if the file is missing or damaged."""
    with suppress(OSError):
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST_BYTES:]).digest() == data[:_DIGEST_BYTES]:
            return data[_DIGEST_BYTES:]
    return None


def _write(path: Path, data: bytes) -> None:
    """Write what `_read` returns; a new folder takes the place of the oldest of its name.

    Raises:
        FolderError: The folder cannot be made or written to.
        OutputError: The file cannot be written.
    """
    if not path.parent.is_dir():
        make_folder(path.parent)
        _drop_oldest(path.parent)
    write_file(path, hashlib.sha256(data).digest() + data)


def _drop_oldest(newest: Path) -> None:
    """Remove all but `KEPT` of the folders with the same name before the hash."""
    alike = newest.parent.glob(f"{newest.name.rpartition('-')[0]}-*")
    dated = []
    for folder in alike:
        with suppress(OSError):  # another process may have removed it
            dated.append((folder.stat().st_mtime_ns, folder))
    for _, folder in sorted(dated, reverse=True)[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
