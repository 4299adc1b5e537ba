"""A task set of homebody as an environment of verifiers: `verifiers.load_environment("homebody.agents.adapters.verifiers", env=ID)`.

A rollout is an episode that a harness of homebody plays with the model that verifiers samples from; the reward is 1 where it is won.
Each step of a trajectory has the chat that the harness showed at it: a harness may shorten what came before. Sampling (temperature,
most tokens) is left to verifiers. The one module that imports verifiers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import verifiers as vf
from datasets import Dataset
from verifiers.utils.message_utils import normalize_messages

from homebody.agents.adapters.relay import Ask, Episode, TaskSet
from homebody.agents.errors import AgentError
from homebody.agents.record import EpisodeRecord
from homebody.envs import ENV_IDS, EnvError


def load_environment(
    env: str = ENV_IDS[0],
    split: str = "train",
    n: int | None = None,
    goals: str | None = None,
    max_steps: int = 50,
    harness: str = "generic-react",
    data_dir: str | None = None,
    seed: int = 0,
) -> HarnessEnv:
    """Return the environment of a task set.

    Args:
        env: Id of a text planning environment.
        split: train, validation, test, or a name that the environment knows besides.
        n: The first so many tasks; None for all.
        goals: How goals are said, where the environment offers a choice.
        max_steps: Most commands of an episode.
        harness: Name of a harness, or a file. It has to be one in which the model writes; those in the style `-tool` call a tool.
        data_dir: Folder of the environment's data, where it reads any.
        seed: Of whatever is random in the harness.

    Raises:
        EnvError: The environment, its arguments, the split, `n` or `max_steps` is not possible.
        AgentError: The harness or the seed is not possible.
    """
    return HarnessEnv(
        TaskSet.load(env, split, n=n, goals=goals, max_steps=max_steps, harness=harness, data_dir=data_dir, seed=seed)
    )  # fmt: skip


class HarnessEnv(vf.MultiTurnEnv):
    """Plays tasks with a harness. A row of the dataset is a task; its `info` is the task's specification.

    A rollout's state has, at its end, `record`: the episode as JSON, see `homebody.agents.record.EpisodeRecord`.

    Args:
        tasks: What is played, and how.
    """

    def __init__(self, tasks: TaskSet) -> None:
        self._tasks = tasks
        # What the model reads first is the harness's, and is known when the episode begins.
        rows = [{"prompt": [{"role": "user", "content": task.task_id}], "answer": "", "info": task.to_json()} for task in tasks.tasks]
        super().__init__(dataset=Dataset.from_list(rows), rubric=vf.Rubric(funcs=[won, steps], weights=[1.0, 0.0]))

    async def setup_state(self, state: vf.State) -> None:
        """Begin the episode: its first chat is the prompt."""
        state["episode"] = Episode(self._tasks, self._tasks.task(state["info"]["task_id"]), state["model"])
        state["prompt"] = await self._told(state, state["episode"].start)

    async def get_prompt_messages(self, state: vf.State) -> vf.Messages:
        """Return the chat that the harness shows now."""
        return await self.env_response([], state) if state["trajectory"] else state["prompt"]

    async def env_response(self, messages: vf.Messages, state: vf.State, **kwargs: Any) -> vf.Messages:
        """Give the model's last reply to the episode; return the whole chat that follows, or the last observation at the end.

        Args:
            messages: Not read: the harness keeps the history.
            state: Of the rollout.
            **kwargs: Not read.

        Raises:
            vf.InfraError: The episode ended with an error.
        """
        step = state["trajectory"][-1]
        reply = step["completion"][-1].model_dump()
        reply["tool_calls"] = [{"function": call} for call in reply.get("tool_calls") or ()]
        reason = step["response"].message.finish_reason
        return await self._told(state, lambda: state["episode"].answer(reply, reason))

    async def render_completion(self, state: vf.State) -> None:
        """Write the completion as one conversation: the replies, and what the model read last before each later one."""
        trajectory = state["trajectory"]
        state["completion"] = [*trajectory[0]["completion"]] if trajectory else []
        for step in trajectory[1:]:
            state["completion"] += [step["prompt"][-1], *step["completion"]]
        state["completion"] += state["final_env_response"] or []

    @vf.cleanup
    async def end_episode(self, state: vf.State) -> None:
        """End an episode that is not over yet."""
        if "episode" in state:
            state["episode"].close()

    async def _told(self, state: vf.State, go_on: Callable[[], Ask | EpisodeRecord]) -> vf.Messages:
        """Let the episode go on, and return what it says."""
        try:
            told = await asyncio.to_thread(go_on)
        except (EnvError, AgentError) as error:
            raise vf.InfraError(str(error)) from error
        if isinstance(told, Ask):
            state["tool_defs"] = [vf.Tool(**tool["function"]) for tool in told.tools]
            return normalize_messages(list(told.messages), field_name="chat")
        state["record"] = told.to_json()
        last = told.trace[-1].observation if told.trace else told.opening
        state["final_env_response"] = normalize_messages([{"role": "user", "content": last}], field_name="last observation")
        return state["final_env_response"]


def won(state: vf.State) -> float:
    """Return 1 where the episode was won, else 0; 0, too, where an error ended it, which the state names."""
    return float(state.get("record", {}).get("won", False))


def steps(state: vf.State) -> float:
    """Return how many commands were sent."""
    return float(state.get("record", {}).get("steps", 0))
