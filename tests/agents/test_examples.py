"""examples: stored successes in the system prompt."""

import pytest

from homebody.agents.harness.hooks import TaskStart
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Services, defaults, find
from homebody.agents.processors.examples import by_likeness


def success(goal, *commands):
    return {"goal": goal, "steps": [{"command": command} for command in commands]}


CRATE = {"goal": "put a crate on a dock", "steps": [{"command": "wait", "observation": "You wait."}, {"command": "drop crate 1 on dock 1"}]}
BARREL = success("put a barrel on a dock", "lift barrel 1 off vat 1")
REST = success("rest in the shed", "walk to shed 1")
BANK = [REST, BARREL, CRATE]


def start(goal, prompt=""):
    return TaskStart(goal, "A yard.", (), prompt)


def shown(goal, bank=BANK, prompt="", count_tokens=None, **params):
    processor = find("examples")
    services = Services() if count_tokens is None else Services(None, count_tokens)
    changes = processor({**defaults(processor), "bank": bank, **params}, services).process(start(goal, prompt))
    return changes["system_prompt"] if changes else None


def test_most_similar_goal_is_shown_as_goal_and_steps():
    assert shown("put two crate on a dock", most=1, header="Look:") == (
        f"{CUT}Look:\n\nGoal: put a crate on a dock\n> wait\nYou wait.\n> drop crate 1 on dock 1{CUT}"
    )


def test_a_dialogue_is_shown_with_what_was_seen_and_thought():
    lift = {"thought": "It is here.", "command": "lift barrel 1 off vat 1", "observation": "You lift it."}
    told = {"goal": "lift a barrel", "task": "train/7", "opening": "A yard.", "steps": [lift, {"command": "wait"}]}
    assert shown("lift", bank=[told], thought_mark="Why:", command_mark="Do:").strip(CUT) == (
        "Tasks that were solved before:\n\nGoal: lift a barrel\nA yard.\n"
        "Why: It is here.\nDo: lift barrel 1 off vat 1\nYou lift it.\nDo: wait"
    )


def test_what_stands_before_the_examples_is_a_segment_of_its_own():
    one, other = (shown(goal, prompt="Be brief.", most=1) for goal in ("put a crate", "rest"))
    assert one != other
    assert one.split(CUT)[0] == other.split(CUT)[0] == "Be brief.\n\n"
    assert one.endswith(CUT)


def test_most_similar_example_stands_last_and_after_the_prompt():
    prompt = shown("put a crate in the vat", prompt="Be brief.", most=2)
    assert prompt.startswith(f"Be brief.\n\n{CUT}Tasks that were solved before:\n\nGoal: put a barrel")
    assert prompt.endswith(f"> drop crate 1 on dock 1{CUT}")


@pytest.mark.parametrize(
    ("goal", "order"),
    [
        ("put a crate on a dock", [CRATE, BARREL, REST]),
        ("put some barrels on the dock", [BARREL, CRATE, REST]),
        ("rest in a vat", [REST, BARREL, CRATE]),
        # With w(n) = log(1 + 3 / n): shed, once in the bank, is w(1) of 2 w(1) + w(2), 0.375; put, twice, is w(2) of 3 w(1) + 2 w(2), 0.15.
        ("put a shed", [REST, BARREL, CRATE]),
        ("sing", [REST, BARREL, CRATE]),  # nothing in common: the order of the bank
        ("on a 7", [REST, BARREL, CRATE]),  # nothing that counts
        ("", [REST, BARREL, CRATE]),
    ],
)
def test_likeness_weighs_words_by_rarity(goal, order):
    assert by_likeness(goal, BANK) == order


def test_examples_keep_within_the_tokens():
    lengths = {"put a crate on a dock": 30, "put a barrel on a dock": 100, "rest in the shed": 20}

    def count(text):
        return lengths[text.partition("\n")[0].removeprefix("Goal: ")]

    # The best fits, the second does not, the third does.
    prompt = shown("put a crate on a dock", most=3, tokens=50, count_tokens=count)
    assert "barrel" not in prompt
    assert prompt.index("rest in the shed") < prompt.index("put a crate")
    assert "rest" not in shown("put a crate on a dock", most=3, tokens=49, count_tokens=count)
    assert shown("put a crate on a dock", most=3, tokens=19, count_tokens=count) is None


def test_no_more_examples_than_asked_for():
    assert shown("put a crate on a dock", most=2).count("Goal:") == 2
    assert shown("put a crate on a dock", most=20).count("Goal:") == 3


def test_empty_bank_changes_nothing():
    assert shown("put a crate on a dock", bank=[]) is None
