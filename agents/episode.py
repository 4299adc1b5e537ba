"""One episode: an environment, a harness and a policy, from reset to the end, recorded.

A failure inside is data: the record names the boundary that it crossed, and sibling episodes go on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import gymnasium

from homebody.agents.answer import TOOL_NAME, acts_by_tool
from homebody.agents.errors import ModelLostError, is_lost
from homebody.agents.harness.adaptation import Adaptation
from homebody.agents.harness.grammar import SLOT, matches
from homebody.agents.harness.hooks import (
    AfterModel,
    AfterTool,
    BeforeModel,
    BeforeTool,
    Event,
    StepEnd,
    StepStart,
    TaskEnd,
    TaskStart,
    Turn,
)
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import CUT, Message, Usage, uncut
from homebody.agents.policy import TWINS, Decision, Policy
from homebody.agents.processors.base import Score, Services
from homebody.agents.record import EpisodeRecord, Question, StepRecord
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
        twin: which of `homebody.agents.policy.TWINS` the steps of a model are compared with.
        on_start: called with goal and opening observation.
        on_step: called with each step.
        on_decision: called with what each decision was made from, before its step.

    Returns:
        The record; if something failed, its `error` says where.

    Raises:
        ModelLostError: the model does not answer any more. That is no failure of this episode: none can be played.
    """
    env = held_to_contract(env)
    questions: list[Question] = []
    harness = Harness(spec, Services(_noting(policy.score, questions), policy.count_tokens))
    before = policy.usage.snapshot()
    episode = _Episode(env, spec, harness, policy, max_steps, questions, on_start, on_step, on_decision)
    if policy.has_model:
        reference = TWINS[twin]()
        reference.begin(seed, attempt, None, task.task_id)
        episode.shadow = Shadow(spec.without_variants(), reference, policy.count_tokens)
    error: dict[str, str] | None = None
    try:
        expert = getattr(env.unwrapped, policy.asks, None) if policy.asks else None
        policy.begin(seed, attempt, expert, task.task_id)
        episode.play(task, seed)
    except Exception as failure:
        if is_lost(failure):
            raise ModelLostError(
                f"the model does not answer any more: {failure}; what was played is kept where a --run-dir was given"
            ) from None
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
        opening=episode.opening,
        goal=episode.said,
        trace=tuple(episode.trace),
        invalid_actions=sum(not step.accepted for step in episode.trace),
        activations=dict(sorted(harness.activations.items())),
        failures=harness.failures,
        error=error,
        interrupted=harness.interrupted,
        changed=episode.changed,
        notes=episode.notes,
        adaptations=episode.adaptation.applied,
        usage=asdict(policy.usage - before),
        variant=episode.variant,
        strict=episode.strict,
    )


def _noting(score: Score | None, questions: list[Question]) -> Score | None:
    """Return the model's scores for processors, with every question and its best answers noted."""
    if score is None:
        return None

    def ask(prefix: str, continuations: Sequence[str]) -> list[float]:
        scores = score(prefix, continuations)
        ranked = sorted(zip(continuations, scores, strict=True), key=lambda pair: -pair[1])
        if ranked:
            questions.append(Question(prefix, tuple((text, round(value, 6)) for text, value in ranked[:5])))
        return scores

    return ask


class _Episode:
    """The loop, with what it has seen so far."""

    def __init__(
        self,
        env: gymnasium.Env[str, str],
        spec: HarnessSpec,
        harness: Harness,
        policy: Policy,
        max_steps: int,
        questions: list[Question],
        on_start: Callable[[str, str], None] | None,
        on_step: Callable[[StepRecord], None] | None,
        on_decision: Callable[[ModelCall], None] | None,
    ) -> None:
        self.env, self.spec, self.harness, self.policy = env, spec, harness, policy
        self.adaptation = Adaptation(spec.without_variants(), harness)
        self.shadow: Shadow | None = None
        """The same harness without the model, where a model plays."""
        self.questions = questions
        """What processors have asked the model since the last step."""
        self.has_asked = False
        """Whether they asked anything at an earlier step."""
        self.variant: str | None = None
        self.max_steps = max_steps
        self.on_start, self.on_step, self.on_decision = on_start, on_step, on_decision
        self.spent = policy.usage.snapshot()
        self.boundary = "reset"
        self.won = False
        self.strict: bool | None = None
        self.said = self.goal = self.opening = self.env_text = self.system_prompt = ""
        self.slot_lines: tuple[str, ...] = ()
        self.turns: list[Turn] = []
        self.trace: list[StepRecord] = []
        self.steps = self.tool_calls = 0
        self.changed: list[dict[str, Any]] = []
        self.notes: dict[str, dict[str, Any]] = {}

    def play(self, task: TaskSpec, seed: int) -> None:
        """Run from reset to the end."""
        self.opening, info = self.env.reset(seed=seed, options={"task": task.task_id})
        self.env_text = self.opening
        self.said = info["goal"]
        self.goal = self.policy.read_goal(self.said)
        if self.on_start:
            self.on_start(self.said, self.opening)
        self.strict = info.get("success_strict")
        admissible = tuple(info["admissible_commands"])
        self.slot_lines = tuple(info.get("slot_lines") or ())
        self.boundary = "task_start"
        self._route()
        self.start = TaskStart(goal=self.goal, observation=self.opening, candidates=self._candidates(admissible))
        self.system_prompt = self._run(self.start).system_prompt
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
        chosen = self.spec.route(self.goal)
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
        self.boundary = "step_start"
        start = self._run(StepStart(self.steps + 1, left, tuple(self.turns)))
        event = self._run(self._before_model(admissible, left))
        if self.harness.interrupted is not None:
            return admissible, True
        self.boundary = "decide"
        messages, dropped = self._messages(event, start.history)
        decision = self.policy.decide(event, messages)
        self._show(messages)
        self.boundary = "step"
        answer = self._run(AfterModel(decision.response, decision.command, admissible, event.candidates, event.tools))
        tool = self._run(BeforeTool(answer.command, admissible=admissible, steps_left=left))
        if self.harness.interrupted is not None:
            return admissible, True
        is_tool = tool.answer is not None and self.tool_calls < self.max_steps
        first = decision.command if decision.first is None else decision.first
        written = (*admissible, *event.tools)
        by, twin = self._decided_by(event, decision, tool.command if tool.approved else None, messages)
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
            readable=matches(first, written) if decision.is_free else None,
            repaired=not is_read(decision, event) and matches(answer.command, written),
            cut=decision.is_cut,
            finish=decision.finish,
            thought=decision.thought,
            scores=decision.scores,
            focus=asdict(event.focus) if event.focus else None,
            dropped_turns=dropped,
            tool=is_tool,
            variant=self.variant,
        )
        turn = Turn(tool.command, "", _shown_reply(event, decision, tool.command), decision.thought, _said(decision))
        return self._call_tool(step, turn, admissible) if is_tool else self._send(step, turn, tool, admissible)

    def _decided_by(self, event: BeforeModel, decision: Decision, sent: str | None, messages: Sequence[Message]) -> tuple[str, str | None]:
        """Return who decided, and what the twin would have sent."""
        if self.shadow is None:
            return "harness", None
        offer = self.shadow.offer(len(self.harness.failures))
        twin = self.shadow.command(offer, messages) if offer is not None else None
        asked = "now" if self.questions else "before" if self.has_asked else "never"
        return decided_by(event, decision, sent, offer, asked, twin), twin

    def _show(self, messages: list[Message]) -> None:
        """Tell those who watch what the decision was made from."""
        if self.on_decision:
            before, self.spent = self.spent, self.policy.usage.snapshot()
            self.on_decision(ModelCall(tuple(map(uncut, messages)), self.spent - before))

    def _call_tool(self, step: StepRecord, turn: Turn, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Let the harness answer: no step is spent, and the answer goes into the history."""
        self.tool_calls += 1
        shown = self._run(AfterTool(step.command, step.observation, admissible=admissible))
        self.turns.append(replace(turn, observation=shown.observation))
        self._keep(step)
        return admissible, False

    def _send(self, step: StepRecord, turn: Turn, tool: BeforeTool, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Send the command to the environment, unless it is held back: a step is spent."""
        if tool.approved:
            observation, reward, terminated, truncated, info = self.env.step(tool.command)
            self.env_text = observation
        else:
            observation, reward, terminated, truncated = HELD_BACK, 0.0, False, False
            info = {"won": self.won, "success_strict": self.strict, "admissible_commands": admissible, "slot_lines": self.slot_lines}
        self.steps += 1
        self.won, self.strict = bool(info["won"]), info.get("success_strict")
        now = tuple(info["admissible_commands"])
        self.slot_lines = tuple(info.get("slot_lines") or ())
        accepted = tool.approved and matches(tool.command, admissible)
        why = "" if accepted else str(info.get("why") or "")
        shown = self._run(AfterTool(tool.command, observation, accepted, why, now))
        self.turns.append(replace(turn, observation=shown.observation))
        end = StepEnd(self.steps, tool.command, accepted, observation, now, float(reward), self.won, self.goal)
        self.harness.observe(end)
        if self.shadow is not None:
            self.shadow.observe(end)
        self._run(end)
        self._keep(replace(step, accepted=accepted, observation=observation, reward=float(reward)), terminated or truncated)
        return now, terminated or truncated

    def _keep(self, step: StepRecord, is_last: bool = False) -> None:
        """Add a step to the trace, adapt the harness to what it shows, and add what processors did meanwhile."""
        self.trace.append(step)
        left = self.max_steps - self.steps
        goes_on = left and not is_last and self.harness.interrupted is None
        if goes_on and (adapted := self.adaptation.look(self.opening, self.trace, left)):
            step = replace(step, adapted=adapted)
            if self.shadow is not None:
                self.shadow.adapt(self.adaptation.spec)
            # Asked again, so that a prompt that the patch has changed holds from here on.
            self.system_prompt = self._run(self.start).system_prompt
        collected = self.harness.collect()
        step = replace(step, questions=tuple(self.questions), changed=tuple(collected["changed"]), notes=collected.get("notes", {}))
        self.has_asked = self.has_asked or bool(self.questions)
        self.questions.clear()
        self.trace[-1] = step
        if self.on_step:
            self.on_step(self.trace[-1])

    def _before_model(self, admissible: tuple[str, ...], steps_left: int) -> BeforeModel:
        observation = self.turns[-1].observation if self.turns else self._first()
        return BeforeModel(
            goal=self.goal,
            observation=observation,
            admissible=admissible,
            content=observation,
            candidates=self._candidates(admissible),
            prior=(0.0,) * len(admissible),
            tools=self.harness.offers(),
            steps_left=steps_left,
            env_text=self.env_text,
            slot_lines=self.slot_lines,
        )

    def _first(self) -> str:
        return self.opening if self.goal in self.opening else f"Goal: {self.goal}\n\n{self.opening}"

    def _messages(self, event: BeforeModel, history: tuple[Turn, ...]) -> tuple[list[Message], int]:
        """Make the chat; where it does not fit the context, the oldest turns go first. Returns it and the number of turns dropped."""

        def fits(dropped: int) -> bool:
            return self.policy.fits(event, self._chat(event, history[dropped:]))

        dropped = 0
        if history and event.choice.method != "rank" and not fits(0):
            # Fewer turns need less room, so the first number that fits is found by halving.
            dropped = bisect_left(range(len(history)), True, lo=1, key=fits)
        return self._chat(event, history[dropped:]), dropped

    def _chat(self, event: BeforeModel, history: tuple[Turn, ...]) -> list[Message]:
        messages: list[Message] = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        answers: Message = {"role": "user"}
        if history:
            messages.append({"role": "user", "content": self._first() + CUT})
            without = len(history) - event.thoughts
            is_call = acts_by_tool(event) and event.reading.shown == "reply"
            for number, turn in enumerate(history):
                reply, answers = _called(turn, number, event.reading.field) if is_call else _written(turn)
                messages.append(reply | ({"thought": turn.thought} if turn.thought and number >= without else {}))
                if number < len(history) - 1:
                    messages.append({**answers, "content": turn.observation + CUT})
        # Where no history is left to show it, the goal stands before the last observation.
        content = event.content if history or not self.turns else f"Goal: {self.goal}\n\n{event.content}"
        # The cut stands at the same place now and when the message is history: the segments before it stay the same.
        messages.append({**answers, "content": content if CUT in content else content + CUT})
        return messages

    def _candidates(self, admissible: tuple[str, ...]) -> tuple[str, ...]:
        """The commands on offer at first; a free slot of one line is filled with the goal, so that each can be sent as it stands."""
        return tuple(command if command in self.slot_lines else command.replace(SLOT, self.goal) for command in admissible)


def _written(turn: Turn) -> tuple[dict[str, Any], Message]:
    """Return a past turn's message, and the role of what answers it."""
    return {"role": "assistant", "content": turn.reply or turn.command}, {"role": "user"}


def _called(turn: Turn, number: int, field: str) -> tuple[dict[str, Any], Message]:
    """Return a past turn's message as a call of the tool, whatever the model wrote, and what of its answer says that it is one."""
    call_id = f"call{number % 100_000:05d}"  # Some templates want nine letters and digits.
    function = {"name": TOOL_NAME, "arguments": {field: turn.command}}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": turn.said, "tool_calls": [call]}, {"role": "tool", "tool_call_id": call_id, "name": TOOL_NAME}


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
