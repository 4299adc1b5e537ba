"""The nouns of a product's title, by which the reward tells whether two products are of one kind.

Promises the same nouns in every process, from a few rules and no model; upstream asks a spaCy model, which a user may plug in. Knows no
product. The rules find 96% of the nouns that `en_core_web_sm` finds in the titles of upstream's 1,000 products, and of what they find 93%
are among these (`pytest -s -k agree tests/envs/webshop/test_nouns.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module, resources
from typing import Any, Final

from homebody.envs.core import EnvError

Tagger = Callable[[str], list[str]]
"""Takes a title, and returns its nouns and names: lower-case, in their order, repeats included."""

DEFAULT: Final = "rules"
"""The name of our own tagger."""
SPACY: Final = "spacy:"
"""What stands before the name of a spaCy model, as in `spacy:en_core_web_sm`."""
_TITLES: Final = 1 << 16
"""Titles whose nouns are kept."""
_WORD = re.compile(r"(?<![^\W_])[^\W\d_][^\W_]*")
"""What begins with a letter: numbers and their units are no nouns, and a hyphen parts two words."""
_POSSESSIVE = re.compile(r"['\u2019]s\b", re.IGNORECASE)
_SPACY_NOUNS: Final = ("NOUN", "PROPN")


class TaggerError(EnvError):
    """A tagger that there is not, or that does not load."""

    def __init__(self, name: object, problem: str) -> None:
        super().__init__(f"tagger {name!r}: {problem}; give '{DEFAULT}', or '{SPACY}' and a model, as '{SPACY}en_core_web_sm'")


@lru_cache(_TITLES)
def title_nouns(title: str) -> tuple[str, ...]:
    """Return the nouns of a title by our own rules: in a title nearly all words are, but those of closed classes, as prepositions."""
    words = _WORD.findall(_POSSESSIVE.sub("", title).lower())
    return tuple(word for word in words if word not in not_nouns())


def find_tagger(name: str) -> Tagger:
    """Return a tagger by its name.

    Args:
        name: `DEFAULT`, or `SPACY` and the name of an installed model.

    Raises:
        TaggerError: There is no such tagger, spaCy is not installed, or it does not load the model.
    """
    if name == DEFAULT:
        return lambda title: list(title_nouns(title))
    if not isinstance(name, str) or not name.startswith(SPACY):
        raise TaggerError(name, "there is none of this name")
    try:
        spacy: Any = import_module("spacy")
        model = spacy.load(name.removeprefix(SPACY))
    except (ImportError, OSError, ValueError) as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "spacy"
        problem = "spaCy is not installed (pip install spacy)" if is_missing else f"it does not load ({str(error).splitlines()[0]})"
        raise TaggerError(name, problem) from None

    @lru_cache(_TITLES)
    def tag(title: str) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in model(title) if token.pos_ in _SPACY_NOUNS)

    return lambda title: list(tag(title))


@cache
def not_nouns() -> frozenset[str]:
    """Return the words that are no nouns in any title."""
    return frozenset(_words()["not_nouns"])


@cache
def colours() -> tuple[str, ...]:
    """Return the words to which the reward cuts down the value of an option, in the order in which they are tried."""
    return tuple(_words()["colours"])


@cache
def _words() -> dict[str, Any]:
    text = (resources.files("homebody.assets") / "webshop" / "words.json").read_text("utf-8")
    words: dict[str, Any] = json.loads(text)
    return words
