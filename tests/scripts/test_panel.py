"""The panel of a running evolution on terminals of several widths."""

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from homebody.scripts.panel import SHOWN_ROUNDS, duration, pace, panel

RATE = {"n": 40, "won": 13, "ci95": [0.2, 0.48]}
WORTH = {"share": "40.0%", "twin": "best twin executor 93.3%", "value": "model_value +0.0 (-3.0 to +3.0)"}
STATE: dict[str, Any] = {
    "phase": "playing", "model": "m", "env": "Quarry-v0", "round": 2, "of_rounds": 6,
    "rounds": [
        {"round": 1, "train": RATE, "validation": RATE, "worth": WORTH, "shipped": "an edit with a name that is rather longer than most"},
        {"round": 2, "train": RATE, "validation": None, "worth": None, "shipped": ""},
    ],
    "candidates": [
        {"id": "r2c1", "round": 2, "dimension": "memory", "operator": "remember [bold]that[/]", "wins": 5, "losses": 1, "compared": 12,
         "of": 40, "verdict": "", "reason": ""},
    ],
    "current": {"what": "r2c1: validation", "who": "r2c1", "part": "validation", "done": 12, "total": 40},
    "episodes": 231, "tokens": 51234, "episodes_per_s": 0.84, "tokens_per_s": 412.3, "left": 504, "left_s": 600.0, "may_grow": False,
    "elapsed_s": 300.0,
    "last": 1.0,
}  # fmt: skip


def lines(state: dict[str, Any], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    console.print(panel(state, width))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 60, 80, 150])
def test_the_panel_says_all_of_it_at_any_width(width: int) -> None:
    shown = lines(STATE, width)
    assert all(cell_len(line) <= width for line in shown)
    text = " ".join(" ".join(shown).split())
    said = ["12/40", "r2c1", "13/40", "5 won, 1 lost of 12 compared", "remember [bold]that[/]", "412 tokens a second", "10 min"]
    assert [part for part in said if part not in text] == []
    assert len(shown) <= 10
    assert ("executor 93.3%" in text) == (width >= 60)  # a narrow one has no room for it


def test_without_a_model_no_twin_is_named() -> None:
    rounds = [{**item, "worth": None} for item in STATE["rounds"]]
    assert not any("twin" in line for line in lines({**STATE, "rounds": rounds}, 80))


def test_before_the_first_round() -> None:
    start = {**STATE, "phase": "starting", "rounds": [], "candidates": [], "current": {}, "episodes": 0, "tokens": 0,
             "episodes_per_s": None, "tokens_per_s": None, "left": 9, "left_s": None}  # fmt: skip
    assert [line.strip() for line in lines(start, 80)] == ["starting", "0 episodes played, at most 9 to go"]


def test_a_judged_candidate_is_not_shown_beside_another_series() -> None:
    state = {**STATE, "current": {"what": "round 3: training", "who": "round 3", "part": "training", "done": 0, "total": 24}}
    assert not any("compared" in line for line in lines(state, 80))


def test_the_latest_rounds_are_shown() -> None:
    rounds = [{"round": number, "train": RATE, "validation": RATE, "worth": None, "shipped": ""} for number in range(1, 21)]
    shown = [line.split()[0] for line in lines({**STATE, "rounds": rounds}, 80)[1 : SHOWN_ROUNDS + 1]]
    assert shown == [str(number) for number in range(13, 21)]


def test_the_tokens_to_go_are_told_at_the_pace_so_far() -> None:
    state = {**STATE, "episodes": 200, "tokens": 50_000, "left": 30}  # 250 an episode
    assert pace(state).endswith("at most 30 to go (10 min, 7500 tokens)")


def test_a_control_has_no_tokens() -> None:
    assert pace({**STATE, "tokens": 0, "tokens_per_s": 0.0}) == "231 episodes played, 0.8 a second, at most 504 to go (10 min)"
    assert pace({**STATE, "may_grow": True}).endswith(" tokens) unless tasks are added")


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.2, "59 s"), (60, "1 min"), (3570, "1 h 0 min"), (7500, "2 h 5 min")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
