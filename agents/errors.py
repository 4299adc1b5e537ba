"""Errors of the agents layer: one class per cause, and a message that says what, got, allowed and what to do.

The command line prints ``str(error)`` of an `AgentError` as one line and exits with code 2, or with 1 where it is a `FailedError`.
"""

import difflib
from collections.abc import Iterable, Sequence


class AgentError(Exception):
    """Base of every named error of this layer."""


class FailedError(AgentError):
    """Base of the errors of what was asked rightly and did not come off: the same command may do tomorrow."""


class ModelLostError(FailedError):
    """The model does not answer any more, so that no further episode can be played."""


class ModelNotFoundError(AgentError):
    """A model name that is neither known, nor a file, nor a well-formed ``hf:`` address."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
        super().__init__(
            f"unknown model {name!r}; {hint} A path to a .gguf file, hf:owner/repo:file.gguf or http://HOST:PORT/v1 works too."
        )


class NoServerError(AgentError):
    """An address on the web that is a page or a file, where a server of models was meant.

    Args:
        address: as it was given, without a password.
        remedy: what to give instead.
    """

    def __init__(self, address: str, remedy: str) -> None:
        super().__init__(f"{address} is a page or a file and no server of models; {remedy}")


class ModelPackageMissingError(AgentError):
    """A known model whose weights are in Python packages that are not all installed."""

    def __init__(self, name: str, packages: Sequence[str], extra: str) -> None:
        more = f" and {len(packages) - 1} more, which are" if len(packages) > 1 else ", which is"
        super().__init__(f'model {name!r} needs the package {packages[0]}{more} not installed; run: pip install "homebody[{extra}]"')


class BadModelFileError(AgentError):
    """A model file that is missing, a directory, not GGUF, truncated, or refused by llama.cpp."""

    def __init__(
        self, path: object, problem: str, remedy: str = "give a complete .gguf file; delete one that was fetched before you fetch it again"
    ) -> None:
        super().__init__(f"model file {path}: {problem}; {remedy}")


class ModelTooBigError(AgentError):
    """A model that would not fit the memory that is free."""

    def __init__(self, path: object, needed: int, available: int, n_ctx: int) -> None:
        super().__init__(
            f"model file {path}: it needs about {needed / 1e6:.0f} MB with a context of {n_ctx} tokens, "
            f"and {available / 1e6:.0f} MB are free; end other programs, or take a smaller model or quantization"
        )


class GpuTooSmallError(AgentError):
    """Copies of a model that would not fit the graphics memory that is free."""

    def __init__(self, path: object, each: int, copies: int, free: int) -> None:
        much = f"{each / 1e6:.0f} MB of graphics memory" + (f" in each of {copies} processes" if copies > 1 else "")
        fewer = "fewer --workers, " if copies > 1 else ""
        super().__init__(
            f"model file {path}: it needs about {much}, and {free / 1e6:.0f} MB are free; give {fewer}fewer --gpu-layers or a smaller --ctx"
        )


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


class BadSchemaError(AgentError):
    """A JSON Schema that llama.cpp cannot turn into a grammar."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"bad JSON Schema for an answer: {problem}; give types, properties, enums and references inside the schema only")


class BadChatTemplateError(AgentError):
    """A chat template, from the model's metadata, that cannot render the given messages."""

    def __init__(self, model: str, problem: str, remedy: str = "use another model file") -> None:
        super().__init__(f"the chat template of {model} cannot render these messages: {problem}; {remedy}")
        self.model, self.problem = model, problem


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


class PlainKeyError(AgentError):
    """An API key that anybody between here and the server could read."""

    def __init__(self, name: str, server: str) -> None:
        super().__init__(
            f"{name} is set and would go to {server} over plain http, where anybody on the way can read it; give an https address, "
            f"empty {name} if the server wants no key, or set HOMEBODY_KEY_OVER_HTTP=1"
        )


class RemoteError(AgentError):
    """A server of models that does not do what it is asked; the classes below say how.

    Attributes:
        is_lost: whether the server cannot be used at all, so that whatever else is asked of it would fail too.
    """

    is_lost = False


class RemoteDownError(RemoteError):
    """No answer came: refused, broken off, or too late. What is too late may be due to the question alone."""

    def __init__(self, server: str, problem: str, *, is_late: bool = False) -> None:
        remedy = "check that it is running and can be reached"
        super().__init__(f"server {server}: {problem}; {remedy}{', or wait longer with --timeout' if is_late else ''}")
        self.is_lost = not is_late


class RemoteRefusedError(RemoteError):
    """The server answered with an error.

    Attributes:
        status: HTTP status.
        reason: what the answer says, in one line.
        retry_after: seconds that the server asks to wait, or None.
    """

    def __init__(self, server: str, path: str, status: int, reason: str, *, retry_after: float | None = None) -> None:
        key = "set HOMEBODY_API_KEY (a proposer's server may have its own in HOMEBODY_PROPOSER_API_KEY)"
        remedies = {401: key, 403: key, 404: "check the address and the model's name"}
        remedy = remedies.get(status, "read the server's log")
        super().__init__(f"server {server} answered {status} to {path}: {reason}; {remedy}")
        self.status = status
        self.reason = reason
        self.is_lost = status in (401, 403, 404, 429) or (status >= 500 and status != 501)
        self.retry_after = retry_after


class RemoteAnswerError(RemoteError):
    """The server's answer is not what the protocol says, or contradicts what it said before."""

    def __init__(self, server: str, problem: str) -> None:
        super().__init__(f"server {server} does not keep to the protocol: {problem}; update it, or use another server")


class RemoteCannotError(RemoteError):
    """The server has no way to do what the harness needs."""

    def __init__(self, server: str, what: str, remedy: str) -> None:
        super().__init__(f"server {server} cannot {what}; {remedy}")


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that the model does not answer any more."""
    return isinstance(error, ModelLostError) or (isinstance(error, RemoteError) and error.is_lost)
