"""What the model reads: the system prompt, the candidates of commands, the length of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel, Changes, StepStart, TaskStart, Turn
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import GUARDS, Processor, Services, register
from homebody.agents.processors.operator import (
    AIMLESS,
    ENDING,
    LONG,
    LOOP,
    SEARCHING,
    UNABLE,
    WRITING,
    EditOperator,
    added_to_prompt,
    method_of,
    scaled,
)
from homebody.agents.processors.parameter import integer, one_of, string
from homebody.agents.processors.prompt_rules import answer_rules, form_rules, refusal_rules, repeat_rules, step_rules
from homebody.agents.processors.question import THOUGHT, fill, lines, room, user, write
from homebody.agents.wording import NUMBERED

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


@register
class SystemPrompt(Processor):
    """Sets the system prompt. Helps always: without one the model does not know what is asked of it."""

    name = "system_prompt"
    hook = "task_start"
    dimension = "context"
    group = None
    schema = {"text": string("the prompt, as the model reads it")}
    texts = ("text",)

    operators = (
        EditOperator(
            "explain what was refused",
            "A model that has read which commands were refused, and what the answer was, does not give them again.",
            frozenset({"refused", "order", "unusable_answers"}),
            lambda spec, found: added_to_prompt(spec, refusal_rules(found)),
        ),
        EditOperator(
            "name the forms of commands",
            "A model that has read how commands are worded can only then word one.",
            UNABLE,
            lambda spec, found: added_to_prompt(spec, form_rules(found)),
        ),
        EditOperator(
            "tell how goals were reached",
            "Goals alike are reached in steps alike, and a model follows steps that it has read.",
            AIMLESS | ENDING | SEARCHING,
            lambda spec, found: added_to_prompt(spec, step_rules(found)),
        ),
        EditOperator(
            "say how an answer looks",
            "A model that is told the form of its answer in one line says less besides.",
            frozenset({"unusable_answers", "cut_off"}),
            lambda spec, found: added_to_prompt(spec, answer_rules(spec)),
        ),
        EditOperator(
            "warn of what was repeated",
            "A model repeats what once failed unless it is told that the answer will be the same.",
            LOOP,
            lambda spec, found: added_to_prompt(spec, repeat_rules(found)),
        ),
    )

    def process(self, event: TaskStart) -> Changes:
        """Put the text before whatever other processors have set."""
        text = self.params["text"]
        return {"system_prompt": f"{text}\n\n{event.system_prompt}" if event.system_prompt else text}


@register
class ShowCandidates(Processor):
    """Shows the commands on offer below the observation, for this step only. Helps a model that has to write a command itself."""

    name = "show_candidates"
    hook = "before_model"
    dimension = "context"
    group = "candidates"
    after = (*GUARDS, "fill_slot", "open_and_compare", "shortlist", "ask", "memory_text")
    texts = ("header", "footer")
    schema = {
        "header": string("the line above the commands", default="Available commands:"),
        "footer": string("the line below them, if any", default=""),
        "separator": string("what stands between two commands", default="\n"),
        "layout": one_of(
            ["lines", "groups"],
            "each command whole, or those that begin alike together: shorter, but no command stands there letter by letter",
            default="lines",
        ),
        "tools_header": string(
            "the line above the commands that the harness answers, if there are any", default="Besides, at no cost of a step:"
        ),
    }

    operators = (
        EditOperator(
            "show the commands",
            "A model that has not read the commands on offer can only guess their wording.",
            UNABLE,
            lambda spec, found: {"show_candidates": {}} if method_of(spec) in WRITING and spec.id_of("show_candidates") is None else None,
        ),
        EditOperator(
            "show the commands in groups",
            "A list that says each beginning once is shorter, and a small model reads a short list better.",
            LONG | LOOP | AIMLESS,
            lambda spec, found: {"show_candidates": {"layout": "groups"}} if spec.param("show_candidates", "layout") == "lines" else None,
        ),
    )

    def process(self, event: BeforeModel) -> Changes:
        """Append the candidates after the cut, so that the history keeps the observation alone."""
        separator = self.params["separator"]
        lines = [
            self.params["header"],
            separator.join(grouped(event.candidates) if self.params["layout"] == "groups" else event.candidates),
        ]
        if event.tools:
            lines += [self.params["tools_header"], separator.join(form.replace(SLOT, "...") for form in event.tools)]
        if self.params["footer"]:
            lines.append(self.params["footer"])
        durable, _, ephemeral = event.content.partition(CUT)
        return {"content": f"{durable}{CUT}{ephemeral}\n\n" + "\n".join(lines)}


SHORT_HISTORY = 4
"""Turns of a short history."""


def _instead(spec: HarnessSpec, use: str) -> dict[str, None]:
    """Return the settings that take out whatever else shortens the history: a harness takes one of them."""
    others = ("history_window", "history_budget", "summary")
    return {other: None for other in others if other != use and spec.id_of(other) is not None}


@register
class HistoryWindow(Processor):
    """Keeps the last turns of the history only. Helps when a long history drowns a small model or overflows its context."""

    name = "history_window"
    hook = "step_start"
    dimension = "context"
    group = "history"
    schema = {"turns": integer("how many turns stay", default=20, least=0, most=1000)}

    operators = (
        EditOperator(
            "short history",
            "A small model copies from a long history instead of answering what was said last.",
            UNABLE | LOOP | LONG,
            lambda spec, found: {**_instead(spec, "history_window"), "history_window": {"turns": SHORT_HISTORY}},
        ),
        EditOperator(
            "longer history",
            "What was cut from the history is done and looked for again.",
            LOOP | SEARCHING | ENDING,
            scaled("history_window", "turns", 2, 1, 100),
        ),
    )

    def process(self, event: StepStart) -> Changes | None:
        """Drop the oldest turns."""
        keep = self.params["turns"]
        if len(event.history) <= keep:
            return None
        return {"history": event.history[len(event.history) - keep :]}


@register
class HistoryBudget(Processor):
    """Keeps the last turns that fit a number of tokens. Helps where observations differ much in length.

    A turn counts the tokens of its command, or of the reply shown in its place, and of its observation; what the chat
    template adds is not counted.
    """

    name = "history_budget"
    hook = "step_start"
    dimension = "context"
    group = "history"
    schema = {"tokens": integer("tokens of the turns that stay", default=500, least=0, most=1000000)}

    operators = (
        EditOperator(
            "history by tokens",
            "Where answers differ much in length, a number of turns says little about the room that they take.",
            LONG,
            lambda spec, found: {**_instead(spec, "history_budget"), "history_budget": {}},
        ),
    )

    def process(self, event: StepStart) -> Changes | None:
        """Drop the oldest turns."""
        left = self.params["tokens"]
        for dropped in range(len(event.history), 0, -1):
            turn = event.history[dropped - 1]
            left -= turn_tokens(self.services, turn)
            if left < 0:
                return {"history": event.history[dropped:]}
        return None


@register
class Summary(Processor):
    """Has the model sum up the older turns of a long history. Helps where the history outgrows the context and what it said still matters.

    When the turns that are not summed up yet have more than `tokens`, all but the last `keep` of them go into the summary, together with
    the summary before, and stand in the chat as that. It is asked for again after `every` further turns at the earliest, so that
    the prompt only grows meanwhile. Without a model the history stays whole.
    """

    name = "summary"
    hook = "step_start"
    dimension = "context"
    group = "history"
    texts = ("text", "header")
    schema = {
        "tokens": integer("tokens of turns that stay whole", default=1000, least=0, most=1000000),
        "keep": integer("last turns that stay in any case", default=4, least=1, most=1000),
        "every": integer("turns between two summaries, at least", default=4, least=1, most=1000),
        "text": string(
            "what is asked of the model, with {goal} and {steps}: the summary before, and the turns",
            default="Goal: {goal}\n\n{steps}\n\nSum up in a few lines what was seen where, what was done and what failed.",
        ),
        "header": string("the line above the summary", default="What happened before, in short:"),
        "room": room(128),
        "thought": THOUGHT,
    }

    operators = (
        EditOperator(
            "sum up the history",
            "What happened long ago still counts, and a few lines of it take little room.",
            LONG | LOOP | SEARCHING,
            lambda spec, found: {**_instead(spec, "summary"), "summary": {}} if method_of(spec) != "rank" else None,
            calls_episode=3,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._summary = ""
        self._done = self._asked = 0
        """Turns that are summed up, and turns at the last question."""

    def process(self, event: StepStart) -> Changes | None:
        """Put the summary in the place of the turns that it sums up."""
        count = len(event.history)
        last = count - self.params["keep"]
        is_time = count - self._asked >= self.params["every"] or not self._asked
        if last > self._done and is_time and self._is_long(event.history[self._done :]):
            self._asked = count
            if found := self._sum_up(event.goal, event.history[self._done : last]):
                self._summary, self._done = found, last
                self.notes["turns"] = last
        if not self._summary or self._done >= count:
            return None
        shown = Turn("", f"{self.params['header']}\n{self._summary}", is_summary=True)
        return {"history": (shown, *event.history[self._done :])}

    def _is_long(self, turns: Sequence[Turn]) -> bool:
        most: int = self.params["tokens"]
        return sum(turn_tokens(self.services, turn) for turn in turns) > most

    def _sum_up(self, goal: str, turns: Sequence[Turn]) -> str:
        steps = [*([self._summary] if self._summary else []), *(f"> {turn.command}\n{turn.observation}" for turn in turns)]
        asked = fill(self.params["text"], {"goal": goal, "steps": "\n".join(steps)})
        return "\n".join(lines(write(self.services, user(asked), self.params["room"], self.params["thought"])))


def turn_tokens(services: Services, turn: Turn) -> int:
    """Return the tokens of a turn: its command or the reply shown in its place, and its observation."""
    return services.count_tokens(turn.reply or turn.command) + services.count_tokens(turn.observation)


def grouped(candidates: Sequence[str]) -> list[str]:
    """Return candidates in few lines: `pull: lever 1; lever 2` for commands on instances, `press[...]: a; b` for those with brackets.

    A command of neither kind stands whole, on one line with its like. Groups come in the order of their first command.
    """
    groups: dict[str, list[str]] = {}
    for command in candidates:
        named = NUMBERED.entities(command)
        verb = command.partition(named[0])[0].rstrip() if named else ""
        before, bracket, inside = command.partition("[")
        if bracket and inside.endswith("]"):
            groups.setdefault(f"{before}[...]: ", []).append(inside[:-1])
        elif verb:
            groups.setdefault(f"{verb}: ", []).append(command[len(verb) + 1 :])
        else:
            groups.setdefault("", []).append(command)
    return [head + "; ".join(tails) for head, tails in groups.items()]
