"""The loop with scripted episodes: what is shipped, what is refused and why, when it ends."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from homebody.agents.errors import FailedError, ModelLostError
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job
from homebody.evolution import loop as evolve_module
from homebody.evolution.config import ConfigError, EvolveConfig
from homebody.evolution.gate.player import TaskError
from homebody.evolution.gate.rule import Verdict
from homebody.evolution.loop import evolve
from homebody.evolution.proposers import Candidate, Evidence, set_processors
from homebody.evolution.proposers.registry import PROPOSERS, Entry
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.reports.page import build_page
from homebody.evolution.reports.summary import ENDINGS, markdown, read_run
from homebody.evolution.store import RunError, Store

Outcomes = Mapping[int, tuple[str, int]]
"""By the number of turns that the harness keeps: which validation tasks are won (+), lost (-) and ended by an error (!), and the steps of
each; `error` and `torn` are errors of all tasks, `fails` of a processor, and with `down` the model is lost."""
Loop = Callable[..., dict[str, Any]]


def turns(spec: HarnessSpec) -> int:
    name = spec.id_of("history_window")
    return 0 if name is None else int(spec.components[name]["params"].get("turns", 20))


def candidate(name: str, patch: list[dict[str, Any]], signature: str = "history_window") -> Candidate:
    manifest = {
        "candidate_id": name, "bucket": "context", "operator": f"operator {name}", "hypothesis": "A test.", "evidence": {}, "control": True,
        "predicted_impact": {"will_unlock": [], "will_stabilize": [], "at_risk": []}, "attribution_signature": signature,
    }  # fmt: skip
    return Candidate(name, "context", patch, manifest)


@pytest.fixture
def loop(quarry: Any, episode: Callable[..., EpisodeRecord], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loop:
    """Evolve on scripted outcomes, with edits that set the number of turns; `proposals` has those of each round.

    An episode takes as many prompt tokens as it has steps, and generates one. Validation tasks whose number is in `flaky` have another
    outcome when they are played again; errors of those in `passing` do not come twice. With `twins`, the outcomes of `echo` by the
    number of turns, a model plays, which decides every step.
    """

    def run(outcomes: Outcomes, proposals: Sequence[Sequence[int | Candidate]], **changes: Any) -> dict[str, Any]:
        played: list[tuple[int, str]] = []
        alone: list[tuple[int, str, str]] = []
        flaky, passing, twins = changes.pop("flaky", ""), changes.pop("passing", ""), changes.pop("twins", None)
        size = len(outcomes[20][0])

        class Scripted:
            def __init__(self, config: Any, workers: int, cluster: str | None) -> None:
                self.config = config
                self.policy = SimpleNamespace(name="nobody", fingerprint={"policy": "nobody"}, has_model=twins is not None)

            def __enter__(self) -> "Scripted":
                return self

            def __exit__(self, *_: object) -> None: ...

            def play(self, jobs: Sequence[Job], **_: Any) -> Iterator[EpisodeRecord]:
                for job in jobs:
                    if job.policy is not None:
                        alone.append((turns(job.spec), job.policy, job.task.task_id))
                        letter = twins[turns(job.spec)][int(job.task.task_id.partition("/bring-")[2])]
                        yield episode(job.policy == "echo" and letter == "+", task_id=job.task.task_id, policy=job.policy)
                        continue
                    played.append((turns(job.spec), job.task.task_id))
                    letters, steps = outcomes[turns(job.spec)]
                    split, _, number = job.task.task_id.partition("/bring-")
                    anew = played.count(played[-1]) > 1
                    if letters == "down":
                        raise ModelLostError("the model does not answer any more: no server")
                    is_error = letters in ("torn", "error") or (
                        split == "validation" and letters[int(number)] == "!" and not (anew and number in passing)
                    )
                    yield episode(
                        split == "validation" and (letters[int(number)] == "+") != (anew and number in flaky),
                        task_id=job.task.task_id,
                        behaviour_hash=job.spec.behaviour_hash,
                        trace=[{"decided_by": "model"}] if twins else [],
                        steps=steps,
                        usage={"prompt_tokens": steps, "cached_tokens": 1, "generated_tokens": 1},
                        activations={"history_window": 1} if turns(job.spec) else {},
                        failures=[{"boundary": "b", "kind": "K", "message": "m"}] if letters == "fails" else [],
                        error={"boundary": "reset" if letters == "torn" else "decide", "kind": "E", "message": "m"} if is_error else None,
                    )

        def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
            made = proposals[evidence.round - 1] if evidence.round <= len(proposals) else []
            return [
                item if isinstance(item, Candidate) else candidate(str(item), set_processors(spec, {"history_window": {"turns": item}}))
                for item in made
            ]

        module = ModuleType("scripted_proposer")
        module.propose = propose  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "scripted_proposer", module)
        monkeypatch.setattr(evolve_module, "Rollouts", Scripted)
        monkeypatch.setitem(PROPOSERS, "scripted", Entry("scripted_proposer:propose"))  # type: ignore[attr-defined]
        values: dict[str, Any] = {
            "env_id": "Quarry-v0", "env_kwargs": {"numbers": size}, "model": "nobody", "harness": "generic-act", "proposer": "scripted",
            "train_tasks": 2, "validation_tasks": size, "growth": 1, "rounds": 9, "gate": "sign-test",
        }  # fmt: skip
        options = {key: changes.pop(key) for key in ("approve", "resume", "progress") if key in changes}
        result = evolve(EvolveConfig(**(values | changes)), tmp_path, **options)
        return {**result, "played": played, "alone": alone}

    return run


def verdicts(result: dict[str, Any], number: int = 1) -> list[str]:
    return [edit["reason"] for edit in result["rounds"][number - 1]["candidates"]]


def final_turns(result: dict[str, Any]) -> int:
    return turns(HarnessSpec.load(result["final_harness"]))


def test_the_candidate_that_gains_most_is_shipped_and_the_next_round_starts_from_it(loop: Loop) -> None:
    outcomes = {20: ("--------", 9), 1: ("+++-----", 9), 2: ("++++++--", 9), 3: ("++------", 9), 4: ("+++++++-", 9)}
    result = loop(outcomes, [[1, 2, 3], [4]])
    assert verdicts(result, 1) == [
        "3 tasks won, 0 lost",
        "6 tasks won, 0 lost",
        "dropped after 4 of 8 tasks: it can gain 6 tasks at most, and 6 are to be beaten",
    ]
    assert verdicts(result, 2) == ["1 tasks won, 0 lost"]
    assert [(item["round"], item["shipped"], item["validation"]["success"]) for item in result["rounds"]] == [
        (1, "2", 0.0), (2, "4", 6 / 8), (3, None, 7 / 8),
    ]  # fmt: skip
    assert final_turns(result) == 4
    # The third candidate was played on its smoke run and four validation tasks only.
    assert [task for number, task in result["played"] if number == 3] == ["train/bring-0", *(f"validation/bring-{n}" for n in range(4))]


def test_of_equal_gains_the_first_is_shipped(loop: Loop) -> None:
    outcomes = {20: ("--------", 9), 1: ("+++-----", 9), 2: ("-----+++", 5), 3: ("-----+++", 7)}
    result = loop(outcomes, [[1, 2, 3]])
    assert verdicts(result) == ["3 tasks won, 0 lost"] * 3
    assert final_turns(result) == 1


def test_refusals_and_their_reasons(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"name": "idle", "hook": "step_end", "dimension": "control", "schema": {}, "process": lambda self, event: None}
    monkeypatch.setitem(REGISTRY, "idle", type("idle", (Processor,), members))
    add_idle = [{"op": "add", "path": "/components/idle", "value": component("idle")}]
    outcomes = {20: ("+---", 9), 1: ("+---", 9), 2: ("-+++", 9), 3: ("fails", 9), 4: ("error", 9)}
    proposals = [
        candidate("does not apply", [{"op": "remove", "path": "/components/gone"}]),
        candidate("no harness", [{"op": "add", "path": "/components/magic", "value": {"use": "magic"}}]),
        candidate("the seed", []),
        1,
        2,
        3,
        4,
        candidate("idle", add_idle, "idle"),
    ]
    result = loop(outcomes, [proposals], candidates=8)
    reasons = verdicts(result)
    assert reasons[0].startswith("build: the patch does not apply to harness generic-act: ")
    assert reasons[1].startswith("build: harness generic-act after the patch: /components/magic: ")
    assert reasons[2:] == [
        "novelty: this behaviour was tried before",
        "no gain: 0 tasks won, 0 lost",
        "regression not outweighed: 3 tasks won, 1 lost, p = 0.312",
        "smoke run: K at b: m",
        "smoke run: E at decide: m",
        "never at work: idle changed nothing in 4 episodes",
    ]
    assert result["rounds"][0]["shipped"] is None
    assert result["final_hash"] == result["seed_hash"]
    # What cannot be built, or was there before, is never played; what fails its smoke run is not played on validation. What an error
    # ends is played twice.
    assert [task for number, task in result["played"] if number in (3, 4)] == ["train/bring-0"] * 3


def test_a_behaviour_is_not_tried_again_in_a_later_round(loop: Loop) -> None:
    outcomes = {20: ("----", 9), 1: ("----", 9), 2: ("+---", 9)}
    result = loop(outcomes, [[1], [1], [2], [20]], patience=3)
    assert [verdicts(result, number) for number in (1, 2, 3, 4)] == [
        ["no gain: 0 tasks won, 0 lost"],
        ["novelty: this behaviour was tried before"],
        ["1 tasks won, 0 lost"],
        ["novelty: this behaviour was tried before"],
    ]


@pytest.mark.parametrize(
    ("proposals", "changes", "rounds", "stopped"),
    [
        ([[1], [20], [1], [2]], {"patience": 2}, 3, "nothing new"),  # the harness itself, and what was tried before
        ([[1], [20], [2], [1], [20], [3]], {"patience": 2}, 5, "nothing new"),  # what is new starts the count anew
        ([[1], [], [5]], {}, 2, "no proposals"),  # nothing proposed, nothing to come
        ([[1], [2], [3], [4]], {"rounds": 3, "patience": 1}, 3, "rounds"),
    ],
)
def test_when_a_run_ends(loop: Loop, proposals: list[list[int]], changes: dict[str, Any], rounds: int, stopped: str) -> None:
    outcomes: dict[int, tuple[str, int]] = {number: ("----", 9) for number in (20, 1, 2, 3, 4, 5)}
    result = loop(outcomes, proposals, **changes)
    assert (len(result["rounds"]), result["stopped"]) == (rounds, stopped)
    assert stopped in ENDINGS


def test_an_edit_has_its_turn_however_often_the_gate_refused_those_before_it(loop: Loop) -> None:
    outcomes: dict[int, tuple[str, int]] = {number: ("----", 9) for number in (20, 1, 2, 3, 4)}
    result = loop({**outcomes, 5: ("+++-", 9)}, [[1], [2], [3], [4], [5]])
    assert [item["shipped"] for item in result["rounds"]] == [None, None, None, None, "5", None]
    assert (final_turns(result), result["stopped"]) == (5, "no proposals")


def test_a_task_that_cannot_be_loaded_ends_the_run(loop: Loop, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="task train/bring-0 cannot be loaded: E: m"):
        loop({20: ("torn", 9)}, [[1]])
    assert not (tmp_path / "final.json").exists()


# --- errors are no defeats


def test_errors_of_some_episodes_are_counted_apart(loop: Loop) -> None:
    told: list[tuple[str, Any]] = []
    result = loop({20: ("+--!", 9), 1: ("++--", 9)}, [[1]], progress=lambda *event: told.append(event))
    assert result["errors"] == 1
    series = {data["what"]: data["episodes"] for kind, data in told if kind == "series"}
    assert series["round 1: validation"]["validation/bring-3"][1] is None
    validation = result["rounds"][0]["validation"]
    assert (validation["n"], validation["errors"], validation["success"]) == (3, 1, 1 / 3)
    assert result["rounds"][0]["train"]["errors"] == 0
    # The task that an error ended before is neither won nor lost by an edit that plays it and loses.
    assert verdicts(result) == ["1 tasks won, 0 lost"]
    assert result["rounds"][1]["validation"] == {"n": 4, "errors": 0, "success": 0.5, "ci95": pytest.approx([0.15004, 0.84996], abs=1e-5)}


def test_an_edit_that_brings_errors_is_refused_and_has_lost_nothing_by_them(loop: Loop) -> None:
    result = loop({20: ("++--!!--", 9), 1: ("!+++--++", 9), 2: ("+++-!!--", 9)}, [[1, 2]])
    assert verdicts(result) == [
        "dropped after 4 of 8 tasks: errors ended 1 of 4 episodes, 0 before the edit; the first: E at decide: m",
        "1 tasks won, 0 lost",
    ]
    first, second = result["rounds"][0]["candidates"]
    assert (first["won"], first["lost"]) == (["validation/bring-2", "validation/bring-3"], [])
    assert result["rounds"][0]["shipped"] == second["id"]


def test_an_edit_that_mends_what_errors_ended_twice_has_won_it(loop: Loop) -> None:
    result = loop({20: ("+--!", 9), 1: ("+--+", 9)}, [[1]])
    assert verdicts(result) == ["1 tasks won, 0 lost"]


def test_an_error_that_does_not_come_twice_leaves_no_trace(loop: Loop) -> None:
    result = loop({20: ("+--!", 9), 1: ("+--!", 9)}, [[1]], passing="3")
    assert result["rounds"][0]["validation"]["errors"] == 0
    assert result["played"].count((20, "validation/bring-3")) == 2
    assert verdicts(result) == ["no gain: 0 tasks won, 0 lost"]


def test_a_run_whose_seed_plays_nothing_stops_and_goes_on(loop: Loop, tmp_path: Path) -> None:
    with pytest.raises(FailedError) as raised:
        loop({20: ("error", 9), 1: ("+++--", 9)}, [[1]])
    assert str(raised.value) == (
        "round 1, training: errors ended all 2 episodes; the first, train/bring-0: E at decide: m; "
        "mend the cause and go on with evolve --resume"
    )
    assert not (tmp_path / "final.json").exists()
    run = read_run(tmp_path)
    assert run["failed"] == str(raised.value)
    assert "The run was stopped: round 1, training: errors ended all 2 episodes" in markdown(run)
    assert "<html" in build_page(tmp_path)
    result = loop({20: ("--!--", 9), 1: ("+++--", 9)}, [[1]], resume=True, passing="2")
    assert [task for number, task in result["played"] if number == 20][:2] == ["train/bring-0", "train/bring-1"]  # played again
    assert verdicts(result) == ["3 tasks won, 0 lost"]
    assert read_run(tmp_path)["failed"] is None


def test_a_run_whose_seed_plays_no_validation_task_stops(loop: Loop) -> None:
    with pytest.raises(FailedError, match="round 1, validation: errors ended all 3 episodes; the first, validation/bring-0: E at decide"):
        loop({20: ("!!!", 9)}, [[1]])


def test_a_model_that_is_lost_on_the_way_stops_the_run_and_refuses_no_edit(loop: Loop, tmp_path: Path) -> None:
    with pytest.raises(ModelLostError, match="does not answer any more"):
        loop({20: ("----", 9), 1: ("down", 9)}, [[1]])
    with Store(tmp_path, readonly=True) as store:
        assert not store.events("round")
        assert store.events("failed") == [{"message": "the model does not answer any more: no server"}]
    result = loop({20: ("----", 9), 1: ("++--", 9)}, [[1]], resume=True)
    assert verdicts(result) == ["2 tasks won, 0 lost"]
    assert (20, "train/bring-0") not in result["played"]  # what was played is kept


# --- the A/A run


def test_an_a_a_run_without_a_difference_lets_outweighed_losses_through(loop: Loop, tmp_path: Path) -> None:
    outcomes = {20: ("+-------", 9), 1: ("-++++++-", 9)}
    result = loop(outcomes, [[1]], gate="auto", noise_tasks=3)
    assert verdicts(result) == ["6 tasks won, 1 lost, p = 0.062"]
    assert (result["gate"], result["stopped"]) == ("sign-test", "no proposals")
    with Store(tmp_path, readonly=True) as store:
        assert store.events("noise") == [{"n": 3, "flips": 0, "differing": 0, "mode": "sign-test"}]
    # The three episodes of the A/A run are played besides; the seed's other validation tasks once.
    assert [task for number, task in result["played"] if number == 20].count("validation/bring-2") == 2
    assert [task for number, task in result["played"] if number == 20].count("validation/bring-3") == 1


def test_an_a_a_run_that_differs_asks_for_more_than_chance(loop: Loop, tmp_path: Path) -> None:
    outcomes = {20: ("--------", 9), 1: ("+++-----", 9), 2: ("++++----", 9)}
    result = loop(outcomes, [[1, 2]], gate="auto", flaky="1")
    assert result["gate"] == "noise-aware"
    assert verdicts(result) == ["no more than chance: 3 tasks won, 0 lost, p = 0.125", "4 tasks won, 0 lost, p = 0.062"]
    with Store(tmp_path, readonly=True) as store:
        assert store.events("noise") == [{"n": 4, "flips": 1, "differing": 1, "mode": "noise-aware"}]


def test_a_literal_gate_lets_no_loss_through_and_needs_no_a_a_run(loop: Loop, tmp_path: Path) -> None:
    outcomes = {20: ("+-------", 9), 1: ("-+++++++", 9), 2: ("+------+", 9)}
    result = loop(outcomes, [[1, 2]], gate="no-regression")
    assert verdicts(result) == ["dropped after 4 of 8 tasks: 1 lost, and none may be", "1 tasks won, 0 lost"]
    with Store(tmp_path, readonly=True) as store:
        assert store.events("noise") == []


# --- what it costs and what was saved


def test_what_was_saved_and_what_was_spent(loop: Loop) -> None:
    outcomes = {20: ("--------", 9), 1: ("+++-----", 9), 2: ("--------", 9), 3: ("fails", 9), 4: ("--------", 9)}
    result = loop(outcomes, [[1, 2, 3, 1], [4]], candidates=4)
    # Round 1: 2 + 8 by the seed, 1 + 8 by the first edit, 1 + 4 by the second, which could not win any more, 1 by the third, whose smoke
    # run fails, none by the fourth, which is the first again. Round 2: 2 + 8 by the first edit (1 + 8 are there), 1 + 8 by the fourth edit.
    # Round 3: the same 2 + 8 again.
    asked = (10 + 9 + 5 + 1) + (10 + 9) + 10
    assert result["savings"] == {
        "played": 10 + 9 + 5 + 1 + 1 + 9,
        "cached": 9 + 10,
        "stopped_early": 4,
        "refused": 8 + 9,
        "everything": asked + 4 + 8 + 9,
    }
    assert len(result["played"]) == result["episodes"] == 35
    assert (result["prompt_tokens"], result["cached_tokens"], result["generated_tokens"]) == (9 * 35, 35, 35)
    assert result["tokens"] == 10 * 35


@pytest.mark.parametrize(
    ("changes", "episodes"),
    [
        ({"rounds": 2, "candidates": 1}, [10, 38]),  # 2 + 8 by the seed; in each of two rounds 2 + 8, a smoke run and 8
        ({"rounds": 1, "candidates": 3}, [10, 37]),
        ({"rounds": 9, "candidates": 1, "budget_episodes": 12}, [10, 12]),
        ({"rounds": 1, "candidates": 1, "gate": "auto", "noise_tasks": 4, "budget_episodes": 9}, [9, 9]),
        ({"rounds": 1, "candidates": 1, "gate": "auto", "noise_tasks": 4}, [14, 23]),
    ],
)
def test_a_run_with_a_model_says_what_it_will_take_before_its_first_round(loop: Loop, changes: dict[str, Any], episodes: list[int]) -> None:
    outcomes = {20: ("--------", 9), 1: ("+++-----", 9), 2: ("++++++--", 9)}
    told: list[tuple[str, Mapping[str, Any]]] = []
    twins = {number: "--------" for number in outcomes}
    result = loop(outcomes, [[1], [2]], twins=twins, progress=lambda what, data: told.append((what, data)), **changes)
    kinds = [what for what, _ in told]
    assert kinds.index("estimate") < kinds.index("round")
    (estimate,) = (data for what, data in told if what == "estimate")
    assert (estimate["measured"], estimate["episodes"], estimate["may_grow"]) == (2, episodes, False)
    assert estimate["tokens"] == [10 * number for number in episodes]  # an episode takes ten
    assert result["episodes"] <= episodes[1]


def test_a_run_without_a_model_takes_seconds_and_says_nothing(loop: Loop) -> None:
    told: list[str] = []
    loop({20: ("--", 9), 1: ("+-", 9)}, [[1]], progress=lambda what, data: told.append(what))
    assert "round" in told
    assert "estimate" not in told


def test_a_token_budget_ends_the_run_where_it_is_spent_and_again_there_when_resumed(loop: Loop) -> None:
    outcomes = {20: ("----", 9), 1: ("+---", 9), 2: ("++--", 9)}
    # An episode takes 10 tokens. 2 + 4 by the seed, 1 + 4 by the first edit; round 2: 2 + 4, of which 1 is new; 1 smoke run; then the
    # budget of 125 is spent after 13 episodes.
    for resume in (False, True):
        result = loop(outcomes, [[1], [2]], budget_tokens=125, resume=resume)
        assert (result["stopped"], result["episodes"], result["tokens"]) == ("tokens", 13, 130)
        assert [item["shipped"] for item in result["rounds"]] == ["1"]
        assert final_turns(result) == 1
    assert result["played"] == []


def test_a_budget_that_is_spent_in_a_round_does_not_lose_what_was_accepted(loop: Loop) -> None:
    outcomes = {20: ("----", 9), 1: ("+---", 9), 2: ("++--", 9), 3: ("++++", 9)}
    # Round 1: 2 + 4 by the seed, 1 + 4 by the first edit, 1 + 1 by the second, with which a budget of 125 is spent.
    for resume in (False, True):
        result = loop(outcomes, [[1, 2], [2]], candidates=2, budget_tokens=125, resume=resume)
        assert (result["stopped"], result["episodes"]) == ("tokens", 13)
        assert [(item["shipped"], [one["id"] for one in item["candidates"]]) for item in result["rounds"]] == [("1", ["1"])]
        assert final_turns(result) == 1
    # With more the round stays decided, and what was not judged to the end may come again.
    result = loop(outcomes, [[1, 2], [2]], candidates=2, resume=True)
    assert [(item["shipped"], [one["id"] for one in item["candidates"]]) for item in result["rounds"]][:2] == [("1", ["1"]), ("2", ["2"])]
    assert final_turns(result) == 2


def test_a_budget_that_is_spent_before_anything_was_accepted_leaves_no_round(loop: Loop) -> None:
    outcomes = {20: ("----", 9), 1: ("----", 9), 2: ("++--", 9)}
    result = loop(outcomes, [[1, 2]], candidates=2, budget_tokens=125)
    assert (result["stopped"], result["rounds"], final_turns(result)) == ("tokens", [], 20)


@pytest.mark.parametrize("more", [126, 10_000, None])
def test_a_budget_that_is_raised_lets_the_run_go_on(loop: Loop, tmp_path: Path, more: int | None) -> None:
    outcomes = {20: ("----", 9), 1: ("+---", 9), 2: ("++--", 9)}
    assert loop(outcomes, [[1], [2]], budget_tokens=125)["stopped"] == "tokens"
    result = loop(outcomes, [[1], [2]], budget_tokens=more, resume=True)
    if more == 126:
        assert (result["stopped"], result["played"], final_turns(result)) == ("tokens", [], 1)
    else:
        # A smoke run and four validation tasks of the second edit, of which the first was played; two training tasks of the round after it.
        assert (result["stopped"], final_turns(result)) == ("no proposals", 2)
        assert result["played"] == [(2, f"validation/bring-{n}") for n in range(4)] + [(2, "train/bring-1")]
    assert [item["shipped"] for item in result["rounds"]] == (["1"] if more == 126 else ["1", "2", None])
    assert read_lineage(tmp_path).config.budget_tokens == more
    lower = 100 if more is None else more - 1
    told = f"budget_tokens was {more} and is {lower}.; a budget can only be raised; give the same or more"
    with pytest.raises(RunError, match=told):
        loop(outcomes, [[1], [2]], budget_tokens=lower, resume=True)
    with pytest.raises(RunError, match=r"\(max_steps was 15 and is 9\); give the same"):
        loop(outcomes, [[1], [2]], max_steps=9, resume=True)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_budget_is_raised_once_test_tasks_were_played(loop: Loop, tmp_path: Path, split: str) -> None:
    outcomes = {20: ("----", 9), 1: ("+---", 9), 2: ("++--", 9)}
    first = loop(outcomes, [[1], [2]], budget_tokens=125)
    with Store(tmp_path) as store:
        store.append("evaluating", {"tasks": [f"{split}/bring-0"], "keys": []})
    if split == "validation":
        assert loop(outcomes, [[1], [2]], budget_tokens=10_000, resume=True)["stopped"] == "no proposals"
        return
    before = (tmp_path / "final.json").read_bytes()
    with pytest.raises(RunError, match=r"tokens ended, and its test tasks have been played since; .* give the same budgets, or"):
        loop(outcomes, [[1], [2]], budget_tokens=10_000, resume=True)
    assert (tmp_path / "final.json").read_bytes() == before
    again = loop(outcomes, [[1], [2]], budget_tokens=125, resume=True)
    assert (again["stopped"], again["final_hash"], again["played"]) == ("tokens", first["final_hash"], [])


def test_a_budget_that_ended_nothing_may_be_raised_after_the_test(loop: Loop, tmp_path: Path) -> None:
    outcomes = {20: ("----", 9), 1: ("+---", 9)}
    assert loop(outcomes, [[1]], budget_tokens=10_000)["stopped"] == "no proposals"
    with Store(tmp_path) as store:
        store.append("evaluating", {"tasks": ["test/bring-0"], "keys": []})
    assert loop(outcomes, [[1]], budget_tokens=20_000, resume=True)["played"] == []


def test_a_run_out_of_minutes_says_so_and_plays_nothing_more(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr("homebody.evolution.gate.player.time", SimpleNamespace(monotonic=tick))
    outcomes = {20: ("----", 9), 1: ("+---", 9), 2: ("++--", 9)}
    # Each episode looks at the clock once, and it goes on by a second: 2 + 4 and 1 + 4 fit in 15 seconds, the second round does not.
    result = loop(outcomes, [[1], [2]], budget_minutes=0.25)
    assert (result["stopped"], len(result["rounds"]), final_turns(result)) == ("minutes", 1, 1)
    assert 11 <= result["episodes"] <= 15


# --- a person at the gate


class Person:
    """Answers in order, and remembers what was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, candidate: Candidate, verdict: Verdict) -> str:
        assert verdict.accepted
        self.asked.append(candidate.id)
        return self.answers.pop(0)


GAINS: Outcomes = {20: ("--------", 9), 1: ("++------", 9), 2: ("++++----", 9), 3: ("+++++---", 9)}


def test_a_person_is_asked_for_the_best_first_and_may_take_the_next(loop: Loop, tmp_path: Path) -> None:
    person = Person("reject", "ship", "reject")
    result = loop(GAINS, [[1, 2], [3]], approve=person)
    assert person.asked == ["2", "1", "3"]
    assert [item["shipped"] for item in result["rounds"]] == ["1", None, None]
    with Store(tmp_path, readonly=True) as store:
        answers = [(item["round"], item["id"], item["answer"]) for item in store.events("approval")]
    assert answers == [(1, "2", "reject"), (1, "1", "ship"), (2, "3", "reject")]
    nobody = Person()
    assert loop(GAINS, [[1, 2], [3]], approve=nobody, resume=True)["rounds"] == result["rounds"]
    assert nobody.asked == []


def test_a_person_who_says_stop_is_asked_again_on_resume(loop: Loop) -> None:
    person = Person("ship", "stop")
    result = loop(GAINS, [[1], [3]], approve=person)
    assert (result["stopped"], [item["shipped"] for item in result["rounds"]], final_turns(result)) == ("approval", ["1"], 1)
    again = Person("ship")
    result = loop(GAINS, [[1], [3]], approve=again, resume=True)
    assert (again.asked, result["stopped"], final_turns(result)) == (["3"], "no proposals", 3)


def test_an_answer_that_is_none(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="the person at the gate answered 'yes'; it must be one of ship, reject, stop"):
        loop(GAINS, [[1]], approve=Person("yes"))


# --- candidates that are none


def test_what_is_no_edit_or_has_no_manifest_is_refused_and_reported(loop: Loop) -> None:
    no_edit = Candidate("r1c1", "context", [], candidate("r1c1", []).manifest, problem="the answer is no JSON")
    bare = Candidate("r1c2", "context", [{"op": "remove", "path": "/components/system_prompt"}], {"operator": "less", "control": True})
    result = loop({20: ("----", 9)}, [[no_edit, bare]])
    # The proposer is asked once more for what is no edit, and says the same again.
    second, first, again = result["rounds"][0]["candidates"]
    assert [second["id"], first["id"], again["id"]] == ["r1c2", "r1c3", "r1c1"]
    assert first["reason"] == again["reason"]
    assert (first["reason"], first["checks"]) == ("proposal: the answer is no JSON", [["proposal", "the answer is no JSON"]])
    assert second["reason"].startswith("manifest: /: 'candidate_id' is a required property; ")
    assert second["manifest"]["operator"] == "less"
    assert second["manifest"]["predicted_impact"] == {"will_unlock": [], "will_stabilize": [], "at_risk": []}
    assert {number for number, _ in result["played"]} == {20}


def test_after_a_round_that_shipped_nothing_more_tasks_may_tell(loop: Loop) -> None:
    outcomes = {20: ("-+----------", 9), 1: ("-+----++----", 9), 2: ("+-----++++++", 9)}
    result = loop(outcomes, [[1, 2], [2, 1], []], train_tasks=5, validation_tasks=6, growth=2, gate="no-regression")
    assert verdicts(result, 1) == ["no gain: 0 tasks won, 0 lost", "dropped after 4 of 6 tasks: 1 lost, and none may be"]
    # What lost a task on the smaller set need not be played on a larger one.
    assert verdicts(result, 2) == ["novelty: this behaviour was tried before", "2 tasks won, 0 lost"]
    assert [(item["train"]["n"], item["validation"]["n"]) for item in result["rounds"]] == [(5, 6), (10, 12), (10, 12)]
    assert (final_turns(result), result["stopped"]) == (1, "no proposals")


def test_sets_as_large_as_they_may_be_are_no_reason_to_try_again(loop: Loop) -> None:
    outcomes = {20: ("------------", 9), 1: ("------++----", 9)}
    result = loop(outcomes, [[1], [1], [1], [1]], validation_tasks=6, growth=1, patience=2)
    assert [verdicts(result, number) for number in (1, 2)] == [
        ["no gain: 0 tasks won, 0 lost"], ["novelty: this behaviour was tried before"],
    ]  # fmt: skip
    assert (len(result["rounds"]), result["stopped"]) == (3, "nothing new")


def test_a_harness_that_solves_nothing_gets_no_more_tasks(loop: Loop) -> None:
    outcomes = {20: ("------------", 9), 1: ("------++----", 9), 2: ("++++++++----", 9)}
    result = loop(outcomes, [[1], [2], []], train_tasks=5, validation_tasks=6, growth=2)
    assert [(item["train"]["n"], item["validation"]["n"], item["shipped"]) for item in result["rounds"]][:2] == [(5, 6, None), (5, 6, "2")]


SEED = "------------"


def test_an_edit_that_makes_the_model_superfluous_is_refused_before_it_plays(loop: Loop) -> None:
    outcomes = {20: ("++++++------", 9), 1: ("++++++++++++", 9), 2: ("+++++++++---", 9)}
    result = loop(outcomes, [[1, 2]], twins={20: SEED, 1: "+++++++++++-", 2: SEED})
    assert verdicts(result) == [
        "dropped after 0 of 12 tasks: it can gain 6 tasks at most, and its best twin gains 11 without the model",
        "3 tasks won, 0 lost, best twin +0",
    ]
    table, asking = result["rounds"][0]["candidates"]
    assert (table["gain"], table["twin_gain"], asking["gain"], asking["twin_gain"]) == (None, pytest.approx(11 / 12), 0.25, 0.0)
    assert [task for number, task in result["played"] if number == 1] == ["train/bring-0"]
    assert (result["objective"], result["kept"], final_turns(result)) == ("model", 1, 2)
    assert result["final"]["model_value"]["lower90"] > 0
    document = HarnessSpec.load(result["final_harness"]).document
    assert (document["origin"]["objective"], document["description"].endswith("for what the model adds.")) == ("model", True)


def test_for_success_alone_whoever_decides_is_shipped_and_the_result_is_marked(loop: Loop) -> None:
    outcomes = {20: ("++++++------", 9), 1: ("++++++++++++", 9), 2: ("+++++++++---", 9)}
    result = loop(outcomes, [[1, 2]], twins={20: SEED, 1: "+++++++++++-", 2: SEED}, objective="success")
    assert verdicts(result)[0] == "6 tasks won, 0 lost"
    assert [(edit["gain"], edit["twin_gain"]) for edit in result["rounds"][0]["candidates"]] == [(0.5, None), (None, None)]
    assert (result["objective"], result["kept"], final_turns(result)) == ("success", 1, 1)
    document = HarnessSpec.load(result["final_harness"]).document
    assert (document["origin"]["objective"], document["description"].endswith("for success alone.")) == ("success", True)


# Three wins and no loss beside a twin: a sample of 12 tasks without any of them has chance (9/12)^12 = 3%, so the bound is above 0; with
# two wins it has (10/12)^12 = 11%, and it is not.
@pytest.mark.parametrize(
    ("first", "second", "twin", "kept", "said"),
    [
        (
            "+++---------", "++++++++----", "-------+++++", 1,
            "The final harness is that of 1: of the 1 shipped after it, none has a model_value above 0 with 90% confidence.",
        ),
        (
            "+++---------", "++++++++----", "---+++++----", 2,
            "The final harness is the last one shipped, 2: it has a model_value above 0 with 90% confidence.",
        ),
        (
            "++----------", "+++---------", "---+--------", 0,
            "No shipped harness has a model_value above 0 with 90% confidence: the run ends with its seed.",
        ),
    ],
)  # fmt: skip
def test_the_final_harness_is_the_last_shipped_one_whose_model_is_worth_something(
    loop: Loop, tmp_path: Path, first: str, second: str, twin: str, kept: int, said: str
) -> None:
    result = loop({20: (SEED, 9), 1: (first, 9), 2: (second, 9)}, [[1], [2]], twins={20: SEED, 1: SEED, 2: twin})
    assert [item["shipped"] for item in result["rounds"]] == ["1", "2", None]
    assert (result["kept"], final_turns(result)) == (kept, kept or 20)
    assert [found["model_value"]["lower90"] > 0 for found in result["shipped"]][kept:] == [False] * (2 - kept)
    assert HarnessSpec.load(result["final_harness"]).document.get("origin", {}).get("edits", []) == ["operator 1", "operator 2"][:kept]
    final = result["shipped"][kept - 1] if kept else result["rounds"][0]
    assert (result["final"]["behaviour_hash"], result["final"]["model_value"]) == (result["final_hash"], final["model_value"])
    lineage = read_lineage(tmp_path)
    assert ([edit.id for edit in lineage.edits], lineage.final.behaviour_hash) == (["1", "2"][:kept], result["final_hash"])
    page = build_page(tmp_path)
    assert said in markdown(read_run(tmp_path))
    assert said in page
    # What the first edit gained, with the model and without, stands in its round and on its card.
    gain = f"with the model {100 * first.count('+') / 12:+.1f}, best twin +0.0"
    assert page.count(gain) >= 2
    assert f"| {gain} |" in markdown(read_run(tmp_path))


def test_twins_are_played_once_and_never_again_after_a_resume(loop: Loop) -> None:
    outcomes = {20: ("++++++------", 9), 1: ("+++++++++---", 9)}
    twins = {20: SEED, 1: SEED}
    result = loop(outcomes, [[1]], twins=twins)
    # Those of both harnesses, and of the final one in a model's clothes.
    assert len(result["alone"]) == len(set(result["alone"])) == 3 * 4 * 12
    assert result["masked"] == {"best": "masked no-model", "success": 0.0, "won": 0, "lost": 0, "p": 1.0}
    again = loop(outcomes, [[1]], twins=twins, resume=True)
    assert (again["alone"], again["played"]) == ([], [])
    assert {key: again[key] for key in ("rounds", "shipped", "final")} == {key: result[key] for key in ("rounds", "shipped", "final")}
    assert result["episodes"] == 2 * 2 + 2 * 12  # Twins count for no budget.


@pytest.mark.parametrize(("objective", "twins", "said"), [("model", None, "nobody is no model"), ("fame", {20: SEED}, "'fame'")])
def test_an_objective_that_cannot_be_had(loop: Loop, objective: str, twins: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loop({20: (SEED, 9)}, [], twins=twins, objective=objective)


def test_without_a_model_the_objective_is_success(loop: Loop, tmp_path: Path) -> None:
    assert loop({20: ("----", 9), 1: ("+---", 9)}, [[1]])["objective"] == "success"
    assert read_lineage(tmp_path).config.objective == "success"
