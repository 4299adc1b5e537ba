"""`homebody bench server`: the rows it gives; no time is asserted."""

import json
from pathlib import Path

from click.testing import CliRunner

from homebody.scripts.commands.bench import bench


def test_every_row_is_a_positive_time_beside_the_servers(tmp_path: Path) -> None:
    few = ["--concurrency", "4", "--answer-ms", "8", "--rounds", "1"]
    answer = CliRunner().invoke(bench, ["server", *few, "--json", str(tmp_path / "b.json")])
    assert answer.exit_code == 0, answer.output
    rows = json.loads((tmp_path / "b.json").read_text())["results"]
    names = ["ms_between_answers", "ms_between_answers_v_clients", "cpu_ms_an_answer"]
    assert [row["name"] for row in rows] == names
    assert [line.split()[0] for line in answer.stdout.splitlines()] == names
    assert all(row["value"] > 0 and row["repeats"] == 4 * 15 for row in rows)
    assert rows[0]["peer_value"] == 2.0  # 8 ms, four at a time.
    assert rows[1]["peer_value"] >= 2.0
