"""Learned plans: what successful training episodes had in common, as subgoals with the goal's words as slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from homebody.agents import wording
from homebody.agents.harness.hooks import BeforeModel, Changes, CurrentSubgoal, StepEnd
from homebody.agents.processors.base import Services, register
from homebody.agents.processors.control import favourite, keep_only
from homebody.agents.processors.parameter import array, boolean, string
from homebody.agents.processors.question import fill as fill_blanks
from homebody.agents.skills import operator
from homebody.agents.skills.skill import Advice, Skill, shortlist


class Subgoal(TypedDict):
    """One command of a plan, as far as it is the same in all successes."""

    action: str
    """The command with # for each instance."""
    args: list[str]
    """For each # its kind, an equals sign and a variable; see `STEP`."""


class _Template(TypedDict):
    goal: str
    steps: list[Subgoal]


class Plan(_Template, total=False):
    """The subgoals of all goals of one template."""

    skip: list[str]
    """Slots that name places where nothing that the goal wants is ever found."""


STEP = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "description": "the command with # for each instance, as `pull # at #`"},
        "args": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^(\*|\{\d+\}|[^={}*]+)=[a-zA-Z]$"},
            "description": "for each #: the kind ({n} a slot of the goal, * any) and a variable; one variable is one instance",
        },
    },
    "required": ["action", "args"],
    "additionalProperties": False,
}
PLAN = {
    "type": "object",
    "properties": {
        "goal": {"type": "string", "description": "the goal with {0}, {1}, ... for its slots"},
        "steps": {"type": "array", "items": STEP, "minItems": 1},
        "skip": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^\{\d+\}$"},
            "description": "slots that name places where nothing that the goal wants is ever found: they are searched last",
        },
    },
    "required": ["goal", "steps"],
    "additionalProperties": False,
}


@register
class LearnedPlan(Skill):
    """Points at what leads to the next subgoal of the goal. Helps an agent that does not take the right commands though it has them.

    That is the command that reaches the subgoal; else those that lead to it; else those that search
    for what it needs. In the mode `limit` they alone stay on offer. While it searches it leaves the
    choice of the place to others, with the subgoal set.
    """

    name = "learned_plan"
    dimension = "memory"
    texts = ("message",)
    schema = {
        **Skill.modes,
        "plans": array(PLAN, "one for each goal template met in training"),
        "explore": array({"type": "string"}, "action schemas of the commands that reveal or give access to things"),
        "finish_observations": boolean("whether a look that the agent has begun is ended before it searches elsewhere", default=True),
        "message": string(
            "advise: what the model reads, with {steps} and {next}",
            default="Goals like this one were reached in these steps: {steps}. What comes next is to {next}.",
        ),
    }

    operators = operator.PLAN

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._explore = set(params["explore"])
        self._naming = services.naming
        self._goal: tuple[tuple[str, ...], list[Subgoal]] | None = None
        self._skip: set[str] = set()
        """Kinds of places that are searched last."""
        self._meant: str | None = None
        """The goal as it was read when the plan began; None before."""
        self._next = 0
        self._bound: dict[str, str] = {}
        self._here = ""
        self._seen_at: dict[str, str] = {}
        self._places: set[str] = set()
        self._done: set[str] = set()
        self._looked: set[str] = set()
        self._tried: set[str] = set()
        """Instances that were reached for the present subgoal and did not allow it."""
        self._acts: list[str] = []
        """Commands that did something since the plan began, or since it ended: what another plan may find done."""

    def advise(self, event: BeforeModel) -> Advice | None:
        """Mark the candidates that serve the next subgoal, and say so in the subgoal. A goal that is read otherwise begins its own plan."""
        if event.goal != self._meant:
            self._start(event)
        if self._goal is None or self._is_over():
            return None
        slots, steps = self._goal
        subgoal = steps[self._next]
        acts = [self._bind(command, subgoal, slots) is not None for command in event.candidates]
        if any(acts):
            return self._advice(event, acts, CurrentSubgoal("act", slots[0] if slots else ""))
        for kind, variable in self._needs(subgoal, slots):
            instance = self._bound.get(variable)
            targets = {entity for entity in self._known(kind, instance) if self._is_free(entity, kind, variable, slots)}
            reach = self._toward(event, targets)
            if any(reach):
                return self._advice(event, reach, CurrentSubgoal("reach", self._naming.kind(instance) if instance else kind))
            if instance is None:
                return self._advice(event, self._search(event), CurrentSubgoal("search", kind))
        return None

    def limit(self, event: BeforeModel, advice: Advice) -> Changes:
        """Leave on offer what was marked, or all where nothing was."""
        marked = {command for rank in advice.order for command in rank}
        return keep_only(event, [command in marked for command in event.candidates]) or {}

    def observe(self, step: StepEnd) -> None:
        """Advance past a subgoal that was reached, and note where things were seen."""
        if not step.accepted:
            return
        action, args = self._naming.template(step.command)
        if action not in self._explore:
            self._acts.append(step.command)
        if self._reach(step.command):
            self._tried.clear()
            for entity in args:
                self._seen_at.pop(entity, None)
            if self._is_over():
                self._acts.clear()
        if action in self._explore and args:
            self._here = args[-1]
            self._done.add(step.command)
            self._looked.add(self._here)
            self._tried.add(self._here)
        self._note_places(step.admissible)
        self._note_things(step.observation, step.admissible)
        if self._is_over() and not step.won:
            self.notes["plan_over"] = True

    def _start(self, event: BeforeModel) -> None:
        self._meant = event.goal
        self._goal, self._skip, self._next, self._bound, self._tried = None, set(), 0, {}, set()
        # Of several templates the one with most words of its own is meant.
        for known in sorted(self.params["plans"], key=lambda known: -len(wording.own_words(known["goal"]))):
            slots = self._naming.match(known["goal"], event.goal)
            if slots is not None:
                self._goal = (slots, known["steps"])
                self._skip = {slots[int(slot[1:-1])] for slot in known.get("skip", ()) if int(slot[1:-1]) < len(slots)}
                break
        for command in self._acts:
            self._reach(command)
        self._note_places(event.admissible)

    def _reach(self, command: str) -> bool:
        """Advance past the next subgoal if a command reaches it; tells whether it does."""
        if self._goal is None or self._is_over():
            return False
        slots, steps = self._goal
        bound = self._bind(command, steps[self._next], slots)
        if bound is None:
            return False
        self._bound.update(bound)
        self._next += 1
        return True

    def _is_over(self) -> bool:
        return self._goal is not None and self._next == len(self._goal[1])

    def _note_places(self, admissible: tuple[str, ...]) -> None:
        for command in admissible:
            action, args = self._naming.template(command)
            if action in self._explore:
                self._places.update(args)

    def _note_things(self, observation: str, admissible: tuple[str, ...]) -> None:
        if not self._here:
            return
        # What an ended plan has bound lies where it is seen, as all else, for the plan of another reading.
        bound = () if self._is_over() else self._bound.values()
        for text in (observation, *admissible):
            for entity in self._naming.entities(text):
                if entity not in bound:
                    self._seen_at[entity] = self._here

    def _bind(self, command: str, subgoal: Subgoal, slots: tuple[str, ...]) -> dict[str, str] | None:
        """Return the variables that `command` binds if it reaches the subgoal, else None."""
        action, args = self._naming.template(command)
        if action != subgoal["action"] or len(args) != len(subgoal["args"]):
            return None
        found: dict[str, str] = {}
        for rule, entity in zip(subgoal["args"], args, strict=True):
            kind, variable = fill(rule, slots)
            if kind not in ("*", self._naming.kind(entity)):
                return None
            if self._bound.get(variable, entity) != entity or not self._is_free(entity, kind, variable, slots):
                return None
            found[variable] = entity
        return found

    def _is_free(self, entity: str, kind: str, variable: str, slots: tuple[str, ...]) -> bool:
        """Tell whether no other variable of the same named kind stands for this instance already."""
        assert self._goal is not None
        if kind == "*":
            return True
        others = {fill(rule, slots) for step in self._goal[1] for rule in step["args"]}
        return not any(k == kind and v != variable and self._bound.get(v) == entity for k, v in others)

    def _needs(self, subgoal: Subgoal, slots: tuple[str, ...]) -> list[tuple[str, str]]:
        """List the (kind, variable) pairs that stand in the way: unbound things first, then places to be at."""
        kinds_of_places = {self._naming.kind(place) for place in self._places}
        rules = [fill(rule, slots) for rule in subgoal["args"]]
        things = [(k, v) for k, v in rules if k != "*" and k not in kinds_of_places and v not in self._bound]
        places = [(k, v) for k, v in rules if k in kinds_of_places or (v in self._bound and self._bound[v] in self._places)]
        return things + places

    def _known(self, kind: str, instance: str | None) -> set[str]:
        if instance is not None:
            return {instance}
        return {entity for entity in (*self._places, *self._seen_at) if self._naming.kind(entity) == kind}

    def _toward(self, event: BeforeModel, targets: set[str]) -> list[bool]:
        """Mark the commands that lead to one of the targets; those that act on the place where the agent stands come first."""
        goals = {entity if entity in self._places else self._seen_at.get(entity, "") for entity in targets}
        exploring = [self._explored_place(command) for command in event.candidates]
        on_spot = [place == self._here and place in goals for place in exploring]
        if any(on_spot):
            return on_spot
        fresh = goals - self._tried
        # A place where the agent has been is at least as easy to use again.
        return [place in (fresh & self._looked or fresh) for place in exploring]

    def _search(self, event: BeforeModel) -> list[bool]:
        exploring = [self._explored_place(command) for command in event.candidates]
        if self.params["finish_observations"]:
            on_spot = [
                place == self._here != "" and command not in self._done for place, command in zip(exploring, event.candidates, strict=True)
            ]
            if any(on_spot):
                return on_spot
        likely = [place != "" and self._naming.kind(place) not in self._skip for place in exploring]
        return likely if any(likely) else [place != "" for place in exploring]

    def _explored_place(self, command: str) -> str:
        action, args = self._naming.template(command)
        return args[-1] if action in self._explore and args else ""

    def _advice(self, event: BeforeModel, keep: list[bool], subgoal: CurrentSubgoal) -> Advice:
        if not any(keep):
            return Advice(self._text(), subgoal=subgoal)
        marked = [pair for pair, kept in zip(zip(event.candidates, event.prior, strict=True), keep, strict=True) if kept]
        first = favourite([command for command, _ in marked], [prior for _, prior in marked])
        rank = (first, *(command for command, _ in marked if command != first))
        return Advice(self._text(), (rank,), shortlist(event.candidates, event.prior, rank), subgoal)

    def _text(self) -> str:
        assert self._goal is not None
        slots, steps = self._goal
        said = [self._told(step, slots) for step in steps]
        return fill_blanks(self.params["message"], {"steps": "; ".join(said), "next": said[self._next]})

    def _told(self, subgoal: Subgoal, slots: tuple[str, ...]) -> str:
        """Return a subgoal in words: instances that are known, else kinds."""
        told = subgoal["action"]
        for rule in subgoal["args"]:
            kind, variable = fill(rule, slots)
            told = told.replace("#", self._bound.get(variable, "something" if kind == "*" else kind), 1)
        return told


def fill(rule: str, slots: tuple[str, ...]) -> tuple[str, str]:
    """Read an argument rule: "{0}=a" with slots ("lever",) gives ("lever", "a")."""
    kind, _, variable = rule.partition("=")
    return (slots[int(kind[1:-1])] if kind.startswith("{") else kind), variable
