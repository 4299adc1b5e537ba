"""`--without` of `homebody evaluate` and `homebody run`."""

from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec


@pytest.mark.parametrize("command", [("run",), ("evaluate", "--tasks", 1)])
def test_components_are_left_out(homebody: Any, loaded: Any, tmp_path: Path, command: tuple[Any, ...]) -> None:
    arguments = (*command, "--split", "validation", "--policy", "no-model", "--harness", "household-smollm2", "--max-steps", 3)
    result = tmp_path / "r.json"
    answer = homebody(*arguments, "--without", "location_memory", "--without", "location_prior", "--json", result)
    assert answer.code == 0
    expected = HarnessSpec.load("household-smollm2").without("location_prior").without("location_memory")
    found = loaded(result)
    assert found["behaviour_hash"] == expected.behaviour_hash
    wrong = homebody(*arguments, "--without", "loction_memory")
    assert wrong.code == 2
    assert wrong.error.strip().endswith(
        "harness household-smollm2 has no component 'loction_memory'; did you mean location_memory or location_prior?"
    )
