from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.household.engine import language
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import Game, StateError, compile_game
from homebody.envs.household.engine.language import listing
from homebody.envs.household.engine.layout import Words
from homebody.envs.household.engine.problem import Goal, GoalKind, Logic, Problem, Receptacle, Thing

INTRO = (
    "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a cabinet 2, a cabinet 1, "
    "a countertop 1, a desk 1, a fridge 1, a microwave 1, and a sinkbasin 1.\n\nYour task is to: put a hot apple in cabinet."
)

# A whole episode in our kitchen: command, answer, reward.
EPISODE = [
    ("look", "You are in the middle of a room. Looking quickly around you, you see nothing.", 0),
    ("inventory", "You are not carrying anything.", 0),
    ("go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see a apple 2, a knife 1, a mug 1, and a spoon 1.", 0),
    ("go to countertop 1", "Nothing happens.", 0),
    ("take apple 2 from countertop 1", "You pick up the apple 2 from the countertop 1.", 0),
    ("take knife 1 from countertop 1", "Nothing happens.", 0),
    ("inventory", "You are carrying: a apple 2.", 0),
    ("examine apple 2", "There's nothing special about apple 2.", 0),
    ("examine countertop 1", "On the countertop 1, you see a knife 1, a mug 1, and a spoon 1.", 0),
    ("go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed.", 0),
    ("heat apple 2 with microwave 1", "You heat the apple 2 using the microwave 1.", 0),
    ("examine apple 2", "This is a hot apple 2.", 0),
    ("go to sinkbasin 1", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing.", 0),
    ("clean apple 2 with sinkbasin 1", "You clean the apple 2 using the sinkbasin 1.", 0),
    ("examine apple 2", "This is a hot and clean apple 2.", 0),
    ("go to cabinet 2", "You arrive at cabinet 2. The cabinet 2 is open. In it, you see nothing.", 0),
    ("go to cabinet 1", "Nothing happens.", 0),
    ("open cabinet 1", "You open the cabinet 1. The cabinet 1 is open. In it, you see a mug 1.", 0),
    ("move apple 2 to cabinet 2", "You move the apple 2 to the cabinet 2.", 1),
    ("look", "You are facing the cabinet 2, and cabinet 1. Next to it, you see nothing.", 1),
    ("take apple 2 from cabinet 2", "You pick up the apple 2 from the cabinet 2.", 0),
    ("move apple 2 to cabinet 1", "You move the apple 2 to the cabinet 1.", 1),
    ("look", "You are facing the cabinet 2, and cabinet 1. Next to it, you see a apple 2.", 1),
    ("examine cabinet 1", "The cabinet 1 is open. In it, you see a apple 2, and a mug 1.", 1),
    ("close cabinet 1", "You close the cabinet 1.", 1),
    ("examine cabinet 1", "The cabinet 1 is closed.", 1),
    ("examine mug 1", "Nothing happens.", 1),
    ("take mug 1 from cabinet 1", "Nothing happens.", 1),
    ("go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see a knife 1, a mug 1, and a spoon 1.", 1),
    ("take mug 1 from countertop 1", "You pick up the mug 1 from the countertop 1.", 1),
    ("examine mug 1", "This is a normal mug 1. In it, you see a spoon 1.", 1),
    ("move mug 1 to desk 1", "Nothing happens.", 1),
    ("move mug 1 to countertop 1", "You move the mug 1 to the countertop 1.", 1),
    ("go to desk 1", "You arrive at desk 1. On the desk 1, you see a desklamp 1.", 1),
    ("use desklamp 1", "You turn on the desklamp 1.", 1),
    ("use desklamp 1", "You turn on the desklamp 1.", 1),
    ("take desklamp 1 from desk 1", "Nothing happens.", 1),
]

ACCEPTED_211 = [
    ("go to countertop 1", "You arrive at loc 1. On the countertop 1, you see a apple 2, a knife 1, a mug 1, and a spoon 1."),
    ("take apple 2 from countertop 1", "You pick up the apple 2 from the countertop 1."),
    ("move apple 2 to countertop 1", "Nothing happens."),
    ("put apple 2 in/on countertop 1", "You put the apple 2 in/on the countertop 1."),
    ("help", "Nothing happens."),
    ("go to fridge 1", "You arrive at loc 4. The fridge 1 is closed."),
    ("open fridge 1", "You open the fridge 1. The fridge 1 is open. In it, you see a apple 1."),
]


def test_episode_answers_to_the_letter(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    assert play.reset() == INTRO
    for command, answer, reward in EPISODE:
        was_admissible = command in play.admissible()
        assert (play.step(command), play.reward, play.won) == (answer, reward, bool(reward)), command
        assert was_admissible == (answer != "Nothing happens."), command


def test_episode_in_the_older_logic(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen), "2.1.1")
    assert play.reset() == INTRO
    for command, answer in ACCEPTED_211:
        assert play.step(command) == answer


def transcript(game: Game, logic: Logic, seed: int) -> list[object]:
    play, dice = TextGame(game, logic), random.Random(seed)
    said: list[object] = [play.reset()]
    for _ in range(60):
        command = dice.choice([*play.admissible(), "help", "move mug 1 to desk 1"])
        said.append((command, play.step(command), play.admissible(), play.won))
    return said


@pytest.mark.parametrize("logic", ["current", "2.1.1"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_kept_equals_what_is_made(logic: Logic, seed: int, random_problem: Callable[..., Problem]) -> None:
    problem = random_problem(random.Random(seed), n_receptacles=5, n_things=8)
    shared = compile_game(problem)
    for player in range(3):
        warm = transcript(shared, logic, seed + player)
        with pytest.MonkeyPatch.context() as patch:
            # One entry at a time: nearly everything is made anew.
            patch.setattr(language, "MAX_SITUATIONS", 1)
            patch.setattr(language, "MAX_ANSWERS", 1)
            assert transcript(compile_game(problem), logic, seed + player) == warm


def test_players_share_what_is_kept_and_it_is_bounded(kitchen: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "MAX_SITUATIONS", 8)
    monkeypatch.setattr(language, "MAX_ANSWERS", 8)
    game = compile_game(kitchen)
    spoken = TextGame(game).language
    assert TextGame(game).language is spoken is not TextGame(game, "2.1.1").language
    for seed in range(5):
        transcript(game, "current", seed)
        assert len(spoken._kept_commands) <= 8
        assert len(spoken._kept_answers) <= 8


def test_players_in_threads_do_not_disturb_each_other(kitchen: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "MAX_SITUATIONS", 4)
    game = compile_game(kitchen)
    alone = [transcript(game, "current", seed) for seed in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(lambda seed: transcript(game, "current", seed), range(8))) == alone
    finally:
        sys.setswitchinterval(interval)


def test_pickled_game_goes_on_and_is_small(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen), "2.1.1")
    for command, _ in ACCEPTED_211:
        play.step(command)
    copy = pickle.loads(pickle.dumps(play))
    assert len(pickle.dumps(play)) < 5000
    assert (copy.admissible(), copy.won, copy.language.logic) == (play.admissible(), play.won, "2.1.1")
    assert copy.step("look") == play.step("look")


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s.astype(np.int64), lambda s: s.tolist(), lambda s: s + 2**40])
def test_what_is_no_state_is_refused(kitchen: Problem, change: Callable[[Words], object]) -> None:
    play = TextGame(compile_game(kitchen))
    before = play.state.copy()
    with pytest.raises(StateError, match="; give one that was taken from the same game"):
        play.restore(change(play.state))  # type: ignore[arg-type]
    assert (play.state == before).all()


def test_restore_goes_on_from_a_state(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    for command, _, _ in EPISODE[:5]:
        play.step(command)
    state, commands = play.state.copy(), play.admissible()
    other = TextGame(play.game)
    other.restore(state)
    assert other.admissible() == commands
    assert [other.step(command) for command, _, _ in EPISODE[5:20]] == [answer for _, answer, _ in EPISODE[5:20]]
    assert other.won
    assert (state == play.state).all()


@pytest.mark.parametrize("logic", ["current", "2.1.1"])
def test_admissible_is_sorted_as_plain_strings(kitchen: Problem, logic: Logic) -> None:
    receptacles = tuple(Receptacle(f"cabinet_bar_{i:02}", "Cabinet", f"loc_bar_{i:02}") for i in range(10))
    play = TextGame(compile_game(replace(kitchen, receptacles=(*kitchen.receptacles, *receptacles))), logic)
    commands = play.admissible()
    assert commands == sorted(set(commands))
    assert commands.index("go to cabinet 10") < commands.index("go to cabinet 2")
    assert ("help" in commands) == (logic == "current")


def test_help_text(kitchen: Problem) -> None:
    answer = TextGame(compile_game(kitchen)).step("help")
    assert answer.startswith("Available commands:\n  look:  ")
    assert answer.endswith("using a sharp object\n")
    assert answer.count("\n") == 14


def test_reset_forgets_everything(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    first = play.admissible()
    for command, _, _ in EPISODE:
        play.step(command)
    assert play.won
    assert play.reset() == INTRO
    assert (play.admissible(), play.won, play.reward) == (first, False, 0.0)


def test_admissible_belongs_to_the_caller(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    play.admissible().clear()
    assert play.admissible()


@pytest.mark.parametrize(
    "junk", ["", " ", "LOOK", "look around", "go  to desk 1", "go to", "\0", "\ud800", "x" * 100_000, None, 3, ["look"]]
)
def test_junk_is_answered(kitchen: Problem, junk: object) -> None:
    play = TextGame(compile_game(kitchen))
    before = play.admissible()
    assert play.step(junk) == "Nothing happens."
    assert play.admissible() == before


def test_spaces_around_a_command_do_not_count(kitchen: Problem) -> None:
    assert TextGame(compile_game(kitchen)).step(" \n inventory\t") == "You are not carrying anything."


def test_agent_that_starts_at_a_receptacle_faces_it(kitchen: Problem) -> None:
    play = TextGame(compile_game(replace(kitchen, agent_location="loc_bar_1_bar_1")))
    assert play.reset().split("\n\n")[1] == "You are facing the cabinet 2, and cabinet 1. Next to it, you see nothing."


def test_name_without_a_number_can_be_commanded(kitchen: Problem) -> None:
    play = TextGame(compile_game(replace(kitchen, receptacles=(*kitchen.receptacles, Receptacle("piano", "Piano", "loc_bar_9")))))
    assert "go to piano " in play.admissible()
    assert play.step("go to piano ") == "You arrive at piano . On the piano , you see nothing."


def test_cut_and_sliced_things(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    for command in ("go to countertop 1", "take knife 1 from countertop 1"):
        play.step(command)
    assert play.step("slice apple 2 with knife 1") == "You sliced the apple 2 with the knife 1."
    assert play.step("slice mug 1 with knife 1") == "Nothing happens."
    for command in ("move knife 1 to countertop 1", "take apple 2 from countertop 1"):
        play.step(command)
    assert play.step("examine apple 2") == "This is a sliced apple 2."


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("clean hot sliced", "This is a hot and clean sliced egg 1."),
        ("clean cool sliced", "This is a cool and clean sliced egg 1."),
        ("clean sliced", "This is a clean sliced egg 1."),
        ("hot sliced", "This is a hot sliced egg 1."),
        ("cool sliced", "This is a cool sliced egg 1."),
        ("clean hot", "This is a hot and clean egg 1."),
        ("clean cool", "This is a cool and clean egg 1."),
        ("hot", "This is a hot egg 1."),
        ("clean", "This is a clean egg 1."),
        ("cool", "This is a cold egg 1."),
        ("sliced", "This is a sliced egg 1."),
        ("toggleable toggled", "This egg 1 is on."),
        ("toggleable", "There's nothing special about egg 1."),
        ("container clean hot", "This is a normal egg 1. In it, you see nothing."),
        ("", "There's nothing special about egg 1."),
    ],
)
def test_examine_held_object(flags: str, text: str) -> None:
    egg = Thing("egg_bar_1", "Egg", ("desk_bar_1",), flags=frozenset({"pickupable", "sliceable", *flags.split()}))
    goal = Goal(GoalKind.PLACE, "Egg", "Fridge")
    problem = Problem((Receptacle("desk_bar_1", "Desk", "loc_bar_1"),), (egg,), (), "loc_bar_1", frozenset(), goal, "put a egg in fridge.")
    play = TextGame(compile_game(problem))
    play.step("take egg 1 from desk 1")
    assert play.step("examine egg 1") == text


def test_listing() -> None:
    assert [listing(["a x", "a y", "a z"][:n]) for n in range(4)] == ["nothing", "a x", "a x, and a y", "a x, a y, and a z"]
