"""Chat messages to prompt text, cut in segments: by a model's own template, or as a plain transcript for a base model.

Knows nothing of tokens. A boundary lies at each `CUT`, at the end of a system or user text that has none, and where a reply of the
assistant begins: at the end of the prompt, that is where the next one will. So a step of an episode is one segment, from the reply to
what came of it, and the end of one prompt is still there when the reply follows. White space before a boundary is kept as given, whatever
the template does, because the same message must give the same segment with and without the text after its `CUT`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models.backend import CUT, Message, Segments

_PRIVATE_USE = range(0xE000, 0xF900)


def render_template(messages: Sequence[Message], template: str, *, bos: str, eos: str, model: str) -> Segments:
    """Render by a Jinja chat template, up to where the assistant's next reply begins.

    The result depends on the arguments only: a template that asks for the date finds that there is none.

    Args:
        messages: at least one.
        template: Jinja source, as GGUF metadata hold it.
        bos: what ``bos_token`` stands for; empty where the tokenizer adds it by itself.
        eos: what ``eos_token`` stands for.
        model: named in the error.

    Raises:
        BadChatTemplateError: the template does not compile, or refuses the messages.
        BadRequestError: there is no message.
    """
    mark, marked = _mark(messages)
    try:
        text = _compile(template).render(messages=marked, add_generation_prompt=True, bos_token=bos, eos_token=eos)
    except Exception as error:  # A template is a program from a model file: it may raise anything.
        raise BadChatTemplateError(model, f"{type(error).__name__}: {error}") from error
    return tuple(segment for segment in text.split(mark) if segment)


def render_plain(messages: Sequence[Message]) -> Segments:
    """Render as a transcript, for a model that has no template.

    Replies are lines that begin with ">", as in printed transcripts of text adventures. There is no space after it: tokenizers join a
    space to the next word, so a prompt that ends in one is unlike anything the model has read (tried on Gemma 3 270M: the right
    command's log-probability was -9 after ">" and -25 after "> "). A system text stands apart, and all else is plain lines.

    Raises:
        BadRequestError: there is no message.
    """
    mark, marked = _mark(messages)
    text = ""
    before = ""
    for message in marked:
        glue = "\n>" if message["role"] == "assistant" else "\n\n" if "system" in (before, message["role"]) else "\n"
        text += (glue if text or glue == "\n>" else "") + message["content"]
        before = message["role"]
    return tuple(segment for segment in (text + "\n>").split(mark) if segment)


def _mark(messages: Sequence[Message]) -> tuple[str, list[dict[str, str]]]:
    """Put a character that no content has and no template trims (CUT is white space) where a boundary lies inside a message."""
    if not messages:
        raise BadRequestError("the list of messages", [], "at least one message")
    used = set().union(*(message["content"] for message in messages))
    mark = next(char for char in map(chr, _PRIVATE_USE) if char not in used)
    return mark, [{**message, "content": _marked(message, mark)} for message in messages]


def _marked(message: Message, mark: str) -> str:
    if message["role"] == "assistant":
        return mark + message["content"].replace(CUT, mark)
    return message["content"].replace(CUT, mark) if CUT in message["content"] else message["content"] + mark


@lru_cache(maxsize=8)
def _compile(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _refuse(problem: str) -> NoReturn:
    raise TemplateError(problem)
