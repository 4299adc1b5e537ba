from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import rollout
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import TWINS
from homebody.agents.models import names
from homebody.agents.models.scripted import Scripted
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import tasks
from homebody.evolution.gate.stats import paired_bound, paired_gain
from homebody.evolution.gate.twins import Twins, model_value, play_twins
from homebody.evolution.store import Store

ENV = "homebody/Household-v0"
CONFIG = RolloutConfig(ENV, "random", 6, {"rooms": ["bathroom"]})
LOST = {"boundary": "step", "kind": "BrowserError", "message": "the page did not load"}
FAILED = {"boundary": "tally at before_model", "kind": "TypeError", "message": "'NoneType' object is not callable"}
Make = Callable[..., EpisodeRecord]


@pytest.fixture
def twins(episode: Make) -> Callable[..., Twins]:
    """Make twins from outcomes, `+` and `-` a task; all lose what is not given. `changes` are of one twin's record of one task."""

    def make(n: int = 4, changes: Mapping[tuple[str, int], Mapping[str, Any]] | None = None, **outcomes: str) -> Twins:
        known = {name.replace("_", "-"): marks for name, marks in outcomes.items()}
        return Twins(
            {
                name: {
                    f"{name} {i}": episode(mark == "+", task_id=f"t{i}", policy=name, **(changes or {}).get((name, i), {}))
                    for i, mark in enumerate(known.get(name, "-" * n))
                }
                for name in TWINS
            },
            0.0,
        )

    return make


@pytest.fixture
def played(episode: Make) -> Callable[..., list[EpisodeRecord]]:
    """Make a model's episodes from outcomes, of one step that it decided; `changes` by task."""

    def make(marks: str, changes: Mapping[int, Mapping[str, Any]] | None = None) -> list[EpisodeRecord]:
        by_task = changes or {}
        decided: dict[str, Any] = {"trace": [{"decided_by": "model"}]}
        return [episode(mark == "+", task_id=f"t{i}", policy="m", **decided | by_task.get(i, {})) for i, mark in enumerate(marks)]

    return make


def test_the_best_twin_has_the_highest_success_and_of_equals_comes_first(twins: Callable[..., Twins]) -> None:
    assert twins(echo="--+-", executor="-++-").best == "executor"
    assert twins(random="+---", echo="---+").best == "random"
    assert twins().best == "no-model"
    assert twins(random="+---", echo="---+").success == {"no-model": 0.0, "random": 0.25, "echo": 0.25, "executor": 0.0}


def test_an_error_is_no_defeat_of_a_twin(twins: Callable[..., Twins]) -> None:
    found = twins(random="++--", echo="+---", changes={("echo", n): {"error": LOST} for n in (1, 2, 3)})
    assert found.success["echo"] == 1.0
    assert found.best == "echo"
    none = twins(changes={("no-model", n): {"error": LOST} for n in range(4)})
    assert (none.success["no-model"], none.best) == (None, "random")


def test_the_value_is_paired_by_task_and_counts_the_chosen_twin(
    twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]
) -> None:
    # Won with the model alone 2, by the twin alone 1, both 1, none 1; the order of the episodes is no matter.
    found = twins(executor="++---", random="+++++")
    value = model_value(list(reversed(played("+-++-"))), found, "executor")
    before, after = [False, False, False, True, True], [False, True, True, False, True]
    assert (value.n, value.points) == (5, pytest.approx(0.2))
    assert value.ci95 == pytest.approx(paired_gain(before, after)[1:])
    assert value.lower90 == paired_bound(before, after)
    low, high = value.ci95
    assert value.to_json() == {"model_value": {"points": 0.2, "ci95": [low, high], "lower90": value.lower90, "n": 5}}
    assert model_value(played("+-++-"), found, "random").points == pytest.approx(-0.4)


def test_what_the_harness_does_alone_is_worth_nothing(twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]) -> None:
    value = model_value(played("++-+"), twins(echo="++-+"), "echo")
    assert (value.points, value.ci95, value.lower90) == (0.0, (0.0, 0.0), 0.0)


@pytest.mark.parametrize(
    ("by", "tool", "is_counted"),
    [
        ("model", False, True), ("agreed", False, True), ("reading", False, True),
        ("harness", False, False), ("fallback", False, False), ("model", True, False),
    ],
)  # fmt: skip
def test_a_win_without_a_decision_of_the_models_counts_where_the_twin_won_too(
    by: str, tool: bool, is_counted: bool, twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]
) -> None:
    # Alone the model wins t1 and t2, and loses t3; what is asked is who decided in t0, t1 and t3.
    trace = {"trace": [{"decided_by": "harness"}, {"decided_by": by, "tool": tool}]}
    value = model_value(played("+++-", {n: trace for n in (0, 1, 3)}), twins(echo="+--+"), "echo")
    assert value.points == pytest.approx(0.25 if is_counted else 0.0)
    assert value.undecided == (0 if is_counted else 1)


def test_tasks_whose_episode_an_error_ended_are_not_compared(
    twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]
) -> None:
    # Without t0 the model wins 2 of 3 and the twin 1 of 3; the twin's own error there is no matter.
    changes = {("echo", 0): {"error": LOST}, ("random", 0): {"failures": [FAILED]}}
    value = model_value(played("-++-", {0: {"error": LOST}}), twins(echo="++--", changes=changes), "echo")
    assert (value.n, value.points, value.why) == (3, pytest.approx(1 / 3), "")


@pytest.mark.parametrize("name", TWINS)
def test_an_error_in_any_twin_voids_the_measure(name: str, twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]) -> None:
    value = model_value(played("+++-"), twins(changes={(name, 2): {"error": LOST}}), "no-model")
    why = f"twin {name} failed at task t2: BrowserError at step: the page did not load"
    assert value.to_json() == {"model_value": None, "model_value_why": why}


def test_a_processor_that_fails_for_a_twin_alone_voids_the_measure(
    twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]
) -> None:
    found = twins(changes={("executor", 1): {"failures": [FAILED]}})
    why = "a processor failed for twin executor alone, at task t1: TypeError at tally at before_model: 'NoneType' object is not callable"
    assert model_value(played("++++"), found, "echo").why == why
    # It failed with the model too, in other words: the twin is as good as the model's harness.
    same = {1: {"failures": [{**FAILED, "message": "other words"}]}}
    assert model_value(played("++++", same), found, "echo").points == 1.0
    # At another task, at another place, or in another way, is not the same.
    for task, failure in ((2, FAILED), (1, {**FAILED, "boundary": "tally at step_end"}), (1, {**FAILED, "kind": "ValueError"})):
        assert model_value(played("++++", {task: {"failures": [failure]}}), found, "echo").points is None


def test_without_a_common_task_there_is_no_value(twins: Callable[..., Twins], played: Callable[..., list[EpisodeRecord]]) -> None:
    value = model_value(played("-", {0: {"error": LOST}}), twins(1), "echo")
    assert value.to_json() == {"model_value": None, "model_value_why": "errors left no task that model and twin both played"}


def test_twins_on_tasks_that_no_model_played_are_judged_by_errors(twins: Callable[..., Twins]) -> None:
    assert twins(changes={("echo", 1): {"failures": [FAILED]}}).fault() == ""
    assert "twin echo failed at task t3" in twins(changes={("echo", 3): {"error": LOST}}).fault()


@pytest.fixture
def spec() -> HarnessSpec:
    return HarnessSpec.load("household-act")


def test_twins_are_the_harness_under_the_four_policies_and_the_same_on_any_number_of_workers(spec: HarnessSpec) -> None:
    listed = tasks(ENV, "validation", 2, rooms=["bathroom"])
    with Rollouts(CONFIG) as rollouts:
        one = play_twins(rollouts, spec, listed, 3)
    with Rollouts(CONFIG, 2) as rollouts:
        two = play_twins(rollouts, spec, listed, 3)
    assert one.episodes == two.episodes
    assert list(one.episodes) == ["no-model", "random", "echo", "executor"]
    for name in TWINS:
        with Rollouts(RolloutConfig(ENV, name, 6, {"rooms": ["bathroom"]})) as rollouts:
            assert list(one.episodes[name].values()) == list(rollouts.play([Job(spec, task, 3) for task in listed]))


def test_twins_ask_no_model_and_run_beside_it(spec: HarnessSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted(name="tiny")
    monkeypatch.setattr(names, "load", lambda name, **settings: backend)
    with Rollouts(RolloutConfig(ENV, "tiny", 6, {"rooms": ["bathroom"]})) as rollouts:
        found = play_twins(rollouts, spec, tasks(ENV, "validation", 1, rooms=["bathroom"]))
    assert backend.calls == []
    assert [record.policy for episodes in found.episodes.values() for record in episodes.values()] == list(TWINS)


def test_twins_of_a_run_are_played_once(spec: HarnessSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tasks(ENV, "validation", 2, rooms=["bathroom"])
    seen: list[tuple[int, int, str]] = []
    with Rollouts(CONFIG) as rollouts, Store(tmp_path) as store:
        first = play_twins(
            rollouts, spec, listed, store=store, on_record=lambda done, total, record: seen.append((done, total, record.policy))
        )
        monkeypatch.setattr(rollout, "run_episode", None)
        assert play_twins(rollouts, spec, listed, store=store).episodes == first.episodes
        assert set(store.episodes()) == {key for episodes in first.episodes.values() for key in episodes}
    assert seen == [(n + 1, 8, name) for n, name in enumerate(name for name in TWINS for _ in listed)]
