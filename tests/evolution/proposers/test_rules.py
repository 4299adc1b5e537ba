from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.harness.spec import HarnessSpec, component
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.gate.checked import CheckedCandidate, check_candidate
from homebody.evolution.gate.critic import review
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import Candidate, Evidence, set_processors
from homebody.evolution.proposers.operators import SEEN, operators
from homebody.evolution.proposers.rules import propose

Make = Callable[..., Evidence]
PLANS = ({"goal": "press it", "steps": [{"action": "press", "args": []}]},)
NONE = TrainingStatistics()
UNFINISHED = {"finish_observations": False}


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.manifest["operator"] for candidate in candidates]


def checked(spec: HarnessSpec, candidates: list[Candidate]) -> list[CheckedCandidate]:
    return [check_candidate(spec, candidate) for candidate in candidates]


def params(spec: HarnessSpec, use: str) -> Any:
    name = spec.id_of(use)
    return None if name is None else spec.components[name]["params"]


def harness(*components: dict[str, Any]) -> HarnessSpec:
    return HarnessSpec.from_json({"format": 2, "name": "made", "components": {item["use"]: item for item in components}})


def first_of(seed: HarnessSpec, evidence: Make, *categories: str, objective: str = "model", **more: Any) -> list[str]:
    return names(propose(seed, replace(evidence(*categories, **more), objective=objective), 60))


def test_operators_that_answer_more_failures_come_first(seed: HarnessSpec, evidence: Make) -> None:
    # Three loops and a search: what answers both (4), what answers loops alone (3), what answers searches alone (1), in like cost.
    found = first_of(seed, evidence, "loop", "searching", "loop", "won", "loop")
    places = [found.index(name) for name in ("do not look twice", "guard against loops", "ask where things are")]
    assert places == sorted(places)
    assert first_of(seed, evidence, "won", "won") == first_of(seed, evidence) == []
    assert first_of(seed, evidence, "unfinished") == ["end with the goal"]


def test_what_costs_many_model_calls_comes_when_the_cheaper_ones_are_spent(seed: HarnessSpec, evidence: Make) -> None:
    found = first_of(seed, evidence, "unusable_answers")
    # One call a step as before; two; five.
    assert found.index("repair answers") < found.index("ask which comes next") < found.index("vote among answers")
    spent = [seed.patch(c.patch).behaviour_hash for c in propose(seed, evidence("unusable_answers"), 60)[:-2]]
    assert first_of(seed, evidence, "unusable_answers", tried=tuple(spent)) == found[-2:]


def test_what_leaves_the_model_nothing_to_decide_comes_last_where_the_model_counts(seed: HarnessSpec, evidence: Make) -> None:
    for category, dictating in (("searching", "remember where things were"), ("unusable_answers", "follow the learned plan")):
        assert first_of(seed, evidence, category)[-1] == dictating
        assert first_of(seed, evidence, category, objective="success")[-1] != dictating


def test_a_skill_is_told_to_a_model_before_it_decides_itself(seed: HarnessSpec, evidence: Make) -> None:
    found = {c.manifest["operator"]: c for c in propose(seed, evidence("searching", "unusable_answers"), 60)}
    for told, dictating, use in (
        ("say what the learned plan wants next", "follow the learned plan", "learned_plan"),
        ("say where things were", "remember where things were", "location_memory"),
    ):
        assert list(found).index(told) < list(found).index(dictating)
        one, other = (seed.patch(found[name].patch) for name in (told, dictating))
        assert params(one, use) == {**(params(other, use) or {}), "mode": "advise"}
        assert params(one, "decide") == params(seed, "decide")


def test_what_training_taught_comes_before_what_the_library_holds(seed: HarnessSpec, evidence: Make, episode: Any) -> None:
    lost = [{"command": "jump", "observation": "You cannot jump here.", "accepted": False}] * 4
    records = [episode(task_id="train/a-0", trace=lost)]
    found = first_of(seed, evidence, "refused", episodes=records)
    assert found.index("explain what was refused") < found.index("explain refusals")


WRITTEN = [{"command": "say Sing it.", "observation": "What?", "accepted": True}]
REPEATED = [{"command": "wait", "observation": "Rain.", "accepted": True, "step": step} for step in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "lost", "won", "first"),
    [
        ("choose by guided score among the parts of the goal", WRITTEN, REPEATED[:1], 0),
        ("offer each part of the goal once", WRITTEN, REPEATED[:1], 1),  # of equals the first by name
        ("give no command twice", REPEATED, REPEATED[:1], 0),
    ],
)
def test_what_failing_episodes_show_and_won_ones_do_not_brings_forward_what_mends_it(
    seed: HarnessSpec, evidence: Make, episode: Any, name: str, lost: list[dict[str, Any]], won: list[dict[str, Any]], first: int
) -> None:
    goals = {"templates": [["Sing ", "."]], "marks": []} if "of the goal" in name else None
    parts = TrainingStatistics(parts=goals, bank=({"goal": "x", "steps": [{"command": "y"}]},))

    def place(lost: list[dict[str, Any]], won: list[dict[str, Any]]) -> int:
        episodes = [
            episode(task_id="train/a-0", goal="Sing it.", trace=lost),
            episode(True, task_id="train/a-1", goal="Sing it.", trace=won),
        ]
        return first_of(seed, evidence, "premature_end", "won", statistics=parts, episodes=episodes).index(name)

    assert place(lost, won) == first
    assert place(won, lost) == place(lost, lost) > first


def test_a_policy_without_a_model_is_offered_what_changes_its_candidates(seed: HarnessSpec, evidence: Make) -> None:
    given = replace(evidence("loop", "searching", "goal_untouched"), objective="success", has_model=False)
    found = names(propose(seed, given, 60))
    assert {"do not look twice", "guard against loops", "remember where things were", "follow the learned plan"} <= set(found)
    assert not {"short history", "write a plan first", "say how an answer looks", "ask where things are", "choose by score"} & set(found)


def test_the_manifest_of_a_candidate_is_complete(seed: HarnessSpec, evidence: Make) -> None:
    found = propose(seed, evidence("searching", "won", "unfinished", "searching", "won", number=4), 60)
    (second,) = [c for c in found if c.manifest["operator"] == "ask where things are"]
    number = found.index(second) + 1
    assert (second.id, second.dimension, second.problem) == (f"r4c{number}", "model", "")
    assert second.manifest == {
        "candidate_id": f"r4c{number}",
        "bucket": "model",
        "operator": "ask where things are",
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
    candidates = {c.manifest["operator"]: seed.patch(c.patch) for c in propose(seed, given, 60)}
    learned_plan = candidates["follow the learned plan"]
    assert params(learned_plan, "learned_plan") == {"plans": list(PLANS), "explore": ["open #", "go to #"]}
    assert params(learned_plan, "decide") == {"method": "rank"}
    assert params(learned_plan, "visited") == {"actions": ["open #", "go to #"]}
    assert params(candidates["choose by score"], "decide") == {"method": "score"}
    assert params(candidates["do not look twice"], "visited") == {"actions": ["open #", "go to #"]}
    remembering = candidates["remember where things were"]
    assert params(remembering, "location_memory") == given.statistics.memory
    assert params(remembering, "decide") == {"method": "rank"}
    assert params(candidates["ask where things are"], "location_prior")["given"].count("{thing}") == 1
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
    assert sorted(proposed) == sorted(names(propose(seed, evidence("searching", "loop"), 60)))


def test_without_lessons_nothing_is_proposed_that_needs_them(seed: HarnessSpec, evidence: Make) -> None:
    found = names(propose(seed, evidence("searching", "loop", "ceiling", "order", statistics=TrainingStatistics()), 60))
    assert "choose by score" in found
    assert not {"follow the learned plan", "do not look twice", "remember where things were", "wait for what must come first"} & set(found)


def test_weights_are_scaled_where_there_are_some(seed: HarnessSpec, evidence: Make) -> None:
    statistics = evidence().statistics
    ranking: dict[str, dict[str, Any]] = {"decide": {"method": "rank"}, "visited": {"actions": list(statistics.explore)}}
    spec = seed.patch(set_processors(seed, {**ranking, "location_memory": {**statistics.memory, "pseudo": 8.0}, "location_prior": {}}))
    scaled = {c.manifest["operator"]: spec.patch(c.patch) for c in propose(spec, evidence("searching"), 60)}
    # pseudo was 8, times 4 and a quarter; the weight is its default, 1.
    assert params(scaled["trust the prior more"], "location_memory")["pseudo"] == 32.0
    assert params(scaled["trust the prior less"], "location_memory")["pseudo"] == 2.0
    assert params(scaled["trust the model more"], "location_prior")["weight"] == 2.0
    assert params(scaled["trust the model less"], "location_prior")["weight"] == 0.5


TWO_STEPS = TrainingStatistics(
    explore=("go to #",),
    plans=(
        {"goal": "wash a {0}", "steps": [{"action": "lift # from #", "args": ["{0}=a", "*=b"]}, {"action": "wet #", "args": ["{0}=a"]}]},
    ),
)


@pytest.mark.parametrize(
    ("operator", "failure", "base", "statistics", "expected"),
    [
        ("leave an observation unfinished", "searching", [component("learned_plan")], NONE, {"learned_plan": UNFINISHED}),
        ("leave an observation unfinished", "searching", [component("learned_plan", UNFINISHED)], NONE, None),
        ("answer under a grammar", "refused", [], NONE, {"decide": {"method": "grammar"}}),
        ("answer under a grammar", "refused", [component("decide", {"method": "rank"})], NONE, None),
        ("repair answers", "refused", [], NONE, {"repair": {}}),
        ("repair answers", "refused", [component("decide", {"method": "score"})], NONE, None),
        ("show the commands", "refused", [], NONE, {"show_candidates": {}}),
        ("show the commands", "refused", [component("show_candidates")], NONE, None),
        ("explain refusals", "refused", [], NONE, {"explain_refusal": {}}),
        ("wait for what must come first", "order", [], TWO_STEPS,
         {"requires": {"rules": [{"action": "wet #", "needs": ["lift # from #"], "goal": ["wash", "a"]}]}}),
        ("wait for what must come first", "order", [component("learned_plan")], TWO_STEPS, None),
        ("commands about the goal first", "ceiling", [component("decide", {"method": "rank"})], NONE, {"goal_words": {}}),
        ("commands about the goal first", "ceiling", [], NONE, {"goal_words": {}, "shortlist": {}}),
        ("ask which command fits the goal", "ceiling", [], NONE, {"action_prior": {}, "decide": {"method": "rank"}}),
        ("ask which command fits the goal", "ceiling", [component("learned_plan")], NONE, None),
        ("guard against stalls", "loop", [], NONE, {"stall_guard": {}}),
        ("end with the goal", "final_step_missing", [], NONE, {"step_budget": {}}),
        ("take off a command's own likelihood", "loop", [component("decide", {"method": "score"})], TrainingStatistics(),
         {"decide": {"method": "score", "correct": 1.0}}),
        ("take off a command's own likelihood", "loop", [], NONE, None),
        ("look up what was read", "loop", [component("history_window")], NONE, {"recall": {}}),
        ("look up what was read", "loop", [], NONE, None),
        ("count the steps", "premature_end", [], NONE, {"steps_left": {}}),
        ("vote among answers", "ceiling", [], NONE, {"decide": {"method": "vote", "constrained": True}}),
        ("read less", "error", [], NONE, {"trim_observation": {}}),
    ],
)  # fmt: skip
def test_operators_apply_where_they_have_something_to_act_on(
    evidence: Make, operator: str, failure: str, base: list[dict[str, Any]], statistics: TrainingStatistics, expected: dict[str, Any] | None
) -> None:
    spec = harness(*base)
    found = {c.manifest["operator"]: c for c in propose(spec, evidence(failure, statistics=statistics), 60)}
    if expected is None:
        assert operator not in found
        return
    edited = spec.patch(found[operator].patch)
    assert {use: params(edited, use) for use in expected} == expected
    assert len(edited.components) == len({item["use"] for item in [*base]} | set(expected))


def test_every_operator_has_a_name_of_its_own_answers_known_failures_and_says_why_in_a_sentence(seed: HarnessSpec) -> None:
    table = [operator for _, operator in operators(seed)]
    assert len({operator.name for operator in table}) == len(table)
    assert all(operator.answers and operator.answers <= set(CATEGORIES) - {"won"} for operator in table)
    assert all(len(operator.why) <= 400 and operator.why.endswith(".") and operator.why.count(". ") == 0 for operator in table)
    assert all(operator.signal in SEEN for operator in table if operator.signal)


def test_an_operator_that_flipped_nothing_goes_to_the_end_and_one_that_did_to_the_front(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]
) -> None:
    before = first_of(seed, evidence, "unusable_answers")
    assert before[0] != "short history"
    failed = [round_report(1, (before[0], "context"), flipped=[])]
    assert first_of(seed, evidence, "unusable_answers", rounds=failed, number=3)[-2:] == [before[0], "follow the learned plan"]
    worked = [round_report(1, ("short history", "context"), flipped=["train/a-0"])]
    assert first_of(seed, evidence, "unusable_answers", rounds=worked, number=3)[0] == "short history"
    once = [round_report(1, (before[0], "context"))]  # rejected, its flips not measured: it may have met a better one
    later = first_of(seed, evidence, "unusable_answers", rounds=once, number=3).index(before[0])
    assert 0 < later < len(before) - 2
    twice = [*once, round_report(2, (before[0], "context"))]
    assert first_of(seed, evidence, "unusable_answers", rounds=twice, number=4)[-2] == before[0]


def test_after_a_round_without_a_ship_a_dimension_that_nobody_touched_gets_a_turn(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]
) -> None:
    table = propose(seed, evidence("unusable_answers"), 60)
    touched = {table[0].dimension, table[1].dimension}
    idle = [round_report(1, *(("something", dimension) for dimension in sorted(touched)))]
    first, second = propose(seed, evidence("unusable_answers", rounds=idle, number=2), 2)
    assert first.manifest["operator"] == names(table)[0]
    assert second.manifest["operator"] == next(c.manifest["operator"] for c in table if c.dimension not in touched)
    shipping = [round_report(1, *(("something", dimension) for dimension in sorted(touched)), shipped="r1c1")]
    assert names(propose(seed, evidence("unusable_answers", rounds=shipping, number=2), 2)) == names(table)[:2]


def test_where_a_round_has_one_place_the_operators_come_in_their_order(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any]
) -> None:
    """Once operators of other dimensions took the only place of each round after a rejection, and the run ended before the memory."""
    failing = ("searching", "searching", "searching", "searching", "loop", "ceiling")
    tried, proposed, rounds = [seed.behaviour_hash], list[str](), list[Any]()
    table = names(propose(seed, evidence(*failing), 60))
    while candidates := propose(seed, evidence(*failing, tried=tried, rounds=rounds, number=len(rounds) + 1), 1):
        (candidate,) = candidates
        proposed.append(candidate.manifest["operator"])
        tried.append(seed.patch(candidate.patch).behaviour_hash)
        rounds.append(round_report(len(rounds) + 1, (proposed[-1], candidate.dimension)))  # it shipped nothing
    assert proposed == table


def test_after_an_objection_the_next_operators_come(seed: HarnessSpec, evidence: Make) -> None:
    table = first_of(seed, evidence, "unusable_answers")
    first = propose(seed, evidence("unusable_answers"), 2)
    leads_to = [seed.patch(c.patch).behaviour_hash for c in first]
    again = evidence("unusable_answers", objections={"r1c2": ["spent"]}, proposed=first, tried=leads_to)
    assert names(propose(seed, again, 2)) == table[2:4]
    # An objected operator is not used again even where it would lead elsewhere now.
    alone = evidence("unusable_answers", objections={"r1c2": ["spent"]}, proposed=first)
    assert table[1] not in names(propose(seed, alone, 60))


def test_operator_that_a_rule_of_the_harness_stands_against_is_passed_over(evidence: Make) -> None:
    rule = {
        "name": "stuck",
        "when": {"signal": "stalled", "at_least": 2},
        "patch": [{"op": "add", "path": "/components/loop_guard", "value": component("loop_guard")}],
    }
    base = HarnessSpec.from_json({"format": 2, "name": "ruled", "components": {"decide": component("decide")}, "adaptations": [rule]})
    found = names(propose(base, evidence("unusable_answers"), 60))
    assert "guard against loops" not in found
    assert "short history" in found


@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 10**6), failing=st.lists(st.sampled_from(sorted(CATEGORIES)), max_size=5))
def test_whatever_the_harness_candidates_apply_and_the_critic_lets_them_pass(
    draw: Callable[[int], HarnessSpec], evidence: Make, number: int, failing: list[str]
) -> None:
    spec, given_evidence = draw(number), evidence(*failing)
    candidates = propose(spec, given_evidence, 60)
    assert candidates == propose(spec, given_evidence, 60)
    for candidate, critique in zip(candidates, review(spec, checked(spec, candidates), given_evidence), strict=True):
        assert spec.patch(candidate.patch).behaviour_hash != spec.behaviour_hash
        assert critique.objections == ()


def test_another_sentence_takes_the_place_of_the_first(seed: HarnessSpec, evidence: Make) -> None:
    found = {c.manifest["operator"]: c for c in propose(seed, evidence("searching"), 60)}
    assert "ask where things are, in other words" not in found
    asking = seed.patch(found["ask where things are"].patch)
    again = {c.manifest["operator"]: c for c in propose(asking, evidence("searching"), 60)}
    assert "ask where things are" not in again
    other = asking.patch(again["ask where things are, in other words"].patch)
    assert params(asking, "location_prior")["given"] != params(other, "location_prior")["given"]


@pytest.mark.parametrize(
    ("support", "objective", "comes_paired"),
    [
        ({"put a {0} in {1}": 1.0, "wash {0}": 0.2}, "model", True),
        ({"put a {0} in {1}": 0.4, "wash {0}": 0.2}, "model", False),  # exploration won too little with it
        ({"put a {0} in {1}": 1.0}, "success", False),  # what wins alone may come alone
    ],
)
def test_what_exploration_has_won_with_comes_with_a_question_to_the_model_untried(
    seed: HarnessSpec, evidence: Make, support: dict[str, float], objective: str, comes_paired: bool
) -> None:
    given = evidence("unusable_answers")
    given = replace(given, objective=objective, statistics=replace(given.statistics, support=support))
    found = names(propose(seed, given, 60))
    pairs = [name for name in found if name.startswith("follow the learned plan, and ")]
    assert bool(pairs) == comes_paired
    assert found[: len(pairs)] == pairs
    assert "follow the learned plan" in found[len(pairs) :]


def test_what_leaves_the_choice_to_the_model_does_not_come_again_though_a_twin_gained_more(
    seed: HarnessSpec, evidence: Make, round_report: Any
) -> None:
    before = round_report(1, ("guard against loops", "control"))
    before["candidates"][0] |= {"gain": None, "twin_gain": 0.5, "verdict": "rejected"}
    found = names(propose(seed, evidence("loop", number=2, rounds=[before]), 60))
    assert "guard against loops" in found
    assert not [name for name in found if name.startswith("guard against loops, and ")]


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
    *_, plan = propose(seed, evidence("unusable_answers"), 60)
    assert plan.manifest["operator"] == "follow the learned plan"
    before = round_report(1, ("follow the learned plan", "memory"))
    before["candidates"][0] |= {"gain": gain, "twin_gain": twin_gain, "verdict": verdict}
    behaviour = seed.patch(plan.patch).behaviour_hash
    given = evidence("unusable_answers", tried=[behaviour], number=2, rounds=[before])
    found = {c.manifest["operator"]: c for c in propose(seed, given, 60)}
    pairs = [name for name in found if name.startswith("follow the learned plan, and ")]
    assert bool(pairs) == comes_again
    if comes_again:
        assert list(found)[: len(pairs)] == pairs  # before all others
        asked = found["follow the learned plan, and ask where things are"]
        edited = seed.patch(asked.patch)
        assert params(edited, "learned_plan") == params(seed.patch(plan.patch), "learned_plan")
        assert params(edited, "location_prior") is not None
        assert (asked.dimension, asked.manifest["attribution_signature"]) == ("model", "location_prior")
        check_manifest(asked.manifest)
        assert review(seed, checked(seed, [asked]), given)[0].accepted
