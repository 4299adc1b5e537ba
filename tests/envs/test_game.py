from __future__ import annotations

import re
from dataclasses import replace

import pytest

from homebody.envs.household.game import ProblemError, Trait, compile_game, number_names
from homebody.envs.household.problem import Goal, GoalKind, Problem, Receptacle, Thing


def test_numbers_descend_as_ids_ascend() -> None:
    names = number_names(["cabinet_bar__minus_1", "cabinet_bar__plus_1", "cabinet_bar_0", "cabinet_bar__plus_0", "cabinet_bar_a"])
    assert names == {
        "cabinet_bar_0": "cabinet 5",
        "cabinet_bar__minus_1": "cabinet 4",
        "cabinet_bar__plus_0": "cabinet 3",
        "cabinet_bar__plus_1": "cabinet 2",
        "cabinet_bar_a": "cabinet 1",
    }


def test_numbers_pass_nine() -> None:
    names = number_names([f"drawer_bar_{i:02}" for i in range(12)])
    assert names["drawer_bar_00"] == "drawer 12"
    assert names["drawer_bar_11"] == "drawer 1"


def test_basin_anywhere_is_appended() -> None:
    names = number_names(["sink_bar_1", "sink_bar_1_bar_sinkbasin", "bathtub_bar_1_bar_bathtubbasin"])
    assert names == {"sink_bar_1": "sink 1", "sink_bar_1_bar_sinkbasin": "sinkbasin 1", "bathtub_bar_1_bar_bathtubbasin": "bathtubbasin 1"}


def test_id_without_bar_keeps_a_space_and_no_number() -> None:
    assert number_names(["agent1"]) == {"agent1": "agent1 "}


def test_repeated_ids_count_once_and_order_does_not_matter() -> None:
    ids = ["mug_bar_1", "mug_bar_2", "mug_bar_1"]
    assert number_names(ids) == number_names(reversed(ids)) == {"mug_bar_1": "mug 2", "mug_bar_2": "mug 1"}


def test_extra_ids_take_numbers(kitchen: Problem) -> None:
    game = compile_game(replace(kitchen, extra_ids=("apple_bar__minus_09",)))
    assert [name for name in game.objects if name.startswith("apple")] == ["apple 2", "apple 1"]
    game = compile_game(replace(kitchen, extra_ids=("apple_bar_z",)))
    assert [name for name in game.objects if name.startswith("apple")] == ["apple 3", "apple 2"]


def test_compiled_arrays_have_the_documented_shapes_and_types(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    n_objects, n_receptacles = len(kitchen.things), len(kitchen.receptacles)
    described = {name: (array.dtype.name, array.shape) for name, array in (game.world._asdict() | game.initial._asdict()).items()}
    assert described == {
        "place_of": ("int16", (n_receptacles,)),
        "here": ("uint64", (7, 1)),
        "openable": ("uint64", (1,)),
        "accepts": ("uint64", (n_objects, 1)),
        "tools": ("uint64", (3, 1)),
        "traits": ("uint16", (n_objects,)),
        "goal": ("int32", (2,)),
        "goal_receptacles": ("uint64", (1,)),
        "agent": ("int16", (2,)),
        "opened": ("uint64", (1,)),
        "inside": ("uint64", (n_objects, 1)),
        "taken": ("uint64", (n_objects, 1)),
        "at": ("uint64", (n_objects, 1)),
        "status": ("uint8", (n_objects,)),
    }


def test_compiled_arrays_cannot_be_changed(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    with pytest.raises(ValueError, match="read-only"):
        game.initial.status[0] = 1
    game.initial.copy().status[0] = 1


def test_state_of_a_house_of_the_largest_size_takes_under_2_kb() -> None:
    receptacles = tuple(Receptacle(f"drawer_bar_{i:02}", "Drawer", f"loc_bar_{i:02}") for i in range(54))
    things = tuple(Thing(f"pen_bar_{i:02}", "Pen") for i in range(73))
    problem = Problem(receptacles, things, (), "loc_bar_start", frozenset(), Goal(GoalKind.PLACE, "Pen", "Drawer"), "put a pen in drawer.")
    game = compile_game(problem)
    assert sum(array.nbytes for array in game.initial) <= 2048


def test_goal_object_must_be_able(kitchen: Problem) -> None:
    things = tuple(replace(t, flags=t.flags - {"heatable"}) if t.id.endswith("01") else t for t in kitchen.things)
    game = compile_game(replace(kitchen, things=things))
    assert [bool(t & Trait.GOAL_OBJECT) for t in game.world.traits[:2].tolist()] == [True, False]


def test_order_of_the_problem_does_not_matter(kitchen: Problem) -> None:
    turned = replace(kitchen, receptacles=kitchen.receptacles[::-1], things=kitchen.things[::-1], locations=kitchen.locations[::-1])
    one, other = compile_game(kitchen), compile_game(turned)
    assert one.objects == other.objects
    assert one.receptacles == other.receptacles
    assert one.contents == other.contents
    assert all((a == b).all() for a, b in zip((*one.world, *one.initial), (*other.world, *other.initial), strict=True))


def test_house_without_things_compiles() -> None:
    problem = Problem((), (), (), "loc_bar_1", frozenset(), Goal(GoalKind.PLACE, "Mug", "Desk"), "put a mug in desk.")
    assert compile_game(problem).objects == ()


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (Thing("mug_bar_9", "Mug", ("nowhere_bar_1",)), "'mug_bar_9' is inside 'nowhere_bar_1', which is not defined"),
        (Thing("mug_bar_9", "Mug", (), (), ("pea_bar_1",)), "'mug_bar_9' contains 'pea_bar_1', which is not defined"),
        (Thing("mug_bar_9", "Mug", flags=frozenset({"shiny"})), "'mug_bar_9' has the unknown flag 'shiny'"),
        (Thing("apple_bar__plus_00_bar_00", "Apple"), "the id 'apple_bar__plus_00_bar_00' is defined twice"),
        (Thing("desk_bar__plus_00_bar_00", "Desk"), "the id 'desk_bar__plus_00_bar_00' is defined twice"),
    ],
)
def test_contradictions_are_named(kitchen: Problem, thing: Thing, message: str) -> None:
    with pytest.raises(ProblemError, match=re.escape(message)):
        compile_game(replace(kitchen, things=(*kitchen.things, thing)))
