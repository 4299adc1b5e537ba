"""The standard streams: what is printed is free of foreign escape sequences, and fits the encoding of who reads it."""

from __future__ import annotations

import codecs
import os
import sys

import click
import rich.markup

_LIKE = {
    "\u2717": "x", "\u00b7": "-", "\u2026": "...", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'",
    "\u201c": '"', "\u201d": '"', "\u203a": ">",
}  # fmt: skip
"""What stands for a character that an encoding lacks; a question mark stands for all others."""
_ERRORS = "homebody.like"


def fit_streams() -> None:
    """Make the standard streams take any text: a pipe may have an encoding that lacks some characters, as on Windows."""
    codecs.register_error(_ERRORS, _replace)
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, _ERRORS), (sys.stderr, _ERRORS)):
        if hasattr(stream, "reconfigure"):  # a stream that a test or another program has put there may be of another kind
            stream.reconfigure(errors=errors)


def give_up_output() -> bool:
    """Tell whether standard output refuses one more line; if so, print nowhere from here on."""
    try:
        print(flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as the process lives
        return True
    return False


def clean(text: str) -> str:
    """Return a text from outside without foreign escape sequences, as `homebody.envs.text.clean` does."""
    # Imported where something is printed: `homebody --help` answers without environments.
    from homebody.envs.text import clean

    return clean(text)


def escape(text: str) -> str:
    """Return a text from outside for rich: cleaned, and its brackets are no markup."""
    return rich.markup.escape(clean(text))


def echo(text: str) -> None:
    """Print a text from outside, cleaned."""
    click.echo(clean(text))


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_LIKE.get(character, "?") for character in error.object[error.start : error.end]), error.end
