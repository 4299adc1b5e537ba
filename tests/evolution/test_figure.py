import struct
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from homebody.evolution.figure import draw_run

SIDES = {"train": {"n": 4, "success": 0.25}, "validation": {"n": 6, "success": 0.5}}
ROUND = {
    "round": 1, **SIDES, "shipped": "r1c2",
    "candidates": [
        {"id": "r1c1", "manifest": {"lever": "one thing"}}, {"id": "r1c2", "manifest": {"lever": "another thing with a long name"}},
    ],
}  # fmt: skip
LAST: dict[str, Any] = {"round": 2, **SIDES, "shipped": None, "candidates": []}
ROWS = [
    {"row": "seed harness", "n": 6, "success": 0.0, "ci95": [0.0, 0.39]},
    {"row": "evolved harness", "n": 6, "success": 0.5, "ci95": [0.19, 0.81]},
    {"row": "a row of its own", "n": 6, "success": 1.0, "ci95": [0.61, 1.0]},
    {"row": "gain", "n": 6, "gain": 0.5, "ci95": [0.17, 0.83], "headroom_closed": 0.5},
]
RUN = {"start": {"env_id": "Quarry-v0", "model": "flat"}, "rounds": [ROUND, LAST], "table": {"test, 15 steps": ROWS}}
EMPTY: dict[str, Any] = {"start": None, "rounds": [], "table": {}}


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read a PNG, checksums and all."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        found.append((kind, body))
        at += 12 + length
    return found


@pytest.mark.parametrize("run", [RUN, {**RUN, "rounds": []}, {**RUN, "table": {}}, {**RUN, "table": {"t": ROWS[:1]}}, EMPTY])
def test_a_png_is_valid_and_the_same_each_time(run: dict[str, Any], tmp_path: Path) -> None:
    draw_run(run, tmp_path / "a.png")
    draw_run(run, tmp_path / "b.png")
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    found = chunks(data)
    assert struct.unpack(">II", found[0][1][:8]) == (1650, 690)  # 11 by 4.6 inches at 150 dots
    assert found[-1][0] == b"IEND"
    pixels = zlib.decompress(b"".join(body for kind, body in found if kind == b"IDAT"))
    assert len(pixels) == 690 * (1 + 4 * 1650)
    assert len(set(pixels)) > 20  # something is drawn
    assert not any(kind in (b"tEXt", b"iTXt", b"tIME") for kind, _ in found)  # no version, no date


def test_an_svg_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    draw_run(RUN, tmp_path / "a.svg")
    draw_run(RUN, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("}svg")


def texts(run: dict[str, Any], tmp_path: Path) -> str:
    draw_run(run, tmp_path / "t.svg")
    # Matplotlib writes each text into a comment beside its outlines.
    return (tmp_path / "t.svg").read_text("utf-8")


def test_what_is_written_on_the_chart(tmp_path: Path) -> None:
    shown = texts(RUN, tmp_path)
    for text in (
        "Quarry-v0   flat", "Held out: test, 15 steps   gain +50.0 points", "train (n = 4)", "validation (n = 6)",
        "seed harness", "evolved harness", "a row of its own", "0.0%", "50.0%", "100.0%", "another",
    ):  # fmt: skip
        assert f"<!-- {text}" in shown or f"<!-- + {text}" in shown, text
    assert "one thing" not in shown  # what was not shipped is not on the axis


def test_another_run_gives_another_chart(tmp_path: Path) -> None:
    better = {**RUN, "table": {"test, 15 steps": [ROWS[0], {**ROWS[1], "success": 0.6}]}}
    for name, run in (("a", RUN), ("b", better)):
        draw_run(run, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
