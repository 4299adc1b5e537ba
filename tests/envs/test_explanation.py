from __future__ import annotations

import pytest

from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.explanation import explain
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Logic, Problem

AT_COUNTER = ("go to countertop 1",)
APPLE = (*AT_COUNTER, "take apple 2 from countertop 1")
KNIFE = (*AT_COUNTER, "take knife 1 from countertop 1")

CASES = [
    ((), None, "A command is a text, not NoneType."),
    ((), "  ", "The command is empty."),
    ((), "dance", "There is no such command."),
    ((), "invetory", "There is no such command; did you mean inventory?"),
    ((), "Go to  Desk 1", "Commands are matched to the letter: write 'go to desk 1'."),
    ((), "go to cabinet 7", "This house has no receptacle 'cabinet 7'; did you mean cabinet 2 or cabinet 1?"),
    (AT_COUNTER, "go to countertop 1", "You already stand where countertop 1 is used."),
    (("go to cabinet 2",), "go to cabinet 1", "You already stand where cabinet 1 is used: cabinet 2 and cabinet 1 share a place."),
    ((), "open fridge 1", "You are not at fridge 1: go there first."),
    (AT_COUNTER, "open countertop 1", "countertop 1 has no door."),
    (("go to cabinet 2",), "open cabinet 2", "cabinet 2 is already open."),
    (("go to fridge 1",), "close fridge 1", "fridge 1 is already closed."),
    (("go to fridge 1",), "take apple 1 from fridge 1", "fridge 1 is closed: open it first."),
    (AT_COUNTER, "take apple 1 from countertop 1", "apple 1 is not in or on countertop 1."),
    (AT_COUNTER, "take unicorn 1 from countertop 1", "unicorn 1 is not in or on countertop 1."),
    (("go to desk 1",), "take desklamp 1 from desk 1", "desklamp 1 cannot be taken from desk 1."),
    (APPLE, "take mug 1 from countertop 1", "Your hand is full: put apple 2 down first."),
    (AT_COUNTER, "move apple 2 to countertop 1", "You do not hold apple 2: take it first."),
    ((*APPLE, "go to desk 1"), "move apple 2 to desk 1", "apple 2 cannot be put there."),
    ((*APPLE, "go to fridge 1"), "move apple 2 to fridge 1", "fridge 1 is closed: open it first."),
    (APPLE, "put apple 2 in/on countertop 1", "This game does not know 'put': write 'move OBJECT to RECEPTACLE'."),
    (APPLE, "heat apple 2 with countertop 1", "countertop 1 cannot heat anything."),
    (("go to microwave 1",), "heat apple 2 with microwave 1", "You do not hold apple 2: take it first."),
    (AT_COUNTER, "examine apple 2", "You can examine what you hold and the receptacles where you are; apple 2 is neither."),
    (AT_COUNTER, "examine desk 1", "You are not at desk 1: go there first."),
    (AT_COUNTER, "use desklamp 1", "desklamp 1 is not here."),
    (AT_COUNTER, "use apple 2", "apple 2 has no switch."),
    (AT_COUNTER, "slice apple 2 with knife 1", "You do not hold knife 1: take it first."),
    (APPLE, "slice mug 1 with apple 2", "apple 2 is no knife."),
    (KNIFE, "slice mug 1 with knife 1", "mug 1 cannot be sliced."),
    (KNIFE, "slice apple 1 with knife 1", "apple 1 is not here."),
    (AT_COUNTER, "look", ""),
    (AT_COUNTER, " look ", ""),
]


@pytest.mark.parametrize(("before", "command", "why"), CASES)
def test_reasons(kitchen: Problem, before: tuple[str, ...], command: object, why: str) -> None:
    play = TextGame(compile_game(kitchen))
    for earlier in before:
        assert play.step(earlier) != "Nothing happens."
    assert explain(play, command) == why
    assert (play.step(command) == "Nothing happens.") == bool(why)


@pytest.mark.parametrize(("logic", "command"), [("2.1.1", "move apple 2 to countertop 1"), ("2.1.1", "help")])
def test_older_logic(kitchen: Problem, logic: Logic, command: str) -> None:
    play = TextGame(compile_game(kitchen), logic)
    assert explain(play, command)


def test_what_cannot_be_cooled(kitchen: Problem) -> None:
    things = tuple(t if t.type != "Mug" else type(t)(t.id, t.type, t.inside, t.at, (), frozenset({"pickupable"})) for t in kitchen.things)
    play = TextGame(compile_game(type(kitchen)(**{**vars(kitchen), "things": things})))
    for command in ("go to countertop 1", "take mug 1 from countertop 1", "go to fridge 1"):
        play.step(command)
    assert explain(play, "cool mug 1 with fridge 1") == "It is no use to cool mug 1."


def test_long_names_are_cut(kitchen: Problem) -> None:
    assert len(explain(TextGame(compile_game(kitchen)), "open " + "x" * 10_000)) < 200
