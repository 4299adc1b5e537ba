"""Who chooses the command: a language model, or one of the controls that need none.

A policy sees what the harness offers (the `BeforeModel` event and the chat), and nothing else; only the experts, which are controls, ask
the environment.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from homebody.agents.answer import acts_by_tool, read_answer, tools_for
from homebody.agents.echo import Reader
from homebody.agents.errors import AgentError
from homebody.agents.harness.grammar import MOST_SLOT_CHARACTERS, SLOT, gbnf, matches
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.models.backend import Backend, Message, Usage
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.processors.base import Chat, Score, Services
from homebody.envs.text import clean, is_name, short

_CHARACTERS = 2
"""Characters of a free line before a command that is written under a grammar, for each token of the answer's room."""
_MARK_TOKENS = 32
"""Room for the marks of a thought and what stands between them and the answer."""
NEUTRAL = ({"role": "user", "content": "Write one command."},)
"""The chat under which a command's own likelihood is measured: it says nothing of any goal or world."""


class NoExpertError(AgentError):
    """An expert was asked to play an environment that has none."""


@dataclass(frozen=True)
class Decision:
    """What a policy chose."""

    response: str
    """The raw answer: a model's text, or the command itself."""
    command: str
    """The command read from it."""
    scores: tuple[tuple[str, float], ...] = ()
    """At most five commands with their scores, the chosen one first; empty where nothing was scored."""
    is_asked: bool = False
    """Whether the model was asked for this decision."""
    is_free: bool = False
    """Whether its first reply was written without a grammar."""
    first: str | None = None
    """The command read from the first free reply, where the model wrote more than one; else None."""
    reply: Reply | None = None
    """What the model wrote; None where it wrote nothing."""

    @property
    def thought(self) -> str:
        """What the model thought before it answered."""
        return self.reply.thought if self.reply else ""

    @property
    def finish(self) -> str | None:
        """Why its reply ended: one of `homebody.agents.models.generation.FINISHES`; None where it wrote nothing."""
        return self.reply.finish if self.reply else None

    @property
    def is_cut(self) -> bool | None:
        """Whether its reply ended because there was no more room; None where it wrote nothing."""
        return self.reply.finish in ("length", "budget") if self.reply else None


class Policy(Protocol):
    """One way to choose a command. Bound to one episode at a time by `begin`."""

    name: str
    fingerprint: dict[str, str]
    """What fixes its choices, besides the prompt and the seed."""
    has_model: bool
    """Whether a language model chooses."""
    asks: str
    """The method of the environment that `begin` wants as its expert; empty for a policy that asks none."""

    @property
    def usage(self) -> Usage:
        """Token counters so far."""
        ...

    @property
    def score(self) -> Score | None:
        """The model's scores for processors that ask for them, or None without a model."""
        ...

    @property
    def chat(self) -> Chat | None:
        """The model's replies to processors' own chats, or None without a model."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text; an estimate without a model."""
        ...

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Start an episode.

        Args:
            seed: of the run.
            attempt: 0 for the first try at the task; further tries sample where the first is greedy.
            expert: the environment's method that `asks` names, if it has one.
            task_id: what is played; it makes draws at one task independent of those at another.
        """
        ...

    def read_goal(self, goal: str) -> str:
        """Return the goal as the harness is to know it: as the environment says it, unless the policy reads it otherwise."""
        ...

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Choose a command of `event.candidates`, or write one of the candidates or the tools."""
        ...

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Tell whether the prompt leaves room for an answer, or for the longest command on offer where commands are scored."""
        ...


class ModelFreePolicy(ABC):
    """Base of the policies without a model."""

    name: str
    has_model = False
    asks = ""

    def __init__(self) -> None:
        self.fingerprint = {"policy": self.name}
        self.usage = Usage()
        self.score: Score | None = None
        self.chat: Chat | None = None

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Remember what the episode needs."""
        self._ties = Ties(seed, attempt, task_id)
        self._rng = np.random.Generator(np.random.PCG64(self._ties.key))
        self._expert = expert

    def read_goal(self, goal: str) -> str:
        """Return the goal as it is."""
        return goal

    def count_tokens(self, text: str) -> int:
        """Estimate."""
        return Services().count_tokens(text)

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Without a model every prompt fits."""
        return True

    @abstractmethod
    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Choose a command."""


class RandomPolicy(ModelFreePolicy):
    """Chooses uniformly among what the harness offers; shows what the harness does with no one in it."""

    name = "random"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Draw a command."""
        command = event.candidates[int(self._rng.integers(len(event.candidates)))]
        return Decision(command, command)


class NoModelPolicy(ModelFreePolicy):
    """Chooses the command of highest prior, drawn by the episode's seed among equals: what the harness knows by itself."""

    name = "no-model"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the harness's favourite."""
        return best(event.candidates, event.prior, self._ties.draw())


class EchoPolicy(NoModelPolicy):
    """Sends the command that the harness wrote last into this step's prompt; chooses as `no-model` where it wrote none.

    What stood in the prompt before, too, is copied where the harness has no favourite.
    """

    name = "echo"

    def begin(self, seed: int, attempt: int, expert: Callable[[], object] | None, task_id: str = "") -> None:
        """Forget the last episode's prompts."""
        super().begin(seed, attempt, expert, task_id)
        self._reader = Reader()

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Copy, or take the harness's favourite."""
        favourite = super().decide(event, messages)
        advice = self._reader.read(event, messages)
        has_favourite = len(event.candidates) == 1 or favourite.scores[0][1] > favourite.scores[1][1]
        copied = advice.fresh or (advice.kept if not has_favourite else "")
        return Decision(copied, copied) if copied else favourite


class ExecutorPolicy(NoModelPolicy):
    """Lets every skill act where it advises; chooses as `no-model` where none does."""

    name = "executor"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Follow the advice, or take the harness's favourite."""
        favourite = super().decide(event, messages)
        return Decision(event.advised, event.advised) if event.advised in event.candidates else favourite


class MatcherPolicy(ExecutorPolicy):
    """Plays as `executor` with the goal as the environment's own reader understands it: the bar for a model that reads goals.

    That reader, the method `read_goal`, uses no model and sees what an agent sees.
    """

    name = "matcher"
    asks = "read_goal"

    def read_goal(self, goal: str) -> str:
        """Ask the environment's reader.

        Raises:
            NoExpertError: there is none, or what it returns is no goal.
        """
        read = _asked(self, self._expert, "a model, or executor")()
        if not isinstance(read, str) or not read.strip() or not is_name(read):
            raise NoExpertError(f"{self.asks}() of this environment returned {short(read)}; it has to return a goal, one line of text")
        return read


class ExpertPolicy(ModelFreePolicy):
    """Plays the environment's own expert: privileged, an upper bound."""

    name = "expert"
    asks = "expert"

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the first command of the expert's plan from here."""
        plan: object = _asked(self, self._expert, "a model or random")()
        if not isinstance(plan, list) or not all(isinstance(command, str) and _is_command(command, event) for command in plan):
            raise NoExpertError(f"{self.asks}() of this environment returned {short(plan)}; it has to return a list of commands")
        command = plan[0] if plan else event.candidates[0]
        return Decision(command, command)


class ScriptedPolicy(ExpertPolicy):
    """Plays the environment's online expert, which knows its domain and sees only what an agent sees: an upper bound for agents."""

    name = "scripted"
    asks = "scripted_policy"


def _asked(policy: ModelFreePolicy, method: Callable[[], object] | None, others: str) -> Callable[[], object]:
    """Return the environment's method that a policy asks.

    Raises:
        NoExpertError: the environment has none.
    """
    if method is None:
        raise NoExpertError(
            f"this environment has no {policy.asks}() method, so the policy {policy.name!r} cannot play it; choose {others}"
        )
    return method


TWINS: Mapping[str, type[ModelFreePolicy]] = {policy.name: policy for policy in (NoModelPolicy, RandomPolicy, EchoPolicy, ExecutorPolicy)}
"""The policies that play a harness without its model: what it does by itself. The best of them is what a model is measured against."""
MODEL_FREE: Mapping[str, type[ModelFreePolicy]] = {
    **TWINS,
    **{policy.name: policy for policy in (MatcherPolicy, ScriptedPolicy, ExpertPolicy)},
}
"""The policies without a model, by name."""


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
            reply = self.backend.chat(messages, generation, tools_for(event))
            command = read_answer(reply, event.reading, event.admissible, event.slot_lines)
            return Decision(reply.text, command, is_asked=True, is_free=True, reply=reply)
        forms = (*event.candidates, *event.tools)
        # A token has a byte at least, so no command can need more; what the context has no room for is completed below.
        longest = 1 + max(len(form.encode()) + self._slot_room(form, event) for form in forms)
        room = self.backend.n_ctx - self.backend.count_tokens(messages) - self._thought_room(generation)
        mark = event.reading.mark if event.reading.read == "after" else ""
        most = _CHARACTERS * generation.tokens if mark else 0
        longest += most + len(mark.encode())
        grammar = gbnf(forms, mark, most, event.slot_lines)
        reply = self.backend.chat(messages, replace(generation, tokens=max(1, min(longest, room)), grammar=grammar, stop=()))
        written = reply.text.rpartition(f"\n{mark} ")[2] if mark else reply.text
        command = written
        if not is_offered(command, event):
            command = next((form for form in event.candidates if form.startswith(written)), event.candidates[0])
        return Decision(reply.text, command, is_asked=True, reply=reply)

    def _again(self, written: Decision, event: BeforeModel, messages: Sequence[Message], generation: Generation) -> Decision:
        """Have a reply written again under the grammar where it names no command on offer, if the model can be held to one."""
        if is_offered(written.command, event) or acts_by_tool(event) or not self.backend.has_grammar:
            return written
        again = self._write(event, messages, generation, held=True)
        # What was cut is named, though the second reply was whole.
        reply = replace(again.reply, finish=written.finish) if again.reply and written.finish and written.is_cut else again.reply
        return replace(again, first=written.command, reply=reply)

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
        """Return the model's score of each candidate, as `Choice` says."""
        choice = event.choice
        sums = self.backend.score(messages, event.candidates, reply)
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


class Ties:
    """Draws among equals, one stream an episode: the same for a model and its twins, so that equal knowledge gives equal commands."""

    def __init__(self, seed: int, attempt: int, task_id: str) -> None:
        self.key = [seed, attempt, zlib.crc32(task_id.encode())]
        self._decision = 0

    def draw(self) -> Callable[[int], int]:
        """Return the draw of the next decision: given a number n of equals, a number from 0 to n - 1."""
        self._decision += 1
        key = [*self.key, self._decision]
        return lambda n: int(np.random.Generator(np.random.PCG64(key)).integers(n)) if n > 1 else 0


def best(
    commands: Sequence[str],
    scores: Sequence[float],
    tie: Callable[[int], int],
    rng: np.random.Generator | None = None,
    temperature: float = 1.0,
) -> Decision:
    """Take the command of highest score, drawn among equals; or, with a generator, sample from the softmax of score / temperature."""
    values = list(scores)
    if rng is not None:
        values = [score / temperature + float(noise) for score, noise in zip(scores, rng.gumbel(size=len(values)), strict=True)]
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    equals = [i for i in order if values[i] == values[order[0]]]
    chosen = equals[tie(len(equals))]
    order = [chosen, *(i for i in order if i != chosen)]
    return Decision(commands[chosen], commands[chosen], tuple((commands[i], round(float(scores[i]), 6)) for i in order[:5]))


def _is_command(command: str, event: BeforeModel) -> bool:
    """Tell whether a text can be a command: one line, or several where a command's slot may hold them."""
    return is_name(command) or (command == clean(command) and matches(command, event.slot_lines))


def is_offered(command: str, event: BeforeModel) -> bool:
    """Tell whether a command is among the candidates, or a tool's with its slot filled."""
    return matches(command, (*event.candidates, *event.tools))
