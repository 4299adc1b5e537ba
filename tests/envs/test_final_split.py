"""The final split: other tasks than all others and held out like the test."""

from typing import Any

import pytest

from homebody.envs import SPLITS, EnvError, make, tasks
from homebody.envs.core import FINAL

WITH_ONE: list[tuple[str, dict[str, Any]]] = [
    ("homebody/Household-v0", {}),
    ("homebody/Household-v0", {"holdout": "rooms", "goals": "said"}),
    ("homebody/Repair-v0", {}),
    ("homebody/Repair-v0", {"level": "two", "holdout": "family"}),
]


@pytest.mark.parametrize(("env_id", "kwargs"), WITH_ONE)
def test_a_final_split_shares_no_task_with_another(env_id: str, kwargs: dict[str, Any]) -> None:
    final = {task.task_id for task in tasks(env_id, FINAL, **kwargs)}
    others = {task.task_id for split in SPLITS for task in tasks(env_id, split, **kwargs)}
    assert len(final) >= 60
    assert not final & others
    assert {task.split for task in tasks(env_id, FINAL, 3, **kwargs)} == {"final"}


@pytest.mark.parametrize(("env_id", "kwargs"), WITH_ONE)
def test_a_task_of_it_can_be_played(env_id: str, kwargs: dict[str, Any]) -> None:
    env = make(env_id, **kwargs)
    (task,) = tasks(env_id, FINAL, 1, **kwargs)
    _, info = env.reset(seed=0, options={"task": task.task_id})
    assert info["task_id"] == task.task_id
    env.close()


def test_its_houses_are_held_out_as_those_of_the_test_are() -> None:
    from homebody.envs.household.houses.holdout import layouts

    assert set(layouts(FINAL)) == set(layouts("test"))
    assert not set(layouts(FINAL)) & set(layouts("train"))


def test_a_family_without_one_says_so() -> None:
    with pytest.raises(EnvError, match="final"):
        tasks("homebody/WebShop-v0", FINAL)
