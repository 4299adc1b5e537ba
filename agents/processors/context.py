"""What the model reads: the system prompt, the menu of commands, the length of the history."""

from __future__ import annotations

from homebody.agents.backend import CUT
from homebody.agents.hooks import BeforeModel, Changes, StepStart, TaskStart
from homebody.agents.processors.base import Processor, register


@register
class SystemPrompt(Processor):
    """Sets the system prompt. Helps always: without one the model does not know what is asked of it."""

    name = "system_prompt"
    hook = "task_start"
    dimension = "context"
    schema = {"text": {"type": "string", "description": "the prompt, as the model reads it"}}

    def process(self, event: TaskStart) -> Changes:
        """Put the text before whatever other processors have set."""
        text = self.params["text"]
        return {"system_prompt": f"{text}\n\n{event.system_prompt}" if event.system_prompt else text}


@register
class ShowMenu(Processor):
    """Shows the commands on offer below the observation, for this step only. Helps a model that has to write a command itself."""

    name = "show_menu"
    hook = "before_model"
    dimension = "context"
    group = "menu"
    schema = {
        "header": {"type": "string", "default": "Available commands:", "description": "the line above the commands"},
        "footer": {"type": "string", "default": "", "description": "the line below them, if any"},
        "separator": {"type": "string", "default": "\n", "description": "what stands between two commands"},
    }

    def process(self, event: BeforeModel) -> Changes:
        """Append the menu after the cut, so that the history keeps the observation alone."""
        lines = [self.params["header"], self.params["separator"].join(event.menu)]
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
