"""What is said of a folder of games."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homebody.envs.household.alfworld import data_check as module
from homebody.envs.household.alfworld.data_check import RELEASE, check_data
from homebody.envs.household.alfworld.games import DataDirError
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem

PLAN = [
    "go to countertop 1", "take apple 2 from countertop 1", "go to microwave 1", "heat apple 2 with microwave 1", "go to cabinet 2",
    "move apple 2 to cabinet 2",
]  # fmt: skip
"""Solves the kitchen: cabinet 2 stands open."""


def test_the_release_has_the_games_of_the_specification() -> None:
    assert {split: sum(counts) for split, counts in RELEASE.items()} == {"train": 3553, "valid_seen": 140, "valid_unseen": 134}


def test_a_folder_is_counted_and_its_faults_are_named(tmp_path: Path, write_game: Callable[..., Path], kitchen: Problem) -> None:
    place = replace(kitchen, goal=Goal(GoalKind.PLACE, "Spoon", "Cabinet"), task="put some spoon on cabinet.")
    train = tmp_path / "json_2.1.1" / "train"
    heat = "pick_heat_then_place_in_recep-Apple-None-Cabinet"
    write_game(train / f"{heat}-1" / "t1", walkthrough=PLAN)
    write_game(train / f"{heat}-1" / "t2", walkthrough=None)
    write_game(train / f"{heat}-2" / "t3", walkthrough=["look"])
    write_game(train / f"{heat}-3" / "t4", place, walkthrough=None)
    write_game(train / f"{heat}-4" / "t5", logic="2.1.1", walkthrough=None)
    write_game(train / f"{heat}-5" / "t6", grammar="", walkthrough=None)
    write_game(train / f"{heat}-6" / "t7", pddl_problem=3)
    write_game(train / f"{heat}-7" / "t8", solvable=False)
    write_game(train / "pick_heat_then_place_in_recep-AppleSliced-None-Cabinet-1" / "t9")
    write_game(tmp_path / "json_2.1.1" / "valid_unseen" / "mine" / "t10", place, walkthrough=None)
    seen: list[tuple[int, int]] = []
    found = check_data(tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(n, 10) for n in range(1, 11)]
    assert (found.splits["train"].games, found.splits["train"].left_out) == (5, 2)
    assert found.splits["train"].by_type["pick_heat_then_place_in_recep"] == 4
    assert found.splits["train"].missing_by_type["pick_heat_then_place_in_recep"] == 459 - 4
    assert found.splits["valid_unseen"].by_type["pick_and_place_simple"] == 1
    assert found.splits["valid_seen"].games == 0
    name = f"json_2.1.1/train/{heat}"
    assert {(fault["file"], fault["kind"]) for fault in found.faults} == {
        (f"{name}-2/t3/game.tw-pddl", "walkthrough"),
        (f"{name}-3/t4/game.tw-pddl", "type"),
        (f"{name}-4/t5/game.tw-pddl", "logic"),
        (f"{name}-5/t6/game.tw-pddl", "logic"),
        (f"{name}-6/t7/game.tw-pddl", "unreadable"),
    }
    assert found.unsolvable == [f"{name}-7/t8/game.tw-pddl"]
    assert found.logics == {"2.1.1": 1, "current": 5}
    assert found.is_complete is False
    assert found.to_json()["complete"] is False


def test_a_whole_folder_is_complete(
    tmp_path: Path, write_game: Callable[..., Path], kitchen: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RELEASE", {"train": (0, 0, 0, 1, 0, 0)})
    # Without the folder json_2.1.1, as some keep it.
    write_game(tmp_path / "train" / "pick_heat_then_place_in_recep-Apple-None-Cabinet-1" / "t", walkthrough=PLAN)
    found = check_data(tmp_path)
    assert found.is_complete is True
    assert found.to_json()["splits"]["train"]["missing_by_type"] == {}


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    found = check_data(tmp_path)
    assert found.is_complete is False
    assert sum(found.splits["valid_seen"].missing_by_type.values()) == 140
    with pytest.raises(DataDirError, match="is not a folder"):
        check_data(tmp_path / "none")


def test_the_real_games_are_sound(alfworld: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unseen validation games that are here: 68 of 134."""
    monkeypatch.setattr(module, "RELEASE", {"valid_unseen": RELEASE["valid_unseen"]})
    found = check_data(alfworld)
    assert found.faults == []
    assert found.splits["valid_unseen"].games == 68
    assert sum(found.splits["valid_unseen"].missing_by_type.values()) == 66
