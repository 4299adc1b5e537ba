"""The audit of a real small run passes; each violation that is planted in a copy of it is found, and by its own check."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.rollout import RolloutConfig
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls import audit as audit_module
from homebody.evolution.controls.audit import Finding, audit, strings
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store

CHECKS = ["training", "unseen", "exploration", "policy", "order", "replay", "literals", "masks"]
KWARGS = {"types": ["bring", "wash"]}


@pytest.fixture
def copy(quarry_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quarry_run, tmp_path / "copy"))


def events(run_dir: Path, kind: str) -> list[tuple[int, Any]]:
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        found = [(number, json.loads(text)) for number, text in db.execute("SELECT id, data FROM events WHERE kind = ?", (kind,))]
    db.close()
    return found


def rewrite(run_dir: Path, number: int, data: Any) -> None:
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        db.execute("UPDATE events SET data = ? WHERE id = ?", (json.dumps(data), number))
    db.close()


def wrong(run_dir: Path) -> dict[str, str]:
    """What failed: check -> what it said."""
    return {finding.check: finding.sentence for finding in audit(run_dir) if not finding.ok}


def test_a_real_run_passes_and_says_what_was_looked_at(quarry_run: Path) -> None:
    findings = audit(quarry_run)
    assert [finding.check for finding in findings] == CHECKS
    assert all(finding.ok for finding in findings), findings
    assert "12 test tasks" in findings[CHECKS.index("literals")].sentence
    assert findings[0].to_json() == {"check": "training", "ok": True, "sentence": findings[0].sentence}


def test_a_run_that_was_tested_passes(copy: Path) -> None:
    evaluate(RolloutConfig("Quarry-v0", "random", 8, KWARGS), HarnessSpec.load(copy / "final.json"), "test", tasks=3, run_dir=copy)
    findings = {finding.check: finding for finding in audit(copy)}
    assert all(finding.ok for finding in findings.values()), findings
    assert findings["order"].sentence == "test tasks were played after the last round only"


def test_where_there_are_many_test_tasks_those_that_were_played_are_looked_at_first(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To begin a task may take long, and the goals of those that were played are on record."""
    evaluate(RolloutConfig("Quarry-v0", "random", 8, KWARGS), HarnessSpec.load(copy / "final.json"), "test", tasks=3, run_dir=copy)
    monkeypatch.setattr(audit_module, "BEGUN", 0)
    monkeypatch.setattr(RolloutConfig, "make_env", lambda config: pytest.fail("no task had to be begun"))
    (literals,) = [finding for finding in audit(copy) if finding.check == "literals"]
    assert literals.ok
    assert literals.sentence == "no id of 12 test tasks stands in the final harness, and no goal of 3 of them"


def test_a_test_that_was_stopped_is_accounted_for(copy: Path) -> None:
    def stop(done: int, total: int, record: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(
            RolloutConfig("Quarry-v0", "random", 8, KWARGS),
            HarnessSpec.load(copy / "final.json"),
            "test",
            tasks=3,
            run_dir=copy,
            on_record=stop,
        )
    with Store(copy, readonly=True) as store:
        assert len(store.events("evaluating")) == 1
        assert not store.events("evaluation")
    assert wrong(copy) == {}


def series(part: str, task: str) -> Callable[[Path], None]:
    """Plant: the evolution played a task for some purpose."""

    def change(run_dir: Path) -> None:
        number, (_, data) = next(item for item in events(run_dir, "progress") if item[1][0] == "series" and item[1][1]["part"] == part)
        rewrite(run_dir, number, ["series", {**data, "episodes": {**data["episodes"], task: ["0" * 64, True]}}])

    return change


def stray(run_dir: Path) -> None:
    """Plant: an episode of a test task that no evaluation asked for."""
    with Store(run_dir) as store:
        content = next(iter(store.episodes().values()))
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        data = json.dumps({**content, "task_id": "test/bring-0"})
        db.execute("INSERT INTO episodes (key, behaviour_hash, data) VALUES (?, ?, ?)", ("stray", content["behaviour_hash"], data))
    db.close()


def shown(kind: str, text: str) -> Callable[[Path], None]:
    """Plant: a task's id in what a proposer was given or wrote."""

    def change(run_dir: Path) -> None:
        number, data = events(run_dir, kind)[0]
        rewrite(run_dir, number, {**data, "leak": [{"deep": {text: 1}}]})

    return change


def claimed(run_dir: Path) -> None:
    """Plant: a validation task in a manifest."""
    number, data = events(run_dir, "round")[0]
    data["candidates"][0]["manifest"]["predicted_impact"]["will_unlock"].append("validation/wash-1")
    rewrite(run_dir, number, data)


def explored(run_dir: Path) -> None:
    number, data = events(run_dir, "statistics")[0]
    rewrite(run_dir, number, {**data, "tasks": [*data["tasks"], "validation/bring-2"]})


def privileged(run_dir: Path) -> None:
    number, data = events(run_dir, "start")[0]
    rewrite(run_dir, number, {**data, "model": "expert"})


def too_early(run_dir: Path) -> None:
    with Store(run_dir) as store:
        store.append("evaluation", {"won": {"test/bring-0": True}, "keys": [], "split": "test"})
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        db.execute("UPDATE events SET time = 1.0 WHERE kind = 'evaluation'")
    db.close()


def other_patch(run_dir: Path) -> None:
    """Plant: the log says that another edit was shipped."""
    number, data = events(run_dir, "round")[0]
    data["candidates"][0]["patch"] = [{"op": "replace", "path": "/name", "value": "x"}]
    rewrite(run_dir, number, data)


def other_file(run_dir: Path) -> None:
    (run_dir / "final.json").write_text(HarnessSpec.load("household-act").dumps(), "utf-8")


def planted_id(run_dir: Path) -> None:
    number, data = events(run_dir, "round")[0]
    data["candidates"][0]["patch"].append({"op": "add", "path": "/description", "value": "as in test/wash-3, but shorter"})
    rewrite(run_dir, number, data)


def foreign_twin(run_dir: Path) -> None:
    with Store(run_dir) as store:
        store.append("twins", {"behaviour_hash": "h", "episodes": [{"task_id": "validation/bring-0"}, {"task_id": "test/bring-0"}]})


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (series("training", "validation/bring-0"), "training", "round 1: training played validation/bring-0"),
        (series("smoke run", "validation/bring-0"), "training", "r1c1: smoke run played validation/bring-0"),
        (series("validation", "test/bring-0"), "training", "round 1: validation played test/bring-0"),
        (stray, "training", "an episode of test/bring-0 was played for no evaluation"),
        (foreign_twin, "training", "a twin played test/bring-0"),
        (shown("digests", "validation/bring-1"), "unseen", "validation/bring-1 was shown to the proposer"),
        (shown("landscape", "test/bring-1"), "unseen", "test/bring-1 was shown to the proposer"),
        (claimed, "unseen", "validation/wash-1 was shown to the proposer"),
        (explored, "exploration", "exploration played validation/bring-2"),
        (privileged, "policy", "expert played in the evolution, and it is privileged"),
        (too_early, "order", "test tasks were played before the evolution had ended"),
        (other_patch, "replay", "seed and shipped edits make"),
        (other_file, "replay", "is not the harness that the run's log ends with"),
        (planted_id, "literals", "the final harness holds the id test/wash-3"),
    ],
)
def test_a_planted_violation_is_found(copy: Path, change: Callable[[Path], None], check: str, said: str) -> None:
    change(copy)
    found = wrong(copy)
    assert list(found) == [check]
    assert said in found[check]


def test_many_culprits_are_counted(copy: Path) -> None:
    number, data = events(copy, "statistics")[0]
    rewrite(copy, number, {**data, "tasks": [f"validation/bring-{n}" for n in range(5)]})
    assert wrong(copy)["exploration"].endswith("exploration played validation/bring-2 and 2 more")


class Hidden(gymnasium.Env[str, str]):
    """Stands for an environment whose test tasks have goals of their own: one step, and it is over."""

    observation_space = gymnasium.spaces.Text(100)
    action_space = gymnasium.spaces.Text(100)

    @classmethod
    def task_source(cls) -> Any:
        from homebody.envs import TaskSpec

        class Source:
            def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
                return [TaskSpec(f"{split}-{number}", "one", split) for number in range(3)][:n]

        return Source()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.task = options["task"]
        return "Here.", self.info(False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "There.", 0.0, True, False, self.info(False)

    def info(self, won: bool) -> dict[str, Any]:
        goal = "find the hidden sceptre" if self.task == "test-0" else "find the common coin"
        return {"goal": goal, "admissible_commands": ["look"], "won": won, "task_id": self.task}


gymnasium.register("Hidden-v0", entry_point=Hidden)  # type: ignore[arg-type]  # its protocol wants a function of any keywords


@pytest.fixture
def hidden_run(tmp_path: Path) -> Callable[[str], Path]:
    """Make a run whose seed harness says something."""

    def make(text: str) -> Path:
        seed = HarnessSpec.load("generic-act")
        (tmp_path / "seed.json").write_text(HarnessSpec({**seed.document, "description": text}).dumps(), "utf-8")
        config = EvolveConfig(
            "Hidden-v0", "no-model", str(tmp_path / "seed.json"), rounds=1, train_tasks=2, validation_tasks=2,
            exploration_steps=0, max_steps=2,
        )  # fmt: skip
        evolve(config, tmp_path / "run")
        return tmp_path / "run"

    return make


def test_a_goal_of_a_test_task_alone_is_a_secret(hidden_run: Callable[[str], Path]) -> None:
    assert wrong(hidden_run("First find the hidden sceptre.")) == {"literals": "the final harness holds the goal 'find the hidden sceptre'"}


def test_a_goal_that_training_tasks_have_is_none(hidden_run: Callable[[str], Path]) -> None:
    assert wrong(hidden_run("First find the common coin.")) == {}


def test_strings_are_keys_and_values_however_deep() -> None:
    assert list(strings({"a": ["b", {"c": ("d", 1, None)}]})) == ["a", "b", "c", "d"]
    assert Finding("x", True, "y").to_json() == {"check": "x", "ok": True, "sentence": "y"}
