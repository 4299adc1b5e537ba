"""The loop with scripted episodes: what is shipped, what is refused and why, when it ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homebody.agents.episode import EpisodeRecord
from homebody.agents.processors import REGISTRY, Processor
from homebody.agents.rollout import Job
from homebody.agents.spec import HarnessSpec, entry
from homebody.evolution import loop as evolve_module
from homebody.evolution.loop import EvolveConfig, TaskError, evolve
from homebody.evolution.propose import PROPOSERS, Candidate, Evidence, set_processors

Outcomes = Mapping[int, tuple[str, int]]
"""By the number of turns that the harness keeps: which validation tasks are won (+) and lost (-), and the steps of each."""
Loop = Callable[..., dict[str, Any]]


def turns(spec: HarnessSpec) -> int:
    position = spec.index("history_window")
    return 0 if position is None else int(spec.processors[position]["params"].get("turns", 20))


def candidate(name: str, patch: list[dict[str, Any]], signature: str = "history_window") -> Candidate:
    manifest = {
        "lever": name, "evidence": {}, "predicted_impact": {"will_unlock": [], "at_risk": []}, "attribution_signature": signature,
    }  # fmt: skip
    return Candidate(name, "context", patch, manifest)


@pytest.fixture
def loop(quarry: Any, episode: Callable[..., EpisodeRecord], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loop:
    """Evolve on scripted outcomes, with edits that set the number of turns; `proposals` has those of each round."""

    def run(outcomes: Outcomes, proposals: Sequence[Sequence[int | Candidate]], **changes: Any) -> dict[str, Any]:
        played: list[tuple[int, str]] = []
        size = len(outcomes[20][0])

        class Scripted:
            def __init__(self, stage: Any, workers: int) -> None:
                self.stage, self.decider = stage, SimpleNamespace(name="nobody", fingerprint={"decider": "nobody"})

            def __enter__(self) -> "Scripted":
                return self

            def __exit__(self, *_: object) -> None: ...

            def play(self, jobs: Sequence[Job]) -> Iterator[EpisodeRecord]:
                for job in jobs:
                    played.append((turns(job.spec), job.task.task_id))
                    letters, steps = outcomes[turns(job.spec)]
                    split, _, number = job.task.task_id.partition("/bring-")
                    yield episode(
                        split == "validation" and letters[int(number)] == "+",
                        task_id=job.task.task_id,
                        behaviour_hash=job.spec.behaviour_hash,
                        steps=steps,
                        activations={"1:history_window": 1} if turns(job.spec) else {},
                        failures=[{"boundary": "b", "kind": "K", "message": "m"}] if letters == "fails" else [],
                        error={"boundary": "reset" if letters == "torn" else "decide", "kind": "E", "message": "m"}
                        if letters in ("torn", "error")
                        else None,
                    )

        def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
            made = proposals[evidence.round - 1] if evidence.round <= len(proposals) else []
            return [
                item if isinstance(item, Candidate) else candidate(str(item), set_processors(spec, {"history_window": {"turns": item}}))
                for item in made
            ]

        monkeypatch.setattr(evolve_module, "Rollouts", Scripted)
        monkeypatch.setitem(PROPOSERS, "scripted", propose)
        values: dict[str, Any] = {
            "env_id": "Quarry-v0", "env_kwargs": {"numbers": size}, "model": "nobody", "harness": "generic", "proposer": "scripted",
            "train_tasks": 2, "validation_tasks": size, "rounds": 9,
        }  # fmt: skip
        result = evolve(EvolveConfig(**(values | changes)), tmp_path)
        return {**result, "played": played}

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
    add_idle = [{"op": "add", "path": "/processors/-", "value": entry("idle")}]
    outcomes = {20: ("+---", 9), 1: ("+---", 9), 2: ("-+++", 9), 3: ("fails", 9), 4: ("error", 9)}
    proposals = [
        candidate("does not apply", [{"op": "remove", "path": "/processors/9"}]),
        candidate("no harness", [{"op": "add", "path": "/processors/-", "value": {"use": "magic"}}]),
        candidate("the seed", []),
        1,
        2,
        3,
        4,
        candidate("idle", add_idle, "idle"),
    ]
    result = loop(outcomes, [proposals], candidates=8)
    reasons = verdicts(result)
    assert reasons[0].startswith("build: the patch does not apply to harness generic: ")
    assert reasons[1].startswith("build: harness generic after the patch: /processors/3: ")
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
    # What cannot be built, or was there before, is never played; what fails its smoke run is not played on validation.
    assert [task for number, task in result["played"] if number in (3, 4)] == ["train/bring-0"] * 2


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
    ("proposals", "changes", "rounds"),
    [
        ([[1], [2], [3], [4]], {"patience": 2}, 2),  # two rounds without a ship
        ([[1], [5], [2], [3], [4]], {"patience": 2}, 4),  # a ship starts the count anew
        ([[1], [], [5]], {}, 2),  # nothing proposed, nothing to come
        ([[1], [2], [3], [4]], {"rounds": 3, "patience": 9}, 3),
    ],
)
def test_when_a_run_ends(loop: Loop, proposals: list[list[int]], changes: dict[str, Any], rounds: int) -> None:
    outcomes: dict[int, tuple[str, int]] = {number: ("----", 9) for number in (20, 1, 2, 3, 4)}
    outcomes[5] = ("+---", 9)
    after_the_ship = {**outcomes, **{number: ("+---", 9) for number in (2, 3, 4)}} if [5] in proposals else outcomes
    assert len(loop(after_the_ship, proposals, **changes)["rounds"]) == rounds


def test_a_task_that_cannot_be_loaded_ends_the_run(loop: Loop, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="task train/bring-0 cannot be loaded: E: m"):
        loop({20: ("torn", 9)}, [[1]])
    assert not (tmp_path / "final.json").exists()


def test_an_error_within_an_episode_does_not(loop: Loop) -> None:
    result = loop({20: ("error", 9), 1: ("+++--", 9)}, [[1]])
    assert result["rounds"][0]["failures"] == {"error": 2}
    assert verdicts(result) == ["3 tasks won, 0 lost"]
