"""A server of a model whose words are fixed, which behaves as vLLM, llama-server or some other server does.

It writes word by word, heeds the length, the stop strings, the switch of the template and the budget of a thought where
its kind does, and then takes thought and tool call apart where it has a parser.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

START, END = "<think>", "</think>"
OPENING = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)
"""A chat template that opens the thought."""
PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
"""A chat template without one."""


@dataclass
class Speaker:
    """A model: what it says after any prompt."""

    answer: str = "open the box"
    thought: str = ""
    """What it thinks before, where it may; empty for one that does not think."""
    ends: bool = True
    """Whether its thought ends by itself, and the answer follows."""
    opens: bool = False
    """Whether it writes the mark of the thought itself; else the template does."""

    def words_after(self, prompt: str) -> str:
        """Return all that it would say after the text of a prompt."""
        if not self.thought or prompt.endswith(f"{END}\n\n"):
            return self.answer
        rest = f"{self.thought}\n{END}\n\n{self.answer}" if self.ends else f"{self.thought} " * 1000
        return rest if prompt.endswith(f"{START}\n") else f"{START}\n{rest}"

    def end_of_prompt(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], is_off: bool) -> str:
        """Return how the prompt of a chat ends by its template."""
        opened = self.thought and not is_off and not self.opens
        return f"{START}\n" if opened else f"{START}\n\n{END}\n\n" if self.thought and is_off else "<|assistant|>"

    @property
    def template(self) -> str:
        """The chat template that a llama-server shows."""
        return OPENING if self.thought and not self.opens else PLAIN


class RefusedChatError(Exception):
    """A chat that the template of a model refuses."""


@dataclass
class Stub:
    """A server; what may be set while it runs stands here."""

    kind: str = "openai"
    """`vllm`, `llama-server`, `llama-cpp-python` or `openai`."""
    speaker: Speaker = field(default_factory=Speaker)
    parses: bool = True
    """Whether it takes thought and tool call apart."""
    shows: bool = False
    """Whether more than the API is to be reached: the tokenizer, and a llama-server's template."""
    switches: bool = True
    """Whether its template heeds the switch."""
    budgets: bool = True
    """Whether it closes a thought at the budget that a request gives; else a vLLM refuses such a request."""
    n_ctx: int = 4096
    delay_s: float = 0.0
    gather: int = 0
    """So many requests must wait together before the first of them is answered."""
    patience_s: float = 5.0
    """Longest wait for them."""
    failures: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Status, headers and body that the next chats get."""
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.changed = threading.Condition()

    def chats(self) -> list[dict[str, Any]]:
        """Return the bodies of the chats that were asked."""
        return [body for path, body, _ in self.asked if path.endswith("/chat/completions")]

    def page(self, path: str) -> tuple[int, Any]:
        """Return what is to be read at a path."""
        owner = {"vllm": "vllm", "llama-server": "llamacpp", "llama-cpp-python": "me"}.get(self.kind, "a host")
        if path == "/v1/models":
            entry = {"id": "toy", "owned_by": owner} | ({"max_model_len": self.n_ctx} if self.kind == "vllm" else {})
            return 200, {"data": [entry]}
        if path == "/version" and self.kind == "vllm":
            return 200, {"version": "0.26.0"}
        if path == "/props" and self.shows and self.kind == "llama-server":
            return 200, {"chat_template": self.speaker.template, "default_generation_settings": {"n_ctx": self.n_ctx}, "build_info": "b9"}
        return 404, {"error": {"message": "no such path"}}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return the answer to a request."""
        if path == "/v1/chat/completions":
            return self.chat(body)
        if path == "/tokenize" and self.shows and self.kind in ("vllm", "llama-server"):
            marks = "</?think>|" if self.speaker.thought else ""
            text = body.get("content", body.get("prompt"))
            return 200, {"tokens": [1 for _ in re.findall(rf"{marks}\w+|\W", text)]}
        if path == "/v1/completions" and self.shows and "logprobs" not in body:
            text, reason = self.write(body["prompt"], body)
            return 200, {"choices": [{"text": text, "finish_reason": reason}], "usage": {"completion_tokens": len(text.split())}}
        return 404, {"error": {"message": "no such path"}}

    def chat(self, body: dict[str, Any]) -> tuple[int, Any]:
        if "thinking_token_budget" in body and not self.budgets:
            message = "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-config"
            return 400, {"error": {"message": message, "type": "BadRequestError", "code": 400}}
        try:
            prompt = self.speaker.end_of_prompt(body["messages"], body.get("tools", []), self.is_off(body))
        except RefusedChatError as error:
            return 400, {"error": {"message": str(error), "type": "BadRequestError", "code": 400}}
        text, reason = self.write(prompt, body)
        message = self.parse(text, prompt.endswith(f"{START}\n")) if self.parses else {"content": text}
        if message.get("tool_calls"):
            reason = "tool_calls"
        usage = {"prompt_tokens": 10, "completion_tokens": len(text.split())}
        choice = {"message": {"role": "assistant", **message}, "finish_reason": reason}
        return 200, {"choices": [choice], "usage": usage}

    def is_off(self, body: dict[str, Any]) -> bool:
        """Tell whether a request switches thinking off, and this server heeds that."""
        heeds = self.switches and self.kind in ("vllm", "llama-server")
        return heeds and body.get("chat_template_kwargs", {}).get("enable_thinking") is False

    def write(self, prompt: str, body: dict[str, Any]) -> tuple[str, str]:
        """Return what the model writes, and why it ended."""
        text = self.speaker.words_after(prompt)
        budget = body.get("thinking_token_budget", body.get("reasoning_budget_tokens"))
        start, mark, rest = ("", "", text) if prompt.endswith(f"{START}\n") else text.partition(START)
        thought = re.findall(r"\s*\S+", rest.partition(END)[0])
        if self.budgets and budget is not None and self.speaker.thought and len(thought) > budget:
            closed = "".join(thought[:budget]) + body.get("reasoning_budget_message", "") + f"\n{END}\n\n"
            text = start + mark + closed + self.speaker.answer
        words = re.findall(r"\s*\S+", text)
        written, is_cut = "".join(words[: body["max_tokens"]]), len(words) > body["max_tokens"]
        at = min((found for stop in body.get("stop", ()) if (found := written.find(stop)) >= 0), default=None)
        return (written, "length" if is_cut else "stop") if at is None else (written[:at], "stop")

    def parse(self, text: str, is_open: bool) -> dict[str, Any]:
        """Return a message with thought and call taken apart."""
        thought, mark, answer = text.partition(END)
        if not mark:
            thought, answer = (text, "") if is_open or text.lstrip().startswith(START) else ("", text)
        empty = None if self.kind == "vllm" else ""
        name = "reasoning" if self.kind == "vllm" else "reasoning_content"
        message: dict[str, Any] = {"content": answer or empty}
        if thought := thought.replace(START, "").strip():
            message[name] = thought
        if found := re.search(r"<tool_call>(.*?)</tool_call>", answer, re.DOTALL):
            call = json.loads(found[1])
            function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
            message |= {"content": empty, "tool_calls": [{"id": "1", "type": "function", "function": function}]}
        return message

    def wait(self) -> None:
        """Wait until enough requests do."""
        with self.changed:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            self.changed.notify_all()
            if self.gather:
                self.changed.wait_for(lambda: self.busy >= self.gather or not self.gather, self.patience_s)
                self.gather = 0
                self.changed.notify_all()
        time.sleep(self.delay_s)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


def start(stub: Stub) -> ThreadingHTTPServer:
    """Start a server on loopback; it ends with `shutdown()` and `server_close()`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None: ...

        def say(self, status: int, found: Any, headers: dict[str, str] | None = None) -> None:
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            stub.asked.append((self.path, {}, dict(self.headers)))
            self.say(*stub.page(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.asked.append((self.path, body, dict(self.headers)))
            if "messages" not in body:
                return self.say(*stub.post(self.path, body))
            stub.wait()
            try:
                if stub.failures:
                    status, headers, raw = stub.failures.pop(0)
                    return self.say(status, raw, headers)
                return self.say(*stub.post(self.path, body))
            finally:
                with stub.changed:
                    stub.busy -= 1

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    stub.url = f"http://127.0.0.1:{server.server_port}/v1"
    return server
