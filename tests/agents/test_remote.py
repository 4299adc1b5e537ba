"""Models on servers, against a server of our own that plays each kind of them, well and badly."""

import contextlib
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any

import pytest

from homebody.agents.answer import read_answer
from homebody.agents.errors import (
    AgentError,
    BackendClosedError,
    BadGrammarError,
    BadRequestError,
    ContextOverflowError,
    RemoteAnswerError,
    RemoteCannotError,
    RemoteDownError,
    RemoteRefusedError,
)
from homebody.agents.harness.hooks import Reading
from homebody.agents.models.backend import CUT, Backend
from homebody.agents.models.chat_template import ChatTemplate, render_plain
from homebody.agents.models.generation import Generation, Thinking
from homebody.agents.models.names import load
from homebody.agents.models.prepare import describe
from homebody.agents.models.remote import OpenAICompatible
from homebody.agents.models.remote import http_client as http_client_module
from homebody.agents.models.remote.http_client import Address, HttpClient, find_key

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}<|assistant|>"
MESSAGES = [{"role": "system", "content": "Play."}, {"role": "user", "content": f"A box.{CUT} Open it?"}]
CONTINUATIONS = [" take the key", " open the box", "", " open the door", " open the box"]
WORDS = [" open", " take", " west", " zebra", " the"]


def split(text: str) -> list[str]:
    """The toy model's tokens."""
    return re.findall(r" ?\w+|\W", text)


def toy(before: str, token: str) -> float:
    """The toy model's log-probability of a token after another."""
    return -1.0 - zlib.crc32(f"{before}|{token}".encode()) % 1000 / 100


def expected(prompt: str, continuation: str) -> float:
    """The sum over the continuation's tokens, each tokenized apart from the prompt."""
    tokens = [split(prompt)[-1], *split(continuation)]
    return sum(toy(before, token) for before, token in pairwise(tokens))


@dataclass
class Answer:
    """What goes over the client."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    promised: int | None = None
    """Content-Length, where it is a lie."""
    drop: bool = False
    """Close without an answer."""
    wait_s: float = 0.0


@dataclass
class Fake:
    """A server: one of the four kinds, with a toy model."""

    kind: str = "openai"
    url: str = ""
    bos: bool = False
    ids: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    override: dict[str, Callable[[Any], Answer]] = field(default_factory=dict)
    connections: int = 0
    busy: int = 0
    most_busy: int = 0
    delay_s: float = 0.0
    lock: Any = field(default_factory=threading.Lock)

    def number(self, token: str) -> int:
        with self.lock:
            return self.ids.setdefault(token, 100 + len(self.ids))

    def token(self, number: int) -> str:
        return next(token for token, known in self.ids.items() if known == number)

    def posted(self, path: str) -> list[Any]:
        return [body for asked, body, _ in self.asked if asked == path]

    def answer(self, path: str, body: Any) -> Answer:
        if path in self.override:
            return self.override[path](body)
        owner = {"llama-server": "llamacpp", "llama-cpp-python": "me", "vllm": "vllm"}.get(self.kind, "a host")
        if path == "/v1/models":
            return Answer({"data": [{"id": "toy", "owned_by": owner} | ({"max_model_len": 300} if self.kind == "vllm" else {})]})
        if path == "/version" and self.kind == "vllm":
            return Answer({"version": "0.12.0"})
        if path == "/openapi.json" and self.kind == "llama-cpp-python":
            return Answer({"info": {"title": "llama.cpp Python API", "version": "0.3.36"}})
        if path == "/props" and self.kind == "llama-server":
            props = {"chat_template": TEMPLATE, "bos_token": "<s>", "eos_token": "</s>", "build_info": "b7"}
            return Answer(props | {"default_generation_settings": {"n_ctx": 200}})
        if path == "/tokenize" and self.kind in ("llama-server", "vllm"):
            return self.tokenize(body)
        if path == "/extras/tokenize" and self.kind == "llama-cpp-python":
            return Answer({"tokens": [1] * self.bos + [self.number(token) for token in split(body["input"])]})
        if path == "/detokenize" and self.kind == "vllm":
            return Answer({"prompt": "".join(self.token(number) for number in body["tokens"])})
        if path == "/v1/completions":
            return self.complete(body)
        if path == "/v1/chat/completions":
            return Answer(
                {"choices": [{"message": {"role": "assistant", "content": "open the box\nthen"}}], "usage": {"completion_tokens": 4}}
            )
        return Answer({"detail": "Not Found"}, status=404)

    def tokenize(self, body: Any) -> Answer:
        text = body.get("content", body.get("prompt"))
        if text is None:
            text = "<s>" + "".join(f"<{m['role']}>{m['content']}" for m in body["messages"]) + "<reply>"
        marked = self.bos and body.get("add_special")
        return Answer({"tokens": [1] * bool(marked) + [self.number(token) for token in split(text)]})

    def complete(self, body: Any) -> Answer:
        prompt = body["prompt"]
        given = split(prompt)
        rule = body.get("grammar", "") if self.kind.startswith("llama") else ""
        forced = [self.token(int(number)) for number in re.findall(r"<\[(\d+)\]>", rule)]
        tokens = forced or [max(WORDS, key=lambda word: toy(given[-1], word))]
        shown = given + tokens if body.get("echo") and self.kind != "llama-server" else tokens
        logs: list[float | None] = [toy(before, token) for before, token in zip([given[-1], *tokens], tokens, strict=False)]
        if len(shown) > len(tokens):
            logs = [None, *(toy(before, token) for before, token in pairwise(given)), *logs]
        found: Any = {"tokens": shown, "token_logprobs": logs}
        if self.kind == "llama-server":
            found = {"content": [{"token": token, "logprob": log} for token, log in zip(shown, logs, strict=True)]}
        usage = {"completion_tokens": len(tokens), "prompt_tokens_details": {"cached_tokens": 3}}
        return Answer({"choices": [{"text": "".join(shown), "logprobs": found if "logprobs" in body else None}], "usage": usage})


@pytest.fixture
def fake(http_server) -> Fake:
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # Else each answer waits 40 ms for the client's acknowledgement of its head.

        def setup(self):
            super().setup()
            state.connections += 1

        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            state.asked.append((self.path, body, dict(self.headers)))
            with state.lock:
                state.busy += 1
                state.most_busy = max(state.most_busy, state.busy)
            try:
                time.sleep(state.delay_s)
                answer = state.answer(self.path, body)
                time.sleep(answer.wait_s)
                self.reply(answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with state.lock:
                    state.busy -= 1

        do_GET = do_POST  # noqa: N815

        def reply(self, answer):
            if answer.drop:
                self.close_connection = True
                return
            data = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.promised or len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection |= answer.promised is not None or "Connection" in answer.headers

    server = http_server(Handler)
    server.handle_error = lambda request, client: None  # A client that hangs up, as some tests make it do.
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    return state


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    monkeypatch.delenv("HOMEBODY_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def backend(fake) -> Iterator[Callable[..., OpenAICompatible]]:
    """Connect to the fake server, as a kind of server; no pause takes any time."""
    made = []

    def connect(kind: str = "openai", **settings: Any) -> OpenAICompatible:
        fake.kind = kind
        made.append(OpenAICompatible(fake.url, **({"sleep": lambda seconds: None} | settings)))
        return made[-1]

    yield connect
    for one in made:
        one.close()


@pytest.fixture
def client(fake) -> Iterator[tuple[HttpClient, list[float]]]:
    """Requests to the fake server, and the pauses between them."""
    slept: list[float] = []
    one = HttpClient(Address.parse(fake.url), timeout_s=0.5, sleep=slept.append)
    yield one, slept
    one.close()


def in_turn(*answers: Answer) -> Callable[[Any], Answer]:
    """Give each answer once, and the last one for ever."""
    left = list(answers)
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


KINDS = [("openai", "echo"), ("vllm", "echo"), ("llama-server", "forced"), ("llama-cpp-python", "forced")]


# --- what it is


@pytest.mark.parametrize(("kind", "way"), KINDS)
def test_is_a_backend_that_says_what_fixes_its_numbers(backend, kind, way):
    model = backend(kind, n_ctx=250)
    assert isinstance(model, Backend)
    engines = {
        "openai": "a host",
        "vllm": "vllm 0.12.0",
        "llama-server": "llama-server b7",
        "llama-cpp-python": "llama-cpp-python 0.3.36 server",
    }
    n_ctx = {"llama-server": 200}.get(kind, 250)
    assert model.fingerprint == {"engine": engines[kind], "model": "toy", "scoring": way, "n_ctx": str(n_ctx)}
    assert model.n_ctx == n_ctx


def test_context_is_the_servers_or_a_cautious_guess(backend):
    assert backend("vllm").n_ctx == 300
    assert backend("openai").n_ctx == 2048


def test_counts_that_cannot_be_count_nothing(fake, backend):
    model = backend()
    usage = {"completion_tokens": -7, "prompt_tokens_details": {"cached_tokens": -3}}
    fake.override["/v1/completions"] = in_turn(Answer({"choices": [{"text": "x"}], "usage": usage}))
    before = model.usage.snapshot()
    model.chat(("You see",), Generation(tokens=9))
    assert ((model.usage - before).generated_tokens, (model.usage - before).cached_tokens) == (0, 0)


@pytest.mark.parametrize("n_ctx", [0, -1])
def test_a_context_that_cannot_be_is_not_believed(fake, backend, n_ctx):
    props = {"default_generation_settings": {"n_ctx": n_ctx}}
    fake.override["/props"] = lambda body: Answer(props)
    assert backend("llama-server").n_ctx == 2048


def test_a_model_name_of_several_lines_is_shown_in_one(fake):
    fake.override["/v1/models"] = lambda body: Answer({"data": [{"id": "a\nb"}, {"id": "c" * 500}]})
    with pytest.raises(BadRequestError, match=f"one of a b, {'c' * 80}$"):
        OpenAICompatible(fake.url)


def test_paths_in_model_names_are_not_told(fake, backend):
    fake.override["/v1/models"] = lambda body: Answer({"data": [{"id": "/srv/models/toy.gguf", "owned_by": "me"}]})
    assert backend().fingerprint["model"] == "toy.gguf"


@pytest.mark.parametrize(
    ("ids", "wanted", "said"),
    [
        (["a", "b"], "", "add #MODEL to the address, one of a, b"),
        (["alpha", "beta"], "#alfa", "one of alpha"),
        ([], "", "it has no model"),
    ],
)
def test_the_model_must_be_one_that_the_server_has(fake, ids, wanted, said):
    fake.override["/v1/models"] = lambda body: Answer({"data": [{"id": name} for name in ids]})
    with pytest.raises(BadRequestError, match=said):
        OpenAICompatible(fake.url + wanted)


def test_one_model_of_several_is_named_after_the_hash(fake):
    fake.override["/v1/models"] = lambda body: Answer({"data": [{"id": "a"}, {"id": "org/b"}]})
    with OpenAICompatible(fake.url + "#org/b") as model:
        model.chat(("x",), Generation(tokens=1))
    assert {body["model"] for body in fake.posted("/v1/completions")} == {"org/b"}


def test_an_old_server_that_a_grammar_would_end_is_refused(fake, backend):
    for version in ("0.3.2", "0.\u00b3.36"):  # A superscript is a digit, and no number.
        fake.override["/openapi.json"] = in_turn(Answer({"info": {"title": "llama.cpp Python API", "version": version}}))
        with pytest.raises(RemoteCannotError, match=rf"it is llama-cpp-python {version}; update it to 0\.3\.36"):
            backend("llama-cpp-python")


@pytest.mark.parametrize("settings", [{"n_ctx": 0}, {"concurrency": 0}])
def test_settings_out_of_range_are_named(fake, settings):
    with pytest.raises(BadRequestError, match=f"{next(iter(settings))} is 0"):
        OpenAICompatible(fake.url, **settings)


def test_load_takes_an_address(fake):
    with load(fake.url) as model:
        assert model.name == fake.url
    with pytest.raises(BadRequestError, match="layers on the GPU is 7; allowed: 0 with a server"):
        load(fake.url, gpu_layers=7)
    with pytest.raises(BadRequestError, match="number of threads is 2; allowed: 1 with a server, which has settings of its own"):
        load(fake.url, n_threads=2)


@pytest.mark.parametrize(
    ("kind", "asked", "given"),
    [
        ("vllm", None, 300), ("vllm", 300, 300), ("vllm", 250, 250),
        ("llama-server", None, 200), ("llama-server", 64, 64),
        # These do not tell what they have: the user may know.
        ("openai", None, 2048), ("openai", 64, 64), ("openai", 100_000, 100_000), ("llama-cpp-python", 32_768, 32_768),
    ],
)  # fmt: skip
def test_the_context_of_a_server_is_its_own_unless_less_is_asked_for(fake, kind, asked, given):
    fake.kind = kind
    with load(fake.url, n_ctx=asked) as model:
        assert (model.n_ctx, model.fingerprint["n_ctx"]) == (given, str(given))


@pytest.mark.parametrize(("kind", "own"), [("vllm", 300), ("llama-server", 200)])
def test_more_context_than_a_server_has_is_refused(fake, kind, own):
    fake.kind = kind
    with pytest.raises(BadRequestError, match=f"the context is {own + 1}; allowed: 1 to {own} with this server, which was started with"):
        load(fake.url, n_ctx=own + 1)


def test_a_server_is_described_by_what_it_says(fake):
    assert describe(fake.url) == {
        "name": fake.url,
        "engine": "a host",
        "model": "toy",
        "scoring": "echo",
        "n_ctx": "2048",
        "thinking": "no, as its reply shows",
    }


def test_a_closed_backend_says_so(backend):
    model = backend()
    model.close()
    model.close()
    for call in (
        lambda: model.chat(("x",), Generation(tokens=1)).text,
        lambda: model.score(("x",), ["y"]),
        lambda: model.count_tokens(MESSAGES),
    ):
        with pytest.raises(BackendClosedError):
            call()


# --- scoring


@pytest.mark.parametrize(("kind", "way"), KINDS)
def test_scores_are_sums_of_the_models_log_probabilities(fake, backend, kind, way):
    model = backend(kind)
    before = model.usage.snapshot()
    prompt = ("You see", " a box.")
    scores = model.score(prompt, CONTINUATIONS)
    assert scores == pytest.approx([expected("".join(prompt), text) if text else 0.0 for text in CONTINUATIONS])
    assert list(reversed(scores)) == model.score(prompt, CONTINUATIONS[::-1])
    used = model.usage - before
    assert (used.calls, used.scored_tokens, used.cached_tokens) == (2, 2 * 9, 2 * 3)
    assert used.prompt_tokens == 2 * model.count_tokens(prompt)


@pytest.mark.parametrize("kind", ["openai", "llama-server"])
def test_nothing_to_score_asks_nothing(fake, backend, kind):
    model = backend(kind)
    asked = len(fake.posted("/v1/completions"))
    assert model.score(("x",), []) == []
    assert model.score(("x",), ["", ""]) == [0.0, 0.0]
    assert len(fake.posted("/v1/completions")) == asked


def test_a_token_across_the_boundary_counts_whole(backend):
    assert backend().score(("I am go",), ["ing on"]) == pytest.approx([toy(" am", " going") + toy(" going", " on")])


def test_requests_are_bounded_and_the_prompt_goes_first(fake, backend):
    model = backend(concurrency=2)
    fake.asked.clear()
    fake.most_busy, fake.delay_s = 0, 0.02
    model.score(("You see",), [f" item {n}" for n in range(8)])
    assert fake.most_busy == 2
    assert fake.asked[0][1]["prompt"] == "You see"
    assert len(fake.asked) == 9


def test_a_mark_of_the_beginning_is_not_scored(fake, backend):
    fake.bos = True
    assert backend("llama-cpp-python").score(("You see",), [" a box"]) == pytest.approx([expected("You see", " a box")])


def test_a_chat_is_scored_after_what_the_servers_tokenizer_makes_of_it(fake, backend):
    model = backend("vllm")
    fake.asked.clear()
    model.score(MESSAGES, [" yes"])
    body = fake.posted("/v1/completions")[1]
    assert body["prompt"] == "<s><system>Play.<user>A box. Open it?<reply> yes"
    assert body["add_special_tokens"] is False


def test_a_chat_is_scored_after_a_transcript_elsewhere(fake, backend):
    model = backend()
    fake.asked.clear()
    model.score(MESSAGES, [" yes"])
    assert fake.posted("/v1/completions")[1]["prompt"] == "".join(render_plain(MESSAGES)) + " yes"


def shifted(fake: Fake) -> Callable[[Any], Answer]:
    """Prompt log-probabilities one token too early, as llama-cpp-python's are where there is no mark of the beginning."""

    def complete(body: Any) -> Answer:
        answer = fake.complete(body)
        if body.get("echo"):
            logs = answer.body["choices"][0]["logprobs"]["token_logprobs"]
            logs[1:] = [*logs[2:], -9.5]
        return answer

    return complete


def zeros(fake: Fake) -> Callable[[Any], Answer]:
    """Log-probabilities among what a grammar allows: all of them certain."""

    def complete(body: Any) -> Answer:
        answer = fake.complete(body)
        for entry in answer.body["choices"][0]["logprobs"]["content"]:
            entry["logprob"] = 0.0
        return answer

    return complete


@pytest.mark.parametrize(
    ("kind", "lie", "said"),
    [
        ("openai", shifted, r"echo: it gives ' \w+' -3\.36, -1\.56 when it says so itself"),
        ("llama-server", zeros, r"forced: it gives ' \w+' 0\.00, 0\.00 when it says so itself, and ' zebra purple' 0\.00"),
        ("openai", lambda fake: lambda body: fake.complete({**body, "echo": False}), "it does not echo the prompt"),
        ("openai", lambda fake: lambda body: Answer({"error": {"message": "no"}}, status=400), "it gives no log-probabilities"),
        ("openai", lambda fake: lambda body: Answer({"choices": [{"text": "x"}]}), r"choices.0.logprobs is 'None', expected: dict"),
    ],
)
def test_a_server_whose_numbers_do_not_agree_generates_only(fake, backend, kind, lie, said):
    fake.override["/v1/completions"] = lie(fake)
    model = backend(kind)
    assert model.fingerprint["scoring"] == "none"
    with pytest.raises(RemoteCannotError, match=rf"cannot score commands \(.*{said}.*use a harness whose model generates"):
        model.score(("x",), [" y"])
    assert model.chat(MESSAGES, Generation(tokens=4)).text if kind == "openai" else True


def change(edit: Callable[[Any], Any] | None = None, **choice: Any) -> Callable[[Answer], None]:
    """Change an answer's first choice, and its log-probabilities."""

    def apply(answer: Answer) -> None:
        found = answer.body["choices"][0]
        found.update(choice)
        if edit is not None:
            edit(found["logprobs"])

    return apply


def last(value: Any) -> Callable[[Any], None]:
    return lambda logs: logs["token_logprobs"].__setitem__(-2, value)


LIES: dict[str, tuple[Callable[[Answer], None], str]] = {
    "not a number": (change(last(float("nan"))), "a log-probability is nan"),
    "without end": (change(last(float("-inf"))), "a log-probability is -inf"),
    "a number beyond all floats": (change(last(-(10**400))), "a log-probability is -1000"),
    "more than certain": (change(last(0.5)), "a log-probability is 0.5, expected: a finite number, at most 0"),
    "a word": (change(last("low")), "a log-probability is 'low'"),
    "null": (change(last(None)), "a log-probability is None"),
    "fewer numbers than tokens": (change(lambda logs: logs["token_logprobs"].pop()), "log-probabilities came with"),
    "other tokens": (change(lambda logs: logs["tokens"].__setitem__(-2, " hat")), "end in '.* hat.*', not in ' box"),
    "no log-probabilities": (change(logprobs=None), "choices.0.logprobs is 'None', expected: dict"),
    "no choices": (lambda answer: answer.body.update(choices=[]), r"choices.0.text is 'None', expected: str"),
    "no object": (lambda answer: setattr(answer, "body", [1]), r"choices.0.text is 'None', expected: str"),
    "another prompt": (change(text="Something else"), "it does not echo the prompt"),
}  # fmt: skip


@pytest.mark.parametrize(("lie", "said"), LIES.values(), ids=LIES)
def test_a_server_that_lies_about_scores_is_caught(fake, backend, lie, said):
    model = backend()

    def complete(body: Any) -> Answer:
        answer = fake.complete(body)
        if "logprobs" in body:
            lie(answer)
        return answer

    fake.override["/v1/completions"] = complete
    with pytest.raises(RemoteAnswerError, match=said):
        model.score(("You see a",), [" box"])


def test_another_number_of_tokens_than_were_forced_is_caught(fake, backend):
    model = backend("llama-server")
    fake.override["/v1/completions"] = lambda body: fake.complete({**body, "grammar": body.get("grammar", "").rpartition(" ")[0]})
    with pytest.raises(RemoteAnswerError, match="1 log-probabilities came for the 2 tokens of ' a box'"):
        model.score(("You see",), [" a box"])


def test_tokens_that_are_no_numbers_are_caught(fake, backend):
    model = backend("llama-server")
    fake.override["/tokenize"] = lambda body: Answer({"tokens": ["a", "b"]})
    with pytest.raises(RemoteAnswerError, match="expected: integers"):
        model.count_tokens(("never seen",))


# --- prompts


def test_a_template_that_the_server_shows_renders_as_in_this_process(fake, backend):
    model = backend("llama-server")
    model.chat(MESSAGES, Generation(tokens=3))
    rendered = "".join(ChatTemplate(TEMPLATE, bos="<s>", eos="</s>", model="").render(MESSAGES))
    assert rendered.startswith("<|system|>Play.</s><|user|>A box.")
    assert fake.posted("/v1/completions")[-1]["prompt"] == rendered
    fake.bos = True  # Now the tokenizer writes the mark, so the template must not.
    fake.override["/props"] = lambda body: Answer(
        {"chat_template": "{{ bos_token }}{{ messages[0].content }}", "bos_token": "<s>", "default_generation_settings": {"n_ctx": 99}}
    )
    backend("llama-server").chat(MESSAGES, Generation(tokens=3))
    assert fake.posted("/v1/completions")[-1]["prompt"] == "Play."


def test_elsewhere_a_prompt_is_a_transcript_that_remembers_the_chat(fake, backend):
    model = backend()
    # A probe shows whether the model thinks; from then on the request is as it is meant.
    assert [model.chat(MESSAGES, Generation(tokens=9, stop=("\n",))).text for _ in range(2)] == ["open the box"] * 2
    probe, body, again = fake.posted("/v1/chat/completions")
    assert (probe["max_tokens"] > 9, "stop" in probe, body) == (True, False, again)
    assert body["messages"] == [{"role": "system", "content": "Play."}, {"role": "user", "content": "A box. Open it?"}]
    assert (body["max_tokens"], body["temperature"], body["seed"], body["stop"]) == (9, 0.0, 0, ["\n"])
    assert not {"top_k", "min_p", "repeat_penalty"} & set(body)  # OpenAI's own service refuses what it does not know.


@pytest.mark.parametrize(("kind", "count"), [("openai", 1 + 4), ("llama-server", 1 + 3), ("vllm", 1 + 3), ("llama-cpp-python", 1 + 3)])
def test_tokens_are_counted_by_the_server_or_estimated(fake, backend, kind, count):
    model = backend(kind)
    assert model.count_tokens(("You see", "", " me")) == count
    asked = len(fake.asked)
    assert model.count_tokens((" me", "You see")) == count
    assert len(fake.asked) == asked


def test_a_chat_counts_the_template_too(backend):
    model = backend()
    assert model.count_tokens(MESSAGES) == 16 + model.count_tokens(render_plain(MESSAGES))


# --- generating


def test_the_distribution_is_the_models_own(fake, backend):
    for kind, penalty, all_words in (
        ("llama-server", "repeat_penalty", 0),
        ("llama-cpp-python", "repeat_penalty", 0),
        ("vllm", "repetition_penalty", -1),
    ):
        model = backend(kind)
        model.chat(("x",), Generation(tokens=3, temperature=0.7, seed=5))
        body = fake.posted("/v1/completions")[-1]
        assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.7, 5, 3)
        assert (body["top_p"], body["min_p"], body["top_k"], body[penalty]) == (1.0, 0.0, all_words, 1.0)


def test_generation_is_counted_and_cut_at_every_stop(fake, backend):
    model = backend()
    fake.override["/v1/completions"] = lambda body: Answer({"choices": [{"text": "one two;three"}], "usage": {"completion_tokens": 6}})
    before = model.usage.snapshot()
    assert model.chat(("You see",), Generation(tokens=9, stop=("a", "", "b", "c", "d", ";"))).text == "one two"
    assert fake.posted("/v1/completions")[-1]["stop"] == ["a", "b", "c", "d"]
    used = model.usage - before
    assert (used.generated_tokens, used.cached_tokens, used.calls) == (6, 0, 1)
    assert used.prompt_tokens == model.count_tokens(("You see",))


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("sent", "read"), [("go \ud83d", "go \ufffd"), ("\ude00 \ud83d\ude00", "\ufffd \U0001f600"), ("caf\u00e9", "caf\u00e9")]
)
def test_half_a_surrogate_pair_of_an_answer_is_replaced(fake, backend, sent, read):
    model = backend()
    fake.override["/v1/completions"] = lambda body: Answer({"choices": [{"text": sent}]})
    assert model.chat(("You see",), Generation(tokens=9)).text == read


@pytest.mark.parametrize(
    ("kind", "grammar", "schema", "chat_schema"),
    [
        ("llama-server", {"grammar": "G"}, {"json_schema": SCHEMA}, None),
        ("llama-cpp-python", {"grammar": "G"}, None, {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        ("vllm", {"structured_outputs": {"grammar": "G"}}, {"structured_outputs": {"json": SCHEMA}},
         {"structured_outputs": {"json": SCHEMA}}),
        ("openai", None, None,
         {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}}),
    ],
)  # fmt: skip
def test_each_kind_is_asked_for_form_in_its_own_words(fake, backend, kind, grammar, schema, chat_schema):
    model = backend(kind)
    for path, segments, asked, fields in (
        ("/v1/completions", ("x",), {"grammar": "G"}, grammar),
        ("/v1/completions", ("x",), {"schema": SCHEMA}, schema),
        ("/v1/chat/completions", MESSAGES, {"schema": SCHEMA}, chat_schema),
    ):
        if path.startswith("/v1/chat") and kind == "llama-server":
            continue  # It shows its template, so it is never asked for a chat.
        if fields is None:
            with pytest.raises(RemoteCannotError, match=r"cannot hold (a|this) text to a (grammar|JSON Schema)"):
                model.chat(segments, Generation(tokens=4, **asked))
        else:
            model.chat(segments, Generation(tokens=4, **asked))
            assert fields.items() <= fake.posted(path)[-1].items()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tokens": -1}, "tokens is -1"),
        ({"tokens": 1, "temperature": -1.0}, "temperature is -1.0"),
        ({"tokens": 1, "temperature": float("nan")}, "temperature is nan"),
        ({"tokens": 1, "temperature": float("inf")}, "temperature is inf"),
        ({"tokens": 1, "seed": -1}, "seed is -1"),
        ({"tokens": 1, "grammar": "G", "schema": SCHEMA}, "both a grammar and a schema"),
    ],
)
def test_arguments_out_of_range_are_named(backend, settings, said):
    with pytest.raises(BadRequestError, match=said):
        backend().chat(("x",), Generation(**settings))


def test_an_empty_prompt_is_refused(backend):
    model = backend()
    for call in (lambda: model.chat(("",), Generation(tokens=1)).text, lambda: model.score((), ["y"])):
        with pytest.raises(BadRequestError, match="the prompt is ''"):
            call()


def test_what_does_not_fit_is_not_sent(fake, backend):
    model = backend(n_ctx=40)
    asked = len(fake.asked)
    long = ("word " * 20,)  # 100 bytes: 34 tokens by the estimate, and the mark of the beginning.
    with pytest.raises(ContextOverflowError, match="41 tokens do not fit the context of 40"):
        model.chat(long, Generation(tokens=6))
    with pytest.raises(ContextOverflowError):
        model.score(long, [" a", " much longer answer"])
    assert len(fake.asked) == asked


@pytest.mark.parametrize(
    ("message", "needed", "n_ctx"),
    [
        ("This model's maximum context length is 512 tokens, however you requested 705 tokens (701 in your prompt; 4 for", 705, 512),
        ("This model's maximum context length is 512 tokens. Please reduce", 513, 512),
        ("request (1402 tokens) exceeds the available context size (1024 tokens), try increasing it", 1402, 1024),
        ("the available context size (1024 tokens) has been exceeded", 1025, 1024),
    ],
)
def test_a_prompt_that_the_server_finds_too_long_is_an_overflow(fake, backend, message, needed, n_ctx):
    model = backend()
    fake.override["/v1/completions"] = lambda body: Answer({"error": {"message": message}}, status=400)
    with pytest.raises(ContextOverflowError) as caught:
        model.chat(("x",), Generation(tokens=4))
    assert (caught.value.needed, caught.value.n_ctx) == (needed, n_ctx)


def test_a_grammar_that_the_server_cannot_read_is_named(fake, backend):
    model = backend("llama-server")
    fake.override["/v1/completions"] = lambda body: Answer({"error": {"message": "Failed to parse grammar"}}, status=400)
    with pytest.raises(BadGrammarError, match="Failed to parse grammar"):
        model.chat(("x",), Generation(tokens=4, grammar="root ::= foo"))
    with pytest.raises(RemoteRefusedError):
        model.chat(("x",), Generation(tokens=4))


def test_a_reply_whose_text_is_no_text_is_caught(fake, backend):
    model = backend()
    fake.override["/v1/chat/completions"] = lambda body: Answer({"choices": [{"message": {"content": 7}}]})
    with pytest.raises(RemoteAnswerError, match=r"content is '7', expected: str"):
        model.chat(MESSAGES, Generation(tokens=4))


# --- the client


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_servers_are_tried_again_after_growing_pauses(fake, client, status):
    one, slept = client
    fake.override["/x"] = in_turn(*[Answer({}, status=status)] * 3, Answer({"ok": 1}))
    assert one.post("/x", {}) == {"ok": 1}
    assert len(slept) == 3
    for pause, longest in zip(slept, (0.5, 1.0, 2.0), strict=True):
        assert longest / 2 <= pause <= longest
    first = slept.copy()
    fake.override["/x"] = in_turn(*[Answer({}, status=status)] * 3, Answer({"ok": 1}))
    one.post("/x", {})
    assert slept == first * 2  # The same request waits the same.
    fake.override["/x"] = in_turn(Answer({}, status=status), Answer({"ok": 1}))
    one.post("/x", {"another": 1})
    assert slept[-1] != first[0]


@pytest.mark.parametrize(("status", "times"), [(500, 4), (502, 4), (408, 4), (429, 8), (503, 8)])
def test_failures_without_end_are_an_error(fake, client, status, times):
    one, slept = client
    fake.override["/x"] = in_turn(Answer({"error": "overloaded"}, status=status))
    with pytest.raises(RemoteRefusedError, match=f"answered {status} to /x: overloaded; read the server's log"):
        one.post("/x", {})
    assert (len(fake.posted("/x")), len(slept)) == (times, times - 1)
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(slept))


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "model is loading", "code": 503}},
        {"object": "error", "message": "model is loading", "code": 500},
        {"error": {"message": "model is loading", "code": 429, "type": "rate_limit"}},
    ],
)
def test_an_error_object_with_status_200_is_what_its_code_says(fake, client, body):
    one, slept = client
    fake.override["/x"] = in_turn(Answer(body), Answer(body), Answer({"ok": 1}))
    assert one.post("/x", {}) == {"ok": 1}
    assert len(slept) == 2
    fake.override["/x"] = in_turn(Answer(body))
    with pytest.raises(RemoteAnswerError, match="it sends an error as an answer: model is loading"):
        one.post("/x", {})


@pytest.mark.parametrize("body", [{"error": {"message": "bad", "code": 400}}, {"error": "bad"}, {"object": "error", "message": "bad"}])
def test_an_error_object_that_stays_is_asked_for_once(fake, backend, body):
    model = backend()
    fake.override["/v1/completions"] = in_turn(Answer(body))
    asked = len(fake.asked)
    with pytest.raises(RemoteAnswerError, match="it sends an error as an answer: bad"):
        model.chat(("x",), Generation(tokens=4))
    assert len(fake.asked) == asked + 1


def test_closing_wakes_what_waits_for_an_answer(fake):
    one = HttpClient(Address.parse(fake.url), timeout_s=60)
    begun = threading.Event()
    fake.override["/x"] = lambda body: (begun.set(), Answer({}, wait_s=1.0))[1]
    fake.override["/busy"] = lambda body: (begun.set(), Answer({}, status=503, headers={"Retry-After": "50"}))[1]
    for path in ("/x", "/busy"):
        begun.clear()
        ended = []

        def ask(client, path, ended):
            with pytest.raises(BackendClosedError):
                client.post(path, {})
            ended.append(path)

        thread = threading.Thread(target=ask, args=(one, path, ended))
        thread.start()
        assert begun.wait(10)
        one.close()
        thread.join(10)
        assert ended == [path]
        one = HttpClient(Address.parse(fake.url), timeout_s=60)
    one.close()


@pytest.mark.parametrize(
    ("status", "remedy"), [(400, "read the"), (401, "set HOMEBODY_API_KEY"), (404, "check the address"), (501, "read"), (301, "read")]
)
def test_refusals_are_final(fake, client, status, remedy):
    one, slept = client
    fake.override["/x"] = in_turn(Answer(raw=b"<html>\nno such thing", status=status))
    with pytest.raises(RemoteRefusedError, match=f"answered {status} to /x: <html> no such thing; {remedy}") as caught:
        one.post("/x", {})
    assert (caught.value.status, slept) == (status, [])


@pytest.mark.parametrize("body", [{"error": {"message": "m"}}, {"detail": "m"}, {"message": "m"}, {"error": "m"}, "m"])
def test_reasons_are_found_where_servers_put_them(fake, client, body):
    fake.override["/x"] = in_turn(Answer(body, status=400))
    with pytest.raises(RemoteRefusedError, match="/x: m;"):
        client[0].post("/x", {})


def test_a_server_may_say_how_long_to_wait(fake, client):
    one, slept = client
    fake.override["/x"] = in_turn(
        Answer({}, status=429, headers={"Retry-After": "3"}),
        Answer({}, status=429, headers={"Retry-After": formatdate(time.time() + 20, usegmt=True)}),
        Answer({}, status=429, headers={"Retry-After": "soon"}),
        Answer({"ok": 1}),
    )
    assert one.post("/x", {}) == {"ok": 1}
    assert slept[0] == 3
    assert 15 < slept[1] <= 20
    assert 1.0 <= slept[2] <= 2.0
    fake.override["/x"] = in_turn(Answer({"error": "quota"}, status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(RemoteRefusedError, match="quota"):
        one.post("/x", {})
    assert len(slept) == 3


@pytest.mark.parametrize("broken", [Answer(drop=True), Answer(raw=b'{"a":', promised=100)], ids=["dropped", "cut off"])
def test_broken_connections_are_tried_again(fake, client, broken):
    one, slept = client
    fake.override["/x"] = in_turn(broken, Answer({"ok": 1}))
    assert one.post("/x", {}) == {"ok": 1}
    assert len(slept) == 1
    fake.override["/x"] = in_turn(broken)
    with pytest.raises(RemoteDownError, match="check that it is running"):
        one.post("/x", {})


def test_a_server_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    slept: list[float] = []
    with pytest.raises(RemoteDownError, match=f"server 127.0.0.1:{port}: Connection refused; check that it is running"):
        OpenAICompatible(f"http://127.0.0.1:{port}/v1", sleep=slept.append)
    assert len(slept) == 3


ENDLESS = {
    "head": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"{"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
}
"""What a server begins with, and what it then writes again and again."""


@pytest.mark.parametrize("part", ENDLESS)
def test_an_answer_that_trickles_for_ever_is_late(part):
    begins, goes_on = ENDLESS[part]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(begins)
                while True:
                    connection.sendall(goes_on)
                    time.sleep(0.02)

        thread = threading.Thread(target=trickle)
        thread.start()
        client = HttpClient(Address.parse(f"http://127.0.0.1:{listener.getsockname()[1]}"), timeout_s=0.3)
        started = time.monotonic()
        with pytest.raises(RemoteDownError, match=r"no answer to /x within 0\.3 s"):
            client.get("/x")
        assert time.monotonic() - started < 5
        client.close()
        thread.join()


def test_a_time_out_is_final(fake, client):
    one, slept = client
    fake.override["/x"] = in_turn(Answer({}, wait_s=0.8))
    with pytest.raises(RemoteDownError, match=r"no answer to /x within 0\.5 s"):
        one.post("/x", {})
    assert (len(fake.posted("/x")), slept) == (1, [])


def test_answers_that_are_no_json_are_named(fake, client):
    fake.override["/x"] = in_turn(Answer(raw=b"<html>It works!"))
    with pytest.raises(RemoteAnswerError, match="its answer to /x is not JSON: it begins with '<html>It works!'"):
        client[0].get("/x")


def test_answers_nested_without_end_are_named(fake, client):
    fake.override["/x"] = in_turn(Answer(raw=b"[" * 100_000))
    with pytest.raises(RemoteAnswerError, match=r"is not JSON: it begins with '\[\["):
        client[0].get("/x")
    fake.override["/x"] = in_turn(Answer(raw=b"[" * 100_000, status=400))
    with pytest.raises(RemoteRefusedError, match=r"answered 400 to /x: \[\["):
        client[0].get("/x")


def test_answers_without_end_are_not_read_to_it(fake, client, monkeypatch):
    monkeypatch.setattr(http_client_module, "_LARGEST_ANSWER", 1 << 20)
    fake.override["/x"] = in_turn(Answer(raw=b"1" * (3 << 20)))
    with pytest.raises(RemoteAnswerError, match="longer than 1 MiB"):
        client[0].get("/x")


def test_connections_are_kept_and_a_stale_one_is_no_failure(fake, client):
    one, slept = client
    fake.override["/x"] = in_turn(Answer({"ok": 1}), Answer({"ok": 2}), Answer(drop=True), Answer({"ok": 3}))
    assert [one.post("/x", {})["ok"] for _ in range(3)] == [1, 2, 3]
    assert (fake.connections, slept) == (2, [])
    fake.override["/x"] = in_turn(Answer({"ok": 4}, headers={"Connection": "close"}), Answer({"ok": 5}))
    assert [one.post("/x", {})["ok"] for _ in range(2)] == [4, 5]
    assert fake.connections == 3


# --- addresses and keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8000/v1#org/name", ("http", "127.0.0.1", 8000, "", "/v1", "org/name")),
        ("http://box", ("http", "box", 80, "", "/v1", "")),
        ("https://host/openai/v1/", ("https", "host", 443, "/openai", "/openai/v1", "")),
        ("http://[::1]:9/api", ("http", "::1", 9, "/api", "/api", "")),
    ],
)
def test_addresses_are_read(text, expected):
    address = Address.parse(text)
    assert (address.scheme, address.host, address.port, address.root, address.api, address.model) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host/v1", "http://", "http://host:99999/v1", "http://[::1", "http://a..b/v1", "http://a b/v1", "http://host/a b",
        "http://user:secret@host/v1", "http://user:a/secret@host/v1", "http://user:secret?a@host/v1", "https://host/v1?key=secret",
    ],
)  # fmt: skip
def test_addresses_that_are_none_or_hold_a_secret_are_refused(text):
    with pytest.raises(BadRequestError, match="allowed: http://HOST:PORT/v1") as caught:
        Address.parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "ours", "key"),
    [
        ("https://192.0.2.1/v1", "h", "h"),
        ("http://127.0.0.2:8000/v1", "h", "h"),
        ("http://192.0.2.1/v1", "", ""),
        ("https://elsewhere.example/v1", "", ""),
        ("https://api.openai.com/v1", "", "o"),
        ("http://api.openai.com/v1", "", ""),
        ("https://api.openai.com.evil.example/v1", "", ""),
        ("http://localhost:8000/v1", "", "o"),
        ("http://[::1]/v1", "", "o"),
    ],
)
def test_openais_key_goes_to_openai_and_this_machine_only(monkeypatch, url, ours, key):
    monkeypatch.setenv("OPENAI_API_KEY", "o")
    monkeypatch.setenv("HOMEBODY_API_KEY", ours)
    assert find_key(Address.parse(url)) == key


@pytest.mark.parametrize("url", ["http://192.0.2.1/v1", "http://192.168.0.7:8000/v1", "http://localhost.example/v1"])
def test_a_key_goes_over_plain_http_only_where_it_is_asked_for(monkeypatch, url):
    monkeypatch.setenv("HOMEBODY_API_KEY", "sk-secret")
    monkeypatch.delenv("HOMEBODY_KEY_OVER_HTTP", raising=False)
    with pytest.raises(AgentError, match=r"^HOMEBODY_API_KEY is set and would go to \S+ over plain http, .*_OVER_HTTP=1$") as caught:
        load(url)  # Nothing was sent: these addresses answer nobody.
    assert "sk-secret" not in str(caught.value)
    monkeypatch.setenv("HOMEBODY_KEY_OVER_HTTP", "1")
    assert find_key(Address.parse(url)) == "sk-secret"


def test_the_key_is_sent_and_never_shown(fake, monkeypatch):
    monkeypatch.setenv("HOMEBODY_API_KEY", "sk-secret")
    with OpenAICompatible(fake.url) as model:
        assert {headers["Authorization"] for _, _, headers in fake.asked} == {"Bearer sk-secret"}
        assert "sk-secret" not in json.dumps([model.name, model.fingerprint])
        for answer in (
            Answer({"error": {"message": "Incorrect API key: sk-secret"}}, status=401),
            Answer(raw=b"no sk-secret"),
            Answer(raw=b"sk-secret", status=400),
        ):
            fake.override["/v1/completions"] = in_turn(answer)
            with pytest.raises((RemoteRefusedError, RemoteAnswerError), match=r"\*\*\*") as caught:
                model.chat(("x",), Generation(tokens=1))
            assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/completions", Answer(raw=b"x" * 55 + b"sk-secret")),
        ("/v1/completions", Answer(raw=b"x" * 195 + b"sk-secret", status=400)),
        ("/v1/completions", Answer({"error": {"message": "x" * 295 + "sk-secret"}}, status=400)),
        ("/v1/completions", Answer({"error": {"message": "bad grammar sk-secret"}}, status=400)),
        ("/v1/completions", Answer({"choices": ["x" * 30 + "sk-secret"]})),
        ("/extras/tokenize", Answer({"tokens": ["sk-secret"]})),
    ],
)
def test_no_part_of_a_key_that_a_server_repeats_is_shown(fake, backend, monkeypatch, path, answer):
    monkeypatch.setenv("HOMEBODY_API_KEY", "sk-secret\n")  # As a file with a line's end gives it.
    model = backend("llama-cpp-python")
    fake.override[path] = in_turn(answer)
    with pytest.raises(AgentError) as caught:
        model.chat(("You see",), Generation(tokens=1, grammar="G"))
    assert "sk" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-se\ncret", "sk-sécret"])
def test_a_key_that_no_header_can_hold_is_named_and_not_shown(monkeypatch, key):
    monkeypatch.setenv("HOMEBODY_API_KEY", key)
    with pytest.raises(BadRequestError, match=r"HOMEBODY_API_KEY is '\*\*\*'; allowed: printable ASCII"):
        find_key(Address.parse("http://127.0.0.1/v1"))


def test_no_key_that_a_server_repeats_is_kept(fake, backend, monkeypatch):
    monkeypatch.setenv("HOMEBODY_API_KEY", 'sk-"secret')
    model = backend()
    said = 'sk-"secret, open the box'
    message = {"content": said, "reasoning": said, "tool_calls": [{"function": {"name": said, "arguments": {said: said}}}]}
    fake.override["/v1/chat/completions"] = lambda body: Answer({"choices": [{"message": message, "finish_reason": "stop"}]})
    reply = model.chat(MESSAGES, Generation(tokens=9))
    assert reply.text == "***, open the box"
    assert "secret" not in repr(reply)


@pytest.mark.parametrize(("own", "host", "key"), [("p", "h", "p"), (None, "h", "h"), ("", "h", ""), ("p", "", "p"), (None, "", "")])
def test_a_server_may_have_a_key_of_its_own(fake, monkeypatch, own, host, key):
    monkeypatch.setenv("HOMEBODY_API_KEY", host)
    monkeypatch.delenv("OWN_KEY", raising=False)
    if own is not None:
        monkeypatch.setenv("OWN_KEY", own)
    with load(fake.url, key_name="OWN_KEY"):
        sent = {headers.get("Authorization", "") for _, _, headers in fake.asked}
    assert sent == {f"Bearer {key}" if key else ""}


def test_an_own_key_goes_over_plain_http_only_where_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("OWN_KEY", "sk-own")
    with pytest.raises(AgentError, match=r"^OWN_KEY is set and would go to 192.0.2.1:80 over plain http") as caught:
        load("http://192.0.2.1/v1", key_name="OWN_KEY")
    assert "sk-own" not in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1.0, float("inf"), float("nan")])
def test_a_time_out_that_cannot_be_is_named(fake, timeout_s):
    with pytest.raises(BadRequestError, match="the time-out is"):
        OpenAICompatible(fake.url, timeout_s=timeout_s)


def test_a_model_of_this_machine_has_no_time_out():
    with pytest.raises(BadRequestError, match="the time-out is 5; allowed: none with a model of this machine"):
        load("smollm2", timeout_s=5)


def test_the_time_out_is_the_one_that_was_asked_for(fake):
    with load(fake.url, timeout_s=0.3) as model:
        fake.override["/v1/completions"] = lambda body: Answer({}, wait_s=0.6)
        with pytest.raises(RemoteDownError, match=r"no answer to /v1/completions within 0\.3 s"):
            model.chat(("x",), Generation(tokens=1))


def test_without_a_key_none_is_sent(fake, backend):
    backend()
    assert not any("Authorization" in headers for _, _, headers in fake.asked)


# --- models that think, behind servers that show it in many ways

THOUGHT = "Okay, a box.\nIt may be opened."
TEMPLATE_THAT_OPENS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}{% endif %}"
)
SAYS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({"content": "open the box"}, "stop"),
    "white space before it": ({"content": "\n\nopen the box"}, "stop"),
    "marks": ({"content": f"<think>\n{THOUGHT}\n</think>\n\nopen the box"}, "stop"),
    "opened by the template": ({"content": f"{THOUGHT}\n</think>\n\nopen the box"}, "stop"),
    "reasoning_content": ({"content": "\n\nopen the box", "reasoning_content": THOUGHT}, "stop"),
    "reasoning": ({"content": "open the box\nand so on", "reasoning": THOUGHT}, "stop"),
    "a call": (
        {"content": None, "tool_calls": [{"type": "function", "function": {"name": "act", "arguments": '{"command": "open the box"}'}}]},
        "tool_calls",
    ),
    "a call in the text": (
        {"content": '<tool_call>\n{"name": "act", "arguments": {"command": "open the box"}}\n</tool_call>'},
        "stop",
    ),
    "a call after a thought": (
        {"reasoning": THOUGHT, "tool_calls": [{"function": {"name": "act", "arguments": {"command": "open the box"}}}]},
        "tool_calls",
    ),
}
CUT_OFF: dict[str, dict[str, Any]] = {
    "empty": {"content": "", "reasoning_content": THOUGHT[:9]},
    "null": {"content": None, "reasoning": THOUGHT[:9]},
    "null, and the thought is not shown": {"content": None},
    "an open mark": {"content": f"<think>\n{THOUGHT[:9]}"},
}


def says(fake, message, finish):
    answer = {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}], "usage": {}}
    fake.override["/v1/chat/completions"] = lambda body: Answer(answer)


@pytest.mark.parametrize("kind", ["openai", "vllm", "llama-cpp-python"])
@pytest.mark.parametrize("name", SAYS)
def test_whatever_a_server_says_gives_the_same_command(fake, backend, kind, name):
    model = backend(kind)
    says(fake, *SAYS[name])
    for _ in range(2):  # The second request is made by who knows that the model thinks.
        reply = model.chat(MESSAGES, Generation(tokens=24, stop=("\n",), thinking=Thinking(budget=200)))
        assert read_answer(reply, Reading()) == "open the box"
        assert THOUGHT not in reply.text
        assert reply.thought in ("", THOUGHT)
        assert reply.finish == ("tool" if "call" in name else "stop")
    body = fake.posted("/v1/chat/completions")[-1]
    assert ("stop" in body) == (not reply.thought)  # A stop string would end the thought.
    assert model.thinks(Thinking()) == bool(reply.thought)


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_thought_that_was_cut_off_is_no_answer_and_says_so(fake, backend, name):
    model = backend()
    says(fake, CUT_OFF[name], "length")
    reply = model.chat(MESSAGES, Generation(tokens=24, stop=("\n",)))
    assert (reply.text, reply.finish, read_answer(reply, Reading())) == ("", "budget", "")


def test_a_thought_line_is_read_by_its_mark(fake, backend):
    model = backend()
    says(fake, {"content": "Thought: a box.\nAction: open the box"}, "stop")
    assert read_answer(model.chat(MESSAGES, Generation()), Reading("after", "Action:")) == "open the box"


@pytest.mark.parametrize(("kind", "switch"), [("vllm", True), ("openai", False)])
@pytest.mark.parametrize("mode", ["on", "off"])
def test_the_switch_goes_to_servers_that_have_one(fake, backend, kind, switch, mode):
    model = backend(kind)
    says(fake, {"content": "look"}, "stop")
    model.chat(MESSAGES, Generation(thinking=Thinking(mode)))
    body = fake.posted("/v1/chat/completions")[-1]
    assert ("chat_template_kwargs" in body) == switch
    if switch:
        assert body["chat_template_kwargs"]["enable_thinking"] == (mode == "on")


def test_an_earlier_thought_goes_to_the_server_by_its_usual_name(fake, backend):
    model = backend()
    says(fake, {"content": "look"}, "stop")
    model.chat([*MESSAGES, {"role": "assistant", "content": "look", "thought": "So."}, *MESSAGES[1:]], Generation())
    sent = fake.posted("/v1/chat/completions")[-1]["messages"]
    assert sent[2] == {"role": "assistant", "content": "look", "reasoning_content": "So."}
    assert set(sent[1]) == {"role", "content"}


@pytest.fixture
def thinker(fake, backend):
    """A llama-server that shows a template which opens a thought; `thinker(replies)`: what it says to prompts by their ends."""

    def thinker(replies: dict[str, tuple[str, str]]) -> OpenAICompatible:
        fake.override["/props"] = lambda body: Answer(
            {"chat_template": TEMPLATE_THAT_OPENS, "default_generation_settings": {"n_ctx": 4096}}
        )
        model = backend("llama-server")

        def complete(body: Any) -> Answer:
            text, finish = next(said for end, said in replies.items() if body["prompt"].endswith(end))
            return Answer({"choices": [{"text": text, "finish_reason": finish}], "usage": {}})

        fake.override["/v1/completions"] = complete
        return model

    return thinker


def test_a_thought_is_written_first_and_closed_where_the_prompt_is_rendered_here(fake, thinker):
    model = thinker({"<think>\n": (f"{THOUGHT}\n", "stop"), f"{THOUGHT}\n</think>\n\n": ("open the box\nand", "stop")})
    reply = model.chat(MESSAGES, Generation(tokens=24, stop=("\n",), grammar="G", thinking=Thinking(budget=50)))
    assert (reply.thought, reply.text, reply.finish) == (THOUGHT, "open the box", "stop")
    first, second = fake.posted("/v1/completions")[-2:]
    assert (first["max_tokens"], first["stop"], "grammar" in first) == (50, ["</think>"], False)
    assert (second["max_tokens"], second["stop"], second["grammar"]) == (24, ["\n"], "G")
    assert model.thinks(Thinking())


@pytest.mark.parametrize(("at_budget", "text", "finish"), [("close", "open the box", "stop"), ("fail", "", "budget")])
def test_a_thought_has_a_budget_there_too(thinker, at_budget, text, finish):
    model = thinker({"<think>\n": ("On and on", "length"), "On and on Enough.\n</think>\n\n": ("open the box", "stop")})
    reply = model.chat(MESSAGES, Generation(thinking=Thinking("template", 50, at_budget, "Enough.")))
    assert (reply.text, reply.finish) == (text, finish)
    assert reply.thought.startswith("On and on")


def test_thinking_off_is_told_to_the_template(fake, thinker):
    model = thinker({"<think>\n\n</think>\n\n": ("open the box", "stop")})
    assert model.chat(MESSAGES, Generation(thinking=Thinking("off"))).text == "open the box"
    assert not model.thinks(Thinking("off"))


@pytest.mark.parametrize(
    ("kind", "names"),
    [("llama-server", {"top_k", "min_p", "repeat_penalty"}), ("vllm", {"top_k", "min_p", "repetition_penalty"}), ("openai", None)],
)
def test_sampling_goes_by_the_servers_own_names_or_is_refused(fake, backend, kind, names):
    model = backend(kind)
    usual = {"temperature": 0.6, "top_p": 0.95, "presence_penalty": 1.5, "frequency_penalty": 0.5}
    own = {"top_k": 20, "min_p": 0.1, "repetition_penalty": 1.1}
    model.chat(("x",), Generation(**usual))
    assert usual.items() <= fake.posted("/v1/completions")[-1].items()
    if names is None:
        with pytest.raises(RemoteCannotError, match="cannot sample by top_k, min_p, repetition_penalty"):
            model.chat(("x",), Generation(temperature=1.0, **own))
    else:
        model.chat(("x",), Generation(temperature=1.0, **own))
        body = fake.posted("/v1/completions")[-1]
        assert {body[name] for name in names} == {20, 0.1, 1.1}


def test_the_makers_sampling_is_what_a_server_does_unasked(fake, backend):
    model = backend("vllm")
    model.chat(("x",), Generation(maker=True, temperature=0.3))
    assert not {"temperature", "top_p", "top_k", "min_p"} & set(fake.posted("/v1/completions")[-1])
