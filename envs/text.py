"""Text and numbers from outside: files, JSON, environments of other people. Each is cleaned, or refused by name.

Every reader of a file comes through here, so the same bytes meet the same answer whatever the file is for:

- Files are UTF-8, with or without a byte-order mark. Another encoding is refused.
- JSON is that of RFC 8259: numbers are finite, and an object has a key once. Nesting has a limit.
- Half a surrogate pair becomes `REPLACEMENT` wherever it comes from. So do control characters and overrides of the writing direction in
  what `clean` is given: texts that agents read and terminals show.
"""

from __future__ import annotations

import json
import math
import numbers
import re
from pathlib import Path
from typing import Any, Final

from homebody.envs.core import EnvError

PIECE_MARK: Final = " [SEP] "
"""Stands between the pieces of a page in some observations, as in upstream's WebShop; for people it is a line's end or a dot."""
REPLACEMENT: Final = "\ufffd"
"""Stands where a character was that no text may hold."""
MOST_CHARACTERS: Final = 2**20
"""Characters of a cleaned text; what follows is cut off."""
MOST_LEVELS: Final = 100
"""Lists and objects within each other in a JSON text; a harness with variants has under 20."""
MOST_DIGITS: Final = 300
"""Digits of a whole number in a JSON text: it stays within the range of a float."""
MOST_SHOWN: Final = 200
"""Characters of a value in a message."""

_MARKS: Final = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
"""How files in other encodings begin; of marks that begin alike the longer comes first."""
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MAYBE_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape of JSON; both halves of a surrogate pair are one."""


class UnreadableError(EnvError):
    """A file, or a text of JSON, that cannot be read.

    Attributes:
        fault: What is wrong, without the name of the file.
        remedy: What to do.
    """

    remedy = "check the path"

    def __init__(self, where: object, fault: str, remedy: str = "") -> None:
        self.fault, self.remedy = fault, remedy or self.remedy
        super().__init__(f"{clean(str(where))}: {self.fault}; {self.remedy}")


class NoFileError(UnreadableError):
    """There is no such file, or it cannot be opened."""


class EncodingError(UnreadableError):
    """The bytes are not UTF-8 text."""

    remedy = "save it as UTF-8"


class JsonError(UnreadableError):
    """The text is not JSON, or JSON of another kind than is asked for."""

    remedy = "correct it, or fetch or write it again"


def read_json(path: str | Path, kind: type | None = None, wanted: str = "") -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.
        kind: Type of the outermost value; `None` takes any.
        wanted: What to give instead of another type, for the message.

    Raises:
        NoFileError: There is no such file, or it cannot be opened.
        EncodingError: It is not UTF-8.
        JsonError: It is not JSON, or its outermost value is of another type.
    """
    value = _parse(read_text(path), path)
    if kind is not None and not isinstance(value, kind):
        raise JsonError(path, f"its outermost value is {kind_of(value)}", f"give {wanted}")
    return value


def parse_json(text: str, where: object) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.
        where: How to name it in a message.

    Raises:
        JsonError: It is not JSON.
    """
    return _parse(whole_pairs(text), where)


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file, without its byte-order mark.

    Raises:
        NoFileError: There is no such file, or it cannot be opened.
        EncodingError: It is not UTF-8.
    """
    return decode(read_bytes(path), path)


def read_bytes(path: str | Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        NoFileError: There is no such file, or it cannot be opened.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NoFileError(path, f"cannot be read ({error.strerror})") from None
    except ValueError as error:  # as a path with a NUL gives
        raise NoFileError(repr(path), f"is no path ({error})") from None


def decode(data: bytes, where: object) -> str:
    """Return the text of UTF-8 bytes, without their byte-order mark.

    Args:
        data: The bytes.
        where: How to name them in a message.

    Raises:
        EncodingError: They are not UTF-8, or hold NUL, which no text file does.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise EncodingError(where, f"is {name}, not UTF-8")
    try:
        text = data.removeprefix(_UTF8_MARK).decode()
    except UnicodeDecodeError as error:
        at = error.start + (len(_UTF8_MARK) if data.startswith(_UTF8_MARK) else 0)
        raise EncodingError(where, f"is not UTF-8: {error.reason} at byte {at}") from None
    if "\0" in text:
        raise EncodingError(where, f"has a NUL at character {text.index(chr(0))}, as a binary file or UTF-16 has")
    return text


def clean(text: str) -> str:
    """Return a text as agents and terminals can take it; most are returned as they are.

    Tabs and line breaks stay. Half a surrogate pair, any other control character, and an embedding or override of the writing direction
    each become `REPLACEMENT`. Both halves of a surrogate pair become the character that they stand for. The text ends after
    `MOST_CHARACTERS`.
    """
    if not text.isprintable():
        text = _UNWANTED.sub(REPLACEMENT, whole_pairs(text))
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS]


def whole_pairs(text: str) -> str:
    """Return a text with both halves of each surrogate pair joined, and `REPLACEMENT` for a half alone."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str) -> str:
    """Return a cleaned text in which each run of spaces, tabs and line breaks is a single space."""
    return " ".join(clean(text).split())


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, at least 3: a longer one ends in three dots."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def is_name(text: str) -> bool:
    """Tell whether a text can stand for something, as a command or an id: one line that `clean` returns as it is."""
    return text.isprintable() or (text == clean(text) and not any(character in text for character in "\t\n\r"))


def finite(value: object) -> float | None:
    """Return a real number as a float; None for infinity, NaN, what is beyond the range of floats, and what is no number."""
    if not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def short(value: object) -> str:
    """Return the beginning of a value's `repr`, for a message."""
    try:
        shown = clean(repr(value))
    except (Exception, SystemExit):  # the value is another's, and so is its repr; a whole number of 5000 digits has none either
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."


def kind_of(value: object) -> str:
    """Return the type of a JSON value in words, for a message."""
    return "null" if value is None else f"of type {type(value).__name__}"


def _parse(text: str, where: object) -> Any:
    if _MAYBE_HALF.search(text) is not None:
        text = _ESCAPE.sub(lambda found: found[0] if found["half"] is None else r"\ufffd", text)
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise JsonError(where, _TOO_DEEP) from None
    except ValueError as error:
        raise JsonError(where, f"is not JSON ({error})") from None
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return value
    raise JsonError(where, _TOO_DEEP)


_TOO_DEEP: Final = f"is JSON nested deeper than {MOST_LEVELS} levels"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two values one would be lost without a word.
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object has the key {short(next(key for n, key in enumerate(keys) if key in keys[:n]))} twice")
    return found


def _finite(number: str) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{number[:40]} is beyond the range of numbers")
    return value


def _bounded(number: str) -> int:
    if len(number) > MOST_DIGITS:
        raise ValueError(f"a whole number has {len(number)} digits")
    return int(number)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_int=_bounded, parse_constant=_no_number)
