import pytest

from homebody.agents.errors import BackendClosedError, ScriptExhaustedError
from homebody.agents.models.backend import Backend, Usage
from homebody.agents.models.generation import Generation
from homebody.agents.models.scripted import Scripted


def test_replies_come_in_order_and_prompts_are_recorded():
    backend = Scripted(["go to box 1\nthen look", "one two three"])
    backend.enqueue("look")
    assert isinstance(backend, Backend)
    chat = [{"role": "user", "content": "A room."}]
    assert backend.chat(chat, Generation(tokens=9, stop=("\n",))).text == "go to box 1"
    assert backend.chat(chat, Generation(tokens=2)).text == "one two"
    assert backend.chat(chat, Generation(tokens=9, schema={"type": "string"})).text == "look"
    assert [call.prompt for call in backend.calls] == ["A room.\n>"] * 3
    assert backend.calls[0].messages == tuple(chat)
    with pytest.raises(ScriptExhaustedError, match="held 3 replies"):
        backend.chat(chat, Generation(tokens=9))


def test_scores_are_given_or_zero():
    backend = Scripted(scores=lambda prompt, text: -float(len(prompt + text)))
    assert backend.score(["ab", "c"], ["d", ""]) == [-4.0, -3.0]
    assert backend.calls[0].continuations == ("d", "")
    assert Scripted().score(["a"], ["b", "c"]) == [0.0, 0.0]


def test_usage_counts_words_and_shared_segments():
    backend = Scripted(["a b"])
    backend.score(["one two", " three"], ["x"])
    before = backend.usage.snapshot()
    backend.chat(["one two", " four five"], Generation(tokens=5))
    assert backend.usage - before == Usage(prompt_tokens=4, cached_tokens=2, generated_tokens=2, calls=1)


def test_closed_backend_refuses():
    backend = Scripted(["a"])
    backend.close()
    with pytest.raises(BackendClosedError, match="scripted"):
        backend.score(["a"], ["b"])
