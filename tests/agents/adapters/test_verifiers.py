"""A task set as an environment of verifiers, played by a client that speaks from a script."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

vf = pytest.importorskip("verifiers", reason='needs verifiers: pip install "homebody[verifiers]"')
pytest.importorskip("verifiers.legacy", reason="this verifiers has no MultiTurnEnv: homebody[verifiers] installs 0.3")

ENV, N = "homebody/Household-v0", 3
pytestmark = pytest.mark.filterwarnings("ignore")  # of verifiers and what it brings along
MODULE = "homebody.agents.adapters.verifiers"


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Take back the answers to signals that an environment of verifiers sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def make_client(replies: Callable[[str], str]) -> Any:
    """Return a client that says what `replies(chat text)` gives; by a call where it is offered a tool."""
    from verifiers.types import Response, ResponseMessage, ToolCall

    class Script(vf.Client):  # type: ignore[misc, name-defined]
        def setup_client(self, config: Any) -> Any:
            return None

        async def to_native_tool(self, tool: Any) -> Any:
            return tool

        async def to_native_prompt(self, messages: Any) -> Any:
            return messages, {}

        async def get_native_response(self, prompt: Any, model: str, sampling_args: Any, tools: Any = None, **_: Any) -> Any:
            said = replies(prompt[-1].content)
            call = [ToolCall(id="1", name="act", arguments=f'{{"command": "{said}"}}')] if tools else None
            text = "" if tools else f"Thought: as the expert says.\nAction: {said}"
            message = ResponseMessage(content=text, tool_calls=call, finish_reason="stop", is_truncated=False)
            return Response(id="1", created=0, model=model, message=message)

        async def raise_from_native_response(self, response: Any) -> None: ...

        async def from_native_response(self, response: Any) -> Any:
            return response

        async def close(self) -> None: ...

    return Script(None)


def evaluate(environment: Any, replies: Callable[[str], str]) -> list[Any]:
    """Return the outputs of one rollout of each task, all at once."""
    settings = {"model": "script", "state_columns": ["record"], "on_progress": []}
    done = asyncio.run(environment.evaluate(make_client(replies), max_concurrent=N, **settings))
    return sorted(done["outputs"], key=lambda output: output["example_id"])


@pytest.mark.parametrize("harness", ["generic-react", "generic-tool"])
def test_expert_wins_every_rollout(players: ModuleType, harness: str) -> None:
    commands = players.expert_commands()
    environment = vf.load_environment(MODULE, env=ENV, split="test", n=N, max_steps=players.MAX_STEPS, harness=harness)
    outputs = evaluate(environment, lambda chat: players.say_next(commands, chat))
    assert [(output["error"], output["reward"]) for output in outputs] == [(None, 1.0)] * N
    assert [output["metrics"]["steps"] for output in outputs] == list(map(len, commands.values()))
    # A reply a step, what was read before each but the first, and what came of the last.
    assert [len(output["completion"]) for output in outputs] == [2 * len(sent) for sent in commands.values()]


def test_rollouts_are_the_episodes_of_homebody(players: ModuleType) -> None:
    from homebody.agents import EpisodeRecord

    commands = players.expert_commands()
    environment = vf.load_environment(MODULE, env=ENV, split="test", n=N, max_steps=players.MAX_STEPS)
    records = [EpisodeRecord.from_json(output["record"]) for output in evaluate(environment, lambda chat: players.say_next(commands, chat))]
    said = {goal: [f"Thought: as the expert says.\nAction: {command}" for command in sent] for goal, sent in commands.items()}
    here = players.played_here("generic-react", said)
    assert {record.task_id: record.play_hash for record in records} == {key: record.play_hash for key, record in here.items()}


def test_model_that_says_nothing_wins_nothing() -> None:
    outputs = evaluate(vf.load_environment(MODULE, env=ENV, n=2, max_steps=3), lambda chat: "")
    assert [output["reward"] for output in outputs] == [0.0, 0.0]


def test_bad_parameter_is_one_clear_error() -> None:
    with pytest.raises(RuntimeError, match="did you mean train"):
        vf.load_environment(MODULE, env=ENV, split="trian")
