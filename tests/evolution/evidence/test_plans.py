from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import EpisodeRecord
from homebody.envs import TaskSpec, tasks
from homebody.evolution.evidence import milestone
from homebody.evolution.evidence.milestone import IDEAS, Plan, suggest, try_out, vary

KINDS = frozenset({"gem", "stone", "shaft", "crate", "pail"})
GOAL = "bring a gem to a crate"
EXPLORE = ("go to #", "open #")


def plan(*commands: str, goal: str = GOAL) -> Plan:
    return Plan.of(goal, commands, KINDS, EXPLORE)


def step(form: str, *args: str) -> dict[str, Any]:
    return {"form": form, "args": list(args)}


LIFT, WET, DROP = step("lift # from #", "{0}=a", "shaft=b"), step("wet #", "{0}=a"), step("drop # at #", "{0}=a", "{1}=c")


def test_a_plan_keeps_what_does_not_explore_with_the_slots_of_the_goal() -> None:
    made = plan("go to shaft 2", "lift gem 3 from shaft 2", "press", "open crate 1", "drop gem 3 at crate 1")
    assert made.forms == ("lift # from #", "press", "drop # at #")
    assert made.args == ((("{0}", "gem 3"), ("", "shaft 2")), (), (("{0}", "gem 3"), ("{1}", "crate 1")))


def test_one_success_makes_an_idea_with_one_variable_for_each_instance() -> None:
    assert suggest([plan("lift gem 1 from shaft 1", "wet gem 1", "drop gem 1 at crate 1")]) == [[LIFT, WET, DROP]]


def test_an_argument_of_two_kinds_is_anything() -> None:
    plans = [plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1"), plan("lift gem 2 from pail 1", "drop gem 2 at crate 1")]
    assert suggest(plans) == [[step("lift # from #", "{0}=a", "*=b"), DROP]]


def test_a_kind_seen_elsewhere_at_the_same_argument_counts() -> None:
    short = plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1")
    other = plan("lift gem 2 from pail 1", "wet gem 2", "drop gem 2 at crate 1")
    lift = step("lift # from #", "{0}=a", "*=b")
    assert suggest([short, other]) == [[lift, DROP], [lift, WET, DROP]]


def test_an_argument_that_was_no_word_of_the_goal_once_is_no_slot() -> None:
    plans = [plan("lift gem 1 from shaft 1"), plan("lift stone 1 from shaft 1", "lift gem 1 from shaft 2")]
    assert suggest(plans)[0] == [step("lift # from #", "*=a", "shaft=b")]
    # One kind all the same: then it is that kind.
    plans = [plan("wet gem 1"), plan("wet gem 1", "press", goal="press it")]
    assert suggest(plans)[0] == [step("wet #", "gem=a")]


def test_slots_that_differ_between_the_successes_of_a_sequence_are_no_slot() -> None:
    plans = [plan("wet gem 1", goal="wet a gem"), plan("wet gem 1", goal="near a crate wet a gem")]
    assert [made.args for made in plans] == [((("{0}", "gem 1"),),), ((("{1}", "gem 1"),),)]
    assert suggest(plans) == [[step("wet #", "gem=a")]]


def test_two_instances_of_one_kind_are_two_variables_and_one_is_one_only_if_always() -> None:
    twice = [
        plan("lift gem 1 from shaft 1", "drop gem 1 at crate 1", "lift gem 2 from shaft 1", "drop gem 2 at crate 1"),
        plan("lift gem 4 from shaft 1", "drop gem 4 at crate 2", "lift gem 3 from shaft 2", "drop gem 3 at crate 2"),
    ]
    again = step("lift # from #", "{0}=d", "shaft=e"), step("drop # at #", "{0}=d", "{1}=c")
    assert suggest(twice) == [[LIFT, DROP, *again]]
    # From the first success alone it looks as if the shaft had to be the same.
    assert suggest(twice[:1]) == [[LIFT, DROP, step("lift # from #", "{0}=d", "shaft=b"), again[1]]]


def test_ideas_are_ranked_by_successes_then_length_then_name_and_cut() -> None:
    plans = [plan("wet gem 1", "press"), plan("wet gem 1", "press"), plan("turn gem 1"), plan("press"), plan("go to shaft 1")]
    assert [[s["form"] for s in idea] for idea in suggest(plans)] == [["wet #", "press"], ["press"], ["turn #"]]
    assert len(suggest([plan(*["press"] * length) for length in range(1, 20)])) == IDEAS == 12


def test_a_plan_with_more_arguments_than_letters_is_no_idea() -> None:
    commands = [f"lift gem {n} from shaft {n}" for n in range(13)]
    assert [len(idea) for idea in suggest([plan(*commands)])] == [13]
    assert suggest([plan(*commands, "wet gem 99")]) == []


def test_variations_by_hand() -> None:
    forms = {
        "wet #": [frozenset({"gem", "stone"})],
        "tie # to #": [frozenset({"gem"}), frozenset({"rope"})],
        "rub # on #": [frozenset({"gem"}), frozenset({"rope", "pail"})],
        "drop # at #": [frozenset({"gem"}), frozenset({"crate"})],
    }
    source = step("lift # from #", "{0}=a", "*=b")
    assert vary([source, DROP], forms) == [
        [source, step("rub # on #", "{0}=a", "*=z"), DROP],
        [source, step("tie # to #", "{0}=a", "rope=z"), DROP],
        [source, WET, DROP],
        [source, DROP, step("lift # from #", "{0}=A", "*=B"), step("drop # at #", "{0}=A", "{1}=c")],
    ]
    assert vary([LIFT, WET, DROP], {"turn #": [frozenset({"gem"})]})[:2] == [
        [LIFT, step("turn #", "{0}=a"), WET, DROP],
        [LIFT, WET, step("turn #", "{0}=a"), DROP],
    ]


def test_an_idea_may_begin_with_a_command_that_names_nothing() -> None:
    press = step("press")
    assert vary([press, press], {"wet #": [frozenset({"gem"})]}) == [[press, press, press, press]]
    assert vary([press, WET, DROP], {})[-1] == [press, WET, DROP, press, step("wet #", "{0}=A"), step("drop # at #", "{0}=A", "{1}=c")]


def tried(types: tuple[str, ...], ideas: list[Any], forms: Mapping[str, Any] = {}, budget: int = 10_000) -> Any:
    chosen = tasks("Quarry-v0", "train", types=types, numbers=6)
    frames = {"bring": "bring a {0} to a {1}", "wash": "wash a {0} for a {1}", "press": "press it"}
    goals = {task.task_id: frames[task.type] for task in chosen}
    env: gymnasium.Env[str, str] = gymnasium.make("Quarry-v0", disable_env_checker=True, types=types)
    return try_out(env, chosen, goals, ideas, forms, EXPLORE, {}, budget)


def test_playing_finds_the_idea_that_serves_a_goal(quarry: Any) -> None:
    wrong = [DROP, LIFT]
    frames, support, steps = tried(("bring", "press"), [wrong, [LIFT, DROP], [step("press")]])
    assert frames == ({"goal": "bring a {0} to a {1}", "steps": [LIFT, DROP]}, {"goal": "press it", "steps": [step("press")]})
    assert support == {"bring a {0} to a {1}": 1.0, "press it": 1.0}
    # `wrong`: the environment ends each of five episodes after 30 steps. Then one to three shafts, drawn among equals, with or without a
    # look into the crate before, which has to be opened; lift, go and open, drop. And five presses.
    assert 5 * 30 + 5 * (1 + 4) + 5 <= steps <= 5 * 30 + 5 * (3 + 2 + 3) + 5
    assert set(quarry.played) == {f"train/{kind}-{number}" for kind in ("bring", "press") for number in range(5)}


def test_a_goal_that_no_idea_serves_is_tried_with_variations(quarry: Any) -> None:
    frames, support, _ = tried(("wash",), [[LIFT, DROP]], {"wet #": [frozenset({"gem"})], "press": []})
    assert frames == ({"goal": "wash a {0} for a {1}", "steps": [LIFT, WET, DROP]},)
    assert support == {"wash a {0} for a {1}": 1.0}


def test_no_idea_and_no_budget_give_no_frames(quarry: Any) -> None:
    assert tried(("bring",), []) == ((), {}, 0)
    assert tried(("bring",), [[LIFT, DROP]], budget=0) == ((), {}, 0)
    assert quarry.played == []


def test_a_goal_with_one_slot_is_not_tried_with_an_idea_for_two(quarry: Any) -> None:
    assert tried(("press",), [[LIFT, DROP]]) == ((), {}, 0)
    assert tried(("bring",), [[step("press")]]) == ((), {}, 0)


TASKS = [TaskSpec(f"train/a-{number}", "a", "train") for number in range(7)]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, episode: Callable[..., EpisodeRecord]) -> Callable[..., tuple[Any, list[str]]]:
    """Try ideas called a, b, ... that win the first `wins` of their trials in `steps` steps; returns the result and who was tried."""

    def run(outcomes: Mapping[str, tuple[int, int]], budget: int = 1000) -> tuple[Any, list[str]]:
        played: list[str] = []

        def play(env: Any, spec: HarnessSpec, policy: Any, task: TaskSpec) -> EpisodeRecord:
            name = spec.components["learned_plan"]["params"]["frames"][0]["steps"][0]["form"]
            played.append(name)
            wins, steps = outcomes[name]
            searched = {"focus": {"phase": "search", "wanted": "gem"}}
            return episode(int(task.task_id[-1]) < wins, task_id=task.task_id, steps=steps, trace=[searched])

        monkeypatch.setattr(milestone, "run_episode", play)
        env: Any = None
        ideas = [[step(name)] for name in outcomes]
        return try_out(env, TASKS, {task.task_id: "win" for task in TASKS}, ideas, {}, EXPLORE, {}, budget), played

    return run


@pytest.mark.parametrize(
    ("outcomes", "kept", "share", "trials"),
    [
        # Five tasks a trial, seven are there. Then every idea done twice, named by its first step.
        ({"a": (1, 9), "b": (3, 9), "c": (2, 9)}, "b", 0.6, "aaaaabbbbbccccc"),
        ({"a": (2, 9), "b": (2, 4), "c": (2, 4)}, "b", 0.4, "aaaaabbbbbccccc"),  # equal shares: the faster; and the first of equals
        ({"a": (3, 9), "b": (5, 9), "c": (5, 1)}, "b", 1.0, "aaaaabbbbb"),  # no better idea than one that always wins
        ({"a": (1, 9), "b": (0, 9)}, None, 0.0, "aaaaabbbbbaaaaabbbbb"),  # less than 40%: variations are tried, and fail too
    ],
)
def test_the_idea_that_wins_most_is_kept(
    scripted: Callable[..., tuple[Any, list[str]]], outcomes: dict[str, tuple[int, int]], kept: str | None, share: float, trials: str
) -> None:
    (frames, support, steps), played = scripted(outcomes)
    assert "".join(played) == trials
    assert frames == (({"goal": "win", "steps": [step(kept)]},) if kept else ())
    assert support == ({"win": share} if kept else {})
    assert steps == sum(outcomes[name][1] for name in played)


def test_no_further_idea_is_tried_once_the_budget_is_spent(scripted: Callable[..., tuple[Any, list[str]]]) -> None:
    (frames, _, steps), played = scripted({"a": (2, 9), "b": (4, 9)}, budget=45)
    assert ("".join(played), steps) == ("aaaaa", 45)
    assert frames == ({"goal": "win", "steps": [step("a")]},)
