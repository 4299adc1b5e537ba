"""Games written as ALFWorld's own files: read back they are the same, and a data folder of them is one of ALFWorld's.

That the real engine plays them alike is shown in test_peer.py.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household import export
from homebody.envs.household.alfworld.gamefile import GameFile, load_game_file
from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import TASK_TYPES, Goal, GoalKind, Problem, Receptacle, Thing
from homebody.envs.household.export import ExportTargetError, UnwritableProblemError, export_houses, to_game_file
from homebody.envs.household.houses.houses import HouseSource


def normal(problem: Problem) -> Problem:
    """Sort what carries no meaning by its order."""
    return replace(
        problem,
        receptacles=tuple(sorted(problem.receptacles, key=lambda r: r.id)),
        things=tuple(
            replace(t, inside=tuple(sorted(t.inside)), at=tuple(sorted(t.at)), contains=tuple(sorted(t.contains)))
            for t in sorted(problem.things, key=lambda t: t.id)
        ),
        locations=tuple(sorted(problem.locations)),
        extra_ids=tuple(sorted(problem.extra_ids)),
    )


def written(folder: Path, problem: Problem) -> GameFile:
    path = folder / "game.tw-pddl"
    path.write_text(to_game_file(problem))
    return load_game_file(path)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_problem_is_read_back_as_it_was(
    seed: int, random_problem: Callable[..., Problem], tmp_path_factory: pytest.TempPathFactory
) -> None:
    problem = random_problem(random.Random(seed))
    read = written(tmp_path_factory.getbasetemp(), problem)
    assert normal(read.problem) == normal(problem)
    assert read.logic == "current"


@pytest.mark.parametrize("kind", list(GoalKind))
def test_every_kind_of_goal_is_read_back(tmp_path: Path, kitchen: Problem, kind: GoalKind) -> None:
    goal = Goal(kind, "Apple", "DeskLamp" if kind == GoalKind.LIGHT else "Cabinet")
    # An id that is no thing, as ALFWorld's cracked eggs are, and a location that nothing stands at.
    problem = replace(kitchen, goal=goal, extra_ids=("apple_bar_z_bar_cracked_0",), locations=(*kitchen.locations, "loc_bar_9_bar_9"))
    assert normal(written(tmp_path, problem).problem) == normal(problem)


@pytest.mark.parametrize("parameters", [{}, {"closed": 0.5, "distractors": 5, "holdout": "both"}])
def test_houses_are_read_back_and_their_walkthrough_wins(tmp_path: Path, parameters: dict[str, Any]) -> None:
    source = HouseSource(**parameters)
    for spec in source.tasks("test", 24):
        problem = source.load(spec.task_id)
        read = written(tmp_path, problem)
        assert normal(read.problem) == normal(problem)
        assert read.solvable
        game = TextGame(compile_game(read.problem))
        for command in read.walkthrough:
            assert not game.won
            assert command in game.admissible()
            game.step(command)
        assert game.won


def test_real_problems_are_read_back(tmp_path: Path, alfworld: Path) -> None:
    for path in sorted(alfworld.glob("json_2.1.1/valid_seen/*/*/game.tw-pddl"))[::14]:
        problem = load_game_file(path).problem
        assert normal(written(tmp_path, problem).problem) == normal(problem)


def test_problem_that_cannot_be_solved_says_so(tmp_path: Path, kitchen: Problem) -> None:
    read = written(tmp_path, replace(kitchen, goal=Goal(GoalKind.PLACE, "Apple", "Sofa")))
    assert (read.solvable, read.walkthrough) == (False, ())


def test_help_is_the_engines_own(kitchen: Problem) -> None:
    """The real engine takes this text from the file."""
    assert TextGame(compile_game(kitchen)).step("help") in json.loads(to_game_file(kitchen))["grammar"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "put {a} mug in cabinet."}, ["task sentence 'put {a} mug in cabinet.'", "plain characters"]),
        ({"task": ""}, ["task sentence ''"]),
        ({"receptacles": (Receptacle("Desk 1", "Desk", "loc_bar_1_bar_1"),), "things": ()}, ["'Desk 1' is no name"]),
        ({"things": (Thing("mug_bar_1", "Coffee Mug"),)}, ["'Coffee MugType' is no name"]),
        ({"extra_ids": ("agent1",)}, ["'agent1' names two things, of sorts agent and object"]),
        ({"things": (Thing("desk_bar_1", "Desk"),)}, ["'DeskType' names two things, of sorts rtype and otype"]),
    ],
)
def test_what_the_format_cannot_say_is_a_named_error(kitchen: Problem, change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UnwritableProblemError) as caught:
        to_game_file(replace(kitchen, **change))
    assert all(word in str(caught.value) for word in words), str(caught.value)


# ---- folders


def test_folder_is_a_data_folder_of_alfworld(tmp_path: Path) -> None:
    source = HouseSource(holdout="rooms")
    for split in ("train", "validation", "test"):
        specs = source.tasks(split, 48)
        done = list(export_houses(source, specs, tmp_path))
        assert all(is_new for _, is_new in done)
        read = AlfWorldSource(tmp_path)
        assert sorted(path for path, _ in done) == sorted(task.task_id for task in read.tasks(split))
        folder = {"train": "train", "validation": "valid_seen", "test": "valid_unseen"}[split]
        scenes = range(27, 53) if split == "test" else range(1, 27)
        for spec, (path, _) in zip(specs, done, strict=True):
            match = re.fullmatch(rf"json_2\.1\.1/{folder}/(\w+)-(\w+)-None-(\w+)-(\d+)/trial_T(\d{{6}})_([a-z]+)/game\.tw-pddl", path)
            assert match is not None
            type_, object_, target, scene, number, room = match.groups()
            assert type_ == spec.type
            assert spec.task_id == f"{split}/{room}-{spec.task_id.split('-')[1]}-{number}"
            first = {"kitchen": 0, "livingroom": 200, "bedroom": 300, "bathroom": 400, "home": 500}[room]
            assert int(scene) - first in scenes
            assert read.load(path).game.goal == Goal(GoalKind(TASK_TYPES.index(type_)), object_, target)
            said = json.loads((tmp_path / path).with_name("traj_data.json").read_text())
            is_light = type_ == "look_at_obj_in_light"
            assert said["task_type"] == type_
            assert said["pddl_params"] == {
                "object_target": object_,
                "parent_target": "" if is_light else target,
                "toggle_target": target if is_light else "",
                "mrecep_target": "",
                "object_sliced": False,
            }
    assert not [path for path in tmp_path.iterdir() if path.name != "json_2.1.1"]


def test_second_export_leaves_what_is_the_same_and_refuses_what_is_not(tmp_path: Path) -> None:
    source = HouseSource()
    specs = source.tasks("train", 3)
    first = [path for path, _ in export_houses(source, specs, tmp_path)]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert list(export_houses(source, source.tasks("train", 4), tmp_path))[:3] == [(path, False) for path in first]
    (tmp_path / first[1]).write_text("mine")
    with pytest.raises(ExportTargetError, match=rf"{re.escape(first[1])}: another game"):
        list(export_houses(source, specs, tmp_path))
    assert (tmp_path / first[1]).read_text() == "mine"
    (tmp_path / first[0]).with_name("traj_data.json").unlink()
    with pytest.raises(ExportTargetError, match=r"traj_data\.json: another game, or part of one"):
        list(export_houses(source, specs, tmp_path))
    assert (tmp_path / first[2]).read_bytes() == before[tmp_path / first[2]]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "json_2.1.1").write_text("in the way")
    source = HouseSource()
    with pytest.raises(ExportTargetError, match=r"cannot write .*: Not a directory; give another folder"):
        list(export_houses(source, source.tasks("train", 1), tmp_path))


def test_interrupted_game_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HouseSource()

    def fail(self: Path, data: bytes) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(export.Path, "write_bytes", fail)
    with pytest.raises(KeyboardInterrupt):
        list(export_houses(source, source.tasks("train", 1), tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list(tmp_path.rglob("trial*"))
