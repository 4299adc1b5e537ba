"""From wishes to JSON Patches: processors with parameters, put into a harness where they belong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.patch import Patch
from homebody.agents.harness.spec import HarnessSpec, entry

ORDER = (
    "system_prompt", "examples", "history_window", "history_budget",
    "learned_plan", "visited", "loop_guard", "stall_guard", "requires", "step_budget",
    "location_prior", "action_prior", "location_memory", "goal_words", "fill_slot", "result_prior", "open_and_compare", "shortlist",
    "decide", "show_candidates", "prompt_template", "trace_detail", "repair", "notes", "recall", "steps_left",
    "trim_observation", "explain_refusal", "shaped_reward", "training_marks",
)  # fmt: skip
"""Where a new processor goes: what narrows the candidates comes before what ranks it, what shows it comes last. All but `code`,
which may stand anywhere."""

HOLD_PATCHES = ("adaptations", "variants")
"""Members of a harness whose items hold a patch of it."""


def set_processors(spec: HarnessSpec, settings: Mapping[str, Mapping[str, Any]]) -> Patch:
    """Return the patch that gives processors these parameters, adding those that are not there at their place in `ORDER`.

    The patches that the harness itself holds (its adaptations and variants) go on to mean the processors that they meant.
    """
    entries = [dict(item) for item in spec.processors]
    held = {key: spec.document[key] for key in HOLD_PATCHES if spec.document.get(key)}
    for use, params in settings.items():
        position = next((i for i, item in enumerate(entries) if item["use"] == use), None)
        if position is not None:
            entries[position] = {**entries[position], "params": {**entries[position]["params"], **params}}
            continue
        later = ORDER[ORDER.index(use) + 1 :]
        position = next((i for i, item in enumerate(entries) if item["use"] in later), len(entries))
        entries.insert(position, entry(use, params))
        held = {key: [{**rule, "patch": _make_room(rule["patch"], position)} for rule in rules] for key, rules in held.items()}
    return spec.diff(HarnessSpec({**spec.document, "processors": entries, **held}))


def _make_room(patch: Patch, place: int) -> Patch:
    """Return a held patch for a harness in which one more processor stands at `place`."""
    found = []
    for operation in patch:
        op, made = operation["op"], dict(operation)
        for key in ("from", "path"):
            parts = operation.get(key, "").split("/")  # "", "processors", number, what is within
            if len(parts) < 3 or not parts[2].isdecimal():
                continue
            number = int(parts[2])
            if number >= place:
                made[key] = "/".join([*parts[:2], str(number + 1), *parts[3:]])
            elif len(parts) == 3 and (op, key) in (("remove", "path"), ("move", "from")):
                place -= 1
            elif len(parts) == 3 and op in ("add", "copy", "move") and key == "path":
                place += 1
        found.append(made)
        if operation["path"] == "/processors":  # another list altogether
            return found + patch[len(found) :]
    return found
