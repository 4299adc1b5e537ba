"""What may be sent or written, as a set of commands: which of them a text is, and the GBNF grammar that lets it write nothing else.

A command may hold one free slot, written {text}. The grammar's format is llama.cpp's (grammars/README.md in its repository). Knows
nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SLOT = "{text}"
MOST_SLOT_CHARACTERS = 80
"""Most characters that the grammar lets a model write into a slot."""


def filling(form: str, command: str) -> str | None:
    """Return what fills the slot of `form` in `command`.

    Returns:
        The text in the slot, without spaces around it and never empty; the empty text if the form has no slot and is the command; None if
        the command is another one.
    """
    before, slot, after = form.partition(SLOT)
    if not slot:
        return "" if command == form else None
    if not (command.startswith(before) and command.endswith(after)):
        return None
    return command[len(before) : len(command) - len(after)].strip() or None


def matches(command: str, forms: Sequence[str]) -> bool:
    """Tell whether a command is one of the forms, or one of them with its slot filled."""
    return command in forms or any(SLOT in form and filling(form, command) is not None for form in forms)


def gbnf(forms: Iterable[str], mark: str = "", most: int = 0, slot_lines: Sequence[str] = ()) -> str:
    """Return the grammar of some commands: exactly these, with up to `MOST_SLOT_CHARACTERS` of one line in a slot, the first no space.

    Args:
        forms: the commands.
        mark: stands before the command, after a line of free text; empty for the command alone.
        most: most characters of that line.
        slot_lines: those of the commands whose slot holds several lines, of any length.
    """
    several = "[^\\x00-\\x20\\x7F] [^\\x00-\\x09\\x0B-\\x1F\\x7F]*"
    words = f"[^\\x00-\\x20\\x7F] [^\\x00-\\x1F\\x7F]{{0,{MOST_SLOT_CHARACTERS - 1}}}"
    alternatives = []
    for form in dict.fromkeys(forms):
        before, slot, after = form.partition(SLOT)
        alternatives.append(
            " ".join([literal(before), *([several if form in slot_lines else words] if slot else []), *([literal(after)] if after else [])])
        )
    commands = " | ".join(alternatives)
    if not mark:
        return f"root ::= {commands}"
    before = literal(f"\n{mark} ")
    return f"root ::= [^\\x00-\\x1F\\x7F]{{0,{most}}} {before} ({commands})"


def literal(text: str) -> str:
    """Return a text as it stands in a grammar."""
    return '"' + "".join(f"\\x{ord(char):02X}" if char < " " or char in '"\\' else char for char in text) + '"'
