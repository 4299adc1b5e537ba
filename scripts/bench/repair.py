"""How fast programs are tested and tasks are made; one thread, and the sandbox's own process beside it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from homebody.envs.repair.env import RepairEnv
from homebody.envs.repair.suite import run_cases
from homebody.envs.repair.tasks import FunctionSource, make_task
from homebody.scripts.bench.result import Measured, result

PEER: Final = "a Python process a suite"


def bench_repair(tasks: int, repeats: int) -> list[Measured]:
    """Measure suites, tasks and steps, all by the clock.

    Args:
        tasks: How many training tasks are played.
        repeats: Times of each; a row has the median.

    Returns:
        Rows: `suite_us` (the hidden tests of a reference function, beside a fresh Python that defines
        the function alone), `suites_per_s`, `make_task_ms` (a task that was not made before), `step_us`
        (of the expert's episodes, resets not counted).
    """
    source = FunctionSource()
    ids = [spec.task_id for spec in source.tasks("train", tasks)]
    made = [source.task(task_id) for task_id in ids]
    suites, making, steps = [], [], []
    for _ in range(repeats):
        started = time.perf_counter()
        for task in made:
            run_cases(task.reference, task.hidden)
        suites.append((time.perf_counter() - started) / tasks)
        make_task.cache_clear()
        started = time.perf_counter()
        for task_id in ids:
            source.task(task_id)
        making.append((time.perf_counter() - started) / tasks)
        steps.append(_step_s(ids))
    suite = statistics.median(suites)
    return [
        result("suite_us", suite * 1e6, "us a suite", repeats, PEER, _plain_s(made[0].reference, repeats) * 1e6),
        result("suites_per_s", 1 / suite, "suites/s", repeats),
        result("make_task_ms", statistics.median(making) * 1e3, "ms a task", repeats),
        result("step_us", statistics.median(steps) * 1e6, "us a step", repeats),
    ]


def _step_s(ids: Sequence[str]) -> float:
    """Return the mean seconds of a step: the visible tests, then what the expert does."""
    env, taken, n_steps = RepairEnv(), 0.0, 0
    for task_id in ids:
        env.reset(options={"task": task_id})
        for command in ("run", *env.expert()):
            started = time.perf_counter()
            env.step(command)
            taken += time.perf_counter() - started
            n_steps += 1
    return taken / n_steps


def _plain_s(program: str, repeats: int) -> float:
    """Return the median seconds of a Python process that defines the function and ends."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", program], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
