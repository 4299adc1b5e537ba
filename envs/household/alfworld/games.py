"""ALFWorld's own game files as a source of tasks: which there are, in which split, and how to load one."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, get_args

from homebody.envs.core import FINAL, SPLITS, EnvError, NoTasksError, TaskSpec, UnknownSplitError, UnknownTaskError, take_tasks
from homebody.envs.file import expand_path, nearby_folder
from homebody.envs.household.alfworld.errors import GamePathError
from homebody.envs.household.alfworld.gamefile import load_game_file, load_sentence, read_game_file
from homebody.envs.household.engine.game import Game, compile_game
from homebody.envs.household.engine.problem import TASK_TYPES, Logic
from homebody.envs.household.goals.said import AnnotationError, check_goals, say_goal, split_suffix
from homebody.envs.text import is_name

GAME_FILE: Final = "game.tw-pddl"
TRAJECTORY_FILE: Final = "traj_data.json"
"""Beside a game: what ALFRED's annotators wrote about it."""

AlfWorldGoals = Literal["plain", "said", "human"]
"""How a goal is worded: as in the game file, as people say it (`said.py`), or in an annotator's sentence."""
ALFWORLD_GOALS: Final[tuple[str, ...]] = get_args(AlfWorldGoals)

UPSTREAM_SPLITS: Final = {"train": "train", "validation": "valid_seen", "test": "valid_unseen"}
"""ALFWorld's folder for each split; the folders' names are accepted as splits too."""

GAMES_FOLDER: Final = "json_2.1.1"
"""The folder of the splits, named so in every version of the data."""

# Read from the bytes: decoding the whole JSON of thousands of games only to skip some would take a minute.
_SOLVABLE: Final = re.compile(rb'"solvable"\s*:\s*true\b')


class DataDirError(EnvError):
    """There is no folder of ALFWorld games to read, or it is another one than was given."""

    def __init__(self, what: str, instead: Path | None = None) -> None:
        remedy = (
            f"give data_dir=, or set ALFWORLD_DATA, to the folder that holds {GAMES_FOLDER}/ "
            "(`homebody data alfworld` makes one); homebody/Household-v0 needs no data"
        )
        super().__init__(f"{what}; " + (remedy if instead is None else f"give {str(instead)!r} instead"))


@dataclass(frozen=True)
class LoadedGame:
    """A game file, compiled."""

    game: Game
    logic: Logic
    """What the file's grammar says."""
    type: str
    """One of `TASK_TYPES`, by the file's goal."""
    walkthrough: tuple[str, ...]


class AlfWorldSource:
    """The games below a data folder. A task id is a game file's path below it, with `/` between the parts.

    Listings leave out what ALFWorld leaves out: paths with `movable` or `Sliced`, and games whose file does not say that they are solvable.
    Any game file below the folder can be loaded by its id, listed or not.

    Goals:
        `plain`: the game's own sentence. `said`: as people say it, with the wordings and names of the split that the path names (of the
        training split where it names none); listed ids end in `+said`. `human`: an annotator's sentence, from `traj_data.json` beside the
        game; listed ids end in `+human-N`. A game without that sentence keeps its own; `homebody data alfworld --check` counts both. An id
        without such an end goes by `goals`.
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, *, goals: AlfWorldGoals = "plain", annotation: int = 0) -> None:
        """Find the folder.

        Args:
            data_dir: The folder; `None` takes the environment variable `ALFWORLD_DATA`, or else the folder in the cache where
                `homebody data alfworld` puts the games.
            goals: `plain`, `said` or `human`; see above.
            annotation: Which of the annotators' sentences, from 0; only for `human`.

        Raises:
            GoalsError: There is no such way to word goals.
            AnnotationError: `annotation` is no whole number of at least 0.
            PathError: It is no path.
            DataDirError: It is no folder.
        """
        check_goals(goals, ALFWORLD_GOALS)
        if isinstance(annotation, bool) or not isinstance(annotation, int) or not 0 <= annotation < 10**6:
            raise AnnotationError(annotation)
        self._wording = {"plain": "", "said": "said", "human": f"human-{annotation}"}[goals]
        self.root = expand_path(data_dir) if data_dir is not None else _default_dir()
        if not self.root.is_dir():
            unnamed = data_dir is None and not os.environ.get("ALFWORLD_DATA")
            why = "neither data_dir nor ALFWORLD_DATA is given, and " if unnamed else ""
            raise DataDirError(f"no ALFWorld data: {why}{str(self.root)!r} is not a folder")
        self._listed: dict[str, list[TaskSpec]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_listed": {}}

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, ordered by the SHA-256 of their ids, so that the first n are a fair sample.

        Args:
            split: One of `SPLITS`, or ALFWorld's name for it (`valid_seen`, `valid_unseen`).
            n: How many; `None` for all.

        Raises:
            UnknownSplitError: There is no such split.
            NoTasksError: The folder has no game of this split; the final one has none in any folder.
            TaskCountError: `n` is not from 1 to the number of games.
            DataDirError: The folder is one of a split, or another beside the data.
            GameFileError: A game's path cannot be a task id; or does not tell its task type, and its file cannot be read.
        """
        if split == FINAL:
            remedy = "ALFWorld lists all its games; the houses of homebody/Household-v0 have a final split"
            raise NoTasksError(split, str(self.root), remedy)
        canonical = canonical_split(split)
        if canonical not in self._listed:
            self._listed[canonical] = self._list(canonical)
        return take_tasks(list(self._listed[canonical]), split, n)

    def load(self, task_id: str) -> LoadedGame:
        """Read and compile a game; a file that did not change is read once a process.

        Raises:
            UnknownTaskError: There is no such file below the folder.
            GameFileError: The file cannot be used, or the one with the annotators' sentences.
        """
        base, suffix = split_suffix(task_id)
        if not self._is_id(base):
            raise UnknownTaskError(task_id, sorted(self._ids(self.root)), str(self.root))
        path = self.root / base
        status = path.stat()
        loaded = _load(path.absolute(), status.st_mtime_ns, status.st_size)
        kind, _, annotation = (suffix or self._wording).partition("-")
        if kind == "said":
            sentence = say_goal(loaded.game.goal, _split_of(base), base)
        elif kind == "human":
            sentence = load_sentence(path.with_name(TRAJECTORY_FILE), int(annotation)) or loaded.game.plain
        else:
            return loaded
        return replace(loaded, game=_reword(loaded.game, sentence))

    def _is_id(self, task_id: object) -> bool:
        if (
            not isinstance(task_id, str)
            or not is_name(task_id)
            or PurePosixPath(task_id).is_absolute()
            or ".." in PurePosixPath(task_id).parts
        ):
            return False
        try:
            return PurePosixPath(task_id).name == GAME_FILE and (self.root / task_id).is_file()
        except (OSError, ValueError):  # a name that no file can have: too long, or with characters that paths cannot hold
            return False

    def _ids(self, folder: Path) -> list[str]:
        ids = [path.relative_to(self.root).as_posix() for path in folder.rglob(GAME_FILE) if path.is_file()]
        for unfit in (i for i in ids if not is_name(i)):
            raise GamePathError(self.root / unfit, "its path is not one line of UTF-8 text, as a task id has to be")
        return ids

    def check_place(self) -> None:
        """Check that the folder is the one of the data, where that lies around it or in it: not a split's, say.

        Raises:
            DataDirError: It is not.
        """
        splits = [*UPSTREAM_SPLITS.values()]
        if any((self.root / name).is_dir() for name in (GAMES_FOLDER, *splits)):
            return
        instead = nearby_folder(self.root, GAMES_FOLDER) or nearby_folder(self.root, *splits[1:])
        if instead is not None:
            what = f"{str(self.root)!r} holds no {GAMES_FOLDER}/ and no split of ALFWorld's games, and {str(instead)!r} does"
            raise DataDirError(what, instead)

    def _list(self, split: str) -> list[TaskSpec]:
        self.check_place()
        games = self.root / GAMES_FOLDER
        folder = (games if games.is_dir() else self.root) / UPSTREAM_SPLITS[split]
        ids = [i for i in self._ids(folder) if "movable" not in i and "Sliced" not in i]
        solvable = [i for i in ids if _SOLVABLE.search(read_game_file(self.root / i))]
        if not solvable:
            remedy = "check data_dir, and that its game files are ALFWorld's current ones, which have the key 'solvable'"
            raise NoTasksError(split, f"{str(folder)!r} ({len(ids)} game files, none said to be solvable)", remedy)
        ordered = sorted(solvable, key=lambda i: hashlib.sha256(i.encode()).digest())
        suffix = f"+{self._wording}" if self._wording else ""
        return [TaskSpec(f"{i}{suffix}", self._type(i), split) for i in ordered]

    def _type(self, task_id: str) -> str:
        # ALFWorld's folders are named TYPE-OBJECT-...; a folder named otherwise has to be read.
        for part in reversed(Path(task_id).parts[:-1]):
            if part.partition("-")[0] in TASK_TYPES:
                return part.partition("-")[0]
        return self.load(task_id).type


def _default_dir() -> Path:
    # Imported where no folder is named: what fetches files takes long to import.
    from homebody.envs.household.alfworld.download import default_dir

    return default_dir()


def canonical_split(split: str) -> str:
    """Return one of `SPLITS` for a split's name, ours or ALFWorld's.

    Raises:
        UnknownSplitError: It is neither.
    """
    for ours, theirs in UPSTREAM_SPLITS.items():
        if split in (ours, theirs):
            return ours
    raise UnknownSplitError(split, [*SPLITS, *(name for name in UPSTREAM_SPLITS.values() if name not in SPLITS)])


def _split_of(task_id: str) -> str:
    ours = {theirs: split for split, theirs in UPSTREAM_SPLITS.items()}
    return next((ours[part] for part in PurePosixPath(task_id).parts if part in ours), "train")


@functools.lru_cache(maxsize=128)
def _reword(game: Game, sentence: str) -> Game:
    """Return a game with another task sentence, and a cache of its own: its texts differ."""
    return replace(game, task=sentence, cache={})


@functools.lru_cache(maxsize=128)
def _load(path: Path, mtime_ns: int, size: int) -> LoadedGame:
    """Load a file; its time and size are arguments only to tell a changed file from the one that is cached."""
    file = load_game_file(path)
    game = compile_game(file.problem)
    return LoadedGame(game=game, logic=file.logic, type=TASK_TYPES[game.goal.kind], walkthrough=file.walkthrough)
