"""Guided exploration: goals that are all worded differently are won by plans that have won, and what they meant is learned."""

from collections.abc import Sequence

import gymnasium
import pytest

from homebody.agents.skills.learned_plan import Plan, Subgoal
from homebody.envs import TaskSpec, tasks
from homebody.evolution.evidence.explore import Explorer
from homebody.evolution.evidence.guided_exploration import GuidedExploration, likeness
from homebody.evolution.evidence.learn import TrainingStatistics, learn
from homebody.evolution.evidence.readings import readings

HOUSE = "homebody/Household-v0"
MOVE = Plan(
    goal="move {0} to {1}",
    steps=[Subgoal(action="take # from #", args=["{0}=a", "*=b"]), Subgoal(action="move # to #", args=["{0}=a", "{1}=c"])],
)
THINGS = frozenset({"bowl", "candle", "cloth", "creditcard", "mug", "remotecontrol", "soapbar", "soapbottle", "spatula", "toiletpaper"})
PLACES = frozenset({"bathtubbasin", "cabinet", "countertop", "garbagecan", "shelf", "sinkbasin", "toilet"})
FORMS = {
    "take # from #": [THINGS, PLACES],
    "move # to #": [THINGS, PLACES],
    "clean # with #": [THINGS, frozenset({"sinkbasin"})],
}
EXPLORE = ("go to #", "open #")


@pytest.mark.parametrize(
    ("kind", "goal", "expected"),
    [
        ("mug", "Wash the mug", 1.0),
        ("soapbottle", "where is the soap bottle", 1.0),  # two words of the goal, joined
        ("soap bottle", "the soapbottle, please", 1.0),
        ("pan", "a pot", 0.0),
        ("keys", "hat", 0.0),
        ("mug", "", 0.0),
    ],
)
def test_likeness_is_of_letters(kind: str, goal: str, expected: float) -> None:
    assert likeness(kind, goal) == pytest.approx(expected)


def test_likeness_by_hand() -> None:
    # ^pe pen enc nci cil il$ and ^pe pen ens ns$: two of six and four.
    assert likeness("pencil", "my pens") == pytest.approx(2 * 2 / (6 + 4))


def explored(goals: str, n: int, budget: int = 20_000) -> tuple[Explorer, list[tuple[str, list[str]]], Sequence[TaskSpec]]:
    env = gymnasium.make(HOUSE, goals=goals, rooms=["bathroom"])
    listed = tasks(HOUSE, "train", n, goals=goals, rooms=["bathroom"])
    explorer = Explorer(env.unwrapped)
    guided = GuidedExploration(explorer, FORMS, None, EXPLORE, budget)
    return explorer, [(walk.task.task_id, plan) for walk, plan in guided.run(listed, [MOVE])], listed


def test_tasks_are_won_by_a_plan_and_by_mutations_of_it() -> None:
    explorer, won, listed = explored("said", 12)
    assert len(won) >= 4
    by_id = {task.task_id: task for task in listed}
    verbs = set()
    for name, plan in won:
        left = iter(plan)
        assert explorer.play(by_id[name], lambda *_, left=left: next(left, None), 60).won  # type: ignore[misc]
        verbs.update(command.split()[0] for command in plan)
    # The plan itself has neither.
    assert verbs >= {"take", "move", "clean"}


def test_no_task_is_tried_beyond_the_budget() -> None:
    explorer, won, _ = explored("said", 12, budget=1)
    assert len(won) <= 1
    assert explorer.steps < 24 * 40 + 200


def test_the_same_exploration_gives_the_same_lessons() -> None:
    assert explored("said", 4)[1] == explored("said", 4)[1]


def test_goals_in_ever_new_words_are_learned_from_wins_alone() -> None:
    env = gymnasium.make(HOUSE, goals="said", rooms=["bathroom"])
    listed = tasks(HOUSE, "train", 60, goals="said", rooms=["bathroom"])
    statistics = learn(env, listed, 30_000)
    assert not statistics.plans  # no two goals have one template
    assert TrainingStatistics.from_json(statistics.to_json()) == statistics
    found = readings(statistics)
    assert found is not None
    assert len(found.pairs) >= 20
    assert {"move {0} to {1}", "clean {0} with sinkbasin then move {0} to {1}"} <= set(found.templates)
