"""Scripts that solve the pages of the suite: the gold check. They know the pages, and no seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.miniwob.reading import Element, Reading

Given = Sequence[str]
"""The commands of the episode so far."""
Script = Callable[[Reading, Given], str]
SCRIPTS: Final[dict[str, Script]] = {}


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


def _for(*pages: str) -> Callable[[Script], Script]:
    def add(script: Script) -> Script:
        SCRIPTS.update(dict.fromkeys(pages, script))
        return script

    return add


# --- what scripts say


def _all(reading: Reading, role: str) -> list[Element]:
    return [element for element in reading.elements.values() if element.role == role]


def _named(reading: Reading, name: str, *roles: str) -> Element:
    """Return the first element of a name, of any of some roles; capitals count where two names differ by them alone."""
    found = [one for one in reading.elements.values() if one.name.lower() == name.lower() and (not roles or one.role in roles)]
    return next((one for one in found if one.name == name), found[0])


def _click(element: Element) -> str:
    return f"click {element.ref}"


def _submit(reading: Reading, name: str = "Submit") -> str:
    return _click(_named(reading, name))


def _quoted(reading: Reading) -> list[str]:
    return re.findall(r'"([^"]*)"', reading.goal)


def _nth(reading: Reading) -> int:
    """Return the first ordinal of the goal, from 0."""
    found = re.search(r"(\d+)(st|nd|rd|th)", reading.goal)
    assert found
    return int(found[1]) - 1


def _typed(element: Element, text: str) -> Iterator[str]:
    """Yield the command that types a text, unless it stands there."""
    if element.value != text:
        yield f"type into {element.ref}: {text}"


def _first(*steps: Iterator[str] | str) -> str:
    """Return the first command of some steps that are not done yet."""
    for step in steps:
        if isinstance(step, str):
            return step
        if (command := next(step, None)) is not None:
            return command
    raise StopIteration


def _fill(*fields: tuple[Element, str]) -> list[Iterator[str]]:
    return [_typed(element, text) for element, text in fields]


# --- buttons


@_for("click-button", "click-test", "click-test-2", "click-test-transfer", "unicode-test", "click-link", "click-dialog-2")
def _click_named(reading: Reading, given: Given) -> str:
    quoted = _quoted(reading)
    if quoted:
        name = "Close" if quoted[0] == "x" else quoted[0]
    else:
        found = re.search(r"Click button (\w+)", reading.goal)
        name = found[1] if found else _all(reading, "button")[0].name
    return _click(_named(reading, name, "button", "item", "link"))


@_for("click-dialog")
def _dialog(reading: Reading, given: Given) -> str:
    return _click(_named(reading, "Close"))


@_for("click-button-sequence")
def _sequence(reading: Reading, given: Given) -> str:
    return _click(_named(reading, re.findall(r"button (\w+)", reading.goal)[len(given)]))


@_for("click-widget")
def _widget(reading: Reading, given: Given) -> str:
    kind = _quoted(reading)[0]
    return _click(_all(reading, "textbox" if kind == "text" else kind)[0])


@_for("find-greatest")
def _greatest(reading: Reading, given: Given) -> str:
    if given:
        return _submit(reading)
    return _click(max(_all(reading, "item"), key=lambda one: int(one.name)))


@_for("odd-or-even")
def _odd_or_even(reading: Reading, given: Given) -> str:
    numbers = [int(line) for line in reading.lines[1:] if re.fullmatch(r"-?\d+", line)]
    if len(given) == len(numbers):
        return _submit(reading)
    word = "Odd" if numbers[len(given)] % 2 else "Even"
    return _click([one for one in _all(reading, "button") if one.name == word][len(given)])


@_for("buy-ticket")
def _ticket(reading: Reading, given: Given) -> str:
    buttons = _all(reading, "button")
    if "cheapest" in reading.goal or "most expensive" in reading.goal:
        prices = [int(re.sub(r"\D", "", one.name)) for one in buttons]
        wanted = min(prices) if "cheapest" in reading.goal else max(prices)
        return _click(buttons[prices.index(wanted)])
    lasts = [int(a) * 60 + int(b) for a, b in re.findall(r"(\d+)h (\d+)m", " ".join(reading.lines[1:]))]
    wanted = min(lasts) if "shortest" in reading.goal else max(lasts)
    return _click(buttons[lasts.index(wanted)])


@_for("identify-shape")
def _identify(reading: Reading, given: Given) -> str:
    shape = next((one for one in reading.elements.values() if one.role in ("shape", "label")), None)
    name = shape.name.split()[-1] if shape and shape.role == "shape" else ""
    if shape and shape.role == "label":
        name = "number" if shape.name.isdigit() else "letter"
    return _click(_named(reading, name, "button"))


@_for("generate-number")
def _generate(reading: Reading, given: Given) -> str:
    shown = next((int(line) for line in reading.lines[1:] if re.fullmatch(r"-?\d+", line)), None)
    if shown is None:
        return _submit(reading, "Generate")
    if "even" in reading.goal or "odd" in reading.goal:
        is_right = shown % 2 == (0 if "even" in reading.goal else 1)
    else:
        bound = int(re.findall(r"-?\d+", reading.goal)[0])
        is_right = shown < bound if "less" in reading.goal else shown > bound
    return _submit(reading, "Submit" if is_right else "Generate")


# --- choices


@_for("click-checkboxes", "click-checkboxes-large", "click-checkboxes-transfer", "click-option")
def _choices(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (.*) and click", reading.goal)
    assert found
    wanted = [] if found[1] == "nothing" else found[1].split(", ")
    left = [one for one in reading.elements.values() if one.name in wanted and "checked" not in one.states]
    return _click(left[0]) if left else _submit(reading)


@_for("choose-list", "click-scroll-list")
def _list(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (.*) from the", reading.goal)
    assert found
    wanted = [found[1]] if found[1] in reading.commands else found[1].split(", ")
    element = next(one for one in reading.elements.values() if one.options)
    if element.role == "combobox":
        wanted = [found[1]]
    chosen = (element.value or "").split(", ") if element.role == "listbox" else [element.value]
    left = [option for option in wanted if option not in chosen]
    return f"select {left[0]} in {element.ref}" if left else _submit(reading)


@_for("multi-orderings", "multi-layouts")
def _movies(reading: Reading, given: Given) -> str:
    found = re.search(r"Search for (.*) movies directed by (.*) from year (\d+)", reading.goal)
    assert found
    fields = {"genre": found[1], "director": found[2], "year": found[3]}
    boxes = [
        (one, next(text for key, text in fields.items() if key in one.name.lower().replace("released", "year")))
        for one in _all(reading, "textbox")
    ]
    return _first(*_fill(*boxes), _click(next(one for one in reading.elements.values() if one.role != "textbox")))


@_for("form-sequence-2")
def _form_2(reading: Reading, given: Given) -> str:
    found = re.search(r'(\d+)\w+ radio button and enter the number "(-?\d+)" into the (\d+)', reading.goal)
    assert found
    radio = _all(reading, "radio")[int(found[1]) - 1]
    box = _all(reading, "textbox")[int(found[3]) - 1]
    if "checked" not in radio.states:
        return _click(radio)
    return _first(_typed(box, found[2]), _submit(reading))


# --- what has to be opened


@_for("click-collapsible", "click-collapsible-nodelay")
def _collapsible(reading: Reading, given: Given) -> str:
    button = next((one for one in reading.elements.values() if one.name == "Submit"), None)
    section = next(one for one in reading.elements.values() if one.name.startswith("Section"))
    return _click(section) if "open" not in section.states or button is None else _click(button)


@_for("click-collapsible-2", "click-collapsible-2-nodelay", "click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard")
def _search_sections(reading: Reading, given: Given) -> str:
    name = _quoted(reading)[0]
    here = next((one for one in reading.elements.values() if one.role in ("item", "link") and one.name == name), None)
    if here:
        return _click(here)
    folds = [*_all(reading, "tab"), *_all(reading, "section")]
    return _click(next(one for one in folds if f"click {one.ref}" not in given and "selected" not in one.states))


@_for("click-tab")
def _tab(reading: Reading, given: Given) -> str:
    found = re.search(r"Click on (Tab #\d+)", reading.goal)
    assert found
    return _click(_named(reading, found[1], "tab"))


@_for("click-menu")
def _menu(reading: Reading, given: Given) -> str:
    path = [name.strip() for name in reading.goal.removeprefix("Select ").split(">")]
    item = _named(reading, path[len(given)])
    return _click(item) if len(given) == len(path) - 1 else f"hover {item.ref}"


@_for("click-menu-2")
def _menu_2(reading: Reading, given: Given) -> str:
    if not given:
        return _click(_named(reading, "Menu"))
    icon = re.search(r"with the (\S+) icon", reading.goal)
    items = _all(reading, "menuitem")
    here = next((one for one in items if (f"icon {icon[1]}" in one.states if icon else one.name == _quoted(reading)[-1])), None)
    if here:
        return _click(here)
    return next(f"hover {one.ref}" for one in _all(reading, "menuitem") if "submenu" in one.states and f"hover {one.ref}" not in given)


@_for("navigate-tree")
def _tree(reading: Reading, given: Given) -> str:
    name = _quoted(reading)[0]
    here = next((one for one in reading.elements.values() if one.name == name), None)
    if here:
        return _click(here)
    return _click(next(one for one in _all(reading, "item") if "folder, closed" in one.states))


# --- texts


@_for("enter-text", "enter-text-dynamic", "enter-text-2", "enter-password", "enter-date", "enter-time", "login-user")
def _enter(reading: Reading, given: Given) -> str:
    boxes, quoted = _all(reading, "textbox"), _quoted(reading)
    if "as the date" in reading.goal:
        month, day, year = re.findall(r"\d+", reading.goal)
        return _submit(reading) if given else f"type into {boxes[0].ref}: {month}/{day}/{year}"
    if "as the time" in reading.goal:
        found = re.search(r"Enter (\d+):(\d+) ([AP]M)", reading.goal)
        assert found
        return _submit(reading) if given else f"type into {boxes[0].ref}: {int(found[1]):02}:{found[2]} {found[3]}"
    if "upper case" in reading.goal:
        quoted = [quoted[0].upper()]
    elif "lower case" in reading.goal:
        quoted = [quoted[0].lower()]
    texts = quoted * len(boxes) if len(quoted) < len(boxes) else quoted
    button = _named(reading, "Login") if "login" in reading.goal else _named(reading, "Submit")
    return _first(*_fill(*zip(boxes, texts, strict=False)), _click(button))


@_for("login-user-popup")
def _login_popup(reading: Reading, given: Given) -> str:
    cancel = next((one for one in reading.elements.values() if one.name.lower() in ("cancel", "no", "close", "x")), None)
    if cancel:
        return _click(cancel)
    boxes, quoted = _all(reading, "textbox"), _quoted(reading)
    return _first(*_fill(*zip(boxes, quoted, strict=False)), _click(_all(reading, "button")[-1]))


@_for("focus-text", "focus-text-2")
def _focus(reading: Reading, given: Given) -> str:
    boxes = _all(reading, "textbox")
    return _click(boxes[_nth(reading) if len(boxes) > 1 else 0])


@_for("text-transform")
def _transform(reading: Reading, given: Given) -> str:
    text = "".join(line.replace(" | ", "") for line in reading.lines[1:] if not any(line == one.line for one in reading.elements.values()))
    return _first(_typed(_all(reading, "textbox")[0], text), _submit(reading))


@_for("copy-paste", "copy-paste-2")
def _copy(reading: Reading, given: Given) -> str:
    answer, sources = _all(reading, "textbox")[0], _all(reading, "textarea")
    source = sources[_nth(reading)] if len(sources) > 1 else sources[0]
    return [f"copy {source.ref}", f"paste into {answer.ref}", _submit(reading)][len(given)]


@_for("find-word")
def _word(reading: Reading, given: Given) -> str:
    words = re.findall(r"[\w']+", reading.lines[1])
    return _first(_typed(_all(reading, "textbox")[0], words[_nth(reading)]), _submit(reading))


@_for("read-table", "read-table-2")
def _table(reading: Reading, given: Given) -> str:
    table = dict(line.split(" | ") for line in reading.lines[1:] if line.count(" | ") == 1)
    boxes = _all(reading, "textbox")
    if len(boxes) == 1:
        found = re.search(r"value of (.*) into", reading.goal)
        assert found
        return _first(_typed(boxes[0], table[found[1]]), _submit(reading))
    return _first(*_fill(*((box, table[box.name.rstrip(":")]) for box in boxes)), _submit(reading))


@_for("simple-arithmetic")
def _arithmetic(reading: Reading, given: Given) -> str:
    found = re.search(r"(-?\d+) ([-+x*]) (-?\d+)", " ".join(reading.lines[1:]).replace("|", " ").replace("  ", " "))
    assert found
    a, b = int(found[1]), int(found[3])
    answer = {"+": a + b, "-": a - b, "x": a * b, "*": a * b}[found[2]]
    return _first(_typed(_all(reading, "textbox")[0], str(answer)), _submit(reading))


@_for("simple-algebra")
def _algebra(reading: Reading, given: Given) -> str:
    text = " ".join(reading.lines[1:]).replace("|", " ")
    found = re.search(r"(x|-?\d+) ([-+]) (x|-?\d+) = (-?\d+)", " ".join(text.split()))
    assert found
    total = int(found[4])
    if found[1] == "x":
        answer = total - int(found[3]) if found[2] == "+" else total + int(found[3])
    else:
        answer = total - int(found[1]) if found[2] == "+" else int(found[1]) - total
    return _first(_typed(_all(reading, "textbox")[0], str(answer)), _submit(reading))


@_for("scroll-text")
def _last_word(reading: Reading, given: Given) -> str:
    area, box = _all(reading, "textarea")[0], _all(reading, "textbox")[0]
    return _first(_typed(box, re.findall(r"[\w']+", area.value or "")[-1]), _submit(reading))


@_for("scroll-text-2")
def _scroll(reading: Reading, given: Given) -> str:
    area = _all(reading, "textarea")[0]
    if given:
        return _submit(reading)
    if "top" in reading.goal:
        return f"scroll up in {area.ref}"
    return f"scroll down in {area.ref}"


@_for("sign-agreement")
def _sign(reading: Reading, given: Given) -> str:
    if "cancel button" in reading.goal:
        return _submit(reading, "Cancel")
    area, box = _all(reading, "textarea")[0], _all(reading, "textbox")[0]
    name, button = _quoted(reading)
    if not given:
        return f"scroll down in {area.ref}"
    return _first(_typed(box, name), _submit(reading, button))


@_for("guess-number")
def _guess(reading: Reading, given: Given) -> str:
    """Halve what is left. What the page said to earlier guesses shows in the guess that followed each."""
    box = _all(reading, "textbox")[0]
    if len(given) % 2:
        return _submit(reading)
    least, most = (int(end) for end in re.findall(r"\d+", reading.goal)[:2])
    guesses = [int(command.rpartition(": ")[2]) for command in given if command.startswith("type into")]
    for guess, after in pairwise(guesses):
        least, most = (max(least, guess + 1), most) if after > guess else (least, min(most, guess - 1))
    if guesses:
        is_higher = "higher" in " ".join(reading.lines[1:])
        least, most = (max(least, guesses[-1] + 1), most) if is_higher else (least, min(most, guesses[-1] - 1))
    return f"type into {box.ref}: {(least + most) // 2}"


# --- widgets


@_for("use-autocomplete", "use-autocomplete-nodelay")
def _autocomplete(reading: Reading, given: Given) -> str:
    box, quoted = _all(reading, "textbox")[0], _quoted(reading)
    end = quoted[1] if len(quoted) > 1 else ""
    if not given:
        return f"type into {box.ref}: {quoted[0]}"
    if (box.value or "").startswith(quoted[0]) and (box.value or "").endswith(end) and len(given) > 1:
        return _submit(reading)
    offered = [one for one in reading.elements.values() if one.role in ("item", "option", "menuitem")]
    return _click(next(one for one in offered if one.name.startswith(quoted[0]) and one.name.endswith(end)))


@_for("use-slider", "use-slider-2", "form-sequence")
def _sliders(reading: Reading, given: Given) -> str:
    numbers = re.findall(r"-?\d+", re.sub(r"\d+(st|nd|rd|th)", "", reading.goal))
    for slider, number in zip(_all(reading, "slider"), numbers, strict=False):
        if slider.value != number:
            return f"set {slider.ref} to {number}"
    if boxes := _all(reading, "checkbox"):
        box = boxes[_nth(reading)]
        if "checked" not in box.states:
            return _click(box)
    return _submit(reading)


@_for("use-spinner")
def _spinner(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (-?\d+) with", reading.goal)
    assert found
    left = int(found[1]) - int(_all(reading, "textbox")[0].value or 0)  # what is typed is not taken
    return _click(_named(reading, "up" if left > 0 else "down")) if left else _submit(reading)


@_for("form-sequence-3")
def _form_3(reading: Reading, given: Given) -> str:
    found = re.search(r'Choose (.*) from the dropdown, then click the button labeled "(.*)"', reading.goal)
    assert found
    if not given:
        return _click(_named(reading, "label"))
    here = next((one for one in _all(reading, "item") if one.name == found[1]), None)
    return _click(here) if len(given) == 1 and here else _submit(reading, found[2])


_MONTHS: Final = [date(2016, n, 1).strftime("%B") for n in range(1, 13)]


@_for("choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay")
def _choose_date(reading: Reading, given: Given) -> str:
    found = re.search(r"(\d+)/(\d+)/(\d+)", reading.goal)
    assert found
    return _pick(reading, int(found[1]), int(found[2]), _all(reading, "textbox")[0], _named(reading, "Submit"))


def _pick(reading: Reading, month: int, day: int, box: Element, then: Element) -> str:
    """Choose a day in a calendar that opens at a click into its field."""
    if box.value:
        return _click(then)
    shown = next((line.split(" | ")[0] for line in reading.lines if line.split(" | ")[0] in _MONTHS), None)
    if shown is None:
        return _click(box)
    at = _MONTHS.index(shown) + 1
    if at == month:
        return _click(_named(reading, str(day), "link"))
    return _click(_named(reading, "Prev" if at > month else "Next"))


# --- sites


@_for(
    "email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl", "email-inbox-forward-nl-turk",
    "email-inbox-important", "email-inbox-nl-turk", "email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply",
)  # fmt: skip
def _mail(reading: Reading, given: Given) -> str:
    people, icons = ([one.name for one in _all(reading, role)] for role in ("item", "icon"))
    boxes = [one for one in reading.elements.values() if one.role in ("textbox", "textarea")]
    goal = reading.goal
    if boxes:
        send = next(one for one in _all(reading, "icon") if one.name.startswith("send"))
        if len(boxes) > 1:  # to whom, and the letter itself
            sender = given[0].removeprefix("click item ")
            return _first(_typed(boxes[0], _receiver(goal, sender)), _click(send))
        return _first(_typed(boxes[-1], _letter(goal)), _click(send))
    if "close email" in icons:
        reply = next((one for one in _all(reading, "item") if one.name == ("Forward" if _does(goal) == "forward" else "Reply")), None)
        assert reply
        return _click(reply)
    sender = _sender(goal, people)
    if _does(goal) in ("star", "trash"):
        return _click(_named(reading, f"{_does(goal)} of {sender}"))
    return _click(_named(reading, sender))


def _does(goal: str) -> str:
    low = goal.lower()
    if re.search(r"trash|delet|remove|get rid|garbage|erase|recycling|throw away|don't want|out of my inbox", low):
        return "trash"
    if re.search(r"\b(star|import\w+|bold it|favorite|mark)\b", low) and "reply" not in low:
        return "star"
    return "reply" if '"' in goal or re.search(r"repl|respond|answer|write back", low) else "forward"


def _names(goal: str) -> list[str]:
    return re.findall(r"\b[A-Z][\w-]+", goal)


def _sender(goal: str, people: Sequence[str]) -> str:
    found = [name for name in _names(goal) if name in people]
    by = re.search(r"(?:by|from) ([A-Z][\w-]+)|([A-Z][\w-]+) sent", goal)
    if by and (by[1] or by[2]) in people:
        return str(by[1] or by[2])
    own = next((name for name in people if re.search(rf"{re.escape(name)}'?s\b", goal)), None)
    return own or found[0]


def _receiver(goal: str, sender: str) -> str:
    for pattern in (r"\bto ([A-Z][\w-]+)", r"(?:Give|Email|Forward|Send) ([A-Z][\w-]+)"):
        if (found := re.search(pattern, goal)) and found[1] != sender:
            return str(found[1])
    return next(name for name in reversed(_names(goal)) if name != sender)


def _letter(goal: str) -> str:
    if quoted := [text for text in re.findall(r'"+([^"]+)"+', goal) if text.strip()]:
        return str(quoted[-1])
    return goal.rpartition(" with ")[2] if " with " in goal else goal.rpartition(": ")[2]


@_for("search-engine")
def _search(reading: Reading, given: Given) -> str:
    box, word = _all(reading, "textbox")[0], _quoted(reading)[0]
    if box.value != word:
        return f"type into {box.ref}: {word}"
    links = [one for one in _all(reading, "link") if not re.fullmatch(r"\d+|[<>]", one.name)]
    if not links:
        return _submit(reading, "Search")
    page, place = divmod(_nth(reading), 3)
    turned = sum(command == "click link >" for command in given)
    return _click(links[place]) if turned == page else "click link >"


@_for("social-media", "social-media-all", "social-media-some")
def _social(reading: Reading, given: Given) -> str:
    user = re.search(r"@\w+", reading.goal)
    assert user
    word = _quoted(reading)[0]
    most = re.search(r"on (\d+) posts?", reading.goal)
    name = {"Reply": "reply", "Retweet": "retweet", "Like": "like", "Share": "share"}.get(word, "more")
    mine = [one for one in _all(reading, "icon") if one.name.startswith(f"{name} of ") and one.name.endswith(f" {user[0]}")]
    if name == "more":
        here = next((one for one in _all(reading, "item") if one.name.startswith(word)), None)
        if here:
            return _click(here)
    wanted = mine[: int(most[1])] if most else mine
    left = [icon for icon in wanted if "on" not in icon.states]
    return _click(left[0]) if left else _submit(reading)


@_for("phone-book")
def _phone_book(reading: Reading, given: Given) -> str:
    found = re.search(r"Find (.*) in the contact book and click on their (.*)\.", reading.goal)
    assert found
    if found[1] not in reading.lines:
        return "click link >"
    kinds = ["phone number", "email", "address"]
    links = [one for one in _all(reading, "link") if not re.fullmatch(r"\d|[<>]", one.name)]
    return _click(links[next(n for n, kind in enumerate(kinds) if found[2] in kind or kind in found[2])])


@_for("book-flight", "book-flight-nodelay")
def _flight(reading: Reading, given: Given) -> str:
    found = re.search(r"Book the (\w+) one-way flight from: (.*) to: (.*) on (\d+)/(\d+)/\d+", reading.goal)
    assert found
    boxes = _all(reading, "textbox")
    if boxes:
        for box, place in zip(boxes[:2], (found[2], found[3]), strict=True):
            if "(" in (box.value or ""):
                continue
            offered = [one for one in reading.elements.values() if one.role in ("item", "menuitem", "option") and place in one.name]
            return _click(offered[0]) if offered else f"type into {box.ref}: {place}"
        return _pick(reading, int(found[4]), int(found[5]), boxes[2], _named(reading, "Search"))
    buttons = [one for one in _all(reading, "button") if "$" in one.name]
    if found[1] == "cheapest":
        prices = [int(re.sub(r"\D", "", one.name)) for one in buttons]
        return _click(buttons[prices.index(min(prices))])
    lasts = [int(a) * 60 + int(b) for a, b in re.findall(r"(\d+)h (\d+)m", " ".join(reading.lines[1:]))]
    return _click(buttons[lasts.index(min(lasts))])


# --- shapes


@_for("click-color")
def _color(reading: Reading, given: Given) -> str:
    found = re.search(r"Click on the (\w+) colored", reading.goal)
    assert found
    return _click(_named(reading, found[1]))


@_for("click-shades")
def _shades(reading: Reading, given: Given) -> str:
    found = re.search(r"shades of (\w+)", reading.goal)
    assert found
    left = [one for one in _all(reading, "item") if one.name in (found[1], "pink" if found[1] == "red" else "") and "on" not in one.states]
    return _click(left[0]) if left else _submit(reading)


def _fits(one: Element, words: Sequence[str]) -> bool:
    """Tell whether a shape is what some words ask for: size, colour, kind."""
    if one.role == "shape":
        has = {*one.name.split(), "shape", "item"}
    else:
        has = {one.name, *one.states, "digit" if one.name.isdigit() else "letter", "item"}
    return has >= set(words)


@_for("click-shape")
def _shape(reading: Reading, given: Given) -> str:
    words = reading.goal.removeprefix("Click on a ").split()
    return _click(next(one for one in reading.elements.values() if _fits(one, words)))


@_for("count-shape")
def _count(reading: Reading, given: Given) -> str:
    words = reading.goal.removeprefix("How many ").removesuffix(" are there?").split()
    words[-1] = words[-1].removesuffix("s")
    found = [one for one in reading.elements.values() if one.role in ("shape", "label") and _fits(one, words)]
    return _click(_named(reading, str(len(found)), "button"))


# --- editors


@_for("highlight-text", "highlight-text-2")
def _highlight(reading: Reading, given: Given) -> str:
    texts = [line for line in reading.lines[1:] if not any(line == one.line for one in reading.elements.values())]
    return _submit(reading) if given else f"highlight {texts[_nth(reading) if len(texts) > 1 else 0]}"


@_for("terminal")
def _terminal(reading: Reading, given: Given) -> str:
    found = re.search(r"ending with the extension (\.[\w.]+)|delete a file that has no|extension", reading.goal)
    assert found
    shown = " ".join(line for line in reading.lines[1:])
    if len(given) < 2:
        return ["type: ls", "press Enter"][len(given)]
    files = re.findall(r"[\w-]+(?:\.\w+)+", shown.partition(" ls")[2])
    wanted = next(name for name in files if found[1] and name.endswith(found[1]))
    return [f"type: rm {wanted}", "press Enter"][len(given) % 2]
