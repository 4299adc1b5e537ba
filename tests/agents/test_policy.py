"""Who chooses: the controls, and a model that writes, scores or is not asked."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from homebody.agents.answer import read_answer, read_command
from homebody.agents.episode import run_episode
from homebody.agents.harness.grammar import filling, gbnf
from homebody.agents.harness.hooks import FIELDS, Choice, Reading
from homebody.agents.model_free import (
    MODEL_FREE,
    TWINS,
    EchoPolicy,
    ExecutorPolicy,
    ExpertPolicy,
    MatcherPolicy,
    NoExpertError,
    NoModelPolicy,
    RandomPolicy,
    ScriptedPolicy,
)
from homebody.agents.model_policy import NEUTRAL, ModelPolicy
from homebody.agents.models.chat_template import render_plain
from homebody.agents.models.generation import Generation, Reply, Thinking, ToolCall
from homebody.agents.models.scripted import Scripted
from homebody.agents.policy import Decision, best

MENU = ("call", "lift crate 1", "wait", "walk to dock 1")
CHAT = [{"role": "user", "content": "A yard."}]


class Noting(Scripted):
    """Notes how each text is asked for."""

    def chat(self, prompt, generation, tools=()):
        self.asked = [*getattr(self, "asked", []), generation]
        return super().chat(prompt, generation, tools)


def began(policy, seed=0, attempt=0, expert=None, task_id=""):
    policy.begin(seed, attempt, expert, task_id)
    return policy


# --- controls


def test_controls_have_names_and_no_model(yard):
    assert set(MODEL_FREE) == {"no-model", "random", "echo", "executor", "matcher", "scripted", "expert"}
    assert set(TWINS) == {"no-model", "random", "echo", "executor"}
    for name, control in MODEL_FREE.items():
        policy = control()
        assert policy.name == name
        assert policy.fingerprint == {"policy": name}
        assert policy.score is None
        assert not policy.has_model
        assert policy.usage.calls == 0
        # Four characters a token, rounded up.
        assert [policy.count_tokens(text) for text in ("", "abcd", "abcde")] == [0, 1, 2]
        assert policy.fits(yard.ask(MENU), [{"role": "user", "content": "x" * 10**6}])


def draws(seed, attempt, n, yard):
    policy = began(RandomPolicy(), seed, attempt)
    return [policy.decide(yard.ask(MENU, prior=(9.0, 0.0, 0.0, 0.0)), CHAT).command for _ in range(n)]


def test_random_is_uniform_whatever_the_prior(yard):
    counts = Counter(draws(0, 0, 4000, yard))
    assert set(counts) == set(MENU)
    # 1000 each, with a standard deviation of 27.
    assert all(abs(count - 1000) < 130 for count in counts.values())


def test_random_follows_seed_and_attempt(yard):
    assert draws(1, 0, 30, yard) == draws(1, 0, 30, yard)
    assert len({tuple(draws(seed, attempt, 30, yard)) for seed in (0, 1) for attempt in (0, 1)}) == 4


def test_random_answers_with_the_command_itself(yard):
    assert began(RandomPolicy()).decide(yard.ask(("wait",)), CHAT) == Decision("wait", "wait")


def test_no_model_takes_the_highest_prior(yard):
    decision = began(NoModelPolicy()).decide(yard.ask(MENU, prior=(0.0, 2.5, 1.0, 2.0)), CHAT)
    scores = (("lift crate 1", 2.5), ("walk to dock 1", 2.0), ("wait", 1.0), ("call", 0.0))
    assert decision == Decision("lift crate 1", "lift crate 1", scores)


# --- equals


def ties(policy, seed, attempt, task_id, n, yard, **fields):
    """The commands that a policy takes at n decisions between two of the four, which are equally good."""
    began(policy, seed, attempt, task_id=task_id)
    return tuple(policy.decide(yard.ask(MENU, prior=(0.0, 2.0, 1.0, 2.0), **fields), CHAT).command for _ in range(n))


def test_equals_are_drawn_by_seed_attempt_task_and_decision(yard):
    keys = [(seed, attempt, task) for seed in (0, 1) for attempt in (0, 1) for task in ("one", "two")]
    runs = {key: ties(NoModelPolicy(), *key, 30, yard) for key in keys}
    assert len(set(runs.values())) == 8
    assert all(ties(NoModelPolicy(), *key, 30, yard) == run for key, run in runs.items())
    # Neither of the two ever loses to a worse one, and each is taken.
    assert {command for run in runs.values() for command in run} == {"lift crate 1", "walk to dock 1"}


@pytest.mark.parametrize("how", [Choice("rank"), Choice("score"), Choice("score", weight=0.0)], ids=str)
def test_equals_fall_alike_for_a_model_and_its_twins(how, yard):
    given = {"seed": 3, "attempt": 0, "task_id": "one", "n": 40, "yard": yard, "choice": how}
    alone = ties(NoModelPolicy(), **given)
    assert len(set(alone)) == 2
    # The twins have nothing to copy or to follow here; the model scores all commands alike, or is not asked.
    assert ties(EchoPolicy(), **given) == ties(ExecutorPolicy(), **given) == alone
    assert ties(ModelPolicy(Scripted(scores=lambda prompt, text: -7.0)), **given) == alone


def test_a_decision_without_equals_costs_the_next_ones_nothing(yard):
    plain, other = began(NoModelPolicy()), began(NoModelPolicy())
    plain.decide(yard.ask(MENU, prior=(0.0, 2.0, 1.0, 2.0)), CHAT)
    other.decide(yard.ask(("wait",)), CHAT)
    later = [[policy.decide(yard.ask(MENU), CHAT).command for _ in range(40)] for policy in (plain, other)]
    assert later[0] == later[1]
    assert len(set(later[0])) == 4


@pytest.mark.parametrize("n", [2, 3, 4])
def test_first_ties_of_many_tasks_are_uniform(n, yard):
    def first(task):
        prior = tuple(float(i < n) for i in range(4))
        return began(NoModelPolicy(), seed=5, task_id=f"train/{task}").decide(yard.ask(MENU, prior=prior), CHAT).command

    counts = Counter(map(first, range(2000)))
    assert set(counts) == set(MENU[:n])
    # Four standard deviations of a count.
    assert all(abs(count - 2000 / n) < 4 * math.sqrt(2000 / n * (1 - 1 / n)) for count in counts.values())


def test_random_draws_of_tasks_are_independent(yard):
    def play(task):
        policy = began(RandomPolicy(), task_id=task)
        return [policy.decide(yard.ask(MENU), CHAT).command for _ in range(400)]

    runs = [play(f"train/{task}") for task in range(10)]
    pairs = [(one, other) for at, one in enumerate(runs) for other in runs[:at]]
    agreeing = [sum(a == b for a, b in zip(one, other, strict=True)) for one, other in pairs]
    # 100 of 400 by chance, with a standard deviation of 8.7.
    assert all(abs(count - 100) < 44 for count in agreeing)


def test_expert_plays_the_plan_even_off_the_candidates(yard):
    policy = began(ExpertPolicy(), expert=lambda: ["unlock shed 1", "wait"])
    assert policy.decide(yard.ask(MENU), CHAT) == Decision("unlock shed 1", "unlock shed 1")


def test_expert_without_a_plan_takes_the_first_command(yard):
    assert began(ExpertPolicy(), expert=list).decide(yard.ask(MENU), CHAT).command == "call"


@pytest.mark.parametrize(("policy", "method"), [(ExpertPolicy, "expert"), (ScriptedPolicy, "scripted_policy")])
def test_expert_needs_an_expert(policy, method, yard):
    wanted = rf"^this environment has no {method}\(\) method, so the policy '{policy.name}' cannot play it; choose"
    with pytest.raises(NoExpertError, match=wanted):
        began(policy()).decide(yard.ask(MENU), CHAT)


def test_each_policy_names_what_it_asks_of_the_environment():
    assert [d.asks for d in (RandomPolicy(), NoModelPolicy(), ExpertPolicy(), ScriptedPolicy())] == ["", "", "expert", "scripted_policy"]
    assert ModelPolicy(Scripted()).asks == ""


def test_online_plays_what_its_expert_says_now(yard):
    said = iter([["wait"], ["walk to dock 1"], []])
    policy = began(ScriptedPolicy(), expert=lambda: next(said))
    assert [policy.decide(yard.ask(MENU), CHAT).command for _ in range(3)] == ["wait", "walk to dock 1", "call"]


def test_online_asks_the_environments_own_method_in_an_episode(harness, yard):
    class Guided(yard.Yard):
        def expert(self):
            raise AssertionError("the online policy asks no privileged expert")

        def scripted_policy(self):
            return super().expert()[:1]

    record = run_episode(Guided(), harness("show_candidates"), ScriptedPolicy(), yard.task(), max_steps=9)
    assert (record.won, record.steps, record.policy, record.error) == (True, 5, "scripted", None)
    missing = run_episode(yard.Yard(), harness("show_candidates"), ScriptedPolicy(), yard.task(), max_steps=9)
    assert missing.error["kind"] == "NoExpertError"


# --- matcher


class Hinting:
    """Mixed into the yard: says the goal so that no plan knows it."""

    SAID = "Off you go!"

    def info(self):
        return {**super().info(), "goal": self.SAID}


def test_matcher_plays_the_harness_with_the_goal_as_the_environment_reads_it(harness, yard):
    class Reading(Hinting, yard.Yard):
        def read_goal(self):
            return self.goal

    spec = harness(("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE}), ("loop_guard", {"repeats": 1}), "show_candidates")
    steps = {}
    for policy, env in ((MatcherPolicy(), Reading()), (ExecutorPolicy(), Reading()), (ExecutorPolicy(), yard.Yard())):
        steps[policy.name, type(env).__name__] = run_episode(env, spec, policy, yard.task(), max_steps=12)
    read, unread, plain = steps.values()
    assert (read.won, unread.won, plain.won) == (True, False, True)
    assert [step.command for step in read.trace] == [step.command for step in plain.trace]
    assert read.goal == "Off you go!"


@pytest.mark.parametrize("read", [7, "", "two\nlines", None])
def test_reader_that_returns_no_goal_is_a_named_error(read, harness, yard):
    class Reading(yard.Yard):
        def read_goal(self):
            return read

    record = run_episode(Reading(), harness("show_candidates"), MatcherPolicy(), yard.task(), max_steps=9)
    assert record.error["kind"] == "NoExpertError"
    assert record.error["message"].startswith("read_goal() of this environment returned ")
    assert "\n" not in record.error["message"]


def test_matcher_needs_a_reader(harness, yard):
    record = run_episode(yard.Yard(), harness("show_candidates"), MatcherPolicy(), yard.task(), max_steps=9)
    assert record.error["kind"] == "NoExpertError"
    assert record.error["message"] == (
        "this environment has no read_goal() method, so the policy 'matcher' cannot play it; choose a model, or executor"
    )


# --- best


def first_of(n):
    """The draw that takes the first of n equals."""
    return 0


def test_best_draws_among_equals_alone():
    asked = []

    def last(n):
        asked.append(n)
        return n - 1

    scores = [1.0, 3.0, 2.0, 3.0, 3.0]
    decision = best("abcde", scores, last)
    assert (decision.command, asked) == ("e", [3])
    assert decision.scores == (("e", 3.0), ("b", 3.0), ("d", 3.0), ("c", 2.0), ("a", 1.0))
    assert best("abcde", [1.0, 3.0, 2.0, 2.0, 2.0], last).command == "b"
    assert asked == [3, 1]


def test_best_lists_at_most_five_scores_rounded():
    decision = best("abcdef", [0.1, 0.5, 0.30000049, 0.2, 0.4, 0.0], first_of)
    assert decision.command == "b"
    assert decision.scores == (("b", 0.5), ("e", 0.4), ("c", 0.3), ("d", 0.2), ("a", 0.1))


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.8), (2.0, 2 / 3)])
def test_best_with_a_generator_samples_from_the_softmax(temperature, share):
    rng = np.random.Generator(np.random.PCG64(5))
    # Odds of 4 to 1, at temperature 2 their root.
    scores = [math.log(4.0), 0.0]
    taken = sum(best(["a", "b"], scores, first_of, rng, temperature).command == "a" for _ in range(4000))
    # Four standard deviations are 0.03.
    assert taken / 4000 == pytest.approx(share, abs=0.03)


# --- a model


def test_model_is_named_and_counted():
    backend = Scripted(name="tiny")
    policy = ModelPolicy(backend)
    assert policy.name == "tiny"
    assert policy.fingerprint == {"policy": "model", "engine": "scripted", "model": "tiny"}
    assert policy.usage is backend.usage
    assert policy.count_tokens("one two three") == 3


def test_model_scores_texts_after_a_plain_prefix():
    backend = Scripted(scores=lambda prompt, text: -float(len(text)))
    assert ModelPolicy(backend).score("In the", [" dock", " vat"]) == [-5.0, -4.0]
    assert backend.calls[0].segments == ("In the",)


def test_generate_reads_a_command_from_a_greedy_answer(yard):
    backend = Noting(["> Walk to dock 1.\nand then rest"])
    decision = began(ModelPolicy(backend), seed=3).decide(yard.ask(MENU), CHAT)
    assert decision == Decision("> Walk to dock 1.", "Walk to dock 1", is_asked=True, is_free=True, reply=Reply("> Walk to dock 1."))
    assert backend.asked == [Generation(tokens=24, stop=("\n",))]
    assert backend.calls[0].segments == render_plain(CHAT)


def settings_of(seed, attempt, yard):
    backend = Noting(["wait", "wait"])
    policy = began(ModelPolicy(backend, temperature=0.7), seed, attempt)
    for _ in range(2):
        policy.decide(yard.ask(MENU), CHAT)
    return [(asked.temperature, asked.seed) for asked in backend.asked]


def test_further_attempts_sample_by_seed_attempt_and_step(yard):
    runs = {(seed, attempt): settings_of(seed, attempt, yard) for seed in (0, 1) for attempt in (1, 2)}
    assert {temperature for run in runs.values() for temperature, _ in run} == {0.7}
    assert len({seed for run in runs.values() for _, seed in run}) == 8
    assert settings_of(1, 2, yard) == runs[1, 2]


LOGS = {"call": -4.0, "lift crate 1": -6.0, "wait": -3.0, "walk to dock 1": -7.0}


@pytest.mark.parametrize(
    ("normalize", "prior", "expected"),
    [
        # Lengths 4, 12, 4, 14: by character -1, -0.5, -0.75 and -0.5.
        ("sum", (0.0,) * 4, "wait"),
        ("mean", (0.0, 0.25, 0.0, 0.0), "lift crate 1"),
        ("sum", (0.0, 0.0, 0.0, 4.5), "walk to dock 1"),
        ("mean", (0.75, 0.0, 0.0, 0.0), "call"),
    ],
)
def test_score_takes_the_highest_sum_of_log_probability_and_prior(normalize, prior, expected, yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, prior=prior, choice=Choice("score", normalize)), CHAT)
    assert decision.command == decision.response == expected
    assert backend.calls[0].continuations == MENU
    assert backend.calls[0].segments == render_plain(CHAT)


def test_score_reports_the_sums(yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, prior=(0.0, 0.0, 0.5, 0.0), choice=Choice("score")), CHAT)
    assert decision.scores == (("wait", -2.5), ("call", -4.0), ("lift crate 1", -6.0), ("walk to dock 1", -7.0))


def test_score_of_a_single_command_asks_no_one(yard):
    backend = Scripted()
    decision = began(ModelPolicy(backend)).decide(yard.ask(("wait",), prior=(1.5,), choice=Choice("score")), CHAT)
    assert decision == Decision("wait", "wait", (("wait", 1.5),))
    assert backend.calls == []


def test_rank_takes_the_prior_and_asks_no_one(yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, prior=(0.0, 1.0, 0.0, 0.5), choice=Choice("rank")), CHAT)
    assert (decision.command, decision.is_asked) == ("lift crate 1", False)
    assert backend.calls == []


# --- score, corrected and weighed

NEUTRAL_LOGS = {"call": -1.0, "lift crate 1": -6.0, "wait": -1.0, "walk to dock 1": -8.0}


def surprise(prompt, text):
    return (NEUTRAL_LOGS if NEUTRAL[0]["content"] in prompt else LOGS)[text]


@pytest.mark.parametrize(
    ("how", "prior", "expected"),
    [
        # -4 + 1, -6 + 6, -3 + 1, -7 + 8; half of it: -3.5, -3, -2.5, -3
        (Choice("score", correct=1.0), (0.0,) * 4, (("walk to dock 1", 1.0), ("lift crate 1", 0.0), ("wait", -2.0), ("call", -3.0))),
        (Choice("score", correct=0.5), (0.0,) * 4, (("wait", -2.5), ("lift crate 1", -3.0), ("walk to dock 1", -3.0), ("call", -3.5))),
        # By character: -3 / 4, 0, -2 / 4, 1 / 14
        (
            Choice("score", "mean", correct=1.0),
            (0.0,) * 4,
            (("walk to dock 1", round(1 / 14, 6)), ("lift crate 1", 0.0), ("wait", -0.5), ("call", -0.75)),
        ),
        # Twice the score, half of it, none of it, and the prior as it is.
        (
            Choice("score", weight=2.0),
            (3.0, 0.0, 0.0, 0.0),
            (("call", -5.0), ("wait", -6.0), ("lift crate 1", -12.0), ("walk to dock 1", -14.0)),
        ),
        (
            Choice("score", weight=0.5),
            (0.0, 2.0, 0.0, 0.0),
            (("lift crate 1", -1.0), ("wait", -1.5), ("call", -2.0), ("walk to dock 1", -3.5)),
        ),
        (Choice("score", weight=0.0), (0.0, 0.0, 0.0, 1.0), (("walk to dock 1", 1.0), ("call", 0.0), ("lift crate 1", 0.0), ("wait", 0.0))),
    ],
)
def test_score_is_weight_times_corrected_log_probability_plus_prior(how, prior, expected, yard):
    decision = began(ModelPolicy(Scripted(scores=surprise))).decide(yard.ask(MENU, prior=prior, choice=how), CHAT)
    assert decision.scores == expected
    assert decision.command == expected[0][0]


def test_at_weight_0_the_model_is_not_asked(yard):
    backend = Scripted(scores=surprise)
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, prior=(0.0, 0.0, 0.0, 1.0), choice=Choice("score", weight=0.0)), CHAT)
    assert (decision.command, decision.is_asked, backend.calls) == ("walk to dock 1", False, [])


def test_commands_own_likelihood_is_asked_once_an_episode(yard):
    backend = Scripted(scores=surprise)
    policy = began(ModelPolicy(backend))
    for candidates in (MENU[:2], MENU, MENU[1:]):
        policy.decide(yard.ask(candidates, choice=Choice("score", correct=1.0)), CHAT)
    neutral = render_plain(NEUTRAL)
    assert [call.continuations for call in backend.calls if call.segments == neutral] == [MENU[:2], MENU[2:]]
    policy.begin(0, 0, None)
    policy.decide(yard.ask(MENU, choice=Choice("score", correct=1.0)), CHAT)
    assert backend.calls[-1].continuations == MENU


def test_uncorrected_score_does_not_ask_for_the_commands_own_likelihood(yard):
    backend = Scripted(scores=surprise)
    began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=Choice("score")), CHAT)
    assert len(backend.calls) == 1


# --- score, guided

GOALLESS_LOGS = {"call": -1.0, "lift crate 1": -6.0, "wait": -2.0, "walk to dock 1": -8.0}
GOAL = "Lift what is at the dock."
TOLD = [{"role": "system", "content": "Act."}, {"role": "user", "content": f"{GOAL} A yard. {GOAL}"}]


def goal_or_not(prompt, text):
    return (LOGS if GOAL in "".join(prompt) else GOALLESS_LOGS)[text]


@pytest.mark.parametrize(
    ("guidance", "how", "expected"),
    [
        # -4 + 1, -6 + 6, -3 + 2, -7 + 8
        (1.0, Choice("score"), (("walk to dock 1", 1.0), ("lift crate 1", 0.0), ("wait", -1.0), ("call", -3.0))),
        # Half of it: -3.5, -3, -2, -3
        (0.5, Choice("score"), (("wait", -2.0), ("lift crate 1", -3.0), ("walk to dock 1", -3.0), ("call", -3.5))),
        # By character.
        (
            1.0,
            Choice("score", "mean"),
            (("walk to dock 1", round(1 / 14, 6)), ("lift crate 1", 0.0), ("wait", -0.25), ("call", -0.75)),
        ),
    ],
)
def test_guidance_takes_off_a_share_of_the_score_in_the_chat_without_the_goal(guidance, how, expected, yard):
    backend = Scripted(scores=goal_or_not)
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, goal=GOAL, choice=how, guidance=guidance), TOLD)
    assert decision.scores == expected
    assert [call.segments for call in backend.calls] == [
        render_plain(TOLD),
        render_plain([TOLD[0], {"role": "user", "content": " A yard. "}]),
    ]
    assert TOLD[1]["content"] == f"{GOAL} A yard. {GOAL}"


def test_a_chat_that_does_not_say_the_goal_is_scored_once_whatever_the_guidance(yard):
    backend = Scripted(scores=goal_or_not)
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, goal=GOAL, choice=Choice("score"), guidance=1.0), CHAT)
    assert (decision.command, len(backend.calls)) == ("call", 1)


@pytest.mark.parametrize("share", [-0.1, 1.1, True, float("nan"), "0.5"])
def test_a_processor_cannot_guide_by_less_than_nothing_or_more_than_all(share, yard):
    named, holds = FIELDS["guidance"]
    assert (named, holds(share)) == ("a number of 0 to 1", False)
    assert all(map(holds, (0, 1.0)))


# --- grammar


def test_grammar_lets_the_model_write_what_is_on_offer(yard):
    backend = Noting(["lift crate 1"])
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=Choice("grammar")), CHAT)
    assert decision == Decision("lift crate 1", "lift crate 1", is_asked=True, reply=Reply("lift crate 1"))
    # The longest command has 14 bytes, and the mark of the end is a token too.
    assert backend.asked == [Generation(tokens=15, grammar=gbnf(MENU))]


def test_grammar_lets_the_model_call_a_tool(yard):
    backend = Noting(["note crate 1 is here."])
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=Choice("grammar"), tools=("note {text}", "read notes")), CHAT)
    assert decision.command == "note crate 1 is here."
    assert backend.asked[0].grammar == gbnf((*MENU, "note {text}", "read notes"))


@pytest.mark.parametrize(("written", "command"), [("walk to", "walk to dock 1"), ("wa", "wait"), ("", "call"), ("rea", "call")])
def test_command_that_was_cut_short_is_completed_from_the_candidates(written, command, yard):
    decision = began(ModelPolicy(Scripted([written]))).decide(yard.ask(MENU, choice=Choice("grammar"), tools=("read notes",)), CHAT)
    assert decision == Decision(written, command, is_asked=True, reply=Reply(written))


@pytest.mark.parametrize(("spare", "expected"), [(30, 15), (7, 7), (0, 1)])
def test_grammar_asks_for_no_more_than_the_context_holds(spare, expected, yard):
    backend = Noting(["wait"])
    backend.n_ctx = backend.count_tokens(render_plain(CHAT)) + spare
    began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=Choice("grammar")), CHAT)
    assert backend.asked[0].tokens == expected


@pytest.mark.parametrize("method", ["grammar", "vote"])
def test_only_choice_is_taken_without_asking(method, yard):
    backend = Scripted()
    assert began(ModelPolicy(backend)).decide(yard.ask(("wait",), choice=Choice(method)), CHAT) == Decision("wait", "wait")
    assert backend.calls == []


def test_grammar_samples_in_further_attempts(yard):
    backend = Noting(["wait"] * 2)
    for attempt in (0, 1):
        began(ModelPolicy(backend, temperature=0.5), attempt=attempt).decide(yard.ask(MENU, choice=Choice("grammar")), CHAT)
    assert [asked.temperature for asked in backend.asked] == [0.0, 0.5]


# --- vote

VOTED = {"is_asked": True, "is_free": True, "first": "call"}
"""What a vote of free answers says besides, the first of which is a call."""


def vote(replies, yard, prior=(0.0,) * 4, tools=(), **how):
    backend = Noting(replies)
    decision = began(ModelPolicy(backend)).decide(
        yard.ask(MENU, prior=prior, tools=tools, choice=Choice("vote", samples=len(replies), **how)), CHAT
    )
    return decision, backend


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (["wait", "call", "wait"], "wait"),
        (["call", "wait", "wait"], "wait"),
        (["wait", "call", "call", "wait"], "wait"),  # the first given of equals
        (["call", "wait", "wait", "call"], "call"),
        (["dance", "dance", "> call."], "call"),  # what cannot be read has no vote
        (["dance", "sing"], "dance"),  # nothing can be read: the first answer stands
    ],
)
def test_vote_takes_what_most_answers_say(replies, expected, yard):
    assert vote(replies, yard)[0].command == expected


def test_vote_reports_the_answer_and_the_votes(yard):
    decision, _ = vote(["call", "> wait.", "wait", "dance"], yard)
    assert decision == Decision("> wait.", "wait", (("wait", 2.0), ("call", 1.0)), **VOTED, reply=Reply("> wait."))


def test_best_of_n_takes_the_answer_of_highest_prior(yard):
    replies = ["call", "call", "lift crate 1", "wait", "dance"]
    decision, _ = vote(replies, yard, prior=(0.0, 1.0, 1.0, 9.0), pick="best")
    # Not the walk, which no answer gave; the first of two equals.
    scores = (("lift crate 1", 1.0), ("wait", 1.0), ("call", 0.0))
    assert decision == Decision("lift crate 1", "lift crate 1", scores, **VOTED, reply=Reply("lift crate 1"))


def test_best_of_n_takes_a_tool_call_for_a_middling_command(yard):
    given = {"prior": (0.0, 4.0, 0.0, 0.0), "tools": ("read notes",), "pick": "best"}
    assert vote(["call", "read notes", "wait"], yard, **given)[0].command == "read notes"
    assert vote(["read notes", "lift crate 1"], yard, **given)[0].command == "lift crate 1"


def test_vote_of_tool_calls_counts(yard):
    assert vote(["wait", "note x", "note x"], yard, tools=("note {text}",))[0].command == "note x"


@pytest.mark.parametrize("constrained", [False, True])
def test_vote_samples_each_answer_on_its_own(constrained, yard):
    _, backend = vote(["wait"] * 4, yard, temperature=0.9, constrained=constrained)
    assert {asked.temperature for asked in backend.asked} == {0.9}
    assert len({asked.seed for asked in backend.asked}) == 4
    assert {asked.grammar for asked in backend.asked} == {gbnf(MENU) if constrained else None}


def test_vote_counts_the_tokens_of_every_answer(yard):
    _, backend = vote(["walk to dock 1", "wait", "a b c d e"], yard)
    words = backend.count_tokens(render_plain(CHAT))
    assert (backend.usage.calls, backend.usage.prompt_tokens, backend.usage.generated_tokens) == (3, 3 * words, 10)


THOUGHTFUL = [
    Reply("I should call.\nAction: call", "The lever is far."),
    Reply("Then I wait.\nAction: wait.", "A crate is near."),
    Reply("", "It is far from", finish="budget"),
    Reply("Action: dance", "wait"),
    Reply("Not call but\naction: Wait\nAction: wait", "call, call"),
]
"""Answers with thoughts, one of which did not end; no command stands in a thought."""


def test_vote_reads_each_answer_as_the_harness_says_and_no_thought(yard):
    thinking = Generation(tokens=20, thinking=Thinking("on", 64))
    reading = Reading("after", "Action:")
    backend = Noting(THOUGHTFUL)
    event = yard.ask(MENU, choice=Choice("vote", samples=5), reading=reading, generation=thinking)
    decision = began(ModelPolicy(backend)).decide(event, CHAT)
    assert (decision.command, decision.scores, decision.first) == ("wait", (("wait", 2.0), ("call", 1.0)), "call")
    # The reply is the first of those that gave the command; that one of the others was cut is said.
    assert (decision.thought, decision.finish, decision.is_cut) == ("A crate is near.", "budget", True)
    assert [asked.thinking for asked in backend.asked] == [Thinking("on", 64)] * 5


def test_vote_reads_json_calls_and_last_lines(yard):
    calls = [Reply("", tool_call=ToolCall("act", {"command": name}), finish="tool") for name in ("call", "wait", "wait")]
    given = [Reply('{"command": "wait"}'), Reply('So: {"command": "call"} or so'), Reply("call")]
    for reading, replies, expected in (
        (Reading("json"), given, "call"),
        (Reading("last"), ["I wait.\ncall", "call\nwait", "wait"], "wait"),
        (Reading("between", "<a>", "</a>"), ["<a>wait</a>", "wait <a>call</a>", "<a>call"], "call"),
        (Reading("tool"), calls, "wait"),
    ):
        backend = Noting(replies)
        event = yard.ask(MENU, choice=Choice("vote", samples=3), reading=reading, generation=Generation())
        assert began(ModelPolicy(backend)).decide(event, CHAT).command == expected, reading


def test_a_constrained_vote_lets_the_model_think_first(yard):
    backend = Noting([Reply("Why not.\nAction: call", "Hm."), Reply("So.\nAction: wait", "Hm."), Reply("\nAction: wait", "")])
    choice = Choice("vote", samples=3, constrained=True)
    event = yard.ask(MENU, choice=choice, reading=Reading("after", "Action:"), generation=Generation(thinking=Thinking("on", 8)))
    decision = began(ModelPolicy(backend)).decide(event, CHAT)
    assert (decision.command, decision.thought, decision.is_free) == ("wait", "Hm.", False)
    assert all("Action:" in asked.grammar for asked in backend.asked)


def seeds_of(seed, attempt, yard, steps=2):
    backend = Noting(["wait"] * 3 * steps)
    policy = began(ModelPolicy(backend), seed, attempt)
    for _ in range(steps):
        policy.decide(yard.ask(MENU, choice=Choice("vote", samples=3)), CHAT)
    return [asked.seed for asked in backend.asked]


def test_vote_follows_seed_attempt_and_step(yard):
    runs = [seeds_of(seed, attempt, yard) for seed in (0, 1) for attempt in (0, 1)]
    assert len({seed for run in runs for seed in run}) == 4 * 6
    assert seeds_of(1, 1, yard) == runs[3]


@pytest.mark.model
@pytest.mark.parametrize("method", ["grammar", "vote"])
def test_real_model_always_writes_what_is_on_offer(method, smollm2, yard):
    candidates = ('click[a "big" crate]', "lift crate 1 off dock 12", "walk to dock 1", "walk to dock 12")
    tools = ("note {text}",)
    how = Choice(method, samples=2, temperature=2.0, constrained=True)
    written = []
    for goal in ("put a crate on a dock", "sing", "write a note of 100 words"):
        chat = [{"role": "user", "content": f"Your task: {goal}. What do you do?"}]
        policy = began(ModelPolicy(smollm2, temperature=2.0), attempt=1)
        written.append(policy.decide(yard.ask(candidates, tools=tools, choice=how), chat))
    for decision in written:
        assert decision.command in candidates or filling(tools[0], decision.command)


@pytest.mark.parametrize("method", ["score", "rank"])
def test_further_attempts_sample_the_scores_by_seed_and_attempt(method, yard):
    def play(seed, attempt):
        policy = began(ModelPolicy(Scripted()), seed, attempt)
        return tuple(policy.decide(yard.ask(MENU, prior=(0.1, 0.0, 0.0, 0.0), choice=Choice(method)), CHAT).command for _ in range(30))

    assert set(play(0, 0)) == {"call"}
    assert set(play(0, 1)) == set(MENU)
    assert play(0, 1) == play(0, 1)
    assert len({play(seed, attempt) for seed in (0, 1) for attempt in (1, 2)}) == 4


def test_first_attempt_after_another_is_greedy_again(yard):
    policy = began(ModelPolicy(Scripted()), attempt=1)
    policy.begin(0, 0, None)
    asked = yard.ask(MENU, prior=(0.1, 0.0, 0.0, 0.0), choice=Choice("rank"))
    assert {policy.decide(asked, CHAT).command for _ in range(30)} == {"call"}


@pytest.mark.parametrize(("spare", "expected"), [(0, True), (-1, False)])
def test_prompt_fits_with_twice_the_longest_answer(spare, expected, yard):
    chat = [{"role": "user", "content": "one two three"}]
    words = Scripted().count_tokens(chat)
    assert words >= 3
    assert ModelPolicy(Scripted(n_ctx=words + 2 * 24 + spare)).fits(yard.ask(MENU), chat) == expected


@pytest.mark.parametrize(("spare", "expected"), [(0, True), (-1, False)])
def test_prompt_fits_with_the_longest_command_that_is_scored(spare, expected, yard):
    chat = [{"role": "user", "content": "one two three"}]
    longest = "say" + " again" * (3 * 24)
    need = Scripted().count_tokens(chat) + Scripted().count_tokens((longest,))
    event = yard.ask(("wait", longest), choice=Choice("score"))
    assert ModelPolicy(Scripted(n_ctx=need + spare)).fits(event, chat) == expected
    assert ModelPolicy(Scripted(n_ctx=need + spare)).fits(replace(event, choice=Choice("generate")), chat)


@pytest.mark.parametrize(
    ("response", "command"),
    [
        ("wait", "wait"),
        ("  wait  \nwalk", "wait"),
        ("\n \n> wait", "wait"),
        (">> walk to dock 1.", "walk to dock 1"),
        ('"walk to dock 1."', "walk to dock 1"),
        ("`wait`", "wait"),
        ("**wait**", "wait"),
        ("Wait.", "Wait"),
        ("...", ""),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_command_is_read_from_an_answer(response, command):
    assert read_answer(Reply(response), Reading()) == command


# --- a reply written again


RETRY = Choice("generate", retry=True)


@pytest.mark.parametrize(
    ("first", "command"),
    [("sing", "lift crate 1"), ("", "lift crate 1"), ("lift crate 2", "lift crate 1"), ("wait", "wait"), ("`wait`.", "wait")],
)
def test_a_reply_that_names_no_command_on_offer_is_written_again_under_the_grammar(first, command, yard):
    backend = Noting([first, "lift crate 1"], has_grammar=True)
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=RETRY), CHAT)
    assert decision.command == command
    again = command != "wait"
    assert [asked.grammar for asked in backend.asked] == [None, gbnf(MENU)][: 1 + again]
    assert (decision.is_free, decision.first) == ((False, read_command(first)) if again else (True, None))


def test_nothing_is_written_again_unless_asked_or_where_no_grammar_holds(yard):
    for choice, has_grammar, tool in ((Choice("generate"), True, ""), (RETRY, False, ""), (RETRY, True, "tool")):
        backend = Noting(["sing"], has_grammar=has_grammar)
        event = yard.ask(MENU, choice=choice, reading=Reading(tool or "first"))
        assert began(ModelPolicy(backend)).decide(event, CHAT).command == "sing"


def test_what_was_cut_is_named_though_the_second_reply_is_whole(yard):
    backend = Noting([Reply("I think of", finish="length"), Reply("wait")], has_grammar=True)
    decision = began(ModelPolicy(backend)).decide(yard.ask(MENU, choice=RETRY), CHAT)
    assert (decision.command, decision.is_cut) == ("wait", True)
