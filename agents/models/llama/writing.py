"""Token by token from a prompt to a reply: the thought, its end, and the answer.

A thought and what follows it are one run of tokens: the answer goes on from the tokens that were generated, never from their text
tokenized again. Models with recurrent memory cannot go back to where another tokenization would begin to differ.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate, count

from homebody.agents.models.backend import Refuses
from homebody.agents.models.generation import Generation, Reply, first_stop
from homebody.agents.models.llama.engine import Engine
from homebody.agents.models.llama.run import Run
from homebody.agents.models.llama.sampling import Grammar
from homebody.agents.models.thinking import Marks
from homebody.agents.models.tool_call import END, CallReader


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
        self._given = b""
        """What the answer began with before its first token: the end of a thought that was chosen with it."""
        self._end = 0
        """Bytes of the answer without what ended it and without white space at its end."""

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

    def others(self, refuses: Refuses, first: Reply, most: int) -> Reply | None:
        """Return the first further answer that is not refused; None where `most` of them are.

        Each leaves an earlier one at one token and goes on greedily. What comes next is the one that loses the least at these tokens
        against the first answer: Lawler's order of the best solutions (1972), with a greedy end in the place of the best one. None is
        an earlier one with more behind it, for what follows an answer is mostly the next turn, nor one cut short by whole lines. Where a
        refusal says from where on an answer is to change, it is not left before that any more.

        Args:
            refuses: see `homebody.agents.models.backend.Branching`.
            first: the first answer, refused as well.
            most: answers that are written.
        """
        span = refuses(first)
        if span is None:
            return first
        if self.before is None:
            return None
        order = count()
        branches = sorted(self._branches(order, self.before, 0.0, self._in_bytes(first, span)))
        for _ in range(most):
            found = self._next(branches, order)
            if found is None:
                return None
            size, loss, token = found
            reply = replace(self._answer_from(token), thought=first.thought)
            span = refuses(reply)
            if span is None:
                return reply
            begin, end = self._in_bytes(reply, span)
            tokens = tuple(self._run.tokens)
            branches = [branch for branch in branches if branch.place >= begin or branch.before != tokens[: branch.at]]
            branches += self._branches(order, size + 1, loss, (begin, end))
            heapq.heapify(branches)
        return None

    def _in_bytes(self, reply: Reply, span: tuple[int, int]) -> tuple[int, int]:
        """Return a span of the text of the answer that was just written, in bytes of what was written."""
        lead = max(0, self._written().find(reply.text.encode()))
        begin, end = (len(reply.text[:at].encode()) for at in span)
        return lead + begin, lead + end

    def _written(self) -> bytes:
        """Return the bytes of the answer."""
        assert self.before is not None
        return self._given + b"".join(self._piece(token) for token in self._run.tokens[self.before :])

    def _branches(self, order: Iterator[int], start: int, loss: float, span: tuple[int, int]) -> list[_Branch]:
        """Return the branches of what is written, from some number of tokens on and within a span of bytes."""
        assert self.before is not None
        tokens, (begin, end) = tuple(self._run.tokens), span
        end = min(end, self._end)
        last_line = self._written().rfind(b"\n", 0, self._end)
        return [
            _Branch(loss + self._run.gaps[at], next(order), tokens, at, (tokens[at],), loss, place, place <= last_line)
            for at, place in enumerate(self._places(), self.before)
            if at >= start and at in self._run.gaps and begin <= place < end
        ]

    def _next(self, branches: list[_Branch], order: Iterator[int]) -> tuple[int, float, int] | None:
        """Go to the next branch; return the number of tokens before it, what is lost there, and its token."""
        assert self.before is not None
        barred = self._signs.opener if self._signs is not None and self._is_free else None
        while branches:
            branch = heapq.heappop(branches)
            self._run.go_to(branch.before)
            if self._rule is not None:
                self._rule.restart(branch.before[self.before :])
            found = self._run.next_best(branch.taken, self._rule, barred=barred, goes_on=branch.goes_on)
            if found is None:
                continue
            token, gap, next_gap = found
            loss = branch.loss_before + gap
            if loss > branch.loss and branches and loss > branches[0].loss:  # What was expected here may not follow.
                heapq.heappush(branches, replace(branch, loss=loss))
                continue
            again = replace(branch, loss=branch.loss_before + next_gap, order=next(order), taken=(*branch.taken, token))
            heapq.heappush(branches, again)
            return branch.at, loss, token
        return None

    def _places(self) -> list[int]:
        """Return the number of bytes of the answer before each of its tokens."""
        sizes = [len(self._given), *(len(self._piece(token)) for token in self._run.tokens[self.before :])]
        return list(accumulate(sizes))[:-1]

    def _answer_from(self, token: int) -> Reply:
        """Write the rest of an answer that goes on by this token."""
        assert self.before is not None
        if self._rule is not None:
            self._rule.take(token)
        self.chosen += 1
        return self._answer(self._written(), before=self.before, token=token)

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

    def _answer(self, text: bytes = b"", *, may_open: bool = False, before: int | None = None, token: int | None = None) -> Reply:
        """Write the answer, of which the beginning may be there; if `may_open`, a thought before it is one.

        Args:
            text: its beginning.
            may_open: see above.
            before: tokens of the reply before it, where some of its own are there already.
            token: the next one, where that is chosen.
        """
        generation, signs = self._generation, self._signs
        if before is None:
            self._given = text
        self.before = len(self._run.tokens) if before is None else before
        finish = "length" if generation.tokens else "stop"
        barred = signs.opener if signs is not None and not may_open and self._is_free else None
        for _ in range(generation.tokens - (len(self._run.tokens) - self.before)):
            chosen, token = self._choose(barred) if token is None else token, None
            self._run.take(chosen)
            if self._engine.ends(chosen):
                finish = "stop"
                break
            text += self._piece(chosen)
            if may_open and signs is not None and text.lstrip().startswith(signs.marks.start.encode()):
                return self._think()
            if self._is_free and (self._calls.find(_decoded(text)) or END.encode() in text):
                finish = "stop"
                break
            is_call = self._is_free and self._begins(text) is not None
            if not is_call and (at := first_stop(text, self._stops)) is not None:
                text, finish = text[:at], "stop"
                break
        self._end = len(text.rstrip())
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


@dataclass(frozen=True, order=True)
class _Branch:
    """A token at which another answer leaves one that was written."""

    loss: float
    """What the other answer loses there and before against the first one, in logits, at least."""
    order: int
    tokens: tuple[int, ...] = field(compare=False)
    """Of the answer that it leaves, and of the thought before that."""
    at: int = field(compare=False)
    """How many of them stand before it."""
    taken: tuple[int, ...] = field(compare=False)
    """What was written there."""
    loss_before: float = field(compare=False)
    """What was lost before it."""
    place: int = field(compare=False)
    """Bytes of the answer before it."""
    goes_on: bool = field(compare=False)
    """Whether the answer that it leaves has another line after it."""

    @property
    def before(self) -> tuple[int, ...]:
        """The tokens before it."""
        return self.tokens[: self.at]


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
