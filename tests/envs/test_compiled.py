"""Kept machine code is never that of other sources, and nothing fails where it cannot be kept."""

from __future__ import annotations

import ast
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from homebody.envs import compiled
from homebody.envs.compiled import KEPT, code_folders, compiler
from homebody.envs.file import OutputError
from homebody.envs.household import compiled as household
from homebody.envs.webshop.search import postings

ENVS = Path(compiled.__file__).parent
FOLDER = ENVS / "household"
PROBE = """
import numpy as np
from homebody.envs.household.expert import abstraction
found = abstraction.holders_at(10 * np.arange(64, dtype=np.uint64), np.zeros(3, np.int64), 2)
print(found, sum(abstraction.holders_at.stats.cache_hits.values()))
"""
"""Prints where a set begins, and whether kept code said so: at 2 + 1 words and 3 times a size, which
is 10 times its place in the world."""


def twice(x: Any) -> Any:
    return x + x


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def imported(path: Path) -> set[str]:
    """The modules of the household that a file imports from, when it is run."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            place = node.module.removeprefix("homebody.envs.household").lstrip(".").replace(".", "/")
            found |= {f"{place}.py", *(f"{place}/{alias.name}.py".lstrip("/") for alias in node.names)}
    return found & modules()


def modules() -> set[str]:
    """The modules of the household, by their place in its folder."""
    return {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py")}


def test_every_module_with_compiled_functions_and_what_they_take_constants_from_is_a_source():
    texts = {name: (FOLDER / name).read_text("utf-8") for name in modules()}
    with_kernels = {name for name, text in texts.items() if "@kernel" in text or "@inlined" in text}
    engine, expert = {"engine/rules.py", "engine/view.py"}, {"expert/search.py", "expert/abstraction.py"}
    assert engine | expert | {"symbolic/visibility.py"} == with_kernels
    assert with_kernels <= set(household.SOURCES)
    for name in household.SOURCES:
        assert imported(FOLDER / name) <= set(household.SOURCES), name
    shop = ast.parse(Path(postings.__file__).read_text("utf-8"))
    taken = {str(node.module) for node in shop.body if isinstance(node, ast.ImportFrom)}
    assert {name for name in taken if name.startswith("homebody")} == {"homebody.envs.compiled"}


class Tree:
    """A copy of the package that other processes import, so that its sources can be changed."""

    def __init__(self, folder: Path) -> None:
        self.envs = folder / "package" / "homebody" / "envs"
        shutil.copytree(ENVS, self.envs, ignore=shutil.ignore_patterns("__pycache__"))
        self.variables = {
            "PYTHONPATH": str(folder / "package"),
            "HOME": str(folder / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def change(self, source: str, old: str, new: str) -> None:
        path = self.envs / source
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")

    def run(self, code: str = PROBE) -> list[str]:
        """Run code in a fresh process, and return the words that it prints."""
        names = {"PATH", "SYSTEMROOT", "TMPDIR"} & os.environ.keys()
        kept = {name: os.environ[name] for name in names}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=kept | self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.split()


@pytest.mark.parametrize("place", ["NUMBA_CACHE_DIR", "beside the sources", "HOMEBODY_CACHE"])
def test_changed_sources_mean_new_rules_wherever_the_code_lies(tmp_path, place):
    tree, kept = Tree(tmp_path), tmp_path / "kept"
    if place == "beside the sources":
        kept = tree.envs / "__pycache__"
    else:
        tree.variables[place] = str(kept)
    if place == "HOMEBODY_CACHE":
        (tree.envs / "__pycache__").write_text("a file, so that there can be no folder")
    assert tree.run() == ["93", "0"]
    assert tree.run() == ["93", "1"]
    assert any(path.is_file() for path in kept.rglob("abstraction.holders_at-*"))
    # A constant, two imports away.
    tree.change("household/engine/layout.py", "    R_WORDS = 3  #", "    R_WORDS = 4  #")
    tree.change("household/engine/layout.py", "    O_WORDS = 4  #", "    O_WORDS = 3  #")
    assert tree.run() == ["123", "0"]


def test_a_changed_function_that_others_inline_means_new_rules_and_the_old_ones_are_kept(tmp_path):
    tree = Tree(tmp_path)
    tree.variables["XDG_CACHE_HOME"] = str(tmp_path / "kept")
    (tree.envs / "__pycache__").write_text("a file, so that there can be no folder")
    assert tree.run() == ["93", "0"]
    long, short = "_INDEX = np.uint64(2**24 - 1)", "_INDEX = np.uint64(2**4 - 1)"
    tree.change("household/engine/rules.py", long, short)  # 30 & 15 = 14
    assert tree.run() == ["45", "0"]
    tree.change("household/engine/rules.py", short, long)
    assert tree.run() == ["93", "1"]


def test_the_shop_takes_what_its_source_says(tmp_path):
    tree = Tree(tmp_path)
    code = "import numpy as np\nfrom homebody.envs.webshop.search import postings as p\n"
    code += "found = p._seek(np.array([1, 4, 9], np.int32), 0, 3, 1)\n"
    code += "print(found, sum(p._seek.stats.cache_hits.values()))"
    assert tree.run(code) == ["0", "0"]
    tree.change("household/engine/layout.py", "    R_WORDS = 3  #", "    R_WORDS = 3  # changed,")
    assert tree.run(code) == ["0", "1"]
    tree.change(
        "webshop/search/postings.py",
        "if documents[middle] < document:",
        "if documents[middle] <= document:",
    )
    assert tree.run(code) == ["1", "0"]


def test_where_nothing_can_be_written_functions_are_compiled_in_each_process(tmp_path):
    tree = Tree(tmp_path)
    (tree.envs / "__pycache__").write_text("a file, so that there can be no folder")
    (tmp_path / "home").write_text("likewise")
    assert tree.run() == ["93", "0"]
    tree.variables |= {"HOMEBODY_CACHE": "/dev/null/a", "NUMBA_CACHE_DIR": "/dev/null/b"}
    assert tree.run() == ["93", "0"]


def test_the_locators_of_numba_have_no_say(tmp_path):
    tree = Tree(tmp_path)
    tree.variables["NUMBA_CACHE_LOCATOR_CLASSES"] = "NoSuchLocator"
    assert tree.run() == ["93", "0"]


def test_code_that_was_kept_is_used_where_nothing_more_can_be_kept(tmp_path, monkeypatch):
    folders = (tmp_path / "double-1",)
    assert compiler(folders)(twice)(3) == 6

    def refuse(path: Path, data: bytes) -> None:
        raise OutputError(path, "Read-only file system")

    monkeypatch.setattr(compiled, "_write", refuse)
    again = compiler(folders)(twice)
    assert (again(3), hits(again)) == (6, 1)
    assert (again(1.5), hits(again)) == (3.0, 1)  # compiled, and not kept
    assert len(list(folders[0].iterdir())) == 1


def test_a_folder_that_refuses_hands_over_to_the_next(tmp_path):
    (tmp_path / "file").write_text("")
    folders = (tmp_path / "file" / "double-1", tmp_path / "folder" / "double-1")
    assert compiler(folders)(twice)(3) == 6
    again = compiler(folders)(twice)
    assert (again(3), hits(again)) == (6, 1)


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:-9], lambda data: data[:-1] + bytes([data[-1] ^ 1])],
)
def test_a_damaged_file_is_compiled_anew(tmp_path, damage):
    folders = (tmp_path / "double-1",)
    assert compiler(folders)(twice)(3) == 6
    (file,) = folders[0].iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = compiler(folders)(twice)
    assert (again(3), hits(again)) == (6, 0)
    assert len(file.read_bytes()) == len(whole)
    again = compiler(folders)(twice)
    assert (again(3), hits(again)) == (6, 1)


def test_processes_that_compile_at_once_do_not_take_each_others_code(tmp_path, monkeypatch):
    """While one is about to write the code of a signature, the other writes that of the next."""
    folders = (tmp_path / "double-1",)
    one, other, write = compiler(folders)(twice), compiler(folders)(twice), compiled._write
    between = [lambda: other(1.5), lambda: other(3)]

    def write_later(path: Path, data: bytes) -> None:
        if between:
            between.pop(0)()
        write(path, data)

    monkeypatch.setattr(compiled, "_write", write_later)
    assert one(3) == 6
    fresh = compiler(folders)(twice)
    assert (fresh(3), fresh(1.5), hits(fresh)) == (6, 3.0, 2)
    assert len(list(folders[0].iterdir())) == 2  # and nothing half-written is left


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path, monkeypatch):
    def replace(part: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    folders = (tmp_path / "double-1",)
    assert compiler(folders)(twice)(3) == 6
    assert list(folders[0].iterdir()) == []


def test_folders_of_old_sources_do_not_pile_up(tmp_path):
    for n in range(KEPT + 5):
        assert compiler((tmp_path / f"double-{n}",))(twice)(n) == 2 * n
        os.utime(tmp_path / f"double-{n}", (n, n))
    assert compiler((tmp_path / "other-0",))(twice)(1) == 2
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"other-0", *(f"double-{n}" for n in range(5, KEPT + 5))}


def test_the_folder_of_numba_comes_first_and_ours_last(tmp_path, monkeypatch):
    source = tmp_path / "a.py"
    source.write_text("1")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "ours"))
    folders = code_folders("a", [source])
    assert [folder.parent for folder in folders] == [
        tmp_path / "numba" / "homebody",
        ENVS / "__pycache__" / "compiled",
        tmp_path / "ours" / "compiled",
    ]
    assert code_folders("a", [source]) == folders
    assert code_folders("b", [source]) != folders
    source.write_text("2")
    assert not set(code_folders("a", [source])) & set(folders)
    assert code_folders("a", [source, tmp_path / "none.py"]) == ()  # as in a zip archive
    assert compiler(())(twice)(3) == 6


def test_a_user_without_a_home_keeps_code_beside_the_sources(monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    for name in ("HOMEBODY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    (folder,) = code_folders("a", [])
    assert folder.parent == ENVS / "__pycache__" / "compiled"
