"""What a folder of ALFWorld games holds: how many of which split and type, what is wrong with them, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from homebody.envs.household.alfworld.errors import GameFileError, GrammarError
from homebody.envs.household.alfworld.gamefile import GameFile, load_game_file, load_sentence
from homebody.envs.household.alfworld.games import GAME_FILE, GAMES_FOLDER, TRAJECTORY_FILE, AlfWorldSource
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import TASK_TYPES

RELEASE: Final = {
    "train": (790, 308, 650, 459, 533, 813),
    "valid_seen": (35, 13, 27, 16, 25, 24),
    "valid_unseen": (24, 18, 31, 23, 21, 17),
}
"""How many games ALFWorld's release has that it lists itself, by split and in the order of `TASK_TYPES`: 3553, 140 and 134."""


@dataclass
class SplitCheck:
    """One split of a folder."""

    games: int = 0
    """Games that can be played."""
    expected: int = 0
    """What the release has."""
    by_type: dict[str, int] = field(default_factory=dict)
    missing_by_type: dict[str, int] = field(default_factory=dict)
    """Types of which there are fewer games than in the release, and how many fewer."""
    annotated: int = 0
    """Of the games, those with an annotator's sentence beside them, for `goals="human"`; the others keep their own."""
    left_out: int = 0
    """Files that ALFWorld does not list either: movable receptacles, sliced objects, and the unsolvable."""


@dataclass
class DataCheck:
    """What was found in a folder."""

    data_dir: str
    splits: dict[str, SplitCheck]
    faults: list[dict[str, str]]
    """Files that cannot be played or are not what they say: `file`, `kind` (`unreadable`, `logic`, `type`, `walkthrough`), `problem`."""
    unsolvable: list[str]
    """Files that do not say of themselves that they can be solved."""
    logics: dict[str, int]
    """Games by the version of the rules that they speak."""

    @property
    def is_complete(self) -> bool:
        """Whether every game of the release is there and sound."""
        return not self.faults and not any(split.missing_by_type for split in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object, with `complete`."""
        return {**asdict(self), "complete": self.is_complete}


def check_data(data_dir: str | Path | None, progress: Callable[[int, int], None] | None = None) -> DataCheck:
    """Read every game below a folder, and play its walkthrough.

    Args:
        data_dir: The folder that holds `json_2.1.1`; `None` takes the one of `release.default_dir`.
        progress: Called with files read and files in all.

    Raises:
        DataDirError: There is no such folder, or the data lie in another.
    """
    source = AlfWorldSource(data_dir)
    source.check_place()
    root = source.root
    games = root / GAMES_FOLDER if (root / GAMES_FOLDER).is_dir() else root
    files = {split: sorted((games / split).rglob(GAME_FILE)) for split in RELEASE}
    found = DataCheck(str(root), {split: SplitCheck(expected=sum(RELEASE[split])) for split in RELEASE}, [], [], {})
    logics: dict[str, list[str]] = {}
    done, total = 0, sum(map(len, files.values()))
    for split, paths in files.items():
        counts: Counter[str] = Counter()
        for path in paths:
            _count(path, path.relative_to(root).as_posix(), found, found.splits[split], counts, logics)
            done += 1
            if progress:
                progress(done, total)
        of_split = found.splits[split]
        of_split.by_type = {kind: counts[kind] for kind in TASK_TYPES}
        of_split.missing_by_type = {
            kind: n for kind, all_ in zip(TASK_TYPES, RELEASE[split], strict=True) if (n := all_ - counts[kind]) > 0
        }
    found.logics = {logic: len(names) for logic, names in sorted(logics.items())}
    usual = max(logics, key=lambda logic: len(logics[logic]), default="")
    for logic, names in logics.items():
        if logic != usual:
            found.faults += [_fault(name, "logic", f"speaks the {logic} logic where most games speak {usual}") for name in names]
    return found


def _count(path: Path, name: str, found: DataCheck, split: SplitCheck, counts: Counter[str], logics: dict[str, list[str]]) -> None:
    """Count one file, or say what is wrong with it."""
    if "movable" in name or "Sliced" in name:
        split.left_out += 1
        return
    try:
        file = load_game_file(path)
    except GameFileError as error:
        found.faults.append(_fault(name, "logic" if isinstance(error, GrammarError) else "unreadable", str(error)))
        return
    if not file.solvable:
        split.left_out += 1
        found.unsolvable.append(name)
        return
    kind = TASK_TYPES[file.problem.goal.kind]
    split.games += 1
    try:
        split.annotated += bool(load_sentence(path.with_name(TRAJECTORY_FILE), 0))
    except GameFileError as error:
        found.faults.append(_fault(str(PurePosixPath(name).with_name(TRAJECTORY_FILE)), "unreadable", str(error)))
    counts[kind] += 1
    logics.setdefault(file.logic, []).append(name)
    said = next((part.partition("-")[0] for part in name.split("/") if part.partition("-")[0] in TASK_TYPES), kind)
    if said != kind:
        found.faults.append(_fault(name, "type", f"its folder says {said}, its goal {kind}"))
    if file.walkthrough and not _is_won(file):
        found.faults.append(_fault(name, "walkthrough", "its own walkthrough does not solve it"))


def _is_won(file: GameFile) -> bool:
    play = TextGame(compile_game(file.problem), file.logic)
    for command in file.walkthrough:
        play.step(command)
    return play.won


def _fault(name: str, kind: str, problem: str) -> dict[str, str]:
    return {"file": name, "kind": kind, "problem": problem}
