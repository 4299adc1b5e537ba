"""A learned_plan: what successful training episodes had in common, as milestones with the goal's words as slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.hooks import BeforeModel, Changes, Focus, StepEnd
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.control import favourite, keep_only
from homebody.agents.skills import wording

STEP = {
    "type": "object",
    "properties": {
        "form": {"type": "string", "description": "the command with # for each instance, as `pull # at #`"},
        "args": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^(\*|\{\d+\}|[a-z][a-z_-]*)=[a-zA-Z]$"},
            "description": "for each #: the kind ({n} a slot of the goal, * any) and a variable; one variable is one instance",
        },
    },
    "required": ["form", "args"],
    "additionalProperties": False,
}
FRAME = {
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
class LearnedPlan(Processor):
    """Offers only what leads to the next milestone of the goal. Helps an agent that does not take the right commands though it has them.

    That is the command that reaches the milestone; else those that lead to it; else those that search for what it needs. While it searches
    it leaves the choice of the place to others, with the focus set.
    """

    name = "learned_plan"
    hook = "before_model"
    dimension = "memory"
    group = "learned_plan"
    schema = {
        "frames": {"type": "array", "items": FRAME, "default": [], "description": "one for each form of goal met in training"},
        "explore": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "forms of the commands that reveal or give access to things",
        },
        "finish_looks": {
            "type": "boolean",
            "default": True,
            "description": "whether a look that the agent has begun is ended before it searches elsewhere",
        },
    }

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._explore = set(params["explore"])
        self._goal: tuple[tuple[str, ...], list[dict[str, Any]]] | None = None
        self._skip: set[str] = set()
        """Kinds of places that are searched last."""
        self._started = False
        self._next = 0
        self._bound: dict[str, str] = {}
        self._here = ""
        self._seen_at: dict[str, str] = {}
        self._places: set[str] = set()
        self._done: set[str] = set()
        self._looked: set[str] = set()
        self._tried: set[str] = set()
        """Instances that were reached for the present milestone and did not allow it."""

    def process(self, event: BeforeModel) -> Changes | None:
        """Narrow the candidates to what serves the next milestone, and say so in the focus."""
        if not self._started:
            self._start(event)
        if self._goal is None or self._next >= len(self._goal[1]):
            return None
        slots, steps = self._goal
        milestone = steps[self._next]
        acts = [self._bind(command, milestone, slots) is not None for command in event.candidates]
        if any(acts):
            return self._narrow(event, acts, Focus("act", slots[0] if slots else ""))
        for kind, variable in self._needs(milestone, slots):
            instance = self._bound.get(variable)
            targets = {entity for entity in self._known(kind, instance) if self._is_free(entity, kind, variable, slots)}
            reach = self._toward(event, targets)
            if any(reach):
                return self._narrow(event, reach, Focus("reach", wording.kind(instance) if instance else kind))
            if instance is None:
                return self._narrow(event, self._search(event), Focus("search", kind))
        return None

    def observe(self, step: StepEnd) -> None:
        """Advance past a milestone that was reached, and note where things were seen."""
        if not step.accepted:
            return
        form, args = wording.template(step.command)
        if self._goal is not None and self._next < len(self._goal[1]):
            slots, steps = self._goal
            bound = self._bind(step.command, steps[self._next], slots)
            if bound is not None:
                self._bound.update(bound)
                self._next += 1
                self._tried.clear()
                for entity in args:
                    self._seen_at.pop(entity, None)
        if form in self._explore and args:
            self._here = args[-1]
            self._done.add(step.command)
            self._looked.add(self._here)
            self._tried.add(self._here)
        self._note_places(step.admissible)
        self._note_things(step.observation, step.admissible)

    def _start(self, event: BeforeModel) -> None:
        self._started = True
        for known in self.params["frames"]:
            slots = wording.match_frame(known["goal"], event.goal)
            if slots is not None:
                self._goal = (slots, known["steps"])
                self._skip = {slots[int(slot[1:-1])] for slot in known.get("skip", ()) if int(slot[1:-1]) < len(slots)}
                break
        self._note_places(event.admissible)

    def _note_places(self, admissible: tuple[str, ...]) -> None:
        for command in admissible:
            form, args = wording.template(command)
            if form in self._explore:
                self._places.update(args)

    def _note_things(self, observation: str, admissible: tuple[str, ...]) -> None:
        if not self._here:
            return
        for text in (observation, *admissible):
            for entity in wording.entities(text):
                if entity not in self._bound.values():
                    self._seen_at[entity] = self._here

    def _bind(self, command: str, milestone: dict[str, Any], slots: tuple[str, ...]) -> dict[str, str] | None:
        """Return the variables that `command` binds if it reaches the milestone, else None."""
        form, args = wording.template(command)
        if form != milestone["form"] or len(args) != len(milestone["args"]):
            return None
        found: dict[str, str] = {}
        for rule, entity in zip(milestone["args"], args, strict=True):
            kind, variable = fill(rule, slots)
            if kind not in ("*", wording.kind(entity)):
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

    def _needs(self, milestone: dict[str, Any], slots: tuple[str, ...]) -> list[tuple[str, str]]:
        """List the (kind, variable) pairs that stand in the way: unbound things first, then places to be at."""
        kinds_of_places = {wording.kind(place) for place in self._places}
        rules = [fill(rule, slots) for rule in milestone["args"]]
        things = [(k, v) for k, v in rules if k != "*" and k not in kinds_of_places and v not in self._bound]
        places = [(k, v) for k, v in rules if k in kinds_of_places or (v in self._bound and self._bound[v] in self._places)]
        return things + places

    def _known(self, kind: str, instance: str | None) -> set[str]:
        if instance is not None:
            return {instance}
        return {entity for entity in (*self._places, *self._seen_at) if wording.kind(entity) == kind}

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
        if self.params["finish_looks"]:
            on_spot = [
                place == self._here != "" and command not in self._done for place, command in zip(exploring, event.candidates, strict=True)
            ]
            if any(on_spot):
                return on_spot
        likely = [place != "" and wording.kind(place) not in self._skip for place in exploring]
        return likely if any(likely) else [place != "" for place in exploring]

    def _explored_place(self, command: str) -> str:
        form, args = wording.template(command)
        return args[-1] if form in self._explore and args else ""

    def _narrow(self, event: BeforeModel, keep: list[bool], focus: Focus) -> Changes:
        kept = keep_only(event, keep) or {}
        advised = favourite(kept.get("candidates", event.candidates), kept.get("prior", event.prior)) if any(keep) else ""
        return {"focus": focus, "advised": advised, **kept}


def fill(rule: str, slots: tuple[str, ...]) -> tuple[str, str]:
    """Read an argument rule: "{0}=a" with slots ("lever",) gives ("lever", "a")."""
    kind, _, variable = rule.partition("=")
    return (slots[int(kind[1:-1])] if kind.startswith("{") else kind), variable
