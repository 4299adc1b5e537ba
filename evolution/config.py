"""The settings of an evolution: what they mean, and which cannot be used. Knows nothing of how a run works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.models.backend import Backend
from homebody.agents.models.names import is_remote
from homebody.agents.rollout import RolloutConfig
from homebody.envs import TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.evolution.proposers.registry import find_proposer

MODES = ("no-regression", "sign-test", "noise-aware")
"""How the gate judges paired rollouts, see `gate.rule`."""
GATES = ("auto", *MODES)
ISOLATIONS = ("none", "variants")
OBJECTIVES = ("model", "success")
PROTOCOLS = ("held-out", "published")
PROPOSER_KEY = "HOMEBODY_PROPOSER_API_KEY"
"""The variable of the environment that holds the key of the proposer's server, where that has one of its own."""
BUDGETS = ("budget_episodes", "budget_tokens", "budget_minutes")
"""Settings that may be raised when a run is resumed."""
HOW = ("concurrency", "timeout_s", "proposer_timeout_s")
"""Settings that no result depends on. They are not kept."""


class ConfigError(AgentError):
    """A setting of an evolution that cannot be used."""


@dataclass(frozen=True)
class RoundCost:
    """The most episodes of a round: every candidate is played to the end, and one is shipped. What was played before costs nothing."""

    train: int
    """Training tasks."""
    validation: int
    """Validation tasks."""
    candidates: int
    variants: bool = False
    """Whether edits may become variants."""

    @property
    def fork(self) -> int:
        """Of an edit that is no gain: it may be played on the training tasks, and come back as a variant."""
        return self.train + 1 + self.validation if self.variants else 0

    @property
    def candidate(self) -> int:
        """Of a candidate: its smoke run, the validation tasks, and its fork."""
        return 1 + self.validation + self.fork

    @property
    def ship(self) -> int:
        """Of an edit that is shipped: the training tasks with all variants, and without each on its own."""
        return 2 * self.train if self.variants else 0

    @property
    def total(self) -> int:
        """Of the round."""
        return self.train + self.validation + self.candidates * self.candidate + self.ship


@dataclass(frozen=True)
class EvolveConfig:
    """What fixes a run. All of it is in the store, and a resumed run must have the same, but for budgets, which may be raised."""

    env_id: str
    model: str
    """Model name or path, or a policy without a model."""
    harness: str
    """Name or path of the seed harness. The bare name of a seed stands for the document that fits `model`."""
    proposer: str = "rules"
    """Name of a proposer, or `module:callable`."""
    proposer_model: str | None = None
    """Model that the proposer may ask; None gives it the one that plays, if one does."""
    proposer_n_ctx: int | None = None
    """Tokens of that model's context. None: as of the one that plays, if both are on servers or both are in this process;
    else as `homebody.agents.models.names.load` has it."""
    proposer_timeout_s: float | None = None
    """Seconds to wait for an answer of the proposer's server; None: see `homebody.agents.models.names.load`."""
    rounds: int = 6
    """Most rounds."""
    candidates: int = 2
    """Candidates a round."""
    train_tasks: int = 24
    """Training tasks whose traces the proposer reads, a round; at first."""
    validation_tasks: int = 40
    """Validation tasks on which the gate compares; at first."""
    growth: int = 8
    """Factor by which either set may grow: it is doubled while fewer than `round.FEW` tasks of it fail, and after a round that
    shipped nothing, once any is solved. 1 keeps both as they are."""
    max_steps: int = 15
    exploration_steps: int = 200_000
    """Environment steps of model-free exploration of training tasks; 0 turns it off."""
    gate: str = "auto"
    """One of `MODES`, or `auto`: an A/A run chooses between `sign-test` and `noise-aware`."""
    noise_tasks: int = 4
    """Validation tasks that the A/A run plays a second time; played only for the gate `auto`."""
    objective: str | None = None
    """`model`: an edit must gain, and with the model at least as much as its best twin gains without; the final harness is the last
    shipped one that is worth something with its model. `success`: an edit must gain, whoever decides. None: `model` where a model
    plays, else `success`."""
    protocol: str = "held-out"
    """`held-out`: training and validation tasks. `published`: test tasks in place of both, as the publication has it; what such a run gains
    on them is no gain on tasks that it never saw."""
    isolation: str = "none"
    """`none`: one harness for all tasks. `variants`: an edit that helps some goals and hurts others may become a variant for the former."""
    budget_episodes: int | None = None
    """Most model episodes; None sets no limit. A series of episodes that would go beyond is not begun."""
    budget_tokens: int | None = None
    """Prompt and generated tokens, the proposer's included, after which no further episode is begun; None sets no limit."""
    budget_minutes: float | None = None
    """Minutes of work, those before a resume included, after which no further episode is begun; None sets no limit. Such a run cannot be
    repeated exactly."""
    patience: int = 3
    """Rounds in a row after which the run ends if none of their candidates was both new and fit to be played. A round that tries something
    new is never one of them: what ends a run is `rounds`, a budget, or a proposer with nothing left to propose."""
    seed: int = 0
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    gpu_layers: int = 0
    n_ctx: int | None = None
    n_threads: int = 1
    concurrency: int = 1
    """Episodes in flight at a time, for a model on a server."""
    timeout_s: float | None = None
    """Seconds to wait for an answer of a server; None: see `homebody.agents.models.names.load`."""

    @property
    def rollout(self) -> RolloutConfig:
        """Where the run's episodes are played."""
        return RolloutConfig(
            self.env_id,
            self.model,
            self.max_steps,
            self.env_kwargs,
            self.gpu_layers,
            self.n_ctx,
            self.n_threads,
            self.concurrency,
            self.timeout_s,
        )

    def tasks(self, split: str) -> list[TaskSpec]:
        """Return all tasks of a split, as the protocol has it.

        Raises:
            EnvError: they cannot be listed.
        """
        return list_tasks(self.env_id, "test" if self.protocol == "published" else split, None, **self.env_kwargs)

    def load_proposer(self, name: str) -> Backend:
        """Load the model that the proposer asks. Its server may have a key of its own, in `PROPOSER_KEY`.

        Raises:
            AgentError: there is no such model, or it cannot be loaded.
        """
        wanted = replace(self.rollout, timeout_s=self.proposer_timeout_s)
        if is_remote(name) != is_remote(self.model):  # Settings of the one say nothing of the other.
            wanted = replace(wanted, n_ctx=None, n_threads=1, gpu_layers=0)
        if self.proposer_n_ctx is not None:
            wanted = replace(wanted, n_ctx=self.proposer_n_ctx)
        return wanted.load_model(name, PROPOSER_KEY)

    def check(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a setting is out of range.
            ProposerError: there is no such proposer.
        """
        for name in ("rounds", "candidates", "train_tasks", "validation_tasks", "growth", "max_steps", "noise_tasks", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in BUDGETS:
            budget = getattr(self, name)
            if budget is not None and not budget > 0:
                raise ConfigError(f"{name} is {budget}; it must be above 0, or None for no limit")
        if self.exploration_steps < 0:
            raise ConfigError(f"exploration_steps is {self.exploration_steps}; it must be at least 0 (0 turns exploration off)")
        for name, allowed in (("gate", GATES), ("isolation", ISOLATIONS), ("protocol", PROTOCOLS)):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}")
        if self.objective not in (None, *OBJECTIVES):
            raise ConfigError(f"objective is {self.objective!r}; it must be one of {', '.join(OBJECTIVES)}")
        find_proposer(self.proposer)
