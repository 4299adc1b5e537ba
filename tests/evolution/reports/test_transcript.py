from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import digest
from homebody.evolution.reports.history import History, read_history
from homebody.evolution.reports.transcript import OBSERVATION_CHARS, by_worth, groups, transcript


@pytest.fixture(scope="module")
def history(told_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> History:
    return read_history(told_run(tmp_path_factory.mktemp("told")))


def test_each_episode_stands_in_the_first_group_that_asked_for_it(history: History) -> None:
    assert {group.title: len(group.keys) for group in groups(history)} == {
        "Round 1, training": 2, "Round 1, validation": 3, "Candidate r1c1, validation": 3, "Candidate r1c2, validation": 2,
        "Round 2, training": 2, "Held out, test, 15 steps: s, m": 2, "Held out, test, 15 steps: s-evolved, m": 2,
        "Held out, test, 15 steps: s-evolved, expert": 2,
    }  # fmt: skip
    keys = [key for group in groups(history) for key in group.keys]
    assert sorted(keys) == sorted(history.records)


def test_flips_come_first_then_losses_and_nothing_is_forgotten(history: History) -> None:
    order = list(dict.fromkeys(by_worth(history)))
    assert order[:2] == [digest(["better", "validation/a-0"]), digest(["seed", "validation/a-0"])]
    won = [history.records[key]["won"] for key in order[2:]]
    assert not any(won[:6])  # validation and training losses of both rounds, then the losses of the evaluations
    assert sorted(order) == sorted(history.records)


def step(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "step": 1, "admissible": 9, "offered": 3, "response": "go", "command": "go", "accepted": True, "observation": "Dust.",
        "changed": [], "focus": None,
    }  # fmt: skip
    return values | changes


def line(episode: Callable[..., Any], **changes: Any) -> dict[str, Any]:
    (found,) = transcript(episode(True, trace=[step(**changes)]).to_json())["lines"]
    return dict(found)


def test_a_step(episode: Callable[..., Any]) -> None:
    assert line(episode) == {
        "number": 1, "kind": "step", "command": "go", "response": "", "candidates": "3 of 9", "observation": "Dust.", "changes": "",
    }  # fmt: skip
    assert line(episode, response="Go!")["response"] == "Go!"
    assert line(episode, accepted=False)["kind"] == "refused"
    assert line(episode, tool=True)["kind"] == "tool"


def test_what_the_harness_changed_is_said(episode: Callable[..., Any]) -> None:
    changed = [
        {"by": "0:visited", "hook": "before_model", "outcome": "change", "fields": {"candidates": ["a", "b"], "prior": ["c", "d"]}},
        {"by": "1:step_budget", "hook": "step_start", "outcome": "interrupt", "fields": {}},
    ]
    adapted = {"rule": "loosen", "signal": "stall", "patch": [], "behaviour_hash": "h"}
    said = line(episode, changed=changed, adapted=adapted)["changes"]
    assert said == "visited: candidates, prior; step_budget: interrupt; adapted by loosen (stall)"


def test_long_texts_are_cut_and_say_so(episode: Callable[..., Any]) -> None:
    assert line(episode, observation="x" * OBSERVATION_CHARS)["observation"] == "x" * OBSERVATION_CHARS
    assert line(episode, observation="x" * (OBSERVATION_CHARS + 7))["observation"].endswith("x [7 more characters]")


def test_how_an_episode_ended(episode: Callable[..., Any]) -> None:
    assert transcript(episode(True).to_json())["end"] == ""
    assert transcript(episode(False, trace=[step()], interrupted="enough").to_json())["end"] == "enough"
    error = {"boundary": "step", "kind": "OSError", "message": "gone"}
    assert transcript(episode(False, error=error).to_json())["end"] == "OSError at step: gone"


def test_the_pieces_of_a_page_are_lines(episode: Callable[..., Any]) -> None:
    shown = transcript(episode(opening="Start [SEP] Find it", trace=[step(observation="Back [SEP] One [SEP] Two")]).to_json())
    assert (shown["opening"], shown["lines"][0]["observation"]) == ("Start\nFind it", "Back\nOne\nTwo")
