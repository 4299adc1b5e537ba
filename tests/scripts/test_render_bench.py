"""`homebody bench render`: what it measures and says; no test looks at how long anything took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_it_measures_pictures(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("bench", "render", "--houses", 2, "--repeats", 1, "--size", 640, 480, "--json", tmp_path / "b.json")
    assert answer.code == 0, answer.err
    result = loaded(tmp_path / "b.json")
    assert result["size"] == [640, 480]
    assert {row["name"]: row["unit"] for row in result["results"]} == {
        "frames": "frames/s",
        "step_frames": "frames/s",
        "house_ms": "ms",
    }
    for row in result["results"]:
        assert row["value"] > 0
        assert (row["peer"], row["ratio"], row["repeats"]) == (None, None, 1)
        assert row["name"] in answer.out


def test_an_impossible_size_is_refused(homebody: Command) -> None:
    answer = homebody("bench", "render", "--size", 64, 48)
    assert answer.code == 2
    assert "a picture of size (64, 48) is not possible" in answer.error
