"""What all tests may use."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && ! touch "$0/x" 2>/dev/null && exec "$@"'


@pytest.fixture(scope="session")
def read_only() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command where a folder is mounted read-only, as in a hardened container: that binds root, too.

    Called with the folder and the words of the command.
    """

    def command(unshare: list[str], folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
        given = [*unshare, "bash", "-c", MOUNT, *map(str, (folder, *words))]
        return subprocess.run(given, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})

    def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
        for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
            if shutil.which("unshare") and command(unshare, folder, "true").returncode == 0:
                return command(unshare, folder, *words)
        pytest.skip("no folder can be mounted read-only here")

    return run


@pytest.fixture(scope="session")
def stub_server() -> ModuleType:
    """The module of the server whose model says fixed words."""
    name = "stub_server"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def mock_model() -> Path:
    """The module of a model without weights, to be copied to where a process finds its modules: `mock_model:Mock`."""
    return Path(__file__).with_name("mock_model.py")


@pytest.fixture
def serve(stub_server: ModuleType) -> Iterator[Callable[..., Any]]:
    """Start a server: `serve(**settings)` returns its `Stub`; each ends with the test."""
    running = []

    def start(**settings: Any) -> Any:
        stub = stub_server.Stub(**settings)
        running.append(stub_server.start(stub))
        return stub

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
