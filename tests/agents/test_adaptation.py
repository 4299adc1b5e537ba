"""Rules that patch the running harness: what each signal means, what is applied, what is kept, what is recorded."""

import json
from dataclasses import replace

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.adaptation import MOST, SIGNALS, Adaptation
from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.running import Harness
from homebody.agents.harness.schema import _document_validator
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.model_free import NoModelPolicy, RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.base import Services
from homebody.agents.record import EpisodeRecord, StepRecord


def rule(name="rule", patch=None, most=None, **when):
    """A rule; without a patch it adds a loop guard."""
    added = [{"op": "add", "path": "/components/loop_guard", "value": component("loop_guard", {"repeats": 1})}]
    return {"name": name, "when": when, "patch": patch or added, **({"most": most} if most else {})}


def with_rules(*rules, **components):
    return HarnessSpec.from_json({"format": 2, "name": "test", "components": components, "adaptations": list(rules)})


def step(command="wait", observation="You wait.", *, accepted=True, usable=True, phase=None, number=1):
    subgoal = {"phase": phase, "wanted": "crate"} if phase else None
    return StepRecord(number, 1, 1, "generate", command, command, accepted, observation, 0.0, usable, subgoal=subgoal)


@pytest.fixture
def play(yard):
    def play(policy, spec, **settings):
        if isinstance(policy, list):
            policy = ModelPolicy(Scripted(policy))
        return run_episode(yard.Yard(), spec, policy, yard.task(), **{"max_steps": 6, **settings})

    return play


# --- signals


def test_schema_names_the_signals_of_the_code():
    signals = _document_validator().schema["$defs"]["when"]["properties"]["signal"]["enum"]
    assert signals == list(SIGNALS)


NEW = [step(observation=text) for text in "abc"]
SAME = [step(observation="a")] * 3
OVER = replace(step(), notes={"book": {"plan_over": True}})


@pytest.mark.parametrize(
    ("when", "trace", "left", "expected"),
    [
        ({"signal": "stalled", "at_least": 2}, [step(observation="a"), *SAME[:2]], 9, True),
        ({"signal": "stalled", "at_least": 2}, [step(observation="a"), SAME[0]], 9, False),
        ({"signal": "stalled", "at_least": 1}, NEW, 9, False),
        ({"signal": "stalled", "at_least": 2}, [*SAME, step(observation="b")], 9, False),  # the last step showed something new
        ({"signal": "stalled", "at_least": 1}, [step(observation="Opening.")], 9, True),
        ({"signal": "refused", "at_least": 2, "of_last": 3}, [step(accepted=False), step(), step(accepted=False)], 9, True),
        ({"signal": "refused", "at_least": 2, "of_last": 2}, [step(accepted=False), step(), step(accepted=False)], 9, False),
        ({"signal": "refused", "at_least": 1, "of_last": 9}, [step()], 9, False),
        ({"signal": "repeated", "at_least": 3}, [*SAME[:2], step("look"), SAME[0]], 9, True),
        ({"signal": "repeated", "at_least": 3}, NEW, 9, False),  # the same command, with other answers
        ({"signal": "repeated", "at_least": 2}, [step("look"), step("wait")], 9, False),
        ({"signal": "unusable", "at_least": 2}, [step(usable=False), step(), step(usable=False)], 9, True),
        ({"signal": "unusable", "at_least": 2}, [step(usable=False), step(accepted=False)], 9, False),
        ({"signal": "steps_left", "at_most": 3}, [step()], 3, True),
        ({"signal": "steps_left", "at_most": 3}, [step()], 4, False),
        ({"signal": "phase_steps", "phase": "search", "at_least": 2}, [step(phase="search"), step(), step(phase="search")], 9, True),
        ({"signal": "phase_steps", "phase": "search", "at_least": 2}, [step(phase="search"), step(phase="act")], 9, False),
        ({"signal": "plan_over", "at_least": 1}, [step(), OVER], 9, True),
        ({"signal": "plan_over", "at_least": 2}, [OVER, OVER], 9, True),
        ({"signal": "plan_over", "at_least": 2}, [step(), OVER], 9, False),
        ({"signal": "plan_over", "at_least": 1}, [OVER, step()], 9, False),
        ({"signal": "plan_over", "at_least": 1}, [step(phase="act"), step()], 9, False),
        # Calls of the harness's own tools are no steps.
        ({"signal": "repeated", "at_least": 2}, [replace(step(), tool=True), step()], 9, False),
    ],
)
def test_what_a_signal_means(when, trace, left, expected):
    spec = with_rules(rule(**when))
    applied = Adaptation(spec, Harness(spec, Services())).look("Opening.", trace, left)
    assert (applied is not None) == expected


# --- what is applied


def test_a_rule_holds_from_the_next_step_on_and_is_recorded(play):
    spec = with_rules(rule("unstuck", signal="repeated", at_least=2))
    record = play(["wait", "wait", "wait", "walk to dock 1"], spec, max_steps=4)
    patched = HarnessSpec.from_json({"format": 2, "name": "x", "components": {"loop_guard": component("loop_guard", {"repeats": 1})}})
    applied = {
        "step": 2, "rule": "unstuck", "signal": "repeated", "patch": spec.adaptations[0]["patch"], "behaviour_hash": patched.behaviour_hash
    }  # fmt: skip
    assert record.adaptations == [applied]
    assert [entry.adapted for entry in record.trace] == [None, applied, None, None]
    # The guard was shown the steps before it came: `wait` is off the candidates at once.
    assert [entry.offered for entry in record.trace] == [6, 6, 5, 5]
    assert record.activations == {"loop_guard": 2}
    assert (record.behaviour_hash, record.error, record.failures) == (spec.behaviour_hash, None, [])
    assert EpisodeRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_without_rules_nothing_is_adapted(play):
    spec = with_rules(rule(signal="repeated", at_least=2)).without_adaptations()
    record = play(["wait"] * 4, spec, max_steps=4)
    assert record.adaptations == []
    assert not any(entry.adapted for entry in record.trace)


@pytest.mark.parametrize("policy", [RandomPolicy, NoModelPolicy])
def test_controls_adapt_as_models_do(policy, play):
    record = play(policy(), with_rules(rule(signal="steps_left", at_most=3)))
    assert [item["step"] for item in record.adaptations] == [3]


def test_the_first_rule_that_holds_is_applied_one_after_a_step(play):
    names = ("b", "a")
    rules = [
        rule(
            name,
            [{"op": "add", "path": "/components/prompt", "value": component("system_prompt", {"text": name})}],
            signal="steps_left",
            at_most=9,
        )
        for name in names
    ]
    record = play(["wait"] * 6, with_rules(*rules))
    assert [(item["step"], item["rule"]) for item in record.adaptations] == [(1, "b"), (2, "a")]


def test_a_prompt_that_a_rule_brings_is_read_from_the_next_step_on(play):
    backend = Scripted(["wait"] * 3)
    prompt = [{"op": "replace", "path": "/components/prompt/params/text", "value": "Hurry."}]
    base = component("system_prompt", {"text": "Go."})
    record = play(ModelPolicy(backend), with_rules(rule(patch=prompt, signal="steps_left", at_most=2), prompt=base), max_steps=3)
    assert [call.prompt.partition("\n")[0] for call in backend.calls] == ["Go.", "Hurry.", "Hurry."]
    assert record.trace[0].changed[0]["hook"] == "task_start"


def test_a_rule_is_applied_as_often_as_it_says_counting_anew(play):
    again = [{"op": "add", "path": "/components/more", "value": component("system_prompt", {"text": "More."})}]
    spec = with_rules(rule(patch=again, most=2, signal="repeated", at_least=2))
    assert [item["step"] for item in play(["wait"] * 8, spec, max_steps=8).adaptations] == [2, 4]


def test_an_episode_adapts_three_times_at_most(play):
    again = [{"op": "add", "path": "/components/more", "value": component("system_prompt", {"text": "More."})}]
    rules = [rule(f"r{n}", again, most=3, signal="repeated", at_least=1) for n in range(2)]
    record = play(["wait"] * 8, with_rules(*rules), max_steps=8)
    assert MOST == 3
    assert [(item["step"], item["rule"]) for item in record.adaptations] == [(1, "r0"), (2, "r0"), (3, "r0")]


def test_nothing_is_adapted_after_the_last_step(play, yard):
    spec = with_rules(rule(signal="steps_left", at_most=9))
    assert play(["wait"], spec, max_steps=1).adaptations == []
    plan = ["walk to shed 2", "unlock shed 2", "lift crate 1 off shed 2", "walk to dock 1", "drop crate 1 on dock 1"]
    late = with_rules(rule(signal="steps_left", at_most=1))
    record = play(plan, late, max_steps=6)
    assert (record.won, record.adaptations) == (True, [])


def test_a_patch_that_fits_no_more_is_noted_and_changes_nothing(play):
    remove = [{"op": "remove", "path": "/components/visited"}]
    spec = with_rules(
        rule("one", remove, signal="steps_left", at_most=9),
        rule("two", remove, signal="steps_left", at_most=9),
        rule("three", signal="steps_left", at_most=9),
        visited=component("visited"),
    )
    record = play(["wait"] * 4, spec, max_steps=4)
    assert [(item["step"], item["rule"]) for item in record.adaptations] == [(1, "one"), (3, "three")]
    (failure,) = record.failures
    assert (failure["boundary"], failure["kind"]) == ("adaptation two", "PatchError")
    assert failure["message"].endswith("nothing was changed")
    assert record.error is None


def test_a_processor_that_cannot_be_made_is_noted_and_changes_nothing(play, add_processor, monkeypatch):
    probe = add_processor("probe", "task_end", lambda event: None)
    monkeypatch.setattr(REGISTRY["probe"], "__init__", lambda self, params, services: 1 / 0)
    spec = with_rules(rule(patch=[{"op": "add", "path": "/components/probe", "value": probe}], signal="steps_left", at_most=9))
    record = play(["wait"] * 3, spec, max_steps=3)
    assert (record.adaptations, record.error) == ([], None)
    assert record.failures == [{"boundary": "adaptation rule", "kind": "ZeroDivisionError", "message": "division by zero"}]


def test_what_is_adapted_is_the_same_each_time(play):
    spec = with_rules(rule(signal="stalled", at_least=1))
    hashes = {play(RandomPolicy(), spec, seed=3).trace_hash for _ in range(3)}
    assert len(hashes) == 1
