"""One model behind servers of every kind: the same command from each, or a cut that is named.

What the models say is fixed, so the expected command is known without any of our code. Nothing here reads a thought.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jinja2
import pytest

from homebody.agents.answer import read_answer
from homebody.agents.errors import RemoteCannotError, RemoteRefusedError
from homebody.agents.harness.hooks import Reading
from homebody.agents.models.generation import Generation, Reply, Thinking
from homebody.agents.models.prepare import describe
from homebody.agents.models.remote import OpenAICompatible

CHAT = [{"role": "system", "content": "You play."}, {"role": "user", "content": "A box and a key."}]
COMMAND = "open the box"
THOUGHT = "Okay, there is a key.\nI could take the key first.\ntake the key"
CALL = '<tool_call>\n{"name": "act", "arguments": {"command": "open the box"}}\n</tool_call>'
COMMAND_SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TOOL = {"type": "function", "function": {"name": "act", "description": "Acts.", "parameters": COMMAND_SCHEMA}}

SERVERS: dict[str, dict[str, Any]] = {
    "vLLM, parser": {"kind": "vllm", "shows": True},
    "vLLM, parser, behind a gateway": {"kind": "vllm"},
    "vLLM, no parser": {"kind": "vllm", "parses": False, "budgets": False},
    "vLLM, no switch": {"kind": "vllm", "switches": False},
    "llama-server, template shown": {"kind": "llama-server", "shows": True},
    "llama-server, template hidden, parser": {"kind": "llama-server"},
    "llama-server, template hidden, no parser": {"kind": "llama-server", "parses": False},
    "another, parser": {"kind": "openai", "budgets": False},
    "another, no parser": {"kind": "openai", "parses": False, "budgets": False},
}
MODELS: dict[str, tuple[dict[str, Any], Reading]] = {
    "answers": ({}, Reading()),
    "thinks and answers": ({"thought": THOUGHT}, Reading()),
    "opens the thought itself": ({"thought": THOUGHT, "opens": True}, Reading()),
    "thinks for ever": ({"thought": THOUGHT, "ends": False}, Reading()),
    "opens it itself and thinks for ever": ({"thought": THOUGHT, "ends": False, "opens": True}, Reading()),
    "calls a tool in the thought": ({"thought": f"{THOUGHT}\n{CALL}"}, Reading("tool")),
    "calls a tool after the thought": ({"thought": THOUGHT, "answer": CALL}, Reading("tool")),
    "answers in the second line": ({"thought": THOUGHT, "answer": f"There it is.\n{COMMAND}"}, Reading("last")),
    "writes thought and action": ({"answer": f"Thought: a key.\nAction: {COMMAND}"}, Reading("after", "Action:")),
    "white space before it": ({"answer": f"\n\n{COMMAND}"}, Reading()),
}


@pytest.fixture
def connect(serve: Any, stub_server: Any) -> Iterator[Callable[..., tuple[Any, OpenAICompatible]]]:
    """Start a server with a model, and connect to it."""
    made = []

    def connect(server: dict[str, Any], model: Any, **settings: Any) -> tuple[Any, OpenAICompatible]:
        stub = serve(**server, speaker=stub_server.Speaker(**model) if isinstance(model, dict) else model)
        made.append(OpenAICompatible(stub.url, n_ctx=4096, sleep=lambda seconds: None, **settings))
        return stub, made[-1]

    yield connect
    for one in made:
        one.close()


def ask(model: OpenAICompatible, reading: Reading, thinking: Thinking) -> Reply:
    stop = ("\n",) if reading.read == "first" else ()
    tools = [TOOL] if reading.read == "tool" else []
    return model.chat(CHAT, Generation(tokens=24, stop=stop, thinking=thinking), tools)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_server_gives_the_models_command_or_names_the_cut(connect: Any, server: str, model: str) -> None:
    says, reading = MODELS[model]
    _, backend = connect(SERVERS[server], says)
    for budget in (40, 300):
        reply = ask(backend, reading, Thinking(budget=budget))
        if reply.finish == "budget" and "ends" in says:
            assert (reply.text, read_answer(reply, reading)) == ("", "")
        else:
            assert read_answer(reply, reading) == COMMAND
            assert reply.finish == ("tool" if reading.read == "tool" else "stop")
        assert "take the key" not in reply.text
    assert backend.thinks(Thinking()) == ("thought" in says)


@pytest.mark.parametrize("server", SERVERS)
def test_a_thought_is_closed_at_its_budget_where_the_server_can(connect: Any, server: str) -> None:
    says, reading = MODELS["thinks for ever"]
    _, backend = connect(SERVERS[server], says)
    can = SERVERS[server].get("budgets", True)
    for at_budget, text in (("close", COMMAND if can else ""), ("fail", "")):
        reply = ask(backend, reading, Thinking("template", 40, at_budget, "Enough."))
        assert (reply.text, reply.finish) == (text, "stop" if text else "budget")
        assert reply.thought.startswith("Okay, there is a key.")


@pytest.mark.parametrize("server", [name for name in SERVERS if SERVERS[name]["kind"] != "openai"])
def test_a_model_answers_at_once_where_it_is_told_to(connect: Any, server: str) -> None:
    _, backend = connect(SERVERS[server], MODELS["thinks and answers"][0])
    reply = ask(backend, Reading(), Thinking("off"))
    assert (reply.text, bool(reply.thought)) == (COMMAND, not SERVERS[server].get("switches", True))


@pytest.mark.parametrize(
    ("server", "model", "said"),
    [
        ("vLLM, parser", "answers", "no, as its reply shows"),
        ("vLLM, no parser", "thinks for ever", "yes, as its reply shows; it can be switched off"),
        ("vLLM, no switch", "thinks and answers", "yes, as its reply shows; it cannot be switched off"),
        ("another, parser", "opens the thought itself", "yes, as its reply shows; it cannot be switched off"),
        ("llama-server, template shown", "answers", "no"),
    ],
)
def test_whether_a_server_thinks_is_told(connect: Any, server: str, model: str, said: str) -> None:
    stub, _ = connect(SERVERS[server], MODELS[model][0])
    assert describe(stub.url)["thinking"] == said


def test_budgets_go_by_the_names_of_each_kind(connect: Any) -> None:
    for kind, fields in (
        ("vllm", {"thinking_token_budget": 40}),
        (
            "llama-server",
            {"reasoning_budget_tokens": 40, "reasoning_budget_message": "Enough.", "reasoning_format": "auto"},
        ),
    ):
        stub, backend = connect({"kind": kind}, {"thought": THOUGHT})
        ask(backend, Reading(), Thinking("on", 40, "close", "Enough."))
        body = stub.chats()[-1]
        assert {name: body.get(name) for name in fields} == fields
        assert body["chat_template_kwargs"]["enable_thinking"] is True
        assert (body["max_tokens"], "stop" in body) == (64, False)


def test_a_budget_that_a_server_refuses_is_left_out_from_then_on(connect: Any) -> None:
    stub, backend = connect(SERVERS["vLLM, no parser"], MODELS["thinks and answers"][0])
    for _ in range(3):
        assert ask(backend, Reading(), Thinking(budget=300)).text == COMMAND
    assert ["thinking_token_budget" in body for body in stub.chats()[1:]] == [True, False, False, False]


def test_a_refusal_that_several_threads_meet_at_once_ends_none_of_them(connect: Any) -> None:
    stub, backend = connect(SERVERS["vLLM, no parser"], MODELS["thinks and answers"][0])
    backend.thinks(Thinking())
    stub.gather = 4
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda one: ask(one, Reading(), Thinking(budget=300)), [backend.share() for _ in range(4)]))
    assert [reply.text for reply in replies] == [COMMAND] * 4
    assert sum("thinking_token_budget" in body for body in stub.chats()) == 4  # All were sent before any was refused.


@pytest.mark.parametrize(
    ("refusal", "field", "instead"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens", "max_completion_tokens"),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "", "tool_choice"),
    ],
)
def test_a_field_that_a_server_calls_otherwise_is_sent_so(connect: Any, refusal: str, field: str, instead: str) -> None:
    stub, backend = connect({"kind": "openai"}, {})
    chat = stub.chat
    error = 400, {"error": {"message": refusal, "code": 400}}
    stub.chat = lambda body: chat({"max_tokens": 99, **body}) if instead in body or ("tools" not in body and not field) else error
    for _ in range(2):
        assert read_answer(ask(backend, Reading("tool"), Thinking()), Reading("tool")) == COMMAND
    assert instead in stub.chats()[-1]
    assert field not in stub.chats()[-1]


def test_a_refusal_of_another_kind_is_an_error(connect: Any) -> None:
    stub, backend = connect({"kind": "vllm"}, {})
    backend.thinks(Thinking())
    stub.failures = [(400, {}, json.dumps({"error": {"message": "temperature 0 is not supported"}}).encode())]
    with pytest.raises(Exception, match="answered 400 to /v1/chat/completions: temperature 0 is not supported"):
        ask(backend, Reading(), Thinking())


# --- a server that hides its template, known by its replies


@pytest.mark.parametrize("parses", [True, False])
def test_whether_a_model_thinks_is_asked_once_whoever_asks(connect: Any, parses: bool) -> None:
    stub, backend = connect({"kind": "openai", "parses": parses}, {"thought": THOUGHT})
    backends = [backend, backend.share(), backend.share()]
    for one in backends:
        assert one.thinks(Thinking())
        assert ask(one, Reading(), Thinking()).text == COMMAND
    assert len(stub.chats()) == 1 + len(backends)
    assert [one.usage.calls for one in backends] == [1, 1, 1]


def test_a_model_that_babbles_on_after_its_answer_does_not_think(connect: Any, stub_server: Any) -> None:
    stub, backend = connect({"kind": "openai", "parses": False}, {"answer": "maybe\n" + "user: Write on. " * 400})
    assert not backend.thinks(Thinking())
    stub.speaker = stub_server.Speaker("open the box\nand go on\n" * 400)
    reply = ask(backend, Reading(), Thinking())
    assert (reply.text, reply.finish) == (COMMAND, "stop")
    assert stub.chats()[-1]["stop"] == ["\n"]


def test_a_thought_that_comes_unexpected_gets_room_at_the_second_try(connect: Any, stub_server: Any) -> None:
    for parses in (True, False):
        stub, backend = connect({"kind": "openai", "parses": parses}, {"answer": "maybe"})
        assert not backend.thinks(Thinking())
        stub.speaker = stub_server.Speaker(COMMAND, THOUGHT, opens=True)
        reply = ask(backend, Reading(), Thinking(budget=300))
        assert (reply.text, reply.finish, reply.thought) == (COMMAND, "stop", THOUGHT)
        assert len(stub.chats()) == 3


def test_a_server_that_refuses_the_probe_is_asked_all_the_same(connect: Any) -> None:
    stub, backend = connect({"kind": "openai"}, {})
    stub.failures = [(400, {}, b"{}")]
    assert ask(backend, Reading(), Thinking()).text == COMMAND
    assert len(stub.chats()) == 2


def test_a_server_without_chats_does_not_think_and_one_that_is_lost_is_an_error(connect: Any) -> None:
    for status, raises in ((404, False), (401, True), (500, True)):
        stub, backend = connect({"kind": "openai"}, {})
        stub.failures = [(status, {}, b"{}")] * 4
        if raises:
            with pytest.raises(RemoteRefusedError, match=f"answered {status}"):
                backend.thinks(Thinking())
            stub.failures.clear()
        assert not backend.thinks(Thinking())  # What was an error is asked again.


@pytest.mark.parametrize("mode", ["template", "off"])
def test_a_llama_server_that_hides_all_but_its_api_is_used_as_any_other(connect: Any, mode: str) -> None:
    stub, backend = connect({"kind": "llama-server"}, {"thought": THOUGHT})
    assert ask(backend, Reading(), Thinking(mode)).text == COMMAND
    assert backend.fingerprint["engine"] == "llama-server"
    assert backend.count_tokens(("You see",)) == 1 + 3  # By the estimate: it does not tokenize either.
    assert {path for path, _, _ in stub.asked if "completions" not in path} == {"/v1/models", "/props", "/tokenize"}


def test_variables_of_the_template_go_to_servers_that_take_some(connect: Any) -> None:
    thinking = Thinking("off", template={"reasoning_effort": "low"})
    stub, backend = connect({"kind": "vllm"}, {})
    ask(backend, Reading(), thinking)
    assert stub.chats()[-1]["chat_template_kwargs"] == {
        "enable_thinking": False,
        "thinking": False,
        "reasoning_effort": "low",
    }
    _, backend = connect({"kind": "openai"}, {})
    with pytest.raises(RemoteCannotError, match="cannot tell its chat template reasoning_effort; leave it out, or use"):
        ask(backend, Reading(), thinking)


# --- native turns of tools


def test_native_turns_of_tools_go_to_the_server_as_they_are(connect: Any) -> None:
    stub, backend = connect({"kind": "vllm"}, {})
    calls = [{"id": "a1", "type": "function", "function": {"name": "act", "arguments": {"command": "look"}}}]
    told = {"role": "tool", "content": "A box.", "tool_call_id": "a1", "name": "act"}
    call = {"role": "assistant", "content": "", "tool_calls": calls, "thought": "Look first."}
    backend.chat([*CHAT, call, told], Generation(tokens=8), [TOOL])
    body = stub.chats()[-1]
    function = {"name": "act", "arguments": '{"command": "look"}'}  # The protocol's arguments are a text.
    sent = [{"id": "a1", "type": "function", "function": function}]
    assert body["messages"][2:] == [
        {"role": "assistant", "content": "", "tool_calls": sent, "reasoning_content": "Look first."},
        told,
    ]
    assert body["tools"][0]["function"]["name"] == "act"


# --- the templates of models


TURNS = "{% for m in messages %}({{ m.role }}){{ m.content }}(done){% endfor %}"
OFF = "<think>\n\n</think>\n\n"
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
SHOWN_TOOLS = "{% for tool in tools or [] %}(tool){{ tool | tojson }}(done){% endfor %}"
TEMPLATES = {
    "opens the thought": f"{TURNS}(assistant)<think>\n",
    "closes it empty": f"{TURNS}(assistant){OFF}",
    "no thinking": f"{TURNS}(assistant)",
    "takes enable_thinking": f"{TURNS}(assistant){{% if enable_thinking is false %}}{OFF}{{% else %}}<think>\n{{% endif %}}",
    "refuses system": f"{REFUSING}{TURNS}(assistant)",
    "shows tools": f"{SHOWN_TOOLS}{TURNS}(assistant)",
    "shows tools and opens the thought": f"{SHOWN_TOOLS}{TURNS}(assistant)<think>\n",
}
THINKING = f"{THOUGHT}\n</think>\n\n"
ENDLESS = "take the key\n" * 400
SAYS: dict[str, tuple[Reading, str, str, str]] = {
    # How its answer is read; what it says after a prompt that ends in a turn, in an open thought, and in a closed one.
    "thinks and answers": (Reading("last"), COMMAND, f"{THINKING}{COMMAND}", COMMAND),
    "thinks for ever": (Reading("last"), f"<think>\n{ENDLESS}", ENDLESS, COMMAND),
    "opens the thought itself": (Reading("last"), f"<think>\n{THINKING}{COMMAND}", f"{THINKING}{COMMAND}", COMMAND),
    "calls a tool inside the thought": (Reading("tool"), f"<think>\n{THOUGHT}\n{CALL}", f"{THOUGHT}\n{CALL}", CALL),
    "answers in the second line": (
        Reading("last"), *(f"{before}take the key\n{COMMAND}" for before in ("", THINKING, ""))
    ),
    "Thought and Action": (
        Reading("after", "Action:"), *(f"{before}Thought: take the key\nAction: {COMMAND}" for before in ("", THINKING, ""))
    ),
}  # fmt: skip


@pytest.fixture
def templated(stub_server: Any) -> Callable[[str, str], Any]:
    """Make a model of `SAYS` with a template of `TEMPLATES`, which Jinja itself renders."""

    def refuse(message: str) -> None:
        raise stub_server.RefusedChatError(message)

    class Templated(stub_server.Speaker):  # type: ignore[misc]
        @property
        def template(self) -> str:
            return str(self.source)

        def end_of_prompt(self, messages: Any, tools: Any, is_off: bool) -> str:
            rendered = jinja2.Environment().from_string(self.source)
            told = {"enable_thinking": False} if is_off else {}
            return rendered.render(messages=messages, tools=tools, raise_exception=refuse, **told)

        def words_after(self, prompt: str) -> str:
            _, turn, open_thought, closed = self.says
            if "</think>" in prompt[-40:]:
                return str(closed)
            return str(open_thought if "<think>" in prompt[-40:] else turn)

    def make(template: str, model: str) -> Any:
        speaker = Templated(thought="yes")
        speaker.source, speaker.says = TEMPLATES[template], SAYS[model]
        return speaker

    return make


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("model", SAYS)
def test_every_template_behind_every_server_gives_the_command_or_names_the_cut(
    connect: Any, templated: Any, server: str, template: str, model: str
) -> None:
    reading = SAYS[model][0]
    _, backend = connect(SERVERS[server], templated(template, model))
    for budget in (40, 300):
        reply = ask(backend, reading, Thinking(budget=budget))
        if reply.finish == "budget":
            assert model == "thinks for ever" or budget == 40
            assert (reply.text, read_answer(reply, reading)) == ("", "")
        else:
            assert read_answer(reply, reading) == COMMAND
        assert reply.tool_call or THOUGHT not in reply.text


@pytest.mark.parametrize(
    ("refusal", "is_taken"),
    [
        ("System role not supported", True),
        ("Conversation roles must alternate; system messages are not allowed", True),
        ("Only user and assistant roles are supported", False),
    ],
)
def test_a_system_text_that_a_server_refuses_begins_the_users_message(connect: Any, refusal: str, is_taken: bool) -> None:
    stub, backend = connect({"kind": "openai"}, {})
    backend.thinks(Thinking())
    chat = stub.chat
    error = 400, {"error": {"message": refusal, "code": 400}}
    stub.chat = lambda body: error if body["messages"][0]["role"] == "system" else chat(body)
    if not is_taken:
        with pytest.raises(RemoteRefusedError, match=refusal):
            ask(backend, Reading(), Thinking())
        return
    assert [ask(backend, Reading(), Thinking()).text for _ in range(2)] == [COMMAND] * 2
    sent = [body["messages"] for body in stub.chats()[1:]]
    assert [len(messages) for messages in sent] == [2, 1, 1]  # It is asked in vain once.
    assert sent[-1] == [{"role": "user", "content": "You play.\n\nA box and a key."}]
