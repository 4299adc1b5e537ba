from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import Evidence
from homebody.evolution.proposers.controls import noop, random

Make = Callable[..., Evidence]


def test_noop_proposes_no_change(seed: HarnessSpec, evidence: Make) -> None:
    candidates = noop(seed, evidence("loop", number=2), 3)
    assert [(c.id, c.patch, c.manifest["attribution_signature"]) for c in candidates] == [
        ("r2c1", [], ""),
        ("r2c2", [], ""),
        ("r2c3", [], ""),
    ]
    for candidate in candidates:
        check_manifest(candidate.manifest)
        assert candidate.manifest["control"] is True
        assert candidate.manifest["evidence"] == {}
        assert candidate.manifest["predicted_impact"] == {"will_unlock": [], "will_stabilize": [], "at_risk": []}


def test_random_edits_are_valid_repeatable_and_of_each_kind(seed: HarnessSpec, evidence: Make) -> None:
    found = set()
    for number in range(1, 21):
        candidates = random(seed, evidence("loop", "won", number=number), 4)
        assert candidates == random(seed, evidence("loop", "won", number=number), 4)
        assert [c.id for c in candidates] == [f"r{number}c{n}" for n in (1, 2, 3, 4)]
        for candidate in candidates:
            edited = seed.patch(candidate.patch)
            signature = candidate.manifest["attribution_signature"]
            assert signature in edited.components if signature else len(edited.components) < len(seed.components)
            found.add("removed" if not signature else "changed" if signature in seed.components else "added")
            check_manifest(candidate.manifest)
            assert candidate.manifest["control"] is True
            assert candidate.manifest["predicted_impact"]["at_risk"] == []  # a control predicts nothing
    assert found == {"added", "changed", "removed"}
    assert random(seed, evidence(seed=1), 4) != random(seed, evidence(seed=0), 4)


def test_random_edits_after_an_objection_are_others(seed: HarnessSpec, evidence: Make) -> None:
    first = random(seed, evidence("loop"), 4)
    again = random(seed, evidence("loop", objections={"r1c2": ["no"]}, proposed=first), 4)
    assert [c.patch for c in again] != [c.patch for c in first]


def test_random_edits_of_a_harness_with_nothing_in_it_and_of_a_full_one(evidence: Make) -> None:
    empty = HarnessSpec.from_json({"format": 2, "name": "empty", "components": {}})
    assert all(len(empty.patch(c.patch).components) == 1 for number in range(20) for c in random(empty, evidence(number=number), 3))
    given = {"system_prompt": {"text": "Act."}}
    groups = {REGISTRY[use].group or use: use for use in sorted(REGISTRY) if REGISTRY[use].hook}  # one of each group
    every = {use: component(use, given.get(use)) for use in groups.values()}
    full = HarnessSpec.from_json({"format": 2, "name": "full", "components": every})
    assert all(len(full.patch(c.patch).components) >= 8 for number in range(20) for c in random(full, evidence(number=number), 3))


def test_random_edits_keep_the_text_of_code(evidence: Make) -> None:
    code = component("code", hook="after_model", dimension="tools", source="def process(event):\n    return None")
    base = HarnessSpec.from_json({"format": 2, "name": "coded", "components": {"mine": code, "notes": component("notes")}})
    found = [c for number in range(10) for c in random(base, evidence(number=number), 4) if c.manifest["attribution_signature"] == "mine"]
    assert found
    for candidate in found:
        edited = base.patch(candidate.patch).components["mine"]
        assert {**edited, "params": {}} == code
        assert edited["params"]["max_failures"] >= 1
        assert candidate.dimension == "tools"


def test_random_values_stay_within_their_rules(seed: HarnessSpec, evidence: Make) -> None:
    drawn: dict[str, set[Any]] = {}
    for number in range(300):
        for candidate in random(seed, evidence(number=number), 4):
            for item in seed.patch(candidate.patch).components.values():
                for name, value in item["params"].items():
                    if isinstance(value, int | float | bool) or name in ("method", "normalize"):
                        drawn.setdefault(f"{item['use']}.{name}", set()).add(value)
    assert drawn["decide.method"] <= {"generate", "grammar", "vote", "score", "rank"}
    assert len(drawn["decide.method"]) >= 3
    assert drawn["learned_plan.finish_observations"] == {True, False}
    assert drawn["loop_guard.repeats"] <= set(range(1, 21))
    assert len(drawn["loop_guard.repeats"]) > 3
    for name, default in (("location_prior.weight", 1.0), ("location_memory.pseudo", 2.0)):
        assert drawn[name] <= {default * 2.0**power for power in range(-3, 4)}
        assert len(drawn[name]) >= 3
    # The default is 0, which no factor moves; the range ends at 1.
    assert drawn["decide.correct"] <= {0.125, 0.25, 0.5, 1.0}
    assert len(drawn["decide.correct"]) >= 3


def test_random_edits_lead_to_behaviours_that_were_not_tried(evidence: Make) -> None:
    # Without parameters to draw there is little to do with one processor: the same few edits come up again and again.
    spec = HarnessSpec.from_json({"format": 2, "name": "small", "components": {"visited": component("visited")}})
    tried: set[str] = {spec.behaviour_hash}
    for _ in range(4):
        found = [spec.patch(c.patch).behaviour_hash for c in random(spec, evidence("loop", tried=tuple(tried)), 6)]
        assert len(set(found)) == len(found) == 6
        assert not tried & set(found)
        tried |= set(found)


@settings(max_examples=20, deadline=None)
@given(number=st.integers(0, 10**6))
def test_random_edits_of_any_harness_apply(draw: Callable[[int], HarnessSpec], evidence: Make, number: int) -> None:
    spec = draw(number)
    for candidate in random(spec, evidence("loop", number=number), 3):
        spec.patch(candidate.patch)  # raises if it is not valid
        check_manifest(candidate.manifest)
