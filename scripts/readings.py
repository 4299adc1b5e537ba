"""How many goals said in other words a policy reads right: each is read once, and nothing is played."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from homebody.agents.harness.hooks import TaskStart
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.inquiry import Inquiry
from homebody.agents.rollout import RolloutConfig
from homebody.envs import tasks as list_tasks
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.engine.vocabulary import object_flags
from homebody.envs.household.expert.scripted import GoalSentenceError, read_goal
from homebody.envs.household.goals.matcher import LAMPS, PLAIN, say_plainly
from homebody.envs.household.houses.houses import HouseSource
from homebody.evolution.gate.stats import wilson

EXAMPLES = 6
"""Training goals that a model is shown, one of each kind."""
_PARTS = ("kind", "object", "target")

Callback = Callable[[int, int, str], None]
"""Called with the goals read so far, those of all, and how the last one was read."""


def reading_harness() -> HarnessSpec:
    """Return a harness that does nothing but ask the model what the goal means.

    The model answers under a grammar of the plain goal templates. What it may name is what `matcher` may: any movable thing, a
    lamp, and the kinds of places that the first observation lists.
    """
    things = sorted(kind.lower() for kind, flags in object_flags().items() if "pickupable" in flags)
    source = HouseSource(goals="said")
    problems = [source.load(task.task_id) for task in source.tasks("train", EXAMPLES)]
    params = {
        "examples": [[problem.task, say_plainly(problem.goal)] for problem in problems],
        "templates": [template.format("{0}", "{2}" if kind == GoalKind.LIGHT else "{1}").rstrip(".") for kind, template in PLAIN.items()],
        "names": [things, [], sorted(lamp.lower() for lamp in LAMPS)],
    }
    return HarnessSpec.from_json({"format": 2, "name": "reading", "components": {"read": {"use": "read_goal", "params": params}}})


def read_goals(rollout: RolloutConfig, split: str, n: int | None, callback: Callback) -> dict[str, Any]:
    """Let a policy read the first `n` goals of a split; all where it is None.

    Returns:
        `env`, `env_args`, `policy`, `split`, `n`; `right`, the share of goals whose kind, thing and target were read right, and `ci95`,
        its Wilson interval; `parts`, the share of each of the three; `by_type` (`n`, `right`); `prompt_tokens`, `generated_tokens`,
        `wall_s`; and `readings` (`task_id`, `type`, `said`, `reading`, `right`).

    Raises:
        EnvError, AgentError: the environment, its tasks or the policy cannot be had.
    """
    specs = list_tasks(rollout.env_id, split, n, **rollout.env_kwargs)
    env, policy, spec = rollout.make_env(), rollout.make_policy(), reading_harness()
    started = time.monotonic()
    readings: list[dict[str, Any]] = []
    parts: dict[str, int] = dict.fromkeys(_PARTS, 0)
    try:
        for number, task in enumerate(specs):
            observation, info = env.reset(options={"task": task.task_id})
            policy.begin(0, 0, getattr(env.unwrapped, policy.asks, None) if policy.asks else None, task.task_id)
            start = TaskStart(policy.read_goal(info["goal"]), observation, tuple(info["admissible_commands"]))
            reading = Harness(spec, Inquiry(policy).services()).run(start).goal
            goal = env.unwrapped.play.game.goal  # type: ignore[attr-defined]
            right = [a == b for a, b in zip(_meaning(reading), (goal.kind, goal.object.lower(), goal.target.lower()), strict=True)]
            for part, is_right in zip(_PARTS, right, strict=True):
                parts[part] += is_right
            readings.append({"task_id": task.task_id, "type": task.type, "said": info["goal"], "reading": reading, "right": all(right)})
            callback(number + 1, len(specs), "right" if all(right) else "wrong")
    finally:
        env.close()
        if hasattr(policy, "backend"):
            policy.backend.close()
    types: dict[str, list[bool]] = defaultdict(list)
    for one in readings:
        types[one["type"]].append(one["right"])
    total, right_ones = len(readings), sum(one["right"] for one in readings)
    return {
        "env": rollout.env_id,
        "env_args": rollout.env_args,
        "policy": policy.name,
        "split": split,
        "n": total,
        "right": right_ones / total,
        "ci95": list(wilson(right_ones, total)),
        "parts": {part: count / total for part, count in parts.items()},
        "by_type": {name: {"n": len(some), "right": sum(some) / len(some)} for name, some in sorted(types.items())},
        "prompt_tokens": policy.usage.prompt_tokens,
        "generated_tokens": policy.usage.generated_tokens,
        "wall_s": time.monotonic() - started,
        "readings": readings,
    }


def _meaning(reading: str) -> tuple[int | None, str, str]:
    """Return the kind, the thing and the target of a plain sentence; none of another one."""
    try:
        return read_goal(reading)
    except GoalSentenceError:
        return None, "", ""
