"""Who chooses: the controls, and a model that writes, scores or is not asked."""

import math
from collections import Counter

import numpy as np
import pytest

from homebody.agents.decider import (
    CONTROLS,
    MAX_COMMAND_TOKENS,
    Decision,
    ExpertDecider,
    FlatDecider,
    ModelDecider,
    NoExpertError,
    RandomDecider,
    best,
    read_command,
)
from homebody.agents.scripted import Scripted

MENU = ("call", "lift crate 1", "wait", "walk to dock 1")
CHAT = [{"role": "user", "content": "A yard."}]


class Noting(Scripted):
    """Notes how each text is asked for."""

    def generate(self, segments, **settings):
        self.asked = [*getattr(self, "asked", []), settings]
        return super().generate(segments, **settings)


def began(decider, seed=0, attempt=0, expert=None):
    decider.begin(seed, attempt, expert)
    return decider


# --- controls


def test_controls_have_names_and_no_model():
    deciders = [RandomDecider(), FlatDecider(), ExpertDecider()]
    assert tuple(decider.name for decider in deciders) == CONTROLS
    for decider in deciders:
        assert decider.fingerprint == {"decider": decider.name}
        assert decider.score is None
        assert decider.usage.calls == 0
        assert decider.fits([{"role": "user", "content": "x" * 10**6}])


def draws(seed, attempt, n, yard):
    decider = began(RandomDecider(), seed, attempt)
    return [decider.decide(yard.ask(MENU, bias=(9.0, 0.0, 0.0, 0.0)), CHAT).command for _ in range(n)]


def test_random_is_uniform_whatever_the_bias(yard):
    counts = Counter(draws(0, 0, 4000, yard))
    assert set(counts) == set(MENU)
    # 1000 each, with a standard deviation of 27.
    assert all(abs(count - 1000) < 130 for count in counts.values())


def test_random_follows_seed_and_attempt(yard):
    assert draws(1, 0, 30, yard) == draws(1, 0, 30, yard)
    assert len({tuple(draws(seed, attempt, 30, yard)) for seed in (0, 1) for attempt in (0, 1)}) == 4


def test_random_answers_with_the_command_itself(yard):
    assert began(RandomDecider()).decide(yard.ask(("wait",)), CHAT) == Decision("wait", "wait")


def test_flat_takes_the_highest_bias_first_of_equals(yard):
    decision = began(FlatDecider()).decide(yard.ask(MENU, bias=(0.0, 2.0, 1.0, 2.0)), CHAT)
    scores = (("lift crate 1", 2.0), ("walk to dock 1", 2.0), ("wait", 1.0), ("call", 0.0))
    assert decision == Decision("lift crate 1", "lift crate 1", scores)


def test_expert_plays_the_plan_even_off_the_menu(yard):
    decider = began(ExpertDecider(), expert=lambda: ["unlock shed 1", "wait"])
    assert decider.decide(yard.ask(MENU), CHAT) == Decision("unlock shed 1", "unlock shed 1")


def test_expert_without_a_plan_takes_the_first_command(yard):
    assert began(ExpertDecider(), expert=list).decide(yard.ask(MENU), CHAT).command == "call"


def test_expert_needs_an_expert(yard):
    with pytest.raises(NoExpertError, match=r"^this environment has no expert\(\) method, so the decider 'expert' cannot play it; choose"):
        began(ExpertDecider()).decide(yard.ask(MENU), CHAT)


# --- best


def test_best_lists_at_most_five_scores_rounded():
    decision = best("abcdef", [0.1, 0.5, 0.30000049, 0.2, 0.4, 0.0])
    assert decision.command == "b"
    assert decision.scores == (("b", 0.5), ("e", 0.4), ("c", 0.3), ("d", 0.2), ("a", 0.1))


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.8), (2.0, 2 / 3)])
def test_best_with_a_generator_samples_from_the_softmax(temperature, share):
    rng = np.random.Generator(np.random.PCG64(5))
    # Odds of 4 to 1, at temperature 2 their root.
    scores = [math.log(4.0), 0.0]
    taken = sum(best(["a", "b"], scores, rng, temperature).command == "a" for _ in range(4000))
    # Four standard deviations are 0.03.
    assert taken / 4000 == pytest.approx(share, abs=0.03)


# --- a model


def test_model_is_named_and_counted():
    backend = Scripted(name="tiny")
    decider = ModelDecider(backend)
    assert decider.name == "tiny"
    assert decider.fingerprint == {"decider": "model", "engine": "scripted", "model": "tiny"}
    assert decider.usage is backend.usage


def test_model_scores_texts_after_a_plain_prefix():
    backend = Scripted(scores=lambda prompt, text: -float(len(text)))
    assert ModelDecider(backend).score("In the", [" dock", " vat"]) == [-5.0, -4.0]
    assert backend.calls[0].segments == ("In the",)


def test_generate_reads_a_command_from_a_greedy_answer(yard):
    backend = Noting(["> Walk to dock 1.\nand then rest"])
    decision = began(ModelDecider(backend), seed=3).decide(yard.ask(MENU), CHAT)
    assert decision == Decision("> Walk to dock 1.", "Walk to dock 1")
    assert backend.asked == [{"max_tokens": MAX_COMMAND_TOKENS, "stop": ("\n",)}]
    assert backend.calls[0].segments == backend.segments(CHAT)


def settings_of(seed, attempt, yard):
    backend = Noting(["wait", "wait"])
    decider = began(ModelDecider(backend, temperature=0.7), seed, attempt)
    for _ in range(2):
        decider.decide(yard.ask(MENU), CHAT)
    return [(asked["temperature"], asked["seed"]) for asked in backend.asked]


def test_further_attempts_sample_by_seed_attempt_and_step(yard):
    runs = {(seed, attempt): settings_of(seed, attempt, yard) for seed in (0, 1) for attempt in (1, 2)}
    assert {temperature for run in runs.values() for temperature, _ in run} == {0.7}
    assert len({seed for run in runs.values() for _, seed in run}) == 8
    assert settings_of(1, 2, yard) == runs[1, 2]


LOGS = {"call": -4.0, "lift crate 1": -6.0, "wait": -3.0, "walk to dock 1": -7.0}


@pytest.mark.parametrize(
    ("normalize", "bias", "expected"),
    [
        # Lengths 4, 12, 4, 14: by character -1, -0.5, -0.75 and -0.5; the first of equals.
        ("sum", (0.0,) * 4, "wait"),
        ("mean", (0.0,) * 4, "lift crate 1"),
        ("sum", (0.0, 0.0, 0.0, 4.5), "walk to dock 1"),
        ("mean", (0.75, 0.0, 0.0, 0.0), "call"),
    ],
)
def test_score_takes_the_highest_sum_of_log_probability_and_bias(normalize, bias, expected, yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelDecider(backend)).decide(yard.ask(MENU, bias=bias, method="score", normalize=normalize), CHAT)
    assert decision.command == decision.response == expected
    assert backend.calls[0].continuations == MENU
    assert backend.calls[0].segments == backend.segments(CHAT)


def test_score_reports_the_sums(yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelDecider(backend)).decide(yard.ask(MENU, bias=(0.0, 0.0, 0.5, 0.0), method="score"), CHAT)
    assert decision.scores == (("wait", -2.5), ("call", -4.0), ("lift crate 1", -6.0), ("walk to dock 1", -7.0))


def test_score_of_a_single_command_asks_no_one(yard):
    backend = Scripted()
    decision = began(ModelDecider(backend)).decide(yard.ask(("wait",), bias=(1.5,), method="score"), CHAT)
    assert decision == Decision("wait", "wait", (("wait", 1.5),))
    assert backend.calls == []


def test_rank_takes_the_bias_and_asks_no_one(yard):
    backend = Scripted(scores=lambda prompt, text: LOGS[text])
    decision = began(ModelDecider(backend)).decide(yard.ask(MENU, bias=(0.0, 1.0, 0.0, 1.0), method="rank"), CHAT)
    assert decision.command == "lift crate 1"
    assert backend.calls == []


@pytest.mark.parametrize("method", ["score", "rank"])
def test_further_attempts_sample_the_scores_by_seed_and_attempt(method, yard):
    def play(seed, attempt):
        decider = began(ModelDecider(Scripted()), seed, attempt)
        return tuple(decider.decide(yard.ask(MENU, method=method), CHAT).command for _ in range(30))

    assert set(play(0, 0)) == {"call"}
    assert set(play(0, 1)) == set(MENU)
    assert play(0, 1) == play(0, 1)
    assert len({play(seed, attempt) for seed in (0, 1) for attempt in (1, 2)}) == 4


def test_first_attempt_after_another_is_greedy_again(yard):
    decider = began(ModelDecider(Scripted()), attempt=1)
    decider.begin(0, 0, None)
    assert {decider.decide(yard.ask(MENU, method="rank"), CHAT).command for _ in range(30)} == {"call"}


@pytest.mark.parametrize(("spare", "expected"), [(0, True), (-1, False)])
def test_prompt_fits_with_twice_the_longest_answer(spare, expected):
    chat = [{"role": "user", "content": "one two three"}]
    words = Scripted().count_tokens(Scripted().segments(chat))
    assert words >= 3
    assert ModelDecider(Scripted(n_ctx=words + 2 * MAX_COMMAND_TOKENS + spare)).fits(chat) == expected


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
    assert read_command(response) == command
