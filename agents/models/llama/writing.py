"""Token by token from a prompt to a reply: the thought, its end, and the answer.

A thought and what follows it are one run of tokens: the answer goes on from the tokens that were generated, never from their text
tokenized again. Models with recurrent memory cannot go back to where another tokenization would begin to differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from homebody.agents.models.generation import Generation, Reply, first_stop
from homebody.agents.models.llama.engine import N_OUTPUTS, Engine
from homebody.agents.models.llama.sampling import Floats, Grammar, Sampler, log_probabilities
from homebody.agents.models.thinking import Marks
from homebody.agents.models.tool_call import END, CallReader


class Run:
    """What follows a prompt in sequence 1, which holds a copy of it.

    Args:
        engine: the model.
        start: tokens of the prompt.
        row: logits (n_vocab,) after it.
        sampler: chooses tokens.
        logs_scratch: overwritten; (n_vocab,). None saves the time of the log-probabilities.
    """

    def __init__(self, engine: Engine, start: int, row: Floats, sampler: Sampler, logs_scratch: Floats | None = None) -> None:
        self.tokens: list[int] = []
        """All tokens so far, the one that ended the reply included."""
        self._logs: list[float] = []
        self._engine, self._start, self._row, self._sampler, self._scratch = engine, start, row, sampler, logs_scratch
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
        return self._sampler(row) if rule is None else rule.choose(row, self._sampler)

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
            for row, token in zip(rows, (*group[1:], *self._pending[:1]), strict=False):
                self._note(row, token)
            self._row = rows[-1]
        return self._row

    def _note(self, row: Floats, *tokens: int) -> None:
        if self._scratch is not None:
            self._logs += log_probabilities(row, tokens, self._scratch)


@dataclass(frozen=True)
class Signs:
    """The marks of a model as tokens."""

    marks: Marks
    start: tuple[int, ...]
    """Of the mark that opens a thought."""
    opener: int | None
    """The first of them, where nothing else begins with it."""


class Writer:
    """Writes one reply.

    Args:
        engine: the model.
        signs: its marks; None for a model, or after a prompt, that does not think.
        run: begun after the prompt.
        generation: how to generate.
        rule: the grammar that the answer obeys.
        calls: finds calls of tools.
        texts: of control tokens, which llama.cpp shows as nothing.
    """

    def __init__(
        self,
        engine: Engine,
        signs: Signs | None,
        run: Run,
        generation: Generation,
        rule: Grammar | None,
        calls: CallReader,
        texts: Mapping[int, bytes],
    ) -> None:
        self.chosen = 0
        """Tokens that the model chose."""
        self.before: int | None = None
        """Tokens before the answer; None where there is no answer."""
        self._engine, self._signs, self._run, self._generation, self._rule = engine, signs, run, generation, rule
        self._calls, self._texts = calls, texts
        self._starts = tuple(start.encode() for start in calls.starts)
        self._is_free = rule is None and generation.tokens > 0
        """Whether the model itself writes what stands between thought and answer."""
        self._stops = tuple(stop.encode() for stop in generation.stop)

    def write(self, *, is_open: bool) -> Reply:
        """Return the reply, without its place.

        Args:
            is_open: whether the prompt ends in an open thought.
        """
        signs = self._signs
        if signs is None or is_open or self._generation.thinking.mode == "off":
            return self._think() if is_open else self._answer()
        # A model may open the thought itself. Where it writes freely that shows, elsewhere it is asked for its first token.
        if not self._is_free and signs.opener is not None and self._run.choose() == signs.opener:
            self._run.take(*signs.start)
            return self._think()
        return self._answer(may_open=self._is_free)

    def _think(self) -> Reply:
        """Write a thought to its end, and the answer after it."""
        assert self._signs is not None
        marks, thinking = self._signs.marks, self._generation.thinking
        text = b""
        self.before = None
        closing: str | None = marks.closing()
        for _ in range(thinking.budget):
            token = self._choose()
            piece = self._piece(token)
            if self._engine.ends(token) or (not self._is_free and self._begins(text + piece) is not None):
                break
            self._run.take(token)
            text += piece
            end = text.find(marks.end.encode())
            called = self._begins(text)
            if end >= 0 or called is not None:
                at = min(at for at in (end, called) if at is not None and at >= 0)
                rest = text[at:].removeprefix(marks.end.encode())
                text = text[:at]
                closing = None
                break
        else:
            if thinking.at_budget == "fail":
                return Reply("", _decoded(text).strip(), finish="budget")
            sentence = f" {thinking.sentence}" if thinking.sentence and text else ""
            text += sentence.encode()
            closing = marks.closing(sentence)
        if closing is not None:
            rest = b""
            self._run.take(*self._engine.tokenize(closing, True))
        elif not self._is_free:
            self._run.take(*self._engine.tokenize(marks.gap, True))
        return replace(self._answer(rest), thought=_decoded(text).strip())

    def _answer(self, text: bytes = b"", *, may_open: bool = False) -> Reply:
        """Write the answer, of which the beginning may be there; if `may_open`, a thought before it is one."""
        generation, signs = self._generation, self._signs
        self.before = len(self._run.tokens)
        finish = "length" if generation.tokens else "stop"
        barred = signs.opener if signs is not None and not may_open and self._is_free else None
        for _ in range(generation.tokens):
            token = self._choose(barred)
            self._run.take(token)
            if self._engine.ends(token):
                finish = "stop"
                break
            text += self._piece(token)
            if may_open and signs is not None and text.lstrip().startswith(signs.marks.start.encode()):
                return self._think()
            if not self._is_free:
                continue
            if self._calls.find(_decoded(text)) or END.encode() in text:
                finish = "stop"
                break
            if self._begins(text) is None and (at := first_stop(text, self._stops)) is not None:
                text, finish = text[:at], "stop"
                break
        shown = _decoded(text)
        if signs is not None and self.before:
            shown = shown.partition(signs.marks.start)[0]
        if signs is not None and (self.before or signs.marks.header):
            shown = signs.marks.answer(shown)
        called = self._calls.find(shown) if self._is_free and finish == "stop" else None
        return Reply(shown, "", called, "tool" if called else finish)

    def _choose(self, barred: int | None = None) -> int:
        self.chosen += 1
        return self._run.choose(self._rule if self.before is not None else None, barred)

    def _begins(self, text: bytes) -> int | None:
        """Return where a mark that begins a call stands; None if there is none."""
        return min((at for start in self._starts if (at := text.find(start)) >= 0), default=None)

    def _piece(self, token: int) -> bytes:
        return self._texts.get(token) or self._engine.piece(token)


def make_signs(engine: Engine, marks: Marks) -> Signs:
    """Return a model's marks as its tokens."""
    start = engine.tokenize(marks.start, True)
    return Signs(marks, start, start[0] if len(engine.word(start[0])) > 1 else None)


def control_texts(engine: Engine, marks: Iterable[str]) -> dict[int, bytes]:
    """Return the texts of the control tokens that stand in marks, and of those that are a mark."""
    texts = {}
    for mark in marks:
        tokens = engine.tokenize(mark, True)
        if len(tokens) == 1:
            texts[tokens[0]] = mark.encode()
        texts |= {token: engine.word(token).encode() for token in tokens if not engine.piece(token)}
    return texts


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
