"""The stem of an English word: M. F. Porter, "An algorithm for suffix stripping" (1980), with the two later changes of its author.

Promises what Lucene's `PorterStemFilter` does with one lower-case token. Knows no other language, and leaves words of one or two letters
alone. The changes are `bli` to `ble` in place of `abli` to `able`, and `logi` to `log`. It is written out here because the libraries do not
serve: PyStemmer lacks the changes, and nltk, which has them, brings a package that is many times this one to a program that wants one
function of it (`tests/envs/webshop/test_analyzer.py` compares the two where nltk is installed).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_MEASURE_ABOVE_0: Final = (
    {
        "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al", "entli": "ent",
        "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
        "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "logi": "log",
    },
    {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""},
)  # fmt: skip
"""Steps 2 and 3: endings and what takes their place."""
_MEASURE_ABOVE_1: Final = frozenset({
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive",
    "ize",
})  # fmt: skip
"""Step 4: endings that go."""
_LONGEST: Final = 7
"""Letters of the longest ending of steps 2 to 4."""


@lru_cache(1 << 16)
def stem(word: str) -> str:
    """Return the stem of a lower-case word; what is no English letter counts as a consonant."""
    if len(word) <= 2:
        return word
    word = _past(_plural(word))
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = word[:-1] + "i"
    for endings in _MEASURE_ABOVE_0:
        ending = _longest(word, endings)
        if ending and _measure(word[: -len(ending)]) > 0:
            word = word[: -len(ending)] + endings[ending]
    return _tidy(_drop(word))


def _shape(text: str) -> str:
    """Return one letter a letter, `v` for a vowel and `c` for a consonant; y is a vowel after a consonant."""
    shape = ""
    for letter in text:
        shape += "v" if letter in "aeiou" or (letter == "y" and shape.endswith("c")) else "c"
    return shape


def _measure(text: str) -> int:
    """Return how often consonants follow vowels: Porter's m."""
    return _shape(text).count("vc")


def _ends_cvc(text: str) -> bool:
    return text[-1:] not in ("w", "x", "y") and _shape(text).endswith("cvc")


def _ends_double(text: str) -> bool:
    return text[-1:] == text[-2:-1] and _shape(text).endswith("c")


def _longest(word: str, endings: dict[str, str] | frozenset[str]) -> str:
    """Return the longest of the endings that the word has, or an empty text."""
    return next((word[-n:] for n in range(min(_LONGEST, len(word)), 1, -1) if word[-n:] in endings), "")


def _plural(word: str) -> str:
    """Step 1a."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    """Step 1b: `ed` and `ing`."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    base = word[:-2] if word.endswith("ed") else word[:-3] if word.endswith("ing") else ""
    if "v" not in _shape(base):
        return word
    if base.endswith(("at", "bl", "iz")):
        return base + "e"
    if _ends_double(base):
        return base if base[-1] in "lsz" else base[:-1]
    return base + "e" if _measure(base) == 1 and _ends_cvc(base) else base


def _drop(word: str) -> str:
    """Step 4."""
    ending = _longest(word, _MEASURE_ABOVE_1)
    base = word[: len(word) - len(ending)]
    goes = ending and _measure(base) > 1 and (ending != "ion" or base.endswith(("s", "t")))
    return base if goes else word


def _tidy(word: str) -> str:
    """Step 5: a last `e`, and one of two `l`."""
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _ends_cvc(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word
