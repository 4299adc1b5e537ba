"""Scripts of pages that are a small site: mail, a search engine, a social network, a phone book, flights."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homebody.envs.miniwob.expert.script import (
    Given,
    all_of,
    click,
    first_of,
    for_pages,
    named,
    ordinal,
    pick_day,
    quoted_texts,
    submit,
    typed,
)
from homebody.envs.miniwob.reading import Reading


@for_pages(
    "email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl", "email-inbox-forward-nl-turk",
    "email-inbox-important", "email-inbox-nl-turk", "email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply",
)  # fmt: skip
def _mail(reading: Reading, given: Given) -> str:
    people, icons = ([one.name for one in all_of(reading, role)] for role in ("item", "icon"))
    boxes = [one for one in reading.elements.values() if one.role in ("textbox", "textarea")]
    goal = reading.goal
    if boxes:
        send = next(one for one in all_of(reading, "icon") if one.name.startswith("send"))
        if len(boxes) > 1:  # to whom, and the letter itself
            sender = given[0].removeprefix("click item ")
            return first_of(typed(boxes[0], _receiver(goal, sender)), click(send))
        return first_of(typed(boxes[-1], _letter(goal)), click(send))
    if "close email" in icons:
        reply = next((one for one in all_of(reading, "item") if one.name == ("Forward" if _does(goal) == "forward" else "Reply")), None)
        assert reply
        return click(reply)
    sender = _sender(goal, people)
    if _does(goal) in ("star", "trash"):
        return click(named(reading, f"{_does(goal)} of {sender}"))
    return click(named(reading, sender))


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


@for_pages("search-engine")
def _search(reading: Reading, given: Given) -> str:
    box, word = all_of(reading, "textbox")[0], quoted_texts(reading)[0]
    if box.value != word:
        return f"type into {box.ref}: {word}"
    links = [one for one in all_of(reading, "link") if not re.fullmatch(r"\d+|[<>]", one.name)]
    if not links:
        return submit(reading, "Search")
    page, place = divmod(ordinal(reading), 3)
    turned = sum(command == "click link >" for command in given)
    return click(links[place]) if turned == page else "click link >"


@for_pages("social-media", "social-media-all", "social-media-some")
def _social(reading: Reading, given: Given) -> str:
    user = re.search(r"@\w+", reading.goal)
    assert user
    word = quoted_texts(reading)[0]
    most = re.search(r"on (\d+) posts?", reading.goal)
    name = {"Reply": "reply", "Retweet": "retweet", "Like": "like", "Share": "share"}.get(word, "more")
    mine = [one for one in all_of(reading, "icon") if one.name.startswith(f"{name} of ") and one.name.endswith(f" {user[0]}")]
    if name == "more":
        here = next((one for one in all_of(reading, "item") if one.name.startswith(word)), None)
        if here:
            return click(here)
    wanted = mine[: int(most[1])] if most else mine
    left = [icon for icon in wanted if "on" not in icon.states]
    return click(left[0]) if left else submit(reading)


@for_pages("phone-book")
def _phone_book(reading: Reading, given: Given) -> str:
    found = re.search(r"Find (.*) in the contact book and click on their (.*)\.", reading.goal)
    assert found
    if found[1] not in reading.lines:
        return "click link >"
    kinds = ["phone number", "email", "address"]
    links = [one for one in all_of(reading, "link") if not re.fullmatch(r"\d|[<>]", one.name)]
    return click(links[next(n for n, kind in enumerate(kinds) if found[2] in kind or kind in found[2])])


@for_pages("book-flight", "book-flight-nodelay")
def _flight(reading: Reading, given: Given) -> str:
    found = re.search(r"Book the (\w+) one-way flight from: (.*) to: (.*) on (\d+)/(\d+)/\d+", reading.goal)
    assert found
    boxes = all_of(reading, "textbox")
    if boxes:
        for box, place in zip(boxes[:2], (found[2], found[3]), strict=True):
            if "(" in (box.value or ""):
                continue
            offered = [one for one in reading.elements.values() if one.role in ("item", "menuitem", "option") and place in one.name]
            return click(offered[0]) if offered else f"type into {box.ref}: {place}"
        return pick_day(reading, int(found[4]), int(found[5]), boxes[2], named(reading, "Search"))
    buttons = [one for one in all_of(reading, "button") if "$" in one.name]
    if found[1] == "cheapest":
        prices = [int(re.sub(r"\D", "", one.name)) for one in buttons]
        return click(buttons[prices.index(min(prices))])
    lasts = [int(a) * 60 + int(b) for a, b in re.findall(r"(\d+)h (\d+)m", " ".join(reading.lines[1:]))]
    return click(buttons[lasts.index(min(lasts))])
