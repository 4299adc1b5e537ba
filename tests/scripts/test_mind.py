"""The mind panel and the board around it: what they say, and that everything on them can be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from homebody.agents.episode import ModelCall
from homebody.agents.models.backend import Usage
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs.canvas import INK, SMALLEST_TEXT, WHITE, Box, Canvas, CanvasSizeError, Color
from homebody.scripts.view import look, mind, thought
from homebody.scripts.view.board import LEAST, Board
from homebody.scripts.view.reel import End, Moment, Reel

ENTRY = StepRecord(1, 30, 12, "generate", "look", "look", accepted=True, observation="You look.", reward=0.0, usable=True)
SIGHT = ModelCall(
    ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "A yard.\nlook\ngo"}), Usage(100, 75, 6, 0, 1, 0.25)
)


def entry(**fields: Any) -> StepRecord:
    return replace(ENTRY, **fields)


@pytest.fixture
def reel() -> Reel:
    """An episode at its opening, played by a model."""
    env = RolloutConfig("homebody/Household-v0", "random").make_env()
    return Reel(env, "test/kitchen-clean-000000", 0, "seed", "smollm2")


# --- colours


def luminance(color: Color) -> float:
    parts = [value / 255 for value in color]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("text", "ground"),
    [(color, ground) for color in (INK, look.QUIET, look.GOOD, look.BAD, look.CHANGE) for ground in (look.PAPER, look.CARD)]
    + [(WHITE, ground) for ground in (look.GOOD, look.BAD, look.CHANGE, look.DARK)]
    + [(INK, ground) for ground in (look.CHOSEN, look.OTHER)],
)
def test_text_has_the_contrast_that_wcag_asks_for(text: Color, ground: Color) -> None:
    low, high = sorted((luminance(text), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


# --- what the panel says


def test_bars_of_log_scores_show_how_likely_each_is_beside_the_best() -> None:
    scores = [("a", -1.0), ("b", -1.0 + math.log(0.5)), ("c", -900.0)]
    assert thought.shares("score", scores) == pytest.approx([1.0, 0.5, 0.0])


def test_bars_of_votes_are_in_proportion() -> None:
    assert thought.shares("vote", [("a", 4.0), ("b", 1.0)]) == [1.0, 0.25]
    # With `pick` best these are priors, which are log-scores.
    assert thought.shares("vote", [("a", 0.0), ("b", -math.log(4))]) == pytest.approx([1.0, 0.25])


def test_knowledge_is_the_focus_and_the_notes() -> None:
    assert thought.knowledge(Moment("")) == []
    assert thought.knowledge(Moment("", entry())) == ["nothing that it says"]
    noted = entry(focus={"phase": "search", "wanted": "crate"}, notes={"3:visited": {"places": [1, 2]}, "7:trace_detail": {"content": "x"}})
    assert thought.knowledge(Moment("", noted)) == ["After: crate (searches)", "visited: places 1, 2"]


def test_work_names_processor_fields_hook_and_how_it_ended(reel: Reel) -> None:
    changed = [
        {"by": "3:learned_plan", "hook": "before_model", "outcome": "change", "fields": {"prior": ["a", "b"], "candidates": ["c", "d"]}},
        {"by": "4:repair", "hook": "after_model", "outcome": "intercept", "fields": {"command": ["a", "b"]}},
        {"by": "5:stop", "hook": "before_tool", "outcome": "interrupt", "fields": {}},
    ]
    assert thought.work_lines(reel, Moment("", entry(changed=changed))) == [
        ("learned_plan: prior, candidates", "before_model"),
        ("repair: command, as the last word", "after_model"),
        ("stop ended the episode", "before_tool"),
    ]
    assert thought.work_lines(reel, Moment("", entry())) == [("no processor changed anything", "")]


@pytest.mark.parametrize(
    ("policy", "fields", "sight", "title", "lines"),
    [
        ("smollm2", {}, SIGHT, "End of the prompt (2 messages)", ["A yard.", "look", "go"]),
        ("random", {}, SIGHT, "Prompt", ["no model: random decides"]),
        ("human", {}, None, "Prompt", ["no model: human decides"]),
        ("smollm2", {"method": "rank"}, SIGHT, "Prompt", ["none: the harness's own ranking decides"]),
        ("smollm2", {"notes": {"2:trace_detail": {"content": "A yard."}}}, None, "End of the prompt", ["A yard."]),
        (
            "smollm2",
            {"notes": {"2:trace_detail": {"candidates": []}}},
            None,
            "Prompt",
            ["not kept in this recording; homebody run --json keeps it"],
        ),
    ],
)
def test_prompt_or_why_there_is_none(
    reel: Reel, policy: str, fields: dict[str, Any], sight: ModelCall | None, title: str, lines: list[str]
) -> None:
    reel.policy = policy
    assert thought.prompt_lines(reel, Moment("", entry(**fields), sight)) == (title, lines)


@pytest.mark.parametrize(
    ("policy", "method", "words"),
    [("no-model", "rank", "by no-model"), ("smollm2", "rank", "by the harness's ranking"), ("smollm2", "generate", "written freely")],
)
def test_how_a_command_was_chosen(reel: Reel, policy: str, method: str, words: str) -> None:
    reel.policy = policy
    assert thought.how(reel, Moment("", entry(method=method))) == words


def test_cost_of_a_step_or_of_the_whole_episode(reel: Reel) -> None:
    seen, unseen = Moment("", entry(), SIGHT), Moment("", entry())
    assert thought.cost(reel, seen, 1) == "100 prompt tokens (75% cached), 6 written, 250 ms"
    assert thought.cost(reel, Moment("", entry(), ModelCall((), Usage())), 1) == "no model was asked"
    assert thought.cost(reel, unseen, 0) == "tokens and time: known for the whole episode only"
    reel.end = End(True, "won in 1 step", {"prompt_tokens": 10, "calls": 1, "scored_tokens": 4, "seconds": 1.0})
    assert thought.cost(reel, unseen, 0) == "whole episode: 10 prompt tokens (0% cached), 4 scored, 1000 ms"
    assert thought.cost(reel, Moment(""), -1) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "accepted"),
        ({"accepted": False}, "not possible"),
        ({"tool": True}, "answered by the harness, no step spent"),
    ],
)
def test_outcome(fields: dict[str, Any], words: str) -> None:
    assert thought.outcome(Moment("", entry(**fields))) == words


# --- that all of it can be read

FULL = entry(
    step=7,
    command="put the heavy crate 12 into the shed 3",
    response="I think that I should\nput the heavy crate 12 into the shed 3",
    accepted=False,
    scores=tuple((f"walk to the dock {n} beside the river and wait there", -float(n)) for n in range(5)),
    method="score",
    focus={"phase": "reach", "wanted": "crate"},
    notes={f"{n}:notes": {"seen": [f"shed {k}" for k in range(20)]} for n in range(9)},
    changed=tuple(
        {
            "by": f"{n}:history_window",
            "hook": "before_model",
            "outcome": "change",
            "fields": {key: [] for key in ("prior", "candidates", "how")},
        }
        for n in range(9)
    ),
    adapted={"step": 7, "rule": "cannot-write-for-long", "signal": "unusable", "patch": [{}, {}]},
)
BARE = entry(command="", scores=(("look", 0.0),))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Box, str]]:
    """Every text that is drawn, with its place in the canvas that it is drawn on."""
    texts: list[tuple[Box, str]] = []
    draw = Canvas.text

    def text(self: Canvas, text: str, x: float, y: float, *, size: int = 14, **rest: Any) -> Box:
        assert size >= SMALLEST_TEXT
        box = draw(self, text, x, y, size=size, **rest)
        assert self.box.holds(box), (text, box, self.box)
        texts.append((box, text))
        return box

    monkeypatch.setattr(Canvas, "text", text)
    return texts


@pytest.mark.parametrize("scale", [1.0, 1.23, 1.5])
@pytest.mark.parametrize("size", [(320, 560), (320, 640), (640, 200), (640, 300), (600, 990), (960, 340), (480, 240), (300, 200)])
@pytest.mark.parametrize(
    "moment", [Moment("A yard. " * 60, FULL, SIGHT), Moment("", BARE), Moment("A yard.")], ids=["full", "bare", "opening"]
)
def test_nothing_on_the_panel_overlaps_or_is_cut(
    reel: Reel, written: list[tuple[Box, str]], size: tuple[int, int], scale: float, moment: Moment
) -> None:
    if moment.entry is not None:
        reel.moments += [moment] * 20
    mind.draw_mind(Canvas(round(size[0] * scale), round(size[1] * scale)), reel, reel.last, scale)
    assert written
    for (a, one), (b, other) in combinations([item for item in written if item[1].strip()], 2):
        # Lines of text may share the space that a font leaves above and below its letters.
        assert not a.inset(0, 2).overlaps(b.inset(0, 2)), (one, other)


def test_the_title_tells_who_plays_and_at_the_end_how_it_ended(reel: Reel, written: list[tuple[Box, str]]) -> None:
    mind.draw_title(Canvas(320, 40), reel, 0)
    assert [text for _, text in written] == ["seed", "decided by smollm2"]
    reel.end = End(False, "not won in 15 steps, and that is a long story", {})
    mind.draw_title(Canvas(320, 40), reel, 0)
    assert written[2][1].startswith("not won in")
    assert not written[2][0].overlaps(written[3][0])


# --- the board


@pytest.fixture
def played(make_record: Callable[..., EpisodeRecord]) -> EpisodeRecord:
    return make_record("no-model", 4)


@pytest.mark.parametrize("size", [(960, 720), (1920, 1080), LEAST])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("has_buttons", [False, True])
def test_parts_of_the_board_fill_it_and_do_not_overlap(played: EpisodeRecord, size: tuple[int, int], n: int, has_buttons: bool) -> None:
    reels = [Reel.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed") for _ in range(n)]
    board = Board(reels, size, has_buttons=has_buttons)
    board.show(2)
    assert board.draw().to_array().shape == (size[1], size[0], 3)
    parts = [box for place in board._places for box in (place.title, place.scene, place.mind)] + [board.timeline]
    parts += [board.buttons] if has_buttons else []
    assert all(board.canvas.box.holds(part) for part in parts)
    assert not any(a.overlaps(b) for a, b in combinations(parts, 2))
    # A house has its picture wherever that has the room that it needs.
    assert all(scene.is_picture == (n == 1 or size == (1920, 1080)) for scene in board.scenes)


def test_a_board_that_would_be_too_small_says_so(played: EpisodeRecord) -> None:
    reel = Reel.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")
    with pytest.raises(CanvasSizeError, match=r"size \(300, 200\) is not possible; .* from \(960, 600\)"):
        Board([reel], (300, 200))


def test_a_click_on_the_line_of_steps_finds_its_moment(played: EpisodeRecord) -> None:
    board = Board([Reel.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")], (960, 720))
    y = board.timeline.center[1]
    found = [board.moment_at(x, y) for x in range(960)]
    assert [number for number in dict.fromkeys(found) if number is not None] == [0, 1, 2, 3, 4]
    assert board.moment_at(100, 5) is None
