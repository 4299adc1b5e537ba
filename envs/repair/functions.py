"""The reference functions: plain Python of our own in assets/repair, one file a family.

They are data, as the programs with faults that are made of them are: no linter changes a letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from homebody.envs.core import FINAL, SPLITS

FAMILIES: Final = ("numbers", "strings", "lists", "dicts", "searching", "recursion", "parsing", "graphs", "units")
HOLDOUTS: Final = ("function", "family")
"""What only the test split shows: functions, or whole families."""
_SPLIT_OF_PLACE: Final = ("train", "train", "test", "train", "validation")
"""Of the functions of a family, by their place in its file; from the sixth on again."""
_SPLIT_OF_FAMILY: Final = dict(
    zip(FAMILIES, ("train", "train", "test", "train", "train", "validation", "train", "test", "train"), strict=True)
)
_FUNCTION: Final = re.compile(
    r"^# inputs: (?P<inputs>.+)\n(?P<text>def (?P<name>\w+)\((?:.+\n|\n(?! *#|def |\n)|\n(?=    ))+)", re.MULTILINE
)


@dataclass(frozen=True)
class Function:
    """A function that is right."""

    name: str
    family: str
    place: int
    """Of the function in its file, from 0."""
    text: str
    """Its source, without a line break at the end."""
    inputs: str
    """What it is tried on; see `inputs`."""

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring, in one line."""
        return " ".join(self.text.split('"""')[1].split("\n\n")[0].split())

    def split(self, holdout: str) -> str:
        """Return the split to which its tasks belong."""
        return _SPLIT_OF_FAMILY[self.family] if holdout == "family" else _SPLIT_OF_PLACE[self.place % len(_SPLIT_OF_PLACE)]


@lru_cache(maxsize=1)
def functions() -> dict[str, Function]:
    """Return all functions by name: the first of each family, then the second of each, and so on."""
    found = []
    for family in FAMILIES:
        source = (resources.files("homebody.assets") / "repair" / f"{family}.py.txt").read_text("utf-8")
        for place, match in enumerate(_FUNCTION.finditer(source)):
            found.append(Function(match["name"], family, place, match["text"].rstrip(), match["inputs"]))
    return {function.name: function for function in sorted(found, key=lambda one: (one.place, FAMILIES.index(one.family)))}


def of_split(split: str, holdout: str) -> list[Function]:
    """Return the functions of a split, one of `SPLITS` or `FINAL`, which has those of the test, in the order of `functions`."""
    split = "test" if split == FINAL else split
    assert split in SPLITS
    return [function for function in functions().values() if function.split(holdout) == split]
