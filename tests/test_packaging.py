"""The package as it is installed: the folders of the repository appear as `homebody.*`, all of them and nothing else."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "assets", "envs", "evolution", "scripts")
# What only one command or one backend needs, and what takes long to import: `homebody --help` answers without them.
SLOW_IMPORTS = ("llama_cpp", "pygame", "numba", "gymnasium", "matplotlib", "scipy", "playwright", "ray", "pydantic_monty")


def python_files(root: Path) -> set[str]:
    """Return the modules below the mapped folders of `root`, as paths relative to it."""
    return {path.relative_to(root).as_posix() for folder in FOLDERS for path in (root / folder).rglob("*.py")}


def assets(root: Path) -> set[str]:
    """Return every file below assets/, as a path relative to `root`."""
    files = {path.relative_to(root).as_posix() for path in (root / "assets").rglob("*") if path.is_file()}
    return {file for file in files if "__pycache__" not in file}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel from a copy of the tree (setuptools would leave its build folder in it) and return the names of its files."""
    source = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    # A copy holds the tests as well, so that a mapping that catches too much would show.
    shutil.copytree(ROOT / "tests", source / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):  # what the metadata is made of
        shutil.copy(ROOT / file, source / file)
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(out),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_packages_on_disk_are_the_packages_listed() -> None:
    on_disk = {".".join(("homebody", *Path(file).parent.parts)) for file in python_files(ROOT) if file.endswith("/__init__.py")}
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert sorted(config["tool"]["setuptools"]["packages"]) == sorted(on_disk)


def test_every_folder_with_modules_is_a_package_marked_as_typed() -> None:
    folders = {(ROOT / file).parent for file in python_files(ROOT)}
    missing = {folder / name for folder in folders for name in ("__init__.py", "py.typed") if not (folder / name).is_file()}
    assert "\n".join(sorted(path.relative_to(ROOT).as_posix() for path in missing)) == ""


def test_wheel_has_every_module_asset_and_type_marker(wheel: set[str]) -> None:
    markers = {(Path(file).parent / "py.typed").as_posix() for file in python_files(ROOT)}
    wanted = {f"homebody/{file}" for file in python_files(ROOT) | assets(ROOT) | markers}
    assert "\n".join(sorted(wanted - wheel)) == ""


def test_wheel_installs_nothing_beside_homebody(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {"homebody", f"homebody-{version('homebody')}.dist-info"}
    assert {name.split("/")[1] for name in wheel if name.startswith("homebody/")} == set(FOLDERS)


def test_version_stands_in_the_changelog() -> None:
    assert f"## [{version('homebody')}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_bare_import_of_a_folder_fails(folder: str) -> None:
    # Were it found, it would be a second copy of the module, whose classes are not the first one's.
    done = subprocess.run([sys.executable, "-P", "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert f"No module named '{folder}'" in done.stderr


def test_help_imports_nothing_slow(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.argv = ['homebody', '--help']\nfrom homebody.scripts.cli import main\n"
        "try:\n    main()\nexcept SystemExit as exit:\n    assert not exit.code\n"
        f"print('loaded:', *(name for name in {SLOW_IMPORTS} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_console_script_is_installed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert config["project"]["scripts"] == {"homebody": "homebody.scripts.cli:main"}
    assert os.access(Path(sys.executable).parent / "homebody", os.X_OK)


def pins(file: str) -> dict[str, str]:
    """Return the version of each distribution that a list of pins names."""
    lines = [line.partition(";")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if "==" in line]
    return {name.lower().replace("_", "-"): pinned for name, _, pinned in (line.partition("==") for line in lines)}


def test_both_lists_of_pins_ask_for_the_same_versions() -> None:
    """pip refuses to install scripts/peers.txt under constraints.txt where the two disagree."""
    ours, peers = pins("constraints.txt"), pins("scripts/peers.txt")
    assert {"requests", "urllib3"} <= ours.keys() & peers.keys()
    assert {name: (pinned, ours[name]) for name, pinned in peers.items() if ours.get(name, pinned) != pinned} == {}
