"""Drawing without a display, text that fits, a window and what happens in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from homebody.envs import window as module
from homebody.envs.canvas import (
    BLUE,
    GREEN,
    INK,
    MOST_PIXELS,
    ORANGE,
    SMALLEST_TEXT,
    WHITE,
    Box,
    Canvas,
    CanvasSizeError,
    PygameMissingError,
    TextSizeError,
    check_size,
    fit,
    line_height,
    measure,
    wrap,
)  # fmt: skip
from homebody.envs.file import OutputError
from homebody.envs.window import DisplayError, Event, Window


def colors(canvas: Canvas) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in canvas.to_array().reshape(-1, 3).tolist()}


# --- boxes


def test_box_edges() -> None:
    box = Box(10, 20, 30, 40)
    assert (box.right, box.bottom, box.center) == (40, 60, (25, 40))
    assert box.inset(5) == Box(15, 25, 20, 30)
    assert box.inset(1, 10) == Box(11, 30, 28, 20)
    assert [box.contains(x, 30) for x in (9, 10, 39, 40)] == [False, True, True, False]
    assert box.holds(box.inset(1))
    assert not box.holds(Box(10, 20, 31, 40))


def test_boxes_that_touch_do_not_overlap() -> None:
    box = Box(10, 10, 10, 10)
    assert not box.overlaps(Box(20, 10, 5, 5))
    assert not box.overlaps(Box(10, 20, 5, 5))
    assert box.overlaps(Box(19, 19, 5, 5))


# --- canvases


def test_array_has_rows_first_and_red_green_blue() -> None:
    canvas = Canvas(30, 20, WHITE)
    canvas.rect((5, 2, 10, 3), ORANGE)
    array = canvas.to_array()
    assert (array.shape, array.dtype) == ((20, 30, 3), np.uint8)
    assert array[2, 5].tolist() == list(ORANGE)
    assert array[4, 14].tolist() == list(ORANGE)
    assert array[5, 5].tolist() == array[2, 15].tolist() == list(WHITE)


def test_array_is_a_copy() -> None:
    canvas = Canvas(3, 3)
    array = canvas.to_array()
    canvas.rect(canvas.box, INK)
    array[0, 0] = 7
    assert array[1, 1].tolist() == list(WHITE)
    assert canvas.to_array()[0, 0].tolist() == list(INK)


def test_shapes_stay_where_they_are_put() -> None:
    canvas = Canvas(100, 60)
    canvas.circle((20, 20), 8, BLUE)
    canvas.ellipse((40, 10, 20, 10), GREEN)
    canvas.polygon([(70, 10), (90, 10), (80, 20)], ORANGE)
    canvas.line([(5, 50), (50, 50), (50, 40)], INK, 3)
    array = canvas.to_array()
    for (x, y), color in {(20, 20): BLUE, (50, 15): GREEN, (80, 13): ORANGE, (30, 50): INK, (50, 45): INK, (97, 57): WHITE}.items():
        assert array[y, x].tolist() == list(color)


def test_borders_leave_the_inside() -> None:
    canvas = Canvas(40, 40)
    canvas.rect((2, 2, 36, 36), BLUE, radius=4, border=2)
    canvas.circle((20, 20), 10, INK, border=2)
    array = canvas.to_array()
    assert array[20, 3].tolist() == list(BLUE)
    assert array[20, 20].tolist() == array[20, 6].tolist() == list(WHITE)


def test_transparent_canvas_shows_what_is_below() -> None:
    below, above = Canvas(20, 20, ORANGE), Canvas(10, 10, None)
    above.rect((0, 0, 5, 10), BLUE)
    below.paste(above, 5, 5)
    array = below.to_array()
    assert array[8, 6].tolist() == list(BLUE)
    assert array[8, 12].tolist() == list(ORANGE)


def test_opacity_of_a_paste_does_not_last() -> None:
    sheet = Canvas(4, 4, (0, 0, 0))
    first, second = Canvas(4, 4), Canvas(4, 4)
    first.paste(sheet, opacity=0.5)
    second.paste(sheet)
    assert abs(int(first.to_array()[0, 0, 0]) - 127) <= 2
    assert colors(second) == {(0, 0, 0)}


def test_part_draws_through_and_is_clipped() -> None:
    canvas = Canvas(50, 40)
    part = canvas.part(Box(10, 5, 20, 10))
    part.rect((-5, -5, 100, 100), BLUE)
    assert (part.width, part.height, part.box) == (20, 10, Box(0, 0, 20, 10))
    array = canvas.to_array()
    assert (array[5:15, 10:30] == BLUE).all()
    assert (array == BLUE).all(axis=2).sum() == 200
    assert (part.to_array() == BLUE).all()


def test_clip_ends_with_its_block() -> None:
    canvas = Canvas(10, 10)
    with canvas.clipped(Box(0, 0, 5, 10)):
        canvas.rect(canvas.box, BLUE)
    canvas.rect((9, 9, 1, 1), ORANGE)
    array = canvas.to_array()
    assert (array[:, :5] == BLUE).all()
    assert array[9, 9].tolist() == list(ORANGE)
    assert array[0, 6].tolist() == list(WHITE)


def test_copy_is_independent_and_scaling_keeps_the_colors() -> None:
    canvas = Canvas(40, 20, BLUE)
    copy = canvas.copy()
    canvas.rect(canvas.box, INK)
    assert colors(copy) == {BLUE}
    small = copy.scaled(10, 5)
    assert (small.width, small.height, colors(small)) == (10, 5, {BLUE})


def test_saved_file_is_a_png(tmp_path: Path) -> None:
    canvas = Canvas(12, 8, ORANGE)
    canvas.text("a", 1, -3)
    canvas.save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert image.format == "PNG"
        assert (np.asarray(image.convert("RGB")) == canvas.to_array()).all()
    with pytest.raises(OutputError, match="No such file or directory"):
        canvas.save(tmp_path / "nowhere" / "picture.png")


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5.0, 5), (True, 5), ("5", 5), (5,), 5, None, (5, 5, 5), (MOST_PIXELS + 1, 5)])
def test_impossible_sizes_are_refused(size: object) -> None:
    with pytest.raises(CanvasSizeError, match="give \\(width, height\\) in whole pixels"):
        check_size(size)


def test_least_size_is_named() -> None:
    assert check_size([640, 480], (640, 480)) == (640, 480)
    with pytest.raises(CanvasSizeError, match=r"\(639, 480\) is not possible.*from \(640, 480\)"):
        check_size((639, 480), (640, 480))


def test_canvas_and_part_check_their_size() -> None:
    with pytest.raises(CanvasSizeError):
        Canvas(0, 10)
    with pytest.raises(CanvasSizeError):
        Canvas(10, 10).part(Box(5, 5, 6, 5))
    with pytest.raises(CanvasSizeError):
        Canvas(10, 10).part(Box(5, 5, 0, 5))


# --- text


def test_text_stands_in_the_box_that_is_returned() -> None:
    for align in ("left", "center", "right"):
        canvas = Canvas(200, 60)
        box = canvas.text("Mug 12", 100, 20, size=16, bold=True, align=align)  # type: ignore[arg-type]
        assert (box.width, box.height) == measure("Mug 12", size=16, bold=True)
        assert {"left": box.x, "center": box.x + box.width / 2, "right": box.right}[align] == pytest.approx(100, abs=1)
        dark = np.argwhere(canvas.to_array().min(axis=2) < 128)
        assert len(dark) > 20
        assert all(box.contains(x, y) for y, x in dark.tolist())


@pytest.mark.parametrize("size", [11, 0, -3, 12.5, "14"])
def test_small_text_is_refused(size: object) -> None:
    for draw in (lambda: Canvas(9, 9).text("a", 0, 0, size=size), lambda: measure("a", size=size)):  # type: ignore[arg-type]
        with pytest.raises(TextSizeError, match="at least 12"):
            draw()


@pytest.mark.parametrize("text", ["", " ", "\0", "a\nb\tc", "\ud800", "\u200b", "\U0001f9f9 ☃ ß", "x" * 3000])
def test_any_text_is_drawn(text: str) -> None:
    canvas = Canvas(50, 30)
    canvas.text(text, 0, 0)
    canvas.paragraph(text, canvas.box)


def test_fit_cuts_with_an_ellipsis() -> None:
    assert fit("put a mug", 200) == "put a mug"
    cut = fit("put a mug in the coffee machine", 100)
    assert cut.endswith("…")
    assert "put a mug in the coffee machine".startswith(cut[:-1])
    assert measure(cut)[0] <= 100


@given(text=st.text(st.characters(codec="utf-8"), max_size=80), width=st.integers(20, 200), size=st.sampled_from([SMALLEST_TEXT, 17]))
def test_wrapped_lines_fit_and_lose_no_letter(text: str, width: int, size: int) -> None:
    lines = wrap(text, width, size=size)
    assert "".join("".join(lines).split()) == "".join(letter for letter in text if letter.isprintable() and letter != " ")
    for line in lines:
        assert len(line) <= 1 or measure(line, size=size)[0] <= width


def test_word_of_a_megabyte_is_broken_and_drawn_in_time() -> None:
    word = "broom" * 40_000
    started = time.process_time()
    lines = wrap(word, 200)
    assert "".join(lines) == word
    assert len({len(line) for line in lines[:-1]}) <= 5
    assert Canvas(200, 100).paragraph(word, Box(0, 0, 200, 60)) <= 60
    assert time.process_time() - started < 10


def test_wrap_keeps_line_breaks() -> None:
    assert wrap("one\n\ntwo", 100) == ["one", "", "two"]
    assert wrap("", 100) == []


def test_paragraph_says_how_high_it_is_and_stays_in_its_box() -> None:
    canvas = Canvas(120, 100)
    box = Box(10, 10, 90, 2 * line_height(14) + 5)
    assert canvas.paragraph("mug", box) == line_height(14)
    assert canvas.paragraph("a mug and a plate and a spoon and a fork and a knife", box) == 2 * line_height(14)
    dark = np.argwhere(canvas.to_array().min(axis=2) < 128)
    assert all(box.contains(x, y) for y, x in dark.tolist())


# --- no display, no sound, no pygame


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SDL_", "PYGAME_", "DISPLAY", "WAYLAND"))}
    return subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, env={**clean, **env}, check=False
    )


def test_drawing_needs_no_display_and_is_silent() -> None:
    code = """
from homebody.envs.canvas import Canvas
Canvas(50, 20).text("mug", 0, 0)
import pygame
assert not pygame.display.get_init() and not pygame.mixer.get_init()
"""
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_drawing_is_the_same_in_every_process() -> None:
    code = """
import hashlib
from homebody.envs.canvas import BLUE, Canvas
canvas = Canvas(80, 30)
canvas.text("mug 1", 3, 3)
canvas.circle((60.5, 12), 7.3, BLUE)
print(hashlib.sha256(canvas.scaled(33, 17).to_array().tobytes()).hexdigest())
"""
    assert run(code, PYTHONHASHSEED="1").stdout == run(code, PYTHONHASHSEED="2").stdout != ""


def test_missing_pygame_is_one_line() -> None:
    code = """
import sys
sys.modules["pygame"] = None
from homebody.envs.canvas import Canvas, PygameMissingError
try:
    Canvas(5, 5)
except PygameMissingError as error:
    print(error)
"""
    done = run(code)
    assert done.stdout == "pictures need pygame, which is not installed; run: pip install pygame (Python 3.14 and later: pygame-ce)\n"
    assert str(PygameMissingError()) == done.stdout.strip()


def test_no_display_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.sys, "platform", "linux")
    with pytest.raises(DisplayError, match=r"neither DISPLAY nor WAYLAND_DISPLAY is set.*rgb_array"):
        Window(100, 80, "test")


def test_a_display_that_does_not_open_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    with pytest.raises(DisplayError, match=r"SDL_VIDEODRIVER=nonsense: .*rgb_array"):
        Window(100, 80, "test")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DISPLAY": "nonsense"}, "no display answers at DISPLAY=nonsense"),
        ({"DISPLAY": "nonsense", "SDL_VIDEODRIVER": ""}, "no display answers at DISPLAY=nonsense"),
        ({"WAYLAND_DISPLAY": "none-0"}, "no display answers at WAYLAND_DISPLAY=none-0"),
        (
            {"DISPLAY": "nonsense", "WAYLAND_DISPLAY": "none-0"},
            "no display answers at DISPLAY=nonsense or WAYLAND_DISPLAY=none-0",
        ),
        ({"DISPLAY": "nonsense", "SDL_VIDEODRIVER": "x11"}, "SDL_VIDEODRIVER=x11: "),
    ],
)
def test_a_dead_display_is_one_line_and_no_invisible_window(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"XDG_RUNTIME_DIR": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module.sys, "platform", "linux")
    with pytest.raises(DisplayError, match=f"no window can be opened: {said}"):
        Window(100, 80, "test")
    assert not pygame.display.get_init()
    assert os.environ.get("SDL_VIDEODRIVER", "") == variables.get("SDL_VIDEODRIVER", "")


def test_a_display_that_nobody_sees_is_taken_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # On systems where SDL chooses, it may end with one; here it does, for there is no other.
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.sys, "platform", "darwin")
    with pytest.raises(DisplayError, match="SDL fell back to its driver 'offscreen'"):
        Window(100, 80, "test")
    assert not pygame.display.get_init()
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    window = Window(100, 80, "test")
    assert (window.is_open, window.is_seen) == (True, False)
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", "nonsense")
    with pytest.raises(DisplayError, match="no display answers at DISPLAY=nonsense"):
        Window(100, 80, "test")  # and not in the display that is there already


# --- windows


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    window = Window(200, 100, "test")
    window.events()
    yield window
    window.close()


def post(kind: int, **values: object) -> None:
    pygame.event.post(pygame.event.Event(kind, **values))


def test_window_shows_a_canvas(window: Window) -> None:
    window.show(Canvas(200, 100, ORANGE))
    assert pygame.display.get_surface().get_at((150, 50))[:3] == ORANGE
    window.wait(1)


def test_window_tells_what_a_person_did(window: Window) -> None:
    post(pygame.KEYDOWN, key=pygame.K_SPACE, unicode=" ", mod=pygame.KMOD_LSHIFT)
    post(pygame.KEYDOWN, key=pygame.K_LEFT, unicode="", mod=pygame.KMOD_LCTRL)
    post(pygame.KEYDOWN, key=pygame.K_RETURN, unicode="\r", mod=0)
    post(pygame.MOUSEBUTTONDOWN, button=1, pos=(30, 40))
    post(pygame.MOUSEBUTTONDOWN, button=3, pos=(30, 40))
    post(pygame.MOUSEMOTION, pos=(31, 41), rel=(1, 1), buttons=(0, 0, 0))
    post(pygame.KEYUP, key=pygame.K_SPACE, mod=0)
    assert window.events() == [
        Event("key", "space", " ", shift=True),
        Event("key", "left", control=True),
        Event("key", "return"),
        Event("click", x=30, y=40),
        Event("move", x=31, y=41),
    ]
    post(pygame.MOUSEWHEEL, x=0, y=-2, flipped=False)
    assert [(event.kind, event.turns) for event in window.events()] == [("wheel", -2)]


def test_closed_window_stays_closed(window: Window) -> None:
    assert window.is_open
    post(pygame.QUIT)
    assert window.events() == [Event("close")]
    assert not window.is_open
    assert window.events() == []
    window.show(Canvas(200, 100))
    window.close()


def test_resized_window_scales_the_picture_and_what_is_clicked(window: Window) -> None:
    pygame.display.set_mode((400, 300), pygame.RESIZABLE)
    window.events()
    window.show(Canvas(200, 100, ORANGE))
    screen = pygame.display.get_surface()
    assert screen.get_at((200, 150))[:3] == ORANGE
    assert screen.get_at((200, 20))[:3] == INK
    post(pygame.MOUSEBUTTONDOWN, button=1, pos=(100, 150))
    assert window.events() == [Event("click", x=50, y=50)]
