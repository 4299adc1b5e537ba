from typing import Any

import pytest

from homebody.evolution.gate.manifest import ManifestError, check_manifest

WHOLE: dict[str, Any] = {
    "candidate_id": "r1c1",
    "bucket": "control",
    "operator": "do not look twice",
    "hypothesis": "What was seen need not be seen again.",
    "evidence": {"loop": ["train/a-0"]},
    "predicted_impact": {"will_unlock": ["train/a-0"], "will_stabilize": [], "at_risk": ["train/a-1"]},
    "attribution_signature": "visited",
}


def test_a_whole_manifest_passes() -> None:
    check_manifest(WHOLE)
    check_manifest({**WHOLE, "evidence": {}, "attribution_signature": "", "control": True})
    check_manifest({**WHOLE, "evidence": {"loop": ("train/a-0", "train/a-1")}})


@pytest.mark.parametrize("key", list(WHOLE))
def test_nothing_may_be_missing(key: str) -> None:
    with pytest.raises(ManifestError, match=f"'{key}' is a required property") as raised:
        check_manifest({name: value for name, value in WHOLE.items() if name != key})
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize("key", ["will_unlock", "will_stabilize", "at_risk"])
def test_no_prediction_may_be_missing(key: str) -> None:
    impact = {name: tasks for name, tasks in WHOLE["predicted_impact"].items() if name != key}
    with pytest.raises(ManifestError, match=f"/predicted_impact: '{key}' is a required property"):
        check_manifest({**WHOLE, "predicted_impact": impact})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bucket": "luck"}, "/bucket: 'luck' is not one of"),
        ({"hypothesis": ""}, "/hypothesis: it is empty; say it in a few words"),
        ({"hypothesis": "x" * 401}, "/hypothesis: 'xxx"),
        ({"evidence": {"loop": ["t", "t"]}}, "/evidence/loop: "),
        ({"evidence": {"loop": "t"}}, "/evidence/loop: 't' is not of type 'array'"),
        ({"attribution_signature": None}, "/attribution_signature: None is not of type 'string'"),
        ({"operatorr": "x"}, "/: there is no 'operatorr' here; did you mean operator?; known: candidate_id, bucket, operator"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ManifestError) as raised:
        check_manifest({**WHOLE, **changes})
    assert str(raised.value).startswith("manifest of r1c1: ")
    (line,) = raised.value.problems
    assert line.startswith(problem)
    assert len(line) < 300


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ManifestError) as raised:
        check_manifest({"candidate_id": 3})
    assert len(raised.value.problems) == 7
    assert str(raised.value).startswith("manifest: ")


def test_what_is_no_json_is_no_manifest() -> None:
    with pytest.raises(ManifestError, match=r"manifest: /: .* not JSON serializable"):
        check_manifest({**WHOLE, "evidence": {"loop": {"train/a-0"}}})
