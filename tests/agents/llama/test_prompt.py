"""What is cached never shows in a result: transformers, with and without a sliding window, recurrent and hybrid models."""

import random

import llama_cpp
import numpy as np
import pytest

from homebody.agents.errors import DecodeError
from homebody.agents.models.generation import Generation
from homebody.agents.models.gguf import read_header
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.models.llama.prompt import RECENT

ARCHITECTURES = ["llama", "gemma3", "mamba", "jamba", "qwen35"]
SYSTEM = "you are here and look at the shelf, the box and the cup. take one."
MENU = ["go to shelf 1", "go to shelf 2", "go to box", "look", "take the red cup from shelf 1", "open box", ""]
SIDE = ("the lamp is in the",)


def episode(steps, candidates=True):
    """The prompt at a step: the candidates stands at its end only."""
    turns = [f"\nyou see a {'red' if step % 2 else 'blue'} box on shelf {step}.\n>go to shelf {step + 1}" for step in range(steps)]
    return (SYSTEM, *turns, "\nyou see a lamp.", *(["\none of: look, open box, go to box", "\n>"] if candidates else ["\n>"]))


def ask(backend, kind, segments):
    if kind == "score":
        return backend.score(segments, MENU)
    settings = {"greedy": {}, "sample": {"temperature": 1.5, "seed": 3}}[kind]
    return backend.chat(segments, Generation(tokens=9, **settings)).text


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.mark.parametrize(("saved_bytes", "n_points"), [(0, 0), (60_000, 3), (100_000_000, 12)])
def test_results_do_not_depend_on_what_was_asked_before(tiny, architecture, saved_bytes, n_points):
    """A hundred calls in random order, against each alone in a fresh model; with no, little and enough memory for saved states."""
    prompts = [
        *(episode(steps, candidates) for steps in range(6) for candidates in (True, False)),
        SIDE,
        ("the lamp is",),
        (SYSTEM,),
        (SYSTEM[:9],),
    ]
    calls = [(kind, prompt) for kind in ("score", "greedy", "sample") for prompt in prompts]
    alone = tiny(architecture)
    expected = {}
    for call in calls:
        alone.forget()
        expected[call] = ask(alone, *call)
    backend = tiny(architecture)
    backend.prompts.saved_bytes, backend.prompts.n_points = saved_bytes, n_points
    draw = random.Random(saved_bytes)
    for call in draw.choices(calls, k=100):
        assert ask(backend, *call) == expected[call], call
    if saved_bytes == 100_000_000:
        assert backend.usage.cached_tokens > backend.usage.prompt_tokens // 2


@pytest.mark.parametrize("n_batch", [7, 64])
def test_segments_longer_than_a_batch(tiny, architecture, n_batch):
    expected = [ask(tiny(architecture, n_batch=n_batch), "score", episode(4)), ask(tiny(architecture, n_batch=n_batch), "greedy", SIDE)]
    backend = tiny(architecture, n_batch=n_batch)
    for steps in range(5):
        ask(backend, "score", episode(steps))
        assert ask(backend, "greedy", SIDE) == expected[1]
    assert ask(backend, "score", episode(4)) == expected[0]
    assert ask(backend, "score", episode(4)) == expected[0]


def test_side_questions_do_not_evict_the_episode(tiny, architecture):
    """Each step asks two questions of its own, as a processor may; the episode's prompt and the questions stay known."""
    backend = tiny(architecture)
    backend.score(episode(0), MENU)
    for step in range(1, 6):
        for question in (SIDE, ("the cup is",)):
            before = backend.usage.snapshot()
            backend.score(question, [" box", " shelf"])
            used = backend.usage - before
            assert used.cached_tokens == (used.prompt_tokens if step > 1 else 0)
        before = backend.usage.snapshot()
        backend.score(episode(step), MENU)
        used = backend.usage - before
        known = backend.count_tokens(episode(step)[:step])
        assert used.cached_tokens == known


def test_seed_prompt_stays_known_to_the_next_episode(tiny, architecture):
    backend = tiny(architecture)
    for step in range(6):
        backend.score(episode(step), MENU)
    before = backend.usage.snapshot()
    backend.score((SYSTEM, "\nanother box.", "\n>"), MENU)
    assert (backend.usage - before).cached_tokens == backend.count_tokens((SYSTEM,))
    before = backend.usage.snapshot()
    backend.score(episode(5), MENU)  # The first episode was saved, not lost.
    used = backend.usage - before
    assert used.cached_tokens == used.prompt_tokens


def test_saved_states_are_bounded_and_the_least_recently_used_go_first(tiny):
    backend = tiny("llama")
    cup, box, lamp, one, two = questions = [(f"the {word} is in the",) for word in ("cup", "box", "lamp", "red", "blue")]
    backend.score(cup, MENU)
    memory = backend.prompts
    each = backend.engine.state_size() + 4 * backend.engine.n_vocab  # The logits are 4-byte numbers.
    memory.saved_bytes = 2 * each + 50
    for question in questions[1:4]:
        backend.score(question, MENU)
    assert list(memory.saved) == [box, lamp]
    backend.score(box, MENU)
    assert list(memory.saved) == [lamp, one]
    backend.score(two, MENU)
    assert list(memory.saved) == [one, box]
    memory.saved_bytes = 10  # Not even one: nothing is copied.
    backend.score(cup, MENU)
    assert list(memory.saved) == [one, box]


def test_state_that_llama_refuses_is_evaluated_again(tiny, architecture, monkeypatch):
    backend = tiny(architecture)
    expected = ask(backend, "score", episode(2))
    ask(backend, "greedy", SIDE)
    for name in ("llama_state_seq_set_data", "llama_state_seq_set_data_ext"):
        monkeypatch.setattr(llama_cpp, name, lambda *_: 0)
    before = backend.usage.snapshot()
    assert ask(backend, "score", episode(2)) == expected
    assert (backend.usage - before).cached_tokens == 0


def test_memory_that_unexpectedly_keeps_a_tail_is_evaluated_again(tiny, monkeypatch):
    backend = tiny("llama")
    ask(backend, "score", episode(2))
    expected = ask(tiny("llama"), "score", episode(3))
    monkeypatch.setattr(backend.engine, "go_back", lambda size, point: False)
    before = backend.usage.snapshot()
    assert ask(backend, "score", episode(3)) == expected
    assert (backend.usage - before).cached_tokens == 0


@pytest.mark.parametrize("fails_at", [1, 2, 4])
def test_after_a_failure(tiny, architecture, monkeypatch, fails_at):
    expected = ask(tiny(architecture), "score", episode(3))
    backend = tiny(architecture)
    ask(backend, "score", episode(1))
    real, calls = llama_cpp.llama_decode, []

    def fails_once(context, batch):
        calls.append(1)
        return 1 if len(calls) == fails_at else real(context, batch)

    monkeypatch.setattr(llama_cpp, "llama_decode", fails_once)
    with pytest.raises(DecodeError, match=f"tiny {architecture}: llama.cpp could not evaluate the batch: status 1"):
        ask(backend, "score", episode(3))
    assert ask(backend, "score", episode(3)) == expected


def test_continuations_score_the_same_in_any_order(tiny, architecture):
    backend = tiny(architecture)
    known = dict(zip(MENU, backend.score(episode(2), MENU), strict=True))
    order = MENU * 2
    random.Random(4).shuffle(order)
    assert backend.score(episode(2), order) == [known[text] for text in order]
    assert known[""] == 0.0


def test_scores_are_near_the_sum_along_a_plain_prompt(tiny, architecture):
    """By another road: the continuation as a part of the prompt, one token at a time. Keys and values are kept in 16 bits."""
    backend = tiny(architecture)
    for text, score in zip(MENU, backend.score(episode(2), MENU), strict=True):
        total, given = 0.0, list(episode(2))
        for token in backend.engine.tokenize(text, False):
            row = backend.read(given, 1)[1].astype(np.float64)
            total += row[token] - np.log(np.exp(row - row.max()).sum()) - row.max()
            given.append(backend.engine.piece(token).decode())
        assert score == pytest.approx(total, abs=0.01)


def test_a_long_answer_after_any_history_is_that_of_a_fresh_model(tiny_file, architecture):
    """Prompts many times longer than the sliding window, saved and taken up again at their end and in their midst; 30 tokens each."""
    prompts = [(SYSTEM, *(f"\n{word} {turn}: you see the {word} box on shelf {turn}." for turn in range(turns)), "\n>")
               for word in ("red", "blue") for turns in (0, 2, 5, 9)]  # fmt: skip

    def write(backend, prompt):
        logs = []
        backend.on_text = lambda *given: logs.append(given)
        backend.chat(prompt, Generation(tokens=30))
        return logs, backend.read(prompt)[1].tobytes()

    path = tiny_file(architecture)
    expected = []
    for prompt in prompts:
        with LlamaCpp(path, name="fresh") as fresh:
            expected.append(write(fresh, prompt))
    assert max(len(logs[0][1]) for logs, _ in expected) > 6 * 24  # The window of the tiny gemma3.
    with LlamaCpp(path, name="used") as used:
        for number in (0, 3, 7, 3, 2, 6, 3, 0, 5, 7, 1, 4, 3, 2, 7, 5):
            assert write(used, prompts[number]) == expected[number], number


@pytest.mark.parametrize("architecture", ["jamba", "qwen35"])
def test_points_take_a_tenth_of_the_state_after_each_segment(tiny, architecture):
    backend = tiny(architecture)
    for step in range(25):
        before = backend.usage.snapshot()
        backend.score(episode(step, candidates=False), MENU)
        assert step == 0 or (backend.usage - before).cached_tokens == backend.count_tokens(episode(step)[:step])
    segments = episode(24)
    whole = 0
    for end in range(1, len(segments) + 1):
        fresh = tiny(architecture)
        fresh.read(segments[:end])
        whole += fresh.engine.state_size()
    assert 0 < backend.prompts.n_bytes < whole / 10
    assert len(backend.prompts.points) <= 2 + RECENT


@pytest.mark.parametrize("architecture", ["mamba", "jamba", "qwen35"])
def test_a_point_has_the_size_that_the_head_of_the_file_says(tiny, tiny_file, architecture):
    backend = tiny(architecture)
    backend.read(episode(1))
    size = read_header(tiny_file(architecture)).state_bytes
    assert size <= len(backend.engine.point()) < size + 200  # What each layer is, beside its numbers.


def test_where_another_conversation_began_stays_known(tiny, architecture):
    """Examples in turns of their own, and episodes after them: the third knows all that the first two have in common."""
    backend = tiny(architecture)
    shown = (SYSTEM, "\ngo to shelf 1", "\nlook", "\ngo to box", "\nopen box")
    task = lambda name: (*shown, *(f"\n{name} {turn}: you see a lamp on shelf {turn}." for turn in range(8)), "\n>")  # noqa: E731
    backend.score(task("red"), MENU)
    backend.score(task("blue"), MENU)
    before = backend.usage.snapshot()
    backend.score(task("cup"), MENU)
    assert (backend.usage - before).cached_tokens == backend.count_tokens(shown)
