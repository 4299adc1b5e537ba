"""A page as an agent reads it: what a browser found on it, made into lines, references and commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from homebody.envs.text import clean

MOST_NAME: Final = 120
"""Characters of a name; longer ones are cut."""
MOST_TEXT: Final = 600
"""Characters that are shown of a text."""
MOST_VALUE: Final = 300
"""Characters that are shown of what stands in a field: its beginning and its end."""
TYPED: Final = ("textbox", "textarea")
"""Roles of what can be typed into."""
CLICKED: Final = (
    "button", "link", "tab", "section", "menuitem", "option", "item", "icon", "shape", "label", "checkbox", "radio", "slider", *TYPED
)  # fmt: skip
"""Roles of what can be clicked."""


@dataclass(frozen=True)
class Element:
    """Something on the page that can be acted on."""

    ref: str
    """What a command calls it: its role and name, with a number where two are alike; `textbox Username`, `checkbox Ab (2)`."""
    role: str
    name: str
    number: int
    """Its number in the page's own list."""
    states: tuple[str, ...] = ()
    value: str | None = None
    """What stands in it; None where nothing can."""
    options: tuple[str, ...] = ()
    drags: bool = False
    place: tuple[float, float] | None = None
    """Where it can be clicked, in pixels of the tab; None where it is out of view."""
    more: tuple[str, ...] = ()
    """What else stands in it, after the text that names it."""

    @property
    def line(self) -> str:
        """Its line of the observation."""
        value = f' = "{_ends(self.value)}"' if self.value is not None else ""
        options = f" [{', '.join(self.options)}]" if self.options else ""
        more = "".join(f" | {text}" for text in self.more)
        return f"{self.ref}{value}{options}{more}" + (f" ({', '.join(self.states)})" if self.states else "")


@dataclass(frozen=True)
class Reading:
    """A page, read."""

    goal: str
    lines: tuple[str, ...]
    """The page from top to bottom, a line for each text and each element."""
    elements: Mapping[str, Element]
    """By reference, in the order of the page."""
    actions: tuple[str, ...] = ()
    """Kinds of actions on offer besides the usual; see `suite.PageInfo`."""
    done: bool = False
    reward: float = 0.0
    """Raw reward of the page, -1 to 1."""
    errors: tuple[str, ...] = ()
    """What went wrong in the page's own code."""
    _commands: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def text(self) -> str:
        """The observation."""
        return "The task is over." if self.done else "\n".join(self.lines)

    @property
    def commands(self) -> list[str]:
        """The commands that are possible now, sorted."""
        if not self._commands:
            self._commands.extend(sorted(self._find_commands()))
        return list(self._commands)

    def _find_commands(self) -> set[str]:
        found = {"wait"}
        if self.done:
            return found
        for ref, element in self.elements.items():
            if "scrolls" in element.states:
                found |= {f"scroll down in {ref}", f"scroll up in {ref}"}
            if "disabled" in element.states:
                continue
            if "submenu" in element.states:
                found.add(f"hover {ref}")
            if "clipboard" in self.actions and element.role in TYPED:
                found |= {f"copy {ref}", f"paste into {ref}"}
            if element.role in CLICKED:
                found.add(f"click {ref}")
            if element.role in TYPED and "read only" not in element.states:
                found.add(f"type into {ref}: {{text}}")
                if "focused" in element.states:
                    found.add("press Enter")
            if element.role == "slider":
                found.add(f"set {ref} to {{text}}")
            found.update(f"select {option} in {ref}" for option in element.options if option)
        if "keys" in self.actions:
            found |= {"type: {text}", "press Enter"}
        if "highlight" in self.actions:
            found.add("highlight {text}")
        if "drag" in self.actions:
            dragged = [ref for ref, element in self.elements.items() if element.drags]
            found.update(f"drag {one} to {other}" for one in dragged for other in self.elements if one != other)
        return found


def read(raw: Mapping[str, Any], actions: Sequence[str] = ()) -> Reading:
    """Return what the page's script found as a reading.

    Args:
        raw: What `read()` of assets/miniwob/read.js returned.
        actions: Kinds of actions that the page needs besides the usual.
    """
    pieces: list[dict[str, Any]] = [piece if "text" in piece else {**piece, "name": _named(piece)} for piece in raw["pieces"]]
    alike = Counter((piece["role"], piece["name"]) for piece in pieces if "role" in piece)
    met: Counter[tuple[str, str]] = Counter()
    lines: list[str] = []
    elements: dict[str, Element] = {}
    for number, piece in enumerate(pieces):
        if "text" in piece:
            text = _short(clean(piece["text"]))
            after = pieces[number + 1].get("name") if number + 1 < len(pieces) else None
            if text and _name(text) != after:  # a label is read with its field
                lines.append(text)
            continue
        key = piece["role"], piece["name"]
        met[key] += 1
        ref = " ".join(filter(None, key))
        if alike[key] > 1:
            ref += f" ({met[key]})"
        while ref in elements:  # a name that looks like another one's number
            ref += "'"
        value = piece.get("value")
        element = Element(
            ref, piece["role"], piece["name"], piece["n"], tuple(piece["states"]), None if value is None else clean(value),
            tuple(dict.fromkeys(_name(option) for option in piece.get("options", ()))), bool(piece.get("drag")),
            (piece["at"]["x"], piece["at"]["y"]) if piece.get("at") else None,
            tuple(_short(clean(text)) for text in piece.get("more", ())),
        )  # fmt: skip
        elements[ref] = element
        lines.append(element.line)
    goal = " ".join(clean(raw["goal"]).split()) or "Do the task on this page."
    return Reading(
        goal, (goal, *lines), elements, tuple(actions), bool(raw["done"]), float(raw["reward"] or 0.0), tuple(map(clean, raw["errors"]))
    )


def _named(piece: Mapping[str, Any]) -> str:
    """Return the name of an element: an icon that each row has is that of its row."""
    return _name(f"{piece['name']} of {piece['of']}" if piece.get("of") else piece["name"])


def _name(text: str) -> str:
    """Return a name as commands hold it: on one line, without what ends a reference or opens a slot."""
    kept = " ".join(clean(text).replace("{", "(").replace("}", ")").split()).replace(": ", " ").rstrip(":")
    return kept if len(kept) <= MOST_NAME else f"{kept[: MOST_NAME - 3]}..."


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."


def _ends(text: str) -> str:
    half = MOST_VALUE // 2
    return text if len(text) <= MOST_VALUE else f"{text[:half]} ... {text[-half:]}"
