"""For environments of pages: what to write into a free slot, which choices of a list to open, and which of them to end with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypedDict

from homebody.agents.harness.grammar import SLOT, filling
from homebody.agents.harness.hooks import BeforeModel, Changes, StepEnd
from homebody.agents.processors.base import GUARDS, PRIORS, Processor, Services, register
from homebody.agents.processors.parameter import boolean, integer, mapping, number, string
from homebody.agents.processors.prior import fill_in
from homebody.agents.processors.question import fill
from homebody.agents.skills import operator, page_reading
from homebody.agents.skills.page_reading import Choice, Marks, Page
from homebody.agents.skills.skill import Advice, Skill, shortlist


class PageTable(TypedDict):
    """What training in an environment of pages taught, as the parameters of `OpenAndCompare` of the same names describe it."""

    final: str
    back: str
    fixed: list[str]
    separator: str
    heading_mark: str
    part_mark: str
    document_frequency: dict[str, float]
    weights: dict[str, float]
    threshold: float


COMMANDS = {"type": "array", "items": {"type": "string"}}
FIXED = {**COMMANDS, "default": [], "description": "commands that most pages share; the others are a page's own choices"}
SEPARATOR = {"type": "string", "pattern": r"[\s\S]", "default": "\n", "description": "what stands between two pieces of a page's text"}


@register
class FillSlot(Processor):
    """Fills a free slot with the goal's words, those aside that say nothing. Helps where all goals share words and the rest tell more.

    A free slot is filled with the whole goal otherwise.
    """

    name = "fill_slot"
    hook = "before_model"
    dimension = "tools"
    after = (*GUARDS, "goal_words")
    schema = {"drop": {**COMMANDS, "default": [], "description": "words of the goal that are left out, in lower case"}}

    operators = operator.FILL_SLOT

    def process(self, event: BeforeModel) -> Changes | None:
        """Write the words that are left into every filled slot, unless none is left."""
        drop = set(self.params["drop"])
        words = " ".join(word for word in event.goal.split() if not page_reading.page_words(word) <= drop)
        forms = {command.replace(SLOT, event.goal): command for command in event.admissible if SLOT in command}
        if not words or not forms:
            return None
        return {"candidates": tuple(forms[command].replace(SLOT, words) if command in forms else command for command in event.candidates)}


@register
class ResultPrior(Processor):
    """Ranks the choices of a page by how much the goal makes the model expect what stands beside them. Helps where the order says little.

    Adds `weight` times log P(text | goal) - log P(text), both under the model and divided by the text's length, for each choice with text
    beside it. Needs a model.
    """

    name = "result_prior"
    hook = "before_model"
    dimension = "model"
    after = (*GUARDS, "fill_slot")
    schema = {
        "fixed": FIXED,
        "separator": SEPARATOR,
        "weight": number("factor on the difference", default=1.0, least=0.001, most=1000),
    }

    operators = operator.RESULT_PRIOR

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._known: dict[str, float] = {}

    def process(self, event: BeforeModel) -> Changes | None:
        """Add the difference to the prior."""
        score = self.services.score
        if score is None:
            return None
        page = page_reading.read(event.observation, event.admissible, self.params["fixed"], self.params["separator"], event.goal)
        texts = {choice.command: choice.texts[0] for choice in page.choices if choice.texts}
        new = sorted({text for text in texts.values() if text not in self._known})
        if 2 * len(texts) < len(page.choices) or len(texts) < 2:  # rows of choices, nothing beside them
            return None
        if new:
            given = fill_in(score, f"{event.goal.rstrip('. ')}: {{text}}", "{text}", new)
            base = fill_in(score, "This is: {text}", "{text}", new)
            self._known |= {text: (given[text] - base[text]) / len(text) for text in new}
        pairs = zip(event.candidates, event.prior, strict=True)
        weight = self.params["weight"]
        return {"prior": tuple(prior + (weight * self._known[texts[command]] if command in texts else 0.0) for command, prior in pairs)}


@register
class OpenAndCompare(Skill):
    """Opens choices of a list, compares their pages with the goal and ends with the best. Helps where a choice's worth shows only inside.

    It points at one candidate, which alone stays on offer in the mode `limit`: the free slot's; in a
    list the next choice, those of higher prior first and then in the order of the page; on an opened
    page the way back as long as fewer than `most_opened` were opened and the steps suffice, else what the
    goal names there and then the final command, or the way to the best page. A page's worth is the
    logistic function of the weighted sum of what `homebody.agents.skills.page_reading.features`
    measures; without weights the first one opened is the best.
    """

    name = "open_and_compare"
    dimension = "control"
    after = (*GUARDS, *PRIORS, "fill_slot")
    texts = ("message",)
    schema = {
        **Skill.modes,
        "message": string(
            "advise: what the model reads, with {worth}", default="How well what was opened so far fits the goal, from 0 to 1: {worth}."
        ),
        "heading_mark": string("what stands in goals between a row's heading and a choice", default=""),
        "part_mark": string("what stands between the parts of a goal", default=""),
        "final": string("the command that ends an episode, and that every opened page offers; without it nothing is done", default=""),
        "back": string("the command that leads from an opened page to the list", default=""),
        "fixed": FIXED,
        "separator": SEPARATOR,
        "document_frequency": mapping(
            {"type": "number", "minimum": 0.0001, "maximum": 1},
            "share of the training goals that have a word; what is not listed is as rare as the rarest",
        ),
        "choose": boolean("whether what the goal names on a page is chosen before the end"),
        "most_opened": integer("choices of a list that are opened, at most", default=1, least=1, most=20),
        "weights": mapping(
            {"type": "number", "minimum": -1000, "maximum": 1000},
            f"weight of what is measured on an opened page: {', '.join(page_reading.FEATURES)}; and of `prior`, a constant",
        ),
        "threshold": number("worth of a page with which the search for a better one ends", default=1.0, least=0, most=1),
    }

    operators = operator.OPEN_AND_COMPARE

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._final: str = params["final"]
        self._back: str = params["back"]
        self._marks = Marks(params["heading_mark"], params["part_mark"])
        self._listed: tuple[Choice, ...] = ()
        self._rarity: dict[str, float] = {}
        self._queue: list[str] = []
        self._opened = ""
        self._worth: dict[str, float] = {}
        self._picks: dict[str, list[str]] = {}
        self._done: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Remember what was opened, and what was chosen since."""
        if step.accepted and step.command not in self.params["fixed"]:
            if any(step.command == choice.command for choice in self._listed) and self._final in step.admissible:
                self._opened, self._done = step.command, set()
                self._listed = ()
            else:
                self._done.add(step.command)

    def advise(self, event: BeforeModel) -> Advice | None:
        """Point at the command that comes next."""
        command = self._next(event) if self._final else None
        if command is None or command not in event.candidates:
            return None
        worth = "; ".join(f"{name} {value:.2f}" for name, value in self._worth.items() if self.params["weights"])
        text = fill(self.params["message"], {"worth": worth}) if worth else ""
        return Advice(text, ((command,),), shortlist(event.candidates, event.prior, (command,)))

    def limit(self, event: BeforeModel, advice: Advice) -> Changes:
        """Leave the one command that comes next."""
        return {"candidates": (advice.command,), "prior": (0.0,)}

    def _next(self, event: BeforeModel) -> str | None:
        if self._final in event.admissible:
            return self._on_opened(event)
        forms = [form for form in event.admissible if SLOT in form]
        if forms:
            return next((command for command in event.candidates if any(filling(form, command) for form in forms)), None)
        page = self._read(event)
        if not page.choices:
            return self._back
        return self._in_list(event, page)

    def _in_list(self, event: BeforeModel, page: Page) -> str:
        self._listed = page.choices
        here = [choice.command for choice in page.choices]
        if not set(self._queue) & set(here):
            prior = dict(zip(event.candidates, event.prior, strict=True))
            texts = [" ".join(choice.texts) for choice in page.choices]
            self._rarity = page_reading.rarities(texts)
            self._queue = sorted(dict.fromkeys(here), key=lambda command: -prior.get(command, 0.0))
        best = self._best()
        fresh = [command for command in self._queue if command not in self._worth]
        if best in here and not self._goes_on(event.steps_left, ahead=1):
            return best
        return fresh[0] if fresh else best or here[0]

    def _on_opened(self, event: BeforeModel) -> str:
        here = self._opened
        if here not in self._worth:
            page = self._read(event)
            self._worth[here] = self._value(page, event.goal)
            self._picks[here] = self._named(page, event.goal) if self.params["choose"] else []
        if self._goes_on(event.steps_left, ahead=2):
            return self._back
        best = self._best()
        if best != here and event.steps_left >= self._ending(best) + 2:
            return self._back
        left = [command for command in self._picks[here] if command not in self._done]
        return left[0] if left and event.steps_left > 1 else self._final

    def _goes_on(self, steps_left: int, ahead: int) -> bool:
        """Tell whether another choice is to be opened, which takes `ahead` steps, and the best can still be returned to and ended with."""
        worth = self._worth.values()
        fresh = len(self._queue) > len(worth)
        if not self._back or not fresh or len(worth) >= self.params["most_opened"] or (worth and max(worth) >= self.params["threshold"]):
            return False
        return steps_left >= ahead + 2 + max(map(self._ending, self._worth), default=1)

    def _ending(self, opened: str) -> int:
        """Return the number of steps from an opened page to the end."""
        return len(self._picks[opened]) + 1

    def _best(self) -> str:
        return max(self._worth, key=self._worth.__getitem__, default="")

    def _value(self, page: Page, goal: str) -> float:
        weights: Mapping[str, float] = self.params["weights"]
        if not weights:
            return 0.0
        place = self._queue.index(self._opened) if self._opened in self._queue else 0
        measured = page_reading.features(page, place, goal, self.params["document_frequency"], self._rarity, self._marks)
        return logistic(weights.get("prior", 0.0) + sum(weights.get(name, 0.0) * value for name, value in measured.items()))

    def _named(self, page: Page, goal: str) -> list[str]:
        """Return the commands of the choices that the goal names, one of each row."""
        chosen = (page_reading.best_choice(row, goal, self._marks) for row in page.groups.values())
        return list(dict.fromkeys(choice.command for choice in chosen if choice is not None))

    def _read(self, event: BeforeModel) -> Page:
        return page_reading.read(event.observation, event.admissible, self.params["fixed"], self.params["separator"], event.goal)


def logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value)), for any value."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
