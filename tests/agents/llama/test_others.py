"""Answers after the first one: their order, that they leave no trace, and what bounds them."""

import numpy as np
import pytest

from homebody.agents.harness.grammar import gbnf
from homebody.agents.models.backend import Branching
from homebody.agents.models.generation import Generation, Thinking
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.models.llama.run import Run
from homebody.agents.models.llama.sampling import Sampler

PROMPT = ("you see a red cup.", " what next?")
FAST = ("llama", "qwen35", "mamba")
"""A model that forgets the end of what it read, a hybrid one and a recurrent one."""
PLAIN = "{% for m in messages %}({{ m.role }}){{ m.content }}(done){% endfor %}{% if add_generation_prompt %}(assistant){% endif %}"
OPENS = (
    "{% for m in messages %}({{ m.role }}){{ m.content }}(done){% endfor %}{% if add_generation_prompt %}(assistant)<think>\n{% endif %}"
)


def others(model: LlamaCpp, most: int, generation: Generation, prompt=PROMPT, span=lambda text: (0, len(text))) -> list[str]:
    """Return the answers that a model is made to write, the first one included."""
    found = []

    def refuses(reply):
        found.append(reply.text)
        return span(reply.text)

    model.chat_unless(refuses, prompt, generation, others=most)
    return found


def unless(wanted):
    """Refuse what is not wanted."""
    return lambda reply: None if wanted(reply) else (0, len(reply.text))


def spelt(model: LlamaCpp, tokens) -> str:
    return b"".join(model.engine.piece(token) for token in tokens).decode("utf-8", "replace")


def test_they_come_in_the_order_of_what_is_lost(tiny):
    model = tiny()
    size, row = model.read(PROMPT, 2)
    first = row.astype(float)
    answers = {}
    for token in np.argsort(-first)[:40]:
        if model.engine.ends(token):
            continue
        with model.engine.copies(1):
            second = model.engine.decode([int(token)], size, 1, outputs=1)[0].astype(float)
        for last in np.argsort(-second)[:40]:
            answers[int(token), int(last)] = first.max() - first[token] + second.max() - second[last]
    best = [answer for answer in sorted(answers, key=lambda pair: answers[pair]) if not any(map(model.engine.ends, answer))]
    assert others(model, 12, Generation(tokens=2)) == [spelt(model, answer) for answer in best[:13]]


@pytest.mark.parametrize("architecture", FAST)
def test_the_same_request_gives_the_same_ones_and_leaves_no_trace(tiny, architecture):
    asked = Generation(tokens=12)
    fresh, used = tiny(architecture), tiny(architecture)
    before = used.chat(PROMPT, asked).text
    used.score(PROMPT, [" a", " red"])
    found = others(used, 5, asked)
    assert found == others(fresh, 5, asked)
    assert found[0] == before == used.chat(PROMPT, asked).text
    assert len(found) == 6
    assert len(set(found)) > 3  # bytes of no character look alike


def test_the_first_that_is_accepted_is_returned_and_else_the_first_of_all(tiny):
    model = tiny()
    assert isinstance(model, Branching)
    found = others(model, 4, Generation(tokens=8))
    ask = lambda wanted, most: model.chat_unless(unless(wanted), PROMPT, Generation(tokens=8), others=most).text  # noqa: E731
    assert ask(lambda reply: reply.text == found[3], 4) == found[3]
    assert ask(lambda reply: reply.text == found[3], 2) == found[0]
    assert ask(lambda reply: True, 4) == found[0]


def test_tokens_of_all_answers_are_counted(tiny):
    model = tiny()
    before = model.usage.snapshot()
    others(model, 3, Generation(tokens=6))
    spent = model.usage - before
    assert spent.calls == 1
    assert 6 + 3 <= spent.generated_tokens <= 6 + 3 * 6


def test_under_a_grammar_they_are_commands_too(tiny):
    menu = ("look", "go to box 1", "go to box 2", "take cup")
    found = others(tiny(), 60, Generation(tokens=40, grammar=gbnf(menu)))
    assert set(found) == set(menu)  # some several times, spelt by other tokens


def test_they_keep_what_is_to_be_kept(fixed):
    model = fixed(PLAIN, ")you see a box: wait<|end|>", own=("wait",))
    chat = [{"role": "user", "content": "what next?"}]
    begun = "you see a box:"
    found = others(model, 6, Generation(tokens=8), chat, span=lambda text: (len(begun), len(text)))
    assert found[0] == "you see a box: wait"
    assert all(text.startswith(begun) for text in found)
    assert len(set(found)) > 3
    assert not all(text.startswith("you") for text in others(model, 6, Generation(tokens=8), chat))


def test_where_an_answer_may_be_left_can_change(fixed):
    model = fixed(PLAIN, ")you see a box: wait<|end|>", own=("wait",))
    chat = [{"role": "user", "content": "what next?"}]
    found = others(model, 8, Generation(tokens=8), chat, span=lambda text: (4 if text.startswith("you see a") else 0, len(text)))
    assert all(text.startswith("you ") for text in found)


def test_what_follows_the_command_is_no_place_to_leave_it(fixed):
    model = fixed(PLAIN, ")you see a box: wait<|end|>", own=("wait",))
    chat = [{"role": "user", "content": "what next?"}]
    found = others(model, 6, Generation(tokens=8), chat, span=lambda text: (0, 3))
    assert not any(text.startswith("you") for text in found[1:])


def test_no_other_opens_a_thought(fixed):
    model = fixed(OPENS, "\nyou see the box</think>\n\n<think>wait<|end|>", own=("wait",))
    generation = Generation(tokens=6, thinking=Thinking("on", budget=20))
    found = others(model, 6, generation, [{"role": "user", "content": "you see a box."}])
    assert len(found) == 7
    assert not any("<think>" in text for text in found)
    assert sum(text == "" for text in found) <= 1


def test_what_is_written_token_by_token_is_that_of_the_answer(tiny):
    model = tiny()
    told = []
    model.on_text = lambda text, prompt, tokens, logs: told.append((text, tokens, logs))
    found = others(model, 3, Generation(tokens=8))
    model.chat_unless(unless(lambda reply: reply.text == found[2]), PROMPT, Generation(tokens=8), others=3)
    (first, *_), (text, tokens, logs) = told
    assert (first, text) == (found[0], found[2])
    assert text == spelt(model, tokens)
    assert len(logs) == len(tokens)
    again, expected = model.trace(PROMPT, text)
    if again == tokens:  # A text may be spelt by other tokens, too.
        np.testing.assert_allclose(logs, expected, atol=1e-3)


def test_none_is_an_answer_that_is_cut_short(tiny):
    model = tiny()
    start, row = model.read(PROMPT, 4)
    end = next(token for token in np.argsort(-row) if model.engine.ends(int(token)))
    better = [int(token) for token in np.flatnonzero(row > row[end])]
    with model.engine.copies(1):
        run = Run(model.engine, start, row, Sampler(Generation()))
        assert run.next_best(better, None, goes_on=False)[0] == end
        found = run.next_best(better, None, goes_on=True)
    assert not model.engine.ends(found[0])
    assert found[1] > float(row.max() - row[end])


def test_stops_end_a_slot_of_several_lines_under_a_grammar_too(tiny):
    grammar = gbnf(["note {text}"], slot_lines=["note {text}"])
    free = tiny().chat(PROMPT, Generation(tokens=30, grammar=grammar)).text
    mark = free[8:10]
    text = tiny().chat(PROMPT, Generation(tokens=30, grammar=grammar, stop=(mark,))).text
    assert text == free[: free.find(mark)]


def test_a_sampling_model_has_one_answer(tiny):
    assert len(others(tiny(), 4, Generation(tokens=8, temperature=0.8, seed=3))) == 0


def test_they_share_the_thought(fixed):
    model = fixed(OPENS, "\nyou see the box</think>\n\nwait<|end|>", own=("wait",))
    replies = []
    generation = Generation(tokens=6, thinking=Thinking("on", budget=20))
    chat = [{"role": "user", "content": "you see a box."}]
    third = unless(lambda reply: replies.append(reply) or len(replies) == 3)
    chosen = model.chat_unless(third, chat, generation, others=4)
    assert chosen.thought == "you see the box"
    assert replies[0].text.strip() == "wait"
    assert chosen.text == replies[2].text != replies[0].text
    assert model.score(chat, [" a"], chosen) == model.score(chat, [" a"], model.chat(chat, generation))
