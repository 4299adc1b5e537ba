"""The harnesses of a run, replayed from its log."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.store import RunError, Store


def plant(run_dir: Path, kind: str, **changes: Any) -> None:
    """Change fields of the first event of a kind, as no homebody would."""
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        number, text = db.execute("SELECT id, data FROM events WHERE kind = ? ORDER BY id", (kind,)).fetchone()
        db.execute("UPDATE events SET data = ? WHERE id = ?", (json.dumps({**json.loads(text), **changes}), number))
    db.close()


def forget(run_dir: Path, kind: str) -> None:
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        db.execute("DELETE FROM events WHERE kind = ?", (kind,))
    db.close()


@pytest.fixture
def copy(quarry_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quarry_run, tmp_path / "copy"))


def test_seed_and_shipped_edits_make_the_final_harness(quarry_run: Path) -> None:
    lineage = read_lineage(quarry_run)
    assert lineage.seed.behaviour_hash == HarnessSpec.load("generic-act").behaviour_hash == lineage.end["seed_hash"]
    assert [edit.operator for edit in lineage.edits] == ["follow the learned plan"]
    assert lineage.edits[0].before == lineage.seed
    assert lineage.replayed.behaviour_hash == lineage.end["final_hash"] == lineage.final.behaviour_hash
    assert lineage.final.name == "generic-act-evolved"
    assert lineage.config.max_steps == 8


def test_rejected_candidates_are_known_by_their_behaviour(quarry_run: Path) -> None:
    with Store(quarry_run, readonly=True) as store:
        played = {record["behaviour_hash"] for record in store.episodes().values()}
    assert played <= read_lineage(quarry_run).candidates.keys()
    assert len(played) > 2


def test_a_run_without_shipped_edits_ends_with_its_seed(copy: Path) -> None:
    with Store(copy, readonly=True) as store:
        rounds = store.events("round")
    forget(copy, "round")
    with Store(copy) as store:
        store.append("round", {**rounds[0], "shipped": None})
    lineage = read_lineage(copy)
    assert lineage.edits == ()
    assert lineage.replayed == lineage.seed


def test_the_seed_is_read_from_the_log_where_its_file_has_gone(copy: Path) -> None:
    plant(copy, "start", harness="gone.json")
    assert read_lineage(copy).seed.name == "generic-act"
    forget(copy, "harness")
    plant(copy, "start", harness="generic-act")
    assert read_lineage(copy).seed.name == "generic-act"


def test_a_run_that_cannot_be_read_says_why(copy: Path, tmp_path: Path) -> None:
    (copy / "final.json").write_text(HarnessSpec.load("household-act").dumps(), "utf-8")
    with pytest.raises(RunError, match="is not the harness that the run's log ends with"):
        read_lineage(copy).final  # noqa: B018
    plant(copy, "start", seed_hash="0" * 64)
    with pytest.raises(RunError, match="began with harness generic-act of behaviour 000000000000, which is"):
        read_lineage(copy)
    forget(copy, "end")
    with pytest.raises(RunError, match="has not ended; finish it with homebody evolve --resume"):
        read_lineage(copy)
    with Store(tmp_path / "empty"):
        pass
    with pytest.raises(RunError, match="holds evaluations and no evolution"):
        read_lineage(tmp_path / "empty")


def test_a_shipped_patch_that_does_not_apply_is_an_error(copy: Path) -> None:
    with Store(copy, readonly=True) as store:
        first = store.events("round")[0]
    bad = [{"op": "remove", "path": "/components/gone"}]
    plant(copy, "round", candidates=[{**edit, "patch": bad} for edit in first["candidates"]])
    with pytest.raises(RunError, match="shipped edit r1c1 does not apply in the log's order"):
        read_lineage(copy)
