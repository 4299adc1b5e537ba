"""The inspector and the layout around it: what they say, and that everything on them can be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from homebody.agents.episode import ModelCall
from homebody.agents.models.backend import Usage
from homebody.agents.record import DECIDED_BY, EpisodeRecord, StepRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs.canvas import INK, SMALLEST_TEXT, WHITE, Box, Canvas, CanvasSizeError, Color
from homebody.scripts.view import details, inspector, theme
from homebody.scripts.view.layout import LEAST, LEAST_TWO, Layout
from homebody.scripts.view.mark import SIDE, mark
from homebody.scripts.view.recorder import frames
from homebody.scripts.view.replay import End, Moment, Replay

ENTRY = StepRecord(1, 30, 12, "generate", "look", "look", accepted=True, observation="You look.", reward=0.0, usable=True)
SIGHT = ModelCall(
    ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "A yard.\nlook\ngo"}), Usage(100, 75, 6, 0, 1, 0.25)
)


QUESTION = {"prompt": "The best place to find a crate is in or on the", "answers": [[" shed.", -6.41], [" dock.", -6.52], [" vat.", -9.7]]}


def entry(**fields: Any) -> StepRecord:
    return StepRecord.from_json(ENTRY.to_json() | fields)


@pytest.fixture
def replay() -> Replay:
    """An episode at its opening, played by a model."""
    env = RolloutConfig("homebody/Household-v0", "random").make_env()
    return Replay(env, "test/kitchen-clean-000000", 0, "seed", "smollm2")


# --- colours


def luminance(color: Color) -> float:
    parts = [value / 255 for value in color]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        (color, ground)
        for color in (INK, theme.QUIET, theme.GOOD, theme.BAD, theme.CHANGE, theme.MODEL)
        for ground in (theme.PAPER, theme.CARD)
    ]
    + [(WHITE, ground) for ground in (theme.GOOD, theme.BAD, theme.CHANGE, theme.DARK, theme.MODEL)]
    + [(INK, ground) for ground in (theme.CHOSEN, theme.OTHER, theme.EDGE, theme.TINT)]
    + [(theme.MODEL, theme.TINT)],
)
def test_text_has_the_contrast_that_wcag_asks_for(text: Color, ground: Color) -> None:
    low, high = sorted((luminance(text), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


# --- what the panel says


def test_bars_of_log_scores_show_how_likely_each_is_beside_the_best() -> None:
    scores = [("a", -1.0), ("b", -1.0 + math.log(0.5)), ("c", -900.0)]
    assert details.shares("score", scores) == pytest.approx([1.0, 0.5, 0.0])


def test_bars_of_votes_are_in_proportion() -> None:
    assert details.shares("vote", [("a", 4.0), ("b", 1.0)]) == [1.0, 0.25]
    # With `pick` best these are priors, which are log-scores.
    assert details.shares("vote", [("a", 0.0), ("b", -math.log(4))]) == pytest.approx([1.0, 0.25])


def test_knowledge_is_the_focus_and_the_notes() -> None:
    assert details.knowledge(Moment("")) == []
    assert details.knowledge(Moment("", entry())) == ["nothing that it says"]
    noted = entry(subgoal={"phase": "search", "wanted": "crate"}, notes={"visited": {"places": [1, 2]}, "trace_detail": {"content": "x"}})
    assert details.knowledge(Moment("", noted)) == ["After: crate (searches)", "visited: places 1, 2"]


def test_work_names_processor_fields_hook_and_how_it_ended(replay: Replay) -> None:
    changed = [
        {"by": "learned_plan", "hook": "before_model", "outcome": "change", "fields": {"prior": ["a", "b"], "candidates": ["c", "d"]}},
        {"by": "repair", "hook": "after_model", "outcome": "intercept", "fields": {"command": ["a", "b"]}},
        {"by": "stop", "hook": "before_tool", "outcome": "interrupt", "fields": {}},
    ]
    assert details.work_lines(replay, Moment("", entry(changed=changed))) == [
        ("learned_plan: prior, candidates", "before_model"),
        ("repair: command, as the last word", "after_model"),
        ("stop ended the episode", "before_tool"),
    ]
    assert details.work_lines(replay, Moment("", entry())) == [("no processor changed anything", "")]


@pytest.mark.parametrize(
    ("policy", "fields", "model_call", "title", "lines"),
    [
        ("smollm2", {}, SIGHT, "End of the prompt (2 messages)", ["A yard.", "look", "go"]),
        ("random", {}, SIGHT, "Prompt", []),
        ("human", {}, None, "Prompt", []),
        ("smollm2", {"method": "rank"}, SIGHT, "Prompt", []),
        ("smollm2", {"notes": {"trace_detail": {"content": "A yard."}}}, None, "End of the prompt", ["A yard."]),
        (
            "smollm2",
            {"notes": {"trace_detail": {"candidates": []}}},
            None,
            "Prompt",
            ["not kept in this recording; homebody run --json keeps it"],
        ),
    ],
)
def test_prompt_where_one_was_read(
    replay: Replay, policy: str, fields: dict[str, Any], model_call: ModelCall | None, title: str, lines: list[str]
) -> None:
    replay.policy = policy
    assert details.prompt_lines(replay, Moment("", entry(**fields), model_call)) == (title, lines)


@pytest.mark.parametrize(
    ("policy", "fields", "words"),
    [
        ("no-model", {"method": "rank"}, "by no-model"),
        ("smollm2", {"method": "rank"}, "by the harness's ranking"),
        ("smollm2", {"method": "rank", "decided_by": "reading"}, "ranked by its answers"),
        ("smollm2", {"method": "score", "decided_by": "model"}, "by the model's scores"),
        ("smollm2", {"method": "generate"}, "written freely"),
    ],
)
def test_how_a_command_was_chosen(replay: Replay, policy: str, fields: dict[str, Any], words: str) -> None:
    replay.policy = policy
    assert details.how(replay, Moment("", entry(**fields))) == words


@pytest.mark.parametrize(
    ("fields", "who", "marks"),
    [
        ({"decided_by": "model", "scores": [["look", 2.0], ["go", 0.5]]}, "model", "by 1.50"),
        ({"decided_by": "fallback", "repaired": True}, "fallback", "the reply could not be read, repaired"),
        ({"offered": 1}, "harness", "the only one on offer"),
        ({}, "harness", ""),
    ],
)
def test_who_decided(fields: dict[str, Any], who: str, marks: str) -> None:
    assert details.decided(Moment("", entry(**fields))) == (who, marks)


def test_steps_so_far_by_who_decided(replay: Replay) -> None:
    deciders = ("model", "reading", "harness", "reading", "fallback")
    replay.moments += [Moment("", entry(decided_by=who, tool=number == 3)) for number, who in enumerate(deciders)]
    assert details.counts(replay, 0) == {}
    # The fourth is a call of a tool, which is no step.
    assert details.counts(replay, 4) == {"model": 1, "reading": 1, "harness": 1}
    assert details.counts(replay, 5) == {"model": 1, "reading": 1, "harness": 1, "fallback": 1}


def test_an_earlier_answer_is_at_work_until_another_is_asked_for(replay: Replay) -> None:
    asking = [entry(step=number, decided_by="model", questions=[QUESTION]) for number in (1, 4)]
    reading = [entry(step=number, decided_by="reading") for number in (2, 5)]
    replay.moments += [Moment("", step) for step in (asking[0], reading[0], entry(step=3), asking[1], reading[1])]
    assert [details.last_asked(replay, at) for at in range(6)] == [None, asking[0], asking[0], None, asking[1], asking[1]]


def test_cost_of_a_step_or_of_the_whole_episode(replay: Replay) -> None:
    seen, unseen = Moment("", entry(), SIGHT), Moment("", entry())
    assert details.cost(replay, seen, 1) == "100 prompt tokens (75% cached), 6 written, 250 ms"
    assert details.cost(replay, Moment("", entry(), ModelCall((), Usage())), 1) == "no call of the model"
    assert details.cost(replay, unseen, 0) == "tokens and time: known for the whole episode only"
    replay.end = End(True, "won in 1 step", {"prompt_tokens": 10, "calls": 1, "scored_tokens": 4, "seconds": 1.0})
    assert details.cost(replay, unseen, 0) == "whole episode: 10 prompt tokens (0% cached), 4 scored, 1000 ms"
    assert details.cost(replay, Moment(""), -1) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "accepted"),
        ({"accepted": False}, "not possible"),
        ({"tool": True}, "answered by the harness, no step spent"),
    ],
)
def test_outcome(fields: dict[str, Any], words: str) -> None:
    assert details.outcome(Moment("", entry(**fields))) == words


# --- that all of it can be read

TWIN = "carry the barrel 3 from the far dock to the shed 2 and come back"

FULL = entry(
    step=7,
    command="put the heavy crate 12 into the shed 3",
    response="I think that I should\nput the heavy crate 12 into the shed 3",
    accepted=False,
    scores=tuple((f"walk to the dock {n} beside the river and wait there", -float(n)) for n in range(5)),
    method="score",
    subgoal={"phase": "reach", "wanted": "crate"},
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
    decided_by="fallback",
    repaired=True,
    cut=True,
    twin=TWIN,
)
ASKED = entry(
    decided_by="model",
    twin=TWIN,
    scores=[["go", 2.0], ["look", 0.5]],
    questions=[QUESTION, {"prompt": "You look, " * 40, "answers": [[" " + "shed and " * 20, -1.0]]}, QUESTION],
    notes={"prior": {"crate": [["shed " * 9, 4.21], ["dock", 3.83]], "the other thing that is wanted": [["dock", -0.5]]}},
)
REPLIED = entry(
    decided_by="model",
    twin=TWIN,
    questions=[
        {"prompt": "Say it plainly. " * 40, "reply": "Put a crate on a dock. " * 20},
        QUESTION,
        {"prompt": "So?", "error": "It is full."},
    ],
)
THOUGHT = entry(decided_by="model", thought="Is it in a shed? " * 60, response="Thought: yes.\nAction: go", finish="budget")
READING = entry(decided_by="reading", scores=[["go", 2.0], ["look", 2.0]])
BARE = entry(command="", scores=[["look", 0.0]])


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
@pytest.mark.parametrize(
    "size", [(320, 359), (320, 411), (320, 560), (320, 640), (640, 200), (640, 300), (600, 990), (960, 340), (480, 240), (300, 200)]
)
@pytest.mark.parametrize(
    "moments",
    [
        [Moment("A yard. " * 60, FULL, SIGHT)] * 20,
        [Moment("", BARE)] * 20,
        [],
        [Moment("A shed.", READING)] * 3 + [Moment("", entry(decided_by=who)) for who in DECIDED_BY] * 25 + [Moment("", ASKED)],
        [Moment("", REPLIED), Moment("", READING)],
        [Moment("", ASKED), Moment("", READING)],
        [Moment("A shed.", THOUGHT)] * 3,
    ],
    ids=["full", "bare", "opening", "asked", "replied", "reading", "thought"],
)
def test_nothing_on_the_panel_overlaps_or_is_cut(
    replay: Replay, written: list[tuple[Box, str]], size: tuple[int, int], scale: float, moments: list[Moment]
) -> None:
    replay.moments += moments
    inspector.draw_inspector(Canvas(round(size[0] * scale), round(size[1] * scale)), replay, replay.last, scale)
    assert written
    for (a, one), (b, other) in combinations([item for item in written if item[1].strip()], 2):
        # Lines of text may share the space that a font leaves above and below its letters.
        assert not a.inset(0, 2).overlaps(b.inset(0, 2)), (one, other)


def test_a_question_is_shown_with_its_answers_and_what_they_decided(replay: Replay, written: list[tuple[Box, str]]) -> None:
    notes = {"prior": {"crate": [["shed", 4.21], ["dock", 3.83]]}}
    step = entry(decided_by="model", twin="wait", scores=[["look", 4.21], ["go", 3.83]], questions=[QUESTION], notes=notes, method="rank")
    replay.moments.append(Moment("", step))
    inspector.draw_inspector(Canvas(320, 640), replay, 1)
    texts = [text for _, text in written]
    assert {"look", "model", "by 0.38", "without the model: wait", "The model was asked", "shed", "-6.4", "dock", "-6.5"} <= set(texts)
    assert "The best place to find a crate is in or on the ..." in " ".join(texts)
    assert {"crate: shed +4.2, dock +3.8", "ranked by its answers", "1 model"} <= set(texts)
    # Later, where the answer still decides, in fewer words.
    written.clear()
    replay.moments.append(Moment("", entry(step=2, decided_by="reading", twin="look")))
    inspector.draw_inspector(Canvas(320, 640), replay, 2)
    texts = [text for _, text in written]
    assert {"reading", "The model was asked", "at step 1", "shed -6.4, dock -6.5, vat -9.7", "1 reading"} <= set(texts)
    assert not any(text.startswith("without the model") for text in texts)


def test_a_thought_and_the_reply_after_it_are_shown(replay: Replay, written: list[tuple[Box, str]]) -> None:
    replay.moments.append(Moment("", entry(decided_by="model", thought="It is dark.", response="Thought: so.\nAction: look")))
    inspector.draw_inspector(Canvas(320, 640), replay, 1)
    texts = [text for _, text in written]
    at = texts.index("The model thought and wrote")
    assert texts[at + 1 : at + 4] == ["It is dark.", "Thought: so.", "Action: look"]


def test_without_a_model_nobody_is_said_to_decide(replay: Replay, written: list[tuple[Box, str]]) -> None:
    replay.policy = "no-model"
    replay.moments.append(Moment("", entry()))
    inspector.draw_inspector(Canvas(320, 640), replay, 1)
    assert not {"harness", "1 harness"} & {text for _, text in written}


def test_marks_differ_in_shape_and_not_only_in_colour() -> None:
    kinds = ("model", "reading", "harness", "fallback", "won", "refused", "adapted")
    shapes = [(Canvas(SIDE, SIDE), mark(kind)) for kind in kinds]
    for paper, drawn in shapes:
        paper.paste(drawn)
    inked = [(paper.to_array() < 200).any(axis=2) for paper, _ in shapes]
    assert all((a != b).mean() > 0.1 for a, b in combinations(inked, 2))
    # The model's choice is the same mark whatever the twin says.
    assert (mark("agreed").to_array() == mark("model").to_array()).all()


def test_the_title_tells_who_plays_and_at_the_end_how_it_ended(replay: Replay, written: list[tuple[Box, str]]) -> None:
    inspector.draw_title(Canvas(320, 40), replay, 0)
    assert [text for _, text in written] == ["seed", "policy smollm2"]
    replay.end = End(False, "not won in 15 steps, and that is a long story", {})
    inspector.draw_title(Canvas(320, 40), replay, 0)
    assert written[2][1].startswith("not won in")
    assert not any(written[2][0].overlaps(box) for box, _ in written[3:])


# --- the layout


@pytest.fixture
def played(make_record: Callable[..., EpisodeRecord]) -> EpisodeRecord:
    return make_record("no-model", 4)


@pytest.mark.parametrize(
    ("n", "size", "is_picture"),
    [
        (1, LEAST, False), (1, (960, 600), True), (1, (960, 720), True), (1, (1280, 800), True), (1, (1920, 1080), True),
        (2, LEAST_TWO, False), (2, (1280, 900), True), (2, (1920, 1080), True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("has_buttons", [False, True])
def test_parts_of_the_board_fill_it_and_do_not_overlap(
    played: EpisodeRecord, size: tuple[int, int], n: int, is_picture: bool, has_buttons: bool
) -> None:
    replays = [Replay.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed") for _ in range(n)]
    layout = Layout(replays, size, has_buttons=has_buttons)
    layout.show(2)
    assert layout.draw().to_array().shape == (size[1], size[0], 3)
    parts = [box for place in layout._places for box in (place.title, place.scene, place.inspector)] + [layout.timeline]
    parts += [layout.buttons] if has_buttons else []
    assert all(layout.canvas.box.holds(part) for part in parts)
    assert not any(a.overlaps(b) for a, b in combinations(parts, 2))
    # A house has its picture wherever that has the room that it needs.
    assert {scene.is_picture for scene in layout.scenes} == {is_picture}


def test_a_board_that_would_be_too_small_says_so(played: EpisodeRecord) -> None:
    replay = Replay.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")
    with pytest.raises(CanvasSizeError, match=r"size \(300, 200\) is not possible; .* from \(640, 480\)"):
        Layout([replay], (300, 200))
    with pytest.raises(CanvasSizeError, match=r"size \(640, 480\) is not possible; .* from \(960, 600\)"):
        Layout([replay, replay], (640, 480))


def test_a_moment_at_which_the_model_was_asked_stands_longer(played: EpisodeRecord) -> None:
    asking = replace(
        played, trace=tuple(replace(step, questions=(ASKED.questions[0],)) if step.step == 2 else step for step in played.trace)
    )
    layout = Layout([Replay.of(asking, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")], LEAST)
    stands = [ms for _, ms in frames(layout)]
    # The opening, three moments and the end: those that stand longer than a picture on the way.
    opening, first, asked, third, end = [ms for ms in stands if ms > 500]
    assert first == third < asked < end
    assert opening < asked


def test_a_click_on_the_line_of_steps_finds_its_moment(played: EpisodeRecord) -> None:
    layout = Layout([Replay.of(played, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")], (960, 720))
    y = layout.timeline.center[1]
    found = [layout.moment_at(x, y) for x in range(960)]
    assert [number for number in dict.fromkeys(found) if number is not None] == [0, 1, 2, 3, 4]
    assert layout.moment_at(100, 5) is None
