"""Where things stood: scenes of toy tours, counted by hand."""

from typing import Any

import pytest

from homebody.envs import TaskSpec
from homebody.evolution.evidence.explore import Moment, Walk
from homebody.evolution.evidence.locations import (
    Observation,
    Scene,
    best_density_exponent,
    count,
    finishing_actions,
    read,
    search_cost,
    slots_never_filled,
    with_skips,
)

FORMS = ("go to #", "open #")


def walk(*moments: tuple[str, str, tuple[str, ...]], goal: str = "a goal") -> Walk:
    return Walk(TaskSpec("train/a-0", "a", "train"), goal, (), tuple(Moment(*moment) for moment in moments), False)


TOUR = walk(
    ("go to pit 1", "At pit 1: rope 1, rope 2, bell 1.", ("go to chest 1", "go to pit 2", "lift rope 1")),
    ("go to chest 1", "The chest 1 is closed.", ("go to pit 2", "open chest 1")),  # not done: it can be opened
    ("open chest 1", "In chest 1: bell 2.", ("go to pit 1", "go to pit 2")),
    ("go to pit 2", "At pit 2: nothing.", ("go to chest 1", "go to pit 1")),
)
ANOTHER = walk(
    ("go to pit 1", "At pit 1: rope 3.", ()),
    ("go to chest 1", "In chest 1: rope 4.", ()),  # stands open already
)


def scene(goal: str, **places: list[str]) -> Scene:
    """A scene whose places have such things, each a look at one command: `shelf_1=["cup"]` is a place of kind `shelf`."""
    looks = tuple(Observation(name.partition("_")[0], 1, frozenset(things)) for name, things in places.items())
    return Scene(goal, looks)


def test_a_tour_is_read_as_looks() -> None:
    first, order = read(TOUR, FORMS)
    assert first.observations == (
        Observation("pit", 1, frozenset({"rope", "bell"})),
        Observation("chest", 2, frozenset({"bell"})),
        Observation("pit", 1, frozenset()),
    )
    assert (first.number, first.things) == ({"pit": 2, "chest": 1}, {"rope", "bell"})
    assert order == {"go to #": [0, 0, 0], "open #": [1]}


def test_counts_by_hand() -> None:
    counts = count(read(tour, FORMS)[0] for tour in (TOUR, ANOTHER))
    assert counts.hits == {"bell": {"chest": 1, "pit": 1}, "rope": {"chest": 1, "pit": 2}}
    assert counts.observations == {"chest": 2, "pit": 3}
    assert counts.scene_observations == {"bell": {"chest": 1, "pit": 2}, "rope": {"chest": 2, "pit": 3}}  # no bell in the second scene
    assert counts.mean_places == {"chest": 1.0, "pit": 1.5}
    assert counts.cost == {"chest": 1.5, "pit": 1.0}  # chests: two commands, then one
    assert [list(counts.hits), list(counts.hits["rope"]), list(counts.scene_observations)] == [
        ["bell", "rope"],
        ["chest", "pit"],
        ["bell", "rope"],
    ]
    assert (counts.rate("bell", "pit"), counts.rate("bell", "well"), counts.rate("fox", "pit")) == (0.5, 0.0, 0.0)


def test_nothing_seen_is_nothing_counted() -> None:
    counts = count([])
    assert (counts.hits, counts.observations, counts.scene_observations, counts.mean_places, counts.cost) == ({}, {}, {}, {}, {})
    assert best_density_exponent([]) == 0.0
    assert finishing_actions([]) == ()


def test_a_place_is_no_thing_that_stands_in_itself_but_another_of_its_kind_is() -> None:
    assert read(walk(("go to box 1", "In box 1: box 2.", ())), ("go to #",))[0].observations == (Observation("box", 1, frozenset({"box"})),)


def test_a_form_that_ends_looks_half_of_the_time_only_does_not_mostly_end_them() -> None:
    begun = {"go to #": [0], "open #": [1]}
    at_once = {"open #": [0]}
    assert finishing_actions([begun, at_once]) == ()
    assert finishing_actions([begun, begun, at_once]) == ("open #",)


def test_a_search_by_hand() -> None:
    counts = count([scene("g", shelf_1=["cup"], shelf_2=[], desk_1=[], desk_2=[])] * 2)
    # A cup at 2 of 4 shelves and at none of 4 desks: shelves first.
    assert search_cost(scene("g", shelf_1=[], shelf_2=["cup"], desk_1=[]), "cup", counts, 0.0) == pytest.approx(1.5)
    # Three empty shelves first, then one of two desks.
    unlucky = scene("g", shelf_1=[], shelf_2=[], shelf_3=[], desk_1=["cup"], desk_2=[])
    assert search_cost(unlucky, "cup", counts, 0.0) == pytest.approx(4.5)
    # What stands nowhere is found nowhere, after all has been looked at.
    assert search_cost(scene("g", shelf_1=[], desk_1=[]), "cup", counts, 0.0) == pytest.approx(2.0)


def test_crowding_is_learned_where_one_of_many_holds_the_thing() -> None:
    # One cup a scene: now the only shelf has it, now one of two desks. A scene with one desk and eight shelves has it at the desk.
    few = [scene("find a cup", shelf_1=["cup"], **{f"desk_{i}": [] for i in range(n)}) for n in (1, 2, 3, 4)]
    many = [scene("find a cup", desk_1=["cup"], **{f"shelf_{i}": [] for i in range(n)}) for n in (5, 6, 7, 8)]
    assert best_density_exponent([*few, *many]) > 0.0
    # Where each place has it, the number of places says nothing, and of equals the smallest is taken.
    alike: list[Any] = [scene("find a cup", **{f"shelf_{i}": ["cup"] for i in range(n)}) for n in (1, 2, 3, 4)]
    assert best_density_exponent(alike) == 0.0


def test_slots_where_the_wanted_never_stands() -> None:
    # The goal wants the cup on a shelf: there are none. Elsewhere two of three shelves have one.
    wanting = [scene("put a cup on a shelf", shelf_1=[], shelf_2=[], desk_1=["cup"])] * 3
    other = [scene("wash it", shelf_1=["cup"], shelf_2=["cup"], shelf_3=[])] * 6
    kinds = frozenset({"cup", "shelf", "desk"})
    counts = count([*wanting, *other])
    assert counts.rate("cup", "shelf") == 0.5  # 12 of 24: three were to be expected at the six shelves of the first
    assert slots_never_filled([*wanting, *other], counts, kinds) == {"put a {0} on a {1}": ["{1}"]}
    # Two scenes with the goal are too few to be sure; and one hit is enough to say nothing.
    assert slots_never_filled([*wanting[:2], *other], counts, kinds) == {}
    assert slots_never_filled([*wanting, scene("put a cup on a shelf", shelf_1=["cup"])], counts, kinds) == {}


def test_frames_get_their_skips() -> None:
    plans: list[dict[str, Any]] = [{"goal": "put a {0} on a {1}", "steps": []}, {"goal": "wash it", "steps": []}]
    assert with_skips(plans, {"put a {0} on a {1}": ["{1}"]}) == ({**plans[0], "skip": ["{1}"]}, plans[1])
