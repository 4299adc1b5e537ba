"""What a run says of its model on validation tasks, round by round and at its end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import TWINS
from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import RolloutConfig
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.loop import evolve
from homebody.evolution.reports.summary import markdown, read_run
from homebody.evolution.store import Store

CONFIG = RolloutConfig("Quarry-v0", "tiny", 1, {"types": ["press"]})
"""One step, five commands: whoever says `press` wins."""
SIZES = {"rounds": 2, "train_tasks": 2, "validation_tasks": 6, "max_steps": 1, "exploration_steps": 0, "growth": 1, "patience": 9}


class Presses(Scripted):
    """A model that always says `press`."""

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue("press")
        return super().chat(prompt, generation, tools)


@pytest.fixture
def run(quarry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Evolve with empty edits and a model that always says `press`."""
    monkeypatch.setattr(names, "load", lambda name, **settings: Presses(name="tiny"))

    def evolved(progress: Any = None, resume: bool = False, **changes: Any) -> dict[str, Any]:
        values = {"env_id": "Quarry-v0", "model": "tiny", "harness": "generic-act", "proposer": "noop", "env_kwargs": CONFIG.env_kwargs}
        return evolve(EvolveConfig(**(values | SIZES | changes)), tmp_path / "run", progress=progress, resume=resume)

    return evolved


def test_each_round_stands_beside_its_twins(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    result = run(lambda kind, data: told.append(dict(data)) if kind == "worth" else None)
    spec = HarnessSpec.load("generic-act")
    alone = {name: evaluate(replace(CONFIG, policy=name), spec, "validation") for name in TWINS}
    success = {name: one["success"] for name, one in alone.items()}
    best = max(TWINS, key=lambda name: success[name])
    assert len(result["rounds"]) == len(told) > 0
    for report, event in zip(result["rounds"], told, strict=True):
        assert (report["twins"], report["best_twin"], report["validation"]["success"]) == (success, best, 1.0)
        assert report["model_value"]["points"] == pytest.approx(1.0 - success[best])
        assert (report["model_share"], report["unreadable"], report["cut"]) == (1.0, 0.0, 0.0)
        assert event == {key: report[key] for key in event}
    assert result["final"]["model_value"] == result["rounds"][-1]["model_value"]
    assert result["policy"] == "tiny"
    # Twins cost no tokens, are in no budget, and their episodes are not kept.
    with Store(tmp_path / "run", readonly=True) as store:
        assert {record["policy"] for record in store.episodes().values()} == {"tiny"}
    worth = f"Validation: the model 100.0%, best twin {best} {100 * success[best]:.1f}%: model_value "
    assert sum(line.startswith(worth) for line in markdown(read_run(tmp_path / "run")).splitlines()) == len(result["rounds"])


def test_a_resumed_run_says_the_same(run: Callable[..., dict[str, Any]]) -> None:
    result, again = run(), run(resume=True)
    assert {key: again[key] for key in ("rounds", "final")} == {key: result[key] for key in ("rounds", "final")}


def test_a_run_that_ends_before_its_first_round_has_nothing_to_say(run: Callable[..., dict[str, Any]]) -> None:
    result = run(budget_episodes=1)
    assert (result["rounds"], result["final"]) == ([], None)


def test_a_run_without_a_model_plays_no_twins(run: Callable[..., dict[str, Any]], quarry: Any) -> None:
    result = run(model="no-model", rounds=1)
    (report,) = result["rounds"]
    assert (report["model_share"], report["model_value"], report["model_value_why"]) == (None, None, "no-model is no model")
    assert "twins" not in report
    assert sum(task.startswith("validation/") for task in quarry.played) <= 6 + 4  # the A/A run plays four of them again
