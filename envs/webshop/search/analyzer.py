"""Words of a text as the search engine sees them: Lucene's English analyzer, as Anserini sets it up.

Promises Lucene's tokens for texts in English: words by Unicode's rules (UAX 29; an emoji is a word), without a possessive `'s`, lower-case,
without 33 stop words, stemmed. In scripts without spaces (Thai, Lao, Khmer, Myanmar) a syllable is a word here, where Lucene takes a run of
them. Knows nothing of products.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from homebody.envs.webshop.search.porter import stem

STOP_WORDS: Final = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of", "on", "or",
    "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
})  # fmt: skip
"""The words that Lucene's `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET` holds."""
LONGEST_TOKEN: Final = 255
"""Characters; a longer word becomes several of this length, as in Lucene's `StandardTokenizer`."""

_LETTERS: Final = r"A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_JOIN_LETTERS: Final = r"'.:\u00b7\u2018\u2019\uff07\uff1a"
"""What joins two letters; `:` does so in the Unicode version of Lucene 9."""
_JOIN_DIGITS: Final = r"'.,;\u2018\u2019\uff07\uff0c\uff1b"
_PICTOGRAPHS: Final = r"\u00a9\u00ae\u2122\u2605\u2714\u2764"
_SEPARATORS: Final = r"\0-\x7f\u00a1-\u00ac\u00af-\u00bf\u00d7\u00f7\u2013-\u201d\u2020-\u2023\u2025\u2026\u3010\u3011"
_PLAIN = re.compile(f"[{_SEPARATORS}{_LETTERS}{_JOIN_LETTERS}{_JOIN_DIGITS}{_PICTOGRAPHS}]*")
"""Texts in which `_WORD` finds what the rules of UAX 29 find; nearly all of a shop's, and it is far faster than those rules."""
_WORD = re.compile(
    f"(?:[0-9_{_LETTERS}]|(?<=[{_LETTERS}])[{_JOIN_LETTERS}](?=[{_LETTERS}])|(?<=[0-9])[{_JOIN_DIGITS}](?=[0-9]))+|[{_PICTOGRAPHS}]"
)
_POSSESSIVE: Final = ("'s", "\u2019s", "\uff07s")
_JOINS_NUMBERS: Final = "\u202f"
"""A narrow space that Python splits at and UAX 29 does not."""
_KEYCAP: Final = "\u20e3"


def analyze(text: str) -> list[str]:
    """Return the tokens of a text, in their order, repeats included."""
    return [token for piece in pieces(text) for token in tokens_of(piece)]


def pieces(text: str) -> list[str]:
    """Return the parts of a text between white space, through which no token reaches."""
    return text.split(" ") if _JOINS_NUMBERS in text else text.split()


def tokens_of(piece: str) -> tuple[str, ...]:
    """Return the tokens of one piece of a text."""
    found = []
    for word in _WORD.findall(piece) if _PLAIN.fullmatch(piece) else words_of(piece):
        for start in range(0, len(word), LONGEST_TOKEN):
            token = _lower(word[start : start + LONGEST_TOKEN])
            token = token[:-2] if token.endswith(_POSSESSIVE) else token
            if token.strip("_") and token not in STOP_WORDS:
                found.append(stem(token))
    return tuple(found)


def words_of(text: str) -> Iterable[str]:
    """Return the parts between Unicode's word boundaries that are words, of any text."""
    from uniseg.wordbreak import words  # here, because few texts need it

    return filter(_is_word, words(text))


def _is_word(part: str) -> bool:
    """Return whether a part is of letters or digits, an ideograph, or an emoji: a pictograph, a keycap, or a flag of two letters."""
    from uniseg.emoji import extended_pictographic
    from uniseg.wordbreak import WordBreak, word_break

    kinds = {word_break(character) for character in part}
    if kinds & {WordBreak.ALETTER, WordBreak.HEBREW_LETTER, WordBreak.KATAKANA, WordBreak.NUMERIC}:
        return True
    if kinds == {WordBreak.REGIONAL_INDICATOR}:
        return len(part) == 2
    return unicodedata.category(part[0]) == "Lo" or extended_pictographic(part[0]) or part.endswith(_KEYCAP)


def _lower(word: str) -> str:
    """Return a word in lower case as Java does it: one character at a time, and one for each."""
    return word.lower() if word.isascii() else "".join(letter.lower()[0] for letter in word)
