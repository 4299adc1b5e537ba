"""What the model reads: the system prompt, the candidates of commands, the length of the history."""

from __future__ import annotations

from collections.abc import Sequence

from homebody.agents.harness.grammar import SLOT
from homebody.agents.harness.hooks import BeforeModel, Changes, StepStart, TaskStart
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import GUARDS, Processor, register
from homebody.agents.skills import wording


@register
class SystemPrompt(Processor):
    """Sets the system prompt. Helps always: without one the model does not know what is asked of it."""

    name = "system_prompt"
    hook = "task_start"
    dimension = "context"
    schema = {"text": {"type": "string", "description": "the prompt, as the model reads it"}}
    texts = ("text",)

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
    after = (*GUARDS, "fill_slot", "open_and_compare", "shortlist")
    texts = ("header", "footer")
    schema = {
        "header": {"type": "string", "default": "Available commands:", "description": "the line above the commands"},
        "footer": {"type": "string", "default": "", "description": "the line below them, if any"},
        "separator": {"type": "string", "default": "\n", "description": "what stands between two commands"},
        "layout": {
            "enum": ["lines", "groups"],
            "default": "lines",
            "description": "each command whole, or those that begin alike together: shorter, but no command stands there letter by letter",
        },
        "tools_header": {
            "type": "string",
            "default": "Besides, at no cost of a step:",
            "description": "the line above the commands that the harness answers, if there are any",
        },
    }

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


@register
class HistoryWindow(Processor):
    """Keeps the last turns of the history only. Helps when a long history drowns a small model or overflows its context."""

    name = "history_window"
    hook = "step_start"
    dimension = "context"
    group = "history"
    schema = {"turns": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20, "description": "how many turns stay"}}

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
    schema = {
        "tokens": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 500, "description": "tokens of the turns that stay"}
    }

    def process(self, event: StepStart) -> Changes | None:
        """Drop the oldest turns."""
        left = self.params["tokens"]
        for dropped in range(len(event.history), 0, -1):
            turn = event.history[dropped - 1]
            left -= self.services.count_tokens(turn.reply or turn.command) + self.services.count_tokens(turn.observation)
            if left < 0:
                return {"history": event.history[dropped:]}
        return None


def grouped(candidates: Sequence[str]) -> list[str]:
    """Return candidates in few lines: `pull: lever 1; lever 2` for commands on instances, `press[...]: a; b` for those with brackets.

    A command of neither kind stands whole, on one line with its like. Groups come in the order of their first command.
    """
    groups: dict[str, list[str]] = {}
    for command in candidates:
        named = wording.entities(command)
        verb = command.partition(named[0])[0].rstrip() if named else ""
        before, bracket, inside = command.partition("[")
        if bracket and inside.endswith("]"):
            groups.setdefault(f"{before}[...]: ", []).append(inside[:-1])
        elif verb:
            groups.setdefault(f"{verb}: ", []).append(command[len(verb) + 1 :])
        else:
            groups.setdefault("", []).append(command)
    return [head + "; ".join(tails) for head, tails in groups.items()]
