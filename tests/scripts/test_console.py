"""What the console prints of a step that the command-line tests do not come by."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rich.console
from rich.cells import cell_len

from homebody.agents.record import EpisodeRecord, Question, StepRecord
from homebody.scripts.console import Console
from homebody.scripts.evolution_console import shown_evolution

PLAIN = StepRecord(1, 2, 1, "rank", "look", "look", accepted=True, observation="You see nothing.", reward=0.0, usable=True)
ASKED = replace(
    PLAIN,
    step=12,
    offered=29,
    admissible=33,
    response="walk to the shed 1",
    command="walk to the shed 1",
    decided_by="model",
    twin="walk to the dock 2",
    scores=(("walk to the shed 1", 4.21), ("walk to the dock 1", 3.13), ("walk to the dock 2", 3.13)),
    subgoal={"phase": "search", "wanted": "crate"},
    questions=(
        Question("In a yard, the best place to find a crate is in or on the", ((" dock.", -6.41), (" shed.", -6.52), (" vat.", -9.67))),
        Question("In a yard, you look in or on the", ((" dock.", -7.85), (" vat.", -9.46))),
    ),
    notes={"prior": {"crate": [["shed", 4.21], ["dock", 3.83]]}},
    observation="You walk to the shed 1. In it, you see a crate 2, and a rope 1.",
)
SAID = """
 12 > walk to the shed 1                                          model, by 1.08
      29 of 33 commands on offer, rank · search crate
      asked  In a yard, the best place to find a crate is in or on the ...
             -> dock -6.4, shed -6.5, vat -9.7
      asked  In a yard, you look in or on the ...
             -> dock -7.8, vat -9.5
      so     crate: shed +4.2, dock +3.8
      ranked walk to the shed 1 +4.21   walk to the dock 1 +3.13
      twin   walk to the dock 2
      You walk to the shed 1. In it, you see a crate 2, and a rope 1.
"""


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def on_terminal(capsys: pytest.CaptureFixture[str]) -> Callable[[StepRecord, int], list[str]]:
    """Print a step on a terminal of some columns; return its lines, without colours."""

    def lines(step: StepRecord, width: int) -> list[str]:
        console = Console()
        console.out = rich.console.Console(force_terminal=True, color_system=None, width=width, highlight=False)
        console.step(step)
        return capsys.readouterr().out.splitlines()

    return lines


def test_the_pieces_of_a_page_stand_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Console().step(replace(PLAIN, observation="Back [SEP] [One] [SEP] Two"))
    assert capsys.readouterr().out.splitlines()[-1] == "      Back · [One] · Two"


def test_a_step_says_who_decided_what_was_asked_and_what_the_twin_would_have_sent(
    capsys: pytest.CaptureFixture[str], on_terminal: Callable[[StepRecord, int], list[str]]
) -> None:
    Console().step(ASKED)
    assert capsys.readouterr().out == SAID
    assert on_terminal(ASKED, 80) == SAID.splitlines()


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        ({"decided_by": "agreed", "twin": "look", "scores": (("look", 1.0), ("go", 1.0))}, "agreed, drawn among equals"),
        ({"decided_by": "reading", "twin": "go"}, "reading"),
        ({"twin": "look"}, "harness"),
        ({"decided_by": "fallback", "repaired": True, "cut": True, "response": "Dance", "twin": None}, "fallback, repaired, cut"),
    ],
)
def test_who_decided_stands_at_the_end_of_the_first_line(capsys: pytest.CaptureFixture[str], fields: dict[str, Any], head: str) -> None:
    Console().step(replace(PLAIN, **fields))
    _, first, *rest = capsys.readouterr().out.splitlines()
    assert first == "  1 > look" + head.rjust(70)
    twin = fields["twin"]
    assert [line for line in rest if line.startswith("      twin")] == ([f"      twin   {twin}"] if twin == "go" else [])
    assert ("      wrote  Dance" in rest) == ("response" in fields)


def test_a_step_shows_what_a_model_replied_to_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    questions = (Question("Say it plainly.\nGet a box\n>", reply="take a crate", tokens=3), Question("And?", reply="", finish="length"))
    Console().step(replace(ASKED, questions=questions, notes={}))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[3:7] == ["asked  Say it plainly. Get a box > ...", "-> take a crate", "asked  And? ...", "-> (nothing)"]


def test_what_a_model_thought_and_wrote_stands_below_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    Console().step(replace(PLAIN, thought="It is dark.", response="Thought: a lamp helps.\nAction: look", finish="budget"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:6] == [
        "      thinks It is dark. (cut at its budget)",
        "      wrote  Thought: a lamp helps.",
        "             Action: look",
    ]


def test_an_episode_begins_with_its_goal(capsys: pytest.CaptureFixture[str]) -> None:
    Console().opening("find the crate", "A yard. [SEP] A shed.")
    assert capsys.readouterr().out.splitlines() == ["", "find the crate", "      A yard. · A shed."]


def test_without_a_model_nobody_is_said_to_decide(capsys: pytest.CaptureFixture[str]) -> None:
    Console().step(PLAIN)
    assert capsys.readouterr().out.splitlines()[:2] == ["", "  1 > look"]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "step",
    [
        ASKED,
        replace(ASKED, command="carry " + "the very heavy crate " * 12, observation="You see " + "a crate, " * 50, response="so " * 90),
        replace(
            ASKED, command="箱" * 50, questions=(Question("Where? " * 60, ((" here, and nowhere else in the whole yard" * 9, -1.0),)),)
        ),
    ],
    ids=["usual", "long", "wide"],
)
def test_a_terminal_has_no_line_that_it_has_no_room_for(
    on_terminal: Callable[[StepRecord, int], list[str]], step: StepRecord, width: int
) -> None:
    lines = on_terminal(step, width)
    assert all(cell_len(line) <= width for line in lines)
    # What does not begin a step stands below its number.
    assert all(line.startswith("      ") for line in lines[2:])


def test_reward_and_exact_success_are_columns_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    grades = {"reward_mean": 0.625, "success_strict": 0.25, "ci95_strict": [0.046, 0.699]}
    result = {
        "harness": "h", "policy": "no-model", "env": "e", "split": "test", "max_steps": 20, "n": 4, "success": 0.5, "ci95": [0.15, 0.85],
        "by_type": {"a": {"n": 3, "success": 2 / 3, **grades}, "b": {"n": 1, "success": 0.0}}, "adaptations": {"total": 0}, "episodes": [],
        "steps_mean": 5.0, "invalid_actions": 0, "prompt_tokens": 0, "generated_tokens": 0, "wall_s": 1.0, "trace_hash": "0" * 64,
    }  # fmt: skip
    Console().evaluation(result | grades)
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert head == ["type", "n", "success", "reward", "exact", "match"]
    assert rows == [
        ["a", "3", "66.7%", "0.625", "25.0%"],
        ["b", "1", "0.0%"],
        ["all", "4", "50.0%", "(15.0", "to", "85.0)", "0.625", "25.0%", "(4.6", "to", "69.9)"],
    ]
    Console().evaluation(result | {"by_type": {"b": {"n": 4, "success": 0.5}}})
    assert "letter" not in capsys.readouterr().out


@pytest.fixture
def record(make_record: Callable[..., EpisodeRecord]) -> EpisodeRecord:
    return make_record("no-model", 3)


@pytest.mark.parametrize(
    ("won", "strict", "verdict"),
    [(True, None, "won in"), (True, True, "won, reward 0.75 in"), (False, False, "not won, reward 0.75, no exact match in")],
)
def test_the_end_of_an_episode_has_its_reward_where_it_says_more(
    capsys: pytest.CaptureFixture[str], record: EpisodeRecord, won: bool, strict: bool | None, verdict: str
) -> None:
    first, *rest = record.trace
    Console().episode_end(replace(record, won=won, strict=strict, trace=(replace(first, reward=0.75), *rest)))
    out = capsys.readouterr().out
    assert f"{verdict} 3 steps" in out
    assert "decided" not in out


def test_the_end_of_an_episode_says_who_decided_its_steps(capsys: pytest.CaptureFixture[str], record: EpisodeRecord) -> None:
    deciders = ("model", "fallback", "harness")
    steps = [replace(step, decided_by=who, twin="look") for step, who in zip(record.trace, deciders, strict=True)]
    Console().episode_end(replace(record, trace=tuple(steps)))
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "the model decided 1 of 3 steps: 1 model; 1 harness, 1 fallback"
    steps[:2] = [replace(steps[0], readable=True, cut=False), replace(steps[1], readable=False, cut=True, repaired=True)]
    Console().episode_end(replace(record, trace=tuple(steps)))
    assert capsys.readouterr().out.splitlines()[-1] == "50% of its free replies unreadable, 50% cut, 1 repaired"


@pytest.mark.parametrize(("may_grow", "end"), [(True, "; sets of tasks may grow"), (False, "")])
def test_what_a_run_will_take_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, may_grow: bool, end: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    console = Console()
    estimate = {"measured": 2, "episodes": [40, 1250], "tokens": [380_000, 11_875_000], "minutes": [6.67, 208.33], "may_grow": may_grow}
    with shown_evolution(console, None, plain=True) as progress:
        progress("estimate", estimate)
    said = "takes 40 to 1,250 episodes, 380,000 to 11,875,000 tokens, 6.7 to 208.3 minutes at the rate of the first 2 episodes"
    assert capsys.readouterr().err.strip() == said + end
