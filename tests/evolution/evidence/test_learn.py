import json
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Text

from homebody.envs import TaskSpec, tasks
from homebody.evolution.evidence.explore import Explorer, Moment, Walk
from homebody.evolution.evidence.learn import TrainingStatistics, changing_actions, entities_of, exploring_actions, learn, solved
from homebody.evolution.evidence.plans import RolloutOutcome, RolloutTest

TASK = TaskSpec("train/a-0", "a", "train")
TYPES = ("bring", "wash", "press")
GOALS = ("bring a gem to a crate", "wash a gem for a crate", "press it")


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
    assert exploring_actions([WALK]) == ("go to #", "pull #")


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
    assert exploring_actions([more]) == ("dig #", "nod #")
    assert exploring_actions([]) == ()
    assert exploring_actions([walk((), ("jump a 1", "No.", ()))]) == ()


def test_forms_that_reveal_the_same_come_in_alphabetical_order() -> None:
    assert exploring_actions([walk((), ("b x 1", "p 1", ()), ("a x 1", "p 2", ()))]) == ("a #", "b #")


def test_changing_actions_have_the_kinds_seen_at_each_argument() -> None:
    second = walk((), ("tie rope 1 to nail 2", "Done.", ()))
    assert changing_actions([WALK, second], ("go to #",)) == {
        "pull #": [frozenset({"rope"})],
        "tie # to #": [frozenset({"rope"}), frozenset({"hook", "nail"})],
    }


def test_the_names_that_a_walk_met() -> None:
    assert entities_of(walk(("go to pit 1",), ("go to pit 1", "a rope 2", ("cut vine 3",)))) == {"pit 1", "rope 2", "vine 3"}


@pytest.fixture
def env(quarry: Any) -> gymnasium.Env[str, str]:
    made: gymnasium.Env[str, str] = gymnasium.make("Quarry-v0", disable_env_checker=True, types=TYPES)
    return made


def listed(numbers: int = 6) -> list[TaskSpec]:
    return tasks("Quarry-v0", "train", types=TYPES, numbers=numbers)


def test_what_the_quarry_teaches(env: gymnasium.Env[str, str]) -> None:
    statistics = learn(env, listed(), 20_000)
    lift = {"action": "lift # from #", "args": ["{0}=a", "shaft=b"]}
    drop = {"action": "drop # at #", "args": ["{0}=a", "{1}=c"]}
    assert statistics.explore == ("open #", "go to #")
    assert statistics.plans == (
        {"goal": "bring a {0} to a {1}", "steps": [lift, drop]},
        {"goal": "press it", "steps": [{"action": "press", "args": []}]},
        {"goal": "wash a {0} for a {1}", "steps": [lift, {"action": "wet #", "args": ["{0}=a"]}, drop]},
    )
    assert statistics.support == {"bring a {0} to a {1}": 1.0, "press it": 1.0, "wash a {0} for a {1}": 1.0}
    # Eighteen tours: each looks into the crate, at two commands, and at three shafts.
    assert statistics.observations == {"crate": 18, "shaft": 54}
    assert statistics.hits == {"coin": {"crate": 18}, "gem": {"shaft": 18}, "stone": {"shaft": 54}}
    assert (statistics.cost, statistics.finishing) == ({"crate": 2.0, "shaft": 1.0}, ("open #",))
    # Every tour sees all there is: one crate, three shafts.
    assert statistics.scene_observations == {thing: {"crate": 18, "shaft": 54} for thing in ("coin", "gem", "stone")}
    assert (statistics.mean_places, statistics.density_exponent) == ({"crate": 1.0, "shaft": 3.0}, 0.0)
    assert statistics.memory == {
        "hits": statistics.hits, "observations": statistics.observations, "scene_observations": statistics.scene_observations,
        "mean_places": statistics.mean_places, "density_exponent": 0.0, "cost": statistics.cost, "finishing": ["open #"],
    }  # fmt: skip
    # The gem stands in no crate anywhere, so that it stands in none here says nothing.
    assert not any("skip" in plan for plan in statistics.plans)
    assert {example["goal"] for example in statistics.bank} == set(GOALS)
    (press,) = (example for example in statistics.bank if example["goal"] == "press it")
    assert press["steps"] == [{"command": "press", "observation": "Done."}]


def test_learning_is_the_same_each_time_and_lessons_survive_json(env: gymnasium.Env[str, str]) -> None:
    statistics = learn(env, listed(), 6000, seed=3)
    assert learn(env, listed(), 6000, seed=3) == statistics
    assert TrainingStatistics.from_json(statistics.to_json()) == statistics
    assert TrainingStatistics.from_json(TrainingStatistics().to_json()) == TrainingStatistics()


def test_steps_and_tasks_are_counted_as_they_are_played(env: gymnasium.Env[str, str], quarry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    step = quarry.step

    def counted(self: Any, action: str) -> Any:
        nonlocal taken
        taken += 1
        return step(self, action)

    monkeypatch.setattr(quarry, "step", counted)
    statistics = learn(env, listed(), 6000)
    assert statistics.steps == taken
    assert statistics.tasks == tuple(sorted(set(quarry.played)))
    assert taken <= 6000 * 1.1


def test_a_budget_of_nothing_plays_nothing(env: gymnasium.Env[str, str], quarry: Any) -> None:
    assert learn(env, listed(), 1) == TrainingStatistics()
    assert quarry.played == []


def test_rollouts_search_by_what_the_coverage_walks_showed(env: gymnasium.Env[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def noted(test: RolloutTest, candidates: Any, forms: Any) -> RolloutOutcome:
        given.append((test, forms))
        return RolloutOutcome((), {}, 0)

    monkeypatch.setattr(RolloutTest, "run", noted)
    statistics = learn(env, listed(), 6000)
    ((test, forms),) = given
    assert test.memory == statistics.memory
    assert {task.task_id for task in test.tasks} == set(test.goals) <= set(statistics.tasks)
    assert (sorted(forms), set(test.explore), test.budget) == (["drop # at #", "lift # from #", "wet #"], {"open #", "go to #"}, 3000)


def test_the_bank_keeps_two_short_wins_of_each_form_of_goal_with_other_words(quarry: Any) -> None:
    def won(goal: str) -> Walk:
        return Walk(TASK, goal, (), (), True)

    class Echo(Explorer):
        def replay(self, task: TaskSpec, commands: Any) -> list[str]:
            return [f"{command}?" for command in commands]

    wins = [
        (won("find a bat"), ["a", "b", "c"]), (won("find a cat"), ["a", "b"]), (won("find a cat"), ["a"]), (won("find a dog"), ["d"]),
        (won("sing"), ["la", "la", "la", "la"]),
    ]  # fmt: skip
    bank = solved(Echo(quarry()), wins, frozenset({"bat", "cat", "dog"}))
    assert [(example["goal"], [step["command"] for step in example["steps"]]) for example in bank] == [
        ("find a cat", ["a"]),
        ("find a dog", ["d"]),
        ("sing", ["la", "la", "la", "la"]),
    ]
    assert bank[0]["steps"] == [{"command": "a", "observation": "a?"}]


class Desk(gymnasium.Env[str, str]):
    """No numbered names, a slot to be filled, and an act that ends the episode, for good or not; then nothing is left to do."""

    observation_space = action_space = Text(100)

    def __init__(self, good: str = "") -> None:
        self.good = good

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.over, self.last = False, ""
        return "A desk.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        assert not self.over
        assert action in [command.replace("{text}", "Ring the bell.") for command in self.info()["admissible_commands"]]
        self.last, self.over = action, action.startswith("end")
        return "You see the desk.", 0.0, self.over, False, self.info()

    def info(self) -> dict[str, Any]:
        commands = [] if self.over else ["ask[{text}]", "end badly", "end well"]
        return {"goal": "Ring the bell.", "admissible_commands": commands, "won": self.last == self.good, "task_id": "t"}


def test_where_nothing_can_be_learned_lessons_are_empty() -> None:
    statistics = learn(Desk("never"), [TASK], 2000)
    unfit = {"page values": "not all commands at the start are calls with an argument"}
    assert statistics == TrainingStatistics(steps=statistics.steps, tasks=(TASK.task_id,), unfit=unfit)
    assert 0 < statistics.steps <= 2000


def test_a_win_without_names_is_a_milestone_and_an_example() -> None:
    statistics = learn(Desk("end well"), [TASK], 2000)
    assert statistics.plans == ({"goal": "ring the bell", "steps": [{"action": "end well", "args": []}]},)
    assert statistics.bank == ({"goal": "Ring the bell.", "steps": [{"command": "end well", "observation": "You see the desk."}]},)
    assert (statistics.explore, statistics.observations) == ((), {})


class Form(gymnasium.Env[str, str]):
    """A box that wants one word of the goal, and a bell that ends the episode."""

    observation_space = action_space = Text(200)
    words = ("amber", "cobalt", "jade", "ochre", "teal", "umber")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.word = self.words[int(options["task"].rpartition("-")[2]) % len(self.words)]
        self.over, self.written = False, ""
        return "A box.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.over = action == "ring the bell"
        self.written = self.written if self.over else action.removeprefix("write ")
        return f"The box holds {self.written}.", 0.0, self.over, False, self.info()

    def info(self) -> dict[str, Any]:
        commands = [] if self.over else ["ring the bell", "write {text}"]
        goal = f"Paint the wall in <{self.word}> before you ring."
        return {"goal": goal, "admissible_commands": commands, "won": self.over and self.written == self.word, "task_id": "t"}


def test_what_goals_do_not_share_is_tried_in_a_free_slot() -> None:
    statistics = learn(Form(), [TaskSpec(f"train/a-{number}", "a", "train") for number in range(6)], 3000)
    parts = {"templates": [["Paint the wall in <", "> before you ring."]], "marks": [["<", ">"]]}
    assert statistics.parts == parts
    assert statistics.skills["goal_parts"].settings == {"goal_parts": parts}
    assert len(statistics.bank) > 0
    for example in statistics.bank:
        word = example["goal"].partition("<")[2].partition(">")[0]
        assert [step["command"] for step in example["steps"]] == [f"write {word}", "ring the bell"]
    assert TrainingStatistics.from_json(json.loads(json.dumps(statistics.to_json()))) == statistics
