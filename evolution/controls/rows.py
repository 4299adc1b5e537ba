"""The rows of the table of controls: which there are, and what a plan asks for. Plays nothing."""

from __future__ import annotations

from dataclasses import dataclass

from homebody.agents.errors import AgentError
from homebody.envs.core import did_you_mean

BASELINES = {
    "seed": "seed harness, the run's policy",
    "final": "evolved harness, the run's policy",
    "noop": "evolution with empty edits, same budget",
    "random-edits": "evolution with random edits, same budget",
    "no-skills": "evolved harness without its skills, the run's policy",
    "best-of-n": "seed harness, best of several attempts, chosen by an oracle; as many episodes or tokens as the evolution",
    "matcher": "evolved harness, executor with goals read by words and letter trigrams",
    "scripted": "the environment's own policy, which sees what an agent sees",
    "expert": "expert (privileged: knows the state)",
    "ablation": "evolved harness without one edit",
    "incremental": "incremental ablation: the harness after each shipped edit",
    "peak": "harness of the best round, chosen on the tasks of this table",
}
"""Keys of the rows, with their labels, in the order in which they are played. An environment whose own policy has a name says it in
`online_label`. Those of `TWINNED` bring the rows of their twins with them: `final echo` and the like. `peak` is of the published
protocol alone."""
TWINNED = ("seed", "final", "peak")
"""Rows that stand beside their twins."""
OPTIONAL = ("noop", "random-edits", "no-skills", "best-of-n", "ablation", "incremental")
"""Rows that ask the model beyond what a gain needs: they alone are left out where the time is short."""
SLOW = ("best-of-n", "random-edits")
"""Rows that may take longer than the evolution did: as many episodes, and all at the pace of the seed harness."""
FIXED = ("seed", "final", "no-skills", "matcher", "scripted", "expert")
"""Rows that need two harnesses and no evolution: those of the final split, and of a harness that evolved for another model."""


class ControlError(AgentError):
    """A row or a setting that does not exist."""


@dataclass(frozen=True)
class Plan:
    """What to play."""

    split: str = "test"
    tasks: int | None = None
    """The first so many tasks of the split; None takes all."""
    seed_tasks: int | None = None
    """The same for the seed harness and best-of-N, whose episodes may be slow; None takes as many as `tasks`."""
    attempts: int = 1
    """Tries at each task of the rows `seed` and `final`: 2 adds pass@2."""
    equal: str = "episodes"
    """What best-of-N has as much of as the evolution had: `episodes` or `tokens`."""
    only: tuple[str, ...] = tuple(BASELINES)
    minutes: float | None = None
    """After so many minutes none of `OPTIONAL` is begun, and none before that would end later at the pace of the seed harness; None sets
    no limit."""

    def settings(self) -> str:
        """Return the options of `homebody controls` that play the same tasks, each after a space."""
        usual = Plan()
        names = ("split", "tasks", "seed_tasks", "attempts", "equal")
        changed = [(name, getattr(self, name)) for name in names if getattr(self, name) != getattr(usual, name)]
        return "".join(f" --{name.replace('_', '-')} {value}" for name, value in changed)

    def check(self) -> None:
        """Check the settings.

        Raises:
            ControlError: one is not possible.
        """
        for name in self.only:
            if name not in BASELINES:
                raise ControlError(f"no row is called {name!r}{did_you_mean(name, BASELINES)}; there are {', '.join(BASELINES)}")
        if self.equal not in ("episodes", "tokens"):
            raise ControlError(f"best-of-N can be equal in episodes or tokens, not in {self.equal!r}")
        if self.attempts < 1:
            raise ControlError(f"attempts is {self.attempts}; it must be at least 1")
