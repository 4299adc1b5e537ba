"""location_prior and action_prior: what the model knows."""

import math

import pytest

from homebody.agents.harness.running import Harness
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.base import Services

MENU = ("wait", "walk to dock 1", "walk to dock 2", "walk to shed 1")
ADMISSIBLE = (*MENU, "walk to vat 1")
GIVEN = "A crate can be found at the"
BASE = "It can be found at the"
SCORES = {
    (GIVEN, " dock."): -2.0,
    (GIVEN, " shed."): -5.0,
    (GIVEN, " vat."): -3.0,
    (BASE, " dock."): -1.0,
    (BASE, " shed."): -6.5,
    (BASE, " vat."): -3.0,
}


@pytest.fixture
def backend():
    return Scripted(scores=lambda prompt, text: SCORES.get((prompt.replace("barrel", "crate"), text), -99.0))


def test_prior_grows_by_the_difference_of_two_sentences(make, yard, backend):
    prior = make("location_prior", {"weight": 2.0}, ModelPolicy(backend).score)
    changes = prior.process(yard.ask(MENU, admissible=ADMISSIBLE, subgoal=("search", "crate"), prior=(0.5, 0.0, 1.0, 0.0)))
    # A dock: -2 - -1 = -1. A shed: -5 - -6.5 = 1.5. What is no place gains nothing.
    assert changes == {"prior": (0.5, -2.0, -1.0, 3.0)}


def test_a_kinds_prior_is_shared_out_among_its_places(make, yard, backend):
    prior = make("location_prior", {"weight": 2.0, "spread": 1.0}, ModelPolicy(backend).score)
    values = prior.process(yard.ask(MENU, admissible=ADMISSIBLE, subgoal=("search", "crate")))["prior"]
    # There are two docks, so each loses log 2; the weight is the model's alone. One shed loses nothing.
    assert values == pytest.approx((0.0, -2.0 - math.log(2), -2.0 - math.log(2), 3.0))
    # Later the agent stands at a dock, and no command leads there: there are two all the same.
    later = prior.process(yard.ask(MENU[2:], admissible=MENU[2:], subgoal=("search", "crate")))["prior"]
    assert later == pytest.approx((-2.0 - math.log(2), 3.0))


def test_model_is_asked_once_for_each_thing_about_all_places(make, yard, backend):
    prior = make("location_prior", score=ModelPolicy(backend).score)
    for candidates in (MENU, MENU[1:], MENU[:2]):
        prior.process(yard.ask(candidates, admissible=ADMISSIBLE, subgoal=("search", "crate")))
    places = (" dock.", " shed.", " vat.")
    assert [(call.prompt, call.continuations) for call in backend.calls] == [(GIVEN, places), (BASE, places)]
    barrel = yard.ask(MENU, admissible=ADMISSIBLE, subgoal=("search", "barrel"))
    assert prior.process(barrel) == prior.process(barrel) == {"prior": (0.0, -1.0, -1.0, 1.5)}
    assert [call.prompt for call in backend.calls[2:]] == [GIVEN.replace("crate", "barrel")]


def test_what_the_answers_say_together_is_noted_when_they_are_asked_for(make, yard, backend):
    prior = make("location_prior", {"weight": 2.0, "spread": 1.0}, ModelPolicy(backend).score)
    prior.process(yard.ask(MENU, admissible=ADMISSIBLE, subgoal=("search", "crate")))
    # A shed: -5 - -6.5. A vat: -3 - -3. A dock: -2 - -1. It is the model's part alone.
    assert prior.notes == {"crate": [["shed", 1.5], ["vat", 0.0], ["dock", -1.0]]}


def test_sentences_are_parameters(make, yard):
    asked = []

    def score(prefix, texts):
        asked.append((prefix, list(texts)))
        return [-1.0 for _ in texts]

    prior = make("location_prior", {"given": "Look for the {thing}: {place}, perhaps", "base": "Go to {place}"}, score)
    prior.process(yard.ask(("walk to dock 1",), subgoal=("search", "crate")))
    assert asked == [("Look for the crate:", [" dock, perhaps"]), ("Go to", [" dock"])]


@pytest.mark.parametrize("subgoal", [None, ("reach", "crate"), ("act", "crate")])
def test_model_is_asked_in_a_search_only(subgoal, make, yard, backend):
    prior = make("location_prior", score=ModelPolicy(backend).score)
    assert prior.process(yard.ask(MENU, subgoal=subgoal)) is None
    assert backend.calls == []


def test_without_a_model_it_is_inert(make, yard):
    assert make("location_prior").process(yard.ask(MENU, subgoal=("search", "crate"))) is None


def test_model_that_fails_is_noted(harness, yard, backend):
    backend.close()
    alive = Harness(harness("location_prior"), Services(ModelPolicy(backend).score))
    asked = yard.ask(MENU, subgoal=("search", "crate"))
    assert alive.run(asked) == asked
    assert [(failure["boundary"], failure["kind"]) for failure in alive.failures] == [
        ("location_prior at before_model", "BackendClosedError")
    ]


# --- action_prior

NEXT = {
    ("To rest, the next thing to do is:", " wait"): -3.0,
    ("To rest, the next thing to do is:", " walk to dock 1"): -9.0,
    ("To rest, the next thing to do is:", " walk to shed 1"): -8.0,
    ("The next thing to do is:", " wait"): -2.0,
    ("The next thing to do is:", " walk to dock 1"): -9.5,
    ("The next thing to do is:", " walk to shed 1"): -8.0,
}


def test_command_gains_what_the_goal_adds_to_its_likelihood(make, yard):
    prior = make("action_prior", {"weight": 2.0}, lambda prefix, texts: [NEXT[prefix, text] for text in texts])
    asked = yard.ask(("wait", "walk to dock 1", "walk to shed 1"), goal="rest.", prior=(0.5, 0.0, 1.0))
    assert prior.process(asked) == {"prior": (-1.5, 1.0, 1.0)}


def test_commands_own_likelihood_is_asked_once(make, yard):
    asked = []

    def score(prefix, texts):
        asked.append((prefix, tuple(texts)))
        return [-1.0 for _ in texts]

    prior = make("action_prior", {"given": "{goal}: {command}, now", "base": "{command}, now"}, score)
    for candidates in (("a", "b"), ("b", "c"), ("b", "c")):
        assert prior.process(yard.ask(candidates, goal="Rest")) == {"prior": (0.0, 0.0)}
    ab, bc, c = (" a, now", " b, now"), (" b, now", " c, now"), (" c, now",)
    assert asked == [("Rest:", ab), ("", ab), ("Rest:", bc), ("", c), ("Rest:", bc)]


def test_single_command_or_no_model_leaves_the_prior(make, yard):
    assert make("action_prior").process(yard.ask(MENU)) is None
    assert make("action_prior", score=lambda prefix, texts: 1 / 0).process(yard.ask(("wait",))) is None
