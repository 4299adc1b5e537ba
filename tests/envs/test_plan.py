"""The floor plan as geometry: nothing overlaps, everything fits, and what is left of something stays left of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from homebody.envs.canvas import SMALLEST_TEXT, Box, measure
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.game import Game, compile_game, position_of, stand_of
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.picture.assignment import cheapest
from homebody.envs.household.picture.path import Floor, along
from homebody.envs.household.picture.plan import WIDE, Plan, lay_out

AREAS = {(960, 720): (Box(8, 79, 944, 513), 1.0), (1920, 1080): (Box(12, 113, 1896, 775), 1.5), (640, 720): (Box(5, 58, 630, 577), 2 / 3)}
"""What `HousePicture` gives the plan in pictures of these sizes, and its scale."""
LEAST = (Box(5, 57, 630, 338), 2 / 3)
"""The same in the smallest picture, 640x480: there labels of the fullest houses are cut, and still nothing overlaps."""


def plan_of(game: Game, size: tuple[int, int] = (960, 720)) -> Plan:
    area, scale = AREAS.get(size, LEAST)
    return lay_out(game, area, scale, lambda text, size: measure(text, size=size)[0])


def house(*pieces: tuple[str, float, float, float], cell: Callable[[float], int] = lambda metres: round(metres * 4)) -> Game:
    """Compile a house of receptacles, each a type and a position."""

    def number(value: float) -> str:
        cm = round(abs(value) * 100)
        return f"_{'minus' if value < 0 else 'plus'}_{cm // 100:02d}_dot_{cm % 100:02d}"

    def whole(value: int) -> str:
        return f"_minus_{-value}" if value < 0 else str(value)

    receptacles = tuple(
        Receptacle(
            f"{type_.lower()}_bar_{number(x)}_bar_{number(y)}_bar_{number(z)}",
            type_,
            f"loc_bar_{whole(cell(x))}_bar_{whole(cell(z))}_bar_{n % 4}_bar_30",
        )
        for n, (type_, x, y, z) in enumerate(pieces)
    )
    start = "loc_bar_0_bar_0_bar_0_bar_30"
    locations = tuple({receptacle.location for receptacle in receptacles} | {start})
    goal = Goal(GoalKind.PLACE, "Mug", "Shelf")
    return compile_game(Problem(receptacles, (), locations, start, frozenset(), goal, "put a mug in shelf."))


def check(game: Game, size: tuple[int, int], name: str) -> Plan:
    """Check everything that a plan promises."""
    area, _ = AREAS.get(size, LEAST)
    plan = plan_of(game, size)
    assert len(plan.pieces) == len(game.receptacles), name
    assert plan.label_size >= SMALLEST_TEXT, name
    for a, b in combinations([room.floor for room in plan.rooms], 2):
        assert not a.overlaps(b), name
    boxes = np.array([piece.box for piece in plan.pieces])
    right, bottom = boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
    apart = (right[:, None] <= boxes[None, :, 0]) | (bottom[:, None] <= boxes[None, :, 1])
    assert (apart | apart.T | np.eye(len(boxes), dtype=bool)).all(), name
    for receptacle, piece in zip(game.receptacles, plan.pieces, strict=True):
        where = f"{name}: {receptacle}"
        assert any(room.floor.holds(piece.box) and area.holds(room.floor) for room in plan.rooms), where
        assert piece.box.holds(piece.label), where
        assert piece.box.holds(piece.art), where
        assert not piece.art.overlaps(piece.label), where
        assert piece.art.width > 0 < piece.art.height, where
        assert "".join(piece.lines).replace("-", "").replace(" ", "") == receptacle.replace(" ", ""), where
        assert len(piece.lines) * plan.label_size <= piece.label.height, where
        assert size not in AREAS or all(measure(line, size=plan.label_size)[0] <= piece.label.width for line in piece.lines), where
    stands = np.array([piece.stand for piece in plan.pieces] + [plan.middle])
    inside = (stands[:, None] >= boxes[None, :, :2]) & (stands[:, None] < np.stack([right, bottom], axis=1)[None])
    assert not inside.all(axis=2).any(), name
    assert all(any(room.floor.contains(*stand) for room in plan.rooms) for stand in stands.tolist()), name
    return plan


def readable(plan: Plan, least_art: int) -> bool:
    return all(piece.art.height >= least_art and piece.art.width >= 60 for piece in plan.pieces)


# --- every house


@pytest.fixture(scope="module")
def made() -> list[tuple[str, Game]]:
    source = HouseSource()
    return [(task.task_id, compile_game(source.load(task.task_id))) for task in source.tasks("test", 200)]


@pytest.mark.parametrize("size", [*AREAS, (640, 480)])
def test_made_houses_fit(made: Sequence[tuple[str, Game]], size: tuple[int, int]) -> None:
    for name, game in made:
        plan = check(game, size, name)
        assert size[0] == 640 or readable(plan, 26), name
        kinds = {"kitchen": "kitchen", "bathroom": "bathroom", "bedroom": "bedroom", "livingroom": "living room"}
        room = name.split("/")[1].split("-")[0]
        if room == "home":
            assert len(plan.rooms) == 3
            assert plan.rooms[0].kind == "kitchen"
        else:
            assert [drawn.kind for drawn in plan.rooms] == [kinds[room]]


def test_large_and_small_homes_fit() -> None:
    for factor in (0.5, 2.0):
        source = HouseSource(rooms=["home"], size=factor)
        for task in source.tasks("train", 8):
            check(compile_game(source.load(task.task_id)), (1920, 1080), task.task_id)


def test_every_game_of_alfworld_fits(alfworld: Path) -> None:
    # Games in one room differ in their things and goals alone, which the plan does not look at.
    houses: dict[tuple[Receptacle, ...], tuple[Path, Problem]] = {}
    n_games = 0
    for path in sorted(alfworld.rglob("game.tw-pddl")):
        problem = load_game_file(path).problem
        key = tuple(replace(receptacle, opened=False) for receptacle in sorted(problem.receptacles, key=lambda r: r.id))
        houses.setdefault(key, (path, problem))
        n_games += 1
    assert n_games == 828
    for path, problem in houses.values():
        game = compile_game(replace(problem, things=()))
        check(game, (640, 480), path.parent.name)
        for size in AREAS:
            plan = check(game, size, path.parent.name)
            assert len(plan.rooms) == 1
            assert plan.rooms[0].kind != "room"
            assert readable(plan, 14 if size == (640, 720) else 26), (path.parent.name, size)


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(
            st.sampled_from(["Cabinet", "CounterTop", "Fridge", "Bed", "HandTowelHolder", "Shelf"]),
            *[st.integers(-400, 400).map(lambda cm: cm / 100)] * 3,
        ),
        min_size=1,
        max_size=40,
        unique_by=lambda piece: (piece[0], *piece[1:]),
    )
)
def test_any_single_room_fits(pieces: list[tuple[str, float, float, float]]) -> None:
    if not {"Fridge", "Bed"} <= {piece[0] for piece in pieces}:
        check(house(*pieces), (960, 720), str(pieces))


# --- where things stand


def test_position_and_stand_are_read_from_ids() -> None:
    assert position_of("cabinet_bar__minus_01_dot_29_bar__plus_00_dot_17_bar__minus_00_dot_58") == (-1.29, 0.17, -0.58)
    assert position_of("sink_bar_00_dot_00_bar__plus_00_dot_90_bar__plus_12_dot_05_bar_sinkbasin") == (0.0, 0.9, 12.05)
    assert position_of("cabinet_bar__plus_01_bar_00") is None
    assert position_of("cabinet") is None
    assert stand_of("loc_bar_4_bar__minus_2_bar_1_bar_45") == (1.0, -0.5)
    assert stand_of("loc_bar__minus_11_bar_0_bar_2_bar__minus_30") == (-2.75, 0.0)
    assert stand_of("loc_1") is None


def test_a_compiled_game_has_them(kitchen: Problem) -> None:
    assert set(compile_game(kitchen).positions) == {None}
    game = house(("Shelf", 1.5, 0.2, -2.25))
    assert (game.positions, game.stands) == (((1.5, 0.2, -2.25),), ((1.5, -2.25),))


def test_what_is_west_stays_left_and_what_is_north_stays_above() -> None:
    game = house(("Shelf", -2, 1, 3), ("Fridge", 2, 0, 3), ("Toaster", -2, 1, -3), ("Safe", 2, 0, -3))
    center = dict(zip(game.receptacle_types, [piece.box.center for piece in plan_of(game).pieces], strict=True))
    assert center["Shelf"][0] < center["Fridge"][0]
    assert center["Toaster"][0] < center["Safe"][0]
    assert center["Shelf"][1] < center["Toaster"][1]
    assert center["Fridge"][1] < center["Safe"][1]


def test_what_is_stacked_comes_side_by_side() -> None:
    around = [("Fridge", -2, 0, -2), ("Toaster", 2, 0, -2), ("Safe", -2, 0, 2), ("Microwave", 2, 0, 2)]
    game = house(("Drawer", 0, 0.2, 2), ("Drawer", 0, 0.5, 2), ("Drawer", 0, 0.8, 2), *around)
    drawers = [piece.box for piece, type_ in zip(plan_of(game).pieces, game.receptacle_types, strict=True) if type_ == "Drawer"]
    assert len({box.y for box in drawers}) == 1
    left, middle, right = sorted(box.x for box in drawers)
    assert middle - left == pytest.approx(right - middle, abs=1)


def test_wide_pieces_get_two_slots_where_there_is_room() -> None:
    game = house(("Sofa", 0, 0, 2), ("Toaster", 0, 0, -2), ("Safe", -2, 0, 0), ("Cabinet", 2, 0, 0))
    width = dict(zip(game.receptacle_types, [piece.box.width for piece in plan_of(game).pieces], strict=True))
    assert "Sofa" in WIDE
    assert width["Sofa"] > 1.8 * width["Cabinet"]


def test_a_house_without_positions_gets_a_plan(kitchen: Problem) -> None:
    plan = check(compile_game(kitchen), (960, 720), "kitchen")
    assert [room.kind for room in plan.rooms] == ["kitchen"]


def test_some_positions_are_enough(kitchen: Problem) -> None:
    known = Receptacle("shelf_bar__plus_00_dot_10_bar__plus_00_dot_10_bar__plus_00_dot_10", "Shelf", "loc_bar_1_bar_1")
    check(compile_game(replace(kitchen, receptacles=(*kitchen.receptacles, known))), (960, 720), "mixed")


def test_a_home_is_split_at_the_wide_gap() -> None:
    kitchen = [("Fridge", 0, 0, 0), ("Cabinet", 1, 0, 1), ("Shelf", 2.5, 0, 0)]
    bathroom = [("Toilet", 7, 0, 0), ("Shelf", 6, 0, 1)]
    game = house(*kitchen, *bathroom)
    plan = plan_of(game)
    assert [room.kind for room in plan.rooms] == ["kitchen", "bathroom"]
    for position, piece in zip(game.positions, plan.pieces, strict=True):
        assert position is not None
        assert plan.rooms[position[0] > 4].floor.holds(piece.box)
    (door,) = plan.doors
    assert (door.x, door.right) == (plan.rooms[0].floor.right, plan.rooms[1].floor.x)


def test_columns_are_chosen_as_cheaply_as_by_scipy() -> None:
    rng = np.random.default_rng(3)
    for n, extra in itertools.product((1, 2, 7, 30), (0, 1, 9)):
        costs = rng.random((n, n + extra)) * 100
        columns = cheapest(costs)
        assert len(set(columns)) == n
        rows, best = linear_sum_assignment(costs)
        assert costs[np.arange(n), columns].sum() == pytest.approx(costs[rows, best].sum())


# --- ways


def spots(way: Sequence[tuple[int, int]], n: int = 80) -> Iterable[tuple[int, int]]:
    return (along(way, step / n) for step in range(n + 1))


def test_ways_go_round_the_furniture(made: Sequence[tuple[str, Game]]) -> None:
    for name, game in made[::11]:
        plan = plan_of(game)
        floor = Floor(plan, plan.aisle // 2 - 4)
        stands = [plan.middle, *(piece.stand for piece in plan.pieces[::6])]
        for start, end in itertools.pairwise(stands):
            way = floor.way(start, end)
            assert (way[0], way[-1]) == (start, end), name
            for spot in spots(way):
                assert not any(piece.box.contains(*spot) for piece in plan.pieces), name
                assert any(place.contains(*spot) for place in (*plan.doors, *(room.floor for room in plan.rooms))), name


def test_a_free_way_is_straight() -> None:
    game = house(("Sofa", 0, 0, 2), ("Toaster", -2, 0, -2), ("Safe", 2, 0, -2))
    plan = plan_of(game)
    way = Floor(plan, 10).way((300, 300), (600, 330))
    assert max(abs(y - (300 + (x - 300) / 10)) for x, y in way) <= 6


def test_where_there_is_no_way_it_goes_straight() -> None:
    plan = plan_of(house(("Fridge", 0, 0, 0), ("Toilet", 6, 0, 0)))
    walled = replace(plan, doors=())
    start, end = walled.rooms[0].floor.center, walled.rooms[1].floor.center
    assert Floor(walled, 10).way(start, end) == [start, end]


def test_a_way_to_where_one_stands_is_that_spot() -> None:
    plan = plan_of(house(("Fridge", 0, 0, 0)))
    assert Floor(plan, 10).way((50, 200), (50, 200)) == [(50, 200)]
    assert along([(50, 200)], 0.3) == (50, 200)


def test_along_measures_by_length() -> None:
    way = [(0, 0), (100, 0), (100, 0), (100, 50)]
    assert [along(way, share) for share in (0, 1 / 3, 2 / 3, 1)] == [(0, 0), (50, 0), (100, 0), (100, 50)]
