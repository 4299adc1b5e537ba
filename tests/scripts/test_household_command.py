"""`homebody household export`: the files, the report, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.houses.houses import HouseSource

Homebody = Callable[..., Any]


def test_export_writes_what_it_reports(homebody: Homebody, loaded: Callable[[Path], Any], tmp_path: Path) -> None:
    out, report = tmp_path / "new" / "houses", tmp_path / "report.json"
    hard = ("--holdout", "both", "--distractors", 4, "--closed", 0.5, "--task-type", "heat=2", "--task-type", "two", "--room", "kitchen")
    answer = homebody("household", "export", "--out", out, "--tasks", 6, *hard, "--json", report)
    assert answer.code == 0
    assert f"{out}: 18 games written, 0 were there" in answer.out
    assert "test: 6 houses (4 pick_heat_then_place_in_recep, 2 pick_two_obj_and_place)" in answer.out
    found = loaded(report)
    assert (found["written"], found["present"], len(found["games"])) == (18, 0, 18)
    read = AlfWorldSource(out)
    assert sorted(found["games"]) == sorted(task.task_id for split in ("train", "validation", "test") for task in read.tasks(split))
    source = HouseSource(**found["parameters"])
    assert {read.load(game).game.task for game in found["games"]} == {
        source.load(spec.task_id).task for split in ("train", "validation", "test") for spec in source.tasks(split, 6)
    }
    again = homebody("household", "export", "--out", out, "--tasks", 7, *hard, "--split", "test")
    assert f"{out}: 1 games written, 6 were there" in again.out


def test_other_file_is_not_overwritten(homebody: Homebody, tmp_path: Path) -> None:
    arguments = ("household", "export", "--out", tmp_path, "--tasks", 1, "--split", "train")
    assert homebody(*arguments).code == 0
    (game,) = tmp_path.rglob("game.tw-pddl")
    game.write_text("mine")
    answer = homebody(*arguments)
    assert answer.code == 2
    assert "another game, or part of one, is there" in answer.error
    assert game.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--out"),
        (("--out", "x", "--split", "tests"), "unknown split 'tests'; did you mean test?"),
        (("--out", "x", "--tasks", 0), "0 tasks of split 'train'"),
        (("--out", "x", "--room", "kichen"), "did you mean kitchen"),
        (("--out", "x", "--task-type", "heat=two"), "--task-type 'heat=two' is not possible"),
        (("--out", "x", "--task-type", "heat", "--task-type", "heat=2"), "each kind once"),
        (("--out", "x", "--task-type", "heat", "--room", "bathroom"), "no heat task in bathroom"),
        (("--out", "x", "--distractors", 99), "distractors=99"),
        (("--out", "x", "--closed", 2), "closed=2.0"),
        (("--out", "x", "--holdout", "everything"), "holdout='everything'"),
        (("--out", "file/x"), "cannot write into the folder file/x: Not a directory"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    homebody: Homebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    answer = homebody("household", "export", *arguments)
    assert answer.code == 2
    assert words in answer.error
    assert not Path("x").exists()
