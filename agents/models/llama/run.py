"""What follows a prompt, token by token: chosen, taken, evaluated, and gone back on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from homebody.agents.models.llama.engine import N_OUTPUTS, Engine
from homebody.agents.models.llama.sampling import Floats, Grammar, Sampler, log_probabilities


class Run:
    """What follows a prompt in sequence 1, which holds a copy of it.

    Args:
        engine: the model.
        start: tokens of the prompt.
        row: logits (n_vocab,) after it.
        sampler: chooses tokens.
        logs_scratch: overwritten; (n_vocab,). None saves the time of the log-probabilities.
        is_branching: whether `gaps` are kept.
    """

    def __init__(
        self, engine: Engine, start: int, row: Floats, sampler: Sampler, logs_scratch: Floats | None = None, *, is_branching: bool = False
    ) -> None:
        self.tokens: list[int] = []
        """All tokens so far, the one that ended the reply included."""
        self._logs: list[float] = []
        self.gaps: dict[int, float] = {}
        """By the number of tokens before a chosen one: its logit above the next best one's, at least 0."""
        self._engine, self._start, self._row, self._sampler, self._scratch = engine, start, row, sampler, logs_scratch
        self._first, self._is_branching = row, is_branching
        self._pending: tuple[int, ...] = ()
        """The last of them, not evaluated yet."""

    @property
    def logs(self) -> list[float]:
        """The log-probability of each token, at temperature 1 and without a grammar, where they are wanted."""
        if len(self._logs) < len(self.tokens) and self._scratch is not None:
            self._logits()
        return self._logs

    def choose(self, rule: Grammar | None = None, barred: int | None = None) -> int:
        """Return the next token, which is not taken yet."""
        row = self._logits()
        if barred is not None:
            row = row.copy()
            row[barred] = -np.inf
        token = self._sampler(row) if rule is None else rule.choose(row, self._sampler)
        if self._is_branching:
            weights = self._sampler.weighed(row)
            self.gaps[len(self.tokens)] = max(0.0, float(weights[token]) - float(np.delete(weights, token).max()))
        return token

    def next_best(
        self, taken: Iterable[int], rule: Grammar | None, *, barred: int | None = None, goes_on: bool = False
    ) -> tuple[int, float, float] | None:
        """Return the best token that is none of those taken here, and how far below the first one its logit and the next one's lie.

        None where no other token may follow.

        Args:
            taken: tokens that were written here.
            rule: the grammar, moved on up to here.
            barred: a token that may not follow.
            goes_on: whether none is wanted that ends the answer.
        """
        weights = self._sampler.weighed(self._logits())
        weights = weights.copy() if rule is None else rule.allowed(weights)
        if barred is not None:
            weights[barred] = -np.inf
        first = float(weights.max())
        weights[list(taken)] = -np.inf
        token = int(weights.argmax())
        while goes_on and self._engine.ends(token) and np.isfinite(weights[token]):
            weights[token] = -np.inf
            token = int(weights.argmax())
        best = float(weights[token])
        weights[token] = -np.inf
        return (token, first - best, first - float(weights.max())) if np.isfinite(best) else None

    def go_to(self, tokens: Sequence[int]) -> None:
        """Go to where the reply is these tokens, back and on from there as far as it takes."""
        common = 0
        while common < min(len(tokens), len(self.tokens)) and tokens[common] == self.tokens[common]:
            common += 1
        if common < len(self.tokens):
            self._back(common)
        if common < len(tokens):
            self.take(*tokens[common:])

    def _back(self, size: int) -> None:
        """Go back to the first tokens. The last of them is evaluated again, for the logits after it."""
        if self._scratch is not None:
            self._logits()
        kept = max(0, size - 1) if self._engine.forgets else 0
        self._engine.shorten(1, self._start + kept)
        self.tokens = self.tokens[:size]
        self._logs = self._logs[:size]
        self._pending = tuple(self.tokens[kept:])
        self._row = self._first
        self._sampler.recount(self.tokens)

    def take(self, *tokens: int) -> None:
        """Go on by these tokens, which are evaluated together."""
        self._note(self._logits(), *tokens[:1])
        self._pending = tokens
        for token in tokens:
            self.tokens.append(token)
            self._sampler.note(token)

    def _logits(self) -> Floats:
        """Return the logits (n_vocab,) after all tokens so far; a view that the next call overwrites.

        Each group of tokens is evaluated as the same batches, with the same outputs, whether their log-probabilities are wanted or not.
        """
        most = min(N_OUTPUTS, self._engine.n_batch)
        while self._pending:
            group, self._pending = self._pending[:most], self._pending[most:]
            start = self._start + len(self.tokens) - len(self._pending) - len(group)
            rows = self._engine.decode(group, start, 1, outputs=len(group))
            noted = start - self._start + 1
            for row, token in zip(rows, (*group[1:], *self._pending[:1]), strict=False):
                if noted == len(self._logs):
                    self._note(row, token)
                noted += 1
            self._row = rows[-1]
        return self._row

    def _note(self, row: Floats, *tokens: int) -> None:
        if self._scratch is not None:
            self._logs += log_probabilities(row, tokens, self._scratch)
