"""The policy of a language model: it writes the command, or scores those on offer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from homebody.agents.answer import acts_by_tool, read_answer, tools_for
from homebody.agents.harness.grammar import MOST_SLOT_CHARACTERS, SLOT, filling, gbnf, matches
from homebody.agents.harness.hooks import BeforeModel, Reading
from homebody.agents.models.backend import Backend, Branching, Message, Usage
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.policy import Decision, Ties, best, is_offered, repeats
from homebody.agents.processors.base import Chat, Score

_CHARACTERS = 2
"""Characters of a free line before a command that is written under a grammar, for each token of the answer's room."""
_MARK_TOKENS = 32
"""Room for the marks of a thought and what stands between them and the answer."""
_BROKEN = "\ufffd"
"""What stands for bytes that are no character."""
_ANEW = 0.7
"""Temperature at which an answer is drawn anew where it repeated a text and the likeliest token was always taken."""
NEUTRAL = ({"role": "user", "content": "Write one command."},)
"""The chat under which a command's own likelihood is measured: it says nothing of any goal or world."""


class ModelPolicy:
    """A language model behind the harness: writes the command, or scores those on offer.

    Args:
        backend: the model.
        temperature: of what further attempts sample.
    """

    has_model = True
    asks = ""

    def __init__(self, backend: Backend, temperature: float = 1.0) -> None:
        self.backend = backend
        self.name = backend.name
        self.fingerprint = {"policy": "model", **backend.fingerprint}
        self._temperature = temperature
        self.begin(0, 0, None)

    @property
    def usage(self) -> Usage:
        """The backend's counters."""
        return self.backend.usage

    @property
    def score(self) -> Score:
        """Scores of endings after a plain text, or of answers to a chat."""
        return lambda prompt, continuations: self.backend.score((prompt,) if isinstance(prompt, str) else prompt, continuations)

    @property
    def chat(self) -> Chat:
        """Replies to chats of a processor's own: greedy, or drawn with a seed of this very question."""
        return self._reply

    def read_goal(self, goal: str) -> str:
        """Return the goal as it is: the model reads it for itself."""
        return goal

    def count_tokens(self, text: str) -> int:
        """Ask the backend."""
        return self.backend.count_tokens((text,))

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Choose between greedy (first attempt) and sampling, and forget the last episode."""
        self._ties = Ties(seed, attempt, task_id)
        self._key = (seed, attempt)
        self._asked = self._questions = 0
        self._rng = np.random.Generator(np.random.PCG64([seed, attempt])) if attempt else None
        self._neutral: dict[str, float] = {}

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Count the tokens."""
        room = 2 * event.generation.tokens
        if event.choice.method == "score":
            room = max([room, *(self.backend.count_tokens((command,)) for command in event.candidates)])
        room += self._thought_room(event.generation)
        return self.backend.count_tokens(messages, tools_for(event)) + room <= self.backend.n_ctx

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Follow the event's method."""
        self._asked += 1
        tie = self._ties.draw()
        choice = event.choice
        if choice.method in ("grammar", "vote") and len(event.candidates) == 1 and not event.tools:
            return Decision(event.candidates[0], event.candidates[0])
        if choice.method == "vote":
            return self._vote(event, messages)
        if choice.method in ("generate", "grammar"):
            generation = self._sampled(event.generation)
            written = self._write(event, messages, generation, held=choice.method == "grammar")
            return self._again(written, event, messages, generation) if choice.retry and written.is_free else written
        # At weight 0 the model's scores decide nothing, so it is not asked.
        if choice.method == "score" and choice.weight and len(event.candidates) > 1:
            reply = self._thought(event, messages)
            totals = tuple(b + choice.weight * s for b, s in zip(event.prior, self._scores(event, messages, reply), strict=True))
            return replace(best(event.candidates, totals, tie, self._rng, self._temperature), is_asked=True, reply=reply)
        return best(event.candidates, event.prior, tie, self._rng, self._temperature)

    def _sampled(self, generation: Generation) -> Generation:
        """Return how to generate at this decision: with a seed of its own where the harness samples, or where a further attempt does."""
        if generation.maker or generation.temperature:
            draw = np.random.Generator(np.random.PCG64([*self._ties.key, self._asked, generation.seed]))
            return replace(generation, seed=int(draw.integers(2**31)))
        if self._rng is not None:
            return replace(generation, temperature=self._temperature, seed=int(self._rng.integers(2**31)))
        return generation

    def _reply(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer a processor's chat; a draw depends on the episode, the attempt, and the decisions and questions before."""
        self._questions += 1
        if generation.maker or generation.temperature:
            key = [*self._ties.key, self._asked, self._questions, generation.seed]
            draw = np.random.Generator(np.random.PCG64(key))
            generation = replace(generation, seed=int(draw.integers(2**31)))
        return self.backend.chat(messages, generation)

    def _thought_room(self, generation: Generation) -> int:
        """Return the tokens that a thought may take."""
        thinking = generation.thinking
        if not self.backend.thinks(thinking):
            return 0
        return thinking.budget + self.backend.count_tokens((thinking.sentence,)) + _MARK_TOKENS

    def _thought(self, event: BeforeModel, messages: Sequence[Message]) -> Reply | None:
        """Let the model think before candidates are scored, where it does."""
        if not self.backend.thinks(event.generation.thinking):
            return None
        return self.backend.chat(messages, replace(self._sampled(event.generation), tokens=0))

    def _write(self, event: BeforeModel, messages: Sequence[Message], generation: Generation, *, held: bool) -> Decision:
        """Let the model write a command; if `held`, under the grammar of what is on offer, after a line of its own where one is read so."""
        if not held:

            def free(reply: Reply) -> Decision:
                command = read_answer(reply, event.reading, event.admissible, event.slot_lines)
                return Decision(reply.text, command, is_asked=True, is_free=True, reply=reply)

            return self._new(event, messages, generation, free)
        forms = (*event.candidates, *event.tools)
        # A token has a byte at least, so no command can need more; what the context has no room for is completed below.
        longest = 1 + max(len(form.encode()) + self._slot_room(form, event) for form in forms)
        room = self.backend.n_ctx - self.backend.count_tokens(messages) - self._thought_room(generation)
        mark = event.reading.mark if event.reading.read == "after" else ""
        most = _CHARACTERS * generation.tokens if mark else 0
        longest += most + len(mark.encode())
        grammar = gbnf(forms, mark, most, event.slot_lines)
        # A slot of several lines has no end of its own; a line's end is none.
        has_lines = any(form in event.slot_lines for form in forms)
        stop = tuple(text for text in generation.stop if text.strip()) if has_lines else ()

        def constrained(reply: Reply) -> Decision:
            written = reply.text.rpartition(f"\n{mark} ")[2] if mark else reply.text
            command = written
            if matches(command, event.slot_lines):  # it ends where another command begins, as in a free answer
                command = read_answer(Reply(command), Reading("first"), event.admissible, event.slot_lines)
            if not is_offered(command, event):
                command = next((form for form in event.candidates if form.startswith(written)), event.candidates[0])
            return Decision(reply.text, command, is_asked=True, reply=reply)

        return self._new(event, messages, replace(generation, tokens=max(1, min(longest, room)), grammar=grammar, stop=stop), constrained)

    def _new(self, event: BeforeModel, messages: Sequence[Message], generation: Generation, read: Callable[[Reply], Decision]) -> Decision:
        """Have an answer written, and another one where it repeats a text that is barred; the first one where none of the others will do.

        The others are the next most probable ones. Where the backend cannot tell them, or samples anyway, they are drawn. A line before
        the command that stood before the last one, too, is a part of what is repeated.
        """
        tools, backend = tools_for(event), self.backend
        if not event.others:
            return read(backend.chat(messages, generation, tools))
        judged: list[bool] = []
        said = next((str(message["content"]) for message in reversed(messages) if message["role"] == "assistant"), "")
        is_whole = False

        def refuses(reply: Reply) -> tuple[int, int] | None:
            nonlocal is_whole
            command = read(reply).command
            if not judged:
                is_whole = _before(reply.text, event.reading) == _before(said, event.reading) != ""
            # The first answer may be no command: that is a matter of how it is read, or of writing it again.
            is_possible = not judged or (is_offered(command, event) and _BROKEN not in command)
            judged.append(repeats(command, event) or not is_possible)
            if not judged[-1]:
                return None
            begin, end = _span(reply.text, command, event)
            return (0 if is_whole else begin), end

        if isinstance(backend, Branching) and not generation.temperature and not generation.maker:
            reply = backend.chat_unless(refuses, messages, generation, tools, others=event.others)
        else:
            reply = backend.chat(messages, generation, tools)
            temperature = generation.temperature or _ANEW
            draws = (replace(generation, temperature=temperature, seed=generation.seed + number) for number in range(1, event.others + 1))
            if refuses(reply) is not None:
                written = (backend.chat(messages, draw, tools) for draw in draws)
                reply = next((other for other in written if refuses(other) is None), reply)
        return replace(read(reply), is_again=len(judged) > 1 and not judged[-1])

    def _again(self, written: Decision, event: BeforeModel, messages: Sequence[Message], generation: Generation) -> Decision:
        """Have a reply written again under the grammar where it names no command on offer, if the model can be held to one."""
        if is_offered(written.command, event) or acts_by_tool(event) or not self.backend.has_grammar:
            return written
        again = self._write(event, messages, generation, held=True)
        # What was cut is named, though the second reply was whole.
        reply = replace(again.reply, finish=written.finish) if again.reply and written.finish and written.is_cut else again.reply
        return replace(again, first=written.command, is_again=True, reply=reply)

    def _slot_room(self, form: str, event: BeforeModel) -> int:
        """Return the tokens that the free slot of a command may take."""
        if SLOT not in form:
            return 0
        return event.generation.tokens if form in event.slot_lines else MOST_SLOT_CHARACTERS

    def _vote(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Sample answers and take the command that most of them give, or the one that the harness likes best."""
        choice = event.choice
        seeds = np.random.Generator(np.random.PCG64([*self._key, self._asked])).integers(2**31, size=choice.samples)
        samples = [replace(event.generation, maker=False, temperature=choice.temperature, seed=int(seed)) for seed in seeds]
        answers = [self._write(event, messages, sample, held=choice.constrained) for sample in samples]
        readable = [answer for answer in answers if is_offered(answer.command, event)]
        votes = Counter(answer.command for answer in readable)
        if not votes:
            return answers[0]
        values: dict[str, float] = dict(votes)
        if choice.pick == "best":
            prior = dict(zip(event.candidates, event.prior, strict=True))
            # What no processor has an opinion of, a tool call, counts as the candidates' mean.
            values = {command: prior.get(command, sum(event.prior) / len(event.prior)) for command in votes}
        ranked = sorted(values.items(), key=lambda pair: -pair[1])  # in order of first appearance among equals
        chosen = ranked[0][0]
        given = next(answer for answer in readable if answer.command == chosen)
        cut = next((answer.reply for answer in answers if answer.reply and answer.is_cut), None)
        reply = replace(given.reply, finish=cut.finish) if cut and given.reply else given.reply
        scores = tuple((command, round(float(value), 6)) for command, value in ranked[:5])
        return replace(given, scores=scores, first=answers[0].command if answers[0].is_free else None, reply=reply)

    def _scores(self, event: BeforeModel, messages: Sequence[Message], reply: Reply | None) -> list[float]:
        """Return the model's score of each candidate, as `Choice` and `BeforeModel.guidance` say."""
        choice = event.choice
        sums = self.backend.score(messages, event.candidates, reply)
        if event.guidance and any(event.goal in message["content"] for message in messages):
            goalless = [{**message, "content": message["content"].replace(event.goal, "")} for message in messages]
            others = self.backend.score(goalless, event.candidates, reply)
            sums = [value - event.guidance * other for value, other in zip(sums, others, strict=True)]
        if choice.correct:
            neutral = self._neutral_scores(event.candidates)
            sums = [value - choice.correct * neutral[command] for value, command in zip(sums, event.candidates, strict=True)]
        if choice.normalize == "sum":
            return sums
        return [value / len(command) for value, command in zip(sums, event.candidates, strict=True)]

    def _neutral_scores(self, candidates: Sequence[str]) -> Mapping[str, float]:
        """Return each command's log-probability under `NEUTRAL`; each is asked once an episode."""
        new = [command for command in candidates if command not in self._neutral]
        if new:
            scores = self.backend.score(NEUTRAL, new)
            self._neutral.update(zip(new, scores, strict=True))
        return self._neutral


def _mark(text: str, reading: Reading) -> tuple[int, int]:
    """Return where the mark before the command of an answer begins and ends; the answer's beginning where there is none."""
    if reading.read not in ("after", "between") or not reading.mark:
        return 0, 0
    return max((found.span() for found in re.finditer(re.escape(reading.mark), text, re.IGNORECASE)), default=(0, 0))


def _before(text: str, reading: Reading) -> str:
    """Return what stands before the mark."""
    return text[: _mark(text, reading)[0]].strip()


def _span(text: str, command: str, event: BeforeModel) -> tuple[int, int]:
    """Return between which characters of an answer another one may leave it: its command, and of one with several lines what these fill.

    The space before what fills a slot counts to it: most tokens begin with theirs.
    """
    start = _mark(text, event.reading)[1]
    find = text.rfind if event.reading.read == "last" else text.find
    form = next((form for form in event.slot_lines if filling(form, command)), SLOT)
    before, filled = form.partition(SLOT)[0], filling(form, command) or ""
    at = find(before + filled.partition("\n")[0], start)
    if at < 0:
        return start, len(text)
    end = at + len(before)
    for line in filled.split("\n"):
        end = max(end, text.find(line, end) + len(line))
    return at + len(before.rstrip()), end
