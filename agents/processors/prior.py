"""What the model itself knows: where things are and what serves a goal, freed of what it merely likes to say."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from homebody.agents.harness.grammar import SLOT, gbnf
from homebody.agents.harness.hooks import BeforeModel, Changes, StepEnd
from homebody.agents.models.backend import Message
from homebody.agents.processors.base import GUARDS, PRIORS, Processor, Score, Services, register
from homebody.agents.processors.control import keep_only
from homebody.agents.processors.operator import (
    AIMLESS,
    ENDING,
    LOOP,
    SEARCHING,
    UNABLE,
    EditOperator,
    Findings,
    Settings,
    method_of,
    scaled,
)
from homebody.agents.processors.parameter import integer, number, one_of, string
from homebody.agents.processors.question import fill, score, user, write
from homebody.agents.wording import Naming

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


WHICH_NEXT = "Goal: {goal}\n{observation}\n\nThese are possible now:\n{answers}\n\nWhich one serves the goal next?"
WHERE_TO_LOOK = "Goal: {goal}\n\n{answers}\n\nWhich of these is worth a look first?"
GOAL_LAST = "{observation}\n\n{answers}\n\nWhich of these serves this goal best: {goal}"


def sentence(spec: HarnessSpec, found: Findings, number: int) -> Settings:
    """Return the settings that ask for places by the sentence of this number in assets/prompts/where.json."""
    known: list[dict[str, Any]] = json.loads((resources.files("homebody.assets") / "prompts" / "where.json").read_text("utf-8"))
    return {
        "decide": {"method": "rank"},
        "visited": {"actions": list(found.explore)},
        **found.names,
        "location_prior": known[number],
    }


@register
class LocationPrior(Processor):
    """Ranks the places to search by what the model says of them. Helps before the harness has memories, and for what training never showed.

    Adds log P(place | thing) - log P(place), both under the model. The first term is read from a sentence that names the thing, the second
    from one that does not: the difference is pointwise mutual information, so that a frequent word gains nothing from being frequent. What
    the model says of a kind of place is shared out among the places of that kind by `spread`: one of twenty is worth less of a visit than
    the only one. Needs a model; acts only while the phase of the subgoal is `search`, which `learned_plan` sets.
    """

    name = "location_prior"
    hook = "before_model"
    dimension = "model"
    after = GUARDS
    texts = ("given", "base")
    schema = {
        "given": string(
            "a sentence with {thing}, then {place}", default="A {thing} can be found at the {place}.", pattern=r"\{thing\}.*\{place\}"
        ),
        "base": string("a sentence with {place} alone", default="It can be found at the {place}.", pattern=r"\{place\}"),
        "weight": {"type": "number", "exclusiveMinimum": 0, "default": 1.0, "description": "factor on the difference"},
        "spread": number(
            "how much a kind's prior is shared out among its places: the log of their number, times this, is taken off",
            default=0.0,
            least=0,
            most=4,
        ),
    }

    operators = (
        EditOperator(
            "ask where things are",
            "What the model has read of the world makes it expect things in some places more than in others.",
            SEARCHING,
            lambda spec, found: sentence(spec, found, 0),
            calls_episode=2,
        ),
        EditOperator(
            "ask where things are, in other words",
            "Another sentence brings up other things that the model has read.",
            SEARCHING,
            lambda spec, found: sentence(spec, found, 1) if spec.id_of("location_prior") else None,
            calls_episode=2,
        ),
        EditOperator(
            "trust the model more",
            "The model's differences between places are right and too small.",
            SEARCHING,
            scaled("location_prior", "weight", 2.0, 0.001, 1000),
        ),
        EditOperator(
            "trust the model less",
            "The model's differences between places are too large to be weighed against other knowledge.",
            SEARCHING,
            scaled("location_prior", "weight", 0.5, 0.001, 1000),
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._number: Counter[str] = Counter()
        """Places of each kind that the commands of the first search named."""
        self._places: tuple[str, ...] = ()
        self._base: dict[str, float] = {}
        self._prior: dict[str, dict[str, float]] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the prior of each command's place to its prior."""
        if self.services.score is None or event.subgoal is None or event.subgoal.phase != "search":
            return None
        if not self._places:
            # All the places of the episode at once: a log-probability depends in its last digits on what else is in the batch.
            naming = self.services.naming
            named = {entity[-1] for command in event.admissible if (entity := naming.entities(command))}
            self._number = Counter(map(naming.kind, named))
            self._places = tuple(sorted(self._number))
        wanted = event.subgoal.wanted
        if wanted not in self._prior:
            self._prior[wanted] = self._ask(wanted)
            # For those who read the episode: neither answer alone says where the search will go.
            ranked = sorted(self._prior[wanted].items(), key=lambda pair: (-pair[1], pair[0]))
            self.notes[wanted] = [[place, round(value, 6)] for place, value in ranked[:5]]
        prior = self._prior[wanted]
        places = [last_kind(command, self.services.naming) for command in event.candidates]
        worth = {place: self.params["weight"] * prior[place] - self.params["spread"] * math.log(self._number[place]) for place in prior}
        return {"prior": tuple(old + worth.get(place, 0.0) for old, place in zip(event.prior, places, strict=True))}

    def _ask(self, wanted: str) -> dict[str, float]:
        assert self.services.score is not None
        given = fill_in(self.services.score, self.params["given"].replace("{thing}", wanted), "{place}", self._places)
        self._base = self._base or fill_in(self.services.score, self.params["base"], "{place}", self._places)
        return {place: given[place] - self._base[place] for place in self._places}


@register
class ActionPrior(Processor):
    """Ranks commands by how much the goal makes the model expect them. Helps in an environment that the harness knows nothing of yet.

    Adds `weight` times log P(command | goal) - log P(command), both under the model, read from two plain sentences as
    `location_prior` does. A small model is better at the likelihood of a sentence than at a chat. Needs a model.
    """

    name = "action_prior"
    hook = "before_model"
    dimension = "model"
    after = GUARDS
    texts = ("given", "base")
    schema = {
        "given": string(
            "a text with {goal}, then {command}",
            default="To {goal}, the next thing to do is: {command}",
            pattern=r"\{goal\}[\s\S]*\{command\}",
        ),
        "base": string("a text with {command} alone", default="The next thing to do is: {command}", pattern=r"\{command\}"),
        "weight": number("factor on the difference", default=1.0, least=0.001, most=1000),
    }

    operators = (
        EditOperator(
            "ask which command fits the goal",
            "The goal makes the model expect some commands more than they are expected without it.",
            UNABLE | AIMLESS | LOOP,
            lambda spec, found: None if spec.id_of("learned_plan") else {"decide": {"method": "rank"}, "action_prior": {}},
            calls_step=1,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._base: dict[str, float] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the difference to the prior."""
        score = self.services.score
        if score is None or len(event.candidates) < 2:
            return None
        given = fill_in(score, self.params["given"].replace("{goal}", event.goal.rstrip(". ")), "{command}", event.candidates)
        new = [command for command in event.candidates if command not in self._base]
        if new:
            self._base |= fill_in(score, self.params["base"], "{command}", new)
        pairs = zip(event.candidates, event.prior, strict=True)
        return {"prior": tuple(prior + self.params["weight"] * (given[command] - self._base[command]) for command, prior in pairs)}


@register
class Ask(Processor):
    """Asks the model a sharp question about what is on offer. Helps a small model, which answers a short question better than a long chat.

    The answers are the commands (which of these comes next), or the kinds of the last instances that they name (where would it be), of the
    `among` candidates of highest prior (2: which of two). By `score` an answer's worth is log P(answer | question) - `correct` *
    log P(answer | question with empty blanks); by `grammar` the model writes one of them, which is worth 1 more than the others. A
    command's prior grows by `weight` times its answer's worth above the mean of all answers, until the next question. With `keep`
    only the commands of so many of the best answers stay, at the step of the question.
    """

    name = "ask"
    hook = "before_model"
    dimension = "model"
    group = None
    after = (*GUARDS, *(name for name in PRIORS if name != "ask"), "fill_slot")
    texts = ("text",)
    schema = {
        "text": string(
            "the question, with {goal}, {observation} and {answers}",
            default="Goal: {goal}\n{observation}\n\nWhich of these comes next?\n{answers}",
        ),
        "about": one_of(["commands", "kinds"], "what the answers are", default="commands"),
        "among": integer("candidates asked about, the best; 0: all", default=0, least=0, most=1000),
        "by": one_of(["score", "grammar"], "how the answer is given", default="score"),
        "normalize": one_of(["sum", "mean"], "score: whole, or divided by the answer's length", default="mean"),
        "correct": number("score: share of an answer's own likelihood", default=0.0, least=0, most=1),
        "weight": number("factor on what is added", default=1.0, least=0.001, most=1000),
        "keep": integer("answers that stay on offer; 0: all", default=0, least=0, most=1000),
        "when": one_of(["always", "stale"], "stale: only when nothing new was seen", default="always"),
        "every": integer("steps from question to question, or stale", default=1, least=1, most=1000),
    }

    operators = (
        EditOperator(
            "ask which comes next",
            "A short question about the commands alone is answered better than a long chat, and eight stay on offer.",
            AIMLESS | LOOP | UNABLE,
            lambda spec, found: {"ask": {"about": "commands", "text": WHICH_NEXT, "keep": 8}} if spec.id_of("ask") is None else None,
            calls_step=1,
            signal="stalled",
        ),
        EditOperator(
            "ask where to look",
            "Of the kinds of things that commands name, a model knows which are worth a look for this goal.",
            SEARCHING,
            lambda spec, found: (
                {"ask": {"about": "kinds", "text": WHERE_TO_LOOK, "correct": 1.0, "every": 3, "keep": 0}}
                if spec.id_of("ask") is None and method_of(spec) in ("score", "rank")
                else None
            ),
            calls_step=0.3,
        ),
        EditOperator(
            "ask which of two",
            "Where the harness prefers two commands, a question about those alone decides between them.",
            AIMLESS | ENDING,
            lambda spec, found: (
                {"ask": {"about": "commands", "among": 2, "by": "grammar", "keep": 0}}
                if method_of(spec) == "rank" and any(spec.id_of(use) for use in PRIORS)
                else None
            ),
            calls_step=1,
        ),
        EditOperator(
            "ask in other words",
            "A question that names the goal last is answered about the goal.",
            AIMLESS | SEARCHING,
            lambda spec, found: {"ask": {"text": GOAL_LAST}} if spec.id_of("ask") and spec.param("ask", "text") != GOAL_LAST else None,
        ),
        EditOperator(
            "take off an answer's own likelihood",
            "An answer that is likely to any question is no answer to this one.",
            AIMLESS | SEARCHING | LOOP,
            lambda spec, found: {"ask": {"correct": 1.0}} if spec.param("ask", "by") == "score" else None,
            calls_step=1,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._worth: dict[str, float] = {}
        self._own: dict[str, float] = {}
        """Log-probability of each answer to a question with empty blanks."""
        self._read: set[str] = set()
        self._stale = 0
        self._since: int | None = None
        """Steps since the last question; None before the first one."""

    def observe(self, step: StepEnd) -> None:
        """Count the steps, and those that showed nothing new."""
        self._since = None if self._since is None else self._since + 1
        self._stale = self._stale + 1 if step.observation in self._read else 0
        self._read.add(step.observation)

    def process(self, event: BeforeModel) -> Changes | None:
        """Ask if it is time, and add the worth of the answers to the prior."""
        given = [_answer(command, self.params["about"], self.services.naming) for command in event.candidates]
        best = sorted(range(len(given)), key=lambda i: (-event.prior[i], i))[: self.params["among"] or None]
        answers = list(dict.fromkeys(given[i] for i in sorted(best) if given[i]))
        is_fresh = len(answers) > 1 and self._is_time() and self._ask(event, answers)
        worth = [self._worth.get(answer, 0.0) for answer in given]
        if not any(worth):
            return None
        changes: Changes = {"prior": tuple(prior + self.params["weight"] * own for prior, own in zip(event.prior, worth, strict=True))}
        if is_fresh and self.params["keep"]:
            kept = sorted(answers, key=lambda answer: (-self._worth[answer], answers.index(answer)))[: self.params["keep"]]
            changes |= keep_only(replace(event, prior=changes["prior"]), [answer in kept for answer in given]) or {}
        return changes

    def _is_time(self) -> bool:
        every = self.params["every"]
        if self._since is not None and self._since < every:
            return False
        return bool(self.params["when"] == "always" or self._stale >= every)

    def _ask(self, event: BeforeModel, answers: Sequence[str]) -> bool:
        """Ask, and tell whether there was an answer."""
        self._since = 0
        listed = "\n".join(answers)
        chat = user(fill(self.params["text"], {"goal": event.goal, "observation": event.observation, "answers": listed}))
        values = self._chosen(chat, answers) if self.params["by"] == "grammar" else self._scored(chat, answers, listed)
        if values is None:
            return False
        mean = math.fsum(values) / len(values)
        self._worth = {answer: value - mean for answer, value in zip(answers, values, strict=True)}
        ranked = sorted(self._worth.items(), key=lambda pair: (-pair[1], pair[0]))
        self.notes["best"] = [[answer, round(value, 6)] for answer, value in ranked[:5]]
        return True

    def _chosen(self, chat: Sequence[Message], answers: Sequence[str]) -> list[float] | None:
        tokens = 1 + max(len(answer.encode()) for answer in answers)
        reply = write(self.services, chat, tokens, grammar=gbnf(answers))
        return [float(answer == reply.text) for answer in answers] if reply and reply.text in answers else None

    def _scored(self, chat: Sequence[Message], answers: Sequence[str], listed: str) -> list[float] | None:
        values = score(self.services, chat, answers)
        new = [answer for answer in answers if answer not in self._own] if self.params["correct"] else []
        if values is not None and new:
            blank = user(fill(self.params["text"], {"goal": "...", "observation": "...", "answers": listed}))
            own = score(self.services, blank, new)
            values = None if own is None else values
            self._own.update(zip(new, own or (), strict=own is not None))
        if values is None:
            return None
        values = [value - self.params["correct"] * self._own.get(answer, 0.0) for value, answer in zip(values, answers, strict=True)]
        return values if self.params["normalize"] == "sum" else [v / len(a) for v, a in zip(values, answers, strict=True)]


def _answer(command: str, about: str, naming: Naming) -> str:
    """Return the answer that stands for a command; empty where its slot is open, or where it names no instance."""
    if about == "commands":
        return "" if SLOT in command else command
    return last_kind(command, naming)


def last_kind(command: str, naming: Naming) -> str:
    """Return the kind of the last instance that a command names; empty where it names none."""
    named = naming.entities(command)
    return naming.kind(named[-1]) if named else ""


def fill_in(ask: Score, sentence: str, blank: str, texts: Sequence[str]) -> dict[str, float]:
    """Return, for each text in the blank of a sentence, the log-probability of it and what follows, given what stands before."""
    before, _, after = sentence.partition(blank)
    # The space belongs to the text: a word with its leading space is what tokenizers know best.
    return dict(zip(texts, ask(before.rstrip(" "), [f" {text}{after}" for text in texts]), strict=True))
