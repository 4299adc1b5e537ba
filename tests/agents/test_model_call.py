"""What those who watch are told of a decision, besides the trace."""

from __future__ import annotations

from homebody.agents.episode import ModelCall, run_episode
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT, Usage
from homebody.agents.models.scripted import Scripted


def test_each_decision_is_told_before_its_step_with_what_it_took(yard):
    spec = HarnessSpec.from_json({"format": 2, "name": "candidates", "components": {"list": component("show_candidates")}})
    backend = Scripted(["walk to dock 1", "wait"])
    told = []
    keywords = {"on_step": lambda step: told.append(step.command), "on_decision": told.append}
    record = run_episode(yard.Yard(), spec, ModelPolicy(backend), yard.task(), max_steps=2, **keywords)
    assert record.error is None
    first, _, second, _ = told
    assert [told[1], told[3]] == ["walk to dock 1", "wait"]
    assert [message["role"] for message in second.messages] == ["user", "assistant", "user"]
    assert first.messages[-1]["content"].startswith(record.opening)
    assert second.messages[1]["content"] == "walk to dock 1"
    assert not any(CUT in message["content"] for model_call in (first, second) for message in model_call.messages)
    # What the decisions took is what the episode took.
    assert (first.usage.generated_tokens, second.usage.generated_tokens) == (4, 1)
    assert first.usage.prompt_tokens + second.usage.prompt_tokens == record.usage["prompt_tokens"] > 0
    assert (first.usage.calls, second.usage.calls) == (1, 1)


def test_watching_changes_nothing(yard):
    spec = HarnessSpec.load("generic-act")
    records = [
        run_episode(yard.Yard(), spec, ModelPolicy(Scripted(["wait"] * 3)), yard.task(), max_steps=3, on_decision=watcher)
        for watcher in (None, lambda model_call: None)
    ]
    assert records[0].trace_hash == records[1].trace_hash


def test_a_sight_comes_back_from_json():
    model_call = ModelCall(({"role": "user", "content": "A yard."},), Usage(prompt_tokens=3, calls=1, seconds=0.5))
    assert ModelCall.from_json(model_call.to_json()) == model_call
