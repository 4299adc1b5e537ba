from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.content_hash import digest
from homebody.evolution.reports.history import History, read_history
from homebody.evolution.reports.page import templates
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
        "changed": [], "subgoal": None,
    }  # fmt: skip
    return values | changes


def line(episode: Callable[..., Any], **changes: Any) -> dict[str, Any]:
    (found,) = transcript(episode(True, trace=[step(**changes)]).to_json())["lines"]
    return dict(found)


def test_a_step(episode: Callable[..., Any]) -> None:
    assert line(episode) == {
        "number": 1, "kind": "step", "command": "go", "thought": "", "response": "", "candidates": "3 of 9", "observation": "Dust.",
        "changes": "", "who": "", "meaning": "", "marks": "", "twin": "", "asked": [],
    }  # fmt: skip
    assert line(episode, response="Go!")["response"] == "Go!"
    assert line(episode, thought="On.")["thought"] == "On."
    assert line(episode, accepted=False)["kind"] == "refused"
    assert line(episode, tool=True)["kind"] == "tool"


def test_what_the_harness_changed_is_said(episode: Callable[..., Any]) -> None:
    changed = [
        {"by": "visited", "hook": "before_model", "outcome": "change", "fields": {"candidates": ["a", "b"], "prior": ["c", "d"]}},
        {"by": "step_budget", "hook": "step_start", "outcome": "interrupt", "fields": {}},
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


def test_who_decided_and_what_was_asked(episode: Callable[..., Any]) -> None:
    asked = [{"prompt": "The best place to find a gem is the", "answers": [[" shaft.", -1.25], [" crate.", -3.5]]}]
    notes = {"prior": {"gem": [["shaft", 2.0], ["crate", -0.5]]}}
    scores = [["go", 2.0], ["wait", 0.5]]
    trace = [
        step(decided_by="model", twin="wait", scores=scores, questions=asked, notes=notes),
        step(step=2, decided_by="reading", twin="go"),
        step(step=2, tool=True, twin="go"),
        step(step=3, decided_by="fallback", repaired=True, twin="go"),
    ]
    shown = transcript(episode(True, trace=trace).to_json())
    assert shown["shares"] == "the model decided 2 of 3 steps: 1 model, 1 reading; 1 fallback"
    assert [(line["who"], line["marks"], line["twin"]) for line in shown["lines"]] == [
        ("model", "by 1.50", "wait"), ("reading", "", ""), ("harness", "", ""), ("fallback", "repaired", ""),
    ]  # fmt: skip
    assert shown["lines"][0]["asked"] == [
        ("The best place to find a gem is the ...", "shaft -1.2, crate -3.5"), ("so, gem:", "shaft +2.0, crate -0.5"),
    ]  # fmt: skip
    written = str(templates().get_template("episode.html").module.episode(shown, "e"))  # type: ignore[attr-defined]
    for part in (
        '<p class="by">the model decided 2 of 3 steps: 1 model, 1 reading; 1 fallback</p>',
        '<b class="model" title="the model&#39;s choice; its twin would do something else">model</b> <s>by 1.50</s>',
        '<p class="asked">The best place to find a gem is the ... <b>shaft -1.2, crate -3.5</b></p>',
        '<q class="twin">wait</q>',
    ):
        assert written.count(part) == 1


def test_without_a_model_there_is_nothing_of_deciding(episode: Callable[..., Any]) -> None:
    shown = transcript(episode(True, trace=[step()]).to_json())
    assert shown["shares"] == ""
    written = str(templates().get_template("episode.html").module.episode(shown, "e"))  # type: ignore[attr-defined]
    assert "harness" not in written
