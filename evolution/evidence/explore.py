"""Model-free play of training tasks: cheap experience, because the simulators are fast.

Reads commands and observations as text. A free slot is filled with the goal, as in an episode, or with its parts once those are known.
Play goes on beyond an environment's step limit, and ends where the environment does. Every step is counted, and the count is reported
with every figure that rests on it.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import gymnasium
import numpy as np

from homebody.agents import wording
from homebody.agents.harness.grammar import SLOT
from homebody.agents.skills.goal_parts import PartsTable, parts_of
from homebody.agents.wording import NUMBERED, Naming
from homebody.envs import TaskSpec


@dataclass(frozen=True)
class Moment:
    """One step of a walk."""

    command: str
    observation: str
    admissible: tuple[str, ...]
    """The admissible commands after the step."""


@dataclass(frozen=True)
class Walk:
    """One training episode played without a model."""

    task: TaskSpec
    goal: str
    opening: tuple[str, ...]
    """The admissible commands at the start."""
    moments: tuple[Moment, ...]
    won: bool
    text: str = ""
    """The observation at the start."""
    slot_lines: tuple[str, ...] = ()
    """The commands at the start whose free slot may hold several lines."""
    has_slots: bool = False
    """Whether a command on offer had a free slot."""

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands that were on offer, in order, without repeats."""
        offered = (self.opening, *(moment.admissible for moment in self.moments))
        return tuple(dict.fromkeys(command for commands in offered for command in commands))

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the environment said, the goal first."""
        return (self.goal, self.text, *(moment.observation for moment in self.moments))


@dataclass
class Explorer:
    """Plays training tasks and counts the steps.

    Args:
        env: the environment.
        seed: of the random choices.
    """

    env: gymnasium.Env[str, str]
    seed: int = 0
    naming: Naming = NUMBERED
    """How instances are named, as far as it is known."""
    parts: PartsTable | None = None
    """What fills a free slot; None: the goal."""
    steps: int = field(default=0, init=False)
    """Steps taken so far, replays included."""
    _actions: Counter[str] = field(default_factory=Counter, init=False)
    """How often commands of each action were taken."""
    _goal: str = field(default="", init=False)
    """Of the task at hand."""
    _text: str = field(default="", init=False)
    """Its first observation."""
    _slot_lines: tuple[str, ...] = field(default=(), init=False)
    _has_slots: bool = field(default=False, init=False)

    def open(self, task: TaskSpec) -> Walk:
        """Begin a task and take no step."""
        return self.play(task, lambda goal, observation, admissible: None, 0)

    def random_walk(self, task: TaskSpec, number: int, length: int) -> Walk:
        """Play at random, in favour of commands new in this episode, of actions that are seldom taken, and of words that stand in the goal.

        Args:
            task: a training task.
            number: tells repeated walks of one task apart.
            length: most steps.
        """
        rng = np.random.Generator(np.random.PCG64([self.seed, number, int(task.hash[:12], 16)]))
        goal, admissible = self._reset(task)
        goal_words = f" {' '.join(wording.words(goal))} "
        opening, done, moments, won, over = admissible, set[str](), list[Moment](), False, False
        while len(moments) < length and admissible and not over:
            sums = list(accumulate(self._interest(command, goal_words, done) for command in admissible))
            command = admissible[bisect(sums, float(rng.random()) * sums[-1])]
            self._actions[self.naming.template(command)[0]] += 1
            observation, admissible, won, over = self._step(command)
            done.add(command)
            moments.append(Moment(command, observation, admissible))
        return Walk(task, goal, opening, tuple(moments), won, self._text, self._slot_lines, self._has_slots)

    def coverage_walk(self, task: TaskSpec, actions: Sequence[str], length: int) -> Walk:
        """Observe everything once: take the commands of the given actions, in random order, what is begun first."""
        rng = np.random.Generator(np.random.PCG64([self.seed, int(task.hash[:12], 16)]))
        goal, admissible = self._reset(task)
        opening, done, moments, won, over = admissible, set[str](), list[Moment](), False, False
        here: tuple[str, ...] = ()
        while len(moments) < length and not over:
            fresh = [c for c in admissible if c not in done and self.naming.template(c)[0] in actions]
            if not fresh:
                break
            begun = [c for c in fresh if here and self.naming.entities(c) == here]
            command = begun[0] if begun else fresh[int(rng.integers(len(fresh)))]
            observation, admissible, won, over = self._step(command)
            here = self.naming.entities(command)
            done.add(command)
            moments.append(Moment(command, observation, admissible))
        return Walk(task, goal, opening, tuple(moments), won, self._text, self._slot_lines, self._has_slots)

    def play(self, task: TaskSpec, choose: Callable[[str, str, tuple[str, ...]], str | None], length: int) -> Walk:
        """Play as someone chooses.

        Args:
            task: a training task.
            choose: given the goal, the last observation (empty at first) and the admissible commands, returns the next command, or None
                to stop.
            length: most steps.
        """
        goal, admissible = self._reset(task)
        opening, observation, moments, won, over = admissible, "", list[Moment](), False, False
        while len(moments) < length and not over:
            command = choose(goal, observation, admissible)
            if command is None:
                break
            observation, admissible, won, over = self._step(command)
            moments.append(Moment(command, observation, admissible))
        return Walk(task, goal, opening, tuple(moments), won, self._text, self._slot_lines, self._has_slots)

    def shorten(self, task: TaskSpec, commands: Sequence[str]) -> list[str] | None:
        """Leave out commands as long as the rest still wins.

        Returns:
            A list from which no single command can be left out, or None if `commands` does not win.
        """
        plan = self._winning_prefix(task, commands)
        if plan is None:
            return None
        size = len(plan) // 2 + 1
        while size:
            length = len(plan)
            for start in range(len(plan) - size, -1, -size):
                shorter = self._winning_prefix(task, plan[:start] + plan[start + size :])
                if shorter is not None:
                    plan = shorter
            # Single commands are tried again until none can go: one may have been needed only because of another.
            size = size // 2 if size > 1 or len(plan) == length else 1
        return plan

    def replay(self, task: TaskSpec, commands: Sequence[str]) -> list[str]:
        """Return what is answered to these commands, up to the end of the episode."""
        self._reset(task)
        answers: list[str] = []
        for command in commands:
            observation, _, _, over = self._step(command)
            answers.append(observation)
            if over:
                break
        return answers

    def _winning_prefix(self, task: TaskSpec, commands: Sequence[str]) -> list[str] | None:
        self._reset(task)
        for number, command in enumerate(commands, 1):
            _, _, won, over = self._step(command)
            if won:
                return list(commands[:number])
            if over:
                break
        return None

    def _reset(self, task: TaskSpec) -> tuple[str, tuple[str, ...]]:
        self._text, info = self.env.reset(seed=0, options={"task": task.task_id})
        self._goal = str(info["goal"])
        self._slot_lines = tuple(info.get("slot_lines", ()))
        self._has_slots = False
        return self._goal, self._admissible(info)

    def _step(self, command: str) -> tuple[str, tuple[str, ...], bool, bool]:
        """Take a step; returns the observation, the admissible commands, whether the task is won and whether the episode is over."""
        observation, _, terminated, _, info = self.env.step(command)
        self.steps += 1
        return observation, self._admissible(info), bool(info["won"]), bool(info["won"]) or terminated

    def _admissible(self, info: Mapping[str, Any]) -> tuple[str, ...]:
        commands = info["admissible_commands"]
        if not any(SLOT in command for command in commands):
            return tuple(commands)
        self._has_slots = True
        parts = parts_of(self._goal, **self.parts) if self.parts else ()
        return tuple(
            command.replace(SLOT, text) for command in commands for text in ((parts or (self._goal,)) if SLOT in command else ("",))
        )

    def _interest(self, command: str, goal_words: str, done: set[str]) -> float:
        seldom = 1 / math.sqrt(1 + self._actions[self.naming.template(command)[0]])
        named = sum(f" {kind} " in goal_words for kind in self.naming.kinds(command))
        return seldom * (1 + 6 * named) * (1 if command in done else 5)
