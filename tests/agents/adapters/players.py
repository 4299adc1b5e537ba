"""Tasks that a script wins: what the expert sends, and a model that says it."""

from __future__ import annotations

import re
from functools import lru_cache

from homebody.agents import HarnessSpec, run_episode
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.record import EpisodeRecord
from homebody.envs import make, tasks

ENV = "homebody/Household-v0"
MAX_STEPS = 30
N = 3


@lru_cache
def expert_commands() -> dict[str, list[str]]:
    """Return the commands that win each of the first tasks of the test split, by the task's goal."""
    env = make(ENV, max_steps=MAX_STEPS)
    found: dict[str, list[str]] = {}
    for task in tasks(ENV, "test", N):
        _, info = env.reset(seed=0, options={"task": task.task_id})
        found[info["goal"]] = list(env.unwrapped.expert())  # type: ignore[attr-defined]
    env.close()
    assert len(found) == N  # a script that knows the goal knows the task
    return found


def say_next(commands: dict[str, list[str]], chat: str) -> str:
    """Return the command that comes next, by what generic harnesses say of goal and steps at the end of each prompt."""
    goal, left = re.findall(r"Goal: (.+)\n(\d+) steps left", chat)[-1]
    return commands[goal][MAX_STEPS - int(left)]


def played_here(harness: str, replies: dict[str, list[str]]) -> dict[str, EpisodeRecord]:
    """Return the record of each task, by its id, as homebody itself plays it with these replies."""
    env = make(ENV, max_steps=MAX_STEPS)
    spec = HarnessSpec.load(harness)
    records = {}
    for task, said in zip(tasks(ENV, "test", N), replies.values(), strict=True):
        policy = ModelPolicy(Scripted(said, n_ctx=32_768))
        records[task.task_id] = run_episode(env, spec, policy, task, max_steps=MAX_STEPS)
    env.close()
    return records
