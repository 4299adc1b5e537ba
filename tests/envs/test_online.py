"""The expert that sees only what an agent sees."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest

import homebody.envs  # registers the ids
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem, Receptacle, Thing
from homebody.envs.household.expert import expert
from homebody.envs.household.expert.expert import NoPlanError
from homebody.envs.household.expert.scripted import GoalSentenceError, OnlineExpert, read_goal
from homebody.envs.household.houses.houses import HouseSource

MOST = 60
"""Steps that a test waits for the end of a game; every game known to us takes fewer."""


def play_out(play: TextGame, player: OnlineExpert) -> list[str]:
    """Let the expert play on; return its commands, each of which must have been on offer."""
    commands: list[str] = []
    while not play.won and len(commands) < MOST:
        menu = play.admissible()
        command = player.choose(menu)
        assert command in menu
        commands.append(command)
        player.see(play.step(command))
    return commands


def start(problem: Problem, logic: str = "current") -> tuple[TextGame, OnlineExpert]:
    play = TextGame(compile_game(problem), logic)  # type: ignore[arg-type]
    player = OnlineExpert(problem.task)
    player.see(play.reset())
    return play, player


@pytest.mark.parametrize(
    ("sentence", "goal"),
    [
        ("put a mug in cabinet.", (GoalKind.PLACE, "mug", "cabinet")),
        ("put some spraybottle on toilet.", (GoalKind.PLACE, "spraybottle", "toilet")),
        ("look at cd under the desklamp.", (GoalKind.LIGHT, "cd", "desklamp")),
        ("examine the book with the floorlamp", (GoalKind.LIGHT, "book", "floorlamp")),
        ("put a clean pan in countertop.", (GoalKind.CLEAN, "pan", "countertop")),
        ("clean some cloth and put it in cabinet.", (GoalKind.CLEAN, "cloth", "cabinet")),
        ("put a hot egg in garbagecan.", (GoalKind.HEAT, "egg", "garbagecan")),
        ("heat some apple and put it in fridge.", (GoalKind.HEAT, "apple", "fridge")),
        ("put a cool wine in shelf.", (GoalKind.COOL, "wine", "shelf")),
        ("cool some bread and put it in countertop.", (GoalKind.COOL, "bread", "countertop")),
        ("put two cd in safe.", (GoalKind.TWO, "cd", "safe")),
        ("find two soapbar and put them in drawer.", (GoalKind.TWO, "soapbar", "drawer")),
    ],
)
def test_goal_sentences_are_understood(sentence: str, goal: tuple[GoalKind, str, str]) -> None:
    assert read_goal(sentence) == goal


@pytest.mark.parametrize("sentence", ["", "put mug", "wash the dishes.", "put a clean mug.", "x" * 5000])
def test_other_goals_are_refused_in_one_line(sentence: str) -> None:
    with pytest.raises(GoalSentenceError, match="the online expert does not understand the goal") as caught:
        OnlineExpert(sentence)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_it_solves_procedural_houses_and_needs_more_steps_than_one_who_knows_where_things_are() -> None:
    source = HouseSource()
    lengths = []
    for task in source.tasks("test", 60):
        play, player = start(source.load(task.task_id))
        shortest = len(expert.plan(play.game, play.state))
        lengths.append((len(play_out(play, player)), shortest))
        assert play.won, task
        assert lengths[-1][0] >= shortest
    assert sum(n for n, _ in lengths) > sum(shortest for _, shortest in lengths)


@pytest.mark.parametrize("logic", ["current", "2.1.1"])
def test_it_solves_houses_in_both_logics_from_wherever_somebody_else_has_led_them(logic: str) -> None:
    dice = random.Random(3)
    source = HouseSource()
    n = 0
    for task in source.tasks("validation", 36):
        play, player = start(source.load(task.task_id), logic)
        for _ in range(dice.randint(1, 40)):
            player.see(play.step(dice.choice(play.admissible())))
        try:
            expert.plan(play.game, play.state)
        except NoPlanError:
            continue
        play_out(play, player)
        assert play.won, task
        n += 1
    assert n > 25


def test_the_same_answers_give_the_same_commands() -> None:
    problem = HouseSource().load("train/kitchen-heat-000001")
    assert play_out(*start(problem)) == play_out(*start(problem))


def test_it_solves_real_games(alfworld: Path) -> None:
    files = sorted(alfworld.rglob("game.tw-pddl"))[::12]
    assert len(files) == 69
    for path in files:
        file = load_game_file(path)
        play, player = start(file.problem, file.logic)
        play_out(play, player)
        assert play.won, path


def test_it_knows_nothing_of_what_it_has_not_read(kitchen: Problem) -> None:
    """Two houses that differ only inside closed receptacles get the same commands until one of these is opened."""
    commands = []
    for inside, place in (("fridge_bar__plus_00_bar_00", "loc_bar_5_bar_0"), ("microwave_bar__plus_00_bar_00", "loc_bar_4_bar_0")):
        things = tuple(replace(t, inside=(inside,), at=(place,)) if t.type == "Spoon" else t for t in kitchen.things)
        goal, contain = Goal(GoalKind.PLACE, "Spoon", "Desk"), kitchen.can_contain | {("Desk", "Spoon")}
        play, player = start(replace(kitchen, things=things, goal=goal, can_contain=contain, task="put a spoon in desk."))
        commands.append(play_out(play, player))
        assert play.won
    first, second = commands
    opened = min(first.index("open fridge 1"), second.index("open microwave 1"))
    assert first[: opened + 1] == second[: opened + 1]


def test_what_cannot_be_done_ends_in_looking(kitchen: Problem) -> None:
    """No object of the goal, none of its tools, or nowhere to put it: it looks on, and keeps to the commands on offer."""
    without_apples = tuple(t for t in kitchen.things if t.type != "Apple")
    without_microwave = tuple(r for r in kitchen.receptacles if r.type != "Microwave")
    nowhere = frozenset(pair for pair in kitchen.can_contain if pair[0] != "Cabinet")
    for house in (
        replace(kitchen, things=without_apples),
        replace(kitchen, receptacles=without_microwave),
        replace(kitchen, can_contain=nowhere),
    ):
        play, player = start(house)
        assert play_out(play, player)[-1] == "look"
        assert len(play.admissible()) > 0


def test_an_object_that_is_in_the_way_is_put_down_first(kitchen: Problem) -> None:
    play, player = start(kitchen)
    for command in ("go to countertop 1", "take spoon 1 from countertop 1"):
        player.see(play.step(command))
    commands = play_out(play, player)
    assert commands[0] == "move spoon 1 to countertop 1"
    assert play.won


def test_it_starts_in_the_middle_of_a_game_by_asking_the_menu(kitchen: Problem) -> None:
    """With nothing read, what the hand holds still shows in the commands."""
    play, _ = start(kitchen)
    for command in ("go to countertop 1", "take apple 2 from countertop 1"):
        assert play.step(command) != "Nothing happens."
    late = OnlineExpert(kitchen.task)
    play_out(play, late)
    assert play.won


def test_inventory_and_undone_heat_are_read(kitchen: Problem) -> None:
    play, player = start(kitchen)
    for command in (
        "go to countertop 1", "take apple 2 from countertop 1", "inventory", "go to microwave 1", "heat apple 2 with microwave 1",
        "go to fridge 1", "cool apple 2 with fridge 1", "open fridge 1", "close fridge 1",
    ):  # fmt: skip
        player.see(play.step(command))
    commands = play_out(play, player)
    assert "heat apple 2 with microwave 1" in commands
    assert play.won
    player.see("You are not carrying anything.")
    assert player.choose(["help", "look"]) == "look"


def test_two_are_gathered_where_one_is_already() -> None:
    """One of two pens lies in drawer 2: the other goes there, and not into drawer 1."""
    drawers = tuple(Receptacle(f"drawer_bar_{i}", "Drawer", f"loc_bar_{i}") for i in (1, 2))
    shelf = Receptacle("shelf_bar_1", "Shelf", "loc_bar_3")
    things = tuple(
        Thing(f"pen_bar_{i}", "Pen", (inside,), (place,), (), frozenset({"pickupable"}))
        for i, inside, place in ((1, "shelf_bar_1", "loc_bar_3"), (2, "drawer_bar_1", "loc_bar_1"))
    )
    problem = Problem(
        receptacles=(*drawers, shelf),
        things=things,
        locations=("loc_bar_0", "loc_bar_1", "loc_bar_2", "loc_bar_3"),
        agent_location="loc_bar_0",
        can_contain=frozenset({("Drawer", "Pen"), ("Shelf", "Pen")}),
        goal=Goal(GoalKind.TWO, "Pen", "Drawer"),
        task="put two pen in drawer.",
    )
    play, player = start(problem)
    # Drawers are numbered from the end: drawer_bar_1 is drawer 2.
    player.see(play.step("go to drawer 2"))
    commands = play_out(play, player)
    assert play.won
    assert commands[-1] == "move pen 2 to drawer 2"


@pytest.mark.parametrize("seed", range(40))
def test_nonsensical_houses_get_only_commands_on_offer(seed: int, random_problem: Callable[..., Problem]) -> None:
    problem = random_problem(random.Random(seed))
    word = {
        GoalKind.PLACE: "put a {} in {}.", GoalKind.LIGHT: "look at {} under the {}.", GoalKind.CLEAN: "put a clean {} in {}.",
        GoalKind.HEAT: "put a hot {} in {}.", GoalKind.COOL: "put a cool {} in {}.", GoalKind.TWO: "put two {} in {}.",
    }[problem.goal.kind]  # fmt: skip
    problem = replace(problem, task=word.format(problem.goal.object.lower(), problem.goal.target.lower()))
    play_out(*start(problem))


def test_environments_offer_it() -> None:
    env = gymnasium.make("homebody/Household-v0", disable_env_checker=True)
    (task,) = homebody.envs.tasks("homebody/Household-v0", "test", 1)
    first: list[str] = []
    for commands in (first, []):
        _, info = env.reset(options={"task": task.task_id})
        while not info["won"] and len(commands) < MOST:
            (command,) = env.unwrapped.scripted_policy()  # type: ignore[attr-defined]
            # It may be asked as often as one likes.
            assert env.unwrapped.scripted_policy() == [command]  # type: ignore[attr-defined]
            commands.append(command)
            _, _, _, _, info = env.step(command)
        assert info["won"]
        assert commands == first
    play, player = start(HouseSource().load(task.task_id))
    assert play_out(play, player) == first
