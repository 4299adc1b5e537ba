from __future__ import annotations

import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from homebody.envs.household.engine.game import ProblemError, compile_game, number_names
from homebody.envs.household.engine.layout import Head, ObjectSet, members, unpack, widen
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing


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


def test_objects_that_no_command_reaches_have_names_only(kitchen: Problem) -> None:
    # The window lies nowhere; a sliceable thing that lies nowhere can be sliced where it is.
    loose = Thing("bread_bar_1", "Bread", (), ("loc_bar_6_bar_0",), (), frozenset({"sliceable"}))
    game = compile_game(replace(kitchen, things=(*kitchen.things, loose)))
    assert game.objects == ("apple 2", "apple 1", "bread 1", "desklamp 1", "knife 1", "mug 1", "spoon 1")
    assert game.contents == (None, None, None, None, None, ("spoon 1",), None)


@pytest.mark.parametrize(
    ("n_receptacles", "n_objects", "r_words", "o_words"), [(1, 1, 1, 1), (64, 64, 1, 1), (65, 64, 2, 1), (7, 129, 1, 3)]
)
def test_tables_have_the_documented_shapes(n_receptacles: int, n_objects: int, r_words: int, o_words: int) -> None:
    game = compile_game(house(n_receptacles, n_objects))
    n_places = n_receptacles + 1
    described = {name: table.shape for name, table in (game.tables._asdict() | game.view(game.initial)._asdict()).items()}
    assert described == {
        "receptacle_sets": (4, r_words),
        "object_sets": (9, o_words),
        "place_of": (n_receptacles, 1),
        "here": (n_places, r_words),
        "first": (n_places + 1, 1),
        "members": (n_receptacles, 1),
        "targets": (n_receptacles, 1),
        "accepts": (n_objects, r_words),
        "place": (1, 1),
        "held": (1, 1),
        "opened": (1, r_words),
        "status": (5, o_words),
        "inside": (n_receptacles, o_words),
        "at": (n_places, o_words),
        "taken": (n_receptacles, o_words),
    }
    assert game.world.dtype == game.initial.dtype == np.uint64
    assert len(game.world) == len(Head) + sum(table.size for table in game.tables)
    assert len(game.initial) == sum(table.size for table in game.view(game.initial))


def house(n_receptacles: int, n_objects: int) -> Problem:
    receptacles = tuple(Receptacle(f"drawer_bar_{i:03}", "Drawer", f"loc_bar_{i:03}") for i in range(n_receptacles))
    things = tuple(Thing(f"pen_bar_{i:03}", "Pen", ("drawer_bar_000",)) for i in range(n_objects))
    goal = Goal(GoalKind.PLACE, "Pen", "Drawer")
    return Problem(receptacles, things, (), "loc_bar_start", frozenset(), goal, "put a pen in drawer.")


def test_kitchen_in_tables(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    world, state = game.tables, game.view(game.initial)
    # By id: cabinets (minus before plus), countertop, desk, fridge, microwave, sink. Objects: apples, lamp, knife, mug, spoon.
    assert [members(row) for row in world.receptacle_sets] == [[0, 1, 4, 5], [6], [5], [4]]
    assert [members(row) for row in world.here] == [[], [0, 1], [6], [5], [4], [3], [2]]  # the place of a minus comes last
    assert [members(row) for row in state.inside] == [[], [4], [0, 3, 4, 5], [2], [1], [], []]
    assert members(state.opened) == [0]
    assert [members(row) for row in state.status] == [[], [], [1], [], []]
    assert world.targets.ravel().tolist() == [0, 1]
    assert (state.place.item(), state.held.item()) == (0, 0)


def test_compiled_arrays_cannot_be_changed(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    for array in (game.world, game.initial):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    game.initial.copy()[0] = 1


def test_pickled_game_is_small_and_equal(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    game.cache["made of it"] = "x" * 10**6
    copy = pickle.loads(pickle.dumps(game))
    assert len(pickle.dumps(game)) < 5000
    assert copy.cache == {}
    assert (copy.objects, copy.goal, copy.world.tolist(), copy.initial.tolist()) == (
        game.objects,
        game.goal,
        game.world.tolist(),
        game.initial.tolist(),
    )


def test_state_of_a_house_of_the_largest_size_takes_under_2_kb() -> None:
    # Of ALFWorld's 828 games beside this repository the largest has 54 receptacles, and none has more than 64 objects that count.
    assert compile_game(house(54, 64)).initial.nbytes <= 2048


def test_goal_object_must_be_able(kitchen: Problem) -> None:
    things = tuple(replace(t, flags=t.flags - {"heatable"}) if t.id.endswith("01") else t for t in kitchen.things)
    game = compile_game(replace(kitchen, things=things))
    assert members(game.tables.object_sets[ObjectSet.GOAL_OBJECT]) == [0]


def test_widened_game_has_the_same_sets(kitchen: Problem) -> None:
    game = compile_game(kitchen)
    world, state = unpack(*widen(game.world, game.initial, 3, 2))
    assert (world.here.shape, state.inside.shape) == ((7, 3), (7, 2))
    for old, new in zip((*game.tables, *game.view(game.initial)), (*world, *state), strict=True):
        assert [members(row) for row in old] == [members(row) for row in new]


def test_order_of_the_problem_does_not_matter(kitchen: Problem) -> None:
    turned = replace(kitchen, receptacles=kitchen.receptacles[::-1], things=kitchen.things[::-1], locations=kitchen.locations[::-1])
    one, other = compile_game(kitchen), compile_game(turned)
    assert one.objects == other.objects
    assert one.receptacles == other.receptacles
    assert one.contents == other.contents
    assert (one.world == other.world).all()
    assert (one.initial == other.initial).all()


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
