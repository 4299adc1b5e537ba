"""Recordings: what is in the files, and what is said where one cannot be written."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from homebody.agents import EpisodeRecord, RolloutConfig
from homebody.envs.canvas import import_pygame
from homebody.envs.file import OutputError
from homebody.scripts.view import recorder
from homebody.scripts.view.layout import LEAST, Layout
from homebody.scripts.view.replay import Replay

Command = Callable[..., Any]
FFMPEG = """#!{python} -P
import pathlib, sys
data = sys.stdin.buffer.read()
pathlib.Path(sys.argv[-1]).write_text(f"{{sys.argv[sys.argv.index('-s') + 1]}} {{len(data)}}")
"""
BROKEN = "#!/bin/sh\necho 'no such codec' >&2\nexit 1\n"


def layout(record: EpisodeRecord, size: tuple[int, int] = LEAST) -> Layout:
    return Layout([Replay.of(record, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")], size)


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_animation_shows_every_step_and_stands_at_its_end(make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    record = make_record("no-model", 3)
    path = tmp_path / "a.gif"
    recorder.record(layout(record), str(path))
    with Image.open(path) as image:
        assert (image.size, image.info["loop"]) == (LEAST, 0)
        n_frames = image.n_frames
        durations = []
        for number in range(n_frames):
            image.seek(number)
            durations.append(image.info["duration"])
        last = np.asarray(image.convert("RGB"), np.int16)
    # The opening, and for each of three steps some pictures on the way and one that stands.
    assert 4 <= n_frames <= 1 + 3 * 4
    assert max(durations[:-1]) < durations[-1]
    whole = layout(record)
    whole.show(3)
    # 256 colours are not all colours: nearly every pixel is near to what was drawn.
    difference = np.abs(whole.draw().to_array().astype(np.int16) - last).max(axis=-1)
    assert np.quantile(difference, 0.99) <= 24


def test_equal_episodes_give_equal_bytes_of_reasonable_number(make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    record = make_record("expert", 15)
    for name in ("a.gif", "b.gif"):
        recorder.record(layout(record, (960, 720)), str(tmp_path / name))
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert (tmp_path / "a.gif").stat().st_size < 3_000_000


def test_a_picture_is_of_the_end(make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    record = make_record("no-model", 2)
    recorder.record(layout(record), str(tmp_path / "a.png"))
    whole = layout(record)
    whole.show(2)
    with Image.open(tmp_path / "a.png") as image:
        assert (np.asarray(image.convert("RGB")) == whole.draw().to_array()).all()


def test_a_picture_can_be_of_a_step(make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    stepped = layout(make_record("no-model", 3))
    recorder.record(stepped, str(tmp_path / "step.png"), 1)
    stepped.show(1)
    with Image.open(tmp_path / "step.png") as picture:
        assert np.array_equal(np.asarray(picture), stepped.draw().to_array())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--step", 1), "--step 1 is of one picture"),
        (("--step", 1, "--record", "{folder}/a.gif"), "give --record FILE.png"),
        (("--step", 9, "--record", "{folder}/a.png"), "give a number from 0 to 2"),
    ],
)
def test_a_step_that_cannot_be_shown(
    homebody: Command, make_record: Callable[..., EpisodeRecord], tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    episode = tmp_path / "episode.json"
    homebody("run", "--policy", "no-model", "--max-steps", 2, "--json", episode)
    answer = homebody("watch", episode, *(str(option).format(folder=tmp_path) for option in options))
    assert answer.code == 2
    assert said in answer.error
    assert not list(tmp_path.glob("a.*"))


def test_a_film_is_sent_to_ffmpeg_picture_by_picture(
    make_record: Callable[..., EpisodeRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    program(tmp_path / "ffmpeg", FFMPEG.format(python=sys.executable))
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = list(recorder.frames(layout(make_record("no-model", 1))))
    recorder.record(layout(make_record("no-model", 1)), str(tmp_path / "a.mp4"))
    size, n_bytes = (tmp_path / "a.mp4").read_text().split()
    assert size == "640x480"
    # A picture every 80 ms, of three bytes a pixel, each as often as it stands.
    assert int(n_bytes) == sum(max(1, round(ms / 80)) for _, ms in shown) * 640 * 480 * 3


def test_ffmpeg_of_a_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("imageio_ffmpeg")
    package.get_ffmpeg_exe = lambda: "/opt/ffmpeg"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)
    assert recorder.find_ffmpeg() == "/opt/ffmpeg"


def test_a_film_that_fails_says_why(make_record: Callable[..., EpisodeRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "find_ffmpeg", lambda: str(program(tmp_path / "broken", BROKEN)))
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4: ffmpeg failed: no such codec; give a file"):
        recorder.record(layout(make_record("no-model", 1)), str(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.webm", r"--record is '.*a\.webm'; give a file name that ends in \.gif, \.mp4 or \.png"),
        ("none/a.gif", r"cannot write .*a\.gif: there is no folder .*none; give a file in a folder that exists"),
        ("a.mp4", r"an \.mp4 needs ffmpeg, which is not installed; run: pip install imageio-ffmpeg, or record a \.gif"),
    ],
)
def test_what_cannot_be_recorded_is_said_before_the_work(
    homebody: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = homebody("run", "--policy", "no-model", "--record", tmp_path / name)
    assert (answer.code, answer.out) == (2, "")
    assert re.match(said, answer.error)


def test_without_pygame_nothing_is_played(homebody: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    import_pygame.cache_clear()
    for option in (("--record", tmp_path / "a.gif"), ("--watch",)):
        answer = homebody("run", "--policy", "no-model", *option)
        assert (answer.code, answer.out) == (2, "")
        assert "pip install pygame" in answer.error


def test_run_records_without_a_display(homebody: Command, loaded: Command, tmp_path: Path, no_display: None) -> None:
    options = ("--policy", "random", "--max-steps", 2, "--size", "1000x640", "--json", tmp_path / "a.json")
    answer = homebody("run", *options, "--record", tmp_path / "a.gif")
    assert (answer.code, answer.err) == (0, "")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.size == (1000, 640)
    content = loaded(tmp_path / "a.json")
    assert (content["env"], content["harness"], len(content["model_calls"])) == ("homebody/Household-v0", "household-act", 2)
    assert content["model_calls"][0]["messages"][-1]["role"] == "user"


@pytest.mark.parametrize(
    ("size", "said"),
    [("big", "'big' is no size; give width and height in pixels, as 960x720"), ("64x48", "a picture of size (64, 48) is not possible")],
)
def test_a_size_that_is_none(homebody: Command, tmp_path: Path, size: str, said: str) -> None:
    answer = homebody("run", "--policy", "no-model", "--max-steps", 1, "--size", size, "--record", tmp_path / "a.png")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.error


def test_a_size_of_nothing(homebody: Command) -> None:
    answer = homebody("run", "--policy", "no-model", "--size", "960x720")
    assert (answer.code, answer.error) == (2, "--size is given and nothing is drawn; add --watch or --record FILE.gif, or leave it out")


def test_an_episode_that_could_not_begin_is_not_recorded(homebody: Command, tmp_path: Path) -> None:
    answer = homebody("run", "--policy", "no-model", "--task", "test/nowhere-000000", "--record", tmp_path / "a.gif")
    assert answer.code == 2
    assert "nowhere" in answer.error
    assert not (tmp_path / "a.gif").exists()


def test_a_folder_that_cannot_be_written_to_any_more(make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*gone/a\.png: No such file or directory; give a file"):
        recorder.record(layout(make_record("no-model", 1)), str(tmp_path / "gone" / "a.png"))
