from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household.alfworld import errors, gamefile
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.alfworld.goal import recognise_goal
from homebody.envs.household.alfworld.sexpression import parse, show
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem

Write = Callable[..., Path]
APPLE = "apple_bar__plus_00_bar_00"
DESK = "desk_bar__plus_00_bar_00"


def normal(problem: Problem) -> Problem:
    """Sort what carries no meaning by its order."""
    return replace(
        problem,
        receptacles=tuple(sorted(problem.receptacles, key=lambda r: r.id)),
        things=tuple(replace(t, inside=tuple(sorted(t.inside))) for t in sorted(problem.things, key=lambda t: t.id)),
        locations=tuple(sorted(problem.locations)),
    )


@pytest.mark.parametrize("kind", list(GoalKind))
@pytest.mark.parametrize("logic", ["current", "2.1.1"])
def test_written_problem_is_read_back(tmp_path: Path, write_game: Write, kitchen: Problem, kind: GoalKind, logic: str) -> None:
    problem = replace(kitchen, goal=Goal(kind, "Apple", "DeskLamp" if kind == GoalKind.LIGHT else "Cabinet"))
    problem = replace(problem, locations=tuple(name for name in problem.locations))
    file = load_game_file(write_game(tmp_path, problem, logic=logic))
    assert (file.logic, file.solvable, file.walkthrough) == (logic, True, ("look",))
    used = {r.location for r in problem.receptacles} | {place for t in problem.things for place in t.at} | {problem.agent_location}
    # A fixture of which no fact tells more than its type and place is an object as any other.
    assert normal(file.problem) == normal(replace(problem, locations=tuple(used)))


def test_case_does_not_matter(tmp_path: Path, write_game: Write, kitchen: Problem) -> None:
    shouted = load_game_file(write_game(tmp_path, pddl=("cabinet_bar", "CABINET_bar")))
    assert normal(shouted.problem).receptacles == normal(kitchen).receptacles


def test_untyped_object_out_of_reach_only_counts_for_numbers(tmp_path: Path, write_game: Write) -> None:
    egg = "apple_bar_z_bar_cracked_0"
    text = f"(objectAtLocation {egg} loc_bar_7_bar_0) (pickupable {egg})"
    path = write_game(tmp_path, pddl=(f"{APPLE} - object", f"{APPLE} {egg} - object"))
    path.write_text(path.read_text().replace("(:init", f"(:init {text}"))
    problem = load_game_file(path).problem
    assert problem.extra_ids == (egg,)
    assert compile_game(problem).objects[:2] == ("apple 3", "apple 2")


def test_missing_walkthrough_and_solvable(tmp_path: Path, write_game: Write) -> None:
    file = load_game_file(write_game(tmp_path, walkthrough=None, solvable=None))
    assert (file.walkthrough, file.solvable) == ((), False)


def test_task_sentence_is_unescaped(tmp_path: Path, write_game: Write) -> None:
    grammar = '"Your task is to: say \\"hi\\" to the mug." "move {o} to {r}"'
    assert load_game_file(write_game(tmp_path, grammar=grammar)).problem.task == 'say "hi" to the mug.'
    grammar = '"Your task is to: a \\q mug." "move {o} to {r}"'
    assert load_game_file(write_game(tmp_path, grammar=grammar)).problem.task == "a \\q mug."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("put a caf\u00e9 cup on the shelf.", "put a caf\u00e9 cup on the shelf."),
        ("put the cook\u2019s \u201cbest\u201d mug away \u2014 now.", "put the cook\u2019s \u201cbest\u201d mug away \u2014 now."),
        ("\u628a\u676f\u5b50\u653e\u5728\u67b6\u5b50\u4e0a", "\u628a\u676f\u5b50\u653e\u5728\u67b6\u5b50\u4e0a"),
        ("put a\u00a0mug\\n  away.", "put a mug away."),
        ("put a \\ud83d mug\x1b[31m away.", "put a \ufffd mug\ufffd[31m away."),
        ("put a mug\u202e away\x00.", "put a mug\ufffd away\ufffd."),
    ],
)
def test_task_sentence_is_in_any_language_and_clean(tmp_path: Path, write_game: Write, written: str, read: str) -> None:
    path = write_game(tmp_path, grammar=f'"Your task is to: {written}" "move {{o}} to {{r}}"')
    assert load_game_file(path).problem.task == read


def test_byte_order_mark_changes_nothing(tmp_path: Path, write_game: Write) -> None:
    path = write_game(tmp_path)
    plain = load_game_file(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_game_file(path) == plain


FAULTS = [
    ({"pddl_problem": None}, errors.GameFileKeyError, "key 'pddl_problem' is missing"),
    ({"grammar": None}, errors.GameFileKeyError, "key 'grammar' is missing"),
    ({"grammar": 3}, errors.GameFileKeyError, "key 'grammar' is no text but int"),
    ({"walkthrough": "look"}, errors.GameFileKeyError, "'walkthrough' is no list of commands"),
    ({"walkthrough": [1]}, errors.GameFileKeyError, "'walkthrough' is no list of commands"),
    ({"grammar": '"move {o} to {r}"'}, errors.GrammarError, "has 0 task sentences"),
    ({"grammar": '"Your task is to: a." "Your task is to: b." "move {o} to {r}"'}, errors.GrammarError, "has 2 task sentences"),
    ({"grammar": '"Your task is to: \t " "move {o} to {r}"'}, errors.GrammarError, "the task sentence '' is empty"),
    ({"grammar": '"Your task is to: \\ud83d\u202e" "move {o} to {r}"'}, errors.GrammarError, "the task sentence '\ufffd\ufffd' is empty"),
    ({"grammar": '"Your task is to: ' * 21 + '"move {o} to {r}"'}, errors.GrammarError, "has 21 task sentences"),
    ({"grammar": f'"Your task is to: {"a" * 501}" "move {{o}} to {{r}}"'}, errors.GrammarError, "longer than 500"),
    ({"grammar": '"Your task is to: ." '}, errors.GrammarError, "has 0 of the templates"),
    ({"grammar": '"Your task is to: ." "move {o} to {r}" "put {o} in/on {r}"'}, errors.GrammarError, "has 2 of the templates"),
    ({"pddl_problem": ""}, errors.PddlSyntaxError, "not one (define ...) form"),
    ({"pddl_problem": "(define x)"}, errors.PddlSyntaxError, "holds something that is no section"),
    ({"pddl_problem": "(define (:init) (:init))"}, errors.PddlSyntaxError, "has the section (:init ...) twice"),
    ({"pddl_problem": "(define (:init) (:goal))"}, errors.PddlSyntaxError, "no (:objects ...) section"),
    ({"pddl_problem": "(define\n(:objects)))"}, errors.PddlSyntaxError, "line 2 closes a parenthesis that was never opened"),
    ({"pddl_problem": "(define\n\n  (:objects caf\u00e9))"}, errors.PddlSyntaxError, "line 3 has the character '\u00e9'"),
    ({"pddl": ("(:init", "((:init")}, errors.PddlSyntaxError, "1 parentheses are never closed"),
    ({"pddl": ("(:objects", "(:objects -")}, errors.PddlSyntaxError, "a '-' without names before it"),
    ({"pddl": ("WindowType - otype\n", "WindowType - otype lost\n")}, errors.PddlSyntaxError, "(:objects ...) gives no type to"),
    ({"pddl": ("agent1 - agent", "agent1 - (agent)")}, errors.PddlSyntaxError, "a '-' without names before it"),
    ({"pddl": ("agent1 - agent", "agent1 - agent (x) - y")}, errors.PddlSyntaxError, "a list where a name should be"),
    ({"pddl": ("agent1 - agent", "agent1 - agent agent1 - object")}, errors.PddlDeclarationError, "declared as agent and as object"),
    ({"pddl": (f"{APPLE} - object", "")}, errors.PddlDeclarationError, f"'{APPLE}' is used and not declared"),
    ({"pddl": (f"{APPLE} - object", f"{APPLE} - location")}, errors.PddlDeclarationError, "declared as location and used as object"),
    ({"pddl": ("(:init", "(:init (holds agent1)")}, errors.PddlFactError, "'holds' is not one this engine knows"),
    ({"pddl": ("(:init", "(:init (openabel agent1)")}, errors.PddlFactError, "did you mean openable"),
    ({"pddl": ("(:init", "(:init (opened)")}, errors.PddlFactError, "'opened' has 0 arguments, not 1"),
    ({"pddl": ("(:init", "(:init (not (opened x))")}, errors.PddlSyntaxError, "no fact of plain words"),
    ({"pddl": ("(:init", "(:init opened")}, errors.PddlSyntaxError, "no fact of plain words"),
    ({"pddl": ("(:init", "(:init ()")}, errors.PddlSyntaxError, "no fact of plain words"),
    ({"pddl": (f"(objectType {APPLE} AppleType)", "")}, errors.IncompleteHouseError, f"'{APPLE}' has 0 types, not one"),
    ({"pddl": (f"(receptacleAtLocation {DESK} loc_bar_6_bar_0)", "")}, errors.IncompleteHouseError, f"'{DESK}' has 0 locations, not one"),
    ({"pddl": (f"(receptacleType {DESK} DeskType)", "")}, errors.IncompleteHouseError, f"'{DESK}' has 0 types, not one"),
    ({"pddl": ("(atLocation agent1 loc_bar_0_bar_0)", "")}, errors.IncompleteHouseError, "0 facts say where the agent is"),
    ({"pddl": ("(isHot ?o)", "(isSliced ?o)")}, errors.UnknownGoalError, "is of no known form"),
    ({"pddl": ("(isHot ?o)", "(isHot ?r)")}, errors.UnknownGoalError, "is of no known form"),
    ({"pddl": ("(isHot ?o)", "(not (isHot ?o))")}, errors.UnknownGoalError, "has the part (not (isHot ?o))"),
    ({"pddl": ("(isHot ?o)", "isHot")}, errors.UnknownGoalError, "holds something that is no condition"),
    ({"pddl": ("(:goal (and", "(:goal (or")}, errors.UnknownGoalError, "which this engine does not know"),
    (
        {"pddl": ("(:goal (and", "(:goal (exists (?a ?b ?c ?d ?e ?f ?g - object) (isHot ?a)) (and")},
        errors.UnknownGoalError,
        "has more than 6 variables",
    ),
    ({"pddl": (APPLE, "a" * 115 + "_bar_1")}, errors.GameFileSizeError, "has 121 characters, more than the 120 allowed"),
    (
        {"pddl": ("(objectType ?o AppleType)", "(objectType ?o PearType)")},
        errors.PddlDeclarationError,
        "'peartype' is used and not declared",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), FAULTS, ids=[f"{e.__name__}-{m}" for _, e, m in FAULTS])
def test_faults_are_named(
    tmp_path: Path, write_game: Write, change: dict[str, object], error: type[errors.GameFileError], message: str
) -> None:
    path = write_game(tmp_path, **change)
    with pytest.raises(error, match=re.escape(message)) as caught:
        load_game_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith(error.remedy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, errors.GameFileMissingError, "cannot be read (No such file or directory)"),
        (b"\xff\xfe{}", errors.GameFileEncodingError, "is UTF-16, not UTF-8"),
        (b'{"a": "caf\xe9"}', errors.GameFileEncodingError, "is not UTF-8: invalid continuation byte at byte 10"),
        (b"", errors.GameFileJsonError, "is not JSON (Expecting value"),
        (b'{"a": ', errors.GameFileJsonError, "is not JSON"),
        (b'{"a": NaN}', errors.GameFileJsonError, "is not JSON (NaN is no number of JSON)"),
        (b'{"a": 1, "a": 2}', errors.GameFileJsonError, "is not JSON (an object has the key 'a' twice)"),
        (b"[]", errors.GameFileJsonError, "holds a JSON list, not an object"),
        (b"[" * 200_000, errors.GameFileJsonError, "is JSON nested deeper than 100 levels"),
        (b'{"a": ' + b"1" * 10_000 + b"}", errors.GameFileJsonError, "is not JSON (a whole number has 10000 digits)"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes | None, error: type[errors.GameFileError], message: str) -> None:
    path = tmp_path / "game.tw-pddl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=re.escape(message)):
        load_game_file(path)


def test_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "game.tw-pddl"
    with path.open("wb") as file:
        file.truncate(gamefile.MAX_BYTES + 1)
    with pytest.raises(errors.GameFileSizeError, match="more than the 2097152 allowed"):
        load_game_file(path)


@pytest.mark.parametrize(("n", "refused"), [(493, False), (494, True)])
def test_crowded_house_is_refused(tmp_path: Path, write_game: Write, n: int, refused: bool) -> None:
    """With its own seven receptacles the kitchen has 500, or one more."""
    names = [f"shelf_bar_{i}" for i in range(n)]
    facts = "".join(f"(receptacleType {name} DeskType) (receptacleAtLocation {name} loc_bar_6_bar_0)" for name in names)
    path = write_game(tmp_path, pddl=("(:init", f"(:init {facts}"))
    path.write_text(path.read_text().replace("(:objects", f"(:objects {' '.join(names)} - receptacle"))
    if refused:
        with pytest.raises(errors.GameFileSizeError, match="has 501 receptacles, more than the 500 allowed"):
            load_game_file(path)
    else:
        assert len(compile_game(load_game_file(path).problem).receptacles) == 500


def test_long_names_are_cut_in_messages(tmp_path: Path, write_game: Write) -> None:
    with pytest.raises(errors.PddlFactError, match=r"the initial fact 'aaaaaa.*aaa\.\.\.; get the file again") as caught:
        load_game_file(write_game(tmp_path, pddl=("(:init", f"(:init ({'a' * 10**6} x)")))
    assert len(str(caught.value)) < len(str(tmp_path)) + 600


def test_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.GameFileMissingError, match="Is a directory"):
        load_game_file(tmp_path)


def test_deep_nesting_does_not_overflow(tmp_path: Path, write_game: Write, kitchen: Problem) -> None:
    deep = 100_000
    path = write_game(tmp_path, pddl=("(:goal (and", "(:goal " + "(and " * deep + "(and"))
    path.write_text(path.read_text().replace("(receptacleType ?r CabinetType)))))", "(receptacleType ?r CabinetType)))))" + ")" * deep))
    text = path.read_text()
    with pytest.raises(errors.PddlSyntaxError, match="parentheses are never closed"):
        load_game_file(path)
    text = text[: text.index('", "grammar"')] + ")" * deep + text[text.index('", "grammar"') :]
    path.write_text(text)
    assert load_game_file(path).problem.goal == kitchen.goal


def test_costs_are_skipped(tmp_path: Path, write_game: Write) -> None:
    load_game_file(write_game(tmp_path, pddl=("(:init", "(:init (= (total-cost) 0)")))


def recognise(text: str) -> tuple[GoalKind, str, str]:
    path = Path("x")
    return recognise_goal(path, parse(path, text))


@pytest.mark.parametrize(
    "text",
    [
        "(exists (?a - object ?b - receptacle) (and (receptacleType ?b Xtype) (and (objectType ?a Ytype)) (inReceptacle ?a ?b)))",
        "(exists (?x - object) (exists (?y - receptacle) (and (inReceptacle ?x ?y) (OBJECTTYPE ?x Ytype) (receptacleType ?y Xtype))))",
        """(and (exists (?x - receptacle ?y - object)
            (and (inReceptacle ?y ?x) (inReceptacle ?y ?x) (objectType ?y Ytype) (receptacleType ?x Xtype))))""",
    ],
)
def test_goal_is_recognised_whatever_its_variables_and_nesting(text: str) -> None:
    assert recognise(text) == (GoalKind.PLACE, "ytype", "xtype")


def test_goal_to_look_at_a_lamp_under_a_lamp() -> None:
    text = """(exists (?ot - object ?r - receptacle ?a - agent ?l - location)
        (and (objectType ?ot LampType) (toggleable ?ot) (isToggled ?ot) (inReceptacle ?ot ?r)
            (receptacleAtLocation ?r ?l) (atLocation ?a ?l)))
        (exists (?o - object ?a - agent) (and (objectType ?o LampType) (holds ?a ?o)))"""
    assert recognise(text) == (GoalKind.LIGHT, "lamptype", "lamptype")


def test_long_goal_is_shown_short() -> None:
    path = Path("x")
    assert show(parse(path, "(a (b c) ())")) == "((a (b c) ()))"
    assert len(show(parse(path, "(abcdefghij " * 100 + ")" * 100))) <= 203


@settings(max_examples=60, deadline=None)
@given(damage=st.sampled_from(["cut", "swap", "drop"]), dice=st.randoms(use_true_random=False))
def test_no_damage_goes_unnamed(
    damage: str, dice: random.Random, game_json: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Change the PDDL text anywhere: it loads, or the error is a named one."""
    words = re.findall(r"[()]|[^\s()]+", str(game_json["pddl_problem"]).partition("\n")[2])
    i, j = dice.randrange(len(words)), dice.randrange(len(words))
    if damage == "cut":
        words = words[:i]
    elif damage == "swap":
        words[i], words[j] = words[j], words[i]
    else:
        del words[i]
    path = tmp_path_factory.getbasetemp() / "damaged.tw-pddl"
    path.write_text(json.dumps({**game_json, "pddl_problem": " ".join(words)}))
    with contextlib.suppress(errors.GameFileError):
        compile_game(load_game_file(path).problem)
