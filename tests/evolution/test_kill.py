"""A run that is killed again and again, at moments of nobody's choosing, ends as if nothing had happened.

`HOMEBODY_KILLS=50 .venv/bin/pytest tests/evolution/test_kill.py` kills so often.
"""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store, holds

KILLS = int(os.environ.get("HOMEBODY_KILLS", "20"))


def session(config: EvolveConfig, run_dir: Path, rows: int | None = None, delay_s: float = 0.0) -> bool:
    """Go on with a run in a process of its own, killed `delay_s` after it has written its `rows`-th row; returns whether it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["homebody.evolution.loop", "homebody.envs.household.env"])
    process = context.Process(target=evolve, args=(config, str(run_dir)), kwargs={"resume": holds(run_dir, "start")})
    process.start()
    while process.is_alive() and (rows is None or written(run_dir) < rows):
        process.join(0.002)
    process.join(delay_s)
    process.kill()
    process.join()
    code = process.exitcode
    assert code in (0, -signal.SIGKILL)
    return code != 0


def written(run_dir: Path) -> int:
    """Rows that a run has written so far, episodes and events."""
    try:
        db = sqlite3.connect(f"file:{run_dir / 'run.sqlite'}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return sum(int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in ("episodes", "events"))
    except sqlite3.OperationalError:  # no table yet
        return 0
    finally:
        db.close()


def kept(run_dir: Path) -> dict[str, str]:
    """Key and trace hash of every episode kept."""
    db = sqlite3.connect(run_dir / "run.sqlite")
    found = {key: json.loads(data)["trace_hash"] for key, data in db.execute("SELECT key, data FROM episodes")}
    db.close()
    return found


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in json.loads(json.dumps(result)).items() if key not in ("wall_s", "twins_s", "final_harness")}


def test_kills_change_nothing(small: Callable[..., EvolveConfig], baseline: Any, tmp_path: Path) -> None:
    draw = random.Random(20)
    everything = written(baseline.run_dir)
    kills = run = 0
    cuts: list[int] = []
    while kills < KILLS:
        run += 1
        run_dir = tmp_path / f"run {run}"
        before: set[str] = set()
        # By rows, so that they fall everywhere however fast the machine is; then a little later, between and inside the writes.
        while session(small(), run_dir, written(run_dir) + draw.randint(0, everything // 3), draw.uniform(0.0, 0.05)):
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
            for kind in ("start", "harness", "statistics", "noise"):
                assert len(store.events(kind)) == 1
            for kind in ("round", "digests", "landscape"):
                assert [item["round"] for item in store.events(kind)] == [1, 2]
        assert kept(run_dir) == kept(baseline.run_dir)
        assert (run_dir / "final.json").read_bytes() == (baseline.run_dir / "final.json").read_bytes()
    assert len(set(cuts)) > 3  # they fell at different places
