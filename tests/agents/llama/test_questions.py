"""Processors that ask a real model: tiny ones of random weights, which answer anything but obey a grammar."""

from dataclasses import replace
from itertools import pairwise

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import Turn
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.agents.transcript import Transcript
from homebody.envs import tasks

FORMS = {"templates": ["put a {0} on the {1}", "look at a {0}"], "names": [["cup", "lamp"], ["shelf", "box"]]}
ITEMS = (
    ("read_goal", FORMS),
    ("plan", {"tokens": 12}),
    ("ask", {"among": 3, "when": "always", "every": 2}),
    ("check", {"last": 1}),
    ("reflect", {"stale": 1, "tokens": 8}),
    ("summary", {"tokens": 20, "keep": 1, "every": 1, "room": 12}),
    ("memory_text", {"tokens": 60}),
    ("answer", {"tokens": 8, "read": "first"}),
)


@pytest.mark.parametrize("architecture", ["llama", "jamba"])
def test_a_reading_obeys_the_grammar(architecture, tiny, harness, yard):
    record = run_episode(yard.Yard(), harness(("read_goal", FORMS)), ModelPolicy(tiny(architecture)), yard.task(), max_steps=1)
    assert record.error is None
    assert record.reading in {
        *(f"put a {thing} on the {place}" for thing in ("cup", "lamp") for place in ("shelf", "box")), "look at a cup", "look at a lamp"
    }  # fmt: skip


@pytest.mark.parametrize("architecture", ["llama", "jamba"])
def test_questions_are_the_same_bytes_with_any_number_of_workers(architecture, tiny_file, harness):
    document = harness(*ITEMS, ("generation", {"temperature": 1.0}))
    config = RolloutConfig("homebody/Household-v0", str(tiny_file(architecture, n_ctx=2048)), 4, env_kwargs={"goals": "said"})
    jobs = [Job(document, task, seed) for task in tasks("homebody/Household-v0", "train", 2) for seed in (0, 1)]
    played = []
    for workers in (1, 2):
        with Rollouts(config, workers) as rollouts:
            played.append(list(rollouts.play(jobs)))
    one, two = ([replace(record, usage={}).to_json() for record in records] for records in played)
    assert one == two
    assert [(record.error, record.failures) for record in played[0]] == [(None, [])] * 4
    asked = [question for record in played[0] for step in record.trace for question in step.questions]
    assert {bool(question.answers) for question in asked} == {True, False}
    assert all(record.reading for record in played[0])


def test_a_plan_and_a_reading_leave_the_prompt_in_the_cache(tiny, harness, yard):
    """After the questions of a step all of the prompt that stood there at the step before is still known."""
    backend = tiny(n_ctx=512)
    calls = []
    chat = backend.chat

    def noting(prompt, generation, tools=()):
        before, reply = backend.usage.snapshot(), chat(prompt, generation, tools)
        calls.append((len(prompt), backend.count_tokens(prompt), (backend.usage - before).cached_tokens))
        return reply

    backend.chat = noting
    spec = harness(
        ("read_goal", {**FORMS, "text": ""}), ("system_prompt", {"text": "You see a box."}), ("plan", {"tokens": 8}),
        ("ask", {"among": 2}), ("reflect", {"tokens": 4, "stale": 0}),
    )  # fmt: skip
    record = run_episode(yard.Yard(), spec, ModelPolicy(backend), yard.task(), max_steps=4)
    assert record.error is None
    # The episode's own prompts: the system prompt, and two messages more at each step.
    own = [call for call in calls if call[0] % 2 == 0][1:]  # without the question for the plan
    assert [messages for messages, _, _ in own] == [2, 4, 6, 8]
    for (_, before, _), (_, _, cached) in pairwise(own):
        assert cached >= before - 8


def test_a_transcript_without_turns_shows_the_summary_with_the_goal(yard):
    shown = Transcript("tar it", "A yard.", ("wait",))
    shown.turns = [Turn("wait", "You wait.")]
    event = shown.event(("wait",), 3, ())
    summary = Turn("", "It was quiet.", is_summary=True)
    (message,) = shown.messages(event, (summary,))
    assert message["content"].startswith("Goal: tar it\n\nIt was quiet.\n\nYou wait.")
    assert [len(shown.messages(event, (summary, shown.turns[0]), dropped)) for dropped in (0, 1, 2)] == [3, 1, 1]
