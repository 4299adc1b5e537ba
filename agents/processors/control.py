"""How a decision is taken: by plan, method and list of candidates, and what is done when an episode goes badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.harness.hooks import METHODS, MOST_SAMPLES, AfterTool, BeforeModel, Changes, Choice, StepEnd, TaskStart
from homebody.agents.processors.base import GUARDS, PRIORS, Processor, Services, register
from homebody.agents.processors.operator import (
    AIMLESS,
    ENDING,
    LONG,
    LOOP,
    UNABLE,
    WRITING,
    EditOperator,
    always,
    method_of,
    where_asked,
    where_written,
)
from homebody.agents.processors.parameter import boolean, integer, number, one_of, string
from homebody.agents.processors.question import THOUGHT, fill, lines, room, told, user, write
from homebody.agents.wording import content_words


def keep_only(event: BeforeModel, keep: list[bool]) -> Changes | None:
    """Return the changes that leave the marked candidate commands; None if that would leave all of them or none."""
    if all(keep) or not any(keep):
        return None
    return {
        "candidates": tuple(command for command, kept in zip(event.candidates, keep, strict=True) if kept),
        "prior": tuple(prior for prior, kept in zip(event.prior, keep, strict=True) if kept),
    }


def favourite(candidates: Sequence[str], prior: Sequence[float]) -> str:
    """Return the candidate of highest prior, the first of equals."""
    return candidates[max(range(len(candidates)), key=lambda i: (prior[i], -i))]


@register
class Decide(Processor):
    """Chooses how the policy decides. `score` and `rank` help a model that cannot write a command of the candidates letter by letter.

    `generate`: the model writes freely, and what it writes must be a command.
    `grammar`: it writes under a grammar that allows what is on offer and nothing else; where `answer` reads after a mark, a line of free
    text and the mark stand before it.
    `vote`: it writes `samples` times at `temperature`, and of what can be read the harness takes the command given `most` often
    (self-consistency, Wang et al. 2022), or the `best` by prior (best of n). The first given wins among equals.
    `score`: the command of highest `weight` * s + prior, where s = log P(command | chat) - `correct` * log P(command | nothing but the
    request to write one), divided by the command's length for `mean`. With `correct` near 1 a command gains nothing from being a likely
    text as such (domain-conditional PMI, Holtzman et al. 2021). The prior is what the other processors know, remembered rates for example.
    `rank`: the command of highest prior, that is, of what other processors know or asked the model. Equals are drawn
    by the episode's seed, here and in `score`.
    """

    name = "decide"
    hook = "before_model"
    dimension = "control"
    schema = {
        "method": one_of(METHODS, "write, write under a grammar, vote, score or rank", default="generate"),
        "normalize": one_of(["sum", "mean"], "a command's score: whole, or divided by its length", default="mean"),
        "correct": number("score: share of the command's own likelihood that is taken off", default=0.0, least=0, most=1),
        "weight": number("score: factor on the model's score against the prior", default=1.0, least=0, most=1000),
        "samples": integer("vote: answers that are sampled", default=5, least=1, most=MOST_SAMPLES),
        "temperature": number("vote: of the sampling", default=0.7, least=0.01, most=10),
        "pick": one_of(["most", "best"], "vote: the most frequent answer, or that of highest prior", default="most"),
        "constrained": boolean("vote: whether the answers are written under the grammar"),
        "retry": boolean(
            "generate: whether a reply that names no command on offer is written again, under the grammar where the model "
            "can be held to one; never where the command is an argument of a call"
        ),
    }

    operators = (
        EditOperator(
            "answer under a grammar",
            "A model that may write nothing but a command on offer cannot be refused.",
            UNABLE,
            lambda spec, found: {"decide": {"method": "grammar"}} if method_of(spec) == "generate" else None,
            signal="unusable",
        ),
        EditOperator(
            "write again under a grammar",
            "A free answer says what the model wants, and one that is no command is mended by asking for one that is.",
            UNABLE,
            lambda spec, found: {"decide": {"retry": True}} if method_of(spec) == "generate" else None,
            calls_step=0.2,
        ),
        EditOperator(
            "choose by score",
            "A model that cannot write a command letter by letter may still prefer the right one of those on offer.",
            UNABLE | LOOP,
            lambda spec, found: {"decide": {"method": "score"}} if method_of(spec) in WRITING else None,
            calls_step=1,
            signal="repeated",
        ),
        EditOperator(
            "take off a command's own likelihood",
            "A command that is a likely text as such is preferred whatever the goal is.",
            AIMLESS | LOOP,
            lambda spec, found: {"decide": {"correct": 1.0}} if method_of(spec) == "score" else None,
            calls_step=1,
        ),
        EditOperator(
            "score whole commands",
            "A long command that is likely as a whole loses against short ones when its score is divided by its length.",
            AIMLESS | LOOP,
            lambda spec, found: {"decide": {"normalize": "sum"}} if method_of(spec) == "score" else None,
        ),
        EditOperator(
            "vote among answers",
            "What most of several answers say is wrong less often than one answer.",
            AIMLESS | UNABLE,
            where_written({"decide": {"method": "vote", "constrained": True}}),
            calls_step=4,
            signal="stalled",
        ),
    )

    def process(self, event: BeforeModel) -> Changes:
        """Set the method."""
        # 1 and 1.0 are one setting, so they make one trace.
        numbers = {key: float(self.params[key]) for key in ("correct", "weight", "temperature")}
        settings: dict[str, Any] = {**self.params, **numbers}
        return {"choice": Choice(**settings)}


@register
class LoopGuard(Processor):
    """Takes a command off the candidates once it has been answered in the same words too often. Helps a model that repeats itself."""

    name = "loop_guard"
    hook = "before_model"
    dimension = "control"
    after = ("learned_plan", "visited")
    schema = {"repeats": integer("equal answers that are let through", default=2, least=1, most=20)}

    operators = (
        EditOperator(
            "guard against loops",
            "A command that was answered in the same words before will be again.",
            UNABLE | LOOP,
            always({"loop_guard": {}}),
            without_model=True,
        ),
        EditOperator(
            "give no command twice",
            "A command that has been answered has done what it does, and given again it may undo that.",
            LOOP | ENDING,
            always({"loop_guard": {"repeats": 1}}),
            without_model=True,
            symptom=lambda found: max(0.0, found.again),
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._answers: Counter[tuple[str, str]] = Counter()
        self._stale: set[str] = set()

    def observe(self, step: StepEnd) -> None:
        """Count how often a command was answered with the same observation."""
        self._answers[step.command, step.observation] += 1
        if self._answers[step.command, step.observation] >= self.params["repeats"]:
            self._stale.add(step.command)

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop stale commands, unless nothing else is left."""
        return keep_only(event, [command not in self._stale for command in event.candidates])


@register
class StallGuard(Processor):
    """Takes repeated commands off the candidates in a stall. Helps an agent that runs in circles.

    A stall is several steps in a row that showed nothing new. A step shows something new if its observation was not read before in the
    episode. Where `loop_guard` looks at one command, this looks at the whole: a circle of five commands is a stall too.
    """

    name = "stall_guard"
    hook = "before_model"
    dimension = "control"
    after = ("learned_plan", "visited")
    schema = {"steps": integer("steps in a row that may show nothing new", default=3, least=1, most=100)}

    operators = (
        EditOperator(
            "guard against stalls",
            "After several steps that showed nothing new, what was tried before will not show it either.",
            LOOP | {"ceiling"},
            always({"stall_guard": {}}),
            without_model=True,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._read: set[str] = set()
        self._given: set[str] = set()
        self._stale = 0

    def observe(self, step: StepEnd) -> None:
        """Count the steps since the last new observation."""
        self._stale = self._stale + 1 if step.observation in self._read else 0
        self._read.add(step.observation)
        self._given.add(step.command)

    def process(self, event: BeforeModel) -> Changes | None:
        """In a stall, drop what was tried, unless nothing else is left."""
        if self._stale < self.params["steps"]:
            return None
        return keep_only(event, [command not in self._given for command in event.candidates])


@register
class StepBudget(Processor):
    """Leaves only commands that name something of the goal when few steps remain. Helps an agent that goes on exploring to the end."""

    name = "step_budget"
    hook = "before_model"
    dimension = "control"
    after = ("learned_plan", "visited")
    schema = {"steps": integer("steps left, at most, when it begins", default=5, least=1, most=1000)}

    operators = (
        EditOperator(
            "end with the goal",
            "When few steps are left, only what names the goal's things can still reach it.",
            frozenset({"ceiling", "unfinished", "final_step_missing"}),
            always({"step_budget": {}}),
            without_model=True,
        ),
    )

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop what shares no word with the goal, unless nothing would be left."""
        if event.steps_left > self.params["steps"]:
            return None
        goal = content_words(event.goal)
        return keep_only(event, [bool(goal & content_words(command)) for command in event.candidates])


LEAST_LIST = 8
"""Commands that an operator leaves on offer, at least: fewer would choose in the model's place."""


@register
class Shortlist(Processor):
    """Leaves the candidates of highest prior. Helps a model that loses its way in a long list.

    Saves the tokens of the rest. Does nothing where the harness
    has no preference: a cut among equals would be chance.
    """

    name = "shortlist"
    hook = "before_model"
    dimension = "control"
    after = (*GUARDS, *PRIORS, "fill_slot", "open_and_compare")
    schema = {"most": integer("commands that stay", default=8, least=1, most=1000)}

    operators = (
        EditOperator(
            "shorten the list",
            "A model that loses its way among many commands chooses better from the eight that the harness prefers.",
            UNABLE | LONG | AIMLESS,
            lambda spec, found: (
                {"shortlist": {"most": LEAST_LIST}} if method_of(spec) != "rank" and any(spec.id_of(use) for use in PRIORS) else None
            ),
        ),
    )

    def process(self, event: BeforeModel) -> Changes | None:
        """Keep the best, the first of equals, in the order of the candidates."""
        if len(set(event.prior)) < 2:
            return None
        order = sorted(range(len(event.candidates)), key=lambda i: (-event.prior[i], i))
        best = set(order[: self.params["most"]])
        return keep_only(event, [i in best for i in range(len(event.candidates))])


@register
class Plan(Processor):
    """Has the model write a plan before the first step, which the prompt shows from then on. Helps a model that loses sight of the goal.

    The plan stands at the end of the system prompt, so that what follows it is only appended to.
    """

    name = "plan"
    hook = "task_start"
    dimension = "control"
    after = ("system_prompt", "examples", "template")
    texts = ("text", "header")
    schema = {
        "lines": integer("lines of the plan, at most", default=5, least=1, most=50),
        "text": string(
            "what is asked of the model, with {goal}, {observation}, {candidates} and {lines}",
            default="{observation}\n\nGoal: {goal}\n\nBefore you begin, write a plan of at most {lines} short steps, one a line.",
        ),
        "header": string("the line above the plan", default="Plan:"),
        "tokens": room(128),
        "thought": THOUGHT,
    }

    operators = (
        EditOperator(
            "write a plan first",
            "A model that has said in order what is to be done keeps to it step by step.",
            AIMLESS | ENDING | LOOP,
            where_asked({"plan": {}}),
            calls_episode=1,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._plan: list[str] | None = None

    def process(self, event: TaskStart) -> Changes | None:
        """Ask for the plan at the first call, and append it."""
        if self._plan is None:
            self._plan = self._ask(event)
        if not self._plan:
            return None
        shown = "\n".join([self.params["header"], *(f"{number}. {line}" for number, line in enumerate(self._plan, start=1))])
        return {"system_prompt": f"{event.system_prompt}\n\n{shown}" if event.system_prompt else shown}

    def _ask(self, event: TaskStart) -> list[str]:
        most = self.params["lines"]
        told = {"goal": event.goal, "observation": event.observation, "candidates": "\n".join(event.candidates), "lines": str(most)}
        asked = user(fill(self.params["text"], told), event.system_prompt)
        return lines(write(self.services, asked, self.params["tokens"], self.params["thought"]))[:most]


@register
class Reflect(Processor):
    """Has the model say in a line what went wrong and what to do next. Helps a model that goes on as before after a failure.

    It is asked when a command was refused, and when `stale` steps in a row showed nothing new, `most` times in an episode. The line
    stands below the observation from then on (Reflexion, Shinn et al. 2023, within an episode).
    """

    name = "reflect"
    hook = "after_tool"
    dimension = "control"
    after = ("trim_observation", "explain_refusal", "template")
    texts = ("text", "header")
    schema = {
        "refused": boolean("whether it is asked after a refusal", default=True),
        "stale": integer("steps without news before it; 0: never", default=3, least=0, most=100),
        "most": integer("questions in an episode, at most", default=5, least=1, most=100),
        "steps": integer("last steps that the question tells", default=4, least=1, most=100),
        "text": string(
            "what is asked of the model, with {goal} and {steps}",
            default="Goal: {goal}\n\n{steps}\n\nThat did not help. In one short line: what went wrong, and what to do next?",
        ),
        "header": string("what stands before the line", default="Lesson:"),
        "tokens": room(48),
        "thought": THOUGHT,
    }

    operators = (
        EditOperator(
            "say what went wrong",
            "A model that has put into words why a step failed does not take it again.",
            LOOP | {"refused", "order"},
            where_asked({"reflect": {}}),
            calls_episode=5,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._told: list[str] = []
        self._read: set[str] = set()
        self._stale = self._asked = 0

    def process(self, event: AfterTool) -> Changes | None:
        """Append the line where something went wrong."""
        self._stale = self._stale + 1 if event.observation in self._read else 0
        self._read.add(event.observation)
        self._told.append(told(event.command, event.observation))
        is_refused = self.params["refused"] and not event.accepted
        is_stale = 0 < self.params["stale"] <= self._stale
        if not (is_refused or is_stale) or self._asked >= self.params["most"]:
            return None
        self._asked += 1
        self._stale = 0
        asked = fill(self.params["text"], {"goal": event.goal, "steps": "\n".join(self._told[-self.params["steps"] :])})
        found = lines(write(self.services, user(asked), self.params["tokens"], self.params["thought"]))
        return {"observation": f"{event.observation}\n{self.params['header']} {found[0]}"} if found else None
