"""One episode: an environment, a harness and a policy, from reset to the end, recorded.

A failure inside is data: the record names the boundary that it crossed, and sibling episodes go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import gymnasium

from homebody.agents.errors import ContextOverflowError, ModelLostError, is_lost
from homebody.agents.harness.adaptation import Adaptation
from homebody.agents.harness.grammar import matches
from homebody.agents.harness.hooks import (
    AfterModel,
    AfterTool,
    BeforeModel,
    BeforeTool,
    Event,
    StepEnd,
    StepStart,
    TaskEnd,
    Turn,
)
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.inquiry import Inquiry
from homebody.agents.model_free import TWINS
from homebody.agents.models.backend import Message, Usage, uncut
from homebody.agents.policy import Decision, Policy
from homebody.agents.record import NO_ROOM, EpisodeRecord, StepRecord
from homebody.agents.transcript import Transcript
from homebody.agents.twin import REFERENCE, Shadow, decided_by, is_read
from homebody.envs import TaskSpec, held_to_contract
from homebody.envs.text import clean

E = TypeVar("E", bound=Event)
HELD_BACK = "The command was held back."
"""The observation of a step whose command a processor did not let through to the environment."""
MOST_SAID = 2000
"""Characters of an error's message in a record."""


@dataclass(frozen=True)
class ModelCall:
    """What a policy was shown at a step and what its answer took, for those who watch; no part of the record."""

    messages: tuple[Message, ...]
    """The chat, without cut marks; a policy that ranks or needs no model did not read it."""
    usage: Usage
    """Tokens and seconds since the decision before."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"messages": [dict(message) for message in self.messages], "usage": asdict(self.usage)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ModelCall:
        """Read what `to_json` wrote."""
        return cls(tuple(content["messages"]), Usage(**content["usage"]))


def run_episode(
    env: gymnasium.Env[str, str],
    spec: HarnessSpec,
    policy: Policy,
    task: TaskSpec,
    seed: int = 0,
    *,
    attempt: int = 0,
    max_steps: int = 50,
    twin: str = REFERENCE,
    on_start: Callable[[str, str], None] | None = None,
    on_step: Callable[[StepRecord], None] | None = None,
    on_decision: Callable[[ModelCall], None] | None = None,
) -> EpisodeRecord:
    """Play one task.

    Args:
        env: a text planning environment (see `homebody.envs.check_env`).
        spec: the harness.
        policy: who chooses; `begin` is called here.
        task: what to play.
        seed: of whatever is random in the policy.
        attempt: 0 for the greedy first try; later tries sample.
        max_steps: most commands sent to the environment, at least 1.
        twin: which of `homebody.agents.model_free.TWINS` the steps of a model are compared with.
        on_start: called with goal and opening observation.
        on_step: called with each step.
        on_decision: called with what each decision was made from, before its step.

    Returns:
        The record; if something failed, its `error` says where. A prompt that does not fit the model's context ends the episode as a
        defeat, as `interrupted` says: it is the harness's, and where it counted as an error, a hard task could be made to count for
        nothing.

    Raises:
        ModelLostError: the model does not answer any more. That is no failure of this episode: none can be played.
    """
    env = held_to_contract(env)
    inquiry = Inquiry(policy)
    harness = Harness(spec, inquiry.services())
    before = policy.usage.snapshot()
    episode = _Episode(env, spec, harness, policy, max_steps, inquiry, on_start, on_step, on_decision)
    if policy.has_model:
        reference = TWINS[twin]()
        reference.begin(seed, attempt, None, task.task_id)
        episode.shadow = Shadow(spec.without_variants(), reference, policy.count_tokens)
    error: dict[str, str] | None = None
    no_room = ""
    try:
        expert = getattr(env.unwrapped, policy.asks, None) if policy.asks else None
        policy.begin(seed, attempt, expert, task.task_id)
        episode.play(task, seed)
    except Exception as failure:
        if is_lost(failure):
            raise ModelLostError(
                f"the model does not answer any more: {failure}; what was played is kept where a --run-dir was given"
            ) from None
        if isinstance(failure, ContextOverflowError) and episode.boundary == "decide":
            no_room = f"{NO_ROOM}: {failure}"
        else:
            error = {"boundary": episode.boundary, "kind": type(failure).__name__, "message": clean(str(failure))[:MOST_SAID]}
    episode.keep_rest()
    return EpisodeRecord(
        task_id=task.task_id,
        type=task.type,
        won=episode.won,
        steps=episode.steps,
        seed=seed,
        attempt=attempt,
        behaviour_hash=spec.behaviour_hash,
        policy=policy.name,
        opening=episode.shown.opening,
        goal=episode.shown.stated_goal,
        trace=tuple(episode.trace),
        invalid_actions=sum(not step.accepted for step in episode.trace),
        activations=dict(sorted(harness.activations.items())),
        failures=harness.failures,
        error=error,
        interrupted=no_room or harness.interrupted,
        changed=episode.changed,
        notes=episode.notes,
        adaptations=episode.adaptation.applied,
        usage=asdict(policy.usage - before),
        variant=episode.variant,
        strict=episode.strict,
        reading=episode.shown.goal if episode.shown.goal != episode.shown.stated_goal else None,
        questions=inquiry.take() or None,
    )


class _Episode:
    """The loop, with what it has seen so far."""

    def __init__(
        self,
        env: gymnasium.Env[str, str],
        spec: HarnessSpec,
        harness: Harness,
        policy: Policy,
        max_steps: int,
        inquiry: Inquiry,
        on_start: Callable[[str, str], None] | None,
        on_step: Callable[[StepRecord], None] | None,
        on_decision: Callable[[ModelCall], None] | None,
    ) -> None:
        self.env, self.spec, self.harness, self.policy = env, spec, harness, policy
        self.adaptation = Adaptation(spec.without_variants(), harness)
        self.shadow: Shadow | None = None
        """The same harness without the model, where a model plays."""
        self.inquiry = inquiry
        self.has_asked = False
        """Whether processors asked the model anything before this step."""
        self.asked_before = 0
        """What they have asked since the last step, and before this one began."""
        self.variant: str | None = None
        self.max_steps = max_steps
        self.on_start, self.on_step, self.on_decision = on_start, on_step, on_decision
        self.spent = policy.usage.snapshot()
        self.boundary = "reset"
        self.won = False
        self.strict: bool | None = None
        self.shown = Transcript("", "", ())
        self.trace: list[StepRecord] = []
        self.steps = self.tool_calls = 0
        self.known: dict[str, None] = {}
        """The commands that were possible so far, in the order in which they came."""
        self.changed: list[dict[str, Any]] = []
        self.notes: dict[str, dict[str, Any]] = {}

    def play(self, task: TaskSpec, seed: int) -> None:
        """Run from reset to the end."""
        opening, info = self.env.reset(seed=seed, options={"task": task.task_id})
        admissible = tuple(info["admissible_commands"])
        goal = self.policy.read_goal(info["goal"])
        slot_lines = tuple(info.get("slot_lines") or ())
        self.shown = Transcript(info["goal"], opening, admissible, slot_lines, goal)
        if self.shadow is not None:
            self.shadow.open(Transcript(info["goal"], opening, admissible, slot_lines, goal))
        if self.on_start:
            self.on_start(self.shown.stated_goal, opening)
        self.strict = info.get("success_strict")
        self.boundary = "task_start"
        self._route()
        self.shown.begin(self._run(self.shown.start))
        self.keep_rest()
        done = False
        while not done and self.steps < self.max_steps and self.harness.interrupted is None:
            admissible, done = self._step(admissible)
        self.boundary = "task_end"
        self._run(TaskEnd(won=self.won, steps=self.steps))

    def _run(self, event: E) -> E:
        """Let the harness answer an event, and the one beside it."""
        if self.shadow is not None:
            self.shadow.run(event)
        return self.harness.run(event)

    def _route(self) -> None:
        """Go on with the variant that is for this goal, if there is one."""
        chosen = self.spec.route(self.shown.goal)
        if chosen is not None:
            spec = self.spec.variant(chosen)
            self.harness.adapt(spec)
            if self.shadow is not None:
                self.shadow.adapt(spec)
            self.adaptation = Adaptation(spec, self.harness)
            self.variant = chosen["name"]

    def keep_rest(self) -> None:
        """Keep what processors did outside of the steps in the trace."""
        collected = self.harness.collect()
        self.changed += collected["changed"]
        for key, notes in collected.get("notes", {}).items():
            self.notes.setdefault(key, {}).update(notes)

    def _step(self, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Choose a command and send it, unless the harness answers it or ends the episode.

        Returns:
            The admissible commands after it, and whether the episode is over.
        """
        left = self.max_steps - self.steps
        self.known.update(dict.fromkeys(admissible))
        self.boundary = "step_start"
        self.asked_before = len(self.inquiry.questions)
        self.has_asked = self.has_asked or bool(self.asked_before)
        shown = self.shown
        start = self._run(StepStart(self.steps + 1, left, tuple(shown.turns), shown.goal))
        event = self._run(shown.event(admissible, left, self.harness.offers()))
        if self.harness.interrupted is not None:
            return admissible, True
        self.boundary = "decide"
        messages, dropped = shown.fit(event, start.history, lambda chat: self.policy.fits(event, chat))
        decision = self.policy.decide(event, messages)
        self._show(messages)
        self.boundary = "step"
        answer = self._run(AfterModel(decision.response, decision.command, admissible, event.candidates, event.tools))
        tool = self._run(BeforeTool(answer.command, admissible=admissible, steps_left=left, goal=shown.goal, observation=shown.env_text))
        if self.harness.interrupted is not None:
            return admissible, True
        is_tool = tool.answer is not None and self.tool_calls < self.max_steps
        first = decision.command if decision.first is None else decision.first
        known = tuple(self.known)
        written = (*admissible, *event.tools)
        by, twin = self._decided_by(event, decision, tool.command if tool.approved else None, dropped)
        step = StepRecord(
            step=self.steps + 1,
            admissible=len(admissible),
            offered=len(event.candidates),
            method=event.choice.method,
            response=decision.response,
            command=tool.command,
            accepted=is_tool,
            observation=tool.answer or "",
            reward=0.0,
            usable=is_tool or matches(decision.command, admissible),
            decided_by=by,
            twin=twin,
            readable=matches(first, (*known, *event.tools)) if decision.is_free or decision.first is not None else None,
            repaired=not is_read(decision, event, known) and matches(answer.command, written),
            retried=decision.is_again,
            cut=decision.is_cut,
            finish=decision.finish,
            thought=decision.thought,
            scores=decision.scores,
            subgoal=asdict(event.subgoal) if event.subgoal else None,
            dropped_turns=dropped,
            tool=is_tool,
            variant=self.variant,
        )
        turn = Turn(tool.command, "", _shown_reply(event, decision, tool.command), decision.thought, _said(decision))
        return self._call_tool(step, turn, admissible) if is_tool else self._send(step, turn, tool, admissible)

    def _decided_by(self, event: BeforeModel, decision: Decision, sent: str | None, dropped: int) -> tuple[str, str | None]:
        """Return who decided, and what the twin would have sent."""
        if self.shadow is None:
            return "harness", None
        offer = self.shadow.offer(len(self.harness.failures))
        twin = self.shadow.command(offer, dropped) if offer is not None else None
        is_asked = len(self.inquiry.questions) > self.asked_before
        asked = "now" if is_asked else "before" if self.has_asked else "never"
        return decided_by(event, decision, tuple(self.known), sent, offer, asked, twin), twin

    def _show(self, messages: list[Message]) -> None:
        """Tell those who watch what the decision was made from."""
        if self.on_decision:
            before, self.spent = self.spent, self.policy.usage.snapshot()
            self.on_decision(ModelCall(tuple(map(uncut, messages)), self.spent - before))

    def _call_tool(self, step: StepRecord, turn: Turn, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Let the harness answer: no step is spent, and the answer goes into the history."""
        self.tool_calls += 1
        self._keep_turn(turn, AfterTool(step.command, step.observation, admissible=admissible, goal=self.shown.goal))
        self._keep(step)
        return admissible, False

    def _send(self, step: StepRecord, turn: Turn, tool: BeforeTool, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Send the command to the environment, unless it is held back: a step is spent."""
        if tool.approved:
            observation, reward, terminated, truncated, info = self.env.step(tool.command)
            self.shown.env_text = observation
        else:
            observation, reward, terminated, truncated = HELD_BACK, 0.0, False, False
            info = {"won": self.won, "success_strict": self.strict, "admissible_commands": admissible, "slot_lines": self.shown.slot_lines}
        self.steps += 1
        self.won, self.strict = bool(info["won"]), info.get("success_strict")
        now = tuple(info["admissible_commands"])
        self.shown.slot_lines = tuple(info.get("slot_lines") or ())
        accepted = tool.approved and matches(tool.command, admissible)
        why = "" if accepted else str(info.get("why") or "")
        goal = self.shown.goal
        self._keep_turn(turn, AfterTool(tool.command, observation, accepted, why, now, goal))
        end = StepEnd(self.steps, tool.command, accepted, observation, now, float(reward), self.won, goal, why)
        self.harness.observe(end)
        if self.shadow is not None:
            self.shadow.observe(end)
        self._run(end)
        self._keep(replace(step, accepted=accepted, observation=observation, reward=float(reward)), terminated or truncated)
        return now, terminated or truncated

    def _keep_turn(self, turn: Turn, answered: AfterTool) -> None:
        """Add a turn to the history, with the observation as the harness shows it."""
        self.shown.turns.append(replace(turn, observation=self._run(answered).observation))
        if self.shadow is not None:
            self.shadow.keep(turn)

    def _keep(self, step: StepRecord, is_last: bool = False) -> None:
        """Add a step to the trace, adapt the harness to what it shows, and add what processors did meanwhile."""
        self.trace.append(self._with_rest(step))
        left = self.max_steps - self.steps
        goes_on = left and not is_last and self.harness.interrupted is None
        if goes_on and (adapted := self.adaptation.look(self.shown.opening, self.trace, left)):
            if self.shadow is not None:
                self.shadow.adapt(self.adaptation.spec)
            # Asked again, so that a prompt that the patch has changed holds from here on.
            self.shown.begin(self._run(self.shown.start))
            self.trace[-1] = self._with_rest(replace(self.trace[-1], adapted=adapted))
        if self.on_step:
            self.on_step(self.trace[-1])

    def _with_rest(self, step: StepRecord) -> StepRecord:
        """Return a step with what processors did and asked since the last one was taken down."""
        collected = self.harness.collect()
        self.has_asked = self.has_asked or bool(self.inquiry.questions)
        notes = {key: {**step.notes.get(key, {}), **some} for key, some in collected.get("notes", {}).items()}
        return replace(
            step,
            questions=(*step.questions, *self.inquiry.take()),
            changed=(*step.changed, *collected["changed"]),
            notes={**step.notes, **notes},
        )


def _said(decision: Decision) -> str:
    """Return what a model wrote before its call of a tool."""
    call = decision.reply.tool_call if decision.reply else None
    return call.before.strip() if call else ""


def _shown_reply(event: BeforeModel, decision: Decision, sent: str) -> str:
    """Return a reply as the chat shows it, with the command that was sent in the place of the one that was read; empty for that alone."""
    if event.reading.shown == "command" or decision.reply is None:
        return ""
    before, read, after = decision.response.rpartition(decision.command) if decision.command else ("", "", "")
    return f"{before}{sent}{after}".strip() if read else "" if sent != decision.command else decision.response.strip()
