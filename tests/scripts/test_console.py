"""What the console prints of a step that the command-line tests do not come by."""

from types import SimpleNamespace

import pytest

from homebody.agents.record import StepRecord
from homebody.scripts.console import Console


def test_the_pieces_of_a_page_stand_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Console().step(StepRecord(1, 2, 1, "rank", "look", "look", True, "Back [SEP] [One] [SEP] Two", 0.0, True))
    assert capsys.readouterr().out.splitlines()[-1] == "      Back · [One] · Two"


def test_reward_and_success_to_the_letter_are_columns_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    grades = {"reward_mean": 0.625, "success_strict": 0.25, "ci95_strict": [0.046, 0.699]}
    result = {
        "harness": "h", "policy": "no-model", "env": "e", "split": "test", "max_steps": 20, "n": 4, "success": 0.5, "ci95": [0.15, 0.85],
        "by_type": {"a": {"n": 3, "success": 2 / 3, **grades}, "b": {"n": 1, "success": 0.0}}, "adaptations": {"total": 0}, "episodes": [],
        "steps_mean": 5.0, "invalid_actions": 0, "prompt_tokens": 0, "generated_tokens": 0, "wall_s": 1.0, "trace_hash": "0" * 64,
    }  # fmt: skip
    Console().evaluation(result | grades)
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert head == ["type", "n", "success", "reward", "to", "the", "letter"]
    assert rows == [
        ["a", "3", "66.7%", "0.625", "25.0%"],
        ["b", "1", "0.0%"],
        ["all", "4", "50.0%", "(15.0", "to", "85.0)", "0.625", "25.0%", "(4.6", "to", "69.9)"],
    ]
    Console().evaluation(result | {"by_type": {"b": {"n": 4, "success": 0.5}}})
    assert "letter" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("won", "strict", "verdict"),
    [(True, None, "won in"), (True, True, "won, reward 0.75 in"), (False, False, "not won, reward 0.75, not to the letter in")],
)
def test_the_end_of_an_episode_has_its_reward_where_it_says_more(
    capsys: pytest.CaptureFixture[str], won: bool, strict: bool | None, verdict: str
) -> None:
    record = SimpleNamespace(
        error=None, interrupted=None, failures=[], won=won, strict=strict, reward=0.75, steps=3, invalid_actions=0, usage={}, goal="g",
        adaptations=[], trace_hash="0" * 64,
    )  # fmt: skip
    Console().episode_end(record)
    assert f"{verdict} 3 steps" in capsys.readouterr().out
