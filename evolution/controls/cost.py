"""What the rows of a run's controls cost, at the pace of its seed harness."""

from __future__ import annotations

import math

from homebody.agents.model_free import MODEL_FREE
from homebody.envs import tasks as list_tasks
from homebody.evolution.controls.rows import SLOW, Plan
from homebody.evolution.reports.lineage import Lineage
from homebody.evolution.store import Store

MOST_ATTEMPTS = 100
"""Most attempts a task of best-of-N."""


def needed_s(key: str, lineage: Lineage, plan: Plan, workers: int) -> float:
    """Return the seconds that a row may take at the pace of the seed harness; 0 for one that is in the store or whose harness is quicker.

    A harness without one of its edits may be as slow as the seed. The pace is the mean time in the model of the run's own episodes.
    """
    if key not in SLOW and not key.startswith("ablation "):
        return 0.0
    with Store(lineage.run_dir, readonly=True) as store:
        if key in {item["asked"]["row"] for item in store.events("control")}:
            return 0.0
    config = lineage.config
    n = len(list_tasks(config.env_id, plan.split, plan.seed_tasks if key in SLOW and plan.seed_tasks else plan.tasks, **config.env_kwargs))
    if key == "best-of-n":
        n *= equal_attempts(lineage, plan)[0]
    elif key == "random-edits":
        n += int(lineage.end["episodes"])
    return n * mean_of_seed(lineage, "seconds") / max(workers, config.concurrency)


def equal_attempts(lineage: Lineage, plan: Plan) -> tuple[int, str]:
    """Return the attempts a task that give best-of-N what the evolution had, 2 to `MOST_ATTEMPTS`, and whether these are as many."""
    config = lineage.config
    n = len(list_tasks(config.env_id, plan.split, plan.seed_tasks or plan.tasks, **config.env_kwargs))
    if plan.equal == "episodes":
        share = float(lineage.end["episodes"]) / n
    else:
        one = mean_of_seed(lineage, "prompt_tokens", "generated_tokens")
        share = float(lineage.end["tokens"]) / (n * one) if one else 0.0
    attempts = min(MOST_ATTEMPTS, max(2, math.ceil(share)))
    return attempts, "at least as many" if attempts >= share else "fewer"


def mean_of_seed(lineage: Lineage, *counters: str) -> float:
    """Return the mean of what these counters of the run's episodes of the seed harness add up to."""
    with Store(lineage.run_dir, readonly=True) as store:
        records = [record for record in store.episodes().values() if record["behaviour_hash"] == lineage.seed.behaviour_hash]
    found = [record["usage"] for record in records if record["policy"] not in MODEL_FREE or record["policy"] == lineage.config.model]
    return sum(float(usage.get(name, 0)) for usage in found for name in counters) / len(found) if found else 0.0
