"""Mixed episodes for a given time: does this process keep memory, files or processes that nothing needs any more?"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import Job, RolloutConfig, Rollouts, Seat
from homebody.envs import tasks
from homebody.evolution.store import Store
from homebody.scripts.bench.result import Measured, result

WARM_UP = 0.25
"""Share of the time in which caches fill; memory is compared after it."""
MOST_GROWTH = 0.05
"""Of memory, from the first to the last fifth of what follows the warm-up."""
_STEPS = 6
_CODE = "def process(event):\n    return {'content': event['content'] + '\\n' + str(len(event['candidates']))}\n"
_EDIT: Patch = [
    {"op": "add", "path": "/components/soak_code", "value": component("code", hook="before_model", dimension="context", source=_CODE)},
]
"""A harness of the mix runs code, so that the workers of its sandbox take part."""


class SoakError(AgentError):
    """This system does not tell what a process holds."""


@dataclass(frozen=True)
class Sample:
    """What this process and those below it hold at a moment."""

    seconds: float
    episodes: int
    memory_mib: float
    """Resident, of all of them together."""
    files: int
    """Open descriptors of this process."""
    processes: int


def soak(minutes: float, memory_mib: int, progress: Callable[[float, float, str], None] | None = None) -> dict[str, Any]:
    """Play and look.

    Args:
        minutes: how long.
        memory_mib: most memory that may be held; the soak ends at once where it is more.
        progress: told after each round of the mix: seconds, seconds of all, what is held.

    Returns:
        `results` as every bench has them, `leaks` (sentences; empty where there are none) and `samples`, one a round.

    Raises:
        SoakError: there is no /proc here.
    """
    if not Path("/proc/self/statm").exists():
        raise SoakError("a soak reads /proc, which this system has not; run it on Linux")
    started, ends = time.monotonic(), 60.0 * minutes
    samples: list[Sample] = []
    episodes = 0
    mix = _mix()
    while not samples or (samples[-1].seconds < ends and samples[-1].memory_mib <= memory_mib):
        episodes += next(mix)
        gc.collect()
        samples.append(_look(time.monotonic() - started, episodes))
        if progress:
            progress(min(samples[-1].seconds, ends), ends, f"{episodes} episodes, {samples[-1].memory_mib:.0f} MiB")
    return {"results": _results(samples), "leaks": leaks(samples, memory_mib), "samples": [asdict(sample) for sample in samples]}


def leaks(samples: list[Sample], memory_mib: int) -> list[str]:
    """Return what leaks, a sentence each.

    Args:
        samples: in the order of their time.
        memory_mib: most memory that may be held.
    """
    found = []
    most = max(sample.memory_mib for sample in samples)
    if most > memory_mib:
        found.append(f"memory is {most:.0f} MiB, more than the {memory_mib} MiB allowed")
    first, last = _ends(samples)
    growth = _memory(last) / _memory(first) - 1
    if growth > MOST_GROWTH:
        found.append(f"memory grew by {growth:.1%} after the warm-up, from {_memory(first):.0f} to {_memory(last):.0f} MiB")
    for name in ("files", "processes"):
        before, after = (max(getattr(sample, name) for sample in some) for some in (first, last))
        if after > before:
            found.append(f"{name} grew from {before} to {after}")
    return found


def _ends(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return the first and the last fifth of what follows the warm-up."""
    warm = [sample for sample in samples if sample.seconds >= WARM_UP * samples[-1].seconds]
    fifth = max(1, len(warm) // 5)
    return warm[:fifth], warm[-fifth:]


def _memory(samples: list[Sample]) -> float:
    return statistics.median(sample.memory_mib for sample in samples)


def _results(samples: list[Sample]) -> list[Measured]:
    first, last = _ends(samples)
    n = len(samples)
    return [
        result("episodes", samples[-1].episodes, "", n),
        result("time", samples[-1].seconds, "s", n),
        result("memory after the warm-up", _memory(first), "MiB", len(first)),
        result("memory at the end", _memory(last), "MiB", len(last)),
        result("growth", 100 * (_memory(last) / _memory(first) - 1), "%", n),
        result("most memory", max(sample.memory_mib for sample in samples), "MiB", n),
        result("files at the end", samples[-1].files, "", n),
        result("processes at the end", samples[-1].processes, "", n),
    ]


def _mix() -> Iterator[int]:
    """Play one round after another; yield the number of its episodes."""
    household, code = HarnessSpec.load("household-act"), HarnessSpec.load("generic-act").patch(_EDIT)
    plays: list[tuple[str, str, HarnessSpec]] = [
        ("homebody/Household-v0", "random", household),
        ("homebody/Household-v0", "expert", household),
        ("homebody/Household-v0", "", HarnessSpec.load("generic-react")),
        ("homebody/WebShop-v0", "no-model", code),
        ("homebody/WebShop-v0", "", HarnessSpec.load("webshop-act")),
        ("homebody/Repair-v0", "random", code),
    ]
    number = 0
    while True:
        played = 0
        with tempfile.TemporaryDirectory(prefix="homebody-soak-") as folder, Store(folder) as store:
            for env_id, policy, spec in plays:
                config = RolloutConfig(env_id, policy, _STEPS)
                model = ModelPolicy(Scripted(["look", "Action: look", '{"command": "look"}', "\0", ""] * _STEPS * 9, name="soak"))
                seat = Seat(config, config.make_policy() if policy else model)
                for task in tasks(env_id, "train", 60)[number % 20 :: 20]:
                    store.add_episode(f"{env_id} {policy} {task.task_id}", seat.play(Job(spec, task, number)))
                    played += 1
                seat.close()
            if number % 10 == 9:  # Worker processes come and go.
                with Rollouts(RolloutConfig("homebody/Household-v0", "random", _STEPS), workers=2) as rollouts:
                    played += len(list(rollouts.play([Job(household, task) for task in tasks("homebody/Household-v0", "train", 8)])))
        number += 1
        yield played


def _look(seconds: float, episodes: int) -> Sample:
    multiprocessing.active_children()  # Those that have ended are gone then.
    pids = _below("self")
    memory = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids if Path(f"/proc/{pid}/statm").exists())
    return Sample(seconds, episodes, memory * 4096 / 2**20, len(list(Path("/proc/self/fd").iterdir())), len(pids))


def _below(pid: str) -> list[str]:
    """Return a process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [name for child in children.read_text().split() for name in _below(child)]
        except OSError:  # It has ended meanwhile.
            continue
    return found
