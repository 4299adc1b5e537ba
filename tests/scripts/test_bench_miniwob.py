"""`homebody bench miniwob`: what it measures; no test looks at how long anything took."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.browser import BrowserError, check_browser
from homebody.envs.miniwob.suite import MiniWobPackageError, pages_dir
from homebody.scripts.bench import miniwob

try:
    pages_dir()
    check_browser()
except (BrowserError, MiniWobPackageError) as missing:
    pytest.skip(str(missing), allow_module_level=True)


def test_rows_without_the_peer(homebody: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "chromedriver" else which(name))
    answer = homebody("bench", "miniwob", "--seeds", 1, "--episodes", 10, "--repeats", 1, "--json", tmp_path / "bench.json")
    assert answer.code == 0, answer.err
    content = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    rows = {row["name"]: row for row in content["results"]}
    assert set(rows) >= {"reset_ms", "step_ms", "page_ms"}
    assert all(rows[name]["value"] > 0 and rows[name]["peer"] is None for name in ("reset_ms", "step_ms", "page_ms"))
    assert "apt-get install chromium-driver" in content["peer_missing"]
    assert "was not played" in answer.out


def test_rows_beside_the_peer_in_both_its_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = {name: [(800.0 * number, 600.0 * number)] for number, (name, _, _) in enumerate(miniwob.MODES, 1)}
    monkeypatch.setattr(miniwob, "_peer", lambda seeds, repeats: (modes, ""))
    found, missing = miniwob.bench_miniwob(seeds=1, episodes=10, repeats=1, progress=lambda what: None)
    rows = {row["name"]: row for row in found}
    assert missing == ""
    assert [rows[name]["peer"] for name in ("reset_ms", "step_ms")] == [miniwob.PEER] * 2
    assert [rows[name]["peer"] for name in ("reset_text_ms", "step_text_ms")] == [f"{miniwob.PEER}, without its screenshots"] * 2
    assert [rows[name]["peer_value"] for name in ("reset_ms", "step_ms", "reset_text_ms", "step_text_ms")] == [800, 600, 1600, 1200]
    assert rows["reset_text_ms"]["ratio"] == pytest.approx(1600 / rows["reset_ms"]["value"])


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell the memory of a process")
def test_memory_is_that_of_all_processes_below() -> None:
    before = miniwob.memory_below(os.getpid())
    held = "x = bytearray(64_000_000)\nfor n in range(0, len(x), 4096): x[n] = 1\nprint(1, flush=True)\ninput()"
    inner = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", inner, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        assert miniwob.memory_below(os.getpid()) - before > 60_000_000
        child.communicate(b"\n")
    assert miniwob.memory_below(os.getpid()) - before < 30_000_000
