"""A run that is killed again and again, at moments of nobody's choosing, ends as if nothing had happened.

`HOMEBODY_KILLS=50 .venv/bin/pytest -s tests/evolution/test_kill.py` kills so often. `HOMEBODY_KILLS_MODEL=smollm2` has that model play
in the place of one without weights.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store, holds

KILLS = int(os.environ.get("HOMEBODY_KILLS", "20"))
MODEL = os.environ.get("HOMEBODY_KILLS_MODEL", "mock_model:Mock")


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
    """Rows that a run has written so far: episodes, and events but for those that say how far it is."""
    try:
        db = sqlite3.connect(f"file:{run_dir / 'run.sqlite'}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        tables = ("episodes", "events WHERE kind != 'progress'")
        return sum(int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in tables)
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


def kinds(run_dir: Path) -> Counter[str]:
    """How many events a run has of each kind, but for those that every process writes: how far it is, and that it came to the end."""
    db = sqlite3.connect(run_dir / "run.sqlite")
    found = Counter(kind for (kind,) in db.execute("SELECT kind FROM events WHERE kind NOT IN ('progress', 'end')"))
    db.close()
    return found


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    """A result without times, and without tokens from the cache: a new process begins with an empty one."""
    passing = ("wall_s", "twins_s", "final_harness", "cached_tokens")
    return {key: value for key, value in json.loads(json.dumps(result)).items() if key not in passing}


@pytest.fixture
def modelled(small: Callable[..., EvolveConfig], mock_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvolveConfig:
    """The small evolution, played by the model."""
    shutil.copy(mock_model, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return small(model=MODEL, candidates=2, train_tasks=3, validation_tasks=3, max_steps=4, exploration_steps=2000, objective="success")


def test_kills_change_nothing(modelled: EvolveConfig, tmp_path: Path) -> None:
    draw = random.Random(20)
    whole = tmp_path / "whole"
    assert not session(modelled, whole)
    everything = written(whole)
    with Store(whole, readonly=True) as store:
        undisturbed = lasting(store.events("end")[-1])
    kills = run = 0
    cuts: list[int] = []
    while kills < KILLS:
        run += 1
        run_dir = tmp_path / f"run {run}"
        before: set[str] = set()
        # By rows, so that they fall everywhere however fast the machine is; then a little later, between and inside the writes.
        while session(
            modelled, run_dir, written(run_dir) + draw.randint(0, everything // 3) if kills < KILLS else None, draw.uniform(0.0, 0.05)
        ):
            kills += 1
            if (run_dir / "run.sqlite").is_file():
                with Store(run_dir):  # the lock went with the process
                    pass
                now = set(kept(run_dir))
                assert before <= now  # nothing is lost
                before = now
                cuts.append(len(now))
        with Store(run_dir, readonly=True) as store:
            assert all(lasting(end) == undisturbed for end in store.events("end"))
        assert kinds(run_dir) == kinds(whole)
        assert kept(run_dir) == kept(whole)
        assert (run_dir / "final.json").read_bytes() == (whole / "final.json").read_bytes()
    print(f"\n{kills} kills in {run} evolutions, after {min(cuts)} to {max(cuts)} of {len(kept(whole))} episodes")
    assert len(set(cuts)) > min(3, KILLS // 4)  # they fell at different places
