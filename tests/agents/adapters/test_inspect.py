"""A task set as a task of inspect_ai, played by inspect's mock model."""

import gc
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason='needs inspect_ai: pip install "homebody[inspect]"')

from homebody.agents.adapters import inspect as adapter  # noqa: E402

ENV, N = "homebody/Household-v0", 3
pytestmark = pytest.mark.filterwarnings("ignore")  # of inspect_ai and what it brings along


@pytest.fixture(autouse=True)
def _streams_are_collected() -> Iterator[None]:
    """Collect the streams that inspect_ai leaves open here, where its warnings are ignored, and not after the last test."""
    yield
    gc.collect()


def evaluate(task: Any, replies: Any, folder: Path, **settings: Any) -> Any:
    """Return the log of an evaluation in which the mock model says what `replies(chat text)` gives."""
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    def output(chat: list[Any], tools: list[Any], choice: Any, config: Any) -> ModelOutput:
        said = replies(chat[-1].text)
        if tools:
            assert [tool.name for tool in tools] == ["act"]
            given = ModelOutput.for_tool_call("mockllm", "act", {"command": said})
        else:
            given = ModelOutput.from_content("mockllm", f"Thought: as the expert says.\nAction: {said}")
        given.usage = ModelUsage()  # without it the mock model counts tokens, with a file that it fetches
        return given

    model = get_model("mockllm/model", custom_outputs=output, memoize=False)
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(folder), display="none", max_samples=N, **settings)
    assert log.status == "success", log.error
    return log


@pytest.mark.parametrize("harness", ["generic-react", "generic-tool"])
def test_expert_wins_every_sample(players: ModuleType, harness: str, tmp_path: Path) -> None:
    commands = players.expert_commands()
    task = adapter.play(env=ENV, n=N, max_steps=players.MAX_STEPS, harness=harness)
    log = evaluate(task, lambda chat: players.say_next(commands, chat), tmp_path)
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    steps = {sample.id: sample.scores["won"].metadata["steps"] for sample in log.samples}
    assert steps == dict(zip([sample.id for sample in task.dataset], map(len, commands.values()), strict=True))


def test_samples_are_the_episodes_of_homebody(players: ModuleType, tmp_path: Path) -> None:
    from homebody.agents import EpisodeRecord

    commands = players.expert_commands()
    log = evaluate(adapter.play(env=ENV, n=N, max_steps=players.MAX_STEPS), lambda chat: players.say_next(commands, chat), tmp_path)
    said = {goal: [f"Thought: as the expert says.\nAction: {command}" for command in sent] for goal, sent in commands.items()}
    here = players.played_here("generic-react", said)
    records = {sample.id: EpisodeRecord.from_json(sample.store["homebody"]) for sample in log.samples}
    assert {key: record.play_hash for key, record in records.items()} == {key: record.play_hash for key, record in here.items()}


def test_model_that_says_nothing_wins_nothing(tmp_path: Path) -> None:
    log = evaluate(adapter.play(env=ENV, n=2, max_steps=3), lambda chat: "", tmp_path)
    assert log.results.scores[0].metrics["accuracy"].value == 0.0


def test_bad_parameter_is_one_clear_error() -> None:
    from inspect_ai._util.error import PrerequisiteError

    with pytest.raises(PrerequisiteError) as caught:
        adapter.play(env=ENV, split="tset")
    assert "did you mean test" in str(caught.value.message)


def test_inspect_finds_the_task_by_name() -> None:
    root = Path(__file__).resolve().parents[3]
    points = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["inspect_ai"]
    assert points == {"homebody": adapter.__name__}
    from inspect_ai._util.registry import registry_info

    assert registry_info(adapter.play).name == "homebody/play"
