"""The harnesses that our runs evolved and that ship, with a model in them: a tiny one with random weights, and SmolLM2."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import HarnessSpec, run_episode
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.record import BY_MODEL, EpisodeRecord
from homebody.envs import make, tasks
from homebody.envs.browser import BrowserError
from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.miniwob.suite import MiniWobPackageError

STEPS = 8


@pytest.fixture(scope="module")
def model(tiny_file: Callable[..., Path]) -> Iterator[LlamaCpp]:
    with LlamaCpp(tiny_file("llama", 8192), name="tiny", n_ctx=8192) as backend:
        yield backend


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Houses of our own as ALFWorld's games."""
    folder = tmp_path_factory.mktemp("games")
    source = HouseSource()
    assert all(written for _, written in export_houses(source, source.tasks("validation", 2), folder))
    return folder


def env_of(name: str, games: Path) -> tuple[str, dict[str, Any]]:
    """Return the environment that a harness is for, and its parameters."""
    if name.startswith("alfworld"):
        return "homebody/AlfWorld-v0", {"data_dir": games}
    return ("homebody/WebShop-v0" if name.startswith("webshop") else "homebody/Household-v0"), {}


def play(name: str, games: Path, policy: Any, without: tuple[str, ...] = ()) -> EpisodeRecord:
    env_id, parameters = env_of(name, games)
    (task,) = tasks(env_id, "validation", 1, **parameters)
    spec = HarnessSpec.load(name)
    for component in without:
        spec = spec.without(component)
    with closing(make(env_id, **parameters)) as env:
        return run_episode(env, spec, policy, task, max_steps=STEPS)


SEEDS = {
    "household": "homebody/Household-v0",
    "webshop": "homebody/WebShop-v0",
    "repair": "homebody/Repair-v0",
}
ASKS = ("household-smollm2", "household-gemma3-270m", "household-adaptive", "alfworld-smollm2")
"""Those that ask their model where a thing would be. In the others a plan, a table or a procedure leaves it nothing to decide."""
READS = "household-said-qwen2.5-coder-0.5b"
"""Has its model read a goal in other words, and follows what that says."""
ALONE = ("alfworld-gemma3-270m", "webshop-smollm2")


@pytest.mark.parametrize("name", ASKS + ALONE)
def test_a_model_plays_every_evolved_harness_and_repeats_itself(name: str, games: Path, model: LlamaCpp) -> None:
    before = model.usage.calls
    first, again = (play(name, games, ModelPolicy(model)) for _ in range(2))
    assert first.error is None
    assert not first.failures
    assert first.trace_hash == again.trace_hash
    assert (model.usage.calls > before) == (name in ASKS)


def test_what_the_model_reads_is_what_the_harness_follows(model: LlamaCpp) -> None:
    (task,) = tasks("homebody/Household-v0", "validation", 1, goals="said")
    with closing(make("homebody/Household-v0", goals="said")) as env:
        first, again = (run_episode(env, HarnessSpec.load(READS), ModelPolicy(model), task, max_steps=STEPS) for _ in range(2))
        twin = run_episode(env, HarnessSpec.load(READS), MODEL_FREE["no-model"](), task, max_steps=STEPS)
    assert first.error is None
    assert first.trace_hash == again.trace_hash
    templates = HarnessSpec.load(READS).components["read_goal"]["params"]["templates"]
    assert first.reading is not None
    assert first.reading.split()[0] in {template.split()[0] for template in templates}
    assert {step.decided_by for step in first.trace} & {"reading"}
    assert twin.reading is None


def test_a_model_chooses_on_a_page_by_what_the_goal_makes_likelier(model: LlamaCpp) -> None:
    env_id, spec = "homebody/MiniWob-v0", HarnessSpec.load("miniwob-smollm2")
    try:
        (task,) = tasks(env_id, "validation", 1, pages="login-user")
    except (BrowserError, MiniWobPackageError) as missing:
        pytest.skip(str(missing))
    with closing(make(env_id, pages="login-user")) as env:
        first, again = (run_episode(env, spec, ModelPolicy(model), task, max_steps=3) for _ in range(2))
        alone = run_episode(env, spec.without("guidance"), ModelPolicy(model), task, max_steps=3)
    assert first.error is None
    assert first.trace_hash == again.trace_hash
    assert {step.decided_by for step in first.trace} & set(BY_MODEL)
    assert first.usage["prompt_tokens"] > alone.usage["prompt_tokens"]
    assert not any(record.goal in step.command for record in (first, alone) for step in record.trace)


@pytest.mark.parametrize("name", ASKS)
def test_without_its_table_of_places_a_harness_follows_its_model(name: str, games: Path, model: LlamaCpp) -> None:
    record = play(name, games, ModelPolicy(model), without=("location_memory",))
    twin = play(name, games, MODEL_FREE["no-model"](), without=("location_memory",))
    assert record.error is None
    assert {step.decided_by for step in record.trace} & set(BY_MODEL)
    assert [step.command for step in record.trace] != [step.command for step in twin.trace]


@pytest.mark.model
def test_smollm2_counts_in_the_harness_that_shipped(games: Path, smollm2_file: Path) -> None:
    with LlamaCpp(smollm2_file, name="smollm2", n_ctx=2048) as smollm2:
        record = play("alfworld-smollm2", games, ModelPolicy(smollm2), without=("location_memory",))
    assert record.error is None
    assert not record.failures
    assert {step.decided_by for step in record.trace} & set(BY_MODEL)


@pytest.mark.parametrize("style", ["act", "react", "think", "tool"])
@pytest.mark.parametrize(("seed", "env_id"), SEEDS.items())
def test_a_model_that_talks_nonsense_plays_every_seed(seed: str, style: str, env_id: str, model: LlamaCpp) -> None:
    (task,) = tasks(env_id, "validation", 1)
    with closing(make(env_id)) as env:
        record = run_episode(env, HarnessSpec.load(f"{seed}-{style}"), ModelPolicy(model), task, max_steps=2)
    assert record.error is None
    assert not record.failures
    assert [step.readable for step in record.trace] == [False] * 2
    assert all(step.retried or step.decided_by == "fallback" for step in record.trace)
