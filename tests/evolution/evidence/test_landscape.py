"""What a round looks at before it proposes; digests and reports are written by hand."""

import json
from typing import Any

from homebody.evolution.evidence.digest import Digest
from homebody.evolution.evidence.landscape import Landscape, failures, survey

DIMENSIONS = ("model", "context", "memory", "tools", "environment", "evaluation", "control", "observability", "training")


def digest(task: str, *course: str, kind: str = "a") -> Digest:
    """A digest whose categories, the last of them the present one, are `course`."""
    return Digest(task, kind, course[-1] == "won", 3, course[-1], "", (), course[:-1])


def edit(name: str, operator: str, verdict: str = "rejected", **fields: Any) -> dict[str, Any]:
    impact = {"will_unlock": ["t2", "t1"], "will_stabilize": [], "at_risk": []}
    manifest = {"operator": operator, "predicted_impact": impact, "attribution_signature": "visited"}
    return {"id": name, "dimension": "control", "manifest": manifest, "verdict": verdict, "reason": "because", **fields}


def report(number: int, *edits: dict[str, Any], shipped: str | None = None) -> dict[str, Any]:
    return {"round": number, "candidates": list(edits), "shipped": shipped}


def test_failures_are_grouped_with_the_most_frequent_first() -> None:
    digests = [digest("t1", "loop"), digest("t2", "ceiling"), digest("t3", "won"), digest("t4", "error"), digest("t5", "error")]
    assert list(failures(digests).items()) == [("error", ["t4", "t5"]), ("ceiling", ["t2"]), ("loop", ["t1"])]
    assert failures([]) == {}


def test_the_first_round_has_failures_and_clusters_and_nothing_was_tried() -> None:
    digests = [digest("t1", "loop", kind="b"), digest("t2", "won"), digest("t3", "won", kind="b"), digest("t4", "loop", kind="b")]
    found = survey([*digests, digest("t5", "error")], [])
    assert found.failures == {"loop": ["t1", "t4"], "error": ["t5"]}
    assert list(found.clusters.items()) == [("a", {"n": 1, "won": 1, "errors": 1}), ("b", {"n": 3, "won": 1, "errors": 0})]
    assert (found.tried, found.untried, found.hit_rates) == ([], DIMENSIONS, {})


def test_a_shipped_edit_is_measured_by_the_courses_of_the_tasks() -> None:
    # Round 1 ships an edit that is to unlock t1 and t2; in round 2 t1 is solved, and t3, which nobody predicted. Round 3 loses t1 again.
    digests = [digest("t1", "loop", "won", "loop"), digest("t2", "loop", "loop", "won"), digest("t3", "loop", "won", "won")]
    rounds = [report(1, edit("r1c1", "turn", "accepted"), edit("r1c2", "pull"), shipped="r1c1"), report(2, edit("r2c1", "turn"))]
    found = survey(digests, rounds)
    assert [(item["id"], item["round"], item["verdict"], item["flipped"]) for item in found.tried] == [
        ("r1c1", 1, "shipped", ["t1"]), ("r1c2", 1, "rejected", None), ("r2c1", 2, "rejected", None),
    ]  # fmt: skip
    first = {"operator": "turn", "dimension": "control", "signature": "visited", "reason": "because", "predicted": ["t1", "t2"]}
    assert first.items() <= found.tried[0].items()
    assert found.hit_rates == {"turn": {"flipped": 1, "predicted": 2}}
    assert found.untried == tuple(name for name in DIMENSIONS if name != "control")


def test_tasks_that_came_in_later_count_from_then_on() -> None:
    # t9 is played from round 2 on. Round 1 ships an edit that solves t1, round 2 one that solves t2 and t9.
    digests = [digest("t1", "loop", "won", "won"), digest("t2", "loop", "loop", "won"), digest("t9", "loop", "won")]
    rounds = [report(1, edit("r1c1", "turn", "accepted"), shipped="r1c1"), report(2, edit("r2c1", "pull", "accepted"), shipped="r2c1")]
    rounds[1]["candidates"][0]["manifest"]["predicted_impact"]["will_unlock"] = ["t2", "t9"]
    found = survey(digests, rounds)
    assert [item["flipped"] for item in found.tried] == [["t1"], ["t2", "t9"]]


def test_flips_that_the_gate_measured_count_as_far_as_they_were_predicted() -> None:
    rounds = [report(1, edit("r1c1", "turn", flipped=["t9", "t2"]), edit("r1c2", "turn", flipped=[]))]
    found = survey([digest("t1", "loop", "loop")], rounds)
    assert [item["flipped"] for item in found.tried] == [["t2"], []]
    assert found.hit_rates == {"turn": {"flipped": 1, "predicted": 4}}


def test_where_the_digests_do_not_reach_back_nothing_is_claimed() -> None:
    rounds = [report(1, edit("r1c1", "turn", "accepted"), shipped="r1c1")]
    found = survey([digest("t1", "won")], rounds)
    assert (found.tried[0]["flipped"], found.hit_rates) == (None, {})


def test_a_landscape_is_json() -> None:
    found = survey([digest("t1", "loop", "won")], [report(1, edit("r1c1", "turn", "accepted"), shipped="r1c1")])
    assert set(json.loads(json.dumps(found.to_json()))) == {"failures", "clusters", "tried", "untried", "hit_rates", "parts"}
    assert Landscape().to_json() == {"failures": {}, "clusters": {}, "tried": (), "untried": (), "hit_rates": {}, "parts": {}}


def test_what_failed_and_who_decided_there() -> None:
    kinds = [("t1", "loop", {"model": 3}), ("t2", "refused", {"model": 1, "fallback": 2}), ("t3", "searching", {"harness": 4})]
    digests = [
        *(Digest(task, "a", False, 9, category, "", (), (), by) for task, category, by in kinds),
        Digest("t4", "a", True, 9, "won", "", ()),
        Digest("t5", "a", False, 0, "error", "environment", ()),
    ]
    assert survey(digests, []).parts == {
        "choice": {"tasks": 2, "decided_by": {"model": 4, "fallback": 2}},
        "knowledge": {"tasks": 1, "decided_by": {"harness": 4}},
    }


def test_what_an_edit_gained_with_and_without_the_model_is_known() -> None:
    edits = [{**edit("r1c1", "turn", "rejected"), "gain": 0.1, "twin_gain": 0.5}, edit("r1c2", "turn", "rejected")]
    found = survey([], [report(1, *edits)])
    assert [(one["gain"], one["twin_gain"]) for one in found.tried] == [(0.1, 0.5), (None, None)]
