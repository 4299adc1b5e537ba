"""Shared fixtures: a small house of our own, its game file, the slow reference of the rules, and the third-party data where it is there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alfworld"

APPLE = frozenset({"pickupable", "cleanable", "heatable", "coolable", "sliceable"})
DISH = frozenset({"pickupable", "cleanable", "heatable", "coolable", "container"})


def make_kitchen() -> Problem:
    """A kitchen: two receptacles share a location, one object is in two receptacles, one is a fixture, one has no number."""
    receptacles = (
        Receptacle("cabinet_bar__plus_01_bar_00", "Cabinet", "loc_bar_1_bar_1", openable=True),
        Receptacle("cabinet_bar__minus_01_bar_00", "Cabinet", "loc_bar_1_bar_1", openable=True, opened=True),
        Receptacle("countertop_bar__plus_00_bar_00", "CounterTop", "loc_bar__minus_2_bar_0"),
        Receptacle("sink_bar__plus_00_bar_00_bar_sinkbasin", "SinkBasin", "loc_bar_3_bar_0"),
        Receptacle("microwave_bar__plus_00_bar_00", "Microwave", "loc_bar_4_bar_0", openable=True),
        Receptacle("fridge_bar__plus_00_bar_00", "Fridge", "loc_bar_5_bar_0", openable=True),
        Receptacle("desk_bar__plus_00_bar_00", "Desk", "loc_bar_6_bar_0"),
    )
    things = (
        Thing("apple_bar__plus_00_bar_00", "Apple", ("countertop_bar__plus_00_bar_00",), ("loc_bar__minus_2_bar_0",), (), APPLE),
        Thing("apple_bar__plus_00_bar_01", "Apple", ("fridge_bar__plus_00_bar_00",), ("loc_bar_5_bar_0",), (), APPLE | {"cool"}),
        Thing(
            "mug_bar__plus_00_bar_00",
            "Mug",
            ("cabinet_bar__plus_01_bar_00", "countertop_bar__plus_00_bar_00"),
            ("loc_bar_1_bar_1",),
            ("spoon_bar__plus_00_bar_00",),
            DISH,
        ),
        Thing(
            "spoon_bar__plus_00_bar_00",
            "Spoon",
            ("countertop_bar__plus_00_bar_00",),
            ("loc_bar__minus_2_bar_0",),
            (),
            APPLE - {"sliceable"},
        ),
        Thing(
            "knife_bar__plus_00_bar_00",
            "Knife",
            ("countertop_bar__plus_00_bar_00",),
            ("loc_bar__minus_2_bar_0",),
            (),
            APPLE - {"sliceable"},
        ),
        Thing(
            "desklamp_bar__plus_00_bar_00", "DeskLamp", ("desk_bar__plus_00_bar_00",), ("loc_bar_6_bar_0",), (), frozenset({"toggleable"})
        ),
        Thing("window_bar__plus_00_bar_00", "Window", (), ("loc_bar_7_bar_0",)),
    )
    kinds = ("Cabinet", "CounterTop", "SinkBasin", "Microwave", "Fridge")
    return Problem(
        receptacles=receptacles,
        things=things,
        locations=tuple(sorted({r.location for r in receptacles} | {"loc_bar_7_bar_0", "loc_bar_0_bar_0"})),
        agent_location="loc_bar_0_bar_0",
        can_contain=frozenset((r, o) for r in kinds for o in ("Apple", "Mug", "Spoon", "Knife") if (r, o) != ("Microwave", "Knife")),
        goal=Goal(GoalKind.HEAT, "Apple", "Cabinet"),
        task="put a hot apple in cabinet.",
    )


DELIVERED = "(objectType ?o {o}) (receptacleType ?r {t}) (inReceptacle ?o ?r)"
GOALS = {
    GoalKind.PLACE: f"(exists (?r - receptacle) (exists (?o - object) (and {DELIVERED})))",
    GoalKind.LIGHT: """(exists (?ot - object ?r - receptacle ?a - agent ?l - location)
        (and (objectType ?ot {t}) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))
        (exists (?o - object ?a - agent) (and (objectType ?o {o}) (holds ?a ?o)))""",
    GoalKind.CLEAN: f"(exists (?r - receptacle) (exists (?o - object) (and (cleanable ?o) {DELIVERED} (isClean ?o))))",
    GoalKind.HEAT: f"(exists (?r - receptacle) (exists (?o - object) (and (heatable ?o) {DELIVERED} (isHot ?o))))",
    GoalKind.COOL: f"(exists (?r - receptacle) (exists (?o - object) (and (coolable ?o) {DELIVERED} (isCool ?o))))",
    GoalKind.TWO: f"""(exists (?r - receptacle) (exists (?o - object) (and {DELIVERED}
        (exists (?o2 - object) (and (not (= ?o ?o2)) (objectType ?o2 {{o}}) (receptacleType ?r {{t}}) (inReceptacle ?o2 ?r))))))""",
}
PREDICATES = {
    "pickupable": "pickupable",
    "cleanable": "cleanable",
    "heatable": "heatable",
    "coolable": "coolable",
    "sliceable": "sliceable",
    "toggleable": "toggleable",
    "container": "isReceptacleObject",
    "clean": "isClean",
    "hot": "isHot",
    "cool": "isCool",
    "sliced": "isSliced",
    "toggled": "isToggled",
}


def to_pddl(problem: Problem) -> str:
    """Write a problem as ALFWorld does."""
    objects = [f"{r.id} - receptacle" for r in problem.receptacles] + [f"{t.id} - object" for t in problem.things]
    objects += [f"{name} - location" for name in problem.locations] + ["agent1 - agent"]
    objects += [f"{name}Type - rtype" for name in sorted({r.type for r in problem.receptacles} | {r for r, _ in problem.can_contain})]
    objects += [f"{name}Type - otype" for name in sorted({t.type for t in problem.things} | {o for _, o in problem.can_contain})]
    facts = [f"(atLocation agent1 {problem.agent_location})"]
    for r in problem.receptacles:
        facts += [f"(receptacleType {r.id} {r.type}Type)", f"(receptacleAtLocation {r.id} {r.location})"]
        facts += [f"(openable {r.id})"] * r.openable + [f"(opened {r.id})"] * r.opened
    for t in problem.things:
        facts += [f"(objectType {t.id} {t.type}Type)", *(f"({PREDICATES[flag]} {t.id})" for flag in sorted(t.flags))]
        facts += [f"(inReceptacle {t.id} {r})" for r in t.inside] + [f"(objectAtLocation {t.id} {place})" for place in t.at]
        facts += [f"(inReceptacleObject {inner} {t.id})" for inner in t.contains]
    facts += [f"(canContain {r}Type {o}Type)" for r, o in sorted(problem.can_contain)]
    goal = GOALS[problem.goal.kind].format(o=f"{problem.goal.object}Type", t=f"{problem.goal.target}Type")
    lines = "\n    ".join([*objects, ")", "(:init", *facts, ")"])
    return f"; a game of our own\n(define (problem own)\n  (:domain alfred)\n  (:objects\n    {lines}\n  (:goal (and {goal})))\n"


def to_game_file(problem: Problem, logic: str = "current") -> dict[str, object]:
    """Write a problem as the JSON object of a `game.tw-pddl` file."""
    put = "move {o} to {r}" if logic == "current" else "put {o} in/on {r}"
    grammar = f'grammar :: """{{"task": [{{"rhs": "Your task is to: {problem.task}"}}]}}""";\naction PutObject {{ template :: "{put}"; }}'
    return {"pddl_problem": to_pddl(problem), "grammar": grammar, "pddl_domain": "", "solvable": True, "walkthrough": ["look"]}


def make_random_problem(dice: random.Random, n_receptacles: int = 4, n_things: int = 4) -> Problem:
    """A small house of which nothing makes sense: to find what sensible ones never show."""
    locations = [f"loc_bar_{i}" for i in range(dice.randint(1, 4))]
    kinds = ("Cabinet", "SinkBasin", "Microwave", "Fridge", "Shelf")
    receptacles = []
    for i in range(dice.randint(1, n_receptacles)):
        kind, openable = dice.choice(kinds), dice.random() < 0.5
        receptacles.append(
            Receptacle(f"{kind.lower()}_bar_{i:03}", kind, dice.choice(locations), openable, openable and dice.random() < 0.4)
        )
    ids = [r.id for r in receptacles]
    flags = ("cleanable", "heatable", "coolable", "sliceable", "clean", "hot", "cool", "container")
    things = []
    for i in range(dice.randint(1, n_things)):
        kind = dice.choice(("Apple", "Apple", "Knife", "DeskLamp"))
        own = {flag for flag in flags if dice.random() < 0.4}
        if dice.random() < (0.2 if kind == "DeskLamp" else 0.9):
            own.add("pickupable")
        if kind == "DeskLamp" or dice.random() < 0.1:
            own |= {"toggleable"} | ({"toggled"} if dice.random() < 0.2 else set())
        inside = tuple(sorted(dice.sample(ids, min(len(ids), dice.choice((0, 1, 1, 1, 1, 2))))))
        at = tuple(sorted(set(dice.choices(locations, k=dice.randint(0, 2)))))
        things.append(Thing(f"{kind.lower()}_bar_{i:03}", kind, inside, at, (), frozenset(own)))
    kind = dice.choice(tuple(GoalKind))
    return Problem(
        receptacles=tuple(receptacles),
        things=tuple(things),
        locations=(*locations, "loc_bar_start"),
        agent_location=dice.choice((*locations, "loc_bar_start")),
        can_contain=frozenset((r, o) for r in kinds for o in ("Apple", "Knife", "DeskLamp") if dice.random() < 0.6),
        goal=Goal(kind, "Apple", "DeskLamp" if kind == GoalKind.LIGHT else dice.choice(kinds)),
        task="do what the goal says.",
    )


@pytest.fixture(scope="session")
def kitchen() -> Problem:
    return make_kitchen()


@pytest.fixture(scope="session")
def random_problem() -> Callable[..., Problem]:
    return make_random_problem


@pytest.fixture(scope="session")
def game_json() -> dict[str, object]:
    """The kitchen's game file, as the JSON object it holds."""
    return to_game_file(make_kitchen())


@pytest.fixture
def write_game() -> Callable[..., Path]:
    """Write a game file: `write_game(folder, problem, logic=..., pddl=(old, new), **keys of the JSON object to change; None deletes)`."""

    def write(
        folder: Path, problem: Problem | None = None, *, logic: str = "current", pddl: tuple[str, str] | None = None, **keys: object
    ) -> Path:
        data = to_game_file(problem or make_kitchen(), logic)
        if pddl is not None:
            text = str(data["pddl_problem"])
            assert pddl[0] in text
            data["pddl_problem"] = text.replace(*pddl)
        data.update(keys)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "game.tw-pddl"
        path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))
        return path

    return write


@pytest.fixture
def data_dir(tmp_path: Path, write_game: Callable[..., Path], kitchen: Problem) -> Path:
    """A data folder of our own: two games to train, one seen, one unseen, and three that no listing shows."""
    place = replace(kitchen, goal=Goal(GoalKind.PLACE, "Spoon", "Cabinet"), task="put some spoon on cabinet.")
    root = tmp_path / "json_2.1.1"
    write_game(root / "train" / "pick_heat_then_place_in_recep-Apple-None-Cabinet-1" / "trial_T1")
    write_game(root / "train" / "my-own-name" / "trial_T2", place)
    write_game(root / "valid_seen" / "pick_and_place_simple-Spoon-None-Cabinet-1" / "trial_T3", place, logic="2.1.1")
    write_game(root / "valid_unseen" / "pick_and_place_simple-Spoon-None-Cabinet-2" / "trial_T4", place)
    write_game(root / "valid_unseen" / "pick_and_place_simple-AppleSliced-None-Cabinet-2" / "trial_T5")
    write_game(root / "valid_unseen" / "pick_and_place_with_movable_recep-Spoon-Mug-Cabinet-2" / "trial_T6", place)
    write_game(root / "valid_unseen" / "pick_and_place_simple-Spoon-None-Cabinet-3" / "trial_T7", place, solvable=False)
    return tmp_path


@pytest.fixture(scope="session")
def reference(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The rules of the house written anew, in plain Python."""
    return load_module("envs/reference.py")


@pytest.fixture(scope="session")
def alfworld() -> Path:
    """The folder of real ALFWorld games and transcripts."""
    if not DATA.is_dir():
        pytest.skip("the real ALFWorld games are not beside this repository (../shared/data/alfworld)")
    return DATA


@pytest.fixture(scope="session")
def parity(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The recording of the real engine, and how it is made."""
    return load_module("envs/parity_household.py")
