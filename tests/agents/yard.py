"""A small text environment with words of its own, and makers of events in its words.

Docks and the vat lie open, sheds must be unlocked. One thing is carried at a time. The agent begins beside no place.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from copy import deepcopy
from typing import Any

import gymnasium
from gymnasium.spaces import Text

from homebody.agents.harness.hooks import BeforeModel, CurrentSubgoal, StepEnd
from homebody.envs import TaskSpec

CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:{}'\n"
PLACES = ("dock 1", "dock 2", "shed 1", "shed 2", "vat 1")
TASKS = {
    "one": ("put a crate on a dock", {"crate 1": "shed 2", "barrel 1": "shed 1"}),
    "tar": ("put a tarred crate on a dock", {"crate 1": "shed 1", "barrel 1": "dock 1"}),
    "two": ("put two crate on a dock", {"crate 1": "shed 1", "crate 2": "vat 1"}),
}

WALKS = tuple(f"walk to {place}" for place in PLACES)
EXPLORE = ["walk to #", "unlock #"]
ONE = {
    "goal": "put a {0} on a {1}",
    "steps": [{"action": "lift # off #", "args": ["{0}=a", "*=b"]}, {"action": "drop # on #", "args": ["{0}=a", "{1}=c"]}],
}
TAR = {
    "goal": "put a tarred {0} on a {1}",
    "steps": [ONE["steps"][0], {"action": "tar # with #", "args": ["{0}=a", "vat=d"]}, ONE["steps"][1]],
}
TWO = {
    "goal": "put two {0} on a {1}",
    "steps": [
        *ONE["steps"],
        {"action": "lift # off #", "args": ["{0}=e", "*=f"]},
        {"action": "drop # on #", "args": ["{0}=e", "{1}=c"]},
    ],
}


class Yard(gymnasium.Env[str, str]):
    """Crates to be put on docks.

    Args:
        tells_goal: whether the first observation says what the goal is.
        radio: whether there is a command with a free slot.
        raises_at: the step (0: the reset) that raises an error.
        dies: whether the process is killed at the reset.
    """

    def __init__(self, *, tells_goal: bool = True, radio: bool = False, raises_at: int | None = None, dies: bool = False) -> None:
        self.observation_space = Text(1000, min_length=0, charset=CHARS)
        self.action_space = Text(100, min_length=0, charset=CHARS)
        self.tells_goal, self.radio, self.raises_at, self.dies = tells_goal, radio, raises_at, dies
        self.sent: list[str] = []
        self.closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        self.task = (options or {}).get("task", "one")
        self.goal, where = TASKS[self.task]
        self.where = dict(where)
        self.here, self.held, self.shut, self.tarred = "", "", {"shed 1", "shed 2"}, set[str]()
        self.sent = []
        if self.raises_at == 0:
            raise RuntimeError("the yard is flooded")
        opening = f"A yard with {', '.join(PLACES)}."
        return (f"{opening} Your task: {self.goal}." if self.tells_goal else opening), self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.sent.append(action)
        if len(self.sent) == self.raises_at:
            raise RuntimeError("the yard is flooded")
        observation = self.do(action)
        return observation, float(self.won), self.won, False, self.info()

    def close(self) -> None:
        self.closed = True

    def do(self, action: str) -> str:
        if self.radio and action.startswith("call "):
            return "A voice answers."
        if action not in self.commands():
            return "Nothing moves."
        verb, *words = action.split()
        target = " ".join(words[-2:])
        match verb:
            case "walk":
                self.here = target
                return f"You walk to {self.here}. {self.look()}"
            case "unlock":
                self.shut.remove(self.here)
                return f"You unlock {self.here}. {self.look()}"
            case "lift":
                self.held = " ".join(words[:2])
                self.where[self.held] = ""
            case "drop":
                self.where[self.held], self.held = self.here, ""
            case "tar":
                self.tarred.add(self.held)
            case "wait":
                return "You wait."
        return f"You {action}."

    def look(self) -> str:
        if self.here in self.shut:
            return "It is locked."
        things = sorted(thing for thing, place in self.where.items() if place == self.here)
        return f"You see {', '.join(things) or 'nothing'}."

    def commands(self) -> list[str]:
        found = ["wait", *(f"walk to {place}" for place in PLACES if place != self.here)]
        if self.here in self.shut:
            found.append(f"unlock {self.here}")
        elif self.here and self.held:
            found.append(f"drop {self.held} on {self.here}")
            if self.here == "vat 1":
                found.append(f"tar {self.held} with vat 1")
        elif self.here:
            found += [f"lift {thing} off {self.here}" for thing, place in self.where.items() if place == self.here]
        return sorted([*found, "call {text}"] if self.radio else found)

    @property
    def won(self) -> bool:
        on_docks = [(thing, place) for thing, place in self.where.items() if thing.startswith("crate") and place.startswith("dock")]
        if self.task == "two":
            return len(on_docks) == 2 and on_docks[0][1] == on_docks[1][1]
        return any(self.task != "tar" or thing in self.tarred for thing, _ in on_docks)

    def info(self) -> dict[str, Any]:
        return {"goal": self.goal, "admissible_commands": self.commands(), "won": self.won, "task_id": self.task}

    def expert(self) -> list[str]:
        """Return a shortest plan, by breadth-first search."""
        queue, met = deque([(deepcopy(self), [])]), set()
        while True:
            yard, plan = queue.popleft()
            if yard.won:
                return plan
            key = (yard.here, yard.held, tuple(yard.where.values()), tuple(sorted(yard.shut)), tuple(sorted(yard.tarred)))
            if key not in met:
                met.add(key)
                for command in yard.commands():
                    later = deepcopy(yard)
                    later.do(command)
                    queue.append((later, [*plan, command]))


if "Yard-v0" not in gymnasium.registry:
    gymnasium.register("Yard-v0", entry_point=Yard, disable_env_checker=True)


def task(task_id: str = "one") -> TaskSpec:
    return TaskSpec(task_id, f"type of {task_id}", "train")


def ask(candidates: tuple[str, ...], *, goal: str = TASKS["one"][0], subgoal: tuple[str, str] | None = None, **fields: Any) -> BeforeModel:
    """A `before_model` event, with no prior unless given; `subgoal` as (phase, wanted)."""
    given = {"observation": "A yard.", "content": "A yard.", "admissible": candidates, "prior": (0.0,) * len(candidates)}
    return BeforeModel(goal=goal, candidates=candidates, subgoal=CurrentSubgoal(*subgoal) if subgoal else None, **{**given, **fields})


def told(command: str, observation: str = "", admissible: tuple[str, ...] = (), *, accepted: bool = True) -> StepEnd:
    """A finished step."""
    return StepEnd(1, command, accepted, observation, admissible)
