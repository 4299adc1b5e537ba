"""A person plays: on a terminal and in a window, and what is kept of it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import RolloutConfig
from homebody.envs import tasks
from homebody.envs.canvas import Box, Canvas
from homebody.envs.window import Event
from homebody.scripts.commands.play import play as play_command
from homebody.scripts.commands.watch import watch as watch_command
from homebody.scripts.group import cli
from homebody.scripts.view.human import completion, matching
from homebody.scripts.view.layout import LEAST
from homebody.scripts.view.play import PlayLayout
from homebody.scripts.view.replay import End, Replay

Command = Callable[..., Any]
Shows = Callable[..., list[Canvas]]
MENU = ("go to dock 1", "go to dock 2", "go to shed 1", "open shed 1", "take crate 1 from dock 1")
TASK = "train/kitchen-place-000000"
ENTER = Event("key", key="return")


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.commands, "watch", watch_command)
    monkeypatch.setitem(cli.commands, "play", play_command)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a person write these lines on the terminal, and end the input."""
    return lambda *lines: monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


# --- what a person may mean


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", MENU),
        ("go to d", MENU[:2]),
        ("  GO  to SHED", MENU[2:3]),
        ("shed 1", MENU[2:4]),  # a name: what holds it
        ("take 1", MENU[4:]),  # words in any place
        ("fly", ()),
    ],
)
def test_matching(typed: str, found: Sequence[str]) -> None:
    assert matching(typed, MENU) == list(found)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("g", "go to "), ("go to d", "go to dock "), ("o", "open shed 1"), ("crate", MENU[4]), ("shed 1", "shed 1"), ("fly", "fly"), ("", "")],
)
def test_completion(typed: str, completed: str) -> None:
    assert completion(typed, MENU) == completed


# --- on a terminal


def test_a_game_on_the_terminal_is_kept_and_can_be_watched(
    homebody: Command, loaded: Command, says: Callable[..., None], tmp_path: Path, no_display: None
) -> None:
    env = RolloutConfig("homebody/Household-v0", "random").make_env()
    env.reset(options={"task": TASK})
    plan = env.unwrapped.expert()  # type: ignore[attr-defined]
    says(*plan)
    answer = homebody("play", "--text", "--task", TASK, "--json", tmp_path / "a.json")
    assert answer.code == 0
    record = loaded(tmp_path / "a.json")
    assert [step["command"] for step in record["trace"]] == plan
    assert (record["won"], record["policy"], record["harness"], record["error"]) == (True, "human", "bare", None)
    assert record["trace"][-1]["observation"] in answer.out
    assert f"won in {len(plan)} steps" in answer.out
    watched = homebody("watch", tmp_path / "a.json", "--size", "960x600", "--record", tmp_path / "a.png")
    assert (watched.code, watched.err) == (0, "")


def test_numbers_beginnings_lists_and_mistakes(homebody: Command, loaded: Command, says: Callable[..., None], tmp_path: Path) -> None:
    task = tasks("homebody/Household-v0", "train", 1)[0]
    env = RolloutConfig("homebody/Household-v0", "random").make_env()
    _, info = env.reset(options={"task": task.task_id})
    menu = info["admissible_commands"]
    says("2", "inv", "go to", "99", "?", "", "dance", "quit")
    answer = homebody("play", "--text", "--json", tmp_path / "a.json")
    assert answer.code == 0
    record = loaded(tmp_path / "a.json")
    # The second on the list; the one that begins so; what is no command is sent as it is.
    assert [step["command"] for step in record["trace"]] == [menu[1], "inventory", "dance"]
    assert [step["accepted"] for step in record["trace"]] == [True, True, False]
    assert (record["error"], record["interrupted"]) == (None, "the person stopped")
    assert re.search(r"There is no number 99; 1 to \d+ are listed\.", answer.out)
    assert "50 steps left" in answer.out


def test_the_end_of_the_input_is_a_stop(homebody: Command, loaded: Command, says: Callable[..., None], tmp_path: Path) -> None:
    says()
    answer = homebody("play", "--text", "--index", 1, "--json", tmp_path / "a.json")
    assert (answer.code, "ended: the person stopped" in answer.out) == (0, True)
    record = loaded(tmp_path / "a.json")
    assert (record["trace"], record["interrupted"]) == ([], "the person stopped")
    assert record["task_id"] == tasks("homebody/Household-v0", "train", 2)[1].task_id


def test_a_long_list_is_cut(homebody: Command, says: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homebody.scripts.view.human._SHOWN", 3)
    says()
    answer = homebody("play", "--text")
    assert re.search(r"\n   3  .*\n      and \d+ more; type the beginning of one\n", answer.out)


def test_what_cannot_be_played(homebody: Command, no_display: None, says: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    said = "no window can be opened: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set); play in this terminal: "
    assert homebody("play").error == f"{said}homebody play --text"
    monkeypatch.setenv("DISPLAY", "nonsense")
    said = "no window can be opened: no display answers at DISPLAY=nonsense; play in this terminal: "
    assert homebody("play").error == f"{said}homebody play --text"
    says()
    answer = homebody("play", "--text", "--task", "train/nowhere-000000")
    assert answer.code == 2
    assert "nowhere" in answer.err


# --- at the layout


@pytest.fixture
def layout() -> PlayLayout:
    made = PlayLayout(Replay(RolloutConfig("homebody/Household-v0", "random").make_env(), TASK, 0, "bare", "human"), LEAST)
    made.offer(MENU, 7)
    return made


def types(layout: PlayLayout, text: str) -> None:
    for letter in text:
        assert layout.handle(Event("key", key=letter, text=letter)) is None


def press(layout: PlayLayout, key: str, *, control: bool = False) -> str | None:
    return layout.handle(Event("key", key=key, control=control))


def click(layout: PlayLayout, box: Box) -> str | None:
    return layout.handle(Event("click", x=box.center[0], y=box.center[1]))


def test_typing_completing_and_sending(layout: PlayLayout) -> None:
    assert press(layout, "return") is None  # nothing is chosen
    types(layout, "go")
    assert press(layout, "tab") is None
    assert layout.typed == "go to "
    types(layout, "s")
    assert press(layout, "return") == "go to shed 1"
    press(layout, "backspace")
    assert layout.typed == "go to "
    press(layout, "backspace", control=True)
    assert layout.typed == ""
    types(layout, "fly")
    assert press(layout, "return") == "fly"
    press(layout, "escape")
    assert layout.typed == ""
    assert press(layout, "left") is None
    assert layout.handle(Event("move", x=1, y=1)) is None


def test_choosing_with_the_arrows(layout: PlayLayout) -> None:
    press(layout, "down")
    press(layout, "down")
    assert press(layout, "return") == MENU[1]
    for _ in range(9):
        press(layout, "up")
    assert press(layout, "return") == MENU[0]
    types(layout, "fly")
    press(layout, "down")
    assert press(layout, "return") == "fly"


def test_clicking(layout: PlayLayout) -> None:
    second = Box(layout.listed.x, layout.listed.y + 24, layout.listed.width, 22)
    assert click(layout, second) == MENU[1]
    below = Box(layout.listed.x, layout.listed.y + 24 * 10, layout.listed.width, 22)
    assert click(layout, below) is None
    types(layout, "o")
    send, complete, clear = layout.buttons
    assert click(layout, complete) is None
    assert layout.typed == "open shed 1"
    assert click(layout, send) == "open shed 1"
    assert click(layout, clear) is None
    assert layout.typed == ""
    assert click(layout, Box(layout.side.x, 0, 4, 4)) is None


def test_a_click_on_a_place_types_its_name_and_sends_what_can_only_be_meant() -> None:
    layout = PlayLayout(Replay(RolloutConfig("homebody/Household-v0", "random").make_env(), TASK, 0, "bare", "human"), (960, 600))
    play = layout.replay.env.unwrapped.play  # type: ignore[attr-defined]
    name = play.game.receptacles[0].strip()
    spot = next((x, y) for y in range(0, 600, 4) for x in range(0, 640, 4) if layout.scene.named(x, y).strip() == name)
    layout.offer([f"go to {name}", f"open {name}", "look"], 7)
    assert layout.handle(Event("click", x=spot[0], y=spot[1])) is None
    assert (layout.typed, layout.found) == (name, [f"go to {name}", f"open {name}"])
    layout.offer([f"go to {name}", "look"], 7)
    assert layout.handle(Event("click", x=spot[0], y=spot[1])) == f"go to {name}"


def test_a_long_list_scrolls(layout: PlayLayout) -> None:
    layout.offer([f"go to dock {n:03}" for n in range(100)], 7)
    rows = layout.listed.height // 24
    layout.handle(Event("wheel", turns=-1))
    assert click(layout, Box(layout.listed.x, layout.listed.y, 40, 20)) == "go to dock 003"
    layout.handle(Event("wheel", turns=99))
    assert click(layout, Box(layout.listed.x, layout.listed.y, 40, 20)) == "go to dock 000"
    press(layout, "page down")
    assert click(layout, Box(layout.listed.x, layout.listed.y, 40, 20)) == f"go to dock {rows:03}"
    press(layout, "page up")
    for _ in range(rows + 1):
        press(layout, "down")
    # The chosen one comes into model_call.
    assert click(layout, Box(layout.listed.x, layout.listed.y, 40, 20)) == "go to dock 001"
    layout.handle(Event("wheel", turns=-99))
    assert click(layout, Box(layout.listed.x, layout.listed.y + 24 * (rows - 1), 40, 20)) == "go to dock 099"


@pytest.mark.parametrize("size", [LEAST, (960, 600), (960, 720), (1920, 1080)])
@pytest.mark.parametrize("state", ["empty", "typed", "long", "none", "over"])
def test_all_on_the_desk_can_be_read(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], state: str) -> None:
    layout = PlayLayout(Replay(RolloutConfig("homebody/Household-v0", "random").make_env(), TASK, 0, "bare", "human"), size)
    layout.offer([f"go to the dock {n} and wait there until somebody comes with a crate" for n in range(90)], 1)
    if state in ("typed", "long", "none"):
        types(layout, {"typed": "go", "long": "go to the dock 1 and wait there until somebody comes with", "none": "fly"}[state])
    if state == "over":
        layout.replay.end, layout.said = End(True, "won", {}), "won in 12 steps, which is as few as can be, or nearly so"
    boxes: list[Box] = []
    draw = Canvas.text

    def text(self: Canvas, *arguments: Any, **rest: Any) -> Box:
        box = draw(self, *arguments, **rest)
        if self is layout.canvas and box.width:
            assert layout.side.holds(box), arguments
            boxes.append(box)
        return box

    monkeypatch.setattr(Canvas, "text", text)
    assert layout.draw().to_array().shape == (size[1], size[0], 3)
    assert len(boxes) >= 3
    assert not any(a.inset(0, 2).overlaps(b.inset(0, 2)) for a, b in combinations(boxes, 2))


# --- in the window


def test_a_game_in_the_window(homebody: Command, loaded: Command, shows: Shows, tmp_path: Path) -> None:
    env = RolloutConfig("homebody/Household-v0", "random").make_env()
    env.reset(options={"task": TASK})
    plan = env.unwrapped.expert()  # type: ignore[attr-defined]
    batches = [[*(Event("key", key=letter, text=letter) for letter in command), ENTER] for command in plan]
    shown = shows(*batches, [], [Event("key", key="escape")])
    answer = homebody("play", "--task", TASK, "--json", tmp_path / "a.json")
    assert (answer.code, answer.err) == (0, "")
    record = loaded(tmp_path / "a.json")
    assert ([step["command"] for step in record["trace"]], record["won"]) == (plan, True)
    assert len(shown) > len(plan)


def test_a_window_that_is_closed_ends_the_game(homebody: Command, loaded: Command, shows: Shows, tmp_path: Path) -> None:
    shows([], [Event("key", key=letter, text=letter) for letter in "inv"] + [ENTER], [])
    answer = homebody("play", "--size", "960x600", "--json", tmp_path / "a.json")
    assert (answer.code, answer.err) == (0, "")
    record = loaded(tmp_path / "a.json")
    assert ([step["command"] for step in record["trace"]], record["interrupted"]) == (["inventory"], "the person stopped")


def test_a_window_too_small(homebody: Command) -> None:
    assert "a picture of size (640, 479) is not possible" in homebody("play", "--size", "640x479").error
