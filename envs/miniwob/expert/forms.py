"""Scripts of pages on which an agent fills something in: choices, texts, widgets, editors."""

from __future__ import annotations

import re
from itertools import pairwise

from homebody.envs.miniwob.expert.script import (
    Given,
    all_of,
    click,
    fill,
    first_of,
    for_pages,
    named,
    ordinal,
    pick_day,
    quoted_texts,
    submit,
    typed,
)
from homebody.envs.miniwob.reading import Element, Reading

# --- choices


@for_pages("click-checkboxes", "click-checkboxes-large", "click-checkboxes-transfer", "click-option")
def _choices(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (.*) and click", reading.goal)
    assert found
    wanted = [] if found[1] == "nothing" else found[1].split(", ")
    left = [one for one in reading.elements.values() if one.name in wanted and "checked" not in one.states]
    return click(left[0]) if left else submit(reading)


@for_pages("choose-list", "click-scroll-list")
def _list(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (.*) from the", reading.goal)
    assert found
    wanted = [found[1]] if found[1] in reading.commands else found[1].split(", ")
    element = next(one for one in reading.elements.values() if one.options)
    if element.role == "combobox":
        wanted = [found[1]]
    chosen = (element.value or "").split(", ") if element.role == "listbox" else [element.value]
    left = [option for option in wanted if option not in chosen]
    return f"select {left[0]} in {element.ref}" if left else submit(reading)


@for_pages("multi-orderings", "multi-layouts")
def _movies(reading: Reading, given: Given) -> str:
    found = re.search(r"Search for (.*) movies directed by (.*) from year (\d+)", reading.goal)
    assert found
    fields = {"genre": found[1], "director": found[2], "year": found[3]}
    boxes = [
        (one, next(text for key, text in fields.items() if key in (one.name or _below(reading, one)).lower().replace("released", "year")))
        for one in all_of(reading, "textbox")
    ]
    return first_of(*fill(*boxes), click(next(one for one in reading.elements.values() if one.role != "textbox")))


def _below(reading: Reading, element: Element) -> str:
    """Return the line after an element's."""
    return reading.lines[1 + next(number for number, line in enumerate(reading.lines) if line.startswith(element.ref))]


@for_pages("form-sequence-2")
def _form_2(reading: Reading, given: Given) -> str:
    found = re.search(r'(\d+)\w+ radio button and enter the number "(-?\d+)" into the (\d+)', reading.goal)
    assert found
    radio = all_of(reading, "radio")[int(found[1]) - 1]
    box = all_of(reading, "textbox")[int(found[3]) - 1]
    if "checked" not in radio.states:
        return click(radio)
    return first_of(typed(box, found[2]), submit(reading))


# --- texts


@for_pages("enter-text", "enter-text-dynamic", "enter-text-2", "enter-password", "enter-date", "enter-time", "login-user")
def _enter(reading: Reading, given: Given) -> str:
    boxes, quoted = all_of(reading, "textbox"), quoted_texts(reading)
    if "as the date" in reading.goal:
        month, day, year = re.findall(r"\d+", reading.goal)
        return submit(reading) if given else f"type into {boxes[0].ref}: {month}/{day}/{year}"
    if "as the time" in reading.goal:
        found = re.search(r"Enter (\d+):(\d+) ([AP]M)", reading.goal)
        assert found
        return submit(reading) if given else f"type into {boxes[0].ref}: {int(found[1]):02}:{found[2]} {found[3]}"
    if "upper case" in reading.goal:
        quoted = [quoted[0].upper()]
    elif "lower case" in reading.goal:
        quoted = [quoted[0].lower()]
    texts = quoted * len(boxes) if len(quoted) < len(boxes) else quoted
    button = named(reading, "Login") if "login" in reading.goal else named(reading, "Submit")
    return first_of(*fill(*zip(boxes, texts, strict=False)), click(button))


@for_pages("login-user-popup")
def _login_popup(reading: Reading, given: Given) -> str:
    cancel = next((one for one in reading.elements.values() if one.name.lower() in ("cancel", "no", "close", "x")), None)
    if cancel:
        return click(cancel)
    boxes, quoted = all_of(reading, "textbox"), quoted_texts(reading)
    return first_of(*fill(*zip(boxes, quoted, strict=False)), click(all_of(reading, "button")[-1]))


@for_pages("focus-text", "focus-text-2")
def _focus(reading: Reading, given: Given) -> str:
    boxes = all_of(reading, "textbox")
    return click(boxes[ordinal(reading) if len(boxes) > 1 else 0])


@for_pages("text-transform")
def _transform(reading: Reading, given: Given) -> str:
    text = "".join(line.replace(" | ", "") for line in reading.lines[1:] if not any(line == one.line for one in reading.elements.values()))
    return first_of(typed(all_of(reading, "textbox")[0], text), submit(reading))


@for_pages("copy-paste", "copy-paste-2")
def _copy(reading: Reading, given: Given) -> str:
    answer, sources = all_of(reading, "textbox")[0], all_of(reading, "textarea")
    source = sources[ordinal(reading)] if len(sources) > 1 else sources[0]
    return [f"copy {source.ref}", f"paste into {answer.ref}", submit(reading)][len(given)]


@for_pages("find-word")
def _word(reading: Reading, given: Given) -> str:
    words = re.findall(r"[\w']+", reading.lines[1])
    return first_of(typed(all_of(reading, "textbox")[0], words[ordinal(reading)]), submit(reading))


@for_pages("read-table", "read-table-2")
def _table(reading: Reading, given: Given) -> str:
    table = dict(line.split(" | ") for line in reading.lines[1:] if line.count(" | ") == 1)
    boxes = all_of(reading, "textbox")
    if len(boxes) == 1:
        found = re.search(r"value of (.*) into", reading.goal)
        assert found
        return first_of(typed(boxes[0], table[found[1]]), submit(reading))
    return first_of(*fill(*((box, table[box.name.rstrip(":")]) for box in boxes)), submit(reading))


@for_pages("simple-arithmetic")
def _arithmetic(reading: Reading, given: Given) -> str:
    found = re.search(r"(-?\d+) ([-+x*]) (-?\d+)", " ".join(reading.lines[1:]).replace("|", " ").replace("  ", " "))
    assert found
    a, b = int(found[1]), int(found[3])
    answer = {"+": a + b, "-": a - b, "x": a * b, "*": a * b}[found[2]]
    return first_of(typed(all_of(reading, "textbox")[0], str(answer)), submit(reading))


@for_pages("simple-algebra")
def _algebra(reading: Reading, given: Given) -> str:
    text = " ".join(reading.lines[1:]).replace("|", " ")
    found = re.search(r"(x|-?\d+) ([-+]) (x|-?\d+) = (-?\d+)", " ".join(text.split()))
    assert found
    total = int(found[4])
    if found[1] == "x":
        answer = total - int(found[3]) if found[2] == "+" else total + int(found[3])
    else:
        answer = total - int(found[1]) if found[2] == "+" else int(found[1]) - total
    return first_of(typed(all_of(reading, "textbox")[0], str(answer)), submit(reading))


@for_pages("scroll-text")
def _last_word(reading: Reading, given: Given) -> str:
    area, box = all_of(reading, "textarea")[0], all_of(reading, "textbox")[0]
    return first_of(typed(box, re.findall(r"[\w']+", area.value or "")[-1]), submit(reading))


@for_pages("scroll-text-2")
def _scroll(reading: Reading, given: Given) -> str:
    area = all_of(reading, "textarea")[0]
    if given:
        return submit(reading)
    if "top" in reading.goal:
        return f"scroll up in {area.ref}"
    return f"scroll down in {area.ref}"


@for_pages("sign-agreement")
def _sign(reading: Reading, given: Given) -> str:
    if "cancel button" in reading.goal:
        return submit(reading, "Cancel")
    area, box = all_of(reading, "textarea")[0], all_of(reading, "textbox")[0]
    name, button = quoted_texts(reading)
    if not given:
        return f"scroll down in {area.ref}"
    return first_of(typed(box, name), submit(reading, button))


@for_pages("guess-number")
def _guess(reading: Reading, given: Given) -> str:
    """Halve what is left. What the page said to earlier guesses shows in the guess that followed each."""
    box = all_of(reading, "textbox")[0]
    if len(given) % 2:
        return submit(reading)
    least, most = (int(end) for end in re.findall(r"\d+", reading.goal)[:2])
    guesses = [int(command.rpartition(": ")[2]) for command in given if command.startswith("type into")]
    for guess, after in pairwise(guesses):
        least, most = (max(least, guess + 1), most) if after > guess else (least, min(most, guess - 1))
    if guesses:
        is_higher = "higher" in " ".join(reading.lines[1:])
        least, most = (max(least, guesses[-1] + 1), most) if is_higher else (least, min(most, guesses[-1] - 1))
    return f"type into {box.ref}: {(least + most) // 2}"


# --- widgets


@for_pages("use-autocomplete", "use-autocomplete-nodelay")
def _autocomplete(reading: Reading, given: Given) -> str:
    box, quoted = all_of(reading, "textbox")[0], quoted_texts(reading)
    end = quoted[1] if len(quoted) > 1 else ""
    if not given:
        return f"type into {box.ref}: {quoted[0]}"
    if (box.value or "").startswith(quoted[0]) and (box.value or "").endswith(end) and len(given) > 1:
        return submit(reading)
    offered = [one for one in reading.elements.values() if one.role in ("item", "option", "menuitem")]
    return click(next(one for one in offered if one.name.startswith(quoted[0]) and one.name.endswith(end)))


@for_pages("use-slider", "use-slider-2", "form-sequence")
def _sliders(reading: Reading, given: Given) -> str:
    numbers = re.findall(r"-?\d+", re.sub(r"\d+(st|nd|rd|th)", "", reading.goal))
    for slider, number in zip(all_of(reading, "slider"), numbers, strict=False):
        if slider.value != number:
            return f"set {slider.ref} to {number}"
    if boxes := all_of(reading, "checkbox"):
        box = boxes[ordinal(reading)]
        if "checked" not in box.states:
            return click(box)
    return submit(reading)


@for_pages("use-spinner")
def _spinner(reading: Reading, given: Given) -> str:
    found = re.search(r"Select (-?\d+) with", reading.goal)
    assert found
    left = int(found[1]) - int(all_of(reading, "textbox")[0].value or 0)  # what is typed is not taken
    return click(named(reading, "up" if left > 0 else "down")) if left else submit(reading)


@for_pages("form-sequence-3")
def _form_3(reading: Reading, given: Given) -> str:
    found = re.search(r'Choose (.*) from the dropdown, then click the button labeled "(.*)"', reading.goal)
    assert found
    if not given:
        return click(named(reading, "label"))
    here = next((one for one in all_of(reading, "item") if one.name == found[1]), None)
    return click(here) if len(given) == 1 and here else submit(reading, found[2])


@for_pages("choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay")
def _choose_date(reading: Reading, given: Given) -> str:
    found = re.search(r"(\d+)/(\d+)/(\d+)", reading.goal)
    assert found
    return pick_day(reading, int(found[1]), int(found[2]), all_of(reading, "textbox")[0], named(reading, "Submit"))


# --- editors


@for_pages("highlight-text", "highlight-text-2")
def _highlight(reading: Reading, given: Given) -> str:
    texts = [line for line in reading.lines[1:] if not any(line == one.line for one in reading.elements.values())]
    return submit(reading) if given else f"highlight {texts[ordinal(reading) if len(texts) > 1 else 0]}"


@for_pages("terminal")
def _terminal(reading: Reading, given: Given) -> str:
    if len(given) < 2:
        return ["type: ls", "press Enter"][len(given)]
    found = re.search(r"ending with the extension (\.[\w.]+)", reading.goal)
    files = " ".join(reading.lines[1:]).partition(" ls ")[2].partition(" user$")[0].split()
    wanted = next(name for name in files if (name.endswith(found[1]) if found else "." not in name))
    return [f"type: rm {wanted}", "press Enter"][len(given) % 2]
