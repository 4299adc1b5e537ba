from typing import Any

import gymnasium
import pytest

from homebody.envs import TaskSpec, tasks
from homebody.evolution import learn as learn_module
from homebody.evolution.explore import Moment, Walk
from homebody.evolution.learn import Lessons, acting_forms, entities_of, exploring_forms, learn, places

TASK = TaskSpec("train/a-0", "a", "train")
TYPES = ("bring", "wash", "press")


def walk(opening: tuple[str, ...], *moments: tuple[str, str, tuple[str, ...]]) -> Walk:
    return Walk(TASK, "a goal", opening, tuple(Moment(*moment) for moment in moments), False)


WALK = walk(
    ("go to pit 1", "go to pit 2", "sing"),
    ("go to pit 1", "You see rope 1, rope 2.", ("go to pit 2", "open lid 1", "pull rope 1", "pull rope 2")),  # new: rope 1, rope 2, lid 1
    ("pull rope 1", "A bell 1 falls.", ("go to pit 2",)),  # new: bell 1
    ("go to pit 1", "You see sack 1.", ("go to pit 2",)),  # not its first use
    ("go to pit 2", "Nothing.", ("go to pit 1", "tie rope 1 to hook 1")),  # new: hook 1
    ("tie rope 1 to hook 1", "You see owl 1, owl 2, owl 3.", ()),  # two arguments
    ("sing", "You hear fox 1.", ()),  # none
)


def test_forms_that_explore_are_those_whose_first_use_reveals_most() -> None:
    # "go to #" reveals 3 and 1, that is 2 on average; "pull #" 1, at least a fifth of it.
    assert exploring_forms([WALK]) == ("go to #", "pull #")


def test_a_form_that_reveals_less_than_a_fifth_of_the_best_does_not_explore() -> None:
    # "dig #" reveals 6 names; "hum #" 1 at one use and 1 at the next, less than 1.2; "nod #" 2 and 0; "jump #" nothing at its first.
    more = walk(
        (),
        ("dig hole 1", "You see a 1, a 2, a 3, a 4, a 5, a 6.", ()),
        ("hum a 1", "You see b 1.", ()),
        ("hum a 2", "You see b 2.", ()),
        ("nod a 1", "You see c 1, c 2, c 3.", ()),
        ("nod a 2", "No.", ()),
        ("jump a 1", "No.", ()),
        ("jump a 1", "You see d 1, d 2, d 3, d 4, d 5, d 6, d 7.", ()),  # too late: not its first use
    )
    assert exploring_forms([more]) == ("dig #", "nod #")
    assert exploring_forms([]) == ()
    assert exploring_forms([walk((), ("jump a 1", "No.", ()))]) == ()


def test_forms_that_reveal_the_same_come_in_alphabetical_order() -> None:
    assert exploring_forms([walk((), ("b x 1", "p 1", ()), ("a x 1", "p 2", ()))]) == ("a #", "b #")


def test_acting_forms_have_the_kinds_seen_at_each_argument() -> None:
    second = walk((), ("tie rope 1 to nail 2", "Done.", ()))
    assert acting_forms([WALK, second], ("go to #",)) == {
        "pull #": [frozenset({"rope"})],
        "tie # to #": [frozenset({"rope"}), frozenset({"hook", "nail"})],
    }


def test_the_names_that_a_walk_met() -> None:
    assert entities_of(walk(("go to pit 1",), ("go to pit 1", "a rope 2", ("cut vine 3",)))) == {"pit 1", "rope 2", "vine 3"}


def test_places_counted_by_hand() -> None:
    forms = ("go to #", "open #")
    tour = walk(
        ("go to chest 1", "go to pit 1", "go to pit 2"),
        ("go to pit 1", "At pit 1: rope 1, rope 2, bell 1.", ("go to chest 1", "go to pit 2", "lift rope 1")),
        ("go to chest 1", "The chest 1 is closed.", ("go to pit 2", "open chest 1")),  # not done: it can be opened
        ("open chest 1", "In chest 1: bell 2.", ("go to pit 1", "go to pit 2")),
        ("go to pit 2", "At pit 2: nothing.", ("go to chest 1", "go to pit 1")),
    )
    another = walk(
        (),
        ("go to pit 1", "At pit 1: rope 3.", ()),
        ("go to chest 1", "In chest 1: rope 4.", ()),  # stands open already
    )
    hits, looks, cost, finishing = places([tour, another], forms)
    assert hits == {"bell": {"chest": 1, "pit": 1}, "rope": {"chest": 1, "pit": 2}}
    assert looks == {"chest": 2, "pit": 3}
    assert cost == {"chest": 1.5, "pit": 1.0}  # chests: two commands, then one
    assert finishing == ("open #",)
    assert list(hits) == ["bell", "rope"]
    assert list(hits["rope"]) == ["chest", "pit"]
    assert places([], forms) == ({}, {}, {}, ())


def test_a_form_that_ends_looks_half_of_the_time_only_does_not_mostly_end_them() -> None:
    begun = walk((), ("go to chest 1", "It is closed.", ("open chest 1",)), ("open chest 1", "In chest 1: bell 1.", ()))
    at_once = walk((), ("open chest 2", "In chest 2: bell 1.", ()))
    forms = ("go to #", "open #")
    assert places([begun, at_once], forms)[3] == ()
    assert places([begun, begun, at_once], forms)[3] == ("open #",)


def test_a_place_is_no_thing_that_stands_in_itself_but_another_of_its_kind_is() -> None:
    hits, _, _, _ = places([walk((), ("go to box 1", "In box 1: box 2.", ()))], ("go to #",))
    assert hits == {"box": {"box": 1}}


@pytest.fixture
def env(quarry: Any) -> gymnasium.Env[str, str]:
    made: gymnasium.Env[str, str] = gymnasium.make("Quarry-v0", disable_env_checker=True, types=TYPES)
    return made


def listed(numbers: int = 6) -> list[TaskSpec]:
    return tasks("Quarry-v0", "train", types=TYPES, numbers=numbers)


def test_what_the_quarry_teaches(env: gymnasium.Env[str, str]) -> None:
    lessons = learn(env, listed(), 20_000)
    lift = {"form": "lift # from #", "args": ["{0}=a", "shaft=b"]}
    drop = {"form": "drop # at #", "args": ["{0}=a", "{1}=c"]}
    assert lessons.explore == ("open #", "go to #")
    assert lessons.frames == (
        {"goal": "bring a {0} to a {1}", "steps": [lift, drop]},
        {"goal": "press it", "steps": [{"form": "press", "args": []}]},
        {"goal": "wash a {0} for a {1}", "steps": [lift, {"form": "wet #", "args": ["{0}=a"]}, drop]},
    )
    assert lessons.support == {"bring a {0} to a {1}": 1.0, "press it": 1.0, "wash a {0} for a {1}": 1.0}
    # Eighteen tours: each looks into the crate, at two commands, and at three shafts.
    assert lessons.looks == {"crate": 18, "shaft": 54}
    assert lessons.hits == {"coin": {"crate": 18}, "gem": {"shaft": 18}, "stone": {"shaft": 54}}
    assert (lessons.cost, lessons.finishing) == ({"crate": 2.0, "shaft": 1.0}, ("open #",))
    assert lessons.memory == {"hits": lessons.hits, "looks": lessons.looks, "cost": lessons.cost, "finishing": ["open #"]}


def test_learning_is_the_same_each_time_and_lessons_survive_json(env: gymnasium.Env[str, str]) -> None:
    lessons = learn(env, listed(), 6000, seed=3)
    assert learn(env, listed(), 6000, seed=3) == lessons
    assert Lessons.from_json(lessons.to_json()) == lessons
    assert Lessons.from_json(Lessons().to_json()) == Lessons()


def test_steps_and_tasks_are_counted_as_they_are_played(env: gymnasium.Env[str, str], quarry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    step = quarry.step

    def counted(self: Any, action: str) -> Any:
        nonlocal taken
        taken += 1
        return step(self, action)

    monkeypatch.setattr(quarry, "step", counted)
    lessons = learn(env, listed(), 6000)
    assert lessons.steps == taken
    assert lessons.tasks == tuple(sorted(set(quarry.played)))
    assert taken <= 6000 * 1.1


def test_a_budget_of_nothing_plays_nothing(env: gymnasium.Env[str, str], quarry: Any) -> None:
    assert learn(env, listed(), 1) == Lessons()
    assert quarry.played == []


def test_trials_search_by_what_the_tours_showed(env: gymnasium.Env[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def noted(*arguments: Any) -> Any:
        given.append(arguments)
        return (), {}, 0

    monkeypatch.setattr(learn_module, "try_out", noted)
    lessons = learn(env, listed(), 6000)
    ((_, playable, goals, _, forms, explore, memory, budget),) = given
    assert memory == lessons.memory
    assert {task.task_id for task in playable} == set(goals) <= set(lessons.tasks)
    assert (sorted(forms), set(explore), budget) == (["drop # at #", "lift # from #", "wet #"], {"open #", "go to #"}, 3000)
