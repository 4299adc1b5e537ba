"""Why a household command was refused, in a sentence that says what to do instead: an aid to agents and people, not part of ALFWorld."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from homebody.envs.core import did_you_mean
from homebody.envs.household.engine import rules
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.layout import HELD, PLACE, ObjectSet, ReceptacleSet, members

_FORMS: Final = (
    ("go", re.compile(r"go to (?P<r>.+)")),
    ("open", re.compile(r"open (?P<r>.+)")),
    ("close", re.compile(r"close (?P<r>.+)")),
    ("take", re.compile(r"take (?P<o>.+) from (?P<r>.+)")),
    ("move", re.compile(r"move (?P<o>.+) to (?P<r>.+)")),
    ("put", re.compile(r"put (?P<o>.+) in/on (?P<r>.+)")),
    ("clean", re.compile(r"clean (?P<o>.+) with (?P<r>.+)")),
    ("heat", re.compile(r"heat (?P<o>.+) with (?P<r>.+)")),
    ("cool", re.compile(r"cool (?P<o>.+) with (?P<r>.+)")),
    ("slice", re.compile(r"slice (?P<o>.+) with (?P<k>.+)")),
    ("use", re.compile(r"use (?P<o>.+)")),
    ("examine", re.compile(r"examine (?P<r>.+)")),
)
_ABLE: Final = ("clean", "heat", "cool")
"""The verbs of tools, in the order of `ReceptacleSet` from `CLEANS` on."""
_LONGEST_NAME: Final = 80
"""Characters of a command that are repeated in an answer or compared with others."""


def explain(play: TextGame, command: object) -> str:
    """Return why `command` would be refused now; empty if it would be accepted.

    It tells nothing of objects that are out of sight: one that is elsewhere and one that does not exist are answered alike.
    """
    admissible = play.admissible()
    if not isinstance(command, str):
        return f"A command is a text, not {type(command).__name__}."
    text = command.strip()
    if text in admissible or command in admissible:
        return ""
    if not text:
        return "The command is empty."
    plain = " ".join(text.lower().split())
    if plain in admissible:
        return f"Commands are matched to the letter: write {plain!r}."
    for verb, form in _FORMS:
        if match := form.fullmatch(plain):
            return next(_reasons(play, verb, match.groupdict()))
    return f"There is no such command{did_you_mean(plain[:_LONGEST_NAME], admissible) or '.'}"


def _reasons(play: TextGame, verb: str, named: dict[str, str]) -> Iterator[str]:
    """Yield what stands against a refused command, the first obstacle first; there is always one."""
    named = {key: name[:_LONGEST_NAME] for key, name in named.items()}
    o = int(play.state[HELD]) - 1
    held = play.game.objects[o] if o >= 0 else ""
    if "r" in named:
        yield from _receptacle_reasons(play, verb, named["r"])
    if verb == "examine":
        yield f"You can examine what you hold and the receptacles where you are; {named['r']} is neither."
    elif verb in ("move", "put", *_ABLE):
        if named["o"] != held:
            yield f"You do not hold {named['o']}: take it first."
        yield f"{named['o']} cannot be put there." if verb not in _ABLE else f"It is no use to {verb} {named['o']}."
    elif verb == "take":
        if held:
            yield f"Your hand is full: put {held} down first."
        if named["o"] not in _in_sight(play):
            yield f"{named['o']} is not in or on {named['r']}."
        yield f"{named['o']} cannot be taken from {named['r']}."
    elif named["o"] not in _in_sight(play):
        yield f"{named['o']} is not here."
    elif verb == "slice":
        if named["k"] != held:
            yield f"You do not hold {named['k']}: take it first."
        if o not in members(play.game.tables.object_sets[ObjectSet.KNIFE]):
            yield f"{held} is no knife."
        yield f"{named['o']} cannot be sliced."
    yield f"{named['o']} has no switch."


def _receptacle_reasons(play: TextGame, verb: str, name: str) -> Iterator[str]:
    """Yield what a command's receptacle has against it."""
    receptacles, tables = play.game.receptacles, play.game.tables
    other_word = {"current": ("put", "move OBJECT to RECEPTACLE"), "2.1.1": ("move", "put OBJECT in/on RECEPTACLE")}[play.language.logic]
    if verb == other_word[0]:
        yield f"This game does not know {verb!r}: write {other_word[1]!r}."
    if name not in receptacles:
        if verb != "examine":
            yield f"This house has no receptacle {name!r}{did_you_mean(name, receptacles) or '.'}"
        return
    r = receptacles.index(name)
    if verb == "go":
        here = [receptacles[i] for i in _here(play)]
        shared = f": {' and '.join(here)} share a place" if len(here) > 1 else ""
        yield f"You already stand where {name} is used{shared}."
    if r not in _here(play):
        yield f"You are not at {name}: go there first."
    if verb in ("open", "close"):
        if r not in members(tables.receptacle_sets[ReceptacleSet.OPENABLE]):
            yield f"{name} has no door."
        yield f"{name} is already {'open' if verb == 'open' else 'closed'}."
    if verb in _ABLE and r not in members(tables.receptacle_sets[ReceptacleSet.CLEANS + _ABLE.index(verb)]):
        yield f"{name} cannot {verb} anything."
    if verb in ("take", "move", "put") and not rules.is_accessible(play.game.world, play.state, r):
        yield f"{name} is closed: open it first."


def _here(play: TextGame) -> list[int]:
    return members(play.game.tables.here[int(play.state[PLACE])])


def _in_sight(play: TextGame) -> set[str]:
    """Return the names of what is held, or in receptacles here that are not closed."""
    state = play.game.view(play.state)
    seen = {int(play.state[HELD]) - 1} - {-1}
    for r in _here(play):
        if rules.is_accessible(play.game.world, play.state, r):
            seen.update(members(state.inside[r]))
    return {play.game.objects[o] for o in seen}
