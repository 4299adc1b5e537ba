"""What ships with the package: harnesses that load, and evolved ones that say where they come from."""

from __future__ import annotations

import json

import pytest

from homebody.agents.harness.spec import HarnessSpec, harness_names
from homebody.envs import tasks

SEEDS = {"generic", "household", "webshop"}
EVOLVED = {
    "household-smollm2": "homebody/Household-v0",
    "household-gemma3-270m": "homebody/Household-v0",
    "alfworld-smollm2": "homebody/AlfWorld-v0",
    "webshop-smollm2": "homebody/WebShop-v0",
    "alfworld-gemma3-270m": "homebody/AlfWorld-v0",
    "household-adaptive": "homebody/Household-v0",
}


def test_names() -> None:
    assert set(harness_names()) == SEEDS | EVOLVED.keys()


@pytest.mark.parametrize("name", sorted(SEEDS | EVOLVED.keys()))
def test_harness_loads_under_its_own_name(name: str) -> None:
    assert HarnessSpec.load(name).name == name


@pytest.mark.parametrize(("name", "env_id"), EVOLVED.items())
def test_evolved_harness_says_where_it_comes_from(name: str, env_id: str) -> None:
    origin = HarnessSpec.load(name).document["origin"]
    assert origin["env"] == env_id
    # None of them had to show that its model adds anything: most solve as much without one.
    assert origin["objective"] == "success"
    assert origin["seed_hash"] == HarnessSpec.load(origin["seed_harness"]).behaviour_hash, "the seed has changed since: evolve again"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_evolved_harness_names_no_task(split: str) -> None:
    text = json.dumps(HarnessSpec.load("household-smollm2").document)
    assert not any(task.task_id in text for task in tasks("homebody/Household-v0", split))


def test_evolved_harness_solves_what_the_seed_does_not() -> None:
    # Without a model, so that the difference is the harness's alone; the figures with models are in the README.
    from homebody.agents.rollout import RolloutConfig
    from homebody.evolution.evaluation import evaluate

    stage = RolloutConfig("homebody/Household-v0", "no-model", 15)
    seed, evolved = (
        evaluate(stage, HarnessSpec.load(name), "validation", tasks=12)["success"] for name in ("household", "household-smollm2")
    )
    assert evolved - seed >= 0.5
