"""Twins: the same document on the same task without a model, and what the comparison says of each step.

A twin shows what a harness does by itself; `homebody.agents.policy.TWINS` are the four policies that play one.
A model's worth is its success above the best of them. Beside a model's episode a `Shadow` runs the harness
once more without the model. From what it leaves on offer a twin would have chosen; where it differs from what
the model saw, answers of the model made the difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from homebody.agents.harness.hooks import BeforeModel, Event, StepEnd
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.policy import Decision, ModelFreePolicy
from homebody.agents.processors.base import Services

REFERENCE = "echo"
"""The twin that a step is compared with until a validation set has said which twin is the best."""


class Shadow:
    """A harness without its model, beside one that is at work in an episode: it is told everything that the other is told.

    Args:
        spec: the harness.
        twin: one of the four policies, begun for the episode.
    """

    def __init__(self, spec: HarnessSpec, twin: ModelFreePolicy) -> None:
        self._harness = Harness(spec, Services())
        self._twin = twin
        self._event: BeforeModel | None = None

    @property
    def failures(self) -> Sequence[dict[str, str]]:
        """Errors inside its processors."""
        return self._harness.failures

    def run(self, event: Event) -> None:
        """Tell the harness of an event."""
        found = self._harness.run(event)
        if isinstance(found, BeforeModel):
            self._event = found

    def observe(self, step: StepEnd) -> None:
        """Show a finished step to every processor."""
        self._harness.observe(step)

    def adapt(self, spec: HarnessSpec) -> None:
        """Go on with another harness."""
        self._harness.adapt(spec)

    def differs(self, event: BeforeModel) -> bool:
        """Tell whether the model's answers changed what the harness knows or leaves on offer at this step."""
        mine = self._event
        assert mine is not None
        return (event.candidates, event.prior, event.tools, event.advised) != (mine.candidates, mine.prior, mine.tools, mine.advised)

    def offered(self) -> int:
        """Return the number of commands on offer without the model."""
        assert self._event is not None
        return len(self._event.candidates) + len(self._event.tools)

    def command(self) -> str:
        """Return what the twin would send at this step."""
        assert self._event is not None
        return self._twin.decide(self._event, ()).command


def decided_by(
    event: BeforeModel, decision: Decision, sent: str, *, is_fallback: bool, asked: bool, shadow: Shadow, twin: str | None
) -> str:
    """Return who decided at a step that a model played.

    - `fallback`: the model's reply could not be read.
    - `model`: two or more commands were on offer, the model's reply or scores chose, and the twin would have sent another one.
    - `agreed`: the same, and the twin would have sent this one too.
    - `reading`: the command follows what the harness keeps of an earlier answer of the model.
    - `harness`: none of these; also where a processor put another command in the place of the model's.

    Args:
        event: what the harness left on offer, with the model's answers.
        decision: what the policy chose.
        sent: the command after all processors.
        is_fallback: whether the model's reply could not be read.
        asked: whether a processor asked the model at this step.
        shadow: the same harness without the model.
        twin: what the twin would have sent; None if that failed.
    """
    if is_fallback:
        return "fallback"
    if sent != decision.command:
        return "harness"
    # Whoever writes freely may send any admissible command.
    own = max(len(event.admissible), len(event.candidates)) if decision.is_free else len(event.candidates)
    offered = max(own + len(event.tools), shadow.offered())
    if offered < 2:
        return "harness"
    shaped = shadow.differs(event)
    if decision.is_asked or (asked and shaped):
        return "agreed" if sent == twin else "model"
    return "reading" if shaped else "harness"
