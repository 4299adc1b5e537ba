"""What is done with an answer that is no command on offer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.grammar import SLOT, matches
from homebody.agents.harness.hooks import AfterModel, Changes
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.operator import UNABLE, EditOperator, where_written
from homebody.agents.processors.parameter import number, one_of


@register
class Repair(Processor):
    """Turns an answer that is no command into the command it contains or nearly spells. Helps a model that chats or misspells.

    What was read from the answer counts, a thought before it does not. First the longest command that it holds as whole words,
    capitals aside; else the one most like it, if the likeness reaches `cutoff`; else it stays. Likeness is 2 * m / (a + b) for texts of
    a and b characters with m in matching blocks (`difflib`). A command that was possible before in the episode is no misspelling: it
    stays, and the environment says what is wrong with it.
    """

    name = "repair"
    hook = "after_model"
    dimension = "control"
    schema = {
        "cutoff": number(
            "likeness, 0 to 1, that a misspelt answer must have; 1 leaves only capitals to repair", default=0.7, least=0, most=1
        ),
        "within": one_of(
            ["candidates", "admissible"], "candidates: a possible command that is not on offer is repaired too", default="admissible"
        ),
    }

    operators = (
        EditOperator(
            "repair answers",
            "An answer that holds or nearly spells a command on offer means that command.",
            UNABLE,
            where_written({"repair": {}}),
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._known: dict[str, None] = {}

    def process(self, event: AfterModel) -> Changes | None:
        """Replace the command, unless it is or was a command, or none is near."""
        known = tuple(self._known)
        self._known.update(dict.fromkeys(event.admissible))
        if matches(event.command, known) and not matches(event.command, event.admissible):
            return None
        offered = event.candidates if self.params["within"] == "candidates" else event.admissible
        if matches(event.command, (*offered, *event.tools)):
            return None
        offered = tuple(command for command in offered if SLOT not in command)
        found = contained(event.command, offered) or nearest(event.command, offered, self.params["cutoff"])
        return {"command": found} if found else None


def contained(text: str, commands: tuple[str, ...]) -> str:
    """Return the longest of the commands that stands in the text as whole words, the first of equals; empty if none does."""
    low = text.lower()
    found = [command for command in commands if re.search(rf"(?<!\w){re.escape(command.lower())}(?!\w)", low)]
    return max(found, key=len, default="")


def nearest(text: str, commands: tuple[str, ...], cutoff: float) -> str:
    """Return the command most like the text, the first of equals; empty if none reaches the cutoff."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(text.lower())
    likeness = {}
    for command in commands:
        matcher.set_seq1(command.lower())
        likeness[command] = matcher.ratio()
    best = max(likeness, key=lambda command: likeness[command], default="")
    return best if best and likeness[best] >= cutoff else ""
