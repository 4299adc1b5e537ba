"""The door for text and numbers from outside: what comes in clean, what is refused, and in which words."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.envs import text
from homebody.envs.text import EncodingError, JsonError, NoFileError, UnreadableError

HALF, PAIR = "\ud83d", "\ud83d\ude00"


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab\r\n", "two\nlines\tand a tab\r\n"),
        ("caf\u00e9 \u201cx\u201d \u628a \U0001f9f9", "caf\u00e9 \u201cx\u201d \u628a \U0001f9f9"),
        ("a\u200db\u00ad\u200b\u00a0\u200e\uf0b7", "a\u200db\u00ad\u200b\u00a0\u200e\uf0b7"),  # as real titles have them
        (f"cup {HALF} tea", "cup \ufffd tea"),
        ("\ude00 first", "\ufffd first"),
        (PAIR, "\U0001f600"),
        (HALF + PAIR, "\ufffd\U0001f600"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x00\x07\x08\x0b\x0c\x7f\x85\x9b", "\ufffd" * 8),
        ("\u202eabc\u202c \u2066d\u2069", "\ufffdabc\ufffd \ufffdd\ufffd"),
        ("", ""),
    ],
)
def test_clean(given_text: str, cleaned: str) -> None:
    assert text.clean(given_text) == cleaned
    assert text.clean(cleaned) == cleaned


@given(st.text(st.characters(codec=None)))
def test_cleaned_text_can_be_written_anywhere(anything: str) -> None:
    cleaned = text.clean(anything)
    assert json.loads(json.dumps(cleaned, ensure_ascii=False).encode()) == cleaned
    assert all(ord(c) > 31 or c in "\t\n\r" for c in cleaned)
    assert text.is_name(text.one_line(anything))


def test_long_text_is_cut() -> None:
    assert text.clean("x" * (2**20 + 5)) == "x" * 2**20
    assert len(text.clean(HALF * (2**20 + 5))) == 2**20


@pytest.mark.parametrize("name", ["go to shelf 1", "click[caf\u00e9 \u2013 \u200d]", "search[{text}]", ""])
def test_is_name(name: str) -> None:
    assert text.is_name(name)


@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "a\r", HALF, "\x1b", "\u202e", "\0"])
def test_is_no_name(name: str) -> None:
    assert not text.is_name(name)


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), (True, 1.0), (np.float32(0.5), 0.5), (np.int64(-2), -2.0), (0.0, 0.0)]
    + [(value, None) for value in (float("nan"), float("inf"), -float("inf"), np.float64("nan"), 10**400, "3", None, Decimal(1), 1j)],
)
def test_finite(value: object, number: float | None) -> None:
    assert text.finite(value) == number


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, "x"]}', {"a": [1, 2.5, "x"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'["\\ud83d"]', ["\ufffd"]),
        (b'["\\ud83d\\ude00 \\ud83d\\ud83d\\ude00 \\uDE00"]', ["\U0001f600 \ufffd\U0001f600 \ufffd"]),
        (b'["\\\\ud83d", "\\\\\\ud83d"]', ["\\ud83d", "\\\ufffd"]),  # a backslash and letters; a backslash and half a pair
        (b'{"\\udc00": 1}', {"\ufffd": 1}),
        (b'"caf\xc3\xa9 \\u00e9 \\u001b"', "caf\u00e9 \u00e9 \x1b"),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
        (b"9" * 300, 10**300 - 1),
        (b"-1.5e300", -1.5e300),
    ],
)
def test_read_json(tmp_path: Path, content: bytes, value: object) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert text.read_json(path) == value
    assert text.parse_json(text.read_text(path), "a") == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists))
def test_json_is_read_as_it_was_written(value: object) -> None:
    for is_ascii in (True, False):
        assert text.parse_json(json.dumps(value, ensure_ascii=is_ascii), "a") == value


@pytest.mark.parametrize(
    ("content", "error", "fault"),
    [
        (None, NoFileError, "cannot be read (No such file or directory)"),
        (b"", JsonError, "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (b'{"a": 1', JsonError, "is not JSON (Expecting ',' delimiter"),
        (b'{"a": 1, "b": 2, "a": 3}', JsonError, "is not JSON (an object has the key 'a' twice)"),
        (b"[NaN]", JsonError, "is not JSON (NaN is no number of JSON)"),
        (b"[-Infinity]", JsonError, "is not JSON (-Infinity is no number of JSON)"),
        (b"[1e400]", JsonError, "is not JSON (1e400 is beyond the range of numbers)"),
        (b"[" + b"1" * 5000 + b"]", JsonError, "is not JSON (a whole number has 5000 digits)"),
        (b"[" * 101 + b"]" * 101, JsonError, "is JSON nested deeper than 100 levels"),
        (b'{"a":' * 200_000, JsonError, "is JSON nested deeper than 100 levels"),
        (b'["a\nb"]', JsonError, "is not JSON (Invalid control character"),
        (b"3", JsonError, "its outermost value is of type int"),
        (b"null", JsonError, "its outermost value is null"),
        ("caf\u00e9".encode("latin-1"), EncodingError, "is not UTF-8: unexpected end of data at byte 3"),
        (b'\xef\xbb\xbf"\xff"', EncodingError, "is not UTF-8: invalid start byte at byte 4"),
        (b'"\xed\xa0\xbd"', EncodingError, "is not UTF-8: invalid continuation byte at byte 1"),
        ("{}".encode("utf-16"), EncodingError, "is UTF-16, not UTF-8"),
        ("{}".encode("utf-16-be"), EncodingError, "has a NUL at character 0, as a binary file or UTF-16 has"),
        (b"\xfe\xff\0{\0}", EncodingError, "is UTF-16, not UTF-8"),
        ("{}".encode("utf-32"), EncodingError, "is UTF-32, not UTF-8"),
        (b"\x1f\x8b\x08\0", EncodingError, "is not UTF-8: invalid start byte at byte 1"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, error: type[UnreadableError], fault: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        text.read_json(path, dict, "an object")
    assert str(caught.value).startswith(f"{path}: {fault}")
    assert str(caught.value) == f"{path}: {caught.value.fault}; {caught.value.remedy}"
    assert "\n" not in str(caught.value)


def test_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoFileError, match=r"cannot be read \(Is a directory\)"):
        text.read_text(tmp_path)
    with pytest.raises(NoFileError, match=r"'a\\x00b': is no path"):
        text.read_text("a\0b")
    with pytest.raises(NoFileError) as caught:
        text.read_text(tmp_path / "caf\udce9\x1b")
    assert str(caught.value).startswith(f"{tmp_path}/caf\ufffd\ufffd: cannot be read")


def test_values_are_shown_short() -> None:
    assert text.short({"a": HALF}) == "{'a': '\\ud83d'}"
    assert text.short(10**5000) == "a int"
    assert text.short("x" * 1000) == "'" + "x" * 199 + "..."


def test_a_value_whose_repr_ends_the_process_is_shown() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise SystemExit

    assert text.short(Rude()) == "a Rude"
