"""learned_plan: the next milestone of the goal on the candidates, or the way to it, or the search for what it needs."""

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import CurrentSubgoal
from homebody.agents.harness.running import Harness
from homebody.agents.model_free import ModelFreePolicy
from homebody.agents.policy import best
from homebody.agents.processors.base import Services
from homebody.agents.skills.learned_plan import fill

TWO_GOAL = "put two crate on a dock"


@pytest.fixture
def book(make, yard):
    """Make a learned_plan that knows the three goals of the yard, and show it the first candidates."""

    def book(goal="put a crate on a dock", **params):
        processor = make("learned_plan", {"plans": [yard.ONE, yard.TAR, yard.TWO], "explore": yard.EXPLORE} | params)
        processor.process(yard.ask(("wait", *yard.WALKS), goal=goal))
        return processor

    return book


def walks(yard, here):
    return tuple(command for command in yard.WALKS if command != f"walk to {here}")


def after(yard, here, *more):
    """Commands on offer at a place."""
    return tuple(sorted((*walks(yard, here), "wait", *more)))


# --- search


def test_search_offers_what_explores_and_says_what_is_wanted(book, yard):
    candidates = ("lift barrel 1 off dock 1", "wait", "walk to dock 2", "walk to shed 1")
    assert book().process(yard.ask(candidates, prior=(1.0, 2.0, 3.0, 4.0))) == {
        "subgoal": CurrentSubgoal("search", "crate"),
        "candidates": ("walk to dock 2", "walk to shed 1"),
        "prior": (3.0, 4.0),
        "advised": "walk to shed 1",
    }


@pytest.mark.parametrize(
    ("finish", "expected"), [(True, ("unlock shed 1",)), (False, ("unlock shed 1", "walk to dock 1", "walk to dock 2"))]
)
def test_search_may_end_a_look_before_it_goes_on(finish, expected, book, yard):
    learned_plan = book(finish_observations=finish)
    learned_plan.observe(yard.told("walk to shed 1", "It is locked.", after(yard, "shed 1", "unlock shed 1")))
    candidates = ("unlock shed 1", "wait", "walk to dock 1", "walk to dock 2")
    assert learned_plan.process(yard.ask(candidates))["candidates"] == expected


def test_search_without_a_command_that_explores_leaves_the_candidates(make, yard):
    learned_plan = make("learned_plan", {"plans": [yard.ONE]})
    assert learned_plan.process(yard.ask(("wait", *yard.WALKS))) == {"subgoal": CurrentSubgoal("search", "crate"), "advised": ""}


def test_search_leaves_out_places_where_the_wanted_never_stands(book, yard):
    candidates = ("wait", "walk to dock 1", "walk to dock 2", "walk to shed 1")
    skipping = book(plans=[{**yard.ONE, "skip": ["{1}"]}])
    assert skipping.process(yard.ask(candidates))["candidates"] == ("walk to shed 1",)
    # Where nothing else is left they are searched after all.
    assert skipping.process(yard.ask(candidates[:3]))["candidates"] == ("walk to dock 1", "walk to dock 2")


def test_search_passes_over_a_slot_that_the_goal_has_not(book, yard):
    candidates = ("wait", "walk to dock 1", "walk to shed 1")
    assert book(plans=[{**yard.ONE, "skip": ["{7}"]}]).process(yard.ask(candidates))["candidates"] == ("walk to dock 1", "walk to shed 1")


# --- another reading


def lifting(learned_plan, yard):
    """Show it that a crate was seen on a dock and lifted."""
    learned_plan.observe(yard.told("walk to dock 1", "You see crate 1.", after(yard, "dock 1", "lift crate 1 off dock 1")))
    learned_plan.observe(yard.told("lift crate 1 off dock 1", "You lift it.", after(yard, "dock 1", "drop crate 1 on dock 1")))
    return learned_plan


def test_goal_that_is_read_otherwise_begins_its_own_plan_with_what_was_seen(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("walk to dock 1", "You see crate 1, barrel 2.", after(yard, "dock 1", "lift barrel 2 off dock 1")))
    learned_plan.observe(yard.told("lift crate 1 off dock 1", "You lift it.", after(yard, "dock 1", "drop crate 1 on dock 1")))
    candidates = after(yard, "dock 1", "lift barrel 2 off dock 1")
    found = learned_plan.process(yard.ask(candidates, goal="put a barrel on a shed"))
    assert (found["subgoal"], found["advised"]) == (CurrentSubgoal("act", "barrel"), "lift barrel 2 off dock 1")
    elsewhere = learned_plan.process(yard.ask(after(yard, "shed 1"), goal="put a barrel on a shed"))
    assert (elsewhere["subgoal"], elsewhere["candidates"]) == (CurrentSubgoal("reach", "barrel"), ("walk to dock 1",))


def test_what_an_ended_plan_has_moved_lies_where_it_is_seen(book, yard):
    learned_plan = lifting(book(), yard)
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "You drop it.", after(yard, "dock 1", "lift crate 1 off dock 1")))
    assert learned_plan.process(yard.ask(after(yard, "dock 1"))) is None  # the plan is over
    found = learned_plan.process(yard.ask(after(yard, "dock 2"), goal="put a crate on a shed"))
    assert (found["subgoal"], found["candidates"]) == (CurrentSubgoal("reach", "crate"), ("walk to dock 1",))


def test_another_plan_goes_on_from_what_is_done(book, yard):
    learned_plan = lifting(book(), yard)
    found = learned_plan.process(yard.ask(after(yard, "shed 1", "drop crate 1 on shed 1"), goal="put a crate on a shed"))
    assert (found["subgoal"], found["advised"]) == (CurrentSubgoal("act", "crate"), "drop crate 1 on shed 1")


# --- act


def test_act_offers_the_milestone_alone(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("walk to dock 1", "You see barrel 1, crate 4.", after(yard, "dock 1")))
    candidates = after(yard, "dock 1", "lift barrel 1 off dock 1", "lift crate 4 off dock 1", "lift crate 5 off dock 1")
    assert learned_plan.process(yard.ask(candidates)) == {
        "subgoal": CurrentSubgoal("act", "crate"),
        "candidates": ("lift crate 4 off dock 1", "lift crate 5 off dock 1"),
        "prior": (0.0, 0.0),
        "advised": "lift crate 4 off dock 1",
    }


def test_candidates_of_milestones_only_stays_as_it_is(book, yard):
    only = "lift crate 4 off dock 1"
    assert book().process(yard.ask((only,))) == {"subgoal": CurrentSubgoal("act", "crate"), "advised": only}


def test_slots_take_the_goals_words(book, yard):
    learned_plan = book("put a barrel on a shed")
    candidates = ("lift barrel 1 off dock 1", "lift crate 1 off dock 1")
    assert learned_plan.process(yard.ask(candidates, goal="put a barrel on a shed"))["candidates"] == ("lift barrel 1 off dock 1",)


def test_milestone_that_was_refused_is_not_reached(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("lift crate 1 off dock 1", accepted=False))
    assert learned_plan.process(yard.ask(("lift crate 1 off dock 1", "wait")))["subgoal"] == CurrentSubgoal("act", "crate")


def test_milestone_without_slots_is_met_by_its_form(make, yard):
    learned_plan = make("learned_plan", {"plans": [{"goal": "rest", "steps": [{"action": "wait", "args": []}]}]})
    assert learned_plan.process(yard.ask(("sing", "wait"), goal="Rest.")) == {
        "subgoal": CurrentSubgoal("act", ""),
        "candidates": ("wait",),
        "prior": (0.0,),
        "advised": "wait",
    }


def test_form_with_another_number_of_arguments_is_no_milestone(make, yard):
    steps = [{"action": "lift # off #", "args": ["*=a"]}]
    learned_plan = make("learned_plan", {"plans": [{"goal": "rest", "steps": steps}], "explore": yard.EXPLORE})
    assert learned_plan.process(yard.ask(("lift crate 1 off dock 1", "wait"), goal="rest")) is None


def test_playbook_rests_after_the_last_milestone(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("lift crate 1 off shed 1"))
    learned_plan.observe(yard.told("drop crate 1 on dock 1"))
    assert learned_plan.process(yard.ask(("lift crate 1 off dock 1", "wait"))) is None
    learned_plan.observe(yard.told("lift crate 1 off dock 1"))
    assert learned_plan.process(yard.ask(("drop crate 1 on dock 1", "wait"))) is None


# --- reach


def test_reach_leads_to_the_places_of_the_wanted_kind(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("walk to shed 1", "It is locked.", after(yard, "shed 1", "unlock shed 1")))
    learned_plan.observe(yard.told("lift crate 1 off shed 1", "", after(yard, "shed 1")))
    assert learned_plan.process(yard.ask(after(yard, "shed 1"))) == {
        "subgoal": CurrentSubgoal("reach", "dock"),
        "candidates": ("walk to dock 1", "walk to dock 2"),
        "prior": (0.0, 0.0),
        "advised": "walk to dock 1",
    }


def test_reach_prefers_a_place_where_the_agent_has_been(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("walk to dock 2", "You see nothing.", after(yard, "dock 2")))
    learned_plan.observe(yard.told("walk to shed 1", "It is locked.", after(yard, "shed 1")))
    learned_plan.observe(yard.told("lift crate 1 off shed 1", "", after(yard, "shed 1")))
    assert learned_plan.process(yard.ask(after(yard, "shed 1")))["candidates"] == ("walk to dock 2",)


def test_reach_uses_what_the_place_itself_asks_for_then_tries_another(book, yard):
    goal = "put a crate on a shed"
    learned_plan = book(goal)
    learned_plan.observe(yard.told("lift crate 1 off dock 1", "", after(yard, "dock 1")))
    learned_plan.observe(yard.told("walk to shed 1", "It is locked.", after(yard, "shed 1", "unlock shed 1")))
    assert learned_plan.process(yard.ask(after(yard, "shed 1", "unlock shed 1"), goal=goal)) == {
        "subgoal": CurrentSubgoal("reach", "shed"),
        "candidates": ("unlock shed 1",),
        "prior": (0.0,),
        "advised": "unlock shed 1",
    }
    learned_plan.observe(yard.told("unlock shed 1", "It is full.", after(yard, "shed 1")))
    assert learned_plan.process(yard.ask(after(yard, "shed 1"), goal=goal))["candidates"] == ("walk to shed 2",)
    learned_plan.observe(yard.told("walk to shed 2", "It is full.", after(yard, "shed 2")))
    # All of them were tried: back to a search among all places.
    assert learned_plan.process(yard.ask(after(yard, "shed 2"), goal=goal)) == {
        "subgoal": CurrentSubgoal("search", "shed"),
        "candidates": walks(yard, "shed 2"),
        "prior": (0.0,) * 4,
        "advised": "walk to dock 1",
    }


def test_reach_leads_to_a_kind_that_the_milestone_names_itself(book, yard):
    goal = "put a tarred crate on a dock"
    learned_plan = book(goal)
    learned_plan.observe(yard.told("lift crate 1 off shed 1", "", after(yard, "shed 1")))
    assert learned_plan.process(yard.ask(after(yard, "shed 1"), goal=goal)) == {
        "subgoal": CurrentSubgoal("reach", "vat"),
        "candidates": ("walk to vat 1",),
        "prior": (0.0,),
        "advised": "walk to vat 1",
    }


def test_reach_remembers_where_a_thing_was_seen(book, yard):
    learned_plan = book(TWO_GOAL)
    learned_plan.observe(yard.told("walk to vat 1", "You see crate 1, crate 2.", after(yard, "vat 1")))
    learned_plan.observe(yard.told("lift crate 1 off vat 1", "", after(yard, "vat 1")))
    learned_plan.observe(yard.told("walk to dock 1", "You see nothing.", after(yard, "dock 1", "drop crate 1 on dock 1")))
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "", after(yard, "dock 1", "lift crate 1 off dock 1")))
    assert learned_plan.process(yard.ask(after(yard, "dock 1", "lift crate 1 off dock 1"), goal=TWO_GOAL)) == {
        "subgoal": CurrentSubgoal("reach", "crate"),
        "candidates": ("walk to vat 1",),
        "prior": (0.0,),
        "advised": "walk to vat 1",
    }


def test_a_thing_on_the_candidates_alone_counts_as_seen(book, yard):
    learned_plan = book(TWO_GOAL)
    learned_plan.observe(yard.told("walk to vat 1", "", after(yard, "vat 1", "lift crate 1 off vat 1", "lift crate 2 off vat 1")))
    learned_plan.observe(yard.told("lift crate 1 off vat 1", "", after(yard, "vat 1")))
    learned_plan.observe(yard.told("walk to dock 1", "", after(yard, "dock 1", "drop crate 1 on dock 1")))
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "", after(yard, "dock 1")))
    changes = learned_plan.process(yard.ask(after(yard, "dock 1"), goal=TWO_GOAL))
    assert (changes["subgoal"].phase, changes["candidates"]) == ("reach", ("walk to vat 1",))


def test_a_thing_seen_from_nowhere_has_no_place(book, yard):
    learned_plan = book()
    learned_plan.observe(yard.told("wait", "Far away you see crate 1.", ("wait", *yard.WALKS)))
    assert learned_plan.process(yard.ask(("wait", *yard.WALKS)))["subgoal"] == CurrentSubgoal("search", "crate")


def test_a_thing_in_the_observation_alone_counts_as_seen(book, yard):
    learned_plan = book(TWO_GOAL)
    learned_plan.observe(yard.told("lift crate 1 off shed 1", "", after(yard, "shed 1")))
    learned_plan.observe(yard.told("walk to vat 1", "You see crate 2.", after(yard, "vat 1", "drop crate 1 on vat 1")))
    learned_plan.observe(yard.told("walk to dock 1", "You see nothing.", after(yard, "dock 1", "drop crate 1 on dock 1")))
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "", after(yard, "dock 1")))
    changes = learned_plan.process(yard.ask(after(yard, "dock 1"), goal=TWO_GOAL))
    assert (changes["subgoal"].phase, changes["candidates"]) == ("reach", ("walk to vat 1",))


def test_a_thing_that_was_used_is_not_looked_for_where_it_was_or_is(make, yard):
    steps = [
        {"action": "lift # off #", "args": ["*=a", "*=b"]},
        {"action": "drop # on #", "args": ["*=a", "dock=c"]},
        {"action": "lift # off #", "args": ["{0}=e", "*=f"]},
    ]
    learned_plan = make("learned_plan", {"plans": [{"goal": "move the {0}", "steps": steps}], "explore": yard.EXPLORE})
    learned_plan.process(yard.ask(yard.WALKS, goal="move the crate"))
    learned_plan.observe(yard.told("walk to vat 1", "You see crate 1.", after(yard, "vat 1", "lift crate 1 off vat 1")))
    learned_plan.observe(yard.told("lift crate 1 off vat 1", "", after(yard, "vat 1")))
    learned_plan.observe(yard.told("walk to dock 1", "", after(yard, "dock 1", "drop crate 1 on dock 1")))
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "", after(yard, "dock 1", "lift crate 1 off dock 1")))
    learned_plan.observe(yard.told("walk to dock 2", "", after(yard, "dock 2")))
    # Neither to the vat, where the first crate was, nor to the dock, where it is now.
    assert learned_plan.process(yard.ask(after(yard, "dock 2"), goal="move the crate")) == {
        "subgoal": CurrentSubgoal("search", "crate"),
        "candidates": walks(yard, "dock 2"),
        "prior": (0.0,) * 4,
        "advised": "walk to dock 1",
    }


def test_things_come_before_places(make, yard):
    plans = [{"goal": "tar a {0}", "steps": [{"action": "tar # with #", "args": ["{0}=a", "vat=d"]}]}]
    learned_plan = make("learned_plan", {"plans": plans, "explore": yard.EXPLORE})
    assert learned_plan.process(yard.ask(yard.WALKS, goal="tar a crate")) == {
        "subgoal": CurrentSubgoal("search", "crate"),
        "advised": "walk to dock 1",
    }


# --- variables


def test_one_variable_is_one_instance(book, yard):
    learned_plan = book(TWO_GOAL)
    for command in ("lift crate 1 off vat 1", "drop crate 1 on dock 2", "lift crate 2 off vat 1"):
        learned_plan.observe(yard.told(command, "", after(yard, "dock 2")))
    # Both crates go to the same dock.
    at_dock_1 = after(yard, "dock 1", "drop crate 2 on dock 1")
    assert learned_plan.process(yard.ask(at_dock_1, goal=TWO_GOAL)) == {
        "subgoal": CurrentSubgoal("reach", "dock"),
        "candidates": ("walk to dock 2",),
        "prior": (0.0,),
        "advised": "walk to dock 2",
    }
    at_dock_2 = after(yard, "dock 2", "drop crate 2 on dock 2")
    assert learned_plan.process(yard.ask(at_dock_2, goal=TWO_GOAL))["candidates"] == ("drop crate 2 on dock 2",)


def test_two_variables_of_a_kind_are_two_instances(book, yard):
    learned_plan = book(TWO_GOAL)
    for command in ("lift crate 1 off vat 1", "drop crate 1 on dock 2"):
        learned_plan.observe(yard.told(command, "", after(yard, "dock 2")))
    candidates = ("lift crate 1 off dock 2", "lift crate 2 off dock 2", "wait")
    assert learned_plan.process(yard.ask(candidates, goal=TWO_GOAL))["candidates"] == ("lift crate 2 off dock 2",)
    # The first crate again would be no step: the learned_plan still waits for the second.
    learned_plan.observe(yard.told("lift crate 1 off dock 2", "", after(yard, "dock 2")))
    assert learned_plan.process(yard.ask(candidates, goal=TWO_GOAL))["candidates"] == ("lift crate 2 off dock 2",)


def test_two_variables_of_a_kind_of_place_are_two_places(make, yard):
    steps = [
        {"action": "drop # on #", "args": ["{0}=a", "dock=c"]},
        {"action": "lift # off #", "args": ["{0}=e", "*=f"]},
        {"action": "drop # on #", "args": ["{0}=e", "dock=d"]},
    ]
    learned_plan = make("learned_plan", {"plans": [{"goal": "spread the {0}", "steps": steps}], "explore": yard.EXPLORE})
    learned_plan.process(yard.ask(yard.WALKS, goal="spread the crate"))
    learned_plan.observe(yard.told("walk to dock 1", "", after(yard, "dock 1", "drop crate 1 on dock 1")))
    learned_plan.observe(yard.told("drop crate 1 on dock 1", "", after(yard, "dock 1")))
    learned_plan.observe(yard.told("lift crate 2 off vat 1", "", after(yard, "vat 1")))
    assert learned_plan.process(yard.ask(after(yard, "vat 1"), goal="spread the crate"))["candidates"] == ("walk to dock 2",)


def test_any_kind_may_be_bound_and_come_back_to(make, yard):
    steps = [{"action": "lift # off #", "args": ["{0}=a", "*=b"]}, {"action": "drop # on #", "args": ["{0}=a", "*=b"]}]
    learned_plan = make("learned_plan", {"plans": [{"goal": "shake a {0}", "steps": steps}], "explore": yard.EXPLORE})
    learned_plan.process(yard.ask(yard.WALKS, goal="shake a crate"))
    learned_plan.observe(yard.told("lift crate 1 off shed 2", "", after(yard, "shed 2")))
    learned_plan.observe(yard.told("walk to dock 1", "", after(yard, "dock 1", "drop crate 1 on dock 1")))
    candidates = after(yard, "dock 1", "drop crate 1 on dock 1")
    assert learned_plan.process(yard.ask(candidates, goal="shake a crate"))["candidates"] == ("walk to shed 2",)


def test_milestone_of_which_nothing_is_known_leaves_all_open(make, yard):
    steps = [{"action": "pull #", "args": ["*=a"]}]
    learned_plan = make("learned_plan", {"plans": [{"goal": "rest", "steps": steps}], "explore": yard.EXPLORE})
    assert learned_plan.process(yard.ask(("wait", *yard.WALKS), goal="rest")) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("{0}=a", ("crate", "a")), ("{1}=B", ("dock", "B")), ("vat=d", ("vat", "d")), ("*=x", ("*", "x"))],
)
def test_rules_are_read(rule, expected):
    assert fill(rule, ("crate", "dock")) == expected


# --- plans


def test_unknown_goal_leaves_it_inert(book, yard):
    learned_plan = book("sing a song")
    learned_plan.observe(yard.told("walk to dock 1", "You see crate 1.", after(yard, "dock 1")))
    learned_plan.observe(yard.told("lift crate 1 off dock 1", "", after(yard, "dock 1")))
    assert learned_plan.process(yard.ask(after(yard, "dock 1", "drop crate 1 on dock 1"), goal="sing a song")) is None


def test_first_frame_that_matches_is_taken(make, yard):
    plans = [
        {"goal": "put a {0} on a {1}", "steps": [{"action": "wait", "args": []}]},
        yard.ONE,
    ]
    learned_plan = make("learned_plan", {"plans": plans})
    assert learned_plan.process(yard.ask(("lift crate 1 off dock 1", "wait")))["candidates"] == ("wait",)


def test_slot_that_the_goal_lacks_is_a_noted_failure(harness, yard):
    plans = [{"goal": "put a {0} on a {1}", "steps": [{"action": "lift # off #", "args": ["{2}=a", "*=b"]}]}]
    alive = Harness(harness(("learned_plan", {"plans": plans})), Services())
    asked = yard.ask(("lift crate 1 off dock 1", "wait"))
    assert alive.run(asked) == asked
    assert [(failure["boundary"], failure["kind"]) for failure in alive.failures] == [("learned_plan at before_model", "IndexError")]


# --- whole episodes, without a model


class First(ModelFreePolicy):
    """Takes the command of highest prior, the first of equals."""

    name = "first"

    def decide(self, event, messages):
        return best(event.candidates, event.prior, lambda n: 0)


@pytest.mark.parametrize(
    ("task", "commands"),
    [
        (
            "one",
            "walk to dock 1; walk to dock 2; walk to shed 1; unlock shed 1; walk to shed 2; unlock shed 2; lift crate 1 off shed 2; "
            "walk to dock 1; drop crate 1 on dock 1",
        ),
        (
            "tar",
            "walk to dock 1; walk to dock 2; walk to shed 1; unlock shed 1; lift crate 1 off shed 1; walk to vat 1; "
            "tar crate 1 with vat 1; walk to dock 1; drop crate 1 on dock 1",
        ),
        (
            "two",
            "walk to dock 1; walk to dock 2; walk to shed 1; unlock shed 1; lift crate 1 off shed 1; walk to dock 1; "
            "drop crate 1 on dock 1; walk to shed 2; unlock shed 2; walk to vat 1; lift crate 2 off vat 1; walk to dock 1; "
            "drop crate 2 on dock 1",
        ),
    ],
)
def test_playbook_solves_every_task_of_the_yard(task, commands, harness, yard):
    spec = harness(
        ("learned_plan", {"plans": [yard.ONE, yard.TAR, yard.TWO], "explore": yard.EXPLORE}), ("visited", {"actions": yard.EXPLORE})
    )
    record = run_episode(yard.Yard(), spec, First(), yard.task(task), max_steps=20)
    assert "; ".join(step.command for step in record.trace) == commands
    assert record.won
    assert record.failures == []
    assert record.trace[0].subgoal == {"phase": "search", "wanted": "crate"}
    assert record.trace[-1].subgoal == {"phase": "act", "wanted": "crate"}


def test_training_counts_shorten_the_search(harness, yard):
    spec = harness(
        ("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE}),
        ("visited", {"actions": yard.EXPLORE}),
        ("location_memory", {"hits": {"crate": {"shed": 5}}, "observations": {"shed": 6, "dock": 6, "vat": 3}, "finishing": ["unlock #"]}),
    )
    record = run_episode(yard.Yard(), spec, First(), yard.task("one"), max_steps=20)
    searched = [step.command for step in record.trace if step.subgoal["phase"] == "search"]
    assert searched == ["walk to shed 1", "unlock shed 1", "walk to shed 2", "unlock shed 2"]
    assert record.won
