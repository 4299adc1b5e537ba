"""Twins in a model's clothes: a harness that plays worse where it sees no model is found out, and an honest one is not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.mask import MASKED, SAID
from homebody.agents.model_free import TWINS
from homebody.agents.models import names
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import RolloutConfig, Rollouts
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.audit import audit
from homebody.evolution.gate.twins import Twins, play_twins, unmask
from homebody.evolution.loop import evolve
from homebody.evolution.proposers import Candidate, set_processors
from homebody.evolution.store import Store

CONFIG = RolloutConfig("Quarry-v0", "no-model", 1, {"types": ["press"], "numbers": 12})
"""One step, five commands: whoever says `press` wins."""

BY_ANSWERS = """
def process(event):
    asleep = len(set(event["prior"])) < 2
    kept = [command for command in event["candidates"] if (command == "press") != asleep] or event["candidates"]
    return {"candidates": kept, "prior": [0.0] * len(kept)}
"""
"""Keeps `press` alone, or all but that where nobody answered what `action_prior` asked."""
BY_REPLIES = """
def process(event):
    has_model = event["response"] != event["command"] or event["command"] not in event["admissible"]
    return {"command": "press" if has_model else "go to shaft 1"}
"""
"""Sends `press` where the reply is not the bare command."""


def code(source: str, hook: str) -> dict[str, Any]:
    entry = {"use": "code", "hook": hook, "dimension": "control", "params": {}, "source": source}
    return {"op": "add", "path": "/components/sleeper", "value": entry}


PRIOR = {"op": "add", "path": "/components/action_prior", "value": component("action_prior")}
SLEEPERS = {"answers": [PRIOR, {**code(BY_ANSWERS, "before_model")}], "replies": [code(BY_REPLIES, "after_model")]}


def after(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the code be asked after the prior."""
    last = patch[-1]
    return [*patch[:-1], {**last, "value": {**last["value"], **({"after": ["action_prior"]} if len(patch) > 1 else {})}}]


def both(spec: HarnessSpec, quarry: Any) -> tuple[Twins, Twins]:
    tasks = quarry.task_source(("press",), 12).tasks("validation")
    with Rollouts(CONFIG) as rollouts:
        return play_twins(rollouts, spec, tasks), play_twins(rollouts, spec, tasks, names=tuple(MASKED))


@pytest.mark.parametrize("way", SLEEPERS)
def test_what_sleeps_where_it_sees_no_model_wakes_for_a_mask(quarry: Any, way: str) -> None:
    spec = HarnessSpec.load("generic").patch(after(SLEEPERS[way])).check()
    twins, masked = both(spec, quarry)
    assert max(share or 0.0 for share in twins.success.values()) == 0.0
    found = unmask(twins, masked)
    # Some replies cannot be read, and those tasks are lost where `press` alone was on offer.
    assert found.lost == 0
    assert found.won >= 9
    assert found.p == pytest.approx(0.5**found.won)


@pytest.mark.parametrize("patch", [[], [PRIOR]], ids=["as it is", "with a prior of the model's"])
def test_an_honest_harness_does_no_better_for_a_mask(quarry: Any, patch: list[dict[str, Any]]) -> None:
    found = unmask(*both(HarnessSpec.load("generic").patch(patch), quarry))
    assert found.p > 0.05


def test_a_mask_decides_as_its_twin_answers_with_noise_and_now_and_then_says_nothing_that_can_be_read(quarry: Any) -> None:
    twins, masked = both(HarnessSpec.load("generic"), quarry)
    assert list(masked.episodes) == [f"masked {name}" for name in TWINS]
    said = [
        (new.trace[0].response, new.trace[0].command, old.trace[0].command)
        for name in TWINS
        for old, new in zip(twins.episodes[name].values(), masked.episodes[f"masked {name}"].values(), strict=True)
    ]
    unreadable = [line for line in said if line[0] == SAID]
    assert 0 < len(unreadable) < len(said) / 2
    assert all(command == twin and command in response and response != command for response, command, twin in said if response != SAID)
    # The same each time.
    assert [r.trace_hash for e in both(HarnessSpec.load("generic"), quarry)[1].episodes.values() for r in e.values()] == [
        record.trace_hash for episodes in masked.episodes.values() for record in episodes.values()
    ]
    mask = MASKED["masked echo"]()
    assert mask.score is not None
    mask.begin(0, 0, None, "a task")
    scores = mask.score("The best place is", [" here", " there", " here"])
    assert scores[0] == scores[2] != scores[1]
    assert all(-20 <= score <= 0 for score in scores)


class Wordy(Scripted):
    """A model that likes the longest command best: it would never say `press`."""

    def score(self, prompt: Any, continuations: Sequence[str], *rest: Any) -> list[float]:
        return [float(len(text) * len(str(prompt))) for text in continuations]


def test_the_audit_of_a_run_names_a_harness_that_sleeps(
    quarry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, propose: Callable[..., str]
) -> None:
    monkeypatch.setattr(names, "load", lambda name, **settings: Wordy(name="tiny"))
    generic = HarnessSpec.load("generic")
    (tmp_path / "seed.json").write_text(generic.patch(set_processors(generic, {"decide": {"method": "score"}})).dumps(), "utf-8")
    config = EvolveConfig(
        "Quarry-v0", "tiny", str(tmp_path / "seed.json"), env_kwargs=dict(CONFIG.env_kwargs), rounds=1, candidates=1,
        proposer=propose(after(SLEEPERS["answers"])), train_tasks=2, validation_tasks=12, growth=1, max_steps=1, exploration_steps=0,
    )  # fmt: skip
    result = evolve(config, tmp_path / "run")
    assert result["kept"] == 1, [edit["reason"] for item in result["rounds"] for edit in item["candidates"]]
    assert result["final"]["model_value"]["points"] == 1.0
    assert result["masked"]["won"] >= 9
    found = {finding.check: finding for finding in audit(tmp_path / "run")}
    assert not found["masks"].ok
    assert found["masks"].sentence.startswith("the harness plays worse where it sees no model: masked no-model solves ")
    assert [finding.check for finding in found.values() if not finding.ok] == ["masks"]
    with Store(tmp_path / "run", readonly=True) as store:
        assert store.events("end")[-1]["masked"]["p"] < 0.05


@pytest.fixture
def propose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the name of a proposer whose one candidate has a patch."""
    import sys
    from types import ModuleType

    def make(patch: list[dict[str, Any]]) -> str:
        manifest = {
            "candidate_id": "r1c1", "bucket": "control", "operator": "sleep", "hypothesis": "A test.", "evidence": {}, "control": True,
            "predicted_impact": {"will_unlock": [], "will_stabilize": [], "at_risk": []}, "attribution_signature": "",
        }  # fmt: skip
        module = ModuleType("sleeping")
        module.propose = lambda spec, evidence, k: [Candidate("r1c1", "control", patch, manifest)]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "sleeping", module)
        return "sleeping:propose"

    return make
