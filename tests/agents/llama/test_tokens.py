"""What a model chose, token by token: the hook of `generate`, and the tokens and log-probabilities of a given text."""

from collections.abc import Callable

import pytest

from homebody.agents.errors import BackendClosedError, ContextOverflowError
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama import LlamaCpp

PROMPT = ("you see a red box. ", "go to ")


def test_the_hook_hears_every_token_and_changes_nothing(tiny: Callable[..., LlamaCpp]) -> None:
    model = tiny()
    plain = model.chat(PROMPT, Generation(tokens=6)).text
    heard: list[tuple[str, list[int], list[int], list[float]]] = []
    model.on_text = lambda *written: heard.append(written)
    assert model.chat(PROMPT, Generation(tokens=6)).text == plain
    ((text, prompt, tokens, logs),) = heard
    assert prompt == model.tokens(PROMPT)
    assert text == plain
    assert 1 <= len(tokens) == len(logs) <= 6
    assert all(value <= 0.0 for value in logs)
    # Greedy: no token is more probable than the one that was chosen.
    others = model.score(PROMPT, ["a", "the", "box"])
    assert all(model.trace(PROMPT, word)[1][0] <= logs[0] + 1e-4 for word in ("a", "the", "box")), others


def test_the_token_that_ends_the_text_is_heard(tiny: Callable[..., LlamaCpp]) -> None:
    model = tiny()
    whole = model.chat(PROMPT, Generation(tokens=8)).text
    heard: list[tuple[str, list[int], list[int], list[float]]] = []
    model.on_text = lambda *written: heard.append(written)
    cut = model.chat(PROMPT, Generation(tokens=8, stop=(whole[1:3],))).text
    ((text, prompt, tokens, logs),) = heard
    assert prompt == model.tokens(PROMPT)
    assert text == cut == whole.partition(whole[1:3])[0]
    assert b"".join(model.engine.piece(token) for token in tokens).decode().startswith(cut + whole[1:3])
    assert len(tokens) == len(logs)


def test_a_trace_adds_up_to_the_score(tiny: Callable[..., LlamaCpp]) -> None:
    model = tiny()
    tokens, logs = model.trace(PROMPT, "the red box")
    assert tokens == model.spell("the red box")
    assert len(tokens) == len(logs) > 1
    assert sum(logs) == pytest.approx(model.score(PROMPT, ["the red box"])[0], abs=1e-3)
    assert model.trace(PROMPT, "") == ([], [])


def test_the_tokens_of_a_prompt_are_those_that_are_counted(tiny: Callable[..., LlamaCpp]) -> None:
    model = tiny()
    tokens = model.tokens(PROMPT)
    assert len(tokens) == model.count_tokens(PROMPT)
    spelt = b"".join(model.engine.piece(token) for token in tokens[len(model.engine.bos) :])
    assert spelt.decode() == "".join(PROMPT)


def test_a_trace_has_to_fit_and_needs_an_open_model(tiny: Callable[..., LlamaCpp]) -> None:
    model = tiny()
    with pytest.raises(ContextOverflowError):
        model.trace(PROMPT, "box " * 600)
    model.close()
    for ask in (lambda: model.tokens(PROMPT), lambda: model.spell("box"), lambda: model.trace(PROMPT, "box")):
        with pytest.raises(BackendClosedError):
            ask()
