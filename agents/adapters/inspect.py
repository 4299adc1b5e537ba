"""A task set of homebody as a task of inspect_ai: `inspect eval homebody/play -T env=ID --model MODEL`.

A sample is a task. The solver plays it with a harness of homebody and the model of the evaluation; the scorer says whether it is won.
The one module that imports inspect_ai.
"""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread
from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams
from rich.markup import escape

from homebody.agents.adapters.relay import Ask, Episode, TaskSet
from homebody.agents.errors import AgentError
from homebody.agents.models.tool_call import make_tool_call
from homebody.agents.record import EpisodeRecord
from homebody.envs import ENV_IDS, EnvError

_KEY = "homebody"
"""Where the record of an episode stands in a sample's store."""


@task
def play(
    env: str = ENV_IDS[0],
    split: str = "test",
    n: int | None = None,
    goals: str | None = None,
    max_steps: int = 50,
    harness: str = "generic-react",
    data_dir: str | None = None,
    seed: int = 0,
) -> Task:
    """Play the tasks of a split with a harness. The first epoch plays as the harness says, later ones sample.

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
        PrerequisiteError: One of these is not possible.
    """
    try:
        tasks = TaskSet.load(
            env, split, n=n, goals=goals, max_steps=max_steps, harness=harness, data_dir=data_dir, seed=seed
        )  # fmt: skip
    except (EnvError, AgentError) as error:
        raise PrerequisiteError(escape(str(error))) from None
    samples = [Sample(id=spec.task_id, input=spec.task_id, metadata=spec.to_json()) for spec in tasks.tasks]
    return Task(
        dataset=MemoryDataset(samples, name=f"{env} {split}"),
        solver=play_episode(tasks),
        scorer=won(),
        metadata={"harness": tasks.spec.name, "behaviour_hash": tasks.spec.behaviour_hash},
    )


@solver
def play_episode(tasks: TaskSet) -> Solver:
    """Play the sample's task, in an environment of its own."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        episode = Episode(tasks, tasks.task(str(state.sample_id)), str(model), attempt=state.epoch - 1)
        try:
            told = await anyio.to_thread.run_sync(episode.start, abandon_on_cancel=True)
            while isinstance(told, Ask):
                state.messages = [_message(message) for message in told.messages]
                state.output = await model.generate(state.messages, _tools(told), config=_config(told))
                state.messages.append(state.output.message)
                told = await anyio.to_thread.run_sync(episode.answer, *_reply(state.output), abandon_on_cancel=True)
        finally:
            episode.close()
        state.store.set(_KEY, told.to_json())
        state.completed = True
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def won() -> Scorer:
    """Score whether the episode was won; the metadata say in how many steps, and how many of them the model decided."""

    async def score(state: TaskState, target: Target) -> Score:
        record = EpisodeRecord.from_json(state.store.get(_KEY))
        kept = {"steps": record.steps, "model_share": record.model_share, "trace_hash": record.trace_hash}
        last = record.trace[-1].command if record.trace else ""
        return Score(value=CORRECT if record.won else INCORRECT, answer=last, explanation=record.goal, metadata=kept)

    return score


def _config(ask: Ask) -> GenerateConfig:
    """Return how the harness wants the reply; a server of OpenAI's protocol takes at most four stop strings."""
    wanted = ask.generation
    return GenerateConfig(
        max_tokens=ask.most_tokens,
        temperature=wanted.temperature,
        top_p=wanted.top_p if wanted.top_p < 1 else None,
        top_k=wanted.top_k or None,
        stop_seqs=list(wanted.stop[:4]) or None,
        seed=wanted.seed,
    )


def _tools(ask: Ask) -> list[ToolInfo]:
    """Return the tools of a chat in inspect's form."""
    functions = [tool["function"] for tool in ask.tools]
    return [
        ToolInfo(name=each["name"], description=each["description"], parameters=ToolParams.model_validate(each["parameters"]))
        for each in functions
    ]


def _message(message: dict[str, Any]) -> ChatMessage:
    """Return a message of OpenAI's protocol in inspect's form."""
    text = message["content"]
    match message["role"]:
        case "system":
            return ChatMessageSystem(content=text)
        case "tool":
            return ChatMessageTool(content=text, tool_call_id=message["tool_call_id"], function=message["name"])
        case "assistant":
            content: list[Content] = [ContentText(text=text)]
            if thought := message.get("reasoning_content"):
                content.insert(0, ContentReasoning(reasoning=thought))
            calls = [_call(call) for call in message.get("tool_calls", ())]
            return ChatMessageAssistant(content=content, tool_calls=calls or None)
    return ChatMessageUser(content=text)


def _call(call: dict[str, Any]) -> ToolCall:
    """Return a call of a tool, of an earlier turn, in inspect's form."""
    read = make_tool_call(json.dumps(call["function"]))
    return ToolCall(id=call["id"], function=call["function"]["name"], arguments=dict(read.arguments) if read else {})


def _reply(output: ModelOutput) -> tuple[dict[str, Any], str]:
    """Return a model's output as a message of OpenAI's protocol, and why it ended."""
    if output.empty:
        return {"content": ""}, "stop"
    message = output.message
    parts = message.content if isinstance(message.content, list) else []
    calls = [{"function": {"name": call.function, "arguments": call.arguments}} for call in message.tool_calls or ()]
    thought = "\n".join(part.reasoning for part in parts if isinstance(part, ContentReasoning))
    reason = "length" if output.stop_reason in ("max_tokens", "model_length") else "stop"
    return {"content": message.text, "reasoning_content": thought, "tool_calls": calls}, reason
