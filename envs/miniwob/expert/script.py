"""The table of scripts, the next command that one gives, and the phrases that scripts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.miniwob.reading import Element, Reading

Given = Sequence[str]
"""The commands of the episode so far."""
Script = Callable[[Reading, Given], str]
"""Returns the next command on a page that is read so, after those given."""
SCRIPTS: Final[dict[str, Script]] = {}
"""The script of each page, by its name; the modules beside this one fill it."""
_MONTHS: Final = [date(2016, n, 1).strftime("%B") for n in range(1, 13)]


class NoScriptError(EnvError):
    """There is no script for a page, or it does not know what to do on it."""

    def __init__(self, page: str, why: str) -> None:
        super().__init__(f"the expert of page {page!r} {why}; play a page of the suite from its beginning")


def next_command(page: str, reading: Reading, given: Given) -> str:
    """Return the next command on a page.

    Raises:
        NoScriptError: There is no script for the page, or it finds nothing to do.
    """
    script = SCRIPTS.get(page)
    if script is None:
        raise NoScriptError(page, "does not exist")
    try:
        return script(reading, given)
    except (StopIteration, IndexError, KeyError, AttributeError, ValueError) as error:
        raise NoScriptError(page, f"finds nothing to do here ({type(error).__name__}: {error})") from None


def for_pages(*pages: str) -> Callable[[Script], Script]:
    """Enter a script in the table for some pages."""

    def add(script: Script) -> Script:
        SCRIPTS.update(dict.fromkeys(pages, script))
        return script

    return add


def all_of(reading: Reading, role: str) -> list[Element]:
    """Return the elements of a role, in the order of the page."""
    return [element for element in reading.elements.values() if element.role == role]


def named(reading: Reading, name: str, *roles: str) -> Element:
    """Return the first element of a name, of any of some roles; capitals count where two names differ by them alone."""
    found = [one for one in reading.elements.values() if one.name.lower() == name.lower() and (not roles or one.role in roles)]
    return next((one for one in found if one.name == name), found[0])


def click(element: Element) -> str:
    """Return the command that clicks an element."""
    return f"click {element.ref}"


def submit(reading: Reading, name: str = "Submit") -> str:
    """Return the command that clicks the button of a name."""
    return click(named(reading, name))


def quoted_texts(reading: Reading) -> list[str]:
    """Return what stands in quotation marks in the goal."""
    return re.findall(r'"([^"]*)"', reading.goal)


def ordinal(reading: Reading) -> int:
    """Return the first ordinal of the goal, from 0."""
    found = re.search(r"(\d+)(st|nd|rd|th)", reading.goal)
    assert found
    return int(found[1]) - 1


def typed(element: Element, text: str) -> Iterator[str]:
    """Yield the command that types a text, unless it stands there."""
    if element.value != text:
        yield f"type into {element.ref}: {text}"


def first_of(*steps: Iterator[str] | str) -> str:
    """Return the first command of some steps that are not done yet."""
    for step in steps:
        if isinstance(step, str):
            return step
        if (command := next(step, None)) is not None:
            return command
    raise StopIteration


def fill(*fields: tuple[Element, str]) -> list[Iterator[str]]:
    """Return a step for each field: its text is typed unless it stands there."""
    return [typed(element, text) for element, text in fields]


def pick_day(reading: Reading, month: int, day: int, box: Element, then: Element) -> str:
    """Choose a day in a calendar that opens at a click into its field."""
    if box.value:
        return click(then)
    shown = next((line.split(" | ")[0] for line in reading.lines if line.split(" | ")[0] in _MONTHS), None)
    if shown is None:
        return click(box)
    at = _MONTHS.index(shown) + 1
    if at == month:
        return click(named(reading, str(day), "link"))
    return click(named(reading, "Prev" if at > month else "Next"))
