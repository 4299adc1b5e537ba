"""Scripts of pages on which an agent clicks: buttons, what has to be opened, shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homebody.envs.miniwob.expert.script import Given, all_of, click, for_pages, named, quoted_texts, submit
from homebody.envs.miniwob.reading import Element, Reading

# --- buttons


@for_pages("click-button", "click-test", "click-test-2", "click-test-transfer", "unicode-test", "click-link", "click-dialog-2")
def _click_named(reading: Reading, given: Given) -> str:
    quoted = quoted_texts(reading)
    if quoted:
        name = "Close" if quoted[0] == "x" else quoted[0]
    else:
        found = re.search(r"Click button (\w+)", reading.goal)
        name = found[1] if found else all_of(reading, "button")[0].name
    return click(named(reading, name, "button", "item", "link"))


@for_pages("click-dialog")
def _dialog(reading: Reading, given: Given) -> str:
    return click(named(reading, "Close"))


@for_pages("click-button-sequence")
def _sequence(reading: Reading, given: Given) -> str:
    return click(named(reading, re.findall(r"button (\w+)", reading.goal)[len(given)]))


@for_pages("click-widget")
def _widget(reading: Reading, given: Given) -> str:
    kind = quoted_texts(reading)[0]
    return click(all_of(reading, "textbox" if kind == "text" else kind)[0])


@for_pages("find-greatest")
def _greatest(reading: Reading, given: Given) -> str:
    if given:
        return submit(reading)
    return click(max(all_of(reading, "item"), key=lambda one: int(one.name)))


@for_pages("odd-or-even")
def _odd_or_even(reading: Reading, given: Given) -> str:
    numbers = [int(line) for line in reading.lines[1:] if re.fullmatch(r"-?\d+", line)]
    if len(given) == len(numbers):
        return submit(reading)
    word = "Odd" if numbers[len(given)] % 2 else "Even"
    return click([one for one in all_of(reading, "button") if one.name == word][len(given)])


@for_pages("buy-ticket")
def _ticket(reading: Reading, given: Given) -> str:
    buttons = all_of(reading, "button")
    if "cheapest" in reading.goal or "most expensive" in reading.goal:
        prices = [int(re.sub(r"\D", "", one.name)) for one in buttons]
        wanted = min(prices) if "cheapest" in reading.goal else max(prices)
        return click(buttons[prices.index(wanted)])
    lasts = [int(a) * 60 + int(b) for a, b in re.findall(r"(\d+)h (\d+)m", " ".join(reading.lines[1:]))]
    wanted = min(lasts) if "shortest" in reading.goal else max(lasts)
    return click(buttons[lasts.index(wanted)])


@for_pages("identify-shape")
def _identify(reading: Reading, given: Given) -> str:
    shape = next((one for one in reading.elements.values() if one.role in ("shape", "label")), None)
    name = shape.name.split()[-1] if shape and shape.role == "shape" else ""
    if shape and shape.role == "label":
        name = "number" if shape.name.isdigit() else "letter"
    return click(named(reading, name, "button"))


@for_pages("generate-number")
def _generate(reading: Reading, given: Given) -> str:
    shown = next((int(line) for line in reading.lines[1:] if re.fullmatch(r"-?\d+", line)), None)
    if shown is None:
        return submit(reading, "Generate")
    if "even" in reading.goal or "odd" in reading.goal:
        is_right = shown % 2 == (0 if "even" in reading.goal else 1)
    else:
        bound = int(re.findall(r"-?\d+", reading.goal)[0])
        is_right = shown < bound if "less" in reading.goal else shown > bound
    return submit(reading, "Submit" if is_right else "Generate")


# --- what has to be opened


@for_pages("click-collapsible", "click-collapsible-nodelay")
def _collapsible(reading: Reading, given: Given) -> str:
    button = next((one for one in reading.elements.values() if one.name == "Submit"), None)
    section = next(one for one in reading.elements.values() if one.name.startswith("Section"))
    return click(section) if "open" not in section.states or button is None else click(button)


@for_pages(
    "click-collapsible-2", "click-collapsible-2-nodelay", "click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard"
)
def _search_sections(reading: Reading, given: Given) -> str:
    name = quoted_texts(reading)[0]
    here = next((one for one in reading.elements.values() if one.role in ("item", "link") and one.name == name), None)
    if here:
        return click(here)
    folds = [*all_of(reading, "tab"), *all_of(reading, "section")]
    return click(next(one for one in folds if f"click {one.ref}" not in given and "selected" not in one.states))


@for_pages("click-tab")
def _tab(reading: Reading, given: Given) -> str:
    found = re.search(r"Click on (Tab #\d+)", reading.goal)
    assert found
    return click(named(reading, found[1], "tab"))


@for_pages("click-menu")
def _menu(reading: Reading, given: Given) -> str:
    path = [name.strip() for name in reading.goal.removeprefix("Select ").split(">")]
    item = named(reading, path[len(given)])
    return click(item) if len(given) == len(path) - 1 else f"hover {item.ref}"


@for_pages("click-menu-2")
def _menu_2(reading: Reading, given: Given) -> str:
    if not given:
        return click(named(reading, "Menu"))
    icon = re.search(r"with the (\S+) icon", reading.goal)
    items = all_of(reading, "menuitem")
    here = next((one for one in items if (f"icon {icon[1]}" in one.states if icon else one.name == quoted_texts(reading)[-1])), None)
    if here:
        return click(here)
    return next(f"hover {one.ref}" for one in all_of(reading, "menuitem") if "submenu" in one.states and f"hover {one.ref}" not in given)


@for_pages("navigate-tree")
def _tree(reading: Reading, given: Given) -> str:
    name = quoted_texts(reading)[0]
    here = next((one for one in reading.elements.values() if one.name == name), None)
    if here:
        return click(here)
    return click(next(one for one in all_of(reading, "item") if "folder, closed" in one.states))


# --- shapes


@for_pages("click-color")
def _color(reading: Reading, given: Given) -> str:
    found = re.search(r"Click on the (\w+) colored", reading.goal)
    assert found
    return click(named(reading, found[1]))


@for_pages("click-shades")
def _shades(reading: Reading, given: Given) -> str:
    found = re.search(r"shades of (\w+)", reading.goal)
    assert found
    left = [
        one for one in all_of(reading, "item") if one.name in (found[1], "pink" if found[1] == "red" else "") and "on" not in one.states
    ]
    return click(left[0]) if left else submit(reading)


def _fits(one: Element, words: Sequence[str]) -> bool:
    """Tell whether a shape is what some words ask for: size, colour, kind."""
    if one.role == "shape":
        has = {*one.name.split(), "shape", "item"}
    else:
        has = {one.name, *one.states, "digit" if one.name.isdigit() else "letter", "item"}
    return has >= set(words)


@for_pages("click-shape")
def _shape(reading: Reading, given: Given) -> str:
    words = reading.goal.removeprefix("Click on a ").split()
    return click(next(one for one in reading.elements.values() if _fits(one, words)))


@for_pages("count-shape")
def _count(reading: Reading, given: Given) -> str:
    words = reading.goal.removeprefix("How many ").removesuffix(" are there?").split()
    words[-1] = words[-1].removesuffix("s")
    found = [one for one in reading.elements.values() if one.role in ("shape", "label") and _fits(one, words)]
    return click(named(reading, str(len(found)), "button"))
