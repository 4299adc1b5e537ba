"""Policies and models of the user's own, by module:Class: made, refused in one line, and played through the command's own door."""

import sys
from itertools import count

import pytest

from homebody.agents import HarnessSpec
from homebody.agents.own_policy import OwnPolicyError, own_backend, own_policy
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import tasks

SOURCE = """
from homebody.agents.models.backend import Usage
from homebody.agents.models.generation import Reply
from homebody.agents.policy import Decision
from homebody.agents.model_free import ModelFreePolicy

class Shortest(ModelFreePolicy):
    name = "shortest"

    def decide(self, event, messages):
        command = min(event.candidates, key=len)
        return Decision(command, command)

class Parrot:
    name, n_ctx, has_grammar = "parrot", 4096, False

    def __init__(self):
        self.usage, self.fingerprint = Usage(), {"model": "parrot"}

    def chat(self, prompt, generation, tools=()):
        return Reply("inventory")

    def score(self, prompt, continuations, reply=None):
        return [0.0 for _ in continuations]

    def count_tokens(self, prompt, tools=()):
        return 1

    def thinks(self, thinking):
        return False

    def close(self):
        pass

class Neither:
    pass

class Wants:
    def __init__(self, what):
        pass
"""
NUMBERS = count()
HOUSE = "homebody/Household-v0"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write the module into the current folder, under a name that no other test has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    name = f"own_policy_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(SOURCE, "utf-8")
    yield name
    sys.modules.pop(name, None)


def commands(policy):
    task = tasks(HOUSE, "validation", 1)[0]
    with Rollouts(RolloutConfig(HOUSE, policy, 2)) as rollouts:
        (record,) = rollouts.play([Job(HarnessSpec.load("generic-act"), task)])
    assert record.error is None
    return record.policy, [step.command for step in record.trace]


@pytest.mark.parametrize(("name", "policy", "expected"), [("Shortest", "shortest", "help"), ("Parrot", "parrot", "inventory")])
def test_it_plays_as_a_policy_of_ours_does(module, name, policy, expected):
    shown, given = commands(f"{module}:{name}")
    assert (shown, given) == (policy, [expected] * 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{}:Neither", "it is no policy (it needs begin, decide, count_tokens) and no model (it needs chat, score, count_tokens, close)"),
        ("{}:Wants", "TypeError: "),
        ("{}:Missing", "has no class 'Missing'"),
        ("nowhere_at_all:Shortest", "there is no module 'nowhere_at_all'"),
    ],
)
def test_what_cannot_play_is_one_line(module, name, words):
    with pytest.raises(OwnPolicyError) as caught:
        own_policy(name.format(module))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_is_no_model(module):
    assert own_backend(f"{module}:Parrot").name == "parrot"
    with pytest.raises(OwnPolicyError, match="it needs chat, score"):
        own_backend(f"{module}:Shortest")
