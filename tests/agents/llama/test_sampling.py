"""From logits to tokens: every step against a slow reading of its definition, and frequencies against probabilities."""

import math
from collections import Counter

import numpy as np
import pytest

from homebody.agents.errors import BadRequestError
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama.sampling import ChainSampler, Sampler, open_sampler

ROW = np.array([2.0, 1.0, 1.0, -1.0, 0.5, 3.0, -4.0], np.float32)


def probabilities(row, *, temperature, top_k=0, top_p=1.0, min_p=0.0, counts=None, presence=0.0, frequency=0.0, repetition=1.0):
    """The distribution that a `Generation` means, token by token."""
    logits = [float(value) for value in row]
    for token, count in (counts or {}).items():
        logits[token] = logits[token] / repetition if logits[token] > 0 else logits[token] * repetition
        logits[token] -= presence + frequency * count
    weights = {token: math.exp((logit - max(logits)) / temperature) for token, logit in enumerate(logits)}
    order = sorted(weights, key=lambda token: (-weights[token], token))
    order = order[: top_k or len(order)]
    total, kept, reached = sum(weights[token] for token in order), [], 0.0
    for token in order:
        kept.append(token)
        reached += weights[token]
        if reached >= top_p * total:
            break
    kept = [token for token in kept if weights[token] >= min_p * weights[order[0]]]
    whole = sum(weights[token] for token in kept)
    return {token: weights[token] / whole for token in kept}


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 1.0},
        {"temperature": 0.5},
        {"temperature": 1.0, "top_k": 3},
        {"temperature": 1.0, "top_k": 2},  # Of two equal ones the first stays.
        {"temperature": 2.0, "top_p": 0.7},
        {"temperature": 1.0, "top_p": 0.001},
        {"temperature": 1.0, "min_p": 0.1},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.9, "min_p": 0.05},
        {"temperature": 1.0, "top_k": 99},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_tokens_come_as_often_as_they_are_likely(given, is_on_gpu):
    expected = probabilities(ROW, **given)
    n = 6000
    with open_sampler(Generation(seed=5, **given), len(ROW), is_on_gpu=is_on_gpu) as sampler:
        assert isinstance(sampler, ChainSampler) == is_on_gpu
        counts = Counter(sampler(ROW) for _ in range(n))
    assert set(counts) <= set(expected)
    for token, value in expected.items():
        assert abs(counts[token] - n * value) < 4.5 * math.sqrt(n * value * (1 - value)) + 1


@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_penalties_count_what_the_reply_holds(is_on_gpu):
    given = {"presence_penalty": 0.5, "frequency_penalty": 0.25, "repetition_penalty": 1.5}
    with open_sampler(Generation(temperature=1.0, seed=1, **given), len(ROW), is_on_gpu=is_on_gpu) as sampler:
        for token in (5, 5, 3):
            sampler.note(token)
        expected = probabilities(ROW, temperature=1.0, counts={5: 2, 3: 1}, presence=0.5, frequency=0.25, repetition=1.5)
        counts = Counter(sampler(ROW) for _ in range(6000))
    for token, value in expected.items():
        assert abs(counts[token] - 6000 * value) < 4.5 * math.sqrt(6000 * value * (1 - value)) + 1
    # Greedy, too: 3 / 1.5 - 0.5 - 0.5 is below 2.
    greedy = Sampler(Generation(**given))
    assert greedy(ROW) == 5
    for token in (5, 5):
        greedy.note(token)
    assert greedy(ROW) == 0


def test_same_seed_same_tokens_and_the_logits_stay():
    row = ROW.copy()
    runs = [[Sampler(Generation(temperature=1.0, top_p=0.9, presence_penalty=1.0, seed=seed))(row) for _ in range(5)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert (row == ROW).all()
    sampler = Sampler(Generation(temperature=1.0, seed=1))
    again = Sampler(Generation(temperature=1.0, seed=1))
    assert [sampler(row) for _ in range(40)] == [again(row) for _ in range(40)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tokens": -1}, "tokens is -1"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": math.nan}, "top_p is nan"),
        ({"min_p": 1.1}, "min_p is 1.1"),
        ({"presence_penalty": math.inf}, "presence_penalty is inf"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_is_out_of_range_is_named(wrong, said):
    with pytest.raises(BadRequestError, match=f"{said}; allowed: "):
        Generation(**wrong)


def test_a_gpu_draws_by_the_seed_and_takes_the_first_without_a_temperature():
    def draw(seed, temperature=1.0):
        with open_sampler(Generation(temperature=temperature, seed=seed), len(ROW), is_on_gpu=True) as sampler:
            return [sampler(ROW) for _ in range(30)]

    assert draw(3) == draw(3) != draw(4)
    assert draw(2**40) == draw(2**40)
    assert draw(0, temperature=0.0) == [5] * 30
