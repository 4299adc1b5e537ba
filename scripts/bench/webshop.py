"""How fast the shop is: steps of the environment and searches among many products; one thread.

Steps are those of `WebShopEnv` itself, page texts and lists of commands included; `gymnasium.make` adds its wrappers' time. All times are
the processor's, which one thread on a core of its own takes by the clock too; what else the machine does changes them little. Upstream is
not run here: its figure is the one that was recorded where the project's data were, with Lucene and HTML inside.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.catalogue.synthetic import SyntheticCatalogue, synthetic
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.goals.baseline import first_result
from homebody.envs.webshop.pages.pages import search_command
from homebody.envs.webshop.search.index import SearchIndex
from homebody.scripts.bench.result import Measured, result

UPSTREAM: Final = "WebShop at 64fa2a5 (recorded: 27.5 steps a second)"
UPSTREAM_STEP_US: Final = 1e6 / 27.5
MILLION: Final = 1_000_000
_QUERIES: Final = 200
_MOST_STEPS: Final = 20

Progress = Callable[[str], None]


def bench_webshop(data_dir: str | None, *, goals: int, products: int, repeats: int, progress: Progress) -> list[Measured]:
    """Measure everything.

    Args:
        data_dir: Folder of upstream's files for the steps; `None` for 1,000 synthetic products.
        goals: How many goals are shopped for, of the first training goals.
        products: Size of the synthetic catalogue that is searched.
        repeats: Parts into which the fresh steps are cut, and times of the repeated ones: a row has the median.
        progress: Told what is being measured.

    Returns:
        Rows: `fresh_step` and `fresh_search` (microseconds of a step of shopping, and of a step that searches, where no query came before),
        `cached_step` (the same shopping again), `index_products` (how fast products are made and indexed, a second), `search_1m_ms` and
        `search_1m_p95_ms` (a whole instruction as the query; `1m` is the number of products), `peak_memory_gb` (of the process at its end).

    Raises:
        EnvError: The folder has no catalogue, or fewer goals.
    """
    progress("steps")
    env = WebShopEnv(data_dir, max_steps=_MOST_STEPS)
    tasks = [task.task_id for task in env.task_source(data_dir).tasks("train", goals)]
    _shop(env, [task.task_id for task in env.task_source(data_dir).tasks("validation", 1)])  # all code is loaded by now
    parts = [_shop(env, tasks[part::repeats]) for part in range(repeats)]
    trips = [trip for _, part in parts for trip in part]
    searching = [_search(env, tasks[part::repeats]) for part in range(repeats)]
    again = [_repeat(env, trips) for _ in range(repeats)]
    rows = [
        result(name, statistics.median(times), "us a step", repeats, UPSTREAM, UPSTREAM_STEP_US)
        for name, times in (("fresh_step", [us for us, _ in parts]), ("fresh_search", searching), ("cached_step", again))
    ]
    progress("a large catalogue")
    return rows + list(_large(products))


def _shop(env: WebShopEnv, tasks: list[str]) -> tuple[float, list[tuple[str, list[str]]]]:
    """Shop for goals as the plainest shopper does; return the mean microseconds of a step, and the commands by task."""
    taken, n_steps, trips = 0.0, 0, []
    for task in tasks:
        _, info = env.reset(options={"task": task})
        commands: list[str] = []
        terminated = truncated = False
        while not (terminated or truncated):
            commands.append(first_result(env.page, info["goal"]))
            started = time.process_time()
            _, _, terminated, truncated, _ = env.step(commands[-1])
            taken += time.process_time() - started
        n_steps += len(commands)
        trips.append((task, commands))
    return taken / n_steps * 1e6, trips


def _search(env: WebShopEnv, tasks: list[str]) -> float:
    """Return the mean microseconds of a step that searches, by queries that no trip has made."""
    commands = [search_command(f"i want {env.reset(options={'task': task})[1]['goal']}") for task in tasks]
    return _step_us(env, commands)


def _repeat(env: WebShopEnv, trips: list[tuple[str, list[str]]]) -> float:
    """Return the mean microseconds of a step of trips that were made before; resets are not counted."""
    n_steps = sum(len(commands) for _, commands in trips)
    taken = 0.0
    for task, commands in trips:
        env.reset(options={"task": task})
        taken += _step_us(env, commands) * len(commands)
    return taken / n_steps


def _step_us(env: WebShopEnv, commands: list[str]) -> float:
    step = env.step
    started = time.process_time()
    for command in commands:
        step(command)
    return (time.process_time() - started) / len(commands) * 1e6


def _large(n: int) -> Iterator[Measured]:
    """Index a synthetic catalogue, and search it for the instructions of its products."""
    products = synthetic(n)
    started = time.process_time()
    index = SearchIndex(products)
    yield result("index_products", n / (time.process_time() - started), "products/s", 1)
    index.search("lamp")
    times = []
    for query in _instructions(products):
        started = time.process_time()
        index.search(query)
        times.append((time.process_time() - started) * 1e3)
    size = "1m" if n == MILLION else str(n)
    yield result(f"search_{size}_ms", statistics.median(times), "ms a query", len(times))
    yield result(f"search_{size}_p95_ms", sorted(times)[int(0.95 * len(times))], "ms a query", len(times))
    unit = 1 if sys.platform == "darwin" else 1024
    yield result("peak_memory_gb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, "GB", 1)


def _instructions(products: SyntheticCatalogue) -> list[str]:
    """Return queries such as an agent would make of a whole instruction, for products from all over the catalogue."""
    dice = random.Random(0)
    return [_instruction(products[dice.randrange(len(products))], dice) for _ in range(_QUERIES)]


def _instruction(product: Product, dice: random.Random) -> str:
    options = ", and ".join(f"{group}: {dice.choice(values)}" for group, values in product.options.items())
    return f"{product.instruction} with {options}, and price lower than 60.00 dollars".lower()
