"""Goals as people say them: a sentence with everyday names, from a goal and a seed.

The words are in `assets/household/goals.toml`. The module knows goals and words; houses, game files and rules are elsewhere.

One reading: a name stands for one kind in all splits together, equals the game's own word of no other kind, and a wording belongs to one
kind of goal. So a sentence gives back one goal. `tests/envs/test_said.py` reads thousands of sentences with an independent reader, and
checks the tables.
"""

from __future__ import annotations

import hashlib
import re
import struct
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, get_args

from homebody.envs.core import HELD_OUT, SPLITS, EnvError, did_you_mean
from homebody.envs.household.engine.problem import Goal, GoalKind

Goals = Literal["plain", "said"]
"""How a goal is worded: in ALFWorld's fixed sentences, or as people say it."""
GOALS: Final[tuple[str, ...]] = get_args(Goals)

VERSION: Final = 1
"""Part of every sentence's seed: it rises with every change to the words or to how they are chosen."""

_NEW_NAME: Final = 0.6
"""Chance of each name of a goal outside training to be one of its split's own, which no training goal has."""
_DRAWS: Final = struct.Struct(">16H")
_SUFFIX: Final = re.compile(r"\+(said|human-(0|[1-9][0-9]{0,5}))")


class GoalsError(EnvError):
    """A way to word goals was named that the environment does not have."""

    def __init__(self, goals: object, allowed: Sequence[str]) -> None:
        super().__init__(f"goals={goals!r} is not possible{did_you_mean(goals, allowed)}; choose one of: {', '.join(allowed)}")


class AnnotationError(EnvError):
    """The number of an annotator's sentence is no whole number of at least 0."""

    def __init__(self, annotation: object) -> None:
        super().__init__(
            f"annotation={annotation!r} is not possible; give a whole number from 0 to 999999 (ALFRED has about three sentences a game)"
        )


def check_goals(goals: object, allowed: Sequence[str] = GOALS) -> None:
    """Check a way to word goals.

    Raises:
        GoalsError: It is none of `allowed`.
    """
    if not isinstance(goals, str) or goals not in allowed:
        raise GoalsError(goals, allowed)


def split_suffix(task_id: str) -> tuple[str, str]:
    """Return a task id without its suffix, and what the suffix says: `said`, `human-N`, or nothing where it has none.

    An id with a suffix, as `test/kitchen-clean-000123+said`, says how its goal is worded, whatever the environment's parameter.
    """
    base, plus, _ = task_id.rpartition("+") if isinstance(task_id, str) else (task_id, "", "")
    found = _SUFFIX.fullmatch(task_id[len(base) :]) if plus else None
    return (base, found[1]) if found else (task_id, "")


def say_goal(goal: Goal, split: str, seed: str) -> str:
    """Return a goal as people say it; the same arguments give the same sentence in every process.

    Args:
        goal: What must hold at the end. A kind that the tables lack keeps the game's own word.
        split: One of `SPLITS`, or `FINAL`, which has those of the test: which wordings and names may occur.
        seed: What tells sentences of one goal apart, as a task id.
    """
    words = read_words()
    key = f"goal/{VERSION}/{split}/{seed}/{int(goal.kind)}/{goal.object}/{goal.target}"
    draws = _DRAWS.unpack(hashlib.sha256(key.encode()).digest())
    wordings = words.wordings[goal.kind, "test" if split in HELD_OUT else split]
    wording = wordings[draws[0] % len(wordings)]
    thing = _pick(words.things, goal.object, split, draws[1], draws[2])
    place = _pick(words.things if goal.kind == GoalKind.LIGHT else words.places, goal.target, split, draws[3], draws[4])
    slots = _thing_slots(thing) | {"lamp": place.one} | _place_slots(place)
    if wording.names_others:
        other = _pick(words.places, _other(words.place_kinds, goal, draws[5]), split, draws[6], draws[7])
        not_thing = _pick(words.things, _other(words.thing_kinds, goal, draws[8]), split, draws[9], draws[10])
        slots |= {"other": other.one, "elsewhere": f"{other.at} the {other.one}", "not_o": not_thing.one}
    sentence = wording.text.format_map(slots)
    before, after = words.before[draws[11] % len(words.before)], words.after[draws[12] % len(words.after)]
    return f"{before}{sentence[0].upper()}{sentence[1:]}{after}"


@dataclass(frozen=True)
class Name:
    """An everyday name of a kind."""

    one: str
    many: str
    at: str
    """Word between a thing and the place: `in` or `on`."""
    article: str
    """`a` or `an`."""


@dataclass(frozen=True)
class Wording:
    """A sentence with slots."""

    text: str
    names_others: bool
    """Whether it names a kind that is not meant."""


@dataclass(frozen=True)
class Words:
    """The tables, ready to use."""

    things: Mapping[str, Mapping[str, tuple[Name, ...]]]
    """By kind, then split: `train` serves all of them, `validation` and `test` have further names."""
    places: Mapping[str, Mapping[str, tuple[Name, ...]]]
    thing_kinds: tuple[str, ...]
    place_kinds: tuple[str, ...]
    wordings: Mapping[tuple[GoalKind, str], tuple[Wording, ...]]
    """By kind of goal and split."""
    before: tuple[str, ...]
    """Polite openings; half are empty."""
    after: tuple[str, ...]


@cache
def read_words() -> Words:
    """Return the tables of `assets/household/goals.toml`, ready to use."""
    table = read_table()
    things, places = _names(table["things"]), _names(table["places"])
    before, after = table["polite"]["before"], table["polite"]["after"]
    return Words(
        things=things,
        places=places,
        thing_kinds=tuple(sorted(things)),
        place_kinds=tuple(sorted(places)),
        wordings={
            (kind, split): tuple(Wording(text, any(f"{{{slot}}}" in text for slot in ("other", "elsewhere", "not_o"))) for text in texts)
            for kind in GoalKind
            for split, texts in table["wordings"][kind.name.lower()].items()
        },
        before=(*before, *[""] * len(before)),
        after=(*after, *[""] * len(after)),
    )


def read_table() -> dict[str, Any]:
    """Return what `assets/household/goals.toml` holds."""
    return tomllib.loads(resources.files("homebody.assets").joinpath("household", "goals.toml").read_text(encoding="utf-8"))


def _names(table: Mapping[str, Any]) -> dict[str, dict[str, tuple[Name, ...]]]:
    return {
        kind: {split: tuple(_name(text, row.get("at", "in")) for text in row.get(split, row["train"])) for split in SPLITS}
        for kind, row in table.items()
    }


def _name(text: str, at: str) -> Name:
    one, _, many = text.partition("/")
    return Name(one, many or f"{one}s", at, "an" if one[0].lower() in "aeiou" else "a")


def _pick(table: Mapping[str, Mapping[str, tuple[Name, ...]]], kind: str, split: str, which: int, draw: int) -> Name:
    row = table.get(kind)
    if row is None:
        return _name(kind.lower(), "in")
    own = "test" if split in HELD_OUT else split
    names = row[own if which < _NEW_NAME * 2**16 else "train"]
    return names[draw % len(names)]


def _other(kinds: tuple[str, ...], goal: Goal, draw: int) -> str:
    """Return a kind that the goal does not name."""
    return next(kind for n in range(3) if (kind := kinds[(draw + n) % len(kinds)]) not in (goal.object, goal.target))


def _thing_slots(name: Name) -> dict[str, str]:
    a = f"{name.article} {name.one}"
    return {"o": name.one, "s": name.many, "a": a, "A": a[0].upper() + a[1:], "the": f"the {name.one}", "The": f"The {name.one}"}


def _place_slots(name: Name) -> dict[str, str]:
    at = f"{name.at} the {name.one}"
    return {"r": name.one, "in": at, "In": at[0].upper() + at[1:], "into": f"{name.at}to the {name.one}"}
