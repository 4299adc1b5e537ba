"""One episode: an environment, a harness and a decider, from reset to the end, recorded.

A failure inside is data: the record names the boundary that it crossed, and sibling episodes go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium

from homebody.agents.backend import CUT, Message
from homebody.agents.decider import Decider
from homebody.agents.harness import Harness
from homebody.agents.hooks import AfterModel, AfterTool, BeforeModel, BeforeTool, StepEnd, StepStart, TaskEnd, TaskStart, Turn
from homebody.agents.spec import HarnessSpec, digest
from homebody.envs import TaskSpec


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
    decider: str
    opening: str
    """The first observation."""
    goal: str
    trace: list[dict[str, Any]]
    """One object a step: what was on offer, what was answered, what happened, which processors changed what."""
    invalid_actions: int
    """Steps whose command was not among the admissible ones, or was held back."""
    activations: dict[str, int]
    """Changes made by each processor, by `position:name`."""
    failures: list[dict[str, str]]
    """Errors inside processors, which were skipped."""
    error: dict[str, str] | None
    """The error that ended the episode early: `boundary`, `kind`, `message`."""
    usage: dict[str, float] = field(default_factory=dict)
    """Token counters and seconds; no part of the trace hash, since the cache that serves tokens depends on the order of work."""

    @property
    def trace_hash(self) -> str:
        """SHA-256 of everything but the counters: equal inputs give equal hashes, whatever the number of workers."""
        return digest({key: getattr(self, key) for key in self.__dataclass_fields__ if key != "usage"})

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready data, with its trace hash."""
        return {**{key: getattr(self, key) for key in self.__dataclass_fields__}, "trace_hash": self.trace_hash}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> EpisodeRecord:
        """Read what `to_json` wrote."""
        return cls(**{key: content[key] for key in cls.__dataclass_fields__})


def run_episode(
    env: gymnasium.Env[str, str],
    spec: HarnessSpec,
    decider: Decider,
    task: TaskSpec,
    seed: int = 0,
    *,
    attempt: int = 0,
    max_steps: int = 50,
    on_step: Callable[[dict[str, Any]], None] | None = None,
) -> EpisodeRecord:
    """Play one task.

    Args:
        env: a text planning environment (see `homebody.envs.check_env`).
        spec: the harness.
        decider: who chooses; `begin` is called here.
        task: what to play.
        seed: of whatever is random in the decider.
        attempt: 0 for the greedy first try; later tries sample.
        max_steps: most commands sent to the environment, at least 1.
        on_step: called with each step's trace entry.

    Returns:
        The record; if something failed, its `error` says where.
    """
    harness = Harness(spec, decider.score)
    before = decider.usage.snapshot()
    episode = _Episode(env, harness, decider, max_steps, on_step)
    error: dict[str, str] | None = None
    try:
        expert = getattr(env.unwrapped, "expert", None)
        decider.begin(seed, attempt, expert)
        episode.play(task, seed)
    except Exception as failure:
        error = {"boundary": episode.boundary, "kind": type(failure).__name__, "message": str(failure)}
    return EpisodeRecord(
        task_id=task.task_id,
        type=task.type,
        won=episode.won,
        steps=len(episode.trace),
        seed=seed,
        attempt=attempt,
        behaviour_hash=spec.behaviour_hash,
        decider=decider.name,
        opening=episode.opening,
        goal=episode.goal,
        trace=episode.trace,
        invalid_actions=sum(not step["accepted"] for step in episode.trace),
        activations=dict(sorted(harness.activations.items())),
        failures=harness.failures,
        error=error,
        usage=asdict(decider.usage - before),
    )


class _Episode:
    """The loop, with what it has seen so far."""

    def __init__(
        self,
        env: gymnasium.Env[str, str],
        harness: Harness,
        decider: Decider,
        max_steps: int,
        on_step: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self.env, self.harness, self.decider, self.max_steps, self.on_step = env, harness, decider, max_steps, on_step
        self.boundary = "reset"
        self.won = False
        self.goal = self.opening = self.system_prompt = ""
        self.turns: list[Turn] = []
        self.trace: list[dict[str, Any]] = []

    def play(self, task: TaskSpec, seed: int) -> None:
        """Run from reset to the end."""
        self.opening, info = self.env.reset(seed=seed, options={"task": task.task_id})
        self.goal = info["goal"]
        admissible = self._admissible(info)
        start, _ = self.harness.run(TaskStart(goal=self.goal, observation=self.opening, menu=admissible))
        self.system_prompt = start.system_prompt
        done = False
        while not done and len(self.trace) < self.max_steps:
            admissible, done = self._step(admissible)
        self.boundary = "task_end"
        self.harness.run(TaskEnd(won=self.won, steps=len(self.trace)))

    def _step(self, admissible: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        number = len(self.trace) + 1
        self.boundary = "step_start"
        start, changed = self.harness.run(StepStart(number, self.max_steps - len(self.trace), tuple(self.turns)))
        event, more = self.harness.run(self._before_model(admissible))
        self.boundary = "decide"
        messages, dropped = self._messages(event, start.history)
        decision = self.decider.decide(event, messages)
        self.boundary = "step"
        answer, after = self.harness.run(AfterModel(decision.response, decision.command, admissible))
        tool, last = self.harness.run(BeforeTool(answer.command))
        observation, reward, ended, info = self._send(tool, admissible)
        shown, end = self.harness.run(AfterTool(tool.command, observation))
        self.turns.append(Turn(tool.command, shown.observation))
        self.won = bool(info["won"])
        now = self._admissible(info)
        accepted = tool.approved and tool.command in admissible
        step = StepEnd(number, tool.command, accepted, observation, now)
        self.harness.observe(step)
        self.harness.run(step)
        entry = {
            "step": number,
            "admissible": len(admissible),
            "offered": len(event.menu),
            "method": event.method,
            "focus": asdict(event.focus) if event.focus else None,
            "scores": [list(pair) for pair in decision.scores],
            "response": decision.response,
            "command": tool.command,
            "accepted": accepted,
            "observation": observation,
            "reward": float(reward),
            "changed": changed + more + after + last + end,
            "dropped_turns": dropped,
        }
        self.trace.append(entry)
        if self.on_step:
            self.on_step(entry)
        return now, ended

    def _before_model(self, admissible: tuple[str, ...]) -> BeforeModel:
        observation = self.turns[-1].observation if self.turns else self._first()
        return BeforeModel(
            goal=self.goal,
            observation=observation,
            admissible=admissible,
            content=observation,
            menu=admissible,
            bias=(0.0,) * len(admissible),
        )

    def _first(self) -> str:
        return self.opening if self.goal in self.opening else f"Goal: {self.goal}\n\n{self.opening}"

    def _messages(self, event: BeforeModel, history: tuple[Turn, ...]) -> tuple[list[Message], int]:
        """Make the chat; where it does not fit the context, the oldest turns go first. Returns it and the number of turns dropped."""
        dropped = 0
        while True:
            messages = self._chat(event, history[dropped:])
            if dropped >= len(history) or event.method == "rank" or self.decider.fits(messages):
                return messages, dropped
            dropped += 1

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

    def _send(self, tool: BeforeTool, admissible: tuple[str, ...]) -> tuple[str, float, bool, dict[str, Any]]:
        if not tool.approved:
            return "The command was held back.", 0.0, False, {"won": self.won, "admissible_commands": admissible}
        observation, reward, terminated, truncated, info = self.env.step(tool.command)
        return observation, float(reward), terminated or truncated, info

    def _admissible(self, info: dict[str, Any]) -> tuple[str, ...]:
        """The admissible commands; a free slot is filled with the goal, so that every command on a menu can be sent as it stands."""
        return tuple(command.replace("{text}", self.goal) for command in info["admissible_commands"])
