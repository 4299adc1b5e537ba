from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.processors import REGISTRY
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.evidence.learn import Lessons
from homebody.evolution.gate.checked import CheckedCandidate, check_candidate
from homebody.evolution.gate.critic import review
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import Candidate, Evidence, set_processors
from homebody.evolution.proposers.operators import operators
from homebody.evolution.proposers.rules import propose

Make = Callable[..., Evidence]
FRAMES = ({"goal": "press it", "steps": [{"form": "press", "args": []}]},)


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.manifest["operator"] for candidate in candidates]


def checked(spec: HarnessSpec, candidates: list[Candidate]) -> list[CheckedCandidate]:
    return [check_candidate(spec, candidate) for candidate in candidates]


def params(spec: HarnessSpec, use: str) -> Any:
    name = spec.id_of(use)
    return None if name is None else spec.components[name]["params"]


def harness(*components: dict[str, Any]) -> HarnessSpec:
    return HarnessSpec.from_json({"format": 2, "name": "made", "components": {item["use"]: item for item in components}})


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (("searching",), ["do not look twice", "ask where things are (1)", "remember where things were"]),
        # Three loops and one unusable answer, two searches: what answers five failures, then four.
        (("loop", "searching", "loop", "won", "unusable_answers", "loop", "searching"),
         ["do not look twice", "learned_plan", "choose by score"]),
        (("unusable_answers",), ["learned_plan", "choose by score", "guard against loops", "short history", "repair answers"]),
        (("ceiling", "goal_untouched"), ["learned_plan", "commands about the goal first", "ask which command fits the goal"]),
        (("unfinished",), ["end with the goal"]),
        (("error",), ["read less"]),
        (("won", "won"), []),
        ((), []),
    ],
)  # fmt: skip
def test_operators_are_ranked_by_the_failures_that_they_answer(
    seed: HarnessSpec, evidence: Make, categories: tuple[str, ...], expected: list[str]
) -> None:
    assert names(propose(seed, evidence(*categories), 40))[: len(expected)] == expected
    assert names(propose(seed, evidence(*categories), 2)) == expected[:2]


def test_what_shipped_harnesses_were_made_of_comes_first_as_before(seed: HarnessSpec, evidence: Make) -> None:
    """The path that found the shipped harnesses: learned_plan, then a question to the model, then the memory of places."""
    spec, tried, shipped = seed, {seed.behaviour_hash}, []
    for number, (category, wanted) in enumerate(
        [("unusable_answers", "learned_plan"), ("searching", "ask where things are (1)"), ("searching", "remember where things were")], 1
    ):
        candidates = {c.manifest["operator"]: c for c in propose(spec, evidence(category, tried=tuple(tried), number=number), 2)}
        tried |= {spec.patch(c.patch).behaviour_hash for c in candidates.values()}
        spec = spec.patch(candidates[wanted].patch)
        shipped.append(wanted)
    order = ["learned_plan", "visited", "location_prior", "location_memory", "show_candidates"]
    assert [name for name in spec.in_order() if name in order] == order


def test_the_manifest_of_a_candidate_is_complete(seed: HarnessSpec, evidence: Make) -> None:
    _, second = propose(seed, evidence("searching", "won", "loop", "searching", "won", number=4), 2)
    assert (second.id, second.dimension, second.problem) == ("r4c2", "model", "")
    assert second.manifest == {
        "candidate_id": "r4c2",
        "bucket": "model",
        "operator": "ask where things are (1)",
        "hypothesis": "What the model has read of the world makes it expect things in some places more than in others.",
        "evidence": {"searching": ["train/a-0", "train/a-3"]},
        "predicted_impact": {"will_unlock": ["train/a-0", "train/a-3"], "will_stabilize": [], "at_risk": ["train/a-1", "train/a-4"]},
        "attribution_signature": "location_prior",
    }
    check_manifest(second.manifest)
    assert second.to_json()["patch"] == second.patch


def test_a_task_that_was_lost_again_and_is_won_now_is_to_be_stabilised(seed: HarnessSpec, evidence: Make) -> None:
    past = {
        1: ("won", "searching"),  # won, lost while searching, won now: unstable
        2: ("searching", "searching"),  # never won before: it was unlocked
        3: ("won", "error"),  # lost for a reason that this operator does not answer
        4: ("searching", "won"),
    }
    (first, *_) = propose(seed, evidence("searching", "won", "won", "won", "won", number=3, histories=past), 4)
    assert first.manifest["predicted_impact"] == {
        "will_unlock": ["train/a-0"],
        "will_stabilize": ["train/a-1"],
        "at_risk": ["train/a-2", "train/a-3", "train/a-4"],
    }


def test_every_patch_sets_what_training_taught(seed: HarnessSpec, evidence: Make) -> None:
    given = evidence("searching", "loop")
    candidates = {c.manifest["operator"]: seed.patch(c.patch) for c in propose(seed, given, 40)}
    learned_plan = candidates["learned_plan"]
    assert params(learned_plan, "learned_plan") == {"frames": list(FRAMES), "explore": ["open #", "go to #"]}
    assert params(learned_plan, "decide") == {"method": "rank"}
    assert params(learned_plan, "visited") == {"forms": ["open #", "go to #"]}
    assert params(candidates["choose by score"], "decide") == {"method": "score"}
    assert params(candidates["do not look twice"], "visited") == {"forms": ["open #", "go to #"]}
    remembering = candidates["remember where things were"]
    assert params(remembering, "location_memory") == given.lessons.memory
    assert params(remembering, "decide") == {"method": "rank"}
    assert params(candidates["ask where things are (1)"], "location_prior")["given"].count("{thing}") == 1
    assert params(candidates["short history"], "history_window") == {"turns": 4}


def test_nothing_is_proposed_twice(seed: HarnessSpec, evidence: Make) -> None:
    seen: set[str] = {seed.behaviour_hash}
    proposed: list[str] = []
    while candidates := propose(seed, evidence("searching", "loop", tried=tuple(seen)), 4):
        for candidate in candidates:
            behaviour = seed.patch(candidate.patch).behaviour_hash
            assert behaviour not in seen
            seen.add(behaviour)
            proposed.append(candidate.manifest["operator"])
    assert sorted(proposed) == sorted(names(propose(seed, evidence("searching", "loop"), 40)))


def test_without_lessons_nothing_is_proposed_that_needs_them(seed: HarnessSpec, evidence: Make) -> None:
    found = names(propose(seed, evidence("searching", "loop", "ceiling", "order", lessons=Lessons()), 40))
    assert "choose by score" in found
    assert not {"learned_plan", "do not look twice", "remember where things were", "wait for what must come first"} & set(found)


def test_weights_are_scaled_where_there_are_some(seed: HarnessSpec, evidence: Make) -> None:
    lessons = evidence().lessons
    ranking: dict[str, dict[str, Any]] = {"decide": {"method": "rank"}, "visited": {"forms": list(lessons.explore)}}
    spec = seed.patch(set_processors(seed, {**ranking, "location_memory": {**lessons.memory, "pseudo": 8.0}, "location_prior": {}}))
    scaled = {c.manifest["operator"]: spec.patch(c.patch) for c in propose(spec, evidence("searching"), 40)}
    # pseudo was 8, times 4 and a quarter; the weight is its default, 1.
    assert params(scaled["trust the prior more"], "location_memory")["pseudo"] == 32.0
    assert params(scaled["trust the prior less"], "location_memory")["pseudo"] == 2.0
    assert params(scaled["trust the model more"], "location_prior")["weight"] == 2.0
    assert params(scaled["trust the model less"], "location_prior")["weight"] == 0.5


TWO_STEPS = Lessons(
    explore=("go to #",),
    frames=({"goal": "wash a {0}", "steps": [{"form": "lift # from #", "args": ["{0}=a", "*=b"]}, {"form": "wet #", "args": ["{0}=a"]}]},),
)


@pytest.mark.parametrize(
    ("operator", "failure", "base", "lessons", "expected"),
    [
        ("leave a look unfinished", "searching", [component("learned_plan")], Lessons(), {"learned_plan": {"finish_looks": False}}),
        ("leave a look unfinished", "searching", [component("learned_plan", {"finish_looks": False})], Lessons(), None),
        ("answer under a grammar", "refused", [], Lessons(), {"decide": {"method": "grammar"}}),
        ("answer under a grammar", "refused", [component("decide", {"method": "rank"})], Lessons(), None),
        ("repair answers", "refused", [], Lessons(), {"repair": {}}),
        ("repair answers", "refused", [component("decide", {"method": "score"})], Lessons(), None),
        ("show the commands", "refused", [], Lessons(), {"show_candidates": {}}),
        ("show the commands", "refused", [component("show_candidates")], Lessons(), None),
        ("explain refusals", "refused", [], Lessons(), {"explain_refusal": {}}),
        ("wait for what must come first", "order", [], TWO_STEPS,
         {"requires": {"rules": [{"form": "wet #", "needs": ["lift # from #"], "goal": ["wash", "a"]}]}}),
        ("wait for what must come first", "order", [component("learned_plan")], TWO_STEPS, None),
        ("commands about the goal first", "ceiling", [component("decide", {"method": "rank"})], Lessons(), {"goal_words": {}}),
        ("commands about the goal first", "ceiling", [], Lessons(), {"goal_words": {}, "shortlist": {}}),
        ("ask which command fits the goal", "ceiling", [], Lessons(), {"action_prior": {}, "decide": {"method": "rank"}}),
        ("ask which command fits the goal", "ceiling", [component("learned_plan")], Lessons(), None),
        ("guard against stalls", "loop", [], Lessons(), {"stall_guard": {}}),
        ("end with the goal", "final_step_missing", [], Lessons(), {"step_budget": {}}),
        ("take off a command's own likelihood", "loop", [component("decide", {"method": "score"})], Lessons(),
         {"decide": {"method": "score", "correct": 1.0}}),
        ("take off a command's own likelihood", "loop", [], Lessons(), None),
        ("look up what was read", "loop", [component("history_window")], Lessons(), {"recall": {}}),
        ("look up what was read", "loop", [], Lessons(), None),
        ("count the steps", "premature_end", [], Lessons(), {"steps_left": {}}),
        ("vote among answers", "ceiling", [], Lessons(), {"decide": {"method": "vote", "constrained": True}}),
        ("read less", "error", [], Lessons(), {"trim_observation": {}}),
    ],
)  # fmt: skip
def test_operators_apply_where_they_have_something_to_act_on(
    evidence: Make, operator: str, failure: str, base: list[dict[str, Any]], lessons: Lessons, expected: dict[str, Any] | None
) -> None:
    spec = harness(*base)
    found = {c.manifest["operator"]: c for c in propose(spec, evidence(failure, lessons=lessons), 40)}
    if expected is None:
        assert operator not in found
        return
    edited = spec.patch(found[operator].patch)
    assert {use: params(edited, use) for use in expected} == expected
    assert len(edited.components) == len({item["use"] for item in [*base]} | set(expected))


def test_every_operator_has_a_name_of_its_own_answers_known_failures_and_works_through_a_processor() -> None:
    table = operators()
    assert len({operator.name for operator in table}) == len(table)
    assert {operator.use for operator in table} <= set(REGISTRY)
    assert all(operator.answers and operator.answers <= set(CATEGORIES) - {"won"} for operator in table)
    assert all(
        len(operator.why) <= 400 and operator.why.endswith(".") and operator.why.count(". ") == 0 for operator in table
    )  # one sentence


def test_a_operator_that_flipped_nothing_goes_to_the_end(seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]) -> None:
    before = names(propose(seed, evidence("unusable_answers"), 40))
    failed = [round_report(1, ("learned_plan", "memory"), flipped=[])]
    assert names(propose(seed, evidence("unusable_answers", rounds=failed, number=3), 40)) == [*before[1:], "learned_plan"]
    worked = [round_report(1, ("learned_plan", "memory"), flipped=["train/a-0"])]
    assert names(propose(seed, evidence("unusable_answers", rounds=worked, number=3), 40)) == before
    once = [round_report(1, ("learned_plan", "memory"))]  # rejected once, its flips not measured: it may have met a better one
    assert names(propose(seed, evidence("unusable_answers", rounds=once, number=3), 40)) == before
    twice = [*once, round_report(2, ("learned_plan", "memory"))]
    assert names(propose(seed, evidence("unusable_answers", rounds=twice, number=4), 40))[-1] == "learned_plan"


def test_after_a_round_without_a_ship_a_dimension_that_nobody_touched_gets_a_turn(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]
) -> None:
    table = names(propose(seed, evidence("unusable_answers"), 40))
    assert table[:3] == ["learned_plan", "choose by score", "guard against loops"]  # memory, control, control
    idle = [round_report(1, ("something", "memory"), ("something else", "control"))]
    first, second = propose(seed, evidence("unusable_answers", rounds=idle, number=2), 2)
    assert first.manifest["operator"] == "learned_plan"
    assert second.dimension in set(evidence(rounds=idle).landscape.untried)
    assert second.manifest["operator"] == "short history"  # context: the first operator of the table in another dimension
    shipping = [round_report(1, ("something", "memory"), ("something else", "control"), shipped="r1c1")]
    assert names(propose(seed, evidence("unusable_answers", rounds=shipping, number=2), 2)) == table[:2]


def test_where_a_round_has_one_place_the_operators_come_in_their_order(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]
) -> None:
    """Once operators of other dimensions took the only place of each round after a rejection, and the run ended before the memory."""
    failing = ("searching", "searching", "searching", "searching", "loop", "ceiling")
    found = propose(seed, evidence(*failing), 40)
    (learned_plan,) = [c for c in found if c.manifest["operator"] == "learned_plan"]
    spec = seed.patch(learned_plan.patch)
    tried, proposed = [seed.behaviour_hash, spec.behaviour_hash], list[str]()
    rounds = [round_report(1, ("learned_plan", "memory"), shipped="r1c1")]
    table = names(propose(spec, evidence(*failing, tried=tried, rounds=rounds, number=2), 40))
    while candidates := propose(spec, evidence(*failing, tried=tried, rounds=rounds, number=len(rounds) + 1), 1):
        (candidate,) = candidates
        proposed.append(candidate.manifest["operator"])
        tried.append(spec.patch(candidate.patch).behaviour_hash)
        rounds.append(round_report(len(rounds) + 1, (proposed[-1], candidate.dimension)))  # it shipped nothing
    assert proposed[:2] == ["ask where things are (1)", "remember where things were"]
    assert proposed == table


def test_after_an_objection_the_next_operators_come(seed: HarnessSpec, evidence: Make) -> None:
    first = propose(seed, evidence("unusable_answers"), 2)
    leads_to = [seed.patch(c.patch).behaviour_hash for c in first]
    again = evidence("unusable_answers", objections={"r1c2": ["spent"]}, proposed=first, tried=leads_to)
    assert names(propose(seed, again, 2)) == ["guard against loops", "short history"]
    # An objected operator is not used again even where it would lead elsewhere now.
    alone = evidence("unusable_answers", objections={"r1c2": ["spent"]}, proposed=first)
    assert "choose by score" not in names(propose(seed, alone, 40))


def test_operator_that_a_rule_of_the_harness_stands_against_is_passed_over(evidence: Make) -> None:
    rule = {
        "name": "stuck",
        "when": {"signal": "stalled", "at_least": 2},
        "patch": [{"op": "add", "path": "/components/loop_guard", "value": component("loop_guard")}],
    }
    base = HarnessSpec.from_json({"format": 2, "name": "ruled", "components": {"decide": component("decide")}, "adaptations": [rule]})
    found = names(propose(base, evidence("unusable_answers"), 40))
    assert "guard against loops" not in found
    assert found[:3] == ["learned_plan", "choose by score", "short history"]


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 10**6), failing=st.lists(st.sampled_from(sorted(CATEGORIES)), max_size=5))
def test_whatever_the_harness_candidates_apply_and_the_critic_lets_them_pass(
    draw: Callable[[int], HarnessSpec], evidence: Make, number: int, failing: list[str]
) -> None:
    spec, given_evidence = draw(number), evidence(*failing)
    candidates = propose(spec, given_evidence, 40)
    assert candidates == propose(spec, given_evidence, 40)
    for candidate, critique in zip(candidates, review(spec, checked(spec, candidates), given_evidence), strict=True):
        assert spec.patch(candidate.patch).behaviour_hash != spec.behaviour_hash
        assert critique.objections == ()


def test_another_sentence_takes_the_place_of_the_first(seed: HarnessSpec, evidence: Make) -> None:
    (first,) = [c for c in propose(seed, evidence("searching"), 40) if c.manifest["operator"].startswith("ask where things are")]
    asking = seed.patch(first.patch)
    (second,) = [c for c in propose(asking, evidence("searching"), 40) if c.manifest["operator"].startswith("ask where things are")]
    assert (first.manifest["operator"], second.manifest["operator"]) == ("ask where things are (1)", "ask where things are (2)")
    assert params(asking, "location_prior")["given"] != params(asking.patch(second.patch), "location_prior")["given"]


@pytest.mark.parametrize(
    ("gain", "twin_gain", "verdict", "comes_again"),
    [
        (None, 0.5, "rejected", True),  # dropped before it was played to the end
        (0.1, 0.5, "rejected", True),
        (0.0, 0.0, "rejected", False),
        (-0.1, 0.0, "rejected", False),
        (0.5, 0.4, "rejected", False),  # refused for something else
        (0.1, None, "rejected", False),
        (0.5, 0.5, "accepted", False),
    ],
)
def test_what_a_twin_took_over_comes_again_with_a_question_to_the_model(
    seed: HarnessSpec, evidence: Make, round_report: Any, gain: float | None, twin_gain: float | None, verdict: str, comes_again: bool
) -> None:
    (plan,) = propose(seed, evidence("unusable_answers"), 1)
    assert plan.manifest["operator"] == "learned_plan"
    before = round_report(1, ("learned_plan", "memory"))
    before["candidates"][0] |= {"gain": gain, "twin_gain": twin_gain, "verdict": verdict}
    behaviour = seed.patch(plan.patch).behaviour_hash
    given = evidence("unusable_answers", tried=[behaviour], number=2, rounds=[before])
    first, second, *_ = propose(seed, given, 9)
    assert (first.manifest["operator"] == "learned_plan, and ask where things are (1)") == comes_again
    if comes_again:
        edited = seed.patch(first.patch)
        assert params(edited, "learned_plan") == params(seed.patch(plan.patch), "learned_plan")
        assert params(edited, "location_prior") is not None
        assert (first.dimension, first.manifest["attribution_signature"]) == ("model", "location_prior")
        assert second.manifest["operator"].startswith("learned_plan, and ")
        check_manifest(first.manifest)
        assert review(seed, checked(seed, [first]), given)[0].accepted
