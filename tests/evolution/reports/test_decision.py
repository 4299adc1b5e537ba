"""Who decided, in words."""

from typing import Any

import pytest

from homebody.agents.record import DECIDED_BY, Question, StepRecord
from homebody.evolution.reports import decision


def step(**fields: Any) -> StepRecord:
    given: dict[str, Any] = {
        "step": 1, "admissible": 9, "offered": 3, "method": "rank", "response": "go", "command": "go", "accepted": True,
        "observation": "Dust.", "reward": 0.0, "usable": True,
    }  # fmt: skip
    return StepRecord(**(given | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"decided_by": "model", "scores": (("go", 2.5), ("wait", 1.42))}, "model, by 1.08"),
        ({"decided_by": "agreed", "scores": (("go", -3.0), ("wait", -3.0), ("rest", -4.0))}, "agreed, drawn among equals"),
        ({"decided_by": "reading", "scores": (("go", 1.0), ("wait", 1.5))}, "reading, sampled, 0.50 below the next"),
        ({"scores": (("go", 1.0),)}, "harness"),
        ({"decided_by": "fallback", "repaired": True, "cut": True}, "fallback, repaired, cut"),
        ({"decided_by": "model", "retried": True}, "model, retried"),
        ({"decided_by": "model", "cut": False}, "model"),
    ],
)
def test_who_decided_by_what_margin_and_what_was_wrong(fields: dict[str, Any], said: str) -> None:
    assert decision.decision(step(**fields)) == said


def test_every_kind_has_a_meaning() -> None:
    assert list(decision.MEANINGS) == list(DECIDED_BY)


@pytest.mark.parametrize(("twin", "said"), [("wait", "wait"), ("go", ""), (None, "")])
def test_a_twin_is_told_where_it_differs(twin: str | None, said: str) -> None:
    assert decision.twin(step(twin=twin)) == said


@pytest.mark.parametrize(
    ("fields", "is_so"), [({}, False), ({"twin": "go"}, True), ({"decided_by": "fallback"}, True), ({"method": "score"}, False)]
)
def test_a_model_played_where_there_is_a_twin(fields: dict[str, Any], is_so: bool) -> None:
    assert decision.is_by_model([step(), step(**fields)]) is is_so


@pytest.mark.parametrize(
    ("prompt", "answers", "said"),
    [
        ("A crate stands in the", [(" shed.", -1.5), (" dock.", -2.25)], ("A crate stands in the ...", [("shed", -1.5), ("dock", -2.25)])),
        ("Two\nlines:\n", [(" walk to shed 1", -9.0)], ("Two lines: ...", [("walk to shed 1", -9.0)])),
        ("word " * 100, [(" a.", 0.0)], ("... " + "word " * 31 + "word ...", [("a", 0.0)])),
    ],
)
def test_a_question_on_one_line(prompt: str, answers: list[tuple[str, float]], said: object) -> None:
    found = decision.asked(Question(prompt, tuple(answers)))
    assert found == said
    assert len(found[0]) <= decision.TEXT_CHARS + 8


def test_what_was_made_of_the_answers_is_in_the_notes() -> None:
    notes = {"prior": {"crate": [["shed", 1.5], ["dock", -1]], "n": 3}, "trace_detail": {"prior": [0.5, 1.0], "candidates": ["a"]}}
    asked = Question("Where is a", ((" crate.", -1.0),))
    assert decision.conclusions(step(notes=notes, questions=(asked,))) == [("crate", [("shed", 1.5), ("dock", -1.0)])]
    assert decision.conclusions(step(notes=notes)) == []


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"model": 13, "agreed": 0, "reading": 28, "harness": 59}, "the model decided 41 of 100 steps: 13 model, 28 reading; 59 harness"),
        ({"agreed": 1}, "the model decided 1 of 1 step: 1 agreed"),
        ({"fallback": 4, "harness": 2}, "the model decided 0 of 6 steps: 2 harness, 4 fallback"),
        ({"model": 0}, "no step was taken"),
    ],
)
def test_shares_in_a_line(counts: dict[str, int], said: str) -> None:
    assert decision.shares(counts) == said


@pytest.mark.parametrize(
    ("response", "said"),
    [("go", ""), (" go\n", ""), ("", "(nothing)"), ("I  think\n\n so", "I think\nso"), ("go now", "go now")],
)
def test_a_reply_is_shown_unless_it_is_the_command(response: str, said: str) -> None:
    assert decision.reply(step(response=response)) == said


def test_of_a_long_reply_and_a_long_thought_both_ends_are_shown() -> None:
    assert decision.reply(step(response="abcdefgh wait"), 8) == "abcd [5 more characters] wait"
    assert decision.thought(step(thought="abcdefgh wait"), 8) == "abcd [5 more characters] wait"


def test_a_thought_says_when_it_was_cut() -> None:
    assert decision.thought(step()) == ""
    assert decision.thought(step(thought="It is\nhere.", finish="stop")) == "It is\nhere."
    assert decision.thought(step(thought="It is", finish="budget")) == "It is (cut at its budget)"


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        (Question("Where?", ((" shed.", -1.5), (" dock.", -2.25))), ["shed -1.5", "dock -2.2"]),
        (Question("What is meant?", reply="Put a crate\n on a dock."), ["Put a crate on a dock."]),
        (Question("What is meant?", reply=" \n"), ["(nothing)"]),
        (Question("What is meant?", reply="", error="70 tokens do not fit"), ["70 tokens do not fit"]),
        (Question("Where?", error="70 tokens do not fit"), ["70 tokens do not fit"]),
        (Question("What is meant?", reply="x" * 200), [f"{'x' * 160} ..."]),
    ],
)
def test_answers_to_a_question_in_words(question: Question, shown: list[str]) -> None:
    assert decision.answers(question) == shown
