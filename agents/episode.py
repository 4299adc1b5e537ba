"""One episode: an environment, a harness and a policy, from reset to the end, recorded.

A failure inside is data: the record names the boundary that it crossed, and sibling episodes go on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium

from homebody.agents.errors import ModelLostError, is_lost
from homebody.agents.harness.adaptation import Adaptation
from homebody.agents.harness.grammar import SLOT, matches
from homebody.agents.harness.hooks import AfterModel, AfterTool, BeforeModel, BeforeTool, StepEnd, StepStart, TaskEnd, TaskStart, Turn
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec, digest
from homebody.agents.models.backend import CUT, Message, Usage
from homebody.agents.policy import Policy
from homebody.agents.processors.base import Services
from homebody.envs import TaskSpec, held_to_contract
from homebody.envs.text import clean

HELD_BACK = "The command was held back."
"""The observation of a step whose command a processor did not let through to the environment."""


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


@dataclass(frozen=True)
class EpisodeRecord:
    """All that is kept of an episode. JSON through `to_json` and `from_json`."""

    task_id: str
    type: str
    won: bool
    steps: int
    """Steps taken, those of commands that were held back included."""
    seed: int
    attempt: int
    behaviour_hash: str
    policy: str
    opening: str
    """The first observation."""
    goal: str
    trace: list[dict[str, Any]]
    """One object a step: what was on offer, what was answered, what happened, which processors changed what. A call of a tool that the
    harness answers is an object too, with `tool` set, and no step."""
    invalid_actions: int
    """Steps whose command was not among the admissible ones, or was held back."""
    activations: dict[str, int]
    """How often each processor was at work, by `position:name`; zeros included."""
    failures: list[dict[str, str]]
    """Errors inside processors, which were skipped."""
    error: dict[str, str] | None
    """The error that ended the episode early: `boundary`, `kind`, `message`."""
    interrupted: str | None = None
    """The reason that a processor gave for ending the episode."""
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Changes outside of the steps in the trace: at the start, and in a step that did not come to its end."""
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Notes that processors left outside of the steps in the trace, by `position:name`."""
    adaptations: list[dict[str, Any]] = field(default_factory=list)
    """Rules of the harness that were applied: `step` after which, `rule`, `signal`, `patch`, and the `behaviour_hash` from there on."""
    usage: dict[str, float] = field(default_factory=dict)
    """Token counters and seconds; no part of the trace hash, since the cache that serves tokens depends on the order of work."""
    variant: str | None = None
    """Name of the harness's variant that played; None, and not written, where the harness itself did."""
    strict: bool | None = None
    """Whether it was won to the letter, where the environment says so (`info["success_strict"]`); elsewhere None, and not written."""

    @property
    def outcome(self) -> bool | None:
        """Whether it was won; None where an error ended it. An error is counted apart: it is neither a win nor a defeat."""
        return None if self.error is not None else self.won

    @property
    def reward(self) -> float:
        """The sum of the rewards of all steps."""
        return float(sum(step["reward"] for step in self.trace))

    @property
    def trace_hash(self) -> str:
        """SHA-256 of everything but the counters: equal inputs give equal hashes, whatever the number of workers."""
        return digest({key: value for key, value in self._content().items() if key != "usage"})

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready data, with its trace hash."""
        return {**self._content(), "trace_hash": self.trace_hash}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> EpisodeRecord:
        """Read what `to_json` wrote."""
        return cls(**{key: content[key] for key in cls.__dataclass_fields__ if key in content or key not in _WHERE_KNOWN})

    def _content(self) -> dict[str, Any]:
        """Return the fields; one that most episodes have nothing for is left out there, so that it changes no hash of theirs."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return {key: value for key, value in content.items() if key not in _WHERE_KNOWN or value is not None}


_WHERE_KNOWN = ("variant", "strict")
"""Fields of a record that are written only where they have a value."""


MOST_SAID = 2000
"""Characters of an error's message in a record."""


def run_episode(
    env: gymnasium.Env[str, str],
    spec: HarnessSpec,
    policy: Policy,
    task: TaskSpec,
    seed: int = 0,
    *,
    attempt: int = 0,
    max_steps: int = 50,
    on_step: Callable[[dict[str, Any]], None] | None = None,
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
        on_step: called with each step's trace entry.
        on_decision: called with what each decision was made from, before its step.

    Returns:
        The record; if something failed, its `error` says where.

    Raises:
        ModelLostError: the model does not answer any more. That is no failure of this episode: none can be played.
    """
    env = held_to_contract(env)
    harness = Harness(spec, Services(policy.score, policy.count_tokens))
    before = policy.usage.snapshot()
    episode = _Episode(env, spec, harness, policy, max_steps, on_step, on_decision)
    error: dict[str, str] | None = None
    try:
        expert = getattr(env.unwrapped, policy.asks, None) if policy.asks else None
        policy.begin(seed, attempt, expert)
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
        goal=episode.goal,
        trace=episode.trace,
        invalid_actions=sum(not step["accepted"] for step in episode.trace),
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


class _Episode:
    """The loop, with what it has seen so far."""

    def __init__(
        self,
        env: gymnasium.Env[str, str],
        spec: HarnessSpec,
        harness: Harness,
        policy: Policy,
        max_steps: int,
        on_step: Callable[[dict[str, Any]], None] | None,
        on_decision: Callable[[ModelCall], None] | None,
    ) -> None:
        self.env, self.spec, self.harness, self.policy = env, spec, harness, policy
        self.adaptation = Adaptation(spec.without_variants(), harness)
        self.variant: str | None = None
        self.max_steps, self.on_step, self.on_decision = max_steps, on_step, on_decision
        self.spent = policy.usage.snapshot()
        self.boundary = "reset"
        self.won = False
        self.strict: bool | None = None
        self.goal = self.opening = self.system_prompt = ""
        self.turns: list[Turn] = []
        self.trace: list[dict[str, Any]] = []
        self.steps = self.tool_calls = 0
        self.changed: list[dict[str, Any]] = []
        self.notes: dict[str, dict[str, Any]] = {}

    def play(self, task: TaskSpec, seed: int) -> None:
        """Run from reset to the end."""
        self.opening, info = self.env.reset(seed=seed, options={"task": task.task_id})
        self.goal = info["goal"]
        self.strict = info.get("success_strict")
        admissible = tuple(info["admissible_commands"])
        self.boundary = "task_start"
        self._route()
        self.start = TaskStart(goal=self.goal, observation=self.opening, candidates=self._candidates(admissible))
        self.system_prompt = self.harness.run(self.start).system_prompt
        self.keep_rest()
        done = False
        while not done and self.steps < self.max_steps and self.harness.interrupted is None:
            admissible, done = self._step(admissible)
        self.boundary = "task_end"
        self.harness.run(TaskEnd(won=self.won, steps=self.steps))

    def _route(self) -> None:
        """Go on with the variant that is for this goal, if there is one."""
        chosen = self.spec.route(self.goal)
        if chosen is not None:
            spec = self.spec.variant(chosen)
            self.harness.adapt(spec)
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
        start = self.harness.run(StepStart(self.steps + 1, left, tuple(self.turns)))
        event = self.harness.run(self._before_model(admissible, left))
        if self.harness.interrupted is not None:
            return admissible, True
        self.boundary = "decide"
        messages, dropped = self._messages(event, start.history)
        decision = self.policy.decide(event, messages)
        self._show(messages)
        self.boundary = "step"
        answer = self.harness.run(AfterModel(decision.response, decision.command, admissible, event.candidates, event.tools))
        tool = self.harness.run(BeforeTool(answer.command, admissible=admissible, steps_left=left))
        if self.harness.interrupted is not None:
            return admissible, True
        is_tool = tool.answer is not None and self.tool_calls < self.max_steps
        entry = {
            "step": self.steps + 1,
            "admissible": len(admissible),
            "offered": len(event.candidates),
            "method": event.how.method,
            "focus": asdict(event.focus) if event.focus else None,
            "scores": [list(pair) for pair in decision.scores],
            "response": decision.response,
            "usable": is_tool or matches(decision.command, admissible),
            "command": tool.command,
            "dropped_turns": dropped,
        } | ({"variant": self.variant} if self.variant else {})
        return self._call_tool(entry, tool, admissible) if is_tool else self._send(entry, tool, admissible)

    def _show(self, messages: list[Message]) -> None:
        """Tell those who watch what the decision was made from."""
        if self.on_decision:
            before, self.spent = self.spent, self.policy.usage.snapshot()
            self.on_decision(ModelCall(tuple({**m, "content": m["content"].replace(CUT, "")} for m in messages), self.spent - before))

    def _call_tool(self, entry: dict[str, Any], tool: BeforeTool, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Let the harness answer: no step is spent, and the answer goes into the history."""
        self.tool_calls += 1
        answer = tool.answer or ""
        shown = self.harness.run(AfterTool(tool.command, answer, admissible=admissible))
        self.turns.append(Turn(tool.command, shown.observation))
        self._write(entry | {"tool": True, "accepted": True, "observation": answer, "reward": 0.0})
        return admissible, False

    def _send(self, entry: dict[str, Any], tool: BeforeTool, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Send the command to the environment, unless it is held back: a step is spent."""
        if tool.approved:
            observation, reward, terminated, truncated, info = self.env.step(tool.command)
        else:
            observation, reward, terminated, truncated = HELD_BACK, 0.0, False, False
            info = {"won": self.won, "success_strict": self.strict, "admissible_commands": admissible}
        self.steps += 1
        self.won, self.strict = bool(info["won"]), info.get("success_strict")
        now = tuple(info["admissible_commands"])
        accepted = tool.approved and matches(tool.command, admissible)
        why = "" if accepted else str(info.get("why") or "")
        shown = self.harness.run(AfterTool(tool.command, observation, accepted, why, now))
        self.turns.append(Turn(tool.command, shown.observation))
        step = StepEnd(self.steps, tool.command, accepted, observation, now, float(reward), self.won, self.goal)
        self.harness.observe(step)
        self.harness.run(step)
        self._write(entry | {"accepted": accepted, "observation": observation, "reward": float(reward)}, terminated or truncated)
        return now, terminated or truncated

    def _write(self, entry: dict[str, Any], is_last: bool = False) -> None:
        """Add an entry to the trace, adapt the harness to what it shows, and add what processors did meanwhile."""
        self.trace.append(entry)
        left = self.max_steps - self.steps
        goes_on = left and not is_last and self.harness.interrupted is None
        if goes_on and (adapted := self.adaptation.look(self.opening, self.trace, left)):
            entry["adapted"] = adapted
            # Asked again, so that a prompt that the patch has changed holds from here on.
            self.system_prompt = self.harness.run(self.start).system_prompt
        entry |= self.harness.collect()
        if self.on_step:
            self.on_step(entry)

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
        )

    def _first(self) -> str:
        return self.opening if self.goal in self.opening else f"Goal: {self.goal}\n\n{self.opening}"

    def _messages(self, event: BeforeModel, history: tuple[Turn, ...]) -> tuple[list[Message], int]:
        """Make the chat; where it does not fit the context, the oldest turns go first. Returns it and the number of turns dropped."""

        def fits(dropped: int) -> bool:
            return self.policy.fits(event, self._chat(event, history[dropped:]))

        dropped = 0
        if history and event.how.method != "rank" and not fits(0):
            # Fewer turns need less room, so the first number that fits is found by halving.
            dropped = bisect_left(range(len(history)), True, lo=1, key=fits)
        return self._chat(event, history[dropped:]), dropped

    def _chat(self, event: BeforeModel, history: tuple[Turn, ...]) -> list[Message]:
        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        if history:
            messages.append({"role": "user", "content": self._first() + CUT})
            for turn in history[:-1]:
                messages += [{"role": "assistant", "content": turn.command}, {"role": "user", "content": turn.observation + CUT}]
            messages.append({"role": "assistant", "content": history[-1].command})
        # Where no history is left to show it, the goal stands before the last observation.
        content = event.content if history or not self.turns else f"Goal: {self.goal}\n\n{event.content}"
        # The cut stands at the same place now and when the message is history: the segments before it stay the same.
        messages.append({"role": "user", "content": content if CUT in content else content + CUT})
        return list(messages)

    def _candidates(self, admissible: tuple[str, ...]) -> tuple[str, ...]:
        """The commands on offer at first; a free slot is filled with the goal, so that each can be sent as it stands."""
        return tuple(command.replace(SLOT, self.goal) for command in admissible)
