"""`homebody evolve`: the person at the gate, budgets and the gate's mode on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.store import Store
from homebody.scripts.commands import evolve as evolve_module

Command = Callable[..., Any]
SHIPS = (
    "evolve", "--model", "flat", "--env-arg", 'rooms=["bathroom"]', "--rounds", 1, "--candidates", 1, "--train-tasks", 4,
    "--validation-tasks", 6, "--max-steps", 10, "--exploration-steps", 6000,
)  # fmt: skip
"""An evolution of some seconds whose first candidate passes the gate."""


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put somebody before a terminal who gives these answers, one a line."""

    def sit(answers: str) -> None:
        given = iter(answers.split())
        monkeypatch.setattr(evolve_module, "has_terminal", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(given))

    return sit


def test_a_person_sees_the_manifest_and_ships(homebody: Command, tmp_path: Path, person: Callable[[str], None]) -> None:
    person("perhaps ship")
    answer = homebody(*SHIPS, "--approve", "--run-dir", tmp_path)
    assert answer.code == 0
    assert "r1c1 passed the gate: 3 tasks won, 0 lost" in answer.out
    card = dict(line.strip().split(maxsplit=1) for line in answer.out.splitlines() if line.startswith("  ") and line.strip()[0].isalpha())
    assert card["lever"] == "playbook (memory)"
    assert card["lost"] == "none"
    assert {"hypothesis", "evidence", "predicted", "won", "patch"} <= set(card)
    assert "'perhaps' is not one of 'ship', 'reject', 'stop'" in answer.out
    with Store(tmp_path, readonly=True) as store:
        assert [item["answer"] for item in store.events("approval")] == ["ship"]
        assert store.events("end")[-1]["rounds"][0]["shipped"] == "r1c1"
    # Nobody is asked again; and a run with a person does not go on as one without.
    person("")
    assert homebody(*SHIPS, "--approve", "--run-dir", tmp_path, "--resume").code == 0
    assert "approve was True and is False" in homebody(*SHIPS, "--run-dir", tmp_path, "--resume").error


def test_a_person_may_stop(homebody: Command, tmp_path: Path, person: Callable[[str], None]) -> None:
    person("stop")
    assert homebody(*SHIPS, "--approve", "--run-dir", tmp_path).code == 0
    with Store(tmp_path, readonly=True) as store:
        (end,) = store.events("end")
    assert (end["stopped"], end["rounds"], end["final_hash"]) == ("approval", [], end["seed_hash"])


def test_without_a_terminal_nobody_can_be_asked(homebody: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve_module, "has_terminal", lambda: False)
    answer = homebody(*SHIPS, "--approve", "--run-dir", tmp_path / "run")
    assert answer.code == 2
    assert answer.error == "--approve asks a person, and standard input is no terminal; run it in one, or leave --approve out"
    assert not (tmp_path / "run").exists()


def test_gate_and_budgets_reach_the_run(homebody: Command, tmp_path: Path, loaded: Callable[[Path], Any]) -> None:
    options = ("--gate", "literal", "--isolation", "variants", "--budget-tokens", 10, "--budget-minutes", 0.000001)
    answer = homebody(*SHIPS, *options, "--run-dir", tmp_path, "--json", tmp_path / "result.json")
    assert answer.code == 0
    result = loaded(tmp_path / "result.json")
    assert (result["stopped"], result["episodes"], result["rounds"]) == ("minutes", 0, [])
    with Store(tmp_path, readonly=True) as store:
        (start,) = store.events("start")
    assert (start["gate"], start["isolation"], start["budget_tokens"], start["budget_minutes"]) == ("literal", "variants", 10, 0.000001)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--gate", "lax"), "'lax' is not one of 'auto', 'literal', 'outweigh', 'statistical'"),
        (("--isolation", "all"), "'all' is not one of 'none', 'variants'"),
        (("--budget-minutes", 0), "0.0 is not in the range x>0"),
        (("--budget-tokens", 0), "0 is not in the range x>=1"),
        (("--proposer", "llm"), "proposer llm asks a model, and flat is none; name one with --proposer-model"),
        (("--proposer-model", "smollm3"), "unknown model 'smollm3'; did you mean smollm2"),
    ],
)
def test_bad_settings(homebody: Command, tmp_path: Path, options: tuple[object, ...], told: str) -> None:
    answer = homebody(*SHIPS, *options, "--run-dir", tmp_path / "run")
    assert answer.code == 2
    assert told in answer.error
    assert not (tmp_path / "run").exists()
