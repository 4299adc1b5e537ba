"""Standard streams that take nothing: closed before the start, a full disk, a reader that has gone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EVALUATE = ("evaluate", "--policy", "no-model", "--tasks", "1", "--max-steps", "2")
FULL = Path("/dev/full")


def homebody(arguments: tuple[str, ...], redirected: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell redirects them."""
    command = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-P", "-m", "homebody.scripts.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs sh")
@pytest.mark.parametrize("redirected", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_good_as_nowhere(tmp_path: Path, redirected: str) -> None:
    path = tmp_path / "result.json"
    done = homebody((*EVALUATE, "--run-dir", str(tmp_path / "run"), "--json", str(path)), redirected)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(path.read_text())["n"] == 1


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line_and_the_result_is_written(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    said = "homebody: cannot write to standard output: No space left on device; make room, or print elsewhere\n"
    done = homebody((*EVALUATE, "--json", str(path)), f">{FULL}")
    assert (done.returncode, done.stderr) == (1, said)
    assert json.loads(path.read_text())["n"] == 1
    for arguments in (("harness", "list"), ("--version",)):
        done = homebody(arguments, f">{FULL}")
        assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.skipif(sys.platform == "win32", reason="needs sh")
def test_the_result_is_written_where_the_reader_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    done = homebody((*EVALUATE, "--json", str(path)), "| true")
    assert done.stderr == ""
    assert json.loads(path.read_text())["n"] == 1
