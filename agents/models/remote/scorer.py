"""Log-probabilities of given words from a server whose protocol does not promise them.

Two ways are tried when the model is loaded. One is taken only if it agrees with the log-probability that the server gives to a word that
it says itself, and finds another word less likely: servers were met that shift the numbers by a token, and some may count only what a
grammar allows.

- *echo*: the prompt's own log-probabilities, asked for prompt and continuation together. The server tokenizes the two as one text; a
  token that holds the end of one and the beginning of the other counts whole.
- *forced*: the continuation's tokens are forced one after another by a grammar of token numbers, and the log-probabilities that the
  model gave them before the grammar are read from the answer. The continuation is tokenized on its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homebody.agents.errors import RemoteAnswerError, RemoteCannotError, RemoteRefusedError
from homebody.agents.models.remote.http_client import HttpClient
from homebody.agents.models.remote.provider import Body, Provider, take

_PROBE = "The sun rises in the east and sets in the west. The sun rises in the east and sets in the"
_UNLIKELY = " zebra purple"
_TOLERANCE = 1.0
"""Most that two log-probabilities of one token may differ: kernels differ by up to 0.55 with the shape of the batch (seen on Q4_0)."""


@dataclass(frozen=True)
class Scored:
    """One continuation."""

    value: float
    """Sum of the natural logs of its tokens' probabilities."""
    n_tokens: int
    """Tokens that it has."""


class Scorer:
    """Scores continuations in the way that a server allows.

    Args:
        client: the server, for messages.
        provider: its kind.
        complete: asks for a completion.
        tokenize: token numbers of a continuation.
    """

    way: str | None
    """echo or forced; None where the server cannot score."""

    def __init__(
        self, client: HttpClient, provider: Provider, complete: Callable[[Body], Any], tokenize: Callable[[str], tuple[int, ...]]
    ) -> None:
        self._client = client
        self._dialect = provider
        self._complete = complete
        self._tokenize = tokenize
        self.way, self._why = self._find_way()

    def check(self) -> None:
        """Check that there is a way.

        Raises:
            RemoteCannotError: there is none; it says what was tried.
        """
        if self.way is None:
            raise RemoteCannotError(self._client.address.shown, f"score commands ({self._why})", "use a harness whose model generates")

    def score(self, prompt: str, text: str, extra: Body) -> Scored:
        """Return the score of a continuation that is not empty.

        Args:
            prompt: the text before it.
            text: the continuation.
            extra: fields of the request.

        Raises:
            RemoteError: the server fails, or its answer cannot be.
        """
        return self._echo(prompt, text, extra) if self.way == "echo" else self._force(prompt, text, extra)

    def _find_way(self) -> tuple[str | None, str]:
        """Return how this server scores, or None and why it cannot."""
        try:
            answer = self._complete({"prompt": _PROBE, "max_tokens": 1, "logprobs": 1})
            said = take(self._client, answer, str, "choices", 0, "text")
            own = sum(self._number(log) for log in self._logs(answer)[1])
        except (RemoteRefusedError, RemoteAnswerError) as error:
            return None, f"it gives no log-probabilities: {error}"
        why = ""
        for way in self._dialect.scoring:
            score = self._echo if way == "echo" else self._force
            try:
                again = score(_PROBE, said, {}).value
                unlikely = score(_PROBE, _UNLIKELY, {}).value
            except (RemoteRefusedError, RemoteAnswerError) as error:
                why = f"{way}: {error}"
                continue
            if abs(again - own) <= _TOLERANCE and unlikely < again:
                return way, ""
            why = f"{way}: it gives {said!r} {again:.2f}, {own:.2f} when it says so itself, and {_UNLIKELY!r} {unlikely:.2f}"
        return None, why

    def _echo(self, prompt: str, text: str, extra: Body) -> Scored:
        answer = self._complete({"prompt": prompt + text, "max_tokens": 1, "echo": True, "logprobs": 1, **extra})
        whole = take(self._client, answer, str, "choices", 0, "text")
        if not whole.startswith(prompt + text):
            raise self._client.wrong("it does not echo the prompt")
        tokens, logs = self._logs(answer)
        tail = whole[len(prompt) :]  # The continuation, and what was generated after it.
        start, length = len(tokens), 0
        while length < len(tail) and start > 0:
            start -= 1
            length += len(tokens[start])
        if not "".join(tokens[start:]).endswith(tail):
            raise self._client.wrong(
                f"the tokens that it echoes end in {self._client.clean(''.join(tokens[-8:]))[-80:]!r}, not in {tail!r}"
            )
        at = len(tail) - length  # Where the first of them begins: below 0 if it holds the prompt's last letters too.
        values = []
        for token, value in zip(tokens[start:], logs[start:], strict=True):
            if at < len(text):
                values.append(self._number(value))
            at += len(token)
        return Scored(math.fsum(values), len(values))

    def _force(self, prompt: str, text: str, extra: Body) -> Scored:
        assert self._dialect.grammar is not None
        ids = self._tokenize(text)
        rule = "root ::= " + " ".join(f"<[{token}]>" for token in ids)
        answer = self._complete({"prompt": prompt, "max_tokens": len(ids), "logprobs": 1, **self._dialect.grammar(rule), **extra})
        _, logs = self._logs(answer)
        if len(logs) != len(ids):
            raise self._client.wrong(f"{len(logs)} log-probabilities came for the {len(ids)} tokens of {text!r}")
        return Scored(math.fsum(self._number(value) for value in logs), len(ids))

    def _logs(self, answer: Any) -> tuple[list[str], list[Any]]:
        """Return texts and log-probabilities of an answer's tokens, in the completion's form or in the chat's (llama-server gives that)."""
        found = take(self._client, answer, dict, "choices", 0, "logprobs")
        if "content" in found:
            entries = take(self._client, found, list, "content")
            return [take(self._client, entry, str, "token") for entry in entries], [entry.get("logprob") for entry in entries]
        texts = [str(text) for text in take(self._client, found, list, "tokens")]
        logs = take(self._client, found, list, "token_logprobs")
        if len(texts) != len(logs):
            raise self._client.wrong(f"{len(logs)} log-probabilities came with {len(texts)} tokens")
        return texts, logs

    def _number(self, value: Any) -> float:
        # Compared, and not asked whether it is finite: an integer may be too large for that.
        if not isinstance(value, int | float) or not -sys.float_info.max <= value <= 1e-3:
            raise self._client.wrong(f"a log-probability is {self._client.clean(repr(value))[:40]}, expected: a finite number, at most 0")
        return min(0.0, float(value))
