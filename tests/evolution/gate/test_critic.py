"""What the critic lets through and what it says against the rest: candidates made by hand, one thing wrong with each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.evolution.evidence.digest import Digest
from homebody.evolution.evidence.landscape import survey
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.gate.checked import check_candidate
from homebody.evolution.gate.critic import SPENT, Critique
from homebody.evolution.gate.critic import review as review_checked
from homebody.evolution.proposers import Candidate, Evidence

SPEC = HarnessSpec.from_json(
    {"format": 2, "name": "toy", "components": {"loop_guard": component("loop_guard"), "choice": component("decide", {"method": "score"})}}
)
GUARD = [{"op": "add", "path": "/components/stall_guard", "value": component("stall_guard")}]
WINDOW = [{"op": "add", "path": "/components/window", "value": component("history_window", {"turns": 4})}]
RANK = [{"op": "replace", "path": "/components/choice/params/method", "value": "rank"}]
CATEGORIES = {"t1": "loop", "t2": "loop", "t3": "won"}


def tried(name: str, operator: str, reason: str, verdict: str = "rejected", **fields: Any) -> dict[str, Any]:
    impact = {"will_unlock": ["t1", "t2"], "will_stabilize": [], "at_risk": []}
    manifest = {"operator": operator, "predicted_impact": impact, "attribution_signature": "loop_guard"}
    return {"id": name, "dimension": "control", "manifest": manifest, "verdict": verdict, "reason": reason, **fields}


def evidence(*reports: Mapping[str, Any], behaviours: Sequence[str] = ()) -> Evidence:
    digests = [Digest(task, "a", category == "won", 3, category, "", ()) for task, category in CATEGORIES.items()]
    return Evidence(len(reports) + 1, digests, survey(digests, reports), TrainingStatistics(), frozenset(behaviours), 0)


def candidate(name: str = "c1", patch: Patch = GUARD, signature: str = "stall_guard", problem: str = "", **changes: Any) -> Candidate:
    manifest = {
        "candidate_id": name, "bucket": "control", "operator": f"operator of {name}", "hypothesis": "It helps.",
        "evidence": {"loop": ["t1"]},
        "predicted_impact": {"will_unlock": ["t1"], "will_stabilize": ["t3"], "at_risk": ["t3"]}, "attribution_signature": signature,
    }  # fmt: skip
    return Candidate(name, "control", patch, manifest | changes, problem)


def review(spec: HarnessSpec, candidates: Sequence[Candidate], known: Evidence) -> list[Critique]:
    return review_checked(spec, [check_candidate(spec, one) for one in candidates], known)


def objections(one: Candidate, known: Evidence | None = None) -> tuple[str, ...]:
    (critique,) = review(SPEC, [one], known or evidence())
    assert critique.accepted == (not critique.objections)
    return critique.objections


def impact(**changes: list[str]) -> dict[str, list[str]]:
    return {"will_unlock": ["t1"], "will_stabilize": [], "at_risk": ["t3"]} | changes


def test_nothing_speaks_against_a_sound_candidate() -> None:
    assert review(SPEC, [candidate()], evidence()) == [Critique("c1", True, (), 0)]
    assert review(SPEC, [], evidence()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evidence": {}}, "rests on no evidence"),
        ({"evidence": {"searching": ["t1"]}}, "evidence searching: not what the digests say of t1"),
        ({"evidence": {"loop": ["t1", "t8", "t9"]}}, "evidence loop: not what the digests say of t8, t9"),
        ({"evidence": {"loop": ["t1"], "won": ["t3"]}}, "evidence won: not what the digests say of t3"),
        ({"predicted_impact": impact(will_unlock=[])}, "predicts nothing"),
        ({"predicted_impact": impact(will_unlock=["t1", "t3"])}, "will_unlock: no failing training task of this round is t3"),
        ({"predicted_impact": impact(at_risk=["t2"])}, "at_risk: no solved training task of this round is t2"),
        ({"predicted_impact": impact(will_stabilize=["v1"])}, "will_stabilize: no training task of this round is v1"),
        ({"hypothesis": ""}, "manifest: /hypothesis: it is empty"),
        ({"patch": [{"op": "remove", "path": "/components/gone"}]}, "build: the patch does not apply"),
        ({"patch": [{"op": "add", "path": "/components/luck", "value": {"use": "luck"}}]}, "build: "),
        ({"patch": [], "signature": ""}, "is already there: the harness behaves as before"),
        ({"signature": "visited"}, "names visited as its signature, which is not in the edited harness"),
        ({"patch": RANK, "signature": "decide"}, "names decide as its signature, which is not in the edited harness"),  # no id
        ({"signature": "loop_guard"}, "names loop_guard as its signature, which it leaves as it is"),
        ({"problem": "the answer was no JSON", "patch": [], "hypothesis": ""}, "the answer was no JSON"),
    ],
)
def test_what_speaks_against_a_candidate_alone(changes: dict[str, Any], said: str) -> None:
    (objection,) = objections(candidate(**changes))
    assert objection.startswith(said)


def test_an_edit_that_takes_something_away_needs_no_signature() -> None:
    assert objections(candidate(patch=[{"op": "remove", "path": "/components/loop_guard"}], signature="")) == ()


def test_a_processor_that_a_rule_brings_in_can_be_the_signature() -> None:
    rule = {"name": "stuck", "when": {"signal": "unusable", "at_least": 1}, "patch": GUARD}
    assert objections(candidate(patch=[{"op": "add", "path": "/adaptations", "value": [rule]}])) == ()


def test_a_behaviour_that_was_tried_is_not_tried_again() -> None:
    known = evidence(behaviours=[SPEC.patch(GUARD).behaviour_hash])
    assert objections(candidate(), known) == ("leads to a behaviour that was tried before",)


def test_what_unlocked_tasks_is_not_taken_out() -> None:
    removal = candidate(patch=[{"op": "remove", "path": "/components/loop_guard"}], signature="")
    shipped = {"round": 1, "candidates": [tried("r1c1", "guard", "2 tasks won", "accepted", flipped=["t1", "t2"])], "shipped": "r1c1"}
    assert objections(removal, evidence(shipped)) == ("takes out loop_guard, with which r1c1 unlocked t1, t2",)
    useless = {"round": 1, "candidates": [tried("r1c1", "guard", "2 tasks won", "accepted", flipped=[])], "shipped": "r1c1"}
    assert objections(removal, evidence(useless)) == ()


def test_a_operator_that_failed_at_the_gate_again_and_again_is_spent() -> None:
    def rounds(*reasons: str, **fields: Any) -> list[dict[str, Any]]:
        edits = [tried(f"r{number}c1", "operator of c1", reason, **fields) for number, reason in enumerate(reasons, 1)]
        return [{"round": number, "candidates": [edit], "shipped": None} for number, edit in enumerate(edits, 1)]

    failed = ["no gain: 0 tasks won, 0 lost"] * SPENT
    assert objections(candidate(), evidence(*rounds(*failed)))[0].startswith("the operator 'operator of c1' was played 2 times and flipped")
    assert objections(candidate(), evidence(*rounds(*failed[1:]))) == ()
    # What was never played has not failed, and what flipped a task or was accepted has not either.
    assert objections(candidate(), evidence(*rounds("novelty: tried", "critic: no", "smoke run: x", failed[0]))) == ()
    assert objections(candidate(), evidence(*rounds(*failed, flipped=["t1"]))) == ()
    assert objections(candidate(), evidence(*rounds(*failed, verdict="accepted"))) == ()
    assert objections(candidate("c2"), evidence(*rounds(*failed))) == ()


def test_of_candidates_that_are_one_idea_the_first_stays() -> None:
    same = candidate("c2", WINDOW, "window", operator="operator of c1")
    twin = candidate("c3")
    other = candidate("c4", RANK, "choice")
    found = review(SPEC, [candidate(), same, twin, other], evidence())
    assert [critique.accepted for critique in found] == [True, False, False, True]
    assert found[1].objections[0].startswith("uses the same operator as c1, 'operator of c1'")
    assert found[2].objections == ("leads to the same behaviour as c1",)
    assert [critique.rank for critique in found] == [0, 2, 3, 1]


def test_one_that_falls_takes_no_other_with_it() -> None:
    broken = candidate("c1", evidence={}, operator="one operator")
    assert [critique.accepted for critique in review(SPEC, [broken, candidate("c2", operator="one operator")], evidence())] == [False, True]


def test_the_order_of_play_is_by_what_the_edits_promise_and_what_their_operators_kept() -> None:
    small, large = candidate("c1"), candidate("c2", WINDOW, "window", predicted_impact=impact(will_unlock=["t1", "t2"]))
    assert [critique.rank for critique in review(SPEC, [small, large], evidence())] == [1, 0]
    # The operator of the larger one was to unlock two tasks and unlocked none.
    known = evidence({"round": 1, "candidates": [tried("r1c1", "operator of c2", "2 won", "accepted", flipped=[])], "shipped": None})
    assert [critique.rank for critique in review(SPEC, [small, large], known)] == [0, 1]


def test_controls_pass_whatever_they_do() -> None:
    blank = impact(will_unlock=[], at_risk=[])
    noops = [
        candidate(name, [], "", operator="noop", evidence={}, predicted_impact=blank, control=True) for name in ("c1", "c2")
    ]  # fmt: skip
    assert [critique.accepted for critique in review(SPEC, noops, evidence())] == [True, True]


def test_a_critique_is_json() -> None:
    assert Critique("c1", False, ("no",), 1).to_json() == {"candidate_id": "c1", "accepted": False, "objections": ["no"], "rank": 1}


@pytest.mark.parametrize(
    ("dimension", "decided", "is_refused"),
    [
        ("context", {"harness": 3}, True),
        ("context", {"harness": 2, "model": 1}, False),
        ("context", {"fallback": 3}, False),  # What it wrote could not be read: a prompt may mend that.
        ("context", {}, False),  # No model plays.
        ("memory", {"harness": 3}, False),
    ],
)
def test_a_prompt_does_not_mend_what_the_harness_alone_decided(dimension: str, decided: dict[str, int], is_refused: bool) -> None:
    known = evidence()
    digests = [replace(digest, decided_by=decided if digest.task_id == "t1" else {"model": 9}) for digest in known.digests]
    said = objections(replace(candidate(), dimension=dimension), replace(known, digests=digests))
    why = "changes what the model is shown, and the harness alone decided all 3 steps that show the failures"
    assert said == ((why,) if is_refused else ())
