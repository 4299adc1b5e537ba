"""Chat messages to prompt text, cut in segments: by a model's own template, or as a plain transcript for a base model.

Knows nothing of tokens. A boundary lies at each `CUT`, at the end of a system or user text that has none, and where a reply of the
assistant begins: at the end of the prompt, that is where the next one will. So a step of an episode is one segment, from the reply to
what came of it, and the end of one prompt is still there when the reply follows. White space before a boundary is kept as given, whatever
the template does, because the same message must give the same segment with and without the text after its `CUT`.

A template is a program from a model file or a server: it runs in a worker process, within limits of time, memory and length.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from homebody.agents import sandbox
from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models.backend import CUT, Message, Segments
from homebody.agents.sandbox.process import DoesNotStartError, Worker
from homebody.envs.interpreter import one_line

SECONDS = 10.0
"""Most wall time of a rendering; a usual one takes less than a millisecond."""
MEMORY_BYTES = 512 << 20
"""Address space of the worker, Python included."""
MAX_CHARS = 4 << 20
"""Length of a prompt; 262,144 tokens are some million characters."""
RENDERED = 64
"""Chats whose prompts are kept."""

_PRIVATE_USE = range(0xE000, 0xF900)
_SYSTEM_PROBE = "Answer briefly."
_PROBE = tuple(
    {"role": role, "content": content}
    for role, content in (("system", _SYSTEM_PROBE), ("user", "One."), ("assistant", "Two."), ("user", "Three."))
)

_worker = Worker(Path(sandbox.__file__).with_name("chat_engine.py"), SECONDS, MEMORY_BYTES)


class _OverLimitError(BadChatTemplateError):
    """A template that takes too much."""


class ChatTemplate:
    """A model's chat template (Jinja), tried on a short chat.

    Where it refuses a system text or leaves it out, that text begins the first message of the user.

    Args:
        source: Jinja source, as GGUF metadata hold it.
        bos: what ``bos_token`` stands for; empty where the tokenizer adds it by itself.
        eos: what ``eos_token`` stands for.
        model: named in errors.

    Raises:
        BadChatTemplateError: the template does not compile, or cannot render a chat.
    """

    def __init__(self, source: str, *, bos: str, eos: str, model: str) -> None:
        self._source, self._bos, self._eos, self._model = source, bos, eos, model
        self._id = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        self._kept = lru_cache(maxsize=RENDERED)(self._segments)
        self.joins_system = False
        """Whether a system text is joined to the first message of the user."""
        try:
            self.joins_system = not self._holds_system()
        except _OverLimitError:
            raise
        except BadChatTemplateError as refused:
            self.joins_system = True
            try:
                self._holds_system()
            except BadChatTemplateError:
                raise refused from None

    def render(self, messages: Sequence[Message], **variables: Any) -> Segments:
        """Return the prompt of a chat, up to where the assistant's next reply begins.

        The result depends on the arguments only: a template that asks for the date is told the same on every day. A message's `thought`
        stands before its content as it is: the template does not see it.

        Args:
            messages: at least one.
            variables: what the template is told besides, JSON-ready: `tools`, say.

        Raises:
            BadChatTemplateError: the template refuses the messages, or takes too long.
            BadRequestError: there is no message.
        """
        return self._kept(json.dumps([dict(message) for message in messages]), json.dumps(variables, sort_keys=True))

    def _holds_system(self) -> bool:
        return _SYSTEM_PROBE in "".join(self.render(_PROBE))

    def _segments(self, messages: str, variables: str) -> Segments:
        mark, marked, hidden = _mark(json.loads(messages))
        if self.joins_system and marked[0]["role"] == "system":
            system, *rest = marked
            first = rest.pop(0)["content"] if rest and rest[0]["role"] == "user" else ""
            marked = [{"role": "user", "content": "\n\n".join(filter(None, (system["content"], first)))}, *rest]
        context = {"messages": marked, "add_generation_prompt": True, "bos_token": self._bos, "eos_token": self._eos}
        text = self._ask(context | json.loads(variables))
        for sign, thought in hidden.items():
            text = text.replace(sign, thought)
        return tuple(segment for segment in text.split(mark) if segment)

    def _ask(self, context: dict[str, object]) -> str:
        request = {"id": self._id, "context": context, "max_chars": MAX_CHARS}
        try:
            found = _worker.ask(json.dumps(request))
            if found is not None and "unknown" in found:
                found = _worker.ask(json.dumps({**request, "source": self._source}))
        except DoesNotStartError:
            raise BadChatTemplateError(self._model, "its worker process does not start; is jinja2 installed beside homebody?") from None
        if found is None:
            problem = f"it takes longer than {SECONDS:g} s or more than {MEMORY_BYTES >> 20} MiB"
            raise _OverLimitError(self._model, problem)
        if "kind" in found:
            raise BadChatTemplateError(self._model, one_line(f"{found['kind']}: {found['message']}"))
        return str(found["text"])


def render_plain(messages: Sequence[Message]) -> Segments:
    """Render as a transcript, for a model that has no template.

    Replies are lines that begin with ">", as in printed transcripts of text adventures. There is no space after it: tokenizers join a
    space to the next word, so a prompt that ends in one is unlike anything the model has read (tried on Gemma 3 270M: the right
    command's log-probability was -9 after ">" and -25 after "> "). A system text stands apart, and all else is plain lines.

    Raises:
        BadRequestError: there is no message.
    """
    mark, marked, hidden = _mark(messages)
    text = ""
    before = ""
    for message in marked:
        glue = "\n>" if message["role"] == "assistant" else "\n\n" if "system" in (before, message["role"]) else "\n"
        text += (glue if text or glue == "\n>" else "") + message["content"]
        before = message["role"]
    for sign in hidden:  # A transcript has no place for thoughts.
        text = text.replace(sign, "")
    return tuple(segment for segment in (text + "\n>").split(mark) if segment)


def _mark(messages: Sequence[Message]) -> tuple[str, list[dict[str, str]], dict[str, str]]:
    """Put characters that no content has and no template trims (CUT is white space) where a boundary lies inside a message, or a thought.

    Returns:
        The character of a boundary, the messages, and the thoughts by their characters.
    """
    if not messages:
        raise BadRequestError("the list of messages", [], "at least one message")
    used = set(json.dumps([dict(message) for message in messages], ensure_ascii=False))
    free = (char for char in map(chr, _PRIVATE_USE) if char not in used)
    mark = next(free)
    hidden: dict[str, str] = {}
    marked = []
    for message in messages:
        shown = {"role": message["role"], "content": _marked(message, mark)}
        if thought := message.get("thought"):
            sign = next(free)
            hidden[sign] = thought
            shown["content"] = mark + sign + shown["content"].removeprefix(mark)
        marked.append(shown)
    return mark, marked, hidden


def _marked(message: Message, mark: str) -> str:
    content = str(message["content"])
    if message["role"] == "assistant":
        return mark + content.replace(CUT, mark)
    return content.replace(CUT, mark) if CUT in content else content + mark
