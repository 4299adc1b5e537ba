"""`homebody bench harness`: the rows it gives; no time is asserted."""

import json
from pathlib import Path

from click.testing import CliRunner

from homebody.scripts.commands.bench import bench


def test_every_row_is_a_positive_time(tmp_path: Path) -> None:
    answer = CliRunner().invoke(bench, ["harness", "--repeats", "3", "--json", str(tmp_path / "b.json")])
    assert answer.exit_code == 0
    found = json.loads((tmp_path / "b.json").read_text())
    assert set(found) == {"machine", "results"}
    assert [row["name"] for row in found["results"]] == ["empty_pipeline_us", "code_call_ms", "template_us"]
    assert all(row["value"] > 0 and row["repeats"] == 3 and row["peer"] is None for row in found["results"])
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["empty_pipeline_us", "code_call_ms", "template_us"]
