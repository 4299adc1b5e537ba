"""`homebody bench webshop`: the rows it gives; no time is asserted."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from homebody.scripts.commands.bench import bench

ROWS = ["fresh_step", "fresh_search", "cached_step", "index_products", "search_600_ms", "search_600_p95_ms", "peak_memory_gb"]


def test_rows_have_the_promised_names_and_the_recorded_peer(tmp_path):
    answer = CliRunner().invoke(
        bench, ["webshop", "--goals", "10", "--products", "600", "--repeats", "2", "--json", str(tmp_path / "b.json")]
    )
    assert answer.exit_code == 0, answer.output
    rows = json.loads((tmp_path / "b.json").read_text("utf-8"))["results"]
    assert [row["name"] for row in rows] == ROWS
    assert all(row["value"] > 0 for row in rows)
    for row in rows[:3]:
        assert "recorded: 27.5" in row["peer"]
        assert row["ratio"] == pytest.approx(1e6 / 27.5 / row["value"])


def test_a_folder_without_a_catalogue_is_an_error_of_use(tmp_path):
    answer = CliRunner().invoke(bench, ["webshop", "--data-dir", str(tmp_path)])
    assert answer.exit_code != 0
    assert "items_shuffle" in str(answer.exception)
