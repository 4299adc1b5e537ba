import re
import struct
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from homebody.evolution.reports.figure import COLOURS, FAILURES, NAMES, VERDICTS, draw_run, figures, inline_svg, save, two_lines

SIDES = {"train": {"n": 4, "success": 0.25, "ci95": [0.05, 0.7]}, "validation": {"n": 6, "success": 0.5, "ci95": [0.19, 0.81]}}
ROUND = {
    "round": 1, **SIDES, "shipped": "r1c2", "failures": {"loop": 2, "unusable_answers": 1},
    "candidates": [
        {"id": "r1c1", "verdict": "rejected", "manifest": {"operator": "one thing"}},
        {"id": "r1c2", "verdict": "accepted", "manifest": {"operator": "another thing with a long name"}},
    ],
}  # fmt: skip
LAST: dict[str, Any] = {"round": 2, **SIDES, "shipped": None, "candidates": [], "failures": {}}
ROWS = [
    {"row": "seed harness", "n": 6, "success": 0.0, "ci95": [0.0, 0.39]},
    {"row": "evolved harness", "n": 6, "success": 0.5, "ci95": [0.19, 0.81]},
    {"row": "a row of its own", "n": 6, "success": 1.0, "ci95": [0.61, 1.0]},
    {
        "row": "gain",
        "n": 6,
        "gain": 0.5,
        "ci95": [0.17, 0.83],
        "headroom_closed": 0.5,
        "headline": "0.0% to 50.0%, best twin echo 33.3%",
        "sentence": "+50.0 points (+17.0 to +83.0)",
    },
]
RUN = {"start": {"env_id": "Quarry-v0", "model": "no-model"}, "rounds": [ROUND, LAST], "table": {"test, 15 steps": ROWS}}
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
        "Quarry-v0   no-model", "Held out: test, 15 steps", "0.0% to 50.0%, best twin echo 33.3%", "+50.0 points (+17.0 to +83.0)",
        "train (n = 4)", "validation (n = 6)",
        "seed harness", "evolved harness", "a row of its own", "0.0%", "50.0%", "100.0%", "another",
    ):  # fmt: skip
        assert f"<!-- {text}" in shown or f"<!-- + {text}" in shown, text
    assert "best twin, validation" not in shown
    assert "one thing" not in shown  # what was not shipped is not on the axis


def test_the_best_twin_is_named_beside_the_model(tmp_path: Path) -> None:
    twins = {"no-model": 0.1, "random": 0.0, "echo": 0.25, "executor": None}
    rounds = [{**ROUND, "twins": twins, "best_twin": "echo"}, {**LAST, "twins": {**twins, "random": 0.5}, "best_twin": "random"}]
    rows = [*ROWS[:2], {**ROWS[2], "row": "evolved, twin echo"}, {**ROWS[2], "row": "evolved, twin random"}]
    rows[1] = {**rows[1], "best_twin": "echo"}
    shown = texts({**RUN, "rounds": rounds, "table": {"test, 15 steps": rows}}, tmp_path)
    assert "<!-- best twin, validation (echo, random)" in shown
    assert "<!-- evolved, twin echo (the best)" in shown
    assert "<!-- evolved, twin random" in shown
    assert "evolved, twin random (the best)" not in shown


def test_another_run_gives_another_chart(tmp_path: Path) -> None:
    better = {**RUN, "table": {"test, 15 steps": [ROWS[0], {**ROWS[1], "success": 0.6}]}}
    for name, run in (("a", RUN), ("b", better)):
        draw_run(run, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


# --- each figure alone


def test_there_is_a_figure_of_all_that_the_run_has_data_for() -> None:
    assert list(figures(RUN)) == ["rounds", "held-out", "failures", "operators"]
    assert list(figures({**RUN, "table": {}, "rounds": [LAST]})) == ["rounds"]
    assert figures(EMPTY) == {}


def test_each_figure_can_be_a_file(tmp_path: Path) -> None:
    for name, figure in figures(RUN).items():
        save(figure, tmp_path / f"{name}.png")
        save(figure, tmp_path / f"{name}.svg")
        assert chunks((tmp_path / f"{name}.png").read_bytes())[-1][0] == b"IEND"
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("}svg")


def inlined(run: dict[str, Any]) -> dict[str, str]:
    return {name: inline_svg(figure, name) for name, figure in figures(run).items()}


def test_figures_on_a_page_say_their_text_and_take_their_colours_from_it() -> None:
    drawn = inlined(RUN)
    assert drawn == inlined(RUN)
    for name, svg in drawn.items():
        root = ElementTree.fromstring(svg)
        said = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
        expected = {
            "rounds": {"Evolution: success by round", "train (n = 4)", "+ another"},
            "held-out": {"seed harness", "a row of its own", "50.0%"},
            "failures": {"loop", "unusable answers", "tasks"},
            "operators": {"one thing", "shipped", "rejected"},
        }[name]
        assert expected <= said, said
        assert not re.search("#[0-9a-f]{6}", svg, re.IGNORECASE)
        assert not re.search("font-family|<style|<!--|<metadata", svg)


def test_ids_on_a_page_are_unique() -> None:
    ids = [found for svg in inlined(RUN).values() for found in re.findall(r'\bid="([^"]*)"', svg)]
    assert len(ids) == len(set(ids))


def test_every_colour_has_a_name_that_a_page_can_change() -> None:
    assert {*COLOURS.values(), *FAILURES.values(), *VERDICTS.values()} <= NAMES.keys()


def test_a_name_is_no_formula_and_no_markup() -> None:
    edit = {"id": "r1c1", "verdict": "rejected", "manifest": {"operator": "$^$ <script>"}}
    svg = inlined({**RUN, "rounds": [{**ROUND, "candidates": [edit]}]})["operators"]
    assert "$^$ &lt;script&gt;" in svg


def test_many_rounds_have_short_labels() -> None:
    rounds = [{**ROUND, "round": number} for number in range(1, 11)]
    svg = inlined({**RUN, "rounds": rounds})["rounds"]
    assert "another" not in svg
    assert svg.count(">+<") == 9  # before the first round nothing was shipped


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("longer history", ["longer history"]),
        ("follow the learned plan, and ask where things are", ["follow the learned plan, and ask where", "things are"]),
        ("word " * 40, ["word word word word word word word word", "word word word word word word word..."]),
    ],
)
def test_operators_that_begin_alike_are_told_apart_on_two_lines(name: str, lines: list[str]) -> None:
    assert two_lines(name).splitlines() == lines
