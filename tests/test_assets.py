"""What ships with the package: harnesses that load, and evolved ones that say where they come from."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import gymnasium
import pytest

import homebody.envs  # noqa: F401  (registers the environments)
from homebody.agents.episode import ModelCall, run_episode
from homebody.agents.harness.grammar import matches
from homebody.agents.harness.seed import STYLES
from homebody.agents.harness.spec import HarnessSpec, component, harness_names
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Reply, ToolCall
from homebody.agents.models.scripted import Scripted
from homebody.envs import task_source, tasks
from homebody.envs.browser import BrowserError
from homebody.envs.miniwob.suite import MiniWobPackageError

ENVS = {"generic": "homebody/Household-v0", "household": "homebody/Household-v0", "webshop": "homebody/WebShop-v0",
        "repair": "homebody/Repair-v0", "miniwob": "homebody/MiniWob-v0"}  # fmt: skip
"""An environment that each seed can play."""
SEEDS = {f"{seed}-{style}" for seed in ENVS for style in STYLES}
PLAIN_HASHES = {
    "generic-act": "e8002d5a420be76a",
    "household-act": "0c8cf2c1e74a8375",
    "webshop-act": "6972a42b6fd77654",
}
"""Beginnings of the behaviour hashes that published figures of the plain seeds were measured with."""
WITH_EXAMPLES = sorted(name for name in SEEDS if "-act" not in name and "generic" not in name)
WITH_SYSTEM = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
WITHOUT_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system text') }}{% endif %}" + WITH_SYSTEM
EVOLVED = {
    "household-smollm2": "homebody/Household-v0",
    "household-gemma3-270m": "homebody/Household-v0",
    "alfworld-smollm2": "homebody/AlfWorld-v0",
    "webshop-smollm2": "homebody/WebShop-v0",
    "alfworld-gemma3-270m": "homebody/AlfWorld-v0",
    "household-adaptive": "homebody/Household-v0",
    "household-said-qwen2.5-coder-0.5b": "homebody/Household-v0",
    "miniwob-smollm2": "homebody/MiniWob-v0",
}
SAID = "household-said-qwen2.5-coder-0.5b"
FOR_MODEL = (SAID, "miniwob-smollm2")
"""Those that had to show that their model adds something: the others solve as much without one, mostly."""


def test_names() -> None:
    assert set(harness_names()) == SEEDS | EVOLVED.keys()


@pytest.mark.parametrize("name", sorted(SEEDS | EVOLVED.keys()))
def test_harness_loads_under_its_own_name(name: str) -> None:
    assert HarnessSpec.load(name).name == name


@pytest.mark.parametrize(("name", "env_id"), EVOLVED.items())
def test_evolved_harness_says_where_it_comes_from(name: str, env_id: str) -> None:
    origin = HarnessSpec.load(name).document["origin"]
    assert origin["env"] == env_id
    assert origin["objective"] == ("model" if name in FOR_MODEL else "success")
    seed = HarnessSpec.load(origin["seed_harness"].removesuffix("-grammar"))
    if origin["seed_harness"].endswith("-grammar"):
        seed = seed.patch([{"op": "add", "path": "/components/decide", "value": component("decide", {"method": "grammar"})}])
    assert origin["seed_hash"] == seed.behaviour_hash, "the seed has changed since: evolve again"


@pytest.mark.parametrize("name", ["household-smollm2", *FOR_MODEL])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_evolved_harness_names_no_task(split: str, name: str) -> None:
    text = json.dumps(HarnessSpec.load(name).document)
    try:
        found = tasks(EVOLVED[name], split)
    except (BrowserError, MiniWobPackageError) as missing:
        pytest.skip(str(missing))
    assert not any(task.task_id in text for task in found)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_goal_of_another_split_stands_among_the_examples(split: str) -> None:
    examples = HarnessSpec.load(SAID).components["read_goal"]["params"]["examples"]
    said = {goal for goal, _ in examples}
    env = gymnasium.make("homebody/Household-v0", goals="said", holdout="rooms")
    goals = set()
    for task in tasks("homebody/Household-v0", split, 120, goals="said", holdout="rooms"):
        _, info = env.reset(options={"task": task.task_id})
        goals.add(info["goal"])
    assert len(goals) > 100
    assert not said & goals


def test_evolved_harness_solves_what_the_seed_does_not() -> None:
    # Without a model, so that the difference is the harness's alone; the figures with models are in the README.
    from homebody.agents.rollout import RolloutConfig
    from homebody.evolution.controls.evaluation import evaluate

    config = RolloutConfig("homebody/Household-v0", "no-model", 15)
    seed, evolved = (
        evaluate(config, HarnessSpec.load(name), "validation", tasks=12)["success"] for name in ("household-act", "household-smollm2")
    )
    assert evolved - seed >= 0.5


@pytest.mark.parametrize(("name", "behaviour"), PLAIN_HASHES.items())
def test_plain_seeds_behave_as_they_did_when_they_were_measured(name: str, behaviour: str) -> None:
    assert HarnessSpec.load(name).behaviour_hash.startswith(behaviour)


def bank(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = HarnessSpec.load(name).components["examples"]["params"]["bank"]
    return found


def opened(env_id: str) -> gymnasium.Env[str, str]:
    """Return an environment; the test is skipped where it needs a browser and there is none."""
    try:
        task_source(env_id)
    except (BrowserError, MiniWobPackageError) as missing:
        pytest.skip(str(missing))
    return gymnasium.make(env_id)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_worked_example_is_what_its_training_task_answers(name: str) -> None:
    env_id = ENVS[name.split("-")[0]]
    env = opened(env_id)
    train = {task.task_id for task in tasks(env_id, "train")}
    assert len({example["task"] for example in bank(name)}) == len(bank(name)) >= 3
    for example in bank(name):
        assert example["task"] in train
        opening, info = env.reset(options={"task": example["task"]})
        assert info["goal"] == example["goal"]
        assert example.get("opening", "") in opening
        for step in example["steps"]:
            assert not info["won"]
            assert matches(step["command"], info["admissible_commands"])
            observation, reward, *_, info = env.step(step["command"])
            assert step.get("observation", observation) == observation
            assert bool(step.get("thought")) == name.endswith("-react")
        assert info["won"]
        assert reward == 1.0
    env.close()


def test_the_household_has_an_example_of_every_kind_of_task() -> None:
    kinds = {task.task_id: task.type for task in tasks("homebody/Household-v0", "train")}
    assert {kinds[example["task"]] for example in bank("household-react")} == set(kinds.values())


FIRST = {"homebody/Household-v0": "look", "homebody/WebShop-v0": "search[red shoes]", "homebody/Repair-v0": "run",
         "homebody/MiniWob-v0": "wait"}  # fmt: skip
"""A command that every task of an environment begins with on offer."""


def play(name: str, replies: int = 3) -> tuple[Any, list[ModelCall]]:
    """Play a few steps of a validation task with a model that names the first command on offer in the form that the seed asks for."""
    env_id = ENVS[name.split("-")[0]]
    env = opened(env_id)
    (task,) = tasks(env_id, "validation", 1)
    command = FIRST[env_id]
    written = command if name.endswith("-act") else f"Thought: I begin.\nAction: {command}"
    reply = Reply(written, tool_call=ToolCall("act", {"command": command})) if name.endswith("-tool") else Reply(written)
    model, calls = Scripted([reply] * replies), list[ModelCall]()
    with closing(env):
        record = run_episode(env, HarnessSpec.load(name), ModelPolicy(model), task, max_steps=replies, on_decision=calls.append)
    return record, calls


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_every_seed_plays_and_reads_the_form_that_it_asks_for(name: str) -> None:
    record, calls = play(name)
    assert record.error is None
    assert not record.failures
    assert [step.command for step in record.trace] == [record.trace[0].command] * 3
    assert record.trace[0].command in FIRST.values()
    told = calls[-1].messages[-1]["content"]
    assert record.goal in told or record.goal in calls[-1].messages[1]["content"]
    if not name.endswith("-act"):
        assert "1 steps left" in told
        assert "repair" in name or told.index("Available commands:") < told.index("1 steps left")


@pytest.mark.parametrize("name", sorted(SEEDS))
@pytest.mark.parametrize("template", [WITH_SYSTEM, WITHOUT_SYSTEM])
def test_every_seed_renders_with_and_without_a_role_for_the_system(name: str, template: str) -> None:
    _, calls = play(name)
    chat = ChatTemplate(template, bos="", eos="", model="m")
    assert chat.joins_system == (template == WITHOUT_SYSTEM)
    text = "".join(chat.render(calls[-1].messages))
    for message in calls[-1].messages:
        assert message["content"].strip() in text
    assert CUT not in text


def test_a_thought_line_is_shown_of_the_last_turn_alone() -> None:
    _, calls = play("household-react")
    said = [message["content"] for message in calls[-1].messages if message["role"] == "assistant"]
    assert said == ["Action: look", "Thought: I begin.\nAction: look"]


def test_prompts_of_all_tasks_begin_alike_up_to_the_examples() -> None:
    spec = HarnessSpec.load("household-react")
    begun = []
    for task in tasks("homebody/Household-v0", "validation", 3):
        model = Scripted(["look"])
        run_episode(gymnasium.make("homebody/Household-v0"), spec, ModelPolicy(model), task, max_steps=1)
        begun.append(model.calls[0].messages[0]["content"].split(CUT)[0])
    assert begun == [spec.components["system_prompt"]["params"]["text"] + "\n\n"] * 3
    # Some four characters a token: a slow machine reads 700 tokens in a few seconds.
    assert len(begun[0]) < 700 * 4
