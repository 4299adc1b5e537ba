"""Skills as advice: a text, an order and a shortlist of at least eight candidates for a model; the executor follows the same advice."""

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import CurrentSubgoal
from homebody.agents.model_free import ExecutorPolicy, NoModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.skills.skill import LEAST_SHORTLIST, shortlist


@pytest.mark.parametrize(
    ("count", "advised", "kept"),
    [
        (3, ("b",), ("b", "c", "a")),  # all, where there are no more than eight
        (10, ("b", "d"), ("b", "d", "j", "i", "h", "g", "f", "e")),
        (10, tuple("abcdefghi"), tuple("abcdefghi")),  # all that is advised, however much that is
        (10, (), ("j", "i", "h", "g", "f", "e", "d", "c")),
    ],
)
def test_a_shortlist_is_what_is_advised_filled_up_by_prior(count, advised, kept):
    candidates = tuple("abcdefghij"[:count])
    assert shortlist(candidates, tuple(map(float, range(count))), advised) == kept
    assert LEAST_SHORTLIST == 8


def test_a_plan_that_advises_puts_first_what_serves_and_takes_nothing_off_below_eight(make, yard):
    plan = make("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE, "mode": "advise", "weight": 0.5})
    changes = plan.process(yard.ask(("lift barrel 1 off dock 1", "wait", "walk to dock 2", "walk to shed 1"), prior=(1.0, 2.0, 3.0, 4.0)))
    assert changes.pop("content").partition(CUT)[2].split("\n\n")[-1] == (
        "Goals like this one were reached in these steps: lift crate off something; drop crate on dock. What comes next is to "
        "lift crate off something."
    )
    assert changes == {
        "subgoal": CurrentSubgoal("search", "crate"),
        "candidates": ("walk to shed 1", "walk to dock 2", "wait", "lift barrel 1 off dock 1"),
        "prior": (4.5, 3.5, 2.0, 1.0),
        "advised": "walk to shed 1",
    }


def test_a_plan_names_the_instances_that_it_knows(make, yard):
    plan = make("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE, "mode": "advise", "message": "{next}"})
    plan.process(yard.ask(("wait", *yard.WALKS)))
    plan.observe(yard.told("lift crate 1 off shed 2", "You lift it.", ("wait",)))
    assert plan.process(yard.ask(("wait", *yard.WALKS)))["content"].endswith("drop crate 1 on dock")


def test_locations_that_advise_leave_the_prior_of_the_others_and_name_the_usual_places(make, yard):
    memory = make("location_memory", {"hits": {"crate": {"dock": 3}}, "observations": {"dock": 4, "shed": 9}, "mode": "advise"})
    changes = memory.process(yard.ask(("walk to shed 1", "walk to dock 2"), subgoal=("search", "crate")))
    assert (changes["candidates"], changes["prior"], changes["advised"]) == (
        ("walk to dock 2", "walk to shed 1"),
        (2.0, 1.0),
        "walk to dock 2",
    )
    assert changes["content"].endswith("Where crate was found most often: dock.")


def test_a_list_that_advises_keeps_eight_and_says_how_well_the_opened_pages_fit(make, stacks):
    commands = (*(f"pick[x{number}]" for number in range(9)), "pick[start over]")
    shown = " | ".join(["Start over", *(f"X{number} | A title" for number in range(9))])
    skill = make("open_and_compare", {"final": "pick[take]", "fixed": stacks.FIXED, "separator": " | ", "mode": "advise"})
    changes = skill.process(stacks.ask(commands, shown))
    assert changes["candidates"][0] == changes["advised"] == "pick[x0]"
    assert len(changes["candidates"]) == LEAST_SHORTLIST
    assert "content" not in changes  # nothing was opened yet


@pytest.mark.parametrize("mode", ["limit", "advise"])
@pytest.mark.parametrize("policy", [ExecutorPolicy, NoModelPolicy])
def test_the_executor_plays_a_skill_alike_in_both_modes(mode, policy, harness, yard):
    plan = ("learned_plan", {"plans": [yard.ONE, yard.TAR, yard.TWO], "explore": yard.EXPLORE, "mode": mode})
    spec = harness(plan, ("visited", {"actions": yard.EXPLORE}), ("decide", {"method": "rank"}))
    records = [run_episode(yard.Yard(), spec, policy(), yard.task(name), max_steps=25) for name in yard.TASKS]
    assert [record.won for record in records] == [True] * 3
    assert [record.failures for record in records] == [[]] * 3
