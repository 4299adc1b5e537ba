"""The toy environment of the other tests keeps the contract that it stands in for."""

import gymnasium
import pytest

from homebody.envs import check_env

pytestmark = pytest.mark.usefixtures("yard")


@pytest.mark.parametrize("radio", [False, True])
def test_yard_is_a_text_planning_environment(radio):
    check_env(gymnasium.make("Yard-v0", radio=radio))


@pytest.mark.parametrize(("task", "length"), [("one", 5), ("tar", 7), ("two", 9)])
def test_expert_solves_every_task(task, length):
    env = gymnasium.make("Yard-v0")
    _, info = env.reset(options={"task": task})
    plan = env.unwrapped.expert()
    assert len(plan) == length
    for command in plan:
        assert not info["won"]
        info = env.step(command)[4]
    assert info["won"]
