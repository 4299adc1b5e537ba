"""Benchmarks and published figures: assets/benchmarks.json and assets/published.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.harness.seed import seed_names
from homebody.agents.harness.spec import harness_names
from homebody.envs import EnvError
from homebody.envs import tasks as list_tasks


class BenchmarkError(AgentError):
    """A benchmark that does not exist, or that cannot be played here."""


@dataclass(frozen=True)
class Benchmark:
    """What is evolved on and tested on."""

    name: str
    env: str
    env_args: Mapping[str, Any]
    harness: str
    """Name of the seed; its styles are `homebody.evolution.controls.seed.seed_styles` of it."""
    max_steps: int
    tasks: int | None
    """Test tasks; None takes all."""
    data: bool
    """Whether its environment reads files that the user has to have."""
    about: str
    exploration_steps: int | None = None
    """Steps of exploration, at most, where a step takes long; None: as many as anywhere."""

    def env_kwargs(self, data_dir: str | None) -> dict[str, Any]:
        """Return the arguments of its environment."""
        return {**self.env_args, **({"data_dir": data_dir} if self.data and data_dir else {})}

    def check(self, data_dir: str | None) -> None:
        """Check that its tasks are there.

        Raises:
            BenchmarkError: they are not.
        """
        try:
            for split in ("train", "validation", "test"):
                list_tasks(self.env, split, 1, **self.env_kwargs(data_dir))
        except EnvError as error:
            raise BenchmarkError(f"benchmark {self.name} cannot be played: {error}") from None


def benchmarks() -> dict[str, Benchmark]:
    """Return the benchmarks whose seed harness this version has, by name."""
    found = _asset("benchmarks.json")
    known = {name: Benchmark(name, **content) for name, content in found.items()}
    return {name: one for name, one in known.items() if one.harness in seed_names(harness_names())}


def published() -> dict[str, Any]:
    """Return the published figures: `source`, `url`, `protocol`, and `rows` (percent and points)."""
    return _asset("published.json")


def _asset(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((resources.files("homebody.assets") / name).read_text("utf-8"))
    return content
