"""What all tests may use."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

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
