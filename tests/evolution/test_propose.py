from typing import Any

import pytest

from homebody.agents.patch import apply
from homebody.agents.processors import REGISTRY
from homebody.agents.spec import HarnessSpec, entry
from homebody.evolution.digest import Digest
from homebody.evolution.learn import Lessons
from homebody.evolution.propose import ORDER, PROPOSERS, Candidate, Evidence, levers, noop, random, rules, set_processors

FRAMES = ({"goal": "press it", "steps": [{"form": "press", "args": []}]},)
LESSONS = Lessons(
    explore=("open #", "go to #"),
    frames=FRAMES,
    hits={"gem": {"shaft": 3}},
    looks={"crate": 4, "shaft": 9},
    cost={"crate": 2.0},
    finishing=("open #",),
)
NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def seed() -> HarnessSpec:
    return HarnessSpec.load("generic")


def evidence(*categories: str, lessons: Lessons = LESSONS, tried: frozenset[str] = NOTHING, number: int = 1, seed: int = 0) -> Evidence:
    digests = [Digest(f"train/a-{n}", "a", c == "won", 3, c, "", ()) for n, c in enumerate(categories)]
    return Evidence(number, digests, lessons, tried, seed)


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.manifest["lever"] for candidate in candidates]


def uses(spec: HarnessSpec) -> list[str]:
    return [item["use"] for item in spec.processors]


def params(spec: HarnessSpec, use: str) -> Any:
    position = spec.index(use)
    return None if position is None else spec.processors[position]["params"]


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        # Three loops and one unusable answer, two searches: what answers four failures, then three, then two.
        (("loop", "searching", "loop", "won", "unusable_answers", "loop", "searching"),
         ["do not look twice", "playbook", "choose by score", "guard against loops", "short history",
          "ask where things are (1)", "ask where things are (2)", "remember where things were"]),
        (("searching",),
         ["do not look twice", "ask where things are (1)", "ask where things are (2)", "remember where things were"]),
        (("ceiling", "goal_untouched"), ["playbook"]),
        (("unusable_answers",), ["playbook", "choose by score", "guard against loops", "short history"]),
        (("error", "unfinished"), []),  # no lever answers these
        (("won", "won"), []),
        ((), []),
    ],
)  # fmt: skip
def test_levers_are_ranked_by_the_failures_that_they_answer(seed: HarnessSpec, categories: tuple[str, ...], expected: list[str]) -> None:
    assert names(rules(seed, evidence(*categories), 20)) == expected
    assert names(rules(seed, evidence(*categories), 2)) == expected[:2]


def test_the_manifest_of_a_candidate_is_complete(seed: HarnessSpec) -> None:
    _, second = rules(seed, evidence("searching", "won", "loop", "searching", "won", number=4), 2)
    assert second.id == "r4c2"
    assert second.dimension == "model"
    assert second.manifest == {
        "lever": "ask where things are (1)",
        "evidence": {"searching": ["train/a-0", "train/a-3"]},
        "predicted_impact": {"will_unlock": ["train/a-0", "train/a-3"], "at_risk": ["train/a-1", "train/a-4"]},
        "attribution_signature": "where_prior",
    }
    content = second.to_json()
    assert set(content) == {"id", "dimension", "patch", "manifest"}
    assert content["patch"] == second.patch


def test_every_patch_applies_and_sets_what_training_taught(seed: HarnessSpec) -> None:
    candidates = {c.manifest["lever"]: seed.patch(c.patch) for c in rules(seed, evidence("searching", "loop"), 20)}
    playbook = candidates["playbook"]
    assert params(playbook, "playbook") == {"frames": list(FRAMES), "explore": ["open #", "go to #"]}
    assert params(playbook, "decide") == {"method": "rank"}
    assert params(playbook, "visited") == {"forms": ["open #", "go to #"]}
    assert params(candidates["choose by score"], "decide") == {"method": "score"}
    assert params(candidates["do not look twice"], "visited") == {"forms": ["open #", "go to #"]}
    remembering = candidates["remember where things were"]
    assert params(remembering, "seen_where") == LESSONS.memory
    assert params(remembering, "decide") == {"method": "rank"}
    assert params(remembering, "visited") == {"forms": ["open #", "go to #"]}
    asking = candidates["ask where things are (2)"]
    assert params(asking, "where_prior")["given"].count("{thing}") == 1
    assert params(candidates["short history"], "history_window") == {"turns": 4}
    assert params(seed, "history_window") == {"turns": 20}


def test_processors_stand_in_order_whatever_order_they_come_in(seed: HarnessSpec) -> None:
    spec = seed
    for use in ("seen_where", "decide", "playbook", "loop_guard", "where_prior", "visited"):
        spec = spec.patch(set_processors(spec, {use: {}}))
    assert uses(spec) == [use for use in ORDER if use in uses(spec)]
    assert len(uses(spec)) == 9
    assert {*ORDER, "code"} == set(REGISTRY)  # every processor of the library has its place


def test_setting_a_processor_that_is_there_keeps_its_other_parameters(seed: HarnessSpec) -> None:
    spec = seed.patch(set_processors(seed, {"show_menu": {"header": "Commands:"}}))
    assert params(spec, "show_menu") == {**params(seed, "show_menu"), "header": "Commands:"}
    assert uses(spec) == uses(seed)
    assert set_processors(seed, {"history_window": {"turns": 20}}) == []


def test_nothing_is_proposed_twice(seed: HarnessSpec) -> None:
    seen: set[str] = {seed.behaviour_hash}
    proposed: list[str] = []
    while candidates := rules(seed, evidence("searching", "loop", tried=frozenset(seen)), 2):
        for candidate in candidates:
            behaviour = seed.patch(candidate.patch).behaviour_hash
            assert behaviour not in seen
            seen.add(behaviour)
            proposed.append(candidate.manifest["lever"])
    assert sorted(proposed) == sorted(names(rules(seed, evidence("searching", "loop"), 20)))


def test_a_lever_that_would_change_nothing_is_not_proposed(seed: HarnessSpec) -> None:
    guarded = seed.patch(set_processors(seed, {"loop_guard": {"repeats": 2}}))
    tried = frozenset({guarded.behaviour_hash})
    assert "guard against loops" not in names(rules(guarded, evidence("loop", tried=tried), 20))


def test_without_lessons_nothing_is_proposed_that_needs_them(seed: HarnessSpec) -> None:
    found = names(rules(seed, evidence("searching", "loop", "ceiling", lessons=Lessons()), 20))
    assert found == ["choose by score", "guard against loops", "ask where things are (1)", "ask where things are (2)", "short history"]


def test_weights_are_scaled_where_there_are_some(seed: HarnessSpec) -> None:
    ranking: dict[str, dict[str, Any]] = {"decide": {"method": "rank"}, "visited": {"forms": list(LESSONS.explore)}}
    spec = seed.patch(set_processors(seed, {**ranking, "seen_where": {**LESSONS.memory, "pseudo": 8.0}, "where_prior": {}}))
    tried = frozenset({spec.behaviour_hash})
    scaled = {c.manifest["lever"]: spec.patch(c.patch) for c in rules(spec, evidence("searching", tried=tried), 20)}
    # pseudo was 8, times 4 and a quarter; the weight is its default, 1.
    assert params(scaled["trust the prior more"], "seen_where")["pseudo"] == 32.0
    assert params(scaled["trust the prior less"], "seen_where")["pseudo"] == 2.0
    assert params(scaled["trust the model more"], "where_prior")["weight"] == 2.0
    assert params(scaled["trust the model less"], "where_prior")["weight"] == 0.5


def test_every_lever_has_a_name_of_its_own_and_a_processor_that_exists() -> None:
    table = levers()
    assert len({lever.name for lever in table}) == len(table)
    assert {lever.use for lever in table} <= set(REGISTRY)


CHAIN = [
    {"op": "add", "path": "/processors/1", "value": entry("stall_guard")},
    {"op": "remove", "path": "/processors/0"},
    {"op": "move", "from": "/processors/2", "path": "/processors/0"},
    {"op": "copy", "from": "/processors/1", "path": "/processors/-"},
    {"op": "remove", "path": "/processors/1"},
    {"op": "replace", "path": "/processors/0/params", "value": {"layout": "groups"}},
]


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "replace", "path": "/processors/1/params", "value": {"method": "rank"}}],
        [{"op": "add", "path": "/processors/2/params/layout", "value": "groups"}],
        [{"op": "remove", "path": "/processors/2"}],
        [{"op": "remove", "path": "/processors/0"}, {"op": "remove", "path": "/processors/0"}],
        [{"op": "add", "path": "/processors/4", "value": entry("stall_guard")}],
        CHAIN,
        [
            {"op": "replace", "path": "/processors", "value": [entry("decide")]},
            {"op": "add", "path": "/processors/0", "value": entry("notes")},
        ],
    ],
    ids=lambda patch: " ".join(operation["op"] for operation in patch),
)
def test_rules_of_the_harness_go_on_to_mean_the_same_processors(patch: list[dict[str, Any]]) -> None:
    four = [entry("system_prompt", {"text": "Act."}), entry("decide"), entry("show_menu"), entry("repair")]
    rule = {"name": "stuck", "when": {"signal": "stalled", "at_least": 2}, "patch": patch}
    base = HarnessSpec({"format": 1, "name": "ruled", "processors": four, "adaptations": [rule]})
    applied = apply(base.document, patch)["processors"]
    for use in ("history_window", "trim_observation"):
        edited = HarnessSpec(apply(base.document, set_processors(base, {use: {}})))
        assert edited.index(use) == (1 if use == "history_window" else 4)
        after = apply(edited.document, edited.adaptations[0]["patch"])["processors"]
        assert [item for item in after if item["use"] != use] == applied


def test_lever_that_a_rule_of_the_harness_stands_against_is_passed_over() -> None:
    rule = {
        "name": "stuck",
        "when": {"signal": "stalled", "at_least": 2},
        "patch": [{"op": "add", "path": "/processors/0", "value": entry("loop_guard")}],
    }
    base = HarnessSpec.from_json({"format": 1, "name": "ruled", "processors": [entry("decide")], "adaptations": [rule]})
    assert names(rules(base, evidence("unusable_answers"), 9)) == ["playbook", "choose by score", "short history"]


def test_noop_proposes_no_change(seed: HarnessSpec) -> None:
    candidates = noop(seed, evidence("loop", number=2), 3)
    assert [(c.id, c.patch, c.manifest["attribution_signature"]) for c in candidates] == [(f"r2c{n}", [], "") for n in (1, 2, 3)]
    assert all(seed.patch(c.patch) == seed for c in candidates)


def test_random_edits_are_valid_k_of_them_and_the_same_each_time(seed: HarnessSpec) -> None:
    found: set[str] = set()
    for number in range(1, 13):
        candidates = random(seed, evidence("loop", number=number), 4)
        assert candidates == random(seed, evidence("loop", number=number), 4)
        assert [c.id for c in candidates] == [f"r{number}c{n}" for n in (1, 2, 3, 4)]
        for candidate in candidates:
            edited = seed.patch(candidate.patch)
            signature = candidate.manifest["attribution_signature"]
            assert edited.index(signature) is not None if signature else len(edited.processors) < len(seed.processors)
            found.add("removed" if not signature else "changed" if seed.index(signature) is not None else "added")
            assert set(candidate.manifest) == {"lever", "evidence", "predicted_impact", "attribution_signature"}
    assert found == {"added", "changed", "removed"}
    assert random(seed, evidence(seed=1), 4) != random(seed, evidence(seed=0), 4)


def test_random_edits_of_a_harness_with_nothing_in_it_and_of_a_full_one(seed: HarnessSpec) -> None:
    empty = HarnessSpec.from_json({"format": 1, "name": "empty", "processors": []})
    assert all(len(empty.patch(c.patch).processors) == 1 for number in range(20) for c in random(empty, evidence(number=number), 3))
    given = {"system_prompt": {"text": "Act."}, "prompt_template": {"template": "Act."}}
    groups = {REGISTRY[use].group or use: use for use in ORDER}  # one of each group
    every = [entry(use, given.get(use)) for use in ORDER if use in groups.values()]
    full = HarnessSpec.from_json({"format": 1, "name": "full", "processors": every})
    assert all(len(full.patch(c.patch).processors) >= 8 for number in range(20) for c in random(full, evidence(number=number), 3))


def test_random_edits_keep_the_text_of_code() -> None:
    code = entry("code", hook="after_model", dimension="tools", source="def process(event):\n    return None")
    base = HarnessSpec.from_json({"format": 1, "name": "coded", "processors": [code, entry("notes")]})
    found = [c for number in range(10) for c in random(base, evidence(number=number), 4) if c.manifest["attribution_signature"] == "code"]
    assert found
    for candidate in found:
        edited = next(item for item in base.patch(candidate.patch).processors if item["use"] == "code")
        assert {**edited, "params": {}} == code
        assert edited["params"]["max_failures"] >= 1
        assert candidate.dimension == "tools"


def test_random_values_stay_within_their_rules(seed: HarnessSpec) -> None:
    drawn: dict[str, set[Any]] = {}
    for number in range(150):
        for candidate in random(seed, evidence(number=number), 4):
            for item in seed.patch(candidate.patch).processors:
                for name, value in item["params"].items():
                    if isinstance(value, int | float | bool) or name in ("method", "normalize"):
                        drawn.setdefault(f"{item['use']}.{name}", set()).add(value)
    assert drawn["decide.method"] <= {"generate", "grammar", "vote", "score", "rank"}
    assert len(drawn["decide.method"]) >= 3
    assert drawn["playbook.finish_looks"] == {True, False}
    assert drawn["loop_guard.repeats"] <= set(range(1, 21))
    assert len(drawn["loop_guard.repeats"]) > 3
    for name, default in (("where_prior.weight", 1.0), ("seen_where.pseudo", 2.0)):
        assert drawn[name] <= {default * 2.0**power for power in range(-3, 4)}
        assert len(drawn[name]) >= 3


def test_proposers_have_names() -> None:
    assert {name: PROPOSERS[name] for name in PROPOSERS} == {"rules": rules, "random": random, "noop": noop}
