"""`homebody bench repair`: what it measures; no test looks at how long anything took."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_it_measures_suites_tasks_and_steps(homebody: Callable[..., Any], tmp_path: Path) -> None:
    answer = homebody("bench", "repair", "--tasks", 2, "--repeats", 1, "--json", tmp_path / "bench.json")
    assert answer.code == 0
    results = json.loads((tmp_path / "bench.json").read_text("utf-8"))["results"]
    units = {"suite_us": "us a suite", "suites_per_s": "suites/s", "make_task_ms": "ms a task", "step_us": "us a step"}
    assert {row["name"]: row["unit"] for row in results} == units
    assert all(row["value"] > 0 for row in results)
    assert results[0]["peer"] == "a Python process a suite"
    assert "times better than" in answer.out
