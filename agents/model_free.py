"""The policies that ask no model: the twins of a harness, and the experts, which are controls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from homebody.agents.echo import Reader
from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.models.backend import Message, Usage
from homebody.agents.policy import Decision, Ties, best, is_command
from homebody.agents.processors.base import Chat, Score, Services
from homebody.envs.text import is_name, short


class NoExpertError(AgentError):
    """An expert was asked to play an environment that has none."""


class ModelFreePolicy(ABC):
    """Base of the policies without a model."""

    name: str
    has_model = False
    asks = ""

    def __init__(self) -> None:
        self.fingerprint = {"policy": self.name}
        self.usage = Usage()
        self.score: Score | None = None
        self.chat: Chat | None = None

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Remember what the episode needs."""
        self._ties = Ties(seed, attempt, task_id)
        self._rng = np.random.Generator(np.random.PCG64(self._ties.key))
        self._expert = expert

    def read_goal(self, goal: str) -> str:
        """Return the goal as it is."""
        return goal

    def count_tokens(self, text: str) -> int:
        """Estimate."""
        return Services().count_tokens(text)

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Without a model every prompt fits."""
        return True

    @abstractmethod
    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Choose a command."""


class RandomPolicy(ModelFreePolicy):
    """Chooses uniformly among what the harness offers; shows what the harness does with no one in it."""

    name = "random"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Draw a command."""
        command = event.candidates[int(self._rng.integers(len(event.candidates)))]
        return Decision(command, command)


class NoModelPolicy(ModelFreePolicy):
    """Chooses the command of highest prior, drawn by the episode's seed among equals: what the harness knows by itself."""

    name = "no-model"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the harness's favourite."""
        return best(event.candidates, event.prior, self._ties.draw())


class EchoPolicy(NoModelPolicy):
    """Sends the command that the harness wrote last into this step's prompt; chooses as `no-model` where it wrote none.

    What stood in the prompt before, too, is copied where the harness has no favourite.
    """

    name = "echo"

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Forget the last episode's prompts."""
        super().begin(seed, attempt, expert, task_id)
        self._reader = Reader()

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Copy, or take the harness's favourite."""
        favourite = super().decide(event, messages)
        advice = self._reader.read(event, messages)
        has_favourite = len(event.candidates) == 1 or favourite.scores[0][1] > favourite.scores[1][1]
        copied = advice.fresh or (advice.kept if not has_favourite else "")
        return Decision(copied, copied) if copied else favourite


class ExecutorPolicy(NoModelPolicy):
    """Lets every skill act where it advises; chooses as `no-model` where none does."""

    name = "executor"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Follow the advice, or take the harness's favourite."""
        favourite = super().decide(event, messages)
        return Decision(event.advised, event.advised) if event.advised in event.candidates else favourite


class MatcherPolicy(ExecutorPolicy):
    """Plays as `executor` with the goal as the environment's own reader understands it: the bar for a model that reads goals.

    That reader, the method `read_goal`, uses no model and sees what an agent sees.
    """

    name = "matcher"
    asks = "read_goal"

    def read_goal(self, goal: str) -> str:
        """Ask the environment's reader.

        Raises:
            NoExpertError: there is none, or what it returns is no goal.
        """
        read = _asked(self, self._expert, "a model, or executor")()
        if not isinstance(read, str) or not read.strip() or not is_name(read):
            raise NoExpertError(f"{self.asks}() of this environment returned {short(read)}; it has to return a goal, one line of text")
        return read


class ExpertPolicy(ModelFreePolicy):
    """Plays the environment's own expert: privileged, an upper bound."""

    name = "expert"
    asks = "expert"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the first command of the expert's plan from here."""
        plan: object = _asked(self, self._expert, "a model or random")()
        if not isinstance(plan, list) or not all(isinstance(command, str) and is_command(command, event) for command in plan):
            raise NoExpertError(f"{self.asks}() of this environment returned {short(plan)}; it has to return a list of commands")
        command = plan[0] if plan else event.candidates[0]
        return Decision(command, command)


class ScriptedPolicy(ExpertPolicy):
    """Plays the environment's online expert, which knows its domain and sees only what an agent sees: an upper bound for agents."""

    name = "scripted"
    asks = "scripted_policy"


def _asked(policy: ModelFreePolicy, method: Callable[[], object] | None, others: str) -> Callable[[], object]:
    """Return the environment's method that a policy asks.

    Raises:
        NoExpertError: the environment has none.
    """
    if method is None:
        raise NoExpertError(
            f"this environment has no {policy.asks}() method, so the policy {policy.name!r} cannot play it; choose {others}"
        )
    return method


TWINS: Mapping[str, type[ModelFreePolicy]] = {policy.name: policy for policy in (NoModelPolicy, RandomPolicy, EchoPolicy, ExecutorPolicy)}
"""The policies that play a harness without its model: what it does by itself. The best of them is what a model is measured against."""
MODEL_FREE: Mapping[str, type[ModelFreePolicy]] = {
    **TWINS,
    **{policy.name: policy for policy in (MatcherPolicy, ScriptedPolicy, ExpertPolicy)},
}
"""The policies without a model, by name."""
