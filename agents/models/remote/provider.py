"""What OpenAI-compatible servers do differently: how each is recognised, and what it calls what the protocol leaves open.

Four kinds are told apart by ``owned_by`` in their list of models: llama.cpp's own server, llama-cpp-python's, vLLM, and any other, of
which nothing is assumed beyond the published protocol. Checked against llama-server (llama.cpp of October 2026) and
llama-cpp-python 0.3.36; vLLM's is written from its documentation and the request classes in its repository, and was not run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from homebody.agents.errors import BadRequestError, RemoteAnswerError, RemoteCannotError, RemoteRefusedError
from homebody.agents.models.generation import Thinking
from homebody.agents.models.remote.http_client import HttpClient, find_error
from homebody.envs.text import whole_pairs

UNKNOWN_N_CTX = 2048
"""Context assumed where neither server nor user tells: what llama-cpp-python's opens unless it is told otherwise."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Provider:
    """A kind of server."""

    kind: str
    """Its name in messages and fingerprints."""
    neutral: Mapping[str, Any] = field(default_factory=dict)
    """Switches off what the server would do to the distribution unasked (a repetition penalty, a cut of its tail)."""
    repetition: str = "repetition_penalty"
    """Its name for that penalty, one of `neutral` where it has it."""
    tokenize: tuple[str, Callable[[str, str, bool], Body]] | None = None
    """Path beside the API, and the body for a model, a text, and whether names of special tokens in it mean those (not all servers
    can tell them apart); the answer has ``tokens``."""
    grammar: Callable[[str], Body] | None = None
    """Fields that hold the text to a GBNF grammar."""
    schema: Callable[[Mapping[str, Any]], Body] | None = None
    """Fields that hold the text of a completion to a JSON Schema."""
    chat_schema: Callable[[Mapping[str, Any]], Body] | None = None
    """The same for a chat completion."""
    scoring: tuple[str, ...] = ("echo",)
    """Ways of scoring to try, the first one that works is taken; see `homebody.agents.models.remote.backend`."""
    renders: bool = False
    """Whether its tokenizer takes chat messages."""
    switches: bool = False
    """Whether a chat completion takes variables of the chat template, such as whether to think."""
    thought: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a chat completion that ask for the thought apart from the answer."""
    budget: Callable[[Thinking], Body] | None = None
    """Fields of a chat completion that close a thought at its budget."""


def _standard_schema(schema: Mapping[str, Any]) -> Body:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}}


OTHER = Provider("openai", chat_schema=_standard_schema)
LLAMA_SERVER = Provider(
    "llama-server",
    neutral={"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    repetition="repeat_penalty",
    tokenize=("/tokenize", lambda model, text, special: {"model": model, "content": text, "add_special": False, "parse_special": special}),
    grammar=lambda text: {"grammar": text},
    schema=lambda schema: {"json_schema": schema},
    chat_schema=_standard_schema,
    scoring=("echo", "forced"),
    switches=True,
    thought={"reasoning_format": "auto"},
    budget=lambda thinking: {"reasoning_budget_tokens": thinking.budget, "reasoning_budget_message": thinking.sentence},
)
# Its echo is not tried: log-probabilities of the prompt are shifted by one token where the model has no mark of the beginning
# (0.3.36, seen with SmolLM2), and cost a sort of the whole vocabulary for each token of the prompt.
LLAMA_CPP_PYTHON = Provider(
    "llama-cpp-python",
    neutral={"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    repetition="repeat_penalty",
    tokenize=("/extras/tokenize", lambda model, text, special: {"model": model, "input": text}),
    grammar=lambda text: {"grammar": text},
    chat_schema=lambda schema: {"response_format": {"type": "json_object", "schema": schema}},
    scoring=("forced",),
)
VLLM = Provider(
    "vllm",
    neutral={"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    tokenize=("/tokenize", lambda model, text, special: {"model": model, "prompt": text, "add_special_tokens": False}),
    grammar=lambda text: {"structured_outputs": {"grammar": text}},
    schema=lambda schema: {"structured_outputs": {"json": schema}},
    chat_schema=lambda schema: {"structured_outputs": {"json": schema}},
    renders=True,
    switches=True,
    budget=lambda thinking: {"thinking_token_budget": thinking.budget},
)
_OLDEST_TOKEN_GRAMMAR = (0, 3, 36)
"""The llama-cpp-python that forcing tokens was tried on. A grammar that one cannot read ends its server's process."""


@dataclass(frozen=True)
class Server:
    """What a server says of itself."""

    provider: Provider
    engine: str
    """Kind and version, as far as it tells."""
    model: str
    """Model id, as requests name it."""
    n_ctx: int | None
    """Context; None where it does not tell."""
    template: str | None = None
    """Its Jinja chat template, where it shows it."""
    bos: str = ""
    """What the template's ``bos_token`` stands for; empty where the tokenizer adds it."""
    eos: str = ""
    """What the template's ``eos_token`` stands for."""


def ask(client: HttpClient) -> Server:
    """Find out what a server is and which model to use.

    Raises:
        BadRequestError: it has no such model, or several and none was named.
        RemoteError: it cannot be reached, or does not answer as a server of models.
    """
    found = client.get(f"{client.address.api}/models")
    entries = take(client, found, list, "data")
    ids = [take(client, entry, str, "id") for entry in entries]
    wanted = client.address.model
    if not (wanted in ids if wanted else len(ids) == 1):
        near = [client.clean(name)[:80] for name in difflib.get_close_matches(wanted, ids, n=3) or ids[:5]]
        raise BadRequestError(
            "the server's model", wanted, f"add #MODEL to the address, one of {', '.join(near) or 'none: it has no model'}"
        )
    model = wanted or ids[0]
    entry = entries[ids.index(model)]
    owner = str(entry.get("owned_by", ""))
    if owner == "llamacpp":
        return _llama_server(client, model)
    if owner == "vllm":
        n_ctx = entry.get("max_model_len")
        vllm = _tokenizing(VLLM, client, model)
        return Server(vllm, f"vllm {_version(client, '/version', 'version')}".strip(), model, n_ctx if _is_size(n_ctx) else None)
    if owner == "me" and "llama.cpp" in _version(client, "/openapi.json", "info", "title"):
        version = _version(client, "/openapi.json", "info", "version")
        numbers = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version, re.ASCII)
        if numbers is None or tuple(map(int, numbers.groups())) < _OLDEST_TOKEN_GRAMMAR:
            oldest = ".".join(map(str, _OLDEST_TOKEN_GRAMMAR))
            raise RemoteCannotError(client.address.shown, f"be used: it is llama-cpp-python {version}", f"update it to {oldest}")
        return Server(LLAMA_CPP_PYTHON, f"llama-cpp-python {version} server", model, None)
    return Server(OTHER, owner or "unnamed server", model, None)


def take(client: HttpClient, answer: Any, kind: type, *path: str | int) -> Any:
    """Return the value at a path of an answer; in a text, half a surrogate pair is replaced.

    Raises:
        RemoteAnswerError: there is none, or it is of another type.
    """
    value = answer
    for key in path:
        inside = isinstance(value, dict) if isinstance(key, str) else isinstance(value, list) and len(value) > key
        value = (value.get(key) if isinstance(value, dict) else value[key]) if inside else None
    if not isinstance(value, kind):
        if find_error(answer):  # sent as if it were an answer
            raise client.wrong(f"it sends an error as an answer: {client.reason(answer)}")
        where = ".".join(map(str, path)) or "answer"
        raise client.wrong(f"{where} is {client.clean(str(value))[:40]!r}, expected: {kind.__name__}")
    return whole_pairs(value) if isinstance(value, str) else value


def counted(answer: Any, *path: str) -> int:
    """Return a number of tokens from an answer's ``usage``; 0 where it does not say."""
    value = answer.get("usage") if isinstance(answer, dict) else None
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int) and value > 0 else 0


def _llama_server(client: HttpClient, model: str) -> Server:
    """Return what a llama-server says of itself. What stands before one may hide all but the API: then that is what there is."""
    props = _shown(client, "/props")
    if props.get("role") == "router":
        props = _shown(client, f"/props?model={quote(model)}")
    settings = props.get("default_generation_settings")
    n_ctx = settings.get("n_ctx") if isinstance(settings, dict) else None
    adds_bos = False
    if (provider := _tokenizing(LLAMA_SERVER, client, model)).tokenize:
        marked = client.post(f"{client.address.root}/tokenize", {"model": model, "content": "", "add_special": True})
        adds_bos = bool(take(client, marked, list, "tokens"))
    template = props.get("chat_template")
    return Server(
        provider,
        f"llama-server {props.get('build_info', '')}".strip(),
        model,
        n_ctx if _is_size(n_ctx) else None,
        template=template if isinstance(template, str) and template else None,
        bos="" if adds_bos else str(props.get("bos_token", "")),
        eos=str(props.get("eos_token", "")),
    )


def _tokenizing(provider: Provider, client: HttpClient, model: str) -> Provider:
    """Return a kind of server without what needs its tokenizer, where that is not to be reached."""
    assert provider.tokenize is not None
    path, body = provider.tokenize
    try:
        take(client, client.post(client.address.root + path, body(model, "x", False)), list, "tokens")
    except (RemoteRefusedError, RemoteAnswerError):
        scoring = tuple(way for way in provider.scoring if way != "forced")
        return replace(provider, tokenize=None, renders=False, scoring=scoring)
    return provider


def _shown(client: HttpClient, path: str) -> Mapping[str, Any]:
    """Return the object that a server shows at a path; an empty one if it does not."""
    try:
        found = client.get(client.address.root + path)
    except (RemoteRefusedError, RemoteAnswerError):
        return {}
    return found if isinstance(found, dict) else {}


def _version(client: HttpClient, path: str, *keys: str) -> str:
    """Return a text that the server shows at a path; empty if it does not."""
    try:
        return str(take(client, client.get(client.address.root + path), str, *keys))
    except (RemoteRefusedError, RemoteAnswerError):
        return ""


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0
