"""Twins: the same document on the same task without a model, and what the comparison says of each step.

A twin shows what a harness does by itself; `homebody.agents.model_free.TWINS` are the four policies that play one.
A model's worth is its success above the best of them. Beside a model's episode a `Shadow` runs the harness
once more without the model. From what it leaves on offer a twin would have chosen; where it differs from what
the model saw, answers of the model made the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homebody.agents.harness.grammar import matches
from homebody.agents.harness.hooks import AfterTool, BeforeModel, BeforeTool, Event, StepEnd, StepStart, TaskStart, Turn
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import ModelFreePolicy
from homebody.agents.policy import Decision
from homebody.agents.processors.base import Services
from homebody.agents.transcript import Transcript

REFERENCE = "echo"
"""The twin that a step is compared with until a validation set has said which twin is the best."""


class Shadow:
    """A harness without its model, beside one that is at work in an episode: it is told everything that the other is told.

    That goes for the model's replies too, so what processors read in those makes no difference: only the answers to
    their own questions do. It has a transcript of its own, in which the goal is as its harness reads it.

    Args:
        spec: the harness.
        twin: one of the four policies, begun for the episode.
        count_tokens: the model's own count, so that nothing but its answers makes a difference.
    """

    def __init__(self, spec: HarnessSpec, twin: ModelFreePolicy, count_tokens: Callable[[str], int]) -> None:
        self._twin = twin
        self._transcript = Transcript("", "", ())
        self._history: tuple[Turn, ...] = ()
        self._observation = ""
        self._event: BeforeModel | None = None
        self._harness: Harness | None = None
        try:
            self._harness = Harness(spec, Services(None, count_tokens))
        except Exception:
            self._harness = None

    def open(self, transcript: Transcript) -> None:
        """Begin an episode, of which nothing is shown yet."""
        self._transcript = transcript

    def run(self, event: Event) -> None:
        """Tell the harness of an event."""
        if self._harness is None:
            return
        mine, goal = self._transcript, self._transcript.goal
        match event:
            case TaskStart():
                mine.begin(self._harness.run(event))
            case StepStart():
                self._history = self._harness.run(replace(event, goal=goal, history=tuple(mine.turns))).history
            case BeforeModel():
                mine.env_text, mine.slot_lines = event.env_text, event.slot_lines
                self._event = self._harness.run(mine.event(event.admissible, event.steps_left, self._harness.offers()))
            case AfterTool():
                self._observation = self._harness.run(replace(event, goal=goal)).observation
            case BeforeTool() | StepEnd():
                self._harness.run(replace(event, goal=goal))
            case _:
                self._harness.run(event)

    def observe(self, step: StepEnd) -> None:
        """Show a finished step to every processor."""
        if self._harness is not None:
            self._harness.observe(replace(step, goal=self._transcript.goal))

    def keep(self, turn: Turn) -> None:
        """Take a turn into the history, with the observation as this harness shows it."""
        self._transcript.turns.append(replace(turn, observation=self._observation))

    def adapt(self, spec: HarnessSpec) -> None:
        """Go on with another harness."""
        try:
            if self._harness is not None:
                self._harness.adapt(spec)
        except Exception:
            self._harness = None

    def offer(self, failures: int) -> BeforeModel | None:
        """Return what the harness leaves on offer at this step without the model.

        Args:
            failures: errors inside processors beside the model.

        Returns:
            None where the harness fails only without the model, or ends the episode: then it shows nothing.
        """
        mine = self._harness
        is_whole = mine is not None and mine.interrupted is None and len(mine.failures) <= failures
        return self._event if is_whole else None

    def command(self, offer: BeforeModel, dropped: int) -> str:
        """Return what the twin would send at this step, from a chat without as many turns as the model's."""
        messages = self._transcript.messages(offer, self._history, min(dropped, len(self._history)))
        return self._twin.decide(offer, messages).command


def differs(event: BeforeModel, offer: BeforeModel) -> bool:
    """Tell whether what the harness knows or leaves on offer is not the same with and without the model."""
    return (event.candidates, event.prior, event.tools, event.advised) != (offer.candidates, offer.prior, offer.tools, offer.advised)


def decided_by(
    event: BeforeModel,
    decision: Decision,
    known: Sequence[str],
    sent: str | None,
    offer: BeforeModel | None,
    asked: str,
    twin: str | None,
) -> str:
    """Return who decided at a step that a model played.

    - `fallback`: the model's reply could not be read.
    - `model`: two or more commands were on offer, the model's reply or scores chose, and the twin would have sent another one.
    - `agreed`: the same, and the twin would have sent this one too.
    - `reading`: the command follows what the harness keeps of an earlier answer of the model.
    - `harness`: none of these; also where a processor put another command in the place of the model's, or held it back.

    Args:
        event: what the harness left on offer, with the model's answers.
        decision: what the policy chose.
        known: see `is_read`.
        sent: the command after all processors; None if it was held back.
        offer: what the same harness leaves on offer without the model; None if that shows nothing.
        asked: when processors asked the model: `now`, `before` (and not now) or `never`.
        twin: what the twin would have sent; None if that shows nothing.
    """
    if not is_read(decision, event, known):
        return "fallback"
    if sent != decision.command:
        return "harness"
    # Whoever writes freely may send any admissible command.
    own = max(len(event.admissible), len(event.candidates)) if decision.is_free else len(event.candidates)
    without = len(offer.candidates) + len(offer.tools) if offer is not None else 0
    if max(own + len(event.tools), without) < 2:
        return "harness"
    is_shaped = asked != "never" and offer is not None and differs(event, offer)
    if decision.is_asked or (asked == "now" and is_shaped):
        return "agreed" if sent == twin else "model"
    return "reading" if is_shaped else "harness"


def is_read(decision: Decision, event: BeforeModel, known: Sequence[str]) -> bool:
    """Tell whether a command was read from the model's reply; where the model wrote nothing, there is nothing to be read.

    Args:
        decision: what the policy chose.
        event: what the harness left on offer.
        known: the commands that were possible so far in the episode. One that is not possible any more is read all the same: the
            environment says what is wrong with it.
    """
    if decision.is_free:
        return matches(decision.command, known) or matches(decision.command, event.tools)
    # Under a grammar only what is cut short has to be completed.
    return not decision.is_asked or decision.response.endswith(decision.command)
