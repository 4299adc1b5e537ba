"""The soak plays, and finds the leaks that are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.scripts.bench.soak import Sample, leaks


def samples(memory: Callable[[int], float], files: Callable[[int], int] = lambda n: 9, processes: int = 3) -> list[Sample]:
    return [Sample(float(n), n, memory(n), files(n), processes) for n in range(100)]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (samples(lambda n: 500 + min(n, 20) * 10), []),  # It fills its caches in the warm-up.
        (samples(lambda n: 500 + n), ["memory grew by 11.3% after the warm-up, from 532 to 592 MiB"]),
        (samples(lambda n: 900.0), ["memory is 900 MiB, more than the 800 MiB allowed"]),
        (samples(lambda n: 500.0, lambda n: 9 + n // 50), ["files grew from 9 to 10"]),
        (samples(lambda n: 500.0)[:80] + samples(lambda n: 500.0, processes=4)[80:], ["processes grew from 3 to 4"]),
    ],
)
def test_leaks_are_named(found: list[Sample], told: list[str]) -> None:
    assert leaks(found, 800) == told


def test_command_plays_and_reports(homebody: Callable[..., Any], loaded: Callable[[Path], Any], tmp_path: Path) -> None:
    answer = homebody("bench", "soak", "--minutes", 0.01, "--memory", 64, "--json", tmp_path / "soak.json")
    found = loaded(tmp_path / "soak.json")
    assert answer.code == 1  # No Python with these libraries fits into 64 MiB.
    assert "more than the 64 MiB allowed" in answer.err
    assert found["samples"][-1]["episodes"] >= 18
    assert {row["name"] for row in found["results"]} >= {"episodes", "growth", "files at the end"}
