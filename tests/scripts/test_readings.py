"""`homebody household readings`: who reads how many goals right, and what a model is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import RolloutConfig
from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseSource
from homebody.scripts.readings import read_goals, reading_harness

Homebody = Callable[..., Any]
PLAIN = (
    "put a {} in {}",
    "look at {} under the {}",
    "put a clean {} in {}",
    "put a hot {} in {}",
    "put a cool {} in {}",
    "put two {} in {}",
)
"""In the order of the kinds of goal."""


def answered(monkeypatch: pytest.MonkeyPatch, *replies: str) -> tuple[Scripted, dict[str, Any]]:
    """Let a model that gives these answers read as many validation goals."""
    model = Scripted(replies)
    monkeypatch.setattr(RolloutConfig, "make_policy", lambda self: ModelPolicy(model))
    rollout = RolloutConfig("homebody/Household-v0", "scripted", 15, {"goals": "said"})
    return model, read_goals(rollout, "validation", len(replies), lambda *told: None)


def right(n: int) -> list[str]:
    """Return the plain sentences of the first validation goals."""
    source = HouseSource()
    goals = [source.load(task.task_id).goal for task in source.tasks("validation", n)]
    return [PLAIN[goal.kind].format(goal.object.lower(), goal.target.lower()) for goal in goals]


def test_right_readings_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    _, all_right = answered(monkeypatch, *right(6))
    assert (all_right["n"], all_right["right"]) == (6, 1.0)
    assert all_right["parts"] == {"kind": 1.0, "object": 1.0, "target": 1.0}
    assert {row["n"] for row in all_right["by_type"].values()} == {1}
    second = right(2)[1]
    _, half = answered(monkeypatch, second, second)
    assert half["right"] == 0.5
    assert [one["right"] for one in half["readings"]] == [False, True]
    # Wilson's interval of 1 of 2, by R's binom.confint(1, 2, methods = "wilson").
    assert half["ci95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)


@pytest.mark.parametrize("reply", ["", "no idea", "put a zzz in zzz", "put a mug in mug", "x" * 4000, "\x00\ud800", "clean the mug"])
def test_an_answer_that_is_no_reading_is_a_wrong_one(monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    _, result = answered(monkeypatch, reply)
    assert result["right"] == 0.0
    assert result["readings"][0]["reading"] == result["readings"][0]["said"]


def test_model_is_asked_once_with_six_training_goals_under_the_grammar_of_plain_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    model, result = answered(monkeypatch, *right(2))
    assert len(model.calls) == 2
    call = model.calls[0]
    said = [message["content"] for message in call.messages if message["role"] == "user"]
    source = HouseSource(goals="said")
    assert set(said[:-1]) == {source.load(task.task_id).task for task in source.tasks("train", 6)}
    assert said[-1] == result["readings"][0]["said"]
    grammar = call.generation.grammar
    opening = source.load(result["readings"][0]["task_id"])
    present = {receptacle.type.lower() for receptacle in opening.receptacles}
    assert all(f'"{name}"' in grammar for name in ("mug", "desklamp", *present))
    assert '"bathtubbasin"' not in grammar or "bathtubbasin" in present
    assert opening.goal.object.lower() in grammar


def test_the_harness_that_asks_names_no_goal_of_another_split() -> None:
    examples = reading_harness().components["read"]["params"]["examples"]
    assert len(examples) == 6
    told = {said for said, _ in examples}
    for split in ("validation", "test"):
        source = HouseSource(goals="said")
        assert not told & {source.load(task.task_id).task for task in source.tasks(split, 60)}


def test_command_prints_and_writes_what_was_read(homebody: Homebody, loaded: Callable[[Path], Any], tmp_path: Path) -> None:
    report = tmp_path / "readings.json"
    answer = homebody("household", "readings", "--policy", "matcher", "--split", "train", "--goals", 12, "--json", report)
    assert answer.code == 0
    found = loaded(report)
    assert (found["policy"], found["n"], len(found["readings"])) == ("matcher", 12, 12)
    assert f"{100 * found['right']:.1f}%" in answer.out
    assert found["right"] == sum(one["right"] for one in found["readings"]) / 12 > 0.5
    # Nobody reads without a reader: the sentences stay as they are.
    answer = homebody("household", "readings", "--policy", "executor", "--split", "validation", "--goals", 3, "--json", report)
    assert answer.code == 0
    assert loaded(report)["right"] == 0.0


def test_goals_of_games_are_read_too(homebody: Homebody, loaded: Callable[[Path], Any], tmp_path: Path) -> None:
    source = HouseSource()
    for _ in export_houses(source, source.tasks("validation", 6), tmp_path / "games"):
        pass
    arguments = ("--policy", "matcher", "--split", "validation", "--goals", 6, "--data-dir", tmp_path / "games")
    answer = homebody("household", "readings", *arguments, "--json", tmp_path / "r.json")
    assert answer.code == 0
    found = loaded(tmp_path / "r.json")
    assert (found["env"], found["n"]) == ("homebody/AlfWorld-v0", 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policy", "matchr"), "matchr"),
        (("--policy", "matcher", "--split", "tests"), "unknown split 'tests'; did you mean test?"),
        (("--policy", "matcher", "--goals", 0), "0"),
        (("--policy", "matcher", "--data-dir", "none"), "none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(homebody: Homebody, arguments: tuple[object, ...], words: str) -> None:
    answer = homebody("household", "readings", *arguments)
    assert answer.code == 2
    assert words in answer.error
