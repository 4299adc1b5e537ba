import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import homebody.evolution.proposers as package
from homebody.agents.harness.spec import HarnessSpec
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import PROPOSERS, Candidate, Evidence, ProposerError, controls, find_proposer, gepa, llm, rules
from homebody.evolution.proposers.registry import find_entry

Make = Callable[..., Evidence]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a user's module into the current folder; returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(source: str) -> str:
        name = f"mine_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def test_proposers_have_names_and_say_what_they_need() -> None:
    found = {name: find_proposer(name) for name in PROPOSERS}
    assert found == {
        "rules": rules.propose, "llm": llm.propose, "gepa": gepa.propose, "random": controls.random, "noop": controls.noop,
    }  # fmt: skip
    assert {name for name in PROPOSERS if find_entry(name).learns} == {"rules", "llm"}
    assert {name for name in PROPOSERS if find_entry(name).asks} == {"llm", "gepa"}
    assert find_entry("mine:propose").learns  # a user's own may read the statistics


def test_the_example_of_the_package_runs_as_it_is_written(seed: HarnessSpec, evidence: Make, module: Callable[[str], str]) -> None:
    doc = package.__doc__ or ""
    source = "\n".join(line[4:] for line in doc.splitlines() if line.startswith("    ") or not line)
    (candidate,) = find_proposer(f"{module(source)}:propose")(seed, evidence("loop"), 2)
    check_manifest(candidate.manifest)
    assert seed.patch(candidate.patch).id_of("loop_guard") == "loop_guard"
    assert candidate.manifest["predicted_impact"]["will_unlock"] == ["train/a-0"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rulez", "'rulez'; there are rules, llm, gepa, random, noop, and module:callable names your own; did you mean rules?"),
        ("", "no proposer is called ''"),
        ("mine:", "no proposer is called 'mine:'"),
        ("nowhere.to_be:found", "there is no module 'nowhere.to_be'; install it, or run where nowhere.to_be.py lies"),
        ("json:nothing", "json has no callable 'nothing'; write one that takes (spec, evidence, k)"),
        ("json:__name__", "json has no callable '__name__'"),
    ],
)  # fmt: skip
def test_a_proposer_that_does_not_exist_is_named(name: str, message: str) -> None:
    with pytest.raises(ProposerError) as caught:
        find_proposer(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import numpy_of_tomorrow", "needs numpy_of_tomorrow, which is not installed; install it"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def propose(:", "cannot be imported: SyntaxError"),
        ("from homebody.evolution.proposers import ProposerError\nraise ProposerError('get a licence')", "get a licence"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(module: Callable[[str], str], source: str, message: str) -> None:
    with pytest.raises(ProposerError) as caught:
        find_proposer(f"{module(source)}:propose")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


GOOD = "Candidate('a', 'control', [], {})"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero; mend it and resume the run"),
        ("int('two\\nlines')", "failed: ValueError: invalid literal"),
        ("None", "returned None; it must return a list of Candidate"),
        ("'x' * 200", "returned 'xxx"),
        (f"[{GOOD}, 5]", "it must return a list of Candidate"),
        (f"[{GOOD}, {GOOD}, {GOOD}]", "returned 3 candidates; it was asked for 2 at most"),
        (f"[{GOOD}, {GOOD}]", "returned candidates with the ids a, a; give each its own"),
        ("[Candidate('a', 'control', [{'op': {1}}], {})]", "candidate a is no JSON: Object of type set is not JSON"),
        ("[Candidate('a', 'control', [], {'operator': float('nan')})]", "candidate a is no JSON"),
    ],
)  # fmt: skip
def test_what_a_users_proposer_does_wrong_is_one_line(
    seed: HarnessSpec, evidence: Make, module: Callable[[str], str], answer: str, message: str
) -> None:
    name = module(f"from homebody.evolution.proposers import Candidate\ndef propose(spec, evidence, k):\n    return {answer}\n")
    with pytest.raises(ProposerError) as caught:
        find_proposer(f"{name}:propose")(seed, evidence("loop"), 2)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_users_proposer_says_itself_is_passed_on(seed: HarnessSpec, evidence: Make, module: Callable[[str], str]) -> None:
    source = "from homebody.evolution.proposers import ProposerError\ndef propose(spec, evidence, k):\n    raise ProposerError('no key')\n"
    with pytest.raises(ProposerError, match=r"^no key$"):
        find_proposer(f"{module(source)}:propose")(seed, evidence("loop"), 2)


def test_a_users_candidates_come_as_they_are(seed: HarnessSpec, evidence: Make, module: Callable[[str], str]) -> None:
    source = f"from homebody.evolution.proposers import Candidate\ndef propose(spec, evidence, k):\n    return ({GOOD},)\n"
    found: list[Any] = find_proposer(f"{module(source)}:propose")(seed, evidence("loop"), 2)
    assert found == [Candidate("a", "control", [], {})]  # its manifest and its patch are the gate's business
