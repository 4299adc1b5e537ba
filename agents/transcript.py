"""The chat of an episode, as one harness shows it: the goal as it reads it, its system prompt, its turns.

A harness beside another one has a transcript of its own, so that what a model told the one is not shown by the other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from homebody.agents.answer import TOOL_NAME, acts_by_tool
from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel, Reading, TaskStart, Turn
from homebody.agents.models.backend import CUT, Message


class Transcript:
    """What one harness has shown so far.

    Args:
        goal: as the environment says it.
        opening: the first observation.
        admissible: the first admissible commands.
        slot_lines: those of them whose free slot may hold several lines.
        reading: the goal as the policy reads it.
    """

    def __init__(self, goal: str, opening: str, admissible: tuple[str, ...], slot_lines: tuple[str, ...] = (), reading: str = "") -> None:
        self.stated_goal, self.goal = goal, reading or goal
        """The goal as it was said, and as the harness reads it."""
        self.opening = self.env_text = opening
        """The first and the last observation of the environment."""
        self.slot_lines = slot_lines
        """Of the last admissible commands those whose free slot may hold several lines."""
        self.system_prompt = ""
        self.turns: list[Turn] = []
        self.start = TaskStart(self.goal, opening, self._candidates(admissible))
        """The first event of the episode."""

    def begin(self, start: TaskStart) -> None:
        """Go on with what the harness made of the first event."""
        self.goal, self.system_prompt = start.goal, start.system_prompt

    def event(self, admissible: tuple[str, ...], steps_left: int, tools: tuple[str, ...]) -> BeforeModel:
        """Return the event before a decision, as no processor has changed it."""
        observation = self.turns[-1].observation if self.turns else self._first()
        return BeforeModel(
            goal=self.goal,
            observation=observation,
            admissible=admissible,
            content=observation,
            candidates=self._candidates(admissible),
            prior=(0.0,) * len(admissible),
            tools=tools,
            steps_left=steps_left,
            env_text=self.env_text,
            slot_lines=self.slot_lines,
        )

    def fit(self, event: BeforeModel, history: tuple[Turn, ...], fits: Callable[[list[Message]], bool]) -> tuple[list[Message], int]:
        """Make the chat; where it does not fit the context, the oldest turns go first. Returns it and the number of turns dropped."""

        def is_enough(dropped: int) -> bool:
            return fits(self.messages(event, history, dropped))

        dropped = 0
        if history and event.choice.method != "rank" and not is_enough(0):
            # Fewer turns need less room, so the first number that fits is found by halving.
            dropped = bisect_left(range(len(history)), True, lo=1, key=is_enough)
        return self.messages(event, history, dropped), dropped

    def messages(self, event: BeforeModel, history: tuple[Turn, ...], dropped: int = 0) -> list[Message]:
        """Return the chat without its oldest turns; a summary at the beginning is the last to go.

        Args:
            event: what is to be decided.
            history: the turns, as the harness has edited them.
            dropped: number of turns that are left out.
        """
        head = history[:1] if dropped < len(history) and history[0].is_summary else ()
        history = head + history[len(head) + dropped :]
        summary = "".join(f"\n\n{turn.observation}" for turn in history if turn.is_summary)
        turns = [turn for turn in history if not turn.is_summary]
        messages: list[Message] = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        answers: Message = {"role": "user"}
        if turns:
            # The summary is a segment of its own: the one before it stays when it is written anew.
            messages.append({"role": "user", "content": self._first() + CUT + (summary + CUT if summary else "")})
            without = len(turns) - event.thoughts
            is_call = acts_by_tool(event) and event.reading.shown != "command"
            for number, turn in enumerate(turns):
                shown = _brief(turn, event.reading) if event.reading.shown == "last" and number < len(turns) - 1 else turn
                reply, answers = _called(shown, number, event.reading.field) if is_call else _written(shown)
                messages.append(reply | ({"thought": turn.thought} if turn.thought and number >= without else {}))
                if number < len(turns) - 1:
                    messages.append({**answers, "content": turn.observation + CUT})
        # Where no history is left to show it, the goal stands before the last observation.
        content = event.content if turns or not self.turns else f"{self._goal()}{summary}\n\n{event.content}"
        # The cut stands at the same place now and when the message is history: the segments before it stay the same.
        messages.append({**answers, "content": content if CUT in content else content + CUT})
        return messages

    def _first(self) -> str:
        if self.stated_goal in self.opening:
            return self.opening + self._reading()
        return f"{self._goal()}\n\n{self.opening}"

    def _goal(self) -> str:
        return f"Goal: {self.stated_goal}{self._reading()}"

    def _reading(self) -> str:
        return f"\n(that is: {self.goal})" if self.goal != self.stated_goal else ""

    def _candidates(self, admissible: tuple[str, ...]) -> tuple[str, ...]:
        """The commands on offer at first; a free slot of one line is filled with the goal, so that each can be sent as it stands."""
        return tuple(command if command in self.slot_lines else command.replace(SLOT, self.goal) for command in admissible)


def _written(turn: Turn) -> tuple[dict[str, Any], Message]:
    """Return a past turn's message, and the role of what answers it."""
    return {"role": "assistant", "content": turn.reply or turn.command}, {"role": "user"}


def _brief(turn: Turn, reading: Reading) -> Turn:
    """Return a past turn as one in which the model wrote the command alone, with the mark by which it is read."""
    return replace(turn, reply=reading.marked(turn.command) if turn.reply else "", text="")


def _called(turn: Turn, number: int, field: str) -> tuple[dict[str, Any], Message]:
    """Return a past turn's message as a call of the tool, whatever the model wrote, and what of its answer says that it is one."""
    call_id = f"call{number % 100_000:05d}"  # Some templates want nine letters and digits.
    function = {"name": TOOL_NAME, "arguments": {field: turn.command}}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": turn.text, "tool_calls": [call]}, {"role": "tool", "tool_call_id": call_id, "name": TOOL_NAME}
