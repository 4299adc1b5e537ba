import random
import time

from homebody.agents.skills.goal_parts import parts_of
from homebody.evolution.evidence.goal_parts import learn_goal_parts

NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Alan", "Radia")


def letters(count: int) -> list[str]:
    """Goals of three templates, whose parts are drawn anew for each."""
    draw = random.Random(3)
    made = []
    for number in range(count):
        one, other = draw.sample(NAMES, 2)
        made.append(
            (
                f'Write the line "{one} {number}" below the word "{other}".',
                f"Forward the note of {one} to {other}.",
                f'Look for "{draw.randrange(10**6)}" and stop.',
            )[number % 3]
        )
    return made


def test_goals_that_are_alike_but_for_some_places_have_those_as_parts() -> None:
    parts = learn_goal_parts(letters(30))
    assert parts is not None
    assert sorted(parts["templates"]) == [
        ["Forward the note of ", " to ", "."],
        ['Look for "', '" and stop.'],
        ['Write the line "', '" below the word "', '".'],
    ]
    assert parts_of("Forward the note of Ken Thompson to Dennis.", **parts) == ("Ken Thompson", "Dennis")


def test_marks_that_mostly_enclose_parts_tell_them_in_goals_of_another_template() -> None:
    parts = learn_goal_parts(letters(30))
    assert parts is not None
    assert parts["marks"] == [['"', '"']]
    assert parts_of('Underline "Radia" with a pen.', **parts) == ("Radia",)
    assert parts_of("Underline Radia with a pen.", **parts) == ()


def test_goals_without_marks_teach_templates_alone() -> None:
    parts = learn_goal_parts([goal for goal in letters(30) if goal.startswith("Forward")])
    assert parts == {"templates": [["Forward the note of ", " to ", "."]], "marks": []}


def test_goals_that_happen_to_share_a_part_do_not_make_it_part_of_the_template() -> None:
    pairs = [("Ada", "Alan"), ("Ada", "Grace"), *zip(NAMES[1:], NAMES[::-1], strict=False), ("Grace", "Ada"), ("Alan", "Edsger")]
    parts = learn_goal_parts([f"Forward the note of {one} to {other} before the end of the day." for one, other in pairs])
    assert parts is not None
    assert parts_of("Forward the note of Ada to Radia before the end of the day.", **parts) == ("Ada", "Radia")


def test_nothing_is_learned_from_goals_that_are_not_alike_and_from_one_goal_alone() -> None:
    assert learn_goal_parts([]) is None
    assert learn_goal_parts(["Ring the bell.", "Ring the bell.", "Ring the bell."]) is None
    assert learn_goal_parts(["Ring the bell.", "Open every drawer of that desk", "...", "", "é"]) is None


def test_goals_that_read_alike_take_no_time() -> None:
    draw = random.Random(1)
    begun = time.perf_counter()
    learn_goal_parts([" ".join(draw.choice("ab") for _ in range(90)) for _ in range(100)])
    assert learn_goal_parts(["go " * 5000 + str(number) for number in range(50)]) is None
    assert time.perf_counter() - begun < 60


def test_the_order_of_the_goals_makes_no_difference() -> None:
    goals = letters(40)
    assert learn_goal_parts(goals) == learn_goal_parts(goals[::-1])
