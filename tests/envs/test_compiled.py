"""Machine code on disk never outlives the sources that it was made from."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

from homebody.envs.household import compiled

FOLDER = Path(compiled.__file__).parent


def imported(path: Path) -> set[str]:
    """The modules of the folder that a file imports from, when it is run."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.rpartition(".")[2], *(alias.name for alias in node.names)}
    return found & {p.stem for p in FOLDER.glob("*.py")}


def test_every_module_with_compiled_functions_and_what_they_take_constants_from_is_watched():
    with_kernels = {path.stem for path in FOLDER.glob("*.py") if "@kernel" in path.read_text() or "@inlined" in path.read_text()}
    assert {"rules", "view", "search", "spots", "sight"} == with_kernels
    assert with_kernels <= set(compiled.SOURCES)
    for name in with_kernels:
        assert imported(FOLDER / f"{name}.py") <= set(compiled.SOURCES), name


def test_cached_code_goes_when_a_source_changes_and_stays_when_none_does(tmp_path):
    for name in compiled.SOURCES:
        shutil.copy(FOLDER / f"{name}.py", tmp_path)
    cache = tmp_path / "__pycache__"
    compiled.drop_stale_code(tmp_path)
    index, code, other = cache / "rules.f-1.py311.nbi", cache / "rules.f-1.py311.1.nbc", cache / "rules.cpython-311.pyc"
    for path in (index, code, other):
        path.write_bytes(b"x")
    compiled.drop_stale_code(tmp_path)
    assert index.exists()
    assert code.exists()
    (tmp_path / "layout.py").write_text("# changed\n")
    compiled.drop_stale_code(tmp_path)
    assert not index.exists()
    assert not code.exists()
    assert other.exists()


def test_a_folder_that_cannot_be_written_to_is_left_alone(tmp_path):
    for name in compiled.SOURCES:
        shutil.copy(FOLDER / f"{name}.py", tmp_path)
    (tmp_path / "__pycache__").write_text("a file, so that no stamp can be written")
    compiled.drop_stale_code(tmp_path)
    assert (tmp_path / "__pycache__").is_file()
