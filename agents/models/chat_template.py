"""Chat messages to prompt text, cut in segments: by a model's own template, or as a plain transcript for a base model.

Knows nothing of tokens. A boundary lies at each `CUT`, at the end of a system or user text that has none, and where a reply of the
assistant begins: at the end of the prompt, that is where the next one will. So a step of an episode is one segment, from the reply to
the outcome, and the end of one prompt is still there when the reply follows. White space before a boundary is kept as given, whatever
the template does, because the same message must give the same segment with and without the text after its `CUT`. A reply that is a call
of a tool and no text has no boundary before it: it belongs to the segment in which the turn before it ends.

A template is a program from a model file or a server: it runs in a worker process, within limits of time, memory and length.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from homebody.agents import sandbox
from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models.backend import CUT, Message, Segments, Tool
from homebody.agents.models.tool_call import PROBE_ASKED, PROBE_TOOL, ToolForm, find_form, in_words, probe_chat, shared
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
TODAY = "Jul 26 2024 00:00:00 GMT"
"""What a template is told that asks for `datetime`, on every day: see the engine."""

_PRIVATE_USE = range(0xE000, 0xF900)
_SYSTEM_PROBE = "Answer briefly."
_PROBE = tuple(
    {"role": role, "content": content}
    for role, content in (("system", _SYSTEM_PROBE), ("user", "One."), ("assistant", "Two."), ("user", "Three."))
)

_THOUGHT, _TOLD = "zqthought", "zqtold"
_REASONING = ("reasoning_content", "thinking", "reasoning")
"""What templates call the thought of a message."""

_worker = Worker(Path(sandbox.__file__).with_name("chat_engine.py"), SECONDS, MEMORY_BYTES)


class _OverLimitError(BadChatTemplateError):
    """A template that takes too much."""


class ChatTemplate:
    """A model's chat template (Jinja), tried on a short chat.

    Where it refuses a system text or leaves it out, that text begins the first message of the user. Where it does not show a tool, its
    call or the answer, these are said in texts.

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
        self.tool_form: ToolForm | None = None
        """How the model calls tools; None where the template shows none."""
        self.thought_key = ""
        """What the thought of a message that calls a tool is called; empty where the template shows none there."""
        self.thought_marks: tuple[str, str, str] | None = None
        """What stands before a past thought, the part of it that no other reply begins with, and what stands after it; None where the
        template shows none."""
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
        self.tool_form = self._find_form()
        self.thought_key, self.thought_marks = self._find_thought()

    def render(self, messages: Sequence[Message], **variables: Any) -> Segments:
        """Return the prompt of a chat, up to where the assistant's next reply begins.

        The result depends on the arguments only: a template that asks for the date is told the same on every day. A message's `thought`
        stands before its content as it is: the template does not see it. The thought before a call of a tool is the template's to show.

        Args:
            messages: at least one.
            variables: what the template is told besides, JSON-ready: `tools`, say.

        Raises:
            BadChatTemplateError: the template refuses the messages, or takes too long.
            BadRequestError: there is no message.
        """
        return self._kept(json.dumps([dict(message) for message in messages]), json.dumps(variables))

    def _holds_system(self) -> bool:
        return _SYSTEM_PROBE in "".join(self.render(_PROBE))

    def _find_form(self) -> ToolForm | None:
        plain = self._after_asked({"role": "assistant", "content": _TOLD})
        header = plain.partition(_TOLD)[0]
        for as_text in (False, True):
            form = find_form(self._try(probe_chat(as_text), [PROBE_TOOL]), header, plain, as_text)
            if form:
                return form
        return None

    def _find_thought(self) -> tuple[str, tuple[str, str, str] | None]:
        """Find how a past thought is shown: before a call of a tool, and at the end of a chat."""
        told = {"role": "assistant", "content": _TOLD}
        plain = self._after_asked(told)
        for key in _REASONING:
            called = self._try(probe_chat(self.tool_form.as_text, {key: _THOUGHT}), [PROBE_TOOL]) if self.tool_form else ""
            before, shown, after = self._after_asked({**told, key: _THOUGHT}).partition(_THOUGHT)
            if shown and _TOLD in after:
                marks = (before, before[shared(before, plain) :], after.partition(_TOLD)[0])
            else:
                before, shown, after = called.partition(_THOUGHT)
                marks = (before, "", after)
            if shown:
                return (key if _THOUGHT in called else ""), marks
        return "", None

    def _after_asked(self, reply: Message) -> str:
        """Return what a template writes after a user's message, of a reply and the turn's end."""
        text = self._try([{"role": "user", "content": PROBE_ASKED}, reply], add_generation_prompt=False)
        return text.rpartition(PROBE_ASKED)[2]

    def _try(self, messages: Sequence[Message], tools: Sequence[Tool] = (), **variables: Any) -> str:
        """Return the text of a chat, none of it cut or changed; empty where the template refuses it."""
        try:
            return self._ask(self._context(messages, tools) | variables)
        except _OverLimitError:
            raise
        except BadChatTemplateError:
            return ""

    def _segments(self, messages: str, variables: str) -> Segments:
        chat, told = json.loads(messages), json.loads(variables)
        tools = told.pop("tools", [])
        if self.tool_form is None:
            chat, tools = in_words(chat, tools), []
        mark, marked, hidden = _mark(chat, self.thought_key)
        if self.joins_system:
            marked = join_system(marked)
        if self.tool_form and self.tool_form.as_text:
            marked = [_with_texts(message) for message in marked]
        text = self._ask(self._context(marked, tools) | told)
        for sign, thought in hidden.items():
            text = text.replace(sign, thought)
        return tuple(segment for segment in text.split(mark) if segment)

    def _context(self, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, object]:
        context = {"messages": list(messages), "add_generation_prompt": True, "bos_token": self._bos, "eos_token": self._eos}
        functions = json.dumps(list(tools), indent=2, ensure_ascii=False) if tools else ""
        # By these names the template of firefunction-v2 asks for tools and date.
        context |= {"functions": functions, "datetime": TODAY}
        return context | ({"tools": list(tools)} if tools else {})

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


def join_system(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a chat whose system text, where it begins with one, begins the first message of the user instead."""
    system, *rest = messages
    if system["role"] != "system":
        return [dict(message) for message in messages]
    first = rest.pop(0)["content"] if rest and rest[0]["role"] == "user" else ""
    return [{"role": "user", "content": "\n\n".join(filter(None, (system["content"], first)))}, *map(dict, rest)]


def render_plain(messages: Sequence[Message]) -> Segments:
    """Render as a transcript, for a model that has no template.

    Replies are lines that begin with ">", as in printed transcripts of text adventures. There is no space after it: tokenizers join a
    space to the next word, so a prompt that ends in one is unlike anything the model has read (tried on Gemma 3 270M: the right
    command's log-probability was -9 after ">" and -25 after "> "). A system text stands apart, and all else is plain lines.

    Raises:
        BadRequestError: there is no message.
    """
    mark, marked, hidden = _mark(in_words(messages))
    text = ""
    before = ""
    for message in marked:
        glue = "\n>" if message["role"] == "assistant" else "\n\n" if "system" in (before, message["role"]) else "\n"
        text += (glue if text or glue == "\n>" else "") + message["content"]
        before = message["role"]
    for sign in hidden:  # A transcript has no place for thoughts.
        text = text.replace(sign, "")
    return tuple(segment for segment in (text + "\n>").split(mark) if segment)


def _mark(messages: Sequence[Message], thought_key: str = "") -> tuple[str, list[dict[str, Any]], dict[str, str]]:
    """Put characters that no content has and no template trims (CUT is white space) where a boundary lies inside a message, or a thought.

    Args:
        messages: the chat.
        thought_key: what the thought before a call of a tool is called; empty where it stands before the content, as others do.

    Returns:
        The character of a boundary, the messages, and the thoughts by their characters.
    """
    if not messages:
        raise BadRequestError("the list of messages", [], "at least one message")
    used = json.dumps([dict(message) for message in messages], ensure_ascii=False)
    free = (char for char in map(chr, _PRIVATE_USE) if char not in used)
    mark = next(free)
    hidden: dict[str, str] = {}
    marked = []
    for message in messages:
        shown = {**message, "content": _marked(message, mark)}
        thought = shown.pop("thought", "")
        if thought and thought_key and message.get("tool_calls"):
            shown[thought_key] = thought
        elif thought:
            sign = next(free)
            hidden[sign] = thought
            shown["content"] = mark + sign + shown["content"].removeprefix(mark)
        marked.append(shown)
    return mark, marked, hidden


def _marked(message: Message, mark: str) -> str:
    content = str(message["content"])
    if message["role"] == "assistant":
        # Templates write an empty text before a call in another way than one of a character.
        return mark + content.replace(CUT, mark) if content or not message.get("tool_calls") else ""
    return content.replace(CUT, mark) if CUT in content else content + mark


def _with_texts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with the arguments of its calls as JSON texts."""
    if not message.get("tool_calls"):
        return message
    return {
        **message,
        "tool_calls": [
            {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False)}}
            for call in message["tool_calls"]
        ],
    }
