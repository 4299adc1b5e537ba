"""What to play for the results table: models times benchmarks times protocols. Plays one episode, to tell what that may take."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, TypedDict

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.envs.core import did_you_mean
from homebody.envs.file import expand_path
from homebody.evolution.config import PROTOCOLS, EvolveConfig, RoundCost
from homebody.evolution.controls.benchmark import Benchmark, BenchmarkError, benchmarks
from homebody.evolution.controls.rows import BASELINES, FIXED, SLOW
from homebody.evolution.controls.seed import seed_styles
from homebody.evolution.gate.player import EpisodesFailedError


@dataclass(frozen=True)
class Size:
    """How much to play of one model on one benchmark."""

    train_tasks: int
    validation_tasks: int
    exploration_steps: int
    rounds: int
    tasks: int | None
    """Test tasks for the evolved harness and its controls; None: as many as the benchmark has."""
    seed_tasks: int | None
    """Test tasks for the seed harness, whose episodes are slow; None: the same."""
    equal: str
    """What best-of-N has as much of as the evolution."""
    minutes: float | None
    """As `Plan` has it; None: no limit."""
    style_tasks: int
    """Validation tasks on which the style of the seed is chosen; the evolution plays them first."""
    style_minutes: float | None = None
    """As `homebody.evolution.controls.seed.choose_seed` has it."""
    growth: int = 8
    """Factor by which the sets of tasks may grow in the evolution."""
    candidates: int = 2
    """Candidates a round."""
    evolve_minutes: float | None = None
    """Budget of the evolution; None: no limit."""
    attempts: int = 2
    only: tuple[str, ...] = tuple(BASELINES)

    def of(self, tasks: int) -> Size:
        """Return it with so many test tasks, at most, for every row."""
        return replace(self, tasks=tasks, seed_tasks=None if self.seed_tasks is None else min(self.seed_tasks, tasks))

    def judged_on(self, tasks: int) -> Size:
        """Return it with so many validation tasks for the gate; the same share of them choose the style of the seed, at least one."""
        return replace(self, validation_tasks=tasks, style_tasks=max(1, self.style_tasks * tasks // self.validation_tasks))

    def within(self, minutes: float) -> Size:
        """Return it with so many minutes for the evolution; where the whole has a limit, twice as many for that and half for the styles."""
        if self.minutes is None:
            return replace(self, evolve_minutes=minutes)
        return replace(self, evolve_minutes=minutes, minutes=2 * minutes, style_minutes=minutes / 2)

    def as_published(self, tasks: int) -> Size:
        """Return how much the published protocol plays: up to 15 rounds of 4 candidates, all on the same tasks."""
        return replace(
            self,
            train_tasks=tasks,
            validation_tasks=tasks,
            rounds=15,
            candidates=4,
            attempts=2,
            growth=1,
            tasks=tasks,
            seed_tasks=None,
            only=("seed", "incremental", "final", "peak"),
        )


FULL = Size(12, 40, 200_000, 6, None, None, "episodes", None, 20)
QUICK = Size(6, 10, 150_000, 4, 40, 10, "tokens", 14.0, 3, 3.5, growth=2, evolve_minutes=7.0, attempts=1)
"""Of the minutes a half for the evolution, and no style of the seed is begun after a quarter. The styles, the seed's row and that of the
evolved harness take some four more where an episode takes 10 s of a core."""


@dataclass(frozen=True)
class Combination:
    """A model on a benchmark."""

    model: str
    benchmark: Benchmark
    run_dir: Path
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    gpu_layers: int = 0
    n_ctx: int | None = None
    n_threads: int = 1
    concurrency: int = 1
    timeout_s: float | None = None
    protocol: str = "held-out"
    """One of `homebody.evolution.config.PROTOCOLS`."""
    objective: str | None = None
    """As `EvolveConfig` has it; with the published protocol `success`, unless it says otherwise."""
    repeat: int = 1
    """From 1; the evolution's seed is one less."""
    split: str = "test"
    """Where it is tested."""
    harness_of: str | None = None
    """The model whose evolved harness it plays; None: its own."""

    @property
    def name(self) -> str:
        """Its name for people."""
        marks = [f"{self.protocol} protocol"] if self.protocol != "held-out" else []
        marks += [f"in the harness of {self.harness_of}"] if self.harness_of else []
        marks += [f"repeat {self.repeat}"] if self.repeat > 1 else []
        return ", ".join([f"{self.model} on {self.benchmark.name}", *marks])

    @property
    def origin(self) -> Combination:
        """The combination whose evolution made the harness that it plays, in the same folder of runs; itself where that is its own."""
        if self.harness_of is None:
            return self
        folder = self.run_dir.with_name(_folder_name(self.harness_of, self.benchmark, self.protocol, self.objective, self.repeat))
        return replace(self, model=self.harness_of, harness_of=None, run_dir=folder)

    def size(self, size: Size) -> Size:
        """Return how much of it to play, where so much is played of a combination in the held-out protocol."""
        if self.benchmark.exploration_steps is not None:
            size = replace(size, exploration_steps=min(size.exploration_steps, self.benchmark.exploration_steps))
        if self.harness_of is not None:
            return replace(size, only=FIXED)
        if self.protocol == "held-out":
            return size
        tested = len(self.tasks("test", size.tasks or self.benchmark.tasks))
        return size.as_published(min(size.seed_tasks or tested, tested))

    @property
    def rollout(self) -> RolloutConfig:
        """Where its episodes are played."""
        one = self.benchmark
        return RolloutConfig(
            one.env,
            self.model,
            one.max_steps,
            self.env_kwargs,
            self.gpu_layers,
            self.n_ctx,
            self.n_threads,
            self.concurrency,
            self.timeout_s,
        )

    def tasks(self, split: str, most: int | None) -> list[TaskSpec]:
        """Return the first tasks of a split, so many at most; None: all."""
        return list_tasks(self.benchmark.env, split, None, **self.env_kwargs)[:most]


def plan(
    models: Sequence[str],
    names: Sequence[str] | None,
    run_dir: str | Path,
    data_dir: str | None,
    protocols: Sequence[str] = ("held-out",),
    repeats: int = 1,
    objective: str | None = None,
    harness_of: str | None = None,
) -> tuple[list[Combination], list[str]]:
    """Choose what to play.

    Args:
        models: names of models, or of controls in their place.
        names: benchmarks; None takes all that can be played here.
        run_dir: each combination gets a folder of its own in it.
        data_dir: folder of the files of benchmarks that read some.
        protocols: of `homebody.evolution.config.PROTOCOLS`.
        repeats: evolutions of each combination, with seeds of their own.
        objective: see `Combination`.
        harness_of: likewise.

    Returns:
        The combinations, and a line for each benchmark that was left out because it cannot be played here.

    Raises:
        BenchmarkError: a benchmark that was named does not exist or cannot be played, or none can; or there is no such protocol;
            or a model is to play in its own harness, or in that of the published protocol.
    """
    if harness_of is not None and harness_of in models:
        raise BenchmarkError(f"{harness_of} plays in its own harness without --harness-of; leave it out of --models")
    if harness_of is not None and "published" in protocols:
        raise BenchmarkError("--harness-of plays harnesses of the held-out protocol; leave --protocol out")
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise BenchmarkError(f"no protocol is called {protocol!r}{did_you_mean(protocol, PROTOCOLS)}; there are {', '.join(PROTOCOLS)}")
    known = benchmarks()
    chosen: list[Benchmark] = []
    left_out = []
    for name in known if names is None else names:
        if name not in known:
            raise BenchmarkError(f"no benchmark is called {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}")
        try:
            known[name].check(data_dir)
            chosen.append(known[name])
        except BenchmarkError as error:
            if names is not None:
                raise
            left_out.append(str(error))
    if not chosen:
        raise BenchmarkError("; ".join(left_out))
    folder = expand_path(run_dir)
    found = []
    for one, model, protocol, repeat in product(chosen, models, protocols, range(1, repeats + 1)):
        name = _folder_name(model, one, protocol, objective, repeat, harness_of)
        wanted = objective or ("success" if protocol == "published" else None)
        combination = Combination(model, one, folder / name, one.env_kwargs(data_dir))
        found.append(replace(combination, protocol=protocol, objective=wanted, repeat=repeat, harness_of=harness_of))
    return found, left_out


class Estimate(TypedDict):
    """What a combination may take, at the pace of one episode of the seed harness."""

    episode_s: float
    episode_tokens: int
    least_episodes: int
    """Of the seed harness alone, as the choice of its style, the first round and its row ask for them."""
    least_minutes: float
    least_tokens: int
    most_episodes: int
    """If all sets of tasks grow as far as they may, every candidate is played to the end, every round ships an edit, and every control is
    played, whatever the size's minutes allow."""
    most_minutes: float
    most_tokens: int


def estimate(combination: Combination, size: Size, workers: int) -> Estimate:
    """Play one training episode of the seed harness to say what the whole may take at its pace, which edited harnesses mostly beat.

    Twins ask no model and take no time to speak of: they are not counted.

    Args:
        combination: what is to be played.
        size: how much of it, as `Combination.size` returns it.
        workers: number of worker processes.

    Raises:
        EpisodesFailedError: an error ended the episode.
    """
    one = combination.benchmark
    (task,) = combination.tasks("train", 1)
    with Rollouts(combination.rollout) as rollouts:
        started = time.monotonic()
        (record,) = rollouts.play([Job(HarnessSpec.load(one.harness, combination.model), task)])
        if record.error is not None:
            remedy = "mend the cause and run it again"
            raise EpisodesFailedError(f"{combination.name}, a training task", {task.task_id: record.error}, remedy)
        seconds = time.monotonic() - started
    tokens = int(record.usage.get("prompt_tokens", 0) + record.usage.get("generated_tokens", 0))
    least, most = _episodes(combination, size)
    at_a_time = max(workers, combination.concurrency)
    return {
        "episode_s": seconds, "episode_tokens": tokens,
        "least_episodes": least, "least_minutes": least * seconds / at_a_time / 60, "least_tokens": least * tokens,
        "most_episodes": most, "most_minutes": most * seconds / at_a_time / 60, "most_tokens": most * tokens,
    }  # fmt: skip


def _episodes(combination: Combination, size: Size) -> tuple[int, int]:
    """Return how many episodes a combination takes at least and at most, see `estimate`."""
    one, is_published = combination.benchmark, combination.protocol == "published"
    train = 0 if is_published else len(combination.tasks("train", size.train_tasks * size.growth))  # they are the validation tasks
    validation = len(combination.tasks("test" if is_published else "validation", size.validation_tasks * size.growth))
    tested = len(combination.tasks("test", size.tasks or one.tasks))
    seed_tasks = min(size.seed_tasks or tested, tested)
    noise = EvolveConfig.noise_tasks
    # What the chosen style has played is played already when the evolution begins, unless that has other tasks.
    style_tasks = len(combination.tasks("validation", size.style_tasks))
    styles = len(seed_styles(one.harness, combination.model)) * style_tasks
    begun = styles if size.style_minutes is None else style_tasks
    if combination.harness_of is not None:  # the styles, both harnesses, and the evolved one without its skills
        return begun + size.attempts * seed_tasks, styles + size.attempts * (seed_tasks + tested) + tested
    again = 0 if is_published else min(style_tasks, size.validation_tasks)
    styles, begun = styles - again, begun - again
    least = begun + min(size.train_tasks, train) + min(size.validation_tasks, validation) + noise + size.attempts * seed_tasks
    evolved = noise + size.rounds * RoundCost(train, validation, size.candidates).total
    if is_published:  # every round is tested
        return least, styles + evolved + size.attempts * (size.rounds + 1) * tested
    # The random edits and the best of many attempts have as many episodes as the evolution; each shipped edit has two rows, the last one
    # its ablation alone.
    others = sum(row not in ("seed", "final", "noop", "ablation", "incremental", "peak", *SLOW) for row in size.only)
    fixed = size.attempts * (seed_tasks + tested) + (others + 2 * size.rounds - 1) * tested
    slow = len(set(SLOW) & set(size.only)) * (evolved + seed_tasks)
    return least, styles + evolved + fixed + slow


def _folder_name(model: str, benchmark: Benchmark, protocol: str, objective: str | None, repeat: int, harness_of: str | None = None) -> str:
    marks = [protocol] if protocol != "held-out" else []
    marks += [objective] if objective else []
    marks += [f"r{repeat}"] if repeat > 1 else []
    marks += [f"harness-of-{_slug(harness_of)}"] if harness_of else []
    return "-".join([_slug(model), benchmark.name, *marks])


def _slug(model: str) -> str:
    """Return a folder name for a model: its own where that is one, else what can be kept of it and a hash."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.")
    return slug if slug == model else f"{slug[-40:]}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
