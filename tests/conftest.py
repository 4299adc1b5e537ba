"""What all tests may use."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
def load_module() -> Callable[[str], ModuleType]:
    """Load a module of the tests, which are no package, by its path below their folder; each is loaded once."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).parent / name
        known = path.stem if path.stem != "conftest" else f"{path.parent.name}_conftest"
        if known not in sys.modules:
            spec = importlib.util.spec_from_file_location(known, path)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[known] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return sys.modules[known]

    return load


@pytest.fixture
def http_server() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], ThreadingHTTPServer]]:
    """Start a server on this machine: called with its handler, which logs nothing. Each ends with the test."""
    running = []

    def start(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
        handler.log_message = lambda *_: None  # type: ignore[method-assign]
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def stub_server(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The module of the server whose model says fixed words."""
    return load_module("stub_server.py")


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
