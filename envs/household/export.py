"""Household games written as ALFWorld's own files: `game.tw-pddl`, which the real ALFWorld plays too, and the `traj_data.json` beside it.

Knows PDDL, the current version of ALFWorld's rules, and how its data folder is laid out; makes no house.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from homebody.envs.core import EnvError, TaskSpec
from homebody.envs.household.alfworld.games import GAME_FILE, TRAJECTORY_FILE, UPSTREAM_SPLITS
from homebody.envs.household.alfworld.pddl import FLAGS
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import TASK_TYPES, GoalKind, Problem
from homebody.envs.household.expert.expert import NoPlanError, plan
from homebody.envs.household.houses.houses import HouseSource, parse_house_id

"""What ALFWorld looks for beside a game; it lists no game without one."""

_DELIVERED: Final = "(inReceptacle ?o ?r) (objectType ?o {0}) (receptacleType ?r {1})"
_PUT: Final = "(exists (?r - receptacle) (exists (?o - object) (and " + _DELIVERED + " {2})))"
_GOALS: Final = {
    GoalKind.PLACE: _PUT.replace(" {2}", ""),
    GoalKind.LIGHT: (
        "(exists (?lamp - object ?r - receptacle ?a - agent ?l - location) (and (objectType ?lamp {1}) (toggleable ?lamp)"
        " (isToggled ?lamp) (inReceptacle ?lamp ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)))"
        " (exists (?o - object ?a - agent) (and (objectType ?o {0}) (holds ?a ?o)))"
    ),
    GoalKind.CLEAN: _PUT.replace("{2}", "(cleanable ?o) (isClean ?o)"),
    GoalKind.HEAT: _PUT.replace("{2}", "(heatable ?o) (isHot ?o)"),
    GoalKind.COOL: _PUT.replace("{2}", "(coolable ?o) (isCool ?o)"),
    GoalKind.TWO: _PUT.replace(
        "{2}",
        "(exists (?o2 - object) (and (not (= ?o ?o2)) (objectType ?o2 {0}) (receptacleType ?r {1}) (inReceptacle ?o2 ?r)))",
    ),
}
_ID: Final = re.compile(r"[a-z][a-z0-9_]*")
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TASK: Final = re.compile(r"[A-Za-z0-9 !$%&'()*+,./:=?@^_`~-]+")
"""A sentence without the characters that mean something in a TextWorld grammar or in JSON."""

_FIRST_SCENE: Final = {"kitchen": 0, "livingroom": 200, "bedroom": 300, "bathroom": 400, "home": 500}
"""ALFRED numbers its rooms so: kitchens from 1, living rooms from 201, bedrooms from 301, bathrooms from 401."""


class ExportError(EnvError):
    """A game cannot be written as ALFWorld's own file."""


class UnwritableProblemError(ExportError):
    """A problem holds a name or a sentence that ALFWorld's formats cannot express."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this problem cannot be written as a game of ALFWorld: {what}; change it, or play it without exporting it")


class ExportTargetError(ExportError):
    """A file cannot be written where the export should go."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"cannot write {path}: {problem}; give another folder, or remove what is in the way")


def export_houses(source: HouseSource, specs: Iterable[TaskSpec], out: Path) -> Iterator[tuple[str, bool]]:
    """Write houses as a data folder of ALFWorld, one by one.

    A game is the folder `json_2.1.1/SPLIT/TYPE-OBJECT-None-TARGET-SCENE/trial_TNUMBER_HOUSE/` with `game.tw-pddl` and `traj_data.json`,
    SPLIT being ALFWorld's name of it. SCENE is the number of a held-out layout as ALFRED numbers rooms, else that of the house. The folder
    appears with both its files in it. A game that is there already is left as it is.

    Args:
        source: Where the houses come from.
        specs: Its tasks to write.
        out: The data folder; made where it is missing.

    Yields:
        The path of a `game.tw-pddl` below `out`, and whether it was written: not if the same game was there.

    Raises:
        ExportTargetError: Something else is there, or it cannot be written.
    """
    for spec in specs:
        house = source.build(spec.task_id)
        _, name, _, number = parse_house_id(spec.task_id)
        goal, trial = house.problem.goal, f"trial_T{number:06d}_{name}"
        scene = _FIRST_SCENE[name] + house.layout if house.layout else number
        folder = f"json_2.1.1/{UPSTREAM_SPLITS[spec.split]}/{spec.type}-{goal.object}-None-{goal.target}-{scene}/{trial}"
        files = {GAME_FILE: to_game_file(house.problem), TRAJECTORY_FILE: _trajectory(house.problem, trial, scene)}
        yield f"{folder}/{GAME_FILE}", _write(out, folder, files)


def to_game_file(problem: Problem) -> str:
    """Write a problem as the text of a `game.tw-pddl` file: the real ALFWorld plays it as `TextGame` does.

    The walkthrough is the expert's. A problem that cannot be solved is written as `"solvable": false`, without one: ALFWorld lists no such
    game, and its planner cannot load one.

    Raises:
        ProblemError: The problem contradicts itself.
        UnwritableProblemError: A name or the task sentence has characters that the file cannot express.
    """
    if not _TASK.fullmatch(problem.task):
        raise UnwritableProblemError(f"the task sentence {problem.task!r} is empty or has other than plain characters")
    game = TextGame(compile_game(problem))
    try:
        walkthrough = [game.language.command(code) for code in plan(game.game, game.state)]
        solvable = True
    except NoPlanError:
        walkthrough, solvable = [], False
    content = {
        "pddl_domain": _asset("domain.pddl"),
        "grammar": _asset("grammar.twl2").replace("to: TASK", f"to: {problem.task}"),
        "pddl_problem": to_pddl(problem),
        "solvable": solvable,
        "walkthrough": walkthrough,
    }
    return json.dumps(content) + "\n"


def to_pddl(problem: Problem) -> str:
    """Write a problem in PDDL.

    Raises:
        UnwritableProblemError: A name is none in PDDL, or is used for two things.
    """
    objects = [f"{name} - {sort}" for name, sort in _declarations(problem)]
    facts = [f"(atLocation agent1 {problem.agent_location})"]
    for r in problem.receptacles:
        facts += [f"(receptacleType {r.id} {r.type}Type)", f"(receptacleAtLocation {r.id} {r.location})"]
        facts += [f"(openable {r.id})"] * r.openable + [f"(opened {r.id})"] * r.opened
    for t in problem.things:
        facts += [f"(objectType {t.id} {t.type}Type)", *(f"({FLAGS[flag]} {t.id})" for flag in sorted(t.flags))]
        facts += [f"(inReceptacle {t.id} {r})" for r in t.inside] + [f"(objectAtLocation {t.id} {place})" for place in t.at]
        facts += [f"(inReceptacleObject {inner} {t.id})" for inner in t.contains]
    facts += [f"(canContain {r}Type {o}Type)" for r, o in sorted(problem.can_contain)]
    # What is named by no other fact counts in the numbering of names only if some fact names it; these two change nothing else.
    facts += [f"(moveable {id_})" for id_ in problem.extra_ids] + [f"(examined {place})" for place in problem.locations]
    goal = _GOALS[problem.goal.kind].format(f"{problem.goal.object}Type", f"{problem.goal.target}Type")
    parts = (("objects", objects), ("init", facts), ("goal", [f"(and {goal})"]))
    sections = "".join(f"  (:{name}\n    {joined}\n  )\n" for name, lines in parts for joined in ["\n    ".join(lines)])
    return f"(define (problem house)\n  (:domain alfred)\n{sections})\n"


def _declarations(problem: Problem) -> list[tuple[str, str]]:
    """Return every name of a problem, with its sort."""
    goal, is_light = problem.goal, problem.goal.kind == GoalKind.LIGHT
    rtypes = {r.type for r in problem.receptacles} | {r for r, _ in problem.can_contain} | (set() if is_light else {goal.target})
    otypes = {t.type for t in problem.things} | {o for _, o in problem.can_contain} | {goal.object} | ({goal.target} if is_light else set())
    # The domain's actions name these types, so they are declared in any case: `Sink` as ALFWorld does, unless it is a receptacle here.
    rtypes |= {"Fridge", "Microwave", "SinkBasin"}
    otypes |= {"ButterKnife", "Knife", "Sink"} - rtypes
    ids = [("agent1", "agent"), *((r.id, "receptacle") for r in problem.receptacles), *((t.id, "object") for t in problem.things)]
    ids += [*((id_, "object") for id_ in problem.extra_ids), *((place, "location") for place in problem.locations)]
    types = [*((f"{name}Type", "rtype") for name in sorted(rtypes)), *((f"{name}Type", "otype") for name in sorted(otypes))]
    for form, names in ((_ID, ids), (_TYPE, types)):
        for name, _ in names:
            if not form.fullmatch(name):
                raise UnwritableProblemError(f"{name!r} is no name that PDDL and ALFWorld both take")
    sorts: dict[str, str] = {}
    for name, sort in (*ids, *types):
        if name.lower() in sorts:
            raise UnwritableProblemError(f"{name!r} names two things, of sorts {sorts[name.lower()]} and {sort}")
        sorts[name.lower()] = sort
    return [*ids, *types]


def _trajectory(problem: Problem, trial: str, scene: int) -> str:
    """Write what ALFWorld needs of `traj_data.json`: to list the game by its type, and the hints of its scripted expert."""
    goal, is_light = problem.goal, problem.goal.kind == GoalKind.LIGHT
    params = {
        "object_target": goal.object,
        "parent_target": "" if is_light else goal.target,
        "toggle_target": goal.target if is_light else "",
        "mrecep_target": "",
        "object_sliced": False,
    }
    content = {
        "task_id": trial,
        "task_type": TASK_TYPES[goal.kind],
        "pddl_params": params,
        "scene": {"scene_num": scene, "floor_plan": f"FloorPlan{scene}"},
        "turk_annotations": {"anns": [{"task_desc": problem.task}]},
    }
    return json.dumps(content, indent=2) + "\n"


def _write(out: Path, folder: str, files: Mapping[str, str]) -> bool:
    """Write a folder of files; return false if it is there and the same."""
    target = out / folder
    try:
        if os.path.lexists(target):
            for name, text in files.items():
                if not (target / name).is_file() or (target / name).read_bytes() != text.encode():
                    raise ExportTargetError(target / name, "another game, or part of one, is there")
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=out) as staging:
            whole = Path(staging) / "game"
            whole.mkdir()
            for name, text in files.items():
                (whole / name).write_bytes(text.encode())
            whole.rename(target)
    except OSError as error:
        raise ExportTargetError(target, error.strerror or str(error)) from None
    return True


@cache
def _asset(name: str) -> str:
    return resources.files("homebody.assets").joinpath("household", name).read_text(encoding="utf-8")
