"""What can be wrong with a game file: one class for each cause, each message with the file, the fault, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from homebody.envs.core import EnvError
from homebody.envs.text import clean

MAX_WHAT: Final = 400
"""Characters of a message about what is wrong: a file may hold a name of a megabyte."""


class GameFileError(EnvError):
    """A game file cannot be used."""

    remedy = "get the file again (homebody data alfworld), or correct it"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{clean(str(path))}: {what if len(what) <= MAX_WHAT else what[:MAX_WHAT] + '...'}; {self.remedy}")


class GameFileMissingError(GameFileError):
    """There is no such file, or it cannot be opened."""

    remedy = "check the path and data_dir (or ALFWORLD_DATA)"


class GamePathError(GameFileError):
    """A game file's path cannot be a task id."""

    remedy = "rename its folders"


class GameFileSizeError(GameFileError):
    """The file is too large to be a game, or tells of more things, or with longer names, than a house can have."""


class GameFileEncodingError(GameFileError):
    """The file's bytes are not UTF-8 text."""

    remedy = "save it as UTF-8"


class GameFileJsonError(GameFileError):
    """The file is no JSON object."""


class GameFileKeyError(GameFileError):
    """A key of the JSON object is missing, or its value has the wrong type."""

    remedy = "a game.tw-pddl file has the texts pddl_problem and grammar; make it again from its traj_data.json, or get it again"


class GrammarError(GameFileError):
    """The grammar has no usable task sentence, or is of neither known logic."""

    remedy = "the grammar must hold one line 'Your task is to: ...' and ALFWorld's PutObject template"


class TrajectoryError(GameFileError):
    """The annotators' sentences in a `traj_data.json` file are not where they belong, or too long."""

    remedy = "the file must hold turk_annotations.anns, a list of objects with a text task_desc; correct it, or play with goals='plain'"


class PddlSyntaxError(GameFileError):
    """The PDDL text is not a well-formed problem: parentheses, characters, or sections."""


class PddlDeclarationError(GameFileError):
    """An id is used that `:objects` does not declare, or declares otherwise."""

    remedy = "declare each id once in (:objects ...), with the type that its facts need"


class PddlFactError(GameFileError):
    """An initial fact is none of the household domain's, or says what this engine has no place for."""


class IncompleteHouseError(GameFileError):
    """A fact is missing without which there is no game: an object's type, a receptacle's location, the agent's location."""

    remedy = "add the missing fact to (:init ...)"


class UnknownGoalError(GameFileError):
    """The goal is none of the six known forms."""

    remedy = "the known forms are place, look in light, clean, heat, cool, and place two; movable and sliced tasks are not supported"
