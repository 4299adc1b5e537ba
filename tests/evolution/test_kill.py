"""A run that is killed again and again, at moments of nobody's choosing, ends as if nothing had happened."""

import json
import multiprocessing
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store

KILLS = 20


def session(config: EvolveConfig, run_dir: Path, kill_after_s: float) -> bool:
    """Go on with a run in a process of its own; returns whether it was killed before it was done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["homebody.evolution.loop", "homebody.envs.household.env"])
    process = context.Process(target=evolve, args=(config, str(run_dir)), kwargs={"resume": True})
    process.start()
    process.join(kill_after_s)
    process.kill()
    process.join()
    code = process.exitcode
    assert code in (0, -signal.SIGKILL)
    return code != 0


def kept(run_dir: Path) -> dict[str, str]:
    """Key and trace hash of every episode kept."""
    db = sqlite3.connect(run_dir / "run.sqlite")
    found = {key: json.loads(data)["trace_hash"] for key, data in db.execute("SELECT key, data FROM episodes")}
    db.close()
    return found


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in json.loads(json.dumps(result)).items() if key not in ("wall_s", "final_harness")}


def test_twenty_kills_change_nothing(small: Callable[..., EvolveConfig], baseline: Any, tmp_path: Path) -> None:
    draw = random.Random(20)
    session(small(), tmp_path / "nothing", 0.0)  # starts the server that imports for all sessions: the next one is timed without that
    started = time.monotonic()
    assert not session(small(), tmp_path / "whole", 120.0)
    whole_s = time.monotonic() - started
    kills = run = 0
    cuts: list[int] = []
    while kills < KILLS:
        run += 1
        run_dir = tmp_path / f"run {run}"
        before: set[str] = set()
        # The moments crowd at the start, where every session has to pass, and reach beyond the end.
        while session(small(), run_dir, whole_s * draw.uniform(0.05, 0.9) ** 2):
            kills += 1
            if (run_dir / "run.sqlite").is_file():
                with Store(run_dir):  # the lock went with the process
                    pass
                now = set(kept(run_dir))
                assert before <= now  # nothing is lost
                before = now
                cuts.append(len(now))
        with Store(run_dir, readonly=True) as store:
            assert lasting(store.events("end")[-1]) == lasting(baseline.result)
            for kind in ("start", "harness", "lessons", "noise"):
                assert len(store.events(kind)) == 1
            for kind in ("round", "digests", "landscape"):
                assert [item["round"] for item in store.events(kind)] == [1, 2]
        assert kept(run_dir) == kept(baseline.run_dir)
        assert (run_dir / "final.json").read_bytes() == (baseline.run_dir / "final.json").read_bytes()
    assert len(set(cuts)) > 3  # they fell at different places
