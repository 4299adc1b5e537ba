"""Processors that remember: visited within an episode, location_memory from training."""

import math
from dataclasses import replace

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.library import defaults, find
from homebody.agents.harness.running import Harness
from homebody.agents.model_free import NoModelPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.base import Services
from homebody.agents.skills.location_memory import shares

MENU = ("unlock shed 1", "wait", "walk to dock 1", "walk to dock 2")
SEARCH = ("search", "crate")


# --- visited


def test_visited_drops_the_given_forms_once_done(make, yard):
    visited = make("visited", {"actions": ["walk to #"]})
    visited.observe(yard.told("walk to dock 1"))
    visited.observe(yard.told("wait"))
    assert visited.process(yard.ask(MENU, prior=(1.0, 2.0, 3.0, 4.0))) == {
        "candidates": ("unlock shed 1", "wait", "walk to dock 2"),
        "prior": (1.0, 2.0, 4.0),
    }


def test_visited_without_forms_drops_whatever_was_done(make, yard):
    visited = make("visited")
    visited.observe(yard.told("wait"))
    visited.observe(yard.told("walk to dock 2"))
    assert visited.process(yard.ask(MENU))["candidates"] == ("unlock shed 1", "walk to dock 1")


def test_visited_forgets_refused_commands(make, yard):
    visited = make("visited")
    visited.observe(yard.told("wait", accepted=False))
    assert visited.process(yard.ask(MENU)) is None


@pytest.mark.parametrize(("phase", "acts"), [("search", True), ("reach", False), ("act", False)])
def test_visited_stands_back_when_the_way_is_known(phase, acts, make, yard):
    visited = make("visited")
    visited.observe(yard.told("wait"))
    assert (visited.process(yard.ask(MENU, subgoal=(phase, "crate"))) is not None) == acts


def test_visited_never_empties_the_candidates(make, yard):
    visited = make("visited")
    for command in MENU:
        visited.observe(yard.told(command))
    assert visited.process(yard.ask(MENU)) is None


# --- location_memory

MEMORY = {
    "hits": {"crate": {"shed": 3, "dock": 1}},
    "observations": {"dock": 4, "shed": 6, "vat": 10},
    "cost": {"shed": 2.0},
    "finishing": ["unlock #"],
}


def rates(prior):
    return [round(math.exp(value), 9) for value in prior]


def test_seen_where_is_rate_by_cost(make, yard):
    candidates = ("unlock shed 2", "wait", "walk to dock 1", "walk to shed 1")
    changes = make("location_memory", MEMORY).process(yard.ask(candidates, subgoal=SEARCH))
    # The mean rate of docks and sheds is (1 + 3) / (4 + 6) = 0.4, and k = 2: a shed has (3 + 0.8) / (6 + 2) = 0.475,
    # a dock (1 + 0.8) / (4 + 2) = 0.3, what is no place (0 + 0.8) / (0 + 2) = 0.4. A shed costs 2 unless the look is begun.
    assert changes.keys() == {"prior", "advised"}
    assert changes["advised"] == "unlock shed 2"
    assert rates(changes["prior"]) == [0.475, 0.4, 0.3, 0.2375]


def test_seen_where_weighs_its_prior_by_pseudo(make, yard):
    candidates = ("walk to dock 1", "walk to shed 1")
    changes = make("location_memory", MEMORY | {"pseudo": 6.0}).process(yard.ask(candidates, subgoal=SEARCH))
    # (1 + 2.4) / (4 + 6) and (3 + 2.4) / (6 + 6) / 2
    assert rates(changes["prior"]) == [0.34, 0.225]


def test_seen_where_shapes_its_prior_by_the_prior(make, yard):
    candidates = ("walk to dock 1", "walk to shed 1")
    asked = yard.ask(candidates, subgoal=SEARCH, prior=(math.log(3.0), 0.0))
    # Shares 1.5 and 0.5: (1 + 2 * 0.6) / 6 = 11/30 and (3 + 2 * 0.2) / 8 / 2 = 0.2125
    assert rates(make("location_memory", MEMORY).process(asked)["prior"]) == [round(11 / 30, 9), 0.2125]


def test_seen_where_ranks_by_a_prior_of_any_size(make, yard):
    asked = yard.ask(("walk to dock 1", "walk to shed 1"), subgoal=("search", "barrel"), prior=(2000.0, -2000.0))
    first, second = make("location_memory", MEMORY).process(asked)["prior"]
    assert math.isfinite(second)
    assert first > second


def test_seen_where_gives_what_training_never_showed_a_small_prior(make, yard):
    candidates = ("walk to dock 1", "walk to shed 1")
    changes = make("location_memory", MEMORY).process(yard.ask(candidates, subgoal=("search", "barrel")))
    # No hits: half a hit in all 20 looks, 0.025. (0 + 0.05) / (4 + 2) and (0 + 0.05) / (6 + 2) / 2
    assert rates(changes["prior"]) == [round(0.05 / 6, 9), 0.003125]


def test_seen_where_takes_the_last_instance_for_the_place(make, yard):
    changes = make("location_memory", MEMORY).process(yard.ask(("bring shed 1 to dock 1", "walk to dock 1"), subgoal=SEARCH))
    first, second = changes["prior"]
    assert first == second


@pytest.mark.parametrize("subgoal", [None, ("reach", "crate"), ("act", "crate")])
def test_seen_where_acts_in_a_search_only(subgoal, make, yard):
    assert make("location_memory", MEMORY).process(yard.ask(("walk to dock 1", "walk to shed 1"), subgoal=subgoal)) is None


def test_seen_where_is_inert_where_it_knows_no_place(make, yard):
    assert make("location_memory", MEMORY).process(yard.ask(("wait", "walk to pier 1"), subgoal=SEARCH)) is None
    assert make("location_memory").process(yard.ask(("walk to dock 1",), subgoal=SEARCH)) is None


def test_seen_where_leaves_the_candidates_aligned_with_the_prior(harness, yard):
    alive = Harness(harness(("visited", {"actions": ["walk to #"]}), ("location_memory", MEMORY)), Services())
    alive.observe(yard.told("walk to dock 1"))
    event = alive.run(yard.ask(MENU, subgoal=SEARCH))
    assert event.candidates == ("unlock shed 1", "wait", "walk to dock 2")
    assert len(event.prior) == 3
    changed = [(change["by"], sorted(change["fields"])) for change in alive.collect()["changed"]]
    assert changed == [("visited", ["candidates", "prior"]), ("location_memory", ["advised", "prior"])]


@pytest.mark.parametrize(
    ("prior", "expected"),
    [((0.0, 0.0, 0.0), [1.0, 1.0, 1.0]), ((math.log(3.0), 0.0), [1.5, 0.5]), ((5.0,), [1.0]), ((-2000.0, 0.0), [0.0, 2.0])],
)
def test_shares_have_a_mean_of_one(prior, expected):
    assert shares(prior) == pytest.approx(expected)


def test_seen_where_counts_looks_where_the_wanted_was_present(make, yard):
    candidates = ("walk to dock 1", "walk to shed 1")
    present = {"scene_observations": {"crate": {"dock": 2, "shed": 6}}}
    changes = make("location_memory", MEMORY | present).process(yard.ask(candidates, subgoal=SEARCH))
    # The mean rate is 4 / 8 = 0.5: a dock has (1 + 1) / (2 + 2), a shed (3 + 1) / (6 + 2) / 2. A barrel was never present: all looks count.
    assert rates(changes["prior"]) == [0.5, 0.25]
    barrel = yard.ask(candidates, subgoal=("search", "barrel"))
    assert make("location_memory", MEMORY | present).process(barrel) == make("location_memory", MEMORY).process(barrel)


@pytest.mark.parametrize(
    ("density_exponent", "expected"), [(0.0, [0.3, 0.2375]), (1.0, [0.15, 0.475]), (0.5, [0.3 * 0.5**0.5, 0.2375 * 2**0.5])]
)
def test_seen_where_shares_out_what_many_places_hold(density_exponent, expected, make, yard):
    # Two docks here and one is usual; one shed here and two are usual. Without density_exponent as in `test_seen_where_is_rate_by_cost`.
    candidates = ("walk to dock 1", "walk to dock 2", "walk to shed 1")
    usual = {"mean_places": {"dock": 1.0, "shed": 2.0}, "density_exponent": density_exponent}
    prior = make("location_memory", MEMORY | usual).process(yard.ask(candidates, subgoal=SEARCH))["prior"]
    assert rates((prior[0], prior[2])) == [round(value, 9) for value in expected]
    assert prior[0] == prior[1]


def test_seen_where_counts_places_once_at_the_start(make, yard):
    memory = make("location_memory", MEMORY | {"mean_places": {"dock": 1.0}, "density_exponent": 1.0})
    first = memory.process(yard.ask(("walk to dock 1", "walk to dock 2"), subgoal=SEARCH))["prior"]
    # The agent stands at dock 1, so no command leads there; there are two docks all the same.
    later = memory.process(yard.ask(("walk to dock 2",), admissible=("walk to dock 2",), subgoal=SEARCH))["prior"]
    assert later[0] == pytest.approx(math.log((1 + 2 * 0.25) / (4 + 2) / 2))
    assert first[0] == pytest.approx(math.log((1 + 2 * 0.25) / (4 + 2) / 2))


# --- memory as text

GOAL = "put a crate on a dock"
BANK = [
    {"goal": "sing a song", "commands": ["sing"]},
    {"goal": "put a barrel on a dock", "commands": ["walk to shed 1", "lift barrel 1 off shed 1"]},
    {"goal": "put two crate on a dock", "commands": ["walk to shed 2", "unlock shed 2", "drop crate 1 on vat 1"]},
]


def text_of(memory, yard, content="A yard."):
    changes = memory.process(yard.ask(MENU, content=content))
    return changes["content"].removeprefix(f"{content}{CUT}\n\n") if changes else None


def test_memory_tells_what_was_seen_what_failed_and_how_like_goals_were_reached(make, yard):
    memory = make("memory_text", {"bank": BANK, "most": 2})
    steps = [
        yard.told("walk to dock 1", "You walk to dock 1.\nYou see nothing."),
        yard.told("fly", "Nothing moves.", accepted=False),
        yard.told("walk to dock 2", "You walk to dock 2. You see crate 1."),
        replace(yard.told("lift dock 2", "Nothing moves.", accepted=False), why="docks are heavy"),
        yard.told("walk to dock 1", "You walk to dock 1. You see barrel 1."),
    ]
    for step in steps:
        memory.observe(step)
    # The newest answer stands in the place of the first one.
    assert text_of(memory, yard) == (
        "Goals like this one were reached so:\n"
        "- put two crate on a dock: walk to shed 2; unlock shed 2; drop crate 1 on vat 1\n"
        "- put a barrel on a dock: walk to shed 1; lift barrel 1 off shed 1\n"
        "What did not work:\n- fly: Nothing moves.\n- lift dock 2: docks are heavy\n"
        "Seen so far:\n- walk to dock 1: You walk to dock 1. You see barrel 1.\n- walk to dock 2: You walk to dock 2. You see crate 1."
    )


def test_memory_keeps_the_newest_within_its_tokens_in_the_order_of_the_first(yard):
    processor = find("memory_text")
    given = {"tokens": 14, "seen": "S", "failed": "F", "like": "L"}
    memory = processor(defaults(processor) | given, Services(None, lambda text: len(text.split())))
    for number, (command, accepted) in enumerate([("a", True), ("b", True), ("c", True), ("a", True), ("d", False), ("e", True)]):
        memory.observe(yard.told(command, f"o{number}", accepted=accepted))
    # Each line has 3 words: that of what failed, and of what was seen the last three.
    assert text_of(memory, yard) == "F\n- d: o4\nS\n- a: o3\n- c: o2\n- e: o5"


def test_memory_of_given_forms_and_lines_of_some_length(make, yard):
    memory = make("memory_text", {"actions": ["walk to #"], "characters": 24})
    assert text_of(memory, yard) is None
    memory.observe(yard.told("wait", "You wait."))
    assert text_of(memory, yard) is None
    memory.observe(yard.told("walk to dock 1", "You see a crate."))
    assert text_of(memory, yard) == "Seen so far:\n- walk to dock 1: You s..."


def test_memory_forgets_a_failure_that_came_off_later(make, yard):
    memory = make("memory_text")
    memory.observe(yard.told("unlock shed 1", "Nothing moves.", accepted=False))
    memory.observe(yard.told("  ", "Nothing moves.", accepted=False))
    assert text_of(memory, yard) == "What did not work:\n- unlock shed 1: Nothing moves."
    memory.observe(yard.told("unlock shed 1", "It is open."))
    assert text_of(memory, yard) == "Seen so far:\n- unlock shed 1: It is open."


def test_memory_is_shown_at_its_step_alone_and_before_the_commands_on_offer(harness, yard):
    spec = harness("memory_text", "show_candidates")
    backend = Scripted(["wait", "walk to dock 1", "wait"])
    record = run_episode(yard.Yard(), spec, ModelPolicy(backend), yard.task(), max_steps=3)
    assert record.error is None
    last = [message["content"] for message in backend.calls[-1].messages]
    durable, _, shown = last[-1].partition(CUT)
    assert durable == "You walk to dock 1. You see nothing."
    assert shown.startswith(
        "\n\nSeen so far:\n- wait: You wait.\n- walk to dock 1: You walk to dock 1. You see nothing.\n\nAvailable commands:\n"
    )
    assert not any("Seen so far" in content for content in last[:-1])
    # It needs no model.
    twin = run_episode(yard.Yard(), spec, NoModelPolicy(), yard.task(), max_steps=3)
    assert twin.activations["memory_text"] == 2


def test_memory_counts_each_line_once(yard):
    counted = []
    processor = find("memory_text")
    memory = processor(defaults(processor), Services(None, lambda text: counted.append(text) or 1))
    for number in range(5):
        memory.observe(yard.told(f"walk to dock {number}", "You see nothing."))
        memory.process(yard.ask(MENU))
    assert len(counted) == len(set(counted)) == 5
