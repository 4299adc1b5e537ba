"""ALFWorld's `game.tw-pddl` files: JSON around a PDDL problem and a grammar. The file's path is never looked at for what it means."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from homebody.envs.household.alfworld.errors import (
    GameFileEncodingError,
    GameFileJsonError,
    GameFileKeyError,
    GameFileMissingError,
    GameFileSizeError,
    GrammarError,
    TrajectoryError,
)
from homebody.envs.household.alfworld.pddl import read_problem
from homebody.envs.household.engine.problem import Logic, Problem
from homebody.envs.text import REPLACEMENT, EncodingError, JsonError, NoFileError, decode, one_line, parse_json, read_bytes

MAX_BYTES: Final = 2 * 2**20
"""A larger file is refused; ALFWorld's have up to 137 kB."""
MAX_TRAJECTORY_BYTES: Final = 16 * 2**20
"""A larger `traj_data.json` is refused; it has what ALFRED recorded of a whole episode."""
MAX_SENTENCE: Final = 500
"""Characters of a task sentence; ALFWorld's have under 50."""


@dataclass(frozen=True)
class GameFile:
    """What a `game.tw-pddl` file says."""

    problem: Problem
    logic: Logic
    walkthrough: tuple[str, ...]
    """The planner's commands to the goal; empty where the file has none."""
    solvable: bool
    """What the file says of itself; `False` where it says nothing."""


def load_game_file(path: Path) -> GameFile:
    """Read and check one game file.

    Raises:
        GameFileError: The file cannot be used; the subclass names the cause.
    """
    data = _read_json(path)
    texts = []
    for key in ("pddl_problem", "grammar"):
        value = data.get(key)
        if not isinstance(value, str):
            raise GameFileKeyError(
                path, f"key {key!r} is missing" if key not in data else f"key {key!r} is no text but {type(value).__name__}"
            )
        texts.append(value)
    walkthrough = data.get("walkthrough", [])
    if not isinstance(walkthrough, list) or not all(isinstance(c, str) for c in walkthrough):
        raise GameFileKeyError(path, "key 'walkthrough' is no list of commands")
    problem_text, grammar = texts
    return GameFile(
        problem=read_problem(path, problem_text, _task_sentence(path, grammar)),
        logic=_logic(path, grammar),
        walkthrough=tuple(walkthrough),
        solvable=data.get("solvable") is True,
    )


def read_game_file(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return the bytes of a game file, `most` at most.

    Raises:
        GameFileMissingError: It is missing or cannot be opened.
        GameFileSizeError: It has more.
    """
    with contextlib.suppress(OSError):  # which reading names
        size = path.stat().st_size
        if size > most:
            raise GameFileSizeError(path, f"has {size} bytes, more than the {most} allowed")
    try:
        return read_bytes(path)
    except NoFileError as error:
        raise GameFileMissingError(path, error.fault) from None


def load_sentence(path: Path, annotation: int) -> str:
    """Return an annotator's sentence from a `traj_data.json` file, on one line; empty where there is none.

    Args:
        path: The file; it may be missing.
        annotation: The number of the annotation, from 0.

    Raises:
        GameFileError: The file cannot be used; the subclass names the cause.
    """
    if not path.is_file():
        return ""
    found: Any = _read_json(path, MAX_TRAJECTORY_BYTES)
    for key, kind in (("turk_annotations", dict), ("anns", list), (annotation, dict), ("task_desc", str)):
        if key not in (range(len(found)) if isinstance(found, list) else found):
            return ""
        found = found[key]
        if not isinstance(found, kind):
            raise TrajectoryError(path, f"{key!r} in turk_annotations is of type {type(found).__name__}")
    sentence = one_line(found)
    if len(sentence) > MAX_SENTENCE:
        raise TrajectoryError(path, f"the sentence {sentence[:80]!r} is longer than {MAX_SENTENCE} characters")
    return sentence.strip(f" {REPLACEMENT}") and sentence


def _read_json(path: Path, most: int = MAX_BYTES) -> Mapping[str, Any]:
    data = read_game_file(path, most)
    try:
        content = parse_json(decode(data, path), path)
    except EncodingError as error:
        raise GameFileEncodingError(path, error.fault) from None
    except JsonError as error:
        raise GameFileJsonError(path, error.fault) from None
    if not isinstance(content, dict):
        raise GameFileJsonError(path, f"holds a JSON {type(content).__name__}, not an object")
    return content


_MOST_TASKS: Final = 20
_TASK: Final = re.compile(r'Your task is to: ((?:[^"\\]|\\.)*)"')


def _task_sentence(path: Path, grammar: str) -> str:
    # Each beginning is searched to the end of its line of text: many without an end would take minutes.
    found = sorted(set(_TASK.findall(grammar))) if (n := grammar.count("Your task is to: ")) <= _MOST_TASKS else [""] * n
    if len(found) != 1:
        raise GrammarError(path, f"the grammar has {len(found)} task sentences")
    try:
        sentence = str(json.loads(f'"{found[0]}"', strict=False))
    except ValueError:
        sentence = found[0]
    if not sentence.isprintable():
        sentence = one_line(sentence)
    if not sentence.strip(f" {REPLACEMENT}") or len(sentence) > MAX_SENTENCE:
        raise GrammarError(path, f"the task sentence {sentence[:80]!r} is empty, or longer than {MAX_SENTENCE}")
    return sentence


_PUT_TEMPLATES: Final[tuple[tuple[Logic, str], ...]] = (("current", '"move {o} to {r}"'), ("2.1.1", '"put {o} in/on {r}"'))


def _logic(path: Path, grammar: str) -> Logic:
    found = [logic for logic, template in _PUT_TEMPLATES if template in grammar]
    if len(found) != 1:
        raise GrammarError(path, f"the grammar has {len(found)} of the templates {' and '.join(t for _, t in _PUT_TEMPLATES)}")
    return found[0]
