"""What the goal means: a model's reading of it, once, before anything else looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homebody.agents.answer import read_answer
from homebody.agents.harness.hooks import Changes, Reading, StepEnd, TaskStart
from homebody.agents.models.backend import Message
from homebody.agents.models.generation import Reply
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.examples import by_likeness
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, SEARCHING, UNABLE, EditOperator, Findings, Settings, scaled
from homebody.agents.processors.parameter import array, boolean, integer, mapping, one_of, string
from homebody.agents.processors.plain_goal import Parts, grammar, is_of, longest, of_met, telling_examples, usable
from homebody.agents.processors.question import MOST_LINE, THOUGHT, room, write
from homebody.envs.text import one_line

PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
NAMES = {"type": "array", "items": {"type": "string"}}


SHOWN_READINGS = 6
"""Examples that an operator begins with: those of training most like the goal."""
SHOWN_PARTS = 12
"""The same where the goal is read part by part: two of each of six templates, for one is easily like the goal by chance."""


def learned_reading(found: Findings) -> Settings | None:
    """Return the settings by which a goal is read as one of the plain goal templates that training taught, and its plan followed.

    A plan is followed by ranking, as everywhere: what leads to its next subgoal is searched where such things were in training. Where plans
    have won by the goals as they are worded, there is nothing to be read.
    """
    if found.readings is None or found.plans:
        return None
    known = found.readings
    pairs, names = [list(pair) for pair in known.pairs], [list(some) for some in known.names]
    fits = {template: [list(some) for some in blanks] for template, blanks in known.fits.items()}
    return {
        "read_goal": {
            "by": "parts",
            "examples": pairs,
            "most": SHOWN_PARTS,
            "templates": list(known.templates),
            "names": names,
            "fits": fits,
        },
        "learned_plan": {"plans": list(known.plans), "explore": list(found.explore)},
        "decide": {"method": "rank"},
        **({"visited": {"actions": list(found.explore)}} if found.explore else {}),
        **found.skills.get("location_memory", {}),
        **found.names,
    }


def free_reading(found: Findings) -> Settings:
    """Return the settings by which a goal is said again freely, as goals of training were where there are any."""
    pairs = [list(pair) for pair in found.readings.pairs] if found.readings else []
    return {"read_goal": {"examples": pairs, "most": SHOWN_READINGS} if pairs else {}}


@register
class ReadGoal(Processor):
    """Has the model say the goal again in plain words. Helps where people say goals in words that plans and prompts do not know.

    It is asked once, in a chat of its own with examples. Where `templates` are given the reading is one of them, with each blank {0},
    {1}, ... filled from `names`, or from its own row of `fits`; a goal that is one already is not asked about. Without templates the
    last line of the answer is the reading. All that follows in the episode has the reading as its goal, and the model is shown both.

    By `writing` the model writes the reading under a grammar. By `parts` it is asked by score, where it can score: which template, then
    what fills each blank. An answer ends in a full stop, so that a template can begin as another one does. Shown are the examples whose
    telling words are most like those of the goal, at most a quarter of them of one template.

    A goal can be read again in the midst of an episode, when a rule of the harness sets `again`, and at each further rule: what was read
    before was in vain. Blanks are filled with what was met so far, where any of it fits. Where the likeliest reading was in vain, what was
    next likeliest is taken at one choice, the one that was least sure first.
    """

    name = "read_goal"
    hook = "task_start"
    dimension = "context"
    before = ("system_prompt", "examples", "template", "plan")
    texts = ("text",)
    schema = {
        "text": string("what is asked of the model", default="Say what is to be done in plain words. Write one line."),
        "examples": array(PAIR, "goals from training: as said, and in plain words"),
        "most": integer("examples shown, those most like the goal", default=6, least=0, most=50),
        "templates": array({"type": "string"}, "plain goal templates with blanks {0}, {1}; none: free"),
        "by": one_of(("writing", "parts"), "with templates: written whole, or scored part by part", default="writing"),
        "names": array(NAMES, "for each blank what may fill it; none given: the kinds of the instances that the agent meets first"),
        "fits": mapping(array(NAMES, "for each blank"), "the same for the blanks of one template, by template, where others can fill it"),
        "again": boolean("by parts: whether what was read before is taken for wrong, and the next is read, of what was met"),
        "tokens": room(48),
        "thought": THOUGHT,
    }

    operators = (
        EditOperator(
            "read the goal, and follow what was learned",
            "A goal in words that training never showed is read by the model, and what won there for its meaning leads.",
            AIMLESS | ENDING | SEARCHING | UNABLE | LOOP,
            lambda spec, found: learned_reading(found),
            calls_episode=1,
            proof=lambda found: found.readings.won if found.readings else 0.0,
        ),
        EditOperator(
            "say the goal in plain words",
            "A goal that the model has said again in the words of commands is easier to follow step by step.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: free_reading(found),
            calls_episode=1,
        ),
        EditOperator(
            "read the goal with more examples",
            "Among more goals of training there is one that says the same in like words.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: scaled("read_goal", "most", 2, 1, 24)(spec, found),
        ),
        EditOperator(
            "read the goal with fewer examples",
            "Of few examples a small model copies the nearest.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: scaled("read_goal", "most", 0.5, 1, 50)(spec, found),
        ),
        EditOperator(
            "read the goal again",
            "What was met on the way says what the goal can mean, and a reading that has led to nothing is not it.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: {"read_goal": {"again": True}} if spec.param("read_goal", "by") == "parts" else None,
            calls_episode=1,
            signal="plan_over",
            midst_only=True,
            times=2,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._reading: str | None = None
        self._vain: list[str] = []
        """Readings that led to nothing."""
        self._asked: Parts | None = None
        self._met: set[str] = set()
        """Kinds of the instances that the episode has shown so far."""

    def observe(self, step: StepEnd) -> None:
        """Note what is met."""
        if self.params["again"]:
            self._met.update(kind for text in (step.observation, *step.admissible) for kind in self.services.naming.kinds(text))

    def process(self, event: TaskStart) -> Changes | None:
        """Read the goal, at the first call, and again at each further one where that is wanted."""
        if self._reading is not None and self.params["again"]:
            self._vain.append(self._reading)
        if self._reading is None or self.params["again"]:
            self._reading = self._read(event)
        if self._reading in ("", event.goal):
            return None
        self.notes["reading"] = self._reading
        return {"goal": self._reading}

    def _read(self, event: TaskStart) -> str:
        """Return the reading; empty where there is none."""
        rows = {template: self.params["fits"].get(template, self.params["names"]) for template in self.params["templates"]}
        templates = usable(rows, event, self.services.naming)
        if any(is_of(template, names, event.goal) for template, names in templates):
            return ""
        if templates and self.params["by"] == "parts":
            if self._asked is None:
                known = [template for template, _ in templates]
                shown = telling_examples(event.goal, self.params["examples"], known, self.params["most"])
                self._asked = Parts(self.services, self._chat(shown, event.goal))
            reading = self._asked.read(templates)
            if reading is not None and self.params["again"]:
                # The first reading was another instance's, before the rule.
                self._vain = self._vain or [reading]
                reading = self._asked.read_other(of_met(templates, self._met), self._vain)
            if reading is not None:
                return reading
        rules = grammar(templates) if templates else None
        most = max((longest(template, names) for template, names in templates), default=0)
        tokens = max(self.params["tokens"], most + 1)
        reply = write(self.services, self._messages(event.goal), tokens, self.params["thought"], rules)
        if reply is None:
            return ""
        if not templates:
            return _last_line(reply)
        found = one_line(reply.text)
        return found if any(is_of(template, names, found) for template, names in templates) else ""

    def _messages(self, goal: str) -> list[Message]:
        bank = [{"goal": said, "plain": plain} for said, plain in self.params["examples"]]
        return self._chat([(pair["goal"], pair["plain"]) for pair in by_likeness(goal, bank)[: self.params["most"]][::-1]], goal)

    def _chat(self, shown: Sequence[tuple[str, str]], goal: str) -> list[Message]:
        messages = [{"role": "system", "content": self.params["text"]}] if self.params["text"].strip() else []
        for said, answer in shown:
            messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
        return [*messages, {"role": "user", "content": goal}]


def _last_line(reply: Reply) -> str:
    if reply.finish == "length":
        return ""
    return one_line(read_answer(reply, Reading("last")))[:MOST_LINE].strip()
