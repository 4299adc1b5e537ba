from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import EpisodeRecord
from homebody.agents.wording import NUMBERED
from homebody.envs import TaskSpec, tasks
from homebody.evolution.evidence import plans as plans_module
from homebody.evolution.evidence.plans import (
    CANDIDATES,
    RolloutOutcome,
    RolloutTest,
    Success,
    candidate_plans,
    further_mutations,
    mutations,
)

KINDS = frozenset({"gem", "stone", "shaft", "crate", "pail"})
GOAL = "bring a gem to a crate"
EXPLORE = ("go to #", "open #")


def plan(*commands: str, goal: str = GOAL) -> Success:
    return Success.of(goal, commands, KINDS, EXPLORE)


def step(form: str, *args: str) -> dict[str, Any]:
    return {"action": form, "args": list(args)}


LIFT, WET, DROP = step("lift # from #", "{0}=a", "shaft=b"), step("wet #", "{0}=a"), step("drop # at #", "{0}=a", "{1}=c")


def test_a_plan_keeps_what_does_not_explore_with_the_slots_of_the_goal() -> None:
    made = plan("go to shaft 2", "lift gem 3 from shaft 2", "press", "open crate 1", "drop gem 3 at crate 1")
    assert made.actions == ("lift # from #", "press", "drop # at #")
    assert made.args == ((("{0}", "gem 3"), ("", "shaft 2")), (), (("{0}", "gem 3"), ("{1}", "crate 1")))


def test_one_success_makes_a_candidate_with_one_variable_for_each_instance() -> None:
    assert candidate_plans([plan("lift gem 1 from shaft 1", "wet gem 1", "drop gem 1 at crate 1")]) == [[LIFT, WET, DROP]]


def test_an_argument_of_two_kinds_is_anything() -> None:
    plans = [plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1"), plan("lift gem 2 from pail 1", "drop gem 2 at crate 1")]
    assert candidate_plans(plans) == [[step("lift # from #", "{0}=a", "*=b"), DROP]]


def test_a_kind_seen_elsewhere_at_the_same_argument_counts() -> None:
    short = plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1")
    other = plan("lift gem 2 from pail 1", "wet gem 2", "drop gem 2 at crate 1")
    lift = step("lift # from #", "{0}=a", "*=b")
    assert candidate_plans([short, other]) == [[lift, DROP], [lift, WET, DROP]]


def test_an_argument_that_was_no_word_of_the_goal_once_is_no_slot() -> None:
    plans = [plan("lift gem 1 from shaft 1"), plan("lift stone 1 from shaft 1", "lift gem 1 from shaft 2")]
    assert candidate_plans(plans)[0] == [step("lift # from #", "*=a", "shaft=b")]
    # One kind all the same: then it is that kind.
    plans = [plan("wet gem 1"), plan("wet gem 1", "press", goal="press it")]
    assert candidate_plans(plans)[0] == [step("wet #", "gem=a")]


def test_slots_that_differ_between_the_successes_of_a_sequence_are_no_slot() -> None:
    plans = [plan("wet gem 1", goal="wet a gem"), plan("wet gem 1", goal="near a crate wet a gem")]
    assert [made.args for made in plans] == [((("{0}", "gem 1"),),), ((("{1}", "gem 1"),),)]
    assert candidate_plans(plans) == [[step("wet #", "gem=a")]]


def test_two_instances_of_one_kind_are_two_variables_and_one_is_one_only_if_always() -> None:
    twice = [
        plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1", "lift gem 2 from shaft 1", "drop gem 2 at crate 1"),
        plan("lift gem 4 from shaft 1", "drop gem 4 at crate 2", "lift gem 3 from shaft 2", "drop gem 3 at crate 2"),
    ]
    again = step("lift # from #", "{0}=d", "shaft=e"), step("drop # at #", "{0}=d", "{1}=c")
    assert candidate_plans(twice) == [[LIFT, DROP, *again]]
    # From the first success alone it looks as if the shaft had to be the same.
    assert candidate_plans(twice[:1]) == [[LIFT, DROP, step("lift # from #", "{0}=d", "shaft=b"), again[1]]]


def test_candidates_are_ranked_by_successes_then_length_then_name_and_cut() -> None:
    plans = [plan("wet gem 1", "press"), plan("wet gem 1", "press"), plan("turn gem 1"), plan("press"), plan("go to shaft 1")]
    assert [[s["action"] for s in made] for made in candidate_plans(plans)] == [["wet #", "press"], ["press"], ["turn #"]]
    assert len(candidate_plans([plan(*["press"] * length) for length in range(1, 20)])) == CANDIDATES == 12


def test_a_plan_with_more_arguments_than_letters_is_no_candidate() -> None:
    commands = [f"lift gem {n} from shaft {n}" for n in range(13)]
    assert [len(made) for made in candidate_plans([plan(*commands)])] == [13]
    assert candidate_plans([plan(*commands, "wet gem 99")]) == []


def test_mutations_by_hand() -> None:
    forms = {
        "wet #": [frozenset({"gem", "stone"})],
        "tie # to #": [frozenset({"gem"}), frozenset({"rope"})],
        "rub # on #": [frozenset({"gem"}), frozenset({"rope", "pail"})],
        "drop # at #": [frozenset({"gem"}), frozenset({"crate"})],
    }
    source = step("lift # from #", "{0}=a", "*=b")
    assert mutations([source, DROP], forms) == [
        [source, step("rub # on #", "{0}=a", "*=z"), DROP],
        [source, step("tie # to #", "{0}=a", "rope=z"), DROP],
        [source, WET, DROP],
        [source, DROP, step("lift # from #", "{0}=A", "*=B"), step("drop # at #", "{0}=A", "{1}=c")],
    ]
    assert mutations([LIFT, WET, DROP], {"turn #": [frozenset({"gem"})]})[:2] == [
        [LIFT, step("turn #", "{0}=a"), WET, DROP],
        [LIFT, WET, step("turn #", "{0}=a"), DROP],
    ]


def test_further_mutations_add_a_command_on_another_instance_or_before_or_after_all() -> None:
    turn = step("turn #", "{0}=a")
    found = further_mutations([LIFT, DROP], {"turn #": [frozenset({"gem"})]})
    shaft, crate = step("turn #", "shaft=b"), step("turn #", "{1}=c")
    assert found == [
        [turn, LIFT, DROP],
        [LIFT, DROP, turn],
        *([*[LIFT, DROP][:place], other, *[LIFT, DROP][place:]] for other in (shaft, crate) for place in range(3)),
    ]
    assert further_mutations([LIFT, WET, DROP], {"wet #": [frozenset({"gem"})]}) == []


def test_a_candidate_may_begin_with_a_command_that_names_nothing() -> None:
    press = step("press")
    assert mutations([press, press], {"wet #": [frozenset({"gem"})]}) == [[press, press, press, press]]
    assert mutations([press, WET, DROP], {})[-1] == [press, WET, DROP, press, step("wet #", "{0}=A"), step("drop # at #", "{0}=A", "{1}=c")]


def tried(types: tuple[str, ...], candidates: list[Any], forms: Mapping[str, Any] = {}, budget: int = 10_000) -> Any:
    chosen = tasks("Quarry-v0", "train", types=types, numbers=6)
    plans = {"bring": "bring a {0} to a {1}", "wash": "wash a {0} for a {1}", "press": "press it"}
    goals = {task.task_id: plans[task.type] for task in chosen}
    env: gymnasium.Env[str, str] = gymnasium.make("Quarry-v0", disable_env_checker=True, types=types)
    return outcome(RolloutTest(env, chosen, goals, EXPLORE, None, NUMBERED, budget).run(candidates, forms))


def outcome(tested: RolloutOutcome) -> tuple[Any, Any, int]:
    return tested.plans, dict(tested.support), tested.steps


def test_rollouts_find_the_candidate_that_serves_a_goal(quarry: Any) -> None:
    wrong = [DROP, LIFT]
    plans, support, steps = tried(("bring", "press"), [wrong, [LIFT, DROP], [step("press")]])
    assert plans == ({"goal": "bring a {0} to a {1}", "steps": [LIFT, DROP]}, {"goal": "press it", "steps": [step("press")]})
    assert support == {"bring a {0} to a {1}": 1.0, "press it": 1.0}
    # `wrong`: the environment ends each of five episodes after 30 steps. Then one to three shafts, drawn among equals, with or without a
    # look into the crate before, which has to be opened; lift, go and open, drop. And five presses.
    assert 5 * 30 + 5 * (1 + 4) + 5 <= steps <= 5 * 30 + 5 * (3 + 2 + 3) + 5
    assert set(quarry.played) == {f"train/{kind}-{number}" for kind in ("bring", "press") for number in range(5)}


def test_a_goal_that_no_candidate_serves_is_tested_with_mutations(quarry: Any) -> None:
    plans, support, _ = tried(("wash",), [[LIFT, DROP]], {"wet #": [frozenset({"gem"})], "press": []})
    assert plans == ({"goal": "wash a {0} for a {1}", "steps": [LIFT, WET, DROP]},)
    assert support == {"wash a {0} for a {1}": 1.0}


def test_no_candidate_and_no_budget_give_no_plans(quarry: Any) -> None:
    assert tried(("bring",), []) == ((), {}, 0)
    assert tried(("bring",), [[LIFT, DROP]], budget=0) == ((), {}, 0)
    assert quarry.played == []


def test_a_goal_with_one_slot_is_not_tested_with_a_candidate_for_two(quarry: Any) -> None:
    assert tried(("press",), [[LIFT, DROP]]) == ((), {}, 0)
    assert tried(("bring",), [[step("press")]]) == ((), {}, 0)


TASKS = [TaskSpec(f"train/a-{number}", "a", "train") for number in range(7)]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, episode: Callable[..., EpisodeRecord]) -> Callable[..., tuple[Any, list[str]]]:
    """Test candidates called a, b, ... that win `wins` rollouts in `steps` steps; returns the result and who was played."""

    def run(outcomes: Mapping[str, tuple[int, int]], budget: int = 1000) -> tuple[Any, list[str]]:
        played: list[str] = []

        def play(env: Any, spec: HarnessSpec, policy: Any, task: TaskSpec) -> EpisodeRecord:
            name = spec.components["learned_plan"]["params"]["plans"][0]["steps"][0]["action"]
            played.append(name)
            wins, steps = outcomes[name]
            searched = {"subgoal": {"phase": "search", "wanted": "gem"}}
            return episode(int(task.task_id[-1]) < wins, task_id=task.task_id, steps=steps, trace=[searched])

        monkeypatch.setattr(plans_module, "run_episode", play)
        env: Any = None
        candidates = [[step(name)] for name in outcomes]
        test = RolloutTest(env, TASKS, {task.task_id: "win" for task in TASKS}, EXPLORE, None, NUMBERED, budget)
        return outcome(test.run(candidates, {})), played

    return run


@pytest.mark.parametrize(
    ("outcomes", "kept", "share", "trials"),
    [
        # Five tasks a trial, seven are there. Then every candidate done twice, named by its first step.
        ({"a": (1, 9), "b": (3, 9), "c": (2, 9)}, "b", 0.6, "aaaaabbbbbccccc"),
        ({"a": (2, 9), "b": (2, 4), "c": (2, 4)}, "b", 0.4, "aaaaabbbbbccccc"),  # equal shares: the faster; and the first of equals
        ({"a": (3, 9), "b": (5, 9), "c": (5, 1)}, "b", 1.0, "aaaaabbbbb"),  # no better candidate than one that always wins
        ({"a": (1, 9), "b": (0, 9)}, None, 0.0, "aaaaabbbbbaaaaabbbbb"),  # less than 40%: mutations are tested, and fail too
    ],
)
def test_the_candidate_that_wins_most_is_kept(
    scripted: Callable[..., tuple[Any, list[str]]], outcomes: dict[str, tuple[int, int]], kept: str | None, share: float, trials: str
) -> None:
    (plans, support, steps), played = scripted(outcomes)
    assert "".join(played) == trials
    assert plans == (({"goal": "win", "steps": [step(kept)]},) if kept else ())
    assert support == ({"win": share} if kept else {})
    assert steps == sum(outcomes[name][1] for name in played)


def test_no_further_candidate_is_tested_once_the_budget_is_spent(scripted: Callable[..., tuple[Any, list[str]]]) -> None:
    (plans, _, steps), played = scripted({"a": (2, 9), "b": (4, 9)}, budget=45)
    assert ("".join(played), steps) == ("aaaaa", 45)
    assert plans == ({"goal": "win", "steps": [step("a")]},)
