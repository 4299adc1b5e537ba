"""Who decided at each step, and the harness without its model that runs beside a model's episode."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import Choice, Interrupt
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.model_free import TWINS, EchoPolicy, ExecutorPolicy, NoModelPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.record import BY_MODEL, DECIDED_BY
from homebody.agents.rollout import Job, RolloutConfig, Rollouts

MENU = ("wait", "walk to dock 1", "walk to dock 2", "walk to shed 1", "walk to shed 2", "walk to vat 1")


@pytest.fixture
def play(yard, harness):
    """Play the yard: `play(replies, backend or policy, *harness items, env=..., task=..., **settings)`."""

    def play(policy, *items, env=None, task="one", **settings):
        backend = Scripted(policy) if isinstance(policy, list) else policy
        chosen = ModelPolicy(backend) if isinstance(backend, Scripted) else backend
        return run_episode(env or yard.Yard(), harness(*items), chosen, yard.task(task), **{"max_steps": 1, **settings})

    return play


def by(record):
    return [step.decided_by for step in record.trace]


def twins(record):
    return [step.twin for step in record.trace]


def likes(word):
    """A model that scores commands with a word in them highest."""
    return Scripted(scores=lambda prompt, text: 0.0 if word in text else -900.0)


@pytest.fixture
def lean(add_processor):
    """A component with an opinion: it prefers the second dock."""
    return add_processor("lean", "before_model", lambda event: {"prior": tuple(3.0 * ("dock 2" in other) for other in event.candidates)})


@pytest.fixture
def asking(monkeypatch):
    """Register a component that asks the model: `asking(name, process(self, event), hook)`; returns a component of it."""

    def add(name, process, hook="before_model", **members):
        known = {"name": name, "hook": hook, "dimension": "model", "schema": {}, "process": process, **members}
        monkeypatch.setitem(REGISTRY, name, type(name, (Processor,), known))
        return component(name)

    return add


def reading_once(self, event):
    """Ask the model once where to search, and leave that place alone on offer."""
    score = self.services.score
    if score is None:
        return None
    if not hasattr(self, "place"):
        places = ["shed 1", "shed 2"]
        scores = score("Crates are in", [f" {place}" for place in places])
        self.place = places[scores.index(max(scores))]
    kept = tuple(command for command in event.candidates if self.place in command)
    return {"candidates": kept, "prior": (0.0,) * len(kept)} if kept else None


# --- the model, or both


@pytest.mark.parametrize("method", ["generate", "grammar", "vote"])
@pytest.mark.parametrize(("reply", "decided"), [("walk to dock 2", "agreed"), ("walk to shed 2", "model")])
def test_what_a_model_writes(method, reply, decided, play, lean):
    record = play([reply] * 5, lean, ("decide", {"method": method}))
    assert (by(record), twins(record)) == ([decided], ["walk to dock 2"])


@pytest.mark.parametrize(("word", "decided"), [("dock 2", "agreed"), ("shed 2", "model")])
def test_what_a_model_scores(word, decided, play, lean):
    record = play(likes(word), lean, ("decide", {"method": "score"}))
    assert (record.trace[0].command, by(record), twins(record)) == (f"walk to {word}", [decided], ["walk to dock 2"])


@pytest.mark.parametrize(("word", "decided"), [(" shed 2", "model"), (" dock 2", "agreed")])
def test_what_a_component_asks_at_a_step_counts_as_the_models(word, decided, play, lean, asking):
    def ask(self, event):
        if self.services.score is None:
            return None
        scores = self.services.score("Crates are", [f" {command}" for command in event.candidates])
        return {"prior": tuple(old + new for old, new in zip(event.prior, scores, strict=True))}

    record = play(likes(word), lean, asking("asks", ask), ("decide", {"method": "rank"}))
    assert (by(record), twins(record)) == ([decided], ["walk to dock 2"])
    (question,) = record.trace[0].questions
    assert (question.prompt, len(question.answers), question.answers[0]) == ("Crates are", 5, (f" walk to{word}", 0.0))


def test_whoever_writes_freely_may_send_what_is_not_on_offer(play, add_processor):
    only = add_processor("only", "before_model", lambda event: {"candidates": ("wait",), "prior": (0.0,)})
    assert by(play(["walk to dock 1"], only)) == ["model"]
    assert by(play(["wait"], only)) == ["agreed"]


def test_a_tool_on_offer_beside_one_command_is_a_choice(play, add_processor):
    only = add_processor("only", "before_model", lambda event: {"candidates": ("wait",), "prior": (0.0,)})
    record = play(["count steps", "wait"], "steps_left", only, ("decide", {"method": "grammar"}), max_steps=1)
    assert [(step.tool, step.decided_by, step.twin) for step in record.trace] == [(True, "model", "wait"), (False, "agreed", "wait")]


# --- the harness


def test_a_harness_that_asks_no_one_decides(play, lean):
    record = play(likes("shed"), lean, ("decide", {"method": "rank"}), max_steps=3)
    assert by(record) == ["harness"] * 3


@pytest.mark.parametrize("method", ["grammar", "vote", "score", "rank"])
def test_where_one_command_is_on_offer_the_harness_decides(method, play, add_processor):
    only = add_processor("only", "before_model", lambda event: {"candidates": ("wait",), "prior": (0.0,)})
    assert by(play(["walk to dock 1"], only, ("decide", {"method": method}))) == ["harness"]


def test_where_one_command_is_possible_nobody_chooses(play, yard):
    class Narrow(yard.Yard):
        def commands(self):
            return ["wait"]

    assert by(play(["wait"], env=Narrow())) == ["harness"]


@pytest.mark.parametrize("hook", ["after_model", "before_tool"])
def test_another_command_in_the_place_of_the_models_is_the_harnesses(hook, play, add_processor):
    override = add_processor("override", hook, lambda event: {"command": "walk to dock 1"} if event.command == "wait" else None)
    record = play(["wait", "walk to vat 1"], override, max_steps=2)
    assert [step.command for step in record.trace] == ["walk to dock 1", "walk to vat 1"]
    assert (by(record)[0], by(record)[1] in ("model", "agreed")) == ("harness", True)


def test_what_is_held_back_was_not_the_models_decision(play, add_processor):
    assert by(play(["wait"], add_processor("brake", "before_tool", lambda event: {"approved": False}))) == ["harness"]


@pytest.mark.parametrize("name", TWINS)
def test_without_a_model_the_harness_decides(name, play, lean):
    record = play(TWINS[name](), lean, max_steps=3)
    assert (by(record), twins(record)) == (["harness"] * 3, [None] * 3)
    assert [(step.readable, step.cut, step.repaired) for step in record.trace] == [(None, None, False)] * 3


# --- what cannot be read


@pytest.mark.parametrize(
    ("reply", "items", "decided", "readable", "repaired", "command"),
    [
        ("The crate is far away.", [], "fallback", False, False, "The crate is far away"),
        ("", [], "fallback", False, False, ""),
        ("I should WALK TO DOCK 1 now", ["repair"], "fallback", False, True, "walk to dock 1"),
        ("wolk to dock 1", ["repair"], "fallback", False, True, "walk to dock 1"),
        ("xyzzy", ["repair"], "fallback", False, False, "xyzzy"),  # nothing is near
        ("> walk to dock 1.", ["repair"], "model", True, False, "walk to dock 1"),
    ],
)
def test_a_reply_that_cannot_be_read(reply, items, decided, readable, repaired, command, play, lean):
    (step,) = play([reply], lean, *items).trace
    assert (step.decided_by, step.readable, step.repaired, step.command) == (decided, readable, repaired, command)


def test_a_plan_that_acts_on_unreadable_replies_gives_the_model_no_part(play, add_processor, yard):
    env = yard.Yard()
    acts = add_processor("acts", "after_model", lambda event: None if event.command in event.admissible else {"command": env.expert()[0]})
    record = play(["The sky is blue."] * 5, acts, env=env, max_steps=5)
    assert (record.won, record.model_share) == (True, 0.0)
    assert by(record) == ["fallback"] * 5


@pytest.mark.parametrize("how", [Choice("grammar"), Choice("vote", samples=1, constrained=True)], ids=["grammar", "vote"])
def test_what_is_cut_short_under_a_grammar_and_completed_is_not_the_models(how, play, add_processor):
    decide = add_processor("decide_so", "before_model", lambda event: {"choice": how})
    (step,) = play(["walk to"], decide).trace
    assert (step.command, step.decided_by, step.repaired, step.readable) == ("walk to dock 1", "fallback", True, None)


def test_of_a_vote_the_first_free_reply_says_whether_it_was_readable(play, lean):
    how = ("decide", {"method": "vote", "samples": 3})
    (step,) = play(["Hm.", "walk to vat 1", "walk to vat 1"], lean, how).trace
    assert (step.command, step.decided_by, step.readable) == ("walk to vat 1", "model", False)
    (step,) = play(["walk to vat 1", "Hm.", "Hm."], lean, how).trace
    assert (step.command, step.decided_by, step.readable) == ("walk to vat 1", "model", True)
    (step,) = play(["Hm.", "So.", "Well."], lean, how).trace
    assert (step.command, step.decided_by, step.readable) == ("Hm", "fallback", False)


def test_a_command_that_is_possible_no_more_is_read(play):
    record = play(["walk to vat 1", "walk to vat 1", "walk to vat 2"], "repair", max_steps=3)
    assert [step.command for step in record.trace][:2] == ["walk to vat 1", "walk to vat 1"]
    assert [step.readable for step in record.trace] == [True, True, False]  # there was never a second vat
    assert [step.repaired for step in record.trace][:2] == [False, False]
    assert [step.accepted for step in record.trace][:2] == [True, False]
    assert by(record)[1] == "model"


def test_of_a_reply_that_was_written_again_the_first_says_whether_it_was_readable(play):
    decide = ("decide", {"method": "generate", "retry": True})
    for first, readable in (("walk to vat 7", False), ("", False)):
        (step,) = play(Scripted([first, "walk to vat 1"], has_grammar=True), decide).trace
        assert (step.command, step.readable, step.retried) == ("walk to vat 1", readable, True)
        assert step.decided_by in BY_MODEL
    (step,) = play(Scripted(["walk to vat 1"], has_grammar=True), decide).trace
    assert (step.readable, step.retried) == (True, False)
    record = play(Scripted(["walk to vat 1", "walk to vat 1", "wait"], has_grammar=True), decide, max_steps=2)
    assert [(step.command, step.readable, step.retried) for step in record.trace] == [("walk to vat 1", True, False), ("wait", True, True)]


def test_a_reply_that_had_no_more_room_is_cut(play):
    long = " ".join(["walk"] * 40)
    assert [step.cut for step in play([long, "wait"], max_steps=2).trace] == [True, False]
    assert play(["wait", long, "wait"], ("decide", {"method": "vote", "samples": 3})).trace[0].cut is True
    assert play(likes("wait"), ("decide", {"method": "score"})).trace[0].cut is None


# --- what an earlier answer set


def test_a_command_that_follows_an_earlier_answer_is_reading(play, asking):
    record = play(likes("shed 2"), asking("plan", reading_once), ("decide", {"method": "rank"}), max_steps=3)
    assert [step.command for step in record.trace][:2] == ["walk to shed 2", "unlock shed 2"]
    assert by(record)[:2] == ["model", "reading"]
    assert [len(step.questions) for step in record.trace] == [1, 0, 0]
    # With nothing left of that place on offer, the answer makes no difference.
    assert (record.trace[2].offered, by(record)[2]) in [(6, "harness"), (1, "reading")]


def test_what_a_model_chooses_from_an_earlier_answer_is_the_models(play, asking):
    record = play(
        Scripted(["walk to shed 2", "unlock shed 2"], scores=lambda p, t: float("2" in t)), asking("plan", reading_once), max_steps=2
    )
    assert [decided in ("model", "agreed") for decided in by(record)] == [True, True]


def test_a_question_before_the_first_step_stands_at_the_first_step(play, asking):
    def ask(self, event):
        if self.services.score is not None:
            self.services.score("Is it", [" near", " far"])

    record = play(["wait", "wait"], asking("early", ask, "task_start"), asking("late", ask, "after_tool"), max_steps=2)
    assert [len(step.questions) for step in record.trace] == [2, 1]


def test_what_makes_a_difference_without_an_answer_is_no_reading(play, asking):
    def narrow(self, event):
        # The model counts words, the estimate characters; and a draw of its own.
        kept = tuple(command for command in event.candidates if self.services.count_tokens(command) > 1)
        return {"candidates": kept, "prior": (0.0,) * len(kept)}

    class Draw:
        number = 0

    def drawn(self, event):
        Draw.number += 1
        return {"prior": tuple(float(Draw.number + i) for i in range(len(event.candidates)))}

    rank = ("decide", {"method": "rank"})
    counted = play(Scripted(), asking("counts", narrow), rank, max_steps=2)
    assert (by(counted), counted.trace[0].offered) == (["harness"] * 2, 5)
    assert by(play(Scripted(), asking("draws", drawn), rank, max_steps=2)) == ["harness"] * 2


# --- the shadow


def failing(self, event):
    return {"prior": tuple(self.services.score("Take", list(event.candidates)))}  # fails where score is None


def stopping(self, event):
    return Interrupt("no model") if self.services.score is None else None


def refusing(self, params, services):
    if services.score is None:
        raise ValueError("a model is needed")
    Processor.__init__(self, params, services)


@pytest.mark.parametrize(
    ("process", "members"),
    [(failing, {}), (stopping, {}), (lambda self, event: None, {"__init__": refusing})],
    ids=["fails", "stops", "cannot be made"],
)
def test_a_harness_that_does_not_play_without_a_model_has_no_twin(process, members, play, asking):
    needy = asking("needy", process, **members)
    record = play(["walk to dock 1", "wait"], needy, max_steps=2)
    assert (record.error, twins(record), by(record)) == (None, [None, None], ["model", "model"])
    # What the model's answers made of it cannot be told either.
    assert by(play(likes("dock"), needy, ("decide", {"method": "rank"}), max_steps=2)) == ["harness"] * 2


def test_a_component_that_always_fails_leaves_the_twin(play, lean, add_processor):
    broken = add_processor("broken", "before_model", lambda event: 1 / 0)
    assert twins(play(["wait"] * 5, lean, broken, max_steps=5)) == ["walk to dock 2"] * 5


def test_an_interrupt_ends_the_episode_as_without_a_shadow(play, add_processor):
    stop = add_processor("stop", "before_model", lambda event: Interrupt("enough") if event.steps_left == 3 else None)
    record = play(["wait"] * 5, stop, max_steps=5)
    assert (record.interrupted, record.steps) == ("enough", 2)
    assert None not in twins(record)


def test_the_twin_remembers_what_happened(play, yard):
    learned = ("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE})
    record = play(["walk to shed 2", "unlock shed 2", "wait", "lift crate 1 off shed 2"], learned, max_steps=4)
    # Each time the plan's way from where the model has led it.
    assert twins(record)[1:] == ["unlock shed 2", "lift crate 1 off shed 2", "lift crate 1 off shed 2"]
    assert by(record)[1:] == ["agreed", "model", "agreed"]


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_beside_a_model_does_what_it_does_alone(name, play, yard):
    items = [("learned_plan", {"plans": [yard.TWO], "explore": yard.EXPLORE}), ("show_candidates", {"footer": "In doubt wait."})]
    alone = play(TWINS[name](), *items, task="two", seed=3, max_steps=12)
    commands = [step.command for step in alone.trace]
    led = play(commands, *items, task="two", seed=3, max_steps=12, twin=name)
    assert twins(led) == commands
    assert set(by(led)) == {"agreed"}
    assert led.play_hash == alone.play_hash


def test_the_twin_adapts_with_the_harness(yard, lean):
    rule = {
        "name": "late",
        "when": {"signal": "steps_left", "at_most": 2},
        "patch": [{"op": "add", "path": "/components/lean", "value": lean}],
    }
    spec = HarnessSpec.from_json({"format": 2, "name": "test", "components": {}, "adaptations": [rule]})
    record = run_episode(yard.Yard(), spec, ModelPolicy(Scripted(["walk to shed 1"] * 4)), yard.task(), max_steps=4)
    assert [step.adapted is not None for step in record.trace] == [False, True, False, False]
    assert twins(record)[2:] == ["walk to dock 2"] * 2


def test_the_twin_plays_the_variant(yard, lean):
    forked = {
        "name": "v",
        "route": {"words": {"crate": 1.0}, "bias": 0.0},
        "patch": [{"op": "add", "path": "/components/lean", "value": lean}],
    }
    spec = HarnessSpec.from_json({"format": 2, "name": "test", "components": {}, "variants": [forked]})
    record = run_episode(yard.Yard(), spec, ModelPolicy(Scripted(["wait"])), yard.task(), max_steps=1)
    assert (record.variant, twins(record)) == ("v", ["walk to dock 2"])


def test_the_twin_sees_tools(play, add_processor):
    footer = add_processor("ask", "before_model", lambda event: {"content": f"{event.content}\nFirst count steps. {event.steps_left}"})
    record = play(["count steps", "wait", "wait"], ("steps_left", {"calls": 1}), footer, max_steps=2)
    # After the one call the tool is gone, for the twin too.
    assert [step.tool for step in record.trace] == [True, False, False]
    assert twins(record)[0] == "count steps"
    assert "count steps" not in twins(record)[1:]


def test_the_shadow_leaves_the_models_episode_as_it_is(play, yard, monkeypatch):
    items = [("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE}), "loop_guard", "show_candidates"]
    replies = ["walk to shed 2", "unlock shed 2", "wait"]
    beside = play(list(replies), *items, max_steps=3)
    monkeypatch.setattr(ModelPolicy, "has_model", False)
    alone = play(list(replies), *items, max_steps=3)
    assert (beside.play_hash, beside.activations, beside.failures) == (alone.play_hash, alone.activations, alone.failures)
    plain = {"decided_by": "harness", "twin": None}
    assert [dataclasses.replace(step, **plain) for step in beside.trace] == list(alone.trace)


# --- twins


def test_executor_lets_skills_act(yard, harness):
    spec = harness(
        ("learned_plan", {"plans": [yard.ONE, yard.TAR, yard.TWO], "explore": yard.EXPLORE}), ("visited", {"actions": yard.EXPLORE})
    )
    for task in ("one", "tar", "two"):
        record = run_episode(yard.Yard(), spec, ExecutorPolicy(), yard.task(task), max_steps=20)
        assert (record.won, record.failures) == (True, [])


def decided(policy, event):
    policy.begin(2, 0, None, "one")
    return policy.decide(event, ()).command


def test_executor_follows_advice_that_is_on_offer(yard):
    prior = tuple(float(command == "wait") for command in MENU)
    assert decided(ExecutorPolicy(), yard.ask(MENU, prior=prior, advised="walk to vat 1")) == "walk to vat 1"
    assert decided(ExecutorPolicy(), yard.ask(MENU, prior=prior)) == "wait"
    assert decided(ExecutorPolicy(), yard.ask(MENU, prior=prior, advised="unlock shed 1")) == "wait"
    # It does not read what stands in the prompt.
    assert decided(ExecutorPolicy(), yard.ask(MENU, prior=prior, content="Next: walk to vat 1")) == "wait"


def test_executor_draws_as_no_model_where_no_skill_advises(yard):
    for policy in (ExecutorPolicy, EchoPolicy):
        assert [decided(policy(), yard.ask(MENU, goal=str(n))) for n in range(9)] == [
            decided(NoModelPolicy(), yard.ask(MENU, goal=str(n))) for n in range(9)
        ]


def test_the_values_are_those_of_the_record():
    assert set(BY_MODEL) < set(DECIDED_BY)
    assert set(DECIDED_BY) - set(BY_MODEL) == {"harness", "fallback"}


# --- the same everywhere


@pytest.mark.parametrize("name", TWINS)
def test_twins_play_the_same_with_any_number_of_workers(name):
    from homebody.envs import tasks

    env_id = "homebody/Household-v0"
    jobs = [Job(HarnessSpec.load("household-act"), task, seed) for task in tasks(env_id, "validation", 2) for seed in (0, 1)]
    plays = []
    for workers in (1, 2):
        with Rollouts(RolloutConfig(env_id, name, max_steps=6), workers) as rollouts:
            plays.append([record.to_json() | {"usage": 0} for record in rollouts.play(jobs)])
    assert plays[0] == plays[1]
    assert len({play["trace_hash"] for play in plays[0]}) == 4


PLAY = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("yard", sys.argv[1])
yard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(yard)
from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.models.scripted import Scripted
from homebody.agents.model_policy import ModelPolicy
learned = component("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE})
document = {"format": 2, "name": "t", "components": {"plan": learned, "list": component("show_candidates")}}
replies = ["walk to shed 2", "Hm", "unlock shed 2", "wait"]
record = run_episode(yard.Yard(), HarnessSpec.from_json(document), ModelPolicy(Scripted(replies)), yard.task(), 5, max_steps=4)
print(record.trace_hash, record.play_hash, [(step.decided_by, step.twin) for step in record.trace])
"""


def test_a_models_episode_is_the_same_in_other_processes():
    command = [sys.executable, "-P", "-c", PLAY, str(Path(__file__).with_name("yard.py"))]
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed, "PATH": ""}).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""
    assert "'fallback'" in said[0]
