"""What the goal means: a model's reading of it, once, before anything else looks at it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from homebody.agents import wording
from homebody.agents.answer import read_answer
from homebody.agents.harness.grammar import literal
from homebody.agents.harness.hooks import Changes, Reading, StepEnd, TaskStart
from homebody.agents.models.backend import Message
from homebody.agents.models.generation import Reply
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.examples import by_likeness, telling
from homebody.agents.processors.operator import AIMLESS, ENDING, LOOP, SEARCHING, UNABLE, EditOperator, Findings, Settings, scaled
from homebody.agents.processors.parameter import array, boolean, integer, mapping, one_of, string
from homebody.agents.processors.question import MOST_LINE, THOUGHT, room, score, write
from homebody.agents.wording import Naming
from homebody.envs.text import one_line

PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
NAMES = {"type": "array", "items": {"type": "string"}}
_BLANK = re.compile(r"\{([0-9]+)\}")
_WORD = re.compile(r"\s*(?:\w+|\S)")
MOST_BLANKS = 3
"""Blanks of a template whose examples are taken apart: with more of them the ways to cut a hostile text have no bound to speak of."""


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

    By `writing` the model writes the reading under a grammar. By `parts` it is asked by score, where it can score: which template, word
    by word where they part, then what fills each blank. An answer ends in a full stop, so that a template can begin as another one does.
    Shown are the examples whose telling words are most like those of the goal, at most a quarter of them of one template.

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
        self._asked: _Parts | None = None
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
        templates = _usable(rows, event, self.services.naming)
        if any(_is_of(template, names, event.goal) for template, names in templates):
            return ""
        if templates and self.params["by"] == "parts":
            self._asked = self._asked or _Parts(self.services, self._chat(self._telling(event.goal, templates), event.goal))
            reading = self._asked.read(templates)
            if reading is not None and self.params["again"]:
                # The first reading was another instance's, before the rule.
                self._vain = self._vain or [reading]
                reading = self._asked.read_other(_of_met(templates, self._met), self._vain)
            if reading is not None:
                return reading
        grammar = _grammar(templates) if templates else None
        longest = max((_longest(template, names) for template, names in templates), default=0)
        tokens = max(self.params["tokens"], longest + 1)
        reply = write(self.services, self._messages(event.goal), tokens, self.params["thought"], grammar)
        if reply is None:
            return ""
        if not templates:
            return _last_line(reply)
        found = one_line(reply.text)
        return found if any(_is_of(template, names, found) for template, names in templates) else ""

    def _messages(self, goal: str) -> list[Message]:
        bank = [{"goal": said, "plain": plain} for said, plain in self.params["examples"]]
        return self._chat([(pair["goal"], pair["plain"]) for pair in by_likeness(goal, bank)[: self.params["most"]][::-1]], goal)

    def _chat(self, shown: Sequence[tuple[str, str]], goal: str) -> list[Message]:
        messages = [{"role": "system", "content": self.params["text"]}] if self.params["text"].strip() else []
        for said, answer in shown:
            messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
        return [*messages, {"role": "user", "content": goal}]

    def _telling(self, goal: str, templates: Sequence[tuple[str, _Names]]) -> list[tuple[str, str]]:
        return _telling_examples(goal, self.params["examples"], [template for template, _ in templates], self.params["most"])


class _Parts:
    """A goal that is read part by part, by score.

    Args:
        services: of the processor.
        messages: the chat that ends with the goal.
    """

    def __init__(self, services: Services, messages: Sequence[Message]) -> None:
        self._services, self._messages = services, messages
        self._known: dict[tuple[str, ...], list[float] | None] = {}
        """Scores by answers."""
        self._margins: list[float] = []
        """Of each choice so far, by how much the likeliest is ahead of the next."""
        self._turn: int | None = None
        """Number of the choice at which the next likeliest is taken."""

    def read(self, templates: Sequence[tuple[str, _Names]], turn: int | None = None) -> str | None:
        """Return the likeliest template, its blanks filled with what is likeliest in turn; None where nothing scores."""
        self._margins, self._turn = [], turn
        best = self._branch([f"{_bare(template)}." for template, _ in templates])
        if best is None:
            return None
        reading, names = templates[best]
        answer = f"{_bare(reading)}."
        for number, blank in enumerate(names, start=1):
            answers = [f"{answer} {name}{'.' if number == len(names) else ','}" for name in names[blank]]
            best = self._choose(answers)
            if best is None:
                return None
            answer, reading = answers[best], reading.replace(f"{{{blank}}}", names[blank][best])
        return reading

    def read_other(self, templates: Sequence[tuple[str, _Names]], vain: Sequence[str]) -> str | None:
        """Return the likeliest reading that was not in vain, of those that part from the likeliest at one choice at most.

        Choices are turned in the order of how sure they were, the least sure first. Where all are in vain it is the last of them; None
        where nothing scores.
        """
        reading = self.read(templates)
        turns = sorted((margin, number) for number, margin in enumerate(self._margins) if margin < math.inf)
        for _, turn in turns:
            if reading not in vain:
                return reading
            reading = self.read(templates, turn)
        return reading if reading not in vain else vain[-1]

    def _branch(self, answers: Sequence[str]) -> int | None:
        """Return the number of the answer that the likelier word leads to wherever answers part; None without a model.

        What follows where they have parted counts nothing, so that a long answer is not less likely than a short one.
        """
        words = [_WORD.findall(answer) for answer in answers]
        left = list(range(len(answers)))
        for depth in range(max(map(len, words))):  # Equal answers never part: the first stands for them.
            heads: dict[str, list[int]] = {}
            for number in left:
                heads.setdefault("".join(words[number][: depth + 1]), []).append(number)
            best = self._choose(list(heads)) if len(heads) > 1 else 0
            if best is None:
                return None
            left = list(heads.values())[best]
        return left[0]

    def _choose(self, answers: Sequence[str]) -> int | None:
        """Return the number of the likeliest answer, the first of equals, or of the next where it is its turn; None without a model."""
        key = tuple(answers)
        if key not in self._known:
            self._known[key] = score(self._services, self._messages, answers)
        scores = self._known[key]
        if not scores:
            return None
        order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
        is_turn = len(self._margins) == self._turn
        self._margins.append(scores[order[0]] - scores[order[1]] if len(order) > 1 else math.inf)
        return order[1 if is_turn and len(order) > 1 else 0]


_Names = Mapping[str, Sequence[str]]
"""What may fill each blank of a template, by its number."""


def _usable(rows: Mapping[str, Sequence[Sequence[str]]], event: TaskStart, naming: Naming) -> list[tuple[str, _Names]]:
    """Return the templates whose blanks can be filled, each with what fills them: of its row, by number, or what is met first."""
    met = sorted({kind for text in (event.observation, *event.candidates) for kind in naming.kinds(text)})
    found: list[tuple[str, _Names]] = []
    for template, names in {one_line(template): names for template, names in rows.items()}.items():
        blanks = dict.fromkeys(_BLANK.findall(template))
        given = {blank: names[int(blank)] if int(blank) < len(names) and names[int(blank)] else met for blank in blanks}
        # A name with a blank of its own could never be filled to the end.
        fillings = {
            blank: [name for name in dict.fromkeys(map(one_line, given[blank])) if name and not _BLANK.search(name)] for blank in given
        }
        if template and all(fillings.values()):
            found.append((template, fillings))
    return found


def _of_met(templates: Sequence[tuple[str, _Names]], met: Collection[str]) -> list[tuple[str, _Names]]:
    """Return templates whose blanks are filled only with what was met, where any of that fits the blank."""
    return [
        (template, {blank: [name for name in some if name in met] or some for blank, some in names.items()})
        for template, names in templates
    ]


def _bare(template: str) -> str:
    """Return a template with a letter in each blank, from A on: the same blank has the same."""
    order = list(dict.fromkeys(_BLANK.findall(template)))
    return _BLANK.sub(lambda found: chr(ord("A") + order.index(found[1])), template.rstrip(" ."))


def _telling_examples(goal: str, pairs: Sequence[Sequence[str]], templates: Sequence[str], most: int) -> list[tuple[str, str]]:
    """Return goals of training with their answer part by part, the one most like `goal` last.

    Pairs whose plain goal is of no template are left out. Words weigh what they tell about the template and about each blank.
    """
    rows = [(said, *parts) for said, plain in pairs if (parts := _parts(templates, plain)) is not None]
    if not rows:
        return []
    words = [frozenset(wording.words(said)) for said, _, _ in rows]
    weight = telling(words, [template for _, template, _ in rows])
    for blank in sorted({blank for _, _, filled in rows for blank in filled}):
        having = [number for number, (_, _, filled) in enumerate(rows) if blank in filled]
        for word, told in telling([words[number] for number in having], [rows[number][2][blank] for number in having]).items():
            weight[word] += told
    wanted = frozenset(wording.words(goal))

    def of(some: frozenset[str]) -> float:
        return math.fsum(weight.get(word, 0.0) for word in sorted(some))

    likeness = [of(wanted & some) / (of(wanted | some) or 1.0) for some in words]
    shown: list[tuple[str, str]] = []
    left = dict.fromkeys(templates, max(1, most // 4))
    for said, template, filled in (rows[number] for number in sorted(range(len(rows)), key=lambda number: (-likeness[number], number))):
        if len(shown) < most and left[template]:
            left[template] -= 1
            shown.append((said, " ".join([f"{_bare(template)}.", *([f"{', '.join(filled.values())}."] if filled else [])])))
    return shown[::-1]


def _parts(templates: Sequence[str], plain: str) -> tuple[str, dict[str, str]] | None:
    """Return the template that a plain goal is of, the longest first, and what fills its blanks; None of another goal.

    A goal of more than `MOST_LINE` characters, or a template of more than `MOST_BLANKS` blanks, is not tried.
    """
    if len(plain) > MOST_LINE:
        return None
    for template in sorted(templates, key=lambda template: (-len(template), template)):
        if len(set(_BLANK.findall(template))) > MOST_BLANKS:
            continue
        pattern, met = "", dict[str, str]()
        for number, part in enumerate(_BLANK.split(template.rstrip(" ."))):
            if number % 2 == 0:
                pattern += re.escape(part)
            else:
                pattern += f"(?P=b{part})" if part in met else f"(?P<b{part}>.+?)"
                met[part] = ""
        if match := re.fullmatch(pattern, one_line(plain).rstrip(" ."), re.IGNORECASE):
            return template, {blank: match[f"b{blank}"] for blank in met}
    return None


def _is_of(template: str, names: _Names, text: str) -> bool:
    """Tell whether a text is a template with its blanks filled, capitals and a full stop aside; the same blank is filled alike."""
    pattern, met = "", set[str]()
    for number, part in enumerate(_BLANK.split(template.rstrip(" ."))):
        if number % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P=b{part})" if part in met else f"(?P<b{part}>{'|'.join(map(re.escape, names[part]))})"
            met.add(part)
    return re.fullmatch(pattern, text.rstrip(" ."), re.IGNORECASE) is not None


def _grammar(templates: Sequence[tuple[str, _Names]]) -> str:
    """Return the grammar of some templates."""
    rules: dict[str, str] = {}
    roots: list[str] = []
    for template, names in templates:
        for one in _once(template, names):
            parts = []
            for number, part in enumerate(_BLANK.split(one)):
                if number % 2:
                    rule = " | ".join(map(literal, names[part]))
                    parts.append(rules.setdefault(rule, f"blank-{len(rules)}"))
                elif part:
                    parts.append(literal(part))
            roots.append(" ".join(parts))
    return "\n".join([f"root ::= {' | '.join(roots)}", *(f"{name} ::= {rule}" for rule, name in rules.items())])


def _once(template: str, names: _Names) -> list[str]:
    """Return a template with each blank once: one that stands there more often is filled with each of its names."""
    blanks = _BLANK.findall(template)
    twice = next((blank for blank in blanks if blanks.count(blank) > 1), None)
    if twice is None:
        return [template]
    return [one for name in names[twice] for one in _once(template.replace(f"{{{twice}}}", name), names)]


def _longest(template: str, names: _Names) -> int:
    """Return the most bytes of a filled template: no answer of a grammar has more tokens."""
    return len(template.encode()) + sum(max(len(name.encode()) for name in names[blank]) for blank in _BLANK.findall(template))


def _last_line(reply: Reply) -> str:
    if reply.finish == "length":
        return ""
    return one_line(read_answer(reply, Reading("last")))[:MOST_LINE].strip()
