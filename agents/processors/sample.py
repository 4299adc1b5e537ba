"""An event of every hook, as an episode in the middle of some task would have it: for the dry runs of code and templates."""

from __future__ import annotations

from homebody.agents.harness.hooks import (
    AfterModel,
    AfterTool,
    BeforeModel,
    BeforeTool,
    CurrentSubgoal,
    Event,
    StepEnd,
    StepStart,
    TaskEnd,
    TaskStart,
    Turn,
)

_MENU = ("look", "pull lever 1", "pull lever 2", "walk to dock 1", "walk to dock 2")
_SAID = "You stand at dock 1. There are lever 1 and lever 2."
SAMPLES: dict[str, Event] = {
    "task_start": TaskStart("pull lever 2 at dock 2", "You stand in a yard. There are dock 1 and dock 2.", _MENU, "You are in a yard."),
    "step_start": StepStart(3, 12, (Turn("look", "You see dock 1 and dock 2."), Turn("walk to dock 1", _SAID))),
    "before_model": BeforeModel(
        goal="pull lever 2 at dock 2",
        observation=_SAID,
        admissible=_MENU,
        content=_SAID,
        candidates=_MENU,
        prior=(0.0, 0.5, 1.5, -1.0, 2.0),
        subgoal=CurrentSubgoal("search", "lever"),
        steps_left=12,
    ),
    "after_model": AfterModel("> walk to dock 2\n", "walk to dock 2", _MENU, _MENU),
    "before_tool": BeforeTool("walk to dock 2", admissible=_MENU, steps_left=12),
    "after_tool": AfterTool("walk to dock 2", "You walk to dock 2. There is lever 2.", admissible=_MENU),
    "step_end": StepEnd(3, "walk to dock 2", True, "You walk to dock 2. There is lever 2.", _MENU),
    "task_end": TaskEnd(False, 15),
}
"""By hook."""
