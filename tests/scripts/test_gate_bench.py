"""`homebody bench gate`: what it prints and writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from homebody.scripts.bench.gate import lines

Command = Callable[..., Any]


def test_it_prints_a_row_for_each_truth_and_writes_the_figures(homebody: Command, tmp_path: Path, loaded: Callable[[Path], Any]) -> None:
    answer = homebody("bench", "gate", "--runs", 20, "--tasks", 8, "--seed", 3, "--json", tmp_path / "gate.json")
    assert (answer.code, answer.err) == (0, "")
    found = loaded(tmp_path / "gate.json")
    assert (found["tasks"], found["seed"], len(found["accept"])) == (8, 3, 3 * 6 * 4)
    assert (len(found["beside"]), len(found["final"])) == (3 * 8 * 4, 4 * 2 * 3)
    assert answer.out.splitlines() == list(lines(found))
    told = answer.out.splitlines()
    assert told[0] == "objective success, 8 validation tasks, 20 runs a cell: share that ships the edit, with its 95% interval"
    # By hand: the Wilson interval of 0 of 20.
    assert told[2].split() == ["0%", "no", "change", "+0.0", *["0.0%", "(0.0", "to", "16.1)"] * 4]
    assert told[20].startswith("objective model, 8 validation tasks, 20 runs a cell: truth is the gain with the model")
    assert told[22].split() == ["0%", "no", "change", "+0.0", "+0.0", *["0.0%", "(0.0", "to", "16.1)"] * 4]
    assert told[46].startswith("objective model, whole runs of 6 rounds of 2: share that ends with another harness than the seed")
    assert [line.split()[:2] for line in told[48:56]] == [[str(n), flips] for n in (10, 16, 24, 40) for flips in ("0%", "8%")]
    assert len(told) == 2 + 18 + 2 + 24 + 2 + 8 + 4
    assert told[-4].startswith("no change at all, 103 tasks, 15 rounds, flips 8%: the best round minus round 0 is +")
    assert "a no-regression rule refuses" in told[-2]
    assert "shipped in a run: no-regression " in told[-1]


def test_a_file_that_cannot_be_written_is_told_first(homebody: Command, tmp_path: Path) -> None:
    answer = homebody("bench", "gate", "--json", tmp_path / "nowhere" / "gate.json")
    assert answer.code == 2
    assert "there is no folder" in answer.error
