import sys
from collections.abc import Callable
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.models.scripted import Scripted
from homebody.agents.record import EpisodeRecord
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import Candidate, Evidence, ProposerError, find_proposer
from homebody.evolution.proposers.gepa import TEXT_CHARACTERS, TEXT_TOKENS, propose

Make = Callable[..., Evidence]


@pytest.fixture
def texts() -> HarnessSpec:
    """A harness with four texts: a prompt, the line above the candidates, and the two sentences of location_prior."""
    params = {"system_prompt": {"text": "Act."}, "location_prior": {}, "show_candidates": {}}
    components = {use: component(use, given) for use, given in params.items()}
    return HarnessSpec.from_json({"format": 2, "name": "texts", "components": components})


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.manifest["operator"] for candidate in candidates]


def test_each_text_is_rewritten_in_turn_and_the_next_round_goes_on(texts: HarnessSpec, evidence: Make) -> None:
    replies = ["```\nAct well.\n```", "A {thing} is at the {place}.", "Sure:\n```\nAt the {place}:\n```"]
    backend = Scripted(replies)
    candidates = propose(texts, evidence("loop", "won", backend=backend), 3)
    assert names(candidates) == ["rewrite system_prompt.text", "rewrite location_prior.given", "rewrite location_prior.base"]
    assert [c.problem for c in candidates] == ["", "", ""]
    edited = [{item["use"]: item["params"] for item in texts.patch(c.patch).components.values()} for c in candidates]
    assert edited[0]["system_prompt"]["text"] == "Act well."
    assert edited[1]["location_prior"] == {"given": "A {thing} is at the {place}."}
    assert edited[2]["location_prior"] == {"base": "At the {place}:"}
    for candidate, use in zip(candidates, ("system_prompt", "location_prior", "location_prior"), strict=True):
        check_manifest(candidate.manifest)
        assert candidate.manifest["attribution_signature"] == use
        assert candidate.manifest["predicted_impact"]["will_unlock"] == ["train/a-0"]
    second = propose(texts, evidence("loop", backend=Scripted(["On the {place}.", "Choose:"]), number=2), 2)
    assert names(second) == ["rewrite location_prior.base", "rewrite show_candidates.header"]  # two a round: the third and the fourth


def test_the_model_reads_the_text_and_what_failed(texts: HarnessSpec, evidence: Make, episode: Callable[..., EpisodeRecord]) -> None:
    steps = [{"command": f"press {n}", "observation": f"Nothing {n}."} for n in range(6)]
    backend = Scripted(["```\nAct well.\n```"])
    records = [episode(task_id="train/a-0", goal="press it", trace=steps)]
    propose(texts, evidence("loop", "won", "searching", backend=backend, episodes=records), 1)
    (call,) = backend.calls
    for part in ("system_prompt.text, is:\n```\nAct.\n```", "press it", "> press 5\nNothing 5.", "repeated a command with the same answer",
                 "time ran out while the agent searched"):  # fmt: skip
        assert part in call.prompt
    assert "press 1" not in call.prompt  # the last steps are told
    assert "Keep" not in call.prompt


def test_the_model_is_told_to_keep_the_blanks_and_a_text_without_them_is_refused(texts: HarnessSpec, evidence: Make) -> None:
    backend = Scripted(["```\nSomewhere.\n```"])
    proposed = propose(texts, evidence("loop", backend=Scripted(["Do."])), 1)
    objections = {"r1c1": ["no"]}
    (candidate,) = propose(texts, evidence("loop", backend=backend, objections=objections, proposed=proposed), 1)
    assert (candidate.id, candidate.manifest["operator"]) == ("r1c2", "rewrite location_prior.given")
    assert "Keep {thing} and {place} in it, in this order." in backend.calls[0].prompt
    assert candidate.patch == []
    assert candidate.problem.startswith(
        "rewrite location_prior.given: harness texts after the patch: /components/location_prior/params/given"
    )


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("``` ```", f"a text of 0 characters; 1 to {TEXT_CHARACTERS} are allowed"),
        ("x" * (TEXT_CHARACTERS + 1), f"a text of {TEXT_CHARACTERS + 1} characters"),
        ("Act.", "leads to a behaviour that was tried before"),
        ("a lone surrogate \ud800", "a text holds half a surrogate pair"),
    ],
)
def test_a_text_that_cannot_be_used_is_kept_with_its_reason(texts: HarnessSpec, evidence: Make, reply: str, problem: str) -> None:
    (candidate,) = propose(texts, evidence("loop", backend=Scripted([reply])), 1)
    assert problem in candidate.problem
    assert (candidate.patch, candidate.manifest["operator"]) == ([], "rewrite system_prompt.text")
    check_manifest(candidate.manifest)


def test_fewer_failed_tasks_are_told_where_the_context_is_small(texts: HarnessSpec, evidence: Make) -> None:
    told = []
    for n_ctx in (4096, TEXT_TOKENS + 95):
        backend = Scripted(["Act well."], n_ctx=n_ctx)
        (candidate,) = propose(texts, evidence("loop", "loop", "searching", backend=backend), 1)
        assert candidate.problem == ""
        told.append(backend.calls[0].prompt.count("# Example"))
    assert told[0] == 3
    assert 1 <= told[1] < 3
    (candidate,) = propose(texts, evidence("loop", backend=Scripted([], n_ctx=305)), 1)
    problem = "one failed task does not fit the 305 tokens of scripted; name a model with a larger context"
    assert candidate.problem == f"rewrite system_prompt.text: {problem}"


def test_it_needs_a_model_a_text_and_a_failure(texts: HarnessSpec, evidence: Make) -> None:
    with pytest.raises(ProposerError, match="name one with --proposer-model"):
        propose(texts, evidence("loop"), 1)
    assert propose(texts, evidence("won", backend=Scripted([])), 1) == []
    bare = HarnessSpec.from_json({"format": 2, "name": "bare", "components": {"decide": component("decide")}})
    assert propose(bare, evidence("loop", backend=Scripted([])), 1) == []


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "gepa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gepa", None)  # type: ignore[arg-type]  # what Python itself puts there to forbid an import
    monkeypatch.delitem(sys.modules, "homebody.evolution.proposers.gepa")
    with pytest.raises(ProposerError, match=r'run: pip install "homebody\[gepa\]"'):
        find_proposer("gepa")


def test_gepa_is_imported_only_when_it_is_used() -> None:
    import subprocess

    code = "import sys, homebody.evolution.proposers as p; p.find_proposer('llm'); print([m for m in sys.modules if m == 'gepa'])"
    done: Any = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
