"""One episode: what is asked, what is sent, what is recorded, and what an error costs."""

import dataclasses
import hashlib
import json
import pickle
from dataclasses import asdict
from typing import ClassVar

import gymnasium
import pytest

from homebody.agents.content_hash import digest
from homebody.agents.episode import run_episode
from homebody.agents.errors import (
    ContextOverflowError,
    ModelLostError,
    RemoteAnswerError,
    RemoteDownError,
    RemoteRefusedError,
)
from homebody.agents.harness.hooks import AfterModel, AfterTool, BeforeTool, Interrupt, StepEnd, StepStart, TaskEnd, TaskStart, Turn
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import ExpertPolicy, ModelFreePolicy, NoModelPolicy, RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.models.generation import Reply, ToolCall
from homebody.agents.models.scripted import Scripted
from homebody.agents.policy import Decision
from homebody.agents.record import EpisodeRecord, Question
from homebody.envs import tasks

OPENING = "A yard with dock 1, dock 2, shed 1, shed 2, vat 1. Your task: put a crate on a dock."
PLAN = ["walk to shed 2", "unlock shed 2", "lift crate 1 off shed 2", "walk to dock 1", "drop crate 1 on dock 1"]
MENU = "\n".join(["wait", *(f"walk to {place}" for place in ("dock 1", "dock 2", "shed 1", "shed 2", "vat 1"))])
PROMPTED = (("system_prompt", {"text": "Be brief."}), "show_candidates")


@pytest.fixture
def play(yard, harness):
    """Play an episode of the yard: `play(replies or policy, *harness items, env=..., task=..., **settings)`."""

    def play(policy, *items, env=None, task="one", **settings):
        if isinstance(policy, list):
            policy = ModelPolicy(Scripted(policy))
        return run_episode(env or yard.Yard(), harness(*items), policy, yard.task(task), **{"max_steps": 4, **settings})

    return play


def commands(record):
    return [step.command for step in record.trace]


def once(seen):
    """What a processor saw in a model's episode: there the same harness without the model stands beside it, and sees the same."""
    assert seen[::2] == seen[1::2]
    return seen[::2]


def changed(by, hook, outcome="change", **fields):
    """The trace of a change: fields with their values before and after."""
    hashes = {
        name: [hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12] for value in pair]
        for name, pair in fields.items()
    }
    return {"by": by, "hook": hook, "outcome": outcome, "fields": hashes}


class Witness(ModelFreePolicy):
    """Takes the first command, and keeps what it was shown; a chat of more than `room` messages does not fit."""

    name = "witness"

    def __init__(self, room=99):
        super().__init__()
        self.room, self.events, self.chats = room, [], []

    def fits(self, event, messages):
        return len(messages) <= self.room

    def decide(self, event, messages):
        self.events.append(event)
        self.chats.append(messages)
        return Decision(event.candidates[0], event.candidates[0])


# --- a whole episode


def test_won_episode_is_recorded(play, harness):
    record = play(PLAN, *PROMPTED, seed=7, max_steps=9)
    assert (record.task_id, record.type, record.goal, record.opening) == ("one", "type of one", "put a crate on a dock", OPENING)
    assert (record.won, record.steps, record.seed, record.attempt, record.policy) == (True, 5, 7, 0, "scripted")
    assert record.behaviour_hash == harness(*PROMPTED).behaviour_hash
    assert (record.invalid_actions, record.failures, record.error) == (0, [], None)
    assert record.activations == {"system_prompt": 1, "show_candidates": 5}
    assert commands(record) == PLAN
    assert record.trace[0].to_json() == {
        "step": 1,
        "admissible": 6,
        "offered": 6,
        "method": "generate",
        "decided_by": "model",
        "twin": record.trace[0].twin,
        "readable": True,
        "cut": False,
        "finish": "stop",
        "scores": [],
        "response": "walk to shed 2",
        "usable": True,
        "command": "walk to shed 2",
        "accepted": True,
        "observation": "You walk to shed 2. It is locked.",
        "reward": 0.0,
        "changed": [changed("show_candidates", "before_model", content=(OPENING, f"{OPENING}{CUT}\n\nAvailable commands:\n{MENU}"))],
    }
    assert record.changed == [changed("system_prompt", "task_start", system_prompt=("", "Be brief."))]
    assert (record.interrupted, record.notes, record.adaptations) == (None, {}, [])
    assert record.trace[0].twin in MENU.splitlines()
    assert record.trace[4].reward == 1.0
    assert (record.usage["calls"], record.usage["generated_tokens"]) == (5, 4 + 3 + 6 + 4 + 6)


def test_what_the_model_reads(play):
    backend = Scripted(PLAN)
    play(ModelPolicy(backend), *PROMPTED, max_steps=3)
    walks = "\n".join(f"walk to {place}" for place in ("dock 1", "dock 2", "shed 1"))
    first, _, third = (call.prompt for call in backend.calls)
    assert first == f"Be brief.\n\n{OPENING}\n\nAvailable commands:\nwait\n{walks}\nwalk to shed 2\nwalk to vat 1\n>"
    assert third == (
        f"Be brief.\n\n{OPENING}\n>walk to shed 2\nYou walk to shed 2. It is locked.\n>unlock shed 2\nYou unlock shed 2. You see crate 1."
        f"\n\nAvailable commands:\nlift crate 1 off shed 2\nwait\n{walks}\nwalk to vat 1\n>"
    )


def test_later_prompts_share_the_segments_before_the_cut(play):
    backend = Scripted(PLAN)
    record = play(ModelPolicy(backend), *PROMPTED, max_steps=2)
    first, second = (call.segments for call in backend.calls)
    shared = [one for one, other in zip(first, second, strict=False) if one == other]
    assert "".join(shared) == f"Be brief.\n\n{OPENING}"
    assert record.usage["cached_tokens"] == len(f"Be brief. {OPENING}".split())


def test_every_observation_is_cut_where_it_ends(play):
    witness = Witness()
    play(witness, max_steps=3)
    assert [message["content"] for message in witness.chats[2]] == [OPENING + CUT, "wait", f"You wait.{CUT}", "wait", f"You wait.{CUT}"]


def test_a_candidates_is_cut_off_once(play, yard):
    witness = Witness()
    play(witness, "show_candidates", max_steps=1)
    candidates = "\n".join(("wait", *yard.WALKS))
    assert witness.chats == [[{"role": "user", "content": f"{OPENING}{CUT}\n\nAvailable commands:\n{candidates}"}]]


def test_goal_is_told_where_the_environment_does_not(play, yard):
    witness = Witness()
    play(witness, env=yard.Yard(tells_goal=False), max_steps=2)
    first = "Goal: put a crate on a dock\n\nA yard with dock 1, dock 2, shed 1, shed 2, vat 1."
    assert [event.observation for event in witness.events] == [first, "You wait."]
    assert witness.chats == [
        [{"role": "user", "content": first + CUT}],
        [
            {"role": "user", "content": first + CUT},
            {"role": "assistant", "content": "wait"},
            {"role": "user", "content": f"You wait.{CUT}"},
        ],
    ]


def test_free_slot_is_filled_with_the_goal(play, yard):
    env, witness = yard.Yard(radio=True), Witness()
    record = play(witness, env=env, max_steps=1)
    assert witness.events[0].admissible == ("call {text}", "wait", *yard.WALKS)
    assert witness.events[0].candidates == ("call put a crate on a dock", "wait", *yard.WALKS)
    assert env.sent == commands(record) == ["call put a crate on a dock"]
    assert record.trace[0].accepted


def test_a_slot_may_be_filled_with_anything(play, yard):
    env = yard.Yard(radio=True)
    record = play(["call the harbour", "call"], env=env, max_steps=2)
    assert [step.accepted for step in record.trace] == [True, False]


def test_expert_takes_the_shortest_way(play, yard):
    record = play(ExpertPolicy(), max_steps=9)
    assert (record.won, record.steps, record.policy) == (True, 5, "expert")
    assert commands(record)[-1] == "drop crate 1 on dock 1"


def test_environment_may_be_wrapped(play, yard):
    record = play(ExpertPolicy(), env=gymnasium.make("Yard-v0"), max_steps=9)
    assert record.won


def test_steps_are_limited(play):
    seen = []
    record = play(NoModelPolicy(), max_steps=3, on_step=seen.append)
    assert (record.won, record.steps, record.error) == (False, 3, None)
    assert tuple(seen) == record.trace
    assert [step.step for step in seen] == [1, 2, 3]


def test_truncation_ends_the_episode(play, yard):
    class Brief(yard.Yard):
        def step(self, action):
            observation, reward, terminated, _, info = super().step(action)
            return observation, reward, terminated, len(self.sent) == 2, info

    record = play(NoModelPolicy(), env=Brief())
    assert (record.steps, record.won, record.error) == (2, False, None)


def test_an_end_with_reward_is_not_yet_won(play, yard):
    class Mean(yard.Yard):
        def step(self, action):
            observation, _, _, truncated, info = super().step(action)
            return observation, 1.0, True, truncated, info

    record = play(NoModelPolicy(), env=Mean())
    assert (record.steps, record.won, record.trace[0].reward) == (1, False, 1.0)


def test_reward_is_the_sum_of_the_steps(play, yard):
    class Generous(yard.Yard):
        def step(self, action):
            observation, _, terminated, truncated, info = super().step(action)
            return observation, 0.25 * len(self.sent), terminated, truncated, info

    record = play(NoModelPolicy(), env=Generous(), max_steps=3)
    assert record.reward == 0.25 + 0.5 + 0.75
    assert "reward" not in record.to_json()
    assert play(NoModelPolicy(), env=yard.Yard(raises_at=1)).reward == 0.0


def test_success_to_the_letter_is_kept_where_the_environment_tells_it(play, yard, add_processor):
    class Exact(yard.Yard):
        def reset(self, **settings):
            observation, info = super().reset(**settings)
            return observation, {**info, "success_strict": False}

        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            return observation, reward, terminated, truncated, {**info, "success_strict": len(self.sent) >= 2}

    brake = add_processor("brake", "before_tool", lambda event: {"approved": False} if event.steps_left <= 1 else None)
    strict = [play(NoModelPolicy(), brake, env=Exact(), max_steps=limit).strict for limit in (1, 2, 3)]
    assert strict == [False, False, True]  # the last step of each is held back, and changes nothing
    record = play(NoModelPolicy(), env=Exact(), max_steps=2)
    assert record.to_json()["strict"] is True
    assert EpisodeRecord.from_json(record.to_json()) == record
    plain = play(NoModelPolicy())
    assert plain.strict is None
    assert "strict" not in plain.to_json()


def test_unusable_answer_is_a_wasted_step(play, yard):
    env = yard.Yard()
    record = play(["Let me think.", "walk to dock 1"], env=env, max_steps=2)
    assert env.sent == ["Let me think", "walk to dock 1"]
    wasted, used = record.trace
    assert (wasted.response, wasted.observation, wasted.accepted) == ("Let me think.", "Nothing moves.", False)
    assert used.accepted
    assert (record.invalid_actions, record.steps, record.error) == (1, 2, None)


def test_usage_is_that_of_the_episode(play):
    policy = ModelPolicy(Scripted(["wait"] * 5))
    assert [play(policy, max_steps=n).usage["calls"] for n in (2, 3)] == [2, 3]


def test_random_episodes_follow_their_seed_and_attempt(play):
    hashes = {(seed, attempt): play(RandomPolicy(), seed=seed, attempt=attempt).trace_hash for seed in (0, 1) for attempt in (0, 1)}
    assert len(set(hashes.values())) == 4
    assert play(RandomPolicy(), seed=1, attempt=1).trace_hash == hashes[1, 1]


# --- hooks at work


def test_every_hook_sees_its_events(play, add_processor):
    seen = []
    hooks = ("task_start", "step_start", "before_model", "after_model", "before_tool", "after_tool", "step_end", "task_end")
    items = [add_processor(f"at_{hook}", hook, seen.append) for hook in hooks]
    play(["wait"], *items, max_steps=1)
    seen = once(seen)
    assert [type(event).__name__ for event in seen] == [
        "TaskStart",
        "StepStart",
        "BeforeModel",
        "AfterModel",
        "BeforeTool",
        "AfterTool",
        "StepEnd",
        "TaskEnd",
    ]
    candidates = ("wait", "walk to dock 1", "walk to dock 2", "walk to shed 1", "walk to shed 2", "walk to vat 1")
    assert seen[0] == TaskStart("put a crate on a dock", OPENING, candidates)
    goal = "put a crate on a dock"
    assert seen[1] == StepStart(1, 1, (), goal)
    assert (seen[2].prior, seen[2].steps_left, seen[2].tools) == ((0.0,) * 6, 1, ())
    assert seen[3] == AfterModel("wait", "wait", candidates, candidates)
    assert seen[4] == BeforeTool("wait", admissible=candidates, steps_left=1, goal=goal, observation=OPENING)
    assert seen[5] == AfterTool("wait", "You wait.", admissible=candidates, goal=goal)
    assert seen[6] == StepEnd(1, "wait", True, "You wait.", candidates, 0.0, False, goal)
    assert seen[7] == TaskEnd(False, 1)


def test_reason_of_a_refusal_is_told_where_the_environment_gives_one(play, yard, add_processor):
    class Telling(yard.Yard):
        def info(self):
            return super().info() | {"why": "crates do not fly"}

    seen = []
    play(["fly", "wait"], add_processor("probe", "after_tool", seen.append), env=Telling(), max_steps=2)
    assert [(event.accepted, event.why) for event in once(seen)] == [(False, "crates do not fly"), (True, "")]


def test_end_of_a_won_task_is_told(play, add_processor):
    seen = []
    play(ExpertPolicy(), add_processor("probe", "task_end", seen.append), max_steps=9)
    assert seen == [TaskEnd(True, 5)]


def test_steps_left_count_down_with_the_history(play, add_processor):
    seen = []
    play(["wait", "fly"], add_processor("probe", "step_start", seen.append), max_steps=2)
    goal = "put a crate on a dock"
    assert once(seen) == [StepStart(1, 2, (), goal), StepStart(2, 1, (Turn("wait", "You wait."),), goal)]


def test_history_may_be_edited_for_one_prompt(play, add_processor):
    witness = Witness()
    record = play(witness, add_processor("probe", "step_start", lambda event: {"history": event.history[:1]}), max_steps=3)
    # At the third step only the first turn is left as history.
    assert [message["content"] for message in witness.chats[2]] == [OPENING + CUT, "wait", f"You wait.{CUT}"]
    turn = asdict(Turn("wait", "You wait."))
    assert record.trace[2].changed == (changed("probe", "step_start", history=([turn, turn], [turn])),)
    assert record.trace[2].dropped_turns == 0


def test_command_may_be_put_right_after_the_model_and_before_the_tool(play, yard, add_processor):
    env = yard.Yard()
    record = play(
        ["Uh, waiting"],
        add_processor("read", "after_model", lambda event: {"command": "wait"} if "wait" in event.response else None),
        add_processor("turn", "before_tool", lambda event: {"command": "walk to dock 1"} if event.command == "wait" else None),
        env=env,
        max_steps=1,
    )
    assert env.sent == ["walk to dock 1"]
    (step,) = record.trace
    assert (step.response, step.command, step.accepted) == ("Uh, waiting", "walk to dock 1", True)
    assert step.changed == (
        changed("read", "after_model", command=("Uh, waiting", "wait")),
        changed("turn", "before_tool", command=("wait", "walk to dock 1")),
    )
    assert not step.usable


def test_command_that_is_held_back_spends_its_step(play, yard, add_processor):
    env, seen = yard.Yard(), []
    brake = add_processor("brake", "before_tool", lambda event: {"approved": False} if event.command == "wait" else None, seen.append)
    backend = Scripted(["wait", "walk to dock 1"])
    record = play(ModelPolicy(backend), brake, env=env, max_steps=2)
    assert env.sent == ["walk to dock 1"]
    held, sent = record.trace
    assert (held.command, held.accepted, held.observation, held.reward) == ("wait", False, "The command was held back.", 0.0)
    assert held.changed == (changed("brake", "before_tool", approved=(True, False)),)
    assert sent.accepted
    assert (record.steps, record.invalid_actions) == (2, 1)
    assert backend.calls[1].prompt.endswith("\n>wait\nThe command was held back.\n>")
    assert seen[0].admissible == ("wait", *yard.WALKS)


def test_observation_may_be_edited_for_the_model_but_not_for_the_record(play, add_processor):
    witness, seen = Witness(), []
    record = play(witness, add_processor("mute", "after_tool", lambda event: {"observation": "..."}, seen.append), max_steps=2)
    assert witness.events[1].observation == "..."
    assert witness.chats[1][-1]["content"] == f"...{CUT}"
    assert record.trace[0].changed == (changed("mute", "after_tool", observation=("You wait.", "...")),)
    assert record.trace[0].observation == seen[0].observation == "You wait."


def test_processor_that_fails_does_not_end_the_episode(play, add_processor):
    def fail(event):
        raise ZeroDivisionError("no prior")

    record = play(
        PLAN,
        add_processor("bad", "before_model", fail),
        add_processor("bold", "step_end", lambda event: {"command": "wait"}),
        max_steps=9,
    )
    assert record.won
    assert record.error is None
    assert record.activations == {"bad": 0, "bold": 0}
    # Three failures each, then each is switched off.
    assert [failure["kind"] for failure in record.failures] == ["ZeroDivisionError", "ContractError"] * 2 + [
        "ZeroDivisionError", "SwitchedOff", "ContractError", "SwitchedOff",
    ]  # fmt: skip
    assert record.failures[:2] == [
        {"boundary": "bad at before_model", "kind": "ZeroDivisionError", "message": "no prior"},
        {
            "boundary": "bold at step_end",
            "kind": "ContractError",
            "message": "bold changed command at step_end, which lets it change nothing",
        },
    ]


# --- interrupts


@pytest.mark.parametrize("hook", ["task_start", "step_start", "before_model", "after_model", "before_tool"])
def test_an_interrupt_before_the_command_is_sent_spends_no_step(hook, play, yard, add_processor):
    env, seen = yard.Yard(), []
    items = [add_processor("stop", hook, lambda event: Interrupt("enough")), add_processor("probe", "task_end", seen.append)]
    record = play(["wait"], *items, env=env)
    assert (record.interrupted, record.steps, record.trace, record.won, record.error) == ("enough", 0, (), False, None)
    assert env.sent == []
    assert once(seen) == [TaskEnd(False, 0)]
    assert record.changed == [changed("stop", hook, "interrupt")]
    assert record.activations == {"stop": 1, "probe": 0}


def test_an_interrupt_after_the_command_leaves_the_step_in_the_trace(play, add_processor):
    record = play(["wait", "wait"], add_processor("stop", "after_tool", lambda event: Interrupt("enough")))
    assert (record.interrupted, record.steps, commands(record)) == ("enough", 1, ["wait"])
    assert record.trace[0].changed == (changed("stop", "after_tool", "interrupt"),)
    assert record.changed == []


def test_an_episode_that_is_won_stays_won_when_it_is_interrupted(play, add_processor):
    stop = add_processor("stop", "after_tool", lambda event: Interrupt("done") if "drop" in event.command else None)
    record = play(ExpertPolicy(), stop, max_steps=9)
    assert (record.won, record.interrupted, record.steps) == (True, "done", 5)


def test_changes_before_an_error_are_kept(play, yard, add_processor):
    probe = add_processor("probe", "before_tool", lambda event: {"command": "rest"})
    record = play(["wait"], probe, env=yard.Yard(raises_at=1))
    assert record.error["boundary"] == "step"
    assert record.changed == [changed("probe", "before_tool", command=("wait", "rest"))]


# --- tools that the harness answers


@pytest.fixture
def clock(monkeypatch):
    """The entry of a tool that tells the steps left."""

    class Clock(Processor):
        """Tells the steps left."""

        name, hook, dimension = "clock", "before_tool", "tools"
        schema: ClassVar = {}

        def offers(self):
            return ("look at the clock",)

        def process(self, event):
            self.notes = {"asked": event.command}
            return {"answer": f"{event.steps_left} steps left."} if event.command == "look at the clock" else None

    monkeypatch.setitem(REGISTRY, "clock", Clock)
    return "clock"


def test_a_tool_call_is_answered_by_the_harness_and_spends_no_step(play, yard, add_processor, clock):
    env, seen, ended, offered = yard.Yard(), [], [], []
    backend = Scripted(["look at the clock", "wait", "look at the clock", "walk to dock 1"])
    record = play(
        ModelPolicy(backend),
        clock,
        add_processor("offer", "before_model", lambda event: offered.append(event.tools)),
        add_processor("read", "after_model", lambda event: offered.append(event.tools)),
        add_processor("probe", "step_end", ended.append, seen.append),
        add_processor("loud", "after_tool", lambda event: {"observation": event.observation.upper()}),
        env=env,
        max_steps=2,
    )
    assert env.sent == ["wait", "walk to dock 1"]
    assert (record.steps, record.invalid_actions, record.error) == (2, 0, None)
    assert once(offered) == [("look at the clock",)] * 8
    assert [(entry.step, entry.tool, entry.observation) for entry in record.trace] == [
        (1, True, "2 steps left."),
        (1, False, "You wait."),
        (2, True, "1 steps left."),
        (2, False, "You walk to dock 1. You see nothing."),
    ]
    assert [entry.usable for entry in record.trace] == [True] * 4
    assert [step.step for step in once(seen)] == [step.step for step in once(ended)] == [1, 2]
    assert record.trace[0].notes == {"clock": {"asked": "look at the clock"}}
    assert backend.calls[1].prompt.endswith("\n>look at the clock\n2 STEPS LEFT.\n>")


def test_tool_calls_are_bounded_by_the_number_of_steps(play, yard, clock):
    env = yard.Yard()
    record = play(["look at the clock"] * 9, clock, env=env, max_steps=2)
    # Two calls are answered; after that the command goes to the environment, which knows no clock.
    assert [entry.tool for entry in record.trace] == [True, True, False, False]
    assert env.sent == ["look at the clock"] * 2
    assert (record.steps, record.invalid_actions) == (2, 2)
    assert [entry.usable for entry in record.trace] == [True, True, False, False]


def test_notes_outside_of_the_steps_are_kept_in_the_record(play, monkeypatch):
    class Noter(Processor):
        """Leaves a note at the end."""

        name, hook, dimension = "noter", "task_end", "observability"
        schema: ClassVar = {}

        def process(self, event):
            self.notes = {"won": event.won}

        def observe(self, step):
            self.notes = {"step": step.step}

    monkeypatch.setitem(REGISTRY, "noter", Noter)
    record = play(["wait"] * 2, "noter", max_steps=2)
    assert record.notes == {"noter": {"won": False}}
    assert [entry.notes for entry in record.trace] == [{"noter": {"step": 1}}, {"noter": {"step": 2}}]
    assert record.activations == {"noter": 1}


# --- a context that is too small


def test_oldest_turns_are_dropped_first(play):
    # A chat with n turns behind it has 2 n + 1 messages: with room for four, one turn stays.
    witness = Witness(room=4)
    record = play(witness, max_steps=4)
    assert [step.dropped_turns for step in record.trace] == [0, 0, 1, 2]
    assert [len(chat) for chat in witness.chats] == [1, 3, 3, 3]
    assert witness.chats[3][0]["content"] == OPENING + CUT


def test_long_history_is_fitted_in_few_tries(play, add_processor):
    class Counting(Witness):
        asked = 0

        def fits(self, event, messages):
            self.asked += 1
            return super().fits(event, messages)

    witness = Counting(room=4)
    turns = tuple(Turn("wait", str(number)) for number in range(1000))
    record = play(witness, add_processor("chatty", "step_start", lambda event: {"history": turns}), max_steps=1)
    assert (record.error, record.failures) == (None, [])
    assert record.trace[0].dropped_turns == 999
    assert len(witness.chats[0]) == 3
    assert witness.asked <= 12


def test_goal_and_last_observation_are_shown_even_if_nothing_fits(play):
    witness = Witness(room=0)
    record = play(witness, max_steps=3)
    assert [step.dropped_turns for step in record.trace] == [0, 1, 2]
    assert witness.chats[2] == [{"role": "user", "content": f"Goal: {record.goal}\n\nYou wait.{CUT}"}]


def test_model_gets_prompts_that_fit(play):
    # 48 tokens are kept for the answer; the opening takes 21 words, a turn takes 4 (">", "wait" and "You wait."), and ">" ends the prompt.
    backend = Scripted(["wait"] * 9, n_ctx=48 + 21 + 3 * 4 + 1)
    record = play(ModelPolicy(backend), max_steps=6)
    assert [step.dropped_turns for step in record.trace] == [0, 0, 0, 0, 1, 2]
    assert [len(call.prompt.split()) for call in backend.calls] == [22, 25, 28, 31, 31, 31]


def test_nothing_is_dropped_where_no_prompt_is_read(play):
    record = play(Witness(room=0), ("decide", {"method": "rank"}), max_steps=3)
    assert [step.dropped_turns for step in record.trace] == [0, 0, 0]


def test_prompt_that_cannot_fit_is_data(play):
    class Small(Scripted):
        def chat(self, prompt, generation, tools=()):
            raise ContextOverflowError(self.count_tokens(prompt), self.n_ctx)

    record = play(ModelPolicy(Small(n_ctx=9)))
    # It is a defeat: an error would take the task out of every figure.
    assert (record.error, record.outcome, record.steps, record.won) == (None, False, 0, False)
    assert record.interrupted == (
        "the prompt had no room: 22 tokens do not fit the context of 9; shorten the history or load the model with a larger n_ctx"
    )


def test_a_prompt_that_outgrows_the_context_in_mid_episode_is_a_defeat(play):
    class Filling(Scripted):
        def chat(self, prompt, generation, tools=()):
            if len(self.calls) == 2:
                raise ContextOverflowError(9, 8)
            return super().chat(prompt, generation, tools)

    record = play(ModelPolicy(Filling(["wait"] * 9)))
    assert (record.outcome, record.steps, record.error) == (False, 2, None)
    assert record.interrupted.startswith("the prompt had no room: 9 tokens")


def test_a_question_of_a_processor_without_room_is_a_failure_of_the_processor(play, add_processor):
    def ask(event):
        raise ContextOverflowError(9, 8)

    record = play([*PLAN], add_processor("asks", "before_model", ask), max_steps=9)
    assert (record.outcome, record.interrupted, record.error) == (True, None, None)
    assert record.failures[0]["kind"] == "ContextOverflowError"


# --- errors are data


def test_error_at_the_reset_is_data(play, yard):
    record = play(["wait"], env=yard.Yard(raises_at=0))
    assert (record.error["boundary"], record.error["kind"]) == ("reset", "CustomEnvError")
    assert "reset(seed=0, options={'task': 'one'}) raised RuntimeError: the yard is flooded; " in record.error["message"]
    assert (record.won, record.steps, record.trace, record.opening, record.goal) == (False, 0, (), "", "")


def test_error_at_a_step_is_data_and_the_steps_before_are_kept(play, yard):
    record = play(PLAN, env=yard.Yard(raises_at=3))
    assert (record.error["boundary"], record.error["kind"]) == ("step", "CustomEnvError")
    assert f"step({PLAN[2]!r}) raised RuntimeError: the yard is flooded; " in record.error["message"]
    assert commands(record) == PLAN[:2]
    assert record.usage["calls"] == 3


def test_error_leaves_environment_and_policy_usable(play, yard):
    env, policy = yard.Yard(raises_at=2), ModelPolicy(Scripted(["wait", "wait", *PLAN]))
    assert play(policy, env=env).error is not None
    env.raises_at = None
    assert play(policy, env=env, max_steps=9).won


def test_unknown_task_is_data(play, yard):
    record = run_episode(yard.Yard(), HarnessSpec.load("generic-act"), RandomPolicy(), dataclasses.replace(yard.task(), task_id="none"))
    assert (record.error["boundary"], record.error["kind"]) == ("reset", "CustomEnvError")
    assert "raised KeyError: 'none'; " in record.error["message"]
    assert record.task_id == "none"


class Failing(NoModelPolicy):
    """Asks a server that answers by an error."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def decide(self, event, messages):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        RemoteDownError("host:1", "connection refused"),
        RemoteRefusedError("host:1", "/v1/completions", 401, "no key"),
        RemoteRefusedError("host:1", "/v1/completions", 429, "slow down"),
        RemoteRefusedError("host:1", "/v1/completions", 503, "loading"),
    ],
)
def test_a_model_that_is_lost_is_no_failure_of_an_episode(play, add_processor, error):
    said = f"the model does not answer any more: {error}; what was played is kept where a --run-dir was given"
    with pytest.raises(ModelLostError) as raised:
        play(Failing(error))
    assert str(raised.value) == str(pickle.loads(pickle.dumps(raised.value))) == said  # workers send it to the main process

    def ask(event):
        raise error

    with pytest.raises(ModelLostError, match="does not answer any more"):
        play([PLAN[0]], add_processor("asks", "before_model", ask))


@pytest.mark.parametrize(
    "error",
    [
        RemoteDownError("host:1", "no answer within 120 s", is_late=True),
        RemoteRefusedError("host:1", "/v1/completions", 400, "too long"),
        RemoteAnswerError("host:1", "no text"),
    ],
)
def test_a_model_that_does_not_answer_this_question_is_data(play, error):
    record = play(Failing(error))
    assert record.error == {"boundary": "decide", "kind": type(error).__name__, "message": str(error)}
    assert (record.won, record.outcome) == (False, None)


def test_outcomes(play):
    assert play([*PLAN], max_steps=9).outcome is True
    assert play([PLAN[0]], max_steps=1).outcome is False


def test_policy_that_fails_is_data(play, yard):
    class Blind(yard.Yard):
        expert = None

    assert play(["wait"], max_steps=9).error["kind"] == "ScriptExhaustedError"
    record = play(ExpertPolicy(), env=Blind())
    assert (record.error["boundary"], record.error["kind"]) == ("decide", "NoExpertError")
    assert "has no expert() method" in record.error["message"]


def test_no_command_at_all_is_data(play, yard):
    class Empty(yard.Yard):
        def commands(self):
            return []

    record = play(RandomPolicy(), env=Empty())
    assert (record.error["boundary"], record.error["kind"], record.steps) == ("reset", "ContractError", 0)
    assert "info['admissible_commands'] of reset(seed=0, options={'task': 'one'}) is empty" in record.error["message"]


@pytest.mark.parametrize("plan", [None, "wait", [3], ["wait", None], ["wait\nwait"], ["wa\ud83dit"], {"wait": 1}])
def test_expert_that_returns_no_commands_is_data(play, yard, plan):
    class Odd(yard.Yard):
        def expert(self):
            return plan

    record = play(ExpertPolicy(), env=Odd())
    assert (record.error["boundary"], record.error["kind"]) == ("decide", "NoExpertError")
    assert f"expert() of this environment returned {plan!r}; it has to return a list of commands" in record.error["message"]


def test_environment_in_any_words_is_recorded_clean(play, yard):
    class Dirty(yard.Yard):
        def step(self, action):
            observation, *rest = super().step(action)
            return f"{observation} \ud83d\x1b[2J caf\u00e9", *rest

    record = play(["wait"], env=Dirty(), max_steps=1)
    assert record.error is None
    assert record.trace[0].observation.endswith(" \ufffd\ufffd[2J caf\u00e9")
    assert len(record.trace_hash) == 64


@pytest.mark.parametrize(("reward", "shown"), [(float("nan"), "nan"), (float("inf"), "inf"), (None, "None"), ("1", "'1'")])
def test_reward_that_is_no_number_is_data(play, yard, reward, shown):
    class Generous(yard.Yard):
        def step(self, action):
            observation, _, *rest = super().step(action)
            return observation, reward, *rest

    record = play(["wait"], env=Generous())
    assert (record.error["boundary"], record.error["kind"], record.steps) == ("step", "ContractError", 0)
    assert f"returned reward, terminated, truncated = {shown}, False, False, not a finite number" in record.error["message"]
    assert len(record.trace_hash) == 64


def test_message_of_an_error_is_clean_and_short(play):
    def fail(entry):
        raise OSError("half \ud83d\x1b[2J" + "x" * 10_000)

    record = play(["wait"], on_step=fail)
    assert record.error["message"].startswith("half \ufffd\ufffd[2Jxxx")
    assert len(record.error["message"]) == 2000


def test_onlooker_that_fails_is_data(play):
    def fail(entry):
        raise OSError("disk full")

    record = play(["wait"], on_step=fail)
    assert record.error == {"boundary": "step", "kind": "OSError", "message": "disk full"}
    assert record.steps == 1


# --- the record


@pytest.fixture
def record(play, yard, add_processor):
    """A record with something in every field."""
    scores = Scripted(scores=lambda prompt, text: -float(len(text)))
    items = [
        ("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE}),
        ("decide", {"method": "score"}),
        add_processor("bold", "step_end", lambda event: {"command": "wait"}),
    ]
    return play(ModelPolicy(scores), *items, env=yard.Yard(raises_at=3), attempt=1)


def test_record_reads_back_from_json(record):
    content = json.loads(json.dumps(record.to_json()))
    assert EpisodeRecord.from_json(content) == record
    assert content["trace_hash"] == record.trace_hash
    assert record.trace[0].subgoal == {"phase": "search", "wanted": "crate"}
    assert record.trace[0].scores
    assert record.error
    assert record.failures


def test_trace_hash_is_that_of_all_but_the_counters(record):
    content = record.to_json()
    assert record.trace_hash == digest({key: value for key, value in content.items() if key not in ("usage", "trace_hash")})
    assert dataclasses.replace(record, usage={}).trace_hash == record.trace_hash


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(EpisodeRecord) if field.name != "usage"])
def test_trace_hash_covers_every_other_field(name, record):
    value = getattr(record, name)
    other = {str: "other", type(None): "other", int: 99, bool: True, list: [{}], tuple: (), dict: {"x": {}}}[type(value)]
    other = (Question("Where?"),) if name == "questions" else other
    assert value != other
    assert dataclasses.replace(record, **{name: other}).trace_hash != record.trace_hash


def test_trace_hash_covers_a_single_letter(record):
    content = json.loads(json.dumps(record.to_json()))
    content["trace"][0]["observation"] += "!"
    assert EpisodeRecord.from_json(content).trace_hash != record.trace_hash


# --- a real model


@pytest.mark.model
def test_model_plays_the_same_episode_again(smollm2):
    written = HarnessSpec.load("generic-act")
    scored = written.patch(
        [
            {
                "op": "add",
                "path": "/components/decide",
                "value": {"use": "decide", "params": {"method": "score"}},
            }
        ]
    )
    (task,) = tasks("homebody/Household-v0", "validation", 1)
    env = gymnasium.make("homebody/Household-v0", disable_env_checker=True)
    # Alternating, so that each finds another's prompt in the cache.
    records = [run_episode(env, spec, ModelPolicy(smollm2), task, max_steps=2) for spec in (written, scored, written, scored)]
    assert [record.error for record in records] == [None] * 4
    assert [record.steps for record in records] == [2] * 4
    assert [record.trace[0].method for record in records[:2]] == ["generate", "score"]
    assert [len(record.trace[0].scores) for record in records[:2]] == [0, 5]
    assert records[0].trace_hash == records[2].trace_hash != records[1].trace_hash == records[3].trace_hash
    assert records[1].invalid_actions == 0
    assert records[0].usage["generated_tokens"] > 0
    env.close()


# --- tools


def test_a_harness_that_reads_calls_has_a_chat_of_calls_and_their_answers(harness, yard):
    written = ToolCall("act", {"command": "wait"}, before="I wait.\n")
    backend = Scripted([Reply("I wait. <call>", "Hm.", written, "tool"), Reply("I would fly", "Hm?"), "wait"])
    document = harness(("answer", {"read": "tool"}), ("think", {"keep": 1}), "show_candidates")
    record = run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=3)
    assert [step.command for step in record.trace] == ["wait", "I would fly", "wait"]
    first, *turns, last = backend.calls[-1].messages
    assert (first["role"], first["content"]) == ("user", OPENING + CUT)
    calls = [{"id": f"call0000{n}", "type": "function", "function": {"name": "act", "arguments": {"command": command}}}
             for n, command in enumerate(("wait", "I would fly"))]  # fmt: skip
    assert turns == [
        {"role": "assistant", "content": "I wait.", "tool_calls": calls[:1]},
        {"role": "tool", "tool_call_id": "call00000", "name": "act", "content": f"You wait.{CUT}"},
        # What was sent is shown as a call, whatever the model wrote.
        {"role": "assistant", "content": "", "tool_calls": calls[1:], "thought": "Hm?"},
    ]
    assert (last["role"], last["tool_call_id"]) == ("tool", "call00001")
    assert "wait" in last["content"].partition(CUT)[2]
    assert [tool["function"]["name"] for tool in backend.calls[-1].tools] == ["act"]


@pytest.mark.parametrize("more", [{"answer": {"read": "tool", "shown": "command"}}, {"decide": {"method": "grammar"}}])
def test_where_no_call_is_written_the_chat_has_users_alone(more, harness, yard):
    backend = Scripted(["wait"] * 2)
    components = {"answer": {"read": "tool"}, **more}
    run_episode(yard.Yard(), harness(*components.items()), ModelPolicy(backend), yard.task("one"), max_steps=2)
    assert [message["role"] for message in backend.calls[-1].messages] == ["user", "assistant", "user"]
