"""The example of docs/extending.md: a processor of one's own, from its file through every command that plays a harness."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.scripted import Scripted
from homebody.evolution.evidence.digest import Digest
from homebody.evolution.evidence.landscape import survey
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.proposers import Evidence, set_processors
from homebody.evolution.proposers.controls import random
from homebody.evolution.proposers.llm import propose

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text("utf-8").partition("## A processor")[2]
CLASS, PATCH = (re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)[0] for kind in ("python", "json"))
NO_MODEL = ("--policy", "no-model", "--split", "validation", "--max-steps", 4)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, the current one, with the module of the example and its patch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(CLASS)
    (tmp_path / "edit.json").write_text(PATCH)
    yield tmp_path
    sys.modules.pop("mine", None)


def test_the_example_is_made_checked_played_and_evolved(homebody: Any, loaded: Any, mine: Path) -> None:
    answer = homebody("harness", "patch", "generic-act", "edit.json", "--out", "mine.json")
    assert (answer.code, answer.err) == (0, "")
    assert "valid, 4 components" in homebody("harness", "check", "mine.json").out
    assert "\nyour own\n  no_repeat mine:NoRepeat: A class of your own" in homebody("harness", "show", "mine.json").out
    answer = homebody("run", *NO_MODEL, "--harness", "mine.json", "--json", mine / "r.json")
    assert answer.code == 0, answer.err
    record = loaded(mine / "r.json")
    commands = [step["command"] for step in record["trace"]]
    assert len(commands) == 4
    assert all(command not in commands[max(0, at - 2) : at] for at, command in enumerate(commands))
    assert "taken" in record["trace"][1]["notes"]["no_repeat"]
    hashes = []
    for workers in (1, 2):  # worker processes import the module, too
        arguments = (*NO_MODEL, "--harness", "mine.json", "--tasks", 3, "--workers", workers)
        assert homebody("evaluate", *arguments, "--json", mine / "e.json").code == 0
        hashes.append(loaded(mine / "e.json")["trace_hash"])
    assert hashes[0] == hashes[1]
    assert homebody("evaluate", *arguments, "--without", "no_repeat", "--json", mine / "e.json").code == 0
    assert loaded(mine / "e.json")["trace_hash"] != hashes[0]
    small = ("--rounds", 2, "--candidates", 2, "--train-tasks", 2, "--validation-tasks", 2, "--max-steps", 3, "--exploration-steps", 0)
    evolve = ("evolve", "--model", "no-model", "--harness", "mine.json", "--proposer", "random", "--run-dir", "run", *small)
    for command in (evolve, ("report", "run"), (*evolve, "--resume")):
        answer = homebody(*command)
        assert answer.code == 0, answer.err


def test_a_run_is_reported_where_the_module_is_not(homebody: Any, mine: Path) -> None:
    (mine / "mine.json").write_text(HarnessSpec.load("generic-act").patch(json.loads(PATCH)).dumps())
    small = ("--rounds", 1, "--candidates", 1, "--train-tasks", 1, "--validation-tasks", 1, "--max-steps", 2, "--exploration-steps", 0)
    evolve = ("evolve", "--model", "no-model", "--harness", "mine.json", "--run-dir", "run", *small)
    assert homebody(*evolve).code == 0
    (mine / "mine.py").rename(mine / "gone.py")
    del sys.modules["mine"]
    assert homebody("report", "run").code == 0
    for command in (("harness", "check", "mine.json"), ("run", *NO_MODEL, "--harness", "mine.json"), (*evolve, "--resume")):
        answer = homebody(*command)
        assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
        assert "/components/no_repeat/use: processor mine:NoRepeat: there is no module 'mine'" in answer.err


def evidence(backend: Any = None) -> Evidence:
    digests = [Digest("train/a-0", "a", False, 3, "loop", "", ())]
    return Evidence(1, digests, survey(digests, []), TrainingStatistics(), frozenset(), 0, backend)


def test_proposers_bring_it_in_and_set_it(mine: Path) -> None:
    spec = HarnessSpec.load("generic-act")
    patch = set_processors(spec, {"mine:NoRepeat": {"last": 2}})
    assert patch == [{"op": "add", "path": "/components/NoRepeat", "value": {"use": "mine:NoRepeat", "params": {"last": 2}}}]
    (mine / "two.py").write_text(CLASS.replace("dimension =", "version = 2\n    dimension ="))
    (operation,) = set_processors(spec, {"two:NoRepeat": {}})
    assert operation["value"] == {"use": "two:NoRepeat", "params": {}, "version": 2}
    spec.patch([operation]).check()
    sys.modules.pop("two", None)
    own = spec.patch(patch)
    answer = {"answers": "loop", "why": "It repeats.", "edit": {"set": "mine:NoRepeat", "params": {"last": 5}}}
    (candidate,) = propose(own, evidence(Scripted([json.dumps(answer)])), 1)
    assert (candidate.problem, candidate.dimension, candidate.manifest["attribution_signature"]) == ("", "control", "NoRepeat")
    assert candidate.patch == [{"op": "add", "path": "/components/NoRepeat/params/last", "value": 5}]
    # A control draws among what is in the harness, own or not; it takes them out, too.
    left = [own.patch(candidate.patch) for candidate in random(own, evidence(), 30)]
    assert any("NoRepeat" not in edited.components for edited in left)
