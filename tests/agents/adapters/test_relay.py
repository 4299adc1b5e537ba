"""Episodes that are played by replies from outside."""

import ast
import copy
import json
import re
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homebody.agents import EpisodeRecord
from homebody.agents.adapters.relay import Ask, Episode, EpisodeFailedError, TaskSet
from homebody.agents.errors import AgentError
from homebody.envs import EnvError

ENV, N = "homebody/Household-v0", 3


def load(**changed: Any) -> TaskSet:
    given: dict[str, Any] = {"n": N, "goals": None, "max_steps": 30, "harness": "generic-react", "data_dir": None, "seed": 0}
    given |= changed
    return TaskSet.load(given.pop("env", ENV), given.pop("split", "test"), **given)


def play(players: ModuleType, episode: Episode, commands: dict[str, list[str]]) -> EpisodeRecord:
    told = episode.start()
    while isinstance(told, Ask):
        told = episode.answer({"content": players.say_next(commands, told.messages[-1]["content"])}, "stop")
    return told


def test_episode_is_the_one_that_homebody_plays(players: ModuleType) -> None:
    tasks, commands = load(), players.expert_commands()
    episodes = [Episode(tasks, task, "script") for task in tasks.tasks]
    # All begin before the first ends: each has an environment of its own.
    told = [episode.start() for episode in episodes]
    records: list[EpisodeRecord] = []
    while told:
        episode, now = episodes.pop(0), told.pop(0)
        if isinstance(now, EpisodeRecord):
            records.append(now)
        else:
            episodes.append(episode)
            told.append(episode.answer({"content": players.say_next(commands, now.messages[-1]["content"])}, "stop"))
    here = players.played_here("generic-react", commands)
    assert all(record.won for record in records)
    assert {record.task_id: record.play_hash for record in records} == {key: record.play_hash for key, record in here.items()}
    assert sorted(record.steps for record in records) == sorted(map(len, commands.values()))


def test_episode_twice_gives_the_same_trace(players: ModuleType) -> None:
    tasks, commands = load(n=1), players.expert_commands()
    hashes = {play(players, Episode(tasks, tasks.tasks[0], "script"), commands).trace_hash for _ in range(2)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "message",
    [{"content": ""}, {"content": None}, {}, {"content": "\x1b[0m nonsense"}, {"content": "x", "tool_calls": [{"function": None}]}],
)
def test_reply_without_a_command_is_no_error(message: dict[str, Any]) -> None:
    tasks = load(n=1, max_steps=2)
    episode = Episode(tasks, tasks.tasks[0], "script")
    told = episode.start()
    while isinstance(told, Ask):
        told = episode.answer(message, "length")
    assert not told.won
    assert told.error is None


def test_tool_call_is_a_command(players: ModuleType) -> None:
    tasks, commands = load(n=1, harness="generic-tool"), players.expert_commands()
    episode = Episode(tasks, tasks.tasks[0], "script")
    told = episode.start()
    while isinstance(told, Ask):
        assert [tool["function"]["name"] for tool in told.tools] == ["act"]
        said = {"command": players.say_next(commands, told.messages[-1]["content"])}
        told = episode.answer({"content": "", "tool_calls": [{"function": {"name": "act", "arguments": said}}]}, "tool_calls")
    assert told.won


def test_closed_episode_ends() -> None:
    tasks = load(n=1)
    episode = Episode(tasks, tasks.tasks[0], "script")
    assert isinstance(episode.start(), Ask)
    episode.close()
    for thread in threading.enumerate():
        if thread.name == f"episode-{tasks.tasks[0].task_id}":
            thread.join(20)
            assert not thread.is_alive()


@pytest.mark.parametrize(("method", "said"), [("score", "score commands"), ("grammar", "hold replies to a grammar")])
def test_harness_that_needs_more_than_replies_is_an_error(method: str, said: str, tmp_path: Path) -> None:
    document = copy.deepcopy(load(n=1).spec.document)
    document["components"]["decide"]["params"] = {"method": method}
    (tmp_path / "mine.json").write_text(json.dumps(document), encoding="utf-8")
    tasks = load(n=1, harness=str(tmp_path / "mine.json"))
    with pytest.raises(EpisodeFailedError, match=rf"{said}.*choose one that writes"):
        Episode(tasks, tasks.tasks[0], "script").start()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"env": "homebody/Nowhere-v0"}, "Nowhere"),
        ({"split": "tset"}, "did you mean test"),
        ({"n": 0}, "0 tasks"),
        ({"n": 10**9}, "at most"),
        ({"goals": "sung"}, "sung"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"max_steps": "many"}, "max_steps='many'"),
        ({"harness": "generic-atc"}, "generic-atc"),
        ({"data_dir": "nowhere"}, "data_dir"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_parameter_is_one_clear_error(changed: dict[str, Any], said: str) -> None:
    with pytest.raises((EnvError, AgentError), match=said) as caught:
        load(**changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("module", "name"), [("inspect", "play"), ("verifiers", "load_environment")])
def test_page_lists_the_parameters(module: str, name: str) -> None:
    # Read, not imported: the other program may not be installed.
    root = Path(__file__).resolve().parents[3]
    source = ast.parse((root / "agents" / "adapters" / f"{module}.py").read_text("utf-8"))
    (function,) = (node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == name)
    listed = re.findall(r"^\| `(\w+)` \|", (root / "docs" / "adapters.md").read_text("utf-8"), re.MULTILINE)
    assert listed == [argument.arg for argument in function.args.args]
