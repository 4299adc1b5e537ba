"""The library of processors as a whole: every dimension is covered, everything says when it helps, all of it lives together."""

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import DIMENSIONS, METHODS
from homebody.agents.harness.library import REGISTRY, defaults
from homebody.agents.model_free import NoModelPolicy, RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted

PARAMS = {
    "system_prompt": {"text": "Be brief."},
    "examples": {"bank": [{"goal": "put a barrel on a dock", "steps": [{"command": "walk to shed 1", "observation": "It is locked."}]}]},
    "read_goal": {"templates": ["put a {0} on a {1}"]},
    "summary": {"tokens": 20},
    "check": {"last": 2},
    "requires": {"rules": [{"action": "walk to #", "needs": ["wait"]}]},
}
LIBRARY = [
    "read_goal", "system_prompt", "examples", "plan", "summary",
    "learned_plan", "visited", "loop_guard", "stall_guard", "requires", "step_budget",
    "location_prior", "action_prior", "location_memory", "goal_words", "ask", "shortlist",
    "decide", "memory_text", "show_candidates", "trace_detail", "repair", "notes", "recall", "steps_left", "check",
    "trim_observation", "explain_refusal", "reflect", "shaped_reward", "training_marks",
]  # fmt: skip
ANSWERS = ["walk to the moon", "note shed 2 is next", "I choose to walk to shed 2!", "read notes", "count steps", "Unlock shed 2", "wait"]


def test_every_dimension_has_processors():
    # An entry of `code` says its dimension itself.
    assert {processor.dimension for processor in REGISTRY.values() if processor.hook} == set(DIMENSIONS)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_first_line_says_when_it_helps(name):
    first = (REGISTRY[name].__doc__ or "").splitlines()[0]
    assert "elp" in first
    assert first.endswith(".")


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_parameter_is_described(name):
    assert all(rule.get("description") for rule in REGISTRY[name].schema.values())


def everything(harness, method):
    given = {**PARAMS, "decide": {"method": method, "samples": 2}}
    return harness(*((name, given.get(name, {})) for name in LIBRARY))


@pytest.mark.parametrize("method", METHODS)
def test_all_processors_live_in_one_harness(method, harness, yard):
    spec = everything(harness, method)
    records = []
    for _ in range(2):
        backend = Scripted(ANSWERS * 10, scores=lambda prompt, text: -float(len(text)))
        records.append(run_episode(yard.Yard(), spec, ModelPolicy(backend), yard.task(), max_steps=12))
    assert (records[0].error, records[0].failures) == (None, [])
    assert records[0].steps == 12
    assert records[0].trace_hash == records[1].trace_hash
    assert set(records[0].activations) == set(LIBRARY)


@pytest.mark.parametrize("control", [RandomPolicy, NoModelPolicy])
def test_controls_play_in_any_harness(control, harness, yard):
    record = run_episode(yard.Yard(), everything(harness, "vote"), control(), yard.task(), max_steps=12)
    assert (record.error, record.failures, record.invalid_actions) == (None, [], 0)


def test_optional_parameters_have_a_default_of_their_own_kind():
    for processor in REGISTRY.values():
        for key, value in defaults(processor).items():
            kind = processor.schema[key].get("type")
            assert kind != "number" or isinstance(value, float), (processor.name, key)
