"""A reader of pages that knows no page: it does what the words of the sentence have in common with the names of the elements.

The bar for a model that reads pages. It sees what an agent sees: the page, and its own commands so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from homebody.envs.miniwob.reading import TYPED, Element, Reading


def choose(reading: Reading, given: Sequence[str]) -> str:
    """Return the next command: fields first, then what the sentence names, then what can be opened, then the last button."""
    offered = set(reading.commands)
    for command in _ideas(reading, given):
        head = command.partition(": ")[0] + ": {text}" if command.startswith("type into ") else command
        if (head in offered or command.startswith("set ")) and command not in given:
            return command
    return "wait"


def _ideas(reading: Reading, given: Sequence[str]) -> Iterator[str]:
    elements = list(reading.elements.values())
    names = {one.name.lower() for one in elements}
    texts = [text for text in re.findall(r'"([^"]*)"', reading.goal) if text.lower() not in names]
    fields = [one for one in elements if one.role in TYPED and "read only" not in one.states and "disabled" not in one.states]
    for field, text in zip(fields, texts, strict=False):
        if field.value != text:
            yield f"type into {field.ref}: {text}"
    numbers = re.findall(r"-?\d+(?![\w])", reading.goal)
    for slider, number in zip((one for one in elements if one.role == "slider"), numbers, strict=False):
        if slider.value != number:
            yield f"set {slider.ref} to {number}"
    for one in elements:
        for option in sorted(one.options, key=len, reverse=True):
            if _is_named(option, reading.goal) and option not in (one.value or "").split(", "):
                yield f"select {option} in {one.ref}"
    named = [one for one in elements if one.role not in TYPED and _is_named(one.name, reading.goal)]
    for one in sorted(named, key=lambda one: (one.name.lower() == "submit", reading.goal.lower().find(one.name.lower()))):
        if not {"checked", "on", "selected"} & set(one.states):
            yield f"hover {one.ref}" if "submenu" in one.states else f"click {one.ref}"
    for one in elements:
        if one.role in ("tab", "section") or {"folder, closed", "submenu"} & set(one.states):
            yield f"hover {one.ref}" if "submenu" in one.states else f"click {one.ref}"
    for one in reversed(elements):
        if one.role == "button":
            yield f"click {one.ref}"
    yield from (f"click {one.ref}" for one in elements if _is_clicked(one))


def _is_named(name: str, goal: str) -> bool:
    return bool(name) and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", goal, re.IGNORECASE) is not None


def _is_clicked(one: Element) -> bool:
    return one.role in ("link", "item", "icon", "textbox") and "disabled" not in one.states
